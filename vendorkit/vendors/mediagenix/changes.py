"""
Changes at Mediagenix: the event feed names the changed records, and each one is fetched by its path.

The feed is queried for events newer than an event's id. The documents do not say how long events are kept, so the query
also includes the last known event: if that is missing, later events may be missing too. Events that are at most a few
minutes old are read again the next time, because an event with a lower id may appear later (inferred).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from vendorkit.ask import Ask, Since
from vendorkit.errors import MalformedAnswer, NotFound
from vendorkit.frames import Page, page_of
from vendorkit.http.call import Call
from vendorkit.resource import NEXT, Accept, Changes, Cost, Flow
from vendorkit.vendors.mediagenix.paging import PAGES, PER_PAGE, Linked, stop_counting

T = TypeVar("T")
LATE_S: Final = 300
_EVENTS: Final = "/api/events"
Event = Mapping[str, Any]


@dataclass(frozen=True)
class EventFed(Linked):
    """
    A collection whose changes the feed reports. With `since`: the changed records, one per page.

    Attributes:
        parent_links: Filter name to the record's link to that parent, which tells whether the record matches.
    """

    parent_links: Mapping[str, str] = field(default_factory=dict)

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept the pages of the collection, or the changed records, one per page."""
        if ask.since is None:
            yield from super().pages(ask, cursor)
            return
        identifiers = yield from changed(self.path, ask.since)
        yield [self.call(replace(ask, filters={}, since=None, url=f"{self.path}/{id_}")) for id_ in identifiers]
        parents = [(f"{self.parent_links[wire]}_link", f"/api/{wire}s/{id_}") for wire, id_ in ask.filters.items()]
        for _ in identifiers:
            try:
                page = yield NEXT
            except NotFound:  # the record was deleted
                continue
            if all(urlsplit(str(page.values(name)[0] or "")).path == path for name, path in parents):
                yield Accept(page)

    def split(self, ask: Ask, parts: int) -> Flow[list[Ask]]:
        """Plan ranges of pages. Changes are not divided."""
        return [ask] if ask.since is not None else (yield from super().split(ask, parts))

    def count(self, ask: Ask) -> Flow[int | None]:
        """Read the total from a page of one record; None for changes."""
        return None if ask.since is not None else (yield from super().count(ask))

    def cost(self, ask: Ask, rows: int) -> Cost:
        """Count the pages. Changes take one request per record, and a few for the feed."""
        if ask.since is None:
            return super().cost(ask, rows)
        return Cost(rows + 1 + -(-rows // PER_PAGE), "events", "changed records are fetched one by one")


@dataclass(frozen=True)
class FeedChanges(Changes):
    """
    Changes of a collection, as reported by the event feed.

    Attributes:
        paging: The paging of the collection.
    """

    paging: EventFed

    def why_not_incremental(self, ask: Ask) -> str | None:
        """Return which part of *ask* neither the events nor the changed records can decide; None if they can."""
        name = self.paging.name
        if ask.url is not None:
            return f"The feed reports which {name} changed, but not which of them belong to a followed link."
        if embedded := [rel for rel in ask.expand if rel != "metadata"]:
            return f"The feed reports which {name} changed, but not whether their {embedded[0]} did."
        if unknown := [wire for wire in ask.filters if wire not in self.paging.parent_links]:
            return f"The feed does not report whether changed {name} match {unknown[0]}=."
        return None

    def position(self, ask: Ask) -> Flow[Since | None]:  # noqa: ARG002
        """Return the last event that is more than a few minutes old; None if the feed is empty."""
        page = yield Call("GET", _EVENTS, records="entries")
        events, now = page.records(), page.at if page.at is not None else time.time()
        settled = [event for event in events if _moment(event) <= now - LATE_S]
        return Since(_id((settled[-1:] or events[:1])[0]), is_event_id=True) if events else None

    def came_since(self, ask: Ask, at: float) -> Flow[list[str]]:  # noqa: ARG002
        """Return the ids of events that report a new record, among the last events, which one response contains."""
        subject, event_ids = re.compile(re.escape(self.paging.path) + r"/[0-9]+"), []
        for event in (yield Call("GET", _EVENTS, records="entries")).records():
            is_new = str(event.get("event_type")).endswith("_created") and _moment(event) >= int(at)
            if is_new and _read(event, "subject_link", lambda link: subject.fullmatch(urlsplit(link or "").path)):
                event_ids.append(str(_id(event)))
        return event_ids

    def changed_ids(self, ask: Ask) -> Flow[None]:
        """Accept the ids of the records that changed since then, each once."""
        assert ask.since is not None  # noqa: S101 - called for changes only
        identifiers = yield from changed(self.paging.path, ask.since)
        yield Accept(page_of([{"id": identifier} for identifier in identifiers]))

    def keys(self, page: Page) -> list[str]:
        """Return the ids."""
        return [str(identifier) for identifier in page.values("id")]


def changed(path: str, since: Since) -> Flow[list[str]]:
    """
    Return the ids of the records below *path* that changed according to the events since then, each once.

    Raises:
        NotFound: The feed no longer has the events since then.
    """
    # The path of a record's metadata begins with the record's path (inferred).
    subject = re.compile(re.escape(path) + r"/([0-9]+)(/.*)?")
    identifiers: dict[str, None] = {}
    for event in (yield from _events_since(since)):
        if match := subject.fullmatch(_read(event, "subject_link", lambda link: urlsplit(link or "").path)):
            identifiers[match[1]] = None
    return list(identifiers)


def _events_since(since: Since) -> Flow[list[Event]]:
    """Return the events after an event, or since a moment."""
    event_id = since.at if since.is_event_id else (yield from _event_before(since.at))
    if event_id is None:
        return []
    events, after = list[Event](), event_id - 1
    for _ in range(PAGES):
        batch = yield from _newer(after)
        events += batch
        if not batch or _id(batch[-1]) <= after:
            break  # the end, or the feed repeats itself
        after = _id(batch[-1])
    else:
        stop_counting("events")
    if not events or _id(events[0]) != event_id:
        what = f"The event feed no longer includes event {event_id}."
        raise NotFound(what, remedy="Query without since=; delete a saved dataset and save it again.")
    return events[1:]


def _newer(event_id: int, limit: int = PER_PAGE) -> Flow[list[Event]]:
    params = {"newer_than": event_id, "per_page": limit, "pagination": "true"}
    return (yield Call("GET", _EVENTS, params=params, records="entries")).records()  # type: ignore[no-any-return]


def _event_before(moment: int) -> Flow[int | None]:
    """Return the id of the last event before *moment*, by bisection; None if there are no events."""
    newest = (yield Call("GET", _EVENTS, records="entries")).records()[-1:]
    oldest = yield from _newer(0, 1)
    if not oldest or not newest:
        return None
    if _moment(oldest[0]) >= moment:
        what = f"The event feed begins at {oldest[0]['timestamp']}, after the requested time."
        raise NotFound(what, remedy="Give a later time, or query without since=.")
    before, after = _id(oldest[0]), _id(newest[0]) + 1
    while before + 1 < after:
        middle = (before + after) // 2
        found = yield from _newer(middle - 1, 1)
        if found and _moment(found[0]) < moment:
            before = _id(found[0])
        else:
            after = middle
    return before


def _id(event: Event) -> int:
    return _read(event, "id", int)


def _moment(event: Event) -> float:
    return _read(event, "timestamp", lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def _read(event: Event, name: str, read: Callable[[Any], T]) -> T:
    try:
        return read(event.get(name))
    except (TypeError, ValueError, AttributeError) as exc:
        what = f"An event of the feed has no valid {name}."
        raise MalformedAnswer(what, remedy="Try again; if the error persists, report it to the vendor.") from exc
