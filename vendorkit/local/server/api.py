"""
The base class of the vendors' APIs, the picture that all links to files lead to, and the server side of
authentication: HTTP Basic (RFC 7617) and HTTP Digest (RFC 2617, 7616).

Digest follows Rails, on which the vendor's API seems to run (inferred). The nonce is base64("<unix seconds>:<mac>") and
expires a fixed time after its issue; until then it may be used any number of times, with counts in any order. `stale`
is never sent. The client must return realm and opaque unchanged. Switches select stricter behaviours, and that of
Rails 5, which checks the response against the `uri` in the header, whatever the request's target is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from vendorkit.local.server.settings import Settings

# One grey pixel.
_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
PARAMETER: Final = re.compile(r'([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')  # RFC 9110 11.2
_ITEM: Final = re.compile(r"([^\s,;]+)(?:[^,]*?;\s*q=(\d(?:\.\d+)?))?[^,]*")
MAX_NONCES: Final = 10_000  # whose last count `strict_nonce_count` remembers


Handler = Callable[[Request], Awaitable[Response]]


def routes_of(table: Mapping[str, Handler], prefix: str = "") -> list[Route]:
    """Return the routes of a table that maps calls, such as "GET /purchase", to handlers."""
    calls = [(call.split(), handler) for call, handler in table.items()]
    return [Route(prefix + path, handler, methods=[method]) for (method, path), handler in calls]


def weights(header: str) -> dict[str, float]:
    """Return the items of a header such as Accept, in lower case, with their weights (RFC 9110 12.4.2)."""
    return {name: float(weight or 1) for name, weight in _ITEM.findall(header.lower())}


def encode(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Api:
    """
    One vendor's API. `vendorkit.local.server.checks` adds authentication, rate limits, faults and the log.

    Attributes:
        AUTH: How every request authenticates: "basic", "digest", or "" if this depends on the route.
        REALM: The realm of the challenges.
        OPEN: Prefixes of the paths that need no credentials.
        RATE: The number of requests allowed per window, the window in seconds, and the ban for exceeding it in seconds.
        settings: The switches, read at each request so that they can change while the server runs.
        origin: Returns the origin of this server, of another server by its name, or of the host of "files".
        credentials: The credentials that this server accepts, by environment name.
    """

    AUTH: ClassVar[str] = ""
    REALM: ClassVar[str] = ""
    OPEN: ClassVar[tuple[str, ...]] = ()
    RATE: ClassVar[tuple[int, float, float]]

    def __init__(self, settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> None:
        self.settings, self.origin, self.credentials = settings, origin, credentials

    def routes(self) -> list[Route]:
        """Return the routes."""
        raise NotImplementedError

    def refusal(self, status: int, reason: str, exc: Exception | None = None) -> Response:
        """Return an error response in the vendor's format."""
        raise NotImplementedError

    def is_open(self, scope: Scope) -> bool:
        """Whether a request needs no credentials."""
        return scope["path"].startswith(self.OPEN)  # type: ignore[no-any-return]

    def unknown(self, _action: str, records: list[str]) -> str:
        """Return those of *records* that cannot be changed, "" if all can. In this base class none can."""
        return ", ".join(records) or "anything"


async def picture(request: Request) -> Response:
    """Serve a file as a CDN does: to anybody. Credentials must not be sent to a CDN, so they are answered with 400."""
    if "authorization" in request.headers:
        return PlainTextResponse("Files need no credentials.\n", 400)
    return Response(_PNG, media_type="image/png")


