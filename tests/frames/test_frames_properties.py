"""
Every reader against the slow one: the same bytes and question give the same table, drift and refusal.

Whatever the schema, the projection and the locale, blanks between tokens, the order of members, names written with
escapes, odd values, new fields, and the envelope; whether a page is read first, again, after other pages or with them,
by one thread or two.
"""

import itertools
import os
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from xml.etree import ElementTree as ET

import pytest
from frames_answers import from_json, from_lines, from_xml, rows_of
from frames_documents import IN_JSON, IN_XML, Writer
from frames_forms import Json, Xml
from frames_reference import Object
from frames_values import Number, RefusedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Drift, TableReader, combine, json_page, lines_page, xml_page

EXAMPLES = 60  # for each of the three, about 8 seconds in all; `make slow` reads thousands
BODIES = int(os.environ.get("VENDORKIT_SOAK_BODIES", "2000"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**64 - 1)  # a draw per example: answers are large, and most draws of Hypothesis are small
READ = Counter()


def _shown(value):
    if isinstance(value, dict):
        return {name: _shown(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return value.isoformat() if isinstance(value, date) else repr(value)


def _question(chance, schema):
    """The schema, or a projection of it."""
    columns = None
    if chance.randrange(2):
        names = schema.arrow.names
        columns = chance.sample(names, 1 + chance.randrange(min(len(names), 8)))
    locale = chance.choice(schema.locales) if schema.locales and columns is None and chance.randrange(2) else None
    return schema.project(columns, locale)


def _expected(body, split, schema):
    """What the slow reader makes of a body; None if it refuses it."""
    try:
        records, envelope = split(body)
        found = rows_of(records, schema)
    except (RefusedError, ET.ParseError):
        return None
    return found, envelope


def _batch(read, *args):
    """What was read, or what was said of it."""
    try:
        return read(*args)
    except MalformedAnswer as error:
        return str(error)


def _compare(batch, outcomes, schema):
    """The batch has exactly these rows, columns and counts."""
    table, _ = combine([batch], schema)
    rows = [row for one in outcomes for row in one.rows]
    declared = schema.arrow.names
    assert table.column_names == [*declared, *sorted({name for row in rows for name in row} - set(declared))]
    assert table.schema.types[: len(declared)] == schema.arrow.types
    for found, row in zip(table.to_pylist(), rows, strict=True):
        assert _shown(found) == _shown({name: row.get(name) for name in table.column_names})
    drift = Drift()
    for one in outcomes:
        drift.merge(one.drift)
    assert batch.drift == drift


def _check(bodies, page_of, split, schema, chance):
    """Read bodies in many ways; all of them have to give what the slow reader says."""
    READ["bodies"] += len(bodies)
    expected = [_expected(body, split, schema) for body in bodies]
    pages = [_batch(page_of, body) for body in bodies]
    cold = [page if isinstance(page, str) else _batch(page.table, schema) for page in pages]
    for body, page, batch, outcome in zip(bodies, pages, cold, expected, strict=True):
        assert isinstance(batch, str) == (outcome is None), (batch, body)
        if outcome is not None:
            _compare(batch, [outcome[0]], schema)
            assert repr(sorted(page.envelope.items())) == repr(sorted(outcome[1].items()))
    good = [at for at, page in enumerate(pages) if not isinstance(page, str)]
    warm = TableReader(schema)
    chance.shuffle(good)
    for at in good + good:
        _same(_batch(warm.read, [pages[at]]), cold[at], schema)
    with ThreadPoolExecutor(2) as pool:
        for at, batch in zip(
            good + good, pool.map(lambda at: _batch(warm.read, [pages[at]]), good + good), strict=True
        ):
            _same(batch, cold[at], schema)
    together = [at for at in good if expected[at] is not None]
    for reader in (TableReader(schema), warm):
        _compare(reader.read([pages[at] for at in together]), [expected[at][0] for at in together], schema)
        if len(together) < len(good):
            assert isinstance(_batch(reader.read, [pages[at] for at in good]), str)


def _same(batch, other, schema):
    """A batch is the same however it was read, and so are the words of a refusal."""
    if isinstance(batch, str) or isinstance(other, str):
        assert batch == other
        return
    assert combine([batch], schema)[0].equals(combine([other], schema)[0])
    assert batch.drift == other.drift


def _spoilt(records, chance):
    """One fault in one record: a name twice, too many levels, or no object."""
    form, record = chance.randrange(8), chance.choice(records)
    if not record or form > 4:
        return records
    at = chance.randrange(len(record))
    name, value = record[at]
    if form < 2:
        record.insert(chance.randrange(len(record) + 1), (name, chance.choice([value, None, "x"])))
    elif form == 2:
        record[at] = (name, Object([("a", Number("1")), ("a", None)]))
    elif form == 3:
        lists = chance.randrange(3)  # all of the levels, none of them, or some
        for level in range(chance.choice([20, 60, 198, 199, 200, 205])):
            value = [value] if lists == 1 or lists == level % 3 else Object([("東京", value)])
        record[at] = (name, value)
    else:
        records[chance.randrange(len(records))] = chance.choice([None, Number("7"), [], "x"])
    return records


def _broken(body, chance):
    """One fault in the bytes."""
    at = chance.randrange(len(body))
    part = chance.choice([b"", b"NaN", b"-Infinity", b"1e999", b"\xff", b"{", b"]", b",", b'"', b"\x00", b"\n", b"},{"])
    return body[:at] + part + body[at + chance.randrange(4) :]


def _records(writer, schema, chance):
    records = [writer.record(schema) for _ in range(chance.randrange(5))]
    if records and chance.randrange(8) == 0:  # a page of many, most of them alike
        records = [*records, *[records[0]] * chance.randrange(150)]
        records = records[1:] + records[:1]
    if records and chance.randrange(4) == 0:  # a new field in every record
        records = [Object([*one, *([] if "later" in dict(one) else [("later", writer.anything())])]) for one in records]
    if records and chance.randrange(6) == 0:
        records = _spoilt([Object(one) for one in records], chance)
    return records


def _json_body(writer, schema, chance):
    """An answer in JSON with its records somewhere between other members."""
    around = [("meta", Object([("total", Number("3")), ("page", Object([("no", Number("0"))]))]))]
    around += [(name, writer.anything()) for name in ("links", "more") if chance.randrange(3) == 0]
    at = chance.randrange(len(around) + 1)
    answer = Object([*around[:at], ("results", _records(writer, schema, chance)), *around[at:]])
    body = Json(chance.randrange(1 << 30)).value(answer).encode()
    return _broken(body, chance) if chance.randrange(12) == 0 else body


def check_json(chance):
    schema = chance.choice(IN_JSON)
    bodies = [_json_body(Writer(chance), schema, chance) for _ in range(1 + chance.randrange(3))]
    question = _question(chance, schema)
    _check(bodies, lambda body: json_page(body, "results"), from_json, question, chance)


def check_lines(chance):
    schema = chance.choice(IN_JSON)
    blocks = []
    for _ in range(1 + chance.randrange(2)):
        records = _records(Writer(chance), schema, chance)
        style = Json(chance.randrange(1 << 30), blanks=" \t\r")
        lines = []
        for index, record in enumerate(records, 5):
            meta = Object([("total", Number("90")), ("index", Number(str(index)))])
            pairs = [("meta", meta), ("result", record)]
            chance.shuffle(pairs)
            lines.append(style.value(Object(pairs)))
        blocks.append("\n".join([*lines, ""]).encode())
    _check(blocks, lines_page, from_lines, _question(chance, schema), chance)


def check_xml(chance):
    schema = chance.choice(IN_XML)
    bodies = []
    for _ in range(1 + chance.randrange(3)):
        records = [
            (chance.choice(["thing", "thing", "a-thing", "Thing"]), one)
            for one in _records(Writer(chance, xml=True), schema, chance)
            if isinstance(one, Object)
        ]
        around = chance.choice(["", "<total-entries>7</total-entries>", '<link rel="next" href="?a&amp;b"/>'])
        text = Xml(chance.randrange(1 << 30), schema).collection(records, around)
        encoding = chance.choice(["UTF-8", "UTF-8", "UTF-16", "ISO-8859-1"])
        bodies.append(f"<?xml version='1.0' encoding='{encoding}'?>{text}".encode(encoding, "xmlcharrefreplace"))
    question = _question(chance, schema)
    _check(bodies, lambda body: xml_page(body, "entries"), lambda body: from_xml(body, schema), question, chance)


CHECKS = [check_json, check_lines, check_xml]


@pytest.mark.parametrize("check", CHECKS)
@SETTINGS
@given(number=SEEDS)
def test_every_reader_gives_what_the_slow_one_gives(check, number):
    """Pages of JSON, blocks of lines, and XML."""
    check(random.Random(number))


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_every_reader_gives_what_the_slow_one_gives_for_many_bodies(capsys):
    """As many as `VENDORKIT_SOAK_BODIES` says; `make soak` says 20,000."""
    READ.clear()
    for number in itertools.count(random.randrange(1 << 60)):
        for check in CHECKS:
            check(random.Random(number))
        if READ["bodies"] >= BODIES:
            break
    with capsys.disabled():
        sys.stderr.write(f"\n{READ['bodies']:,} bodies read as the slow reader reads them\n")
