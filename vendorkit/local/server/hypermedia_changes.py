"""What was changed in the local Mediagenix since its start, laid over the records that are computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from vendorkit.local.server.hypermedia import Collection, Node, Resource

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

ADDED: Final = 200_000_000  # ids of added records, counted by the changes: above all others
DONE: Final = {"add": "created", "edit": "updated", "delete": "deleted"}


def subject(changes: Sequence[Mapping[str, Any]], number: int) -> tuple[str, int]:
    """Return plural and id of the record that a change was made to; an added one has an id of its own."""
    plural, id_ = changes[number]["record"].split("/")
    return plural, ADDED + number if changes[number]["action"] == "add" else int(id_)


class Changed:
    """
    Records and collections with the changes of the settings: `resolve` with more, fewer and other records.

    An added record is a copy of the one that the change names, and stands last wherever that one stands.
    """

    def __init__(self, settings: Settings, resolve: Callable[[str], Node | None]) -> None:
        self._settings, self._computed = settings, resolve

    def resolve(self, path: str) -> Node | None:
        """Return what is at *path*; None where nothing is, or not any more."""
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
        """Return the record as it is at *path*: an edit shows in its external id."""
        shown: dict[str, Any] = {"id": int(path.rsplit("/", 1)[1])}
        for number, change in enumerate(self._settings.changes):
            if change["action"] == "edit" and change["record"] == path.removeprefix("/"):
                shown |= {"external_id": f"EDIT-{number}"}
        attributes = [(name, kind, shown.get(name, value)) for name, kind, value in found.attributes]
        return replace(found, path=path, attributes=attributes)
