"""
Splits XML responses into pages of records.

lxml parses the whole response once, strictly. `walk` reads the elements when
their columns are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from json import detect_encoding
from typing import Any, ClassVar, Final

from lxml import etree

from vendorkit.frames.elements import ANY_RECORD, TOTAL, Elements, check_depth, is_nil, mixed
from vendorkit.frames.page import Batch, Page
from vendorkit.frames.raw import is_utf8
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import malformed, plain
from vendorkit.frames.walk import XmlTyper
from vendorkit.strictjson import BYTE_ORDER_MARK, on_any_stack

_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
# Encodings that text without zero bytes may declare. It is not UTF-16 or UTF-32 then, but was converted to UTF-8.
_DECLARED_UTF8: Final = ("utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-32")
_DECLARED_OTHERS: Final = ("iso-8859-1", "iso-8859-15", "windows-1252")
_NOT_RECORDS: Final = {"error": "an error", "errors": "an error", "html": "a web page"}
# Fast enough for each page; `mixed` examines every member.
_MAY_HAVE_TEXT: Final = etree.XPath("boolean((. | *)/text()[normalize-space()])")
_ELEMENTS: Final = Elements("snake")


class XmlPage(Page):
    """The records of one XML response: the element of each."""

    # Walking holds the GIL, so a second thread gains nothing. One page at a time lets the next page reuse its memory.
    readers: ClassVar[int] = 1
    group_rows: ClassVar[int] = 1

    def records(self) -> list[dict[str, Any]]:
        """Return the records as in JSON, with ordinary Python numbers."""
        return on_any_stack(lambda: [_record(element) for element in self.raws])()

    @staticmethod
    def reader(schema: Schema) -> Callable[[Sequence[etree._Element]], Batch]:
        """Return a function that reads such records under *schema*."""
        return on_any_stack(XmlTyper(schema).read)


def xml_page(body: bytes, records: str | None, *, at: float | None = None) -> XmlPage:
    """
    Split a response into its records.

    Args:
        body: The response in the encoding that it declares; UTF-8 and UTF-16 need no declaration.
        records: Any name if the response is a collection. None: the root is the record, or a list of records if it has
            `type="array"`.
        at: The date of the response in unix seconds.

    Returns:
        A page whose envelope has the links and the total of the collection under their JSON names: `next_link`,
        `total_entries`.

    Raises:
        MalformedAnswer: The response is not well-formed, truncated, has a DOCTYPE, is not in its declared encoding, is
            an error or a web page, is not the expected collection, or has a record that is not an object.
    """
    root = parse(body)
    problem = _NOT_RECORDS.get(etree.QName(root).localname.lower())
    if problem is not None:
        what = f"The answer is {problem} instead of records."
        raise malformed(what)
    elements, envelope = [root], dict[str, Any]()
    if records is not None or root.get("type") == "array":
        elements, envelope = _ELEMENTS.collection(root)
        if mixed(root) or not (root.get("type") == "array" or _is_old_collection(elements, envelope)):
            what = f"The answer's root <{root.tag[:60]}> is not a collection."
            raise malformed(what)
    _check_objects(root, elements)
    return XmlPage(elements, plain(envelope), at)


def _check_objects(root: etree._Element, records: Sequence[etree._Element]) -> None:
    may_have_text = _MAY_HAVE_TEXT(root)
    for number, record in enumerate(records):
        if is_nil(record) or (may_have_text and mixed(record)):
            what = f"Record {number} of the answer is not an object."
            raise malformed(what)


def _is_old_collection(records: Sequence[etree._Element], envelope: Mapping[str, Any]) -> bool:
    """Return whether this is a collection without `type="array"`: records of one name, or only a total."""
    if not records:
        return TOTAL in envelope
    return len({record.tag for record in records}) == 1 and all(len(record) for record in records)


def _record(element: etree._Element) -> Any:
    for child in element:
        check_depth(child)
    return plain(_ELEMENTS.resource(element, ANY_RECORD))


def parse(body: bytes) -> etree._Element:
    """
    Parse one document, without fetching or expanding entities and without recovering from errors.

    Raises:
        MalformedAnswer: The document is not in its declared encoding, not well-formed, truncated, nested too deep, or
            has a DOCTYPE.
    """
    # `encoding` overrides the declaration; without `huge_tree`, libxml2 limits depth, size and entities.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    problem = "has a DOCTYPE, which is refused for security"
    try:
        root = etree.fromstring(_in_utf8(body), parser)
        if root.getroottree().docinfo.internalDTD is None:
            return root
    except etree.XMLSyntaxError as error:
        reason = " ".join(str(error.msg).split())[:200]
        problem = "is nested too deep" if "Excessive depth" in reason else f"is not well-formed XML: {reason}"
    what = f"The answer {problem}."
    raise malformed(what)


def _in_utf8(body: bytes) -> bytes:
    """Return the document in UTF-8. Raises MalformedAnswer if its encoding is not supported or wrong."""
    codec: str = detect_encoding(body)
    if codec == "utf-8" and (declaration := _ENCODING.match(body)):
        declared = declaration[1].decode()
        codec = "utf-8" if declared.lower() in _DECLARED_UTF8 else declared.lower()
        if codec not in ("utf-8", *_DECLARED_OTHERS):
            what = f"The answer declares the encoding {declared[:20]}, which is not supported."
            raise malformed(what)
    if codec == "utf-8" and is_utf8(body):
        return body
    try:
        return body.decode(codec).removeprefix(BYTE_ORDER_MARK).encode()
    except UnicodeDecodeError as error:
        what = f"The answer is not {codec.upper()} at byte {error.start}."
    raise malformed(what)
