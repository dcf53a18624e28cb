"""The rules for single values of the slow reader in `frames_reference`."""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction

from vendorkit.frames import Kind

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,6})0*)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)


class RefusedError(Exception):
    """The answer is malformed."""


class MisfitError(Exception):
    """The value cannot be converted without loss."""


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    text: str


REPEATED = object()


def compact(value):
    """Compact JSON text, numbers as they came; half a surrogate pair is escaped, for it has no UTF-8."""
    if value is REPEATED:
        raise RefusedError
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{compact(name)}:{compact(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return json.dumps(value, ensure_ascii=isinstance(value, str) and not _encodable(value))


def _encodable(value):
    return not re.search("[\ud800-\udfff]", value)


def text(value):
    if isinstance(value, Number):
        return value.text
    if isinstance(value, str) and _encodable(value):
        return value
    raise MisfitError


def code(value):
    """A whole number is its digits; another one is no code."""
    if not isinstance(value, Number):
        return text(value)
    if re.fullmatch(r"-?\d+", value.text):
        return "0" if value.text == "-0" else value.text
    exact = Fraction(value.text)
    if exact.denominator != 1:
        raise MisfitError
    return str(int(exact))


def whole(value):
    if isinstance(value, str):
        if not re.fullmatch(r"0|-?[1-9][0-9]*", value, re.ASCII):
            raise MisfitError
        value = Number(value)
    if not isinstance(value, Number) or len(value.text) > 40:
        raise MisfitError
    exact = Fraction(value.text)
    if exact.denominator != 1 or not -(2**63) <= exact < 2**63:
        raise MisfitError
    return int(exact)


def real(value):
    """A number is the nearest double; one without a fraction, and a text, has to be that double."""
    written = value.text if isinstance(value, Number) else value
    if not isinstance(written, str) or not NUMBER.fullmatch(written):
        raise MisfitError
    try:
        found = float(written)
    except ValueError:
        raise MisfitError from None
    if abs(found) == float("inf"):
        raise MisfitError
    shown = Fraction(int(found)) if found.is_integer() else Fraction(repr(found))
    rounds = isinstance(value, Number) and not re.fullmatch(r"-?\d+", written)
    if not rounds and Fraction(written) != shown:
        raise MisfitError
    return found


def truth(value):
    meaning = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
    if isinstance(value, Number) and Fraction(value.text) in (0, 1):
        meaning = Fraction(value.text) == 1
    if not isinstance(meaning, bool):
        raise MisfitError
    return meaning


def epoch(value):
    try:
        return EPOCH + timedelta(seconds=whole(value))
    except OverflowError:
        raise MisfitError from None


def day(value):
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise MisfitError
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise MisfitError from None


def moment(value):
    """ISO 8601; without an offset it is UTC."""
    found = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise MisfitError
    on, hour, minute, second, fraction, offset = found.groups()
    offset = "+00:00" if offset in (None, "Z") else offset[:3] + ":" + (offset[3:].strip(":") or "00")
    if int(offset[1:3]) > 23 or int(offset[4:]) > 59:
        raise MisfitError
    try:
        at = f"{on}T{hour or '00'}:{minute or '00'}:{second or '00'}.{(fraction or '').ljust(6, '0')}{offset}"
        return datetime.fromisoformat(at).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise MisfitError from None


def document(value):
    """Anything, but for the type that JSON alone has; `-` and `_` in names are one where that keeps them apart."""
    if isinstance(value, dict):
        value = {name: item for name, item in value.items() if name != "resource_type"}
    return compact(underscored(value))


def underscored(value):
    if isinstance(value, list):
        return [underscored(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = [name.replace("-", "_") for name in value]
    if len(set(names)) < len(names):
        names = list(value)
    return {name: underscored(item) for name, item in zip(names, value.values(), strict=True)}


PLAIN = {
    Kind.CODE: code,
    Kind.ID: code,
    Kind.INTEGER: whole,
    Kind.NUMBER: real,
    Kind.BOOLEAN: truth,
    Kind.EPOCH: epoch,
    Kind.DATETIME: moment,
    Kind.DATE: day,
    Kind.JSON: compact,
    Kind.DOCUMENT: document,
}
