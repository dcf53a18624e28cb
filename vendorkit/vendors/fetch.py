"""Sends one call and splits its response into pages."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from threading import Event
from typing import Final

from vendorkit.deadline import cancellable
from vendorkit.errors import MalformedAnswer, VendorkitError
from vendorkit.frames import Page, json_page, lines_page, xml_page
from vendorkit.http.answers import ANSWER_LIMIT_BYTES, answered_at
from vendorkit.http.call import Call
from vendorkit.http.exchanges import body_notes
from vendorkit.http.session import Session

BLOCK_BYTES: Final = 1 << 22


def pages_of(session: Session, call: Call, stop: Event) -> Iterator[Page]:
    """
    Send *call* and yield its page, or the blocks of a stream as they arrive.

    Raises:
        VendorkitError: See `Session.send`; also if the response does not have the expected format.
    """
    with cancellable(stop):
        if not call.lines:
            response = session.send(call)
            read = xml_page if call.accept == "xml" else json_page
            page = replace(read(response.content, call.records, at=answered_at(response)), url=response.url)
            body_notes(response).records = page.rows
            yield page
            return
        with session.stream(call) as (chunks, notes):
            rows = notes.records = 0
            for block in blocks_of_lines(chunks):
                try:
                    page = lines_page(block, first_line=rows + 1)
                except MalformedAnswer as exc:
                    # They quote the line, in which the vendor may have echoed a credential.
                    quoted = (exc.vendor_code, exc.vendor_message)
                    exc.vendor_code, exc.vendor_message = (text and session.redactor.clean(text) for text in quoted)
                    raise
                rows = notes.records = rows + page.rows
                yield page


def blocks_of_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """
    Yield blocks of whole lines: the first after one complete line, then about 4 MiB each.

    What follows the last line end comes by itself. If the stream fails, the whole lines before are yielded first.

    Raises:
        MalformedAnswer: A line is longer than a whole response may be.
    """
    pending: list[bytes] = []
    size, wanted = 0, 1
    try:
        for chunk in chunks:
            if size > ANSWER_LIMIT_BYTES:
                what = f"The stream has a line of more than {ANSWER_LIMIT_BYTES:,} bytes."
                raise MalformedAnswer(what, remedy="Try again; if the error persists, report it to the vendor.")
            pending.append(chunk)
            size += len(chunk)
            if size >= wanted and b"\n" in chunk and not chunk.isspace():
                pending = [(yield from _whole_lines(pending))]
                size, wanted = len(pending[0]), BLOCK_BYTES
    except VendorkitError:
        yield from _whole_lines(pending)
        raise
    if (rest := (yield from _whole_lines(pending))).strip():
        yield rest


def _whole_lines(parts: Iterable[bytes]) -> Generator[bytes, None, bytes]:
    """Yield the lines in *parts*, if they are not all blank; return what follows the last line end."""
    text = b"".join(parts)
    end = text.rfind(b"\n") + 1
    if end and not (lines := text[:end]).isspace():
        yield lines
    return text[end:]
