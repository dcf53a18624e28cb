"""
The vendor's side of Pledg's signatures and access tokens, and a log of notifications.

It is written from the vendor's documents (tokens: OAuth2 client credentials, RFC 6749 4.4) with only `hmac`, so that it
does not share mistakes with the client.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import random
import secrets
import time
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from vendorkit.local.pledg.schedule import TERMS, merchants, uid
from vendorkit.local.server.api import Api, encode, proves_basic

FIRST_DAY: Final = dt.datetime(2026, 5, 1, 8, tzinfo=dt.timezone.utc)  # fixed, so that equal seeds give equal logs
# The kinds of 20 notifications, then repeated. 13 are genuine, the others forged, damaged or sent twice.
KINDS: Final[list[str]] = TERMS["notifications"]
SIGNED_KEYS: Final = ("created_at", "error", "id", "reference", "sandbox", "status")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _mac(signed: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()


def jwt(claims: dict[str, Any], secret: str) -> str:
    """Sign *claims* as in the vendor's samples: compact JSON, HS256."""
    signed = _base64(encode({"alg": "HS256", "typ": "JWT"})) + "." + _base64(encode(claims))
    return f"{signed}.{_base64(_mac(signed, secret))}"


def read_jwt(token: str, secret: str) -> dict[str, Any]:
    """Return the claims of *token*. Raise 400 with the reason if it is invalid."""
    head, _, signature = token.rpartition(".")
    header_text, _, payload_text = head.partition(".")
    try:
        header, claims, mac = json.loads(_decode(header_text)), json.loads(_decode(payload_text)), _decode(signature)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The signature is not a JWT.") from None
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("alg") != "HS256":
        raise HTTPException(400, "The signature's algorithm must be HS256.")
    if not hmac.compare_digest(mac, _mac(head, secret)):
        raise HTTPException(400, "The signature is wrong.")
    expires_at = claims.get("exp")
    if expires_at is not None and (not isinstance(expires_at, (int, float)) or expires_at < time.time()):
        raise HTTPException(400, "The signature has expired.")
    return claims


def back_signature(body: dict[str, Any], secret: str) -> str:
    """Return the signature of a back-mode notification: the hash of six `key=value` pairs, joined by the secret."""
    texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in body.items()}
    pairs = [f"{key}={texts[key]}" for key in SIGNED_KEYS]
    return hashlib.sha256(secret.join(pairs).encode()).hexdigest().upper()


def amount_of(seed: int, index: int) -> int:
    """Return the amount of a purchase in cents."""
    return int(random.Random(f"{seed}:purchase:{index}").lognormvariate(10.0, 0.7)) + 1_500


def notifications(seed: int, count: int, secret: str) -> dict[str, list[str]]:
    """Return a log of *count* notifications: the raw body of each, and its kind, one of KINDS."""
    kinds = [KINDS[index % len(KINDS)] for index in range(count)]
    return {"notifications": [_body(seed, index, kind, secret) for index, kind in enumerate(kinds)], "kinds": kinds}


