"""The HTTP policy: every wait is bounded, every failure is one typed error, no credential leaves its origin."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import traceback
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
from requests.auth import AuthBase

import vendorkit as vk
from tests import https
from tests.https import JSON, QUICK, SECRET, always, answer, authority, raw_server, session_of
from vendorkit.auth.pauses import requested_pause_s
from vendorkit.deadline import Deadline
from vendorkit.errors import (
    Cancelled,
    CredentialsRefused,
    DeadlineExceeded,
    InvalidRequest,
    MalformedAnswer,
    NotAllowed,
    NotFound,
    OriginRefused,
    RateLimited,
    UsageError,
    VendorkitError,
    VendorUnavailable,
)
from vendorkit.http.answers import answered_at
from vendorkit.http.budget import Budget
from vendorkit.http.call import Call, Policy
from vendorkit.http.session import USER_AGENT, Session
from vendorkit.http.tls import local_trust
from vendorkit.settings import Redactor


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad Request", InvalidRequest),
        ("401 Unauthorized", CredentialsRefused),
        ("403 Forbidden", NotAllowed),
        ("404 Not Found", NotFound),
        ("410 Gone", NotFound),
        ("422 Unprocessable Content", InvalidRequest),
        ("429 Too Many Requests", RateLimited),
        ("500 Internal Server Error", VendorUnavailable),
        ("503 Service Unavailable", VendorUnavailable),
    ],
)
def test_each_status_is_one_error_that_redacts_what_the_vendor_echoes(status, error):
    """S16: the vendor's code and message are kept, the credential in them is masked."""
    body = b'{"error": {"code": "the.code", "message": "you sent %s"}}' % SECRET.encode()
    with raw_server(always(answer(body, JSON, status=status))) as server, pytest.raises(error) as caught:
        session_of(server).send(Call("POST", "/x", json={}))
    assert caught.value.status == int(status[:3])
    assert caught.value.vendor_code == "the.code"
    assert caught.value.vendor_message == "you sent ***"
    assert caught.value.remedy
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"status": 422, "violations": [{"field": "page.size", "message": "wrong"}]}}',
        b'{"error": {"status": 422}, "violations": [{"field": "page.size", "message": "wrong"}]}',
        b'{"violations": ["page.size: wrong"]}',
    ],
)
def test_violations_are_found_in_every_place(body):
    """inferred: where Medipim puts them is not documented."""
    with raw_server(always(answer(body, JSON, status="422 X"))) as server, pytest.raises(InvalidRequest) as caught:
        session_of(server).send(Call("GET", "/x"))
    assert caught.value.violations == ("page.size: wrong",)
    assert "page.size: wrong" in caught.value.remedy


@pytest.mark.parametrize(
    "body",
    [
        b"<errors><error>Name is taken</error><error>Second</error></errors>",
        b'<errors type="array"><error>Name is taken</error><error>Second</error></errors>',
    ],
)
def test_xml_errors_are_read(body):
    """The three shapes that Mediagenix' own client knows."""
    with raw_server(always(answer(body, status="422 X"))) as server, pytest.raises(InvalidRequest) as caught:
        session_of(server).send(Call("GET", "/x", accept="xml"))
    assert caught.value.violations == ("Name is taken", "Second")
    assert str(caught.value).count("Name is taken") == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"{", b"[" * 5000, b"<a", b"<html>down</html>", b"null"])
