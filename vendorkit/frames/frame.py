"""Tables to pandas: the dtypes of every frame, and the handling of lists and structs, for which pandas has no dtype."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

Nested = Literal["list", "json", "drop"]
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
