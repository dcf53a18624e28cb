"""
Records to a table one value at a time: for what Arrow does not read under the declared types.

Every value ends up somewhere: in its column; in `<column>__raw` if it does not
fit the declared type; in a column of JSON text if its field is not declared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from vendorkit.deadline import check_cancelled
from vendorkit.frames.drift import Extras, Path
from vendorkit.frames.kinds import ENTRIES, Column, Embedded, EmbeddedMany, Kind, Leaf, ListOf, Struct, Type
from vendorkit.frames.names import snake_case
from vendorkit.frames.page import Batch
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import MisfitError, dumps, fit, malformed

Convert = Callable[[Any, Path, list[Path]], Any]
"""Converts a value at a path; appends the paths of undeclared fields inside it."""


class LosslessReader:
    """
    Reads records, as `values.loads` gives them, under a schema.

    Args:
        schema: What to read.
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
        """
        Return the table of the records and what did not match the schema.

        Raises:
            MalformedAnswer: A record is not an object.
        """
        return self.completed({}, len(records), {}, {}, dict(enumerate(records)))

    def completed(
        self,
        columns: Mapping[str, pa.Array],
        rows: int,
        odd: Mapping[str, Mapping[int, Any]],
        undeclared: Mapping[str, Mapping[int, str]],
        whole: Mapping[int, Any] = MappingProxyType({}),
    ) -> Batch:
        """
        Put the odd members of records into their places.

        Args:
            columns: The columns of the other members; those of a member that is always odd may be missing.
            rows: How many records there are.
            odd: The values of odd members by name and row.
            undeclared: The JSON texts of undeclared ones.
            whole: Records that are odd as a whole, by row.
        """
        extras = Extras(self._schema)
        for name, texts in undeclared.items():
            extras.undeclared((name,), texts)
        slow = self.columns(list(whole.values()), whole, extras) if whole else {}
        places = {leaf.name: list(whole) for leaf in self._schema.leaves}
        for name, values in odd.items():
            found = self.columns([{name: value} for value in values.values()], values, extras, {name})
            for column, array in found.items():
                slow[column] = pa.concat_arrays([slow[column], array]) if whole else array
                places[column] += values
        arrays = {}
        for leaf in self._schema.leaves:
            array = columns[leaf.name] if leaf.name in columns else pa.nulls(rows, self._schema.dtype(leaf))
            arrays[leaf.name] = _replaced(array, places[leaf.name], slow.get(leaf.name))
        return Batch(pa.table({**arrays, **extras.arrays(rows)}), extras.drift)

    def columns(
        self, records: Sequence[Any], rows: Iterable[int], extras: Extras, members: Collection[str] | None = None
    ) -> dict[str, pa.Array]:
        """Return the declared columns of the records; all else goes to *extras*, under the numbers in *rows*."""
        leaves = [leaf for leaf in self._schema.leaves if members is None or leaf.path[0] in members]
        cells = _Cells(self._schema, self._converters, leaves, len(records), extras)
        for place, (row, record) in enumerate(zip(rows, records, strict=True)):
            check_cancelled()
            if not isinstance(record, dict):
                what = f"Record {row} of the answer is not an object."
                raise malformed(what)
            cells.begin(place, row, record)
            cells.branch(record, self._root, ())
        arrow = self._schema.arrow
        return {name: pa.array(found, arrow.field(name).type) for name, found in cells.found.items()}


