"""
What Arrow's parser is told to expect of a record, and how its arrays become the frame's columns.

A record on the wire and a row of the frame differ in names, nesting and types:
`{"meta": {"createdAt": 1535726805}}` becomes a timestamp in the column
`meta_created_at`. Everything here works on whole arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Conversion = Callable[[pa.Array], pa.Array]

ENTRIES = "entries"
FREE = {Kind.JSON, Kind.DOCUMENT}  # Arrow has no type for "anything": they come as text
EXACT = 2**53  # integers up to here are exact in a float64
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999, which pandas can print


MARK = "\x7f"  # ends the names of free fields while they are texts
CUT = f"{MARK}cut{MARK}"  # the one field of what stands for a record that was cut out


class UnfitError(Exception):
    """
    There is something that only the lossless path reads rightly.

    Attributes:
        problem: Where it is, in Arrow's words.
    """

    def __init__(self, problem: str = "") -> None:
        super().__init__()
        self.problem = problem


_WIRE_TYPES = {
    Kind.ID: pa.int64(),
    Kind.INTEGER: pa.int64(),
    Kind.EPOCH: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATETIME: TIMESTAMP,
}


def wire_type(kind: Type, locales: tuple[str, ...]) -> pa.DataType:
    """The Arrow type that the JSON parser is given for one kind."""
    match kind:
        case ListOf(of) if of in FREE:
            raise UnfitError  # no name leads to them
        case ListOf(of):
            return pa.list_(wire_type(of, locales) if isinstance(of, Kind) else _wire_struct(of, locales))
        case Struct(fields) | Embedded(fields):
            return _wire_struct(fields, locales)
        case EmbeddedMany(fields):
            return pa.struct([(ENTRIES, pa.list_(_wire_struct(fields, locales)))])
        case Kind.LOCALISED:
            return pa.struct([(locale, pa.string()) for locale in locales])
        case _:
            return _WIRE_TYPES.get(kind, pa.string())


def _wire_struct(fields: tuple[Column, ...], locales: tuple[str, ...]) -> pa.DataType:
    return pa.struct([(_spelled(column.wire, column.kind), wire_type(column.kind, locales)) for column in fields])


def _struct(tree: dict[str, Any]) -> pa.DataType:
    return pa.struct([(key, _struct(node) if isinstance(node, dict) else node) for key, node in tree.items()])


def _spelled(name: str, kind: Type) -> str:
    return name + MARK if kind in FREE else name


def _names(kind: Type) -> Iterator[tuple[str, Type]]:
    """The vendor's names of the fields inside a kind, and what they are."""
    match kind:
        case ListOf(tuple(fields)) | Struct(fields) | Embedded(fields) | EmbeddedMany(fields):
            for column in fields:
                yield column.wire, column.kind
                yield from _names(column.kind)


class FrameBuilder:
    """
    Turns struct arrays of records, of the type `wire`, into tables of the frame.

    Args:
        schema: What the frame looks like.
        unknown: Undeclared fields that are appended as text: the vendor's name and the column's.
        order: Names of fields in the order in which the vendor writes them, where that is known.

    Attributes:
        wire: What Arrow's parser is told to expect.
        free: The vendor's names of free values, and their kinds; None for undeclared fields.
        objects: Names of objects, for which an empty list means the same as an empty object.

    Raises:
        UnfitError: A name stands for free values in one place, and not in another.
    """

    def __init__(self, schema: Schema, unknown: Mapping[str, str], order: Sequence[str] = ()) -> None:
        tree: dict[str, Any] = {}
        named = set[tuple[str, Any]]()
        for leaf in schema.leaves:
            node = tree
            for key in leaf.path[:-1]:
                node = node.setdefault(key, {})
            node[_spelled(leaf.path[-1], leaf.kind)] = wire_type(leaf.kind, schema.locales)
            named |= {*((key, Kind.TEXT) for key in leaf.path[:-1]), (leaf.path[-1], leaf.kind), *_names(leaf.kind)}
        places = {name: place for place, name in enumerate(order)}
        tree = dict(sorted(tree.items(), key=lambda item: places.get(item[0].rstrip(MARK), len(places))))
        tree |= {CUT: pa.bool_(), **{name + MARK: pa.string() for name in unknown}}
        self.free: dict[str, Any] = {name: kind for name, kind in named if kind in FREE} | dict.fromkeys(unknown)
        if any(kind is not self.free.get(name, kind) for name, kind in named):
            raise UnfitError
        self.objects = {name for name, kind in named if isinstance(kind, Struct | Embedded) or kind is Kind.LOCALISED}
        self.objects |= {key for leaf in schema.leaves for key in leaf.path[:-1]}
        self.wire = _struct(tree)
        self._target = schema.arrow
        for column in unknown.values():
            self._target = self._target.append(pa.field(column, pa.string()))
        self._plans = [
            (
                _indices(self.wire, leaf),
                leaf,
                _leaf_conversion(leaf, schema),
            )
            for leaf in schema.leaves
        ]
        self._unknown = len(unknown)

    def build(self, records: pa.StructArray) -> pa.Table:
        """
        Convert the records.

        Raises:
            UnfitError: A record is null, or a value needs the lossless path.
        """
        if records.null_count:
            raise UnfitError
        found: dict[tuple[int, ...], list[pa.Array]] = {(): records.flatten()}
        arrays = []
        for indices, leaf, convert in self._plans:
            array = _stands_at(indices, found)
            if leaf.kind is Kind.TEXT_OR_LOCALISED and not leaf.plain:
                array = pa.nulls(len(array), pa.string())
            arrays.append(convert(array) if convert else array)
        return pa.Table.from_arrays(arrays + found[()][len(found[()]) - self._unknown :], schema=self._target)


def _leaf_conversion(leaf: Leaf, schema: Schema) -> Conversion | None:
    if leaf.kind is Kind.LOCALISED:
        picks = [schema.locales.index(locale) for locale in leaf.pick]
        return lambda array: pc.coalesce(*(pc.struct_field(array, [pick]) for pick in picks))
    return conversion(leaf.kind, schema.locales)


def _indices(wire: pa.DataType, leaf: Leaf) -> tuple[int, ...]:
    indices = []
    for key in (*leaf.path[:-1], _spelled(leaf.path[-1], leaf.kind)):
        indices.append(wire.get_field_index(key))
        wire = wire.field(indices[-1]).type
    return tuple(indices)


def _stands_at(indices: tuple[int, ...], found: dict[tuple[int, ...], list[pa.Array]]) -> pa.Array:
    """The field of a field; `found` keeps what objects were parted into, for their other fields."""
    above = indices[:-1]
    if above not in found:
        found[above] = _stands_at(above, found).flatten()
    return found[above][indices[-1]]


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
        far = found["max"] if low <= found["min"] else found["min"]
        what = f"couldn't parse:{far}"
        raise UnfitError(what)


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
