"""Converts Arrow tables to pandas: the dtypes of every frame, and lists and structs, for which pandas has no dtype."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Nested = Literal["list", "json", "drop"]
Codes = npt.NDArray[np.int32]
# Return lists and structs as Arrow values, as JSON text, or not at all.
NESTED: Final = ("list", "json", "drop")

# The text dtype of pandas 3 is `str`, with NaN for missing values; that of pandas 2 is `string`, with NA.
_IS_PANDAS_3: Final = int(pd.__version__.partition(".")[0]) >= 3
_TEXT: Final = pd.StringDtype("pyarrow", na_value=np.nan) if _IS_PANDAS_3 else pd.StringDtype("pyarrow")
_MICROSECONDS: Final = pa.timestamp("us")


def flattened(table: pa.Table, nested: Nested = "list") -> pa.Table:
    """Return *table* with its lists and structs unchanged, as compact JSON text, or dropped, according to *nested*."""
    names = [] if nested == "list" else [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested == "drop":
        return table.drop_columns(names)
    for name in names:
        table = table.set_column(table.column_names.index(name), name, _as_json(table[name]))
    return table


def to_frame(table: pa.Table, nested: Nested = "list") -> pd.DataFrame:
    """
    Return *table* as a DataFrame with pandas' own dtypes, without loss.

    Text is `str` (`string` on pandas 2), integers `Int64`, numbers `float64`, booleans `boolean`, times
    `datetime64[us, UTC]`, dates `datetime64[us]`. *nested* is applied to lists and structs; "list" keeps Arrow values.
    """
    table = flattened(table, nested)
    for index, field in enumerate(table.schema):
        if pa.types.is_date(field.type):  # else pandas converts them to objects
            table = table.set_column(index, field.name, table[index].cast(_MICROSECONDS))
    # The table may have pandas metadata of another frame.
    frame: pd.DataFrame = table.to_pandas(types_mapper=_dtype, ignore_metadata=True)
    return frame


def row_codes(table: pa.Table) -> Codes:
    """Return a number per row; equal rows have equal numbers. Lists and structs are compared too."""
    return _combined_codes(map(_codes, table.columns))


def _codes(column: pa.ChunkedArray) -> Codes:
    """Return a number per value; equal values have equal numbers. Lists and structs are compared by element."""
    if not pa.types.is_nested(column.type):
        encoded = pc.dictionary_encode(column, null_encoding="encode")
        return np.concatenate([np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in encoded.chunks)])
    array = pa.concat_arrays([pa.array([], column.type), *column.chunks])
    is_valid = array.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_struct(column.type):
        return _combined_codes([is_valid, *(_codes(pa.chunked_array([child])) for child in array.flatten())])
    items = _codes(pa.chunked_array([array.flatten()]))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64) * items.itemsize
    lists = pa.Array.from_buffers(pa.large_binary(), len(array), [None, *map(pa.py_buffer, (ends, items))])
    return _combined_codes([is_valid, _codes(pa.chunked_array([lists]))])


def _combined_codes(columns: Iterable[npt.NDArray[Any]]) -> Codes:
    """Return a number per row for several columns of numbers; equal rows have equal numbers."""
    rows = np.stack([*columns], axis=1).astype(np.int32)
    row_type = pa.binary(rows.shape[1] * rows.itemsize)
    return _codes(pa.chunked_array([pa.Array.from_buffers(row_type, len(rows), [None, pa.py_buffer(rows)])]))


def _dtype(arrow_type: pa.DataType) -> Any:
    """Return the pandas dtype for an Arrow type; None for pandas' default."""
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type):
        return _TEXT
    if pa.types.is_integer(arrow_type):
        return pd.Int64Dtype()
    if pa.types.is_boolean(arrow_type):
        return pd.BooleanDtype()
    return pd.ArrowDtype(arrow_type) if pa.types.is_nested(arrow_type) else None


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return lists or structs as JSON text: integers keep all digits, times are ISO 8601, nulls stay null."""
    encode = msgspec.json.Encoder().encode
    chunks = [[None if value is None else encode(value) for value in chunk.to_pylist()] for chunk in column.chunks]
    return pa.chunked_array([pa.array(texts, pa.binary()).cast(pa.string()) for texts in chunks], pa.string())
