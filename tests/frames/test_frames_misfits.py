"""Records that do not fit: read without loss, at little cost, and alike whatever was read before."""

import json

import pyarrow as pa
import pytest
from frames_reference import SCHEMA
from hypothesis import given, settings
from hypothesis import strategies as st

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import (
    Column,
    Embedded,
    Kind,
    ListOf,
    Schema,
    TableReader,
    combine,
    expand,
    fold,
    json_page,
    lines_page,
    members_of,
)
from vendorkit.frames import typed as engine
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.values import loads

KINDS = {
    "a list for a text": {"code": ["a"]},
    "a number for a text": {"code": 7},
    "a truth for a text": {"code": True},
    "a text for a number": {"ratio": "0.5"},
    "a fraction for an integer": {"count": 21.0},
    "more than 64 bits": {"count": 10**20},
    "more than a double holds": {"ratio": 2**53 + 1},
    "milliseconds for seconds": {"touchedAt": 1_700_000_000_000},
    "a day that is in no month": {"day": "2026-02-30"},
    "a time with nanoseconds": {"starts": "2026-01-31T10:00:00.123456789Z"},
    "a time that is none": {"starts": "2026-02-30T10:00:00Z"},
    "an object for a text in a list": {"parts": [{"id": 1, "title": {"nl": "x"}}]},
    "an empty list for an object in a list": {"parts": [{"texts": {"nl": "x"}}, {"texts": []}]},
    "an empty list for an object": {"name": []},
    "an object for a list": {"tags": {"0": "a"}},
    "a number in a list of texts": {"tags": ["a", 2]},
    "a new field": {"brandNew": 1},
    "a new field that is null": {"brandNew": None},
    "a new field with a dot": {"meta.size": 1},
    "a new field in a list": {"parts": [{"id": 1, "brandNew": 1}, {"brandNew": [1, {"a b": "c d"}]}]},
    "a new field in an object": {"meta": {"size": 1, "brandNew": 1}},
    "a new locale": {"name": {"nl": "n", "es": "s"}, "parts": [{"texts": {"es": "s"}}]},
    "a text for an object": {"meta": "none"},
    "half a surrogate pair": {"code": "\ud800", "brandNew": "\ud800"},
    "half a surrogate pair in a name": {"a\ud800": 1},
}
READ_BY_MEMBER = {name: field for name, field in KINDS.items() if "surrogate" not in name}
READ_BY_RECORD = {name: field for name, field in KINDS.items() if "surrogate" in name}
CONVERTED = ("touchedAt", "day", "starts")  # Arrow reads these texts and numbers, and cannot convert all of them


def _records(count, odd, start=0):
    """Records with the members in one order; `odd` by place."""
    return [
        {
            "id": start + at,
            "code": f"c{at}",
            "starts": "2026-01-31T10:00:00Z",
            "parts": [{"id": at, "title": "t", "texts": {"nl": "n"}}],
            **odd.get(at, {}),
        }
        for at in range(count)
    ]


def _page(records):
    texts = [json.dumps(record, separators=(",", ":")).encode() for record in records]
    return json_page(b'{"results":[%b]}' % b",".join(texts), "results")


def _lines(records):
    texts = enumerate(json.dumps(record).encode() for record in records)
    return lines_page(b"".join(b'{"meta":{"total":9,"index":%d},"result":%b}\n' % pair for pair in texts))


FORMS = pytest.mark.parametrize("form", [_page, _lines], ids=["pages", "lines"])


def _check(reader, form, records, schema=SCHEMA):
    """Read one page; it has to be what the lossless reader makes of it, in the same order."""
    found = reader.read([form(records)])
    slow = LosslessReader(schema).read([loads(json.dumps(record).encode()) for record in records])
    assert found.table.equals(combine([slow], schema)[0])
    assert found.drift == slow.drift


def _slow(monkeypatch):
    """How many objects each call of the lossless reader reads from now on."""
    counts, read = [], LosslessReader.columns

    def counting(self, records, *others):
        counts.append(len(records))
        return read(self, records, *others)

    monkeypatch.setattr(LosslessReader, "columns", counting)
    return counts


