"""A query as plain values, and the filters that it may contain."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final, Literal, NamedTuple, NoReturn

from vendorkit import arguments
from vendorkit.errors import UnknownName, UsageError

FilterKind = Literal["text", "code", "integer", "boolean", "time", "moment", "object", "date"]
_DAY_S: Final = 86_400
_SECONDS: Final = range(-62_135_596_800, 253_402_300_800)  # the years 1 to 9999
# A day, or a day and a time. Python would accept a week without a day, and read the offset of a day as a time.
_ISO: Final = re.compile(r"(?!.*W[0-9]{2}(?!-?[0-9]))[0-9W-]+(?:[T ].*)?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_COMPARED: Final = 100  # characters of a name; comparing takes quadratic time
_MOMENT: Final = "a date, a datetime, an ISO 8601 string or unix seconds"
_WANTED: Final = {"integer": "a whole number", "boolean": "True or False", "date": "a date, or a string YYYY-MM-DD"}


class Since(NamedTuple):
    """Where changes begin: a time in unix seconds, or the id of an event in the vendor's feed."""

    at: int
    is_event_id: bool = False


class Span(NamedTuple):
    """A planned part of a result: its number of rows, and the JSON values with which the paging fetches it."""

    rows: int
    asked: list[Any]


@dataclass(frozen=True)
class Ask:
    """
    A query without its client: plain values that can be pickled and written as JSON.

    Attributes:
        resource: The name of the resource.
        filters: Checked values by the vendor's filter name, including defaults from the settings.
        where: The vendor's own nested filter (`and`, `or`, `not`), applied in addition to `filters`.
        sort: The vendor's sort key; a leading "-" means descending order. None for the resource's default.
        expand: Linked resources to embed (Mediagenix).
        accept: "json" or "xml": the requested format, if the vendor has both.
        url: The URL of a followed link; None for the resource's own.
        strategy: How to fetch results too large for pages, if the resource has a choice; "" if it has none.
        since: Fetch only changes from here on; None for all records.
        span: The part to fetch, as planned by `split`; None for all.
        limit: Maximum number of rows; None for all.
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
        """Whether a filter's list of values is empty, as from an empty Series; no request is needed then."""
        return [] in self.filters.values()


@dataclass(frozen=True)
class Filter:
    """
    One declared filter of a resource.

    Attributes:
        wire: The vendor's name, such as "updatedSince".
        kind: The type of a value. "code" is an identifier, sent as text with its leading zeros; integers are refused
            because they have lost theirs. "moment" is sent as unix seconds. "time" is a moment, a day or a pair
            (from, until), in UTC; a date at the end of a pair includes that day. "object" is sent unchanged.
        choices: The allowed values, if the vendor lists them.
        many: Whether a list of values is allowed; records that match any of them are returned.
        about: A description in one sentence.
        required: Whether every query must set it.
        setting: The setting that provides a default value.
        lookup: Code that finds ids by name, with `{!r}` for the name; "" if the values are not ids of a resource.
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
        """The keyword argument of `query()`: the vendor's name in snake_case."""
        return snake_case(self.wire)

    def value(self, value: Any) -> Any:
        """
        Return *value* in the vendor's form: one plain value, or a list of them if *value* is any iterable.

        Raises:
            UsageError: The type is wrong, or a value is not one of the choices.
        """
        if self.kind == "time":
            return self._time(value)
        if self.kind == "moment":
            return self._moment(value)
        if self.kind == "object":
            plain = arguments.json_value(value, self.name)
            if not isinstance(plain, (dict, list)):
                arguments.refuse(self.name, "a dictionary", value, self.about and f"Give {self.about}")
            return plain
        items = arguments.values(value, self.name)
        if items is None:
            return self._scalar(value)
        if not self.many:
            arguments.refuse(self.name, f"one value: {self._wanted}", value)
        return arguments.in_order(value, [self._scalar(item) for item in items])

    def from_json(self, text: str) -> Any:
        """
        Parse the text of an "object" filter.

        Raises:
            UsageError: *text* is not JSON.
        """
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            what = f"{self.name}={text[:60]!r} is not JSON."
            raise UsageError(what, remedy=f"Give {self.about or 'an object.'}") from None

    def _scalar(self, value: Any) -> Any:
        match self.kind:
            case "boolean":
                return arguments.boolean(value, self.name)
            case "integer":
                return self._integer(value)
            case "date":
                return self._day(value)
            case "code":
                return self._code(value)
            case _:
                text = arguments.text(value, self.name, self._wanted)
        if not self.choices or text in self.choices:
            return text
        folded = {option.casefold(): option for option in self.choices}
        if text.casefold() not in folded:
            arguments.refuse(self.name, self._wanted, text)
        return folded[text.casefold()]

    @property
    def _wanted(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind == "integer" and self.lookup:
            article = "an" if self.name[0] in "aeiou" else "a"
            return f"{article} {self.name.replace('_', ' ')} id (whole number)"
        return _WANTED.get(self.kind, "a string")

    def _integer(self, value: Any) -> int:
        # Frames hold ids as strings, so strings of digits are accepted here.
        is_text = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII)
        number = int(value) if is_text else arguments.whole(value)
        if arguments.is_cents(self.wire):
            return arguments.cents(value if number is None else number, self.name)
        if number is None:
            search = value if isinstance(value, str) and len(value) < 60 else "…"
            remedy = f"Find ids with {self.lookup.format(search)}."
            arguments.refuse(self.name, self._wanted, value, remedy if self.lookup else "")
        return number

    def _code(self, value: Any) -> str:
        if not isinstance(value, str):
            arguments.refuse(self.name, self._wanted, value, "Pass a string: numbers cannot have leading zeros.")
        return arguments.identifier(value, self.name)

    def _day(self, value: Any) -> str:
        moment = _day_or_moment(value)
        if moment is None or (isinstance(value, str) and isinstance(moment, datetime)):
            arguments.refuse(self.name, self._wanted, value)
        return (moment.date() if isinstance(moment, datetime) else moment).isoformat()

    def _time(self, value: Any) -> Any:
        original, is_since = value, self.wire.endswith("Since")
        pair = None if isinstance(value, (set, frozenset)) else arguments.values(value, self.name)
        if pair is not None and len(pair) == 2:
            value = dict(zip(("from", "until"), pair, strict=True))
        if isinstance(value, Mapping):
            edges = {edge: self._moment(end, edge == "until") for edge, end in value.items() if end is not None}
            if not edges or edges.keys() - {"from", "until"}:
                arguments.refuse(self.name, f"{_MOMENT}, or a pair (from, until) of these", value)
            if len(edges) == 2 and edges["from"] > edges["until"]:
                arguments.refuse(self.name, "a pair (from, until) in chronological order", original)
            return edges
        first = self._moment(value)
        return {"from": first, "until": first + _DAY_S - 1} if _is_day(value) and not is_since else first

    def _moment(self, value: Any, is_end: bool = False) -> int:
        moment = _day_or_moment(value)
        number = None if isinstance(value, str) else arguments.whole(value)
        if moment is not None:
            number = (arguments.utc(moment) - _EPOCH) // timedelta(seconds=1)  # timestamp() may round up
        if number is None or number not in _SECONDS:
            pair = ", or a pair (from, until) of these" if self.kind == "time" else ""
            arguments.refuse(self.name, f"{_MOMENT}{pair}", value)
        # Times are whole seconds, so a span of days ends with the last second of its last day.
        return number + (_DAY_S - 1 if is_end and _is_day(value) else 0)


