"""What Mediagenix's APIs answer: records, metadata documents and collections."""

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
    """The free-form `metadata` of one record: `kinds` has all fields of its template; they may be absent or null."""

    entity: str
    fields: list[Attribute]
    kinds: Mapping[str, str]


@dataclass(slots=True)
class Collection:
    """
    A list of records, each built from its number.

    Args:
        name: Plural resource type, with underscores.
        members: Ids of the records, in order.
        build: Returns the record of an id.
        paging: "pages" (always), "optional" (with `pagination=true`), "cursor", or "none". It is documented for a
            few collections only (3.5); the rest is inferred.
        select: Returns the members for a query, if the collection has filters.
    """

    name: str
    members: Sequence[int]
    build: Callable[[int], Resource | None]
    paging: str = "optional"
    select: Callable[[Mapping[str, str]], Sequence[int]] | None = None


Node = Resource | Document | Collection
Table = dict[str, Callable[..., Node | None]]
"""From a path below `/api`, such as `/titles/{id}/images`, to the function that builds the answer from its ids."""


def found_in(table: Table, path: str) -> Node | None:
    """Return what a table has at *path*; None if nothing is there."""
    parts = path.split("/")
    pattern = "/".join("{id}" if part.isdecimal() else part for part in parts)
    return table[pattern](*(int(part) for part in parts if part.isdecimal())) if pattern in table else None
