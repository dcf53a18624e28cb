"""Extracts the texts of nested JSON values from a JSON text without decoding them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from vendorkit.frames.kinds import object_type

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def members_of(names: Sequence[str]) -> Callable[[bytes], Any]:
    """Return a decoder of objects whose result has the texts of these members as `f0`, `f1`, ..., None if missing."""
    return msgspec.json.Decoder(object_type(dict.fromkeys(names, msgspec.Raw))).decode


# Return the texts of all members of an object by name; the last one if a name occurs twice.
members_in = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def cut(decode: Callable[[bytes], Sequence[bytes]], text: bytes) -> tuple[list[bytes], int, int]:
    """
    Return the parts of *text* that *decode* finds, without None, the start of the first and the end of the last.

    Raises:
        msgspec.DecodeError: The text is not JSON, or does not have the expected structure.
    """
    masked = text
    try:
        parts = decode(text)
    except msgspec.DecodeError:
        # JSON allows lone surrogates, msgspec does not. Decode a text of the same length without them.
        masked = _SURROGATE.sub(rb"\\u0041", text)
        if masked == text:
            raise
        parts = decode(masked)
    parts = [part for part in parts if part is not None]
    if not parts:
        return parts, 0, 0
    base, last = pa.py_buffer(masked).address, pa.py_buffer(parts[-1])
    start, end = pa.py_buffer(parts[0]).address - base, last.address + last.size - base
    if masked is not text:
        spans = [(part.address - base, part.size) for part in map(pa.py_buffer, parts)]
        parts = [text[offset : offset + size] for offset, size in spans]
    return parts, start, end


@lru_cache(maxsize=1024)
def quoted(name: str) -> bytes:
    """Return the name as JSON text."""
    return json.dumps(name).encode()


def spliced(text: bytes, parts: Iterable[bytes]) -> bytes:
    """Return *text* with *parts*, which are views of its memory, replaced by null."""
    base, end, pieces, view = pa.py_buffer(text).address, 0, list[Any](), memoryview(text)
    for offset, size in sorted([(part.address - base, part.size) for part in map(pa.py_buffer, parts)]):
        pieces += [view[end:offset], b"null"]
        end = offset + size
    return b"".join([*pieces, view[end:]])


def is_object(raw: bytes) -> bool:
    """Return whether the text of a JSON value is an object."""
    return memoryview(raw)[0] == ord("{")


def is_utf8(text: bytes) -> bool:
    """Return whether *text* is valid UTF-8. Arrow's check is several times faster than decoding."""
    try:
        pa.array([text], pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True
