"""Reads the response of a token endpoint (RFC 6749 sections 5.1 and 5.2); pure, no I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from vendorkit.auth.pauses import requested_pause_s
from vendorkit.errors import (
    AuthError,
    CredentialsRefused,
    NotAllowed,
    OriginRefused,
    RateLimited,
    VendorkitError,
    VendorUnavailable,
)
from vendorkit.settings import Secret
from vendorkit.strictjson import strict_object

DEFAULT_LIFETIME_S: Final = 600.0  # from Pledg's authentication page; its response may omit it
MAX_LIFETIME_S: Final = 86_400.0
BODY_LIMIT: Final = 65_536
_CHECK_URL: Final = "Check the token URL. If it is right, report the error to the vendor."
_ERROR_CODES: Final = frozenset({  # RFC 6749 section 5.2; any other text might echo a credential
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope",
})  # fmt: skip


@dataclass(frozen=True)
class Token:
    """A bearer token; times are seconds on the monotonic clock. If *assumed*, the server sent no lifetime."""

    value: Secret
    renew_at: float
    expires_at: float
    assumed: bool = False


def parse_token(status: int, headers: Mapping[str, str], body: bytes, started_at: float) -> Token:
    """
    Return the token in the response of a token endpoint.

    Args:
        status: The response's HTTP status.
        headers: The response's headers.
        body: The response's body, decoded from any content coding.
        started_at: Monotonic seconds, before the request was sent.

    Raises:
        CredentialsRefused: Key or secret is wrong.
        NotAllowed: They may not fetch tokens.
        RateLimited, VendorUnavailable: Try again later.
        OriginRefused: The response is a redirect, which would send key and secret to another address.
        AuthError: The response is not a usable bearer token.
    """
    fields: dict[str, Any] = {}
    problem = ""
    try:
        fields = strict_object(body, limit=BODY_LIMIT)
    except ValueError as error:
        problem = str(error)
    code = fields.get("error")
    known_code = code if isinstance(code, str) and code in _ERROR_CODES else None
    if status not in {HTTPStatus.OK, HTTPStatus.CREATED} or code:
        raise _refusal(status, headers, known_code)
    if not problem:
        problem = _problem(fields)
    lifetime_s = None if problem else _lifetime(fields.get("expires_in"))
    if lifetime_s is None:
        what = f"The token endpoint's response cannot be used: {problem or 'expires_in is not a number above zero'}."
        raise AuthError(what, remedy=_CHECK_URL, status=status)
    expires_at = started_at + lifetime_s
    margin_s = min(60.0, lifetime_s / 10)
    return Token(Secret(fields["access_token"]), expires_at - margin_s, expires_at, fields.get("expires_in") is None)


def _problem(fields: Mapping[str, Any]) -> str:
    kind, token = fields.get("token_type"), fields.get("access_token")
    if kind is not None and not (isinstance(kind, str) and kind.lower() == "bearer"):
        return "token_type is not Bearer"
    if not (isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token)):
        return "access_token is missing, or not printable ASCII without spaces"
    return ""


def _lifetime(expires_in: Any) -> float | None:
    """Return seconds, limited to a maximum; None if *expires_in* is not a number above zero."""
    if expires_in is None:
        return DEFAULT_LIFETIME_S
    try:
        seconds = math.nan if isinstance(expires_in, (bool, list, dict)) else float(expires_in)
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_LIFETIME_S) if seconds > 0 and math.isfinite(seconds) else None


def _refusal(status: int, headers: Mapping[str, str], code: str | None) -> VendorkitError:
    details: dict[str, Any] = {"status": status, "vendor_code": code}
    what = f"The token endpoint returned HTTP {status}{f' ({code})' if code else ''}"
    seconds = requested_pause_s(headers)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(f"{what}: too many token requests.", remedy="Wait.", retry_after_s=seconds, **details)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return VendorUnavailable(f"{what}.", remedy="Try again later.", retry_after_s=seconds, **details)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        remedy = "Use the address that the vendor documents; redirects are not followed with key and secret."
        return OriginRefused(f"{what}, a redirect.", remedy=remedy, **details)
    if status == HTTPStatus.UNAUTHORIZED or code in {"invalid_client", "invalid_grant"}:
        remedy = "Check key and secret, and that they belong to this environment."
        return CredentialsRefused(f"{what}: it refused key or secret.", remedy=remedy, **details)
    if status == HTTPStatus.FORBIDDEN or code == "unauthorized_client":
        return NotAllowed(f"{what}.", remedy="Ask the vendor for access tokens for this key.", **details)
    return AuthError(f"{what} and no token.", remedy=_CHECK_URL, **details)
