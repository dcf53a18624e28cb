"""
The mock server of Mediagenix On-Demand, written from Mediagenix's documents.

Links to resources that the mock server does not have are left out, so that every link has an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from starlette.routing import Route

from vendorkit.local.mediagenix.library import Library
from vendorkit.local.mediagenix.product import Product
from vendorkit.local.mediagenix.routes import error
from vendorkit.local.server.files import picture
from vendorkit.local.server.settings import Settings

VENDOR: Final = "mediagenix"
AUTH: Final = "digest"
OPEN: Final = ("/files/",)  # served without credentials, as from another host
RATE: Final = (150, 30.0, 300.0)
"""Requests, window and ban in seconds (3.8)."""

refusal: Final = error
"""The vendor's error for requests that the server refuses before they reach a route."""


def _product(settings: Settings) -> Product:
    return Product(settings, Library(settings.seed, settings.titles), "on_demand.json")


def routes(settings: Settings, origin: Callable[..., str], _credentials: Mapping[str, str]) -> list[Route]:
    """Return the routes of the API, below `/api`, without authentication and faults."""
    return [*_product(settings).routes(origin), Route("/files/{path:path}", picture)]


def unknown(settings: Settings, action: str, records: list[str]) -> str:
    """Return which of *records* cannot be changed; "" if all can."""
    return _product(settings).unknown(action, records)
