"""
Checks and conversions of the arguments of public functions; a wrong argument raises `UsageError`.

Values of pandas, NumPy and Arrow become plain ones: any whole number an int, any iterable a list, any time Python's.
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

MOST: Final = 100_000  # values in one argument; an iterable may be endless
LEVELS: Final = 100  # of nesting in JSON
_INT64: Final = range(-(2**63), 2**63)
_REALS: Final[tuple[type[Any], ...]] = (Real, Decimal)
_FLOATS: Final[tuple[type[Any], ...]] = (float, np.floating)
_SHOWN: Final = 60  # characters of a value in a message
_NAME: Final = 255  # characters of a name, bytes of a folder name
_CENTS: Final = re.compile(r"(?:^c|_c|C)ents$")
_UNSHOWN: Final = re.compile(r" at 0x|'[A-Z]+(?:_[A-Z]+)+'[:,]")  # an address, or a setting, whose value is secret
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def refuse(name: str, wanted: str, value: Any, remedy: str = "") -> NoReturn:
    """Raise `UsageError`: *name* must be *wanted*, not *value*."""
    if missing(value):
        remedy = "Leave missing values out, for instance with dropna()."
    what = f"{name} must be {wanted}, not {shown(value)}."
    raise UsageError(what, remedy=remedy)


def missing(value: Any) -> bool:
    """Return whether *value* is a missing value of Python, NumPy or pandas."""
    with suppress(ArithmeticError):  # a signalling NaN of Decimal raises
        return bool(pd.api.types.is_scalar(value) and pd.isna(value))
    return False


def shown(value: Any) -> str:
    """Return a short description of *value* for a message: its repr if it is short and no mapping of settings."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # an int of thousands of digits
        text = ""
    is_short = text and len(text) <= _SHOWN + 2 and text.isprintable() and not _UNSHOWN.search(text)
    return text if is_short else f"a value of type {type(value).__name__}"


_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN


def whole(value: Any) -> int | None:
    """
    Return a whole number of any numeric type as an int; None for everything else, including ints beyond 64 bits.

    Whole floats are accepted, because pandas stores integers with gaps as floats. Booleans are not.
    """
    if isinstance(value, (bool, np.bool_)):
        return None
    with suppress(TypeError, ValueError, ArithmeticError):  # other types, NaN, Infinity
        if isinstance(value, _FLOATS):
            bound = 2 ** min(np.finfo(getattr(value, "dtype", float)).nmant + 1, 53)  # larger ones may lack digits
            return int(value) if -bound <= int(value) < bound and int(value) == value else None
        if isinstance(value, _REALS) and not hasattr(value, "__index__"):
            return int(value) if -_INT64.stop <= value < _INT64.stop and int(value) == value else None
        number = operator.index(value)
        return number if number in _INT64 else None
    return None


def integer(value: Any, name: str, wanted: str, *, low: int = _INT64.start, high: int = _INT64.stop - 1) -> int:
    """Return *value* as an int; `UsageError` if it is not a whole number from *low* to *high*."""
    number = whole(value)
    if number is None or not low <= number <= high:
        refuse(name, wanted, value)
    return number


def is_cents(name: str) -> bool:
    """Return whether an argument or field of this name is an amount of money: `amount_cents`, `amountCents`."""
    return _CENTS.search(name) is not None


def cents(value: Any, name: str) -> int:
    """Return an amount of money in cents as an int; `UsageError` if it is not a whole number of at least 1."""
    return integer(value, name, "a positive whole number of cents", low=1)


def boolean(value: Any, name: str) -> bool:
    """Return a Python or NumPy boolean as bool; `UsageError` for everything else, including 0 and 1."""
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, "True or False", value)
    return bool(value)


