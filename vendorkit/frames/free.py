"""
Free parts of a record, as texts that Arrow can read.

Arrow has no type for "anything": documents, and fields that are not declared,
are found in the text by their names and replaced by strings that hold their
JSON. Everything else goes on to Arrow as it came.
"""

from __future__ import annotations

import re
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.columns import MARK, UnfitError
from vendorkit.frames.values import DECODER, ENCODER, dumps, fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vendorkit.frames.schema import Kind

_COLON = re.compile(r"[ \t]*:[ \t]*")


class FreeTexts:
    """
    Quotes the values of free fields.

    Args:
        kinds: The vendor's names of these fields, and what they are; None where they are not declared.
    """

    def __init__(self, kinds: Mapping[str, Kind | None]) -> None:
        self._kinds = kinds

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def quoted(self, text: bytes) -> bytes:
        """
        Replace each free value by its JSON as a string, under a name that no vendor uses.

        Raises:
            UnfitError: The text is not UTF-8, or a value is malformed.
        """
        if not self._kinds:
            return text
        try:
            whole = text.decode()
            return "".join(self._parts(whole)).encode()
        except (ValueError, RecursionError, MalformedAnswer) as error:
            raise UnfitError from error

    def _parts(self, text: str) -> Iterator[str]:
        position = 0
        for name, start, value_at in self._names(text):
            if start >= position:  # else it is a part of the value before it
                value, end = DECODER.raw_decode(text, value_at)
                kind = self._kinds[name]
                found = dumps(value) if kind is None else None if value is None else fit(kind, value)
                yield text[position:start]
                yield f'"{name}{MARK}":{ENCODER.encode(found)}'
                position = end
        yield text[position:]

    def _names(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yield the names in order of their places, with those and the places of the values."""
        finders = [self._places(text, name) for name in self._kinds]
        return merge(*finders, key=itemgetter(1))

    def _places(self, text: str, name: str) -> Iterator[tuple[str, int, int]]:
        quoted = f'"{name}"'
        start = text.find(quoted)  # much faster than an expression for all names
        while start >= 0:
            colon = _COLON.match(text, start + len(quoted))
            # A quote after one of these always opens a string, and a colon after its end makes it a name.
            if colon and text[start - 1] in "{, \t":
                yield name, start, colon.end()
            start = text.find(quoted, start + 1)
