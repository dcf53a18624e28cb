"""
Conditions on a column, as they are typed: `>1000`, `10..20`, `2026-03`, `soap | oil`, `not null`. No widgets.

Each is a few calls of pandas' own methods, which are run for the rows and printed as code: the two cannot differ.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from vendorkit.errors import UsageError
from vendorkit.panels import markup
from vendorkit.panels.table.columns import kind_of

HINTS: Final = markup.HINTS["filter of a table"]
_FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}
_DATE: Final = r"(?a)\d{4}(-\d\d?(-\d\d?([ T]\d\d?(:\d\d(:\d\d)?)?)?)?)?"
_NUMBER: Final = r"(?ai)[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
_SIGNS: Final = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
_IGNORE_CASE: Final = {"case": False, "na": False}


@dataclass(frozen=True)
class Step:
    """One call of a method of a Series, such as "str.lower"."""

    method: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Call it on *column*."""
        found: pd.Series[Any] = attrgetter(self.method)(column)(*self.args, **self.options)
        return found

    @property
    def code(self) -> str:
        """The call as code, with its leading dot."""
        given = [*map(literal, self.args), *(f"{name}={literal(value)}" for name, value in self.options.items())]
        return f".{self.method}({', '.join(given)})"


@dataclass(frozen=True)
class Condition:
    """A row is kept if any of *chains* of calls gives True; if *negated*, if none does and the value is not null."""

    chains: tuple[tuple[Step, ...], ...]
    negated: bool = False

    def mask(self, column: pd.Series[Any]) -> npt.NDArray[np.bool_]:
        """Return which rows are kept."""
        hit = np.zeros(len(column), dtype=bool)
        for chain in self.chains:
            found = column
            for step in chain:
                found = step.run(found)
            hit |= np.asarray(found.array.fillna(value=False) if found.hasnans else found, dtype=bool)
        return column.notna().to_numpy() & ~hit if self.negated else hit

    def code(self, column: str) -> str:
        """Return the mask as an expression of pandas; *column* is the expression of the column."""
        either = [column + "".join(step.code for step in chain) for chain in self.chains]
        joined = either[0] if len(either) == 1 else f"({' | '.join(either)})"
        return f"~{joined} & {column}.notna()" if self.negated else joined


def literal(value: Any) -> str:
    """Return *value* as code."""
    if isinstance(value, pd.Timestamp):
        # Zoned ones by their UTC, which no change of a clock makes ambiguous.
        return f'pd.Timestamp("{value if value.tz is None else value.tz_convert("UTC")}")'
    if isinstance(value, dt.date):
        return f'pd.Timestamp("{value}").date()'
    # As the formatter of Python code would.
    return f'"{value}"' if isinstance(value, str) and not re.search(r'["\\\x00-\x1f\x7f-\xa0]', value) else repr(value)


def condition(column: pd.Series[Any], text: str, label: str) -> Condition | None:
    """
    Return what *text* means for a column of this type; None if its values are searched for the text.

    Raises:
        UsageError: It does not fit the type.
    """
    kind, text = kind_of(column), text.strip()
    if text.lower() in {"null", "not null"}:
        return Condition(((Step("isna" if text.lower() == "null" else "notna"),),))
    if kind == "other":
        return None
    sign, rest = re.findall(r"\A(>=|<=|!=|>|<|=|)\s*(.*)\Z", text, re.DOTALL)[0]
    try:
        if kind == "text":
            return _of_texts(sign, rest, text)
        return _of_values(column, kind, sign, rest)
    except (KeyError, ValueError, OverflowError):
        what = f"“{text}” is not a valid condition on the column {label}, which holds {_PLURAL[kind]}."
    raise UsageError(what, remedy=f"Examples: {HINTS[kind]}.")


_PLURAL: Final = {"number": "numbers", "date": "dates", "flag": "true or false"}


def looks_typed(text: str) -> bool:
    """Return whether *text* is a comparison or a span of numbers or dates."""
    value = r"[\d.:T -]+"
    return re.fullmatch(rf"\s*([<>]=?{value}|{value}\.\.{value})", text) is not None


def _of_texts(sign: str, rest: str, text: str) -> Condition:
    if sign in {"=", "!="}:
        whole = [one.strip().lower() for one in rest.split("|")]
        return Condition(((Step("str.lower"), Step("isin", (whole,))),), negated=sign == "!=")
    parts = [one.strip() for one in text.split(" | ") if one.strip()]
    if len(parts) > 1:
        return Condition(((Step("str.contains", ("|".join(map(re.escape, parts)),), _IGNORE_CASE),),))
    return Condition(((Step("str.contains", (text,), {"regex": False, **_IGNORE_CASE}),),))


def _of_values(column: pd.Series[Any], kind: str, sign: str, rest: str) -> Condition:
    if ".." in rest and not sign:
        return Condition((_between(column, kind, *rest.split("..", 1)),))
    if sign in _SIGNS:
        low, high = _span(column, kind, rest)
        if high is None:
            return Condition(((Step(_SIGNS[sign], (low,)),),))
        # After a month is after all of it: the spans of dates end before *high*.
        method, limit = {">": ("ge", high), ">=": ("ge", low), "<": ("lt", low), "<=": ("lt", high)}[sign]
        return Condition(((Step(method, (limit,)),),))
    spans = [_span(column, kind, one) for one in rest.split("|")]
    if kind == "date":
        chains = tuple((Step("between", span, {"inclusive": "left"}),) for span in spans)
    elif len(spans) == 1 or isinstance(column.dtype, pd.ArrowDtype):  # whose isin refuses whole numbers for decimals
        chains = tuple((Step("eq", (value,)),) for value, _ in spans)
    else:
        chains = ((Step("isin", ([value for value, _ in spans],)),),)
    return Condition(chains, negated=sign == "!=")


def _between(column: pd.Series[Any], kind: str, first: str, last: str) -> tuple[Step, ...]:
    low = _span(column, kind, first)[0] if first.strip() else None
    low_of_last, end = _span(column, kind, last) if last.strip() else (None, None)
    high = low_of_last if end is None else end
    if low is not None and high is not None:
        return (Step("between", (low, high), {} if end is None else {"inclusive": "left"}),)
    if low is None and high is None:
        raise ValueError
    return (Step("ge", (low,)) if high is None else Step("le" if end is None else "lt", (high,)),)


def _span(column: pd.Series[Any], kind: str, text: str) -> tuple[Any, Any]:
    """Return the value; of a date, its first moment and the moment after its last one."""
    text = text.strip()
    if kind == "number":
        if not re.fullmatch(_NUMBER, text):
            raise ValueError
        return (int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)), None
    if kind == "flag":
        return _FLAGS[text.lower()], None
    if not re.fullmatch(_DATE, text):
        raise ValueError
    span = pd.Period(text.replace("T", " "))
    first, after = span.start_time, (span + 1).start_time
    if isinstance(column.dtype, pd.ArrowDtype) and pa.types.is_date(column.dtype.pyarrow_dtype):
        return first.date(), after.date()
    # Of an hour that the clock repeats the first one, of one that it skips the end.
    zone: Any = {"tz": column.dt.tz, "ambiguous": True, "nonexistent": "shift_forward"}
    return first.tz_localize(**zone), after.tz_localize(**zone)
