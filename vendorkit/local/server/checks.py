"""
The ASGI application of a mock server: its routes, and the log, faults, limits and checks around them.

Everything works on ASGI messages, so streams stay streams. In order: control calls, the log, the fault (if there is
one), the delay, the rate limit, the authentication, the routes.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
import traceback
from difflib import get_close_matches
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vendorkit.local.server import faults
from vendorkit.local.server.api import weights
from vendorkit.local.server.vendor import Vendor, control

MIN_GZIP_BYTES: Final = 500  # compressing a smaller body costs more than it saves


def application(vendor: Vendor) -> ASGIApp:
    """Return the ASGI application of *vendor*: its routes with all checks around them."""
    return _Checks(vendor, routed(vendor))


def routed(vendor: Vendor) -> Starlette:
    """Return the vendor's routes, with errors in the vendor's format. A handler refuses by raising HTTPException."""
    routes = vendor.api.routes()
    paths = sorted({route.path for route in routes})

    def on_error(request: Request, exc: Exception) -> Response:
        status, detail = getattr(exc, "status_code", 500), getattr(exc, "detail", "")
        path, headers = request.url.path, getattr(exc, "headers", None) or {}
        near = ", ".join(get_close_matches(path[:200], paths, 3, 0))
        defaults = {
            404: f"Unknown path {path}. This mock server has {near} and others.",
            405: f"{path} takes {headers.get('Allow')}, not {request.method}.",
            500: f"The mock server failed at {path}: {exc!r}",
        }
        is_specific = detail not in ("", "Not Found", "Method Not Allowed")
        response = vendor.refusal(status, detail if is_specific else defaults[status], exc)
        response.headers.update(headers)
        return response

    inner = Starlette(routes=routes, exception_handlers={HTTPException: on_error, Exception: on_error})
    inner.router.redirect_slashes = False  # no vendor is known to send these redirects
    return inner


class _Checks:
    """The ASGI application that receives every request to one mock server."""

    def __init__(self, vendor: Vendor, inner: ASGIApp) -> None:
        self._vendor, self._inner = vendor, inner
        self._compressed = GZipMiddleware(inner, minimum_size=MIN_GZIP_BYTES, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = self._vendor
        if scope["path"].startswith("/__local__/"):
            await control(vendor, scope, receive, send)
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
        except Exception:  # noqa: BLE001  any failure of a route is reported to both the parent process and the client
            traceback.print_exc(file=sys.stderr)
            # Once the answer has begun, only a closed connection shows the client that it is incomplete.
            if not entry["complete"]:
                vendor.drop(scope)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = self._vendor
        checks = (self._over_limit, vendor.check.refuse)
        first, second = checks if vendor.settings.rate_limit_counts_refused else checks[::-1]
        if response := first(scope) or second(scope):
            await response(scope, receive, send)
            return
        accepted = weights(Headers(scope=scope).get("accept-encoding", ""))
        app = self._compressed if vendor.settings.gzip and accepted.get("gzip") else self._inner
        await app(scope, receive, _with_headers(vendor.check.headers(), send))

    def _over_limit(self, _scope: Scope) -> Response | None:
        wait_s = self._vendor.limit.seconds_to_wait(time.monotonic())
        if not wait_s:
            return None
        response = self._vendor.refusal(429, "Too many requests.")
        if self._vendor.api.RATE[2]:
            response.headers["Ratelimit-Reset"] = str(int(wait_s) + 1)
        return response


def _entry(vendor: Vendor, scope: Scope) -> dict[str, Any]:
    headers = Headers(scope=scope)
    scheme, space, rest = headers.get("authorization", "").partition(" ")
    vendor.count += 1
    entry = {
        "seq": vendor.count,
        "time": time.time(),
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "status": None,
        "complete": False,
        # Without a space the value is not a scheme; it might be a secret, which must not be logged.
        "scheme": scheme if space else "malformed" if scheme else None,
        "nonce": " ".join(re.findall(r'\b(?:nonce="[^"]*"|nc=\w+)', space and rest)) or None,
        "user_agent": headers.get("user-agent"),
        "bytes_in": int(headers.get("content-length", 0)),
        "bytes_out": 0,
        "fault": None,
    }
    vendor.log.append(entry)
    return entry


def _counting(entry: dict[str, Any], receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Wrap both callables so that *entry* is up to date before the client receives any byte of the answer."""
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
