"""
What public functions accept as a number, a text, a list or JSON; everything else is one `UsageError`.

Values come from pandas, NumPy, Arrow and the user's own code. They are made plain here, before they are part of a
question: a number of any kind becomes an int, any iterable a list, a NumPy or pandas time one of Python's.
"""

from __future__ import annotations

import json
import operator
import os
import re
import reprlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, timezone
from decimal import Decimal
from itertools import islice
from math import inf, isfinite
from numbers import Number, Real
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa

from vendorkit.errors import UsageError

MOST: Final = 100_000  # values of one argument: an iterable may be endless
LEVELS: Final = 100  # of nesting in JSON
_INT64: Final = range(-(2**63), 2**63)
_EXACT: Final = 2**53  # a float beyond this has lost digits
_REALS: Final[tuple[type[Any], ...]] = (Real, Decimal)
_FLOATS: Final[tuple[type[Any], ...]] = (float, np.floating)
_SHOWN: Final = 60  # characters
_NAME: Final = 255  # characters of a name, also bytes of the name of a folder
_CENTS: Final = re.compile(r"(?:^c|_c|C)ents$")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def refuse(name: str, wanted: str, given: Any, remedy: str = "") -> NoReturn:
    """Raise the error for an argument: *name* must be *wanted*, not *given*."""
    if missing(given):
        remedy = "Leave missing values out, for instance with dropna()."
    what = f"{name} must be {wanted}, not {shown(given)}."
    raise UsageError(what, remedy=remedy)


def missing(given: Any) -> bool:
    """Tell whether *given* is a missing value of Python, NumPy or pandas."""
    with suppress(ArithmeticError):  # of a Decimal that signals
        return bool(pd.api.types.is_scalar(given) and pd.isna(given))
    return False


def shown(given: Any) -> str:
    """Return a value for a message: as code if that is short, else its type."""
    try:
        found = _REPR.repr(given)
    except ValueError:  # a number of thousands of digits
        found = ""
    is_short = found and len(found) <= _SHOWN + 2 and found.isprintable() and " at 0x" not in found
    return found if is_short else f"a value of type {type(given).__name__}"


_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN


def whole(given: Any) -> int | None:
    """
    Return a whole number of any numeric type as an int of at most 64 bits; None for everything else.

    A float that is whole counts, because that is what a column of numbers with gaps holds; True does not.
    """
    if isinstance(given, (bool, np.bool_)):
        return None
    with suppress(TypeError, ValueError, ArithmeticError):  # of what is no number, of NaN, of Infinity
        if isinstance(given, _REALS) and not hasattr(given, "__index__"):
            most = _EXACT if isinstance(given, _FLOATS) else _INT64.stop
            return int(given) if -most <= given < most and int(given) == given else None
        number = operator.index(given)
        return number if number in _INT64 else None
    return None


def integer(given: Any, name: str, wanted: str, *, low: int = _INT64.start, high: int = _INT64.stop - 1) -> int:
    """
    Return *given* as an int.

    Raises:
        UsageError: It is not a whole number from *low* to *high*.
    """
    number = whole(given)
    if number is None or not low <= number <= high:
        refuse(name, wanted, given)
    return number


def is_cents(name: str) -> bool:
    """Tell whether an argument or field of this name is money: `amount_cents`, `amountCents`."""
    return _CENTS.search(name) is not None


def cents(given: Any, name: str) -> int:
    """Return an amount of money in cents; `UsageError` if it is not a whole number of any numeric type, 1 or more."""
    number = whole(given)
    if number is None or number < 1:
        refuse(name, "a positive whole number of cents", given)
    return number


def boolean(given: Any, name: str) -> bool:
    """Return True or False; `UsageError` for everything else, also for what Python takes for true."""
    if not isinstance(given, (bool, np.bool_)):
        refuse(name, "True or False", given)
    return bool(given)


def text(given: Any, name: str, wanted: str = "a text", remedy: str = "") -> str:
    """Return *given* as a plain str; `UsageError` if it is no text, or cannot be encoded as UTF-8."""
    if not isinstance(given, str):
        refuse(name, wanted, given, remedy)
    plain = str.__str__(given)  # an Enum's own str() may be its name
    try:
        plain.encode()
    except UnicodeEncodeError:
        what = f"{name} contains half a character (a lone surrogate)."
        raise UsageError(what, remedy="Copy the text again.") from None
    return plain


def word(given: Any, name: str, wanted: str = "a text") -> str:
    """Return the name of something as a plain str; `UsageError` as `text`, or if it is too long for a name."""
    if not isinstance(given, str) or len(given) > _NAME:
        refuse(name, wanted, given)
    return text(given, name)


def identifier(given: Any, name: str) -> str:
    """Return an id for an address: a text, or a whole number as its digits; `UsageError` for everything else."""
    number = whole(given)
    found = str(number) if number is not None else text(given, name, "an id: a text or a whole number")
    if not found.strip() or found in (".", ".."):
        refuse(name, "an id", given)
    return found


def path_part(given: Any, name: str) -> str:
    """Return an id quoted for one part of a path; `UsageError` as `identifier`."""
    return quote(identifier(given, name), safe="")


def values(given: Any, name: str) -> list[Any] | None:
    """
    Return the values of a list, Series, array, generator or any other iterable; None if *given* is one value.

    Raises:
        UsageError: It has more than one dimension, or too many values.
    """
    if isinstance(given, (pa.Array, pa.ChunkedArray)):
        return list(given.to_pylist())
    if isinstance(given, (str, bytes, bytearray, memoryview, Mapping, type)) or not isinstance(given, Iterable):
        return None
    if getattr(given, "ndim", 1) > 1:
        refuse(name, "a list, or one column", given)
    if getattr(given, "ndim", 1) < 1:
        return None
    found = list(islice(given, MOST + 1))
    if len(found) > MOST:
        what = f"{name} has more than {MOST:,} values."
        raise UsageError(what, remedy="Ask for fewer at a time.")
    return found