def _day_or_moment(value: Any) -> date | None:
    """Return a date or datetime of any library, or an ISO 8601 string, as Python's; None for anything else."""
    if not isinstance(value, str):
        return arguments.day_or_moment(value)
    if not _ISO.fullmatch(value):
        return None
    for parse in (date.fromisoformat, datetime.fromisoformat):
        with suppress(ValueError):
            return parse(value.replace("Z", "+00:00"))
    return None


def _is_day(value: Any) -> bool:
    moment = _day_or_moment(value)
    return moment is not None and not isinstance(moment, datetime)


def snake_case(name: str) -> str:
    """Convert "eanGtin13" or "ean-gtin13" to "ean_gtin13"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def find_filter(filters: Iterable[Filter], name: str, resource: str, others: Iterable[str] = ()) -> Filter:
    """
    Return the filter called *name*, in Python's or the vendor's spelling.

    Raises:
        UsageError: There is no such filter; the message suggests the nearest names, including those in *others*.
    """
    known = {spelling: item for item in filters for spelling in (item.name, item.wire)}
    if name in known:
        return known[name]
    what = f"{resource} has no filter {name!r}."
    candidates = [*(item.name for item in known.values()), *(other for other in others if other != name)]
    raise UsageError(what, remedy=suggestion(name, candidates))


def suggestion(name: Any, known: Iterable[str]) -> str:
    """Return a sentence with the *known* names that resemble *name*, or else all of them."""
    known = list(dict.fromkeys(known))
    folded = {candidate.casefold(): candidate for candidate in reversed(known)}
    near = difflib.get_close_matches(name.casefold()[:_COMPARED], folded, n=3) if isinstance(name, str) else []
    if near:
        return f"Did you mean {' or '.join(folded[match] for match in near)}?"
    return f"Available: {', '.join(known)}." if known else "There are none."


def unknown_name(of: object, title: str, name: str, first: Iterable[str] = (), call: str = "") -> NoReturn:
    """
    Raise the error for a missing attribute *name* of *of*.

    Suggestions come from *first*, then its attributes; or *call* is a call whose result has the attribute.
    """
    what = f"{title} has no attribute {name!r}."
    if name.startswith("_"):  # Python and notebooks probe for many private names
        raise AttributeError(what)
    known = [attribute for attribute in dir(type(of)) if not attribute.startswith("_")]
    raise UnknownName(what, remedy=f"Write {call}.{name}." if call else suggestion(name, [*first, *known]))


def choice(value: Any, known: Collection[str], what: str) -> str:
    """
    Return the member of *known* that equals *value*, ignoring case.

    Raises:
        UsageError: There is none. *what* begins the message, such as "There is no vendor"; the value follows.
    """
    folded = {name.casefold(): name for name in known}
    if isinstance(value, str) and value.casefold() in folded:
        return folded[value.casefold()]
    message = f"{what} {arguments.shown(value)}."
    raise UsageError(message, remedy=suggestion(value, known))
