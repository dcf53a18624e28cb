"""Reading JSON that somebody else may have crafted: whatever is wrong with it is one `ValueError`, without the text."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def strict_object(text: Any, *, limit: int) -> dict[str, Any]:
    """
    Return the JSON object that *text* holds.

    Args:
        text: Text, or bytes in UTF-8; a byte order mark is allowed.
        limit: Number of characters or bytes allowed.

    Raises:
        ValueError: Not text, too long, not UTF-8, not JSON, not an object, a name twice in one object, NaN or Infinity,
            nested too deeply. The message names the fault and never the content.
    """
    if not isinstance(text, (str, bytes, bytearray)):
        message = "it is not text"
        raise ValueError(message)  # noqa: TRY004 - one error for all faults
    if len(text) > limit:
        message = f"it is longer than {limit} characters"
        raise ValueError(message)
    problem = "it is not JSON in UTF-8"
    value: Any = None
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        value = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
        problem = "" if isinstance(value, dict) else "it is not a JSON object"
    except _FaultError as fault:
        problem = str(fault)
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError:  # its `doc` and `object` would carry the text on
        pass
    if problem:
        raise ValueError(problem)
    return dict(value)


class _FaultError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "it has a name twice in one object"
        raise _FaultError(message)
    return found


def _finite(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _refuse_constant("a number beyond all bounds")


def _refuse_constant(name: str) -> NoReturn:
    message = f"it contains {name}"
    raise _FaultError(message)
