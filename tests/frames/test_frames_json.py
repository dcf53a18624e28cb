"""JSON pages and streams: what is read, what is refused, and with which words."""

from unittest.mock import patch

import pytest
from frames_reference import SCHEMA
from hypothesis import example, given
from hypothesis import strategies as st

import vendorkit.frames.json
from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Drift, Kind, Schema, combine, json_page, lines_page

SMALL = Schema("rows", (Column("id", Kind.ID), Column("count", Kind.INTEGER), Column("name", Kind.TEXT)))


def _read(body, schema=SMALL):
    return json_page(body, "results").table(schema)


def test_a_byte_order_mark_is_accepted():
    """P01: a byte order mark before the body changes nothing, on both paths."""
    for record in (b'{"id":1}', b'{"id":1,"new":2}'):
        assert _read(b'\xef\xbb\xbf{"results":[' + record + b"]}").table["id"].to_pylist() == ["1"]


@pytest.mark.parametrize("field", ["name", "other"])
def test_invalid_utf8_is_refused_with_its_place(field):
    """P02: no replacement characters; the message gives the byte."""
    body = b'{"results":[{"%b":"caf\xe9"}]}' % field.encode()
    with pytest.raises(MalformedAnswer, match=f"not UTF-8 at byte {body.index(0xE9)}"):
        _read(body)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b'{"id":1,"id":1}', "twice in one object: 'id'"),
        (b'{"id":1,"new":{"a":1,"a":2}}', "twice in one object: 'a'"),
        (b'{"id":NaN}', "NaN"),
        (b'{"ratio":NaN}', "NaN"),
        (b'{"ratio":-Infinity}', "Infinity"),
        (b'{"ratio":1e999}', "too big"),
        (b'{"new":1' + b"0" * 400 + b".5}", "too big"),
        (b'{"new":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested"),
        (b'{"new":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}", "nested"),
        (b'{"id":1', "not JSON"),
        (b"null", "Record 0 of the answer is not an object"),
        (b"7", "Record 0 of the answer is not an object"),
    ],
)
def test_what_strict_json_forbids_is_refused(record, why):
    """P04, P05, P07: keys twice, NaN and Infinity, endless nesting, truncation."""
    with pytest.raises(MalformedAnswer, match=why):
        _read(b'{"results":[' + record + b"]}", SCHEMA)


def test_an_envelope_with_a_key_twice_is_refused():
    """P04: the envelope is as strict as the records."""
    with pytest.raises(MalformedAnswer, match="twice in one object"):
        _read(b'{"results":[{"id":1}],"results":[]}')


def test_an_integer_past_64_bits_is_kept_digit_by_digit():
    """P06: 5,000 digits are kept as text next to a null."""
    digits = b"9" * 5000
    page = _read(b'{"results":[{"id":%b,"count":%b}]}' % (digits, digits))
    assert page.table.to_pylist() == [
        {"id": digits.decode(), "count": None, "name": None, "count__raw": digits.decode()}
    ]
    assert page.drift.unfit == {"count": 1}


@pytest.mark.parametrize(
    "body",
    [b"null", b"[]", b"7", b"", b" ", b"{}", b'{"results":null}', b'{"results":{}}', b'{"error":{"status":400}}'],
)
def test_a_body_of_another_shape_is_refused(body):
    """P08, P15: null, a list, a missing or null list of records."""
    with pytest.raises(MalformedAnswer):
        _read(body)


def test_the_refusal_names_fields_and_never_values():
    """An envelope without records is described by its keys."""
    with pytest.raises(MalformedAnswer, match=r"no list 'results'; it has: error, token") as caught:
        _read(b'{"token":"hush","error":{"message":"hush"}}')
    assert "hush" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_broken_body_is_not_carried_by_the_error():
    """JSON errors hold the whole document; ours must not, not even as context."""
    with pytest.raises(MalformedAnswer) as caught:
        _read(b'{"results":[{"name":"hush"}')
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_large_integers_stay_exact_next_to_nulls():
    """P09: 2**53+1 next to null is still 2**53+1, and ids are text."""
    page = _read(b'{"results":[{"id":9007199254740993,"count":9007199254740993},{"id":null}]}')
    assert page.table["count"].to_pylist() == [9007199254740993, None]
    assert page.table["id"].to_pylist() == ["9007199254740993", None]