def test_unreadable_error_body_gives_the_error_of_its_status(body):
    """The vendor advises to decide on the status line: the body may be empty or malformed."""
    with raw_server(always(answer(body, status="404 Not Found"))) as server, pytest.raises(NotFound):
        session_of(server).send(Call("GET", "/x"))


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"message": "Größe"}}'.encode("utf-8-sig"),
        '<?xml version="1.0" encoding="ISO-8859-1"?><error>Größe</error>'.encode("latin-1"),
        "Größe".encode("cp1252"),
        "Größe".encode("utf-8-sig"),
    ],
)
def test_error_body_is_read_in_its_encoding(body):
    """P01: with a byte order mark, and as servers of the vendors' countries may send it."""
    with raw_server(always(answer(body, status="400 X"))) as server, pytest.raises(InvalidRequest) as caught:
        session_of(server).send(Call("GET", "/x"))
    assert caught.value.vendor_message == "Größe"


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (b'{"error": {"message": "no"}}', True),
        (b'{"status": "failed", "error": {"message": "no"}}', True),
        ('{"results": [], "error": {"message": "no"}}'.encode("utf-8-sig"), True),
        (b'{"results": [{"error": {"message": "no"}}]}', False),
        (b'{"id": 1, "error": "", "name": null}', False),
        (b'[{"error": {}}]', False),
    ],
)
def test_error_in_a_success_is_found_wherever_it_is(body, failed):
    """A17: Pledg's and Medipim's own clients look for the member; a record's own `error` is data."""
    with raw_server(always(answer(body, JSON))) as server:
        if failed:
            with pytest.raises(InvalidRequest, match=r"HTTP 200\. The vendor says: no\."):
                session_of(server).send(Call("GET", "/x"))
        else:
            assert session_of(server).send(Call("GET", "/x")).content == body


def test_slow_drip_ends_with_the_deadline():
    """T10, Promise 6: a byte now and then resets the read timeout but not the deadline, in headers and body."""

    def drip(sock, head):
        for byte in answer(b"x" * 100, JSON) if b"/head" in head else [answer(b"x" * 100)[:-100], *[b"x"] * 100]:
            sock.sendall(bytes([byte]) if isinstance(byte, int) else byte)
            time.sleep(0.1)

    with raw_server(drip) as server:
        for path in ("/head", "/body"):
            started = time.monotonic()
            with pytest.raises(DeadlineExceeded, match=r"0\.7 seconds"):
                session_of(server, replace(QUICK, deadline_s=0.7)).send(Call("GET", path))
            assert time.monotonic() - started < 3


@pytest.mark.parametrize("value", [float("inf"), 1e10, 10**400, Fraction(3, 2), np.float32(1), np.int64(3), 2.5])
def test_policy_takes_every_kind_of_number(value):
    """Promise 6, 8: no time limit may be written as infinity, which sockets refuse; they refuse a Fraction too."""
    with raw_server(always(answer(b"{}", JSON))) as server:
        policy = Policy(**{field.name: value for field in fields(Policy)})
        assert session_of(server, policy).send(Call("GET", "/x")).json() == {}
    with pytest.raises(UsageError, match="connect_timeout_s of a Policy"):
        Policy(connect_timeout_s=True)


def test_silence_is_bounded_and_retried():
    """T11, Promise 6: a server that never answers ends the call after its attempts."""
    with raw_server(lambda sock, head: time.sleep(0.6)) as server:
        policy = Policy(read_timeout_s=0.2, deadline_s=10, attempts=2)
        with pytest.raises(VendorUnavailable, match="in time"):
            session_of(server, policy).send(Call("GET", "/x"))


def test_unreachable_host_is_one_error():
    """T36: refused connection; the message names the host and no query."""
    with raw_server(always(b"")) as server:
        pass
    with pytest.raises(VendorUnavailable) as caught:
        session_of(server).send(Call("GET", "/x", params={"signature": "private"}))
    assert "127.0.0.1" in str(caught.value)
    assert "private" not in str(caught.value)


@pytest.mark.parametrize("reply", [b"", b"garbage\r\n\r\n", answer(b"{}", length=10)[:-2], answer(b"[1", length=100)])
def test_broken_answer_is_retried_and_then_an_error(reply):
    """T01, T02, T29, T31: the retry is a new request on a new connection."""

    def handle(sock, head):
        if reply:
            sock.sendall(reply)
        sock.close()

    with raw_server(handle) as server:
        with pytest.raises(VendorUnavailable):
            session_of(server).send(Call("GET", "/x"))
        assert len(server.heads) == 2


