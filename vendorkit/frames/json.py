"""
JSON answers, and blocks of an NDJSON stream, to pages of records.

`msgspec` checks the grammar of the whole answer and finds the records, which
stay bytes until their columns are known. The rest of the answer is the
envelope; the strict decoder reads it. Lines end at a line feed and nowhere
else: U+2028 and U+0085 are ordinary characters in JSON strings.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.page import Batch, Page
from vendorkit.frames.raw import NULL, cut, is_object, is_utf8, member_of, quoted
from vendorkit.frames.schema import Schema
from vendorkit.frames.typed import JsonTyper
from vendorkit.frames.values import LARGEST, count_of, dumps, loads, malformed, plain
from vendorkit.strictjson import MAX_DEPTH, on_any_stack

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_AROUND: Final = 2  # levels of an answer around its records
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ONE: Final = msgspec.json.Decoder(msgspec.Raw).decode
_MARK: Final = b"0"  # in place of a record


class JsonPage(Page):
    """The records of one answer in JSON: the text of each, an object."""

    def values(self, path: str) -> list[Any]:
        """The member at *path* of each record as a plain value; None if there is none."""
        found = self.raws
        try:
            for name in path.split("."):
                decode = member_of(name)
                found = [decode(raw).f0 or NULL for raw in found]
        except msgspec.MsgspecError:  # half a surrogate pair, or a value that is no object
            return super().values(path)
        return _values(found)

    def records(self) -> list[dict[str, Any]]:
        """The records as the vendor sent them, with ordinary Python numbers."""
        return _values(self.raws)

    def under(self, name: str) -> JsonPage:
        """The page in which each record *r* is `{name: r}`."""
        return replace(self, raws=[b"{%b:%b}" % (quoted(name), raw) for raw in self.raws])

    @staticmethod
    def reader(schema: Schema) -> Callable[[Sequence[bytes]], Batch]:
        """Return the function that reads such records under *schema*."""
        return JsonTyper(schema).read


def json_page(body: bytes, records: str | None, *, at: float | None = None) -> JsonPage:
    """
    Split an answer into its records.

    Args:
        body: The answer, in UTF-8; a byte order mark is allowed.
        records: The member that holds the list of records. None: the body is a list of records, or one record.
        at: The date of the answer in unix seconds.

    Raises:
        MalformedAnswer: The body is not JSON in UTF-8, its envelope is not strict JSON, or a record is not an object.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    if not is_utf8(body):
        loads(body)
    try:
        raws, envelope = on_any_stack(_parts)(body, records)
    except (msgspec.MsgspecError, RecursionError):
        raws = None
    if raws is None:  # outside of the handler, because the error there carries the body
        raws, envelope = _explain(loads(body, depth=MAX_DEPTH + _AROUND), records)
    for number, raw in enumerate(raws):
        if not is_object(raw):
            what = f"Record {number} of the answer is not an object."
            raise malformed(what)
    return JsonPage(raws, envelope, at)


def page_of(
    records: Sequence[Mapping[str, Any]], *, envelope: Mapping[str, Any] | None = None, at: float | None = None
) -> JsonPage:
    """Return a page of records that were computed from an answer: JSON values with plain Python numbers."""
    page = json_page(json.dumps(list(records)).encode(), None, at=at)
    return replace(page, envelope=envelope or {})


@lru_cache(maxsize=64)
def _list_in(name: str) -> Callable[[bytes], Any]:
    envelope = msgspec.defstruct("Envelope", [("records", list[msgspec.Raw])], rename={"records": name})
    return msgspec.json.Decoder(envelope).decode


def _values(raws: Sequence[bytes]) -> list[Any]:
    values: list[Any] = loads(b"[%b]" % b",".join(raws), exact=False, depth=MAX_DEPTH + 1)
    return values


def _parts(body: bytes, name: str | None) -> tuple[list[bytes], Mapping[str, Any]]:
    """The records and the envelope. Raises msgspec's errors, without words for the user."""
    if name is None:
        is_one = body.lstrip(b" \t\r\n").startswith(b"{")
        return cut((lambda text: [_ONE(text)]) if is_one else _LIST, body)[0], {}
    list_in = _list_in(name)
    raws, start, end = cut(lambda text: list_in(text).records, body)
    # Without its records the answer is still JSON, and so short that each name of it can be looked at.
    envelope = plain(loads(body[:start] + body[end:]))
    del envelope[name]
    return raws, envelope


