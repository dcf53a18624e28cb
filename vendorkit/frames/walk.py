"""
XML records to the frame's columns.

One walk over the elements of all records collects the texts of declared fields
and links, and Arrow types whole columns. Expanded links, documents, undeclared
elements and columns with a value that needs a closer look ("odd" members, as in
`typed`) are read one value at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from vendorkit.frames.columns import UnfitError, in_years
from vendorkit.frames.elements import (
    NUMBERS,
    RESOURCE_TYPE,
    UNTYPED,
    Elements,
    Members,
    check_depth,
    rel_of,
    twice,
    type_of,
)
from vendorkit.frames.kinds import BLANKS, Column, Kind, Struct, Type, frame_type
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.page import Batch
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import dumps
from vendorkit.strictjson import REPEATED

_SCALARS: Final = NUMBERS | {
    *(Kind.TEXT, Kind.CODE, Kind.ID, Kind.DURATION, Kind.LINK, Kind.BOOLEAN, Kind.DATETIME, Kind.DATE)
}
_REL, _HREF = b"rel", b"href"  # lxml looks up bytes faster
_SPELLINGS: Final = {  # one for each value, so that no digit is lost and no `type` makes another value of it
    Kind.BOOLEAN: "^(true|false)$",
    Kind.INTEGER: "^(0|-?[1-9][0-9]{0,17})$",
    Kind.NUMBER: r"^-?((0|[1-9][0-9]{0,6})(\.[0-9]{1,8})?|[1-9][0-9]{7,14})$",  # a double is exact to 15 digits
}
_TRUTHS: Final = pa.array(["true", "false"])
# In a column of codes these are texts only if their elements have no type.
_NO_CODE: Final = r"^(true|false|-0|-?(0|[1-9][0-9]*)(\.[0-9]+|(\.[0-9]+)?[eE][+-]?[0-9]+))$"

Odd = dict[str, dict[int, Any]]
"""Values of odd members by name and row."""


class XmlTyper:
    """Reads records under a schema; threads may share it."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._all = schema, schema.only is None
        self._lossless = LosslessReader(schema)
        self._elements = Elements(schema.style, unique=self._all)
        self._names = {leaf.path[0]: leaf.name for leaf in schema.leaves}
        columns = _with_objects(schema.columns)
        self._declared = Members.of(columns)
        self._tags = {one.wire: tag for tag, one in self._declared.tags.items() if one.wire in self._names}
        self._rels = {name.removesuffix("_link"): name for name in self._names}
        self._kinds = {one.wire: one.kind for one in columns if one.wire in self._names and one.kind in _SCALARS}
        self._asked = set(self._tags.values())

    def read(self, records: Sequence[etree._Element]) -> Batch:
        """
        Read the records.

        Raises:
            MalformedAnswer: Lists and objects are nested too deep, or a name occurs twice in one object.
        """
        odd: Odd = defaultdict(dict)
        columns = {}
        for name, texts in self._walk(records, odd).items():
            array = pa.array(texts, pa.string())
            typed = array if name == RESOURCE_TYPE else _typed(array, self._kinds[name])
            if typed is None:
                self._again(name, array.is_valid(), records, odd[name])
            else:
                columns[self._names[name]] = typed
        undeclared = {name: odd.pop(name) for name in odd.keys() - self._names.keys()}
        shown = {name: {row: dumps(item) for row, item in cells.items()} for name, cells in undeclared.items()}
        return self._lossless.completed(columns, len(records), odd, shown)

    def _again(self, name: str, there: pa.Array, records: Sequence[etree._Element], found: dict[int, Any]) -> None:
        """Read a field one value at a time, in the rows where it is."""
        tag, kind = self._tags[name], self._kinds[name]
        rows = (row for row, is_there in enumerate(there.to_pylist()) if is_there and row not in found)
        found |= {row: self._elements.value(next(records[row].iterchildren(tag)), kind) for row in rows}

    def _walk(self, records: Sequence[etree._Element], odd: Odd) -> dict[str, list[Any]]:
        """Return the texts of fields and links by name, None in rows that have none; keep odd members."""
        cells: dict[str, list[Any]] = {name: [None] * len(records) for name in self._kinds}
        if RESOURCE_TYPE in cells:
            cells[RESOURCE_TYPE] = [type_of(record) for record in records]
        fields = {tag: cells[name] for name, tag in self._tags.items() if name in cells}
        links: dict[str | None, list[Any]] = {
            rel: cells[name] for rel, name in self._rels.items() if self._kinds.get(name) is Kind.LINK
        }
        for row, record in enumerate(records):
            for child in record:
                tag = child.tag
                if tag == "link":
                    slot, text = links.get(child.get(_REL)), child.get(_HREF)
                else:
                    slot, text = fields.get(tag), child.text
                    if not text or text != text.strip():
                        text, is_odd = _text_of(record, child)
                        slot = None if is_odd else slot
                if slot is None or slot[row] is not None or len(child):
                    self._keep(child, row, cells, odd)
                else:
                    slot[row] = text
        return cells

    def _keep(self, child: etree._Element, row: int, cells: Mapping[str, list[Any]], odd: Odd) -> None:
        """Read an element that is not the one text of its column."""
        if len(child):
            check_depth(child)
        rel = rel_of(child)
        is_asked = self._all or (rel in self._rels if rel is not None else child.tag in self._asked)
        for name, item in self._elements.members(child, self._declared) if is_asked else ():
            if name not in self._names and not self._all:
                continue
            slot = cells.get(name)
            is_twice = row in odd[name] or (slot is not None and slot[row] is not None)
            if is_twice and self._all:
                raise twice(name)
            odd[name][row] = REPEATED if is_twice else item
            if slot is not None:
                slot[row] = ""  # so that another one is seen to be the second


