"""Strict JSON, in members that are read and in others, at any depth of the caller's stack."""

import sys

import pytest
from frames_reference import SCHEMA

from tests.frames.documents import QUESTIONS
from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Kind, Schema, TableReader, json_page, lines_page
from vendorkit.strictjson import strict_object


def _result(body, schema, reader=None):
    """The rows and the drift; or what is wrong."""
    try:
        batch = (reader or TableReader(schema)).read([json_page(body, "results")])
    except MalformedAnswer as error:
        return str(error)
    return batch.table.to_pylist(), batch.drift


def _deep(levels, kind="[]"):
    start, end = ("[", "]") if kind == "[]" else ('{"a":', "}")
    return f"{start * levels}1{end * levels}".encode()


REFUSED = {
    "NaN": b"NaN",
    "minus Infinity": b"[-Infinity]",
    "beyond a double": b'{"a":[1e999]}',
    "bad UTF-8": b'"\xff"',
    "half a surrogate pair in UTF-8": b'"\xed\xa0\x80"',
    "201 levels of lists": _deep(200),
    "201 levels of objects": _deep(200, "{}"),
    "1,000 levels": _deep(1000),
    "100,000 levels": _deep(100_000),
    "a bare control character": b'"a\nb"',
    "an unknown escape": b'"\\x"',
    "a leading zero": b"01",
}
READ = {
    "200 levels": _deep(199),
    "brackets in a text": b'"' + b"[" * 300 + b'"',
    "a quoted large number": b'"a, 1e999"',
    "a small number": b"1e-999",
    "many levels one after the other": b"[" + b",".join([b"[[]]"] * 300) + b"]",
    "half a surrogate pair": b'"\\ud800"',
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("member", ["name", "metadata", "fresh"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_no_strict_json_is_refused_wherever_it_is(question, member, value):
    """In members that are read and in others, on the first page and on later ones."""
    schema, good = QUESTIONS[question], b'{"results":[%b]}' % b",".join([b'{"id":1,"name":"a"}'] * 40)
    record = b'{"id":1,"%b":%b}' % (member.encode(), value)
    bad = good.replace(b'"results":[', b'"results":[' + record + b",")
    reader = TableReader(schema)
    for _ in range(3):
        assert "MalformedAnswer" not in _result(good, schema, reader)
        refusal = _result(bad, schema, reader)
        assert isinstance(refusal, str)
        assert refusal == _result(bad, schema)


@pytest.mark.parametrize("value", READ.values(), ids=READ)
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_looks_like_a_fault_and_is_none_is_read(question, value):
    """Brackets and numbers in texts, and as many levels as are allowed."""
    schema = QUESTIONS[question]
    for member in ("name", "metadata", "fresh"):
        body = b'{"results":[{"%b":%b,"id":7}]}' % (member.encode(), value)
        assert json_page(body, "results").table(schema).table["id"].to_pylist() == ["7"]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("record", "in_members"),
    [
        ('{"id":1,"id":1}', {"id"}),
        ('{"id":1,"name":"a","n\\u0061me":null}', {"name"}),
        ('{"id":1,"name":null,"name":null}', {"name"}),
        ('{"id":1,"metadata":{"a":1,"a":1}}', {"metadata"}),
        ('{"id":1,"metadata":{"x":[{"a":1,"a":1}]}}', {"metadata"}),
        ('{"id":1,"tags":["x"],"tags":[]}', {"tags"}),
        ('{"id":1,"fresh":1,"fresh":1}', {"fresh"}),
        ('{"id":1,"fresh":[{"a":1,"a":2}]}', {"fresh"}),
        ('{"id":"odd","fresh":{"a":1,"a":2}}', {"fresh"}),
    ],
)
def test_a_name_twice_is_refused_in_what_is_read(question, record, in_members):
    """In members that are left out it is not looked at, whatever else the page holds and the reader has read."""
    schema = QUESTIONS[question]
    wanted = {
        "all": {"id", "name", "metadata", "tags", "fresh"},
        "document": {"id", "metadata"},
        "name": {"id", "name"},
    }
    odd = '{"id":[1],"name":[2],"metadata":"\\ud800","tags":3,"fresh":4}'
    for others in ("", odd + ",", (odd + ",") * 9):
        reader = TableReader(schema)
        for _ in range(2):
            result = _result(f'{{"results":[{others}{record}]}}'.encode(), schema, reader)
            assert isinstance(result, str) == bool(in_members & wanted[question]), (others[:10], result)


def test_a_name_twice_inside_an_object_is_looked_at_where_it_is_read():
    """In a projection an undeclared field of a declared object is not read, and its name may occur twice."""
    for body in ('{"parts":[{"id":1,"x":1,"x":2}]}', '{"parts":[{"id":"a","x":1,"x":2}]}'):
        reader = TableReader(SCHEMA.project(["parts"]))
        for _ in range(2):
            page = json_page(f"[{body}]".encode(), None)
            assert len(reader.read([page]).table["parts"][0].as_py()) == 1
            reader.read([json_page(b'[{"parts":7}]', None)])
        with pytest.raises(MalformedAnswer, match="twice"):
            page.table(SCHEMA)
    for body in (
        '{"parts":[{"id":1,"id":2}]}',
        '{"parts":[{"id":"a","id":2}]}',
        '{"parts":[{"texts":{"nl":"","nl":1}}]}',
    ):
        for schema in (SCHEMA, SCHEMA.project(["parts"])):
            with pytest.raises(MalformedAnswer, match="twice"):
                json_page(f"[{body}]".encode(), None).table(schema)


def _at_depth(frames, work):
    return work() if frames == 0 else _at_depth(frames - 1, work)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_stack_of_the_caller_does_not_matter(question):
    """Called 900 frames deep, pages, lines and objects are read or refused as otherwise."""
    schema = QUESTIONS[question]
    texts = [*READ.values(), *REFUSED.values(), b'{"a":{"a":{"a":1}}}']
    bodies = [b'{"results":[{"id":7,"fresh":%b,"metadata":%b}]}' % (text, text) for text in texts]
    bodies += [b'{"results":[],"meta":%b}' % text for text in texts]

    def work():
        return [_result(body, schema) for body in bodies]

    def lines():
        return [_attempt(_records_of_line, text) for text in texts]

    def objects():
        return [_attempt(_object_with, text) for text in texts]

    depth = sys.getrecursionlimit() - 100
    for each in (work, lines, objects):
        assert repr(_at_depth(depth - _frames(), each)) == repr(each())


def _records_of_line(text):
    return lines_page(b'{"result":{"id":1,"x":%b}}' % text).records()


def _object_with(text):
    return strict_object(b'{"a":%b}' % text, limit=10**6)


def _attempt(work, text):
    try:
        return work(text)
    except ValueError as error:
        return str(error)


def _frames():
    frame, count = sys._getframe(), 0
    while frame := frame.f_back:
        count += 1
    return count


def test_a_control_character_is_named_in_one_sentence():
    """The decoder's own words already end in "at"."""
    with pytest.raises(MalformedAnswer, match="Invalid control character at character 7"):
        json_page(b'[{"a":"\x01"}]', None).table(Schema("x", (Column("a", Kind.TEXT),)))
