"""What POST, PUT and DELETE do to the records of a Mediagenix mock server (Mediagenix's documents)."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.exceptions import HTTPException

from vendorkit.local.mediagenix.answers import Collection, Document
from vendorkit.local.mediagenix.changes import kind_and_id, subject
from vendorkit.local.mediagenix.numbers import WORDS
from vendorkit.local.mediagenix.tables import Kind, Tables
from vendorkit.local.server.settings import Settings

_TYPES: Final = {"integer": int, "boolean": bool, "array": list}
_BY_EXTERNAL_ID: Final = re.compile(r"/titles/ext/(?:([^/]+)/)?([^/]+)")
_BELOW: Final = re.compile(r"(/.*/\d+)/(\D+)")


class Writer:
    """
    Writes the server's own records.

    Args:
        settings: Gets the changes.
        resolve: Returns what is at a path.
        tables: Say which attributes and links a record may have.
    """

    def __init__(self, settings: Settings, resolve: Callable[[str], Any], tables: Tables) -> None:
        self._settings, self._resolve, self._tables = settings, resolve, tables

    def write(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, str]:
        """
        Change the records; return the status and the path to answer.

        Raises:
            HTTPException: Nothing is there, it cannot be written, or an attribute is unknown or of another type.
        """
        if not self._settings.writes:
            raise HTTPException(403, "This mock server is read-only: nothing was changed.")
        given, node = _read(body, content_type, many=method == "POST"), self._resolve(path)
        if method == "PUT" and (found := _BY_EXTERNAL_ID.fullmatch(path)):
            return self._upserted(unquote(found[1] or ""), unquote(found[2]), given)
        if node is None:
            raise HTTPException(404, f"No record at /api{path}")
        if method == "POST" and isinstance(node, Collection):
            return self._created(node.name, path, given)
        if method not in ("PUT", "DELETE") or (method == "DELETE" and isinstance(node, Document)):
            raise HTTPException(405, f"{method} is not possible at /api{path}")
        record = path.removeprefix("/")
        if isinstance(node, Document):
            self._settings.note("edit", record.rpartition("/")[0], document=self._fields(node, given))
        elif not record.rpartition("/")[2].isdecimal():
            raise HTTPException(403, "This mock server writes only records with an id, and metadata.")
        elif method == "PUT":
            self._settings.note("edit", record, **self._checked(kind_and_id(path)[0], given, path))
        else:
            self._kind(kind_and_id(path)[0])
            self._settings.note("delete", record)
            return 204, path
        return 200, path

    def _created(self, plural: str, path: str, given: Any) -> tuple[int, str]:
        """Create the record of a body, or each of an array (3.9); the answer to an array is the list (inferred)."""
        many = given if isinstance(given, list) else [given]
        required = dict.fromkeys(WORDS["required"].get(plural, ()))
        back, records = self._link_back(plural, path), [self._checked(plural, required | one) for one in many]
        place = path if self._tables.kinds[plural].path.count("{") > 1 else f"/{plural}"
        for one in records:
            last = len(self._resolve(path).members) + 1
            if plural == "collection_entries" and one["fields"].setdefault("position", last) not in range(1, last + 1):
                raise HTTPException(422, f"Position must be an integer from 1 to {last}")
            one["links"] = back | one["links"]
            self._settings.note("add", f"{place}/0".removeprefix("/"), **one, into=path)
        made = path if isinstance(given, list) else subject(self._settings.changes, len(self._settings.changes) - 1)
        return 202 if plural == "publications" else 201, made  # 3.7: a publication happens in the background

    def _link_back(self, plural: str, path: str) -> dict[str, str]:
        """Return the link by which the records of a list below an owner lead back to that."""
        found, rels = _BELOW.fullmatch(path), self._kind(plural).rels
        if found is None:
            return {}
        owner, below = found.groups()
        above = self._tables.kinds[kind_and_id(owner)[0]]
        names = {above.relations[below][2]} & rels.keys()
        names |= {rel for rel, to in rels.items() if to == "{owner}" or str(to).startswith(f"/{above.plural}/{{")}
        return dict.fromkeys(sorted(names)[:1], owner)

    def _kind(self, plural: str) -> Kind:
        if plural not in self._tables.kinds or plural in WORDS["read_only"]:
            raise HTTPException(403, f"This mock server has no {plural} to write.")
        return self._tables.kinds[plural]

    def _checked(self, plural: str, given: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """Return attributes and links of a body, checked against the kind of record; *path* is that of a known one."""
        kind, fields, links = self._kind(plural), dict[str, Any](), dict[str, str]()
        for name, value in given.items():
            rel, link = name.removesuffix("_link"), str(value or "")
            if name in kind.written and not isinstance(value, (list, dict)):
                fields[name] = _fitting(name, kind.written[name], value)
            elif name != rel and rel in kind.rels:
                links[rel] = f"/{link.partition('/api/')[2]}" if "/api/" in link else link
            else:
                raise HTTPException(422, f"{name} is unknown, or not of this form")
        for name in WORDS["required"].get(plural, ()):
            if fields.get(name, name) in (None, ""):
                raise HTTPException(422, f"{name} can't be blank")
        if (encoding := fields.get("encoding", "jpg")) not in WORDS["encodings"].get(plural, [encoding]):
            raise HTTPException(422, "Encoding is not valid")
        # What a list is filtered by is unique in it (4.1, 4.18).
        if fields.get(kind.filter) and {*self._having(plural, fields[kind.filter])} - {path}:
            raise HTTPException(422, f"{kind.filter} has already been taken")
        return {"fields": fields, "links": links}

    def _having(self, plural: str, value: str) -> list[str]:
        """Return the paths of the records that the filter of a list selects."""
        return [
            f"/{plural}/{id_}"
            for id_ in self._resolve(f"/{plural}").select({self._tables.kinds[plural].filter: str(value)})
        ]

    def _upserted(self, keyword: str, value: str, given: Mapping[str, Any]) -> tuple[int, str]:
        """Update the title with an external id, of the type of a keyword if there is one, or create it (3.9)."""
        types = self._having("external_id_types", keyword) if keyword else []
        if keyword and not (types and self._resolve(types[0]).values["unique"]):
            raise HTTPException(422, f"The external id type {keyword} cannot uniquely identify a title")
        known = self._identified(types[0], value) if types else self._having("titles", value)
        if known:
            self._settings.note("edit", known[0].removeprefix("/"), **self._checked("titles", given, known[0]))
            return 200, known[0]
        status, path = self._created("titles", "/titles", given if types else {"external_id": value, **given})
        for kind in types:
            self._created("external_ids", f"{path}/external_ids", {"value": value, "external_id_type_link": kind})
        return status, path

    def _identified(self, type_: str, value: str) -> list[str]:
        """Return the paths of the titles with an external id of a type."""
        changes, ids = self._settings.changes, self._tables.having(self._kind("external_ids"), "value", value)
        paths = [f"/external_ids/{id_}" for id_ in ids]
        paths += [one for n in range(len(changes)) if (one := subject(changes, n)).startswith("/external_ids/")]
        found = [one for one in map(self._resolve, paths) if one and one.values["value"] == value]
        owners = [dict(one.links)["external_identifiable"] for one in found if ("external_id_type", type_) in one.links]
        return [path for path in owners if path.startswith("/titles/") and self._resolve(path)]

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


def _read(body: bytes, content_type: str, *, many: bool) -> Any:
    """Return the members of a body in JSON or XML; if *many*, it may also be an array of such."""
    try:
        as_json = "json" in content_type or not body
        given = (json.loads(body or b"{}") if as_json else _value(ET.fromstring(body))) or {}  # noqa: S314 - from the user
    except (ValueError, ET.ParseError):
        given = None
    if not all(isinstance(one, dict) for one in (given if many and isinstance(given, list) else [given])):
        raise HTTPException(400, "The body is not an object in the format of its Content-Type.")
    return given


def _value(element: ET.Element) -> Any:
    """Return the value of an XML element by its `type`; links as `<rel>_link`."""
    kind, text = element.get("type"), element.text or ""
    if element.get("nil") == "true":
        return None
    if kind == "array":
        return [_value(child) for child in element]
    if len(element):
        links = {f"{child.get('rel')}_link": child.get("href") for child in element.iter("link")}
        return {child.tag.replace("-", "_"): _value(child) for child in element if child.tag != "link"} | links
    return int(text) if kind == "integer" and text else text == "true" if kind == "boolean" else text


def _fitting(name: str, kind: str, value: Any) -> Any:
    wanted = _TYPES.get(kind, str)
    if kind and value is not None and type(value) is not wanted:
        words = f"{name.replace('_', ' ').capitalize()} must be {'an' if kind[0] in 'ai' else 'a'} {kind}"
        raise HTTPException(422, words)
    return value
