"""What is known of one column: nulls, distinct values, range, and how the values are spread. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.deadline import check_cancelled
from vendorkit.panels.table.columns import arrow, dtype_name, kind_of, texts

_BARS: Final = 20


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
    return f"{low} to {high}", tuple(np.histogram(finite, _BARS)[0].tolist()) if len(finite) else ()
