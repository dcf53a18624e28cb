"""
Reads XML records into the frame's columns.

One walk over the elements of all records collects the texts of declared fields
and links, and Arrow converts whole columns. "Odd" members, as in `typed`, are
read one value at a time: expanded links, documents, undeclared elements, and
columns with a value that Arrow might convert differently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from vendorkit.frames.columns import in_years
from vendorkit.frames.elements import (
    NUMBERS,
    RESOURCE_TYPE,
    UNTYPED,
    Elements,
    Members,
    check_depth,
    duplicate_name,
    is_nil,
    rel_of,
    type_of,
)
from vendorkit.frames.kinds import BLANKS, Column, Kind, Struct, Type, UnfitError, frame_type
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.page import Batch
from vendorkit.frames.schema import Schema
from vendorkit.strictjson import REPEATED

_SCALARS: Final = (NUMBERS - {Kind.EPOCH}) | {
    *(Kind.TEXT, Kind.CODE, Kind.ID, Kind.DURATION, Kind.LINK, Kind.BOOLEAN, Kind.DATETIME, Kind.DATE)
}
_REL, _HREF = b"rel", b"href"  # lxml looks up bytes faster
_UNAMBIGUOUS: Final = {  # texts that convert without loss and mean the same with every `type` attribute
    Kind.BOOLEAN: "^(true|false)$",
    Kind.INTEGER: "^(0|-?[1-9][0-9]{0,17})$",
    Kind.NUMBER: r"^-?((0|[1-9][0-9]{0,6})(\.[0-9]{1,8})?|[1-9][0-9]{7,14})$",  # a double is exact to 15 digits
}
_TRUTHS: Final = pa.array(["true", "false"])
# Texts that are codes only if their elements have no `type`.
_AMBIGUOUS_CODE: Final = r"^(true|false|-0|-?(0|[1-9][0-9]*)(\.[0-9]+|(\.[0-9]+)?[eE][+-]?[0-9]+))$"

# Values of odd members by name and row.
Odd = dict[str, dict[int, Any]]


class XmlTyper:
    """Reads records under a schema; thread-safe."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._all = schema, schema.only is None
        self._lossless = LosslessReader(schema)
        self._elements = Elements(schema.style, unique=self._all)
        self._names = {leaf.path[0]: leaf.name for leaf in schema.leaves}
        columns = _with_objects(schema.columns)
        self._declared = Members.of(columns)
        self._tags = {column.wire: tag for tag, column in self._declared.tags.items() if column.wire in self._names}
        self._rels = {name.removesuffix("_link"): name for name in self._names}
        fields = [column for column in columns if column.wire in self._names]
        self._kinds = {column.wire: column.kind for column in fields if column.kind in _SCALARS}

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
                self._reread(name, array.is_valid(), records, odd[name])
            else:
                columns[self._names[name]] = typed
        return self._lossless.merged(columns, len(records), odd)

    def _reread(self, name: str, present: pa.Array, records: Sequence[etree._Element], values: dict[int, Any]) -> None:
        """Add the values of a field to *values*, converted one at a time, for the rows that have the field."""
        tag, kind = self._tags[name], self._kinds[name]
        rows = (row for row, is_present in enumerate(present.to_pylist()) if is_present and row not in values)
        values |= {row: self._elements.value(next(records[row].iterchildren(tag)), kind) for row in rows}

    def _walk(self, records: Sequence[etree._Element], odd: Odd) -> dict[str, list[Any]]:
        """Return the texts of fields and links by name, None where missing; add odd members to *odd*."""
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
                    self._add_odd(child, row, cells, odd)
                else:
                    slot[row] = text
        return cells

    def _add_odd(self, child: etree._Element, row: int, cells: Mapping[str, list[Any]], odd: Odd) -> None:
        """Add an element to *odd* if it is not a plain text, or if its column already has a text in this row."""
        if len(child):
            check_depth(child)
        rel = rel_of(child)
        is_selected = self._all or (rel in self._rels if rel is not None else child.tag in self._tags.values())
        for name, item in self._elements.members(child, self._declared) if is_selected else ():
            if name not in self._names and not self._all:
                continue
            slot = cells.get(name)
            # The target of a link may have the name of a field, whose cell stays empty if it is null.
            fields = child.itersiblings(self._tags[name], preceding=True) if rel and name in self._tags else ()
            is_duplicate = any(True for _ in fields) or row in odd[name] or (slot is not None and slot[row] is not None)
            if is_duplicate and self._all:
                raise duplicate_name(name)
            odd[name][row] = REPEATED if is_duplicate else item
            if slot is not None:
                slot[row] = ""  # marks the cell as used, so that a second element is recognised as a duplicate


def _text_of(record: etree._Element, element: etree._Element) -> tuple[str | None, bool]:
    """Return the text of an element that is empty or has blanks around its text, and whether the element is odd."""
    text, xml_type = element.text or "", element.get("type")
    if xml_type in UNTYPED and not is_nil(element):
        return text, False
    if text := text.strip(BLANKS):
        return text, False
    # The cell of a null stays empty, so it would not reveal a second element of this name. There may be thousands.
    return None, xml_type in ("array", "document") or len([*islice(record.iterchildren(element.tag), 2)]) > 1


def _with_objects(columns: Iterable[Column]) -> list[Column]:
    """Group columns with paths such as `meta.createdAt` into one column per object."""
    groups = defaultdict[str, list[Column]](list)
    for column in columns:
        first, _, path = column.wire.partition(".")
        groups[first].append(replace(column, source=path) if path else column)
    return [
        group[0] if len(group) == 1 and group[0].wire == name else Column(name, Struct(tuple(_with_objects(group))))
        for name, group in groups.items()
    ]


def _typed(array: pa.Array, kind: Type) -> pa.Array | None:
    """Convert an array of texts to its type; None if a value must be converted singly."""
    if kind is Kind.LINK:
        return array
    if kind in (Kind.TEXT, Kind.DURATION):
        return None if _any(pc.is_in(array, _TRUTHS)) else array
    if kind in (Kind.CODE, Kind.ID):
        return None if _any(pc.match_substring_regex(array, _AMBIGUOUS_CODE)) else array
    array = pc.if_else(pc.equal(array, ""), None, array)
    if kind in _UNAMBIGUOUS and _any(pc.invert(pc.match_substring_regex(array, _UNAMBIGUOUS[kind]))):
        return None
    try:
        array = array.cast(frame_type(kind, ()))
        return in_years(array) if pa.types.is_temporal(array.type) else array
    except (pa.ArrowInvalid, UnfitError):
        return None


def _any(mask: pa.BooleanArray) -> bool:
    return bool(pc.any(mask, min_count=0).as_py())
