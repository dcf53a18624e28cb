"""
Pledg's signatures: request claims as JWT, and the two kinds of notification. Pure functions, no I/O.

One secret per merchant serves all three. Every fault of a signed text raises `SignatureInvalid`, and no function
returns claims that it has not verified.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import operator
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import PyJWTError

from vendorkit.auth.interrupts import shielded
from vendorkit.errors import MalformedAnswer, SignatureInvalid, UsageError
from vendorkit.settings import Secret, is_utf8
from vendorkit.strictjson import strict_object

BACK_FIELDS: Final = ("created_at", "error", "id", "reference", "sandbox", "status")
TEXT_LIMIT: Final = 1_048_576
_TIME_CLAIMS: Final = {"exp", "iat", "nbf"}  # these differ if the same notification is signed and sent again
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # RFC 7515 section 7.1, without padding
_KEY_FILE: Final = re.compile(r"\s*(-----BEGIN|ssh-|ecdsa-)")
_UNTRUSTED: Final = "Do not trust it; check that the secret is that of this merchant and environment."


class _AnySecret(HMACAlgorithm):
    """HS256 with any secret: PyJWT warns below 32 bytes and tries to parse the secret as a key, but it is Pledg's."""

    def prepare_key(self, key: str | bytes) -> bytes:
        """Return the secret as bytes."""
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002 - PyJWT's signature
        """Return None, which means that the key is accepted."""
        return None


_JWS: Final = PyJWS(algorithms=[])
_JWS.register_algorithm("HS256", _AnySecret(HMACAlgorithm.SHA256))


@dataclass(frozen=True)
class Notification:
    """
    The content of a notification.

    Attributes:
        kind: "back" for signed fields, "jwt" for signed claims, "unsigned".
        fields: The fields without the signature, or the claims.
        verified: Whether the signature was checked and is right.
        signed: The names in `fields` that the signature covers; a "back" signature does not cover the metadata.
    """

    kind: Literal["back", "jwt", "unsigned"]
    fields: dict[str, Any]
    verified: bool
    signed: tuple[str, ...] = field(default=())

    @property
    def identity(self) -> str:
        """The signed fields as one string, the same for each delivery of a notification; all fields if unsigned."""
        if self.kind == "back":
            return json.dumps([_rendered(name, self.fields[name]) for name in BACK_FIELDS])
        return in_one_form({name: value for name, value in self.fields.items() if name not in _TIME_CLAIMS})


def in_one_form(fields: Mapping[str, Any]) -> str:
    """Return *fields* as JSON with sorted names."""
    return json.dumps(json.loads(json.dumps(fields, default=str)), sort_keys=True)  # names in a dict may be numbers


def sign_jwt(claims: Mapping[str, Any], secret: str, *, expires_in: int | None = None, now: float | None = None) -> str:
    """
    Return *claims* as a compact JWT, signed with HS256. The order of the keys is kept.

    Args:
        claims: For Pledg `{"data": {...}}`.
        secret: The merchant's secret. It may be short, as in the vendor's examples, but not empty.
        expires_in: Validity in seconds; adds `iat` and `exp`. None adds nothing.
        now: Seconds since 1970; None for the system's clock.

    Raises:
        UsageError: The claims are not JSON or already have `iat` or `exp`, or the secret or validity is not valid.

    Example:
        >>> sign_jwt({"data": {"amountCents": 2000}}, "made-up").count(".")
        2
    """
    key = Secret(secret)
    del secret  # before anything can fail: tracebacks may show the locals
    _check_key(key)
    if not isinstance(claims, Mapping) or any(not isinstance(name, str) for name in claims):
        what = "The claims are not a dictionary with strings as keys."
        raise UsageError(what, remedy='For Pledg they are {"data": {…}}.')
    stamped = dict(claims)
    if expires_in is not None:
        seconds = 0
        with suppress(TypeError):  # not an integer
            seconds = 0 if isinstance(expires_in, bool) else operator.index(expires_in)
        if seconds <= 0 or stamped.keys() & {"iat", "exp"}:
            what = "expires_in is not a whole number above zero, or the claims already have iat or exp."
            raise UsageError(what, remedy="Pass a number of seconds, and leave out iat and exp: expires_in adds them.")
        issued = int(time.time() if now is None else now)
        stamped.update(iat=issued, exp=issued + seconds)
    payload = _payload(stamped)
    return shielded(lambda: _JWS.encode(payload, key.reveal(), algorithm="HS256"))  # PyJWT's frames show the secret


