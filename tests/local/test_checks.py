"""The checks around the routes: Basic, rate limit, compression, errors; with curl, httpx and requests."""

from __future__ import annotations

import hmac
import http.client
import ssl
import subprocess
import time

import pytest
import requests

from vendorkit.local.medipim import api as medipim_api
from vendorkit.local.server.api import BasicCheck
from vendorkit.local.server.settings import Settings
from vendorkit.local.server.vendor import RateLimit

BRANDS = "/v4/brands/find?id=1"
ONE_PRODUCT = {"filter": {}, "sorting": {"id": "ASC"}, "page": {"no": 0, "size": 10}}


@pytest.fixture
def client(medipim_client):
    """Return an httpx client with the right credentials."""
    return medipim_client


def test_curl_httpx_and_requests_pass_with_basic_credentials(medipim, client):
    """Three independent clients are accepted, and the log names the scheme. Promise 10."""
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
        api = medipim_api.Api(Settings(), str, {})
        check = BasicCheck(api, user, password)
        return check.refuse({"type": "http", "path": "/", "headers": [(b"authorization", header)]})

    assert refuse("test", "123£", b"Basic dGVzdDoxMjPCow==") is None
    assert refuse("Aladdin", "open:sesame", b"basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==") is None
    assert refuse("test", "123£", b"Basic dGVzdDoxMjOj").status_code == 401  # the same in Latin-1


def test_a_signed_link_to_the_embed_page_needs_no_credentials(medipim, client):
    """As the vendor's client signs it: the MAC of id and time with the key's secret; for a few hours only."""
    key, secret = medipim.credentials.values()
    number = client.post("/v4/products/query", json=ONE_PRODUCT).json()["results"][0]["id"]

    def ask(signed_at, **changes):
        mac = hmac.new(secret.encode(), f"embed:{number}:{signed_at}".encode(), "sha256").hexdigest()
        params = {"id": number, "t": signed_at, "key": key, "mac": mac, **changes}
        return client.get("/v4/products/embed", params=params, auth=None).status_code

    now = int(time.time())
    assert [ask(now), ask(now + 90), ask(now, locale="fr")] == [200] * 3
    wrong = [ask(now - 86_400), ask("soon"), ask(now, mac="0"), ask(now, key="1"), ask(now, id="M000000000")]
    assert wrong == [401] * 5
    assert ask(now, nope="1") == 422


def test_unknown_paths_and_methods_name_what_exists(client):
    """404 and 405 have the vendor's format. The message has the nearest paths, or the methods of the path."""
    unknown = client.get("/v4/prodcuts/find")
    assert unknown.status_code == 404
    assert "/v4/products/find, " in unknown.json()["error"]["message"]
    assert unknown.json()["error"]["message"].count("/v4/") == 4
    wrong = client.request("PROPFIND", "/v4/products/query")
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["Allow"]
    assert wrong.json()["error"]["message"] == "/v4/products/query takes POST, not PROPFIND."


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
    """Bodies and streams are compressed if the client accepts gzip, and are the same after decompression."""
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
    """The request above the limit gets 429 in the vendor's format, with Retry-After only if the switch is set."""
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
    """A switch decides whether a 401 counts towards the limit."""
    medipim.set(rate_limit=True, rate_limit_requests=2, rate_limit_counts_refused=counts)
    first = client.get(BRANDS, auth=("nobody", "wrong")).status_code
    assert [first, client.get(BRANDS).status_code, client.get(BRANDS).status_code] == statuses


def test_a_window_without_ban_slides():
    """Medipim: 100 requests in any 60 s. One more must wait until the oldest is 60 s old."""
    limit = RateLimit(Settings(rate_limit=True), (100, 60.0, 0.0))
    assert all(limit.seconds_to_wait(number / 10) == 0 for number in range(100))
    assert limit.seconds_to_wait(10.0) == 50.0
    assert limit.seconds_to_wait(59.99) == pytest.approx(0.01)
    assert limit.seconds_to_wait(60.0) == 0
    assert limit.seconds_to_wait(60.05) == pytest.approx(0.05)


def test_who_exceeds_a_budget_with_ban_waits_it_out():
    """Mediagenix: 150 requests in 30 s, then a ban of 300 s that counts down, then the full limit again."""
    limit = RateLimit(Settings(rate_limit=True), (150, 30.0, 300.0))
    assert all(limit.seconds_to_wait(1.0) == 0 for _ in range(150))
    assert limit.seconds_to_wait(2.0) == 300.0
    assert limit.seconds_to_wait(52.0) == 250.0
    assert limit.seconds_to_wait(301.9) == pytest.approx(0.1)
    assert all(limit.seconds_to_wait(302.0) == 0 for _ in range(150))
    assert limit.seconds_to_wait(303.0) == 300.0
