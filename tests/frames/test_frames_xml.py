"""XML records: equal to those of the same answer in JSON, nothing lost."""

import json
import re
from datetime import datetime, timezone
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xml_titles import TITLES, collection, in_xml, rows

from vendorkit.frames import Column, Drift, Embedded, Kind, ListOf, Schema, Struct, TableReader, json_page, xml_page

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
EPOCH = datetime.fromtimestamp(0, timezone.utc)
TYPES = {"id": "integer", "nth": "integer", "rate": "decimal", "enabled": "boolean", "due": "date"}
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
            "other": SHOWS,
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
        if name in ("show", "other"):
            parts.append(_link(name, record[f"{name}_link"], _xml(value, "show")))
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
    """The record with what JSON also has for expanded links."""
    for rel in ("show", "episodes", "metadata", "other"):
        if rel in record:
            record[f"{rel}_link"] = f"/{rel}?a=1&b=2"
    for rel in ("show", "other"):
        if rel in record:
            record[rel] = {"resource_type": "show", **record[rel]}
    if "episodes" in record:
        episodes = [{"resource_type": "episode", **item} for item in record["episodes"]]
        for item in episodes:
            item["show"] = {"resource_type": "show", **item["show"]}
        record["episodes"] = {"entries": episodes}
    return {"resource_type": "title", **record}


def _in_json(records, schema=TITLES):
    text = json.dumps({"total_entries": len(records), "entries": records}, ensure_ascii=False)
    return json_page(text.encode(), "entries"), json_page(text.encode(), "entries").table(schema)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(RECORDS)
def test_xml_and_json_of_one_answer_are_equal_tables(records):
    """Types, nil, links, expanded children, documents, misfits and new fields read the same in both forms."""
    records = [_finished(dict(record)) for record in records]
    page, from_json = _in_json(records)
    body = f'<titles type="array"><total-entries>{len(records)}</total-entries>{"".join(map(_xml, records))}</titles>'
    in_xml = xml_page(body.encode(), "entries")
    for schema in (TITLES, TITLES.project(["metadata", "nth", "show"])):
        from_json, from_xml = page.table(schema), in_xml.table(schema)
        assert from_xml.table.to_pylist() == from_json.table.to_pylist()
        assert from_xml.table.equals(from_json.table)
        assert from_xml.drift == from_json.drift
    assert in_xml.envelope == page.envelope
    for path in ("id", "enabled", "resource_type", "self_link", "show.id", "show.none"):
        assert in_xml.values(path) == page.values(path)


def test_nil_empty_and_absent_are_apart():
    """Nil is null, an empty element the empty text, and an empty number says nothing."""
    batch = in_xml('<title><name nil="true"/></title><title><name/></title><title><nth type="integer"/></title>')
    assert batch.table["name"].to_pylist() == [None, "", None]
    assert batch.table["nth"].to_pylist() == [None, None, None]
    assert batch.drift == Drift()


def test_nil_of_xml_schema_is_null_too():
    """In a text, a number, an undeclared field and an expanded link."""
    root = '<titles xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="array">{}</titles>'
    inner = '<name{0}/><nth{0}/><new{0}/><link rel="show" href="/"><show{0}/></link>'
    inner += '<link rel="episodes" href="/e"><episodes{0}/></link>'
    batches = [
        xml_page(root.format(f"<title>{inner.format(nil)}</title>").encode(), "entries").table(TITLES)
        for nil in (' nil="true"', ' xsi:nil="true"')
    ]
    assert batches[0].table.select(["name", "nth", "show", "episodes", "new"]).to_pylist() == [
        {"name": None, "nth": None, "show": None, "episodes": None, "new": "null"}
    ]
    assert batches[1].table.equals(batches[0].table)


