"""One column of any frame: its values in Arrow, its texts, which rows hold a text, its order, its facts. No widgets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Facts:
    """
    Facts about a column.

    Attributes:
        kind: Its dtype, in the words of Arrow or pandas.
        null_share: Nulls among its rows, 0 to 1; 0 where there are no rows.
        distinct: How many different values it has, nulls not counted.
    """

    kind: str
    null_share: float
    distinct: int


def labelled(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """Return the columns by unique names, as text; the index comes first, unless it does nothing but count the rows."""
    levels = []
    if not (isinstance(frame.index, pd.RangeIndex) and frame.index.name is None):
        single = frame.index.nlevels == 1
        for number, name in enumerate(frame.index.names):
            unnamed = "index" if single else f"level_{number}"
            levels.append((unnamed if name is None else name, pd.Series(frame.index.get_level_values(number))))
    columns = [(name, frame.iloc[:, number]) for number, name in enumerate(frame.columns)]
    found: dict[str, pd.Series[Any]] = {}
    for name, column in [*levels, *columns]:
        label, count = readable(str(name)), 1
        while label in found:
            count += 1
            label = readable(f"{name} ({count})")
        found[label] = column
    return found


def arrow(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return the values in Arrow; where it has no type for them all, as texts."""
    try:
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, ArithmeticError):  # also integers past 64 bits
        found = None
    if found is None or _is_foreign(found.type):  # periods, intervals, categories of these, mixed objects
        missing = column.isna()
        found = pa.array([None if gone else _text(value) for value, gone in zip(column, missing, strict=True)])
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])


def _is_foreign(kind: pa.DataType) -> bool:
    return isinstance(kind.value_type if pa.types.is_dictionary(kind) else kind, pa.BaseExtensionType)


def without_midnight(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times without a zone as dates if all of them are: pandas has no other dtype for dates."""
    if pa.types.is_timestamp(array.type) and array.type.tz is None:
        days = array.cast(pa.date32())
        return days if days.cast(array.type).equals(array) else array
    return array


def texts(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return each value as a text, lists and structs as JSON; nulls stay nulls."""
    array = without_midnight(arrow(column))
    # What json_normalize and the like leave as dicts would become structs with all keys of all rows.
    nested = pa.types.is_nested(array.type)
    return _as_texts(array, column if nested and column.dtype == object else None)


def holds(column: pd.Series[Any], text: str) -> npt.NDArray[np.bool_]:
    """Return which rows hold *text*, whatever its case; in lists and structs, in any of their values."""
    found = [_holds(chunk, text) for chunk in arrow(column).chunks]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def order(column: pd.Series[Any], *, descending: bool) -> npt.NDArray[np.intp]:
    """Return the positions of the rows in order, nulls last, equal ones as they stood; by text what has no order."""
    counted = column.reset_index(drop=True)
    try:
        done = counted.sort_values(ascending=not descending, kind="stable", na_position="last")
    except (pa.ArrowException, TypeError, UnicodeError):
        direction = "descending" if descending else "ascending"
        return np.asarray(pc.array_sort_indices(texts(column), order=direction), dtype=np.intp)
    return done.index.to_numpy()


def facts(column: pd.Series[Any]) -> Facts:
    """Read the whole column and return its facts."""
    array = arrow(column)
    try:
        distinct = pc.count_distinct(array)
    except pa.ArrowNotImplementedError:
        distinct = pc.count_distinct(texts(column))
    return Facts(kind(column), array.null_count / max(len(array), 1), distinct.as_py())


def kind(column: pd.Series[Any]) -> str:
    """Return the dtype as it reads best in the head of a table: without the fields of structs."""
    dtype = column.dtype
    if not isinstance(dtype, pd.ArrowDtype):
        return str(dtype)
    shown = str(dtype.pyarrow_dtype)
    return shown.partition("<")[0] if pa.types.is_nested(dtype.pyarrow_dtype) else shown


def _holds(array: pa.Array, text: str) -> npt.NDArray[np.bool_]:
    if pa.types.is_struct(array.type):
        found = [_holds(field, text) for field in array.flatten()]
        return np.logical_or.reduce(found) if found else np.zeros(len(array), dtype=bool)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        hit = _holds(array.flatten(), text)
        rows = np.zeros(len(array), dtype=bool)
        rows[pc.list_parent_indices(array).to_numpy()[hit]] = True
        return rows
    hits = pc.match_substring(_as_texts(pa.chunked_array([array])), text, ignore_case=True)
    return np.asarray(hits.fill_null(fill_value=False), dtype=bool)


def _as_texts(array: pa.ChunkedArray, values: Iterable[Any] | None = None) -> pa.ChunkedArray:
    """Cast what Arrow casts readably; the rest, and *values* where given, one by one."""
    kind = array.type
    if values is None and not pa.types.is_nested(kind) and not pa.types.is_duration(kind):
        try:
            shown = pc.cast(array, pa.large_string())
        except pa.ArrowException:  # bytes that are no text
            pass
        else:
            # Midnight needs no six zeros.
            trimmed = pa.types.is_temporal(kind) and not pa.types.is_date(kind)
            return pc.replace_substring_regex(shown, r"\.0+(Z|[+-]\d+)?$", r"\1") if trimmed else shown
    given = zip(array.to_pylist() if values is None else values, array.is_null().to_pylist(), strict=True)
    shown = [None if gone else _text(value) for value, gone in given]
    return pa.chunked_array([pa.array(shown, pa.large_string())])


def _text(value: Any) -> str:
    if isinstance(value, (dict, list, tuple, np.ndarray)):
        return readable(json.dumps(value, ensure_ascii=False, default=_plain))
    return readable(str(value))


def readable(text: str) -> str:
    """Return a text that UTF-8 can hold: half a surrogate pair is written as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    """Return what JSON has no form for as a list, an ISO time or a text."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