class _Cells:
    """The cells of the declared columns while records are walked."""

    def __init__(
        self, schema: Schema, converters: Mapping[str, Convert], leaves: Sequence[Leaf], rows: int, extras: Extras
    ) -> None:
        self._schema, self._converters, self._extras = schema, converters, extras
        self.found: dict[str, list[Any]] = {leaf.name: [None] * rows for leaf in leaves}

    def begin(self, place: int, row: int, record: Mapping[str, Any]) -> None:
        self._place, self._row, self._record = place, row, record

    def branch(self, value: Mapping[str, Any], branch: Mapping[str, Any], path: Path) -> None:
        """Read an object whose fields are columns, or objects of this kind."""
        for key, item in value.items():
            child, here = branch.get(key), (*path, key)
            if child is None:
                self._keep_undeclared(here)
            elif item is None:
                continue
            elif isinstance(child, list):
                self._leaf(child, item, here)
            elif isinstance(item, dict) or item == []:
                self.branch(item or {}, child, here)
            else:
                self._extras.unfit(here, snake_case("_".join(here)), self._row, dumps(item))

    def _leaf(self, leaves: list[Leaf], value: Any, path: Path) -> None:
        first, unknown = leaves[0], list[Path]()
        try:
            if first.pick:
                text, texts = _either(first.kind, self._schema.locales, value, path, unknown)
                for leaf in leaves:
                    found = [text] if leaf.plain and text is not None else [texts.get(key) for key in leaf.pick]
                    self.found[leaf.name][self._place] = _first_text(found)
            else:
                self.found[first.name][self._place] = self._converters[first.name](value, path, unknown)
        except MisfitError:
            self._extras.unfit(path, first.column.name if first.pick else first.name, self._row, dumps(value))
            return
        for one in dict.fromkeys(unknown):
            self._keep_undeclared(one)

    def _keep_undeclared(self, path: Path) -> None:
        if self._schema.only is None:
            self._extras.undeclared(path, {self._row: dumps(_extract(self._record, path))})


def _replaced(array: pa.Array, rows: Sequence[int], values: pa.Array | None) -> pa.Array:
    """Return the array with these values in these rows."""
    if values is None or not rows:
        return array
    index = np.arange(len(array))
    index[rows] = np.arange(len(array), len(array) + len(rows))
    return pa.concat_arrays([array, values]).take(index)


def _converter(kind: Type, locales: tuple[str, ...]) -> Convert:
    """The function for values of *kind*, which raises MisfitError for those that do not fit."""
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
            raise MisfitError
        return [None if item is None else inner(item, path, unknown) for item in value]

    return convert


def _collection(entries: Convert) -> Convert:
    def convert(value: Any, path: Path, unknown: list[Path]) -> Any:
        if not isinstance(value, dict):
            return entries(value, path, unknown)
        unknown += [(*path, key) for key in value if key != ENTRIES]
        found = value.get(ENTRIES)
        return None if found is None else entries(found, (*path, ENTRIES), unknown)

    return convert


def _object(fields: tuple[Column, ...], locales: tuple[str, ...]) -> Convert:
    known = {column.wire: (column, _converter(column.kind, locales)) for column in fields}

    def convert(value: Any, path: Path, unknown: list[Path]) -> Any:
        found: dict[str, Any] = {}
        for key, item in _members(value).items():
            here = (*path, key)
            if key not in known:
                unknown.append(here)
                continue
            column, inner = known[key]
            if item is None:
                continue
            if column.kind is Kind.TEXT_OR_LOCALISED:
                text, texts = _either(column.kind, locales, item, here, unknown)
                found[column.name] = _first_text([texts.get(key) for key in locales]) if text is None else text
                found[f"{column.name}_localised"] = texts if text is None else None
            else:
                found[column.name] = inner(item, here, unknown)
        return found

    return convert


def _either(
    kind: Type, locales: tuple[str, ...], value: Any, path: Path, unknown: list[Path]
) -> tuple[str | None, dict[str, str | None]]:
    """The plain text of a value that may be localised, or None and the texts by locale."""
    if not isinstance(value, dict) and value != [] and kind is not Kind.LOCALISED:
        return fit(Kind.TEXT, value), {}
    texts = _members(value)
    unknown += [(*path, key) for key in texts if key not in locales]
    found = {key: texts.get(key) for key in locales}
    return None, {key: None if text is None else fit(Kind.TEXT, text) for key, text in found.items()}


def _first_text(found: Sequence[str | None]) -> str | None:
    """As `columns.first_text`, of one row."""
    texts = [text for text in found if text is not None]
    return next((text for text in texts if text.strip()), texts[0] if texts else None)


def _members(value: Any) -> dict[str, Any]:
    """The members of an object; PHP writes an empty one as an empty list."""
    if not isinstance(value, dict) and value != []:
        raise MisfitError
    return value or {}


def _extract(value: Any, path: Path) -> Any:
    """The value at a path; through a list, the list of the values in its elements."""
    if isinstance(value, list) and path:
        return [_extract(item, path) for item in value]
    if not path:
        return value
    return _extract(value.get(path[0]), path[1:]) if isinstance(value, dict) else None
