"""XML pages: equal to JSON, strict in what they accept, nothing lost."""

import json
import threading
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layout_pages import SCHEMA as ALIKE

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Drift, Embedded, EmbeddedMany, JsonReader, Kind, Schema, XmlReader
from vendorkit.frames.page import read_ahead

SHOW = (Column("id", Kind.ID), Column("name", Kind.TEXT), Column("self_link", Kind.LINK))
EPISODE = (
    Column("resource_type", Kind.TEXT),
    Column("id", Kind.ID),
    Column("aired", Kind.BOOLEAN),
    Column("show_link", Kind.LINK),
    Column("show", Embedded(SHOW)),
)
TITLES = Schema(
    "titles",
    (
        *ALIKE.columns,
        Column("episodes_link", Kind.LINK),
        Column("metadata_link", Kind.LINK),
        Column("show", Embedded(SHOW)),
        Column("episodes", EmbeddedMany(EPISODE)),
        Column("metadata", Kind.DOCUMENT),
    ),
)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
TYPES = {
    "id": "integer",
    "nth": "integer",
    "rate": "decimal",
    "enabled": "boolean",
    "due": "date",
    "put_up": "datetime",
}
SHOWS = st.fixed_dictionaries({"id": st.integers(0, 99), "name": WORDS, "self_link": WORDS})
EPISODES = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 99), "aired": st.booleans(), "show_link": WORDS, "show": SHOWS}),
    max_size=2,
)
VALUES = st.one_of(WORDS, st.booleans(), st.integers(-(2**60), 2**60), st.none())
DOCUMENTS = st.dictionaries(
    st.sampled_from(["title_year", "cast", "silent"]),
    st.one_of(VALUES, st.lists(VALUES, max_size=2), st.dictionaries(st.sampled_from(["a_b", "c"]), VALUES, min_size=1)),
    max_size=3,
)
FIELDS = {
    "id": st.integers(0, 2**60),
    "external_id": WORDS,
    "name": WORDS,
    "nth": st.one_of(st.integers(-(2**63), 2**63 - 1), st.just("many")),
    "rate": st.floats(-1e6, 1e6).map(lambda number: round(number, 3)).filter(lambda number: "e" not in repr(number)),
    "enabled": st.booleans(),
    "due": st.dates().map(str),
    "put_up": st.sampled_from(["2026-01-31T10:00:00+01:00", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00", "soon"]),
    "runtime": st.sampled_from(["02:13:21.000", "30m"]),
    "self_link": WORDS,
    "brand_new": WORDS,
}
RECORDS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            **{name: st.one_of(st.none(), values) for name, values in FIELDS.items() if not name.endswith("_link")},
            "self_link": WORDS,
            "show": SHOWS,
            "episodes": EPISODES,
            "metadata": DOCUMENTS,
        },
    ),
    max_size=3,
)


