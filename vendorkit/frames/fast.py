"""
Arrow's JSON parser on bytes, and the search for the few records that it does not read.

Arrow reads all that it is given, or nothing. What it says of the first fault
leads to the record, which is taken out; then it tries again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from vendorkit.frames.columns import CUT, FrameBuilder, UnfitError
from vendorkit.frames.cuts import around_in_array, around_in_lines
from vendorkit.frames.drift import Drift
from vendorkit.frames.free import FreeTexts
from vendorkit.frames.misfits import Habits, Misfits
from vendorkit.frames.page import Page
from vendorkit.frames.utf8 import is_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vendorkit.frames.schema import Schema


META = pa.struct([("total", pa.int64()), ("index", pa.int64())])
_ATTEMPTS = 8  # then the lossless path is no slower
_FEW = 100  # texts that are copied one by one
# Two brackets: no text inside them can close the first and go on with something else unnoticed.
# A leading object also keeps Arrow from a top-level null, on which its parser crashes (26.0.1).
_ARRAY = (b'{"":[', b"]}\n")
_RECORD = (b'{"":[[', b"]]}\n")
_ROW = re.compile(r" in row (\d+)$")
_VALUE = re.compile(r"couldn't parse:(.+)$", re.DOTALL)


class Parsed(NamedTuple):
    """
    Records as Arrow read them.

    Attributes:
        records: One each; empty ones stand in the places of those that do not fit.
        meta: Their stream meta.
        odd: The places of those that do not fit.
        surprised: Whether one was found only by reading in vain.
    """

    records: pa.StructArray
    meta: pa.Array | None
    odd: set[int]
    surprised: bool


class Whole(NamedTuple):
    """
    Records as Arrow read them, all in one go.

    Attributes:
        records: One each, with others than these in the places of those that do not fit.
        meta: Their stream meta.
        lengths: How many are on each page.
        odd: The places of those that do not fit.
        cut: Their texts.
    """

    records: pa.StructArray
    meta: pa.Array | None
    lengths: list[int]
    odd: list[int]
    cut: list[bytes]


class FastParser:
    """
    Arrow's JSON parser under the declared types.

    Args:
        schema: What to read.
        wrapped_as: The key of the record in its line, where records come with their stream meta.
        unknown: Undeclared fields that are read as well, and the names of their appended columns.
        order: Names in the vendor's order, where it is known: Arrow is quickest with fields where it expects them.
        habits: What is known of the vendor's ways.

    Raises:
        UnfitError: A name stands for free values in one place, and not in another.
    """

    def __init__(
        self,
        schema: Schema,
        wrapped_as: str | None,
        unknown: Mapping[str, str],
        order: Sequence[str],
        habits: Habits,
    ) -> None:
        self._builder = FrameBuilder(schema, unknown, order)
        self._unknown = unknown
        self._free = FreeTexts(self._builder.free)
        self._habits = habits
        self._wrapped = wrapped_as
        record = self._builder.wire
        if wrapped_as:
            # A boolean where an object is expected: any error line is refused here, and explained by the other path.
            record = pa.struct([("meta", META), (wrapped_as, record), ("error", pa.bool_())])
        self._empty = b'{"%b":{}}' % wrapped_as.encode() if wrapped_as else b"{}"
        # What a projection leaves out is skipped; otherwise a new field must be noticed.
        self.misfits = Misfits(record, self._builder.objects, wrapped_as, self._habits, closed=schema.only is None)
        self._options = arrow_json.ParseOptions(
            explicit_schema=pa.schema([("", pa.list_(pa.list_(record)))]),
            unexpected_field_behavior="error" if schema.only is None else "ignore",
        )

    def arrays(self, arrays: Sequence[memoryview]) -> Whole:
        """
        Read JSON arrays of records, without line ends.

        Raises:
            UnfitError: One is malformed, or holds a misfit of an unknown kind.
        """
        cut_out = [self.misfits.cut_out(array, around_in_array) for array in arrays]
        parts = [part for kept, _ in cut_out for part in (_ARRAY[0], *kept, _ARRAY[1])]
        lists = self._parse(self._text(parts), len(arrays))
        lengths: list[int] = pc.list_value_length(lists).to_pylist()
        return self._whole(lists.flatten(), None, lengths, [record for _, cut in cut_out for record in cut])

    def lines(self, block: bytes) -> Whole:
        """
        Read lines of one record each, all of them ended and none blank.

        Raises:
            UnfitError: As for `arrays`.
        """
        kept, cut = self.misfits.cut_out(block, around_in_lines)
        lines = b"".join((b"\n", *kept))
        between = _RECORD[1] + _RECORD[0]
        text = lines.replace(b"\n", between)
        count = (len(text) - len(lines)) // (len(between) - 1) - 1  # quicker than to count
        buffer = pa.py_buffer(memoryview(self._fit(text))[len(_RECORD[1]) : -len(_RECORD[0])])
        found, meta = self._unwrapped(self._parse(buffer, count))
        return self._whole(found, meta, [len(found)], cut)

    def _whole(self, records: pa.StructArray, meta: pa.Array | None, lengths: list[int], cut: list[bytes]) -> Whole:
        if records.null_count:
            raise UnfitError
        # Only a record has this field: what was cut out was a record, and stood in this place.
        odd = pc.indices_nonzero(records.field(self._builder.wire.get_field_index(CUT))).to_pylist()
        if len(odd) != len(cut):
            raise UnfitError
        return Whole(records, meta, lengths, odd, cut)

    def convert(self, records: pa.StructArray) -> pa.Table:
        """Make the columns of the frame. Raises UnfitError where a value needs the lossless path."""
        return self._builder.build(records)

    def most(self, records: Sequence[bytes], *, convert: bool = False) -> Parsed | None:
        """
        Read records of which a few do not fit.

        Args:
            records: A JSON text each.
            convert: Find those too that only `convert` refuses.

        Returns:
            None where too many do not fit, or they cannot be told from the others.
        """
        odd = self.misfits.among(records)
        for attempt in range(_ATTEMPTS):
            try:
                found, meta = self._each([self._empty if at in odd else text for at, text in enumerate(records)])
                if convert:
                    self.convert(found)
                return Parsed(found, meta, odd, surprised=attempt > 0)
            except UnfitError as error:
                faults = self._faults(error.problem, records) - odd
            new = [at for at in faults if self.misfits.learn(records[at], records)]
            odd |= faults.difference(at for at in new if self.misfits.fits(records[at]))
            if new:
                odd |= self.misfits.among(records)
            elif not faults:
                break
        return None

    def none(self, records: Sequence[bytes]) -> Parsed:
        """Read none of the records."""
        found, meta = self._each([self._empty] * len(records))
        return Parsed(found, meta, set(range(len(records))), surprised=True)

    def _faults(self, problem: str, records: Sequence[bytes]) -> set[int]:
        """Where the fault is, by Arrow's words: in a row, at a value, which may stand elsewhere too; else anywhere."""
        if row := _ROW.search(problem):
            return {int(row[1])}
        value = _VALUE.search(problem)
        found = {at for at, text in enumerate(records) if value and value[1].encode() in text}
        return {at for at in found or range(len(records)) if not self.misfits.fits(records[at])} or found

    def page(self, table: pa.Table) -> Page:
        """Give a table its drift; the columns of undeclared fields that are not there are left out."""
        drift = Drift()
        for name, column in self._unknown.items():
            if count := len(table) - table[column].null_count:
                drift.unknown[name] = count
            else:
                table = table.drop_columns(column)
        return Page(table, drift=drift)

    def _each(self, records: Sequence[bytes]) -> tuple[pa.StructArray, pa.Array | None]:
        parts = [part for record in records for part in (_RECORD[0], record, _RECORD[1])]
        return self._unwrapped(self._parse(self._text(parts), len(records)))

    def _unwrapped(self, lists: pa.ListArray) -> tuple[pa.StructArray, pa.Array | None]:
        """Records that were read in a list each, and their stream meta."""
        if pc.any(pc.not_equal(pc.list_value_length(lists), 1)).as_py():
            raise UnfitError
        found, meta = lists.flatten(), None
        if self._wrapped:
            if found.null_count or found.field(2).null_count < len(found):
                raise UnfitError
            found, meta = found.field(1), found.field(0)
        if found.null_count:
            raise UnfitError
        return found, meta

    def _parse(self, text: pa.Buffer, count: int) -> pa.ListArray:
        """Read so many lines of one list of one list each; return the inner ones."""
        if not is_utf8(text):  # Arrow's parser would pass it on
            raise UnfitError
        reading = arrow_json.ReadOptions(block_size=text.size + 64, use_threads=False)
        try:
            lists = arrow_json.read_json(pa.BufferReader(text), reading, self._options).column(0)
        except pa.ArrowInvalid as error:
            problem = str(error)
        else:
            return _inner(lists, count)
        raise UnfitError(problem)

    def _text(self, parts: Sequence[bytes | memoryview]) -> pa.Buffer:
        if self._free or self._habits.emptied or len(parts) > _FEW:
            return pa.py_buffer(self._fit(b"".join(parts)))
        # Arrow keeps memory for the next text, where Python has the system clear new pages each time: 5 times as fast.
        buffer = pa.allocate_buffer(sum(map(len, parts)))
        view, end = memoryview(buffer).cast("B"), 0
        for part in parts:
            start, end = end, end + len(part)
            view[start:end] = part
        return buffer

    def _fit(self, text: bytes) -> bytes:
        """Write what Arrow's parser has no type for in the way that it reads."""
        text = self._free.quoted(text)
        for name in self._habits.emptied:
            # Inside a text its quotes would have backslashes before them.
            text = text.replace(b'"%b":[]' % name.encode(), b'"%b":{}' % name.encode())
        return text


def _inner(lists: pa.ChunkedArray, count: int) -> pa.ListArray:
    """The one list in each of so many lists."""
    if len(lists) != count or lists.null_count or lists.num_chunks != 1:
        raise UnfitError
    if pc.any(pc.not_equal(pc.list_value_length(lists), 1)).as_py():
        raise UnfitError
    inner = lists.chunk(0).flatten()
    if inner.null_count:
        raise UnfitError
    return inner


def on_one_line(text: bytes, *, feeds: bool = True) -> bytes:
    """The JSON text without line ends, which Arrow takes for the end of a record; line feeds may stay."""
    # Outside strings a tab means the same, inside both are wrong.
    if feeds and b"\n" in text:
        text = text.replace(b"\n", b"\t")
    return text.replace(b"\r", b"\t") if b"\r" in text else text
