"""What Mediagenix's APIs answer: records, metadata documents and collections, and the functions that build them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Attribute = tuple[str, str, Any]
"""Name with underscores, value of the XML `type` attribute ("": no attribute), value."""


@dataclass(slots=True)
class Resource:
    """
    One record.

    Args:
        name: Resource type, with underscores.
        path: Path below `/api`; "" for the root, which has no self link.
        attributes: In the order of the answer.
        below: Rels whose link is the path of the record followed by the rel.
        links: Rel and path of all other links; "sequence:/api/jobs/1" is at another origin.
        plain: Rels that `expand` does not expand.
        embedded: What `expand` puts under a rel, if that is not the resource at the link.
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
    A list of records, each built from its number.

    Args:
        name: Plural resource type, with underscores.
        members: Numbers of the records, in order: a range, list or numpy column.
        build: Returns the record of a number.
        paging: "pages" (always), "optional" (with `pagination=true`), "cursor", or "none". It is documented for a
            few collections only (3.5); the rest is inferred.
        select: Returns the members for a query, if the collection has filters.
    """

    name: str
    members: Any
    build: Callable[..., Any]
    paging: str = "optional"
    select: Callable[[Mapping[str, str]], Sequence[int]] | None = None


Node = Resource | Document | Collection
Build = Callable[..., Node | None]
"""Returns the answer for the ids in a path; None if there is no such record."""
Table = dict[str, Build]
"""From a path below `/api`, such as `/titles/{id}/images`, to the function that builds the answer from its ids."""


def found_in(table: Table, path: str) -> Node | None:
    """Return what a table has at *path*; None if nothing is there."""
    parts = path.split("/")
    pattern = "/".join("{id}" if part.isdecimal() else part for part in parts)
    return table[pattern](*(int(part) for part in parts if part.isdecimal())) if pattern in table else None


def record(
    name: str,
    id_: int,
    attributes: list[Attribute],
    below: tuple[str, ...] = (),
    *,
    links: Sequence[tuple[str, str]] = (),
    plain: frozenset[str] = frozenset(),
) -> Resource:
    """Return the record at `/<name>s/<id>`; its first attribute is the id. For the rest see `Resource`."""
    return Resource(name, f"/{name}s/{id_}", [("id", "integer", id_), *attributes], below, list(links), plain)


def numbered(count: int) -> Callable[[Callable[[int], Resource]], Callable[[int], Resource | None]]:
    """Return a decorator: the function is called for ids from 1 to *count*; there is no record for all others."""
    return lambda build: lambda id_: build(id_) if 1 <= id_ <= count else None


def every(plural: str, build: Build, count: int, paging: str = "optional") -> Build:
    """Return the builder of the collection of all records, whose ids are 1 to *count*."""
    return lambda: Collection(plural, range(1, count + 1), build, paging)


def child(owner: Build, build: Build) -> Build:
    """Return *build* for something that exists only if the owner does, which has the same ids."""
    return lambda *ids: owner(*ids) and build(*ids)


def children(plural: str, build: Build, owner: Build, members: Callable[..., Any], paging: str = "optional") -> Build:
    """Return the builder of a collection below an owner; *members* gets the ids of the owner."""
    return child(owner, lambda *ids: Collection(plural, members(*ids), build, paging))
