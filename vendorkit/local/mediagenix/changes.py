"""
Changes to the records of a Mediagenix mock server since its start, by `LocalVendor.change` or by requests, and the
event feed that lists them (Mediagenix's documents).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import Any, Final

from vendorkit.local.mediagenix.answers import Attribute, Collection, Document, Node, Resolve, Resource
from vendorkit.local.mediagenix.numbers import day
from vendorkit.local.mediagenix.tables import Tables
from vendorkit.local.server.settings import Settings

ADDED: Final = 200_000_000  # an added record's id is this + the number of its change, and above all other ids
PARTICIPLES: Final = {"add": "created", "edit": "updated", "delete": "deleted"}

BATCH: Final = 50
Change = Mapping[str, Any]


def subject(changes: Sequence[Change], number: int) -> str:
    """Return the path of the record that change *number* affects. An added record has a new id."""
    source: str = changes[number]["record"]
    return f"/{source.rpartition('/')[0]}/{ADDED + number}" if changes[number]["action"] == "add" else f"/{source}"


def kind_and_id(path: str) -> tuple[str, int]:
    """Return the plural and the id of the record at a path."""
    plural, id_ = path.split("/")[-2:]
    return plural, int(id_)


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
                if change["action"] == "delete":
                    return None
                if change["action"] == "add":
                    source = f"/{change['record']}{path[len(changed_path) :]}"
                    created = changed_path if "into" in change else ""
        if created:
            node = self._tables.blank(kind_and_id(created)[0], created, path[len(created) + 1 :])
        else:
            node = self._computed(source)
        if not changes or node is None:
            return node
        if isinstance(node, Collection):
            return self._collection(node, path)
        if isinstance(node, Document):
            return self._document(node, path.rpartition("/")[0])
        return self._record(node, path) if path.rpartition("/")[2].isdecimal() else node

    def _edits(self, path: str) -> list[tuple[int, Change]]:
        edits = [(n, change) for n, change in enumerate(self._settings.changes) if change["action"] != "delete"]
        return [(n, change) for n, change in edits if subject(self._settings.changes, n) == path]

    def _collection(self, node: Collection, path: str) -> Collection:
        changes, select = self._settings.changes, node.select
        numbers = [n for n in range(len(changes)) if kind_and_id(subject(changes, n))[0] == node.name]
        if not numbers:
            return node
        originals = {ADDED + n: kind_and_id(changes[n]["record"])[1] for n in numbers if changes[n]["action"] == "add"}
        deleted = {kind_and_id(changes[n]["record"])[1] for n in numbers if changes[n]["action"] == "delete"}
        changed_ids = {kind_and_id(subject(changes, n))[1] for n in numbers}

        def build(id_: int) -> Resource | None:
            unchanged = None if id_ in originals else node.build(id_)
            record_path = subject(changes, id_ - ADDED) if id_ in originals else unchanged and unchanged.path
            record = record_path and self.resolve(record_path)
            return record if isinstance(record, Resource) else None

        def members(computed: Sequence[int]) -> list[int]:
            listed = set(computed)
            added = [id_ for id_, old in originals.items() if _is_listed(changes[id_ - ADDED], path, old in listed)]
            return [id_ for id_ in (*computed, *added) if id_ not in deleted]

        def selected(query: Mapping[str, str]) -> list[int]:
            name = self._tables.kinds[node.name].filter
            if name not in query:
                return members(node.members)
            # Changed records are compared by their current values.
            current = {id_: record.values.get(name) for id_ in changed_ids - deleted if (record := build(id_))}
            matching = {id_ for id_, value in current.items() if value == query[name]}
            return sorted({*(select(query) if select else ())} - changed_ids | matching)

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
            default = {} if change["action"] == "add" or "document" in change else {"external_id": f"EDIT-{number}"}
            values |= change.get("fields", default)
            links |= change.get("links", {})
        types = self._tables.kinds[plural].types
        attributes = [(name, kind, values[name]) for name, kind in types.items() if name in values]
        return replace(record, path=path, attributes=attributes, links=[(rel, to) for rel, to in links.items() if to])

    def _document(self, document: Document, owner: str) -> Document:
        fields = {name: (name, kind, value) for name, kind, value in document.fields}
        for _, change in self._edits(owner):
            fields |= {name: (name, document.kinds[name], value) for name, value in change.get("document", {}).items()}
        return replace(document, fields=list(fields.values()))


def _is_listed(change: Change, path: str, original_listed: bool) -> bool:
    """Whether the collection at *path* lists an added record; *original_listed* is for a record that is a copy."""
    owner, into = path.rpartition("/")[0].removesuffix("/schedule"), change.get("into")
    return original_listed if into is None else path == into or not owner or owner in change["links"].values()


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
        name, changed = plural.removesuffix("s"), change.get("fields", {"external-id": ""})
        if "document" in change:
            prefix = f"{name}-" if self._settings.metadata_prefix else ""
            name, changed = f"{name}_metadata", [prefix + field for field in change["document"]]
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
