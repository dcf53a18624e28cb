"""What the form of the request panel says, as plain values; and the query that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vendorkit.ask import Filter, find_filter
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client

Match = Literal["all", "any", "none"]


@dataclass(frozen=True)
class Condition:
    """One filter, by its name in Python, and its value as `query` takes it."""

    name: str
    value: Any

    def nested(self, filters: tuple[Filter, ...], resource: str) -> dict[str, Any]:
        """Return the condition as the vendor writes it, its value checked."""
        declared = find_filter(filters, self.name, resource)
        return {declared.wire: declared.value(self.value)}


@dataclass(frozen=True)
class Group:
    """Conditions and further groups: all of them hold, or any, or none."""

    match: Match = "all"
    members: tuple[Condition | Group, ...] = ()

    def nested(self, filters: tuple[Filter, ...], resource: str) -> dict[str, Any] | None:
        """Return the group as the vendor writes it; None where nothing stands in it."""
        parts = [part for member in self.members if (part := member.nested(filters, resource)) is not None]
        joined = joined_by("and" if self.match == "all" else "or", parts)
        return {"not": joined} if joined is not None and self.match == "none" else joined


@dataclass(frozen=True)
class QuerySpec:
    """
    What the form says: a resource, what narrows it, and how much of it to fetch.

    Attributes:
        resource: Its name.
        filters: The conditions.
        where: The vendor's own nested filter, beside the conditions.
        sort, expand, accept, strategy, since: As in `query`.
        columns, limit, locale: As in `frame`.
    """

    resource: str
    filters: Group = Group()
    where: Mapping[str, Any] | None = None
    sort: str | None = None
    expand: tuple[str, ...] = ()
    accept: str | None = None
    strategy: str | None = None
    since: int | None = None
    columns: tuple[str, ...] = ()
    limit: int | None = None
    locale: str | None = None

    def query(self, client: Client) -> Query:
        """
        Return the query; nothing is sent.

        Raises:
            UsageError: A filter cannot have its value, or one that is required is missing.
        """
        plain, where = self._parted(client.declared[self.resource])
        return getattr(client, self.resource).query(  # type: ignore[no-any-return]
            where=where,
            sort=self.sort,
            expand=self.expand,
            accept=self.accept,
            strategy=self.strategy,
            since=self.since,
            **plain,
        )

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `frame`, those alone that say something."""
        given = {"columns": list(self.columns) or None, "limit": self.limit, "locale": self.locale}
        return {name: value for name, value in given.items() if value is not None}

    def _parted(self, resource: Resource) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return what can be said by filters' names, and the rest as one nested filter."""
        plain: dict[str, Any] = {}
        rest: list[Condition | Group] = []
        for member in self.filters.members if self.filters.match == "all" else (self.filters,):
            if isinstance(member, Condition) and member.name not in plain:
                plain[member.name] = member.value
            else:
                rest.append(member)
        parts = [part for member in rest if (part := member.nested(resource.filters, resource.name)) is not None]
        return plain, joined_by("and", [*parts, *([dict(self.where)] if self.where is not None else [])])


def joined_by(word: str, parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return *parts* as one nested filter; a single one as it is, None for none."""
    return None if not parts else parts[0] if len(parts) == 1 else {word: parts}
