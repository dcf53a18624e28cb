"""The faults of a mock server, ordered and random, as a client sees them."""

from __future__ import annotations

import asyncio
import time
import zlib

import httpx
import pytest
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from vendorkit.local.server.api import Api
from vendorkit.local.server.checks import application
from vendorkit.local.server.settings import Settings
from vendorkit.local.server.vendor import Vendor

BRANDS = "/v4/brands/find?id=1"


@pytest.fixture
def client(medipim_client):
    """Return an httpx client with the right credentials."""
    return medipim_client


def stub(**handlers) -> Vendor:
    """Return a mock server in this process, with one route per handler."""

    class Stub(Api):
        RATE = (100, 60.0, 0.0)

        def refusal(self, status, reason, exc=None):
            return JSONResponse({"refused": reason}, status)

        def routes(self):
            return [Route(f"/{name}", handler) for name, handler in handlers.items()]

    return Vendor(kind=Stub, settings=Settings(), credentials={}, port=1, control_token="token")


def ask(vendor: Vendor, path: str, **options) -> httpx.Response:
    """Send one GET to *vendor* without a socket."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(application(vendor))
        async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1:1") as opened:
            return await opened.get(path, **options)

    return asyncio.run(send())


def test_a_drop_closes_without_an_answer(medipim, client):
    """The connection closes before any byte, and the next request succeeds."""
    medipim.set(fail_next=["drop"])
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.get(BRANDS)
    assert client.get(BRANDS).status_code == 200
    assert [(entry["status"], entry["fault"]) for entry in medipim.log()] == [(None, "drop"), (200, None)]


@pytest.mark.parametrize("fault", ["truncate", "truncate:17", "truncate:0"])
def test_a_truncated_body_is_shorter_than_announced(medipim, client, fault):
    """The header has the full Content-Length, but only half of the body or the given number of bytes arrives."""
    whole = int(client.get(BRANDS).headers["Content-Length"])
    medipim.set(fail_next=[fault])
    came = b""
    with client.stream("GET", BRANDS) as answer, pytest.raises(httpx.RemoteProtocolError, match="closed connection"):
        assert int(answer.headers["Content-Length"]) == whole
        for piece in answer.iter_raw():
            came += piece
    assert len(came) == (int(fault[9:]) if ":" in fault else whole // 2)
    assert medipim.log()[-1]["complete"] is False


def test_a_truncated_stream_lacks_its_end(medipim, client):
    """A chunked body ends without its last chunk, and the server stops producing it."""
    medipim.set(fail_next=["truncate:100000"])
    body = {"filter": {"status": "active"}, "sorting": {"id": "ASC"}}
    headers = {"Accept-Encoding": "identity"}
    came = b""
    with client.stream("POST", "/v4/products/stream", json=body, headers=headers) as answer:
        assert "Content-Length" not in answer.headers
        with pytest.raises(httpx.RemoteProtocolError):
            for piece in answer.iter_raw():
                came += piece
    assert len(came) == 100_000


def test_a_slow_body_comes_byte_by_byte(medipim, client):
    """The body arrives byte by byte. The server stops when the client disconnects."""
    medipim.set(fail_next=["slow"])
    with client.stream("GET", BRANDS) as answer:
        pieces = [piece for piece, _ in zip(answer.iter_raw(), range(3), strict=False)]
    assert [len(piece) for piece in pieces] == [1, 1, 1]
    deadline = time.monotonic() + 5
    while (sent := medipim.log()[0]["bytes_out"]) != (time.sleep(0.4) or medipim.log()[0]["bytes_out"]):
        assert time.monotonic() < deadline
    assert sent < 20


def test_a_cut_gzip_has_the_right_length(medipim, client):
    """All bytes of Content-Length arrive, but the gzip stream is incomplete."""
    medipim.set(fail_next=["gzip-cut"])
    with client.stream("GET", BRANDS) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(raw) == int(answer.headers["Content-Length"])
    unpacking = zlib.decompressobj(31)
    unpacking.decompress(raw)
    assert not unpacking.eof


def test_a_gzip_with_a_wrong_sum_is_otherwise_right(medipim, client):
    """All bytes of Content-Length arrive, but the checksum of the gzip stream is wrong."""
    medipim.set(fail_next=["gzip-sum"])
    with client.stream("GET", BRANDS) as answer:
        raw = b"".join(answer.iter_raw())
    assert len(raw) == int(answer.headers["Content-Length"])
    with pytest.raises(zlib.error, match="incorrect data check"):
        zlib.decompress(raw, 31)
    assert zlib.decompress(raw[10:-8], -15).startswith(b"{")


@pytest.mark.parametrize("fault", ["reset", "garbage"])
def test_a_connection_ends_badly(medipim, client, fault):
    """Reset within the body (which Python's ssl module calls an end), or after no HTTP; the next request passes."""
    medipim.set(fail_next=[fault])
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(BRANDS)
    assert client.get(BRANDS).status_code == 200


def test_random_faults_are_of_all_kinds_that_were_named(medipim, client):
    """The number of faults matches the rate, and each kind occurs."""
    medipim.set(fault_rate=0.5, fault_kinds=["500", "404", "empty"])
    for _ in range(60):
        client.get(BRANDS)
    found = [entry["fault"] for entry in medipim.log() if entry["fault"]]
    assert 18 <= len(found) <= 42
    assert set(found) == {"500", "404", "empty"}


def test_answers_in_place_of_the_vendors(medipim, client):
    """HTML, an empty body, a redirect to another origin and error statuses, in the given order. "" is no fault."""
    medipim.set(fail_next=["html", "empty", "", "redirect", "502", "429", "404"])
    html, empty, good, redirect, *errors = [client.get(BRANDS) for _ in range(7)]
    assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (empty.status_code, empty.content) == (200, b"")
    assert good.json()["brand"]["id"] == 1
    assert redirect.status_code == 302
    assert redirect.headers["location"] == medipim.base_url.replace("127.0.0.1", "localhost") + BRANDS
    assert [(answer.status_code, answer.json()["error"]["status"]) for answer in errors] == [
        (502, 502),
        (429, 429),
        (404, 404),
    ]
    assert medipim.get_settings()["fail_next"] == []


def test_random_faults_repeat(medipim, client):
    """The same requests after clear_log() get the same faults, and their number matches the rate."""
    medipim.set(fault_rate=0.3, fault_kinds=["500"])

    def statuses():
        medipim.clear_log()
        return [client.get(BRANDS).status_code for _ in range(60)]

    first = statuses()
    assert first == statuses()
    assert 8 <= first.count(500) <= 30
    assert [entry["fault"] for entry in medipim.log()] == ["500" if status == 500 else None for status in first]


def test_latency_delays_the_answer_but_not_the_log(medipim, client):
    """The answer takes at least that long."""
    medipim.set(latency_s=0.3)
    started = time.monotonic()
    client.get(BRANDS)
    assert time.monotonic() - started >= 0.3


def test_a_route_that_breaks_is_loud(capsys):
    """The client gets the vendor's 500 with the cause, and the trace is on standard error."""

    async def broken(_):
        raise ZeroDivisionError

    vendor = stub(broken=broken)
    answer = ask(vendor, "/broken")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.json()["refused"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert vendor.log[0]["complete"]


def test_a_stream_that_breaks_is_not_completed(capsys):
    """The log shows that the answer is incomplete, and the connection is closed."""

    async def broken(_):
        async def lines():
            yield b"one"
            raise ZeroDivisionError

        return StreamingResponse(lines())

    vendor = stub(broken=broken)
    dropped = []
    vendor.drop = dropped.append
    with pytest.raises(AssertionError):  # httpx's transport insists on complete answers
        ask(vendor, "/broken")
    assert len(dropped) == 1
    assert (vendor.log[0]["status"], vendor.log[0]["complete"]) == (200, False)
    assert "ZeroDivisionError" in capsys.readouterr().err
