"""Access tokens: when one is fetched and renewed, by how many threads, and where it goes."""

from __future__ import annotations

import math
import threading
import warnings

import pytest
import requests
from auth_servers import walk
from token_helpers import at_once, get, scheme

from vendorkit.auth import ClientCredentials
from vendorkit.errors import (
    AuthError,
    CredentialsRefused,
    OriginRefused,
    TlsError,
    TransportError,
    UsageError,
    VendorUnavailable,
)


def test_one_token_serves_many_requests(token_server):
    """The token request is as the vendor wants it, which the server checks."""
    auth = scheme(token_server)
    assert auth.seconds_left is None
    assert [get(f"{token_server.url}/a", auth).status_code for _ in range(3)] == [200] * 3
    (request,) = token_server.token_requests()
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert 590 < auth.seconds_left <= 600
    assert auth.renewals == 0


def test_32_threads_on_an_expired_token_make_one_token_request(token_server, clock):
    """A04: and all of them get the new one. Promise 4."""
    auth = scheme(token_server, clock)
    get(token_server.url, auth)
    clock.now += 601
    token_server.log.clear()
    answers = at_once(32, lambda: get(token_server.url, auth).status_code)
    assert answers == [200] * 32
    assert len(token_server.token_requests()) == 1
    assert auth.renewals == 1


def test_32_threads_without_a_token_make_one_token_request(token_server):
    """A04, from the start."""
    auth = scheme(token_server)
    assert at_once(32, lambda: get(token_server.url, auth).status_code) == [200] * 32
    assert len(token_server.token_requests()) == 1


def test_32_threads_on_a_revoked_token_make_one_token_request(token_server):
    """A03: whoever finds that another token is held already, uses it."""
    auth = scheme(token_server)
    get(token_server.url, auth)
    token_server.valid = "revoked"
    token_server.log.clear()
    assert at_once(32, lambda: get(token_server.url, auth).status_code) == [200] * 32
    assert len(token_server.token_requests()) == 1


def test_a_401_renews_once_and_sends_once_more(token_server):
    """A01, A08: the same request again, with the new token."""
    auth = scheme(token_server)
    get(token_server.url, auth)
    token_server.valid = "revoked"
    answer = requests.post(f"{token_server.url}/refund", data=b"body", auth=auth, timeout=10)
    assert answer.status_code == 200
    assert [seen.body for seen in token_server.log if seen.target == "/refund"] == [b"body", b"body"]


def test_a_401_for_ever_is_two_requests_and_an_error(token_server):
    """A02: it was renewed once in between."""
    auth = scheme(token_server)
    token_server.refuse_all = True
    with pytest.raises(CredentialsRefused) as caught:
        get(f"{token_server.url}/a?b", auth)
    assert caught.value.status == 401
    assert len([seen for seen in token_server.log if seen.target == "/a?b"]) == 2
    assert len(token_server.token_requests()) == 2


def test_a_403_is_left_to_the_caller(token_server):
    """A18: no renewal, no retry."""
    auth = scheme(token_server)
    answer = token_server.answer
    token_server.answer = lambda seen: (403, [], b"") if seen.target == "/x" else answer(seen)
    assert get(f"{token_server.url}/x", auth).status_code == 403
    assert len(token_server.log) == 2


def test_wrong_credentials_in_many_threads_cost_one_token_request(token_server):
    """A15: the threads that wait get the leader's error, and so do those that come a moment later."""
    auth = scheme(token_server, secret="wrong words")
    results = at_once(16, lambda: get(token_server.url, auth))
    assert {type(result) for result in results} == {CredentialsRefused}
    assert len(token_server.log) == 1
    assert "wrong words" not in "".join(walk(result) for result in results)


def test_waiting_threads_get_the_leaders_error(token_server):
    """One 503, not sixteen."""
    token_server.token_answers = [(503, [], b"")] * 16
    token_server.delay.clear()
    auth = scheme(token_server)
    threading.Timer(0.5, token_server.delay.set).start()
    results = at_once(8, lambda: get(token_server.url, auth))
    assert {type(result) for result in results} == {VendorUnavailable}
    assert len(token_server.log) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_the_token_request_is_not_followed(token_server, serve, status):
    """T24, T25: key and secret would go elsewhere. Promise 2."""
    elsewhere = serve()
    token_server.token_answers = [(status, [("Location", f"{elsewhere.url}/x")], b"")]
    with pytest.raises(OriginRefused):
        get(token_server.url, scheme(token_server))
    assert elsewhere.log == []


