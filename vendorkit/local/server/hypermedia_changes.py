"""The changes made to the records of the Mediagenix mock server since its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from vendorkit.local.server.nodes import Collection, Node, Resource

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

ADDED: Final = 200_000_000  # the id of an added record is this + the number of the change: above all other ids
DONE: Final = {"add": "created", "edit": "updated", "delete": "deleted"}


def subject(changes: Sequence[Mapping[str, Any]], number: int) -> tuple[str, int]:
    """Return plural and id of the record that change *number* is about; an added record has a new id."""
    plural, id_ = changes[number]["record"].split("/")
    return plural, ADDED + number if changes[number]["action"] == "add" else int(id_)


class Changed:
    """
    Applies the changes of the settings to what *resolve* computes: added, deleted and edited records.

    An added record is a copy of the one that the change names, and comes last in every collection that has that one.
    """

    def __init__(self, settings: Settings, resolve: Callable[[str], Node | None]) -> None:
        self._settings, self._computed = settings, resolve

    def resolve(self, path: str) -> Node | None:
        """Return what is at *path*; None if nothing is there, or it was deleted."""
        changes = self._settings.changes
        if not changes:
            return self._computed(path)
        plural, _, rest = path.removeprefix("/").partition("/")
        id_, _, below = rest.partition("/")
        if id_.isdecimal():
            number = int(id_) - ADDED
            if int(id_) in self._deleted(plural):
                return None
            if 0 <= number < len(changes) and changes[number]["action"] == "add":
                node = self._computed(f"/{changes[number]['record']}/{below}".rstrip("/"))
            else:
                node = self._computed(path)
            if isinstance(node, Resource) and not below:
                return self._record(node, path)
        else:
            node = self._computed(path)
        return self._collection(node) if isinstance(node, Collection) else node

    def _deleted(self, plural: str) -> set[int]:
        changes = self._settings.changes
        gone = [n for n, change in enumerate(changes) if change["action"] == "delete"]
        return {id_ for kind, id_ in (subject(changes, n) for n in gone) if kind == plural}

    def _collection(self, node: Collection) -> Collection:
        plural, changes, select = node.name, self._settings.changes, node.select
        copies = {ADDED + n: c["record"] for n, c in enumerate(changes) if c["action"] == "add"}
        gone = self._deleted(plural)

        def members(computed: Any) -> list[int]:
            there = [int(one) for one in computed]
            copied = [copy for copy, source in copies.items() if source in {f"{plural}/{one}" for one in there}]
            return [one for one in (*there, *copied) if one not in gone]

        def build(id_: int) -> Resource | None:
            found = self.resolve(f"/{plural}/{id_}")
            return found if isinstance(found, Resource) else node.build(id_)

        if not any(change["record"].startswith(f"{plural}/") for change in changes):
            return node
        chosen = None if select is None else lambda query: members(select(query))
        return replace(node, members=members(node.members), build=build, select=chosen)

    def _record(self, found: Resource, path: str) -> Resource:
        """Return the record at *path* with its edits: each sets the external id."""
        id_, changes = int(path.rsplit("/", 1)[1]), self._settings.changes
        shown: dict[str, Any] = {"id": id_}
        links: dict[str, str] = dict(found.links)
        mine = [(n, one) for n, one in enumerate(changes) if one["action"] == "edit" and f"/{one['record']}" == path]
        if id_ >= ADDED and "fields" in changes[id_ - ADDED]:  # created by a request: nothing is copied
            shown |= {name: None for name, _, _ in found.attributes if name != "id"}
            mine = [(id_ - ADDED, changes[id_ - ADDED]), *mine]
        for number, change in mine:
            shown |= change.get("fields", {"external_id": f"EDIT-{number}"})
            links |= change.get("links", {})
        attributes = [(name, kind, shown.get(name, value)) for name, kind, value in found.attributes]
        return replace(found, path=path, attributes=attributes, links=list(links.items()))
