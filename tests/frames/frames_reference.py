"""A slow reader of records, written for the tests from the frame contract and not from the readers."""

import json
import re
from collections import Counter
from dataclasses import replace
from zlib import crc32

from frames_values import PLAIN, REPEATED, MisfitError, Number, RefusedError, compact, text

from vendorkit.frames import Column, Embedded, EmbeddedMany, Kind, ListOf, Schema, Struct

PART = (Column("id", Kind.ID), Column("title", Kind.TEXT), Column("texts", Kind.LOCALISED))
SCHEMA = Schema(
    "things",
    (
        Column("id", Kind.ID),
        Column("code", Kind.CODE),
        Column("count", Kind.INTEGER),
        Column("ratio", Kind.NUMBER),
        Column("flag", Kind.BOOLEAN),
        Column("touched_at", Kind.EPOCH, "touchedAt"),
        Column("day", Kind.DATE),
        Column("starts", Kind.DATETIME),
        Column("name", Kind.LOCALISED),
        Column("label", Kind.TEXT_OR_LOCALISED),
        Column("tags", ListOf(Kind.TEXT)),
        Column("parts", ListOf(PART)),
        Column("meta", Struct((Column("size", Kind.INTEGER),))),
    ),
    locales=("nl", "fr"),
)

STYLES = {"snake": r"[a-z][a-z0-9]*(_[a-z0-9]+)*", "camel": r"[a-z][a-z0-9]*([A-Z][a-z0-9]+)*[A-Z]?"}
DEPTH = 200


class Object(list):
    """An object as it is written: pairs of a name and a value, some perhaps of one name."""


