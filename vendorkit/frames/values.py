"""
One value at a time: what a vendor sent against what was declared, converted only where that loses nothing.

The fast path never comes here. Numbers that Python would change (`12.50`, an
integer past 64 bits) travel as `Literal`, with every digit.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.columns import FIRST_SECOND, LAST_SECOND
from vendorkit.frames.schema import TIMESTAMP, Kind

INT64 = range(-(2**63), 2**63)
BYTE_ORDER_MARK = "\ufeff"
MAX_DEPTH = 200  # deeper than any real document, and well inside Python's own limit
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DASHED = re.compile(r'-[^"]*":')  # a name with a dash, in text without escapes
_REMEDY = "Try again; if it stays so, report it to the vendor."


class MisfitError(Exception):
    """The value cannot become the declared type without loss."""


@dataclass(frozen=True)
class Literal:
    """A JSON number kept as it was written."""

    text: str

    @property
    def whole(self) -> int | None:
        """The number as an integer within 64 bits, if it is one."""
        if len(self.text) > 40:  # no 64-bit integer is written that long; spares Decimal the digits
            return None
        number = Decimal(self.text)
        return int(number) if abs(number) <= 2**63 and number == int(number) and int(number) in INT64 else None


def malformed(what: str) -> MalformedAnswer:
    """The error for an answer that cannot be read; `what` names places and fields, never values."""
    return MalformedAnswer(what, remedy=_REMEDY)


class _RefusedError(ValueError):
    """What the JSON module lets pass and RFC 8259 or common sense does not."""


def loads(body: bytes, what: str = "The answer") -> Any:
    """
    Read strict JSON (RFC 8259), keeping every digit of numbers.

    Raises:
        MalformedAnswer: Not UTF-8 (with the byte offset), not JSON, a key twice in one object,
            NaN or Infinity, or nested too deep.
    """
    try:
        return DECODER.decode(body.decode().removeprefix(BYTE_ORDER_MARK))
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg} at character {error.pos}"
    except _RefusedError as error:
        problem = f"is not strict JSON: {error}"
    except RecursionError:
        problem = "is nested too deep"
    # Raised out here, for the errors above carry the whole body.
    what = f"{what} {problem}."
    raise malformed(what)


def _parse_int(text: str) -> int | Literal:
    if len(text) > 20 or text == "-0":  # the longest 64-bit integer has 20 characters
        return Literal(text)
    number = int(text)
    return number if number in INT64 else Literal(text)


def _parse_float(text: str) -> Literal:
    if math.isinf(float(text)):
        what = "a number too big for a double"
        raise _RefusedError(what)
    return Literal(text)


def _parse_constant(text: str) -> Any:
    what = f"{text} is no number"
    raise _RefusedError(what)


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        what = f"the key {next(key for key in keys if keys.count(key) > 1)[:60]!r} stands twice in one object"
        raise _RefusedError(what)
    return found


# Keeps every digit; raises ValueError where JSON is not strict.
DECODER = json.JSONDecoder(
    parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_constant, object_pairs_hook=_parse_object
)
ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def dumps(value: Any) -> str:
    """Write compact JSON text, numbers as they came. Raises MalformedAnswer beyond 200 levels."""
    try:
        text = ENCODER.encode(value)
    except (TypeError, RecursionError):  # a `Literal`, or nested too deep
        return _dumps(value, 0)
    return text if _encodable(text) and text.count("[") + text.count("{") <= MAX_DEPTH else _dumps(value, 0)


def _dumps(value: Any, depth: int) -> str:
    _check_depth(depth)
    match value:
        case Literal(text):
            return text
        case dict():
            return "{" + ",".join(f"{_quote(key)}:{_dumps(item, depth + 1)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(_dumps(item, depth + 1) for item in value) + "]"
        case str():
            return _quote(value)
        case _:
            return json.dumps(value)


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        what = f"The answer is nested more than {MAX_DEPTH} levels deep."
        raise malformed(what)


def _quote(text: str) -> str:
    # Half a surrogate pair has no UTF-8; only the escaped form can hold it.
    return json.dumps(text, ensure_ascii=not _encodable(text))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain(value: Any, depth: int = 0) -> Any:
    """The value with ordinary Python numbers, for envelopes. Raises MalformedAnswer beyond 200 levels."""
    _check_depth(depth)
    match value:
        case Literal(text):
            return value.whole if value.whole is not None else float(text)
        case dict():
            return {key: plain(item, depth + 1) for key, item in value.items()}
        case list():
            return [plain(item, depth + 1) for item in value]
        case _:
            return value


def underscored(value: Any, depth: int = 0) -> Any:
    """The document with `-` in names read as `_`, where that keeps the names apart."""
    _check_depth(depth)
    match value:
        case dict():
            names = [key.replace("-", "_") for key in value]
            names = names if len(set(names)) == len(names) else list(value)
            return {name: underscored(item, depth + 1) for name, item in zip(names, value.values(), strict=True)}
        case list():
            return [underscored(item, depth + 1) for item in value]
        case _:
            return value


def fit(kind: Kind, value: Any) -> Any:
    """
    Convert one value, not None, to what Arrow takes for the kind's frame type.

    Raises:
        MisfitError: That would lose something.
    """
    match kind:
        case Kind.JSON:
            return dumps(value)
        case Kind.DOCUMENT:
            if isinstance(value, dict) and "resource_type" in value:
                # JSON alone says what kind of resource a document is.
                value = {key: item for key, item in value.items() if key != "resource_type"}
            text = dumps(value)
            return dumps(underscored(value)) if "\\" in text or _DASHED.search(text) else text
        case Kind.ID:
            whole = _whole(value)
            return str(whole) if whole is not None else _text(value)
        case Kind.INTEGER:
            return _integer(value)
        case Kind.NUMBER:
            return _number(value)
        case Kind.BOOLEAN:
            return _boolean(value)
        case Kind.EPOCH:
            return _epoch(value)
        case Kind.DATETIME | Kind.DATE:
            return _moment(_text(value), kind)
        case _:
            return _text(value)


def _whole(value: Any) -> int | None:
    if isinstance(value, Literal):
        return value.whole
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    if isinstance(value, str) and _encodable(value):
        return value
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MisfitError


def _integer(value: Any) -> int:
    # "007" and "+7" are codes, not numbers: only the one canonical spelling converts.
    if isinstance(value, str) and re.fullmatch(r"0|-?[1-9][0-9]{0,18}", value):
        value = int(value)
    whole = _whole(value)
    if whole is None or whole not in INT64:
        raise MisfitError
    return whole


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, str, Literal)):
        raise MisfitError
    text = value.text if isinstance(value, Literal) else str(value)
    if len(text) > 400 or not _NUMBER.fullmatch(text):  # a longer one cannot be exact
        raise MisfitError
    number = float(text)
    # A decimal fraction is rounded to the nearest double, as everybody expects; integers and texts must be exact.
    rounding = isinstance(value, Literal) and not text.lstrip("-").isdigit()
    exact = Decimal(text) == (Decimal(int(number)) if number.is_integer() else Decimal(repr(number)))
    if math.isinf(number) or not (rounding or exact):
        raise MisfitError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # PHP and its databases write booleans as 1 and 0; as text only the words are safe.
    found = {"true": True, "false": False, 1: True, 0: False}.get(value if isinstance(value, str) else _whole(value))
    if found is None:
        raise MisfitError
    return found


def _epoch(value: Any) -> int:
    seconds = _integer(value)
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise MisfitError
    return seconds * 1_000_000


@lru_cache(maxsize=4096)
def _moment(text: str, kind: Kind) -> int:
    # The same parser as on the fast path, so that both read the same texts.
    wanted = [pa.date32()] if kind is Kind.DATE else [TIMESTAMP, pa.timestamp("us")]
    for dtype in wanted:
        try:
            return int(pa.scalar(text).cast(dtype).value)
        except pa.ArrowInvalid:
            continue
    raise MisfitError
