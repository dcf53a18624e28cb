"""The change feed of the local Mediagenix On-Demand (Mediagenix's documents)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Final

from vendorkit.local.mediagenix.data import Library, day
from vendorkit.local.server.hypermedia import Attribute, Collection, Resource
from vendorkit.local.server.hypermedia_changes import DONE, subject

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

BATCH: Final = 50
Kind = tuple[str, str, str | None]
"""Event type, plural of the subject, what changed (on updates only)."""

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
    """Events in order of their ids, which rise with gaps of up to five; one for each change since the start."""

    def __init__(
        self,
        settings: Settings,
        library: Library,
        kinds: Sequence[Kind] = _KINDS,
        path: Callable[[str, int], str] = lambda plural, id_: f"/{plural}/{id_}",
    ) -> None:
        self._settings, self._library = settings, library
        self._kinds = kinds
        self._path = path
        self._count = max(120, library.titles)

    def collection(self) -> Collection:
        """The feed: the last 50, or the first 50 that `newer_than` and `event_type` leave."""
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
            return kind, plural, "external-id" if change["action"] == "edit" else None
        return self._kinds[int(self._library.scatter(index, 61)) % len(self._kinds)]

    def _select(self, query: Mapping[str, str]) -> list[int]:
        types = set(query["event_type"].split(",")) if "event_type" in query else None

        def wanted(index: int) -> bool:
            return types is None or self._kind(index)[0] in types

        last = query.get("newer_than", "")
        if last.isdecimal():
            # Ids lie in 3 * index + 1 … + 3: the first candidate is found without a search.
            kept = self._kept
            after = range(max(kept.start, int(last) // 3 - 1), kept.stop)
            return [self._id(e) for e in islice((e for e in after if self._id(e) > int(last) and wanted(e)), BATCH)]
        return [self._id(e) for e in islice((e for e in self._kept[::-1] if wanted(e)), BATCH)][::-1]

    def event(self, id_: int) -> Resource | None:
        """One event."""
        index = (id_ - 1) // 3
        if index not in self._kept or self._id(index) != id_:
            return None
        if index >= self._count:
            return self._changed(id_, index)
        kind, plural, changes = self._kind(index)
        # Three at a time share a moment, half an hour apart, up to the day before the anchor.
        moment = (self._count - 1) // 3 - index // 3
        slot = 47 - moment % 48
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("event_type", "", kind),
            ("timestamp", "datetime", f"{day(-1 - moment // 48)}T{slot // 2:02}:{slot % 2 * 30:02}:00+01:00"),
        ]
        if changes is not None:
            attributes.append(("changes", "", changes))
        # Below 30 there is a record of most kinds in the smallest library.
        about = self._library.scatter(index, 62) % max(30, self._library.titles // 10) + 1
        about += 100_000_000 if kind.endswith("_deleted") else 0
        return self._event(id_, attributes, self._path(plural, about), about)

    def _changed(self, id_: int, index: int) -> Resource:
        changes = self._settings.changes
        number = index - self._count
        kind, plural, changed = self._kind(index)
        moment = datetime.fromtimestamp(changes[number]["at"], timezone(timedelta(hours=1))).isoformat()
        attributes: list[Attribute] = [("id", "integer", id_), ("event_type", "", kind)]
        attributes.append(("timestamp", "datetime", moment))
        attributes += [] if changed is None else [("changes", "", changed)]
        _, changed_id = subject(changes, number)
        return self._event(id_, attributes, self._path(plural, changed_id), changed_id)

    @staticmethod
    def _event(id_: int, attributes: list[Attribute], path: str, subject_id: int) -> Resource:
        # An expanded subject is a stub, and still there for what was deleted.
        stub = Resource("subject", path, [("id", "integer", subject_id), ("external_id", "", None)])
        return Resource("event", f"/events/{id_}", attributes, links=[("subject", path)], embedded={"subject": stub})
