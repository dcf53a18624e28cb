"""
What stands around a local vendor's routes: log, faults, rate limit, authentication, compression, error bodies.

All of it works on the level of ASGI messages, so that streams pass through as streams. In order: the control path,
the log, the fault (if one is due), the delay, the rate limit, the authentication, the routes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware

from vendorkit.local.server import control, faults
from vendorkit.local.server.authenticate import Check, check_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from vendorkit.local.server.settings import Settings

LOG_LENGTH: Final = 50_000
SMALLEST_GZIP: Final = 500  # bytes; below, compressing costs more than it saves


class Vendor:
    """One vendor of the running process: its module, switches, credentials, address and state."""

    def __init__(
        self,
        *,
        module: ModuleType,
        settings: Settings,
        credentials: Mapping[str, str],
        port: int,
        control_token: str,
    ) -> None:
        self.module = module
        self.settings = settings
        self.credentials = dict(credentials)
        self.port = port
        self.base_url = f"https://127.0.0.1:{port}"
        self.control_token = control_token
        self.connections: Any = set()  # uvicorn's, of this server
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self.count = 0
        self.limit = RateLimit(settings, module.RATE)
        self.check: Check = check_for(module, settings, self.credentials)

    def refusal(self, status: int, reason: str) -> Response:
        """Return the vendor's own error body, with Retry-After where the switch asks for one."""
        response: Response = self.module.refusal(status, reason)
        if status in (429, 503) and self.settings.retry_after is not None:
            response.headers["Retry-After"] = self.settings.retry_after
        return response

    def connected(self, scope: Scope) -> bool:
        """Whether the connection that the request came by is still open."""
        return any(connection.client == scope["client"] for connection in self.connections)

    def drop(self, scope: Scope, *, last_words: bytes = b"", reset: bool = False) -> None:
        """Close the connection that the request came by, or reset it."""
        for connection in list(self.connections):
            if connection.client == scope["client"]:
                connection.transport.write(last_words)
                if reset:  # RFC 9293 section 3.10.4: no time to linger makes close() an abort
                    plain = connection.transport.get_extra_info("socket")
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.transport.abort()
                else:
                    connection.transport.close()


class RateLimit:
    """A budget of requests a window, and a ban for those who exceed it (Medipim: no ban; Mediagenix: 300 s)."""

    def __init__(self, settings: Settings, rate: tuple[int, float, float]) -> None:
        self._settings = settings
        self._requests, self._window_s, self._ban_s = rate
        self._times: deque[float] = deque()
        self._banned_until = 0.0

    def seconds_to_wait(self, now: float) -> float:
        """Count a request at *now*; return 0 if it is within the budget, else the seconds until it would be."""
        settings = self._settings
        if not settings.rate_limit:
            return 0.0
        requests = self._requests if settings.rate_limit_requests is None else settings.rate_limit_requests
        window_s = self._window_s if settings.rate_limit_window_s is None else settings.rate_limit_window_s
        if now < self._banned_until:
            return self._banned_until - now
        # A sliding window (inferred): nothing is said of its kind, and this is the stricter one.
        while self._times and self._times[0] <= now - window_s:
            self._times.popleft()
        if len(self._times) < requests:
            self._times.append(now)
            return 0.0
        ban_s = self._ban_s if settings.rate_limit_ban_s is None else settings.rate_limit_ban_s
        if ban_s:
            self._banned_until = now + ban_s
            self._times.clear()
            return ban_s
        return self._times[0] + window_s - now if self._times else window_s

    def clear(self) -> None:
        """Forget all requests and bans."""
        self._times.clear()
        self._banned_until = 0.0


