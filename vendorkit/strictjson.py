"""
A strict JSON decoder: RFC 8259 in UTF-8, for untrusted text.

Python's decoder also accepts NaN, names that occur twice, numbers beyond a
double, and as many levels as the caller's stack has room for. This one refuses
them, and its result does not depend on the depth of the caller's stack.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MAX_DEPTH: Final = 200  # levels of lists and objects; no real document has more
BYTE_ORDER_MARK: Final = "\ufeff"
INT64: Final = range(-(2**63), 2**63)
REPEATED: Final = object()
_ESCAPE: Final = re.compile(r"\\.", re.DOTALL)
_LEVELS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # 1 and -1 as signed bytes
_NO_BRACKETS: Final = bytes({*range(256)}.difference(b"[]{}"))


class StrictJsonError(ValueError):
    """
    A text is not strict JSON.

    Args:
        problem: The problem as the rest of a sentence (`"is not JSON: ..."`), without the content.
        name: The name that occurs twice in one object, if that is the problem.
    """

    def __init__(self, problem: str, name: str = "") -> None:
        super().__init__(problem)
        self.name = name


@dataclass(frozen=True)
class Literal:
    """A JSON number as written, because a 64-bit integer or a `float` would change it."""

    text: str

    @property
    def digits(self) -> str | None:
        """The digits of a whole number, even if it is written as 5.4e12 or 1234567.0; else None."""
        mantissa = self.text.lower().partition("e")[0]
        if not mantissa.strip("-0."):
            return "0"
        if self.text.lstrip("-").isdigit():
            return self.text
        if float(self.text) == 0:  # the exponent may be too small for `Decimal`
            return None
        number = Decimal(self.text)
        return str(int(number)) if number == number.to_integral_value() else None

    @property
    def whole(self) -> int | None:
        """The number if it is whole and fits into 64 bits; else None."""
        digits = self.digits
        return int(digits) if digits and len(digits) <= 20 and int(digits) in INT64 else None


def strict_value(text: str | bytes, *, exact: bool = False, unique: bool = True, depth: int = MAX_DEPTH) -> Any:
    """
    Decode the JSON in *text*.

    Args:
        text: A string, or bytes in UTF-8; a byte order mark is allowed.
        exact: Keep numbers that Python would change (`12.50`, an integer past 64 bits) as `Literal`.
        unique: Refuse names that occur twice in one object. If False, the value of such a name is `REPEATED`.
        depth: Maximum number of nested lists and objects.

    Raises:
        StrictJsonError: The text is not UTF-8 or not JSON, has a name twice in one object, NaN, Infinity or a number
            beyond a double, or is nested too deeply. The message does not quote the text.
    """
    problem, name = "", ""
    try:
        decoded = text if isinstance(text, str) else text.decode()
        decoded = decoded.removeprefix(BYTE_ORDER_MARK)
        if not is_deeper(decoded, depth):
            return _DECODE[exact, unique](decoded)
        problem = f"is nested more than {MAX_DEPTH} levels deep"
    except StrictJsonError as error:
        problem, name = str(error), error.name
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg.removesuffix(' at')} at character {error.pos}"
    except ValueError:
        problem = "contains a number with too many digits"
    # Raised outside the handlers, because the errors above contain the whole text.
    raise StrictJsonError(problem, name)


def strict_object(text: Any, *, limit: int) -> dict[str, Any]:
    """
    Decode the JSON object in *text*.

    Args:
        text: A string, or bytes in UTF-8; a byte order mark is allowed.
        limit: Maximum number of characters or bytes.

    Raises:
        ValueError: *text* is neither a string nor bytes, is too long, is not an object, or is refused by
            `strict_value`. The message describes the fault, and never quotes the content.
    """
    if not isinstance(text, (str, bytes, bytearray)):
        problem = "is neither a string nor bytes"
    elif len(text) > limit:
        problem = f"is longer than {limit} characters"
    else:
        problem = "is not a JSON object"
        try:
            value = strict_value(text if isinstance(text, str) else bytes(text))
            if isinstance(value, dict):
                return value
        except StrictJsonError as error:
            problem = str(error)
    message = f"it {problem}"
    raise ValueError(message)


def on_any_stack(work: Callable[P, T]) -> Callable[P, T]:
    """Wrap *work* so that it runs again in a new thread if the caller's stack is too deep for it."""

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except RecursionError:
            pass
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work, *args, **kwargs).result()

    return run


def is_deeper(text: str, limit: int) -> bool:
    """Return whether JSON text has more than *limit* levels of lists and objects."""
    if text.count("[") + text.count("{") <= limit:
        return False
    outside_strings = "".join(_ESCAPE.sub("", text).split('"')[::2])
    levels = outside_strings.encode(errors="replace").translate(_LEVELS, _NO_BRACKETS)
    return max(accumulate(memoryview(levels).cast("b")), default=0) > limit


def _members(pairs: list[tuple[str, Any]], *, unique: bool) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        if unique:
            problem = "has a name twice in one object"
            raise StrictJsonError(problem, repeated[0][:60])
        members |= dict.fromkeys(repeated, REPEATED)
    return members


def _exact_int(text: str) -> int | Literal:
    if len(text) > 20 or text == "-0":  # the longest 64-bit integer has 20 characters
        return Literal(text)
    number = int(text)
    return number if number in INT64 else Literal(text)


def _exact_float(text: str) -> Literal:
    _finite(text)
    return Literal(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        _refuse("a number too big for a double")
    return number


def _refuse(content: str) -> Any:
    problem = f"contains {content}"
    raise StrictJsonError(problem)


_DECODE: Final = {
    (exact, unique): on_any_stack(
        json.JSONDecoder(
            parse_int=_exact_int if exact else None,
            parse_float=_exact_float if exact else _finite,
            parse_constant=_refuse,
            object_pairs_hook=partial(_members, unique=unique),
        ).decode
    )
    for exact in (False, True)
    for unique in (False, True)
}
