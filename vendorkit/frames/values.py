"""
Parses JSON strictly, and converts single values to their declared kind if that loses nothing.

Numbers that Python would change (`12.50`, an integer beyond 64 bits) are
`strictjson.Literal`, which keeps every digit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.kinds import MICROSECONDS, SECONDS, TIMESTAMP, Kind, UnfitError
from vendorkit.frames.names import encodable
from vendorkit.strictjson import INT64, MAX_DEPTH, REPEATED, Literal, StrictJsonError, strict_value

NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DASHED = re.compile(r'-[^"]*":')  # a name with a dash, in text without escapes
LARGEST: Final = 2**62  # largest accepted number of records
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def malformed(what: str) -> MalformedAnswer:
    """Return the error for an unreadable response; *what* may name positions and fields, but never values."""
    return MalformedAnswer(what, remedy="Try again. If the error persists, report it to the vendor.")


def loads(
    body: bytes, what: str = "The answer", *, exact: bool = True, unique: bool = True, depth: int = MAX_DEPTH
) -> Any:
    """
    Parse strict JSON.

    Args:
        body: The text in UTF-8.
        what: The subject of the error message.
        exact: Keep every digit of numbers, as `Literal` if Python would change them.
        unique: Refuse names that occur twice in an object. False: their value is `REPEATED`, which `dumps` refuses.
        depth: Maximum nesting of lists and objects.

    Raises:
        MalformedAnswer: The text is not strict JSON as defined by `strictjson.strict_value`.
    """
    try:
        return strict_value(body, exact=exact, unique=unique, depth=depth)
    except StrictJsonError as error:
        problem = f"{error}: {error.name!r}" if error.name else str(error)
    # Raised outside the except block: the traceback of the error above has the values in its frames.
    what = f"{what} {problem}."
    raise malformed(what)


def dumps(value: Any) -> str:
    """Return compact JSON text, with numbers as received."""
    try:
        text = _ENCODER.encode(value)
    except TypeError:  # a `Literal`
        return _dumps(value)
    return text if encodable(text) == text else _dumps(value)


def _dumps(value: Any) -> str:
    match value:
        case Literal(text):
            return text
        case dict():
            return "{" + ",".join(f"{_quote(key)}:{_dumps(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(_dumps(item) for item in value) + "]"
        case str():
            return _quote(value)
        case _ if value is REPEATED:
            what = "The answer has a name twice in one object."
            raise malformed(what)
        case _:
            return json.dumps(value)


def _quote(text: str) -> str:
    # A lone surrogate cannot be encoded in UTF-8; only its escaped form is possible.
    return json.dumps(text, ensure_ascii=encodable(text) != text)


def count_of(value: Any) -> int | None:
    """Return a number of records, or the index of one, as an int (text is accepted); None if it is not valid."""
    is_text = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16
    whole = int(value) if is_text else plain(value)
    return whole if isinstance(whole, int) and not isinstance(whole, bool) and 0 <= whole <= LARGEST else None


def plain(value: Any) -> Any:
    """Return the value with ordinary Python numbers, for envelopes; whole numbers become `int` in any notation."""
    match value:
        case Literal(text):
            return value.whole if value.whole is not None else float(text)
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value


def with_underscores(members: dict[str, Any]) -> dict[str, Any]:
    """Return the object with `-` in names replaced by `_`, or unchanged if two names would become equal."""
    names = [key.replace("-", "_") for key in members]
    return dict(zip(names, members.values(), strict=True)) if len(set(names)) == len(names) else members


def underscored(value: Any) -> Any:
    """Return the document with the names of all its objects as `with_underscores` returns them."""
    match value:
        case dict():
            return {name: underscored(item) for name, item in with_underscores(value).items()}
        case list():
            return [underscored(item) for item in value]
        case _:
            return value


def fit(kind: Kind, value: Any) -> Any:
    """
    Convert one value, not None, to a Python value that Arrow accepts for the kind's frame type.

    Raises:
        UnfitError: The conversion would lose information.
    """
    convert: Callable[[Any], Any] = _CONVERSIONS.get(kind, _text)
    return convert(value)


def _text(value: Any) -> str:
    if isinstance(value, str) and encodable(value) == value:
        return value
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UnfitError


def _code(value: Any) -> str:
    # A number that is not whole is refused, because the original digits of the code are unknown.
    digits = value.digits if isinstance(value, Literal) else _text(value)
    if digits is None:
        raise UnfitError
    return digits


def _document(value: Any) -> str:
    if isinstance(value, dict) and "resource_type" in value:
        # XML documents do not have this member, and the text must be the same in both formats.
        value = {key: item for key, item in value.items() if key != "resource_type"}
    text = dumps(value)
    return dumps(underscored(value)) if "\\" in text or _DASHED.search(text) else text


def _whole(value: Any) -> int | None:
    if isinstance(value, Literal):
        return value.whole
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _integer(value: Any) -> int:
    # "007" and "+7" may be codes, so only the canonical notation is converted.
    if isinstance(value, str) and re.fullmatch(r"0|-?[1-9][0-9]{0,18}", value):
        value = int(value)
    whole = _whole(value)
    if whole is None or whole not in INT64:
        raise UnfitError
    return whole


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, str, Literal)):
        raise UnfitError
    text = value.text if isinstance(value, Literal) else str(value)
    if len(text) > 400 or not NUMBER.fullmatch(text):  # longer numbers cannot be exact
        raise UnfitError
    number = float(text)
    # Numbers with a fraction are rounded to the nearest double, as is usual; integers and texts must be exact.
    may_round = isinstance(value, Literal) and not text.lstrip("-").isdigit()
    if math.isinf(number) or not (may_round or _is_exact(text, number)):
        raise UnfitError
    return number


def _is_exact(text: str, number: float) -> bool:
    if number == 0:  # its exponent may be too large for Decimal
        return Literal(text).digits == "0"
    return Decimal(text) == (Decimal(int(number)) if number.is_integer() else Decimal(repr(number)))


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # PHP and its databases write booleans as 1 and 0. Of texts, only "true" and "false" are unambiguous.
    truth = {"true": True, "false": False, 1: True, 0: False}.get(value if isinstance(value, str) else _whole(value))
    if truth is None:
        raise UnfitError
    return truth


def _epoch(value: Any) -> int:
    seconds = _integer(value)
    if seconds not in SECONDS:
        raise UnfitError
    return seconds * 1_000_000


def _datetime(value: Any) -> int:
    # .NET and Java write seven or nine decimals; zeros past the sixth mean nothing.
    return _moment(re.sub("([.][0-9]{6})0+", r"\1", _text(value)), (TIMESTAMP, pa.timestamp("us")))


def _date(value: Any) -> int:
    return _moment(_text(value), (pa.date32(),))


@lru_cache(maxsize=4096)
def _moment(text: str, dtypes: tuple[pa.DataType, ...]) -> int:
    # Arrow's parser is also used for whole columns, so both readers accept the same texts.
    for dtype in dtypes:
        with suppress(pa.ArrowInvalid):
            moment = pa.scalar(text).cast(dtype)
            if moment.cast(pa.timestamp("us")).value in MICROSECONDS:
                return int(moment.value)
    raise UnfitError


_CONVERSIONS: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.JSON: dumps,
    Kind.DOCUMENT: _document,
    Kind.CODE: _code,
    Kind.ID: _code,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.EPOCH: _epoch,
    Kind.DATETIME: _datetime,
    Kind.DATE: _date,
}
