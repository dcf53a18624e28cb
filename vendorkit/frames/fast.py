"""
Arrow's JSON parser on bytes, and the search for the few records that it does not read.

Arrow reads all that it is given, or nothing. What it refuses is parted, at the
row it names or in the middle, until only the records at fault are left.
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from vendorkit.frames.drift import Drift
from vendorkit.frames.free import FreeTexts
from vendorkit.frames.pages import Page
from vendorkit.frames.wire import FrameBuilder, UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vendorkit.frames.schema import Schema

    Parsed = tuple[Page, pa.Array | None]

META = pa.struct([("total", pa.int64()), ("index", pa.int64())])
_ROW = re.compile(r" in row (\d+)$")
_BETWEEN = re.compile(rb"\}[ \t]*,[ \t]*(?=\{)")
_BLANKS = bytes.maketrans(b"\r\n", b"\t\t")


class FastParser:
    """
    Arrow's JSON parser under the declared types.

    Args:
        schema: What to read.
        wrapped_as: The key of the record in its line, where records come with their stream meta.
        unknown: Undeclared fields that are read as well, and the names of their appended columns.

    Raises:
        UnfitError: A name stands for free values in one place, and not in another.
    """

    def __init__(self, schema: Schema, wrapped_as: str | None, unknown: Mapping[str, str]) -> None:
        self._builder = FrameBuilder(schema, unknown)
        self._unknown = unknown
        self._free = FreeTexts(self._builder.free)
        self._wrapped = wrapped_as
        record = self._builder.wire
        if wrapped_as:
            # A boolean where an object is expected: any error line is refused here, and explained by the other path.
            record = pa.struct([("meta", META), (wrapped_as, record), ("error", pa.bool_())])
        self._options = arrow_json.ParseOptions(
            explicit_schema=pa.schema([("", pa.list_(pa.list_(record)))]),
            # What a projection leaves out is skipped; otherwise a new field must be noticed.
            unexpected_field_behavior="error" if schema.only is None else "ignore",
        )

    def array(self, array: bytes) -> Page:
        """Read a JSON array of records. Raises UnfitError where it is malformed or needs the lossless path."""
        return self._build(self._lists(b'{"":[%b]}\n' % array, 1))[0]

    def runs(self, records: Sequence[bytes]) -> Iterator[tuple[int, int, Parsed | None]]:
        """Read records; yield runs of them in order, each as (start, end, what they are or None if they do not fit)."""
        pending = [(0, len(records))]
        while pending:
            start, end = pending.pop()
            try:
                yield start, end, self._each(records[start:end])
            except UnfitError as error:
                if end - start == 1:
                    yield start, end, None
                    continue
                cuts = [start, (start + end) // 2, end]
                if error.row is not None and start + error.row < end:
                    # What follows is halved, lest many records at fault be read over and over.
                    at = start + error.row
                    cuts = [start, at, at + 1, (at + 1 + end) // 2, end]
                pending += [cut for cut in list(pairwise(cuts))[::-1] if cut[0] < cut[1]]

    def _each(self, records: Sequence[bytes]) -> Parsed:
        lists = self._lists(
            b"".join(part for record in records for part in (b'{"":[[', record, b"]]}\n")), len(records)
        )
        if pc.any(pc.not_equal(pc.list_value_length(lists), 1)).as_py():
            raise UnfitError
        return self._build(lists)

    def _lists(self, text: bytes, rows: int) -> pa.ListArray:
        """Read lines of one list of one list each; return the inner ones."""
        # Two brackets: no text inside them can close the first and go on with something else unnoticed.
        # A leading object also keeps Arrow from a top-level null, on which its parser crashes (26.0.1).
        text = self._free.quoted(text)
        _check_utf8(text)
        reading = arrow_json.ReadOptions(block_size=len(text) + 64, use_threads=False)
        try:
            lists = arrow_json.read_json(pa.BufferReader(text), reading, self._options).column(0)
        except pa.ArrowInvalid as error:
            row = _ROW.search(str(error))
            raise UnfitError(int(row[1]) if row else None) from error
        if len(lists) != rows or lists.null_count or lists.num_chunks != 1:
            raise UnfitError
        if pc.any(pc.not_equal(pc.list_value_length(lists), 1)).as_py():
            raise UnfitError
        inner = lists.chunk(0).flatten()
        if inner.null_count:
            raise UnfitError
        return inner

    def _build(self, lists: pa.ListArray) -> Parsed:
        records, meta = lists.flatten(), None
        if self._wrapped:
            if records.null_count or records.field(2).null_count < len(records):
                raise UnfitError
            records, meta = records.field(1), records.field(0)
        table, drift = self._builder.build(records), Drift()
        for name, column in self._unknown.items():
            if count := len(table) - table[column].null_count:
                drift.unknown[name] = count
            else:
                table = table.drop_columns(column)
        return Page(table, drift=drift), meta


def on_one_line(body: bytes) -> bytes:
    """The JSON text without line ends, which Arrow takes for the end of a record."""
    # Outside strings a tab means the same, inside both are wrong.
    return body.translate(_BLANKS) if b"\n" in body or b"\r" in body else body


def cut_records(array: bytes) -> list[bytes]:
    """
    Cut a JSON array into its records, by counting braces and not looking at texts.

    The cuts may be wrong where texts hold braces. That shows when the records are parsed: if each is whole JSON,
    then JSON's grammar leaves no other way to part the array.
    """
    records, start, depth, position = list[bytes](), 0, 0, 0
    inner = array.strip()[1:-1]
    for match in _BETWEEN.finditer(inner):
        depth += inner.count(b"{", position, match.start() + 1) - inner.count(b"}", position, match.start() + 1)
        position = match.start() + 1
        if depth == 0:
            records.append(inner[start:position])
            start = match.end()
    return [*records, inner[start:]]


def _check_utf8(text: bytes) -> None:
    """Refuse what is not UTF-8: the parser passes it on. Arrow's check is ten times faster than decoding."""
    offsets = pa.py_buffer(struct.pack("<qq", 0, len(text)))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(text)]).validate(full=True)
    except pa.ArrowInvalid as error:
        raise UnfitError from error
