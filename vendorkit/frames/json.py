"""
JSON answers to pages of records.

`msgspec` checks the grammar of the whole answer and finds the records, which
stay bytes until their columns are known. The rest of the answer is the
envelope; the strict decoder reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import msgspec

from vendorkit.frames.page import Batch, Page
from vendorkit.frames.raw import NULL, cut, is_object, is_utf8, member_of, quoted
from vendorkit.frames.schema import Schema
from vendorkit.frames.typed import JsonTyper
from vendorkit.frames.values import dumps, loads, malformed, plain
from vendorkit.strictjson import MAX_DEPTH, on_any_stack

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_AROUND: Final = 2  # levels of an answer around its records
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ONE: Final = msgspec.json.Decoder(msgspec.Raw).decode


class JsonPage(Page):
    """The records of one answer in JSON: the text of each, an object."""

    def values(self, path: str) -> list[Any]:
        """The member at *path* of each record as a plain value; None if there is none."""
        found = self.raws
        for name in path.split("."):
            found = [_member(raw, name) for raw in found]
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


def _member(raw: bytes, name: str) -> bytes:
    try:
        found: bytes | None = member_of(name)(raw).f0
    except msgspec.MsgspecError:
        value = loads(bytes(raw))
        found = dumps(value.get(name)).encode() if isinstance(value, dict) else None
    return NULL if found is None else found


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
