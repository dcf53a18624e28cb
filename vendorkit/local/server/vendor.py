"""One mock server of this process, and the control calls through which the parent process sets its switches."""

from __future__ import annotations

import copy
import dataclasses
import hmac
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from vendorkit.local.server.api import Api, check_for
from vendorkit.local.server.settings import Settings

LOG_LENGTH: Final = 50_000


@dataclass(eq=False)
class Vendor:
    """One mock server of this process: its vendor, switches, credentials, address and state."""

    kind: type[Api]
    settings: Settings
    credentials: Mapping[str, str]
    port: int
    control_token: str
    others: Mapping[str, Vendor] = field(default_factory=dict)  # all servers of this process, by name
    connections: Any = field(default_factory=set)  # uvicorn's, of this server
    log: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    count: int = 0

    def __post_init__(self) -> None:
        self.base_url = f"https://127.0.0.1:{self.port}"
        self.api = self.kind(self.settings, self.origin, self.credentials)
        self.limit = RateLimit(self.settings, self.api.RATE)
        self.at_start = dataclasses.asdict(self.settings)
        self.check = check_for(self.api)

    def origin(self, name: str = "") -> str:
        """Return the origin of this server, of another server by its name, or of the "files" that it links to."""
        if name == "files":  # to the client, another host, like a CDN's
            return self.base_url.replace("127.0.0.1", "localhost")
        other = self.others.get(name) if name else self
        return f"https://{name}.example" if other is None else other.base_url

    def refusal(self, status: int, reason: str, exc: Exception | None = None) -> Response:
        """Return the vendor's error body, with Retry-After if the switch is set."""
        response = self.api.refusal(status, reason, exc)
        if status in (429, 503) and self.settings.retry_after is not None:
            response.headers["Retry-After"] = self.settings.retry_after
        return response

    def connected(self, scope: Scope) -> bool:
        """Whether the connection of the request is still open."""
        return any(connection.client == scope["client"] for connection in self.connections)

    def drop(self, scope: Scope, *, final_bytes: bytes = b"", reset: bool = False) -> None:
        """Close the connection of the request, or reset it."""
        for connection in list(self.connections):
            if connection.client == scope["client"]:
                connection.transport.write(final_bytes)
                if reset:  # without a linger time, closing the socket sends RST (RFC 9293 section 3.10.4)
                    plain = connection.transport.get_extra_info("socket")
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.transport.abort()
                else:
                    connection.transport.close()


class RateLimit:
    """A limit of requests per time window, and a ban for exceeding it (Medipim: no ban; Mediagenix: 300 s)."""

    def __init__(self, settings: Settings, rate: tuple[int, float, float]) -> None:
        self._settings, self._rate = settings, rate
        self._times = deque[float]()
        self._banned_until = 0.0

    def seconds_to_wait(self, now: float) -> float:
        """Count a request at *now*; return 0 if it is within the limit, else the seconds until it would be."""
        (documented, window_s, ban_s), override = self._rate, self._settings.rate_limit_requests
        if not self._settings.rate_limit:
            return 0.0
        if now < self._banned_until:
            return self._banned_until - now
        # A sliding window (inferred): no document names the kind, and this one is the stricter.
        while self._times and self._times[0] <= now - window_s:
            self._times.popleft()
        if len(self._times) < (documented if override is None else override):
            self._times.append(now)
            return 0.0
        if ban_s:
            self._banned_until = now + ban_s
            self._times.clear()
            return ban_s
        return self._times[0] + window_s - now if self._times else window_s


async def control(vendor: Vendor, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one control call, with 403 if its token is wrong."""
    request = Request(scope, receive)
    token = request.headers.get("x-local-control", "")
    if not hmac.compare_digest(token.encode(), vendor.control_token.encode()):
        await PlainTextResponse("Only for the process that started the mock servers.\n", 403)(scope, receive, send)
        return
    action = scope["path"].rsplit("/", 1)[-1]
    await JSONResponse(_ACTIONS[action](vendor, await request.json()))(scope, receive, send)


def _set(vendor: Vendor, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        setattr(vendor.settings, name, value)
    if settings.keys() & {"rate_limit", "rate_limit_requests"}:
        vendor.limit = RateLimit(vendor.settings, vendor.api.RATE)


def _clear_log(vendor: Vendor) -> None:
    vendor.log.clear()
    vendor.count = 0


def _reset(vendor: Vendor) -> None:
    """Reset all servers at once, because tests do this often."""
    for other in vendor.others.values():
        _set(other, copy.deepcopy(other.at_start))
        _clear_log(other)


def _change(vendor: Vendor, arguments: dict[str, Any]) -> str:
    """Change all the records, or none if some cannot be changed; return those that cannot."""
    refused = vendor.api.unknown(arguments["action"], arguments["records"])
    if not refused:
        for record in arguments["records"] or [""]:
            vendor.settings.note(arguments["action"], record)
    return refused


# The caller, `vendorkit.local.server.process`, has checked names and types.
_ACTIONS: Final[dict[str, Callable[[Vendor, dict[str, Any]], Any]]] = {
    "log": lambda vendor, _: list(vendor.log),
    "count": lambda vendor, _: vendor.count,
    "clear_log": lambda vendor, _: _clear_log(vendor),
    "get_settings": lambda vendor, _: dataclasses.asdict(vendor.settings),
    "set": _set,
    "reset": lambda vendor, _: _reset(vendor),
    "change": _change,
    "expire_now": lambda vendor, _: _set(vendor, {"expirations": vendor.settings.expirations + 1}),
}
