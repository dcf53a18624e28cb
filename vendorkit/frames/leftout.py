"""Checks the members that a projection leaves out, which Arrow skips without a check."""

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
_LONGEST: Final = 420  # characters of a number whose integer and fraction have less than 200 digits each
_BLOCK: Final = 1 << 17  # characters per step; they fit into the processor's cache
_CASE: Final = 0x20  # the bit in which `e` and `E`, and also `[` and `{`, differ


def check_left_out(records: Sequence[bytes], text: bytes) -> None:
    """
    Check the nesting depth and the size of numbers, which neither the grammar nor Arrow checks.

    Args:
        records: The texts of JSON objects.
        text: The same objects in one list.

    Raises:
        MalformedAnswer: A record is nested too deep, or has a number that does not fit a double.
    """
    brackets, may_be_large = [], False
    for start in range(0, len(text), _BLOCK):
        codes = np.frombuffer(text, np.uint8, min(_BLOCK + _LONGEST, len(text) - start), start)
        folded: Codes = codes | np.uint8(_CASE)
        brackets.append(np.flatnonzero(folded[:_BLOCK] == ord("{")) + start)
        may_be_large = may_be_large or _may_have_large_number(text, start, codes, folded)
    for record in records if may_be_large else ():
        loads(bytes(record), unique=False)
    ends = np.cumsum([memoryview(record).nbytes + 1 for record in records]) + text.index(b"[")
    counts = np.diff(np.searchsorted(np.concatenate(brackets), ends), prepend=0)
    suspects = np.flatnonzero(counts > MAX_DEPTH).tolist()
    if suspects and _depth(b"".join(records[row] for row in suspects)) > MAX_DEPTH:
        what = f"The answer is nested more than {MAX_DEPTH} levels deep."
        raise malformed(what)


def _may_have_large_number(text: bytes, start: int, codes: Codes, folded: Codes) -> bool:
    """Return whether there are 200 digits in a row or an exponent of three digits; other numbers all fit a double."""
    is_digit = codes - ord("0") < 10
    is_run = is_digit[::8]
    for step in (1, 2, 4, 8):  # then true where 16 consecutive samples, one in every eighth character, are digits
        is_run = is_run[:-step] & is_run[step:]
    if np.any(is_run) and _LONG.search(text, start, start + len(codes)):
        return True
    letters = np.flatnonzero((folded[1:-4] == ord("e")) & is_digit[:-5]) + 1
    exponents = letters + 1 + (codes[letters + 1] == ord("+"))
    offsets = letters[is_digit[exponents] & is_digit[exponents + 1] & is_digit[exponents + 2]] + start
    return any(_LARGE.search(text, max(offset - _LONGEST, 0), offset + 5) for offset in offsets.tolist())


def _depth(text: bytes) -> int:
    """Return the maximum nesting of lists and objects in JSON text."""
    codes = np.frombuffer(_ESCAPE.sub(b"", text), np.uint8)
    outside = np.cumsum(codes == ord('"'), dtype=np.uint8) % 2 == 0
    steps = ((codes | _CASE) == ord("{")).astype(np.int8) - ((codes | _CASE) == ord("}"))
    return int(np.cumsum(steps * outside, dtype=np.int32).max())
