"""
What Arrow's JSON parser is given as the type of a record, and how its arrays become the frame's columns.

Records and rows of the frame differ in names, nesting and types:
`{"meta": {"createdAt": 1535726805}}` becomes a timestamp in the column
`meta_created_at`. Everything here works on whole arrays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.schema import (
    TIMESTAMP,
    Column,
    Embedded,
    EmbeddedMany,
    Kind,
    Leaf,
    ListOf,
    Schema,
    Struct,
    Type,
    struct_type,
)

Conversion = Callable[[pa.Array], pa.Array]

ENTRIES: Final = "entries"
BLANKS: Final = " \t\r\n"  # a text of only these says nothing
EXACT: Final = 2**53  # integers below this are exact in a float64
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999, which pandas can print
_FREE: Final = {Kind.JSON, Kind.DOCUMENT}


class UnfitError(Exception):
    """A column has a value that only the lossless reader reads without loss."""


_WIRE_TYPES: Final = {
    Kind.ID: pa.int64(),
    Kind.INTEGER: pa.int64(),
    Kind.EPOCH: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATETIME: TIMESTAMP,
}


def element(of: Any) -> Any:
    """The kind of the elements of a `ListOf`."""
    return Struct(of) if isinstance(of, tuple) else of


def is_free(kind: Any) -> bool:
    """Whether values of the kind hold anything, for which Arrow has no type."""
    match kind:
        case ListOf(of):
            return is_free(element(of))
        case Struct(fields) | Embedded(fields) | EmbeddedMany(fields):
            return any(is_free(column.kind) for column in fields)
        case _:
            return kind in _FREE


def wire_type(kind: Any, locales: tuple[str, ...]) -> pa.DataType:
    """The Arrow type that the JSON parser is given for one kind that is not free."""
    match kind:
        case ListOf(of):
            return pa.list_(wire_type(element(of), locales))
        case Struct(fields) | Embedded(fields):
            return pa.struct([(column.wire, wire_type(column.kind, locales)) for column in fields])
        case EmbeddedMany(fields):
            return pa.struct([(ENTRIES, wire_type(ListOf(fields), locales))])
        case Kind.LOCALISED:
            return pa.struct([(locale, pa.string()) for locale in locales])
        case _:
            return _WIRE_TYPES.get(kind, pa.string())


class ColumnBuilder:
    """
    Turns arrays of the members of records into columns of the frame.

    Args:
        schema: What the frame looks like.

    Attributes:
        record: The kind of a record; a member of several columns is a `Struct` in it.
    """

    def __init__(self, schema: Schema) -> None:
        self._leaves: dict[str, list[Leaf]] = defaultdict(list)
        for leaf in schema.leaves:
            self._leaves[leaf.path[0]].append(leaf)
        self.record = Struct(tuple(Column(name, _kind_of(leaves, 1)) for name, leaves in self._leaves.items()))
        self._conversions = {leaf.name: _leaf_conversion(leaf, schema) for leaf in schema.leaves}

    def build(self, name: str, array: pa.Array) -> dict[str, pa.Array]:
        """
        Return the columns of one member from its array of `wire_type`.

        Raises:
            UnfitError: A value needs the lossless reader.
        """
        columns = {}
        for leaf in self._leaves[name]:
            found = pc.struct_field(array, list(leaf.path[1:])) if len(leaf.path) > 1 else array
            if leaf.kind is Kind.TEXT_OR_LOCALISED and not leaf.plain:
                found = pa.nulls(len(array), pa.string())
            convert = self._conversions[leaf.name]
            columns[leaf.name] = convert(found) if convert else found
        return columns


def _kind_of(leaves: list[Leaf], level: int) -> Type:
    """The kind of the value that these leaves share the path to, as far as *level*."""
    if len(leaves[0].path) == level:
        return leaves[0].kind
    below: dict[str, list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        below[leaf.path[level]].append(leaf)
    return Struct(tuple(Column(name, _kind_of(part, level + 1)) for name, part in below.items()))


def _leaf_conversion(leaf: Leaf, schema: Schema) -> Conversion | None:
    if leaf.kind is Kind.LOCALISED:
        picks = [schema.locales.index(locale) for locale in leaf.pick]
        return lambda array: first_text([pc.struct_field(array, [pick]) for pick in picks])
    return conversion(leaf.kind, schema.locales)


def first_text(texts: Sequence[pa.Array]) -> pa.Array:
    """The first text in each row that is not blank, else the first that is not null."""
    if len(texts) == 1:
        return texts[0]
    full = [pc.if_else(pc.equal(pc.utf8_trim(text, BLANKS), ""), pa.scalar(None, pa.string()), text) for text in texts]
    return pc.coalesce(*full, *texts)


def conversion(kind: Type, locales: tuple[str, ...]) -> Conversion | None:
    """The function from arrays of `wire_type` to arrays of `frame_type`; None where they are the same."""
    match kind:
        case ListOf(of):
            inner = conversion(of, locales) if isinstance(of, Kind) else _struct_conversion(of, locales)
            return inner and _list_conversion(inner)
        case Struct(fields) | Embedded(fields):
            return _struct_conversion(fields, locales)
        case EmbeddedMany(fields):
            entries = _list_conversion(_struct_conversion(fields, locales))
            return lambda array: entries(pc.struct_field(array, [0]))
        case _:
            return _SCALAR_CONVERSIONS.get(kind)


def _list_conversion(inner: Conversion) -> Conversion:
    def convert(array: pa.ListArray) -> pa.ListArray:
        if array.offset:
            array = pa.concat_arrays([array, array.slice(0, 0)])
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(array.offsets, inner(array.values), mask=mask)

    return convert


def _struct_conversion(fields: tuple[Column, ...], locales: tuple[str, ...]) -> Conversion:
    target = list(struct_type(fields, locales))
    plans = [(column.kind, conversion(column.kind, locales)) for column in fields]
    localised = pa.struct([(locale, pa.string()) for locale in locales])

    def convert(array: pa.StructArray) -> pa.StructArray:
        children = []
        for index, (kind, inner) in enumerate(plans):
            child = array.field(index)
            children.append(inner(child) if inner else child)
            if kind is Kind.TEXT_OR_LOCALISED:
                children.append(pa.nulls(len(child), localised))
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, fields=target, mask=mask)

    return convert


def _id(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


def _epoch(array: pa.Array) -> pa.Array:
    _check_range(array, FIRST_SECOND, LAST_SECOND)
    return array.view(pa.timestamp("s", tz="UTC")).cast(TIMESTAMP)


def _number(array: pa.Array) -> pa.Array:
    # Larger whole numbers may have been rounded by the parser; the range also refuses NaN and Infinity.
    _check_range(array, -EXACT + 1, EXACT - 1)
    if pc.all(pc.is_finite(array)).as_py() is False:  # None: there is no value at all
        raise UnfitError
    return array


def _check_range(array: pa.Array, low: int, high: int) -> None:
    found = pc.min_max(array).as_py()
    if found["min"] is not None and not (low <= found["min"] and found["max"] <= high):
        raise UnfitError


def _date(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.date32())
    except pa.ArrowInvalid as error:
        raise UnfitError from error


_SCALAR_CONVERSIONS: dict[Any, Conversion] = {
    Kind.ID: _id,
    Kind.EPOCH: _epoch,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
}
