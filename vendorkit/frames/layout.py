"""
XML records that are written alike, read by one pattern instead of a tree.

A vendor writes the records of a collection with the same elements in the same
order, each there or left out. Once that order is known, one regular expression
reads a record, and no element becomes an object: faster than building the tree,
let alone walking it.

The pattern accounts for every byte of the records. A page where it cannot, or
that holds what needs a parser to understand (other entities than XML's own
five, character references, CDATA, comments), is left to the parser, whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lxml import etree

_LESSONS = 8  # pages; records that still differ after so many have no layout
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_VALUE = re.compile(r"[A-Za-z0-9_ ./-]*")  # of an attribute; what is written in one way only
_NESTED = {"array", "document"}
_SPACE = 0x20
_NO_CHARACTER = re.compile(rb"\xef\xbf[\xbe\xbf]")
_OWN_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)")
# `&amp;` comes last, for what it leaves is no entity.
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
# Before the bracket `--` or `?` may end a comment or an instruction, and the records would be in it.
_END_OF_ROOT = re.compile(rb"</[^<>&?]*(?<!--)>\s*")
# Between elements. A record that does not fit is tried with fewer blanks in each place, which may not take long.
_BLANKS = r"\s{0,99}"
_LONGEST = 10_000_000  # bytes; lxml refuses longer texts, so that a page that might hold one is left to it


class Alike(NamedTuple):
    """
    The records of one page.

    Attributes:
        tag: Of each.
        around: The page without them.
        columns: Their texts by wire name; a field that no record of the layout has is missing.
        rows: How many there are.
    """

    tag: str
    around: bytes
    columns: dict[str, pa.Array]
    rows: int


@dataclass(frozen=True)
class _Slot:
    """One element of a record. `attributes` is None while it was seen with `nil` only, `key` where nobody wants it."""

    tag: str
    rel: str
    attributes: tuple[tuple[str, str], ...] | None
    key: str | None

    def pattern(self) -> str:
        """Match the element. The one group is its text, or the link's address."""
        if self.tag == "link":
            href = r'([^"<\t\n]*)' if self.key else r'[^"<]*'
            given = "".join(
                f' {name}="{href if name == "href" else re.escape(value)}"' for name, value in self.attributes or ()
            )
            return f"<link{given}(?: ?/>|></link>)"
        given = "".join(f' {name}="{re.escape(value)}"' for name, value in self.attributes or ())
        tag, text = re.escape(self.tag), "([^<]*)" if self.key else "[^<]*"
        return f'<{tag}(?:{given}>{text}</{tag}>|(?: type="[a-z]+")? nil="true" ?/>)'


class _Record(NamedTuple):
    """A record's tag, its elements in order, and the pattern of a record or of all the rest."""

    tag: str
    slots: tuple[_Slot, ...]
    pattern: re.Pattern[bytes]

    @classmethod
    def of(cls, tag: str, slots: tuple[_Slot, ...]) -> _Record:
        inner, name = "".join(f"(?:{slot.pattern()}{_BLANKS})?" for slot in slots), re.escape(tag)
        return cls(tag, slots, re.compile(rf"<{name}>{_BLANKS}{inner}</{name}>\s*|(.+)".encode(), re.DOTALL))


