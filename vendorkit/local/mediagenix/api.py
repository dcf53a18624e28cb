"""
The mock server of Mediagenix On-Demand: its routes and errors.

Written from Mediagenix's documents. Read-only: every write is refused. Links to resources that the mock server does not
have are left out, so that every link has an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from vendorkit.local.mediagenix.data import Library
from vendorkit.local.mediagenix.events import Events
from vendorkit.local.mediagenix.media import Media
from vendorkit.local.mediagenix.metadata import metadata_table
from vendorkit.local.mediagenix.rights import Rights
from vendorkit.local.mediagenix.schedule import Scheduled
from vendorkit.local.mediagenix.tabled import Tabled
from vendorkit.local.mediagenix.titles import Editorial
from vendorkit.local.server.files import picture
from vendorkit.local.server.hypermedia_routes import error, hypermedia_routes, not_changeable
from vendorkit.local.server.nodes import Resource, Table

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

VENDOR: Final = "mediagenix"
AUTH: Final = "digest"
OPEN: Final = ("/files/",)  # served without credentials, as from another host
RATE: Final = (150, 30.0, 300.0)
"""Requests, window and ban in seconds (3.8)."""

refusal: Final = error
"""The vendor's error for requests that the server refuses before they reach a route."""

_ROOT: Final = (
    *("titles", "title_groups", "brands", "platforms", "licensors", "outlets", "assets", "images", "rights", "deals"),
    *("denied_rights", "requirements", "linear_channels", "events", "roles", "users", "teams", "permissions"),
    # inferred: the documents name these resources, not their links.
    *("franchises", "contributors", "credit_roles", "external_id_types", "content_promotions", "linear_program_groups"),
)


def routes(settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> list[Route]:
    """Return the routes of the API, below `/api`, without authentication and faults."""
    del credentials  # checked by the server
    return [*hypermedia_routes(settings, origin, _table(settings)), Route("/files/{path:path}", picture)]


def unknown(settings: Settings, action: str, records: list[str]) -> str:
    """Return which of *records* cannot be changed; "" if all can."""
    return not_changeable(settings, _table(settings), action, records)


def _table(settings: Settings) -> Table:
    library = Library(settings.seed, settings.titles)
    # The links of the root lead to whole collections, so none is expanded.
    root = Resource("movida", "", [], links=[(rel, f"/{rel}") for rel in _ROOT], plain=frozenset(_ROOT))
    table: Table = {"": lambda: root}
    events = Events(settings, library, table)
    table |= {"/events": events.collection, "/events/{id}": events.event}
    table |= Editorial(library).table() | Media(library).table() | Tabled(library, table).table()
    table |= Scheduled(library).table(table)
    table |= Rights(library).table(table)
    table |= metadata_table(library, table)
    return table
