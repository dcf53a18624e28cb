"""
Splits JSON responses, and blocks of an NDJSON stream, into pages of records.

`msgspec` checks the grammar of the whole response and finds the records, which
stay bytes until their columns are known. The rest of the response is the
envelope, which the strict decoder reads. Only a line feed ends a line: U+2028
and U+0085 are ordinary characters in JSON strings.
"""

from __future__ import annotations

import itertools
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import msgspec

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.page import Batch, Page
from vendorkit.frames.raw import cut, is_object, is_utf8, members_of, quoted
from vendorkit.frames.schema import Schema
from vendorkit.frames.typed import JsonTyper
from vendorkit.frames.values import count_of, dumps, loads, malformed, plain
from vendorkit.strictjson import MAX_DEPTH, on_any_stack

_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ONE: Final = msgspec.json.Decoder(msgspec.Raw).decode


class JsonPage(Page):
    """The records of one JSON response: the text of each, an object."""

    def records(self) -> list[dict[str, Any]]:
        """Return the records as the vendor sent them, with ordinary Python numbers."""
        records: list[dict[str, Any]] = loads(b"[%b]" % b",".join(self.raws), exact=False, depth=MAX_DEPTH + 1)
        return records

    def under(self, name: str) -> JsonPage:
        """Return a page in which each record *r* is `{name: r}`."""
        return replace(self, raws=[b"{%b:%b}" % (quoted(name), raw) for raw in self.raws])

    @staticmethod
    def reader(schema: Schema) -> Callable[[Sequence[bytes]], Batch]:
        """Return a function that reads such records under *schema*."""
        return on_any_stack(JsonTyper(schema).read)


def json_page(body: bytes, records: str | None, *, at: float | None = None) -> JsonPage:
    """
    Split a response into its records.

    Args:
        body: The response in UTF-8; a byte order mark is allowed.
        records: The member with the list of records. None: the body is a list of records, or one record.
        at: The date of the response in unix seconds.

    Raises:
        MalformedAnswer: The body is not JSON in UTF-8, its envelope is not strict JSON, or a record is not an object.
    """
    body = body.removeprefix(BOM_UTF8)
    if not is_utf8(body):
        loads(body)
    try:
        raws, envelope = on_any_stack(_parts)(body, records)
    except (msgspec.MsgspecError, RecursionError):
        raws = None
    if raws is None:  # not in the except block, where the error would be chained to one that contains the body
        raise _other_shape(loads(body), records)
    for number, raw in enumerate(raws):
        if not is_object(raw):
            what = f"Record {number} of the answer is not an object."
            raise malformed(what)
    return JsonPage(raws, envelope, at)


def page_of(
    records: Sequence[Mapping[str, Any]], *, envelope: Mapping[str, Any] | None = None, at: float | None = None
) -> JsonPage:
    """Return a page of records computed from a response: JSON values with plain Python numbers."""
    page = json_page(json.dumps(list(records)).encode(), None, at=at)
    return replace(page, envelope=envelope or {})


@lru_cache(maxsize=64)
def _list_in(name: str) -> Callable[[bytes], Any]:
    envelope = msgspec.defstruct("Envelope", [("records", list[msgspec.Raw])], rename={"records": name})
    return msgspec.json.Decoder(envelope).decode


def _parts(body: bytes, name: str | None) -> tuple[list[bytes], Mapping[str, Any]]:
    """Return the records and the envelope. Raises msgspec's errors, whose messages are not meant for users."""
    if name is None:
        is_record = body.lstrip(b" \t\r\n").startswith(b"{")
        return cut((lambda text: [_ONE(text)]) if is_record else _LIST, body)[0], {}
    list_in = _list_in(name)
    raws, start, end = cut(lambda text: list_in(text).records, body)
    # Without the records the body is still JSON, and short enough for the strict decoder.
    envelope = plain(loads(body[:start] + body[end:]))
    del envelope[name]
    return raws, envelope


def _other_shape(data: Any, name: str | None) -> MalformedAnswer:
    """Return the error for strict JSON that is not the expected list of records."""
    names: dict[type, str] = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    what = f"The answer is {names.get(type(data), 'a number')} instead of an object."
    if isinstance(data, dict):
        what = f"The answer has no list {name!r}; it has: {', '.join(sorted(data))[:200] or 'nothing'}."
    return malformed(what)