class Layout:
    """
    How the records of one collection are written.

    Args:
        fields: Wire names of the wanted fields, by their elements' tags.
        links: Wire names of the wanted links, by their rels.
        keep_all: Whether other elements are wanted too, which then have no place in a layout.
    """

    def __init__(self, fields: Mapping[str, str], links: Mapping[str, str], *, keep_all: bool) -> None:
        self._fields, self._links, self._keep_all = fields, links, keep_all
        self._record: _Record | None = None
        self._lessons = 0

    def read(self, body: bytes) -> Alike | None:
        """Read a page in valid UTF-8; None where the layout is not known or not kept, or a parser is needed."""
        record = self._record
        start = body.find(b"<%b>" % record.tag.encode()) if record else -1
        if record is None or start < 0 or len(body) > _LONGEST:
            return None
        head, records = body[:start], body[start:]
        if not _is_plain(records):
            return None
        *rows, last = [match.groups() for match in record.pattern.finditer(records)]
        if not rows or last[-1] is None or not _END_OF_ROOT.fullmatch(last[-1]):
            return None
        texts: Iterable[pa.Array] = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
        if b"&" in records:
            texts = map(_unescaped, texts)
        keys = [slot.key for slot in record.slots if slot.key]
        return Alike(record.tag, head + last[-1], dict(zip(keys, texts, strict=False)), len(rows))

    def learn(self, records: Sequence[etree._Element]) -> None:
        """Take in how the records of a page are written that `read` could not read."""
        if self._lessons == _LESSONS or not records:
            return
        self._lessons += 1
        slots = self._merged(records)
        if slots is None:
            self._record, self._lessons = None, _LESSONS
        elif self._record is None or slots != self._record.slots:
            self._record = _Record.of(records[0].tag, slots)

    def _merged(self, records: Sequence[etree._Element]) -> tuple[_Slot, ...] | None:
        """The elements of all records, in the one order that suits each; None where there is none."""
        tag = records[0].tag
        slots = list(self._record.slots) if self._record and self._record.tag == tag else []
        if not _NAME.fullmatch(tag) or any(record.tag != tag or record.attrib for record in records):
            return None
        # Most records have the same elements as one before.
        different = {
            tuple((child.tag, child.get("rel"), child.get("nil")) for child in record): record for record in records
        }
        for record in different.values():
            at = 0
            for child in record:
                slot = self._slot(child)
                place = _place(slots, slot, at) if slot else None
                if place is None:
                    return None
                at = place + 1
        keys = [slot.key for slot in slots if slot.key]
        return tuple(slots) if len(set(keys)) == len(keys) else None

    def _slot(self, child: etree._Element) -> _Slot | None:
        """What an element is in the layout; None where it has no place in one."""
        tag, rel, given = child.tag, child.get("rel", ""), {str(name): str(value) for name, value in child.items()}
        key = self._links.get(rel) if tag == "link" else self._fields.get(tag)
        if tag == "link":
            given["href"] = ""
        nil = given.pop("nil", None) if tag != "link" else None
        if not _NAME.fullmatch(tag) or len(child) or (key is None and self._keep_all) or given.get("type") in _NESTED:
            return None
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in given.items()):
            return None
        return _Slot(tag, rel if tag == "link" else "", None if nil else tuple(given.items()), key)


def _place(slots: list[_Slot], slot: _Slot, start: int) -> int | None:
    """Where the element stands among the others, at which it is put if it is new; None where that is no one place."""
    found = next((at for at, known in enumerate(slots) if (known.tag, known.rel) == (slot.tag, slot.rel)), None)
    if found is None:
        slots.insert(start, slot)
        return start
    if slots[found].attributes is None:
        slots[found] = slot
    return found if found >= start and slot.attributes in (None, slots[found].attributes) else None


def _is_plain(body: bytes) -> bool:
    """Whether all characters mean themselves, but for XML's own five entities."""
    if (
        (b"]" in body and b"]]>" in body)
        or (b"\xef" in body and _NO_CHARACTER.search(body))
        or _OWN_ENTITY.search(body)
    ):
        return False
    codes = np.frombuffer(body, np.uint8)
    if codes.min() >= _SPACE:
        return True
    # Of the control characters, line feed and tab alone are what they are: a carriage return is read as a line feed.
    return bool(np.count_nonzero(codes < _SPACE) == body.count(b"\n") + body.count(b"\t"))


def _unescaped(texts: pa.Array) -> pa.Array:
    _, _, characters = texts.buffers()
    if characters is None or b"&" not in characters.to_pybytes():
        return texts
    for entity, character in _ENTITIES:
        texts = pc.replace_substring(texts, entity, character)
    return texts
