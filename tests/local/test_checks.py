"""What stands around the routes: Basic, rate limit, faults, compression, errors; seen by curl, httpx, requests."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import subprocess
import time
import types
import zlib

import httpx
import pytest
import requests
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from vendorkit import local
from vendorkit.local.authenticate import BasicCheck
from vendorkit.local.checks import RateLimit, Vendor, application
from vendorkit.local.settings import Settings

BRANDS = "/v4/brands/find?id=1"


@pytest.fixture(scope="module")
def medipim(tmp_path_factory):
    """Run the local Medipim; `ca_path` is where its CA lies for clients that read files."""
    with local.start(vendors=("medipim",), products=500) as servers:
        vendor = servers["medipim"]
        vendor.ca_path = str(tmp_path_factory.mktemp("ca") / "ca.pem")
        with open(vendor.ca_path, "w") as file:  # noqa: PTH123
            file.write(vendor.ca_pem)
        yield vendor


@pytest.fixture
def client(medipim):
    """Return an httpx client with the right credentials; the log starts empty, the switches at their defaults."""
    before = medipim.get_settings()
    medipim.clear_log()
    pair = (medipim.credentials["MEDIPIM_API_KEY_ID"], medipim.credentials["MEDIPIM_API_KEY_SECRET"])
    context = ssl.create_default_context(cadata=medipim.ca_pem)
    with httpx.Client(base_url=medipim.base_url, verify=context, auth=pair, trust_env=False) as opened:
        yield opened
    fixed = {"seed", "country", "products", "brands", "titles"}
    medipim.set(**{name: value for name, value in before.items() if name not in fixed})


def stub(*, settings=None, auth="open", **handlers) -> Vendor:
    """Return a vendor of the tests' own in this process, with one route a handler."""
    module = types.SimpleNamespace(
        VENDOR="medipim",
        AUTH=auth,
        RATE=(100, 60.0, 0.0),
        refusal=lambda status, reason: JSONResponse({"refused": reason}, status),
        routes=lambda *_: [Route(f"/{name}", handler) for name, handler in handlers.items()],
    )
    return Vendor(module=module, settings=settings or Settings(), credentials={}, port=1, control_token="token")


def ask(vendor: Vendor, path: str, **options) -> httpx.Response:
    """Send one GET to *vendor* without a socket."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(application(vendor))
        async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1:1") as opened:
            return await opened.get(path, **options)

    return asyncio.run(send())


def test_curl_httpx_and_requests_pass_with_basic_credentials(medipim, client):
    """Three independent clients pass, and the log names the scheme."""
    pair = client.auth._auth_header
    key, secret = medipim.credentials.values()
    assert client.get(BRANDS).status_code == 200
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(medipim.base_url + BRANDS, auth=(key, secret), verify=medipim.ca_path).status_code == 200
    command = ["curl", "-sS", "--cacert", medipim.ca_path, "-K", "-", medipim.base_url + BRANDS]
    config = f'user = "{key}:{secret}"'
    done = subprocess.run(command, input=config, capture_output=True, text=True, check=True, timeout=20)
    assert '"brand"' in done.stdout
    assert pair.startswith("Basic ")
    assert [(entry["status"], entry["scheme"]) for entry in medipim.log()] == [(200, "Basic")] * 3


@pytest.mark.parametrize("header", [None, "Basic", "Basic %%%", "Basic a2V5", "Bearer x", "Basic a2V5OnNlY3JldA=="])
def test_missing_and_wrong_credentials_get_a_challenge_and_the_vendors_body(client, header):
    """401, WWW-Authenticate and the documented error shape, whatever is wrong with the header."""
    client.auth = None
    answer = client.get(BRANDS, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Medipim API", charset="UTF-8"'
    assert answer.json()["error"]["code"] == "authentication.not_authenticated"


def test_basic_credentials_are_utf_8_and_a_password_may_hold_colons():
    """RFC 7617 section 2.1's user and password, whose header is printed there, and a colon in the password."""

    def refuse(user, password, header):
        check = BasicCheck("realm", user, password, lambda status, _: JSONResponse({}, status))
        return check.refuse({"type": "http", "headers": [(b"authorization", header)]})

    assert refuse("test", "123£", b"Basic dGVzdDoxMjPCow==") is None
    assert refuse("Aladdin", "open:sesame", b"basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==") is None
    assert refuse("test", "123£", b"Basic dGVzdDoxMjOj").status_code == 401  # the same in Latin-1