def lines_page(block: bytes, *, first_line: int = 1) -> JsonPage:
    """
    Split whole lines of a stream into records; each line is `{"meta": {"total", "index"}, "result": {...}}`.

    Other members of a line become undeclared fields `line.<name>` of its record.

    Args:
        block: Lines that end with a line feed, which may be missing after the last. Blank lines are skipped.
        first_line: The number of the first line in the stream, for messages.

    Returns:
        A page whose envelope is `{"meta": {"total", "first_index", "last_index"}}`, with None for what is missing.

    Raises:
        MalformedAnswer: A line is not strict JSON, is an error of the vendor, or is out of sequence.
    """
    block = block.removeprefix(BOM_UTF8)
    numbered = [(number, text) for number, text in enumerate(block.split(b"\n"), first_line) if text.strip()]
    read_usual = _usual_line if is_utf8(block) else lambda _: None
    lines = [read_usual(text) or _line(f"Line {number} of the stream", text) for number, text in numbered]
    metas = [meta for _, meta in lines]
    return JsonPage([raw for raw, _ in lines], {"meta": _sequence(metas, [number for number, _ in numbered])})


class _Meta(msgspec.Struct, gc=False):
    total: int
    index: int


class _Line(msgspec.Struct, gc=False):
    meta: _Meta
    result: msgspec.Raw


_AS_LINE: Final = msgspec.json.Decoder(_Line).decode
_RESULT: Final = members_of(["result"])
# The text of a line's record, and the line's `meta`.
Line = tuple[bytes, Mapping[str, Any]]


def _usual_line(text: bytes) -> Line | None:
    """Read a line without whitespace and other members; return None for other lines."""
    try:
        line = _AS_LINE(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    # The line has nothing else in it if it is exactly as long as its values need.
    others = b'{"meta":{"total":%d,"index":%d},"result":}' % (line.meta.total, line.meta.index)
    is_usual = len(others) + len(line.result) == len(text) and is_object(line.result)
    return (line.result, {"total": line.meta.total, "index": line.meta.index}) if is_usual else None


def _line(line: str, text: bytes) -> Line:
    """Read any line. Raises MalformedAnswer if it is not strict JSON, has no record, or is an error of the vendor."""
    try:
        raws, start, end = on_any_stack(cut)(lambda masked: [_RESULT(masked).f0], text)
    except (msgspec.MsgspecError, RecursionError):
        raws = []
    is_read = bool(raws) and is_utf8(text)
    rest = loads(text[:start] + b"0" + text[end:] if is_read else text, line)
    if not isinstance(rest, dict):
        what = f"{line} is not an object."
        raise malformed(what)
    if rest.get("error") is not None:
        raise _refusal(plain(rest["error"]), line)
    if not is_read or not is_object(raws[0]):
        what = f"{line} has no object 'result'."
        raise malformed(what)
    others = {f"line.{name}": item for name, item in rest.items() if name not in ("meta", "error", "result")}
    meta = rest["meta"] if isinstance(rest.get("meta"), dict) else {}
    return _with_members(raws[0], others) if others else raws[0], meta


def _with_members(raw: bytes, others: Mapping[str, Any]) -> bytes:
    """Return the text of a record with further members."""
    head = bytes(raw)[:-1].rstrip()
    return b"%b%b%b" % (head, b"" if head == b"{" else b",", dumps(others)[1:].encode())


def _refusal(error: Any, what: str) -> MalformedAnswer:
    """
    Return the error for a line such as `{"error": {"code", "message"}}`, with which a vendor aborts a stream.

    It quotes the vendor whole, because half a credential would not be masked.
    """
    detail = error if isinstance(error, dict) else {"message": error}
    return MalformedAnswer(
        f"{what} is an error instead of a record.",
        remedy="The vendor could not finish the stream; try again.",
        vendor_code=str(detail.get("code", "")) or None,
        vendor_message=str(detail.get("message", "")) or None,
    )


def _sequence(metas: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> dict[str, int | None]:
    """Check that the records are consecutive, and return their positions in the stream."""
    indexes = [count_of(meta.get("index")) for meta in metas]
    if all(index is None for index in indexes):
        return {"total": None, "first_index": None, "last_index": None}
    for line, index, expected in zip(lines, indexes, itertools.count(indexes[0] or 0), strict=False):
        if index != expected:
            what = f"The stream is broken at line {line}: its records are not consecutive."
            raise malformed(what)
    return {"total": count_of(metas[-1].get("total")), "first_index": indexes[0], "last_index": indexes[-1]}
