"""
JSON pages to Arrow tables.

The records array is cut out of its envelope without reading it: what stands
around it is parsed with a mark in its place, which proves that the cut was
right. Several pages go to Arrow's parser at once. A group that does not fit is
read page by page, and only the page at fault one value at a time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vendorkit.errors import MalformedAnswer, VendorkitError
from vendorkit.frames.fast import FastParser
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.pages import Page
from vendorkit.frames.values import loads, malformed, plain
from vendorkit.frames.wire import UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vendorkit.frames.schema import Schema

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARK = "the records stood here"
_GROUP_BYTES = 6 << 20  # measured: enough to occupy two threads, and still only a few pages
_BLANKS = bytes.maketrans(b"\r\n", b"\t\t")


def before_failing(bodies: Iterable[bytes]) -> Iterator[bytes | VendorkitError]:
    """Yield *bodies*; an error of ours that ends them is yielded as the last item."""
    try:
        yield from bodies
    except VendorkitError as exc:
        yield exc


class JsonReader:
    """
    Reads pages of records.

    Args:
        schema: What to read of each record.
        records: The key of the records in the envelope. None: the body is the list, or one record.
    """

    def __init__(self, schema: Schema, records: str | None = "results") -> None:
        self._records = records
        self._fast = FastParser.of(schema)
        self._lossless = LosslessReader(schema)
        self._start = re.compile(rb'"%s"[ \t\r\n]*:[ \t\r\n]*\[' % re.escape(records or "").encode())

    def read(self, body: bytes) -> Page:
        """
        Read one page.

        Raises:
            MalformedAnswer: The body is not strict JSON in UTF-8, or not of the expected shape.
        """
        return self._group([body])[0]

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[Page]:
        """Read pages in order, some at a time, which is faster. Raises as `read` does."""
        group: list[bytes] = []
        for body in before_failing(bodies):
            if isinstance(body, VendorkitError):
                # What came before a failure is handed over before it is raised.
                yield from self._group(group) if group else ()
                raise body
            group.append(body)
            if sum(map(len, group)) >= _GROUP_BYTES:
                yield from self._group(group)
                group = []
        if group:
            yield from self._group(group)

    def _group(self, bodies: list[bytes]) -> list[Page]:
        cuts = [self._cut(body) for body in bodies] if self._fast else [None]
        found = [cut for cut in cuts if cut is not None]
        if self._fast and len(found) == len(bodies):
            try:
                parsed = self._fast.parse([array for array, _ in found])
            except UnfitError:
                pass
            else:
                return [Page(table, envelope) for (table, _), (_, envelope) in zip(parsed, found, strict=True)]
        return [self._slow(bodies[0])] if len(bodies) == 1 else [self.read(body) for body in bodies]

    def _cut(self, body: bytes) -> tuple[bytes | memoryview, dict[str, Any]] | None:
        """The records array and the envelope; None where they cannot be told apart without reading all."""
        if b"\n" in body or b"\r" in body:
            # Arrow takes a line end for the end of a record. Outside strings a tab
            # means the same, inside both are wrong.
            body = body.translate(_BLANKS)
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
        return memoryview(body)[start:end], plain(envelope)

    def _slow(self, body: bytes) -> Page:
        envelope, records = self._parts(loads(body))
        table, drift = self._lossless.read(records)
        return Page(table, plain(envelope), drift)

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