def test_numbers_that_the_fast_path_would_round_or_overflow_are_kept_raw():
    """A whole number past 2**53 is not exact as a float, and milliseconds are no seconds."""
    page = _read(
        b'{"results":[{"ratio":9007199254740993,"touchedAt":1700000000000},{"ratio":0.1,"touchedAt":0}]}', SCHEMA
    )
    assert page.table["ratio"].to_pylist() == [None, 0.1]
    assert page.table["ratio__raw"].to_pylist() == ["9007199254740993", None]
    assert [str(at) for at in page.table["touched_at"].to_pylist()] == ["None", "1970-01-01 00:00:00+00:00"]
    assert page.table["touched_at__raw"].to_pylist() == ["1700000000000", None]


@pytest.mark.parametrize("where", [b'{"results":[{"document":%b}]}', b'{"meta":%b,"results":[]}'])
def test_depth_is_bounded_in_documents_and_envelopes_too(where):
    """P07: the same bound on every version of Python."""
    schema = Schema("x", (Column("document", Kind.DOCUMENT),))
    for depth in (300, 900, 200_000):
        with pytest.raises(MalformedAnswer, match="nested"):
            _read(where % (b"[" * depth + b"]" * depth), schema)


def test_names_such_as_modified_are_not_guessed_to_be_dates():
    """P11: only declared kinds decide."""
    schema = Schema("x", (Column("modified", Kind.TEXT),))
    assert _read(b'{"results":[{"modified":"2026-01-31"}]}', schema).table.to_pylist() == [{"modified": "2026-01-31"}]


def test_times_with_and_without_offset_are_utc():
    """P13: offsets are applied, zeros past microseconds ignored; without an offset it is UTC; all else is kept raw."""
    schema = Schema("x", (Column("at", Kind.DATETIME),))
    times = b'"2026-01-31T10:00:00+02:00","2026-01-31T08:00:00Z","2026-01-31T08:00:00"'.split(b",")
    times.append(b'"2026-01-31T10:00:00.000000000+02:00"')
    good = b",".join(b'{"at":%b}' % time for time in times)
    page = _read(b'{"results":[' + good + b"]}", schema)
    assert [str(at) for at in page.table["at"].to_pylist()] == ["2026-01-31 08:00:00+00:00"] * 4
    page = _read(b'{"results":[' + good + b',{"at":"31/01/2026"}]}', schema)
    assert [str(at) for at in page.table["at"].to_pylist()] == ["2026-01-31 08:00:00+00:00"] * 4 + ["None"]
    assert page.table["at__raw"].to_pylist()[-1] == '"31/01/2026"'


def test_line_breaks_and_spaces_between_values_change_nothing():
    """A pretty-printed body reads like a compact one."""
    body = b'{ "meta" : {"total": 1},\r\n "results" :\n [\n {"id": 1,\n "name": "a [b]"}\n ]\n }\n'
    page = json_page(body, "results")
    assert page.table(SMALL).table.to_pylist() == [{"id": "1", "count": None, "name": "a [b]"}]
    assert page.envelope == {"meta": {"total": 1}}


def test_a_line_break_inside_a_text_is_refused():
    """JSON forbids bare control characters in texts; they are not mended."""
    with pytest.raises(MalformedAnswer):
        _read(b'{"results":[{"name":"a\nb"}]}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"results":[{"id":1}],"links":["a"],"more":{"list":[1]}}',
        b'{"links":["a"],"more":{"list":[1]},"results":[{"id":1}]}',
        b'{"links":["a"],"more":{"list":[1]},"results":[{"id":1,"new":[1]}]}',
        b'{"more":{"list":[1],"results":[{"id":5}]},"results":[{"id":1}],"links":["a"]}',
    ],
)
def test_the_envelope_is_whole_wherever_it_has_lists(body):
    """Cutting the records out never loses or mistakes a part of the envelope, not even in a projection."""
    for schema in (SMALL, SMALL.project(["id"])):
        page = json_page(body, "results")
        assert page.table(schema).table["id"].to_pylist() == ["1"]
        assert page.envelope["links"] == ["a"]
        assert page.envelope["more"]["list"] == [1]


@pytest.mark.parametrize(
    "body", [b'{"results":[{"id":1}]} null {"results":[]}', b'{"results":[{"id":1}]}]}\n{"":[[{"id":2}]]}']
)
def test_two_documents_in_one_body_are_refused(body):
    """What follows the document is not read as more of it."""
    with pytest.raises(MalformedAnswer):
        _read(body)


def test_half_a_surrogate_pair_is_kept_raw():
    """A text that has no UTF-8 form is kept as the escape that the vendor sent."""
    page = _read(b'{"results":[{"name":"a\\ud800"}]}')
    assert page.table.to_pylist()[0]["name__raw"] == '"a\\ud800"'


