"""The readers against a slow reader that was written from the contract alone."""

import json
import re
from datetime import datetime
from xml.sax.saxutils import escape

from frames_reference import SCHEMA, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vendorkit.frames import JsonReader, LinesReader, XmlReader, combine, to_frame


def _nested(depth, keys, inmost):
    """Lists (for None) and objects, one within the other."""
    for level in range(depth):
        key = keys[level % len(keys)]
        inmost = [inmost] if key is None else {key: inmost}
    return inmost


INTEGERS = st.one_of(
    st.integers(-5, 5), st.sampled_from([2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), 10**25]), st.integers()
)
FLOATS = st.one_of(st.sampled_from([12.0, 0.1, -0.5, 1e22, 1e300]), st.floats(allow_nan=False, allow_infinity=False))
WORDS = st.one_of(
    st.sampled_from(["", "12", "007", "+1", "1.5", "-0", "true", "2026-02-30", "2026-01-31", "2026-01-31T10:00:00Z"]),
    st.sampled_from(["2026-01-31T23:30:00+02:00", "2026-01-31T23:30:00", "\u2028", "e\u0301", "\U0001f600", "\x00"]),
    st.text(max_size=8),
)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, WORDS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["nl", "fr", "de", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
DEEP = st.builds(
    _nested,
    st.integers(5, 60),
    st.lists(st.sampled_from([None, "nl", "x", "東京"]), min_size=1, max_size=3),
    SCALARS,
)
ODD = st.one_of(ANYTHING, DEEP)


TEXTS = st.one_of(st.just([]), st.dictionaries(st.sampled_from(["nl", "fr"]), st.one_of(st.none(), WORDS), max_size=2))
PARTS = st.lists(
    st.fixed_dictionaries({}, optional={"id": st.integers(0, 2**40), "title": WORDS, "texts": TEXTS, "new": SCALARS}),
    max_size=3,
)
FITTING = {
    "id": st.integers(0, 2**62),
    "code": WORDS,
    "count": st.integers(-(2**63), 2**63 - 1),
    "ratio": st.floats(-1e6, 1e6),
    "flag": st.booleans(),
    "touchedAt": st.integers(-(10**9), 10**10),
    "day": st.dates().map(str),
    "starts": st.datetimes(max_value=datetime(9000, 1, 1)).map(lambda when: when.isoformat()[:19] + "Z"),  # noqa: DTZ001
    "name": TEXTS,
    "label": st.one_of(WORDS, TEXTS),
    "tags": st.lists(st.one_of(st.none(), WORDS), max_size=3),
    "parts": PARTS,
    "meta": st.fixed_dictionaries({}, optional={"size": INTEGERS}),
}
OPTIONAL = {name: st.one_of(fitting, st.none(), ODD) for name, fitting in FITTING.items()}
MIXED = st.lists(st.fixed_dictionaries({}, optional={**OPTIONAL, "brand_new": ODD}), max_size=4)
CLEAN = st.lists(
    st.fixed_dictionaries(
        {name: st.one_of(st.none(), fitting) for name, fitting in FITTING.items() if name not in ("parts", "meta")}
    ),
    max_size=4,
)
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def _body(records):
    return json.dumps({"meta": {"total": len(records)}, "results": records}, ensure_ascii=False).encode()


def _same(table, rows):
    # By repr, so that 1, 1.0 and True are three things.
    assert [_shown(row) for row in table.to_pylist()] == [_shown(row) for row in rows]


def _shown(row):
    return {name: value.isoformat() if hasattr(value, "isoformat") else repr(value) for name, value in row.items()}


@RELAXED
@given(MIXED)
def test_whatever_a_vendor_sends_reads_without_loss(records):
    """P12: missing, null, wrong, new, empty and nested values read as the reference reads them."""
    page = JsonReader(SCHEMA).read(_body(records))
    _same(page.table, read(records))
    assert page.table.schema.types[: len(SCHEMA.arrow)] == SCHEMA.arrow.types


@RELAXED
@given(CLEAN)
def test_the_fast_and_the_lossless_path_agree(records):
    """Where both paths can read a page, their tables are equal."""
    reader = JsonReader(SCHEMA)
    fast, slow = reader.read(_body(records)), reader._slow(_body(records))
    assert fast.table.equals(slow.table)
    assert fast.envelope == slow.envelope
    _same(fast.table, read(records))


@RELAXED
@given(st.lists(MIXED, min_size=1, max_size=3))
def test_pages_read_together_are_the_pages_read_alone(pages):
    """Reading several pages in one call changes nothing, nor does one page that does not fit."""
    bodies = [_body(records) for records in pages]
    together = combine(JsonReader(SCHEMA).read_all(bodies), SCHEMA)
    alone = combine([JsonReader(SCHEMA).read(body) for body in bodies], SCHEMA)
    assert together[0].equals(alone[0])
    assert together[1] == alone[1]
    assert list(to_frame(together[0]).dtypes[: len(SCHEMA.arrow)]) == list(to_frame(SCHEMA.empty()).dtypes)


ODD_ONES = st.lists(st.tuples(st.integers(0, 99), MIXED.filter(bool).map(lambda records: records[0])), max_size=4)


def _many(odd):
    """A page of 100 records that fit, but for the odd ones put in."""
    records = [{"id": at, "name": {"nl": f"a {{{at}"}, "parts": [{"id": at}, {"id": 2}]} for at in range(100)]
    for at, record in odd:
        records[at] = record
    return records


@RELAXED
@given(ODD_ONES)
def test_a_few_odd_records_among_many_are_read_without_loss(odd):
    """Records that do not fit are found among those that do, whatever braces stand in texts; the order stays."""
    records = _many(odd)
    page = combine([JsonReader(SCHEMA).read(_body(records))], SCHEMA)[0]
    _same(page, read(records))
    lines = b"".join(json.dumps({"result": record}).encode() + b"\n" for record in records)
    assert LinesReader(SCHEMA).read(lines).table.equals(page)


@settings(RELAXED, max_examples=15)
@given(
    st.lists(st.sampled_from(["brand_new", "brandNew", "count", "title", "label", "a.b", "Id", "nl"]), max_size=3),
    SCALARS,
)
def test_a_field_that_is_new_everywhere_reads_the_same_on_every_page(names, value):
    """What a reader learns from one page changes nothing in how it reads the next."""
    records = _many([])
    for at, record in enumerate(records):
        record.update({name: value for name in names if at % 7})
    reader, body = JsonReader(SCHEMA), _body(records)
    first, again = reader.read(body), reader.read(body)
    slow = reader._slow(body)
    for page in (first, again):
        assert combine([page], SCHEMA)[0].equals(combine([slow], SCHEMA)[0])
        assert page.drift == slow.drift


@RELAXED
@given(MIXED)
def test_a_stream_reads_as_a_page_does(records):
    """P21: NDJSON lines give the same table as a page of the same records."""
    lines = [{"meta": {"total": len(records), "index": at}, "result": item} for at, item in enumerate(records)]
    block = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    page = LinesReader(SCHEMA).read(block)
    _same(page.table, read(records))
    assert page.table.equals(JsonReader(SCHEMA).read(_body(records)).table)
    if records:
        assert page.envelope == {"total": len(records), "first_index": 0, "last_index": len(records) - 1}


# XML has no control characters, and a number alone says what it is: the text of a declared column, read as its type.
XML_WORDS = st.one_of(
    st.sampled_from(["", " ", "12", "007", "+1", "1.5", "true", "2026-02-30", "2026-01-31", "2026-01-31T10:00:00Z"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8),
)
XML_SCALARS = st.one_of(
    st.none(), st.booleans(), INTEGERS, FLOATS.filter(lambda number: str(number) != "-0.0"), XML_WORDS
)
XML_KEYS = st.sampled_from(["nl", "fr", "de", "id", "x", "\u00e9t\u00e9"])
XML_ODD = st.one_of(
    st.recursive(
        XML_SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3), st.dictionaries(XML_KEYS, inner, min_size=1, max_size=3)
        ),
        max_leaves=6,
    ),
    st.builds(_nested, st.integers(5, 60), st.lists(st.sampled_from([None, "nl", "x"]), min_size=1), XML_SCALARS),
)
XML_TEXTS = st.one_of(st.just([]), st.dictionaries(XML_KEYS, st.one_of(st.none(), XML_WORDS), max_size=2))
XML_PARTS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"id": st.integers(0, 2**40), "title": XML_WORDS, "texts": XML_TEXTS, "new": XML_SCALARS}
    ),
    max_size=3,
)
XML_FITTING = FITTING | {
    "code": XML_WORDS,
    "ratio": FITTING["ratio"].filter(lambda number: str(number) != "-0.0"),
    "name": XML_TEXTS,
    "label": st.one_of(XML_WORDS, XML_TEXTS),
    "tags": st.lists(st.one_of(st.none(), XML_WORDS), max_size=3),
    "parts": XML_PARTS,
}
XML_MIXED = st.lists(
    st.fixed_dictionaries(
        {},
        optional={name: st.one_of(fitting, st.none(), XML_ODD) for name, fitting in XML_FITTING.items()}
        | {"brand_new": XML_ODD},
    ),
    max_size=4,
)
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def _element(name, value):
    """One value as Rails writes it: nil, a type where it is not text, lists and objects as children."""
    tag = name.replace("_", "-")
    if value is None:
        return f'<{tag} nil="true"/>'
    if isinstance(value, list):
        return f'<{tag} type="array">{"".join(_element("item", one) for one in value)}</{tag}>'
    if isinstance(value, dict):
        return f'<{tag} type="document">{"".join(_element(key, one) for key, one in value.items())}</{tag}>'
    kinds = {bool: ' type="boolean"', int: ' type="integer"', float: ' type="decimal"', str: ""}
    return f"<{tag}{kinds[type(value)]}>{escape(_spelled(value))}</{tag}>"


def _spelled(value):
    return value if isinstance(value, str) else json.dumps(value)


def _as_xml_says(record):
    """The record as its XML says it: a declared column of one value is a text, which its type then reads."""
    said = dict(record)
    for name in ("id", "code", "count", "ratio", "flag", "touchedAt", "day", "starts"):
        value = said.get(name)
        if isinstance(value, (list, dict)) or value is None:
            continue
        text = _spelled(value)
        if name in ("count", "ratio", "touchedAt") and NUMBER.fullmatch(text):
            said[name] = json.loads(text)
        else:
            said[name] = text if text or name in ("id", "code") else None
    return said


@RELAXED
@given(XML_MIXED)
def test_xml_reads_without_loss_as_well(records):
    """P12: missing, nil, wrong, new, empty, nested values and any script, written as XML, equal the same reference."""
    body = "".join(
        f"<thing>{''.join(_element(name, one) for name, one in record.items())}</thing>" for record in records
    )
    table = XmlReader(SCHEMA).read(f'<things type="array">{body}</things>'.encode()).table
    _same(table, read([_as_xml_says(record) for record in records]))
    assert table.schema.types[: len(SCHEMA.arrow)] == SCHEMA.arrow.types
