"""One column of any frame: its values in Arrow, its texts, its order, and what is known of it. No widgets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit import arguments
from vendorkit.deadline import check_cancelled

_BARS: Final = 20
_AT_ONCE: Final = 1 << 17  # rows between two looks at Cancel

Columns = Mapping[str, "pd.Series[Any]"]
"""Columns by their labels."""


def labelled(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """Return the columns by unique names, as text; the index comes first, unless it does nothing but count the rows."""
    levels = []
    if not (isinstance(frame.index, pd.RangeIndex) and frame.index.name is None):
        for number, name in enumerate(frame.index.names):
            unnamed = "index" if frame.index.nlevels == 1 else f"level_{number}"
            levels.append((unnamed if name is None else name, pd.Series(frame.index.get_level_values(number))))
    columns = [(name, frame.iloc[:, number]) for number, name in enumerate(frame.columns)]
    named = [(readable(str(name)) or "(no name)", column) for name, column in [*levels, *columns]]
    found: dict[str, pd.Series[Any]] = {}
    names = {name for name, _ in named}
    for name, column in named:
        label, count = name, 1
        while label in found or (count > 1 and label in names):  # another column may have the name "x (2)"
            count += 1
            label = f"{name} ({count})"
        found[label] = column
    return found


def arrow(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return the values in Arrow; where it has no type for them all, as texts."""
    try:
        if column.dtype == object:  # Arrow does not survive a list that is inside of itself, or thousands of levels
            _JSON.encode([value for value in column if isinstance(value, (dict, list, tuple))])
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, ArithmeticError, RecursionError):  # also integers past 64 bits
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
    found = [np.zeros(0, dtype=bool)]
    for first in range(0, len(column), _AT_ONCE):
        check_cancelled()
        found += [_holds(chunk, text) for chunk in arrow(column.iloc[first : first + _AT_ONCE]).chunks]
    return np.concatenate(found)


def order(column: pd.Series[Any], *, descending: bool) -> npt.NDArray[np.intp]:
    """Return the positions of the rows in order, nulls last, equal ones as they were; by text if `unordered`."""
    if unordered(column):
        direction = "descending" if descending else "ascending"
        return np.asarray(pc.array_sort_indices(texts(column), order=direction), dtype=np.intp)
    counted = column.reset_index(drop=True)
    return counted.sort_values(ascending=not descending, kind="stable", na_position="last").index.to_numpy()


def has_values(column: pd.Series[Any]) -> bool:
    """Return whether not all values are null; most columns show it soon."""
    return bool(column.iloc[:100].notna().any() or column.notna().any())


def unordered(column: pd.Series[Any]) -> bool:
    """Return whether pandas cannot sort the column: lists, structs, mixed objects."""
    try:
        (column if column.dtype == object else column.iloc[:2]).sort_values(kind="stable")
    except Exception:  # noqa: BLE001 - objects may raise anything when they are compared
        return True
    return False


def kind_of(column: pd.Series[Any]) -> str:
    """Return how the column is filtered and drawn: "number", "date", "flag", "text" or "other"."""
    types, dtype = pd.api.types, column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "text" if kind_of(pd.Series(dtype.categories)) == "text" else "other"
    if types.is_bool_dtype(dtype):
        return "flag"
    if is_number(column):
        return "number"
    arrow_date = isinstance(dtype, pd.ArrowDtype) and pa.types.is_date(dtype.pyarrow_dtype)
    if types.is_datetime64_any_dtype(dtype) or arrow_date:
        return "date"
    if types.is_object_dtype(dtype):
        return "text" if types.infer_dtype(column, skipna=True) == "string" else "other"
    return "text" if types.is_string_dtype(dtype) else "other"


def is_number(column: pd.Series[Any]) -> bool:
    """Return whether the values are real numbers, by the dtype only."""
    types, dtype = pd.api.types, column.dtype
    return types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) and not types.is_complex_dtype(dtype)


def dtype_name(column: pd.Series[Any]) -> str:
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
    # Folding case takes half of the time, and digits have none.
    hits = pc.match_substring(_as_texts(pa.chunked_array([array])), text, ignore_case=text.lower() != text.upper())
    return np.asarray(hits.fill_null(fill_value=False), dtype=bool)