def _text_of(record: etree._Element, element: etree._Element) -> tuple[str | None, bool]:
    """The text of an element that is empty, or has blanks around its text; and whether it needs a closer look."""
    text, given = element.text or "", element.get("type")
    if given in UNTYPED and (text.strip(BLANKS) or element.get("nil") != "true"):
        return text, False
    if text := text.strip(BLANKS):
        return text, False
    # Of a null no cell would show that there is another one.
    return None, given in ("array", "document") or len(list(record.iterchildren(element.tag))) > 1


def _with_objects(columns: Iterable[Column]) -> list[Column]:
    """The columns with one for each object that paths such as `meta.createdAt` lead into."""
    below = defaultdict[str, list[Column]](list)
    for column in columns:
        first, _, path = column.wire.partition(".")
        below[first].append(replace(column, source=path) if path else column)
    return [
        found[0] if len(found) == 1 and found[0].wire == name else Column(name, Struct(tuple(_with_objects(found))))
        for name, found in below.items()
    ]


def _typed(array: pa.Array, kind: Type) -> pa.Array | None:
    """Texts in their type; None if a value needs a closer look."""
    if kind is Kind.LINK:
        return array
    if kind in (Kind.TEXT, Kind.DURATION):
        return None if _any(pc.is_in(array, _TRUTHS)) else array
    if kind in (Kind.CODE, Kind.ID):
        return None if _any(pc.match_substring_regex(array, _NO_CODE)) else array
    array = pc.if_else(pc.equal(array, ""), None, array)
    if kind in _SPELLINGS and _any(pc.invert(pc.match_substring_regex(array, _SPELLINGS[kind]))):
        return None
    if kind is Kind.EPOCH:
        return None
    try:
        array = array.cast(frame_type(kind, ()))
        return in_years(array) if pa.types.is_temporal(array.type) else array
    except (pa.ArrowInvalid, UnfitError):
        return None


def _any(found: pa.BooleanArray) -> bool:
    return bool(pc.any(found, min_count=0).as_py())
