"""The local Pledg."""
from __future__ import annotations
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
VENDOR = "pledg"
AUTH = "per-route"
RATE = (100, 60, 0)
def refusal(status, reason): return JSONResponse({"error": {"type": "x", "debug": reason}}, status)
def identities(settings): return {}
def routes(settings, base_url, credentials):
    return []