def _parses(monkeypatch):
    """How often Arrow's parser is called from now on."""
    calls, read = [], engine.arrow_json.read_json

    class Counting:
        ParseOptions, ReadOptions = engine.arrow_json.ParseOptions, engine.arrow_json.ReadOptions

        @staticmethod
        def read_json(*arguments, **more):
            calls.append(1)
            return read(*arguments, **more)

    monkeypatch.setattr(engine, "arrow_json", Counting)
    return calls


@pytest.mark.parametrize("field", KINDS.values(), ids=KINDS)
def test_each_kind_of_misfit_is_restored_from_the_one_column_of_a_dataset(field):
    """The log of a dataset is UTF-8, so the names of members and of the drift are too."""
    batch = _page(_records(3, {1: field})).table(SCHEMA)
    folded, members = fold(batch.table, SCHEMA, batch.drift)
    others = batch.table.drop_columns(SCHEMA.arrow.names)
    assert expand(folded, members) == {name: others[name].combine_chunks() for name in others.column_names}
    assert members_of(folded) == members.keys()
    assert all(name.encode() for name in [*members, *batch.drift.unknown])


@FORMS
@pytest.mark.parametrize("field", READ_BY_MEMBER.values(), ids=READ_BY_MEMBER)
def test_a_record_that_does_not_fit_costs_the_others_nothing(form, field, monkeypatch):
    """Only its odd members, or the columns that Arrow cannot convert, are read one value at a time, after one parse."""
    reader = TableReader(SCHEMA)
    _check(reader, form, _records(300, {120: field}))
    slow, parses = _slow(monkeypatch), _parses(monkeypatch)
    page = form(_records(600, {310: field, 599: field}))
    reader.read([page])
    is_converted = not field.keys().isdisjoint(CONVERTED) or field == {"ratio": 2**53 + 1}
    assert sum(slow) <= (600 if is_converted else 2) * len(field)
    assert len(parses) == 1


@FORMS
@pytest.mark.parametrize("field", READ_BY_MEMBER.values(), ids=READ_BY_MEMBER)
def test_what_all_records_have_costs_one_more_look(form, field, monkeypatch):
    """Codes as numbers, new fields: from the second page on Arrow is asked once, and no record is read as a whole."""
    reader = TableReader(SCHEMA)
    records = _records(300, dict.fromkeys(range(300), field))
    _check(reader, form, records)
    slow, parses = _slow(monkeypatch), _parses(monkeypatch)
    reader.read([form(records)])
    assert len(parses) == 1
    assert max(slow, default=0) <= 300
    _check(reader, form, _records(300, {}))
    _check(reader, form, _records(300, {7: field, 9: {"tags": 1}}))


@FORMS
@pytest.mark.parametrize("field", READ_BY_RECORD.values(), ids=READ_BY_RECORD)
def test_many_records_that_arrow_cannot_read_cost_a_few_more_parses(form, field, monkeypatch):
    """They are read one by one, in their places; Arrow reads the others at once."""
    reader, records = TableReader(SCHEMA), _records(300, dict.fromkeys(range(2, 300, 5), field))
    parses = _parses(monkeypatch)
    for _ in range(2):
        _check(reader, form, records)
    assert len(parses) <= 8


def test_an_empty_list_for_an_object_is_an_empty_object():
    """PHP writes both alike; at any depth, and untouched in texts and undeclared fields."""
    record = (
        b'{"id":1,"code":"\\"name\\":[]","name":[],"meta":[],"parts":[{"id":1,"texts":[]},[]],"tags":[],'
        b'"new":{"name":[],"texts":[]}}'
    )
    page = json_page(b"[%b]" % b",".join([record] * 20), None)
    expected = LosslessReader(SCHEMA).read([loads(record)] * 20)
    reader = TableReader(SCHEMA)
    for _ in range(3):
        found = reader.read([page])
        assert found.table.equals(expected.table)
        assert found.drift == expected.drift
    assert found.drift.unfit == {}
    assert found.table["parts"][0].as_py() == [
        {"id": "1", "title": None, "texts": {"nl": None, "fr": None}},
        {"id": None, "title": None, "texts": None},
    ]


