"""Converts the arrays that Arrow's JSON parser returns, one per member of a record, to the frame's columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.kinds import (
    EXACT,
    MICROSECONDS,
    SECONDS,
    TIMESTAMP,
    Column,
    Embedded,
    EmbeddedMany,
    Kind,
    Leaf,
    ListOf,
    Struct,
    Type,
    UnfitError,
    frame_type,
)
from vendorkit.frames.schema import Schema

Conversion = Callable[[pa.Array], pa.Array]


class ColumnBuilder:
    """
    Converts arrays of record members to columns of the frame.

    Args:
        schema: The columns of the frame.

    Attributes:
        record: The kind of a record; a member that becomes several columns is a nested `Struct`.
    """

    def __init__(self, schema: Schema) -> None:
        self._leaves: dict[str, list[Leaf]] = defaultdict(list)
        for leaf in schema.leaves:
            self._leaves[leaf.path[0]].append(leaf)
        self.record = Struct(tuple(Column(name, _kind_of(leaves, 1)) for name, leaves in self._leaves.items()))
        self._conversions = {leaf.name: _leaf_conversion(leaf, schema) for leaf in schema.leaves}

    def build(self, name: str, array: pa.Array) -> dict[str, pa.Array]:
        """
        Convert the array of one member, of its `wire_type`, to columns.

        Raises:
            UnfitError, pa.ArrowInvalid: A value needs the lossless reader.
        """
        columns = {}
        for leaf in self._leaves[name]:
            values = pc.struct_field(array, list(leaf.path[1:])) if len(leaf.path) > 1 else array
            if leaf.kind is Kind.TEXT_OR_LOCALISED and not leaf.plain:
                values = pa.nulls(len(array), pa.string())
            convert = self._conversions[leaf.name]
            columns[leaf.name] = convert(values) if convert else values
        return columns


def _kind_of(leaves: list[Leaf], level: int) -> Type:
    """Return the kind of the value to which the first *level* keys of these leaves' paths lead."""
    if len(leaves[0].path) == level:
        return leaves[0].kind
    children: dict[str, list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        children[leaf.path[level]].append(leaf)
    return Struct(tuple(Column(name, _kind_of(part, level + 1)) for name, part in children.items()))


def _leaf_conversion(leaf: Leaf, schema: Schema) -> Conversion | None:
    if leaf.kind is Kind.LOCALISED:
        indexes = [schema.locales.index(locale) for locale in leaf.pick]
        return lambda array: first_text([pc.struct_field(array, [index]) for index in indexes])
    return conversion(leaf.kind, schema.locales)


def first_text(texts: Sequence[pa.Array]) -> pa.Array:
    """Return for each row the first text that is not blank, or else the first that is not null."""
    if len(texts) == 1:
        return texts[0]
    nonblank = [
        pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), pa.scalar(None, pa.string()), text) for text in texts
    ]
    return pc.coalesce(*nonblank, *texts)


def conversion(kind: Type, locales: tuple[str, ...]) -> Conversion | None:
    """Return the function that converts arrays of `wire_type` to `frame_type`; None if the types are the same."""
    match kind:
        case ListOf():
            inner = conversion(kind.element, locales)
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
    target = list(frame_type(Struct(fields), locales))
    localised = frame_type(Kind.LOCALISED, locales)
    plans = [(column.kind, conversion(column.kind, locales)) for column in fields]

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


def _epoch(array: pa.Array) -> pa.Array:
    _check_range(array, SECONDS)
    return array.view(pa.timestamp("s", tz="UTC")).cast(TIMESTAMP)


def _number(array: pa.Array) -> pa.Array:
    # The parser may have rounded larger integers. This range also excludes Infinity.
    _check_range(array, EXACT)
    if pc.all(pc.is_finite(array)).as_py() is False:  # None if all values are null
        raise UnfitError
    return array


def _check_range(array: pa.Array, allowed: range) -> None:
    limits = pc.min_max(array).as_py()
    if limits["min"] is not None and not (allowed.start <= limits["min"] and limits["max"] < allowed.stop):
        raise UnfitError


def in_years(array: pa.Array) -> pa.Array:
    """Return an array of times or dates; UnfitError if one of them is not in the years 1 to 9999."""
    _check_range(array.cast(pa.timestamp("us")).view(pa.int64()), MICROSECONDS)
    return array


_SCALAR_CONVERSIONS: dict[Any, Conversion] = {
    Kind.ID: lambda array: array.cast(pa.string()),
    Kind.EPOCH: _epoch,
    Kind.NUMBER: _number,
    Kind.DATETIME: lambda array: in_years(array.cast(TIMESTAMP)),
    Kind.DATE: lambda array: in_years(array.cast(pa.date32())),
}
