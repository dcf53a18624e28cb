"""Faults below the body: connections that end, heads that lie, answers that never end or unpack to too much."""

from __future__ import annotations

import contextlib
import functools
import gzip
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import zlib

import pytest

from tests.faults.catalogue import ROOT
from tests.https import JSON, RawServer, accepting, always, answer, authority, raw_server, read_head, session_of
from vendorkit.auth import Digest
from vendorkit.errors import (
    MalformedAnswer,
    OriginRefused,
    RateLimited,
    TransportError,
    VendorkitError,
    VendorUnavailable,
)
from vendorkit.http.call import Call, Policy

GOOD = answer(b'{"whole": true}', JSON)
PATIENT = Policy(read_timeout_s=2.0, deadline_s=10.0, attempts=3)


def one_after_another(*handlers):
    """A handler that answers the first request with the first of *handlers*, and so on; the last one is repeated."""
    left = list(handlers)

    def handle(sock, head):
        handler = left.pop(0) if len(left) > 1 else left[0]
        handler(sock, head)

    return handle


def cut(reply):
    """A handler that sends *reply* and disconnects without closing TLS."""

    def handle(sock, head):
        sock.sendall(reply)
        sock.close()

    return handle


def reset(reply):
    """A handler that sends *reply* and resets the connection."""

    def handle(sock, head):
        sock.sendall(reply)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    return handle


def closed(reply):
    """A handler that sends *reply*, closes TLS, and disconnects."""

    def handle(sock, head):
        sock.sendall(reply)
        with contextlib.suppress(OSError):
            sock.unwrap()
        sock.close()

    return handle


