"""Access tokens: how long they last, when they are renewed, and what a failed renewal means."""

from __future__ import annotations

import pytest
import requests
from token_helpers import fields, get, scheme

from vendorkit.errors import AuthError, RateLimited, VendorUnavailable


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

    with pytest.raises(AuthError, match="already expired"):
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


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "wait", ["120", ("Sun, 22 Nov 2026 10:02:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT")], ids=["seconds", "date"]
)
def test_a_token_endpoint_that_asks_to_wait_is_not_asked_before(token_server, clock, status, wait):
    """A41: other threads get the same error meanwhile, with what is left of the pause."""
    auth = scheme(token_server, clock)
    # Python's server writes its own Date, and the first one counts.
    headers = [("Retry-After", wait)] if isinstance(wait, str) else [("Retry-After", wait[0])]
    token_server.token_answers = [(status, headers, b"")]
    if not isinstance(wait, str):
        auth._post = dated(auth._post, wait[1])
    for passed, left in ((0.0, 120.0), (50.0, 70.0), (69.0, 1.0)):
        clock.now += passed
        with pytest.raises((RateLimited, VendorUnavailable)) as caught:
            get(token_server.url, auth)
        assert caught.value.retry_after_s == pytest.approx(left, abs=0.01)
    assert len(token_server.log) == 1
    clock.now += 2.0
    assert get(token_server.url, auth).status_code == 200


def dated(post, date):
    """Return *post* with another Date in its answers."""

    def send(prepared):
        answer = post(prepared)
        answer.headers["Date"] = date
        return answer

    return send


def test_a_pause_without_end_does_not_end_the_scheme(token_server, clock):
    """A41: a Retry-After of years is reported as it is, and heeded for as long as a token lasts."""
    auth = scheme(token_server, clock)
    token_server.token_answers = [(503, [("Retry-After", "99999999")], b"")]
    with pytest.raises(VendorUnavailable) as caught:
        get(token_server.url, auth)
    assert caught.value.retry_after_s == 99_999_999
    clock.now += 601.0
    assert get(token_server.url, auth).status_code == 200


def test_a_valid_token_is_used_while_the_endpoint_asks_to_wait(token_server, clock):
    """A41: the renewal before its end waits as well."""
    auth = scheme(token_server, clock)
    get(token_server.url, auth)
    clock.now += 560
    token_server.token_answers = [(503, [("Retry-After", "30")], b"")]
    with pytest.warns(UserWarning, match="could not be renewed"):
        get(token_server.url, auth)
    for _ in range(3):
        clock.now += 9
        assert get(token_server.url, auth).status_code == 200
    assert len(token_server.token_requests()) == 2
    clock.now += 5
    assert get(token_server.url, auth).status_code == 200
    assert len(token_server.token_requests()) == 3


def test_a_missing_lifetime_warns(token_server):
    """A09: once for each token."""
    token_server.expires_in = None
    with pytest.warns(UserWarning, match="600 s are assumed"):
        get(token_server.url, scheme(token_server))
