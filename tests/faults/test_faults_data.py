"""Bodies at fault, over sockets and by a client's verbs: the right result, or one typed error and no part of one."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone

import pytest

from tests.https import answer, client_of, raw_server
from vendorkit.errors import IncompletePull, MalformedAnswer
from vendorkit.frames import SchemaDrift
from vendorkit.http.call import Policy
from vendorkit.pull.result import DataMoved

ONCE = Policy(connect_timeout_s=5, read_timeout_s=5, deadline_s=20, attempts=1)
TWICE = Policy(connect_timeout_s=5, read_timeout_s=5, deadline_s=20, attempts=2)


def serving(replies):
    """A handler that answers by the first key that is in the request line."""
    replies = {key: value if value.startswith(b"HTTP/") else answer(value) for key, value in replies.items()}

    def handle(sock, head):
        line = head.split(b"\r\n")[0].decode()
        sock.sendall(next(reply for key, reply in replies.items() if key in line))

    return raw_server(handle)


def brands(*records: str, extra: str = "") -> bytes:
    """A page of Medipim's brands."""
    return f'{{"meta":{{"total":{len(records)}{extra}}},"results":[{",".join(records)}]}}'.encode()


def frame_of_brands(body: bytes):
    """The frame that Medipim's brands make of a body, or of a whole answer."""
    with serving({"": body}) as server:
        return client_of(server, "medipim", ONCE).brands.query().frame()


REFUSED = {
    "P02 a byte that is not UTF-8": (brands('{"id":1,"name":"caf@"}').replace(b"@", b"\xe9"), "not UTF-8 at byte"),
    "P02 another encoding": (brands('{"id":1}').decode().encode("utf-16"), "UTF-8|not JSON"),
    "P04 a name twice": (brands('{"id":1,"id":2}'), "twice"),
    "P04 a name twice around the records": (brands('{"id":1}', extra=',"total":1'), "twice"),
    "P05 NaN": (brands('{"id":NaN}'), "NaN"),
    "P05 Infinity": (brands('{"x":-Infinity}'), "Infinity"),
    "P05 beyond all bounds": (brands('{"x":1e999}'), "too big"),
    "P07 nested deep": (brands('{"x":' + "[" * 200_000 + "]" * 200_000 + "}"), "nested"),
    "P08 null": (b"null", "null|no list|not an object|object"),
    "P08 a list": (b"[]", "list|object"),
    "P08 a text": (b'"brands"', "object|list"),
    "P15 no records": (b'{"meta":{"total":1}}', "results"),
    "P15 null in place of records": (b'{"meta":{"total":0},"results":null}', "results|not a list|null"),
    "P15 a record that is null": (brands('{"id":1}', "null"), "Record 1"),
    "P15 the records twice": (b'{"meta":{"total":1},"results":[{"id":1}],"results":[]}', "twice"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_json_page_at_fault_is_one_typed_error(fault):
    """P02, P04, P05, P07, P08, P15: by both verbs, without a row of it."""
    body, why = REFUSED[fault]
    with serving({"": body}) as server:
        query = client_of(server, "medipim", ONCE).brands.query()
        with pytest.raises(MalformedAnswer, match=why):
            query.frame()
        with pytest.raises(MalformedAnswer):
            list(query.records())


def test_a_json_page_with_odd_values_keeps_every_digit():
    """P01, P03, P06, P09, P13: a byte order mark, no charset, endless integers, ids past 2**53 next to nulls."""
    digits = "9" * 5000
    records = (
        '{"id":9007199254740993,"name":{"nl":"Zürich"},"meta":{"createdAt":1}}',
        '{"id":null,"meta":{"createdAt":' + digits + "}}",
    )
    reply = answer(b"\xef\xbb\xbf" + brands(*records), "Content-Type: text/plain")
    with pytest.warns(SchemaDrift, match="created_at"):
        frame = frame_of_brands(reply)
    assert frame["id"].tolist()[0] == "9007199254740993"
    assert frame["name_nl"].tolist()[0] == "Zürich"
    assert frame["created_at"].tolist()[0] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
    assert frame["created_at__raw"].tolist()[1] == digits
    assert frame["id"].isna().tolist() == frame["created_at"].isna().tolist() == [False, True]


def test_types_that_changed_and_fields_that_are_new_or_missing_lose_nothing():
    """P10, P11, P12: codes stay texts, `modified` is no date because of its name, misfits are kept."""
    record = '{"id":"00123","name":7,"modified":"2026-01-31","meta":{"createdAt":"soon"}}'
    with pytest.warns(SchemaDrift, match="modified"):
        frame = frame_of_brands(brands(record, '{"id":"00124"}'))
    assert frame["id"].tolist() == ["00123", "00124"]
    assert frame["modified"].tolist()[0] == '"2026-01-31"'
    assert frame["created_at__raw"].tolist()[0] == '"soon"'
    assert frame["name"].tolist()[0] == "7"
    assert str(frame.dtypes["created_at"]).startswith("datetime64")


def linked(pages: dict[str, tuple[list[dict], int | None, str | None]]):
    """A server of Mediagenix's brands in pages: records, total and `next` according to the request line."""
    replies = {}
    for key, (entries, total, following) in pages.items():
        around = {"total_entries": total, "next_link": following}
        replies[key] = json.dumps({**{k: v for k, v in around.items() if v is not None}, "entries": entries}).encode()
    return serving(replies)


def frame_of(server):
    """All brands of *server*, in JSON."""
    return client_of(server, "mediagenix", ONCE).brands.query(accept="json").frame()


A, B, C = ({"id": number, "name": name} for number, name in ((1, "A"), (2, "B"), (3, "C")))


def test_an_empty_page_among_full_ones_keeps_the_dtypes():
    """P14, P20: a `next` link to an empty page is the end, where all that was announced has come."""
    with linked({"?page=2": ([], 2, "/api/brands?page=3"), "": ([A, B], 2, "/api/brands?page=2")}) as server:
        frame = frame_of(server)
        assert len(server.heads) == 2
    assert frame["id"].tolist() == ["1", "2"]
    with linked({"": ([], 0, None)}) as server:
        assert frame_of(server).dtypes.equals(frame.dtypes)


def test_a_record_on_two_pages_counts_once_unless_it_differs():
    """P16: exact copies are dropped, different values of one id are not chosen between."""
    for second, whole in (([B, C], True), ([{**B, "name": "b"}, C], False)):
        with linked({"?page=2": (second, 3, None), "": ([A, B], 3, "/api/brands?page=2")}) as server:
            if whole:
                assert frame_of(server)["id"].tolist() == ["1", "2", "3"]
                continue
            with pytest.warns(DataMoved, match="pages 1 to 2"):
                frame = frame_of(server)
            assert len(frame) == 4
            assert not frame.attrs["vendorkit"]["complete"]
            assert len(server.heads) == 6


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ({"?page=2": ([C], 4, None), "": ([A, B], 4, "/api/brands?page=2")}, "3 rows arrived, but 4"),
        ({"": ([A, B], 9, "/api/brands?page=2")}, "form a loop"),
        ({"?page=2": ([], 9, "/api/brands?page=3"), "": ([A, B], 9, "/api/brands?page=2")}, "no end"),
        ({"?page=2": ([], None, "/api/brands?page=3"), "": ([A, B], None, "/api/brands?page=2")}, "no end"),
        ({"?page=2": ([C], 3, "//["), "": ([A, B], 3, "/api/brands?page=2")}, "not a valid address"),
    ],
)
def test_pages_that_do_not_fit_together_are_an_incomplete_pull(pages, why):
    """P17, P19, P20: a record that slipped, links in a circle, without end, to nowhere."""
    with linked(pages) as server:
        with pytest.raises(IncompletePull, match=why) as caught:
            frame_of(server)
        assert len(server.heads) <= 3
    assert len(caught.value.arrived) >= 2


