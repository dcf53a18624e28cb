"""The event feed of a Mediagenix product (Mediagenix's documents)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import Any, Final

from vendorkit.local.mediagenix.answers import Attribute, Collection, Resource
from vendorkit.local.mediagenix.changes import DONE, kind_and_id, subject
from vendorkit.local.mediagenix.numbers import day
from vendorkit.local.mediagenix.tables import Tables
from vendorkit.local.server.settings import Settings

BATCH: Final = 50
Kind = Sequence[Any]
"""Event type, plural of the subject, changed fields (None unless it is an update)."""


class Events:
    """Builds events, whose ids rise with gaps; each change since the start has one, at the end."""

    def __init__(self, settings: Settings, library: Any, tables: Tables, kinds: Sequence[Kind]) -> None:
        self._settings, self._library, self._tables, self._kinds = settings, library, tables, kinds
        self._count = max(120, settings.titles)

    def collection(self) -> Collection:
        """Return the feed: the last 50 events, or the first 50 after `newer_than`; `event_type` filters."""
        return Collection("events", [], self.event, "none", self._select)

    def _id(self, index: int) -> int:
        return int(3 * index + 1 + self._library.scatter(index, 60) % 3)

    @property
    def _kept(self) -> range:
        last = self._count + len(self._settings.changes)
        kept = self._settings.events_kept
        return range(0 if kept is None else max(0, last - kept), last)

    def _kind(self, index: int) -> Kind:
        if index < self._count:
            return self._kinds[self._library.scatter(index, 61) % len(self._kinds)]
        number = index - self._count
        change, plural = self._settings.changes[number], kind_and_id(subject(self._settings.changes, number))[0]
        name, changed = plural.removesuffix("s"), change.get("fields", {"external-id": ""})
        if "document" in change:
            prefix = f"{name}-" if self._settings.metadata_prefix else ""
            name, changed = f"{name}_metadata", [prefix + field for field in change["document"]]
        fields = ",".join(changed).replace("_", "-")
        return f"{name}_{DONE[change['action']]}", plural, fields if change["action"] == "edit" else None

    def _select(self, query: Mapping[str, str]) -> list[int]:
        types = set(query["event_type"].split(",")) if "event_type" in query else None

        def first(indexes: Sequence[int], after: int = 0) -> list[int]:
            wanted = (self._id(e) for e in indexes if types is None or self._kind(e)[0] in types)
            return [*islice((id_ for id_ in wanted if id_ > after), BATCH)]

        last, kept = query.get("newer_than", ""), self._kept
        if last.isdecimal():
            # An id is between 3 * index + 1 and 3 * index + 3, so the first candidate is known.
            return first(range(max(kept.start, int(last) // 3 - 1), kept.stop), int(last))
        return first(kept[::-1])[::-1]

    def event(self, id_: int) -> Resource | None:
        """Return one event."""
        index = (id_ - 1) // 3
        if index not in self._kept or self._id(index) != id_:
            return None
        kind, plural, changed = self._kind(index)
        of_change = index >= self._count
        moment, about = self._of_change(index - self._count) if of_change else self._computed(index, kind, plural)
        shown: list[Attribute] = [("id", "integer", id_), ("event_type", "", kind), ("timestamp", "datetime", moment)]
        # 4.24: the two orders, and times with and without milliseconds, occur.
        shown[2 + index % 2 : 2 + index % 2] = [] if changed is None else [("changes", "", changed)]
        # An expanded subject is a stub, also if it was deleted.
        stub = Resource("subject", about, [("id", "integer", kind_and_id(about)[1]), ("external_id", "", None)])
        return Resource("event", f"/events/{id_}", shown, links=[("subject", about)], embedded={"subject": stub})

    def _computed(self, index: int, kind: str, plural: str) -> tuple[str, str]:
        """Return time and path of the subject of an event that the library had at its start."""
        # Every three events have the same time; the times are half an hour apart, up to the day before the anchor.
        moment = (self._count - 1) // 3 - index // 3
        slot = 47 - moment % 48
        about = self._library.scatter(index, 62) % max(30, self._settings.titles // 10) + 1
        if kind.endswith("_deleted"):
            about += 100_000_000
        else:
            candidates = chain(range(about, about + 30), range(1, about))
            about = next((id_ for id_ in candidates if self._tables.record(plural, id_)), about)
        exact = ".000" if index % 5 == 0 else ""
        time = f"{day(-1 - moment // 48)}T{slot // 2:02}:{slot % 2 * 30:02}:00{exact}+01:00"
        return time, self._library.path(plural, about)

    def _of_change(self, number: int) -> tuple[str, str]:
        """Return time and path of the subject of the event for change *number*."""
        changes = self._settings.changes
        moment = datetime.fromtimestamp(changes[number]["at"], timezone(timedelta(hours=1))).isoformat()
        return moment, subject(changes, number)
