"""
XML elements as the values that the same answer has in JSON.

As Rails writes it (Mediagenix, XML rules): `nil="true"` is null, an empty
element the empty text; `type="array"` a list, `type="document"` free; names
have `-` where JSON has `_`, and `<link rel href>` is JSON's `<rel>_link`.
"""

from __future__ import annotations

import copy
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
from vendorkit.frames.values import loads, malformed
from vendorkit.strictjson import MAX_DEPTH, REPEATED, Literal

RESOURCE_TYPE: Final = "resource_type"
TOTAL: Final = "total_entries"
_TOTAL_TAG: Final = "total-entries"
NUMBERS: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.EPOCH})
_NO_TEXTS: Final = NUMBERS | {Kind.BOOLEAN, Kind.DATE, Kind.DATETIME}
UNTYPED: Final = (None, "string")  # values of the attribute `type` under which blanks are text
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@lru_cache(maxsize=4096)
def kebab(name: str) -> str:
    """The name of the element that holds a JSON member: `"eanGtin13"` -> `"ean-gtin13"`."""
    return snake_case(name).replace("_", "-")


@lru_cache(maxsize=4096)
def json_name(tag: str, style: str) -> str:
    """The JSON name of an undeclared element; `<External-Id>` for one that is not in kebab-case, as no member is."""
    name = re.sub("-(.)", lambda found: found[1].upper(), tag) if style == "camel" else tag.replace("-", "_")
    return name if STYLES[style].fullmatch(name) and kebab(name) == tag else f"<{tag}>"


@dataclass(frozen=True)
class Members:
    """
    The declared members of an object.

    Attributes:
        tags: Their columns by the name of the element.
        names: Their kinds by their name in JSON; a link's and what it may be expanded to are two.
    """

    tags: Mapping[str, Column]
    names: Mapping[str, Type]

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Members:
        """Return the members that the columns declare."""
        every = tuple(columns)
        # In XML a link is no element with its own name, and the type of a resource is the name of its element.
        tags = {
            one.tag or kebab(one.wire): one for one in every if one.kind is not Kind.LINK and one.wire != RESOURCE_TYPE
        }
        return cls(tags, {one.wire: one.kind for one in every})


class Elements:
    """
    Reads elements as JSON values.

    Args:
        style: How the vendor writes names in JSON, as in `Schema`.
        unique: Refuse names that occur twice in one object. False: the value of such a name is `REPEATED`.
    """

    def __init__(self, style: str, *, unique: bool = True) -> None:
        self._style, self._unique = style, unique
        self._members: dict[int, Members] = {}

    def value(self, element: etree._Element, kind: Type | None = None) -> Any:
        """
        The element's value: null, text, number, boolean, list or object.

        Args:
            element: The element.
            kind: What is declared, if anything.

        Raises:
            MalformedAnswer: A name occurs twice in one object.
        """
        given, text = element.get("type"), element.text or ""
        if not len(element):
            if text.strip(BLANKS):
                return scalar(text, given, kind)
            if element.get("nil") == "true":
                return None
            return [] if given == "array" else {} if given == "document" else scalar(text, given, kind)
        if mixed := _mixed(element):
            return mixed
        if given == "array":
            of = kind.element if isinstance(kind, ListOf) else None
            return [self.value(child, of) for child in element]
        return self.object(element, self._declared(kind))

    def object(self, element: etree._Element, declared: Members | None) -> dict[str, Any]:
        """The element's children by name; the names of a free object (None) are read as `_` where they have `-`."""
        found: dict[str, Any] = {}
        for child in element:
            for key, item in self.members(child, declared):
                self.add(found, key, item)
        if declared is not None:
            return found
        names = [key.replace("-", "_") for key in found]
        return dict(zip(names, found.values(), strict=True)) if len(set(names)) == len(names) else found

    def add(self, found: dict[str, Any], key: str, item: Any) -> None:
        """Set a member. Raises MalformedAnswer if there is one of this name: XML is read as strictly as JSON."""
        if key in found and self._unique:
            raise twice(key)
        found[key] = REPEATED if key in found else item

    def members(self, child: etree._Element, declared: Members | None) -> Iterator[tuple[str, Any]]:
        """The members that one child of an object is in JSON: a field, or a link and perhaps its target."""
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
        """An expanded resource, with its type as JSON has it."""
        if not len(element) and (element.text or "").strip(BLANKS):
            return self.value(element)
        found = self.object(element, declared)
        if declared is None or RESOURCE_TYPE in declared.names:
            return {RESOURCE_TYPE: type_of(element), **found}
        return found

    def _expanded(self, target: etree._Element, kind: Type | None) -> Any:
        """The resource, collection or document inside a link."""
        if target.get("type") == "array" or isinstance(kind, EmbeddedMany):
            records, around = self.parted(target)
            return {**around, ENTRIES: [self.resource(one, self._declared(kind)) for one in records]}
        if target.get("type") == "document" or target.get("nil") == "true":
            return self.value(target, kind)
        return self.resource(target, self._declared(kind))

    def parted(self, collection: etree._Element) -> tuple[list[etree._Element], dict[str, Any]]:
        """The records of a collection, and its links and total by their names in JSON."""
        records: list[etree._Element] = []
        around: dict[str, Any] = {}
        for child in collection:
            rel = rel_of(child)
            if rel is not None:
                self.add(around, f"{rel}_link", child.get("href"))
            elif child.tag == _TOTAL_TAG:
                self.add(around, TOTAL, number((child.text or "").strip(BLANKS)))
            else:
                records.append(child)
        return records, around

    def _declared(self, kind: Type | None) -> Members | None:
        """The members of objects of this kind; None if they are free."""
        fields: tuple[Column, ...] = ()
        if isinstance(kind, Struct | Embedded | EmbeddedMany):
            fields = kind.fields
        elif kind not in (Kind.LOCALISED, Kind.TEXT_OR_LOCALISED):
            return None
        if id(fields) not in self._members:
            self._members[id(fields)] = Members.of(fields)
        return self._members[id(fields)]


