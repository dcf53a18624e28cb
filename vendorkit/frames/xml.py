"""
XML pages to Arrow tables, equal to those of the same records in JSON.

Records written like those before are read by a pattern (`layout`). Else: one parse
by lxml, one walk over the elements that collects a list of texts a
column, then Arrow types whole columns. Expanded links, documents, unknown
elements and columns that do not fit go through the lossless path, and they
alone.

As Rails writes it (Mediagenix, XML rules): `nil="true"` is null, an empty
element the empty text; `type="array"` a list, `type="document"` free; names
have `-` where JSON has `_`, and `<link rel href>` is JSON's `<rel>_link`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.elements import RESOURCE_TYPE, TOTAL, add, folded, in_utf8, members, number, parse
from vendorkit.frames.layout import Layout
from vendorkit.frames.lossless import LosslessReader
from vendorkit.frames.page import THREADS, Page, read_ahead
from vendorkit.frames.schema import Column, Kind, Schema, Type, frame_type
from vendorkit.frames.values import malformed, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml import etree


_TEXTS = {Kind.TEXT, Kind.CODE, Kind.ID, Kind.DURATION, Kind.LINK}
_WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"  # one spelling each, so that no digit is lost
_EXACT = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?$"
_ERRORS = ("error", "errors")
_SCALARS = _TEXTS | {Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.EPOCH, Kind.DATETIME, Kind.DATE}


class XmlReader:
    """
    Reads a collection (an array root) or a single resource.

    Args:
        schema: What to read of each record. A declared `resource_type` is the record's element name.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        wanted = {leaf.path[0] for leaf in schema.leaves}
        columns = [column for column in schema.columns if column.wire.split(".")[0] in wanted]
        self._scalars = {column.wire: column for column in columns if column.kind in _SCALARS}
        self._others = tuple(column for column in columns if column.kind not in _SCALARS)
        self._kinds: dict[str, Type] = {column.wire: column.kind for column in self._others}
        self._fields = {spelling: key for key in self._scalars for spelling in (key.replace("_", "-"), key)}
        links = [key for key, column in self._scalars.items() if column.kind is Kind.LINK]
        self._links = {key.removesuffix("_link"): key for key in links}
        # Expanded links and documents are no texts.
        self._layout = None if self._others else Layout(self._fields, self._links, keep_all=schema.only is None)

    def read(self, body: bytes) -> Page:
        """
        Read one page; its envelope has `total_entries` and the links of the collection (`next`, `prev`), if there.

        Raises:
            MalformedAnswer: Not well-formed, truncated, with a DOCTYPE, in another encoding than UTF-8 or
                UTF-16, nested too deep, or nothing of the schema in it.
        """
        body = in_utf8(body)
        if page := self._alike(body):
            return page
        root = parse(body)
        try:
            return self._collection(root)
        except RecursionError:
            what = "The answer is nested too deep."
        raise malformed(what)

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[Page]:
        """Read pages in order while others are fetched. Raises as `read` does."""
        # A pattern holds Python's lock, so that two threads are slower than one; lxml's parser lets it go.
        return read_ahead(self.read, bodies, threads=1 if self._layout else THREADS)

    def _alike(self, body: bytes) -> Page | None:
        """The page, where all its records are written as those before and every value fits its column."""
        alike = self._layout and self._layout.read(body)
        if not alike:
            return None
        try:
            root = parse(alike.around)
        except MalformedAnswer:
            return None  # what is wrong with the whole will be said
        others, envelope = _parted(root)
        if others or root.nsmap or root.get("type") != "array" or folded(root.tag) in _ERRORS:
            return None
        missing = pa.nulls(alike.rows, pa.string())
        texts = {key: alike.columns.get(key, missing) for key in self._scalars}
        if RESOURCE_TYPE in texts:
            texts[RESOURCE_TYPE] = pa.repeat(folded(alike.tag), alike.rows)
        arrays = [_typed(texts[leaf.column.wire], leaf.kind) for leaf in self._schema.leaves]
        fits = all(array is not None for array in arrays)
        return Page(pa.table(arrays, self._schema.arrow), envelope) if fits else None

    def _collection(self, root: etree._Element) -> Page:
        if folded(root.tag) in _ERRORS:
            what = "The answer is an error instead of records."
            raise malformed(what)
        if not self._is_collection(root):
            return self._page([root], {})
        records, envelope = _parted(root)
        if self._layout:
            self._layout.learn(records)
        return self._page(records, envelope)

    def _is_collection(self, root: etree._Element) -> bool:
        if root.get("type") == "array" or folded(root.tag) == self._schema.name:
            return True
        if self._known(root):
            return False
        # Some old collections come without the type; their records are of one name and have known fields.
        records = [child for child in root if child.tag != "link" and folded(child.tag) != TOTAL]
        if len({child.tag for child in records}) == 1 and self._known(records[0]):
            return True
        what = f"The answer's root <{root.tag[:60]}> holds nothing of {self._schema.name}."
        raise malformed(what)

    def _known(self, element: etree._Element) -> bool:
        """Whether an element has a declared field or link."""
        links = {f"{folded(link.get('rel', ''))}_link" for link in element.iterchildren("link")}
        names = {folded(child.tag) for child in element}
        return not (names | links).isdisjoint({name.split(".")[0] for name in (*self._scalars, *self._kinds)})

    def _page(self, records: list[etree._Element], envelope: dict[str, Any]) -> Page:
        cells, rest = self._walk(records)
        arrays, unfit = dict[str, Any](), []
        for key, column in self._scalars.items():
            array = _as_texts(cells[key])
            array = None if array is None else _typed(array, column.kind)
            if array is None:
                unfit.append(column)
                for row, found in enumerate(cells[key]):
                    rest[row][key] = _as_json(found, column.kind)
            else:
                arrays[column.name] = array
        if not unfit and not rest and not self._others:
            return Page(pa.table([arrays[name] for name in self._schema.arrow.names], self._schema.arrow), envelope)
        slow = self._lossless(rest, (*unfit, *self._others), len(records))
        declared, found = self._schema.arrow.names, slow.table.column_names
        arrays |= {name: slow.table[name] for name in found}
        names = [*declared, *(name for name in found if name not in declared)]
        return Page(pa.table({name: arrays[name] for name in names}), envelope, slow.drift)

    def _walk(self, records: list[etree._Element]) -> tuple[dict[str, list[Any]], dict[int, dict[str, Any]]]:
        """Texts by wire name of the scalar columns; by row, whatever else there is, as JSON has it."""
        cells: dict[str, list[Any]] = {key: [None] * len(records) for key in self._scalars}
        fields = {tag: cells[key] for tag, key in self._fields.items()}
        links = {rel: cells[key] for rel, key in self._links.items()}
        rest: dict[int, dict[str, Any]] = defaultdict(dict)
        keep_all = self._schema.only is None
        for row, record in enumerate(records):
            for child in record:
                tag = child.tag
                if tag == "link":
                    slot, text = links.get(child.get("rel", "")), child.get("href")
                else:
                    slot, text = fields.get(tag), child.text
                    if text is None or text.isspace():
                        text = _without_text(child)
                if slot is not None and slot[row] is None and not len(child):
                    slot[row] = text
                elif slot is not None or keep_all or self._kinds:
                    self._keep(child, cells, rest[row], row)
        if RESOURCE_TYPE in cells:
            cells[RESOURCE_TYPE] = [folded(record.tag) for record in records]
        return cells, rest

    def _keep(self, child: etree._Element, cells: dict[str, list[Any]], rest: dict[str, Any], row: int) -> None:
        """Keep an element that is not one text in one declared column."""
        for key, item in members(child, self._kinds):
            if key not in cells:
                add(rest, key, item)
            else:
                found = cells[key][row]
                cells[key][row] = item if found is None else [found, item]

    def _lossless(self, rest: dict[int, dict[str, Any]], columns: tuple[Column, ...], rows: int) -> Page:
        part = replace(self._schema, columns=columns, only=None)
        if self._schema.only is not None:
            part = replace(part, only=tuple(name for name in self._schema.only if name in part.arrow.names))
        return LosslessReader(part, beside=self._schema).read([rest.get(row, {}) for row in range(rows)])


