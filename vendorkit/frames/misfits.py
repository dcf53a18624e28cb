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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.columns import CUT, EXACT, MARK, UnfitError
from vendorkit.frames.values import INT64

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    Around = Callable[[bytes, int, int], tuple[int, int] | None]

_MOST = 16  # patterns; where more would be needed, records differ too much for any to help
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LOOKS = 64  # records found by the patterns, after which they are trusted
_OFTEN = 64  # records: what fewer of them have is left to the slow path
_UNTOLD = r"[^\s\S]"  # matches nothing
_SPACE = r"[ \t\r\n]*"
_FRACTION = r"-?[0-9]+[.eE]"
_MANY_DIGITS = r"-?[0-9]{16}"


@dataclass
class Habits:
    """
    What was seen of a vendor's ways.

    Attributes:
        emptied: Names of objects for which an empty list is written, as PHP does, often enough to be no misfit.
        patterns: What the misfits have in their texts that the other records have not.
        proven: How often in a row these were right; a look at each record that they find costs time.
        misleading: Patterns that other records have too.
    """

    emptied: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    proven: int = 0
    misleading: frozenset[str] = frozenset()


class _Kind(NamedTuple):
    """What does not fit: a pattern of what stands around it and of itself; the object's name if it is an empty list."""

    around: str
    itself: str
    emptied: str = ""


class Misfits:
    """
    Finds records that Arrow's parser, or the conversion after it, would refuse.

    Args:
        wire: The type that it is given for a record.
        objects: Names of objects for which an empty list means the same as an empty object.
        record: The key of the record in its line, where records come with their stream meta.
        habits: What is known already, and is added to.
        closed: Whether it refuses fields that are not in the type.
    """

    def __init__(
        self, wire: pa.DataType, objects: Collection[str], record: str | None, habits: Habits, *, closed: bool
    ) -> None:
        self._wire, self._objects, self._record, self._closed = wire, objects, record, closed
        self._habits = habits
        mark = b'{"%b":true}' % CUT.encode()
        self._in_its_place = mark if record is None else b'{"%b":%b}' % (record.encode(), mark)

    def among(self, records: Sequence[bytes]) -> set[int]:
        """The places of records of a known kind of misfit."""
        while self._habits.patterns:
            found = pc.match_substring_regex(pa.array(records, pa.binary()), "|".join(self._habits.patterns))
            places = pc.indices_nonzero(found).to_pylist()
            if not any(self._misled_to(records[at]) for at in places):
                return set(places)
        return set()

    def cut_out(self, records: bytes | memoryview, around: Around) -> tuple[list[bytes | memoryview], list[bytes]]:
        """
        Take records of a known kind of misfit out of a text, and leave a mark in the place of each.

        The cuts may be wrong; then the text does not parse, or has its marks in other places than records.

        Args:
            records: The text.
            around: Tells where the record begins and ends that is behind a first place and holds a second.

        Returns:
            The text in parts, and the records that were cut out.

        Raises:
            UnfitError: There are some, and they cannot be cut out.
        """
        view, text, start = memoryview(records), b"", 0
        kept, cut = list[bytes | memoryview](), list[bytes]()
        while (at := start + self._next(view[start:])) >= start:
            text = text or bytes(records)
            begin, end = around(text, start, at) or (0, 0)
            if not start <= begin <= at < end:
                raise UnfitError
            record = text[begin:end]
            if self._misled_to(record):
                return self.cut_out(records, around)
            kept += [view[start:begin], self._in_its_place]
            cut.append(record)
            start = end
        return [*kept, view[start:]], cut

    def _next(self, text: memoryview) -> int:
        """Where the first misfit of a known kind is; -1 if nowhere."""
        if not self._habits.patterns:
            return -1
        ends = pa.array([0, len(text)], pa.int64()).buffers()[1]
        array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(text)])
        found: int = pc.find_substring_regex(array, "|".join(self._habits.patterns))[0].as_py()
        return found

    def fits(self, record: bytes) -> bool:
        """Whether nothing is seen in a record that Arrow's parser would refuse."""
        return self._kinds(record) == set()

    def learn(self, record: bytes, records: Sequence[bytes]) -> bool:
        """Take in how a record that is one of many does not fit; say whether there was anything new in it."""
        habits, kinds = self._habits, self._kinds(record) or set()
        often = {kind.emptied for kind in kinds if kind.emptied and _is_often(kind.emptied, records)}
        new = {_pattern(kind, record) for kind in kinds if kind.emptied not in often}
        new -= {"", *habits.patterns, *habits.misleading}
        if new:
            habits.proven = 0
        habits.emptied |= often
        habits.patterns += tuple(sorted(new)[: _MOST - len(habits.patterns)])
        return bool(often or new)

    def _misled_to(self, record: bytes) -> bool:
        """Whether there is nothing wrong with a record that was found; then its patterns are given up."""
        habits = self._habits
        if habits.proven == _LOOKS or not self.fits(record):
            habits.proven = min(habits.proven + 1, _LOOKS)
            return False
        wrong = {one for one in habits.patterns if re.search(one.encode(), record)}
        habits.misleading |= wrong
        habits.patterns = tuple(one for one in habits.patterns if one not in wrong)
        return bool(wrong)

    def _kinds(self, record: bytes) -> set[_Kind] | None:
        """Each thing in the record that does not fit; None where it is no JSON object at all."""
        try:
            value = json.loads(record)
            return set(self._in_struct(value, self._wire, "")) if isinstance(value, dict) else None
        except (ValueError, RecursionError):
            return None

    def _in_struct(self, value: Any, wire: pa.StructType, around: str) -> Iterator[_Kind]:
        """Look at an object; `around` leads to its names, which may mean other things elsewhere."""
        types = {field.name: field.type for field in wire}
        for name, item in value.items():
            here = f'"{name if _PLAIN_NAME.fullmatch(name) else _UNTOLD}"{_SPACE}:{_SPACE}'
            if item == [] and name in self._objects and pa.types.is_struct(types.get(name)):
                yield from () if name in self._habits.emptied else [_Kind(around, here + r"\[", name)]
            elif name in types:
                # The record itself is too large to be led through.
                yield from self._in_value(item, types[name], _Kind(around, here), "" if name == self._record else here)
            elif self._closed and name + MARK not in types:
                yield _Kind(around, here)

    def _in_value(self, value: Any, wire: pa.DataType, place: _Kind, inside: str) -> Iterator[_Kind]:
        """Look at a value; `place` leads up to it, and what `inside` becomes up to what it holds."""
        if isinstance(value, dict) and pa.types.is_struct(wire):
            yield from self._in_struct(value, wire, inside and inside + r"\{[^{}]*")
        elif isinstance(value, list) and pa.types.is_list(wire):
            within = inside + r"\[[^\[\]]*"
            for item in value:
                if isinstance(item, dict) and pa.types.is_struct(wire.value_type):
                    yield from self._in_struct(item, wire.value_type, within)
                else:
                    yield from self._in_value(item, wire.value_type, _Kind("", within), within)
        elif (token := _token(value, wire)) is not None:
            yield _Kind(place.around, place.itself + token)


def _pattern(kind: _Kind, record: bytes) -> str:
    """What finds the kind: with what stands around it, if that can be looked through; "" where nothing does."""
    return next((one for one in (kind.around + kind.itself, kind.itself) if re.search(one.encode(), record)), "")


def _is_often(emptied: str, records: Sequence[bytes]) -> bool:
    return sum(b'"%b":[]' % emptied.encode() in record for record in records) * _OFTEN >= len(records)


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
