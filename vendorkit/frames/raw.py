"""The texts of JSON values inside the text of another, found by its grammar and not decoded."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import pyarrow as pa

from vendorkit.frames.kinds import object_type

NULL: Final = msgspec.Raw(b"null")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def members_of(names: Sequence[str]) -> Callable[[bytes], Any]:
    """Return a decoder of objects that gives the texts of these members as `f0`, `f1`, ..., None if missing."""
    return msgspec.json.Decoder(object_type(dict.fromkeys(names, msgspec.Raw))).decode


members_in = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""Return the texts of all members of an object by name; of a name that occurs twice only the last."""


member_of = lru_cache(maxsize=64)(lambda name: members_of([name]))


def cut(decode: Callable[[bytes], Sequence[bytes]], text: bytes) -> tuple[list[bytes], int, int]:
    """
    Return the parts of *text* that *decode* finds, without None; where the first begins, and where the last ends.

    Raises:
        msgspec.DecodeError: The text is not JSON, or not of the expected shape.
    """
    masked = text
    try:
        found = decode(text)
    except msgspec.DecodeError:
        # Half a surrogate pair is JSON, but not for msgspec. It looks at a text of the same length without any.
        masked = _SURROGATE.sub(rb"\\u0041", text)
        if masked == text:
            raise
        found = decode(masked)
    found = [part for part in found if part is not None]
    if not found:
        return found, 0, 0
    begin, last = pa.py_buffer(masked).address, pa.py_buffer(found[-1])
    start, end = pa.py_buffer(found[0]).address - begin, last.address + last.size - begin
    if masked is not text:
        places = [(part.address - begin, part.size) for part in map(pa.py_buffer, found)]
        found = [text[place : place + size] for place, size in places]
    return found, start, end


@lru_cache(maxsize=1024)
def quoted(name: str) -> bytes:
    """The name as JSON text."""
    return json.dumps(name).encode()


def spliced(text: bytes, parts: Iterable[bytes]) -> bytes:
    """Return *text* with null in the place of parts of it, which are views of its memory."""
    start, end, pieces, view = pa.py_buffer(text).address, 0, list[Any](), memoryview(text)
    for at, size in sorted([(part.address - start, part.size) for part in map(pa.py_buffer, parts)]):
        pieces += [view[end:at], NULL]
        end = at + size
    return b"".join([*pieces, view[end:]])


def is_object(raw: bytes) -> bool:
    """Whether the text of a JSON value is an object."""
    return memoryview(raw)[0] == ord("{")


def is_utf8(text: bytes | pa.Buffer) -> bool:
    """Tell whether *text* is valid UTF-8. Arrow's check is ten times faster than decoding."""
    buffer = pa.py_buffer(text)
    offsets = pa.py_buffer(struct.pack("<qq", 0, buffer.size))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, buffer]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