def test_a_total_that_moves_is_read_again():
    """P18: at most twice; then the rows that came, with a warning."""
    with linked({"?page=2": ([C], 5, None), "": ([A, B], 3, "/api/brands?page=2")}) as server:
        with pytest.warns(DataMoved, match="pages 1 to 2"):
            frame = frame_of(server)
        assert len(server.heads) == 6
    assert len(frame) == 3
    assert not frame.attrs["vendorkit"]["complete"]


def test_endless_pages_end_after_far_more_records_than_announced():
    """P19, P20: each page links to another one, each with records."""
    count = 0

    def handle(sock, head):
        nonlocal count
        count += 1
        entries = [{"id": count * 100 + number} for number in range(100)]
        around = {"total_entries": 150, "next_link": f"/api/brands?page={count + 1}", "entries": entries}
        sock.sendall(answer(json.dumps(around).encode()))

    with raw_server(handle) as server, pytest.raises(IncompletePull, match="no end"):
        frame_of(server)
    assert count == 6


def test_feed_that_repeats_itself_ends():
    """P19: every request returns the same events."""
    with linked({"": ([{"id": 7}], None, None)}) as server:
        query = client_of(server, "mediagenix", ONCE).events.query(newer_than=1, accept="json")
        with pytest.raises(IncompletePull, match="form a loop"):
            query.frame()
        assert len(server.heads) == 2


BEYOND = b'{"meta":{"total":10000,"page":{"no":0,"size":250}},"results":[]}'


def line(at: int, total: int = 3, result: str = '{"id":%d}') -> bytes:
    """A line of the stream."""
    record = result % at if "%" in result else result
    return b'{"meta":{"total":%d,"index":%d},"result":%b}\n' % (total, at, record.encode())


def ids_of(stream: bytes, verb: str):
    """The ids of the products in a stream."""
    with serving({"/query": BEYOND, "/stream": stream}) as server:
        query = client_of(server, "medipim", ONCE).products.query()
        if verb == "records":
            return [str(record["id"]) for record in query.records()]
        return query.frame(columns=["id"])["id"].tolist()