def twice(name: str) -> MalformedAnswer:
    """The error for a name that occurs twice in one object."""
    what = f"The answer has a name twice in one object: {name[:60]!r}."
    return malformed(what)


def scalar(text: str, given: str | None, kind: Type | None) -> Any:
    """Read a text as its `type` attribute says, and as a declared column needs it. Blanks around typed values go."""
    if given not in UNTYPED:
        text = text.strip(BLANKS)
    if not text:
        return "" if given in UNTYPED and kind not in _NO_TEXTS else None
    if given in ("integer", "decimal", "float") or (given is None and kind in NUMBERS):
        return number(text)
    if given == "boolean":
        # XML Schema's other spelling; in a column of another kind it is just a text.
        truths = {"true": True, "false": False} | ({"1": True, "0": False} if kind is Kind.BOOLEAN else {})
        return truths.get(text, text)
    return text


def number(text: str) -> Any:
    """The JSON number that the text spells, else the text."""
    if not _JSON_NUMBER.fullmatch(text) or math.isinf(float(text)):
        return text
    return loads(text.encode()) if len(text) < 20 and text.lstrip("-").isdigit() else Literal(text)


def check_depth(member: etree._Element) -> None:
    """Raise MalformedAnswer if a member of a record has lists and objects beyond the limit, counted as in JSON."""
    nested = [(member, 1)]  # and the level of the object that they are in
    while nested:
        element, level = nested.pop()
        if level >= MAX_DEPTH:
            what = f"The answer is nested more than {MAX_DEPTH} levels deep."
            raise malformed(what)
        if rel_of(element) is not None:
            # A link is no level, and a collection in it is two: `{"entries": [...]}`.
            nested += [(child, level + (child.get("type") == "array")) for child in element if _is_nested(child)]
        else:
            nested += [(child, level + 1) for child in element if _is_nested(child)]


def _is_nested(element: etree._Element) -> bool:
    return len(element) > 0 or element.get("type") in ("array", "document")


def _mixed(element: etree._Element) -> str:
    """Text with elements in it as it is written; empty if there are only blanks between the elements."""
    parts = [element.text, *(child.tail for child in element)]
    if not any(part and part.strip(BLANKS) for part in parts):
        return ""
    return (element.text or "") + "".join(etree.tostring(child, encoding="unicode") for child in element)


_WRAPPER: Final = "{vendorkit}record"  # the name of a record that has no element in the answer


def rel_of(element: etree._Element) -> str | None:
    """The rel of a link; None if it is no link, as a field may be called link too."""
    return element.get("rel") if element.tag == "link" else None


def type_of(record: etree._Element) -> str | None:
    """The type of a resource as JSON has it: the name of its element."""
    tag: str = record.tag
    return None if tag == _WRAPPER else tag.replace("-", "_")


def wrapped(element: etree._Element, name: str) -> etree._Element:
    """A record with the element as its one member: that is the target of a link without an address."""
    record = etree.Element(_WRAPPER)
    etree.SubElement(record, "link", rel=name).append(copy.copy(element))
    return record
