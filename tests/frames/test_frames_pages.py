"""What a page of JSON gives before it is a table, and codes and numbers of any spelling."""

import pytest

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Kind, ListOf, Schema, json_page, page_of

SMALL = Schema("rows", (Column("id", Kind.ID), Column("count", Kind.INTEGER), Column("name", Kind.TEXT)))


def test_values_at_a_path_are_plain():
    """A missing member, and one below something that is not an object, is None; names may be written with escapes."""
    body = b"""[{"id":1,"meta":{"createdAt":7}}, {"id":"2","meta":null}, {"m\\u0065ta":{"createdAt":1.50}},
        {"meta":[1],"id":9007199254740993}, {"id":"\\ud800"}]"""
    page = json_page(body, None)
    assert page.values("id") == [1, "2", None, 9007199254740993, "\ud800"]
    assert page.values("meta.createdAt") == [7, None, 1.5, None, None]
    assert page.values("nothing.here") == [None] * 5


def test_records_are_as_the_vendor_sent_them():
    """Python's own numbers, and the order of the members."""
    body = b'{"results":[{"b":1.0,"a":[5.4e12,null,"x"],"id":"007"}]}'
    (record,) = json_page(body, "results").records()
    assert repr(record) == repr({"b": 1.0, "a": [5.4e12, None, "x"], "id": "007"})


def test_a_page_can_be_cut_and_put_under_a_name():
    """The envelope and the date of the answer stay."""
    page = json_page(b'{"total":3,"results":[{"a":1},{"a":2},{"a":3}]}', "results", at=7.0)
    cut = page.head(2).under('my "name"')
    assert cut.records() == [{'my "name"': {"a": 1}}, {'my "name"': {"a": 2}}]
    assert (cut.rows, cut.envelope, cut.at) == (2, {"total": 3}, 7.0)


def test_a_page_of_computed_records_is_a_page():
    """Rows that were computed from an answer are read like those that a vendor sent."""
    page = page_of([{"id": "1", "count": 2}], envelope={"total": 1})
    assert page.table(SMALL).table.to_pylist() == [{"id": "1", "count": 2, "name": None}]
    assert page.envelope == {"total": 1}
    with pytest.raises(MalformedAnswer, match="NaN"):
        page_of([{"count": float("nan")}])


def test_whole_numbers_are_codes_and_others_are_not():
    """5.4e12 is 5400000000000, in lists too; 1234567.5 is null, and its original is kept."""
    schema = Schema("x", (Column("cnk", Kind.CODE), Column("id", Kind.ID), Column("ean", ListOf(Kind.CODE))))
    records = [
        {"cnk": "1234567.0", "id": "12", "ean": '["00123",45,5.4e12,7.0]'},
        {"cnk": "5.4e12", "id": "5.4E+12", "ean": "[-0]"},
        {"cnk": "1234567.5", "id": "0.1", "ean": "[1.5]"},
        {"cnk": "9" * 30, "id": "1e20", "ean": "[1e-400]"},
    ]
    body = "[" + ",".join(f'{{"cnk":{r["cnk"]},"id":{r["id"]},"ean":{r["ean"]}}}' for r in records) + "]"
    batch = json_page(body.encode(), None).table(schema)
    table = batch.table.to_pydict()
    assert table["cnk"] == ["1234567", "5400000000000", None, "9" * 30]
    assert table["id"] == ["12", "5400000000000", None, "1" + "0" * 20]
    assert table["ean"] == [["00123", "45", "5400000000000", "7"], ["0"], None, None]
    assert table["cnk__raw"] == [None, None, "1234567.5", None]
    assert table["ean__raw"] == [None, None, "[1.5]", "[1e-400]"]
    assert batch.drift.unfit == {"cnk": 1, "id": 1, "ean": 2}


def test_exponents_of_any_size_take_no_time():
    """A zero with an exponent of ten digits is a zero, and as text it is no number."""
    schema = Schema("x", (Column("code", Kind.CODE), Column("count", Kind.INTEGER), Column("ratio", Kind.NUMBER)))
    for number in ("0e999999999", "0e99999999999999999999999", "-0.0e5"):
        body = f'[{{"code":{number},"count":{number},"ratio":"{number}"}}]'.encode()
        (row,) = json_page(body, None).table(schema).table.to_pylist()
        assert (row["code"], row["count"], row["ratio"]) == ("0", 0, 0.0)
    body = b'[{"code":1e-99999999999999999999999,"ratio":"1e-99999999999999999999999"}]'
    (row,) = json_page(body, None).table(schema).table.to_pylist()
    assert (row["code"], row["ratio"]) == (None, None)