def test_more_new_fields_than_are_looked_for_are_all_kept():
    """Hundreds of undeclared fields in each record, others on the next page."""
    reader = TableReader(SCHEMA)
    for page in range(3):
        _check(reader, _page, _records(40, {at: {f"new_{page}_{n}": n for n in range(150)} for at in range(40)}))


def test_documents_inside_expanded_resources_are_read(monkeypatch):
    """Free values at top level, in an embedded resource and in a list, next to values that Arrow reads."""
    inside = Embedded((Column("id", Kind.ID), Column("metadata", Kind.DOCUMENT)))
    columns = (
        Column("id", Kind.ID),
        Column("metadata", Kind.DOCUMENT),
        Column("title", inside),
        Column("any", ListOf(Kind.JSON)),
    )
    schema = Schema("rows", columns)
    document = {"a-b": [1, None, {"c": "d e"}], "resource_type": "x"}
    records = [
        {"id": at, "metadata": document, "title": {"id": at, "metadata": document}, "any": [at, document]}
        for at in range(30)
    ]
    reader = TableReader(schema)
    for _ in range(2):
        _check(reader, _page, records, schema)
        _check(reader, _page, [{"id": 1}, *records, {"id": 2, "metadata": None, "title": None, "any": None}], schema)
        _check(reader, _page, [*records, {"id": "x", "new": 1}], schema)
    parses = _parses(monkeypatch)
    TableReader(schema).read([_page(records)])
    assert len(parses) == 1


def test_a_schema_without_columns_keeps_everything():
    """Each member is an undeclared field."""
    table = json_page(b'[{"a":1,"b":{"c":2}},{"a":"x"}]', None).table(Schema("rows", ())).table
    assert table.to_pydict() == {"a": ["1", '"x"'], "b": ['{"c":2}', None]}


ODD = st.dictionaries(st.integers(0, 59), st.sampled_from([*KINDS.values(), {"day": "soon"}, {}]), max_size=40)


@FORMS
@settings(max_examples=40, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=4))
def test_any_pages_in_a_row_read_as_on_the_slow_path(form, pages):
    """P12: whatever was on one page, the next loses nothing, gains nothing and keeps its order."""
    reader = TableReader(SCHEMA)
    for number, odd in enumerate(pages):
        _check(reader, form, _records(60, odd, start=60 * number))


SNIPPETS = [
    *(b"", b"{", b"}", b"[", b"]", b'"', b",", b"\n", b"},{", b'},{"id":1', b'"code":["a"]', b"\xff", b"null"),
    *(b"\x00", b"\\", b"NaN", b"1e999", b'"id":1,'),
]


def _strict(body):
    """Whether a body is strict JSON of records."""
    try:
        data = loads(body, depth=202)
    except MalformedAnswer:
        return None
    records = data.get("results") if isinstance(data, dict) else None
    fits = isinstance(records, list) and all(isinstance(record, dict) for record in records)
    return LosslessReader(SCHEMA).read(records) if fits else None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_page_is_read_or_refused_as_on_the_slow_path(data):
    """P12: whatever the damage, the page is the table of its strict JSON, or it is refused."""
    records = _records(8, {2: {"code": ["a"]}, 5: {"count": 1.0}, 6: {"parts": [{"id": 1, "title": ["x"]}]}})
    body = b'{"meta":{"total":1},"results":[%b]}' % b",".join(json.dumps(record).encode() for record in records)
    at = data.draw(st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.sampled_from(SNIPPETS)) + body[at + data.draw(st.integers(0, 12)) :]
    expected = _strict(damaged)
    if expected is None:
        with pytest.raises(MalformedAnswer):
            json_page(damaged, "results").table(SCHEMA)
    else:
        found = json_page(damaged, "results").table(SCHEMA)
        assert found.table.equals(pa.concat_tables([expected.table]))
        assert found.drift == expected.drift
