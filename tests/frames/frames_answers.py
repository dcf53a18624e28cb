"""Answers to records, for the slow reader in `frames_reference`: JSON, lines, and XML by another parser than lxml."""

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from frames_reference import DEPTH, Object, Row, checked, parse, snake_case, tree
from frames_values import NUMBER, MisfitError, Number, RefusedError, whole

from vendorkit.frames import Drift, Embedded, EmbeddedMany, Kind, ListOf, Struct

BLANKS = " \t\r\n"
NUMBERS = (Kind.INTEGER, Kind.NUMBER, Kind.EPOCH)
NO_TEXTS = (*NUMBERS, Kind.BOOLEAN, Kind.DATE, Kind.DATETIME)


@dataclass
class Outcome:
    """The rows of the frame and what did not match."""

    rows: list = field(default_factory=list)
    drift: Drift = field(default_factory=Drift)


def rows_of(records, schema):
    """The rows of records, each an `Object` as it is written."""
    found = Outcome()
    for record in records:
        if not isinstance(record, Object):
            raise RefusedError
        plain = checked(record, None if schema.only is None else tree(schema))
        found.rows.append(Row(schema, plain, found.drift).cells)
    return found


def from_json(body, name="results"):
    """The records of an answer in JSON, and its envelope."""
    answer = parse(body)
    if not isinstance(answer, Object):
        raise RefusedError
    envelope = checked(Object(pair for pair in answer if pair[0] != name))
    lists = [value for key, value in answer if key == name]
    if len(lists) != 1 or not isinstance(lists[0], list) or isinstance(lists[0], Object):
        raise RefusedError
    return lists[0], plain_numbers(envelope)


def from_lines(block):
    """The records of lines, which have no members but `meta` and `result`."""
    lines = [dict(checked_line(line)) for line in block.split(b"\n") if line.strip()]
    metas = [plain_numbers(checked(line["meta"])) for line in lines]
    first, last = (metas[0], metas[-1]) if metas else ({}, {})
    around = {"total": last.get("total"), "first_index": first.get("index"), "last_index": last.get("index")}
    return [line["result"] for line in lines], {"meta": around}


def checked_line(line):
    pairs = parse(line)
    if sorted(name for name, _ in pairs) != ["meta", "result"]:
        raise RefusedError
    return pairs


def plain_numbers(value):
    if isinstance(value, dict):
        return {name: plain_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    if isinstance(value, Number):
        try:
            return whole(value)  # a total of 7.0 is 7
        except MisfitError:
            return float(value.text)
    return value


def from_xml(body, schema):
    """The records of a collection in XML, as JSON writes them, and its envelope."""
    records, envelope = parted(ET.fromstring(body))  # noqa: S314 - the tests wrote it
    found = []
    for record in records:
        if levels(record) > DEPTH:
            raise RefusedError
        members = members_of(record, schema.columns)
        if any(column.name == "resource_type" for column in schema.columns):
            members.insert(0, ("resource_type", record.tag.replace("-", "_")))
        found.append(members)
    return found, plain_numbers(checked(envelope))


def levels(element):
    """A link is a level too, so there are never fewer levels than in the same record in JSON."""
    nested = (child for child in element if len(child) or child.get("type") in ("array", "document"))
    return 1 + max(map(levels, nested), default=0)


def parted(collection):
    records, envelope = [], Object()
    for child in collection:
        if child.tag == "link" and "rel" in child.attrib:
            envelope.append((f"{child.get('rel')}_link", child.get("href")))
        elif child.tag == "total-entries":
            envelope.append(("total_entries", as_number((child.text or "").strip(BLANKS))))
        else:
            records.append(child)
    return records, envelope


def kebab(name):
    return snake_case(name).replace("_", "-")


def members_of(element, columns):
    """An element's children as members; a free object (no columns) may have any names."""
    found = Object()
    named = {
        one.tag or kebab(one.wire): one
        for one in columns or ()
        if one.kind is not Kind.LINK and one.name != "resource_type"
    }
    kinds = {one.wire: one.kind for one in columns or ()}
    for child in element:
        if child.tag == "link" and "rel" in child.attrib:
            if "href" in child.attrib:
                found.append((f"{child.get('rel')}_link", child.get("href")))
            found += [(child.get("rel"), expanded(target, kinds.get(child.get("rel")))) for target in child]
        elif columns is None:
            found.append((child.tag, value_of(child, None)))
        elif child.tag in named:
            found.append((named[child.tag].wire, value_of(child, named[child.tag].kind)))
        else:
            in_style = re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", child.tag)
            name = child.tag.replace("-", "_") if in_style else f"<{child.tag}>"
            found.append((f"<{child.tag}>" if name in kinds else name, value_of(child, None)))
    if columns is None:
        folded = [name.replace("-", "_") for name, _ in found]
        if len(set(folded)) == len({name for name, _ in found}):
            return Object(zip(folded, (value for _, value in found), strict=True))
    return found


def value_of(element, kind):
    given, text = element.get("type"), element.text or ""
    if not len(element):
        if not text.strip(BLANKS):
            if element.get("nil") == "true":
                return None
            if given in ("array", "document"):
                return [] if given == "array" else Object()
        return scalar(text, given, kind)
    if given == "array":
        of = kind.of if isinstance(kind, ListOf) else None
        return [value_of(child, Struct(of) if isinstance(of, tuple) else of) for child in element]
    return members_of(element, fields_of(kind))


def fields_of(kind):
    if kind in (Kind.LOCALISED, Kind.TEXT_OR_LOCALISED):
        return ()
    return kind.fields if isinstance(kind, (Struct, Embedded, EmbeddedMany)) else None


def expanded(target, kind):
    """The resource, collection or document inside a link."""
    if target.get("nil") == "true" and not len(target) and not (target.text or "").strip(BLANKS):
        return None
    if not len(target) and (target.text or "").strip(BLANKS):
        return value_of(target, kind if target.get("type") == "document" else None)
    if target.get("type") == "array" or isinstance(kind, EmbeddedMany):
        records, envelope = parted(target)
        return Object([*envelope, ("entries", [resource(one, fields_of(kind)) for one in records])])
    if target.get("type") == "document":
        return value_of(target, kind)
    return resource(target, fields_of(kind))


def resource(element, fields):
    if not len(element) and (element.get("nil") == "true" or (element.text or "").strip(BLANKS)):
        return value_of(element, None)
    members = members_of(element, fields)
    if fields is None or any(one.name == "resource_type" for one in fields):
        members.insert(0, ("resource_type", element.tag.replace("-", "_")))
    return members


def scalar(text, given, kind):
    untyped = given in (None, "string")
    text = text if untyped else text.strip(BLANKS)
    if not text:
        return "" if untyped and kind not in NO_TEXTS else None
    if given in ("integer", "decimal", "float") or (given is None and kind in NUMBERS):
        return as_number(text)
    if given == "boolean":
        truths = {"true": True, "false": False}
        return {**truths, "1": True, "0": False}.get(text, text) if kind is Kind.BOOLEAN else truths.get(text, text)
    return text


def as_number(text):
    return Number(text) if NUMBER.fullmatch(text) and abs(float(text)) != float("inf") else text
