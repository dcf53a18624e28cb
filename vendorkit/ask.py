"""The question to a vendor as plain values, and the filters that may be part of it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, NoReturn

from vendorkit import arguments
from vendorkit.errors import UnknownName, UsageError

FilterKind = Literal["text", "code", "integer", "boolean", "time", "moment", "object", "date"]
_DAY_S: Final = 86_400
_SECONDS: Final = range(-62_135_596_800, 253_402_300_800)  # the years 1 to 9999
_WEEK: Final = re.compile(r"W[0-9]{2}(?!-?[0-9])")
_LONGEST: Final = 100  # characters of a name that are compared: that takes the square of them
_MOMENT: Final = "a date, a datetime, an ISO 8601 text or unix seconds"
_WANTED: Final = {"integer": "a whole number", "boolean": "True or False", "date": "a date, or a text as YYYY-MM-DD"}


class Since(NamedTuple):
    """Where changes begin: a moment in unix seconds, or the id of an event in the vendor's own feed."""

    at: int
    is_event_id: bool = False


class Span(NamedTuple):
    """A planned part of an answer: its number of rows, and what the vendor's paging needs to fetch it, as JSON."""

    rows: int
    asked: list[Any]


@dataclass(frozen=True)
class Ask:
    """
    A question to a vendor: plain values that can be pickled and written as JSON, without a client.

    Attributes:
        resource: The name of the resource.
        filters: The vendor's filter names to checked values; defaults from the settings are included.
        where: The vendor's own nested filter (`and`, `or`, `not`), in addition to `filters`.
        sort: The vendor's sort key, with "-" before it for descending order; None for the resource's default.
        expand: Linked resources to embed (Mediagenix).
        accept: "json" or "xml": the requested format, if the vendor has both.
        url: The address of a followed link; None for the resource's own.
        strategy: How results are fetched that pages cannot hold, if the resource has a choice; "" for the only way.
        since: Only what changed from there on; None for all.
        span: The part to fetch, as `split` planned it; None for all.
        limit: At most this many rows; None for all.
    """

    resource: str
    filters: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] | None = None
    sort: str | None = None
    expand: tuple[str, ...] = ()
    accept: str = "json"
    url: str | None = None
    strategy: str = ""
    since: Since | None = None
    span: Span | None = None
    limit: int | None = None

    @property
    def matches_nothing(self) -> bool:
        """Whether a filter has a list of no values, such as an empty Series: then no request is needed."""
        return [] in self.filters.values()


@dataclass(frozen=True)
class Filter:
    """
    One thing a resource can be narrowed by.

    Attributes:
        wire: The vendor's name, such as "updatedSince".
        kind: What a value is. "code" is an identifier: text, leading zeros kept, integers refused because theirs are
            lost. "moment" is sent as unix seconds; "time" is a moment, a day or a pair (from, until), in UTC, in which
            a date as the end includes that day; "object" is sent as it is.
        choices: The only values, where the vendor lists them.
        many: Whether a list of values is allowed; it means any of them.
        about: One sentence for people.
        required: Whether a query must have it.
        setting: The setting that gives the value if the query does not.
        lookup: Code that finds ids by a name, with `{!r}` in its place; "" if the filter takes no ids of a resource.
    """

    wire: str
    kind: FilterKind = "text"
    choices: tuple[str, ...] = ()
    many: bool = True
    about: str = ""
    required: bool = False
    setting: str = ""
    lookup: str = ""

    @property
    def name(self) -> str:
        """The keyword in Python: the vendor's name in snake_case."""
        return snake_case(self.wire)

    def value(self, given: Any) -> Any:
        """
        Return *given* as the vendor wants it: a plain value, or a list of these for an iterable of any kind.

        Raises:
            UsageError: It is of the wrong type, or none of the choices.
        """
        if self.kind == "time":
            return self._time(given)
        if self.kind == "moment":
            return self._moment(given)
        if self.kind == "object":
            return arguments.json_value(given, self.name)
        many = arguments.values(given, self.name)
        if many is None:
            return self._one(given)
        if not self.many:
            arguments.refuse(self.name, f"one value: {self._wanted}", given)
        return arguments.in_order(given, [self._one(one) for one in many])

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
        match self.kind:
            case "boolean":
                return arguments.boolean(given, self.name)
            case "integer":
                return self._integer(given)
            case "date":
                return self._day(given)
            case "code":
                return self._code(given)
            case _:
                found = arguments.text(given, self.name, self._wanted)
        if not self.choices or found in self.choices:
            return found
        folded = {one.casefold(): one for one in self.choices}
        if found.casefold() not in folded:
            arguments.refuse(self.name, self._wanted, found)
        return folded[found.casefold()]

    @property
    def _wanted(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind == "integer" and self.lookup:
            article = "an" if self.name[0] in "aeiou" else "a"
            return f"{article} {self.name.replace('_', ' ')} id (whole number)"
        return _WANTED.get(self.kind, "a text")

    def _integer(self, given: Any) -> int:
        # Ids are texts in our frames, so they come back as texts.
        is_text = isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,18}", given, re.ASCII)
        number = int(given) if is_text else arguments.whole(given)
        if arguments.is_cents(self.wire):
            return arguments.cents(given if number is None else number, self.name)
        if number is None:
            sought = given if isinstance(given, str) and len(given) < 60 else "…"
            remedy = f"Find ids with {self.lookup.format(sought)}."
            arguments.refuse(self.name, self._wanted, given, remedy if self.lookup else "")
        return number

    def _code(self, given: Any) -> str:
        if arguments.whole(given) is not None:
            remedy = "Give all its digits as a text: a number has no leading zeros."
            arguments.refuse(self.name, self._wanted, given, remedy)
        return arguments.identifier(given, self.name)

    def _day(self, given: Any) -> str:
        found = _day_or_moment(given)
        if found is None or (isinstance(given, str) and isinstance(found, datetime)):
            arguments.refuse(self.name, self._wanted, given)
        return (found.date() if isinstance(found, datetime) else found).isoformat()

    def _time(self, given: Any) -> Any:
        asked, is_since = given, self.wire.endswith("Since")
        pair = None if isinstance(given, (set, frozenset)) else arguments.values(given, self.name)
        if pair is not None and len(pair) == 2:
            given = dict(zip(("from", "until"), pair, strict=True))
        if isinstance(given, Mapping):
            edges = {edge: self._moment(one, edge == "until") for edge, one in given.items() if one is not None}
            if not edges or edges.keys() - {"from", "until"}:
                arguments.refuse(self.name, f"{_MOMENT}, or a pair (from, until) of these", given)
            if len(edges) == 2 and edges["from"] > edges["until"]:
                arguments.refuse(self.name, "a pair (from, until) in the order of time", asked)
            return edges
        first = self._moment(given)
        return {"from": first, "until": first + _DAY_S - 1} if _is_day(given) and not is_since else first

    def _moment(self, given: Any, is_end: bool = False) -> int:
        # Seconds are whole, so a span ends with the last second of its last day.
        return self._second(given) + (_DAY_S - 1 if is_end and _is_day(given) else 0)

    def _second(self, given: Any) -> int:
        found = _day_or_moment(given)
        number = None if isinstance(given, str) else arguments.whole(given)
        if found is not None:
            number = int(arguments.utc(found).timestamp())
        if number is None or number not in _SECONDS:
            pair = ", or a pair (from, until) of these" if self.kind == "time" else ""
            arguments.refuse(self.name, f"{_MOMENT}{pair}", given)
        return number


