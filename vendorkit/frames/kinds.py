"""
The kinds of values that a schema declares, and their types in JSON, in Arrow's and msgspec's parsers, and in the frame.

Records and rows of the frame differ in names, nesting and types: `{"meta": {"createdAt": 1535726805}}` becomes a
timestamp in the column `meta_created_at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa

from vendorkit.strictjson import INT64

ENTRIES: Final = "entries"
BLANKS: Final = " \t\r\n"  # XML's white space; other white space is text
EXACT: Final = range(1 - 2**53, 2**53)  # integers that are exact in a float64
SECONDS: Final = range(-62_135_596_800, 253_402_300_800)  # the years 1 to 9999; pandas cannot print others
MICROSECONDS: Final = range(SECONDS.start * 1_000_000, SECONDS.stop * 1_000_000)
TIMESTAMP = pa.timestamp("us", tz="UTC")


class UnfitError(Exception):
    """A value cannot be converted to its declared type without loss."""


class Kind(Enum):
    """The meaning of a value. It determines the column's dtype and which JSON values are accepted."""

    TEXT = "text"
    CODE = "code"  # an identifier sent as text, with leading zeros
    ID = "id"  # an identifier sent as an integer (text is accepted); text in the frame
    INTEGER = "integer"  # int64
    NUMBER = "number"  # float64
    BOOLEAN = "boolean"
    EPOCH = "epoch"  # unix seconds -> UTC timestamp
    DATETIME = "datetime"  # ISO 8601 -> UTC timestamp; UTC if it has no offset, midnight if it has no time
    DATE = "date"  # YYYY-MM-DD -> date32
    DURATION = "duration"  # the vendor's text, such as "02:13:21.000" or "30m"
    JSON = "json"  # any value, as compact JSON text
    DOCUMENT = "document"  # an account-defined document, as JSON text; `-` in names is read as `_`
    LOCALISED = "localised"  # an object keyed by locale
    TEXT_OR_LOCALISED = "text_or_localised"  # plain text, or an object keyed by locale
    LINK = "link"  # JSON `<rel>_link`, XML `<link rel href>`; the column is named `<rel>_link`


@dataclass(frozen=True)
class ListOf:
    """A list of plain values (`ListOf(Kind.CODE)`) or of objects (`ListOf((Column(...), ...))`)."""

    of: Kind | tuple[Column, ...]

    @property
    def element(self) -> Type:
        """The kind of the elements."""
        return Struct(self.of) if isinstance(self.of, tuple) else self.of


@dataclass(frozen=True)
class Struct:
    """An object with declared fields. At top level it becomes `parent_child` columns, inside a list a struct."""

    fields: tuple[Column, ...]


@dataclass(frozen=True)
class Embedded:
    """A linked resource that the vendor can expand in place: a struct, null if not expanded."""

    fields: tuple[Column, ...]


@dataclass(frozen=True)
class EmbeddedMany:
    """A linked collection that the vendor can expand in place (`{"entries": [...]}`): a list of structs."""

    fields: tuple[Column, ...]

    @property
    def element(self) -> Type:
        """The kind of the entries."""
        return Struct(self.fields)


Type = Kind | ListOf | Struct | Embedded | EmbeddedMany


@dataclass(frozen=True)
class Column:
    """
    One declared field.

    Args:
        name: The name in the frame, in snake_case.
        kind: The kind of the value.
        source: The vendor's name (`"eanGtin13"`); at top level it may be a path
            (`"meta.createdAt"`). Default: the same as `name`.
        unit: The unit of a number (`"cent"`, `"g"`), if any.
        about: The meaning in one sentence.
        tag: The name of the XML element. Default: `source` in kebab-case.
    """

    name: str
    kind: Type
    source: str = ""
    unit: str = ""
    about: str = ""
    tag: str = ""

    @cached_property
    def wire(self) -> str:
        """The vendor's name of the field in JSON; for a link always `<rel>_link`."""
        name = self.source or self.name
        return f"{name.removesuffix('_link')}_link" if self.kind is Kind.LINK else name


