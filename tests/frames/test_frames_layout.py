"""XML pages whose records are written alike: whatever the pattern reads is what the parser alone makes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layout_pages import FULL, NIL, PROJECTIONS, QUICK, RECORDS, SCHEMA, STYLES, by_pattern, page_of, same, taught

from vendorkit.frames import Column, Drift, Kind, Schema
from vendorkit.frames import layout as layouts
from vendorkit.frames import xml as reading


@QUICK
@given(RECORDS, RECORDS, STYLES, st.sampled_from(PROJECTIONS))
def test_pages_written_alike_are_what_the_parser_makes_of_them(first, second, style, columns):
    """Fields and links there, absent, nil or empty; any text; any style; all columns or some."""
    lesson, body = page_of([FULL, *first], **style), page_of(second, **style)
    same(lesson, body, schema=SCHEMA.project(columns))


@QUICK
@given(st.lists(RECORDS, min_size=3, max_size=6), STYLES, STYLES, st.integers(0, 9))
def test_pages_of_changing_styles_are_what_the_parser_makes_of_them(pages, style, other, at):
    """What one page taught misleads about none that follows; each may have elements that none before had."""
    same(*(page_of(records, **(other if place == at else style)) for place, records in enumerate(pages)))


@pytest.mark.parametrize("columns", PROJECTIONS)
@pytest.mark.parametrize("blanks", ["", "\n    "])
def test_the_parser_sees_only_what_is_around_records_written_alike(monkeypatch, columns, blanks):
    """From the second page on the records are read by the pattern, texts, nulls, links and all."""
    schema, around = SCHEMA.project(columns), '<total-entries>326</total-entries><link rel="next" href="n?a&amp;b"/>'
    reader, seen = taught(page_of([FULL, NIL], blanks), schema=schema), []
    parse = reading.parse
    monkeypatch.setattr(reading, "parse", lambda body: seen.append(body) or parse(body))
    body = page_of([NIL, FULL, {}, {"self": "x"}], blanks, around=around)
    page = reader.read(body)
    assert seen == [f'<titles type="array">{around}{blanks}</titles>'.encode()]
    assert page.envelope == {"total_entries": 326, "next": "n?a&b"}
    assert page.drift == Drift()
    assert page == same(body, schema=schema)


def test_texts_of_the_pattern_are_unescaped_once():
    """An entity that is spelled out stays spelled out."""
    body = page_of([{"name": "&lt;&amp;amp;<>\"'"}])
    assert by_pattern(body, body)
    assert same(body, body).table["name"].to_pylist() == ["&lt;&amp;amp;<>\"'"]


MISFITS = [("nth", "many"), ("nth", "007"), ("nth", " "), ("enabled", "yes"), ("due", "2026-02-30"), ("put-up", "soon")]


@pytest.mark.parametrize(("tag", "text"), MISFITS)
def test_what_does_not_fit_its_column_stands_beside_it(tag, text):
    """The pattern reads it, the types refuse it, and the parser's way keeps it."""
    body = page_of([FULL, {**FULL, tag: text}, NIL])
    assert by_pattern(page_of([FULL]), body)
    page, name = same(page_of([FULL]), body), tag.replace("-", "_")
    assert page.table[f"{name}__raw"].to_pylist() == [None, json.dumps(text), None]
    assert page.drift.unfit


@pytest.mark.parametrize(("tag", "text"), [("rate", "1e2"), ("nth", str(2**62)), ("put-up", "2026-01-31T10:00:00")])
def test_what_needs_a_closer_look_gets_it(tag, text):
    """Values that fit, but not at once."""
    page = same(page_of([FULL]), page_of([{**FULL, tag: text}]))
    assert page.table.column_names == SCHEMA.arrow.names
    assert page.table[tag.replace("-", "_")].null_count == 0


def test_elements_that_nobody_wants_are_skipped():
    """Whatever is in them, as long as it is written like the last time; a new one is learned."""
    inner = "<title><id>1</id><blurb>{0}</blurb><name>b</name><link rel='art' href='{0}'/></title>".replace("'", '"')
    body = f'<titles type="array">{inner}{{1}}</titles>'
    lesson, later = body.format("a", ""), body.format(" \n&amp;\té" * 9, "<title><blurb/><id>2</id></title>")
    schema = SCHEMA.project(["name", "id"])
    assert by_pattern(lesson.encode(), body.format("\t\n é", "").encode(), schema)
    page = same(lesson.encode(), later.encode(), later.replace("<blurb/>", "").encode(), schema=schema)
    assert page.table.to_pylist() == [{"name": "b", "id": "1"}, {"name": None, "id": "2"}]


ORDERED, TURNED = {"id": "1", "name": "a"}, {"name": "b", "id": "2"}


