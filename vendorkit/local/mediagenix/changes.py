"""The changes to the records of a Mediagenix mock server since its start, by `LocalVendor.change` or by requests."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.exceptions import HTTPException

from vendorkit.local.mediagenix.answers import Collection, Document, Node, Resolve, Resource
from vendorkit.local.mediagenix.numbers import WORDS
from vendorkit.local.server.settings import Settings

ADDED: Final = 200_000_000  # the id of an added record is this + the number of the change: above all other ids
DONE: Final = {"add": "created", "edit": "updated", "delete": "deleted"}
_TYPES: Final = {"integer": int, "boolean": bool, "array": list}

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
    has that one. One that a request creates is in the collection that it was sent to and below what it links to.
    """

    def __init__(self, settings: Settings, computed: Resolve) -> None:
        self._settings, self._computed = settings, computed

    def resolve(self, path: str) -> Node | None:
        """Return what is at *path*; None if nothing is there, or it was deleted."""
        changes, source = self._settings.changes, path
        for number, change in enumerate(changes):
            about = subject(changes, number)
            if path == about or path.startswith(f"{about}/"):
                if change["action"] == "delete":
                    return None
                if change["action"] == "add":
                    source = f"/{change['record']}{path[len(about) :]}"
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

        def members(computed: Sequence[int], query: Mapping[str, str]) -> list[int]:
            known = set(computed)
            wanted = {*query.values()} if len(known) < len(node.members) else None  # what a filter selects by
            more = [id_ for id_, copied in added.items() if _is_in(changes[id_ - ADDED], path, wanted, copied in known)]
            return [one for one in (*computed, *more) if one not in deleted]

        def build(id_: int) -> Resource | None:
            there = node.build(added.get(id_, id_))
            found = there and self.resolve(f"{there.path.rpartition('/')[0]}/{id_}")
            return found if isinstance(found, Resource) else None

        chosen = None if select is None else lambda query: members(select(query), query)
        return replace(node, members=members(node.members, {}), build=build, select=chosen)

    def _record(self, found: Resource, path: str) -> Resource:
        """Return the record at *path* with its edits; one without fields sets the external id."""
        shown: dict[str, Any] = {"id": kind_and_id(path)[1]}
        links: dict[str, str] = dict(found.links)
        for number, change in self._edits(path):
            is_new = change["action"] == "add"
            if is_new and "fields" in change:  # created by a request: nothing is copied
                shown |= {name: None for name, _, _ in found.attributes if name != "id"}
            plain = {} if is_new or "document" in change else {"external_id": f"EDIT-{number}"}
            shown |= change.get("fields", plain)
            links |= change.get("links", {})
        attributes = [(name, kind, shown.get(name, value)) for name, kind, value in found.attributes]
        return replace(found, path=path, attributes=attributes, links=list(links.items()))

    def _document(self, found: Document, owner: str) -> Document:
        written = {name: value for _, one in self._edits(owner) for name, value in one.get("document", {}).items()}
        shown = {name: (name, kind, value) for name, kind, value in found.fields}
        shown |= {name: (name, found.kinds[name], value) for name, value in written.items()}
        return replace(found, fields=list(shown.values()))


def _is_in(change: Change, path: str, wanted: set[str] | None, there: bool) -> bool:
    """Whether an added record is in the collection at *path*; *there*: what it is a copy of is there."""
    if "into" not in change:
        return there
    below = path.rpartition("/")[0]
    belongs = path == change["into"] or not below or below in change["links"].values()
    return belongs and (wanted is None or not wanted.isdisjoint(map(str, change["fields"].values())))


