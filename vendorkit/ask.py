"""Declared filters: what may be asked of a resource, checked before anything is sent."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any, Literal

from vendorkit.errors import UsageError

FilterKind = Literal["text", "code", "integer", "boolean", "time", "moment", "object", "date"]


@dataclass(frozen=True)
class Filter:
    """
    One thing a resource can be narrowed by.

    Attributes:
        wire: The vendor's name, such as "updatedSince".
        kind: What a value is. "code" is an identifier: text, leading zeros kept, integers refused because theirs are
            lost. "moment" is sent as unix seconds; "time" is a moment or a pair (from, until); "object" is sent as it
            is.
        choices: The only values, where the vendor lists them.
        many: Whether a list of values is allowed; it means any of them.
        about: One sentence for people.
        required: Whether a query must have it.
    """

    wire: str
    kind: FilterKind = "text"
    choices: tuple[str, ...] = ()
    many: bool = True
    about: str = ""
    required: bool = False

    @property
    def name(self) -> str:
        """The keyword in Python: the vendor's name in snake_case."""
        return snake_case(self.wire)

    def value(self, given: Any) -> Any:
        """
        Return *given* as the vendor wants it.

        Raises:
            UsageError: It is of the wrong type, or none of the choices.
        """
        if self.kind == "time":
            return self._time(given)
        if self.kind == "moment":
            return self._moment(given)
        if self.kind == "object":
            return given
        if isinstance(given, (list, tuple, set, frozenset)):
            if not self.many:
                raise self._wrong(given, "a single value")
            return [self._one(item) for item in given]
        return self._one(given)

    def from_json(self, text: str) -> Any:
        """
        Return the object that *text* says, of a filter of kind "object".

        Raises:
            UsageError: It is not JSON.
        """
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            what = f"{self.name}={text[:60]!r} is not JSON."
            raise UsageError(what, remedy=f"Give {self.about or 'an object.'}") from None

    def _one(self, given: Any) -> Any:
        if self.choices and given not in self.choices:
            raise self._wrong(given, f"one of {', '.join(self.choices)}")
        if self.kind == "boolean" and not isinstance(given, bool):
            raise self._wrong(given, "True or False")
        if self.kind == "integer":
            return self._integer(given)
        if self.kind == "date":
            return _iso_date(given) or self._refuse(given, "a date as YYYY-MM-DD")
        if self.kind in ("code", "text") and not isinstance(given, str):
            raise self._wrong(given, "a text")
        return given

    def _integer(self, given: Any) -> int:
        if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,18}", given):
            return int(given)  # ids are texts in our frames, so they come back as texts
        if isinstance(given, bool) or not isinstance(given, int):
            raise self._wrong(given, "a whole number")
        return given

    def _time(self, given: Any) -> Any:
        if isinstance(given, (list, tuple)) and len(given) == 2:
            given = dict(zip(("from", "until"), given, strict=True))
        if isinstance(given, Mapping):
            if not given or set(given) - {"from", "until"}:
                raise self._wrong(given, "a moment or a pair (from, until)")
            edges = {edge: self._moment(moment) for edge, moment in given.items() if moment is not None}
            return edges or self._refuse(given, "a moment, or one for from or until")
        return self._moment(given)

    def _moment(self, given: Any) -> int:
        if isinstance(given, str):
            try:
                given = datetime.fromisoformat(given.replace("Z", "+00:00"))
            except ValueError:
                raise self._wrong(given, "an ISO 8601 date or time") from None
        if isinstance(given, date) and not isinstance(given, datetime):
            given = datetime(given.year, given.month, given.day, tzinfo=timezone.utc)
        if isinstance(given, datetime):
            moment = given if given.tzinfo else given.replace(tzinfo=timezone.utc)
            return int(moment.timestamp())
        return self._integer(given)

    def _refuse(self, given: Any, wanted: str) -> Any:
        raise self._wrong(given, wanted)

    def _wrong(self, given: Any, wanted: str) -> UsageError:
        what = f"{self.name}={str(given)[:60]!r} is not a value of this filter."
        return UsageError(what, remedy=f"Give {wanted}.")


def _iso_date(given: Any) -> str | None:
    if isinstance(given, datetime):
        return given.date().isoformat()
    if isinstance(given, date):
        return given.isoformat()
    try:
        return date.fromisoformat(given).isoformat()
    except (TypeError, ValueError):
        return None


def snake_case(name: str) -> str:
    """Return "eanGtin13" as "ean_gtin13"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def find_filter(filters: Iterable[Filter], name: str, resource: str) -> Filter:
    """
    Return the filter called *name*, in Python's or in the vendor's spelling.

    Raises:
        UsageError: There is none; the nearest are suggested.
    """
    known = {spelling: one for one in filters for spelling in (one.name, one.wire)}
    if name in known:
        return known[name]
    what = f"{resource} has no filter {name!r}."
    raise UsageError(what, remedy=suggestion(name, [one.name for one in known.values()]))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a sentence that points from a misspelt *name* to the *known* ones."""
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There are: {', '.join(known)}." if known else "There are none."
