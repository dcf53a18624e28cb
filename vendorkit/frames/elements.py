"""
Converts XML elements to the values that the same response has in JSON.

The rules are those of Rails (Mediagenix, XML rules). `nil="true"` is null, and
an empty element is the empty string. `type="array"` is a list, and
`type="document"` an account-defined object. Names have `-` where JSON has `_`.
`<link rel href>` is `<rel>_link` in JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lxml import etree

from vendorkit.errors import MalformedAnswer
from vendorkit.frames.kinds import BLANKS, ENTRIES, Column, Embedded, EmbeddedMany, Kind, ListOf, Struct, Type
from vendorkit.frames.names import STYLES, snake_case
from vendorkit.frames.values import NUMBER, loads, malformed, with_underscores
from vendorkit.strictjson import MAX_DEPTH, REPEATED, Literal

RESOURCE_TYPE: Final = "resource_type"
TOTAL: Final = "total_entries"
NUMBERS: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.EPOCH})
_NOT_TEXT: Final = NUMBERS | {Kind.BOOLEAN, Kind.DATE, Kind.DATETIME}
_CONTAINERS: Final = ("array", "document")  # values of the attribute `type` of lists and objects
UNTYPED: Final = (None, "string")  # values of the attribute `type` with which blanks are significant
_XSI_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@lru_cache(maxsize=4096)
def kebab(name: str) -> str:
    """Return the XML element name of a JSON member: `"eanGtin13"` -> `"ean-gtin13"`."""
    return snake_case(name).replace("_", "-")


@lru_cache(maxsize=4096)
def json_name(tag: str, style: str) -> str:
    """Return the JSON name of an undeclared element; `<External-Id>` if it is not in kebab-case, unlike any member."""
    name = re.sub("-(.)", lambda match: match[1].upper(), tag) if style == "camel" else tag.replace("-", "_")
    return name if STYLES[style].fullmatch(name) and kebab(name) == tag else f"<{tag}>"


@dataclass(frozen=True)
class Members:
    """
    The declared members of an object.

    Attributes:
        tags: The columns by element name.
        names: The kinds by JSON name; a link and its expanded target have separate names.
    """

    tags: Mapping[str, Column]
    names: Mapping[str, Type]

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Members:
        """Return the members that the columns declare."""
        # All links have the element name `link`, and the type of a resource is the name of its element.
        columns = tuple(columns)
        fields = [column for column in columns if column.kind is not Kind.LINK and column.wire != RESOURCE_TYPE]
        tags = {column.tag or kebab(column.wire): column for column in fields}
        return cls(tags, {column.wire: column.kind for column in columns})


# The members of records whose fields are not known.
ANY_RECORD: Final = Members({}, {RESOURCE_TYPE: Kind.TEXT})


class Elements:
    """
    Reads elements as JSON values.

    Args:
        style: The vendor's naming style in JSON, as in `Schema`.
        unique: Refuse names that occur twice in one object. False: their value is `REPEATED`.
    """

    def __init__(self, style: str, *, unique: bool = True) -> None:
        self._style, self._unique = style, unique
        self._members: dict[int, Members] = {}

    def value(self, element: etree._Element, kind: Type | None = None) -> Any:
        """
        Return the element's value: null, text, number, boolean, list or object.

        Args:
            element: The element.
            kind: The declared kind; None if undeclared.

        Raises:
            MalformedAnswer: A name occurs twice in one object.
        """
        if rel_of(element) is not None:  # an element of a list
            return self.object([element], None)
        if is_nil(element):
            return None
        xml_type, text = element.get("type"), element.text or ""
        if not len(element) and (text.strip(BLANKS) or xml_type not in _CONTAINERS):
            return scalar(text, xml_type, kind)
        if markup := mixed(element):
            return markup
        if xml_type == "array":
            element_kind = kind.element if isinstance(kind, ListOf) else None
            return [self.value(child, element_kind) for child in element]
        return self.object(element, self._declared(kind))

    def object(self, children: Iterable[etree._Element], declared: Members | None) -> dict[str, Any]:
        """Return the children of an element by name; if no members are declared (None), `-` in names becomes `_`."""
        members: dict[str, Any] = {}
        for child in children:
            for key, item in self.members(child, declared):
                self.add(members, key, item)
        return with_underscores(members) if declared is None else members

    def add(self, members: dict[str, Any], key: str, item: Any) -> None:
        """Set a member. Raises MalformedAnswer if the name exists already, as for JSON."""
        if key in members and self._unique:
            raise duplicate_name(key)
        members[key] = REPEATED if key in members else item

    def members(self, child: etree._Element, declared: Members | None) -> Iterator[tuple[str, Any]]:
        """Yield the JSON members of one child of an object: a field, or a link and perhaps its expanded target."""
        rel = rel_of(child)
        if rel is not None:
            if (href := child.get("href")) is not None:
                yield f"{rel}_link", href
            for target in child:
                yield rel, self._expanded(target, declared.names.get(rel) if declared else None)
        elif declared is None:
            yield child.tag, self.value(child)
        elif child.tag in declared.tags:
            column = declared.tags[child.tag]
            yield column.wire, self.value(child, column.kind)
        else:
            name = json_name(child.tag, self._style)
            yield (f"<{child.tag}>" if name in declared.names else name), self.value(child)

    def resource(self, element: etree._Element, declared: Members | None) -> Any:
        """Return an expanded resource; its type becomes a member, as in JSON."""
        if is_nil(element) or mixed(element):
            return self.value(element)
        members = self.object(element, declared)
        has_type = declared is None or RESOURCE_TYPE in declared.names
        return {RESOURCE_TYPE: type_of(element), **members} if has_type else members

    def _expanded(self, target: etree._Element, kind: Type | None) -> Any:
        """Return the resource, collection or document inside a link."""
        is_collection = target.get("type") == "array" or isinstance(kind, EmbeddedMany)
        if is_collection and not is_nil(target) and not mixed(target):
            records, envelope = self.collection(target)
            return {**envelope, ENTRIES: [self.resource(record, self._declared(kind)) for record in records]}
        if target.get("type") == "document":
            return self.value(target, kind)
        return self.resource(target, self._declared(kind))

    def collection(self, element: etree._Element) -> tuple[list[etree._Element], dict[str, Any]]:
        """Return the records of a collection, and its links and total by their JSON names."""
        records: list[etree._Element] = []
        envelope: dict[str, Any] = {}
        for child in element:
            rel = rel_of(child)
            if rel is not None:
                self.add(envelope, f"{rel}_link", child.get("href"))
            elif child.tag == kebab(TOTAL):
                self.add(envelope, TOTAL, number((child.text or "").strip(BLANKS)))
            else:
                records.append(child)
        return records, envelope

    def _declared(self, kind: Type | None) -> Members | None:
        """Return the declared members of objects of this kind; None if it declares none."""
        fields: tuple[Column, ...] = ()
        if isinstance(kind, Struct | Embedded | EmbeddedMany):
            fields = kind.fields
        elif kind not in (Kind.LOCALISED, Kind.TEXT_OR_LOCALISED):
            return None
        if id(fields) not in self._members:
            self._members[id(fields)] = Members.of(fields)
        return self._members[id(fields)]


def duplicate_name(name: str) -> MalformedAnswer:
    """Return the error for a name that occurs twice in one object."""
    what = f"The answer has a name twice in one object: {name[:60]!r}."
    return malformed(what)


def scalar(text: str, xml_type: str | None, kind: Type | None) -> Any:
    """Convert a text according to its `type` attribute and declared kind; typed values are stripped of blanks."""
    if xml_type not in UNTYPED:
        text = text.strip(BLANKS)
    if not text:
        return "" if xml_type in UNTYPED and kind not in _NOT_TEXT else None
    if xml_type in ("integer", "decimal", "float") or (xml_type is None and kind in NUMBERS):
        return number(text)
    if xml_type == "boolean":
        # XML Schema also allows 1 and 0. If the column is not boolean, they stay text.
        truths = {"true": True, "false": False} | ({"1": True, "0": False} if kind is Kind.BOOLEAN else {})
        return truths.get(text, text)
    return text


def number(text: str) -> Any:
    """Return the number if the text is a JSON number, else the text."""
    if not NUMBER.fullmatch(text) or math.isinf(float(text)):
        return text
    return loads(text.encode()) if len(text) < 20 and text.lstrip("-").isdigit() else Literal(text)


def check_depth(member: etree._Element) -> None:
    """Raise MalformedAnswer if a member of a record is nested too deep. Unlike in JSON, a link is a level too."""
    nested = [member]
    for _ in range(MAX_DEPTH - 1):
        nested = [child for element in nested for child in element if len(child) or child.get("type") in _CONTAINERS]
        if not nested:
            return
    what = f"The answer is nested more than {MAX_DEPTH} levels deep."
    raise malformed(what)


def is_nil(element: etree._Element) -> bool:
    """Return whether an element is null: it is empty and has `nil="true"`, as in Rails or in XML Schema."""
    is_empty = not len(element) and not (element.text or "").strip(BLANKS)
    return is_empty and "true" in (element.get("nil"), element.get(_XSI_NIL))


def mixed(element: etree._Element) -> str:
    """Return the markup of an element with text other than blanks; "" if there are only blanks and elements."""
    parts = [element.text, *(child.tail for child in element)]
    if not any(part and part.strip(BLANKS) for part in parts):
        return ""
    return (element.text or "") + "".join(etree.tostring(child, encoding="unicode") for child in element)


def rel_of(element: etree._Element) -> str | None:
    """Return the rel of a link; None for other elements, including a field named link."""
    return element.get("rel") if element.tag == "link" else None


def type_of(record: etree._Element) -> str:
    """Return the type of a resource as in JSON, from the name of its element."""
    return str(record.tag).replace("-", "_")
