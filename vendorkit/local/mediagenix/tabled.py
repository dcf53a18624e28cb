"""Records, collections and links of the collections that `collections.txt` describes; the format is in its head."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from vendorkit.local.mediagenix.data import Library, day
from vendorkit.local.server.nodes import Attribute, Collection, Resource, Table, child

FILE: Final = Path(__file__).with_name("collections.txt")
FILES: Final = "files:/files"
"""The origin of files: another host, which must never receive a credential."""
_PLACES: Final = 8  # ids for each owner
_TYPES: Final = ("integer", "boolean", "date", "datetime", "duration")
_RANGE: Final = re.compile(r"(-?\d+)\.\.(-?\d+)")


class Field(NamedTuple):
    """One attribute: `values` as in the file, null in one of `gap` records."""

    name: str
    kind: str
    values: str
    gap: int


@dataclass
class Spec:
    """One block: its owners and how many records are below each, or the number of records if it has none."""

    plural: str
    owners: tuple[str, ...]
    most: int
    attributes: list[Field] = field(default_factory=list)
    links: list[tuple[str, str, bool, int]] = field(default_factory=list)  # rel, target, expanded, missing in one of
    shares: list[tuple[str, str]] = field(default_factory=list)  # rel, plural


def read_specs(text: str) -> dict[str, Spec]:
    """Return the blocks by plural."""
    specs: dict[str, Spec] = {}
    for line in text.splitlines():
        if not line.startswith(" ") and (words := line.split()) and words[0] != "#":
            owners = tuple(words[1].split(",")) if len(words) == 3 else ()
            specs[words[0]] = Spec(words[0], owners, int(words[-1]))
        elif line.startswith("  "):
            _read_line(next(reversed(specs.values())), line.strip())
    return specs


def _read_line(spec: Spec, line: str) -> None:
    rest, _, gap = line.partition(" ?")
    head, *words = rest.split()
    if head == "->":
        spec.links.append((words[0], words[1], "!" not in words, int(gap or 0)))
    elif head == "+":
        spec.shares.append((words[0], " ".join(words[1:])))
    else:
        kind = words.pop(0) if words[0] in _TYPES else ""
        values = rest.removeprefix(head).strip().removeprefix(kind).strip()
        spec.attributes.append(Field(head, kind, values, int(gap or 0)))


class Tabled:
    """
    Builds the records of `collections.txt`.

    Args:
        library: Gives pseudo-random numbers, and the number of its own records.
        table: All path patterns and their builders, these included once they are added.
    """

    def __init__(self, library: Library, table: Table) -> None:
        self._library, self._table = library, table
        self._specs = read_specs(FILE.read_text("utf-8"))
        counts = {"titles": library.titles, "title_groups": library.groups, "brands": library.brands}
        counts |= {"licensors": 13, "linear_channels": 4}
        self._counts = counts | {spec.plural: spec.most for spec in self._specs.values() if not spec.owners}

    def table(self) -> Table:
        """Return path patterns and their builders."""
        table: Table = {
            "/contributors/{id}/credits": self._credits,
            "/linear_channels/{id}/linear_programs": self._programs,
        }
        for spec in self._specs.values():
            build = partial(self._record, spec)
            table[f"/{spec.plural}/{{id}}"] = build
            if not spec.owners:
                table[f"/{spec.plural}"] = partial(Collection, spec.plural, range(1, spec.most + 1), build, "pages")
            for owner in spec.owners:
                table[f"/{owner}/{{id}}/{spec.plural}"] = partial(self._below, spec, owner)
            for rel, plural in spec.shares:
                table[f"/{spec.plural}/{{id}}/{rel}"] = child(build, partial(self._share, spec, plural))
        return table

    def _below(self, spec: Spec, owner: str, id_: int) -> Collection | None:
        there = self._table[f"/{owner}/{{id}}"](id_) is not None
        return Collection(spec.plural, self._ids(spec, owner, id_), partial(self._record, spec)) if there else None

    def _ids(self, spec: Spec, owner: str, id_: int) -> range:
        first = (id_ * len(spec.owners) + spec.owners.index(owner)) * _PLACES
        return range(first, first + self._number(first, spec.plural) % (spec.most + 1))

    def _share(self, spec: Spec, plural: str, id_: int) -> Collection:
        none, _, name = plural.rpartition(" ")
        ids = range(0) if none else range(id_, self._counts[name] + 1, spec.most)
        return Collection(name, ids, self._table[f"/{name}/{{id}}"], "pages")

    def _record(self, spec: Spec, id_: int) -> Resource | None:
        place, owner = id_, None
        if spec.owners:
            number, place = divmod(id_, _PLACES)
            owner = self._owner(spec, number, id_)
        if owner is None and (spec.owners or not 1 <= id_ <= spec.most):
            return None
        place += bool(spec.owners)
        path = f"/{spec.plural}/{id_}"
        attributes = [("id", "integer", id_), *(self._attribute(spec, id_, place, one) for one in spec.attributes)]
        links = [*self._links(spec, id_, owner)]
        below = tuple(rel for rel, target, _, _ in spec.links if target == "below") + tuple(r for r, _ in spec.shares)
        plain = frozenset(rel for rel, _, expanded, _ in spec.links if not expanded)
        return Resource(_singular(spec.plural), path, attributes, below, links, plain)

    def _owner(self, spec: Spec, number: int, id_: int) -> Resource | None:
        owner_id, kind = divmod(number, len(spec.owners))
        plural = spec.owners[kind]
        found = self._table[f"/{plural}/{{id}}"](owner_id) if owner_id else None
        return found if isinstance(found, Resource) and id_ in self._ids(spec, plural, owner_id) else None

    def _attribute(self, spec: Spec, id_: int, place: int, given: Field) -> Attribute:
        name, kind, values, gap = given
        number = self._number(id_, f"{spec.plural}.{name}")
        if gap and number % gap == 0:
            return name, kind, None
        number //= gap or 1
        if values == "place":
            return name, kind, place
        if found := _RANGE.fullmatch(values):
            low, high = map(int, found.groups())
            return name, kind, _of_range(kind, low + number % (high - low + 1))
        if kind == "boolean":
            return name, kind, number % int(values.partition("/")[2]) == 0
        choices = [one.strip() for one in values.split("|")]
        # Without owners the records are few: each has the next of the values.
        chosen = choices[(number if spec.owners else place - 1) % len(choices)]
        return name, kind, chosen.format(id=id_, phrase=self._library.phrase(id_, 90))

    def _links(self, spec: Spec, id_: int, owner: Resource | None) -> Iterator[tuple[str, str]]:
        for rel, target, _, gap in spec.links:
            number = self._number(id_, f"{spec.plural}.{rel}")
            if target == "below" or (gap and number % gap == 0):
                continue
            path = self._target(spec, id_, owner, target, number // (gap or 1))
            if path:
                yield rel, path

    def _target(self, spec: Spec, id_: int, owner: Resource | None, target: str, number: int) -> str:
        word, _, name = target.partition(".")
        if owner is not None and word == "owner":
            return owner.path if not name else dict(owner.links).get(name, "")
        if owner is not None and word == "owner%contributors":
            return f"/contributors/{int(owner.path.rsplit('/', 1)[1]) % self._counts['contributors'] + 1}"
        if target == "file":
            return f"{FILES}/{spec.plural}/{id_}"
        plural = target.split("/")[1]
        count = self._counts[plural]
        return target.replace("*", str(number % count + 1)) if count else ""

    def _credits(self, id_: int) -> Collection | None:
        """Return the credits of a contributor: those of every n-th owner."""
        spec, count = self._specs["credits"], self._counts["contributors"]
        if not 1 <= id_ <= count:
            return None
        owned = [(owner, n) for owner in spec.owners for n in range(1, self._counts[owner] + 1) if n % count == id_ - 1]
        ids = sorted(one for pair in owned for one in self._ids(spec, *pair))
        return Collection("credits", ids, partial(self._record, spec), "pages")

    def _programs(self, id_: int) -> Collection | None:
        """Return the programs of a channel: those of its groups."""
        spec, groups = self._specs["linear_programs"], self._specs["linear_program_groups"]
        if not 1 <= id_ <= self._counts["linear_channels"]:
            return None
        found = [(n, self._record(groups, n)) for n in range(1, groups.most + 1)]
        own = [n for n, group in found if group and ("channel", f"/linear_channels/{id_}") in group.links]
        ids = [one for n in own for one in self._ids(spec, groups.plural, n)]
        return Collection("linear_programs", ids, partial(self._record, spec))

    def _number(self, id_: int, name: str) -> int:
        return int(self._library.scatter(id_, 100 + zlib.crc32(name.encode()) % 10_000))


def _singular(plural: str) -> str:
    return f"{plural[:-3]}y" if plural.endswith("ies") else plural[:-1]


def _of_range(kind: str, number: int) -> Any:
    if kind == "duration":
        return f"{number // 60:02}:{number % 60:02}:00.000"
    if kind in ("date", "datetime"):
        return day(number) + ("T06:00:00Z" if kind == "datetime" else "")
    return number
