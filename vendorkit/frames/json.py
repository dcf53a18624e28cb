"""
JSON pages to Arrow tables.

The records array is cut out of its envelope without reading it: what stands
around it is parsed with a mark in its place, which proves that the cut was
right. A page that Arrow refuses is cut into records, and only those at fault
are read one value at a time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.fast import cut_records, on_one_line
from vendorkit.frames.mixed import MixedReader
from vendorkit.frames.pages import Page, read_ahead
from vendorkit.frames.values import loads, malformed, plain
from vendorkit.frames.wire import UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vendorkit.frames.schema import Schema

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARK = "the records stood here"


class JsonReader:
    """
    Reads pages of records.

    Args:
        schema: What to read of each record.
        records: The key of the records in the envelope. None: the body is the list, or one record.
    """

    def __init__(self, schema: Schema, records: str | None = "results") -> None:
        self._records = records
        self._mixed = MixedReader(schema)
        self._start = re.compile(rb'"%s"[ \t\r\n]*:[ \t\r\n]*\[' % re.escape(records or "").encode())

    def read(self, body: bytes) -> Page:
        """
        Read one page.

        Raises:
            MalformedAnswer: The body is not strict JSON in UTF-8, or not of the expected shape.
        """
        cut = self._cut(body)
        if cut is None or self._mixed.fast is None:
            return self._slow(body)
        array, envelope = cut
        try:
            page = self._mixed.fast.array(array)
        except UnfitError:
            records = cut_records(array)
            try:
                page, _ = self._mixed.read(records, lambda at: (loads(records[at]), None))
            except MalformedAnswer:
                # The cuts are wrong, or the page is; whole it tells which, and where.
                return self._slow(body)
        return replace(page, envelope=envelope)

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[Page]:
        """Read pages in order, two at a time. Raises as `read` does."""
        return read_ahead(self.read, bodies)

    def _cut(self, body: bytes) -> tuple[bytes, dict[str, Any]] | None:
        """The records array and the envelope; None where they cannot be told apart without reading all."""
        body = on_one_line(body)
        if self._records is None:
            bare = body.removeprefix(_BYTE_ORDER_MARK).strip()
            return (bare, {}) if bare.startswith(b"[") else None
        match = self._start.search(body)
        if match is None:
            return None
        start, end = match.end() - 1, body.rfind(b"]") + 1
        try:
            envelope = loads(b'%b"%b"%b' % (body[:start], _MARK.encode(), body[end:]))
        except MalformedAnswer:
            return None
        if not isinstance(envelope, dict) or envelope.pop(self._records, None) != _MARK:
            return None
        return body[start:end], plain(envelope)

    def _slow(self, body: bytes) -> Page:
        envelope, records = self._parts(loads(body))
        return replace(self._mixed.lossless.read(records), envelope=plain(envelope))

    def _parts(self, data: Any) -> tuple[dict[str, Any], list[Any]]:
        if self._records is None and isinstance(data, (dict, list)):
            return {}, data if isinstance(data, list) else [data]
        if not isinstance(data, dict):
            what = f"The answer is {_name(data)} instead of an object."
        elif not isinstance(data.get(self._records or ""), list):
            there = ", ".join(sorted(data))[:200] or "nothing"
            what = f"The answer has no list {self._records!r}; it has: {there}."
        else:
            return {key: value for key, value in data.items() if key != self._records}, data[self._records or ""]
        raise malformed(what)


def _name(value: Any) -> str:
    names: dict[type, str] = {list: "a list", str: "a text", bool: "a boolean", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number")
