"""Access tokens: what the endpoint may answer, when a token is renewed, and by how many."""

from __future__ import annotations

import json
import math
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from auth_servers import walk

from vendorkit.auth import ClientCredentials
from vendorkit.auth.tokenanswer import parse_token
from vendorkit.errors import (
    AuthError,
    CredentialsRefused,
    NotAllowed,
    OriginRefused,
    RateLimited,
    TlsError,
    TransportError,
    UsageError,
    VendorUnavailable,
)


class Clock:
    """A monotonic clock that tests move."""

    now = 1000.0

    def __call__(self):
        """Return the time."""
        return self.now


@pytest.fixture
def clock():
    """A clock that stands still until it is moved."""
    return Clock()


def scheme(server, clock=time.monotonic, secret="made-up", **how):
    return ClientCredentials(f"{server.url}/api/token", "key", secret, clock=clock, **how)


def get(url, auth):
    return requests.get(url, auth=auth, timeout=10)


def at_once(count, work):
    """Run *work* in *count* threads that start together; return the results, errors among them."""
    together = threading.Barrier(count)

    def run(_):
        together.wait(10)
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def fields(**more):
    return json.dumps({"access_token": "abc", **more}).encode()


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(600, 600), ("600", 600), (600.5, 600.5), (1e12, 86_400), (1, 1), ("1e3", 1000)],
)
def test_a_lifetime_is_read_as_number_or_text_and_clamped(expires_in, seconds):
    """A11, A12."""
    token = parse_token(200, {}, fields(expires_in=expires_in), 50.0)
    assert token.expires_at == 50.0 + seconds
    assert token.renew_at == token.expires_at - min(60, seconds / 10)
    assert not token.assumed


@pytest.mark.parametrize("more", [{}, {"expires_in": None}])
def test_a_missing_lifetime_is_the_documented_one(more):
    """A09: 600 s, and marked as assumed."""
    token = parse_token(200, {}, fields(**more), 0.0)
    assert (token.expires_at, token.assumed) == (600.0, True)


@pytest.mark.parametrize(
    "expires_in", [0, -5, "abc", True, False, [600], {"s": 600}, "", "nan", "inf", "-inf", 10**400]
)
def test_a_lifetime_that_is_none_is_refused(expires_in):
    """A10: 0 does not mean for ever."""
    with pytest.raises(AuthError, match="cannot be used"):
        parse_token(200, {}, fields(expires_in=expires_in), 0.0)


@pytest.mark.parametrize("body", [b'{"access_token":"a","expires_in":NaN}', b'{"access_token":"a","expires_in":1e999}'])
def test_a_lifetime_that_is_not_json_is_refused(body):
    """A10: Python's reader would take both."""
    with pytest.raises(AuthError, match="cannot be used"):
        parse_token(200, {}, body, 0.0)


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", None])
def test_bearer_in_any_case_or_no_type_is_accepted(kind):
    """A13."""
    assert parse_token(200, {}, fields(token_type=kind, expires_in=600), 0.0).value.reveal() == "abc"


@pytest.mark.parametrize("kind", ["MAC", "", 5, ["Bearer"]])
def test_another_type_is_refused(kind):
    """A13."""
    with pytest.raises(AuthError, match="token_type"):
        parse_token(200, {}, fields(token_type=kind), 0.0)


@pytest.mark.parametrize("token", ["", None, 5, ["a"], "a b", "a\r\nX: y", "ä", "a\x00"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_before_use(token):
    """A14: and not echoed."""
    with pytest.raises(AuthError, match="access_token") as caught:
        parse_token(200, {}, json.dumps({"access_token": token}).encode(), 0.0)
    assert "X: y" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"<html>maintenance</html>", b"[1]", b"null", b"", b'{"error": "invalid_scope"}', b"\xff", b'{"a":1,"a":2}',
     b'{"a":' + b"[" * 30_000, b" " * 70_000],
    ids=lambda body: repr(body)[:20],
)  # fmt: skip
def test_an_answer_of_200_that_is_no_token_is_an_error(body):
    """A17: HTML, a list, an error at 200."""
    with pytest.raises(AuthError) as caught:
        parse_token(200, {}, body, 0.0)
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_client", "error_description": "sentinel"}', CredentialsRefused),
        (401, b"sentinel", CredentialsRefused),
        (400, b'{"error": "unauthorized_client"}', NotAllowed),
        (403, b"", NotAllowed),
        (400, b'{"error": "sentinel"}', AuthError),
        (404, b"", AuthError),
        (429, b"", RateLimited),
        (500, b"<html>sentinel", VendorUnavailable),
        (503, b"", VendorUnavailable),
        (302, b"", OriginRefused),
        (307, b"", OriginRefused),
    ],
)
def test_each_refusal_is_its_own_error_without_the_servers_text(status, body, error):
    """A15, A16, T24: the description could echo the secret."""
    with pytest.raises(error) as caught:
        parse_token(status, {}, body, 0.0)
    assert caught.value.status == status
    assert "sentinel" not in walk(caught.value)


