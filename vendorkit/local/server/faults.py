"""The faults that switches put in place of answers."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from vendorkit.local.server.api import target_of
from vendorkit.local.server.settings import Settings
from vendorkit.local.server.vendor import Vendor

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]

SLOW_BYTE_S: Final = 0.15
GARBAGE: Final = b"\x16\x03\x01 this is no HTTP\r\n\r\n"
MAINTENANCE: Final = "<!DOCTYPE html><title>Maintenance</title><h1>We will be back soon</h1>"


def choose(settings: Settings, number: int) -> str | None:
    """Return the fault for request *number*: the next of `fail_next`, a random one (`fault_rate`), or None."""
    if settings.fail_next:
        return settings.fail_next.pop(0) or None
    rng = random.Random(f"{settings.seed}:{number}")  # equal runs have equal faults
    is_hit = rng.random() < settings.fault_rate
    return rng.choice(settings.fault_kinds) if is_hit and settings.fault_kinds else None


async def apply(fault: str, vendor: Vendor, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917
    """Answer the request with *fault*; the docstring of `Settings` lists them."""
    name, _, argument = fault.partition(":")
    if name in ("drop", "garbage"):
        await _disconnect(vendor, scope, receive, final_bytes=GARBAGE if name == "garbage" else b"")
    elif name == "hang":
        await _wait_for_disconnect(receive)
    elif name in ("truncate", "reset"):
        start, body = await _collect(answer, scope, receive)
        part = body[: int(argument) if argument else len(body) // 2]
        await send(start)
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await _disconnect(vendor, scope, receive, reset=name == "reset")
    elif name == "slow":
        start, body = await _collect(answer, scope, receive)
        await send(start)
        for index in range(len(body)):
            if not vendor.connected(scope):
                return
            await send({"type": "http.response.body", "body": body[index : index + 1], "more_body": True})
            await asyncio.sleep(SLOW_BYTE_S)
        await send({"type": "http.response.body", "body": b""})
    elif name in ("gzip-cut", "gzip-sum"):
        await _send_corrupted(name, *await _collect(answer, scope, receive), send)
    else:
        response = _replacement(name, vendor, scope)
        await response(scope, receive, send)


async def _collect(answer: Answer, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Return the first message and the whole body of the vendor's answer."""
    messages: list[Message] = []

    async def collect(message: Message) -> None:
        messages.append(message)

    await answer(scope, receive, collect)
    return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


async def _send_corrupted(name: str, start: Message, body: bytes, send: Send) -> None:
    """Send the body gzipped and corrupted, with a correct Content-Length."""
    headers = dict(start["headers"])
    whole = body if headers.get(b"content-encoding") == b"gzip" else gzip.compress(body, 1)
    cut, wrong_sum = whole[: max(1, len(whole) * 3 // 5)], bytes(byte ^ 0xFF for byte in whole[-8:-4])
    corrupted = cut if name == "gzip-cut" else whole[:-8] + wrong_sum + whole[-4:]
    headers |= {b"content-encoding": b"gzip", b"content-length": str(len(corrupted)).encode()}
    await send({**start, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": corrupted})


def _replacement(name: str, vendor: Vendor, scope: Scope) -> Response:
    """Return the response to send instead of the vendor's."""
    if name == "html":
        return HTMLResponse(MAINTENANCE)
    if name == "empty":
        return Response(b"", 200)
    if name == "redirect":
        return RedirectResponse(f"https://localhost:{vendor.port}{target_of(scope)}", 302)
    return vendor.refusal(int(name), "This error was set by a switch of the mock server.")


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _disconnect(vendor: Vendor, scope: Scope, receive: Receive, **how: Any) -> None:
    """Close the connection and wait until uvicorn has noticed; if not, it would answer with 500 itself."""
    vendor.drop(scope, **how)
    await _wait_for_disconnect(receive)