def _day_or_moment(given: Any) -> date | None:
    """Return a date or datetime of any library, or an ISO 8601 text, as Python's; None if it is none of these."""
    if not isinstance(given, str):
        return arguments.day_or_moment(given)
    if _WEEK.search(given):  # for Python, a week without a day is its Monday
        return None
    for read in (date.fromisoformat, datetime.fromisoformat):
        with suppress(ValueError):
            return read(given.replace("Z", "+00:00"))
    return None


def _is_day(given: Any) -> bool:
    """Tell whether *given* is a date without a time, also as a text."""
    found = _day_or_moment(given)
    return found is not None and not isinstance(found, datetime)


def snake_case(name: str) -> str:
    """Return "eanGtin13" as "ean_gtin13"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def find_filter(filters: Iterable[Filter], name: str, resource: str, others: Iterable[str] = ()) -> Filter:
    """
    Return the filter called *name*, in Python's or in the vendor's spelling; *others* may be meant as well.

    Raises:
        UsageError: There is none; the nearest are suggested.
    """
    known = {spelling: one for one in filters for spelling in (one.name, one.wire)}
    if name in known:
        return known[name]
    what = f"{resource} has no filter {name!r}."
    meant = [*(one.name for one in known.values()), *(one for one in others if one != name)]
    raise UsageError(what, remedy=suggestion(name, meant))


def suggestion(name: Any, known: Iterable[str]) -> str:
    """Return a sentence that points from a misspelt *name* to the *known* ones."""
    known = list(dict.fromkeys(known))
    folded = {one.casefold(): one for one in reversed(known)}
    near = difflib.get_close_matches(name.casefold()[:_LONGEST], folded, n=3) if isinstance(name, str) else []
    if near:
        return f"Did you mean {' or '.join(folded[one] for one in near)}?"
    return f"There are: {', '.join(known)}." if known else "There are none."


def unknown_name(of: object, title: str, name: str, first: Iterable[str] = ()) -> NoReturn:
    """Raise the error that says that *of*, called *title*, has no attribute *name*; of *first*, then of the others."""
    what = f"{title} has no attribute {name!r}."
    if name.startswith("_"):  # Python and notebooks look for many of these
        raise AttributeError(what)
    known = [one for one in dir(type(of)) if not one.startswith("_")]
    raise UnknownName(what, remedy=suggestion(name, [*first, *known]))


def choice(given: Any, known: Collection[str], what: str) -> str:
    """
    Return the one of *known* that *given* is, without regard to case.

    Raises:
        UsageError: It is not; *what* is the message up to the value, such as "There is no vendor".
    """
    if isinstance(given, str) and given in known:
        return arguments.text(given, "name")
    folded = {one.casefold(): one for one in known}
    if isinstance(given, str) and given.casefold() in folded:
        return folded[given.casefold()]
    message = f"{what} {arguments.shown(given)}."
    raise UsageError(message, remedy=suggestion(given, known))
