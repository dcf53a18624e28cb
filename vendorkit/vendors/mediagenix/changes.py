"""
What changed at Mediagenix: the feed of events names it, and each changed record is fetched at its own address.

The feed is asked for what is newer than an event's id. How long events are kept is not documented, so that it is asked
for one event more, the last one known: where that is gone, others may be gone with it. Events that are a few minutes
old at most are read again the next time, should one with a lower id come late (inferred). Facts as of 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from vendorkit.errors import MalformedAnswer, NotFound
from vendorkit.frames import Page, Schema
from vendorkit.http.answers import answered_at, json_object
from vendorkit.http.call import Call
from vendorkit.pages import P, Reader, T, read_records, side_by_side
from vendorkit.query import Query, Since, Span
from vendorkit.vendors.client import Client
from vendorkit.vendors.mediagenix.paging import Linked

LATE_S: Final = 300
_EVENTS: Final = "/api/events"


@dataclass(frozen=True)
class Fed(Linked):
    """
    A collection whose changes the feed tells; see `vendorkit.resource.Telling`.

    Attributes:
        tells: Filter name to the link by which a record itself says whether it is below that parent.
    """

    tells: Mapping[str, str] = field(default_factory=dict)

    def untold(self, query: Query) -> str | None:
        """Return what the events or the changed records do not say."""
        name = query.resource.name
        if query.url is not None:
            return f"The feed tells which {name} changed, but not which of them a followed link leads to."
        if embedded := [rel for rel in query.expand if rel != "metadata"]:
            return f"The feed tells which {name} changed, but not whether their {embedded[0]} did."
        if unknown := [wire for wire in query.filters if wire not in self.tells]:
            return f"Changed {name} do not say whether they match {unknown[0]}=."
        return None

    def mark(self, query: Query) -> Since | None:
        """Return the last event that is settled; None where there is none."""
        response = query.client.session.send(Call("GET", _EVENTS))
        title = query.client.title
        events = read_records(json_object(response.content, title), "entries", f"{title}: events").records
        settled = [event for event in events if _moment(event) <= answered_at(response) - LATE_S]
        return Since(_id((settled[-1:] or events[:1])[0]), place=True) if events else None

    def touched(self, query: Query) -> Iterator[str]:
        """Yield the ids of the records that events since then are about, each once."""
        path = re.escape(query.resource.path) + r"/([0-9]+)(/.*)?"
        seen = set[str]()
        for event in _events(query):
            # The metadata of a record are below its own address (inferred).
            found = re.fullmatch(
                path, _read(event.get("subject_link"), lambda link: urlsplit(link or "").path, "subject")
            )
            if found and found[1] not in seen:
                seen.add(found[1])
                yield found[1]

    def first_call(self, query: Query) -> Call:
        """GET the collection; for changes, the feed."""
        if query.since is None:
            return super().first_call(query)
        return Call("GET", _EVENTS, params={"newer_than": query.since.at - 1 if query.since.place else 0})

    def pages(self, query: Query, reader: Reader[P], limit: int | None, after: Any = None) -> Iterator[P]:
        """Yield the pages of the collection, or the changed records, one a page."""
        if query.since is None:
            yield from super().pages(query, reader, limit, after)
            return
        parents = [(f"{self.tells[wire]}_link", f"/api/{wire}s/{id_}") for wire, id_ in query.filters.items()]
        link = super().reader(_one(query, "0"), query.schema.project([name for name, _ in parents] or None))

        def fetch(identifier: str) -> bytes | None:
            try:
                return query.client.session.send(self._call(_one(query, identifier), 1)).content
            except NotFound:  # deleted since
                return None

        for body in side_by_side(fetch, self.touched(query)):
            if body is None:
                continue
            record = link.read(body).table if parents else None
            if record is None or all(urlsplit(record[name][0].as_py() or "").path == path for name, path in parents):
                yield reader.read(body)

    def ranges(self, query: Query, parts: int) -> list[Span]:
        """Plan ranges of pages; none for changes."""
        return super().ranges(query, parts) if query.since is None else []

    def count(self, query: Query) -> int | None:
        """Ask for a page of one record and read its total; None for changes."""
        return super().count(query) if query.since is None else None

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Read the form that was asked for; a changed record stands alone."""
        return super().reader(query if query.since is None else _one(query, "0"), schema)


def _one(query: Query, identifier: str) -> Query:
    """Return the query for one record at its own address."""
    return replace(query, url=f"{query.resource.path}/{identifier}", filters={}, since=None)


def _events(query: Query) -> Iterator[Mapping[str, Any]]:
    """Yield the events after the place, or from the moment on; `NotFound` where the feed does not reach back there."""
    since, client = query.since, query.client
    assert since is not None  # noqa: S101 - asked for changes alone
    place = since.at if since.place else _place(client, since.at)
    if place is None:
        return
    events = _newer(client, place - 1)
    known = next(events, None)
    if known is None or _id(known) != place:
        what = f"The feed of {client.title} does not reach back to event {place} any more."
        raise NotFound(what, remedy="Pull all; a saved dataset is deleted and saved again.")
    yield from events


def _newer(client: Client, place: int, limit: int | None = None) -> Iterator[dict[str, Any]]:
    return iter(client.events.query(newer_than=place, accept="json").records(limit=limit))


def _place(client: Client, moment: int) -> int | None:
    """Return the id of the last event before *moment*, by halves; None where there are no events."""
    newest = list(client.events.query(accept="json").records())[-1:]
    oldest = next(_newer(client, 0, 1), None)
    if oldest is None or not newest:
        return None
    if _moment(oldest) >= moment:
        what = f"The feed of {client.title} begins at {oldest['timestamp']}, after the moment asked for."
        raise NotFound(what, remedy="Ask for a later moment, or pull all.")
    if _moment(newest[0]) < moment:
        return _id(newest[0])
    before, after = _id(oldest), _id(newest[0])
    while before + 1 < after:
        middle = (before + after) // 2
        found = next(_newer(client, middle - 1, 1), None)
        if found is not None and _moment(found) < moment:
            before = _id(found)
        else:
            after = middle
    return before


def _id(event: Mapping[str, Any]) -> int:
    return _read(event.get("id"), int, "id")


def _moment(event: Mapping[str, Any]) -> float:
    return _read(
        event.get("timestamp"), lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp(), "time"
    )


def _read(value: Any, read: Callable[[Any], T], name: str) -> T:
    try:
        return read(value)
    except (TypeError, ValueError, AttributeError) as exc:
        what = f"An event of the feed has no {name} that can be read."
        raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.") from exc