def chunked(*parts: bytes) -> bytes:
    """An answer in just these chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body


ODD = '{"id":%d,"status":"a\u2028b\u0085c\u000bd"}'.replace("\u000b", "\\u000b")
STREAMS = {
    "P21 separators of Unicode": b"".join(line(at, 3, ODD) for at in range(3)),
    "P22 CR LF between chunks": chunked(line(0)[:-1] + b"\r", b"\n" + line(1)[:-1] + b"\r\n\r", b"\n" + line(2)),
    "P22 blank lines at the end": line(0) + line(1) + line(2) + b"\n\r\n",
    "P24 no end of the last line": (line(0) + line(1) + line(2))[:-1],
}


@pytest.mark.parametrize("verb", ["frame", "records"])
@pytest.mark.parametrize("form", STREAMS)
def test_a_stream_in_odd_form_is_read(form, verb):
    """P21, P22, P24: lines end at line feeds, however the network cuts them."""
    assert ids_of(STREAMS[form], verb) == ["0", "1", "2"]


BROKEN = {
    "T04 cut at a line end": line(0) + line(1),
    "T33 nothing": b"",
    "T33 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "P18 another total": line(0) + line(1) + line(2, 4),
    "P19 more than announced": b"".join(line(at) for at in range(5)),
    "P17 a gap": line(0) + line(2),
    "P16 a line twice": line(0) + line(0) + line(1) + line(2),
    "P23 a broken line": line(0) + b'{"meta":{"total":3,"index":1},"res\n' + line(2),
    "P23 an error as a line": line(0) + b'{"error":{"code":"gone","message":"stopped"}}\n',
    "P23 a line without its place": line(0) + b'{"result":{"id":1}}\n' + line(2),
    "P23 a total that is none": b'{"meta":{"total":"x","index":0},"result":{"id":0}}\n',
    "P24 half of the last line": (line(0) + line(1) + line(2))[:-9],
}


@pytest.mark.parametrize("verb", ["frame", "records"])
@pytest.mark.parametrize("fault", BROKEN)
def test_faulty_stream_is_never_complete(fault, verb):
    """T04, T33, P16 to P19, P23, P24: a typed error, whichever way it is read."""
    with pytest.raises((IncompletePull, MalformedAnswer)):
        ids_of(BROKEN[fault], verb)


def xml(inner: str, before: str = "") -> bytes:
    """A collection of one brand."""
    return f'{before}<brands type="array"><brand><id>1</id>{inner}</brand></brands>'.encode()


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "ha"}">' for n in range(20))
DOCUMENTS = {
    "P25 entities that multiply": xml("<name>&e19;</name>", f"<!DOCTYPE b [{BOMB}]>"),
    "P26 a file": xml("<name>&x;</name>", '<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "P26 the net": xml("<name>&x;</name>", '<!DOCTYPE b [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]>'),
    "P27 a DOCTYPE": xml("", '<!DOCTYPE b SYSTEM "b.dtd">'),
    "P28 an undeclared entity": xml("<name>a&x;b</name>"),
    "P29 nested deep": xml("<a>" * 200_000 + "</a>" * 200_000),
    "P30 an end too early": xml("<name>A</name>")[:-9],
    "P30 two documents": xml("") + xml(""),
    "P31 UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + xml("<name>+ADw-</name>"),
    "P31 not as declared": b'<?xml version="1.0" encoding="US-ASCII"?>' + xml("<name>@</name>").replace(b"@", b"\xe9"),
    "P02 not UTF-8": xml("<name>caf@</name>").replace(b"@", b"\xe9"),
    "T19 a page": b"<html><body>Maintenance</body></html>",
}


@pytest.mark.parametrize("fault", DOCUMENTS)
def test_xml_at_fault_is_one_typed_error_at_once(fault):
    """P02, P25 to P31, T19: nothing is expanded, opened, mended or dropped."""
    with serving({"": DOCUMENTS[fault]}) as server:
        started = time.monotonic()
        with pytest.raises(MalformedAnswer):
            client_of(server, "mediagenix", ONCE).brands.query().frame()
        assert time.monotonic() - started < 2


def test_a_page_of_html_or_nothing_is_sent_again():
    """T19, T33: something answered in the vendor's place, as a proxy does while a server starts again."""
    good = answer(brands('{"id":1}'))
    for fault in (answer(b"<!DOCTYPE html><h1>Back soon</h1>", "Content-Type: application/json"), answer(b"")):
        replies = [fault, good]
        with raw_server(lambda sock, head, left=replies: sock.sendall(left.pop(0))) as server:
            assert client_of(server, "medipim", TWICE).brands.query().frame()["id"].tolist() == ["1"]
    with serving({"": answer(b"<!DOCTYPE html><h1>Back soon</h1>")}) as server:
        with pytest.raises(MalformedAnswer, match="Back soon"):
            client_of(server, "medipim", TWICE).brands.query().frame()
        assert len(server.heads) == 2
