"""
XML records to the frame's columns.

One walk over the elements of all records, right after lxml has made them,
collects the texts of each field and link, and Arrow types whole columns.
Expanded links, documents, undeclared elements and columns with a value that
needs a closer look are read one value at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from vendorkit.frames.elements import (
    BLANKS,
    NUMBERS,
    RESOURCE_TYPE,
    TEXTS,
    UNTYPED,
    Elements,
    Members,
    check_depth,
    rel_of,
    type_of,
)
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.page import Batch
from vendorkit.frames.schema import Column, Kind, Schema, Struct, Type, frame_type

_SCALARS: Final = TEXTS | NUMBERS | {Kind.BOOLEAN, Kind.DATETIME, Kind.DATE}
_REL, _HREF = b"rel", b"href"  # lxml looks up bytes faster
_MOST: Final = 1_000  # names that get cells; no resource has as many fields
_SPELLINGS: Final = {  # one for each value, so that no digit is lost and no `type` makes another value of it
    Kind.BOOLEAN: "^(true|false)$",
    Kind.INTEGER: "^(0|-?[1-9][0-9]{0,17})$",
    Kind.NUMBER: r"^-?((0|[1-9][0-9]{0,6})(\.[0-9]{1,8})?|[1-9][0-9]{7,14})$",  # a double is exact to 15 digits
}
_TRUTHS: Final = pa.array(["true", "false"])
# In a column of codes these are texts only if their elements have no type.
_NO_CODE: Final = r"^(true|false|-0|-?(0|[1-9][0-9]*)(\.[0-9]+|(\.[0-9]+)?[eE][+-]?[0-9]+))$"


@dataclass(frozen=True)
class Records:
    """
    Some records, and the texts of their fields and links.

    Attributes:
        elements: The element of each record.
        fields: The texts of fields by the name of their elements, one per record.
        links: The addresses of links by their rel, one per record.
        odd_fields: Names of fields that are not one text in each record.
        odd_links: Rels of links that are expanded, or occur twice in a record.
    """

    elements: Sequence[etree._Element]
    fields: Mapping[str, pa.Array]
    links: Mapping[str, pa.Array]
    odd_fields: AbstractSet[str]
    odd_links: AbstractSet[str]


def walk(elements: Sequence[etree._Element]) -> Records:
    """
    Collect the texts of records.

    Raises:
        MalformedAnswer: Lists and objects are nested too deep.
    """
    full: list[Any] = [True] * len(elements)
    cells = _cells(full)
    fields: dict[str, list[Any]] = defaultdict(cells)
    links: dict[str | None, list[Any]] = defaultdict(cells, {None: full})
    odd_fields, odd_links = set[str](), set[str]()
    for row, record in enumerate(elements):
        for child in record:
            tag = child.tag
            if tag == "link":
                slot, text = links[child.get(_REL)], child.get(_HREF)
            else:
                slot, text = fields[tag], child.text
                if not text or text[0] <= " " or text[-1] <= " ":
                    text = _text_of(record, child, odd_fields)
            if slot[row] is None and not len(child):
                slot[row] = text
                continue
            if len(child):
                check_depth(child)
            rel = rel_of(child)
            (odd_fields if rel is None else odd_links).add(tag if rel is None else rel)
    return Records(elements, _arrays(fields, full), _arrays(links, full), odd_fields, odd_links)


def _cells(full: list[Any]) -> Callable[[], list[Any]]:
    """Return what makes the empty cells of a name; *full* ones if an answer has more names than any resource."""
    left = iter(range(_MOST))
    return lambda: full if next(left, None) is None else [None] * len(full)


def _arrays(cells: Mapping[Any, list[Any]], full: list[Any]) -> dict[str, pa.Array]:
    return {name: pa.array(found, pa.string()) for name, found in cells.items() if found is not full}


def _text_of(record: etree._Element, element: etree._Element, odd: set[str]) -> str | None:
    """The text of an element that is empty, or has blanks around its text."""
    text = element.text or ""
    if not element.keys():
        return text
    given = element.get("type")
    if text.strip(BLANKS):
        return text if given in UNTYPED else text.strip(BLANKS)
    if element.get("nil") == "true":
        if len(list(record.iterchildren(element.tag))) > 1:  # no cell shows that there is another one
            odd.add(element.tag)
        return None
    if given in ("array", "document"):
        odd.add(element.tag)
    return text if given in UNTYPED else None


class XmlTyper:
    """Reads records under a schema; threads may share it."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._lossless = LosslessReader(schema)
        self._elements = Elements(schema.style, unique=schema.only is None)
        self._names = {leaf.path[0]: leaf.name for leaf in schema.leaves}
        columns = _with_objects(schema.columns)
        self._declared = Members.of(columns)
        self._tags = {one.wire: tag for tag, one in self._declared.tags.items()}
        self._texts = {one.wire: one.kind for one in columns if one.wire in self._names and one.kind in _SCALARS}
        self._others = self._names.keys() - self._texts.keys()
        self._keep_all = schema.only is None

    def read(self, parts: Sequence[Records]) -> Batch:
        """Read the records."""
        declared = self._schema.arrow
        columns = {name: self._column(name, kind, parts) for name, kind in self._texts.items()}
        again = {name for name, array in columns.items() if array is None}
        rest = [children for part in parts for children in self._rest(part, again)]
        table = {self._names[name]: array for name, array in columns.items()}
        if not again and not self._others and not any(rest):
            return Batch(pa.Table.from_arrays([table[name] for name in declared.names], schema=declared))
        slow = self._lossless.read([self._object(children, again) for children in rest], again | self._others)
        table |= dict(zip(slow.table.column_names, slow.table.columns, strict=True))
        names = dict.fromkeys((*declared.names, *slow.table.column_names))
        return Batch(pa.table({name: table[name] for name in names}), slow.drift)

    def _column(self, name: str, kind: Type, parts: Sequence[Records]) -> pa.Array | None:
        """A column of texts in its type; None if it holds something else."""
        if name == RESOURCE_TYPE:
            return pa.array([type_of(element) for part in parts for element in part.elements], pa.string())
        source = name.removesuffix("_link") if kind is Kind.LINK else self._tags[name]
        found = []
        for part in parts:
            arrays, odd = (part.links, part.odd_links) if kind is Kind.LINK else (part.fields, part.odd_fields)
            if source in odd or name in part.odd_links:
                return None
            found.append(arrays[source] if source in arrays else pa.nulls(len(part.elements), pa.string()))
        texts = found[0] if len(found) == 1 else pa.concat_arrays([pa.array([], pa.string()), *found])
        return _typed(texts, kind) if texts.null_count < len(texts) else pa.nulls(len(texts), frame_type(kind, ()))

    def _rest(self, part: Records, again: AbstractSet[str]) -> Sequence[Sequence[etree._Element]]:
        """The children of each record that are not read with a column of texts."""
        wanted = again | self._others
        tags, rels = set[str](), set[str]()
        for tag in part.fields.keys() | part.odd_fields:
            column = self._declared.tags.get(tag)
            if self._keep_all if column is None else column.wire in wanted:
                tags.add(tag)
        for rel in part.links.keys() | part.odd_links:
            names = {f"{rel}_link", *([rel] if rel in part.odd_links else [])}
            if names & wanted or (self._keep_all and names - self._declared.names.keys()):
                rels.add(rel)
        if not tags and not rels:
            return [()] * len(part.elements)
        found = []
        for record in part.elements:
            pairs = ((child, rel_of(child)) for child in record.iterchildren(*tags, *(["link"] if rels else [])))
            found.append([child for child, rel in pairs if (child.tag in tags if rel is None else rel in rels)])
        return found

    def _object(self, children: Iterable[etree._Element], again: AbstractSet[str]) -> dict[str, Any]:
        """The members of a record that are not in a column of texts."""
        found: dict[str, Any] = {}
        for child in children:
            for name, item in self._elements.members(child, self._declared):
                if name in again or name in self._others or (self._keep_all and name not in self._texts):
                    self._elements.add(found, name, item)
        return found


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
        return array.cast(frame_type(kind, ()))
    except pa.ArrowInvalid:
        return None


def _any(found: pa.BooleanArray) -> bool:
    return bool(pc.any(found, min_count=0).as_py())
