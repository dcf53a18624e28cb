"""
The house style of Mediagenix's answers: one resource, written as XML or as JSON, with its links expanded on request.

Rules: Mediagenix's documents on XML, JSON and expand. Text is spliced rather than built by an XML
library: a page of 200 titles has to leave within a few milliseconds.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

Attribute = tuple[str, str, Any]
"""Name with underscores, value of the XML `type` attribute ("" for none), value."""

# 3.2: these two keep the underscore in XML, as the vendor's samples do.
UNDERSCORED: Final = {("image", "external_id"), ("rendition", "external_id")}
# 3.2: samples with `href` before `rel`, and an array root without its type.
HREF_FIRST: Final = {"linear_scheduling", "platform"}
UNTYPED_ARRAYS: Final = {"linear_schedulings"}
_HERE: Final = "\x00"
_SHARES: Final = 10_000


@dataclass(slots=True)
class Resource:
    """
    One record.

    Args:
        name: Resource type, with underscores.
        path: Path below `/api`; "" for the root, which has no self link.
        attributes: In the order of the answer.
        below: Rels whose link is the path of the record followed by the rel.
        links: Rel and path of all other links; a whole URL leads to another origin.
        plain: Rels that `expand` leaves alone.
        embedded: What `expand` puts under a rel where it is not the resource behind the link.
    """

    name: str
    path: str
    attributes: list[Attribute]
    below: tuple[str, ...] = ()
    links: list[tuple[str, str]] = field(default_factory=list)
    plain: frozenset[str] = frozenset()
    embedded: Mapping[str, Resource] | None = None


@dataclass(slots=True)
class Document:
    """The free-form `metadata` of one record: fields may be absent, null, empty, lists or nested."""

    entity: str
    fields: list[Attribute]


@dataclass(slots=True)
class Collection:
    """
    Many records, built one by one from their numbers.

    Args:
        name: Plural resource type, with underscores.
        members: Numbers of the records, in order: a range, list or numpy column.
        build: From a number to its record.
        paging: "pages" (always), "optional" (with `pagination=true`), "cursor", or "none". Which collections the
            vendor pages always was seen for a few only (3.5); the rest is inferred.
        select: Chooses the members by the query, where the collection has filters.
    """

    name: str
    members: Any
    build: Callable[[int], Resource | None]
    paging: str = "optional"
    select: Callable[[Mapping[str, str]], Sequence[int]] | None = None


Node = Resource | Document | Collection


class Paging(NamedTuple):
    """What stands above the records of a page. Links are whole URLs; None where there is none."""

    total: int | None = None
    prev: str | None = None
    next: str | None = None


class Renderer:
    """Writes one answer. The guard of `expand` lives as long as the answer."""

    def __init__(
        self, settings: Settings, base_url: str, resolve: Callable[[str], Node | None], expand: frozenset[str]
    ) -> None:
        self._settings = settings
        self._api = (base_url.replace("https://", "http://", 1) if settings.http_links else base_url) + "/api"
        self._resolve = resolve
        self._expand = expand - {"self"}

    def xml(self, node: Node, paging: Paging) -> str:
        """The answer as XML."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + self._xml(node, set(), 0, paging)

    def json(self, node: Node, paging: Paging) -> str:
        """The answer as JSON."""
        return json.dumps(self._json(node, set(), 0, paging), ensure_ascii=False, separators=(",", ":"))

    # -- XML

    def _xml(self, node: Node, guard: set[str], depth: int, paging: Paging = Paging()) -> str:  # noqa: B008
        if isinstance(node, Resource):
            return self._xml_resource(node, guard, depth)
        if isinstance(node, Document):
            fields = [self._xml_field(*entry) for entry in self._named(node, "-")]
            return '<metadata type="document">' + "".join(fields) + "</metadata>"
        name = node.name.replace("_", "-")
        head = [f"<{name}>" if node.name in UNTYPED_ARRAYS else f'<{name} type="array">']
        if paging.total is not None:
            head.append(f"<total-entries>{paging.total}</total-entries>")
        head += [f"<link rel={quoteattr(rel)} href={quoteattr(url)}/>" for rel, url in _neighbours(paging)]
        # On a list asked for directly each record has its own guard; inside an expanded one they share it (3.4).
        items = [self._xml_resource(item, guard if depth else set(), depth) for item in _items(node)]
        return "".join([*head, *items, f"</{name}>"])

    def _xml_resource(self, resource: Resource, guard: set[str], depth: int) -> str:
        name, path = resource.name, resource.path
        guard = self._guarded(guard, path, depth)
        tag, url = name.replace("_", "-"), self._api + path
        parts = [f"<{tag}>"]
        for attribute, kind, value in self._attributes(resource):
            start, nil, end = _tags(name, attribute, kind)
            parts.append(nil if value is None else start + _text(value) + end)
        for run, rel in _own_links(name, bool(path), resource.below, self._expand - resource.plain):
            parts.append(run.replace(_HERE, url))
            if rel:
                parts.append(self._xml_link(resource, rel, f"{path}/{rel}", guard, depth))
        parts += [self._xml_link(resource, rel, target, guard, depth) for rel, target in resource.links]
        parts.append(f"</{tag}>")
        return "".join(parts)

    def _xml_link(self, resource: Resource, rel: str, target: str, guard: set[str], depth: int) -> str:
        link = _link(resource.name, rel, self._href(target))
        child = self._child(resource, rel, target, guard, depth)
        return link if child is None else f"{link[:-2]}>{self._xml(*child)}</link>"

    def _xml_field(self, name: str, kind: str, value: Any) -> str:
        if value is None:
            return f'<{name} nil="true"/>'
        if value.__class__ is str:
            return (f'<{name} type="{kind}">' if kind else f"<{name}>") + _text(value) + f"</{name}>"
        if isinstance(value, list):
            one = name.removesuffix("s")
            return f'<{name} type="array">{"".join([self._xml_field(one, "", item) for item in value])}</{name}>'
        if isinstance(value, dict):
            inner = [self._xml_field(key.replace("_", "-"), "", item) for key, item in value.items()]
            return f"<{name}>{''.join(inner)}</{name}>"
        kind = "boolean" if isinstance(value, bool) else "integer"
        untyped = kind == "integer" and self._settings.metadata_untyped_numbers
        return (f"<{name}>" if untyped else f'<{name} type="{kind}">') + _text(value) + f"</{name}>"

    # -- JSON

    def _json(self, node: Node, guard: set[str], depth: int, paging: Paging = Paging()) -> dict[str, Any]:  # noqa: B008
        if isinstance(node, Resource):
            return self._json_resource(node, guard, depth)
        if isinstance(node, Document):
            dash = "-" if self._settings.metadata_dashes_in_json else "_"
            return {"resource_type": "metadata"} | {name: value for name, _, value in self._named(node, dash)}
        head: dict[str, Any] = {} if paging.total is None else {"total_entries": paging.total}
        head.update((f"{rel}_link", url) for rel, url in _neighbours(paging))
        head["entries"] = [self._json_resource(item, guard if depth else set(), depth) for item in _items(node)]
        return head

    def _json_resource(self, resource: Resource, guard: set[str], depth: int) -> dict[str, Any]:
        path = resource.path
        guard = self._guarded(guard, path, depth)
        record: dict[str, Any] = {"resource_type": resource.name}
        record.update({name: value for name, _, value in self._attributes(resource)})
        url = self._api + path
        if path:
            record["self_link"] = url
        record.update({f"{rel}_link": f"{url}/{rel}" for rel in resource.below})
        record.update({f"{rel}_link": self._href(target) for rel, target in resource.links})
        if self._expand:
            for rel, target in [*((rel, f"{path}/{rel}") for rel in resource.below), *resource.links]:
                child = self._child(resource, rel, target, guard, depth)
                if child is not None:
                    record[rel] = self._json(*child)
        return record

    # -- both

    def _child(
        self, resource: Resource, rel: str, target: str, guard: set[str], depth: int
    ) -> tuple[Node, set[str], int] | None:
        """What stands expanded below a link, with its guard and depth; None for a link left as it is."""
        if rel not in self._expand or rel in resource.plain or target in guard:
            return None
        node = (resource.embedded or {}).get(rel) or self._resolve(target)
        return None if node is None else (node, self._guarded(guard, target, depth), depth + 1)

    def _guarded(self, guard: set[str], path: str, depth: int) -> set[str]:
        if not self._expand:
            return guard
        # 3.4, inferred from server code of 2013: below the first level one list serves all siblings, so that a
        # record repeated among them is expanded only the first time.
        if depth and self._settings.expand_guard_shared:
            guard.add(path)
            return guard
        return guard | {path}

    def _href(self, path: str) -> str:
        return path if path.startswith("http") else self._api + path

    def _attributes(self, resource: Resource) -> list[Attribute]:
        rate = self._settings.wrong_type_rate
        if not rate or zlib.crc32(resource.path.encode()) % _SHARES >= rate * _SHARES:
            return resource.attributes
        return [_mistyped(attribute) for attribute in resource.attributes] + [("newly_added", "", "by the vendor")]

    def _named(self, document: Document, dash: str) -> Iterator[Attribute]:
        entity = document.entity if self._settings.metadata_prefix else ""
        for name, kind, value in document.fields:
            yield _field_name(entity, name, dash), kind, value


