"""
The answers of Mediagenix's APIs, as XML or JSON, with links expanded on request.

They follow Mediagenix's documents on XML, JSON and expand. XML is concatenated from strings instead of built by an XML
library, so that a page of 200 titles is written within a few milliseconds.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from vendorkit.local.server.api import Api

Attribute = tuple[str, str, Any]
"""The name with underscores, the XML `type` ("": none), and the value."""


@dataclass(slots=True)
class Resource:
    """
    One record.

    Args:
        name: Resource type, with underscores.
        path: Path below `/api`; "" for the root, which has no self link.
        attributes: The attributes, in the order of the answer.
        below: Rels whose link is the record's path followed by the rel.
        links: Rel and path of all other links. "sequence:/api/jobs/1" is at another origin.
        plain: Rels that `expand` does not expand.
        embedded: The resource that `expand` shows for a rel, if it is not the one at the link.
    """

    name: str
    path: str
    attributes: list[Attribute]
    below: tuple[str, ...] = ()
    links: list[tuple[str, str]] = field(default_factory=list)
    plain: frozenset[str] = frozenset()
    embedded: Mapping[str, Resource] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The values of the attributes, by name."""
        return {name: value for name, _, value in self.attributes}


@dataclass(slots=True)
class Document:
    """The free-form `metadata` of one record. `kinds` has all fields of its template, each of which may be absent."""

    entity: str
    attributes: list[Attribute]
    kinds: Mapping[str, str]


@dataclass(slots=True)
class Collection:
    """
    A list of records, each built from its id.

    Args:
        name: Plural resource type, with underscores.
        members: Ids of the records, in order.
        build: Returns the record with an id, or None.
        paging: "pages" (always), "optional" (with `pagination=true`), "cursor", or "none". The vendor documents it for
            a few collections only (3.5); for the others it is inferred.
        select: Returns the members that match a query, if the collection has filters.
    """

    name: str
    members: Sequence[int]
    build: Callable[[int], Resource | None]
    paging: str = "optional"
    select: Callable[[Mapping[str, str]], Sequence[int]] | None = None


Node = Resource | Document | Collection
Resolve = Callable[[str], Node | None]
"""Returns the node at a path, None if there is none."""
Write = Callable[..., Any]
"""Writes a node, given the guard (see `Renderer`) and the depth."""
Table = dict[str, Callable[..., Node | None]]
"""Maps a path below `/api`, such as `/titles/{id}/images`, to the function that builds the node from the ids."""


def found_in(table: Table, path: str) -> Node | None:
    """Return the node that a table has at *path*, None if there is none."""
    parts = path.split("/")
    pattern = "/".join("{id}" if part.isdecimal() else part for part in parts)
    return table[pattern](*(int(part) for part in parts if part.isdecimal())) if pattern in table else None


# 3.2: in the vendor's samples these two keep the underscore in XML.
UNDERSCORED: Final = {("image", "external_id"), ("rendition", "external_id")}
# 3.2: the samples have `href` before `rel` in these resources, and no `type` at the root of this array.
HREF_FIRST: Final = {"linear_scheduling", "platform"}
UNTYPED_ARRAYS: Final = {"linear_schedulings"}
_SHARES: Final = 10_000


class Paging(NamedTuple):
    """What an answer has in addition to its records: the total, and the rels and URLs of the adjacent pages."""

    total: int | None = None
    links: Sequence[tuple[str, str]] = ()