def _parted(root: etree._Element) -> tuple[list[etree._Element], dict[str, Any]]:
    """The records of a collection, and what stands around them."""
    records, envelope = [], dict[str, Any]()
    for child in root:
        if child.tag == "link":
            envelope[child.get("rel", "")] = child.get("href")
        elif folded(child.tag) == TOTAL:
            envelope[TOTAL] = plain(number(child.text or ""))
        else:
            records.append(child)
    return records, envelope


def _without_text(element: etree._Element) -> Any:
    """What an element without text holds: null, an empty list or object, the empty text; or its blanks."""
    if not element.text and element.get("nil") == "true":
        return None
    return {"array": [], "document": {}}.get(element.get("type", ""), element.text or "")


def _as_texts(found: list[Any]) -> pa.Array | None:
    """The whole column; None where there is more in it than texts."""
    try:
        return pa.array(found, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None


def _typed(array: pa.Array, kind: Type) -> pa.Array | None:
    """The whole column in its type; None where a value needs a closer look."""
    if kind in _TEXTS:
        return array
    try:
        # An empty element of another type than text says nothing.
        array = pc.if_else(pc.equal(array, ""), None, array)
        if kind is Kind.BOOLEAN:
            fits = pc.is_in(array, pa.array(["true", "false", None]))
        elif kind in (Kind.INTEGER, Kind.NUMBER, Kind.EPOCH):
            fits = pc.match_substring_regex(array, _EXACT if kind is Kind.NUMBER else _WHOLE)
        else:
            fits = None
        if fits is not None and not pc.all(fits, min_count=0).as_py():
            return None
        if kind is Kind.EPOCH:
            return None if array.null_count < len(array) else array.cast(frame_type(kind, ()))
        return array.cast(frame_type(kind, ()))
    except pa.ArrowInvalid:
        return None


def _as_json(found: Any, kind: Type) -> Any:
    if not isinstance(found, str) or kind in _TEXTS:
        return found
    if not found or kind in (Kind.DATE, Kind.DATETIME, Kind.BOOLEAN):
        return found or None
    return number(found)
