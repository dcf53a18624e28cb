"""Arrow's JSON parser, several pages in one call so that its threads have work."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from vendorkit.frames.wire import FrameBuilder, UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vendorkit.frames.schema import Schema


class FastParser:
    """Arrow's JSON parser under the declared types; it reads all that is given, or refuses it."""

    def __init__(self, schema: Schema, wrapped_as: str | None = None) -> None:
        self._builder = FrameBuilder(schema)
        self._wrapped = wrapped_as
        record = self._builder.wire
        if wrapped_as:
            meta = pa.struct([("total", pa.int64()), ("index", pa.int64())])
            # A boolean where an object is expected: any error line is refused here, and explained by the other path.
            record = pa.struct([("meta", meta), (wrapped_as, record), ("error", pa.bool_())])
        self._options = arrow_json.ParseOptions(
            explicit_schema=pa.schema([("", pa.list_(pa.list_(record)))]),
            # What a projection leaves out is skipped; otherwise a new field must be noticed.
            unexpected_field_behavior="error" if schema.only is None else "ignore",
        )

    @classmethod
    def of(cls, schema: Schema, wrapped_as: str | None = None) -> FastParser | None:
        """The parser for the schema; None where a kind has no Arrow type on the wire."""
        try:
            return cls(schema, wrapped_as)
        except UnfitError:
            return None

    def parse(self, arrays: Sequence[bytes | memoryview]) -> list[tuple[pa.Table, pa.Array | None]]:
        """
        Read JSON arrays of records, one table for each, and the records' stream meta.

        Raises:
            UnfitError: One of them is malformed, or needs the lossless path.
        """
        tables, metas, sizes = [], [], list[int]()
        for chunk in self._pages(arrays):
            if pc.any(pc.not_equal(pc.list_value_length(chunk), 1)).as_py():
                raise UnfitError
            lists = chunk.flatten()
            if lists.null_count:
                raise UnfitError
            sizes += pc.list_value_length(lists).to_pylist()
            records, meta = self._unwrap(lists.flatten())
            tables.append(self._builder.build(records))
            metas.append(meta)
        return self._parted(pa.Table.from_batches(tables), metas, sizes)

    def _pages(self, arrays: Sequence[bytes | memoryview]) -> list[pa.Array]:
        """The arrays as lists of lists of records: one row an array, each holding one list."""
        # Two brackets: no text inside them can close the first and go on with something else unnoticed.
        # A leading object also keeps Arrow from a top-level null, on which its parser crashes (26.0.1).
        text = b"".join(part for array in arrays for part in (b'{"":[', array, b"]}\n"))
        _check_utf8(text)
        # A block must hold the longest array; two blocks occupy two threads.
        block = max(*map(len, arrays), len(text) // 2) + 64
        reading = arrow_json.ReadOptions(block_size=block, use_threads=len(arrays) > 1)
        try:
            pages = arrow_json.read_json(pa.BufferReader(text), reading, self._options).column(0)
        except pa.ArrowInvalid as error:
            raise UnfitError from error
        if len(pages) != len(arrays) or pages.null_count:
            raise UnfitError
        return list(pages.chunks)

    def _unwrap(self, records: pa.StructArray) -> tuple[pa.StructArray, pa.Array | None]:
        if self._wrapped is None:
            return records, None
        if records.null_count or records.field(2).null_count < len(records):
            raise UnfitError
        return records.field(1), records.field(0)

    def _parted(
        self, table: pa.Table, metas: list[pa.Array | None], sizes: list[int]
    ) -> list[tuple[pa.Table, pa.Array | None]]:
        meta = pa.chunked_array(metas) if self._wrapped else None
        ends = [0]
        for size in sizes:
            ends.append(ends[-1] + size)
        return [
            (table.slice(start, end - start), meta.slice(start, end - start) if meta is not None else None)
            for start, end in pairwise(ends)
        ]


def _check_utf8(text: bytes) -> None:
    """Refuse what is not UTF-8: the parser passes it on. Arrow's check is ten times faster than decoding."""
    offsets = pa.py_buffer(struct.pack("<qq", 0, len(text)))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(text)]).validate(full=True)
    except pa.ArrowInvalid as error:
        raise UnfitError from error