def _items(collection: Collection) -> Iterator[Resource]:
    for number in collection.members:
        item = collection.build(int(number))
        if item is not None:
            yield item


def _neighbours(paging: Paging) -> list[tuple[str, str]]:
    return [(rel, url) for rel, url in (("prev", paging.prev), ("next", paging.next)) if url]


def _text(value: Any) -> str:
    if value.__class__ is str:
        return escape(value) if "&" in value or "<" in value or ">" in value else value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mistyped(attribute: Attribute) -> Attribute:
    name, _, value = attribute
    if isinstance(value, bool):
        return name, "", "yes" if value else "no"
    return (name, "", str(value)) if isinstance(value, int) else attribute


@cache
def _tags(resource: str, attribute: str, kind: str) -> tuple[str, str, str]:
    """Start tag, whole null element and end tag of an attribute."""
    name = attribute if (resource, attribute) in UNDERSCORED else attribute.replace("_", "-")
    typed = f' type="{kind}"' if kind else ""
    return f"<{name}{typed}>", f'<{name}{typed} nil="true"/>', f"</{name}>"


@cache
def _field_name(entity: str, name: str, dash: str) -> str:
    return (f"{entity}_{name}" if entity else name).replace("_", dash)


@lru_cache(maxsize=1_024)  # callers may send any number of different `expand` lists
def _own_links(resource: str, has_self: bool, below: tuple[str, ...], expand: frozenset[str]) -> list[tuple[str, str]]:
    """
    The link elements of a record below its own URL, with a mark where that URL goes.

    Cut into runs: after each comes a rel that may have to be expanded, "" after the last.
    """
    runs, run = [], _link(resource, "self", _HERE) if has_self else ""
    for rel in below:
        if rel in expand:
            runs.append((run, rel))
            run = ""
        else:
            run += _link(resource, rel, f"{_HERE}/{rel}")
    return [*runs, (run, "")]


def _link(resource: str, rel: str, href: str) -> str:
    href = _text(href)
    if rel == "web":
        return f'<link type="text/html" rel="web" href="{href}"/>'
    if resource in HREF_FIRST:
        return f'<link href="{href}" rel="{rel}"/>'
    return f'<link rel="{rel}" href="{href}"/>'
