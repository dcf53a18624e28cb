"""Records that do not fit: read without loss, and told from their text once one of their kind was seen."""

import json

import pytest
from frames_reference import SCHEMA
from hypothesis import given, settings
from hypothesis import strategies as st

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, JsonReader, Kind, LinesReader, ListOf, Schema, combine
from vendorkit.frames.fast import FastParser
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.misfits import Habits, Misfits
from vendorkit.frames.mixed import MixedReader
from vendorkit.frames.values import loads

KINDS = {
    "a list for a text": {"code": ["a"]},
    "a number for a text": {"code": 7},
    "a truth for a text": {"code": True},
    "a text for a number": {"ratio": "0.5"},
    "a fraction for an integer": {"count": 21.0},
    "more than 64 bits": {"count": 10**20},
    "more than a double holds": {"ratio": 2**53 + 1},
    "an object for a text in a list": {"parts": [{"id": 1, "title": {"nl": "x"}}]},
    "an empty list for an object in a list": {"parts": [{"texts": {"nl": "x"}}, {"texts": []}]},
    "an empty list for an object": {"name": []},
    "an object for a list": {"tags": {"0": "a"}},
    "a number in a list of texts": {"tags": ["a", 2]},
    "a new field": {"brandNew": 1},
    "a new field in a list": {"parts": [{"id": 1, "brandNew": 1}]},
    "a new field in an object": {"meta": {"size": 1, "brandNew": 1}},
    "a text for an object": {"meta": "none"},
}


def _records(count, odd, start=0):
    """Records with the keys in one order; `odd` by place."""
    return [
        {
            "id": start + at,
            "code": f"c{at}",
            "parts": [{"id": at, "title": "t", "texts": {"nl": "n"}}],
            **odd.get(at, {}),
        }
        for at in range(count)
    ]


def _fresh(form, schema=SCHEMA):
    """A reader of pages or lines that has seen nothing yet."""
    reader = form(schema)
    reader._mixed = MixedReader(schema, "result" if form is LinesReader else None)
    return reader


def _body(reader, records):
    texts = [json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() for record in records]
    if isinstance(reader, JsonReader):
        return b'{"results":[%b]}' % b",".join(texts)
    return b"".join(
        b'{"meta":{"total":%d,"index":%d},"result":%b}\n' % (len(texts), *pair) for pair in enumerate(texts)
    )


def _read(reader, records, schema=SCHEMA):
    """Read one page; it has to be what the slow path makes of it, in the same order."""
    found = reader.read(_body(reader, records))
    if isinstance(reader, LinesReader):
        assert found.envelope["last_index"] == len(records) - 1
    page = LosslessReader(schema).read([loads(json.dumps(record).encode()) for record in records])
    assert found.table.equals(combine([page], schema)[0])
    assert found.drift == page.drift


def _slow(reader):
    """How many records each call of the reader's slow path reads from now on."""
    counts, read = [], reader._mixed.lossless.read_all
    reader._mixed.lossless.read_all = lambda pages: counts.append(sum(map(len, pages))) or read(pages)
    return counts


def _parses(monkeypatch):
    """How many texts each call of Arrow's parser is given from now on."""
    counts, parse = [], FastParser._parse

    def counting(self, text, count):
        counts.append(count)
        return parse(self, text, count)

    monkeypatch.setattr(FastParser, "_parse", counting)
    return counts


@pytest.mark.parametrize(("form", "texts"), [(JsonReader, 1), (LinesReader, 600)], ids=["pages", "lines"])
@pytest.mark.parametrize("field", KINDS.values(), ids=KINDS)
def test_a_kind_that_did_not_fit_once_is_told_from_its_text(form, texts, field, monkeypatch):
    """The next record of its kind goes the slow way alone, and nothing is parsed in vain."""
    reader = _fresh(form)
    for odd in ({120: field}, {}):  # the second shows the order of the fields, and that all is calm
        _read(reader, _records(300, odd))
    slow, parses = _slow(reader), _parses(monkeypatch)
    _read(reader, _records(600, {310: field, 599: field}))
    assert slow == [2]
    assert parses == [texts]


