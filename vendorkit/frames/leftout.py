"""What has to be refused in members that a projection leaves out, which Arrow skips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from vendorkit.frames.values import loads, malformed
from vendorkit.strictjson import MAX_DEPTH

Codes = npt.NDArray[np.uint8]

_ESCAPE: Final = re.compile(rb"\\.")
_LONG: Final = re.compile(rb"[0-9]{200}")
_LARGE: Final = re.compile(rb"[:,\[\s]-?[0-9][0-9.]*[eE]\+?[0-9]{3}")
_LONGEST: Final = 420  # characters of a number, both parts of it of less than 200 digits
_BLOCK: Final = 1 << 17  # characters that are looked at in one go, in the processor's cache
_CASE: Final = 0x20  # the bit in which `e` and `E` differ, and `[` and `{` as well


def check_left_out(records: Sequence[bytes], text: bytes) -> None:
    """
    Check what the grammar and Arrow do not: the depth of JSON objects, and numbers.

    Args:
        records: The objects.
        text: All of them in one list.

    Raises:
        MalformedAnswer: A record is nested too deep, or has a number beyond a double.
    """
    opens, is_large = [], False
    for start in range(0, len(text), _BLOCK):
        codes = np.frombuffer(text, np.uint8, min(_BLOCK + _LONGEST, len(text) - start), start)
        folded: Codes = codes | np.uint8(_CASE)
        opens.append(np.flatnonzero(folded[:_BLOCK] == ord("{")) + start)
        is_large = is_large or _may_have_large_number(text, start, codes, folded)
    for record in records if is_large else ():
        loads(bytes(record), unique=False)
    ends = np.cumsum([memoryview(record).nbytes + 1 for record in records]) + text.index(b"[")
    counts = np.diff(np.searchsorted(np.concatenate(opens), ends), prepend=0)
    many = np.flatnonzero(counts > MAX_DEPTH).tolist()
    if many and _depth(b"".join(records[row] for row in many)) > MAX_DEPTH:
        what = f"The answer is nested more than {MAX_DEPTH} levels deep."
        raise malformed(what)


def _may_have_large_number(text: bytes, start: int, codes: Codes, folded: Codes) -> bool:
    """Whether there are 200 digits in a row or an exponent of three; without them every number fits a double."""
    digit = codes - ord("0") < 10
    run = digit[::8]
    for step in (1, 2, 4, 8):  # leaves those places where 16 of every eighth characters are digits
        run = run[:-step] & run[step:]
    if np.any(run) and _LONG.search(text, start, start + len(codes)):
        return True
    places = np.flatnonzero((folded[1:-4] == ord("e")) & digit[:-5]) + 1
    exponents = places + 1 + (codes[places + 1] == ord("+"))
    found = places[digit[exponents] & digit[exponents + 1] & digit[exponents + 2]] + start
    return any(_LARGE.search(text, max(place - _LONGEST, 0), place + 5) for place in found.tolist())


def _depth(text: bytes) -> int:
    """The levels of lists and objects in JSON."""
    codes = np.frombuffer(_ESCAPE.sub(b"", text), np.uint8)
    outside = np.cumsum(codes == ord('"'), dtype=np.uint8) % 2 == 0
    steps = ((codes | _CASE) == ord("{")).astype(np.int8) - ((codes | _CASE) == ord("}"))
    return int(np.cumsum(steps * outside, dtype=np.int32).max())