def test_text_between_the_members_of_an_expanded_resource_is_kept():
    """Its markup is a value that does not fit, next to the null."""
    show = '<link rel="show" href="/s"><show><id>1</id>text</show></link>'
    episodes = '<link rel="episodes" href="/e"><episodes type="array"><episode/>text</episodes></link>'
    batch = in_xml(f"<title>{show}{episodes}</title>")
    assert batch.table.select(["show", "show__raw", "episodes", "episodes__raw"]).to_pylist() == [
        {"show": None, "show__raw": '"<id>1</id>text"', "episodes": None, "episodes__raw": '"<episode/>text"'}
    ]


@pytest.mark.parametrize(("kind", "raw"), [("array", "[]"), ("document", "{}")])
@pytest.mark.parametrize("inner", ["", "\n  "])
def test_an_empty_list_in_a_text_column_is_kept_as_in_json(kind, raw, inner):
    """It is no empty text: the cell is null, and the original is next to it."""
    element = f'<name type="{kind}">{inner}</name>'
    batch = in_xml(f"<title><id>1</id>{element}</title><title><id>2</id><name> </name></title>")
    records = [{"resource_type": "title", "id": "1", "name": json.loads(raw)}]
    _, in_json = _in_json([*records, {"resource_type": "title", "id": "2", "name": " "}])
    assert batch.table["name__raw"].to_pylist() == [raw, None]
    assert batch.table.equals(in_json.table)
    assert batch.drift == in_json.drift


@pytest.mark.parametrize(
    ("element", "column", "value", "raw"),
    [
        ('<id type="integer"> 1 </id>', "id", "1", None),
        ('<id type="integer">\n\t12\r\n</id>', "id", "12", None),
        ("<id> 1 </id>", "id", " 1 ", None),
        ('<id type="string"> 1 </id>', "id", " 1 ", None),
        ('<id type="integer">\u00a01</id>', "id", "\u00a01", None),
        ('<nth type="integer"> -7\n</nth>', "nth", -7, None),
        ("<nth> 7</nth>", "nth", None, '" 7"'),
        ('<put-up type="datetime">1970-01-01T00:00:00.0000000Z</put-up>', "put_up", EPOCH, None),
        ('<enabled type="boolean"> true </enabled>', "enabled", True, None),
        ('<enabled type="boolean">0</enabled>', "enabled", False, None),
        ('<due type="date"> 2026-01-31 </due>', "due", "2026-01-31", None),
        ('<name type="AspectRatio"> 16:9 </name>', "name", "16:9", None),
        ('<name type="integer">  </name>', "name", None, None),
        ("<name>  </name>", "name", "  ", None),
        ('<external-id type="decimal">1234567.0</external-id>', "external_id", "1234567", None),
        ('<external-id type="float">5.4e12</external-id>', "external_id", "5400000000000", None),
        ('<external-id type="decimal">1234567.5</external-id>', "external_id", None, "1234567.5"),
        ('<external-id type="integer">007</external-id>', "external_id", "007", None),
        ("<external-id>1234567.0</external-id>", "external_id", "1234567.0", None),
        ('<external-id type="boolean">true</external-id>', "external_id", None, "true"),
        ('<name type="boolean">true</name>', "name", None, "true"),
        ('<name type="decimal">1.50</name>', "name", "1.50", None),
        ('<nth type="boolean">true</nth>', "nth", None, "true"),
        ('<nth type="decimal">21.0</nth>', "nth", 21, None),
        ('<rate type="decimal">1e999</rate>', "rate", None, '"1e999"'),
    ],
)
def test_blanks_and_types_of_an_element_mean_what_they_meanin_xml(element, column, value, raw):
    """Blanks around a typed value go, those of a text stay; a code that is a whole number is its digits, as in JSON."""
    others = "<title><id>2</id><external-id>ACME-1</external-id><name>a</name></title>"
    table = in_xml(f"<title>{element}</title>{others * 3}").table
    found = table[column][0].as_py()
    assert (str(found) if column == "due" else found) == value
    assert (table[f"{column}__raw"][0].as_py() if raw else None) == raw
    assert table.num_columns == len(TITLES.arrow) + (raw is not None)


