"""The whitespace between the tokens of JSON answers, by the switch `json_whitespace`."""

from __future__ import annotations

import json
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

# A string has no raw line feed in JSON, so every "\n" is between tokens.
_FORMS: Final = {"pretty": ("  ", "\n"), "crlf": ("\t", "\r\n")}


def spaced(whitespace: str, send: Send) -> Send:
    """Return *send* with JSON bodies in the form *whitespace*; other answers, such as NDJSON, are not changed."""
    if whitespace == "compact":
        return send
    indent, line_end = _FORMS[whitespace]
    held: list[Message] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            if MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("application/json"):
                held.append(message)
                return
        elif held:  # every JSON answer has one body message
            value = json.loads(message["body"])
            body = json.dumps(value, ensure_ascii=False, indent=indent).replace("\n", line_end).encode()
            start = held.pop()
            MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
            await send(start)
            message = {**message, "body": body}
        await send(message)

    return sending