def parse(text):
    """A JSON text as values, with `Number` and `Object`."""
    decoder = json.JSONDecoder(
        parse_int=_number, parse_float=_number, parse_constant=_refuse, object_pairs_hook=Object, strict=True
    )
    try:
        return decoder.decode(text.decode().removeprefix("\ufeff"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise RefusedError from None


def _number(text):
    if abs(float(text)) == float("inf"):
        raise RefusedError
    return Number(text)


def _refuse(text):
    raise RefusedError


def checked(value, wanted=None):
    """
    The value with plain dicts.

    Refused if it is nested too deep, or if a name occurs twice. In a projection (`wanted` is what is read) its value is
    `REPEATED`, which is refused where it is read.
    """
    if _depth(value) > DEPTH:
        raise RefusedError
    return _plain(value, wanted)


def _depth(value):
    if not isinstance(value, list):
        return 0
    return 1 + max((_depth(item[1] if isinstance(value, Object) else item) for item in value), default=0)


def _plain(value, wanted):
    if not isinstance(value, Object):
        return [_plain(item, wanted) for item in value] if isinstance(value, list) else value
    counts = Counter(name for name, _ in value)
    if wanted is None and any(count > 1 for count in counts.values()):
        raise RefusedError
    return {name: _plain(item, wanted) if counts[name] == 1 else REPEATED for name, item in value}


class Row:
    """One record as a row of the frame."""

    def __init__(self, schema, record, drift):
        self.schema, self.record, self.drift = schema, record, drift
        self.cells = {leaf.name: None for leaf in schema.leaves}
        self._branch(record, tree(schema), ())

    def _branch(self, value, below, path):
        for name, item in value.items():
            here = (*path, name)
            if name not in below:
                self._undeclared(here)
            elif item is None:
                continue
            elif not isinstance(below[name], dict):
                self._leaves(below[name], item, here)
            elif isinstance(item, dict) or item == []:
                self._branch(item or {}, below[name], here)
            else:
                self._unfit(snake_case("_".join(here)), item)

    def _leaves(self, leaves, value, path):
        first, found = leaves[0], []
        try:
            if first.pick:
                self._localised(leaves, value, path, found)
            else:
                self.cells[first.name] = self._value(first.kind, value, path, found)
        except MisfitError:
            self._unfit(first.column.name if first.pick else first.name, value)
            return
        for one in dict.fromkeys(found):
            self._undeclared(one)

    def _localised(self, leaves, value, path, found):
        if leaves[0].kind is Kind.LOCALISED or isinstance(value, dict) or value == []:
            texts = self._value(Kind.LOCALISED, value, path, found)
            for leaf in leaves:
                self.cells[leaf.name] = first_text(texts[locale] for locale in leaf.pick)
        else:
            plain = text(value)
            self.cells |= {leaf.name: plain for leaf in leaves if leaf.name == leaf.column.name}

    def _value(self, kind, value, path, found):
        if value is None:
            return None
        if isinstance(kind, ListOf):
            if not isinstance(value, list):
                raise MisfitError
            of = kind.of if isinstance(kind.of, Kind) else Struct(kind.of)
            return [self._value(of, item, path, found) for item in value]
        if isinstance(kind, EmbeddedMany):
            if isinstance(value, dict):
                found += [(*path, name) for name in value if name != "entries"]
                value, path = value.get("entries"), (*path, "entries")
            return self._value(ListOf(kind.fields), value, path, found)
        if isinstance(kind, (Struct, Embedded)) or kind is Kind.LOCALISED:
            return self._object(kind, value, path, found)
        return PLAIN.get(kind, text)(value)

    def _object(self, kind, value, path, found):
        if not isinstance(value, dict) and value != []:  # as PHP writes an empty object
            raise MisfitError
        value, locales = value or {}, self.schema.locales
        known = {name: name for name in locales} if kind is Kind.LOCALISED else {one.wire for one in kind.fields}
        found += [(*path, name) for name in value if name not in known]
        if kind is Kind.LOCALISED:
            return {name: None if value.get(name) is None else text(value[name]) for name in locales}
        cells = {}
        for one in kind.fields:
            item, here = value.get(one.wire), (*path, one.wire)
            if one.kind is not Kind.TEXT_OR_LOCALISED:
                cells[one.name] = self._value(one.kind, item, here, found)
            elif isinstance(item, dict) or item == []:
                texts = self._object(Kind.LOCALISED, item, here, found)
                cells[one.name] = first_text(texts[name] for name in locales)
                cells[f"{one.name}_localised"] = texts
            else:
                cells[one.name] = None if item is None else text(item)
                cells[f"{one.name}_localised"] = None
        return cells

    def _unfit(self, column, value):
        self.drift.unfit[column] += 1
        self.cells[f"{column}__raw"] = compact(value)

    def _undeclared(self, path):
        if self.schema.only is None:
            self.drift.unknown[".".join(path).encode(errors="backslashreplace").decode()] += 1
            self.cells[column_of(self.schema, path)] = compact(_there(self.record, path))


def first_text(found):
    """The first text that is not blank, else the first that is there."""
    texts = [one for one in found if one is not None]
    return next((one for one in texts if one.strip()), next(iter(texts), None))


def _there(value, path):
    """The value at a path; through a list, the list of what its elements have there."""
    if not path:
        return value
    if isinstance(value, list):
        return [_there(item, path) for item in value]
    return _there(value.get(path[0]), path[1:]) if isinstance(value, dict) else None


def tree(schema):
    """The declared members: a list of columns at each name, or the members below it."""
    found = {}
    for leaf in schema.leaves:
        below = found
        for name in leaf.path[:-1]:
            below = below.setdefault(name, {})
        below.setdefault(leaf.path[-1], []).append(leaf)
    return found


def snake_case(name):
    return re.sub(r"\W+", "_", re.sub(r"([a-z0-9])(?=[A-Z])", r"\1_", name)).strip("_").lower() or "field"


def column_of(schema, path):
    """The column of an undeclared field, from the vendor's name of it alone."""
    locales = (None, *schema.locales)
    taken = {leaf.name for one in locales for leaf in replace(schema, only=None, locale=one).leaves}
    name = snake_case("_".join(path))
    if len(path) == 1 and re.fullmatch(STYLES[schema.style], path[0]) and name not in taken:
        return name
    spelling = ".".join(part.replace(".", r"\.") for part in path)
    return f"{name}__{crc32(spelling.encode(errors='surrogatepass')) & 0xFFFF:04x}"
