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
from itertools import chain
from typing import TYPE_CHECKING, Any

from vendorkit.errors import MalformedAnswer, VendorkitError
from vendorkit.frames.columns import UnfitError
from vendorkit.frames.cuts import cut_by_braces, cut_where_alike
from vendorkit.frames.fast import on_one_line
from vendorkit.frames.mixed import mixed_reader
from vendorkit.frames.page import Page, read_ahead
from vendorkit.frames.values import loads, malformed, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vendorkit.frames.schema import Schema

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOGETHER = 8  # pages at a time: calls are saved, and it is still only a few
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
        self._mixed = mixed_reader(schema)
        self._cutting: tuple[Callable[[bytes], list[bytes]], ...] = (cut_where_alike, cut_by_braces)
        self._start = re.compile(rb'"%s"[ \t\r\n]*:[ \t\r\n]*\[' % re.escape(records or "").encode())

    def read(self, body: bytes) -> Page:
        """
        Read one page.

        Raises:
            MalformedAnswer: The body is not strict JSON in UTF-8, or not of the expected shape.
        """
        return self._group([body])[0]

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[Page]:
        """Read pages in order, several at a time, which is faster. Raises as `read` does."""
        return chain.from_iterable(read_ahead(self._group, filter(None, self._groups(bodies))))

    def _groups(self, bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
        group: list[bytes] = []
        try:
            for body in bodies:
                group.append(body)
                if len(group) == _TOGETHER:
                    yield group
                    group = []
        except VendorkitError:
            # What came before a failure is handed over before it is raised.
            yield group
            raise
        yield group

    def _group(self, bodies: list[bytes]) -> list[Page]:
        found = [self._cut(body) for body in bodies]
        cuts = [cut for cut in found if cut is not None]
        pages = None
        if self._mixed.fast is not None and len(cuts) == len(found):
            arrays = [array for array, _ in cuts]
            try:
                read = self._mixed.whole(lambda fast: fast.arrays(arrays), lambda text, _: (loads(text), None))
                pages = [page for page, _ in read]
            except UnfitError:
                pages = self._by_records(arrays)
        if pages is None:
            # The cuts are wrong, or a page is; whole it tells which, and where.
            return [self._slow(bodies[0])] if len(bodies) == 1 else [self.read(body) for body in bodies]
        return [replace(page, envelope=envelope) for page, (_, envelope) in zip(pages, cuts, strict=True)]

    def _by_records(self, arrays: list[memoryview]) -> list[Page] | None:
        """Read pages record by record, so that the few that do not fit cost little; None where a cut goes wrong."""
        for cut in self._cutting:
            parts = [cut(on_one_line(bytes(array))) for array in arrays]

            texts = [*chain.from_iterable(parts)]

            def load(at: int, texts: list[bytes] = texts) -> tuple[Any, None]:
                return loads(texts[at]), None

            try:
                found = self._mixed.read(parts, load)
            except MalformedAnswer:
                # Where one way to cut goes wrong, it does so on most pages.
                self._cutting = (cut_by_braces,)
            else:
                return [one.page for one in found]
        return None

    def _cut(self, body: bytes) -> tuple[memoryview, dict[str, Any]] | None:
        """The records array and the envelope; None where they cannot be told apart without reading all."""
        if self._records is None:
            bare = body.removeprefix(_BYTE_ORDER_MARK).strip()
            return (memoryview(bare), {}) if bare.startswith(b"[") else None
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
