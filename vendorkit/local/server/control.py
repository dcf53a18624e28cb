"""Control calls, below `/__local__/`: the process that started a mock server reads its log and sets its switches."""

from __future__ import annotations

import dataclasses
import hmac
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from vendorkit.local.server.vendor import Vendor

RATE_SWITCHES: Final = {"rate_limit", "rate_limit_requests", "rate_limit_window_s", "rate_limit_ban_s"}


async def answer(vendor: Vendor, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one control call; without the right token the answer is 403."""
    request = Request(scope, receive)
    given = request.headers.get("x-local-control", "")
    if not hmac.compare_digest(given.encode(), vendor.control_token.encode()):
        await PlainTextResponse("Only for the process that started the mock servers.\n", 403)(scope, receive, send)
        return
    action = scope["path"].rsplit("/", 1)[-1]
    arguments = await request.json()
    await JSONResponse(_act(vendor, action, arguments))(scope, receive, send)


def _act(vendor: Vendor, action: str, arguments: dict[str, Any]) -> Any:
    """Do *action*; the caller, `vendorkit.local.server.process`, has checked names and types."""
    if action == "log":
        return list(vendor.log)
    if action == "count":
        return vendor.count
    if action == "clear_log":
        vendor.log.clear()
        vendor.count = 0
    elif action == "get_settings":
        return dataclasses.asdict(vendor.settings)
    elif action == "set":
        for name, value in arguments.items():
            setattr(vendor.settings, name, value)
        if arguments.keys() & RATE_SWITCHES:
            vendor.limit.clear()
    elif action == "change":
        return _change(vendor, arguments)
    elif action == "expire_now":
        vendor.settings.expirations += 1
    return None


def _change(vendor: Vendor, arguments: dict[str, Any]) -> str:
    """Change the records; return which of them cannot be, and then change none."""
    refused: str = vendor.module.unknown(vendor.settings, arguments["action"], arguments["records"])
    if not refused:
        now, records = int(time.time()), arguments["records"] or [""]
        changes = [{"action": arguments["action"], "record": one, "at": now} for one in records]
        vendor.settings.changes = [*vendor.settings.changes, *changes]
    return refused