def test_write_is_sent_once():
    """A POST that may write is never repeated, whatever the outcome."""
    with raw_server(always(answer(b"", status="503 X"))) as server:
        with pytest.raises(VendorUnavailable):
            session_of(server).send(Call("POST", "/x", json={}))
        assert len(server.heads) == 1


class Counting(AuthBase):
    """Signs each attempt with a number."""

    count = 0

    def __call__(self, request):
        """Sign *request*."""
        type(self).count += 1
        request.headers["Authorization"] = f"Count {self.count}"
        return request


def test_each_attempt_is_signed_anew():
    """A22: a retry below authentication would repeat the signature."""
    replies = iter([answer(b"", status="503 X"), answer(b"", status="502 X"), answer(b"{}", JSON)])
    with raw_server(lambda sock, head: sock.sendall(next(replies))) as server:
        session = Session(
            "Test", server.url, schemes={"default": Counting()}, trust=server.trust, redactor=Redactor([])
        )
        assert session.send(Call("GET", "/x")).status_code == 200
        numbers = [line for head in server.heads for line in head.split(b"\r\n") if line.startswith(b"Authorization")]
    assert numbers == [b"Authorization: Count 1", b"Authorization: Count 2", b"Authorization: Count 3"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (gzip.compress(b'{"a": 1}' * 500, mtime=0)[:-40], VendorUnavailable),  # T06
        (gzip.compress(b'{"a": 1}' * 500, mtime=0)[:-8], VendorUnavailable),  # T07
        (gzip.compress(b'{"a": 1}', mtime=0)[:-8] + b"\0" * 8, MalformedAnswer),  # T08
        (b"not gzip at all", MalformedAnswer),
    ],
)
def test_gzip_is_checked_to_its_end(body, error):
    """T06 to T08: urllib3 returns these as a success, with rows missing."""
    reply = answer(body, JSON, "Content-Encoding: gzip")
    with raw_server(always(reply)) as server:
        with pytest.raises(error):
            session_of(server).send(Call("GET", "/x"))
        assert len(server.heads) == 2, "it was worth a second try"


@pytest.mark.parametrize("coding", ["identity, gzip", "gzip,", "GZip", "utf-8", "none", "aws-chunked", ""])
def test_content_coding_is_a_list_that_may_hold_other_words(coding):
    """T06: requests and curl ignore what is no coding; the body itself shows whether it is JSON."""
    body = gzip.compress(b'{"a": 1}', mtime=0) if "gzip" in coding.lower() else b'{"a": 1}'
    with raw_server(always(answer(body, JSON, f"Content-Encoding: {coding}"))) as server:
        assert session_of(server).send(Call("GET", "/x")).json() == {"a": 1}


def test_content_coding_that_was_not_requested_is_named():
    """T08: without it, the message would be that the data is no JSON."""
    reply = answer(b"\x8b\0\x80\x03", JSON, "Content-Encoding: identity, br")
    with raw_server(always(reply)) as server, pytest.raises(MalformedAnswer, match="content coding br"):
        session_of(server).send(Call("GET", "/x"))


def test_gzip_of_several_members_is_read_whole():
    """RFC 1952 section 2.2."""
    body = gzip.compress(b'{"a":', mtime=0) + gzip.compress(b" 1}", mtime=0)
    with raw_server(always(answer(body, JSON, "Content-Encoding: gzip"))) as server:
        assert session_of(server).send(Call("GET", "/x")).json() == {"a": 1}


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 5000, b"\r\n", b"\n", b" \r\n\0\t"])
@pytest.mark.parametrize("apart", [True, False], ids=["in a separate packet", "at once"])
def test_padding_after_gzip_is_ignored(padding, apart):
    """T37: RFC 1952 readers ignore it, also between two members, and if it arrives later than the data."""
    one, two = gzip.compress(b'{"a":', mtime=0), gzip.compress(b" 1}", mtime=0)
    body = one + padding + two + padding
    head = answer(b"", JSON, "Content-Encoding: gzip", length=len(body))

    def handle(sock, _):
        sock.sendall(head + (one if apart else body))
        if apart:
            for part in (padding[:1], padding[1:], two, padding):
                time.sleep(0.05)
                sock.sendall(part)

    with raw_server(handle) as server:
        assert session_of(server).send(Call("GET", "/x")).json() == {"a": 1}
        assert len(server.heads) == 1


