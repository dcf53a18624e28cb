"""The event feed of Mediagenix (Mediagenix's documents)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from vendorkit.local.mediagenix.data import Library, day
from vendorkit.local.server.hypermedia_changes import DONE, subject
from vendorkit.local.server.nodes import Attribute, Collection, Resource, Table, found_in, record

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

BATCH: Final = 50
Kind = tuple[str, str, str | None]
"""Event type, plural of the subject, changed fields (None unless it is an update)."""

_KINDS: Final[tuple[Kind, ...]] = (
    ("title_created", "titles", None),
    ("title_updated", "titles", "name,tags"),
    ("title_updated", "titles", "episode-number"),
    ("title_metadata_updated", "titles", "title-short-synopsis"),
    ("title_metadata_updated", "titles", "title-rating,title-actors"),
    ("title_deleted", "titles", None),
    ("right_created", "rights", None),
    ("right_updated", "rights", "starts,ends"),
    ("right_deleted", "rights", None),
    ("scheduling_updated", "schedulings", "put-up"),
    ("image_created", "images", None),
    ("target_platform_created", "target_platforms", None),
    ("target_platform_deleted", "target_platforms", None),
)


class Events:
    """Builds events, whose ids rise with gaps; each change since the start has one, at the end."""

    def __init__(
        self,
        settings: Settings,
        library: Library,
        table: Table,
        kinds: Sequence[Kind] = _KINDS,
        path: Callable[[str, int], str] = lambda plural, id_: f"/{plural}/{id_}",
    ) -> None:
        self._settings, self._library, self._table = settings, library, table
        self._kinds = kinds
        self._path = path
        self._count = max(120, library.titles)

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
        if index >= self._count:
            change = self._settings.changes[index - self._count]
            plural = change["record"].split("/")[0]
            kind = f"{plural.removesuffix('s')}_{DONE[change['action']]}"
            fields = ",".join(change.get("fields", {"external-id": ""})).replace("_", "-")
            return kind, plural, fields if change["action"] == "edit" else None
        return self._kinds[int(self._library.scatter(index, 61)) % len(self._kinds)]

    def _select(self, query: Mapping[str, str]) -> list[int]:
        types = set(query["event_type"].split(",")) if "event_type" in query else None

        def wanted(index: int) -> bool:
            return types is None or self._kind(index)[0] in types

        last = query.get("newer_than", "")
        if last.isdecimal():
            # An id is between 3 * index + 1 and 3 * index + 3, so the first candidate is known.
            kept = self._kept
            after = range(max(kept.start, int(last) // 3 - 1), kept.stop)
            return [self._id(e) for e in islice((e for e in after if self._id(e) > int(last) and wanted(e)), BATCH)]
        return [self._id(e) for e in islice((e for e in self._kept[::-1] if wanted(e)), BATCH)][::-1]

    def event(self, id_: int) -> Resource | None:
        """Return one event."""
        index = (id_ - 1) // 3
        if index not in self._kept or self._id(index) != id_:
            return None
        kind, plural, changed = self._kind(index)
        of_change = index >= self._count
        moment, about = self._of_change(index - self._count) if of_change else self._computed(index, kind, plural)
        attributes: list[Attribute] = [("event_type", "", kind), ("timestamp", "datetime", moment)]
        # 4.24: the two orders, and times with and without milliseconds, occur.
        attributes[1 + index % 2 : 1 + index % 2] = [] if changed is None else [("changes", "", changed)]
        path = self._path(plural, about)
        event = record("event", id_, attributes, links=[("subject", path)])
        # An expanded subject is a stub, also if it was deleted.
        stub = Resource("subject", path, [("id", "integer", about), ("external_id", "", None)])
        event.embedded = {"subject": stub}
        return event

    def _computed(self, index: int, kind: str, plural: str) -> tuple[str, int]:
        """Return time and id of the subject of an event that the library had at its start."""
        # Every three events have the same time; the times are half an hour apart, up to the day before the anchor.
        moment = (self._count - 1) // 3 - index // 3
        slot = 47 - moment % 48
        about = int(self._library.scatter(index, 62)) % max(30, self._library.titles // 10) + 1
        exact = ".000" if index % 5 == 0 else ""
        time = f"{day(-1 - moment // 48)}T{slot // 2:02}:{slot % 2 * 30:02}:00{exact}+01:00"
        return time, (about + 100_000_000 if kind.endswith("_deleted") else self._existing(plural, about))

    def _existing(self, plural: str, about: int) -> int:
        """Return the id of the next record that is there, from *about* on."""
        for id_ in chain(range(about, about + 30), range(1, about)):
            if found_in(self._table, self._path(plural, id_)) is not None:
                return id_
        return about

    def _of_change(self, number: int) -> tuple[str, int]:
        """Return time and id of the subject of the event for change *number*."""
        changes = self._settings.changes
        moment = datetime.fromtimestamp(changes[number]["at"], timezone(timedelta(hours=1))).isoformat()
        return moment, subject(changes, number)[1]
