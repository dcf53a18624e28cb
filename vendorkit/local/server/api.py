"""What a mock server has to know of a vendor's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from starlette.responses import Response
from starlette.routing import Route

from vendorkit.local.server.settings import Settings


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
