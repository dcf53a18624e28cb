"""What a mock server has to know of a vendor's API, and the file that all links to files lead to."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from vendorkit.local.server.settings import Settings

# One grey pixel.
_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


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
