"""
The local Mediagenix On-Demand: routes, and the vendor's ways of refusing.

Written from Mediagenix's documents. Reading only: every write is refused. Links to
resources that are not offered here are left out, so that each link leads somewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from vendorkit.local.mediagenix.data import Library
from vendorkit.local.mediagenix.events import Events
from vendorkit.local.mediagenix.media import Media
from vendorkit.local.mediagenix.metadata import metadata_table
from vendorkit.local.mediagenix.rights import Rights
from vendorkit.local.mediagenix.schedule import Scheduled
from vendorkit.local.mediagenix.titles import Editorial
from vendorkit.local.server.hypermedia import Node, Resource
from vendorkit.local.server.hypermedia_routes import error, hypermedia_routes

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from vendorkit.local.server.settings import Settings

VENDOR: Final = "mediagenix"
AUTH: Final = "digest"
RATE: Final = (150, 30.0, 300.0)
"""Requests, window and ban in seconds (3.8)."""

_ROOT: Final = (
    *("titles", "title_groups", "brands", "platforms", "licensors", "outlets", "assets", "images", "rights", "deals"),
    *("denied_rights", "requirements", "linear_channels", "events"),
)


def routes(settings: Settings, base_url: Callable[[], str], credentials: Mapping[str, str]) -> list[Route]:
    """The API below `/api`. Authentication and faults are put around it by the server."""
    del credentials  # checked by the server
    return hypermedia_routes(settings, base_url, _table(settings))


def refusal(status: int, reason: str) -> Response:
    """The vendor's error body for what the server refuses by itself."""
    return error(status, reason)


def _table(settings: Settings) -> dict[str, Callable[..., Node | None]]:
    library = Library(settings.seed, settings.titles)
    # Whole collections hang below the root, so none of its links expands.
    root = Resource("movida", "", [], links=[(rel, f"/{rel}") for rel in _ROOT], plain=frozenset(_ROOT))
    events = Events(settings, library)
    table: dict[str, Callable[..., Node | None]] = {
        "": lambda: root,
        "/events": events.collection,
        "/events/{id}": events.event,
    }
    table |= Editorial(library).table()
    table |= Media(library).table()
    table |= Rights(library).table(table)
    table |= Scheduled(library).table(table)
    return table | metadata_table(library, table)
