"""One labelled control per filter. Input is checked while it is typed, and ids can be looked up by name."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.ask import Filter
from vendorkit.errors import UsageError, VendorkitError
from vendorkit.frames.names import encodable
from vendorkit.panels.base import FIELD, WRAP, Action
from vendorkit.panels.markup import HINTS, dim_html, escaped
from vendorkit.pull import progress_to
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.bound import search_filter
from vendorkit.vendors.client import Client

Matches = list[tuple[str, str]]  # label and id
Search = Callable[[str, Callable[[Any], None]], None] | None
MIN_LETTERS: Final = 3
_PAUSE_S: Final = 0.3  # between the last keystroke and the search
_MAX_MATCHES: Final = 10
_RESERVED_REQUESTS: Final = 10  # of the rate budget, kept for requests that the user sends
_MANY_ROWS: Final = 10**6
_MAX_ROWS: Final = 4  # visible choices
_HINTS: Final = HINTS["control of a filter"]
_WHOLE_DAY: Final = {"from": "00:00:00", "until": "23:59:59"}


def typed(declared: Filter, text: str) -> Any:
    """
    Return *text* as a value of this filter; None if it is blank.

    Several values are separated by commas or line breaks; a value that contains one is in double quotes. The two ends
    of a time span are separated by two dots.

    Raises:
        UsageError: It is not a value of the filter.
    """
    text = text.strip()
    return declared.value(_split(declared, text)) if text else None


def _split(declared: Filter, text: str) -> Any:
    if declared.kind == "object":
        return declared.from_json(text)
    if declared.kind in ("time", "moment"):
        first, dots, last = text.partition("..")
        pair = {edge: _moment(moment) for edge, moment in (("from", first), ("until", last)) if moment.strip()}
        return pair if dots and declared.kind == "time" else _moment(text)
    if declared.many:
        lines = csv.reader(text.splitlines(keepends=True), skipinitialspace=True)
        values = [value.strip() for line in lines for value in line]
        return values[0] if len(values) == 1 else [value for value in values if value]
    return text


def _moment(text: str) -> str | int:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) > 8 else text  # 8 digits are a date, more are unix seconds


def _text_of(declared: Filter, value: Any) -> str:
    """Return the text that `typed` would read as *value*."""
    if declared.kind == "object":
        return json.dumps(value, ensure_ascii=False)
    if declared.kind in ("time", "moment"):
        edges = [value.get("from"), value.get("until")] if isinstance(value, dict) else [value]
        return " .. ".join("" if at is None else _utc(at) for at in edges)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return line.getvalue() if declared.many else str(value)


def _utc(at: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=at)).isoformat(" ")  # noqa: DTZ001 - UTC throughout


def span_text(value: Any) -> str:
    """Return in words what a moment or a span of time, in unix seconds, includes."""
    edges = []
    for edge, at in (value if isinstance(value, dict) else {"at": value}).items():
        day, _, clock = _utc(at).partition(" ")
        edges.append(f"{edge} {day} (inclusive)" if clock == _WHOLE_DAY.get(edge) else f"{edge} {_utc(at)}")
    return f"{' '.join(edges)}, UTC."


class Control(widgets.HBox):  # type: ignore[misc]
    """
    The control of one filter.

    Args:
        declared: The filter.
        changed: Called after each change.
        extra: Widgets between the control and its note.
        search: Looks up ids by name in the background, and calls back with the matches or the error.
    """

    def __init__(self, declared: Filter, changed: Action, extra: Sequence[Any] = (), search: Search = None) -> None:
        self.declared, self._changed, self._search = declared, changed, search
        self._matches = widgets.ToggleButtons(value=None, layout={"display": "none"}, style={"button_width": "auto"})
        self.faulty = False
        self._matches.observe(self._insert, names="value")
        self.box = _widget_for(declared)
        self._note = widgets.HTML(layout={"margin": ".4em 0 .4em .8em", "flex": "1 1 0", "min_width": "0"})
        self.box.observe(self._edited, names="value")
        matches = [] if search is None else [self._matches]
        super().__init__([self.box, *extra, *matches, self._note], layout=WRAP | {"align_items": "flex-start"})
        self._show_note()

    def read(self) -> Any:
        """
        Return the value; None if there is none.

        Raises:
            UsageError: The text in the control is not a value of the filter.
        """
        value = self.box.value
        if isinstance(value, str):
            return typed(self.declared, value)
        if isinstance(value, tuple):
            value = value[0] if len(value) == 1 else list(value) or None
        return None if value is None else self.declared.value(value)

    def nested(self) -> dict[str, Any] | None:
        """Return the filter in the vendor's own form; None if it has no value."""
        value = self.read()
        return None if value is None else {self.declared.wire: value}

    def write(self, value: Any) -> None:
        """Show a value of the filter as if it had been typed or selected; None clears the control."""
        if isinstance(self.box, widgets.SelectMultiple):
            self.box.value = tuple(value if isinstance(value, list) else [value] * (value is not None))
        elif value is None:
            self.box.value = ""
        else:
            is_text = hasattr(self.box, "placeholder")
            self.box.value = _text_of(self.declared, value) if is_text else self.declared.value(value)

    def _edited(self, _: Any) -> None:
        self._matches.layout.display = "none"
        self._show_note()
        self._changed()
        if self._search is not None:
            self._search(self._name(), partial(self._show_matches, self._name()))

    def _name(self) -> str:
        """Return the last of the typed values if it can be a name; empty if it is an id."""
        last = self.box.value.rpartition(",")[2].strip()
        return "" if last.lstrip("-").isdecimal() else last

    def _show_matches(self, name: str, matches: Any) -> None:
        if name != self._name():  # the user has typed on
            return
        if isinstance(matches, VendorkitError) or not matches:
            what = matches.what if isinstance(matches, VendorkitError) else f"No name contains {name!r}."
            self._note.value += dim_html(what)
            return
        self._matches.options, self._matches.index = matches, None
        self._matches.tooltips = [label for label, _ in matches]
        self._matches.layout.display = ""

    def _insert(self, change: Any) -> None:
        # Safe to change the text: the button that was pressed has the focus, not the text field. While the buttons are
        # hidden none was pressed, but ipywidgets 7 selects the first option.
        if change["new"] is not None and not self._matches.layout.display:
            before, comma, _ = self.box.value.rpartition(",")
            self.box.value = f"{before}{comma}{' ' * bool(comma)}{change['new']}"

    def _show_note(self) -> None:
        try:
            value = self.read()
        except UsageError as exc:
            self.faulty = True
            message = escaped(f"{exc.what} {exc.remedy}")
            self._note.value = f'<div role="alert" class="vk-fault">{message}</div>'
        else:
            self.faulty = False
            is_time = self.declared.kind in ("time", "moment") and value is not None
            about = span_text(value) if is_time else self.declared.about
            self._note.value = dim_html("Required. " * self.declared.required + about)


