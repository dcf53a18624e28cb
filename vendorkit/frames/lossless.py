"""
Reads records into a table one value at a time, if Arrow cannot read them under the declared types.

No value is lost: it is in its column, or in `<column>__raw` if it does not fit
the declared type, or in a column of JSON text if its field is not declared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from vendorkit.deadline import check_cancelled
from vendorkit.frames.drift import Extras, Path
from vendorkit.frames.kinds import ENTRIES, Column, Embedded, EmbeddedMany, Kind, Leaf, ListOf, Struct, Type, UnfitError
from vendorkit.frames.names import snake_case
from vendorkit.frames.page import Batch
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import dumps, fit

# Converts a value at a path, and appends the paths of undeclared fields inside it to the list.
Convert = Callable[[Any, Path, list[Path]], Any]


class LosslessReader:
    """
    Reads records, as returned by `values.loads`, under a schema.

    Args:
        schema: The columns to read.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._converters = {leaf.name: _converter(leaf.kind, schema.locales) for leaf in schema.leaves}
        self._root: dict[str, Any] = {}
        for leaf in schema.leaves:
            branch = self._root
            for key in leaf.path[:-1]:
                branch = branch.setdefault(key, {})
            branch.setdefault(leaf.path[-1], []).append(leaf)

    def read(self, records: Sequence[Any]) -> Batch:
        """Return the table of the records, which are objects, and their drift."""
        extras = Extras(self._schema)
        arrays = self.columns(records, range(len(records)), extras)
        return Batch(pa.table({**arrays, **extras.arrays(len(records))}), extras.drift)

    def merged(self, columns: Mapping[str, pa.Array], rows: int, odd: Mapping[str, Mapping[int, Any]]) -> Batch:
        """
        Read the odd members of records and merge them with the other columns.

        Args:
            columns: The columns of the other members; the columns of a member that is always odd may be missing.
            rows: The number of records.
            odd: The values of odd members by name and row.
        """
        extras = Extras(self._schema)
        arrays = {field.name: pa.nulls(rows, field.type) for field in self._schema.arrow if field.name not in columns}
        arrays |= columns
        for name, values in odd.items():
            check_cancelled()
            if name not in self._root:
                extras.undeclared((name,), {row: dumps(value) for row, value in values.items()})
                continue
            read = self.columns([{name: value} for value in values.values()], values, extras, {name})
            arrays |= {column: _replaced(arrays[column], list(values), array) for column, array in read.items()}
        declared = {name: arrays[name] for name in self._schema.arrow.names}
        return Batch(pa.table({**declared, **extras.arrays(rows)}), extras.drift)

    def columns(
        self, records: Sequence[Any], rows: Iterable[int], extras: Extras, members: Collection[str] | None = None
    ) -> dict[str, pa.Array]:
        """Return the declared columns of the records; add all other data to *extras* under the row numbers *rows*."""
        leaves = [leaf for leaf in self._schema.leaves if members is None or leaf.path[0] in members]
        cells = _Cells(self._schema, self._converters, leaves, len(records), extras)
        for index, (row, record) in enumerate(zip(rows, records, strict=True)):
            check_cancelled()
            cells.begin(index, row, record)
            cells.branch(record, self._root, ())
        arrow = self._schema.arrow
        return {name: pa.array(values, arrow.field(name).type) for name, values in cells.columns.items()}


class _Cells:
    """Collects the values of the declared columns, record by record."""

    def __init__(
        self, schema: Schema, converters: Mapping[str, Convert], leaves: Sequence[Leaf], rows: int, extras: Extras
    ) -> None:
        self._schema, self._converters, self._extras = schema, converters, extras
        self.columns: dict[str, list[Any]] = {leaf.name: [None] * rows for leaf in leaves}

    def begin(self, index: int, row: int, record: Mapping[str, Any]) -> None:
        """Begin a record: its *index* in the columns and its *row* in the page may differ."""
        self._index, self._row, self._record = index, row, record

    def branch(self, value: Mapping[str, Any], branch: Mapping[str, Any], path: Path) -> None:
        """Read an object whose fields are columns, or again such objects."""
        for key, item in value.items():
            child, item_path = branch.get(key), (*path, key)
            if child is None:
                self._keep_undeclared(item_path)
            elif item is None:
                continue
            elif isinstance(child, list):
                self._leaf(child, item, item_path)
            elif isinstance(item, dict) or item == []:
                self.branch(item or {}, child, item_path)
            else:
                self._extras.unfit(snake_case("_".join(item_path)), self._row, dumps(item))

    def _leaf(self, leaves: list[Leaf], value: Any, path: Path) -> None:
        first, unknown = leaves[0], list[Path]()
        try:
            if first.pick:
                text, texts = _either(first.kind, self._schema.locales, value, path, unknown)
                for leaf in leaves:
                    choices = [text] if leaf.plain and text is not None else [texts.get(key) for key in leaf.pick]
                    self.columns[leaf.name][self._index] = _first_text(choices)
            else:
                self.columns[first.name][self._index] = self._converters[first.name](value, path, unknown)
        except UnfitError:
            self._extras.unfit(first.column.name if first.pick else first.name, self._row, dumps(value))
            return
        for unknown_path in dict.fromkeys(unknown):
            self._keep_undeclared(unknown_path)

    def _keep_undeclared(self, path: Path) -> None:
        if self._schema.only is None:
            self._extras.undeclared(path, {self._row: dumps(_extract(self._record, path))})


