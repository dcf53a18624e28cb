"""Files that the mock servers link to, as a CDN answers them: on another host, to anybody, never with credentials."""

from __future__ import annotations

import base64
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

# One grey pixel.
_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


async def picture(request: Request) -> Response:
    """Answer an image; 400 to credentials, which have no business here."""
    if "authorization" in request.headers:
        return PlainTextResponse("Files need no credentials.\n", 400)
    return Response(_PNG, media_type="image/png")
