"""
Blocks of an NDJSON stream to pages of records.

Lines end at a line feed and nowhere else: U+2028 and U+0085 are ordinary
characters in JSON strings.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.json import BYTE_ORDER_MARK, JsonPage
from vendorkit.frames.raw import NULL, cut, is_object, is_utf8, member_of
from vendorkit.frames.values import dumps, loads, malformed, plain
from vendorkit.strictjson import MAX_DEPTH, on_any_stack

_LARGEST: Final = 2**62
_MARK: Final = b"0"


class _Line(NamedTuple):
    """A line: its number, the text of its record, and the line with a mark in place of that."""

    number: int
    record: bytes
    rest: bytes

    def __str__(self) -> str:
        return f"Line {self.number} of the stream"


def lines_page(block: bytes, *, record: str = "result", first_line: int = 1, at: float | None = None) -> JsonPage:
    """
    Split whole lines of a stream into their records, one `{"meta": {"total", "index"}, "result": {...}}` per line.

    Other members of a line are kept as undeclared fields `line.<name>` of its record.

    Args:
        block: Lines, each ended by a line feed; the last may lack it. Blank lines are skipped.
        record: The member that holds the record.
        first_line: The number of the first line in the stream, for messages.
        at: The date of the answer in unix seconds.

    Returns:
        A page whose envelope is `{"meta": {"total", "first_index", "last_index"}}`, each None if the vendor sent none.

    Raises:
        MalformedAnswer: A line is not strict JSON, is an error of the vendor, or is out of sequence.
    """
    texts = block.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    numbered = [(number, text) for number, text in enumerate(texts, first_line) if text.strip()]
    lines = [_line(number, text, record) for number, text in numbered]
    raws, metas = list[bytes](), list[Mapping[str, Any]]()
    for line, rest in zip(lines, _rests(lines), strict=True):
        if not isinstance(rest, dict):
            what = f"{line} is not an object."
            raise malformed(what)
        if rest.get("error") is not None:
            raise _refusal(plain(rest["error"]), str(line))
        if not is_object(line.record):
            what = f"{line} has no object {record!r}."
            raise malformed(what)
        others = {f"line.{name}": item for name, item in rest.items() if name not in ("meta", "error", record)}
        raws.append(_with(line.record, others) if others else line.record)
        metas.append(rest["meta"] if isinstance(rest.get("meta"), dict) else {})
    return JsonPage(raws, {"meta": _sequence(metas, lines)}, at)


def _line(number: int, text: bytes, record: str) -> _Line:
    decode = member_of(record)
    try:
        found, start, end = on_any_stack(cut)(lambda masked: [decode(masked).f0], text)
    except (msgspec.MsgspecError, RecursionError):
        found = None
    line = _Line(number, found[0], text[:start] + _MARK + text[end:]) if found else _Line(number, NULL, text)
    if found is None or not is_utf8(text):
        loads(text, str(line))
    return line


def _rests(lines: Sequence[_Line]) -> list[Any]:
    """The values of the lines without their records; in one go, unless one of them is at fault."""
    try:
        rests: list[Any] = loads(b"[%b]" % b",".join(line.rest for line in lines), depth=MAX_DEPTH + 1)
    except MalformedAnswer:
        return [loads(line.rest, str(line)) for line in lines]
    return rests


def _with(raw: bytes, others: Mapping[str, Any]) -> bytes:
    """The text of a record with further members."""
    head = bytes(raw)[:-1].rstrip()
    return b"%b%b%b" % (head, b"" if head == b"{" else b",", dumps(others)[1:].encode())


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


def _sequence(metas: Sequence[Mapping[str, Any]], lines: Sequence[_Line]) -> dict[str, int | None]:
    """Check that the records follow each other, and return where in the stream they are."""
    found = [_count(meta.get("index")) for meta in metas]
    if all(index is None for index in found):
        return {"total": None, "first_index": None, "last_index": None}
    for line, index, expected in zip(lines, found, itertools.count(found[0] or 0), strict=False):
        if index != expected:
            what = f"The stream is broken at line {line.number}: its records do not follow each other."
            raise malformed(what)
    return {"total": _count(metas[-1].get("total")), "first_index": found[0], "last_index": found[-1]}