def _replaced(array: pa.Array, rows: Sequence[int], values: pa.Array) -> pa.Array:
    """Return the array with *values* in *rows*."""
    index = np.arange(len(array))
    index[rows] = np.arange(len(array), len(array) + len(rows))
    return pa.concat_arrays([array, values]).take(index)


def _converter(kind: Type, locales: tuple[str, ...]) -> Convert:
    """Return the function that converts values of *kind*; it raises UnfitError for values that do not fit."""
    match kind:
        case ListOf():
            return _list(_converter(kind.element, locales))
        case Struct(fields) | Embedded(fields):
            return _object(fields, locales)
        case EmbeddedMany(fields):
            return _collection(_list(_object(fields, locales)))
        case Kind.LOCALISED:
            return lambda value, path, unknown: _either(kind, locales, value, path, unknown)[1]
        case _:
            return lambda value, _path, _unknown: fit(kind, value)


def _list(inner: Convert) -> Convert:
    def convert(value: Any, path: Path, unknown: list[Path]) -> Any:
        if not isinstance(value, list):
            raise UnfitError
        return [None if item is None else inner(item, path, unknown) for item in value]

    return convert


def _collection(entries: Convert) -> Convert:
    def convert(value: Any, path: Path, unknown: list[Path]) -> Any:
        if not isinstance(value, dict):
            return entries(value, path, unknown)
        unknown += [(*path, key) for key in value if key != ENTRIES]
        items = value.get(ENTRIES)
        return None if items is None else entries(items, (*path, ENTRIES), unknown)

    return convert


def _object(fields: tuple[Column, ...], locales: tuple[str, ...]) -> Convert:
    known = {column.wire: (column, _converter(column.kind, locales)) for column in fields}

    def convert(value: Any, path: Path, unknown: list[Path]) -> Any:
        struct: dict[str, Any] = {}
        for key, item in _members(value).items():
            item_path = (*path, key)
            if key not in known:
                unknown.append(item_path)
                continue
            column, inner = known[key]
            if item is None:
                continue
            if column.kind is Kind.TEXT_OR_LOCALISED:
                text, texts = _either(column.kind, locales, item, item_path, unknown)
                struct[column.name] = _first_text([texts.get(key) for key in locales]) if text is None else text
                struct[f"{column.name}_localised"] = texts if text is None else None
            else:
                struct[column.name] = inner(item, item_path, unknown)
        return struct

    return convert


def _either(
    kind: Type, locales: tuple[str, ...], value: Any, path: Path, unknown: list[Path]
) -> tuple[str | None, dict[str, str | None]]:
    """Return the plain text and no texts, or None and the texts by locale, for a value that may be localised."""
    if not isinstance(value, dict) and value != [] and kind is not Kind.LOCALISED:
        return fit(Kind.TEXT, value), {}
    texts = _members(value)
    unknown += [(*path, key) for key in texts if key not in locales]
    by_locale = {key: texts.get(key) for key in locales}
    return None, {key: None if text is None else fit(Kind.TEXT, text) for key, text in by_locale.items()}


def _first_text(choices: Sequence[str | None]) -> str | None:
    """Select a text as `columns.first_text` does, for one row."""
    texts = [text for text in choices if text is not None]
    return next((text for text in texts if text.strip()), texts[0] if texts else None)


def _members(value: Any) -> dict[str, Any]:
    """Return the members of an object. PHP writes an empty object as an empty list."""
    if not isinstance(value, dict) and value != []:
        raise UnfitError
    return value or {}


def _extract(value: Any, path: Path) -> Any:
    """Return the value at a path; for a list on the path, the list of its elements' values."""
    if isinstance(value, list) and path:
        return [_extract(item, path) for item in value]
    if not path:
        return value
    return _extract(value.get(path[0]), path[1:]) if isinstance(value, dict) else None