def _suffixed(name, spelling):
    return f"{name}__{crc32(spelling.encode()) & 0xFFFF:04x}"


@pytest.mark.parametrize("columns", [None, ["id", "external_id", "name"]])
@pytest.mark.parametrize("beside", ["", "<external-id>A</external-id>", '<nth type="integer">many</nth>'])
@pytest.mark.parametrize(
    "tag", ["external_id", "External-Id", "External_Id", "externalId", "self-link", "resource-type"]
)
def test_another_spelling_of_a_declared_name_is_an_undeclared_field(tag, beside, columns):
    """Whatever else the record holds, and whichever columns are read."""
    batch = in_xml(f"<title><{tag}>B</{tag}>{beside}</title>", TITLES.project(columns))
    assert batch.table["external_id"].to_pylist() == ["A" if "A" in beside else None]
    if columns is None:
        name = re.sub("-", "_", tag if tag != "externalId" else "external_id").lower()
        assert batch.table[_suffixed(name, f"<{tag}>")].to_pylist() == ['"B"']
        assert batch.table["resource_type"].to_pylist() == ["title"]
        assert batch.drift.unknown == {f"<{tag}>": 1}
        assert collection(f"<title><{tag}>B</{tag}></title>").values("resource_type") == ["title"]


def test_undeclared_fields_have_the_columns_that_they_have_in_json():
    """`foo-bar` is JSON's `foo_bar`; `foo_bar` in XML is another field; inside an object both have a suffix."""
    batch = in_xml('<title><foo-bar>1</foo-bar><foo_bar>2</foo_bar><link rel="to-do" href="/"/></title>')
    assert batch.table["foo_bar"].to_pylist() == ['"1"']
    assert batch.table[_suffixed("foo_bar", "<foo_bar>")].to_pylist() == ['"2"']
    assert batch.table[_suffixed("to_do_link", "to-do_link")].to_pylist() == ['"/"']
    assert batch.drift.unknown == {"foo_bar": 1, "<foo_bar>": 1, "to-do_link": 1}
    inner = "<id>1</id><foo-bar>1</foo-bar><foo_bar>2</foo_bar><self_link>3</self_link>"
    batch = in_xml(f'<title><link rel="show" href="/"><show>{inner}</show></link></title>')
    assert batch.drift.unknown == {"show.foo_bar": 1, "show.<foo_bar>": 1, "show.<self_link>": 1}
    assert batch.table[_suffixed("show_foo_bar", "show.foo_bar")].to_pylist() == ['"1"']
    assert batch.table[_suffixed("show__foo_bar", "show.<foo_bar>")].to_pylist() == ['"2"']
    assert batch.table["show"].to_pylist()[0]["self_link"] is None


def test_names_in_camel_case_are_kebab_casein_xml():
    """`eanGtin13` is `ean-gtin13`, at every level, and nothing else is."""
    part = Struct((Column("hs_code", Kind.CODE, "hsCode"),))
    columns = (Column("ean", Kind.CODE, "eanGtin13"), Column("parts", part), Column("at", Kind.DATE, "meta.dueAt"))
    schema = Schema("products", columns, style="camel")
    for tag in ("ean-gtin13", "eanGtin13", "ean_gtin13"):
        inner = f"<{tag}>1</{tag}><parts><hs-code>2</hs-code></parts><meta><due-at>2026-01-31</due-at></meta>"
        body = f"<product>{inner}<more-of-it>x</more-of-it></product>"
        batch = xml_page(body.encode(), None).table(schema)
        assert batch.table["ean"].to_pylist() == ["1" if tag == "ean-gtin13" else None]
        assert batch.table["parts_hs_code"].to_pylist() == ["2"]
        assert [str(at) for at in batch.table["at"].to_pylist()] == ["2026-01-31"]
        assert batch.table["more_of_it"].to_pylist() == ['"x"']


