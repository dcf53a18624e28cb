"""
The resources of a vendor, read from the file `resources.txt` in its folder.

The head of `medipim/resources.txt` describes the format. A file is read when it is first needed, once for each country.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, TypeVar, cast, get_args

from vendorkit.ask import Filter, FilterKind, suggestion
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

    def fail(self, what: str, remedy: str) -> NoReturn:
        """Raise the error for a mistake in this line."""
        what = f"{self.place}: {what}"
        raise UsageError(what, remedy=remedy)

    def check(self, what: str, name: str, known: Collection[str]) -> None:
        """Fail if *name* is not *known*."""
        if name not in known:
            self.fail(f"There is no {what} {name!r}.", suggestion(name, known))


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
        line.check("kind of block", kind, _BLOCKS)
        if kind == "style":
            line.check("style", name, STYLES)
        if not name or name in blocks[kind]:
            line.fail(f"This {kind} has no name, or the name of one above.", "Give it another name.")
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
        if rest or level >= len(levels):
            line.fail("The indentation does not match a line above.", "Indent by two spaces per level.")
        del levels[level + 1 :]
        levels[level].append(line)
        levels.append(line.below)
    return levels[0]


def _properties(block: Line, blocks: Blocks) -> dict[str, Line]:
    """Return the properties of a block by name; the text of each is what follows the colon."""
    properties = dict[str, Line]()
    for line in block.below:
        name, _, text = line.text.partition(":")
        line.check("property", name, (*_PROPERTIES, *blocks["property"]))
        if name in properties:
            line.fail(f"The property {name} occurs twice.", "Remove one of them.")
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
        key = properties.get("key", block._replace(text="id" if "id" in names else "none"))
        key.check("column", key.text, (*names, "none"))
        style = next(iter(self._blocks["style"]), "snake")
        try:
            schema = Schema(name, columns, key.text if key.text != "none" else "", self._locales, style)
        except UsageError as error:
            block.fail(error.what, error.remedy)
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
            if line.text.startswith("+") and not line.below:
                line.check("group", line.text[1:], groups)
                yield from groups[line.text[1:]]
            elif line.text.startswith("only ") and line.text.endswith(":"):
                countries = line.text[5:-1].split()
                for name in countries:
                    line.check("country", name, self._blocks["country"])
                if self._country in countries:
                    yield from self._items(line.below, read, groups)
            else:
                yield read(line)

    def _column(self, line: Line) -> Column:
        match = _COLUMN.fullmatch(line.text)
        wire, tag, name, kind, many, unit, about = match.groups("") if match else ("",) * 7
        if bool(line.below) != (kind == "object") or not match:
            line.fail(f"{line.text!r} is not a column.", "Write NAME KIND, and columns only below an object.")
        line.check("kind of column", kind, ("object", *_KINDS))
        of = _KINDS.get(kind) or tuple(self._items(line.below, self._column, self._columns))
        whole = ListOf(of) if many else of if isinstance(of, Kind) else Struct(of)
        return Column(name or snake_case(wire), whole, wire, unit, about, tag)

    def _filter(self, line: Line) -> Filter:
        match = _FILTER.fullmatch(line.text)
        wire, required, kind, many, choices, setting, about = match.groups("") if match else ("",) * 7
        if line.below or not match:
            line.fail(f"{line.text!r} is not a filter.", "Write NAME KIND, and nothing below it.")
        line.check("kind of filter", kind, get_args(FilterKind))
        values = tuple(re.split(", *", choices)) if choices else ()
        return Filter(wire, cast("FilterKind", kind), values, bool(many), about, bool(required), setting)


def _listed(line: Line) -> list[Line]:
    """Return the lines of a list: those below its head, or one per word in the head."""
    if not line.text:
        return line.below
    pairs = [word.partition(":") for word in line.words()]
    return [Line(line.place, name if name[:1] == "+" else f"{name} {kind or 'text'}", []) for name, _, kind in pairs]
