"""About a hundred kinds of argument values that users pass, valid and invalid, each created anew for its call."""

from __future__ import annotations

import enum
import itertools
import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa


class Status(str, enum.Enum):
    """An enum of strings."""

    ACTIVE = "active"


class Number(enum.IntEnum):
    """An enum of integers."""

    NINE = 9


class Plain(enum.Enum):
    """An enum of arbitrary values."""

    ACTIVE = "active"


class Silent:
    """An object whose repr, comparison and truth value raise."""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        message = "cannot be shown"
        raise RuntimeError(message)

    def __eq__(self, other: object) -> bool:
        message = "cannot be compared"
        raise RuntimeError(message)

    def __bool__(self) -> bool:
        message = "neither true nor false"
        raise RuntimeError(message)


def circle() -> list[Any]:
    """A list that contains itself."""
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> list[Any]:
    """A list nested 5,000 levels deep."""
    found: list[Any] = []
    for _ in range(5_000):
        found = [found]
    return found


NUMBERS: dict[str, Callable[[], Any]] = {
    "int": lambda: 9,
    "zero": lambda: 0,
    "below zero": lambda: -1,
    "np.int64": lambda: np.int64(9),
    "np.uint8": lambda: np.uint8(9),
    "np.float64": lambda: np.float64(9.0),
    "np.float32": lambda: np.float32(9.0),
    "np.longdouble": lambda: np.longdouble(9.0),
    "float": lambda: 9.0,
    "Decimal": lambda: Decimal(9),
    "Decimal with zeros": lambda: Decimal("9.00"),
    "Fraction": lambda: Fraction(9),
    "IntEnum": lambda: Number.NINE,
    "0-d array": lambda: np.array(9),
    "Arrow scalar": lambda: pa.scalar(9),
    "True": lambda: True,
    "np.bool": lambda: np.bool_(True),
    "half": lambda: 2.5,
    "half Decimal": lambda: Decimal("2.5"),
    "Fraction of 3": lambda: Fraction(1, 3),
    "complex": lambda: 9 + 0j,
    "nan": lambda: float("nan"),
    "np.nan": lambda: np.float32("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: np.float64("-inf"),
    "Decimal nan": lambda: Decimal("NaN"),
    "Decimal snan": lambda: Decimal("sNaN"),
    "Decimal inf": lambda: Decimal("Infinity"),
    "huge Decimal": lambda: Decimal("1E+999999"),
    "2**53 as float": lambda: 2.0**60,
    "2**63": lambda: 2**63,
    "np.uint64": lambda: np.uint64(2**64 - 1),
    "10**30": lambda: 10**30,
    "10**5000": lambda: 10**5000,
    "1e300": lambda: 1e300,
}
MISSING: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "pd.NA": lambda: pd.NA,
    "pd.NaT": lambda: pd.NaT,
    "np NaT": lambda: np.datetime64("NaT"),
    "Arrow null": lambda: pa.scalar(None, pa.int64()),
}
TEXTS: dict[str, Callable[[], Any]] = {
    "digits": lambda: "9",
    "empty": lambda: "",
    "blank": lambda: " ",
    "active": lambda: "active",
    "id": lambda: "id",
    "name": lambda: "Aderlis",
    "date text": lambda: "2026-01-31",
    "surrogate": lambda: "\ud800",
    "NUL": lambda: "a\0b",
    "line feed": lambda: "a\nb",
    "dots": lambda: "..",
    "path up": lambda: "../x",
    "brackets": lambda: "http://[",
    "long": lambda: "x" * 10_000,
    "np.str": lambda: np.str_("9"),
    "str Enum": lambda: Status.ACTIVE,
    "Enum": lambda: Plain.ACTIVE,
    "bytes": lambda: b"9",
    "bad bytes": lambda: b"\xff",
    "bytearray": lambda: bytearray(b"9"),
    "memoryview": lambda: memoryview(b"9"),
    "Path": lambda: Path("folder"),
}
TIMES: dict[str, Callable[[], Any]] = {
    "date": lambda: date(2026, 1, 31),
    "date.max": lambda: date.max,
    "naive datetime": lambda: datetime(2026, 1, 31),  # noqa: DTZ001
    "datetime": lambda: datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=2))),
    "first datetime": lambda: datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    "Timestamp": lambda: pd.Timestamp("2026-01-31", tz="Europe/Brussels"),
    "np day": lambda: np.datetime64("2026-01-31"),
    "np ns": lambda: np.datetime64("2026-01-31T00:00:00.000000001"),
    "np year 300000": lambda: np.datetime64("300000-01-01"),
    "np units": lambda: np.datetime64("2026"),
    "time": lambda: time(12),
    "timedelta": lambda: timedelta(days=1),
    "Timedelta": lambda: pd.Timedelta(days=1),
    "np.timedelta64": lambda: np.timedelta64(1, "D"),
    "Period": lambda: pd.Period("2026-01"),
    "Interval": lambda: pd.Interval(0, 1),
}
COLLECTIONS: dict[str, Callable[[], Any]] = {
    "[]": list,
    "()": tuple,
    "set()": set,
    "{}": dict,
    "[9]": lambda: [9],
    "[9, None]": lambda: [9, None],
    "[NA]": lambda: [pd.NA],
    '["id"]': lambda: ["id"],
    "[[9]]": lambda: [[9]],
    "pair of times": lambda: ("2026-01-01", datetime(2026, 1, 31, tzinfo=timezone.utc)),
    "frozenset": lambda: frozenset({9, 10}),
    "range": lambda: range(3),
    "generator": lambda: (number for number in (9, 10)),
    "endless": lambda: itertools.count(),  # noqa: PLW0108 - a new one for each call
    "keys": {"id": 1}.keys,
    "{'a': 1}": lambda: {"a": 1},
    "{1: 2}": lambda: {1: 2},
    "tuple key": lambda: {("a", "b"): 1},
    "from NaT": lambda: {"from": pd.NaT},
    "NaN inside": lambda: {"and": [{"brand": float("nan")}]},
    "NA inside": lambda: {"brand": pd.NA},
    "Timestamp inside": lambda: {"createdAt": {"from": pd.Timestamp("2026-01-31")}},
    "array inside": lambda: {"brand": np.array([9, 10])},
    "nested filter": lambda: {"or": [{"brand": np.int64(9)}, {"not": {"brand": pd.Series([8])}}]},
    "array": lambda: np.array([9, 10]),
    "array of texts": lambda: np.array(["id", "name"]),
    "2-d array": lambda: np.array([[9]]),
    "Series": lambda: pd.Series([9, 10]),
    "Series of floats": lambda: pd.Series([9.0, 10.0]),
    "Series with NaN": lambda: pd.Series([9.0, None]),
    "Series with NA": lambda: pd.Series([9, None], dtype="Int64"),
    "Series of texts": lambda: pd.Series(["9", "10"]),
    "Series of times": lambda: pd.Series(pd.to_datetime(["2026-01-01", "2026-01-31"])),
    "empty Series": lambda: pd.Series([], dtype="float64"),
    "Index": lambda: pd.Index(["id", "name"]),
    "MultiIndex": lambda: pd.MultiIndex.from_tuples([("id", 1)]),
    "Categorical": lambda: pd.Categorical(["active"]),
    "DataFrame": lambda: pd.DataFrame({"id": [9]}),
    "Arrow array": lambda: pa.array([9, 10]),
    "Arrow chunks": lambda: pa.chunked_array([["id"], ["name"]]),
    "circle": circle,
    "deep": deep,
}
OTHERS: dict[str, Callable[[], Any]] = {
    "object": object,
    "class": lambda: int,
    "function": lambda: len,
    "...": lambda: ...,
    "slice": lambda: slice(3),
    "Silent": Silent,
    "error": lambda: ValueError("9"),
    "lock": threading.Lock,
}
VALUES = {**NUMBERS, **MISSING, **TEXTS, **TIMES, **COLLECTIONS, **OTHERS}
