"""
Changes to the records of a Mediagenix mock server since its start, by `LocalVendor.change` or by requests, and the
event feed that lists them (Mediagenix's documents).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import Any, Final

from vendorkit.local.mediagenix.answers import Attribute, Collection, Document, Node, Resolve, Resource
from vendorkit.local.mediagenix.numbers import day, kind_and_id
from vendorkit.local.mediagenix.tables import Tables
from vendorkit.local.server.settings import Settings

ADDED: Final = 200_000_000  # an added record's id is this + the number of its change, and above all other ids
OPTIONAL: Final = ("note", "workflow")  # of which a record has at most one, at the path below its own
PARTICIPLES: Final = {"add": "created", "edit": "updated", "delete": "deleted"}

BATCH: Final = 50
Change = Mapping[str, Any]


def subject(changes: Sequence[Change], number: int) -> str:
    """Return the path of the record that change *number* affects. An added record has a new id."""
    source: str = changes[number]["record"]
    return f"/{source.rpartition('/')[0]}/{ADDED + number}" if changes[number]["action"] == "add" else f"/{source}"


class Changed:
    """
    Adds, deletes and edits records as listed in the settings. *computed* returns the unchanged node at a path.

    A record added by `LocalVendor.change` is a copy of the named record, and comes last in every collection that lists
    the original. A record created by a request has only the values of the request. It is listed in the collection to
    which the request was sent, and below the records to which it links.
    """

    def __init__(self, settings: Settings, computed: Resolve, tables: Tables) -> None:
        self._settings, self._computed, self._tables = settings, computed, tables

    def resolve(self, path: str) -> Node | None:
        """Return the node at *path*, None if there is none or it was deleted."""
        changes, source, created = self._settings.changes, path, ""
        for number, change in enumerate(changes):
            changed_path = subject(changes, number)
            if path == changed_path or path.startswith(f"{changed_path}/"):
                if self._is_gone(change):
                    return None
                if change["action"] == "add":
                    source = f"/{change['record']}{path[len(changed_path) :]}"
                    created = changed_path if "into" in change else ""
        owner, _, rel = path.rpartition("/")
        if created:
            node = None if rel in OPTIONAL else self._tables.blank(created, path[len(created) + 1 :])
        else:
            node = self._computed(source)
        if isinstance(node, Collection):
            return self._collection(node, path)
        if rel in ("metadata", *OPTIONAL):
            return self._single(node, owner, rel)
        return self._record(node, path) if isinstance(node, Resource) and rel.isdecimal() else node

    def _is_gone(self, change: Change) -> bool:
        """Whether a record was deleted. Titles and title groups are deleted in the background (3.7)."""
        delay_s = self._settings.deletion_s if change["record"].startswith("title") else 0
        return bool(change["action"] == "delete" and time.time() >= change["at"] + delay_s)

    def _edits(self, path: str) -> list[tuple[int, Change]]:
        edits = [(n, change) for n, change in enumerate(self._settings.changes) if change["action"] != "delete"]
        return [(n, change) for n, change in edits if subject(self._settings.changes, n) == path]

    def _collection(self, node: Collection, path: str) -> Collection:
        changes, select = self._settings.changes, node.select
        paths, links, gone = dict[int, str](), defaultdict[int, dict[str, str]](dict), set[int]()
        for number, change in enumerate(changes):
            plural, id_ = kind_and_id(changed := subject(changes, number))
            if plural == node.name:
                paths[id_] = changed
                links[id_] |= change.get("links", {})
                gone |= {id_} if self._is_gone(change) else set()
        if not paths:
            return node
        rel, owner = next(iter(self._tables.owner_link(node.name, path).items()), ("", ""))

        def build(id_: int) -> Resource | None:
            record = self.resolve(paths[id_]) if id_ in paths else node.build(id_)
            return record if isinstance(record, Resource) else None

        def is_listed(id_: int, computed: Ids[int]) -> bool:
            if rel in links[id_]:  # a request wrote the link, which may have moved the record
                return links[id_][rel] == owner
            return id_ in computed or (id_ >= ADDED and _is_listed(changes[id_ - ADDED], path, computed))

        def members(computed: Sequence[int]) -> list[int]:
            listed = set(computed)
            ids = [*computed, *sorted(paths.keys() - listed)]
            ids = [id_ for id_ in ids if id_ not in paths or (id_ not in gone and is_listed(id_, listed))]
            return sorted(ids) if node.paging == "cursor" else ids

        def selected(query: Mapping[str, str]) -> list[int]:
            name = self._tables.kinds[node.name].filter
            if name not in query:
                return members(node.members)
            # Changed records are compared by their current values.
            matching = {id_ for id_ in paths if (record := build(id_)) and record.values.get(name) == query[name]}
            return sorted({*(select(query) if select else ())} - paths.keys() | matching)

        return replace(node, members=members(node.members), build=build, select=select and selected)

    def _record(self, record: Resource, path: str) -> Resource:
        """Return the record at *path* with its edits. An edit without fields changes the external id."""
        edits = self._edits(path)
        if not edits:
            return record
        plural, id_ = kind_and_id(path)
        values = record.values | ({"id": id_} if "id" in record.values else {})
        links: dict[str, str | None] = dict(record.links)
        for number, change in edits:
            default = {} if change["action"] == "add" or "below" in change else {"external_id": f"EDIT-{number}"}
            values |= change.get("fields", default)
            links |= change.get("links", {})
        types = self._tables.kinds[plural].types
        attributes = [(name, kind, values[name]) for name, kind in types.items() if name in values]
        return replace(record, path=path, attributes=attributes, links=[(rel, to) for rel, to in links.items() if to])

    def _single(self, node: Node | None, owner: str, rel: str) -> Node | None:
        """Return the metadata, note or workflow of a record as requests wrote it, None if it has none."""
        for _, change in self._edits(owner):
            if rel not in (below := change.get("below", {})):
                continue
            node = None if below[rel] is None else node or self._tables.blank(owner, rel)
            if isinstance(node, (Resource, Document)):
                values = {name: value for name, _, value in node.attributes} | below[rel]
                kinds = getattr(node, "kinds", {})
                node = replace(node, attributes=[(name, kinds.get(name, ""), value) for name, value in values.items()])
        return node


def _is_listed(change: Change, path: str, computed: Ids[int]) -> bool:
    """Whether the collection at *path* lists an added record. A copy is listed with its original."""
    if "into" in change:
        return path in (change["into"], f"/{change['into'].split('/')[-1]}")
    return kind_and_id(change["record"])[1] in computed


class Events:
    """Builds the events. Their ids rise with gaps. Each change since the start adds an event at the end."""

    def __init__(self, settings: Settings, library: Any, tables: Tables, kinds: Sequence[Sequence[Any]]) -> None:
        self._settings, self._library, self._tables, self._kinds = settings, library, tables, kinds
        self._count = max(120, settings.titles)

    def collection(self) -> Collection:
        """Return the feed: the last 50 events, or the first 50 after `newer_than`, of the types in `event_type`."""
        return Collection("events", [], self.event, "none", self._select)

    def _id(self, index: int) -> int:
        return int(3 * index + 1 + self._library.scatter(index, 60) % 3)

    @property
    def _available(self) -> range:
        last = self._count + len(self._settings.changes)
        limit = self._settings.events_kept
        return range(0 if limit is None else max(0, last - limit), last)

    def _kind(self, index: int) -> Sequence[Any]:
        if index < self._count:
            return self._kinds[self._library.scatter(index, 61) % len(self._kinds)]
        number = index - self._count
        change, plural = self._settings.changes[number], kind_and_id(subject(self._settings.changes, number))[0]
        name, changed = plural.removesuffix("s"), change.get("below") or change.get("fields", {"external-id": ""})
        if "metadata" in change.get("below", {}):
            prefix = f"{name}-" if self._settings.metadata_prefix else ""
            name, changed = f"{name}_metadata", [prefix + field for field in changed["metadata"]]
        fields = ",".join(changed).replace("_", "-")
        return f"{name}_{PARTICIPLES[change['action']]}", plural, fields if change["action"] == "edit" else None

    def _select(self, query: Mapping[str, str]) -> list[int]:
        types = set(query["event_type"].split(",")) if "event_type" in query else None

        def first(indexes: Sequence[int], after: int = 0) -> list[int]:
            ids = (self._id(index) for index in indexes if types is None or self._kind(index)[0] in types)
            return [*islice((id_ for id_ in ids if id_ > after), BATCH)]

        last, available = query.get("newer_than", ""), self._available
        if last.isdecimal():
            # An id is between 3 * index + 1 and 3 * index + 3, so the first candidate is known.
            return first(range(max(available.start, int(last) // 3 - 1), available.stop), int(last))
        return first(available[::-1])[::-1]

    def event(self, id_: int) -> Resource | None:
        """Return one event."""
        index = (id_ - 1) // 3
        if index not in self._available or self._id(index) != id_:
            return None
        kind, plural, changed = self._kind(index)
        if index < self._count:
            time, path = self._computed(index, kind, plural)
        else:
            changes, number = self._settings.changes, index - self._count
            path = subject(changes, number)
            time = datetime.fromtimestamp(changes[number]["at"], timezone(timedelta(hours=1))).isoformat()
        fields: list[Attribute] = [("id", "integer", id_), ("event_type", "", kind), ("timestamp", "datetime", time)]
        # 4.24: the samples have both orders of the attributes, and times with and without milliseconds.
        fields[2 + index % 2 : 2 + index % 2] = [] if changed is None else [("changes", "", changed)]
        # An expanded subject is a stub, even after it was deleted.
        stub = Resource("subject", path, [("id", "integer", kind_and_id(path)[1]), ("external_id", "", None)])
        return Resource("event", f"/events/{id_}", fields, links=[("subject", path)], embedded={"subject": stub})

    def _computed(self, index: int, kind: str, plural: str) -> tuple[str, str]:
        """Return the time of an event from before the start, and the path of its subject."""
        # Every three events have the same time; the times are half an hour apart, up to the day before the anchor.
        moment = (self._count - 1) // 3 - index // 3
        slot = 47 - moment % 48
        subject_id = self._library.scatter(index, 62) % max(30, self._settings.titles // 10) + 1
        if kind.endswith("_deleted"):
            subject_id += 100_000_000
        else:
            candidates = chain(range(subject_id, subject_id + 30), range(1, subject_id))
            subject_id = next((id_ for id_ in candidates if self._tables.record(plural, id_)), subject_id)
        milliseconds = ".000" if index % 5 == 0 else ""
        time = f"{day(-1 - moment // 48)}T{slot // 2:02}:{slot % 2 * 30:02}:00{milliseconds}+01:00"
        return time, self._library.path(plural, subject_id)