@pytest.mark.parametrize(
    "bodies",
    [
        [page_of([ORDERED, TURNED])],
        [page_of([ORDERED]), page_of([TURNED])],
        [page_of([ORDERED]), page_of([ORDERED], types={})],
        [page_of([{"self": "/"}]), page_of([{"self": "/"}], link='<link href="{1}" rel="{0}"/>')],
        [page_of([ORDERED]).replace(b"<title>", b'<title nth="1">')],
        [page_of([ORDERED]).replace(b"<name>", b'<name by="a&amp;b">')],
        [page_of([ORDERED]).replace(b"title>", "titr\u00e9>".encode())],
        [page_of([ORDERED, ORDERED]).replace(b"title>", b"show>", 2)],
        [page_of([{"external-id": "x"}]), page_of([{"external_id": "x"}])],
    ],
)
def test_records_that_are_not_written_alike_have_no_layout(bodies):
    """Two orders, other attributes or names, two spellings: nothing more is learned, and all is read rightly."""
    reader = taught(*bodies)
    assert reader._layout._record is None
    assert reader._layout._lessons == layouts._LESSONS
    reader.read(page_of([ORDERED]))
    assert reader._layout._record is None
    same(*bodies, *bodies, page_of([ORDERED]), page_of([TURNED]))


def test_learning_ends_though_each_page_has_something_new():
    """What is new after that goes to the parser, and the pages known before are still read by the pattern."""
    fields = list(FULL)
    bodies = [page_of([{**dict.fromkeys(fields[:at], ""), "name": "x"}], short=True) for at in range(1, 12)]
    reader = taught(*bodies)
    assert reader._layout._lessons == layouts._LESSONS
    assert reader._layout._record.slots == taught(*bodies[: layouts._LESSONS])._layout._record.slots
    assert reader._layout.read(page_of([{"id": "1"}])) is not None
    assert reader._layout.read(page_of([FULL])) is None
    same(*bodies, page_of([{"id": "1"}]), page_of([FULL]), *bodies)


def test_a_layout_grows_by_what_later_pages_have():
    """A new element has its place between those before and after it; nil first, its attributes come later."""
    lessons = [
        [{"id": None, "name": "a"}],
        [{"id": "1", "nth": None, "name": "b"}],
        [{"nth": "3", "due": "2026-01-31"}],
    ]
    bodies = [page_of(records) for records in lessons]
    whole = page_of([{"id": "1", "nth": "2", "due": None, "name": "c"}])
    assert taught(*bodies)._layout.read(whole) is not None
    same(*bodies, whole)


def test_a_link_that_is_nil_moves_no_column():
    """A link has no text that could be nil: what it says is read as an attribute."""
    lesson = page_of([{"self": "/t", "name": "a"}]).replace(b" href", b' nil="true" href')
    page = same(lesson, lesson, page_of([{"name": "b"}]))
    assert page.table.select(["name", "self_link"]).to_pylist() == [{"name": "b", "self_link": None}]


def test_a_dot_in_the_name_of_records_stands_for_itself():
    """Records of another name are other records."""
    lesson = page_of([{"id": "1"}]).replace(b"title>", b"a.b>")
    assert by_pattern(lesson, lesson)
    assert "mismatch" in same(lesson, lesson.replace(b"<a.b>", b"<axb>"))
    assert "mismatch" in same(lesson, lesson.replace(b"</titles>", b"<a.b></axb></titles>"))


@pytest.mark.parametrize("name", ["title", "total-entries", "link", "errors"])
def test_records_and_fields_may_have_one_name(name):
    """What an element is depends on where it stands."""
    schema = Schema("things", (Column(name.replace("-", "_"), Kind.TEXT), Column("id", Kind.ID)))
    inner = f"<title><{name}>1</{name}><id>2</id></title><title><{name}>3</{name}></title><title></title>"
    bodies = [f'<{root} type="array">{inner}</{root}>'.encode() for root in ("things", "title", "link", "errors")]
    for body in bodies:
        same(bodies[0], body, bodies[0], schema=schema)


def test_a_text_longer_than_the_parser_takes_is_refused():
    """Its bounds are kept where it is not asked."""
    lesson = page_of([{"name": "a", "self": "/t"}])
    for old in (b"<name>", b'href="/', b"</name>"):
        assert isinstance(same(lesson, lesson.replace(old, old + b" " * (layouts._LONGEST + 1))), str)


@pytest.mark.parametrize("end", [b"</titles>", b"</titles", b"</title!>", b"</titles>x", b"<", b"</titles-->"])
def test_long_runs_of_blanks_are_read_in_bounded_time(end):
    """In texts, around the records, and between elements, where a pattern might try each in all ways."""
    blanks = " " * 20_000
    body = page_of([{"id": "1", "name": blanks}] * 199 + [FULL], around=blanks).removesuffix(b"</titles>")
    assert by_pattern(page_of([FULL]), body + blanks.encode() + b"</titles>")
    same(page_of([FULL]), body + end)
    same(page_of([FULL]), body.removesuffix(b"</title>") + end)
    gaps = page_of([FULL] * 20, blanks)
    same(page_of([FULL]), gaps.removesuffix(b"</titles>") + end)
    same(page_of([FULL]), gaps.replace(b"</title>", end))


def test_records_are_indented_as_far_as_anyone_does():
    """Where more than a hundred blanks stand between elements, the parser skips them."""
    lesson = page_of([FULL])
    assert by_pattern(lesson, page_of([FULL, NIL], "\n" + " " * 80))
    assert not by_pattern(lesson, page_of([FULL, NIL], "\n" + " " * 800))
    same(lesson, page_of([FULL, NIL], "\n" + " " * 800))