def test_unknown_paths_and_methods_list_what_exists(client):
    """404 and 405 come in the vendor's shape and name the paths there are."""
    unknown = client.get("/v4/prodcuts/find")
    assert unknown.status_code == 404
    assert "/v4/products/find" in unknown.json()["error"]["message"]
    wrong = client.request("PROPFIND", "/v4/products/query")
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["Allow"]
    assert "/v4/products/query" in wrong.json()["error"]["message"]


def test_a_connection_is_kept_through_refusals_and_large_bodies(medipim):
    """HTTP/1.1 keep-alive: a refused upload and a 404 leave the connection usable."""
    context = ssl.create_default_context(cadata=medipim.ca_pem)
    port = int(medipim.base_url.rsplit(":", 1)[1])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    connection.connect()
    opened = connection.sock
    for body in (b"x" * 3_000_000, b"", b"x"):
        connection.request("POST", "/v4/products/query", body)
        answer = connection.getresponse()
        assert answer.status == 401
        answer.read()
        assert connection.sock is opened
    connection.close()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("identity", None), ("gzip; q=0.0", None)],
)
def test_gzip_is_negotiated(client, accepted, coding):
    """Whole bodies and streams are compressed for those who accept it, and are the same once unpacked."""
    stream = {"filter": {"status": "active"}, "sorting": {"id": "ASC"}}
    for path, body in (("/v4/product-families/query", {}), ("/v4/products/stream", stream)):
        plain = client.post(path, json=body, headers={"Accept-Encoding": "identity"})
        asked = client.post(path, json=body, headers={"Accept-Encoding": accepted})
        assert plain.status_code == 200
        assert asked.headers.get("content-encoding") == coding
        assert asked.content == plain.content