def test_a_record_only_and_a_bare_list_are_read_without_an_envelope():
    """`records=None` reads a single record as well as a list."""
    assert json_page(b'{"id":1}', None).records() == [{"id": 1}]
    assert json_page(b'\n[{"id":1},{"id":2}] ', None).table(SMALL).table["id"].to_pylist() == ["1", "2"]
    with pytest.raises(MalformedAnswer, match="is null"):
        json_page(b"null", None)


def test_documents_are_kept_as_json_text():
    """A free document keeps its numbers as written; `-` and `_` are one in an account's field names."""
    schema = Schema("x", (Column("any", Kind.JSON), Column("document", Kind.DOCUMENT)))
    page = _read(b'{"results":[{"any":{"a-b":1.50},"document":{"a-b":[1e2,null,""]}},{}]}', schema)
    assert page.table.to_pylist() == [
        {"any": '{"a-b":1.50}', "document": '{"a_b":[1e2,null,""]}'},
        {"any": None, "document": None},
    ]
    assert page.drift == Drift()


def _line(at, total=3, result=b'{"id":%d}'):
    return b'{"meta":{"total":%d,"index":%d},"result":%b}' % (total, at, result % at)


def test_lines_end_at_a_line_feed_only():
    """P21, P22: U+2028 and U+0085 in texts are no line ends; CR LF and blank lines are tolerated."""
    name = b'{"id":%d,"name":"a\xe2\x80\xa8b\xc2\x85c"}'
    page = lines_page(_line(0, 2, name) + b"\r\n\r\n" + _line(1, 2, name) + b"\n")
    assert page.table(SMALL).table["name"].to_pylist() == ["a\u2028b\x85c"] * 2
    assert page.envelope == {"meta": {"total": 2, "first_index": 0, "last_index": 1}}


def test_an_error_as_a_line_ends_the_pull():
    """P23: the line is named, the vendor's words are kept apart; the session masks and shortens them."""
    error = b'{"error":{"code":"gone","message":"%b"}}' % (b"x" * 9999)
    for line in (error, error[:-1] + b',"result":{"id":1}}'):
        with pytest.raises(MalformedAnswer, match="Line 8 of the stream is an error") as caught:
            lines_page(_line(0) + b"\n" + line + b"\n" + _line(1), first_line=7)
        assert caught.value.vendor_code == "gone"
        assert len(caught.value.vendor_message) == 9999


@pytest.mark.parametrize(
    "line",
    [b'{"meta":{"total":3,"index":1},"result":{"id":1}', b"null", b'{"result":null}', _line(1) + b"," + _line(2)],
)
def test_a_bad_line_is_refused_with_its_number(line):
    """P23, P24: truncated, null, without a record, two records on a line."""
    with pytest.raises(MalformedAnswer, match="Line 2 of the stream"):
        lines_page(_line(0) + b"\n" + line)


def test_counts_of_a_stream_may_be_texts():
    """As those of pages may."""
    block = b"\n".join(b'{"meta":{"total":"2","index":"%d"},"result":{"id":%d}}' % (at, at) for at in range(2))
    assert lines_page(block).envelope == {"meta": {"total": 2, "first_index": 0, "last_index": 1}}


@pytest.mark.parametrize("indexes", [(0, 2), (0, 0), (1, 0)])
@pytest.mark.parametrize("record", [b'{"id":%d}', b'{"id":%d,"new":1}'])
def test_records_that_do_not_follow_each_other_are_refused(indexes, record):
    """A lost or repeated line is noticed by its index."""
    block = b"\n".join(_line(at, 3, record) for at in indexes)
    with pytest.raises(MalformedAnswer, match="broken at line 2"):
        lines_page(block)


def test_the_last_line_may_lack_its_end_and_an_empty_block_has_no_rows():
    """P24: no line feed after the last line is fine."""
    assert lines_page(_line(0)).rows == 1
    empty = lines_page(b"\n")
    assert empty.table(SMALL).table.equals(SMALL.empty())
    assert empty.envelope == {"meta": {"total": None, "first_index": None, "last_index": None}}


def test_other_members_of_a_line_are_undeclared_fields_of_its_record():
    """They keep the name of the line, also in an empty record and with names written with escapes."""
    block = b'{"result":{"id":1},"new":[1, 2]}\n{"n\\u0065w":"a","re\\u0073ult":{ }}\n'
    batch = lines_page(block).table(SMALL)
    assert batch.drift.unknown == {"line.new": 2}
    (column,) = set(batch.table.column_names) - set(SMALL.arrow.names)
    assert batch.table[column].to_pylist() == ["[1,2]", '"a"']
    assert batch.table["id"].to_pylist() == ["1", None]


