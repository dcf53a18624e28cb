"""
Records, collections and links of a Mediagenix mock server, generated from a table.

The table is `records` of `on_demand.json` or `sequence.json`: one entry per kind of record, by its plural.

    count        The number of records, whose ids start at 1. If absent, `counts` of the library has it. The library's
                 method named after the plural returns the facts of a record, or None if there is no such record. Facts
                 are the values that texts refer to. The fact `absent` lists attributes and rels that the record lacks.
    owners, most Instead of `count`: each owner has up to `most` records. "=name" is a library method that returns which
                 of 8 slots have a record. Facts are `place`, `owner` (a path), `owner_id` and the owner's links.
    unlisted     How many slots of each owner have a record that events mention, even if the owner does not list it.
    list         How the list of all records is paged; without it there is no such list.
    filter       The attribute by which that list can be filtered.
    path         The path of a record, if it is not /PLURAL/{id}.
    hidden       The attributes that the record does not show: its id, or attributes that can only be written.
    plain        The rels that `expand` does not expand (3.4).

    attributes   [name, type in XML, value, N: null in one of N records]. A value is
                 [..., ...]      one of these, in turn
                 "1..9"          a number; for dates, days from the library's today; for durations, minutes
                 "1/3"           the share of records in which a boolean is true
                 "place"         the position below the owner
                 "external X"    the customer's id, X-{id}; some are null, a few are empty
                 "{fact}"        the fact itself; any other text may contain facts, {id} and {phrase}
    links        [rel, target, N: missing in one of N records]. A target is a path with facts, left out if one is null;
                 several paths, in turn; "/titles/*", any title; "/contributors/%", by the owner's id; "files:/...".
    below        [rel, plural, how, paging]: the node at the record's path followed by the rel. How is
                 ""              the records that this record owns
                 a rel           the records whose link of that name leads to this record
                 "=name"         ids from a method of the library
                 "*", "none"     all records; no records
                 "share"         every n-th record
                 "single"        one record instead of a list
    unlinked     Like `below`, but the record shows no link to it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final

from vendorkit.local.mediagenix.answers import Attribute, Collection, Document, Node, Resource, Table
from vendorkit.local.mediagenix.numbers import Facts, day, external_id, kind_and_id

Draw = Callable[[], int]
"""Returns the pseudo-random number of one record and one attribute or link."""

_SLOTS: Final = 8  # ids per owner
_CACHED_RECORDS: Final = 10_000  # each has 1 to 2 kB
_BELOW: Final = re.compile(r"(/.*/\d+)/(\D+)")
_RANGE: Final = re.compile(r"(-?\d+)\.\.(-?\d+)")
_FACT: Final = re.compile(r"\{(\w+)\}")


class Kind:
    """One entry of a table, with its values and links as functions of a record's facts."""

    def __init__(self, plural: str, entry: Mapping[str, Any], library: Any) -> None:
        self.plural, self.library = plural, library
        self.name = f"{plural[:-3]}y" if plural.endswith("ies") else plural.removesuffix("s")
        self.path: str = entry.get("path", f"/{plural}/{{id}}")
        self.pattern = _FACT.sub("{id}", self.path)
        self.owners: list[str] = entry.get("owners", [])
        self.most: int | str = entry.get("most", 0)
        self.unlisted: int = entry.get("unlisted", 0)
        self.count: int = library.counts.get(plural, 0)
        self.listed: str | None = entry.get("list")
        self.filter: str = entry.get("filter", "")
        rows = [["id", "integer", "{id}"], *entry.get("attributes", [])]
        hidden = entry.get("hidden", [])
        self._attributes = [(row[0], row[1], self._value(*row)) for row in rows if row[0] not in hidden]
        self.types = {name: kind for name, kind, _ in self._attributes}
        self.written = {row[0]: row[1] for row in rows[1:]}  # the attributes that a request may set
        self.rels = {row[0]: row[1] for row in entry.get("links", [])}
        self.relations = {row[0]: row for row in (*entry.get("below", []), *entry.get("unlinked", []))}
        self.below = tuple(row[0] for row in entry.get("below", []))
        self._links = [(row[0], self._value(row[0], "", *row[1:])) for row in entry.get("links", [])]
        self.plain = frozenset(entry.get("plain", []))

    def facts(self, id_: int) -> Facts | None:
        """Return the library's facts of a record, None if there is no such record."""
        find = getattr(self.library, self.plural, None)
        facts: Facts | None = find(id_) if find else {}
        return None if facts is None else {"id": id_, **facts}

    def attributes(self, facts: Facts) -> list[Attribute]:
        """Return the attributes of a record."""
        absent = facts.get("absent", ())
        return [(name, kind, value(facts)) for name, kind, value in self._attributes if name not in absent]

    def nulls(self) -> list[Attribute]:
        """Return the attributes of a record without values."""
        return [(name, kind, None) for name, kind in self.types.items()]

    def resource(self, facts: Facts, path: str = "") -> Resource:
        """Return a record. A record without an id needs a *path*."""
        absent = facts.get("absent", ())
        links = [(rel.format_map(facts), target) for rel, find in self._links if (target := find(facts))]
        below = tuple(rel for rel in self.below if rel not in absent) if absent else self.below
        path = path or self.path.format_map(facts)
        return Resource(self.name, path, self.attributes(facts), below, links, self.plain)

    def _value(self, name: str, kind: str, value: Any, gap: int = 0) -> Callable[[Facts], Any]:
        """Return the function that computes a value from the facts."""
        compute, salt = self._compiled(kind, value), f"{self.plural}.{name}"

        def computed(facts: Facts) -> Any:
            draw = partial(self.library.number, facts["id"], salt)
            if not gap:
                return compute(draw, facts)
            return None if draw() % gap == 0 else compute(lambda: draw() // gap, facts)

        return computed

    def _compiled(self, kind: str, value: Any) -> Callable[[Draw, Facts], Any]:
        if isinstance(value, list):
            choices = [self._compiled("", choice) for choice in value]
            # There are few records without owners, so they take the values in turn.
            return lambda n, facts: choices[(n() if self.owners else facts["id"] - 1) % len(choices)](n, facts)
        if not isinstance(value, str):
            return lambda _, __: value
        if match := _RANGE.fullmatch(value):
            low, high = map(int, match.groups())
            return lambda n, _: _of_range(kind, low + n() % (high - low + 1))
        if kind == "boolean" and value.startswith("1/"):
            return lambda n, _: n() % int(value[2:]) == 0
        if value.startswith("external "):
            return lambda _, facts: external_id(value[9:], facts["id"] - 1)
        if value.startswith("/") and "{" not in value:
            return partial(self._any_path, value)
        return self._text("{place}" if value == "place" else value)

    def _any_path(self, value: str, draw: Draw, facts: Facts) -> str | None:
        """Return the path of some record of a collection, None if the collection is empty."""
        count = self.library.counts[value.split("/")[1]]
        number = facts["owner_id"] if value.endswith("%") else draw()
        return re.sub(r"[*%]$", str(number % count + 1), value) if count else None

    def _text(self, value: str) -> Callable[[Draw, Facts], Any]:
        names = _FACT.findall(value)
        if not names:
            return lambda _, __: value
        if "phrase" in names:
            return lambda _, facts: value.format(**facts, phrase=self.library.phrase(facts["id"], 90))
        if value == f"{{{names[0]}}}":
            return lambda _, facts: facts.get(names[0])
        return lambda _, facts: None if any(facts[name] is None for name in names) else value.format_map(facts)


class Tables:
    """
    The records of one table.

    Args:
        table: The entries, by the plural of their kind.
        library: The source of facts, counts and pseudo-random numbers.
    """

    def __init__(self, table: Mapping[str, Any], library: Any) -> None:
        self._library = library
        library.counts |= {plural: entry["count"] for plural, entry in table.items() if "count" in entry}
        self.kinds = {plural: Kind(plural, entry, library) for plural, entry in table.items()}
        self.record = lru_cache(maxsize=_CACHED_RECORDS)(self._build)
        self.ids = lru_cache(maxsize=None)(self._all_ids)
        self._ids_by_value: dict[tuple[str, str], dict[Any, list[int]]] = {}

    def patterns(self) -> Table:
        """Return the function that builds the node, by the pattern of its path."""
        table: Table = {}
        for plural, kind in self.kinds.items():
            if not kind.owners and plural not in self._library.counts:
                continue  # a single record below others, which has no other path
            table[kind.pattern] = partial(self._at, kind)
            if kind.listed:
                table[f"/{plural}"] = partial(self._list, kind)
            for rel, row in kind.relations.items():
                table[f"{kind.pattern}/{rel}"] = partial(self._below, kind, row)
        return table

    def _build(self, plural: str, id_: int) -> Resource | None:
        """Return one record, None if there is no such record."""
        kind = self.kinds[plural]
        facts = self._facts(kind, id_)
        return None if facts is None else kind.resource(facts)

    def blank(self, path: str, below: str = "") -> Node | None:
        """Return a record that a request created, or the node *below* it, with nulls and empty lists."""
        kind = self.kinds[kind_and_id(path)[0]]
        if not below:
            return Resource(kind.name, path, kind.nulls(), kind.below, [], kind.plain)
        if below not in kind.relations:
            return None
        _, other, how, *paging = kind.relations[below]
        if how != "single":
            return Collection(other, [], partial(self.record, other), *paging)
        if other.endswith("metadata"):
            return Document(kind.name, self.kinds[other].nulls(), self.kinds[other].types)
        facts = {"id": 0, "owner": path, "owner_name": kind.name, "workflow_status": "pending", "job": None}
        return self.kinds[other].resource(facts, f"{path}/{below}")

    def owner_link(self, plural: str, path: str) -> dict[str, str]:
        """Return the link from the records of a list to the list's owner, {} if there is none."""
        match = _BELOW.fullmatch(path)
        if match is None:
            return {}
        owner, below = match.groups()
        owner_kind, rels = self.kinds[kind_and_id(owner)[0]], self.kinds[plural].rels
        names = {owner_kind.relations[below][2]} & rels.keys()
        names |= {rel for rel, to in rels.items() if to == "{owner}" or str(to).startswith(f"/{owner_kind.plural}/{{")}
        return dict.fromkeys(sorted(names)[:1], owner)

    def _facts(self, kind: Kind, id_: int) -> Facts | None:
        if not kind.owners:
            return kind.facts(id_) if 1 <= id_ <= kind.count else None
        number, slot = divmod(id_, _SLOTS)
        owner_id, position = divmod(number, len(kind.owners))
        owner = self.record(kind.owners[position], owner_id)
        if owner is None or (slot >= kind.unlisted and id_ not in self._owned(kind, kind.owners[position], owner_id)):
            return None
        links = {f"owner_{rel}": target for rel, target in owner.links}
        ownership = {"place": slot + 1, "owner": owner.path, "owner_name": owner.name, "owner_id": owner_id}
        return {**links, **(kind.facts(id_) or {}), **ownership}

    def _owned(self, kind: Kind, owner: str, owner_id: int) -> list[int]:
        first = (owner_id * len(kind.owners) + kind.owners.index(owner)) * _SLOTS
        if isinstance(kind.most, str):
            return [first + slot for slot in getattr(self._library, kind.most[1:])(owner, owner_id, first)]
        return [*range(first, first + self._library.number(first, kind.plural) % (kind.most + 1))]

    def _all_ids(self, kind: Kind) -> Sequence[int]:
        """Return the ids of all records of a kind, in order."""
        if kind.owners:
            owners = [(owner, owner_id) for owner in kind.owners for owner_id in self.ids(self.kinds[owner])]
            return sorted(id_ for owner in owners for id_ in self._owned(kind, *owner))
        ids = range(1, kind.count + 1)
        return [id_ for id_ in ids if kind.facts(id_) is not None] if kind.plural in self._library.sparse else ids

    def having(self, kind: Kind, name: str, value: str) -> list[int]:
        """Return the ids of the records whose link or attribute *name* is *value*."""
        if (kind.plural, name) not in self._ids_by_value:
            by_value = self._ids_by_value[kind.plural, name] = defaultdict(list)
            for id_ in self.ids(kind):
                if record := self.record(kind.plural, id_):
                    by_value[(record.values | dict(record.links)).get(name)].append(id_)
        return self._ids_by_value[kind.plural, name].get(value, [])

    # -- the nodes at the paths

    def _at(self, kind: Kind, *ids: int) -> Resource | None:
        record = self.record(kind.plural, ids[-1])
        return record if record and [int(s) for s in record.path.split("/") if s.isdecimal()] == [*ids] else None

    def _list(self, kind: Kind) -> Collection:
        def selected(query: Mapping[str, str]) -> Sequence[int]:
            return self.having(kind, kind.filter, query[kind.filter]) if kind.filter in query else self.ids(kind)

        build = partial(self.record, kind.plural)
        return Collection(kind.plural, self.ids(kind), build, kind.listed or "", selected if kind.filter else None)

    def _below(self, owner_kind: Kind, row: Sequence[Any], *ids: int) -> Node | None:
        owner = self._at(owner_kind, *ids)
        rel, plural, how, *paging = row
        if owner is None:
            return None
        kind = self.kinds[plural]
        if how == "single":
            facts = kind.facts(ids[-1])
            if facts is None:
                return None
            if plural.endswith("metadata"):
                return Document(owner.name, kind.attributes(facts), kind.types)
            return kind.resource({**facts, "owner": owner.path, "owner_name": owner.name}, f"{owner.path}/{rel}")
        members = self._members(kind, how, owner_kind, owner.path, ids[-1])
        return None if members is None else Collection(plural, members, partial(self.record, plural), *paging)

    def _members(self, kind: Kind, how: str, owner: Kind, path: str, owner_id: int) -> Sequence[int] | None:
        if how.startswith("="):
            ids: Sequence[int] | None = getattr(self._library, how[1:])(owner_id)
            return ids
        choices: dict[str, Callable[[], Sequence[int]]] = {
            "": lambda: self._owned(kind, owner.plural, owner_id),
            "*": lambda: self.ids(kind),
            "share": lambda: self.ids(kind)[owner_id - 1 :: owner.count],
            "none": list,
        }
        return choices[how]() if how in choices else self.having(kind, how, path)


def _of_range(kind: str, number: int) -> Any:
    if kind == "duration":
        return f"{number // 60:02}:{number % 60:02}:00.000"
    if kind in ("date", "datetime"):
        return day(number) + ("T06:00:00Z" if kind == "datetime" else "")
    return number
