"""
Pledg's signatures: request claims as JWT, and the two kinds of notification. Pure functions, no I/O.

One secret for each merchant serves all three. Whatever is wrong with a signed text is `SignatureInvalid`, and no
function here gives out claims that it has not verified.
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
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

from jwt import PyJWS
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import PyJWTError

from vendorkit.errors import MalformedAnswer, SignatureInvalid, UsageError
from vendorkit.settings import Secret, is_utf8
from vendorkit.strictjson import strict_object

BACK_FIELDS: Final = ("created_at", "error", "id", "reference", "sandbox", "status")
TEXT_LIMIT: Final = 1_048_576
_OF_THE_TOKEN: Final = {"exp", "iat", "nbf"}  # a delivery may be signed anew; what it says is the same
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # RFC 7515 section 7.1, without padding
_UNTRUSTED: Final = "Do not trust it; check that the secret is that of this merchant and environment."


class _AnyLength(HMACAlgorithm):
    """HS256 with the vendor's secret as it is: PyJWT warns under 32 bytes, but it is not ours to choose."""

    def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002 - PyJWT's signature
        """Return None: no complaint."""
        return None


_JWS: Final = PyJWS(algorithms=[])
_JWS.register_algorithm("HS256", _AnyLength(HMACAlgorithm.SHA256))


@dataclass(frozen=True)
class Notification:
    """
    What a notification says.

    Attributes:
        kind: "back" for signed fields, "jwt" for signed claims, "unsigned".
        fields: The clear fields without the signature, or the claims.
        verified: Whether the signature was checked and is right.
        signed: The names in `fields` that the signature covers; a "back" signature leaves out the metadata.
    """

    kind: Literal["back", "jwt", "unsigned"]
    fields: dict[str, Any]
    verified: bool
    signed: tuple[str, ...] = field(default=())

    @property
    def identity(self) -> str:
        """What is signed, as one text: the same for each delivery, however it is written. If unsigned, all fields."""
        if self.kind == "back":
            return json.dumps([_rendered(name, self.fields[name]) for name in BACK_FIELDS])
        return in_one_form({name: value for name, value in self.fields.items() if name not in _OF_THE_TOKEN})


def in_one_form(fields: Mapping[str, Any]) -> str:
    """Return *fields* as JSON, whatever the order of their names."""
    return json.dumps(json.loads(json.dumps(fields, default=str)), sort_keys=True)  # names in a dict may be numbers


def sign_jwt(claims: Mapping[str, Any], secret: str, *, expires_in: int | None = None, now: float | None = None) -> str:
    """
    Return *claims* as compact JWT, HS256, keys in the order given.

    Args:
        claims: For Pledg `{"data": {...}}`.
        secret: The merchant's secret. Short ones are taken, as the published examples have them; an empty one is not.
        expires_in: Validity in seconds; adds `iat` and `exp`. None adds nothing.
        now: Seconds since 1970; None for the system's clock.

    Raises:
        UsageError: The claims are not JSON, or have `iat` or `exp` already, or the secret or validity is unusable.

    Example:
        >>> sign_jwt({"data": {"amountCents": 2000}}, "made-up").count(".")
        2
    """
    key = _key(secret)
    del secret
    if not isinstance(claims, Mapping) or any(not isinstance(name, str) for name in claims):
        what = "The claims are not a dictionary with texts as names."
        raise UsageError(what, remedy='For Pledg it is {"data": {…}}.')
    stamped = dict(claims)
    if expires_in is not None:
        seconds = _seconds(expires_in)
        if seconds <= 0 or stamped.keys() & {"iat", "exp"}:
            what = "expires_in is not a whole number above zero, or the claims have iat or exp of their own."
            raise UsageError(what, remedy="Give a number of seconds, and leave iat and exp to it.")
        issued = int(time.time() if now is None else now)
        stamped.update(iat=issued, exp=issued + seconds)
    payload = _payload(stamped)
    try:
        return _JWS.encode(payload, key.reveal(), algorithm="HS256")
    except PyJWTError:
        pass
    raise _unusable_secret()