@pytest.mark.parametrize(
    "line",
    [
        b'{"result":{"id":1},"result":{"id":2}}',
        b'{"result":{"id":1},"meta":{"total":1,"total":2}}',
        b'{"result":{"id":1},"x":NaN}',
        b'{"result":{"id":1}},{"result":{"id":2}}',
        b'{"result":{"id":1},"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"result":{"id":"\xff"}}',
        b"7",
        b"[]",
    ],
)
def test_a_line_is_as_strict_as_a_page(line):
    """The number of the line is in the message, whatever is wrong with it."""
    with pytest.raises(MalformedAnswer, match="Line 2 of the stream"):
        lines_page(b'{"result":{"id":1}}\n' + line + b"\n" + b'{"result":{"id":3}}')


def test_two_broken_lines_do_not_make_a_whole_one():
    """Lines are read together, but each has to be JSON on its own."""
    with pytest.raises(MalformedAnswer, match="Line 1 of the stream"):
        lines_page(b'{"result":{"id":1},"x":[1\n2]}\n{"result":{"id":2}},{"result":{"id":3}}')


_WHOLE = b'{"meta":{"total":12,"index":%d},"result":{"id":%d,"name":"x"}}'
_CHANGES = [
    (b",", b" ,"), (b"{", b"{ "), (b"}", b"}\t"), (b"}", b"}\r"), (b'"x"', b'"\\ud83d"'), (b'"x"', b'"\xff"'),
    (b'"x"', b'"\n"'), (b'"x"', b"[" * 300 + b"]" * 300), (b'"total"', b'"tot\\u0061l"'), (b"12", b'"12"'),
    (b"12", b"12.0"), (b"12", b"1e1"), (b"12", b"-0"), (b"12", b"1" * 20), (b"12", b"true"), (b'"index"', b'"total"'),
    (b'"total"', b'"other"'), (b'"result":', b'"result":1,"result":'), (b'"result":', b'"n":0,"result":'),
    (b'"meta"', b'"error"'), (b'"result"', b'"resu"'), (b'"result":{', b'"result":[{'), (b'{"id"', b'[{"id"'),
    (b"}}", b"}}}"), (b"}}", b"}"), (b"}", b"}\n"), (b"{", b"\n{"), (b'"name"', b'"id"'), (b'{"meta"', b' {"meta"'),
    (b"}}", b"}}{}"), (b'"index":', b'"index":1'), (b'"index":', b'"index":' + b"1" * 19), (b'"index":', b'"index":-'),
]  # fmt: skip


@example(1, [(0, (b'"index":', b'"index":-'), 0)])
@given(
    st.integers(1, 6), st.lists(st.tuples(st.integers(0, 5), st.sampled_from(_CHANGES), st.integers(0, 2)), max_size=4)
)
def test_compact_lines_are_read_as_all_others(count, changes):
    """The short way, which looks at lengths, and the long one see the same records, or the same fault."""
    lines = [_WHOLE % (at, at) for at in range(3, 3 + count)]
    for at, (old, new), times in changes:
        lines[at % count] = lines[at % count].replace(old, new, 1 + times)
    block = b"\n".join(lines)
    with patch.object(vendorkit.frames.json, "_usual_line", lambda _: None):
        expected = _seen(block)
    assert _seen(block) == expected


def test_lines_as_the_vendor_sends_them_take_the_short_way():
    """Else the test before would compare one way with itself."""
    with patch.object(vendorkit.frames.json, "_line", None):
        assert lines_page(b"\n".join(_WHOLE % (at, at) for at in range(4))).rows == 4


def _seen(block):
    try:
        page = lines_page(block)
    except MalformedAnswer as exc:
        return str(exc)
    return list(map(bytes, page.raws)), page.envelope


def test_very_many_small_pages_become_a_few_chunks():
    """Pandas and Arrow take longer for columns in thousands of pieces."""
    batches = [_read(b'{"results":[{"id":%d}]}' % number) for number in range(600)]
    table, _ = combine(batches, SMALL)
    assert table["id"].num_chunks < 10
    assert table["id"].to_pylist() == [str(number) for number in range(600)]
    assert combine(batches[:9], SMALL)[0]["id"].to_pylist() == table["id"].to_pylist()[:9]