def _as_texts(array: pa.ChunkedArray, values: Iterable[Any] | None = None) -> pa.ChunkedArray:
    """Cast what Arrow casts readably; the rest, and *values* where given, one by one."""
    kind = array.type
    if values is None and not pa.types.is_nested(kind) and not pa.types.is_duration(kind):
        utc = pa.types.is_timestamp(kind) and kind.tz == "UTC"
        if pa.types.is_timestamp(kind):
            with suppress(pa.ArrowException):  # there are fractions of seconds
                # Midnight needs no six zeros; and Arrow takes eight times as long to write times of a zone.
                array = pc.cast(array, pa.timestamp("s", None if utc else kind.tz))
        try:
            shown = pc.cast(array, pa.large_string())
        except pa.ArrowException:  # bytes that are no text
            pass
        else:
            if pa.types.is_timestamp(kind) and kind != array.type:
                ends = [pa.scalar(end, pa.large_string()) for end in ("Z", "")]
                return pc.binary_join_element_wise(shown, *ends) if utc else shown
            trimmed = pa.types.is_temporal(kind) and not pa.types.is_date(kind)
            return pc.replace_substring_regex(shown, r"\.0+(Z|[+-]\d+)?$", r"\1") if trimmed else shown
    given = zip(array.to_pylist() if values is None else values, array.is_null().to_pylist(), strict=True)
    shown = [None if gone else _text(value) for value, gone in given]
    return pa.chunked_array([pa.array(shown, pa.large_string())])


def _text(value: Any) -> str:
    for write in (_JSON.encode, str) if isinstance(value, (dict, list, tuple, np.ndarray)) else (str,):
        with suppress(Exception):  # names that are no texts, a list inside of itself, objects with a text that fails
            return readable(write(value))
    return arguments.shown(value)


def readable(text: str) -> str:
    """Return a text that UTF-8 can hold: half a surrogate pair is written as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any) -> Any:
    """Return what JSON has no form for as a list, an ISO time or a text."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_JSON: Final = json.JSONEncoder(ensure_ascii=False, default=_plain)


@dataclass(frozen=True)
class Facts:
    """
    What is known of a column.

    Attributes:
        kind: Its dtype, in the words of Arrow or pandas.
        null_share: Nulls among its rows, 0 to 1; 0 if there are no rows.
        distinct: The number of different values, nulls not counted.
        spread: The least and the greatest value; of texts and other values the most frequent one, if one is.
        bars: Rows per twentieth of that range; of texts and other values, rows per value, the most frequent first.
    """

    kind: str
    null_share: float
    distinct: int
    spread: str = ""
    bars: tuple[int, ...] = ()


def facts(column: pd.Series[Any]) -> Facts:
    """Read the whole column and return what is known of it."""
    check_cancelled()
    array = arrow(column)
    try:
        distinct = pc.count_distinct(array).as_py()
    except pa.ArrowNotImplementedError:
        distinct = pc.count_distinct(texts(column)).as_py()
    known = dtype_name(column), array.null_count / max(len(array), 1), distinct
    if array.null_count == len(array):
        return Facts(*known)
    if kind_of(column) in {"number", "date"}:
        return Facts(*known, *_range(column.dropna()))
    counts = sorted(texts(column).drop_null().value_counts().to_pylist(), key=lambda one: -one["counts"])[:_BARS]
    often = [f"mostly {one['values']}" for one in counts[:1] if one["counts"] > 1]
    return Facts(*known, "".join(often), tuple(one["counts"] for one in counts))


def _range(values: pd.Series[Any]) -> tuple[str, tuple[int, ...]]:
    low, high = texts(pd.Series([values.min(), values.max()])).to_pylist()
    dates = kind_of(values) == "date"
    numbers = pd.DatetimeIndex(values).asi8 if dates else np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    bars: tuple[int, ...] = ()
    with suppress(ValueError):  # there are none
        # From the least one, or a large float could not hold a twentieth of the range; halved, or none could hold all.
        bars = tuple(np.histogram(finite / 2 - finite.min() / 2, _BARS)[0].tolist())
    return f"{low} to {high}", bars