def verify_jwt(token: str, secret: str, *, now: float | None = None, leeway_s: float = 60.0) -> dict[str, Any]:
    """
    Return the claims of *token* after checking its HS256 signature, and `exp` and `nbf` if it has them.

    Args:
        token: Compact JWT.
        secret: The merchant's secret.
        now: Seconds since 1970; None for the system's clock.
        leeway_s: Seconds by which the clocks may differ.

    Raises:
        SignatureInvalid: The token has another algorithm (such as `none`) or secret, or is altered, expired, not yet
            valid or malformed.
        UsageError: The secret is empty or cannot be used as a key.
    """
    key = Secret(secret)
    del secret
    _check_key(key)
    if not isinstance(token, str) or len(token) > TEXT_LIMIT or not _COMPACT.fullmatch(token):
        _refuse("The token is not a compact JWT")
    try:
        payload = shielded(lambda: _JWS.decode(token, key.reveal(), algorithms=["HS256"]))
    except (PyJWTError, ValueError, RecursionError):
        payload = None
    if not isinstance(payload, bytes):
        _refuse("The token's signature or form is wrong, or its algorithm is not HS256")
    try:
        claims = strict_object(payload, limit=TEXT_LIMIT)
    except ValueError:
        claims = {}
    if not claims:
        _refuse("The token has no readable claims")
    now = time.time() if now is None else now
    if _timestamp(claims, "exp", math.inf) <= now - leeway_s:  # exp + leeway_s could overflow: JSON has any integer
        _refuse("The token has expired")
    if _timestamp(claims, "nbf", -math.inf) > now + leeway_s:
        _refuse("The token is not yet valid")
    return claims


def _timestamp(claims: Mapping[str, Any], name: str, default: float) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(f"The token's {name} is not a number")
    return value


def verify_notification(body: bytes | str | Mapping[str, Any], secret: str | None) -> Notification:
    """
    Return the content of a Pledg notification after checking its signature.

    This also reads the `pledg_error` of a redirect, which has the same two forms.

    Args:
        body: The body as received, or its JSON as a dictionary.
        secret: The merchant's secret; None or "" if the account has none. Then only unsigned bodies can be read.

    Raises:
        SignatureInvalid: The signature is wrong or missing, or cannot be checked without a secret.
        MalformedAnswer: The body is not a JSON object, or has a name twice.

    Example:
        >>> verify_notification('{"type": "abandonment"}', None).verified
        False
    """
    key = Secret("" if secret is None else secret)
    del secret
    if not isinstance(key.reveal(), str) or key.reveal():
        _check_key(key)
    fields = dict(body) if isinstance(body, Mapping) else _parsed(body)
    if "signature" not in fields:
        if key.reveal():
            _refuse("The notification is not signed, but a secret is set")
        return Notification("unsigned", fields, verified=False)
    if not key.reveal():
        what = "The notification is signed, but there is no secret to check it with."
        raise SignatureInvalid(what, remedy="Set the merchant's secret.")
    signature = fields.pop("signature")
    if not isinstance(signature, str):
        _refuse("The notification's signature is not a string")
    if not fields:
        claims = verify_jwt(signature, key.reveal())
        return Notification("jwt", claims, verified=True, signed=tuple(claims))
    expected = back_signature(fields, key.reveal())
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        _refuse("The notification's signature is wrong")
    return Notification("back", fields, verified=True, signed=BACK_FIELDS)


def back_signature(fields: Mapping[str, Any], secret: str) -> str:
    """
    Return the signature of a back-mode notification: SHA-256 of six fields joined by the secret, in capitals.

    Raises:
        SignatureInvalid: Fields are missing, or are lists or objects.
    """
    key = Secret(secret)
    del secret
    _check_key(key)
    missing = [name for name in BACK_FIELDS if name not in fields]
    if missing:
        _refuse(f"The notification lacks {', '.join(missing)}")
    pairs = [f"{name}={_rendered(name, fields[name])}".encode("utf-8", "surrogatepass") for name in BACK_FIELDS]
    return hashlib.sha256(key.reveal().encode().join(pairs)).hexdigest().upper()


def _rendered(name: str, value: Any) -> str:
    if value is None:
        return ""  # inferred: the vendor documents only the empty string
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        with suppress(ValueError):  # an integer of thousands of digits
            return json.dumps(value)  # true, not Python's True or PHP's 1
    return _refuse(f"The notification's {name} is not a plain value")


def _payload(claims: dict[str, Any]) -> bytes:
    try:
        return json.dumps(claims, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = type(error).__name__
    what = f"The claims cannot be written as JSON ({reason})."
    raise UsageError(what, remedy="Use strings, finite numbers, booleans, lists and dictionaries.")


def _parsed(body: bytes | str) -> dict[str, Any]:
    try:
        return strict_object(body, limit=TEXT_LIMIT)
    except ValueError as error:
        reason = str(error)
    what = f"The notification cannot be read: {reason}."
    raise MalformedAnswer(what, remedy="Do not trust it; pass the body exactly as it was received.")


def _check_key(key: Secret) -> None:
    if isinstance(key.reveal(), str) and key.reveal() and is_utf8(key) and not _KEY_FILE.match(key.reveal()):
        return
    what = "The merchant's secret is empty, not a string, not encodable as UTF-8, or a key file."
    raise UsageError(what, remedy="Copy it from the vendor's dashboard.")


def _refuse(what: str) -> NoReturn:
    message = f"{what}."
    raise SignatureInvalid(message, remedy=_UNTRUSTED)