def application(vendor: Vendor) -> ASGIApp:
    """Build the ASGI application of *vendor*: its routes, and everything around them."""
    settings = vendor.settings
    routes = vendor.module.routes(settings, lambda: vendor.base_url, vendor.credentials)
    known = ", ".join(
        sorted({f"{'|'.join(sorted((route.methods or set()) - {'HEAD'}))} {route.path}" for route in routes})
    )

    def not_found(request: Request, exc: Exception) -> Response:
        detail = getattr(exc, "detail", "")
        default = f"Unknown path {request.url.path}. This local vendor has: {known}."
        return vendor.refusal(404, detail if detail not in ("", "Not Found") else default)

    def not_allowed(request: Request, exc: Exception) -> Response:
        response = vendor.refusal(
            405, f"{request.method} is not for {request.url.path}. This local vendor has: {known}."
        )
        response.headers.update(getattr(exc, "headers", None) or {})
        return response

    def broken(request: Request, exc: Exception) -> Response:
        return vendor.refusal(500, f"The local vendor broke at {request.url.path}: {exc!r}")

    handlers: dict[Any, Any] = {404: not_found, 405: not_allowed, Exception: broken}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    inner.router.redirect_slashes = False  # a redirect that no vendor is known to send
    return _Checks(vendor, inner)


class _Checks:
    """The ASGI application that every request of one vendor enters."""

    def __init__(self, vendor: Vendor, inner: ASGIApp) -> None:
        self._vendor = vendor
        self._plain = inner
        self._compressed = GZipMiddleware(inner, minimum_size=SMALLEST_GZIP, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = self._vendor
        if scope["path"].startswith("/__local__/"):
            await control.answer(vendor, scope, receive, send)
            return
        entry = _entry(vendor, scope)
        receive, send = _counting(entry, receive, send)
        try:
            entry["fault"] = fault = faults.choose(vendor.settings, entry["seq"])
            if vendor.settings.latency_s:
                await asyncio.sleep(vendor.settings.latency_s)
            if fault is not None:
                await faults.apply(fault, vendor, self._answer, scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        except Exception:  # noqa: BLE001  whatever breaks in a route is shown on both sides
            traceback.print_exc(file=sys.stderr)
            # What is left to do where the answer had begun already: let the client see that it is not whole.
            if not entry["complete"]:
                vendor.drop(scope)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = self._vendor
        counts_refused = vendor.settings.rate_limit_counts_refused
        response = self._over_limit() if counts_refused else None
        response = response or vendor.check.refuse(scope)
        if response is None and not counts_refused:
            response = self._over_limit()
        if response is not None:
            await response(scope, receive, send)
            return
        app = self._compressed if vendor.settings.gzip and _accepts_gzip(scope) else self._plain
        await app(scope, receive, _with_headers(vendor.check.headers(), send))

    def _over_limit(self) -> Response | None:
        wait_s = self._vendor.limit.seconds_to_wait(time.monotonic())
        if not wait_s:
            return None
        response = self._vendor.refusal(429, "Too many requests.")
        if self._vendor.module.RATE[2]:
            response.headers["Ratelimit-Reset"] = str(int(wait_s) + 1)
        return response


def _accepts_gzip(scope: Scope) -> bool:
    """Whether Accept-Encoding names gzip with a weight above 0 (RFC 9110 12.5.3)."""
    for part in Headers(scope=scope).get("accept-encoding", "").lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False


def _entry(vendor: Vendor, scope: Scope) -> dict[str, Any]:
    headers = Headers(scope=scope)
    scheme, space, _ = headers.get("authorization", "").partition(" ")
    vendor.count += 1
    entry = {
        "seq": vendor.count,
        "time": time.time(),
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "status": None,
        "complete": False,
        # Without a space the whole value would be taken for a scheme, and a secret might stand in the log.
        "scheme": scheme if space else "malformed" if scheme else None,
        "user_agent": headers.get("user-agent"),
        "bytes_in": int(headers.get("content-length", 0)),
        "bytes_out": 0,
        "fault": None,
    }
    vendor.log.append(entry)
    return entry


def _counting(entry: dict[str, Any], receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Wrap both directions so that *entry* is right before the client sees a byte of the answer."""
    announced = entry["bytes_in"] > 0

    async def counting_receive() -> Message:
        message = await receive()
        if not announced:
            entry["bytes_in"] += len(message.get("body", b""))
        return message

    async def counting_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry["status"] = message["status"]
        else:
            entry["bytes_out"] += len(message.get("body", b""))
            entry["complete"] = not message.get("more_body", False)
        await send(message)

    return counting_receive, counting_send


def _with_headers(extra: list[tuple[bytes, bytes]], send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return sending if extra else send
