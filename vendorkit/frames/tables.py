"""
Nested columns as tidy child tables, keyed by their parent; whole arrays at a time.

`products` with a list column `photos` gives `products` and `product_photos`; a
list inside a photo gives `product_photo_organizations`.
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
from vendorkit.frames.names import singular
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import dumps, loads
from vendorkit.strictjson import Literal

Columns = dict[str, Any]

POSITION = "position"
_ROWS_AT_A_TIME = 100_000  # an Arrow text array holds 2 GB; long descriptions stay far below


def child_tables(table: pa.Table, schema: Schema) -> dict[str, pa.Table]:
    """
    Split a frame's table into flat tables.

    Returns:
        By name: the records under the schema's name, structs spread to `parent_child` columns (`parent__child` if a
        field has that name itself), lists and documents left out. For each list a table of its elements: the parent's
        key (`product_id`), `position` from 0 in the parent's list, and the element's fields, or `value`. Lists inside
        lists carry the positions of all their parents (`photo_position`). Null and empty lists have no rows. For each
        free document (`title_metadata`) a row per field: `field`, `position` in a list, `type` (text, integer, number,
        boolean, null, json), `value` as text. Records without a key are numbered from 0, in a column such as
        `schedule_row`. Under a schema of one locale, localised values inside lists are one column too, by the same
        fallbacks.
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
        above = {key: _whole(keys.slice(start, _ROWS_AT_A_TIME))}
        for name, part in _parts(rows, schema, above):
            parts[name].append(part)
    return {name: pa.concat_tables(found) for name, found in parts.items()}


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _parts(rows: pa.Table, schema: Schema, above: Columns) -> Iterator[tuple[str, pa.Table]]:
    one = singular(schema.name)
    documents = {leaf.name for leaf in schema.leaves if leaf.kind in (Kind.JSON, Kind.DOCUMENT)}
    columns = {name: _whole(rows[name]) for name in rows.column_names}
    order = dict.fromkeys((schema.locale, *schema.locales)) if schema.locale else {}
    flat, lists = _spread({name: array for name, array in columns.items() if name not in documents}, order)
    yield schema.name, pa.table(flat)
    for name, array in lists:
        yield from _children(f"{one}_{name}", name, array, above, order)
    for name in columns.keys() & documents:
        yield f"{one}_{name}", _fields(columns[name], above)


def _spread(columns: Columns, order: Collection[str]) -> tuple[Columns, list[tuple[str, pa.Array]]]:
    """The flat columns, structs spread to `parent_child` or to one text in the order of locales; and the lists."""
    flat: Columns = {}
    lists: list[tuple[str, pa.Array]] = []
    taken = {name for name, array in columns.items() if not pa.types.is_nested(array.type)}
    for name, array in columns.items():
        if pa.types.is_struct(array.type):
            # The texts next to `name` are `name_nl`, as everywhere else.
            stem = name.removesuffix("_localised")
            fields = _struct_fields(array)
            if order and fields.keys() == set(order):
                plain = [flat[stem]] if stem in flat else []
                flat[stem] = first_text([*(fields[locale] for locale in order), *plain])
                continue
            below, more = _spread({f"{stem}_{child}": found for child, found in fields.items()}, order)
            for child, found in below.items():
                flat[child.replace(f"{stem}_", f"{stem}__", 1) if child in taken else child] = found
            lists += more
        elif pa.types.is_list(array.type):
            lists.append((name, array))
        else:
            flat[name] = array
    return flat, lists


def _struct_fields(array: pa.StructArray) -> Columns:
    return {field.name: child for field, child in zip(array.type, array.flatten(), strict=True)}


def _children(
    table_name: str, name: str, array: Any, above: Columns, order: Collection[str]
) -> Iterator[tuple[str, pa.Table]]:
    """The table of one list column, then those of the lists inside it; `above` has a key row for each list."""
    parents = pc.list_parent_indices(array)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    position = np.arange(len(parents)) - (np.cumsum(lengths) - lengths)[parents.to_numpy()]
    keys = {column: found.take(parents) for column, found in above.items()}
    values = array.flatten()
    flat, lists = _spread(_struct_fields(values) if pa.types.is_struct(values.type) else {"value": values}, order)
    columns: Columns = {**keys, POSITION: pa.array(position, pa.int64())}
    one = singular(name)
    for column, found in flat.items():
        # An element may have a field called as one of the keys.
        columns[f"{one}_{column}" if column in columns else column] = found
    yield table_name, pa.table(columns)
    for inner, found in lists:
        below = {**keys, f"{one}_{POSITION}": columns[POSITION]}
        yield from _children(f"{singular(table_name)}_{inner}", inner, found, below, order)


_TYPES = {str: "text", bool: "boolean", int: "integer", type(None): "null", dict: "json", list: "json"}


def _fields(array: pa.Array, above: Columns) -> pa.Table:
    """The fields of documents, one row per field; a list of plain values has one row per value."""
    rows: list[tuple[int, str, int | None, str, str | None]] = []
    for row, text in enumerate(array.to_pylist()):
        document = loads(text.encode()) if text is not None else {}
        for name, value in document.items() if isinstance(document, dict) else [("", document)]:
            plain_list = isinstance(value, list) and value and not any(isinstance(item, (dict, list)) for item in value)
            for position, item in enumerate(value) if plain_list else [(None, value)]:
                kind, shown = _shown(item)
                rows.append((row, name, position, kind, shown))
    keys = pa.array([row[0] for row in rows], pa.int64())
    types = {"field": pa.string(), POSITION: pa.int64(), "type": pa.string(), "value": pa.string()}
    found = {name: pa.array([row[at] for row in rows], dtype) for at, (name, dtype) in enumerate(types.items(), 1)}
    return pa.table({**{name: column.take(keys) for name, column in above.items()}, **found})


def _shown(value: Any) -> tuple[str, str | None]:
    if isinstance(value, Literal):
        return ("integer" if value.text.lstrip("-").isdigit() else "number"), value.text
    if isinstance(value, str) or value is None:
        return _TYPES[type(value)], value
    return _TYPES[type(value)], dumps(value)
