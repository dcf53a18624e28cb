"""What is specific to one independent server: Squid's counted nonces, httpbin's cookies, nginx with TLS."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests
from peer_proxies import nginx, squid
from peer_servers import USERS
from test_peer_digest import pull

from tests.https import authority
from vendorkit.auth import Digest
from vendorkit.errors import CredentialsRefused, TlsError
from vendorkit.http.tls import local_trust
from vendorkit.settings import Secret, Settings
from vendorkit.vendors.hosts import Endpoint
from vendorkit.vendors.registry import CLIENTS

pytestmark = [pytest.mark.peer, pytest.mark.faults]


@contextmanager
def medipim_on_nginx(user, password, *, protocols="TLSv1.2 TLSv1.3"):
    """A Medipim client with these credentials, on nginx with TLS and HTTP Basic."""
    ca = authority("Made-up CA")
    with (
        TemporaryDirectory(prefix="vendorkit-peer-") as name,
        nginx(Path(name), USERS, ca, protocols=protocols) as peer,
    ):
        endpoint = Endpoint("local", peer.url, local_trust(ca.cert_pem.bytes().decode()))
        values = {"MEDIPIM_API_KEY_ID": user, "MEDIPIM_API_KEY_SECRET": password, "MEDIPIM_COUNTRY": "be"}
        settings = Settings({each: Secret(value) for each, value in values.items()}, dict.fromkeys(values, "given"))
        yield CLIENTS["medipim"](endpoint, settings)


def test_squid_calls_a_nonce_stale_by_its_count():
    """A26, A28: five uses each, the next is offered in time: 25 calls cost 26 requests. Promise 5. Promise 10."""
    with TemporaryDirectory(prefix="vendorkit-peer-") as name, squid(Path(name), USERS) as peer:
        assert pull(f"{peer.url}/index.html", Digest("robot", "made-up words"), each=25) == ([200] * 25, 26)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512"])
def test_httpbin_accepts_each_algorithm_that_both_speak(bin_peer, algorithm):
    """A30: MD5, SHA-256 and SHA-512, four threads each. Promise 10."""
    url = f"{bin_peer.url}/digest-auth/auth/robot/made-up/{algorithm}"
    assert pull(url, Digest("robot", "made-up"), threads=4, each=5)[0] == [200] * 20


@pytest.mark.parametrize("stale_after", ["1", "3"])
def test_httpbin_ties_its_nonce_to_cookies(bin_peer, stale_after):
    """A34: where requests' own Digest ends with 401 at each expiry, because the old cookie goes with the new nonce."""
    url = f"{bin_peer.url}/digest-auth/auth/robot/made-up/MD5/{stale_after}"
    auth = Digest("robot", "made-up")
    with requests.Session() as session:
        session.trust_env = False
        statuses = [session.get(url, auth=auth, timeout=10).status_code for _ in range(9)]
    assert statuses == [200] * 9


@pytest.mark.parametrize(("user", "password"), USERS.items())
def test_nginx_accepts_basic_over_tls(user, password):
    """A19, A20: users and passwords beyond ASCII are compared as bytes of UTF-8. Promise 10."""
    with medipim_on_nginx(user, password) as client:
        assert client.get("/index.html").text == "ok"


def test_nginx_refuses_a_wrong_password():
    """One request, one error, the HTML of its page redacted and bounded."""
    with medipim_on_nginx("robot", "sentinel words") as client, pytest.raises(CredentialsRefused) as caught:
        client.get("/index.html")
    assert caught.value.status == 401
    assert "sentinel" not in str(caught.value)


def test_nginx_limit_is_waited_for():
    """T13: limit_req with Retry-After; both calls succeed, a second apart."""
    with medipim_on_nginx("robot", "made-up words") as client:
        started = time.monotonic()
        assert [client.get("/limited/brands").status_code for _ in range(2)] == [200, 200]
        assert 0.9 < time.monotonic() - started < 5
        assert [one.status for one in client.session.exchanges.all()] == [200, 429, 200]


def test_nginx_with_tls_1_1_only_is_refused():
    """L07: the remedy says what the server lacks."""
    with medipim_on_nginx("robot", "made-up words", protocols="TLSv1.1") as client, pytest.raises(TlsError) as caught:
        client.get("/index.html")
    assert "does not support TLS 1.2 or newer" in caught.value.remedy
