"""
What a mock server has to know of a vendor's API, the file that all links to files lead to, and authentication, the
server's side: HTTP Basic (RFC 7617) and HTTP Digest (RFC 2617, 7616).

Digest follows Rails, on which the vendor's API seems to run (inferred): the nonce is base64("<unix seconds>:<mac>")
and valid for a fixed time from its issue, for any number of uses and in any order of counts; `stale` is never sent;
the client must return realm and opaque unchanged. Switches select stricter behaviours, and that of Rails 5, which
checks the response for the `uri` that the client says, whatever was requested.
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
MOST_NONCES: Final = 10_000  # for which `strict_nonce_count` remembers the count


Handler = Callable[[Request], Awaitable[Response]]


def routes_of(table: Mapping[str, Handler], prefix: str = "") -> list[Route]:
    """Return the routes of a table from calls, such as "GET /purchase", to handlers."""
    calls = [(call.split(), handler) for call, handler in table.items()]
    return [Route(prefix + path, handler, methods=[method]) for (method, path), handler in calls]


def encode(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Api:
    """
    One vendor's API without the authentication, rates, faults and logs, which `vendorkit.local.server.checks` adds.

    Attributes:
        AUTH: How every request authenticates: "basic", "digest", or "" if the routes differ.
        REALM: Of the challenges.
        OPEN: What the paths start with that are served without credentials.
        RATE: Requests, window in seconds, and for exceeding it a ban in seconds.
        settings: Read at each request, so that switches work while the server runs.
        origin: Returns the origin of this server, of another one by its name, or of its "files".
        credentials: What this server accepts, by environment name.
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
        """Return an error as the vendor writes it."""
        raise NotImplementedError

    def unknown(self, _action: str, records: list[str]) -> str:
        """Return which of *records* cannot be changed, "" if all can; here none can."""
        return ", ".join(records) or "anything"


async def picture(request: Request) -> Response:
    """Answer a file as a CDN does: on another host, to anybody; 400 to credentials, which have no business there."""
    if "authorization" in request.headers:
        return PlainTextResponse("Files need no credentials.\n", 400)
    return Response(_PNG, media_type="image/png")


class Check:
    """
    How a server checks the Authorization header, except for paths that start with one of the API's OPEN.

    This one accepts all requests: the routes choose their scheme.
    """

    def __init__(self, api: Api, user: str = "", password: str = "") -> None:
        self._api, self._settings, self._realm = api, api.settings, api.REALM
        self._user, self._password = user, password

    def refuse(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused, None if it is accepted."""
        is_open = scope["path"].startswith(self._api.OPEN)
        return None if is_open else self._judge(scope, Headers(scope=scope).get("authorization", ""))

    def _judge(self, _scope: Scope, _header: str) -> Response | None:
        return None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers to add to the answer to an accepted request."""
        return []


def check_for(api: Api) -> Check:
    """Return the check that the API names by its AUTH; its first two credentials are user and password."""
    kinds = {"": Check, "basic": BasicCheck, "digest": DigestCheck}
    return kinds[api.AUTH](api, *[*api.credentials.values()][:2])


def target_of(scope: Scope) -> str:
    """Return path and query of a request as they are on the wire."""
    query: bytes = scope["query_string"]
    return (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")  # type: ignore[no-any-return]


def proves_basic(header: str, user: str, password: str) -> bool:
    """Whether a header is a Basic Authorization (RFC 7617, UTF-8) with this user and password."""
    scheme, _, value = header.partition(" ")
    try:
        given, colon, proof = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:  # includes binascii.Error and UnicodeDecodeError
        return False
    return scheme.lower() == "basic" and bool(colon) and same(given, user) & same(proof, password)


def same(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on where two texts differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


class BasicCheck(Check):
    """HTTP Basic for one user."""

    def _judge(self, _scope: Scope, header: str) -> Response | None:
        """Return 401 with a challenge unless user and password are right."""
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

    def _judge(self, scope: Scope, header: str) -> Response | None:
        """Return 401 with a new challenge, or 400 if `uri` is not the request's target; None if accepted."""
        scheme, _, rest = header.partition(" ")
        if scheme.lower() != "digest":
            return self._challenge(stale=False)
        found = PARAMETER.findall(rest)
        given = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in found}
        # A trailing "?" makes no difference, as in Rails.
        target = target_of(scope)
        if self._settings.digest_uri == "target" and given.get("uri", "").removesuffix("?") != target:
            return self._api.refusal(400, f"The digest's uri is not the request's target {target}.")
        if not self._proves_password(given, scope["method"]):
            return self._challenge(stale=False)
        if not self._nonce_lives(given["nonce"]):
            return self._challenge(stale=self._settings.nonce_says_stale)
        return None if self._count_rises(given) else self._challenge(stale=False)

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

    def _proves_password(self, given: Mapping[str, str], method: str) -> bool:
        """Whether the response is that of RFC 7616 3.4 for the expected user and password."""
        settings = self._settings
        # RFC 7616 3.4: a missing parameter means MD5.
        if given.get("algorithm", "MD5").lower() != settings.digest_algorithm.lower():
            return False
        if given.get("realm") != self._realm or given.get("opaque") != self._opaque or "nonce" not in given:
            return False
        # Starlette decodes header bytes as Latin-1; a user name is UTF-8 on the wire.
        if given.get("username", "").encode("latin-1") != self._user.encode():
            return False
        expected = self._expected(given, method)
        return expected is not None and same(given.get("response", ""), expected)

    def _expected(self, given: Mapping[str, str], method: str) -> str | None:
        algorithm = self._settings.digest_algorithm
        digest: Any = hashlib.sha256 if algorithm.startswith("SHA-256") else hashlib.md5
        # Starlette decodes header bytes as Latin-1.
        names = ("nonce", "nc", "cnonce", "qop", "uri")
        nonce, count, cnonce, qop, uri = (given.get(name, "").encode("latin-1") for name in names)

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
        # Fractions of a second that always rise, so that no nonce is issued twice; Rails has whole seconds.
        self._last_issue = issued = max(time.time(), self._last_issue + 1e-6)
        return self._nonce(f"{issued:.6f}")

    def _nonce(self, stamp: str) -> str:
        keyed = f"{stamp}:{self._settings.expirations}".encode()
        mac = hmac.new(self._secret, keyed, hashlib.sha256).hexdigest()[:32]
        return base64.b64encode(f"{stamp}:{mac}".encode()).decode()

    def _nonce_lives(self, nonce: str) -> bool:
        """Whether this server issued the nonce, not too long ago; its age counts from the issue, not the last use."""
        try:
            stamp = base64.b64decode(nonce, validate=True).decode("ascii").partition(":")[0]
            age_s = time.time() - float(stamp)
        except ValueError:  # includes binascii.Error and UnicodeDecodeError
            return False
        return same(self._nonce(stamp), nonce) and age_s <= self._settings.nonce_lifetime_s

    def _count_rises(self, given: Mapping[str, str]) -> bool:
        """Whether `nc` is above the last one of its nonce (Apache's AuthDigestNcCheck); True if the switch is off."""
        if not self._settings.strict_nonce_count or "nc" not in given:
            return True
        nonce, count = given["nonce"], int(given["nc"], 16)
        if count <= self._counts.get(nonce, 0):
            return False
        self._counts[nonce] = count
        if len(self._counts) > MOST_NONCES:
            del self._counts[next(iter(self._counts))]
        return True
