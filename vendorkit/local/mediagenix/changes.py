"""
The changes to the records of a Mediagenix mock server since its start, by `LocalVendor.change` or by requests; and the
event feed, which lists them (Mediagenix's documents).
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

ADDED: Final = 200_000_000  # the id of an added record is this + the number of the change: above all other ids
DONE: Final = {"add": "created", "edit": "updated", "delete": "deleted"}

BATCH: Final = 50
Change = Mapping[str, Any]


def subject(changes: Sequence[Change], number: int) -> str:
    """Return the path of the record that change *number* is about; an added record has a new id."""
    source: str = changes[number]["record"]
    return f"/{source.rpartition('/')[0]}/{ADDED + number}" if changes[number]["action"] == "add" else f"/{source}"


def kind_and_id(path: str) -> tuple[str, int]:
    """Return plural and id of the record at a path."""
    plural, id_ = path.split("/")[-2:]
    return plural, int(id_)


class Changed:
    """
    Applies the changes of the settings to what *computed* returns for a path: added, deleted and edited records.

    A record that `LocalVendor.change` adds is a copy of the one that it names, and comes last in every collection that
    has that one. One that a request creates has what the request says and nothing else; it is in the collection that it
    was sent to and below what it links to.
    """

    def __init__(self, settings: Settings, computed: Resolve, tables: Tables) -> None:
        self._settings, self._computed, self._tables = settings, computed, tables

    def resolve(self, path: str) -> Node | None:
        """Return what is at *path*; None if nothing is there, or it was deleted."""
        changes, source, created = self._settings.changes, path, ""
        for number, change in enumerate(changes):
            about = subject(changes, number)
            if path == about or path.startswith(f"{about}/"):
                if change["action"] == "delete":
                    return None
                if change["action"] == "add":
                    source = f"/{change['record']}{path[len(about) :]}"
                    created = about if "into" in change else ""
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
        changes = self._settings.changes
        return [(n, one) for n, one in enumerate(changes) if subject(changes, n) == path and one["action"] != "delete"]

    def _collection(self, node: Collection, path: str) -> Collection:
        changes, select = self._settings.changes, node.select
        mine = [n for n in range(len(changes)) if kind_and_id(subject(changes, n))[0] == node.name]
        if not mine:
            return node
        added = {ADDED + n: kind_and_id(changes[n]["record"])[1] for n in mine if changes[n]["action"] == "add"}
        deleted = {kind_and_id(changes[n]["record"])[1] for n in mine if changes[n]["action"] == "delete"}
        touched = {kind_and_id(subject(changes, n))[1] for n in mine}

        def build(id_: int) -> Resource | None:
            there = None if id_ in added else node.build(id_)
            where = subject(changes, id_ - ADDED) if id_ in added else there and there.path
            found = where and self.resolve(where)
            return found if isinstance(found, Resource) else None

        def members(computed: Sequence[int]) -> list[int]:
            known = set(computed)
            more = [id_ for id_, copied in added.items() if _is_in(changes[id_ - ADDED], path, copied in known)]
            return [one for one in (*computed, *more) if one not in deleted]

        def selected(query: Mapping[str, str]) -> list[int]:
            name = self._tables.kinds[node.name].filter
            if name not in query:
                return members(node.members)
            # What was changed is compared as it is now.
            now = {id_: one.values.get(name) for id_ in touched - deleted if (one := build(id_))}
            fits = {id_ for id_, value in now.items() if value == query[name]}
            return sorted({*(select(query) if select else ())} - touched | fits)

        return replace(node, members=members(node.members), build=build, select=select and selected)

    def _record(self, found: Resource, path: str) -> Resource:
        """Return the record at *path* with its edits; one without fields sets the external id."""
        edits = self._edits(path)
        if not edits:
            return found
        plural, id_ = kind_and_id(path)
        shown = found.values | ({"id": id_} if "id" in found.values else {})
        links: dict[str, str | None] = dict(found.links)
        for number, change in edits:
            plain = {} if change["action"] == "add" or "document" in change else {"external_id": f"EDIT-{number}"}
            shown |= change.get("fields", plain)
            links |= change.get("links", {})
        types = self._tables.kinds[plural].types
        attributes = [(name, kind, shown[name]) for name, kind in types.items() if name in shown]
        return replace(found, path=path, attributes=attributes, links=[(rel, to) for rel, to in links.items() if to])

    def _document(self, found: Document, owner: str) -> Document:
        written = {name: value for _, one in self._edits(owner) for name, value in one.get("document", {}).items()}
        shown = {name: (name, kind, value) for name, kind, value in found.fields}
        shown |= {name: (name, found.kinds[name], value) for name, value in written.items()}
        return replace(found, fields=list(shown.values()))


def _is_in(change: Change, path: str, there: bool) -> bool:
    """Whether an added record is in the collection at *path*; *there*: what it is a copy of is there."""
    below = path.rpartition("/")[0].removesuffix("/schedule")
    return there if "into" not in change else path == change["into"] or not below or below in change["links"].values()


class Events:
    """Builds events, whose ids rise with gaps; each change since the start has one, at the end."""

    def __init__(self, settings: Settings, library: Any, tables: Tables, kinds: Sequence[Sequence[Any]]) -> None:
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
        if index < self._count:
            moment, about = self._computed(index, kind, plural)
        else:
            changes, number = self._settings.changes, index - self._count
            about = subject(changes, number)
            moment = datetime.fromtimestamp(changes[number]["at"], timezone(timedelta(hours=1))).isoformat()
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
