"""
Splits nested columns into tidy child tables with the key of the parent, one whole array at a time.

`products` with a list column `photos` becomes `products` and `product_photos`.
A list inside a photo becomes `product_photo_organizations`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.columns import first_text
from vendorkit.frames.kinds import Kind
from vendorkit.frames.names import encodable, singular
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import dumps, loads
from vendorkit.strictjson import Literal

Columns = dict[str, Any]

POSITION = "position"
_ROWS_AT_A_TIME = 100_000  # an Arrow text array holds at most 2 GB; this many long descriptions are far below it


def child_tables(table: pa.Table, schema: Schema) -> dict[str, pa.Table]:
    """
    Split a frame's table into flat tables.

    Returns:
        Tables by name. The records are under the schema's name, without lists and documents; a struct becomes columns
        `parent_child` (`parent__child` if a field has that name). Each list has a table with a row per element: the
        parent's key (`product_id`), the `position` in the list from 0, and the element's fields, or `value`. A list
        inside a list also has the positions of its parents (`photo_position`). Null and empty lists have no rows.
        Each document (`title_metadata`) has a table with a row per field: `field`, `position` in a list, `type`
        (text, integer, number, boolean, null, json), and `value` as text. Records without a key are numbered from 0
        in a column such as `schedule_row`. If the schema has one locale, each localised value inside a list is one
        column, with the same fallbacks.
    """
    key = f"{singular(schema.name)}_{schema.key}"
    if schema.key in table.column_names:
        keys = table[schema.key]
    else:
        key = f"{singular(schema.name)}_row"
        keys = pa.chunked_array([np.arange(len(table))])
        table = table.append_column(key, keys)
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    for start in range(0, max(len(table), 1), _ROWS_AT_A_TIME):
        rows = table.slice(start, _ROWS_AT_A_TIME)
        keys_by_name = {key: keys.slice(start, _ROWS_AT_A_TIME).combine_chunks()}
        for name, part in _parts(rows, schema, keys_by_name):
            parts[name].append(part)
    return {name: pa.concat_tables(tables) for name, tables in parts.items()}


def _parts(rows: pa.Table, schema: Schema, keys: Columns) -> Iterator[tuple[str, pa.Table]]:
    prefix = singular(schema.name)
    documents = {leaf.name for leaf in schema.leaves if leaf.kind in (Kind.JSON, Kind.DOCUMENT)}
    columns = {name: rows[name].combine_chunks() for name in rows.column_names}
    order = dict.fromkeys((schema.locale, *schema.locales)) if schema.locale else {}
    flat, lists = _flatten({name: array for name, array in columns.items() if name not in documents}, order)
    yield schema.name, pa.table(flat)
    for name, array in lists:
        yield from _children(f"{prefix}_{name}", name, array, keys, order)
    for name in columns.keys() & documents:
        yield f"{prefix}_{name}", _fields(columns[name], keys)


def _flatten(columns: Columns, order: Collection[str]) -> tuple[Columns, list[tuple[str, pa.Array]]]:
    """Return the flat columns and the lists; *order* has the preferred locales if localised values become one text."""
    flat: Columns = {}
    lists: list[tuple[str, pa.Array]] = []
    taken = {name for name, array in columns.items() if not pa.types.is_nested(array.type)}
    for name, array in columns.items():
        if pa.types.is_struct(array.type):
            # The texts of `name_localised` become `name_nl`, as in all other tables.
            stem = name.removesuffix("_localised")
            fields = _struct_fields(array)
            if order and fields.keys() == set(order):
                plain = [flat[stem]] if stem in flat else []
                flat[stem] = first_text([*(fields[locale] for locale in order), *plain])
                continue
            inner, inner_lists = _flatten({f"{stem}_{child}": values for child, values in fields.items()}, order)
            for child, values in inner.items():
                flat[child.replace(f"{stem}_", f"{stem}__", 1) if child in taken else child] = values
            lists += inner_lists
        elif pa.types.is_list(array.type):
            lists.append((name, array))
        else:
            flat[name] = array
    return flat, lists


def _struct_fields(array: pa.StructArray) -> Columns:
    return {field.name: child for field, child in zip(array.type, array.flatten(), strict=True)}


def _children(
    table_name: str, name: str, array: Any, parent_keys: Columns, order: Collection[str]
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the table of one list column, then the tables of the lists inside it; *parent_keys* has a row per list."""
    parents = pc.list_parent_indices(array)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    position = np.arange(len(parents)) - (np.cumsum(lengths) - lengths)[parents.to_numpy()]
    keys = {column: values.take(parents) for column, values in parent_keys.items()}
    elements = array.flatten()
    flat, lists = _flatten(
        _struct_fields(elements) if pa.types.is_struct(elements.type) else {"value": elements}, order
    )
    columns: Columns = {**keys, POSITION: pa.array(position, pa.int64())}
    prefix = singular(name)
    for column, values in flat.items():
        # A field of the element may have the name of a key.
        columns[f"{prefix}_{column}" if column in columns else column] = values
    yield table_name, pa.table(columns)
    for inner_name, inner in lists:
        inner_keys = {**keys, f"{prefix}_{POSITION}": columns[POSITION]}
        yield from _children(f"{singular(table_name)}_{inner_name}", inner_name, inner, inner_keys, order)


_TYPES = {bool: "boolean", int: "integer"}


def _fields(array: pa.Array, keys: Columns) -> pa.Table:
    """Return the fields of documents, one row per field; a list of plain values has one row per value."""
    rows: list[tuple[int, str, int | None, str, str | None]] = []
    for row, text in enumerate(array.to_pylist()):
        document = loads(text.encode()) if text is not None else {}
        for name, value in document.items() if isinstance(document, dict) else [("", document)]:
            plain_list = isinstance(value, list) and value and not any(isinstance(item, (dict, list)) for item in value)
            for position, item in enumerate(value) if plain_list else [(None, value)]:
                rows.append((row, encodable(name), position, *_type_and_text(item)))
    parents = pa.array([row[0] for row in rows], pa.int64())
    types = {"field": pa.string(), POSITION: pa.int64(), "type": pa.string(), "value": pa.string()}
    fields = {name: pa.array([row[at] for row in rows], dtype) for at, (name, dtype) in enumerate(types.items(), 1)}
    return pa.table({**{name: column.take(parents) for name, column in keys.items()}, **fields})


def _type_and_text(value: Any) -> tuple[str, str | None]:
    if isinstance(value, Literal):
        return ("integer" if value.text.lstrip("-").isdigit() else "number"), value.text
    if value is None or (isinstance(value, str) and encodable(value) == value):
        return ("null" if value is None else "text"), value
    return _TYPES.get(type(value), "json"), dumps(value)