def test_the_token_goes_to_its_own_origin_only(token_server, serve):
    """A40, A32, T28: another port is another origin."""
    elsewhere = serve()
    auth = scheme(token_server)
    get(token_server.url, auth)
    with pytest.raises(UsageError, match="is not sent to") as caught:
        get(elsewhere.url, auth)
    assert elsewhere.url in str(caught.value)
    redirect = (302, [("Location", f"{elsewhere.url}/x")], b"")
    answer = token_server.answer
    token_server.answer = lambda seen: redirect if seen.target == "/to" else answer(seen)
    get(f"{token_server.url}/to", auth)
    assert [seen.authorization for seen in elsewhere.log] == [None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_follows_a_redirect_inside_its_origin(token_server, status):
    """A39: e.g. from /orders to /orders/, where a request without it gets a 403, or a login page as data."""
    auth = scheme(token_server)
    answer = token_server.answer
    redirect = (status, [("Location", "/orders/?page=1")], b"")
    token_server.answer = lambda seen: redirect if seen.target == "/orders" else answer(seen)
    assert get(f"{token_server.url}/orders", auth).status_code == 200
    assert token_server.log[-1].target == "/orders/?page=1"
    assert len(token_server.log) == 3
    token_server.valid = "revoked"  # renewed there as well
    assert get(f"{token_server.url}/orders", auth).status_code == 200


def test_a_host_that_does_not_answer_is_a_typed_error_without_key_and_secret():
    """A16, S11: requests' own exception carries the request with its headers."""
    auth = ClientCredentials("http://127.0.0.1:9/api/token", "sentinel-key", "sentinel-secret")
    with pytest.raises(VendorUnavailable) as caught:
        get("http://127.0.0.1:9/x", auth)
    assert "sentinel" not in walk(caught.value)
    assert caught.value.__context__ is None


def test_a_certificate_that_is_not_trusted_is_its_own_error():
    """Not the same as an unreachable host."""

    def post(prepared):
        raise requests.exceptions.SSLError(request=prepared)

    with pytest.raises(TlsError):
        get("https://vendor.example/x", ClientCredentials("https://vendor.example/t", "k", "s", post=post))


def test_an_error_of_the_callers_own_post_is_passed_on():
    """The session's transport raises our errors itself."""

    def post(prepared):
        message = "mine"
        raise TransportError(message)

    with pytest.raises(TransportError, match="mine"):
        get("https://vendor.example/x", ClientCredentials("https://vendor.example/t", "k", "s", post=post))


def test_an_interrupted_leader_does_not_leave_the_others_waiting(token_server):
    """KeyboardInterrupt is no error of ours, but the next call must be able to ask again."""
    interrupts = [KeyboardInterrupt()]

    def post(prepared):
        if interrupts:
            raise interrupts.pop()
        return requests.Session().send(prepared)

    auth = scheme(token_server, post=post)
    with pytest.raises(KeyboardInterrupt):
        get(token_server.url, auth)
    assert get(token_server.url, auth).status_code == 200


@pytest.mark.parametrize(
    "url",
    ["http://vendor.example/t", "ftp://127.0.0.1/t", "https://u:sentinel@vendor.example/t", "vendor.example", "https://h:x/t",
     "http://127.0.0.1.evil.example/t", "", None, 5, b"\xff", ["https://vendor.example"], "http://127.0.0.999/t",
     "http://127.1.2.3.4/t", "http://[::2]/t", "https://[::1", "https://*/t", "https://", "https:///t",
     "https://vendor.example:99999/t", "https://sentinel\ud800@x/t", "//vendor.example/t", "file:///etc/passwd"],
)  # fmt: skip
def test_a_token_url_that_would_show_the_secret_is_refused(url):
    """https, except on loopback."""
    with pytest.raises(UsageError) as caught:
        ClientCredentials(url, "k", "s")
    assert "sentinel" not in walk(caught.value)


@pytest.mark.parametrize(
    "url", ["https://vendor.example/t", "HTTPS://Vendor.Example/t", "https://bücher.example/t", "http://127.9.9.9/t",
            "http://localhost:8080/t", "http://[::1]:8080/t", "https://vendor.example:443/t"],
)  # fmt: skip
def test_the_origin_of_a_token_is_as_requests_writes_it(url):
    """A request to the same host, however it is spelt, gets the token."""
    posted = []

    def post(prepared):
        posted.append(prepared.url)
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"access_token": "abc", "expires_in": 600}'
        return answer

    auth = ClientCredentials(url, "k", "s", post=post)
    prepared = requests.Request("GET", url.replace("/t", "/orders"), auth=auth).prepare()
    assert prepared.headers["Authorization"] == "Bearer abc"
    assert posted == [requests.Request("POST", url).prepare().url]


def test_a_huge_token_answer_is_not_read_to_its_end(token_server):
    """64 KiB are enough for a token."""
    token_server.token_answers = [(200, [], b" " * 5_000_000)]
    with pytest.raises(AuthError, match="longer than"):
        get(token_server.url, scheme(token_server))


def test_two_clients_keep_their_tokens_apart(token_server):
    """A37."""
    one, other = scheme(token_server), scheme(token_server)
    get(token_server.url, one)
    assert other.seconds_left is None
    assert math.isfinite(one.seconds_left)


def test_warnings_as_errors_leave_a_usable_state(token_server):
    """A caller who turns warnings into errors gets the token with the next call."""
    token_server.expires_in = None
    auth = scheme(token_server)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            get(token_server.url, auth)
        assert get(token_server.url, auth).status_code == 200
