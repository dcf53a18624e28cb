"""One product of Mediagenix: the records of its table, its root and its events."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.routing import Route

from vendorkit.local.mediagenix.events import Events
from vendorkit.local.mediagenix.nodes import Resource, Table
from vendorkit.local.mediagenix.routes import Endpoint, not_changeable
from vendorkit.local.mediagenix.tables import Tables
from vendorkit.local.server.settings import Settings


class Product:
    """
    A mock server's records.

    Args:
        settings: Read at each request.
        library: The facts of its records.
        file: The name of its table: `root` has its name and links, `events` the kinds of events, `records` the rest.
    """

    def __init__(self, settings: Settings, library: Any, file: str) -> None:
        self._settings = settings
        data = json.loads(Path(__file__).with_name(file).read_text("utf-8"))
        ((name, rels),) = data["root"].items()
        # The links of the root lead to whole collections, so none is expanded.
        root = Resource(name, "", [], links=[(rel, f"/{rel}") for rel in rels], plain=frozenset(rels))
        self._tables = Tables(data["records"], library)
        events = Events(settings, library, self._tables, data["events"])
        self._table: Table = {"": lambda: root, "/events": events.collection, "/events/{id}": events.event}
        self._table |= self._tables.patterns()

    def routes(self, origin: Callable[..., str]) -> list[Route]:
        """Return the routes, below `/api`."""
        return Endpoint(self._settings, origin, self._table, self._tables.example).routes()

    def unknown(self, action: str, records: Sequence[str]) -> str:
        """Return which of *records* cannot be changed; "" if all can."""
        return not_changeable(self._settings, self._table, action, records)
