"""The result depends on the bytes and the question: not on white space, spelling, other pages or threads."""

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from tests.frames.documents import DOCUMENTS, QUESTIONS
from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Kind, Schema, TableReader, json_page

RECORDS = [
    {"id": 1, "name": 'a "quoted" \\ {[]},: text', "metadata": {"a-b": [1.25, None], "c": "d e"}, "tags": ["x", None]},
    {"id": 2, "name": "null", "metadata": {}, "tags": []},
    {"id": "three", "metadata": None, "name": None},
    {"id": 4, "name": 5, "metadata": [{"a": {"b": "c"}}], "fresh": {"x": [1, 2]}, "tags": "none"},
    {"id": 5, "name": "last", "metadata": "text", "fresh": None},
]
PLAIN = [{name: record[name] for name in ("id", "metadata", "name")} for record in RECORDS[:2]]
BLANKS = {"nothing": "", "spaces": "  ", "line feeds": "\n", "CR LF": "\r\n", "tabs": "\t", "all of them": " \t\r\n"}


def _spaced(text, blank):
    """The JSON text with white space between all its tokens."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+', text)
    return blank + blank.join(tokens) + blank


def _escaped(text):
    """The JSON text with the first letter of each name as an escape."""
    return re.sub(r'(?<!\\)"([a-z])(?=[\w-]*": )', lambda found: f'"\\u{ord(found[1]):04x}', text)


def _body(records, *, blank="", escaped=False, shuffled=False):
    if shuffled:
        records = [dict(random.Random(1).sample(list(record.items()), len(record))) for record in records]
    text = json.dumps({"meta": {"total": 5}, "results": records})
    return _spaced(_escaped(text) if escaped else text, blank).encode()


def _result(body, schema, reader=None):
    """Table, drift and envelope; or what is wrong."""
    try:
        page = json_page(body, "results")
        batch = (reader or TableReader(schema)).read([page])
    except MalformedAnswer as error:
        return str(error)
    return batch.table.to_pylist(), batch.table.schema, batch.drift, page.envelope


@pytest.mark.parametrize("records", [RECORDS, PLAIN], ids=["odd", "regular"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_white_space_escapes_and_order_change_nothing(records, question):
    """Also not which columns are asked for; documents and names are found by the grammar."""
    expected = _result(_body(records), QUESTIONS[question])
    assert isinstance(expected, tuple)
    for blank, escaped, shuffled in product(BLANKS.values(), (False, True), (False, True)):
        body = _body(records, blank=blank, escaped=escaped, shuffled=shuffled)
        assert _result(body, QUESTIONS[question]) == expected
    if records is PLAIN and question != "name":
        assert [row["metadata"] for row in expected[0]] == ['{"a_b":[1.25,null],"c":"d e"}', "{}"]


def test_documents_are_read_page_after_page_whatever_is_asked_for():
    """A line feed before a document, in two pulls, with all columns and with two."""
    body = _body(PLAIN * 300, blank="\n")
    for schema in (DOCUMENTS.project(["id", "metadata"]), DOCUMENTS):
        for _ in range(2):
            reader = TableReader(schema)
            for _ in range(3):
                assert reader.read([json_page(body, "results")]).table["metadata"].null_count == 0


def test_a_name_that_ends_in_a_control_character_is_an_undeclared_field():
    """No name is reserved."""
    body = json.dumps({"results": [{"metadata\x7f": {"a": 1}, "metadata": {"b": 2}}, {"\x7fcut\x7f": True}]}).encode()
    batch = json_page(body, "results").table(DOCUMENTS)
    assert batch.table["metadata"].to_pylist() == ['{"b":2}', None]
    assert batch.drift.unknown == {"metadata\x7f": 1, "\x7fcut\x7f": 1}


AROUND = {
    "links behind": '{"results":%s,"links":["]"]}',
    "lists before and behind": '{"links":[[],"x"],"results":%s,"more":[{"a":[1]}]}',
    "the name inside": '{"meta":{"results":[{"id":9}]},"results":%s,"other":{"results":[]}}',
    "a long meta before": '{"meta":{"text":"' + "long ]}{[ " * 500 + '"},"results":%s}',
    "a long meta behind": '{"results":%s,"meta":{"text":"' + "long ]}{[ " * 500 + '"}}',
    "a name with an escape": '{"re\\u0073ults":%s,"meta":{}}',
    "white space": ' \r\n{ "a" : 1 ,\t"results"\n:\n%s\n} ',
    "half a surrogate pair": '{"a":"\\ud800","results":%s,"b":"\\udc00"}',
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("records", [RECORDS, PLAIN, []], ids=["odd", "regular", "none"])
def test_records_are_found_whatever_is_around_them(around, records):
    """Brackets behind the records, an envelope of any size and order; it is kept whole."""
    body = (around % json.dumps(records)).encode()
    expected, envelope = _result(_body(records), DOCUMENTS), json.loads(body)
    del envelope["results"]
    found = _result(body, DOCUMENTS)
    assert found[:3] == expected[:3]
    assert found[3] == envelope


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}},{"metadata":{"b":2}',
        b'[{"a":1}},{"metadata":{"b":2}]',
        b'{"a":1},{"b":2}',
        b'{"a":1}]}\n{"":[{"b":2}',
        b'{"a":1}\n{"b":2}',
    ],
)
def test_a_document_is_one_document(body):
    """What closes the frame around a document and opens it again is refused."""
    with pytest.raises(MalformedAnswer):
        json_page(body, None).under("metadata")


def test_a_document_under_a_name_is_read_as_one():
    """A list is several records, each a document."""
    schema = Schema("metadata", (Column("metadata", Kind.DOCUMENT),))
    for body in (b'{"a":1}', b'\n[ {"a":1} ]'):
        assert json_page(body, None).under("metadata").table(schema).table.to_pylist() == [{"metadata": '{"a":1}'}]


PAGES = [
    _body(RECORDS),
    _body(PLAIN * 9),
    _body([{"id": 1, "name": 2}] * 9),
    _body([{"new": 1}] * 9),
    b'{"results":[]}',
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_same_bytes_after_other_bytes_and_in_other_threads_are_the_same(question):
    """What a reader has read, how many pages it is given, and who else reads, changes nothing."""
    schema = QUESTIONS[question]
    expected = [_result(body, schema) for body in PAGES]
    reader = TableReader(schema)
    order = random.Random(2).choices(range(len(PAGES)), k=60)
    for at in order:
        assert _result(PAGES[at], schema, reader) == expected[at]
    shared = TableReader(schema)
    with ThreadPoolExecutor(4) as pool:
        for at, found in zip(order, pool.map(lambda at: _result(PAGES[at], schema, shared), order), strict=True):
            assert found == expected[at]
    together = reader.read([json_page(PAGES[at], "results") for at in order]).table.to_pylist()
    rows = [row for at in order for row in expected[at][0]]
    assert [{**dict.fromkeys(together[0]), **row} for row in rows] == together
