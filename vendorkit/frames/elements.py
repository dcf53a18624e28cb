"""XML elements as the values that the same answer would have in JSON, and the one strict way to parse XML."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from lxml import etree

from vendorkit.frames.columns import ENTRIES
from vendorkit.frames.schema import Column, Embedded, EmbeddedMany, Type
from vendorkit.frames.utf8 import is_utf8
from vendorkit.frames.values import BYTE_ORDER_MARK, Literal, loads, malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_ASCII = 0x7F
RESOURCE_TYPE = "resource_type"
TOTAL = "total_entries"
_ENCODING = re.compile(r"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_HEAD = 2048  # bytes; they hold an XML declaration, and nearly always what stands before the first record
_ALLOWED = {"utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be"}
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def parse(body: bytes) -> etree._Element:
    """
    Parse one document in UTF-8; nothing is fetched, expanded or mended.

    Raises:
        MalformedAnswer: Not well-formed, truncated, nested too deep, or with a DOCTYPE.
    """
    if b"<!DOCTYPE" in body and _declares_type(body):
        what = "The answer has a DOCTYPE, which no API needs and attacks use."
        raise malformed(what)
    # `encoding` overrules the declaration, which was checked; without `huge_tree` libxml2 bounds depth and size.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        problem = str(error.msg)[:200]
    what = f"The answer is not well-formed XML: {problem}."
    raise malformed(what)


def link_at_head(body: bytes, rel: str) -> str | None:
    """
    The link that a collection in UTF-8 has before its first record, found without reading the records.

    None where there is none, or nothing can be said: then the whole has to be read.
    """
    parser = etree.XMLPullParser(("start",), resolve_entities=False, no_network=True)
    try:
        parser.feed(body[:_HEAD])
        begun: list[Any] = [element for _, element in parser.read_events()]
    except etree.XMLSyntaxError:
        return None
    for element in takewhile(lambda one: one.tag == "link" or folded(one.tag) == TOTAL, begun[1:]):
        if element.get("rel") == rel:
            href: str | None = element.get("href")
            return href
    return None


def in_utf8(body: bytes) -> bytes:
    """The document in UTF-8. Raises MalformedAnswer where it is, or says it is, in another encoding than these two."""
    codec = "utf-8"
    if b"\0" in body[:4]:
        # A byte order mark, or the first "<", says which half comes first.
        codec = "utf-16" if body[0] > LAST_ASCII else "utf-16-be" if body[0] == 0 else "utf-16-le"
    try:
        # Arrow's check is ten times faster than decoding; only the beginning is needed as text.
        text = body[:_HEAD].decode("utf-8", "replace") if codec == "utf-8" and is_utf8(body) else body.decode(codec)
    except UnicodeDecodeError as error:
        problem = f"is not {codec.upper()} at byte {error.start}"
    else:
        declared = _ENCODING.match(text.removeprefix(BYTE_ORDER_MARK))
        if declared is None or declared[1].lower() in _ALLOWED:
            return body if codec == "utf-8" else text.removeprefix(BYTE_ORDER_MARK).encode()
        problem = f"is declared as {declared[1][:20]}; only UTF-8 and UTF-16 are read"
    what = f"The answer {problem}."
    raise malformed(what)


def _declares_type(body: bytes) -> bool:
    """Whether a document type stands before the root, behind any comments and processing instructions."""
    rest = body.removeprefix(BYTE_ORDER_MARK.encode()).lstrip()
    while rest.startswith((b"<!--", b"<?")):
        _, _, rest = rest.partition(b"-->" if rest.startswith(b"<!--") else b"?>")
        rest = rest.lstrip()
    return rest.startswith(b"<!DOCTYPE")


@lru_cache(maxsize=1024)
def folded(name: str) -> str:
    """The JSON spelling of an element's name."""
    return name.replace("-", "_")


def value(element: etree._Element) -> Any:
    """The element as JSON has it: null, text, number, boolean, list, or an object with its links as `<rel>_link`."""
    kind = element.get("type")
    if kind == "array":
        return [value(child) for child in element]
    if len(element) or kind == "document":
        return _object(element, ())
    if not element.text:
        return "" if kind is None and element.get("nil") != "true" else None
    return typed(element.text, kind)


def typed(text: str, kind: str | None) -> Any:
    """The text as JSON has it under a `type` attribute; text where it does not fit that type."""
    if kind in ("integer", "decimal", "float") and _JSON_NUMBER.fullmatch(text):
        return number(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def number(text: str) -> Any:
    """The JSON number that the text spells, else the text."""
    if not _JSON_NUMBER.fullmatch(text):
        return text
    return loads(text.encode()) if len(text) < 20 and text.lstrip("-").isdigit() else Literal(text)


def resource(element: etree._Element, fields: tuple[Column, ...]) -> dict[str, Any]:
    """An expanded resource, with those of its own links expanded that `fields` declares."""
    found = _object(element, fields)
    if any(column.wire == RESOURCE_TYPE for column in fields):
        found[RESOURCE_TYPE] = folded(element.tag)
    return found


def _object(element: etree._Element, fields: tuple[Column, ...]) -> dict[str, Any]:
    kinds = {column.wire: column.kind for column in fields}
    found: dict[str, Any] = {}
    for child in element:
        for key, item in members(child, kinds):
            add(found, key, item)
    return found


def members(child: etree._Element, kinds: dict[str, Type]) -> Iterator[tuple[str, Any]]:
    """What one child of a resource is in JSON: a field, or a link and perhaps what it was expanded to."""
    if child.tag != "link":
        yield folded(child.tag), value(child)
        return
    rel = folded(child.get("rel", ""))
    yield f"{rel}_link", child.get("href")
    for target in child:
        yield rel, expanded(target, kinds.get(rel))


def expanded(target: etree._Element, kind: Type | None) -> Any:
    """The resource, collection or document inside a link."""
    if isinstance(kind, Embedded):
        return resource(target, kind.fields)
    if target.get("type") != "array" and not isinstance(kind, EmbeddedMany):
        return value(target)
    fields = kind.fields if isinstance(kind, EmbeddedMany) else ()
    found: dict[str, Any] = {ENTRIES: []}
    for child in target:
        if child.tag == "link":
            found.update(members(child, {}))
        elif folded(child.tag) == TOTAL:
            found[TOTAL] = number(child.text or "")
        else:
            found[ENTRIES].append(resource(child, fields))
    return found


def add(found: dict[str, Any], key: str, item: Any) -> None:
    """Set a key; what comes twice becomes a list, for nothing is dropped."""
    found[key] = [found[key], item] if key in found else item