def text(value: Any, name: str, wanted: str = "a string", remedy: str = "") -> str:
    """Return *value* as a plain str; `UsageError` if it is not a str or cannot be encoded as UTF-8."""
    if not isinstance(value, str):
        refuse(name, wanted, value, remedy)
    plain = str.__str__(value)  # str() of an Enum may return the member's name
    try:
        plain.encode()
    except UnicodeEncodeError:
        what = f"{name} contains half a character (a lone surrogate)."
        raise UsageError(what, remedy="Copy the text again.") from None
    return plain


def word(value: Any, name: str, wanted: str = "a string") -> str:
    """Return a name as a plain str; `UsageError` as in `text`, or if it has more than 255 characters."""
    plain = text(value, name, wanted)
    if len(plain) > _NAME:
        refuse(name, f"at most {_NAME} characters long", value)
    return plain


def identifier(value: Any, name: str) -> str:
    """Return an id, a string or a whole number, as text for a URL; `UsageError` for everything else."""
    number = whole(value)
    plain = str(number) if number is not None else text(value, name, "an id: a string or a whole number")
    if not plain.strip() or plain in (".", ".."):
        refuse(name, "an id", value)
    return plain


def path_part(value: Any, name: str) -> str:
    """Return an id quoted as one segment of a URL path; `UsageError` as in `identifier`."""
    return quote(identifier(value, name), safe="")


def values(value: Any, name: str) -> list[Any] | None:
    """
    Return the items of a list, Series, array, generator or other iterable; None if *value* is a single value.

    Raises:
        UsageError: *value* has more than one dimension or too many items.
    """
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return list(value.to_pylist())
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping, type)) or not isinstance(value, Iterable):
        return None
    if getattr(value, "ndim", 1) > 1:
        refuse(name, "a list, or one column", value)
    if getattr(value, "ndim", 1) < 1:
        return None
    items = list(islice(value, MOST + 1))
    if len(items) > MOST:
        what = f"{name} has more than {MOST:,} values."
        raise UsageError(what, remedy="Split them over several queries.")
    return items


def in_order(value: Any, items: list[Any]) -> list[Any]:
    """Return *items* of *value* sorted if it is a set, so that every process has the same order; else unchanged."""
    return sorted(items, key=json.dumps) if isinstance(value, (set, frozenset)) else items


def names(value: Any, name: str, wanted: str) -> list[str]:
    """Return one name, or an iterable of names, as a list; `UsageError` for everything else."""
    items = [value] if isinstance(value, str) else values(value, name)
    if items is None:
        refuse(name, wanted, value)
    return in_order(value, [word(item, name, wanted) for item in items])


def columns(value: Any) -> list[str] | None:
    """Return one or more column names as a list; None means all columns."""
    column_names = None if value is None else names(value, "columns", "a list of column names")
    if column_names == []:
        refuse("columns", "a list of column names", value, "Name at least one column, or omit columns= for all.")
    return column_names


def locale(value: Any) -> str | None:
    """Return the name of a locale; None means all locales."""
    return None if value is None else word(value, "locale")


def deeper(value: Any, name: str, parents: tuple[int, ...]) -> tuple[int, ...]:
    """Add the id of *value* to *parents*, the ids of the enclosing objects; `UsageError` if too deep or circular."""
    if len(parents) > LEVELS or id(value) in parents:
        what = f"{name} is nested more than {LEVELS} levels deep, or contains itself."
        raise UsageError(what, remedy="Pass a value with fewer levels.")
    return (*parents, id(value))


