"""The faults of a mock server: which one the next request gets, and what it does to the answer."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from vendorkit.local.server.settings import Settings
from vendorkit.local.server.vendor import Vendor
from vendorkit.local.server.whitespace import spaced

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]

SLOW_BYTE_S: Final = 0.15
GARBAGE: Final = b"\x16\x03\x01 this is no HTTP\r\n\r\n"
MAINTENANCE: Final = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
)


def choose(settings: Settings, number: int) -> str | None:
    """Return the fault for request *number*: the next of `fail_next`, or one drawn by the rates, or None."""
    if settings.fail_next:
        return settings.fail_next.pop(0) or None
    source = random.Random(f"{settings.seed}:{number}")  # equal runs have equal faults
    draw = source.random()
    rates = (
        ("drop", settings.drop_rate),
        ("truncate", settings.truncate_rate),
        (str(settings.status_code), settings.status_rate),
        (source.choice(settings.fault_kinds or [""]), settings.fault_rate),
    )
    for fault, rate in rates:
        if draw < rate:
            return fault or None
        draw -= rate
    return None


async def apply(  # noqa: PLR0917  three of ASGI, and three more
    fault: str, vendor: Vendor, answer: Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer the request with *fault*, one of those in the docstring of `Settings`."""
    name, _, argument = fault.partition(":")
    if name in ("drop", "garbage"):
        await _leave(vendor, scope, receive, final_bytes=GARBAGE if name == "garbage" else b"")
    elif name == "hang":
        await _until_gone(receive)
    elif name in ("truncate", "reset"):
        reset = name == "reset"
        await answer(scope, receive, _truncating(vendor, scope, send, int(argument) if argument else None, reset=reset))
        await _leave(vendor, scope, receive, reset=reset)
    elif name == "slow":
        await answer(scope, receive, _dripping(vendor, scope, send))
    elif name in ("gzip-cut", "gzip-sum"):
        await answer(scope, receive, _corrupting_gzip(send, _cut if name == "gzip-cut" else _wrong_sum))
    else:
        response = _instead(name, vendor, scope)
        await response(scope, receive, spaced(vendor.settings.json_whitespace, send))


def _instead(name: str, vendor: Vendor, scope: Scope) -> Response:
    """Return the answer that replaces the vendor's."""
    if name == "html":
        return HTMLResponse(MAINTENANCE)
    if name == "empty":
        return Response(b"", 200)
    if name == "redirect":
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        return RedirectResponse(f"https://localhost:{vendor.port}{target}", 302)
    return vendor.refusal(int(name), "This error was set by a switch of the mock server.")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _leave(vendor: Vendor, scope: Scope, receive: Receive, **how: Any) -> None:
    """Close the connection, and return once uvicorn has noticed: before that it would answer 500 itself."""
    vendor.drop(scope, **how)
    await _until_gone(receive)


def _truncating(vendor: Vendor, scope: Scope, send: Send, limit: int | None, *, reset: bool) -> Send:
    """Send the headers and the first *limit* bytes of the body (None: half of its first piece); then close."""
    left: list[int | None] = [limit]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            return
        body = message.get("body", b"")
        allowed = len(body) // 2 if left[0] is None else left[0]
        if vendor.connected(scope):
            await send({"type": "http.response.body", "body": body[:allowed], "more_body": True})
        left[0] = max(0, allowed - len(body)) if left[0] is not None else 0
        if not left[0]:
            vendor.drop(scope, reset=reset)

    return sending


def _dripping(vendor: Vendor, scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] == "http.response.body":
            for index in range(len(body)):
                if not vendor.connected(scope):
                    return
                await send({"type": "http.response.body", "body": body[index : index + 1], "more_body": True})
                await asyncio.sleep(SLOW_BYTE_S)
            message = {**message, "body": b""}
        await send(message)

    return sending


def _cut(whole: bytes) -> bytes:
    return whole[: max(1, len(whole) * 3 // 5)]


def _wrong_sum(whole: bytes) -> bytes:
    return whole[:-8] + bytes(byte ^ 0xFF for byte in whole[-8:-4]) + whole[-4:]


def _corrupting_gzip(send: Send, corrupt: Callable[[bytes], bytes]) -> Send:
    """Compress the first piece of the body, corrupt the result, and send that with its right Content-Length."""
    start: dict[str, Any] = {}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        if not start or (not message.get("body") and message.get("more_body")):
            return
        headers = dict(start.pop("headers"))
        body = message.get("body", b"")
        whole = body if headers.get(b"content-encoding") == b"gzip" else gzip.compress(body, 1)
        corrupted = corrupt(whole)
        headers |= {b"content-encoding": b"gzip", b"content-length": str(len(corrupted)).encode()}
        await send({**start, "headers": list(headers.items())})
        await send({"type": "http.response.body", "body": corrupted})
        start.clear()

    return sending