BROKEN = {
    "T01 reset within the body": reset(answer(b'{"whole"', JSON, length=40)),
    "T02 fewer bytes than announced": cut(answer(b'{"whole"', JSON, length=40)),
    "T03 no length, and cut": cut(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"whole": true}'),
    "T05 no last chunk": closed(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"whole"\r\n'),
    "T06 half of a gzip": always(answer(gzip.compress(b'{"whole": true}')[:20], JSON, "Content-Encoding: gzip")),
    "T07 gzip without its trailer": always(answer(gzip.compress(b'{"whole": true}')[:-8], "Content-Encoding: gzip")),
    "T08 gzip of another checksum": always(
        answer(gzip.compress(b'{"whole": true}')[:-8] + b"\0" * 8, "Content-Encoding: gzip")
    ),
    "T11 silence": lambda sock, head: time.sleep(3),
    "T18 502 as JSON": always(answer(b"<html>Bad Gateway</html>", JSON, status="502 Bad Gateway")),
    "T31 no answer": cut(b""),
    "T31 garbage": cut(b"\x16\x03\x01 what is this\r\n\r\n"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_response_is_requested_again(fault):
    """T01, T02, T03, T05 to T08, T11, T18, T31: on a new connection; one typed error if it is broken each time."""
    with raw_server(one_after_another(BROKEN[fault], always(GOOD))) as server:
        assert session_of(server, PATIENT).send(Call("GET", "/x")).json() == {"whole": True}
        assert len(server.heads) == 2
    with raw_server(BROKEN[fault]) as server:
        policy = Policy(read_timeout_s=0.5, deadline_s=10.0, attempts=2)
        with pytest.raises((VendorUnavailable, MalformedAnswer)):
            session_of(server, policy).send(Call("GET", "/x"))
        assert len(server.heads) == 2


def test_response_without_a_length_is_complete_if_tls_was_closed():
    """T03, T04: RFC 9112 section 9.8; only the closure alert tells the end from a cut."""
    with raw_server(closed(b'HTTP/1.1 200 OK\r\n\r\n{"whole": true}')) as server:
        assert session_of(server).send(Call("GET", "/x")).json() == {"whole": True}
    with raw_server(cut(b"HTTP/1.1 200 OK\r\n\r\none\ntwo\n")) as server, pytest.raises(VendorUnavailable):
        session_of(server).send(Call("GET", "/x", accept="any"))


PEAK = """
import sys
from pathlib import Path

from tests.faults.catalogue import ROOT
from tests.https import RawServer, session_of
from vendorkit import errors
from vendorkit.auth import Digest
from vendorkit.http.call import Call, Policy
from vendorkit.vendors.fetch import blocks_of_lines

def peak_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10

session = session_of(RawServer(int(sys.argv[1]), sys.stdin.read()), Policy(attempts=1))
before = peak_mb()
try:
    if sys.argv[2] == "stream":
        with session.stream(Call("GET", "/x")) as (parts, _):
            list(blocks_of_lines(parts))
    else:
        session.send(Call("GET", "/x"))
except errors.VendorkitError as exc:
    print(type(exc).__name__, peak_mb() - before)
"""


@functools.cache
def bomb(size: int) -> bytes:
    """A gzip of *size* blanks, made in little memory."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    return b"".join([packing.compress(block) for _ in range(size >> 20)] + [packing.flush()])


@pytest.mark.parametrize(
    ("way", "status", "error", "most_mb"),
    [
        ("data", "200 OK", "MalformedAnswer", 320),
        ("stream", "200 OK", "MalformedAnswer", 320),
        ("error", "500 X", "VendorUnavailable", 64),
    ],
)
def test_gzip_bomb_ends_at_the_limit_in_bounded_memory(way, status, error, most_mb):
    """T09: 1 GiB in 1 MB, as data, as a stream without a line end, and as the body of an error."""
    packed = bomb(1 << 30)
    assert len(packed) < 2 << 20
    with raw_server(always(answer(packed, "Content-Encoding: gzip", status=status))) as server:
        code = [sys.executable, "-c", PEAK, str(server.port), way]
        result = subprocess.run(code, input=server.ca_pem, capture_output=True, text=True, check=True, cwd=ROOT)
    name, grown_mb = result.stdout.split()
    assert name == error
    assert int(grown_mb) < most_mb


def test_every_session_has_time_limits_by_default():
    """T12: connecting, silence and the whole call."""
    with raw_server(always(GOOD)) as server:
        session = session_of(server, Policy())
        assert session.policy.deadline_s <= 300
        assert session._adapter._timeout.connect_timeout == session.policy.connect_timeout_s == 10
        assert session._adapter._timeout.read_timeout == session.policy.read_timeout_s == 60


def test_connection_that_ends_in_the_handshake_is_opened_again():
    """T31: as a reset there; it says nothing about the certificate."""
    ca, tries = authority(), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    def serve(plain):
        tries.append(plain)
        with contextlib.suppress(OSError), plain:
            if len(tries) == 1:
                plain.recv(65536)
                return
            with context.wrap_socket(plain, server_side=True) as sock:
                read_head(sock)
                sock.sendall(GOOD)

    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listener.getsockname()[1], ca.cert_pem.bytes().decode())
    with accepting(listener, serve, threading.Event(), timeout_s=5):
        assert session_of(server, PATIENT).send(Call("GET", "/x")).json() == {"whole": True}
    assert len(tries) == 2


def test_silence_before_the_handshake_is_bounded():
    """T11, T12: a host that accepts and says nothing, not even in TLS."""
    with socket.create_server(("127.0.0.1", 0)) as mute, raw_server(always(GOOD)) as server:
        server.port = mute.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(VendorUnavailable):
            session_of(server, Policy(connect_timeout_s=0.3, read_timeout_s=0.3, attempts=2)).send(Call("GET", "/x"))
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize(
    ("wait", "at_least"),
    [("1", 1.0), ("Sun, 22 Nov 2026 10:00:01 GMT", 1.0), ("0", 0.2), ("Sun, 22 Nov 2026 09:00:00 GMT", 0.2)],
)
def test_requested_wait_is_respected(status, wait, at_least):
    """T13, T14: seconds or a date, of 429 and of 503; the date counts from the answer's own, not from this clock."""
    refused = answer(b"", f"Retry-After: {wait}", "Date: Sun, 22 Nov 2026 10:00:00 GMT", status=status)
    with raw_server(one_after_another(always(refused), always(GOOD))) as server:
        started = time.monotonic()
        session_of(server, Policy()).send(Call("GET", "/x"))
        assert at_least <= time.monotonic() - started < at_least + 1.5


@pytest.mark.parametrize("wait", ["-5", "1.5", "1m0s", "", "soon", "Sun, 22 Nov 2026 99:99:99 GMT", "9" * 30])
def test_unreadable_wait_is_replaced_by_the_usual_pause(wait):
    """T15: the call neither waits for hours nor fails; it continues after a short pause."""
    refused = answer(b"", f"Retry-After: {wait}", status="503 X")
    with raw_server(one_after_another(always(refused), always(GOOD))) as server:
        started = time.monotonic()
        session_of(server, Policy()).send(Call("GET", "/x"))
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(("status", "error"), [("429 X", RateLimited), ("503 X", VendorUnavailable)])
def test_wait_beyond_the_cap_is_an_error_at_once(status, error):
    """T16: the error says how long; the call does not sleep for six hours."""
    with raw_server(always(answer(b"", "Retry-After: 21600", status=status))) as server:
        started = time.monotonic()
        with pytest.raises(error, match="21600 seconds") as caught:
            session_of(server, Policy()).send(Call("GET", "/x"))
        assert time.monotonic() - started < 2
    assert caught.value.retry_after_s == 21600
    assert len(server.heads) == 1


def test_good_data_with_a_wrong_content_type_is_read():
    """T20: the Content-Type is ignored."""
    for label in ("text/html", "text/plain; charset=latin-1", "application/octet-stream"):
        with raw_server(always(answer(b'{"name": "Z\xc3\xbcrich"}', f"Content-Type: {label}"))) as server:
            assert session_of(server).send(Call("GET", "/x")).content == b'{"name": "Z\xc3\xbcrich"}'


def test_dead_kept_connection_is_replaced_for_reads_only():
    """T29: the second request finds a closed connection; a write, which may have been carried out, is an error."""
    for leave in (cut(b""), reset(b"")):
        handlers = [always(GOOD), leave, always(GOOD), leave, always(GOOD)]
        with raw_server(one_after_another(*handlers)) as server:
            session = session_of(server, PATIENT)
            session.send(Call("GET", "/x"))
            assert session.send(Call("GET", "/x")).json() == {"whole": True}
            assert len(server.heads) == 3
            with pytest.raises(VendorUnavailable):
                session.send(Call("POST", "/x", json={}))
            assert len(server.heads) == 4


HEADS = {
    "T30 two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 15\r\n\r\n" + b'{"whole": true}',
    "T30 a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + b'{"whole": true}',
    "T30 a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + b'{"whole": true}',
    "T31 an endless status line": b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    "T31 another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "T32 a header of 70 kB": answer(b"{}", f"X-Long: {'x' * 70_000}"),
    "T32 200 headers": answer(b"{}", *(f"X-{number}: 1" for number in range(200))),
    "T05 a chunk size that is none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n{}\r\n0\r\n\r\n",
    "T05 a chunk size without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 200_000,
}


@pytest.mark.parametrize("fault", HEADS)
def test_malformed_head_is_one_typed_error(fault):
    """T05, T30, T31, T32: within the attempts, and nothing is taken for data."""
    with raw_server(cut(HEADS[fault])) as server, pytest.raises(TransportError):
        session_of(server, Policy(read_timeout_s=1, deadline_s=10, attempts=2)).send(Call("GET", "/x"))


@pytest.mark.parametrize("target", ["https://[", "//[::1", "https://host:port/", "\x00", "https://127.0.0.1:99999/"])
def test_redirect_to_an_invalid_address_is_refused(target):
    """T27: typed, also where Python's own parser raises a bare error; `urljoin` does for open brackets."""
    with raw_server(always(answer(b"", f"Location: {target}", status="302 Found"))) as server:
        with pytest.raises(OriginRefused):
            session_of(server, Policy(attempts=2)).send(Call("GET", "/x"))
        assert len(server.heads) == (4 if target == "\x00" else 1)  # that one is a path


def test_trickling_challenge_is_answered_while_its_nonce_is_valid(mediagenix, vendors):
    """T10, A28: the 401 is not read to its end; a server without `stale` would seem to refuse the password."""
    vendors["mediagenix"].set(nonce_lifetime_s=2.5, fail_next=["slow"])
    assert mediagenix.get("/api").status_code == 200
    assert [entry["status"] for entry in vendors["mediagenix"].log()] == [401, 200]


WITHOUT_BODY = {
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 12\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "200 of length 0": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", WITHOUT_BODY)
def test_body_after_a_response_without_one_is_not_taken_for_the_next(kind, late):
    """T29: a server sends a body with its 204, at once or while the next request is on its way."""

    def handle(sock, head):
        body = answer(b'{"whole": false}', JSON)
        first = GOOD if b"/next" in head else WITHOUT_BODY[kind]
        sock.sendall(first if late or first is GOOD else first + body)
        if late and first is not GOOD:
            time.sleep(0.2)
            with contextlib.suppress(OSError):
                sock.sendall(body)

    with raw_server(handle) as server:
        session = session_of(server, PATIENT)
        with contextlib.suppress(VendorkitError):
            session.send(Call("HEAD" if kind == "HEAD" else "GET", "/x", accept="any"))
        assert session.send(Call("GET", "/next")).json() == {"whole": True}


def test_data_after_a_response_is_not_taken_for_the_next():
    """T29: a server that announces too few bytes; the rest is in the same TLS record as the end of the body."""
    long = answer(b" " * 12_000 + b'{"whole": true}', JSON) + answer(b'{"whole": false}', JSON)
    with raw_server(one_after_another(always(long), always(GOOD))) as server:
        session = session_of(server)
        for _ in range(2):
            assert session.send(Call("POST", "/x", json={})).json() == {"whole": True}


def test_connection_that_ended_after_a_response_is_not_used_again():
    """T29: the end is read together with the body, and a write is sent once."""

    def handle(sock, head):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # both in one packet
        sock.sendall(GOOD)
        with contextlib.suppress(OSError):
            sock.unwrap()  # waits for the client, so that only TLS is closed

    with raw_server(handle) as server:
        session = session_of(server)
        for _ in range(2):
            assert session.send(Call("POST", "/x", json={})).json() == {"whole": True}


@pytest.mark.parametrize("fault", ["longer than is read", "dripping"])
def test_rest_of_a_challenge_is_not_taken_for_the_next_response(fault):
    """T29: a challenge that is not read to its end closes its connection; the rest might look like a response."""
    forged = answer(b'{"whole": false}', JSON)

    def handle(sock, head):
        if b"Authorization" in head:
            return sock.sendall(GOOD)
        size = 66_000 if fault == "longer than is read" else 10
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
        sock.sendall(answer(b"x" * size, challenge, status="401 X", length=size + len(forged)))
        time.sleep(0 if size > 10 else 1.3)
        return sock.sendall(forged)

    with raw_server(handle) as server:
        session = session_of(server, PATIENT)
        session.schemes["default"] = Digest("user", "made-up")
        assert session.send(Call("GET", "/x")).json() == {"whole": True}
        assert len(server.heads) == 2