def json_value(value: Any, name: str, parents: tuple[int, ...] = (), *, money: bool = False) -> Any:
    """
    Convert *value* to plain JSON values: numbers of any type to int or float, Series and sets to lists.

    Args:
        value: The value.
        name: The name of the argument, for messages.
        parents: The ids of the enclosing objects.
        money: Whether members such as `amountCents` must be `cents`.

    Raises:
        UsageError: JSON cannot represent the value (NaN, for example), or it is not an amount of money.
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return text(value, name)
    if isinstance(value, Number) or (hasattr(value, "__index__") and not isinstance(value, Iterable)):
        return number(value, name)
    parents = deeper(value, name, parents)
    if isinstance(value, Mapping):
        pairs = [(text(key, f"A name in {name}"), item) for key, item in value.items()]
        return {
            key: cents(item, key)
            if money and is_cents(key)
            else json_value(item, f"{name}[{key!r}]"[:_SHOWN], parents, money=money)
            for key, item in pairs
        }
    items = values(value, name)
    if items is None:
        refuse(name, "JSON", value, "Use strings, finite numbers, booleans, None, lists and dictionaries.")
    return in_order(value, [json_value(item, name, parents, money=money) for item in items])


def number(
    value: Any, name: str, wanted: str = "a finite number of at most 64 bits", *, low: float = -inf, high: float = inf
) -> int | float:
    """Return a number from *low* to *high* of any numeric type, as an int if it is whole; `UsageError` for others."""
    plain: int | float | None = whole(value)
    if plain is None and isinstance(value, _REALS) and not hasattr(value, "__index__"):
        with suppress(TypeError, ValueError, ArithmeticError):  # NumPy registers timedelta64 as an integer type
            plain = float(value) if isfinite(value) else None
    if plain is None or not low <= plain <= high:
        refuse(name, wanted, value)
    return plain


def json_object(value: Any, name: str, *, money: bool = False) -> dict[str, Any]:
    """Return *value* as a JSON object; `UsageError` if it is not a mapping. *money* as in `json_value`."""
    if not isinstance(value, Mapping):
        refuse(name, "a dictionary", value, "Convert a row with to_dict()." if isinstance(value, pd.Series) else "")
    return dict(json_value(value, name, money=money))


def parameters(value: Any, name: str) -> dict[str, Any]:
    """Return query parameters without those that are None; booleans become "true" and "false", as in JSON."""
    members = {key: member for key, member in json_object(value, name).items() if member is not None}
    for key, member in members.items():
        items = member if isinstance(member, list) else [member]
        if any(item is None or isinstance(item, (dict, list)) for item in items):
            refuse(f"{name}[{key!r}]", "a string, a number, a boolean or a list of these", value[key])
        members[key] = [json.dumps(item) if isinstance(item, bool) else item for item in items]
    return members


def day_or_moment(value: Any) -> date | None:
    """
    Return a date or datetime of Python, NumPy or pandas as Python's; None for anything else and missing values.

    NumPy's weeks, months and years are neither a day nor a moment. Its picoseconds and finer units are not supported.
    """
    if isinstance(value, np.datetime64):
        unit = np.datetime_data(value)[0]
        # Years first, because casts to finer units overflow silently. Units below nanoseconds have no cast to years.
        is_moment = unit not in ("Y", "M", "W", "ps", "fs", "as")
        is_valid = is_moment and 1970 + int(value.astype("datetime64[Y]").astype(int)) in range(1, 10_000)
        value = (value if unit == "D" else value.astype("datetime64[us]")).item() if is_valid else None
    # NaT is a datetime and not equal to itself.
    return value if isinstance(value, date) and value == value else None  # noqa: PLR0124


def utc(day: date) -> datetime:
    """Return a datetime with its time zone, UTC if it has none; a date becomes its midnight."""
    moment = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def folder(value: Any, wanted: str = "the path of a folder") -> Path:
    """Return *value* as the path of a folder, with `~` expanded; `UsageError` if no folder can have that name."""
    plain = text(os.fspath(value) if isinstance(value, os.PathLike) else value, "path", wanted)
    path = Path(plain)
    if not plain.strip() or _CONTROL.search(plain) or any(len(os.fsencode(part)) > _NAME for part in path.parts):
        refuse("path", wanted, value)
    return Path(os.path.expanduser(path))  # noqa: PTH111 - unlike Path.expanduser(), it never raises
