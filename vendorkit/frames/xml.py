"""
XML answers to pages of records.

lxml parses the whole answer once, strictly; `walk` reads the elements when
their columns are known.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from json import detect_encoding
from typing import Any, ClassVar, Final

from lxml import etree

from vendorkit.frames.elements import RESOURCE_TYPE, TOTAL, Elements, Members, check_depth, type_of, wrapped
from vendorkit.frames.kinds import BLANKS
from vendorkit.frames.page import Batch, Page
from vendorkit.frames.raw import is_utf8
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import malformed, plain
from vendorkit.frames.walk import XmlTyper
from vendorkit.strictjson import BYTE_ORDER_MARK, on_any_stack

_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_PROLOG: Final = re.compile(rb"[\xef\xbb\xbf \t\r\n]+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_AS_UTF8: Final = ("utf-8", "utf-8-sig", "ascii", "utf-16", "utf-32")  # without a zero byte it is not the latter two
# Python has codecs for these, but no answer is written in them.
_NO_CHARSETS: Final = ("utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")
_NO_RECORDS: Final = {"error": "an error", "errors": "an error", "html": "a web page"}
_UNDECLARED: Final = Members.of(())
_FREE: Final = Elements("snake")


class XmlPage(Page):
    """The records of one answer in XML: the element of each."""

    # Walking needs Python's lock; and the memory of each page is used again for the next one.
    readers: ClassVar[int] = 1
    together: ClassVar[int] = 1

    def records(self) -> list[dict[str, Any]]:
        """The records as JSON has them, with ordinary Python numbers."""
        return on_any_stack(lambda: [plain(_record(element)) for element in self.raws])()

    def under(self, name: str) -> XmlPage:
        """The page in which each record *r* is `{name: r}`."""
        return replace(self, raws=[wrapped(element, name) for element in self.raws])

    @staticmethod
    def reader(schema: Schema) -> Callable[[Sequence[etree._Element]], Batch]:
        """Return the function that reads such records under *schema*."""
        return on_any_stack(XmlTyper(schema).read)


def xml_page(body: bytes, records: str | None, *, at: float | None = None) -> XmlPage:
    """
    Split an answer into its records.

    Args:
        body: The answer, in any encoding that it declares; UTF-8 and UTF-16 need no declaration.
        records: Any name if the answer is a collection. None: the root is the record, or a list of records if it has
            `type="array"`.
        at: The date of the answer in unix seconds.

    Returns:
        A page whose envelope has the links and the total of the collection as JSON has them: `next_link`,
        `total_entries`.

    Raises:
        MalformedAnswer: Not well-formed, truncated, with a DOCTYPE, not in its encoding, an error or a web page instead
            of records, not a collection though one is expected, or a record is not an object.
    """
    root = parse(body)
    problem = _NO_RECORDS.get(etree.QName(root).localname.lower())
    if problem is not None:
        what = f"The answer is {problem} instead of records."
        raise malformed(what)
    elements, envelope = [root], dict[str, Any]()
    if records is not None or root.get("type") == "array":
        elements, envelope = _FREE.parted(root)
        if root.get("type") != "array" and not _is_old_collection(elements, envelope):
            what = f"The answer's root <{root.tag[:60]}> is not a collection."
            raise malformed(what)
    _check_objects(elements)
    return XmlPage(elements, plain(envelope), at)


def _check_objects(records: Sequence[etree._Element]) -> None:
    for number, record in enumerate(records):
        if not len(record) and ((record.text or "").strip(BLANKS) or record.get("nil") == "true"):
            what = f"Record {number} of the answer is not an object."
            raise malformed(what)


def _is_old_collection(records: Sequence[etree._Element], around: Mapping[str, Any]) -> bool:
    """Whether it is a collection without `type="array"`: records of one name, or none of them and a total."""
    if not records:
        return TOTAL in around
    return len({record.tag for record in records}) == 1 and all(len(record) for record in records)


def _record(element: etree._Element) -> dict[str, Any]:
    name = type_of(element)
    found: dict[str, Any] = {} if name is None else {RESOURCE_TYPE: name}
    for child in element:
        check_depth(child)
        for key, item in _FREE.members(child, _UNDECLARED):
            _FREE.add(found, key, item)
    return found


def parse(body: bytes) -> etree._Element:
    """
    Parse one document; nothing is fetched, expanded or mended.

    Raises:
        MalformedAnswer: Not in its encoding, not well-formed, truncated, nested too deep, or with a DOCTYPE.
    """
    body = _in_utf8(body)
    if _declares_type(body):
        what = "The answer has a DOCTYPE, which no API needs and attacks use."
        raise malformed(what)
    # `encoding` overrules the declaration; without `huge_tree` libxml2 bounds depth and size.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        problem = f"not well-formed XML: {' '.join(str(error.msg).split())[:200]}"
        if "Excessive depth" in problem:
            problem = "nested too deep"
    what = f"The answer is {problem}."
    raise malformed(what)


def _in_utf8(body: bytes) -> bytes:
    """The document in UTF-8. Raises MalformedAnswer if it is not in the encoding of its first bytes or declaration."""
    codec: str = detect_encoding(body)
    found = _ENCODING.match(body) if codec == "utf-8" else None
    declared = found[1].decode() if found else "UTF-8"
    try:
        if codec == "utf-8":
            codec = codecs.lookup(declared).name
        if codec in _NO_CHARSETS:
            codec = "unknown"
        if codec in _AS_UTF8 and is_utf8(body):
            return body
        return body.decode(codec).removeprefix(BYTE_ORDER_MARK).encode()
    except UnicodeDecodeError as error:
        problem = f"is not {codec.upper()} at byte {error.start}"
    except (LookupError, UnicodeError):
        problem = f"is declared as {declared[:20]}, which is no encoding that is read"
    what = f"The answer {problem}."
    raise malformed(what)


def _declares_type(body: bytes) -> bool:
    """Whether a document type is in front of the root, behind any comments and processing instructions."""
    end = 0
    while found := _PROLOG.match(body, end):
        end = found.end()
    return body.startswith(b"<!DOCTYPE", end)