def test_gzip_can_be_switched_off(medipim, client):
    """With the switch off nothing is compressed."""
    medipim.set(gzip=False)
    answer = client.post("/v4/product-families/query", json={}, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_the_budget_of_requests_is_kept(medipim, client):
    """The request beyond the budget gets 429 in the vendor's shape, with Retry-After only where asked for."""
    medipim.set(rate_limit=True, rate_limit_requests=2)
    assert [client.get(BRANDS).status_code for _ in range(3)] == [200, 200, 429]
    medipim.set(retry_after="7")
    refused = client.get(BRANDS)
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert refused.headers["Retry-After"] == "7"
    medipim.set(rate_limit=False)
    assert client.get(BRANDS).status_code == 200


@pytest.mark.parametrize(("counts", "statuses"), [(True, [401, 200, 429]), (False, [401, 200, 200])])
def test_whether_refused_requests_count_is_a_switch(medipim, client, counts, statuses):
    """A 401 uses up the budget, or does not."""
    medipim.set(rate_limit=True, rate_limit_requests=2, rate_limit_counts_refused=counts)
    first = client.get(BRANDS, auth=("nobody", "wrong")).status_code
    assert [first, client.get(BRANDS).status_code, client.get(BRANDS).status_code] == statuses


def test_a_window_without_ban_slides():
    """Medipim: 100 requests in any 60 s; one more has to wait until the oldest is 60 s old."""
    limit = RateLimit(Settings(rate_limit=True), (100, 60.0, 0.0))
    assert all(limit.seconds_to_wait(number / 10) == 0 for number in range(100))
    assert limit.seconds_to_wait(10.0) == 50.0
    assert limit.seconds_to_wait(59.99) == pytest.approx(0.01)
    assert limit.seconds_to_wait(60.0) == 0
    assert limit.seconds_to_wait(60.05) == pytest.approx(0.05)


def test_who_exceeds_a_budget_with_ban_waits_it_out():
    """Mediagenix: 150 requests in 30 s, then 300 s of refusals, counting down, and a full budget afterwards."""
    limit = RateLimit(Settings(rate_limit=True), (150, 30.0, 300.0))
    assert all(limit.seconds_to_wait(1.0) == 0 for _ in range(150))
    assert limit.seconds_to_wait(2.0) == 300.0
    assert limit.seconds_to_wait(52.0) == 250.0
    assert limit.seconds_to_wait(301.9) == pytest.approx(0.1)
    assert all(limit.seconds_to_wait(302.0) == 0 for _ in range(150))
    assert limit.seconds_to_wait(303.0) == 300.0


def test_a_drop_closes_without_an_answer(medipim, client):
    """The connection ends before any byte, and the next request passes."""
    medipim.set(fail_next=["drop"])
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.get(BRANDS)
    assert client.get(BRANDS).status_code == 200
    assert [(entry["status"], entry["fault"]) for entry in medipim.log()] == [(None, "drop"), (200, None)]


@pytest.mark.parametrize("fault", ["truncate", "truncate:17", "truncate:0"])
def test_a_truncated_body_is_shorter_than_announced(medipim, client, fault):
    """The full Content-Length is announced; half of the body comes, or as many bytes as were asked for."""
    whole = int(client.get(BRANDS).headers["Content-Length"])
    medipim.set(fail_next=[fault])
    came = b""
    with client.stream("GET", BRANDS) as answer, pytest.raises(httpx.RemoteProtocolError, match="closed connection"):  # noqa: PT012
        assert int(answer.headers["Content-Length"]) == whole
        for piece in answer.iter_raw():
            came += piece
    assert len(came) == (int(fault[9:]) if ":" in fault else whole // 2)
    assert medipim.log()[-1]["complete"] is False


def test_a_truncated_stream_lacks_its_end(medipim, client):
    """A chunked body ends without its last chunk; the server does not go on producing it."""
    medipim.set(fail_next=["truncate:100000"])
    body = {"filter": {"status": "active"}, "sorting": {"id": "ASC"}}
    headers = {"Accept-Encoding": "identity"}
    came = b""
    with client.stream("POST", "/v4/products/stream", json=body, headers=headers) as answer:
        assert "Content-Length" not in answer.headers
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012
            for piece in answer.iter_raw():
                came += piece
    assert len(came) == 100_000


def test_a_slow_body_comes_byte_by_byte(medipim, client):
    """Each piece is one byte; the server stops when the client has gone."""
    medipim.set(fail_next=["slow"])
    with client.stream("GET", BRANDS) as answer:
        pieces = [piece for piece, _ in zip(answer.iter_raw(), range(3), strict=False)]
    assert [len(piece) for piece in pieces] == [1, 1, 1]
    deadline = time.monotonic() + 5
    while (sent := medipim.log()[0]["bytes_out"]) != (time.sleep(0.4) or medipim.log()[0]["bytes_out"]):
        assert time.monotonic() < deadline
    assert sent < 20


def test_a_cut_gzip_has_the_right_length(medipim, client):
    """All announced bytes come, and the gzip stream within has no end."""
    medipim.set(fail_next=["gzip-cut"])
    with client.stream("GET", BRANDS) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(raw) == int(answer.headers["Content-Length"])
    unpacking = zlib.decompressobj(31)
    unpacking.decompress(raw)
    assert not unpacking.eof


def test_answers_in_place_of_the_vendors(medipim, client):
    """HTML, an empty body, a redirect to another origin and error statuses, in the order given; "" is none."""
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
    """The same requests after clear_log() meet the same faults, about as many as the rate says."""
    medipim.set(status_rate=0.3, status_code=500)

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
    """The log shows that the answer had no end, and the connection is dropped."""

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