def _widget_for(declared: Filter) -> Any:
    shared = {"description": declared.name, "style": FIELD["style"], "layout": FIELD["layout"] | {"flex": "0 0 auto"}}
    if declared.choices and declared.many:
        return widgets.SelectMultiple(options=declared.choices, rows=min(len(declared.choices), _MAX_ROWS), **shared)
    if declared.choices or declared.kind == "boolean":
        options: list[tuple[str, Any]] = [(name, name) for name in declared.choices] or [("yes", True), ("no", False)]
        return widgets.Dropdown(options=[("", ""), *options], **shared)
    hint = _HINTS.get(declared.kind, "one value, or several separated by commas" if declared.many else "")
    return (widgets.Textarea if declared.kind == "object" else widgets.Text)(placeholder=hint, **shared)


class Lookup:
    """
    Searches records by name in a thread, shortly after the last keystroke. Results are cached.

    Args:
        client: The vendor.
    """

    def __init__(self, client: Client) -> None:
        self._client, self._cache = client, dict[tuple[str, str], Matches]()
        self._timer = threading.Timer(0, lambda: None)

    def resource(self, of: Resource, declared: Filter) -> Resource | None:
        """Return the resource whose ids this filter of *of* takes, if one request is enough to search it."""
        other: Resource | None = getattr(self._client, of.name).identified(declared)
        if other is None or search_filter(other):
            return other
        with suppress(VendorkitError):  # some resources can only be listed under a parent
            return other if other.paging.cost(self._query(other, "").ask, _MANY_ROWS).requests == 1 else None
        return None

    def later(self, resource: Resource, text: str, show: Callable[[Matches | VendorkitError], None]) -> None:
        """Search for *text* after a pause and pass the matches to *show*; a newer call replaces this one."""
        self._timer.cancel()
        if len(text) >= MIN_LETTERS:
            self._timer = threading.Timer(_PAUSE_S, lambda: show(self.find(resource, text)))
            self._timer.daemon = True
            self._timer.start()

    def find(self, resource: Resource, text: str) -> Matches | VendorkitError:
        """Return the first few records whose name contains *text*; none if the rate budget is nearly used up."""
        term = text.casefold() if search_filter(resource) else ""
        key, remaining = (resource.name, term), self._client.session.budget.left()
        if key not in self._cache and (remaining is None or remaining > _RESERVED_REQUESTS):
            try:
                with progress_to(lambda _: None):  # shows no progress bar
                    records = list(self._query(resource, term).records(limit=_MAX_MATCHES if term else None))
            except VendorkitError as exc:
                return exc
            self._cache[key] = [(_name(record), str(record.get("id", ""))) for record in records]
        matches = [(name, id_) for name, id_ in self._cache.get(key, []) if term or text.casefold() in name.casefold()]
        return [(f"{name} ({id_})", id_) for name, id_ in matches[:_MAX_MATCHES] if id_]

    def _query(self, resource: Resource, text: str) -> Query:
        name = search_filter(resource)
        query: Query = getattr(self._client, resource.name).query(**({name: text} if name and text else {}))
        return query


def _name(record: dict[str, Any]) -> str:
    """Return the name of a record, or its distinct names if it has one per language."""
    name = record.get("name")
    texts = name.values() if isinstance(name, dict) else [name]
    return encodable(" / ".join(dict.fromkeys(str(text) for text in texts if text)))
