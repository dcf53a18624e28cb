"""Ids by names: a filter that takes an id of another resource finds it by some letters of its name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from vendorkit.ask import Filter
from vendorkit.errors import VendorkitError
from vendorkit.pull import progress_to
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.bound import search_filter
from vendorkit.vendors.client import Client

Found = list[tuple[str, str]]  # what people read, and the id
LETTERS: Final = 3
_PAUSE_S: Final = 0.3  # after the last letter
_SHOWN: Final = 10
_RESERVE: Final = 10  # requests of the rate budget that are left for what somebody sends
_MANY: Final = 10**6


class Lookup:
    """
    Finds records by name, some time after the last letter and in a thread; what was found once is kept.

    Args:
        client: The vendor.
    """

    def __init__(self, client: Client) -> None:
        self._client, self._kept = client, dict[tuple[str, str], Found]()
        self._timer = threading.Timer(0, lambda: None)

    def resource(self, of: Resource, declared: Filter) -> Resource | None:
        """Return the resource whose ids a filter of the resource *of* takes, if it can be searched in one request."""
        other: Resource | None = getattr(self._client, of.name).identified(declared)
        if other is None or search_filter(other):
            return other
        with suppress(VendorkitError):  # some are only listed below a parent
            return other if other.paging.cost(self._query(other, "").ask, _MANY).requests == 1 else None
        return None

    def later(self, resource: Resource, text: str, show: Callable[[Found | VendorkitError], None]) -> None:
        """Search for *text* unless another one is typed before, and give *show* what was found."""
        self._timer.cancel()
        if len(text) >= LETTERS:
            self._timer = threading.Timer(_PAUSE_S, lambda: show(self.find(resource, text)))
            self._timer.daemon = True
            self._timer.start()

    def join(self) -> None:
        """Wait for what was searched for last."""
        if self._timer.ident is not None:
            self._timer.join(10)

    def find(self, resource: Resource, text: str) -> Found | VendorkitError:
        """Return the records whose name has *text* in it, a few at most; none if the rate budget is nearly used up."""
        searched = text.casefold() if search_filter(resource) else ""
        key, left = (resource.name, searched), self._client.session.budget.left()
        if key not in self._kept and (left is None or left > _RESERVE):
            try:
                with progress_to(lambda _: None):  # and no bar in the output
                    records = list(self._query(resource, searched).records(limit=_SHOWN if searched else None))
            except VendorkitError as exc:
                return exc
            self._kept[key] = [(_name(one), str(one.get("id", ""))) for one in records]
        found = [one for one in self._kept.get(key, []) if text.casefold() in one[0].casefold() or searched]
        return [(f"{name} ({key})", key) for name, key in found[:_SHOWN] if key]

    def _query(self, resource: Resource, text: str) -> Query:
        name = search_filter(resource)
        query: Query = getattr(self._client, resource.name).query(**({name: text} if name and text else {}))
        return query


def _name(record: dict[str, Any]) -> str:
    """Return the name of a record; of one with a name per language all of them, each once."""
    name = record.get("name")
    texts = name.values() if isinstance(name, dict) else [name]
    return " / ".join(dict.fromkeys(str(text) for text in texts if text))
