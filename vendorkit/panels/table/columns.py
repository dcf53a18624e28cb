"""One column of any frame: its values as Arrow and as text, its sort order and its statistics. No widgets."""

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
from vendorkit.frames.names import encodable

_BARS: Final = 20
_Z: Final = tuple(pa.scalar(part, pa.large_string()) for part in ("Z", ""))  # a suffix and a separator
_CHUNK_ROWS: Final = 1 << 17  # rows searched between two checks for Cancel

Columns = Mapping[str, "pd.Series[Any]"]
"""Columns by label."""


def labelled(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """Return the columns by unique text labels; index levels come first, unless the index only numbers the rows."""
    levels = []
    if not (isinstance(frame.index, pd.RangeIndex) and frame.index.name is None):
        for number, name in enumerate(frame.index.names):
            unnamed = "index" if frame.index.nlevels == 1 else f"level_{number}"
            levels.append((unnamed if name is None else name, pd.Series(frame.index.get_level_values(number))))
    columns = [(name, frame.iloc[:, number]) for number, name in enumerate(frame.columns)]
    named = [(encodable(str(name)) or "(no name)", column) for name, column in [*levels, *columns]]
    columns_by_label: dict[str, pd.Series[Any]] = {}
    names = {name for name, _ in named}
    for name, column in named:
        label, count = name, 1
        while label in columns_by_label or (count > 1 and label in names):  # another column may be named "x (2)"
            count += 1
            label = f"{name} ({count})"
        columns_by_label[label] = column
    return columns_by_label


def arrow(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return the values as Arrow, or as text if no single Arrow type fits them."""
    try:
        if column.dtype == object:  # Arrow crashes on a list that contains itself or is nested too deep
            _JSON.encode([value for value in column if isinstance(value, (dict, list, tuple))])
        values = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, ArithmeticError, RecursionError):  # also integers past 64 bits
        values = None
    if values is None or _is_foreign(values.type):  # periods, intervals, categories of these, mixed objects
        nulls = column.isna()
        values = pa.array([None if is_null else _text(value) for value, is_null in zip(column, nulls, strict=True)])
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _is_foreign(kind: pa.DataType) -> bool:
    """Return whether another library or Parquet lacks the type, as it does for objects without members."""
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return isinstance(values, pa.BaseExtensionType) or pa.types.is_interval(values) or "struct<>" in str(values)


def without_midnight(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert timestamps to dates if all are midnight without a time zone: pandas has no date dtype."""
    if pa.types.is_timestamp(array.type) and array.type.tz is None:
        days = array.cast(pa.date32())
        return days if days.cast(array.type).equals(array) else array
    return array


def texts(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return the values as text, lists and structs as JSON; nulls remain."""
    array = without_midnight(arrow(column))
    # In Arrow, a dict gets the keys of all rows; the original objects show only their own.
    nested = pa.types.is_nested(array.type)
    return _as_texts(array, column if nested and column.dtype == object else None)


def contains(column: pd.Series[Any], text: str) -> npt.NDArray[np.bool_]:
    """Return a mask of the rows that contain *text*, ignoring case; lists and structs are searched value by value."""
    masks = [np.zeros(0, dtype=bool)]
    for first in range(0, len(column), _CHUNK_ROWS):
        check_cancelled()
        masks += [_contains(chunk, text) for chunk in arrow(column.iloc[first : first + _CHUNK_ROWS]).chunks]
    return np.concatenate(masks)


def order(column: pd.Series[Any], *, descending: bool) -> npt.NDArray[np.intp]:
    """Return the row positions of a stable sort, nulls last; a column that is not `sortable` is sorted as text."""
    if not sortable(column):
        direction = "descending" if descending else "ascending"
        return np.asarray(pc.array_sort_indices(texts(column), order=direction), dtype=np.intp)
    renumbered = column.reset_index(drop=True)
    return renumbered.sort_values(ascending=not descending, kind="stable", na_position="last").index.to_numpy()


def is_empty(column: pd.Series[Any]) -> bool:
    """Return whether all values are null. For most columns, the first rows already decide."""
    return not (column.iloc[:100].notna().any() or column.notna().any())


def sortable(column: pd.Series[Any]) -> bool:
    """Return whether pandas can sort the column. It cannot sort lists, structs and mixed objects."""
    try:
        (column if column.dtype == object else column.iloc[:2]).sort_values(kind="stable")
    except Exception:  # noqa: BLE001 - comparing objects may raise anything
        return False
    return True


def kind_of(column: pd.Series[Any]) -> str:
    """Return the kind that selects filters and charts: "number", "date", "duration", "flag", "text" or "other"."""
    types, dtype = pd.api.types, column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "text" if kind_of(pd.Series(dtype.categories)) == "text" else "other"
    if types.is_bool_dtype(dtype):
        return "flag"
    if is_number(column):
        return "number"
    if dtype.kind in "Mm":  # of NumPy, pandas or Arrow
        return "date" if dtype.kind == "M" else "duration"
    if types.is_object_dtype(dtype):
        return _KINDS_OF_OBJECTS.get(types.infer_dtype(column, skipna=True), "other")
    return "text" if types.is_string_dtype(dtype) else "other"


_NUMBERS: Final = ("integer", "floating", "mixed-integer-float", "decimal")  # as pandas infers them
_KINDS_OF_OBJECTS: Final = {"string": "text", "boolean": "flag", "date": "date"} | dict.fromkeys(_NUMBERS, "number")


def is_number(column: pd.Series[Any]) -> bool:
    """Return whether the dtype is of real numbers (not boolean, not complex)."""
    types, dtype = pd.api.types, column.dtype
    return types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) and not types.is_complex_dtype(dtype)


def dtype_name(column: pd.Series[Any]) -> str:
    """Return the dtype for a column head; nested types without their fields."""
    dtype = column.dtype
    if not isinstance(dtype, pd.ArrowDtype):
        return str(dtype)
    shown = str(dtype.pyarrow_dtype)
    return shown.partition("<")[0] if pa.types.is_nested(dtype.pyarrow_dtype) else shown


def _contains(array: pa.Array, text: str) -> npt.NDArray[np.bool_]:
    if pa.types.is_struct(array.type):
        masks = [_contains(field, text) for field in array.flatten()]
        return np.logical_or.reduce(masks) if masks else np.zeros(len(array), dtype=bool)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        mask = _contains(array.flatten(), text)
        rows = np.zeros(len(array), dtype=bool)
        rows[pc.list_parent_indices(array).to_numpy()[mask]] = True
        return rows
    # Ignoring case doubles the time, so a text without letters, such as digits, is matched exactly.
    mask = pc.match_substring(_as_texts(pa.chunked_array([array])), text, ignore_case=text.lower() != text.upper())
    return np.asarray(mask.fill_null(fill_value=False), dtype=bool)


def _as_texts(array: pa.ChunkedArray, values: Iterable[Any] | None = None) -> pa.ChunkedArray:
    """Cast in Arrow if the result is readable; otherwise convert each value (of *values*, if given) in Python."""
    kind = array.type
    if values is None and not pa.types.is_nested(kind) and not pa.types.is_duration(kind):
        utc = pa.types.is_timestamp(kind) and kind.tz == "UTC"
        if utc:  # Arrow formats times with a zone eight times slower
            array = pc.cast(array, pa.timestamp(kind.unit))
        if pa.types.is_timestamp(kind):
            with suppress(pa.ArrowException):  # some have fractions of a second
                array = pc.cast(array, pa.timestamp("s", array.type.tz))  # needs no ".000000", and so no search for it
        with suppress(pa.ArrowException):  # bytes that are not UTF-8
            shown = pc.cast(array, pa.large_string())
            if pa.types.is_temporal(kind) and not pa.types.is_date(kind) and getattr(array.type, "unit", "") != "s":
                shown = pc.replace_substring_regex(shown, r"\.0+([+-]\d+)?$", r"\1")
            return pc.binary_join_element_wise(shown, *_Z) if utc else shown
    pairs = zip(array.to_pylist() if values is None else values, array.is_null().to_pylist(), strict=True)
    shown = [None if is_null else _text(value) for value, is_null in pairs]
    return pa.chunked_array([pa.array(shown, pa.large_string())])


def _text(value: Any) -> str:
    for write in (_JSON.encode, str) if isinstance(value, (dict, list, tuple, np.ndarray)) else (str,):
        with suppress(Exception):  # keys that are not text, a list that contains itself, a __str__ that raises
            return encodable(write(value))
    return arguments.shown(value)


def _plain(value: Any) -> Any:
    """Convert a value that JSON cannot represent to a list, an ISO time or a text."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_JSON: Final = json.JSONEncoder(ensure_ascii=False, default=_plain)


@dataclass(frozen=True)
class Facts:
    """
    Statistics of a column.

    Attributes:
        kind: The name of its dtype, as Arrow or pandas writes it.
        null_share: The share of null values, 0 to 1; 0 if there are no rows.
        distinct: The number of distinct values, without nulls.
        spread: For numbers and dates, the minimum and maximum; otherwise the most frequent value, unless all differ.
        bars: Histogram counts. For numbers and dates, rows per twentieth of the range; otherwise rows per value, of
            the most frequent values in descending order.
    """

    kind: str
    null_share: float
    distinct: int
    spread: str = ""
    bars: tuple[int, ...] = ()


def facts(column: pd.Series[Any]) -> Facts:
    """Compute the statistics of a column; reads all its rows."""
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
    counts = sorted(texts(column).drop_null().value_counts().to_pylist(), key=lambda count: -count["counts"])[:_BARS]
    frequent = [f"mostly {count['values']}" for count in counts[:1] if count["counts"] > 1]
    return Facts(*known, "".join(frequent), tuple(count["counts"] for count in counts))


def _range(values: pd.Series[Any]) -> tuple[str, tuple[int, ...]]:
    low, high = texts(pd.Series([values.min(), values.max()])).to_pylist()
    dates = kind_of(values) == "date"
    numbers = pd.DatetimeIndex(values).asi8 if dates else np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    bars: tuple[int, ...] = ()
    with suppress(ValueError):  # there are no finite values
        # Values are shifted to start at 0 to keep bins of large floats distinct, and halved so that no range overflows.
        bars = tuple(np.histogram(finite / 2 - finite.min() / 2, _BARS)[0].tolist())
    return f"{low} to {high}", bars