@dataclass(frozen=True)
class Leaf:
    """
    One column of the frame, and the path of its value in a record.

    Args:
        name: The column's name.
        path: The vendor's keys from the record down to the value.
        kind: The kind of the value.
        column: The declaration that this column comes from.
        pick: For a localised value, the locales of the text, in order of preference.
    """

    name: str
    path: tuple[str, ...]
    kind: Type
    column: Column
    pick: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether this column holds the plain form of a TEXT_OR_LOCALISED value."""
        return self.name == self.column.name


def leaves_of(
    column: Column, prefix: str, path: tuple[str, ...], locales: tuple[str, ...], order: tuple[str, ...]
) -> Iterator[Leaf]:
    """Yield the columns of one declaration; *order* has the preferred locales if only one text is to be selected."""
    name, path = prefix + column.name, (*path, *column.wire.split("."))
    whole = replace(column, name=name)
    match column.kind:
        case Struct(fields):
            for child in fields:
                yield from leaves_of(child, f"{name}_", path, locales, order)
        case Kind.LOCALISED | Kind.TEXT_OR_LOCALISED if order:
            yield Leaf(name, path, column.kind, whole, pick=order)
        case Kind.LOCALISED:
            for locale in locales:
                yield Leaf(f"{name}_{locale}", (*path, locale), Kind.TEXT, column)
        case Kind.TEXT_OR_LOCALISED:
            yield Leaf(name, path, column.kind, whole, pick=locales)
            for locale in locales:
                yield Leaf(f"{name}_{locale}", path, column.kind, whole, pick=(locale,))
        case _:
            yield Leaf(name, path, column.kind, whole)


_WIRE_TYPES: Final[dict[Type, pa.DataType]] = {
    Kind.ID: pa.int64(),
    Kind.INTEGER: pa.int64(),
    Kind.EPOCH: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
}
_TIMES: Final = dict.fromkeys((Kind.EPOCH, Kind.DATETIME), TIMESTAMP)
FRAME_TYPES: Final = _WIRE_TYPES | _TIMES | {Kind.ID: pa.string(), Kind.DATE: pa.date32()}

_FITTING: Final[dict[pa.DataType, Any]] = {
    pa.int64(): Annotated[int, msgspec.Meta(ge=INT64.start, le=INT64.stop - 1)],
    pa.float64(): float,
    pa.bool_(): bool,
}


def wire_members(kind: Type, locales: tuple[str, ...]) -> dict[str, Type] | None:
    """Return the members of an object of this kind in the vendor's JSON; None for other kinds."""
    match kind:
        case Struct(fields) | Embedded(fields):
            return {column.wire: column.kind for column in fields}
        case EmbeddedMany(fields):
            return {ENTRIES: ListOf(fields)}
        case _:
            return dict.fromkeys(locales, Kind.TEXT) if kind is Kind.LOCALISED else None


def is_untyped(kind: Type) -> bool:
    """Return whether values of this kind contain arbitrary JSON, for which Arrow has no type."""
    if isinstance(kind, ListOf):
        return is_untyped(kind.element)
    return kind in (Kind.JSON, Kind.DOCUMENT) or any(map(is_untyped, (wire_members(kind, ()) or {}).values()))


def wire_type(kind: Type, locales: tuple[str, ...]) -> pa.DataType:
    """Return the Arrow type with which the JSON parser reads a kind that is not `is_untyped`."""
    if isinstance(kind, ListOf):
        return pa.list_(wire_type(kind.element, locales))
    if (members := wire_members(kind, locales)) is not None:
        return pa.struct({name: wire_type(item, locales) for name, item in members.items()})
    return _WIRE_TYPES.get(kind, pa.string())


def fitting(wire: pa.DataType, *, closed: bool) -> Any:
    """Return the msgspec type of the values, null included, that Arrow's JSON parser accepts for a `wire_type`."""
    if pa.types.is_list(wire):
        return GenericAlias(list, (fitting(wire.value_type, closed=closed),)) | None
    if pa.types.is_struct(wire):
        return object_type({field.name: fitting(field.type, closed=closed) for field in wire}, closed=closed) | None
    return _FITTING.get(wire, str) | None


def object_type(fields: Mapping[str, Any], *, closed: bool = False) -> type[Any]:
    """Return a msgspec type with the attributes `f0`, `f1`, ..., None if missing; *closed* refuses other members."""
    names = {f"f{index}": name for index, name in enumerate(fields)}
    typed = [(f"f{index}", kind, None) for index, kind in enumerate(fields.values())]
    return msgspec.defstruct("Object", typed, rename=names, forbid_unknown_fields=closed, gc=False)


def frame_type(kind: Type, locales: tuple[str, ...]) -> pa.DataType:
    """
    Return the Arrow type of a value in the frame, or inside a list or struct of it.

    A TEXT_OR_LOCALISED field of a struct becomes two fields, `name` and `name_localised`.
    """
    match kind:
        case ListOf() | EmbeddedMany():
            return pa.list_(frame_type(kind.element, locales))
        case Struct(fields) | Embedded(fields):
            pairs = []
            for column in fields:
                pairs.append((column.name, frame_type(column.kind, locales)))
                if column.kind is Kind.TEXT_OR_LOCALISED:
                    pairs.append((f"{column.name}_localised", frame_type(Kind.LOCALISED, locales)))
            return pa.struct(pairs)
        case Kind.LOCALISED:
            return pa.struct([(locale, pa.string()) for locale in locales])
        case _:
            return FRAME_TYPES.get(kind, pa.string())
