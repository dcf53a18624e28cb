"""Medipim's answers about products and media: pages, or blocks of a stream's lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Final

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import JsonReader, LinesReader, Page, Schema
from vendorkit.frames.page import read_ahead
from vendorkit.http.answers import ANSWER_LIMIT_BYTES, json_object
from vendorkit.pages import Records
from vendorkit.settings import Redactor

BLOCK_BYTES: Final = 1 << 22


class WindowReader:
    """Reads pages of the window several at a time, and blocks of the stream."""

    def __init__(self, schema: Schema, redactor: Redactor) -> None:
        self._pages, self._lines = JsonReader(schema, records="results"), LinesReader(schema, record="result")
        self._redactor = redactor

    def read(self, body: bytes) -> Page:
        """Read one page, or one block of lines."""
        if not is_lines(body):
            return self._pages.read(body)
        try:
            block = self._lines.read(body)
        except MalformedAnswer as exc:
            exc.vendor_message = exc.vendor_message and self._redactor.clean(exc.vendor_message)
            raise
        return replace(block, envelope={"meta": block.envelope})

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[Page]:
        """Read pages, or blocks of lines, in order."""
        bodies = iter(bodies)
        first = next(bodies, None)
        if first is None:
            return iter(())
        found = chain([first], bodies)
        return read_ahead(self.read, found) if is_lines(first) else self._pages.read_all(found)


def is_lines(body: bytes) -> bool:
    """Tell a block of lines from a page."""
    # A page begins with its meta too, but has `results` beside it; a line of the stream has `result`.
    return b'"results"' not in body[:400]


def read_lines(block: bytes, asked: str) -> Records:
    """Read one block of lines as plain dicts; `MalformedAnswer` where it is not of records that follow each other."""
    lines = [json_object(line, asked) for line in block.split(b"\n") if line.strip()]
    records = [line["result"] for line in lines if isinstance(line.get("result"), dict) and "error" not in line]
    metas = [line["meta"] for line in lines if isinstance(line.get("meta"), dict)]
    first, total = (metas[0].get("index"), metas[-1].get("total")) if metas else (None, None)
    places = isinstance(first, int) and isinstance(total, int) and range(first, first + len(lines))
    if not places or [meta.get("index") for meta in metas] != list(places) or len(records) < len(lines):
        what = f"{asked} holds something else than records that follow each other."
        raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.")
    return Records(records, {"meta": {"total": total, "first_index": first, "last_index": places[-1]}})


def whole_lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """
    Yield blocks of about 4 MiB that end with a line; what follows the last line end is yielded as it is.

    Raises:
        MalformedAnswer: There is no line end for longer than any record is.
    """
    pending: list[bytes] = []
    size = 0
    for part in parts:
        if size > ANSWER_LIMIT_BYTES:
            what = f"The stream has a line of more than {ANSWER_LIMIT_BYTES:,} bytes."
            raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.")
        cut = part.rfind(b"\n") + 1
        if cut and size + cut >= BLOCK_BYTES:
            yield b"".join((*pending, part[:cut]))
            pending, size = [part[cut:]], len(part) - cut
        else:
            pending.append(part)
            size += len(part)
    if (rest := b"".join(pending)).strip():
        yield rest
