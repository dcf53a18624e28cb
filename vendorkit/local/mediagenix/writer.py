"""POST, PUT and DELETE requests to a Mediagenix mock server (Mediagenix's documents)."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.exceptions import HTTPException

from vendorkit.local.mediagenix.answers import Collection, Document
from vendorkit.local.mediagenix.changes import OPTIONAL, subject
from vendorkit.local.mediagenix.numbers import WORDS, kind_and_id
from vendorkit.local.mediagenix.tables import Kind, Tables
from vendorkit.local.server.settings import Settings

_TYPES: Final = {"integer": int, "boolean": bool, "array": list}
_BY_EXTERNAL_ID: Final = re.compile(r"/titles/ext/(?:([^/]+)/)?([^/]+)")


class Writer:
    """
    Checks requests and changes the server's own records.

    Args:
        settings: The switches; `changes` records what was written.
        resolve: Returns the node at a path.
        tables: The attributes and links that a record may have.
    """

    def __init__(self, settings: Settings, resolve: Callable[[str], Any], tables: Tables) -> None:
        self._settings, self._resolve, self._tables = settings, resolve, tables

    def write(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, str]:
        """
        Change the records; return the status, and the path of the node to answer with.

        Raises:
            HTTPException: The path has no node, it cannot be written, or an attribute is unknown or has the wrong type.
        """
        if not self._settings.writes:
            raise HTTPException(403, "This mock server is read-only: nothing was changed.")
        node = self._resolve(path)
        data = _read(body, content_type, many=isinstance(node, Collection))
        if method == "PUT" and (match := _BY_EXTERNAL_ID.fullmatch(path)):
            return self._upsert(unquote(match[1] or ""), unquote(match[2]), data)
        owner, _, rel = path.removeprefix("/").rpartition("/")
        if rel in OPTIONAL and self._resolve(f"/{owner}") and (node or method != "DELETE"):
            values = None if method == "DELETE" else self._checked(rel, data)["fields"]
            self._settings.note("edit", owner, below={rel: values})
            return 204 if values is None else 200 if node and method == "PUT" else 201, path
        if node is None:
            raise HTTPException(404, f"No record at /api{path}")
        if method == "POST" and isinstance(node, Collection):
            return self._create(node.name, path, data)
        if method not in ("PUT", "DELETE") or (method == "DELETE" and isinstance(node, Document)):
            raise HTTPException(405, f"{method} is not possible at /api{path}")
        if isinstance(node, Document):
            self._settings.note("edit", owner, below={rel: self._fields(node, data)})
        elif not rel.isdecimal():
            raise HTTPException(403, "This mock server writes records with an id, metadata, notes and workflows.")
        elif method == "PUT":
            self._settings.note("edit", path[1:], **self._checked(kind_and_id(path)[0], data, path))
        else:
            self._kind(kind_and_id(path)[0])
            self._settings.note("delete", path[1:])
            return 204, path
        return 200, path

    def _create(self, plural: str, path: str, data: Any) -> tuple[int, str]:
        """Create the record in a body, or each of an array (3.9). The answer to an array is the list (inferred)."""
        items = data if isinstance(data, list) else [data]
        records = [self._checked(plural, item) for item in items]
        owner = self._tables.owner_link(plural, path)
        parent = path if self._tables.kinds[plural].path.count("{") > 1 else f"/{plural}"
        for new in records:
            last = len(self._resolve(path).members) + 1
            if plural == "collection_entries" and new["fields"].setdefault("position", last) not in range(1, last + 1):
                raise HTTPException(422, f"Position must be an integer from 1 to {last}")
            new["links"] = owner | new["links"]
            self._settings.note("add", f"{parent}/0".removeprefix("/"), **new, into=path)
        created = path if isinstance(data, list) else subject(self._settings.changes, len(self._settings.changes) - 1)
        return 202 if plural == "publications" else 201, created  # 3.7: a publication happens in the background

    def _kind(self, plural: str) -> Kind:
        if plural not in self._tables.kinds or plural in WORDS["read_only"]:
            raise HTTPException(403, f"This mock server has no {plural} to write.")
        return self._tables.kinds[plural]

    def _checked(self, plural: str, data: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """Return the attributes and links in a body. Raise 422 if one is not valid. An edited record has a *path*."""
        kind, fields, links = self._kind(plural), dict[str, Any](), dict[str, str]()
        required = WORDS["required"].get(plural, ())
        for name, value in {**({} if path else dict.fromkeys(required)), **data}.items():
            rel, link = name.removesuffix("_link"), str(value or "")
            if name in kind.written and not isinstance(value, (list, dict)):
                fields[name] = _checked_value(name, kind.written[name], value)
            elif name != rel and rel in kind.rels:
                links[rel] = f"/{link.partition('/api/')[2]}" if "/api/" in link else link
            else:
                raise HTTPException(422, f"{name} is unknown, or not of this form")
        for name in required:
            if fields.get(name, name) in (None, ""):
                raise HTTPException(422, f"{name} can't be blank")
        if (encoding := fields.get("encoding", "jpg")) not in WORDS["encodings"].get(plural, [encoding]):
            raise HTTPException(422, "Encoding is not valid")
        # The attribute that filters a list is unique in it (4.1, 4.18).
        if fields.get(kind.filter) and {*self._having(plural, fields[kind.filter])} - {path}:
            raise HTTPException(422, f"{kind.filter} has already been taken")
        return {"fields": fields, "links": links}

    def _having(self, plural: str, value: str) -> list[str]:
        """Return the paths of the records that a list's filter selects."""
        return [
            f"/{plural}/{id_}"
            for id_ in self._resolve(f"/{plural}").select({self._tables.kinds[plural].filter: str(value)})
        ]

    def _upsert(self, keyword: str, value: str, data: Mapping[str, Any]) -> tuple[int, str]:
        """Update the title with an external id, or create it (3.9). A keyword selects the type of external id."""
        types = self._having("external_id_types", keyword) if keyword else []
        if keyword and not (types and self._resolve(types[0]).values["unique"]):
            raise HTTPException(422, f"The external id type {keyword} cannot uniquely identify a title")
        titles = self._identified(types[0], value) if types else self._having("titles", value)
        if titles:
            self._settings.note("edit", titles[0].removeprefix("/"), **self._checked("titles", data, titles[0]))
            return 200, titles[0]
        status, path = self._create("titles", "/titles", data if types else {"external_id": value, **data})
        for kind in types:
            self._create("external_ids", f"{path}/external_ids", {"value": value, "external_id_type_link": kind})
        return status, path

    def _identified(self, type_: str, value: str) -> list[str]:
        """Return the paths of the titles that have an external id of a type."""
        changes, ids = self._settings.changes, self._tables.having(self._kind("external_ids"), "value", value)
        paths = [f"/external_ids/{id_}" for id_ in ids]
        paths += [path for n in range(len(changes)) if (path := subject(changes, n)).startswith("/external_ids/")]
        rows = [row for row in map(self._resolve, paths) if row and row.values["value"] == value]
        owners = [dict(row.links)["external_identifiable"] for row in rows if ("external_id_type", type_) in row.links]
        return [path for path in owners if path.startswith("/titles/") and self._resolve(path)]

    def _fields(self, node: Document, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields in a body by their names without prefix. Raise 422 if the template does not allow one."""
        prefix = f"{node.entity}_" if self._settings.metadata_prefix else ""
        fields = {}
        for name, value in data.items():
            field = name.replace("-", "_").removeprefix(prefix)
            if field not in node.kinds or not name.replace("-", "_").startswith(prefix):
                raise HTTPException(422, f"{name} is unknown")
            fields[field] = _checked_value(name, node.kinds[field], value)
        return fields


def _read(body: bytes, content_type: str, *, many: bool) -> Any:
    """Return the object in a body of JSON or XML. If *many*, an array of objects is also valid."""
    try:
        as_json = "json" in content_type or not body
        data = (json.loads(body or b"{}") if as_json else _value(ET.fromstring(body))) or {}  # noqa: S314 - from the user
    except (ValueError, ET.ParseError):
        data = None
    if not all(isinstance(item, dict) for item in (data if many and isinstance(data, list) else [data])):
        raise HTTPException(400, "The body is not an object in the format of its Content-Type.")
    return data


def _value(element: ET.Element) -> Any:
    """Return the value of an XML element, as its `type` says. Links become members `<rel>_link`."""
    kind, text = element.get("type"), element.text or ""
    if element.get("nil") == "true":
        return None
    if kind == "array":
        return [_value(child) for child in element]
    if len(element):
        links = {f"{child.get('rel')}_link": child.get("href") for child in element.iter("link")}
        return {child.tag.replace("-", "_"): _value(child) for child in element if child.tag != "link"} | links
    return int(text) if kind == "integer" and text else text == "true" if kind == "boolean" else text


def _checked_value(name: str, kind: str, value: Any) -> Any:
    expected = _TYPES.get(kind, str)
    if kind and value is not None and type(value) is not expected:
        message = f"{name.replace('_', ' ').capitalize()} must be {'an' if kind[0] in 'ai' else 'a'} {kind}"
        raise HTTPException(422, message)
    return value