@pytest.mark.parametrize("behind", [b"x", b"\0x", b"{}", b"\x1f", b"\x1f\x8b"])
def test_other_data_after_gzip_is_damage(behind):
    """T37: it may be a member without its beginning, with rows in it."""
    body = gzip.compress(b'{"a": 1}', mtime=0) + behind
    errors = (MalformedAnswer, VendorUnavailable)
    with raw_server(always(answer(body, JSON, "Content-Encoding: gzip"))) as server, pytest.raises(errors):
        session_of(server).send(Call("GET", "/x"))


@pytest.mark.parametrize(
    ("interim", "pause_s"), [("101 Switching Protocols", 0), ("103 Early Hints", 0.1), ("199 X", 0)]
)
def test_interim_response_is_skipped(interim, pause_s):
    """T31: http.client takes it for the response, and the actual response for that of the next request."""

    def handle(sock, head):
        for _ in range(2):
            sock.sendall(f"HTTP/1.1 {interim}\r\nLink: </x>\r\n\r\n".encode())
            time.sleep(pause_s)
        sock.sendall(answer(b'{"path": "%s"}' % head.split()[1], JSON))

    with raw_server(handle) as server:
        session = session_of(server)
        assert [session.send(Call("GET", f"/{n}")).json() for n in range(3)] == [{"path": f"/{n}"} for n in range(3)]
        assert len(server.heads) == 3


