"""
Filter conditions on a column, as a user types them: `>1000`, `10..20`, `2026-03`, `soap | oil`, `not null`.

A condition is a pandas expression. It computes the mask and is shown to the user, so that both always agree.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from vendorkit.errors import UsageError
from vendorkit.frames.names import encodable
from vendorkit.panels import markup
from vendorkit.panels.table.columns import Columns, kind_of

HINTS: Final = markup.HINTS["filter of a table"]
_FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}
_DATE: Final = r"(?a)(?!0000)\d{4}(-\d\d?(-\d\d?([ T]\d\d?(:\d\d(:\d\d)?)?)?)?)?"
_NUMBER: Final = r"(?ai)[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
_SECOND: Final = np.timedelta64(1, "s")
_REST_OF_DAY: Final = np.timedelta64(86_399, "s")
_END: Final = np.datetime64("10000-01-01")  # of the years of Python
_SIGNS: Final = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}


def mask_of(column: pd.Series[Any], code: str) -> npt.NDArray[np.bool_]:
    """Return the mask of *column* that *code*, a result of `condition`, computes."""
    result = eval(code, {"column": column, "pd": pd})  # noqa: S307 - only literals vary
    return np.asarray(result.array.fillna(value=False) if result.hasnans else result, dtype=bool)


def _call(column: str, method: str, *values: Any, **options: Any) -> str:
    """Return the call of a method of *column* as code."""
    arguments = [*map(literal, values), *(f"{name}={literal(value)}" for name, value in options.items())]
    return f"{column}.{method}({', '.join(arguments)})"


def literal(value: Any) -> str:
    """Return *value* as a Python expression."""
    if isinstance(value, pd.Timestamp):
        # In UTC, because local times are ambiguous when clocks are set back.
        return f'pd.Timestamp("{value if value.tz is None else value.tz_convert("UTC")}")'
    if isinstance(value, dt.date):
        return f'pd.Timestamp("{value}").date()'
    if isinstance(value, pd.Timedelta):
        return f'pd.Timedelta("{value}")'
    # Double quotes, as code formatters write them. Code must not contain characters that change how it is displayed.
    plain = isinstance(value, str) and value.isprintable() and not {'"', "\\"} & {*value}
    return f'"{value}"' if plain else repr(value)


def plain_names(frame: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """Return the names that select one column of *frame* and that code can contain, by their *labels*."""
    levels = frame.index.names  # `sort_values` finds these too
    named = zip(labels, frame.columns, frame.columns.duplicated(keep=False), strict=True)
    return {label: name for label, name, again in named if not again and name not in levels and _is_plain(name)}


def _is_plain(name: Any) -> bool:
    parts = name if isinstance(name, tuple) else (name,)
    return all(type(part) in (str, int) and encodable(str(part)) == str(part) for part in parts)


def condition(column: pd.Series[Any], text: str, label: str, name: str = "column") -> str | None:
    """
    Parse *text* as a condition for the type of *column*; return a pandas expression for the mask of the matching rows.

    *name* is the expression for the column. The result is None if the values are to be searched for *text*.

    Raises:
        UsageError: *text* is not a valid condition for this type.
    """
    kind, text = kind_of(column), text.strip()
    if text.lower() in {"null", "not null"}:
        return f"{name}.{'isna' if text.lower() == 'null' else 'notna'}()"
    if kind == "other" and not looks_typed(text):
        return None
    sign, rest = re.findall(r"\A(>=|<=|!=|>|<|=|)\s*(.*)\Z", text, re.DOTALL)[0]
    try:
        if kind == "text":
            masks = [_of_texts(column, name, sign, rest, text)]
        else:
            masks = _of_values(column, kind, name, sign, rest) if kind != "other" else []
    except (KeyError, ValueError, OverflowError, NotImplementedError):  # the last: a zone at the end of the year 9999
        masks = []
    if not masks:
        holds = markup.HINTS["values of a column"][kind]
        what = f"“{text}” is not a valid condition on the column {label}, which holds {holds}."
        raise UsageError(what, remedy=f"Examples: {HINTS[kind]}.")
    joined = masks[0] if len(masks) == 1 else f"({' | '.join(masks)})"
    return f"~{joined} & {name}.notna()" if sign == "!=" else joined


def mask_code(label: str, text: str, columns: Columns, names: Mapping[str, Any], *, joined: bool) -> str:
    """
    Return the pandas expression for the rows of df that match one filter, where vk is vendorkit.

    Args:
        label: The label of the column; "" for all columns.
        text: The filter.
        columns: The columns by label.
        names: The names of columns that `df[name]` selects, by label.
        joined: The expression is joined to others, which pandas cannot do with a mask of Arrow that has nulls.
    """
    if label in names:
        parsed = condition(columns[label], text, label, f"df[{literal(names[label])}]")
        if parsed is not None:
            has_nulls = joined and isinstance(columns[label].dtype, pd.ArrowDtype) and columns[label].hasnans
            return f"({parsed}).fillna(False)" if has_nulls else parsed
    return f"vk.table(df).matches({', '.join(map(literal, (text, label) if label else (text,)))})"


def looks_typed(text: str) -> bool:
    """Return whether *text* looks like a comparison or a range of numbers or dates."""
    value = r"[\d.:T -]+"
    return re.fullmatch(rf"\s*([<>!]=?{value}|={value}|{value}\.\.{value})", text) is not None


def _of_texts(column: pd.Series[Any], name: str, sign: str, rest: str, text: str) -> str:
    if sign in {"=", "!="}:
        # By the dtype of the column, because Arrow and Python have different lower cases of some letters.
        dtype = object if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
        values = pd.Series([value.strip() for value in rest.split("|")], dtype=dtype)
        return _call(f"{name}.str.lower()", "isin", values.str.lower().tolist())
    parts = [part.strip() for part in text.split(" | ") if part.strip()]
    if len(parts) > 1:
        return _call(name, "str.contains", "|".join(map(re.escape, parts)), case=False, na=False)
    return _call(name, "str.contains", text, regex=False, case=False, na=False)


def _of_values(column: pd.Series[Any], kind: str, name: str, sign: str, rest: str) -> list[str]:
    """Return the masks of which any must be true, or none after the sign "!="."""
    if column.dtype == object and pd.api.types.infer_dtype(column) == "decimal":  # of Python: not equal to 0.1
        name = f'{name}.astype("float64")'
    if ".." in rest and not sign:
        first, last = map(str.strip, rest.split("..", 1))
        if first and last:
            return [_call(name, "between", _span(column, kind, first)[0], _span(column, kind, last)[1])]
        sign, rest = ("<=", last) if last else (">=", first)
    if sign in _SIGNS:
        # A date means its whole day, month or year: ">2026-03" is after its last moment.
        return [_call(name, _SIGNS[sign], _span(column, kind, rest)[sign in {">", "<="}])]
    spans = (_span(column, kind, value) for value in rest.split("|"))
    # Not `isin`, which does not find 0.1 in float32.
    return [_call(name, "eq", low) if low == high else _call(name, "between", low, high) for low, high in spans]


def _span(column: pd.Series[Any], kind: str, text: str) -> tuple[Any, Any]:
    """Return the first and the last value that *text* means: of a date, all of its day, month or year."""
    text, dtype = text.strip(), column.dtype
    if kind == "number":
        if not re.fullmatch(_NUMBER, text) or np.isinf(float(text)):
            raise ValueError
        is_integer = re.fullmatch(r"[+-]?\d+", text) is not None
        too_long = is_integer and isinstance(dtype, pd.ArrowDtype) and abs(int(text)) >> 63  # for a 64-bit integer
        return (int(text) if is_integer and not too_long else float(text),) * 2
    if kind == "flag":
        return (_FLAGS[text.lower()],) * 2
    if kind == "duration":
        if not re.search(r"\d *[A-Za-z:]", text):  # no unit
            raise ValueError
        return (pd.Timedelta(text),) * 2
    if not re.fullmatch(_DATE, text):
        raise ValueError
    return _period(column, np.datetime64(re.sub(r"\b\d\b", r"0\g<0>", text)))


def _period(column: pd.Series[Any], start: Any) -> tuple[Any, Any]:
    """Return the first and the last value of a column of dates in the period of *start*, up to the year 9999."""
    dtype, first, after = column.dtype, start.astype("M8[s]"), (start + 1).astype("M8[s]")
    if dtype.kind == "O" or (isinstance(dtype, pd.ArrowDtype) and pa.types.is_date(dtype.pyarrow_dtype)):
        # Midnights: a period that begins later in the day begins with the next one.
        first, after = ((at + _REST_OF_DAY).astype("M8[D]") for at in (first, after))
        return first.item(), (after - 1).item()
    # When clocks change: the first of a repeated hour, and the end of a skipped hour.
    unit, zone = column.dt.unit, {"tz": column.dt.tz, "ambiguous": True, "nonexistent": "shift_forward"}
    low = pd.Timestamp(first).tz_localize(**zone)
    early = _SECOND * int(after >= _END)  # because the year 10000 is no time of Python
    high = pd.Timestamp(after - early).tz_localize(**zone) - (_SECOND - early)
    with suppress(pd.errors.OutOfBoundsDatetime):  # nanoseconds cannot reach it
        high += _SECOND - np.timedelta64(1, unit)
    # Arrow compares times that its unit cannot reach wrongly.
    return (low.as_unit(unit), high.as_unit(unit)) if isinstance(dtype, pd.ArrowDtype) else (low, high)
