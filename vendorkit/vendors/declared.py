"""
The resources of a vendor, read from the file `resources.txt` in its folder.

The head of `medipim/resources.txt` describes the format. A file is read when it is first needed, once for each country.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, TypeVar, cast, get_args

from vendorkit.ask import Filter, FilterKind
from vendorkit.errors import UsageError
from vendorkit.frames import Column, Kind, ListOf, Schema, Struct
from vendorkit.frames.names import STYLES, snake_case

T = TypeVar("T")
_BLOCKS: Final = ("style", "property", "country", "group", "resource")
_PROPERTIES: Final = ("path", "sort", "key", "locales", "columns", "filters")
_KINDS: Final = {kind.value: kind for kind in Kind}
_COLUMN: Final = re.compile(r"([\w.-]+)(?:<([\w-]+)>)?(?: +as +(\w+))? +(\w+)(\*?)(?: +\[([^]]*)\])?(?: +(\S.*))?")
_FILTER: Final = re.compile(r"(\w+)( +required)? +(\w+)(\*?)(?: +\[([^]]*)\])?(?: +\$(\w+))?(?: +(\S.*))?")


class Line(NamedTuple):
    """A line of a data file: its file and number, its text without indentation, and the lines indented below it."""

    place: str = ""
    text: str = ""
    below: list[Line] = []  # noqa: RUF012 - never changed if it is the default

    def words(self) -> list[str]:
        """Return the words of the line and of those below it."""
        return [*self.text.split(), *(word for line in self.below for word in line.words())]

    def check(self, fine: object) -> None:
        """Raise the error for a line that does not follow the format, unless it is *fine*."""
        if not fine:
            what = f"{self.place}: {self.text!r} does not follow the format of data files."
            raise UsageError(what, remedy="The head of medipim/resources.txt describes the format.")


Blocks = Mapping[str, Mapping[str, Line]]


@dataclass(frozen=True)
class Declared:
    """
    A resource as its vendor's data file declares it.

    Attributes:
        name: The attribute of the client.
        about: A description in one sentence.
        schema: Its columns.
        filters: Its filters.
        values: The words of its other properties, such as `{"sort": ("id", "name")}`.
    """

    name: str
    about: str
    schema: Schema
    filters: tuple[Filter, ...]
    values: Mapping[str, tuple[str, ...]]


@cache
def read_countries(file: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """
    Return the words of the properties of each country, the default country first.

    Raises:
        UsageError: A line does not follow the format; the message names file and line.
    """
    blocks = _blocks(file)
    return {name: _words(_properties(block, blocks)) for name, block in blocks["country"].items()}


@cache
def read_resources(file: Path, country: str = "") -> dict[str, Declared]:
    """
    Return the resources of *country* by name.

    Raises:
        UsageError: A line does not follow the format; the message names file and line.
    """
    locales = read_countries(file)[country].get("locales", ()) if country else ()
    reader = _Reader(_blocks(file), country, locales)
    return {name: reader.resource(name, block) for name, block in _blocks(file)["resource"].items()}


@cache
def _blocks(file: Path) -> Blocks:
    """Return the blocks of a file by kind and name; the text of each is its description."""
    blocks: dict[str, dict[str, Line]] = {kind: {} for kind in _BLOCKS}
    for line in _lines(file):
        kind, name, about = (*line.text.split(None, 2), "", "")[:3]
        line.check(name and name not in blocks.get(kind, {name}))
        blocks[kind][name] = line._replace(text=about)
    return blocks


def _lines(file: Path) -> list[Line]:
    """Return the lines that are not indented; the others are in their `below`."""
    levels: list[list[Line]] = [[]]
    for number, raw in enumerate(file.read_text("utf-8").splitlines(), 1):
        line = Line(f"{file}, line {number}", raw.strip(), [])
        if not line.text or line.text.startswith("#"):
            continue
        level, rest = divmod(len(raw) - len(raw.lstrip(" ")), 2)
        line.check(not rest and level < len(levels))
        del levels[level + 1 :]
        levels[level].append(line)
        levels.append(line.below)
    return levels[0]


def _properties(block: Line, blocks: Blocks) -> dict[str, Line]:
    """Return the properties of a block by name; the text of each is what follows the colon."""
    properties = dict[str, Line]()
    for line in block.below:
        name, _, text = line.text.partition(":")
        line.check(name in {*_PROPERTIES, *blocks["property"]} - properties.keys())
        properties[name] = line._replace(text=text.strip())
    return properties


def _words(properties: Mapping[str, Line]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(line.words()) for name, line in properties.items()}


class _Reader:
    """Reads the columns and filters of one country, those of groups first."""

    def __init__(self, blocks: Blocks, country: str, locales: tuple[str, ...]) -> None:
        self._blocks, self._country, self._locales = blocks, country, locales
        self._columns: dict[str, tuple[Column, ...]] = {}
        self._filters: dict[str, tuple[Filter, ...]] = {}
        for name, block in blocks["group"].items():
            self._columns[name], self._filters[name], _ = self._parts(block)

    def resource(self, name: str, block: Line) -> Declared:
        columns, filters, properties = self._parts(block)
        names = [column.name for column in columns]
        key, *_ = (*_words(properties).get("key", ("id" if "id" in names else "none",)), "")
        style = next(iter(self._blocks["style"]), "snake")
        block.check(key in (*names, "none") and style in STYLES)
        schema = Schema(name, columns, key if key != "none" else "", self._locales, style)
        return Declared(name, block.text, schema, filters, _words(properties))

    def _parts(self, block: Line) -> tuple[tuple[Column, ...], tuple[Filter, ...], dict[str, Line]]:
        """Return the columns, the filters and the other properties of a block."""
        properties = _properties(block, self._blocks)
        columns = self._items(_listed(properties.pop("columns", Line())), self._column, self._columns)
        filters = self._items(_listed(properties.pop("filters", Line())), self._filter, self._filters)
        return tuple(columns), tuple(filters), properties

    def _items(
        self, lines: Iterable[Line], read: Callable[[Line], T], groups: Mapping[str, tuple[T, ...]]
    ) -> Iterator[T]:
        for line in lines:
            if line.text.startswith("+"):
                line.check(line.text[1:] in groups and not line.below)
                yield from groups[line.text[1:]]
            elif line.text.startswith("only ") and line.text.endswith(":"):
                countries = line.text[5:-1].split()
                line.check(countries and {*countries} <= self._blocks["country"].keys())
                if self._country in countries:
                    yield from self._items(line.below, read, groups)
            else:
                yield read(line)

    def _column(self, line: Line) -> Column:
        match = _COLUMN.fullmatch(line.text)
        wire, tag, name, kind, many, unit, about = match.groups("") if match else ("",) * 7
        line.check(kind == "object" if line.below else kind in _KINDS)
        of = _KINDS.get(kind) or tuple(self._items(line.below, self._column, self._columns))
        whole = ListOf(of) if many else of if isinstance(of, Kind) else Struct(of)
        return Column(name or snake_case(wire), whole, wire, unit, about, tag)

    def _filter(self, line: Line) -> Filter:
        match = _FILTER.fullmatch(line.text)
        wire, required, kind, many, choices, setting, about = match.groups("") if match else ("",) * 7
        line.check(kind in get_args(FilterKind) and not line.below)
        values = tuple(re.split(", *", choices)) if choices else ()
        return Filter(wire, cast("FilterKind", kind), values, bool(many), about, bool(required), setting)


def _listed(line: Line) -> list[Line]:
    """Return the lines of a list: those below its head, or one per word in the head."""
    if not line.text:
        return line.below
    pairs = [word.partition(":") for word in line.words()]
    return [Line(line.place, name if name[:1] == "+" else f"{name} {kind or 'text'}", []) for name, _, kind in pairs]
