"""Creating, updating and deleting records of the Mediagenix mock servers: each becomes one of their changes."""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from vendorkit.local.server.hypermedia_changes import ADDED
from vendorkit.local.server.nodes import Collection, Node, Resource

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

_TYPES = {"integer": int, "boolean": bool}


class Refused(Exception):
    """The request is refused: status, and message in the vendor's wording."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def write(
    settings: Settings, resolve: Callable[[str], Node | None], request: tuple[str, str], body: bytes, content_type: str
) -> tuple[int, str]:
    """
    Do what a POST, PUT or DELETE says to the server's own records; return the status and the path to answer.

    Raises:
        Refused: Nothing is there, it cannot be written, or an attribute is unknown or of another type.
    """
    if not settings.writes:
        raise Refused(403, "This mock server is read-only: nothing was changed.")
    method, path = request
    node = resolve(path)
    if node is None:
        raise Refused(404, f"No record at /api{path}")
    change: dict[str, Any] = {"action": "edit", "record": path.removeprefix("/"), "at": int(time.time())}
    target, status = node, 200
    if method == "POST" and isinstance(node, Collection) and len(node.members):
        first = node.build(int(node.members[0]))
        target, status = first, 201
        change |= {"action": "add", "record": first.path.removeprefix("/")}
    elif method == "DELETE":
        change["action"], status = "delete", 204
    elif method != "PUT":
        raise Refused(405, f"{method} is not possible at /api{path}")
    if not isinstance(target, Resource) or not target.path.rpartition("/")[2].isdecimal():
        raise Refused(403, "This mock server writes only records with an id.")
    if method != "DELETE":
        change |= _checked(target, _given(body, content_type))
    settings.changes = [*settings.changes, change]
    plural = change["record"].split("/")[0]
    return status, f"/{plural}/{ADDED + len(settings.changes) - 1}" if status == 201 else path


def _given(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the members of a body in JSON or XML, names with underscores, links as `<rel>_link`."""
    try:
        if "json" in content_type:
            given = json.loads(body or b"{}")
            return dict(given)
        found: dict[str, Any] = {}
        for element in ET.fromstring(body):  # noqa: S314 - the server's own user sends it
            if element.tag == "link":
                found[f"{element.get('rel')}_link"] = element.get("href")
            else:
                text = None if element.get("nil") == "true" else element.text or ""
                found[element.tag.replace("-", "_")] = _typed(text, element.get("type"))
    except (ValueError, TypeError, ET.ParseError):
        raise Refused(400, "The body is not an object in the format of its Content-Type.") from None
    return found


def _typed(text: str | None, kind: str | None) -> Any:
    if kind == "integer" and text:
        return int(text)
    return text == "true" if kind == "boolean" and text is not None else text


def _checked(target: Resource, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes and links of a body, checked against the record that they are for."""
    kinds = {name: kind for name, kind, _ in target.attributes if name != "id"}
    rels = {rel for rel, _ in target.links}
    fields, links = {}, {}
    for name, value in given.items():
        rel = name.removesuffix("_link")
        if name not in kinds and (name == rel or rel not in rels):
            raise Refused(422, f"{name} is unknown")
        if name in kinds:
            wanted = _TYPES.get(kinds[name], str)
            if value is not None and type(value) is not wanted and kinds[name] != "":
                raise Refused(422, f"{name} must be a {kinds[name]}")
            fields[name] = value
        else:
            links[rel] = "/" + str(value).partition("/api/")[2]
    return {"fields": fields, "links": links}
