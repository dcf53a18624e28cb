"""
Free parts of a record, as texts that Arrow can read.

Arrow has no type for "anything": documents, and fields that are not declared,
are found in the text by their names and replaced by strings that hold their
JSON. Everything else goes on to Arrow as it came.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.values import DECODER, dumps, fit
from vendorkit.frames.wire import MARK, UnfitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vendorkit.frames.schema import Kind


class FreeTexts:
    """
    Quotes the values of free fields.

    Args:
        kinds: The vendor's names of these fields, and what they are; None where they are not declared.
    """

    def __init__(self, kinds: Mapping[str, Kind | None]) -> None:
        self._kinds = kinds
        names = "|".join(map(re.escape, kinds))
        # A quote after one of these always opens a string, and a colon after its end makes it a name.
        self._name = re.compile(rf'(?<=[{{, \t])"({names})"[ \t]*:[ \t]*') if kinds else None

    def quoted(self, text: bytes) -> bytes:
        """
        Replace each free value by its JSON as a string, under a name that no vendor uses.

        Raises:
            UnfitError: The text is not UTF-8, or a value is malformed.
        """
        if self._name is None:
            return text
        try:
            whole = text.decode()
        except UnicodeDecodeError as error:
            raise UnfitError from error
        parts, position = list[str](), 0
        while match := self._name.search(whole, position):
            try:
                value, end = DECODER.raw_decode(whole, match.end())
                kind = self._kinds[match[1]]
                found = dumps(value) if kind is None else None if value is None else fit(kind, value)
            except (ValueError, RecursionError, MalformedAnswer) as error:
                raise UnfitError from error
            parts += [whole[position : match.start()], f'"{match[1]}{MARK}":{json.dumps(found)}']
            position = end
        return "".join([*parts, whole[position:]]).encode()