class Writer:
    """
    Does what a POST, PUT or DELETE says to the server's own records.

    Args:
        settings: Gets the changes.
        resolve: Returns what is at a path.
        example: Returns any record of a plural, whose attributes and links a new one has.
    """

    def __init__(self, settings: Settings, resolve: Resolve, example: Callable[[str], Resource | None]) -> None:
        self._settings, self._resolve, self._example = settings, resolve, example

    def write(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, str]:
        """
        Change the records; return the status and the path to answer.

        Raises:
            HTTPException: Nothing is there, it cannot be written, or an attribute is unknown or of another type.
        """
        if not self._settings.writes:
            raise HTTPException(403, "This mock server is read-only: nothing was changed.")
        node = self._resolve(path)
        if node is None:
            raise HTTPException(404, f"No record at /api{path}")
        if method == "POST" and isinstance(node, Collection):
            return 201, self._created(node, path, _read(body, content_type))
        if method == "PUT" and isinstance(node, Document):
            record = path.removeprefix("/").rpartition("/")[0]
            document = self._fields(node, _read(body, content_type))
            self._settings.note("edit", record, document=document)
            return 200, path
        if method not in ("PUT", "DELETE"):
            raise HTTPException(405, f"{method} is not possible at /api{path}")
        if not isinstance(node, Resource) or not path.rpartition("/")[2].isdecimal():
            raise HTTPException(403, "This mock server writes only records with an id, and metadata.")
        if method == "DELETE":
            self._settings.note("delete", path.removeprefix("/"))
            return 204, path
        self._settings.note("edit", path.removeprefix("/"), **_checked(node, _read(body, content_type)))
        return 200, path

    def _created(self, node: Collection, path: str, given: Mapping[str, Any]) -> str:
        """Create a record, and return its path."""
        example = node.build(node.members[0]) if len(node.members) else self._example(node.name)
        if example is None or not example.path.rpartition("/")[2].isdecimal():
            raise HTTPException(403, f"This mock server has no {node.name} to write.")
        checked = _checked(example, given)
        for needed in WORDS["required"].get(node.name, ()):
            if checked["fields"].get(needed) in (None, ""):
                raise HTTPException(422, f"{needed} can't be blank")
        # What leads to an owner of the kind that the path names leads to that owner.
        owner = path.rpartition("/")[0]
        owned = {rel: owner for rel, target in example.links if owner and target.split("/")[1] == owner.split("/")[1]}
        links = owned | checked["links"]
        self._settings.note("add", example.path.removeprefix("/"), **checked | {"links": links}, into=path)
        return subject(self._settings.changes, len(self._settings.changes) - 1)

    def _fields(self, node: Document, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a document by their names without prefix, checked against its template."""
        prefix = f"{node.entity}_" if self._settings.metadata_prefix else ""
        found = {}
        for name, value in given.items():
            field = name.replace("-", "_").removeprefix(prefix)
            if field not in node.kinds or not name.replace("-", "_").startswith(prefix):
                raise HTTPException(422, f"{name} is unknown")
            found[field] = _fitting(name, node.kinds[field], value)
        return found


def _read(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the members of a body in JSON or XML, names with underscores, links as `<rel>_link`."""
    try:
        if "json" in content_type:
            return dict(json.loads(body or b"{}"))
        found = {}
        for element in ET.fromstring(body):  # noqa: S314 - the server's own user sends it
            is_link = element.tag == "link"
            name = f"{element.get('rel')}_link" if is_link else element.tag.replace("-", "_")
            found[name] = element.get("href") if is_link else _value(element)
    except (ValueError, TypeError, ET.ParseError):
        raise HTTPException(400, "The body is not an object in the format of its Content-Type.") from None
    return found


def _value(element: ET.Element) -> Any:
    """Return the value of an XML element by its `type`."""
    kind, text = element.get("type"), element.text or ""
    if element.get("nil") == "true":
        return None
    if kind == "array":
        return [_value(child) for child in element]
    if len(element):
        return {child.tag.replace("-", "_"): _value(child) for child in element}
    return int(text) if kind == "integer" and text else text == "true" if kind == "boolean" else text


def _fitting(name: str, kind: str, value: Any) -> Any:
    wanted = _TYPES.get(kind, str)
    if kind and value is not None and type(value) is not wanted:
        raise HTTPException(422, f"{name} must be a {kind}")
    return value


def _checked(target: Resource, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes and links of a body, checked against the record that they are for."""
    kinds = {name: kind for name, kind, _ in target.attributes if name != "id"}
    rels = {rel for rel, _ in target.links}
    fields, links = {}, {}
    for name, value in given.items():
        rel = name.removesuffix("_link")
        if name in kinds:
            fields[name] = _fitting(name, kinds[name], value)
        elif name != rel and rel in rels:
            links[rel] = f"/{value.partition('/api/')[2]}" if "/api/" in str(value) else str(value)
        else:
            raise HTTPException(422, f"{name} is unknown")
    return {"fields": fields, "links": links}