def _body(seed: int, index: int, kind: str, secret: str) -> str:
    if kind == "replayed-transfer":
        return _body(seed, index - 1, "transfer", secret)
    if kind.startswith("back") or kind == "forged-back":
        return _back_body(seed, index, kind, secret)
    claims = _error(seed, index, kind) if kind.startswith("error") else _transfer(seed, index)
    if kind == "unsigned-transfer":
        return encode(claims).decode()
    token = jwt(claims, secret)
    if kind == "forged-jwt":
        token = jwt({**claims, "amount_cents": claims["amount_cents"] * 10}, "not the merchant's secret")
    elif kind == "alg-none":
        token = _base64(encode({"alg": "none", "typ": "JWT"})) + "." + _base64(encode(claims)) + "."
    elif kind == "truncated-jwt":
        token = token[:-1]
    whole = encode({"signature": token}).decode()
    return whole[: len(whole) * 2 // 3] if kind == "truncated-body" else whole


def _moment(seed: int, index: int) -> dt.datetime:
    jitter_s = random.Random(f"{seed}:moment:{index}").random() * 3_000
    return FIRST_DAY + dt.timedelta(hours=index, seconds=jitter_s)


def _reference(seed: int, index: int) -> str:
    return f"PLEDG_{1_000_000 + seed * 7919 % 90_000_000}{index:07d}"


def _back_body(seed: int, index: int, kind: str, secret: str) -> str:
    rng = random.Random(f"{seed}:back:{index}")
    status = rng.choice(TERMS["statuses"])
    body: dict[str, Any] = {
        "created_at": _moment(seed, index).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "id": f"psp_{rng.randrange(16**12):012x}",
        "additional_data": {"charge_id": f"ch_{rng.randrange(16**8):08x}"},
        "metadata": {"basket": rng.choice(TERMS["baskets"])},
        "status": status,
        # The documents show the string "true", the tests of the shop modules the JSON value.
        "sandbox": "true" if kind == "back-text" else True,
        "error": "card_declined" if status == "failed" else "",
        "reference": _reference(seed, index),
    }
    body["signature"] = back_signature(body, secret)
    if kind == "forged-back":
        body["reference"] = _reference(seed, index + 1)
    return encode(body).decode()


def _transfer(seed: int, index: int) -> dict[str, Any]:
    owners = list(merchants(seed))
    return {
        "reference": _reference(seed, index),
        "created": _moment(seed, index).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "transfer_order_item_uid": uid("tri", seed, index),
        "merchant_uid": owners[index % len(owners)],
        "purchase_uid": uid("pur", seed, index),
        "amount_cents": amount_of(seed, index),
    }


def _error(seed: int, index: int, kind: str) -> dict[str, Any]:
    state = TERMS["refused_states"][index % 4]
    reference, purchase = {"reference": _reference(seed, index)}, uid("pur", seed, index)
    if kind == "error-old":  # with the names in the documents
        return reference | {"purchase_state": state, "purchase_uid": purchase}
    # The names that newer modules read.
    rejected = {"acceptance_state": "REJECTED", "acceptance_rejection_type": "SCORING"}
    return reference | {"state": state, **rejected, "uid": purchase}


class Tokens:
    """Issues and checks access tokens. They are not stored, because each is signed and contains its expiry time."""

    def __init__(self, api: Api) -> None:
        self._settings, self._origin, credentials = api.settings, api.origin, api.credentials
        self._client = credentials["PLEDG_API_KEY"], credentials["PLEDG_API_SECRET"]
        self._dashboard = credentials["PLEDG_DASHBOARD_EMAIL"], credentials["PLEDG_DASHBOARD_PASSWORD"]
        self._signing_key = secrets.token_hex(32)

    async def issue(self, request: Request) -> Response:
        """Answer POST /api/token. Errors have the format of RFC 6749 5.2 (inferred)."""
        if not proves_basic(request.headers.get("authorization", ""), *self._client):
            headers = {"WWW-Authenticate": 'Basic realm="Pledg API"'}
            return JSONResponse({"error": "invalid_client"}, 401, headers)
        form = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        if not request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            return JSONResponse({"error": "invalid_request"}, 400)
        if form.get("grant_type") != ["client_credentials"]:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        # RFC 6749 5.1: an answer with a token must not be cached.
        response = self._answer()
        response.headers["Cache-Control"] = "no-store"
        return response

    def _answer(self) -> Response:
        """Return the token, in the form of the switch `token_answer`."""
        variant = self._settings.token_answer
        if variant == "html":
            return HTMLResponse("<!DOCTYPE html><title>Pledg</title><p>Please log in.</p>")
        if variant == "redirect":
            return RedirectResponse(f"{self._origin('files')}/api/token", 307)
        lifetime_s = self._settings.token_lifetime_s
        seconds: float = int(lifetime_s) if lifetime_s == int(lifetime_s) else lifetime_s
        answer: dict[str, Any] = {"access_token": self._token(), "token_type": "Bearer", "expires_in": seconds}
        for name, value in TERMS["token_answers"].get(variant, {}).items():
            answer[name] = value.format(whole=seconds, more=lifetime_s + 0.5) if isinstance(value, str) else value
        if variant == "missing":
            del answer["expires_in"]
        return JSONResponse([answer] if variant == "list" else answer)

    def _token(self) -> str:
        claims = {
            "sub": self._client[0],
            "exp": time.time() + self._settings.token_lifetime_s,
            "jti": secrets.token_hex(8),
            "expirations": self._settings.expirations,
        }
        return jwt(claims, self._signing_key)

    def check(self, request: Request, *, basic: bool = True) -> None:
        """Raise 401 unless the request has a valid token or (if *basic*) the dashboard's credentials."""
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        if basic and proves_basic(header, *self._dashboard):
            return
        if scheme.lower() != "bearer":
            raise HTTPException(401, "The Authorization header is missing or wrong.")
        try:
            claims = read_jwt(token.strip(), self._signing_key)
        except HTTPException:
            claims = {}
        if claims.get("expirations") != self._settings.expirations:
            raise HTTPException(401, "The access token is wrong or has expired.")