class Check:
    """
    Checks the Authorization header of every request that is not `Api.is_open`.

    This base class accepts every header, for APIs whose routes check it themselves.
    """

    def __init__(self, api: Api, user: str = "", password: str = "") -> None:
        self._api, self._settings, self._realm = api, api.settings, api.REALM
        self._user, self._password = user, password

    def refuse(self, scope: Scope) -> Response | None:
        """Return the response that refuses the request, or None if it is accepted."""
        header = Headers(scope=scope).get("authorization", "")
        return None if self._api.is_open(scope) else self._check(scope, header)

    def _check(self, _scope: Scope, _header: str) -> Response | None:
        return None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers to add to the answer to an accepted request."""
        return []


def check_for(api: Api) -> Check:
    """Return the check for the API's AUTH. The API's first two credentials are user and password."""
    kinds = {"": Check, "basic": BasicCheck, "digest": DigestCheck}
    return kinds[api.AUTH](api, *[*api.credentials.values()][:2])


def target_of(scope: Scope) -> str:
    """Return the path and query of a request as they were sent."""
    query: bytes = scope["query_string"]
    return (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")  # type: ignore[no-any-return]


def proves_basic(header: str, user: str, password: str) -> bool:
    """Whether an Authorization header is Basic (RFC 7617, UTF-8) with this user and password."""
    scheme, _, value = header.partition(" ")
    try:
        sent_user, colon, sent_password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # includes binascii.Error and UnicodeDecodeError
        return False
    return scheme.lower() == "basic" and bool(colon) and same(sent_user, user) & same(sent_password, password)


def same(actual: str, expected: str) -> bool:
    """Compare two strings in constant time."""
    return hmac.compare_digest(actual.encode(), expected.encode())


class BasicCheck(Check):
    """HTTP Basic for one user."""

    def _check(self, _scope: Scope, header: str) -> Response | None:
        """Return 401 with a challenge unless user and password are correct."""
        if proves_basic(header, self._user, self._password):
            return None
        reason = "The credentials are wrong." if header else "The Authorization header is missing."
        response = self._api.refusal(401, reason)
        response.headers["WWW-Authenticate"] = f'Basic realm="{self._realm}", charset="UTF-8"'
        return response


class DigestCheck(Check):
    """HTTP Digest for one user."""

    def __init__(self, api: Api, user: str = "", password: str = "") -> None:
        super().__init__(api, user, password)
        self._secret = secrets.token_bytes(32)
        self._opaque = hashlib.md5(self._secret, usedforsecurity=False).hexdigest()
        self._last_issue = 0.0
        self._counts: dict[str, int] = {}

    def _check(self, scope: Scope, header: str) -> Response | None:
        """Return 401 with a new challenge, 400 if `uri` is not the request's target, or None if accepted."""
        scheme, _, rest = header.partition(" ")
        if scheme.lower() != "digest":
            return self._challenge(stale=False)
        matches = PARAMETER.findall(rest)
        params = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in matches}
        # A trailing "?" makes no difference, as in Rails.
        target = target_of(scope)
        if self._settings.digest_uri == "target" and params.get("uri", "").removesuffix("?") != target:
            return self._api.refusal(400, f"The digest's uri is not the request's target {target}.")
        if not self._proves_password(params, scope["method"]):
            return self._challenge(stale=False)
        if not self._is_valid_nonce(params["nonce"]):
            return self._challenge(stale=self._settings.nonce_says_stale)
        return None if self._has_new_count(params) else self._challenge(stale=False)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the next nonce if the switch `nextnonce` is on (RFC 7616 3.5)."""
        if not self._settings.nextnonce:
            return []
        return [(b"authentication-info", f'nextnonce="{self._new_nonce()}"'.encode())]

    def _challenge(self, *, stale: bool) -> Response:
        settings = self._settings
        qop = f' qop="{settings.digest_qop}",' if settings.digest_qop else ""
        response = PlainTextResponse("HTTP Digest: Access denied.\n", 401, media_type="text/html")
        response.headers["WWW-Authenticate"] = (
            f'Digest realm="{self._realm}",{qop} algorithm={settings.digest_algorithm}, '
            f'nonce="{self._new_nonce()}", opaque="{self._opaque}"' + (", stale=true" if stale else "")
        )
        return response

    def _proves_password(self, params: Mapping[str, str], method: str) -> bool:
        """Whether the parameter `response` is correct for the expected user and password (RFC 7616 3.4)."""
        settings = self._settings
        # RFC 7616 3.4: a missing parameter means MD5.
        if params.get("algorithm", "MD5").lower() != settings.digest_algorithm.lower():
            return False
        if params.get("realm") != self._realm or params.get("opaque") != self._opaque or "nonce" not in params:
            return False
        # Starlette decodes header bytes as Latin-1; a user name is UTF-8 on the wire.
        if params.get("username", "").encode("latin-1") != self._user.encode():
            return False
        expected = self._expected(params, method)
        return expected is not None and same(params.get("response", ""), expected)

    def _expected(self, params: Mapping[str, str], method: str) -> str | None:
        algorithm = self._settings.digest_algorithm
        digest: Any = hashlib.sha256 if algorithm.startswith("SHA-256") else hashlib.md5
        # Starlette decodes header bytes as Latin-1.
        names = ("nonce", "nc", "cnonce", "qop", "uri")
        nonce, count, cnonce, qop, uri = (params.get(name, "").encode("latin-1") for name in names)

        def hexhash(*parts: bytes) -> bytes:
            hashed: bytes = digest(b":".join(parts), usedforsecurity=False).hexdigest().encode()
            return hashed

        ha1 = hexhash(self._user.encode(), self._realm.encode(), self._password.encode())
        if algorithm.endswith("-sess"):
            ha1 = hexhash(ha1, nonce, cnonce)
        ha2 = hexhash(method.encode(), uri)
        if self._settings.digest_qop is None and not qop:
            return hexhash(ha1, nonce, ha2).decode()
        if qop != b"auth" or not cnonce or not re.fullmatch(rb"[0-9a-fA-F]{8}", count):
            return None
        return hexhash(ha1, nonce, count, cnonce, qop, ha2).decode()

    def _new_nonce(self) -> str:
        # Strictly rising fractions of a second, so that no nonce is issued twice. Rails uses whole seconds.
        self._last_issue = issued = max(time.time(), self._last_issue + 1e-6)
        return self._nonce(f"{issued:.6f}")

    def _nonce(self, stamp: str) -> str:
        keyed = f"{stamp}:{self._settings.expirations}".encode()
        mac = hmac.new(self._secret, keyed, hashlib.sha256).hexdigest()[:32]
        return base64.b64encode(f"{stamp}:{mac}".encode()).decode()

    def _is_valid_nonce(self, nonce: str) -> bool:
        """Whether this server issued the nonce and it has not expired. Its age counts from its issue, not its use."""
        try:
            stamp = base64.b64decode(nonce, validate=True).decode("ascii").partition(":")[0]
            age_s = time.time() - float(stamp)
        except ValueError:  # includes binascii.Error and UnicodeDecodeError
            return False
        return same(self._nonce(stamp), nonce) and age_s <= self._settings.nonce_lifetime_s

    def _has_new_count(self, params: Mapping[str, str]) -> bool:
        """Whether `nc` is above the nonce's last count (Apache's AuthDigestNcCheck); True if the switch is off."""
        if not self._settings.strict_nonce_count or "nc" not in params:
            return True
        nonce, count = params["nonce"], int(params["nc"], 16)
        if count <= self._counts.get(nonce, 0):
            return False
        self._counts[nonce] = count
        if len(self._counts) > MAX_NONCES:
            del self._counts[next(iter(self._counts))]
        return True
