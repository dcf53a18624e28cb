"""
The columns of Mediagenix's resources, including those of expanded links.

The attributes and links of each resource are declared in `resources.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from vendorkit.frames import Column, Embedded, EmbeddedMany, Kind, Schema
from vendorkit.vendors.declared import read_resources

FILE: Final = Path(__file__).with_name("resources.txt")


@dataclass(frozen=True)
class Link:
    """A declared link: rel, whether it leads to a collection, whether it can be expanded, its possible resources."""

    rel: str
    many: bool
    expandable: bool
    targets: tuple[str, ...]


@cache
def _links(name: str) -> tuple[Link, ...]:
    links = []
    for word in read_resources(FILE)[name].values.get("links", ()):
        marked, _, target = word.partition(":")
        rel, many = marked.rstrip("*!"), "*" in marked
        names = (target or (rel if many else f"{rel}s")).split(",")
        known = tuple(target for target in names if target in read_resources(FILE))
        links.append(Link(rel, many, "!" not in marked, known))
    return tuple(links)


def resource_at(word: str, host: str) -> str:
    """Return the resource of URLs on *host* whose last word is *word*; *word* itself if none is declared."""
    declared = read_resources(FILE)
    on_host = [name for name, known in declared.items() if known.values.get("host", ("",))[0] == host]
    by_rel = {link.rel: (*link.targets, word)[0] for name in on_host for link in _links(name) if link.many}
    by_path = {declared[name].values.get("below", (name,))[0].rpartition("/")[2]: name for name in on_host}
    return {**by_rel, **by_path}.get(word, word)


def expandable(name: str) -> tuple[str, ...]:
    """Return the rels of *name* that the vendor expands."""
    return tuple(link.rel for link in _links(name) if link.expandable)


def ineffective_expansions(name: str, expand: Sequence[str]) -> tuple[str, ...]:
    """Return the rels of *expand* that neither *name* nor an embedded resource has."""
    effective, resources = set[str](), [name]
    for resource in resources:
        for link in _links(resource):
            if link.rel in expand and link.expandable:
                effective.add(link.rel)
                resources += [target for target in link.targets if target not in resources]
    return tuple(rel for rel in expand if rel not in effective)


@cache
def schema(name: str, expand: tuple[str, ...] = ()) -> Schema:
    """Return the columns of *name*, with the linked resources of *expand* embedded at every depth."""
    return replace(read_resources(FILE)[name].schema, columns=tuple(_columns(name, expand, (name,))))


def _columns(name: str, expand: tuple[str, ...], above: tuple[str, ...]) -> Iterator[Column]:
    yield Column("resource_type", Kind.TEXT, about="The name of the element in XML.")
    yield from read_resources(FILE)[name].schema.columns
    yield Column("self_link", Kind.LINK, "self")
    for link in _links(name):
        yield Column(f"{link.rel}_link", Kind.LINK, link.rel)
    for link in _links(name):
        if link.rel not in expand or not link.expandable:
            continue
        if link.rel == "metadata":
            yield Column("metadata", Kind.DOCUMENT, about="Account-defined document; tables() returns its rows.")
        elif link.rel == "subject":
            yield Column("subject", Kind.JSON, about="The record that the event is about; its kind varies.")
        elif targets := [name for name in link.targets if name not in above]:
            # The vendor applies one flat list at every depth, and does not expand a link back to an enclosing resource.
            inner = {column.name: column for target in targets for column in _columns(target, expand, (*above, target))}
            yield Column(link.rel, (EmbeddedMany if link.many else Embedded)(tuple(inner.values())))