def in_order(given: Any, found: list[Any]) -> list[Any]:
    """Return the plain values of a set in an order that is the same in every process; those of others as they are."""
    return sorted(found, key=json.dumps) if isinstance(given, (set, frozenset)) else found


def names(given: Any, name: str, wanted: str) -> list[str]:
    """Return the names in an iterable; one name is a list of one. `UsageError` for everything else."""
    found = [given] if isinstance(given, str) else values(given, name)
    if found is None:
        refuse(name, wanted, given)
    return in_order(given, [word(one, name, wanted) for one in found])


def columns(given: Any) -> list[str] | None:
    """Return the names of columns, one or more; None means all."""
    found = None if given is None else names(given, "columns", "a list of column names")
    if found == []:
        refuse("columns", "a list of column names", given, "Name at least one, or leave it out for all.")
    return found


def locale(given: Any) -> str | None:
    """Return the name of a locale; None means all."""
    return None if given is None else word(given, "locale")


def deeper(given: Any, name: str, around: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ids of the objects around what is in *given*; `UsageError` if it is too deep, or inside of itself."""
    if len(around) > LEVELS or id(given) in around:
        what = f"{name} is nested more than {LEVELS} levels deep, or inside of itself."
        raise UsageError(what, remedy="Give less at a time.")
    return (*around, id(given))


def json_value(given: Any, name: str, around: tuple[int, ...] = (), *, money: bool = False) -> Any:
    """
    Return *given* as JSON has it: numbers of any kind, Series and sets become numbers and lists.

    Args:
        given: The value.
        name: The argument, for messages.
        around: The ids of the objects that it is inside of.
        money: Whether members such as `amountCents` have to be `cents`.

    Raises:
        UsageError: JSON has no such value, such as NaN, or it is not an amount of money.
    """
    if given is None or isinstance(given, (bool, np.bool_)):
        return None if given is None else bool(given)
    if isinstance(given, str):
        return text(given, name)
    if isinstance(given, Number) or (hasattr(given, "__index__") and not isinstance(given, Iterable)):
        return number(given, name)
    around = deeper(given, name, around)
    if isinstance(given, Mapping):
        pairs = [(text(key, f"A name in {name}"), value) for key, value in given.items()]
        return {
            key: cents(value, key)
            if money and is_cents(key)
            else json_value(value, f"{name}[{key!r}]"[:_SHOWN], around, money=money)
            for key, value in pairs
        }
    found = values(given, name)
    if found is None:
        refuse(name, "JSON", given, "Give texts, finite numbers, booleans, None, lists and dictionaries.")
    return in_order(given, [json_value(one, name, around, money=money) for one in found])


def number(
    given: Any, name: str, wanted: str = "a finite number of at most 64 bits", *, low: float = -inf, high: float = inf
) -> int | float:
    """Return a number of any numeric type from *low* to *high*, a whole one as an int; `UsageError` for others."""
    found: int | float | None = whole(given)
    if found is None and isinstance(given, _REALS) and not hasattr(given, "__index__"):
        with suppress(TypeError, ValueError, ArithmeticError):  # NumPy counts its timedelta64 among the integers
            found = float(given) if isfinite(given) else None
    if found is None or not low <= found <= high:
        refuse(name, wanted, given)
    return found


def json_object(given: Any, name: str, *, money: bool = False) -> dict[str, Any]:
    """Return *given* as a JSON object; `UsageError` for everything else. *money* as in `json_value`."""
    if not isinstance(given, Mapping):
        refuse(name, "a dictionary", given)
    found: dict[str, Any] = json_value(given, name, money=money)
    return found


def parameters(given: Any, name: str) -> dict[str, Any]:
    """Return query parameters: texts, numbers, booleans, or lists of these; those that are None are left out."""
    found = {key: value for key, value in json_object(given, name).items() if value is not None}
    for key, value in found.items():
        if any(one is None or isinstance(one, (dict, list)) for one in (value if isinstance(value, list) else [value])):
            refuse(f"{name}[{key!r}]", "a text, a number, a boolean or a list of these", given[key])
    return found


def day_or_moment(given: Any) -> date | None:
    """
    Return a date or datetime, also NumPy's and pandas', as Python's; None if it is none, or missing.

    NumPy's weeks, months and years are neither a day nor a moment.
    """
    if isinstance(given, np.datetime64):
        unit = np.datetime_data(given)[0]
        year = 1970 + int(given.astype("datetime64[Y]").astype(int))  # to finer units NumPy wraps around
        is_one = unit not in ("Y", "M", "W") and year in range(1, 10_000)
        given = (given if unit == "D" else given.astype("datetime64[us]")).item() if is_one else None
    # NaT is a datetime that is not equal to itself.
    return given if isinstance(given, date) and given == given else None  # noqa: PLR0124


def utc(found: date) -> datetime:
    """Return a moment with its zone, in UTC if it has none; of a day its first moment."""
    moment = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)  # noqa: DTZ001
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def folder(given: Any, wanted: str = "the path of a folder") -> Path:
    """Return *given* as the path of a folder, `~` as the user's own; `UsageError` if no folder can have that name."""
    path = text(os.fspath(given) if isinstance(given, os.PathLike) else given, "path", wanted)
    found = Path(path)
    if not path.strip() or _CONTROL.search(path) or any(len(os.fsencode(one)) > _NAME for one in found.parts):
        refuse("path", wanted, given)
    return Path(os.path.expanduser(found))  # noqa: PTH111 - which never raises