class Renderer:
    """Writes one answer. The *guard* is the set of paths that are not expanded again."""

    def __init__(self, api: Api, resolve: Resolve, expand: frozenset[str]) -> None:
        self._settings, self._origin = api.settings, api.origin
        base_url = api.origin()
        self._api = (base_url.replace("https://", "http://", 1) if self._settings.http_links else base_url) + "/api"
        self._resolve, self._expand = resolve, expand - {"self"}

    def xml(self, node: Node, paging: Paging) -> str:
        """Return the answer as XML."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + self._xml(node, set(), 0, paging)

    def json(self, node: Node, paging: Paging) -> str:
        """Return the answer as JSON."""
        return json.dumps(self._json(node, set(), 0, paging), ensure_ascii=False, separators=(",", ":"))

    # -- XML

    def _xml(self, node: Node, guard: set[str], depth: int, paging: Paging = Paging()) -> str:  # noqa: B008
        if isinstance(node, Resource):
            name = node.name
            parts = [f"<{name.replace('_', '-')}>"]
            for attribute, kind, value in self._attributes(node):
                start, nil, end = _tags(name, attribute, kind)
                parts.append(nil if value is None else start + _text(value) + end)
            parts += [_link(name, *link) for link in self._links(node, guard, depth, self._xml)]
            return f"{''.join(parts)}</{name.replace('_', '-')}>"
        if isinstance(node, Document):
            fields = [self._xml_field(*entry) for entry in self._named(node, "-")]
            return '<metadata type="document">' + "".join(fields) + "</metadata>"
        name = node.name.replace("_", "-")
        head = [f"<{name}>" if node.name in UNTYPED_ARRAYS else f'<{name} type="array">']
        if paging.total is not None:
            head.append(f"<total-entries>{paging.total}</total-entries>")
        head += [f"<link rel={quoteattr(rel)} href={quoteattr(url)}/>" for rel, url in paging.links]
        return "".join([*head, *_items(node, guard, depth, self._xml), f"</{name}>"])

    def _xml_field(self, name: str, kind: str, value: Any) -> str:
        if value is None:
            return f'<{name} nil="true"/>'
        if isinstance(value, list):
            kind, inner = "array", "".join([self._xml_field(name.removesuffix("s"), "", item) for item in value])
        elif isinstance(value, dict):
            inner = "".join([self._xml_field(key.replace("_", "-"), "", item) for key, item in value.items()])
        else:
            inner = _text(value)
            if isinstance(value, bool):
                kind = "boolean"
            elif isinstance(value, int):
                kind = "" if self._settings.metadata_untyped_numbers else "integer"
        return f'<{name} type="{kind}">{inner}</{name}>' if kind else f"<{name}>{inner}</{name}>"

    # -- JSON

    def _json(self, node: Node, guard: set[str], depth: int, paging: Paging = Paging()) -> dict[str, Any]:  # noqa: B008
        if isinstance(node, Resource):
            attributes = {name: value for name, _, value in self._attributes(node)}
            links = [*self._links(node, guard, depth, self._json)]
            shown = {f"{rel}_link": href for rel, href, _ in links}
            expanded = {rel: child for rel, _, child in links if child is not None}
            return {"resource_type": node.name, **attributes, **shown, **expanded}
        if isinstance(node, Document):
            dash = "-" if self._settings.metadata_dashes_in_json else "_"
            return {"resource_type": "metadata"} | {name: value for name, _, value in self._named(node, dash)}
        head: dict[str, Any] = {} if paging.total is None else {"total_entries": paging.total}
        head |= {f"{rel}_link": url for rel, url in paging.links}
        return head | {"entries": [*_items(node, guard, depth, self._json)]}

    # -- both

    def _links(self, resource: Resource, guard: set[str], depth: int, write: Write) -> Iterator[tuple[str, str, Any]]:
        """Yield the rel and URL of each link of a record, and the linked node as written by *write*, if expanded."""
        path = resource.path
        guard = self._guarded(guard, path, depth)
        if path:
            yield "self", self._api + path, None
        expand = self._expand - resource.plain
        for rel, target in [*((rel, f"{path}/{rel}") for rel in resource.below), *resource.links]:
            child = self._child(resource, (rel, target), guard, depth, write) if rel in expand else None
            yield rel, self._href(target), child

    def _child(self, resource: Resource, link: tuple[str, str], guard: set[str], depth: int, write: Write) -> Any:
        rel, target = link
        node = None if target in guard else (resource.embedded or {}).get(rel) or self._resolve(target)
        return None if node is None else write(node, self._guarded(guard, target, depth), depth + 1)

    def _guarded(self, guard: set[str], path: str, depth: int) -> set[str]:
        if not self._expand:
            return guard
        # 3.4, inferred from server code of 2013: below the first level all siblings share one guard. A record that
        # occurs twice among them is expanded only the first time.
        if depth and self._settings.expand_guard_shared:
            guard.add(path)
            return guard
        return guard | {path}

    def _href(self, path: str) -> str:
        """Return the URL of a path. "sequence:/api/jobs/1" is at another origin."""
        if path.startswith("/"):
            return self._api + path
        name, _, below = path.partition(":")
        return path if name == "https" else self._origin(name) + below

    def _attributes(self, resource: Resource) -> list[Attribute]:
        rate = self._settings.wrong_type_rate
        if not rate or zlib.crc32(resource.path.encode()) % _SHARES >= rate * _SHARES:
            return resource.attributes
        return [_mistyped(*attribute) for attribute in resource.attributes] + [("newly_added", "", "by the vendor")]

    def _named(self, document: Document, dash: str) -> Iterator[Attribute]:
        prefix = f"{document.entity}_" if self._settings.metadata_prefix else ""
        for name, kind, value in document.attributes:
            yield (prefix + name).replace("_", dash), kind, value


def _items(collection: Collection, guard: set[str], depth: int, write: Write) -> Iterator[Any]:
    """Yield the records. In a requested list each has its own guard, in an expanded list they share one (3.4)."""
    for id_ in collection.members:
        item = collection.build(id_)
        if item is not None:
            yield write(item, guard if depth else set(), depth)


def _text(value: Any) -> str:
    if value.__class__ is str:
        return escape(value) if "&" in value or "<" in value or ">" in value else value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mistyped(name: str, kind: str, value: Any) -> Attribute:
    if isinstance(value, bool):
        return name, "", "yes" if value else "no"
    return (name, "", str(value)) if isinstance(value, int) else (name, kind, value)


@cache
def _tags(resource: str, attribute: str, kind: str) -> tuple[str, str, str]:
    """Return start tag, null element and end tag of an attribute."""
    name = attribute if (resource, attribute) in UNDERSCORED else attribute.replace("_", "-")
    typed = f' type="{kind}"' if kind else ""
    return f"<{name}{typed}>", f'<{name}{typed} nil="true"/>', f"</{name}>"


def _link(resource: str, rel: str, href: str, child: str | None) -> str:
    """Return the element of a link, which contains the expanded record, if any."""
    href = _text(href)
    attributes = f'rel="{rel}" href="{href}"'
    if rel == "web":
        attributes = f'type="text/html" {attributes}'
    elif resource in HREF_FIRST:
        attributes = f'href="{href}" rel="{rel}"'
    return f"<link {attributes}/>" if child is None else f"<link {attributes}>{child}</link>"
