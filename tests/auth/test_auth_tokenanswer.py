"""The answers of a token endpoint, row by row."""

from __future__ import annotations

import json

import pytest
from auth_servers import walk

from vendorkit.auth.tokenanswer import parse_token
from vendorkit.errors import (
    AuthError,
    CredentialsRefused,
    NotAllowed,
    OriginRefused,
    RateLimited,
    VendorUnavailable,
)


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


@pytest.mark.parametrize(("status", "error"), [(200, None), (200, ""), (201, None)])
def test_a_token_is_read_next_to_an_empty_error_and_with_a_201(status, error):
    """A17: some servers have one form for all responses; the error said that there was no token."""
    assert parse_token(status, {}, fields(error=error), 0.0).value.reveal() == "abc"


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
def test_a_token_that_cannot_be_in_a_header_is_refused_before_use(token):
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
