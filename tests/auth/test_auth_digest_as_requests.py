"""requests' own tests of HTTPDigestAuth, run with Digest; two results differ on purpose."""

from __future__ import annotations

import pytest
import requests
from auth_servers import DigestServer
from requests.auth import HTTPDigestAuth

from vendorkit.auth import Digest
from vendorkit.auth.challenge import ALGORITHMS, best_challenge
from vendorkit.errors import CredentialsRefused

USER, PASSWORD = "robot", "made-up words"
SPOKEN = ["MD5", "SHA", "SHA-256", "SHA-512", "SHA-512-256"]


class CookieServer(DigestServer):
    """A digest server that sets a cookie with every answer."""

    def answer(self, seen):
        """Add the cookie."""
        status, headers, body = super().answer(seen)
        return status, [*headers, ("Set-Cookie", "flavour=plain; Path=/")], body


@pytest.fixture(params=SPOKEN)
def server(request, serve):
    """A digest server for each algorithm."""
    return serve(CookieServer, algorithm=request.param)


def get(url, auth=None, **how):
    return requests.get(url, auth=auth, timeout=10, **how)


def test_get_is_200_with_it_and_401_without(server):
    """As argument, and as the session's own."""
    assert get(server.url, Digest(USER, PASSWORD)).status_code == 200
    assert get(server.url).status_code == 401
    with requests.Session() as session:
        session.auth = Digest(USER, PASSWORD)
        assert session.get(server.url, timeout=10).status_code == 200


def test_cookies_of_the_answer_and_of_the_challenge_are_kept(server):
    """Of a single response, and in a session."""
    assert get(server.url).cookies["flavour"] == "plain"
    assert get(server.url, Digest(USER, PASSWORD)).status_code == 200
    with requests.Session() as session:
        session.get(server.url, auth=Digest(USER, PASSWORD), timeout=10)
        assert session.cookies["flavour"] == "plain"


def test_stream_is_left_to_the_caller_to_read(server):
    """With stream=True the body is still there, without it has been read."""
    auth = Digest(USER, PASSWORD)
    with get(server.url, auth, stream=True) as answer:
        assert answer.raw.read() == b"ok"
    assert get(server.url, auth).raw.read() == b""


def test_wrong_password_raises_where_requests_returns_the_401(server):
    """On purpose: a 401 that code ignores would be tried again, and lock the user."""
    with pytest.raises(CredentialsRefused) as caught:
        get(server.url, Digest(USER, "wrong words"))
    assert caught.value.status == 401
    assert get(server.url, HTTPDigestAuth(USER, "wrong words")).status_code == 401


def test_qop_has_no_quotes_where_requests_writes_them(server):
    """On purpose: RFC 7616 section 3.4 forbids them, and requests keeps them for a server of 2011."""
    answer = get(server.url, Digest(USER, PASSWORD))
    assert "qop=auth," in answer.request.headers["Authorization"]
    assert answer.status_code == 200


@pytest.mark.parametrize("algorithm", ["MD5", "SHA", "SHA-256", "SHA-512"])
def test_requests_and_the_server_of_these_tests_agree(serve, algorithm):
    """So that client and server of ours do not share one mistake."""
    server = serve(DigestServer, algorithm=algorithm)
    assert get(server.url, HTTPDigestAuth(USER, PASSWORD)).status_code == 200


@pytest.mark.parametrize("algorithm", [f"{name}{sess}" for name in SPOKEN for sess in ("", "-sess", "-SESS")])
def test_each_algorithm_is_answered_with_one_challenge(serve, algorithm):
    """The nonce is used again; in lower case too."""
    for spelling in (algorithm, algorithm.lower()):
        server, auth = serve(DigestServer, algorithm=spelling), Digest(USER, PASSWORD)
        assert [get(server.url, auth).status_code for _ in range(3)] == [200] * 3
        assert server.challenges() == 1
        assert f"algorithm={spelling}," in server.log[-1].authorization


def test_the_strongest_of_several_is_answered():
    """Those of RFC 7616 and the long SHA-2 before SHA-1 and MD5, whatever the order of the server."""
    assert ALGORITHMS == ("SHA-512", "SHA-512-256", "SHA-256", "SHA", "MD5")
    offers = [f'Digest realm="r", nonce="n", qop="auth", algorithm={name}' for name in reversed(ALGORITHMS)]
    while offers:
        assert best_challenge(offers).algorithm == offers[-1].rpartition("=")[2]
        offers.pop()
