"""
Mediagenix's resources: their columns with linked resources embedded, as the vendor expands them.

The attributes and links of each resource are in `resources.txt`.
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
    """A declared link: its rel, whether it leads to a collection and can be expanded, which resources may be there."""

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
        known = tuple(one for one in names if one in read_resources(FILE))
        links.append(Link(rel, many, "!" not in marked, known))
    return tuple(links)


def resource_at(word: str, host: str) -> str:
    """Return the resource at addresses that end with *word*, ids left out; the word itself if none is declared."""
    declared = read_resources(FILE)
    own = [name for name, one in declared.items() if one.values.get("host", ("",))[0] == host]
    by_rel = {link.rel: (*link.targets, word)[0] for name in own for link in _links(name) if link.many}
    by_path = {declared[name].values.get("below", (name,))[0].rpartition("/")[2]: name for name in own}
    return {**by_rel, **by_path}.get(word, word)


def expandable(name: str) -> tuple[str, ...]:
    """Return the rels of *name* that the vendor expands."""
    return tuple(link.rel for link in _links(name) if link.expandable)


def ineffective_expansions(name: str, expand: Sequence[str]) -> tuple[str, ...]:
    """Return those of *expand* that have no effect: neither *name* has them, nor a resource that the others embed."""
    found, resources = set[str](), [name]
    for resource in resources:
        for link in _links(resource):
            if link.rel in expand and link.expandable:
                found.add(link.rel)
                resources += [one for one in link.targets if one not in resources]
    return tuple(rel for rel in expand if rel not in found)


@cache
def schema(name: str, expand: tuple[str, ...] = ()) -> Schema:
    """Return the columns of *name*, with those linked resources embedded that *expand* names, at every depth."""
    return replace(read_resources(FILE)[name].schema, columns=tuple(_columns(name, expand, (name,))))


def _columns(name: str, expand: tuple[str, ...], above: tuple[str, ...]) -> Iterator[Column]:
    yield Column("resource_type", Kind.TEXT, about="In XML the name of the element.")
    yield from read_resources(FILE)[name].schema.columns
    yield Column("self_link", Kind.LINK, "self")
    for link in _links(name):
        yield Column(f"{link.rel}_link", Kind.LINK, link.rel)
    for link in _links(name):
        if link.rel not in expand or not link.expandable:
            continue
        if link.rel == "metadata":
            yield Column("metadata", Kind.DOCUMENT, about="Account-defined document; tables() gives it as rows.")
        elif link.rel == "subject":
            yield Column("subject", Kind.JSON, about="The record the event is about; its kind varies.")
        elif targets := [one for one in link.targets if one not in above]:
            # The vendor applies one flat list at every depth, and does not expand what it came from.
            fields = {one.name: one for target in targets for one in _columns(target, expand, (*above, target))}
            yield Column(link.rel, (EmbeddedMany if link.many else Embedded)(tuple(fields.values())))
