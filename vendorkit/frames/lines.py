"""
NDJSON streams to Arrow tables, a block of whole lines at a time.

Lines end at a line feed and nowhere else: U+2028 and U+0085 are ordinary
characters in JSON strings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.columns import UnfitError
from vendorkit.frames.fast import META, on_one_line
from vendorkit.frames.mixed import mixed_reader
from vendorkit.frames.page import Page
from vendorkit.frames.values import loads, malformed, plain

if TYPE_CHECKING:
    from vendorkit.frames.schema import Schema

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LARGEST = 2**62


class LinesReader:
    """
    Reads blocks of an NDJSON stream, one `{"meta": {"total", "index"}, "result": {...}}` a line.

    Args:
        schema: What to read of each record.
        record: The key of the record in its line.
    """

    def __init__(self, schema: Schema, record: str = "result") -> None:
        self._schema = schema
        self._record = record
        self._mixed = mixed_reader(schema, record)

    def read(self, block: bytes, *, first_line: int = 1) -> Page:
        """
        Read whole lines.

        Args:
            block: Lines, each ended by a line feed; the last may lack it. Blank lines are skipped.
            first_line: The number of the first line in the stream, for messages.

        Returns:
            A page whose envelope has `total`, `first_index` and `last_index`, each None where the vendor sent none.

        Raises:
            MalformedAnswer: A line is no strict JSON, an error of the vendor, or out of sequence.
        """
        block = on_one_line(block.removeprefix(_BYTE_ORDER_MARK), feeds=False)
        ended = block if block.endswith(b"\n") else block + b"\n"

        def load(line: bytes, at: int) -> tuple[dict[str, Any], dict[str, Any]]:
            return self._line(line, f"Line {first_line + at} of the stream")

        try:
            (found,) = self._mixed.whole(lambda fast: fast.lines(ended), load)
        except UnfitError:
            places = [(line, at) for at, line in enumerate(block.split(b"\n")) if line.strip()]
            (found,) = self._mixed.read([[line for line, _ in places]], lambda at: load(*places[at]))
        metas = [meta if isinstance(meta, pa.Array) else pa.array(meta, META) for meta in found.metas]
        return replace(found.page, envelope=_sequence(pa.chunked_array(metas, META), first_line))

    def _line(self, line: bytes, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
        data = loads(line, what)
        if not isinstance(data, dict):
            what = f"{what} is not an object."
            raise malformed(what)
        if data.get("error") is not None:
            raise _refusal(plain(data["error"]), what)
        record, meta = data.get(self._record), data.get("meta")
        if not isinstance(record, dict):
            what = f"{what} has no object {self._record!r}."
            raise malformed(what)
        # Other fields of the line are kept like undeclared fields of the record.
        beside = {f"line.{key}": item for key, item in data.items() if key not in ("meta", "error", self._record)}
        meta = meta if isinstance(meta, dict) else {}
        return {**record, **beside}, {key: _count(meta.get(key)) for key in ("total", "index")}


def _refusal(error: Any, what: str) -> MalformedAnswer:
    """The vendor ends a stream that it cannot finish with a line such as `{"error": {"code", "message"}}`."""
    detail = error if isinstance(error, dict) else {"message": error}
    return MalformedAnswer(
        f"{what} is an error instead of a record.",
        remedy="Nothing after it can be trusted; try again.",
        vendor_code=str(detail.get("code", ""))[:100] or None,
        vendor_message=str(detail.get("message", ""))[:500] or None,
    )


def _count(value: Any) -> int | None:
    whole = plain(value)
    return whole if isinstance(whole, int) and not isinstance(whole, bool) and abs(whole) <= _LARGEST else None


def _sequence(meta: pa.ChunkedArray, first_line: int) -> dict[str, int | None]:
    """Check that the records follow each other, and return where in the stream they stand."""
    totals, indexes = pc.struct_field(meta, [0]), pc.struct_field(meta, [1])
    if len(meta) == 0 or indexes.null_count == len(indexes):
        return {"total": None, "first_index": None, "last_index": None}
    found = indexes.to_numpy()
    steps = np.flatnonzero(np.diff(found) != 1)
    if indexes.null_count or len(steps):
        at = int(steps[0]) + 1 if len(steps) else 0
        what = f"The stream is broken at line {first_line + at}: its records do not follow each other."
        raise malformed(what)
    return {"total": totals[-1].as_py(), "first_index": int(found[0]), "last_index": int(found[-1])}
