"""
The format of Mediagenix's answers: a resource as XML or JSON, with its links expanded on request.

Rules: Mediagenix's documents on XML, JSON and expand. XML is concatenated from strings and not built by an XML
library, because a page of 200 titles has to be written within a few milliseconds.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from vendorkit.local.server.nodes import Attribute, Collection, Document, Node, Resource

if TYPE_CHECKING:
    from vendorkit.local.server.settings import Settings

# 3.2: these two keep the underscore in XML, as the vendor's samples do.
UNDERSCORED: Final = {("image", "external_id"), ("rendition", "external_id")}
# 3.2: samples with `href` before `rel`, and an array root without `type`.
HREF_FIRST: Final = {"linear_scheduling", "platform"}
UNTYPED_ARRAYS: Final = {"linear_schedulings"}
_HERE: Final = "\x00"
_SHARES: Final = 10_000


class Paging(NamedTuple):
    """What an answer has in addition to the records of a page. Links are whole URLs; None: not there."""

    total: int | None = None
    prev: str | None = None
    next: str | None = None


class Renderer:
    """Writes one answer. A *guard* is the set of paths that `expand` does not expand again."""

    def __init__(
        self,
        settings: Settings,
        origin: Callable[..., str],
        resolve: Callable[[str], Node | None],
        expand: frozenset[str],
    ) -> None:
        self._settings, self._origin = settings, origin
        base_url = origin()
        self._api = (base_url.replace("https://", "http://", 1) if settings.http_links else base_url) + "/api"
        self._resolve = resolve
        self._expand = expand - {"self"}

    def xml(self, node: Node, paging: Paging) -> str:
        """Return the answer as XML."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + self._xml(node, set(), 0, paging)

    def json(self, node: Node, paging: Paging) -> str:
        """Return the answer as JSON."""
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
        head += [f"<link rel={quoteattr(rel)} href={quoteattr(url)}/>" for rel, url in _adjacent(paging)]
        # Each record of a requested list has its own guard; those of an expanded list share one (3.4).
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
        head.update((f"{rel}_link", url) for rel, url in _adjacent(paging))
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
        """Return what an expanded link contains, with its guard and depth; None if the link is not expanded."""
        if rel not in self._expand or rel in resource.plain or target in guard:
            return None
        node = (resource.embedded or {}).get(rel) or self._resolve(target)
        return None if node is None else (node, self._guarded(guard, target, depth), depth + 1)

    def _guarded(self, guard: set[str], path: str, depth: int) -> set[str]:
        if not self._expand:
            return guard
        # 3.4, inferred from server code of 2013: below the first level all siblings share one guard, so that a
        # record that occurs twice among them is expanded only the first time.
        if depth and self._settings.expand_guard_shared:
            guard.add(path)
            return guard
        return guard | {path}

    def _href(self, path: str) -> str:
        """Return the address of a path; "sequence:/jobs/1" is one of another origin."""
        if path.startswith("/"):
            return self._api + path
        name, _, below = path.partition(":")
        return self._origin(name) + below

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


def _adjacent(paging: Paging) -> list[tuple[str, str]]:
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
    """Return start tag, null element and end tag of an attribute."""
    name = attribute if (resource, attribute) in UNDERSCORED else attribute.replace("_", "-")
    typed = f' type="{kind}"' if kind else ""
    return f"<{name}{typed}>", f'<{name}{typed} nil="true"/>', f"</{name}>"


@cache
def _field_name(entity: str, name: str, dash: str) -> str:
    return (f"{entity}_{name}" if entity else name).replace("_", dash)


@lru_cache(maxsize=1_024)  # callers may send any number of different `expand` lists
def _own_links(resource: str, has_self: bool, below: tuple[str, ...], expand: frozenset[str]) -> list[tuple[str, str]]:
    """
    Return the link elements of a record to what is below it, with a placeholder for the URL of the record.

    They are split at each rel that is to be expanded: (links before it, rel), with rel "" after the last.
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