def _typed(tag, value, kind=""):
    """One element as Rails writes it."""
    if value is None:
        return f'<{tag} nil="true"/>'
    if isinstance(value, list):
        inner = "".join(_typed(tag.removesuffix("s"), item) for item in value)
        return f'<{tag} type="array">{inner}</{tag}>'
    if isinstance(value, dict):
        return f"<{tag}>{''.join(_typed(name.replace('_', '-'), item) for name, item in value.items())}</{tag}>"
    kind = kind or ("boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{tag}{f' type={quoteattr(kind)}' if kind else ''}>{escape(text)}</{tag}>"


def _link(rel, href, inner=""):
    return f"<link rel={quoteattr(rel)} href={quoteattr(href)}>{inner}</link>"


def _xml(record, tag="title"):
    parts = []
    for name, value in record.items():
        if name == "show":
            parts.append(_link("show", record["show_link"], _xml(value, "show")))
        elif name == "episodes":
            inner = "".join(_xml(item, "episode") for item in value["entries"])
            parts.append(_link("episodes", record["episodes_link"], f'<episodes type="array">{inner}</episodes>'))
        elif name == "metadata":
            inner = "".join(_typed(key.replace("_", "-"), item) for key, item in value.items())
            parts.append(_link("metadata", record["metadata_link"], f'<metadata type="document">{inner}</metadata>'))
        elif name.endswith("_link"):
            if name.removesuffix("_link") not in record:
                parts.append(_link(name.removesuffix("_link"), value))
        elif name != "resource_type":
            parts.append(_typed(name.replace("_", "-"), value, TYPES.get(name, "")))
    return f"<{tag}>{''.join(parts)}</{tag}>"


def _finished(record):
    """The record with what JSON has beside expanded links."""
    for rel in ("show", "episodes", "metadata"):
        if rel in record:
            record[f"{rel}_link"] = f"/{rel}?a=1&b=2"
    if "episodes" in record:
        record["episodes"] = {"entries": [{"resource_type": "episode", **item} for item in record["episodes"]]}
    return {"resource_type": "title", **record}


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(RECORDS)
def test_xml_and_json_of_one_answer_are_equal_tables(records):
    """Types, nil, links, expanded children, documents, misfits and new fields read the same in both forms."""
    records = [_finished(dict(record)) for record in records]
    text = json.dumps({"total_entries": len(records), "entries": records}, ensure_ascii=False)
    from_json = JsonReader(TITLES, "entries").read(text.encode())
    body = f'<titles type="array"><total-entries>{len(records)}</total-entries>{"".join(map(_xml, records))}</titles>'
    from_xml = XmlReader(TITLES).read(body.encode())
    assert from_xml.table.to_pylist() == from_json.table.to_pylist()
    assert from_xml.table.equals(from_json.table)
    assert from_xml.drift == from_json.drift
    assert from_xml.envelope == from_json.envelope


def _rows(body, schema=TITLES):
    return XmlReader(schema.project(["id", "name"])).read(body.encode()).table.to_pylist()


def test_nil_empty_and_absent_are_apart():
    """Nil is null, an empty element the empty text, and an empty number says nothing."""
    inner = '<title><name nil="true"/></title><title><name/></title><title><nth type="integer"/></title>'
    body = f'<titles type="array">{inner}</titles>'
    page = XmlReader(TITLES).read(body.encode())
    assert page.table["name"].to_pylist() == [None, "", None]
    assert page.table["nth"].to_pylist() == [None, None, None]
    assert page.drift == Drift()


@pytest.mark.parametrize(("kind", "raw"), [("array", "[]"), ("document", "{}")])
@pytest.mark.parametrize("inner", ["", "\n  "])
def test_an_empty_list_in_a_text_column_is_kept_as_in_json(kind, raw, inner):
    """It is no empty text: the cell is null, and what came stands beside it."""
    element = f'<name type="{kind}">{inner}</name>'
    body = f'<titles type="array"><title><id>1</id>{element}</title><title><id>2</id><name> </name></title></titles>'
    page = XmlReader(TITLES).read(body.encode())
    entries = f'[{{"resource_type":"title","id":"1","name":{raw}}},{{"resource_type":"title","id":"2","name":" "}}]'
    in_json = JsonReader(TITLES, "entries").read(f'{{"entries":{entries}}}'.encode())
    assert page.table["name__raw"].to_pylist() == [raw, None]
    assert page.table.equals(in_json.table)
    assert page.drift == in_json.drift


def test_the_envelope_has_the_total_and_the_pages_around():
    """Links of the collection are not links of a record."""
    links = '<link rel="prev" href="p"/><link rel="next" href="n?a&amp;b"/>'
    body = f'<titles type="array"><total-entries>326</total-entries>{links}</titles>'
    page = XmlReader(TITLES).read(body.encode())
    assert page.envelope == {"total_entries": 326, "prev": "p", "next": "n?a&b"}
    assert page.table.equals(TITLES.empty())


@pytest.mark.parametrize(
    "body",
    [
        "<title><id>1</id><name>a</name></title>",
        '<titles type="array"><title><id type="integer">1</id><name>a</name></title></titles>',
        "<titles><title><id>1</id><name>a</name></title></titles>",
        '<listing type="array"><title><name>a</name><id>1</id></title></listing>',
        "<listing><title><name>a</name><id>1</id></title></listing>",
        "<!-- <titles> --><titles><?x?><title><!-- --><id>1</id><name><![CDATA[a]]></name></title></titles>",
        "<titles><title><id>1</id><name>a<!-- in between --></name></title></titles>",
        '\ufeff<?xml version="1.0" encoding="UTF-8"?><title><id>1</id><name>a</name></title>',
    ],
)
def test_collections_and_single_resources_are_told_apart(body):
    """Array roots may lack their type in old samples; comments and CDATA are no content of their own."""
    assert _rows(body) == [{"id": "1", "name": "a"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read(encoding):
    """P31: UTF-16 with or without a byte order mark."""
    body = '<?xml version="1.0" encoding="UTF-16"?><title><id>1</id><name>\u20ac</name></title>'.encode(encoding)
    assert XmlReader(TITLES).read(body).table["name"].to_pylist() == ["\u20ac"]


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "ha"}">' for n in range(20))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (f"<!DOCTYPE t [{BOMB}]><title><name>&e19;</name></title>", "DOCTYPE"),
        ('<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/hostname">]><title><name>&x;</name></title>', "DOCTYPE"),
        ('<?xml version="1.0"?>\n<!-- <a> --> <!DOCTYPE t SYSTEM "http://127.0.0.1:9/x.dtd"><title/>', "DOCTYPE"),
        ("<title><name>&undeclared;</name></title>", "well-formed"),
        ("<title>" + "<a>" * 200_000 + "</a>" * 200_000 + "</title>", "well-formed"),
        ("<title><id>1</id>" + "<a>" * 240 + "</a>" * 240 + "</title>", "nested"),
        ("<titles><title><id>1</id></title><title>", "well-formed"),
        ('<?xml version="1.0" encoding="UTF-7"?><title><id>1</id></title>', "UTF-7"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><title><id>1</id></title>', "ISO-8859-1"),
        ("", "well-formed"),
        ("<html><body><p>Down for maintenance</p></body></html>", "<html> holds nothing of titles"),
        ("<errors><error>per_page maximum value is 200</error></errors>", "is an error"),
    ],
)
def test_dangerous_broken_and_foreign_documents_are_refused(body, why):
    """P25, P26, P27, P28, P29, P30, P31: bombs, external entities, depth, truncation, encodings."""
    with pytest.raises(MalformedAnswer, match=why):
        XmlReader(TITLES).read(body.encode())


def test_invalid_utf8_is_refused_with_its_place():
    """P02: the byte is named."""
    with pytest.raises(MalformedAnswer, match="not UTF-8 at byte 13"):
        XmlReader(TITLES).read(b"<title><name>\xe9</name></title>")


def test_a_doctype_in_a_text_is_only_text():
    """HTML kept in CDATA may begin with its own DOCTYPE."""
    assert _rows("<title><id>1</id><name><![CDATA[<!DOCTYPE html>]]></name></title>")[0]["name"] == "<!DOCTYPE html>"


def test_elements_that_come_twice_or_have_children_are_kept_raw():
    """A text column cannot hold them, so the original stands beside it."""
    body = "<titles><title><id>1</id><name>a</name><name>b</name></title><title><name><b>x</b></name></title></titles>"
    table = XmlReader(TITLES).read(body.encode()).table
    assert table["name"].to_pylist() == [None, None]
    assert table["name__raw"].to_pylist() == ['["a","b"]', '{"b":"x"}']


def test_pages_read_ahead_are_the_pages_read_alone():
    """Parsing on another thread keeps the order, and an error stands where its page stands."""
    bodies = [f"<title><id>{at}</id></title>".encode() for at in range(6)]
    pages = list(XmlReader(TITLES).read_all(bodies))
    assert [page.table["id"][0].as_py() for page in pages] == ["0", "1", "2", "3", "4", "5"]
    reading = XmlReader(TITLES).read_all([*bodies, b"<title>"])
    for _ in bodies:
        next(reading)
    with pytest.raises(MalformedAnswer):
        next(reading)


def test_pages_read_ahead_are_let_go_without_a_wait():
    """Who wants no more pages does not wait for those that are being read, whichever thread it is closed in."""
    release = threading.Event()

    def read(body):
        if body:
            release.wait(20)
        return body

    reading = read_ahead(read, range(9))
    assert next(reading) == 0
    closing = threading.Thread(target=reading.close)
    closing.start()
    closing.join(5)
    try:
        assert not closing.is_alive()
    finally:
        release.set()


def test_pages_read_ahead_can_be_closed_by_one_of_their_readers():
    """The collector runs in any thread, and so closes what was left alone in any."""
    go, closed = threading.Event(), threading.Event()

    def read(body):
        if body == 2:
            go.wait(20)
            reading.close()
            closed.set()
        return body

    reading = read_ahead(read, range(9))
    assert next(reading) == 0
    go.set()
    assert closed.wait(5)