def test_a_text_with_elements_in_it_is_kept_as_it_is_written():
    """HTML that is not escaped loses neither its words nor its tags."""
    batch = in_xml("<title><name>The <b>big</b> one</name><new>a<br/></new></title>")
    assert batch.table["name"].to_pylist() == ["The <b>big</b> one"]
    assert batch.table["new"].to_pylist() == ['"a<br/>"']
    raw = in_xml("<title><name>\n <b>x</b>\n</name></title>").table["name__raw"].to_pylist()
    assert raw == ['{"b":"x"}']


def test_a_link_without_a_rel_is_a_field():
    """A document may have a field of this name, and so may a record."""
    inner = '<link rel="metadata" href="/"><metadata type="document"><link>http://x</link></metadata></link>'
    table = in_xml(f"<title>{inner}<link>y</link></title>").table
    assert table.select(["metadata", "link"]).to_pylist() == [{"metadata": '{"link":"http://x"}', "link": '"y"'}]


def test_links_in_a_list_keep_their_addresses():
    """Each is an object, as a record with this link is."""
    links = '<link rel="title" href="/1"/><link rel="title" href="/2"><title><id>2</id></title></link>'
    raw = in_xml(f'<title><related type="array">{links}</related></title>').table["related"].to_pylist()
    title = {"resource_type": "title", "id": "2"}
    assert json.loads(raw[0]) == [{"title_link": "/1"}, {"title_link": "/2", "title": title}]


def test_names_in_documents_are_read_alike():
    """In an account's own fields `-` and `_` are one, unless both are there."""
    document = '<link rel="metadata" href="/"><metadata type="document">{}</metadata></link>'
    inner = ["<A-b>1</A-b><c_d>2</c_d>", "<a-b>1</a-b><a_b>2</a_b>"]
    found = rows("".join(f"<title>{document.format(one)}</title>" for one in inner), "metadata")
    assert [row["metadata"] for row in found] == ['{"A_b":"1","c_d":"2"}', '{"a-b":"1","a_b":"2"}']


def test_declared_numbers_need_no_type_at_any_depth():
    """Untyped and empty ones read as typed ones do."""
    part = (Column("nth", Kind.INTEGER), Column("at", Kind.DATE))
    schema = Schema("rows", (Column("parts", ListOf(part)), Column("show", Embedded(part)), Column("s", Struct(part))))
    inner = "<nth>1e2</nth><at/>"
    parts = f'<parts type="array"><part>{inner}</part><part><nth/></part></parts>'
    body = f'<row>{parts}<link rel="show" href="/"><show>{inner}</show></link><s>{inner}</s></row>'
    batch = xml_page(body.encode(), None).table(schema.project(["parts", "show", "s_nth"]))
    assert batch.table.to_pylist() == [
        {
            "parts": [{"nth": 100, "at": None}, {"nth": None, "at": None}],
            "show": {"nth": 100, "at": None},
            "s_nth": 100,
        }
    ]
    assert batch.drift == Drift()


def test_pages_read_together_are_the_pages_read_one_by_one():
    """One odd record changes nothing but its own row."""
    bodies = [f"<title><id>{at}</id><nth>{'x' if at == 3 else at}</nth></title>" for at in range(6)]
    pages = [xml_page(body.encode(), None) for body in bodies]
    reader = TableReader(TITLES)
    batch = reader.read(pages)
    assert batch.table["nth"].to_pylist() == [0, 1, 2, None, 4, 5]
    assert batch.drift.unfit == {"nth": 1}
    for at, page in enumerate(pages):
        assert reader.read([page]).table["id"].to_pylist() == [str(at)]
        assert reader.read([page]).table.column_names == [*TITLES.arrow.names, *(["nth__raw"] if at == 3 else [])]
