"""The conditions of a request as plain values: filters, in groups of which all, any or none hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vendorkit.ask import find_filter
from vendorkit.resource import Resource

Match = Literal["all", "any", "none"]


@dataclass(frozen=True)
class Condition:
    """One filter, by its name in Python, and its value as `query` takes it."""

    name: str
    value: Any

    def nested(self, resource: Resource) -> dict[str, Any]:
        """Return the condition as the vendor writes it, its value checked."""
        declared = find_filter(resource.filters, self.name, resource.name)
        return {declared.wire: declared.value(self.value)}


@dataclass(frozen=True)
class Group:
    """Conditions and further groups: all of them hold, or any, or none."""

    match: Match = "all"
    members: tuple[Condition | Group, ...] = ()

    def nested(self, resource: Resource) -> dict[str, Any] | None:
        """Return the group as the vendor writes it; None if it is empty."""
        joined = _joined("and" if self.match == "all" else "or", _nested(self.members, resource))
        return {"not": joined} if joined is not None and self.match == "none" else joined

    def arguments(self, resource: Resource, where: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return the arguments of `query`: filters by name, and what those cannot express as `where`.

        Args:
            resource: Declares the filters.
            where: A further filter in the vendor's own form.

        Raises:
            UsageError: A filter cannot have its value.
        """
        plain: dict[str, Any] = {}
        rest: list[Condition | Group] = []
        for member in self.members if self.match == "all" else (self,):
            if isinstance(member, Condition) and member.name not in plain:
                plain[member.name] = member.value
            else:
                rest.append(member)
        parts = [*_nested(rest, resource), *([] if where is None else [dict(where)])]
        return {**plain, "where": _joined("and", parts)}


def _nested(members: Iterable[Condition | Group], resource: Resource) -> list[dict[str, Any]]:
    return [part for member in members if (part := member.nested(resource)) is not None]


def _joined(word: str, parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return *parts* as one nested filter; a single one as it is, None for none."""
    return None if not parts else parts[0] if len(parts) == 1 else {word: parts}