@pytest.mark.parametrize("status", ["200", "201", "203"])
def test_stream_of_every_success_has_its_lines(status):
    """A gateway that changes a response makes it 203; it was read as a stream without lines."""
    reply = answer(b"{}\n", JSON, status=f"{status} X")
    with raw_server(always(reply)) as server, session_of(server).stream(Call("GET", "/x")) as (parts, _):
        assert list(parts) == [b"{}\n"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", ["206", "304"])
def test_partial_response_is_an_error(stream, status):
    """T02: no request asked for a part; in JSON lines and in files a missing end would go unnoticed."""
    with raw_server(always(answer(b"{}\n", JSON, "Content-Range: bytes 0-2/9", status=f"{status} X"))) as server:
        session, call = session_of(server), Call("GET", "/x", accept="any")
        with pytest.raises(MalformedAnswer, match=status):
            if stream:
                with session.stream(call) as chunks:
                    list(chunks)
            else:
                session.send(call)


def test_html_and_empty_bodies_instead_of_data_are_errors():
    """T18, T19, T33: a maintenance page is often labelled as JSON."""
    for body, quoted in (
        (b"<!DOCTYPE html><html><h1>Maintenance</h1>", "Maintenance"),
        (b"\n" * 300 + b"<html><h1>Maintenance</h1>", "Maintenance"),
        (b"", "empty body"),
    ):
        with raw_server(always(answer(body, JSON))) as server, pytest.raises(MalformedAnswer, match=quoted):
            session_of(server).send(Call("GET", "/x"))


def test_redirects_inside_the_origin_are_followed_and_others_refused():
    """T21 to T27: three at most, of a GET, to the same scheme, host and port."""

    def handle(sock, head):
        target = head.split()[1].decode()
        location = {
            "/start": "/a",
            "/a": "/end",
            "/loop": "/loop",
            "/other": f"https://localhost:{server.port}/stolen",
            "/plain": f"http://127.0.0.1:{server.port}/stolen",
            "/file": "file:///etc/passwd",
            "/echo": f"https://{SECRET}.example/stolen",
            "/post": "/end",
        }.get(target)
        redirect = answer(b"", f"Location: {location}", status="307 X")
        sock.sendall(redirect if location else answer(b'{"end": 1}', JSON))

    with raw_server(handle) as server:
        session = session_of(server, Policy(attempts=1))
        assert session.send(Call("GET", "/start")).json() == {"end": 1}
        for path in ("/loop", "/other", "/plain", "/file", "/echo"):
            with pytest.raises(OriginRefused, match=f"GET {path} was redirected") as caught:
                session.send(Call("GET", path))
            assert SECRET.lower() not in str(caught.value).lower()
        with pytest.raises(OriginRefused):
            session.send(Call("POST", "/post", json={}))
        assert not any(b"stolen" in head for head in server.heads)


@pytest.mark.parametrize(("raw", "sent"), [("/é?é".encode(), b"/%C3%A9?%C3%A9"), ("/é".encode("latin-1"), b"/%E9")])
def test_redirect_beyond_ascii_leads_to_its_own_bytes(raw, sent):
    """T21: in whatever encoding; requests reads UTF-8, and raises a bare error for any other."""

    def handle(sock, head):
        moved = b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: " + raw + b"\r\n\r\n"
        sock.sendall(answer(b"{}", JSON) if head.split()[1] == sent else moved)

    with raw_server(handle) as server:
        assert session_of(server, Policy(attempts=1)).send(Call("GET", "/start")).json() == {}


def test_redirect_that_echoes_a_credential_shows_it_in_no_message():
    """S19, S21: the path of a redirect is written by the vendor."""
    location = f"Location: /{SECRET}/\x1b[31m/{'x' * 5000}"
    with raw_server(always(answer(b"", location, status="302 X"))) as server, pytest.raises(OriginRefused) as caught:
        session_of(server).send(Call("GET", "/x"))
    assert str(caught.value).startswith("Test: GET /x was redirected more than 3 times")


def test_path_in_a_message_is_short_and_printable():
    """S21: it may come from a link, which the vendor wrote."""
    with raw_server(always(answer(b"{}", status="404 X"))) as server, pytest.raises(NotFound) as caught:
        session_of(server).send(Call("GET", f"/\x1b[31m\u202e{'x' * 5000}"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_malformed_header_is_logged_without_the_address(caplog):
    """S12: urllib3 warns of it on stderr, with the signature in the query and the rest of the response's head."""
    reply = f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header, but {SECRET}\r\nX-Next: 1\r\n\r\n{{}}".encode()
    with raw_server(always(reply)) as server:
        assert session_of(server).send(Call("GET", "/x", params={"signature": "made-up"})).json() == {}
    assert not [word for word in ("made-up", SECRET) if word in caplog.text]


def test_call_to_another_origin_is_refused_before_it_is_signed():
    """T28: a `next` link that leaves the vendor."""
    with raw_server(always(answer(b"{}", JSON))) as server, raw_server(always(answer(b"{}", JSON))) as other:
        for url in (
            f"{other.url}/x",
            f"http://127.0.0.1:{server.port}/",
            "https://user:pw@127.0.0.1/",
            "//evil.example/",
        ):
            with pytest.raises((OriginRefused, UsageError)):
                session_of(server).send(Call("GET", url))
        assert not other.heads


def test_netrc_and_proxies_of_the_environment_are_ignored(monkeypatch, tmp_path):
    """T34, T35: trust_env is off."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password stolen\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with raw_server(always(answer(b"{}", JSON))) as server:
        session_of(server).send(Call("GET", "/x", scheme=None))
        assert b"Authorization" not in server.heads[0]
        assert f"User-Agent: {USER_AGENT}".encode() in server.heads[0]


def test_credential_is_in_no_part_of_an_error():
    """S11, S18: message, attributes, cause and context, and the locals of every frame of the traceback."""
    with raw_server(lambda sock, head: sock.close()) as server, pytest.raises(VendorkitError) as caught:
        session_of(server).send(Call("GET", "/x"))
    shown = "".join(
        traceback.TracebackException(
            type(caught.value), caught.value, caught.value.__traceback__, capture_locals=True
        ).format()
    )
    import base64

    header = base64.b64encode(f"user:{SECRET}".encode()).decode()
    own = shown.replace(f"{SECRET!r}", "")  # this test's own constant is not looked for
    assert header not in own
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_response_of_a_raw_call_has_a_masked_request():
    """S14: caches pickle responses."""
    import base64
    import pickle

    with raw_server(always(answer(b"{}", JSON))) as server:
        response = session_of(server).send(Call("GET", "/x"))
    assert response.request.headers["Authorization"] == "Basic ***"
    assert base64.b64encode(f"user:{SECRET}".encode()) not in pickle.dumps(response)


def test_session_is_not_pickled():
    """S14: connect again in the other process."""
    import pickle

    with raw_server(always(b"")) as server, pytest.raises(UsageError, match="cannot be pickled"):
        pickle.dumps(session_of(server))


class Fake:
    """A response with nothing but headers."""

    def __init__(self, **headers):
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Ratelimit-Reset": "251"}, 251.0),
        ({"Retry_After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry_After": "Sun, 22 Nov 2026 99:99:99 GMT"}, None),
        ({"Retry_After": "-5"}, None),
        ({"Retry_After": "1.5"}, None),
        ({"Retry_After": "1m0s"}, None),
        ({"Retry_After": ""}, None),
        ({"Retry_After": "9" * 30}, None),
        ({"Retry_After": "Mon, 22 Nov 99999999999 10:00:00 GMT"}, None),
        ({"Retry_After": f"Sun, 22 Nov 2026 10:00:00 +{'9' * 20}"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_understood_or_ignored(headers, seconds):
    """T13 to T16: urllib3 raises or sleeps six hours on some of these."""
    assert requested_pause_s(Fake(**headers).headers) == seconds


def test_date_that_no_calendar_has_is_ignored():
    """T15: the time of the response is then that of this machine."""
    before = int(time.time())
    assert before <= answered_at(Fake(Date=f"Sun, 22 Nov {'9' * 20} 10:00:00 GMT")) <= int(time.time())


def test_long_retry_after_is_an_error_at_once():
    """T16, Promise 6: beyond the cap the call does not sleep; the error says how long."""
    reply = answer(b"", "Retry-After: 3600", status="429 X")
    with raw_server(always(reply)) as server, pytest.raises(RateLimited) as caught:
        session_of(server, Policy()).send(Call("GET", "/x"))
    assert caught.value.retry_after_s == 3600
    assert len(server.heads) == 1


@pytest.mark.parametrize(("status", "error"), [("429 X", RateLimited), ("503 X", VendorUnavailable)])
def test_retry_after_beyond_the_deadline_is_the_vendors_error_at_once(status, error):
    """Promise 6: a pause that would outlast the call is not waited for; the vendor's message is kept."""
    reply = answer(b'{"message": "Slow down."}', "Retry-After: 50", JSON, status=status)
    with raw_server(always(reply)) as server, pytest.raises(error, match="Slow down") as caught:
        started = time.monotonic()
        session_of(server, Policy(deadline_s=20)).send(Call("GET", "/x"))
    assert caught.value.retry_after_s == 50
    assert time.monotonic() - started < 5


def test_short_retry_after_is_honoured():
    """T13: the vendor's pause, then the answer."""
    replies = iter([answer(b"", "Retry-After: 1", status="429 X"), answer(b"{}", JSON)])
    with raw_server(lambda sock, head: sock.sendall(next(replies))) as server:
        started = time.monotonic()
        session_of(server, Policy()).send(Call("GET", "/x"))
        assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize("reply", [answer(b"", "Retry-After: 50", status="429 X"), None])
def test_cancel_ends_waits_within_half_a_second(reply):
    """W14, Promise 6: a Retry-After wait and a silent server. S18: its traceback leads to no header."""
    stop = threading.Event()
    with raw_server(always(reply) if reply else lambda sock, head: stop.wait(5)) as server:
        cancel = threading.Event()
        timer = threading.Timer(0.3, cancel.set)
        timer.start()
        started = time.monotonic()
        with vk.cancellable(cancel), pytest.raises(Cancelled) as caught:
            session_of(server, Policy()).send(Call("GET", "/x"))
        assert time.monotonic() - started < 0.3 + 0.5
        stop.set()
    held = [value for step in caught.traceback for value in step.frame.f_locals.values()]
    assert not [exc for exc in held if isinstance(exc, Cancelled) and "_follow" in traceback_of(exc)]


def traceback_of(exc: BaseException) -> list[str]:
    """The functions in the traceback of *exc*."""
    return [frame.name for frame in traceback.extract_tb(exc.__traceback__)]


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_sending_ends_with_the_call(monkeypatch, how):
    """Promise 6, W14: a server that does not read a long body."""
    stop, cancel = threading.Event(), threading.Event()
    monkeypatch.setattr(https, "read_head", lambda sock: stop.wait(5))
    with raw_server(always(b"")) as server, vk.cancellable(cancel):
        session = session_of(server, Policy(deadline_s=0.3 if how == "deadline" else 9))
        if how == "cancel":
            threading.Timer(0.3, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled if how == "cancel" else DeadlineExceeded):
            session.send(Call("POST", "/x", json={"text": "x" * 20_000_000}))
        assert time.monotonic() - started < 0.3 + 0.5 + 0.2  # the body is also written as JSON
        stop.set()


@pytest.mark.parametrize("where", ["name", "handshake"])
@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_connecting_ends_with_the_call(monkeypatch, where, how):
    """Promise 6, W14: a resolver or a server that hangs before the first byte; what is left behind is closed."""
    hangs = threading.Event()
    if where == "name":
        found = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: (hangs.wait(5), found(*a, **k))[1])
    listener = socket.create_server(("127.0.0.1", 0))  # accepts, and never shakes hands
    trust = local_trust(authority().cert_pem.bytes().decode())
    url, patient = f"https://127.0.0.1:{listener.getsockname()[1]}", Policy(deadline_s=0.3 if how == "deadline" else 9)
    session = Session("Test", url, schemes={}, trust=trust, redactor=Redactor([]), policy=patient)
    cancel = threading.Event()
    timer = threading.Timer(0.3, cancel.set) if how == "cancel" else None
    started = time.monotonic()
    with listener, vk.cancellable(cancel):
        if timer is not None:
            timer.start()
        with pytest.raises(Cancelled if how == "cancel" else DeadlineExceeded):
            session.send(Call("GET", "/x"))
        assert time.monotonic() - started < 0.3 + 0.5
    hangs.set()
    left = [thread for thread in threading.enumerate() if thread.name == "vendorkit-connect"]
    for thread in left:
        thread.join(5)
        assert not thread.is_alive()


def test_rate_budget_spreads_requests_and_counts_every_one():
    """The third request of a budget of two waits for the window to pass."""
    with raw_server(always(answer(b"{}", JSON))) as server:
        session = session_of(server, Policy(), rates=((2, 1.0),))
        started = time.monotonic()
        for _ in range(3):
            session.send(Call("GET", "/x"))
        assert time.monotonic() - started >= 0.9


def test_budget_wait_ends_with_the_deadline():
    """Promise 6: a budget that is used up does not hold a call longer than its deadline."""
    budget = Budget(((1, 60.0),))
    budget.take(Deadline(1.0))
    assert budget.left() == 0
    with pytest.raises(DeadlineExceeded):
        budget.take(Deadline(0.2))


def test_http_client_debug_output_holds_no_header(capsys, monkeypatch):
    """S12: http.client prints whole headers if its debuglevel is set."""
    import http.client

    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with raw_server(always(answer(b"{}", JSON))) as server:
        session_of(server).send(Call("GET", "/x"))
    assert "Authorization" not in capsys.readouterr().out
