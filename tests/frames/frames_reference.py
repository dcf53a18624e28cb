"""A slow reader of records, written for the tests from the frame contract alone."""

import json
import re
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction

from vendorkit.frames import Column, Kind, ListOf, Schema, Struct

LOCALES = ("nl", "fr")
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
    locales=LOCALES,
)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Misfit(Exception):
    """The value cannot be converted without loss."""


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def text(value):
    if isinstance(value, str):
        return value
    if number(value):
        return compact(value)
    raise Misfit


def whole(value):
    if isinstance(value, str):
        if not re.fullmatch(r"0|-?[1-9][0-9]*", value, re.ASCII) or len(value) > 20:
            raise Misfit
        value = int(value)
    # A number is what its text says: of 6.651847385399327e+16 the last digits are 70, and not the float's 72.
    exact = Fraction(repr(value)) if number(value) else None
    if exact is None or exact.denominator != 1 or not -(2**63) <= exact < 2**63:
        raise Misfit
    return int(exact)


def identifier(value):
    try:
        return str(whole(value)) if number(value) else text(value)
    except Misfit:
        return text(value)


def real(value):
    if isinstance(value, str):
        if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", value, re.ASCII):
            raise Misfit
        exact = Fraction(value)
        shown = Fraction(int(float(value))) if float(value).is_integer() else Fraction(repr(float(value)))
    elif number(value):
        exact, shown = value, float(value) if abs(value) < 1e300 else value
    else:
        raise Misfit
    if exact != shown:
        raise Misfit
    return float(value)


def truth(value):
    for spellings, meaning in (((True, "true"), True), ((False, "false"), False)):
        if any(value is spelling or value == spelling == str(value) for spelling in spellings):
            return meaning
    if number(value) and value in (0, 1):
        return value == 1
    raise Misfit


def epoch(value):
    try:
        return EPOCH + timedelta(seconds=whole(value))
    except OverflowError:
        raise Misfit from None


def day(value):
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise Misfit
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Misfit from None


def moment(value):
    if not isinstance(value, str) or not re.fullmatch(
        r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)?)?", value, re.ASCII
    ):
        raise Misfit
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise Misfit from None
    return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)


def texts(value):
    """Texts by locale; PHP writes the empty object as an empty list."""
    if value == []:
        value = {}
    if not isinstance(value, dict):
        raise Misfit
    return {locale: None if value.get(locale) is None else text(value[locale]) for locale in LOCALES}


def part(value):
    if value is None:
        return None
    if value == []:
        value = {}
    if not isinstance(value, dict):
        raise Misfit
    rules = {"id": identifier, "title": text, "texts": texts}
    return {name: None if value.get(name) is None else rule(value[name]) for name, rule in rules.items()}


def listed(rule):
    def read(value):
        if not isinstance(value, list):
            raise Misfit
        return [None if item is None else rule(item) for item in value]

    return read


RULES = {
    "id": identifier,
    "code": text,
    "count": whole,
    "ratio": real,
    "flag": truth,
    "touchedAt": epoch,
    "day": day,
    "starts": moment,
    "tags": listed(text),
    "parts": listed(part),
}
COLUMNS = {"touchedAt": "touched_at"}


def put(row, column, rule, value):
    try:
        row[column] = None if value is None else rule(value)
    except Misfit:
        row[column] = None
        row[f"{column}__raw"] = compact(value)


def spread(row, column, value, rules):
    """An object of the record whose fields are columns of their own."""
    for name in rules:
        row[f"{column}_{name}"] = None
    if value is None:
        return
    if value == []:
        value = {}
    if not isinstance(value, dict):
        row[f"{column}__raw"] = compact(value)
        return
    for name, item in value.items():
        if name in rules:
            put(row, f"{column}_{name}", rules[name], item)
        else:
            row[f"{column}_{name}"] = compact(item)


def label(row, value):
    row.update(label=None, label_nl=None, label_fr=None)
    if value is None:
        return
    try:
        if isinstance(value, dict) or value == []:
            found = texts(value)
            row.update(label_nl=found["nl"], label_fr=found["fr"])
            row["label"] = found["fr"] if found["nl"] is None else found["nl"]
        else:
            row["label"] = text(value)
    except Misfit:
        row["label__raw"] = compact(value)
        return
    unknown(row, "label", value)


def unknown(row, prefix, value):
    if isinstance(value, dict):
        row.update({f"{prefix}_{name}": compact(item) for name, item in value.items() if name not in LOCALES})


def parts_unknown(row, value):
    """What undeclared fields of list elements become: the list of what each element has there."""
    if row["parts"] is None:
        return
    names = {name for item in value if isinstance(item, dict) for name in item} - {"id", "title", "texts"}
    for name in names:
        row[f"parts_{name}"] = compact(
            [item.get(name) if isinstance(item, dict) else [] if item == [] else None for item in value]
        )
    inner = [item.get("texts") if isinstance(item, dict) else [] if item == [] else None for item in value]
    for name in {name for item in inner if isinstance(item, dict) for name in item} - set(LOCALES):
        row[f"parts_texts_{name}"] = compact(
            [item.get(name) if isinstance(item, dict) else [] if item == [] else None for item in inner]
        )


def read(records):
    """The rows of the frame, and the names of all its columns."""
    rows = []
    for record in records:
        row = {}
        for name, rule in RULES.items():
            put(row, COLUMNS.get(name, name), rule, record.get(name))
        spread(row, "name", record.get("name"), dict.fromkeys(LOCALES, text))
        spread(row, "meta", record.get("meta"), {"size": whole})
        label(row, record.get("label"))
        parts_unknown(row, record.get("parts"))
        for name in record.keys() - RULES.keys() - {"name", "meta", "label"}:
            row[name] = compact(record[name])
        rows.append(row)
    columns = {name for row in rows for name in row} | set(SCHEMA.arrow.names)
    return [{name: row.get(name) for name in columns} for row in rows]