@pytest.mark.parametrize(
    ("wait", "seconds"), [("7", 7.0), ("", None), ("-5", None), ("abc", None), ("9" * 400, None), ("²", None)]
)
def test_the_wait_of_429_is_kept_where_it_is_seconds(wait, seconds):
    """T15: nonsense is ignored."""
    with pytest.raises(RateLimited) as caught:
        parse_token(429, {"Retry-After": wait}, b"", 0.0)
    assert caught.value.retry_after_s == seconds


def test_one_token_serves_many_requests(token_server):
    """The token request is as the vendor wants it, which the server checks."""
    auth = scheme(token_server)
    assert auth.seconds_left is None
    assert [get(f"{token_server.url}/a", auth).status_code for _ in range(3)] == [200] * 3
    (asked,) = token_server.token_requests()
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert 590 < auth.seconds_left <= 600
    assert auth.renewals == 0


def test_32_threads_on_an_expired_token_make_one_token_request(token_server, clock):
    """A04: and all of them get the new one."""
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
    """A02."""
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


def test_a_token_is_renewed_a_tenth_of_its_life_before_its_end(token_server, clock):
    """At most 60 s before, both sides of the boundary."""
    auth = scheme(token_server, clock)
    get(token_server.url, auth)
    clock.now += 539
    get(token_server.url, auth)
    assert auth.renewals == 0
    clock.now += 2
    get(token_server.url, auth)
    assert auth.renewals == 1
    assert auth.seconds_left == 600


def test_the_lifetime_counts_from_before_the_token_request(token_server, clock):
    """A slow answer must not make the token look younger."""

    def slow_post(prepared):
        clock.now += 20
        return requests.Session().send(prepared)

    auth = scheme(token_server, clock, post=slow_post)
    get(token_server.url, auth)
    assert auth.seconds_left == 580


def test_a_failed_renewal_of_a_valid_token_warns_and_goes_on(token_server, clock):
    """A05; and the next attempt waits a few seconds (A07)."""
    auth = scheme(token_server, clock)
    get(token_server.url, auth)
    token_server.token_answers = [(503, [], b"")]
    clock.now += 560
    with pytest.warns(UserWarning, match="VendorUnavailable"):
        assert get(token_server.url, auth).status_code == 200
    clock.now += 3
    get(token_server.url, auth)
    assert len(token_server.token_requests()) == 2
    clock.now += 3
    get(token_server.url, auth)
    assert auth.renewals == 1


def test_a_failed_renewal_of_an_expired_token_is_an_error(token_server, clock):
    """A16: typed, with the status."""
    auth = scheme(token_server, clock)
    get(token_server.url, auth)
    token_server.token_answers = [(503, [], b"")]
    clock.now += 601
    with pytest.raises(VendorUnavailable) as caught:
        get(token_server.url, auth)
    assert caught.value.status == 503


def test_a_token_that_is_expired_on_arrival_is_one_error(token_server, clock):
    """A06: no loop."""

    def slow_post(prepared):
        clock.now += 601
        return requests.Session().send(prepared)

    with pytest.raises(AuthError, match="expired already"):
        get(token_server.url, scheme(token_server, clock, post=slow_post))
    assert len(token_server.log) == 1


def test_the_same_short_token_again_does_not_make_every_request_renew(token_server, clock):
    """A07: a floor between renewals while the token is still valid."""
    token_server.expires_in = 20
    auth = scheme(token_server, clock)
    get(token_server.url, auth)
    clock.now += 18.5
    for _ in range(5):
        get(token_server.url, auth)
        token_server.token_answers = [(200, [], fields(access_token=token_server.valid, expires_in=1))] * 9
        clock.now += 0.1
    assert len(token_server.token_requests()) == 2


def test_a_missing_lifetime_warns(token_server):
    """A09: once for each token."""
    token_server.expires_in = None
    with pytest.warns(UserWarning, match="600 s are assumed"):
        get(token_server.url, scheme(token_server))


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
    """T24, T25: key and secret would go elsewhere."""
    elsewhere = serve()
    token_server.token_answers = [(status, [("Location", f"{elsewhere.url}/x")], b"")]
    with pytest.raises(OriginRefused):
        get(token_server.url, scheme(token_server))
    assert elsewhere.log == []


def test_the_token_goes_to_its_own_origin_alone(token_server, serve):
    """A32, T28: another port is another origin."""
    elsewhere = serve()
    auth = scheme(token_server)
    get(token_server.url, auth)
    get(elsewhere.url, auth)
    redirect = (302, [("Location", f"{elsewhere.url}/x")], b"")
    answer = token_server.answer
    token_server.answer = lambda seen: redirect if seen.target == "/to" else answer(seen)
    get(f"{token_server.url}/to", auth)
    assert [seen.authorization for seen in elsewhere.log] == [None, None]


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

    def post(prepared):  # noqa: ARG001
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
     "http://127.0.0.1.evil.example/t", ""],
)  # fmt: skip
def test_a_token_url_that_would_show_the_secret_is_refused(url):
    """https, except on loopback."""
    with pytest.raises(UsageError) as caught:
        ClientCredentials(url, "k", "s")
    assert "sentinel" not in walk(caught.value)


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