def _explain(data: Any, name: str | None) -> tuple[list[bytes], Mapping[str, Any]]:
    """Say what is wrong with an answer that is JSON. Raises MalformedAnswer."""
    if name is None and isinstance(data, (list, dict)):
        data = {"": data if isinstance(data, list) else [data]}
    if not isinstance(data, dict):
        what = f"The answer is {_name(data)} instead of an object."
    elif not isinstance(data.get(name or ""), list):
        there = ", ".join(sorted(data))[:200] or "nothing"
        what = f"The answer has no list {name!r}; it has: {there}."
    else:
        envelope = {key: plain(value) for key, value in data.items() if key != name}
        return [dumps(record).encode() for record in data[name or ""]], envelope
    raise malformed(what)


def _name(value: Any) -> str:
    names: dict[type, str] = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


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
    block = block.removeprefix(BYTE_ORDER_MARK)
    compact = _compact(block, record) if block and is_utf8(block) else None
    if compact is not None:
        return replace(compact, at=at)
    numbered = [(number, text) for number, text in enumerate(block.split(b"\n"), first_line) if text.strip()]
    raws, metas = list[bytes](), list[Mapping[str, Any]]()
    for number, text in numbered:
        line = f"Line {number} of the stream"
        raw, rest = _line(line, text, record)
        if not isinstance(rest, dict):
            what = f"{line} is not an object."
            raise malformed(what)
        if rest.get("error") is not None:
            raise _refusal(plain(rest["error"]), line)
        if not is_object(raw):
            what = f"{line} has no object {record!r}."
            raise malformed(what)
        others = {f"line.{name}": item for name, item in rest.items() if name not in ("meta", "error", record)}
        raws.append(_with(raw, others) if others else raw)
        metas.append(rest["meta"] if isinstance(rest.get("meta"), dict) else {})
    return JsonPage(raws, {"meta": _sequence(metas, [number for number, _ in numbered])}, at)


class _Meta(msgspec.Struct, gc=False):
    total: int
    index: int


@lru_cache(maxsize=64)
def _compact_line(record: str) -> Callable[[bytes | memoryview], Any]:
    fields = [("meta", _Meta), ("record", msgspec.Raw)]
    return msgspec.json.Decoder(msgspec.defstruct("Line", fields, rename={"record": record}, gc=False)).decode


def _compact(block: bytes, record: str) -> JsonPage | None:
    """
    The page of lines without whitespace or further members that follow each other; None if one line is different.

    No line can be shorter than its values need: lines that are together as long as that have nothing else in them.
    The lines, and so the records, are views of the block.
    """
    decode, view, start, lines = _compact_line(record), memoryview(block), 0, list[Any]()
    feeds = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")).tolist()
    ends = feeds if block.endswith(b"\n") else [*feeds, len(block)]
    try:
        for end in ends:
            lines.append(decode(view[start:end]))
            start = end + 1
    except (msgspec.MsgspecError, RecursionError):
        return None
    raws = [line.record for line in lines]
    totals, indexes = [line.meta.total for line in lines], [line.meta.index for line in lines]
    around = json.dumps({"meta": {"total": "", "index": ""}, record: ""}, ensure_ascii=False, separators=(",", ":"))
    numbers = "".join(map(str, [*totals, *indexes]))
    needed = (len(around.encode()) - 3 * len('""')) * len(lines) + len(numbers) + sum(map(len, raws))
    first, last, total = indexes[0], indexes[-1], totals[-1]
    if needed + len(feeds) != len(block) or indexes != list(range(first, first + len(lines))):
        return None
    if not all(0 <= number <= LARGEST for number in (first, last, total)) or not all(map(is_object, raws)):
        return None
    return JsonPage(raws, {"meta": {"total": total, "first_index": first, "last_index": last}})


def _line(line: str, text: bytes, record: str) -> tuple[bytes, Any]:
    """The text of a line's record, and the values of the line with a mark in place of it."""
    decode = member_of(record)
    try:
        found, start, end = on_any_stack(cut)(lambda masked: [decode(masked).f0], text)
    except (msgspec.MsgspecError, RecursionError):
        found = []
    if not found or not is_utf8(text):
        return NULL, loads(text, line)
    return found[0], loads(text[:start] + _MARK + text[end:], line)


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


def _sequence(metas: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> dict[str, int | None]:
    """Check that the records follow each other, and return where in the stream they are."""
    found = [count_of(meta.get("index")) for meta in metas]
    if all(index is None for index in found):
        return {"total": None, "first_index": None, "last_index": None}
    for line, index, expected in zip(lines, found, itertools.count(found[0] or 0), strict=False):
        if index != expected:
            what = f"The stream is broken at line {line}: its records do not follow each other."
            raise malformed(what)
    return {"total": count_of(metas[-1].get("total")), "first_index": found[0], "last_index": found[-1]}
