"""Tables to pandas: the dtypes of every frame, and the handling of lists and structs, for which pandas has no dtype."""

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
NESTED: Final = ("list", "json", "drop")
"""Lists and structs as Arrow holds them, as JSON text, or left out."""

# pandas 3 has one dtype for texts, `str`, in which a missing text is NaN; pandas 2 has `string` with NA.
_IS_PANDAS_3: Final = int(pd.__version__.partition(".")[0]) >= 3
_TEXT: Final = pd.StringDtype("pyarrow", na_value=np.nan) if _IS_PANDAS_3 else pd.StringDtype("pyarrow")
_MICROSECONDS: Final = pa.timestamp("us")


def flattened(table: pa.Table, nested: Nested = "list") -> pa.Table:
    """Return *table* with its lists and structs as *nested* says: unchanged, as compact JSON text, or left out."""
    names = [] if nested == "list" else [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested == "drop":
        return table.drop_columns(names)
    for name in names:
        table = table.set_column(table.column_names.index(name), name, _as_json(table[name]))
    return table


def to_frame(table: pa.Table, nested: Nested = "list") -> pd.DataFrame:
    """
    Return *table* in pandas' own dtypes, chosen so that nothing is lost.

    Texts are `str` (on pandas 2 `string`), integers `Int64`, numbers `float64`, booleans `boolean`, times
    `datetime64[us, UTC]`, dates `datetime64[us]`. Lists and structs are as *nested* says; "list" keeps them in Arrow.
    """
    table = flattened(table, nested)
    for place, field in enumerate(table.schema):
        if pa.types.is_date(field.type):  # pandas would make objects of them
            table = table.set_column(place, field.name, table[place].cast(_MICROSECONDS))
    # Names that metadata of pandas gives would be those of another frame.
    frame: pd.DataFrame = table.to_pandas(types_mapper=_dtype, ignore_metadata=True)
    return frame


def row_codes(table: pa.Table) -> Codes:
    """Return a number per row, the same for rows that are equal, lists and structs in them included."""
    return _codes_together(map(_codes, table.columns))


def _codes(column: pa.ChunkedArray) -> Codes:
    """A number per value, the same for equal ones: Arrow encodes flat values, and so the codes of what is in others."""
    if not pa.types.is_nested(column.type):
        encoded = pc.dictionary_encode(column, null_encoding="encode")
        return np.concatenate([np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in encoded.chunks)])
    array = pa.concat_arrays([pa.array([], column.type), *column.chunks])
    is_there = array.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_struct(column.type):
        return _codes_together([is_there, *(_codes(pa.chunked_array([child])) for child in array.flatten())])
    items = _codes(pa.chunked_array([array.flatten()]))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64) * items.itemsize
    lists = pa.Array.from_buffers(pa.large_binary(), len(array), [None, *map(pa.py_buffer, (ends, items))])
    return _codes_together([is_there, _codes(pa.chunked_array([lists]))])


def _codes_together(columns: Iterable[npt.NDArray[Any]]) -> Codes:
    """A number per row for the numbers that several columns have there."""
    rows = np.stack([*columns], axis=1).astype(np.int32)
    kind = pa.binary(rows.shape[1] * rows.itemsize)
    return _codes(pa.chunked_array([pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(rows)])]))


def _dtype(kind: pa.DataType) -> Any:
    """The dtype for an Arrow type; None for those that pandas and Arrow agree on."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _TEXT
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    return pd.ArrowDtype(kind) if pa.types.is_nested(kind) else None


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each list or struct as JSON text, with all digits of integers and times as ISO 8601; nulls stay nulls."""
    encode = msgspec.json.Encoder().encode
    chunks = [[None if value is None else encode(value) for value in chunk.to_pylist()] for chunk in column.chunks]
    return pa.chunked_array([pa.array(texts, pa.binary()).cast(pa.string()) for texts in chunks], pa.string())