def test_a_name_that_means_another_thing_elsewhere_misleads_once(monkeypatch):
    """Where a pattern finds a record with nothing wrong, it is given up; nothing is read wrongly meanwhile."""
    columns = (
        Column("id", Kind.ID),
        Column("code", Kind.TEXT),
        Column("parts", ListOf((Column("code", ListOf(Kind.TEXT)),))),
    )
    schema = Schema("rows", columns)
    reader = _fresh(JsonReader, schema)
    _read(reader, [{"id": at, "code": ["a"] if at == 40 else "a"} for at in range(300)], schema)
    assert reader._mixed._habits.patterns
    inside = [{"id": at, "code": "a", "parts": [{"code": ["b"]}]} for at in range(300)]
    slow = _slow(reader)
    _read(reader, inside, schema)
    assert slow == [0]
    assert not reader._mixed._habits.patterns
    _read(reader, [*inside[:9], {"id": 9, "code": ["a"]}, *inside[9:]], schema)
    assert slow == [0, 1]
    assert not reader._mixed._habits.patterns


def test_texts_that_look_like_a_misfit_are_read_fast():
    """Inside a text, quotes have backslashes before them."""
    reader = _fresh(JsonReader)
    _read(reader, _records(300, {3: {"code": ["a"]}}))
    slow = _slow(reader)
    _read(reader, _records(300, {at: {"code": '"code":[1]'} for at in range(0, 300, 3)}))
    assert slow == [0]


def test_many_of_one_kind_in_one_place_do_not_take_the_others_along():
    """However many there are: each is found by the first."""
    reader = _fresh(JsonReader)
    slow = _slow(reader)
    _read(reader, _records(1000, {at: {"code": ["a"]} for at in range(300, 400)}))
    assert sum(slow) == 100


def test_what_no_pattern_tells_costs_its_neighbours_only():
    """Dates are checked after the parse; where a part has too many bad ones, that part alone goes the slow way."""
    reader = _fresh(JsonReader)
    for _ in range(2):
        _read(reader, _records(300, {}))
    assert reader._mixed.calm
    slow = _slow(reader)
    _read(reader, _records(1000, {at: {"day": f"{at - 500}/12/2026"} for at in range(510, 530)}))
    assert sum(slow) == 250
    assert not reader._mixed.calm


def test_a_line_that_is_no_json_is_refused_and_teaches_nothing():
    """Nor does one that is no object."""
    misfits = Misfits(MixedReader(SCHEMA).fast._builder.wire, (), None, Habits(), closed=True)
    for text in (b'{"code":', b"[1]", b"7", b'{"count":' + b"9" * 5000 + b"}"):
        assert not misfits.learn(text, [text])
        assert not misfits.fits(text)
    assert misfits.among([b'{"code":["a"]}']) == set()


ODD = st.dictionaries(st.integers(0, 299), st.sampled_from([*KINDS.values(), {"day": "soon"}, {}]), max_size=40)


@pytest.mark.parametrize("form", [JsonReader, LinesReader], ids=["pages", "lines"])
@settings(max_examples=40, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=4))
def test_any_pages_in_a_row_read_as_on_the_slow_path(form, pages):
    """P12: whatever was learnt from one page, the next loses nothing, gains nothing and keeps its order."""
    reader = _fresh(form)
    for number, odd in enumerate(pages):
        _read(reader, _records(300, odd, start=300 * number))


SNIPPETS = [
    b"",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b"\n",
    b"},{",
    b'},{"id":1',
    b'"code":["a"]',
    b"\xff",
    b"null",
    b"\x00",
]


def _outcome(reader, body):
    """The page, or what is wrong with it."""
    try:
        page = reader.read(body)
    except MalformedAnswer as error:
        return str(error)
    table = combine([page], SCHEMA)[0]
    return table.to_pylist(), table.column_names, page.envelope, page.drift


@pytest.mark.parametrize("form", [JsonReader, LinesReader], ids=["pages", "lines"])
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_page_is_read_or_refused_as_on_the_slow_path(form, data):
    """P12: what is looked for in a text stands anywhere once it is damaged; nothing is taken for a record then."""
    reader, slow = _fresh(form), _fresh(form)
    slow._mixed.fast = None
    records = _records(8, {2: {"code": ["a"]}, 5: {"count": 1.0}, 6: {"parts": [{"id": 1, "title": ["x"]}]}})
    for odd in (records * 32, _records(256, {})):  # all kinds are known then
        _read(reader, odd)
    assert reader._mixed.calm
    body = _body(reader, records)
    at = data.draw(st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.sampled_from(SNIPPETS)) + body[at + data.draw(st.integers(0, 12)) :]
    assert _outcome(reader, damaged) == _outcome(slow, damaged)