def verify_jwt(token: str, secret: str, *, now: float | None = None, leeway_s: float = 60.0) -> dict[str, Any]:
    """
    Return the claims of *token* after checking its HS256 signature, and `exp` and `nbf` if it has them.

    Args:
        token: Compact JWT.
        secret: The merchant's secret.
        now: Seconds since 1970; None for the system's clock.
        leeway_s: Seconds that the clocks may differ.

    Raises:
        SignatureInvalid: Another algorithm (`none` too), another secret, changed, expired, not valid yet or malformed.
        UsageError: The secret is empty or otherwise unusable.
    """
    key = _key(secret)
    del secret
    if not isinstance(token, str) or len(token) > TEXT_LIMIT or not _COMPACT.fullmatch(token):
        _refuse("The token is not a compact JWT")
    try:
        payload = _JWS.decode(token, key.reveal(), algorithms=["HS256"])
    except (PyJWTError, ValueError, RecursionError):
        payload = None
    if not isinstance(payload, bytes):
        _refuse("The token's signature or form is wrong, or its algorithm is not HS256")
    try:
        claims = strict_object(payload, limit=TEXT_LIMIT)
    except ValueError:
        claims = {}
    if not claims:
        _refuse("The token carries no claims that can be read")
    now = time.time() if now is None else now
    if _moment(claims, "exp", math.inf) <= now - leeway_s:  # no sum: integers have no bounds in JSON
        _refuse("The token has expired")
    if _moment(claims, "nbf", -math.inf) > now + leeway_s:
        _refuse("The token is not valid yet")
    return claims


def _moment(claims: Mapping[str, Any], name: str, default: float) -> float:
    moment = claims.get(name, default)
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        _refuse(f"The token's {name} is not a number")
    return moment


def verify_notification(body: bytes | str | Mapping[str, Any], secret: str | None) -> Notification:
    """
    Return what a Pledg notification says, once its signature is found right.

    Also reads the `pledg_error` of a redirect, which has the same two forms.

    Args:
        body: The body as received, or its JSON as a dictionary.
        secret: The merchant's secret; None or "" where the account has none, then only unsigned bodies can be read.

    Raises:
        SignatureInvalid: Wrong or missing signature, or one that cannot be checked for want of a secret.
        MalformedAnswer: The body is not a JSON object, or has a name twice.

    Example:
        >>> verify_notification('{"type": "abandonment"}', None).verified
        False
    """
    key = Secret("") if secret is None or (isinstance(secret, str) and not secret) else _key(secret)
    del secret
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
        _refuse("The notification's signature is not text")
    if not fields:
        claims = verify_jwt(signature, key.reveal())
        return Notification("jwt", claims, verified=True, signed=tuple(claims))
    expected = back_signature(fields, key.reveal())
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        _refuse("The notification's signature is wrong")
    return Notification("back", fields, verified=True, signed=BACK_FIELDS)


def back_signature(fields: Mapping[str, Any], secret: str) -> str:
    """
    Return the signature of a back-mode notification: the six fields, joined by the secret, in SHA-256, capitals.

    Raises:
        SignatureInvalid: Fields are missing, or are not plain values.
    """
    key = _key(secret)
    del secret
    missing = [name for name in BACK_FIELDS if name not in fields]
    if missing:
        _refuse(f"The notification lacks {', '.join(missing)}")
    joiner = key.reveal().encode()
    pairs = [f"{name}={_rendered(name, fields[name])}".encode("utf-8", "surrogatepass") for name in BACK_FIELDS]
    return hashlib.sha256(joiner.join(pairs)).hexdigest().upper()


def _rendered(name: str, value: Any) -> str:
    if value is None:
        return ""  # inferred: the vendor shows only the empty string
    if not isinstance(value, (str, bool, int, float)):
        _refuse(f"The notification's {name} is not a plain value")
    if isinstance(value, str):
        return value
    try:
        text = json.dumps(value)  # true, not Python's True nor PHP's 1
    except ValueError:  # an integer of thousands of digits
        text = ""
    return text or _refuse(f"The notification's {name} is not a plain value")


def _seconds(given: Any) -> int:
    """Return a whole number of any integer type as an int; 0 for everything else."""
    try:
        return 0 if isinstance(given, bool) else operator.index(given)
    except TypeError:
        return 0


def _payload(claims: dict[str, Any]) -> bytes:
    try:
        return json.dumps(claims, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = type(error).__name__
    what = f"The claims cannot be written as JSON ({reason})."
    raise UsageError(what, remedy="Use text, finite numbers, booleans, lists and dictionaries.")


def _parsed(body: bytes | str) -> dict[str, Any]:
    try:
        return strict_object(body, limit=TEXT_LIMIT)
    except ValueError as error:
        reason = str(error)
    what = f"The notification cannot be read: {reason}."
    raise MalformedAnswer(what, remedy="Do not trust it; pass the body exactly as it was received.")


def _key(secret: str) -> Secret:
    key = Secret(secret)
    del secret
    if not isinstance(key.reveal(), str) or not key.reveal() or not is_utf8(key):
        raise _unusable_secret()
    return key


def _unusable_secret() -> UsageError:
    what = "The merchant's secret is empty, or is not a text that can be used as a key."
    return UsageError(what, remedy="Set it as the vendor's dashboard shows it.")


def _refuse(what: str) -> NoReturn:
    message = f"{what}."
    raise SignatureInvalid(message, remedy=_UNTRUSTED)
