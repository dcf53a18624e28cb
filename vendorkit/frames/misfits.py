"""
Records that will not fit, told from their texts by what did not fit before.

For the sake of one record Arrow's parser refuses all that it was given with it,
and has read the others in vain. But what a vendor does once it does again: a
list for a text, a price with a fraction. So each kind of misfit becomes a
pattern, which finds the next records of its kind before they are parsed, twenty
times as fast. A pattern that finds a record with nothing wrong is given up.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.values import INT64
from vendorkit.frames.wire import EXACT, MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST = 16  # patterns; where more would be needed, records differ too much for any to help
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_UNTOLD = r"[^\s\S]"  # matches nothing
_SPACE = r"[ \t\r\n]*"
_FRACTION = r"-?[0-9]+[.eE]"
_MANY_DIGITS = r"-?[0-9]{16}"


class Misfits:
    """
    Finds records that Arrow's parser, or the conversion after it, would refuse.

    Args:
        wire: The type that it is given for a record.
        record: The key of the record in its line, where records come with their stream meta.
        closed: Whether it refuses fields that are not in the type.

    Attributes:
        emptied: Names of objects for which an empty list is no misfit.
    """

    def __init__(self, wire: pa.DataType, record: str | None, *, closed: bool) -> None:
        self._wire, self._record, self._closed = wire, record, closed
        self.emptied = frozenset[str]()
        self._patterns: tuple[str, ...] = ()
        self._misleading = frozenset[str]()

    def among(self, records: Sequence[bytes]) -> set[int]:
        """The places of records of a known kind of misfit."""
        if not self._patterns:
            return set()
        found = pc.match_substring_regex(pa.array(records, pa.binary()), "|".join(self._patterns))
        places = pc.indices_nonzero(found).to_pylist()
        wrong = [at for at in places if self.fits(records[at])]
        for at in wrong:
            self._give_up(records[at])
        return set(places) - set(wrong)

    def are_in(self, text: bytes | memoryview) -> bool:
        """Whether there may be any in a text of many records."""
        if not self._patterns:
            return False
        ends = pa.array([0, len(text)], pa.int64()).buffers()[1]
        array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(text)])
        return bool(pc.match_substring_regex(array, "|".join(self._patterns))[0].as_py())

    def fits(self, record: bytes) -> bool:
        """Whether nothing is seen in a record that Arrow's parser would refuse."""
        return self._kinds(record) == set()

    def learn(self, record: bytes) -> bool:
        """Look for more records of this one's kinds from now on; say whether any is new."""
        new = set[str]()
        for around, place in self._kinds(record) or ():
            matching = [one for one in (around + place, place) if re.search(one.encode(), record)]
            new.update(matching[:1])
        new -= self._misleading.union(self._patterns)
        self._patterns += tuple(sorted(new)[: _MOST - len(self._patterns)])
        return bool(new)

    def _give_up(self, record: bytes) -> None:
        wrong = {pattern for pattern in self._patterns if re.search(pattern.encode(), record)}
        self._misleading |= wrong
        self._patterns = tuple(pattern for pattern in self._patterns if pattern not in wrong)

    def _kinds(self, record: bytes) -> set[tuple[str, str]] | None:
        """A pattern for each thing in the record that does not fit, in two parts; None where it is no JSON at all."""
        try:
            value = json.loads(record)
            return set(self._in_struct(value, self._wire, "")) if isinstance(value, dict) else None
        except (ValueError, RecursionError):
            return None

    def _in_struct(self, value: Any, wire: pa.StructType, around: str) -> Iterator[tuple[str, str]]:
        """Look at an object; `around` leads to its names, which may mean other things elsewhere."""
        types = {field.name: field.type for field in wire}
        for name, item in value.items():
            here = f'"{name if _PLAIN_NAME.fullmatch(name) else _UNTOLD}"{_SPACE}:{_SPACE}'
            if name in types:
                fits = item == [] and name in self.emptied and pa.types.is_struct(types[name])
                # The record itself is too large to be led through.
                inside = "" if name == self._record else here
                yield from () if fits else self._in_value(item, types[name], (around, here), inside)
            elif self._closed and name + MARK not in types:
                yield around, here

    def _in_value(
        self, value: Any, wire: pa.DataType, place: tuple[str, str], inside: str
    ) -> Iterator[tuple[str, str]]:
        """Look at a value; `place` leads up to it, and what `inside` becomes up to what it holds."""
        if isinstance(value, dict) and pa.types.is_struct(wire):
            yield from self._in_struct(value, wire, inside and inside + r"\{[^{}]*")
        elif isinstance(value, list) and pa.types.is_list(wire):
            within = inside + r"\[[^\[\]]*"
            for item in value:
                yield from self._in_item(item, wire.value_type, within)
        elif (token := _token(value, wire)) is not None:
            yield place[0], place[1] + token

    def _in_item(self, item: Any, wire: pa.DataType, within: str) -> Iterator[tuple[str, str]]:
        if isinstance(item, dict) and pa.types.is_struct(wire):
            yield from self._in_struct(item, wire, within)
        else:
            yield from self._in_value(item, wire, ("", within), within)


def _token(value: Any, wire: pa.DataType) -> str | None:
    """How the value begins in JSON, if it is none of the type; None where it is one, or where that does not tell it."""
    match value:
        case None:
            return None
        case bool():
            return None if pa.types.is_boolean(wire) else "[tf]"
        case int() | float() if pa.types.is_int64(wire):
            return _FRACTION if isinstance(value, float) else None if value in INT64 else _MANY_DIGITS
        case int() | float() if pa.types.is_float64(wire):
            return _MANY_DIGITS if abs(value) >= EXACT else None
        case int() | float():
            return "-?[0-9]"
        case str():
            return None if pa.types.is_string(wire) or pa.types.is_timestamp(wire) else '"'
        case _:
            return r"\[" if isinstance(value, list) else r"\{"
