"""One control for each kind of filter: labelled, checked as it is typed, its ids found by names."""

from __future__ import annotations

import csv
import html
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
from vendorkit.panels.base import LABELLED, WIDE, WRAP, Act
from vendorkit.panels.markup import HINTS, dim_html
from vendorkit.pull import progress_to
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.bound import search_filter
from vendorkit.vendors.client import Client

Found = list[tuple[str, str]]  # what people read, and the id
Finder = Callable[[str, Callable[[Any], None]], None]
LETTERS: Final = 3
_PAUSE_S: Final = 0.3  # after the last letter
_SHOWN: Final = 10
_RESERVE: Final = 10  # requests of the rate budget that are left for what somebody sends
_MANY: Final = 10**6
_LISTED: Final = 4  # choices shown at once
_WHOLE_DAY: Final = {"from": "00:00:00", "until": "23:59:59"}
_HINTS: Final = HINTS["control of a filter"]


def typed(declared: Filter, text: str) -> Any:
    """
    Return the value for this filter that *text* means; None if it is blank.

    Separate several values with commas, and put a value that contains a comma in double quotes; a span of time has two
    dots.

    Raises:
        UsageError: It is not a value of the filter.
    """
    text = text.strip()
    return declared.value(_parted(declared, text)) if text else None


def _parted(declared: Filter, text: str) -> Any:
    if declared.kind == "object":
        return declared.from_json(text)
    if declared.kind in ("time", "moment"):
        first, dots, last = text.partition("..")
        pair = {edge: _moment(moment) for edge, moment in (("from", first), ("until", last)) if moment.strip()}
        return pair if dots and declared.kind == "time" else _moment(text)
    if declared.many:
        values = [value.strip() for value in next(csv.reader([text], skipinitialspace=True))]
        return values[0] if len(values) == 1 else [value for value in values if value]
    return text


def _moment(text: str) -> str | int:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) > 8 else text  # 8 digits are a date


def _text_of(declared: Filter, value: Any) -> str:
    """Return the text that `typed` understands as *value*."""
    if declared.kind == "object":
        return json.dumps(value, ensure_ascii=False)
    if declared.kind in ("time", "moment"):
        edges = [value.get("from"), value.get("until")] if isinstance(value, dict) else [value]
        return " .. ".join("" if at is None else _utc(at) for at in edges)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return line.getvalue() if declared.many else str(value)


def _utc(at: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=at)).isoformat(" ")  # noqa: DTZ001 - all of it is UTC


def span_text(value: Any) -> str:
    """Return what a moment or a span of time, in unix seconds, includes, in words."""
    said = []
    for edge, at in (value if isinstance(value, dict) else {"at": value}).items():
        day, _, clock = _utc(at).partition(" ")
        said.append(f"{edge} {day} (inclusive)" if clock == _WHOLE_DAY.get(edge) else f"{edge} {_utc(at)}")
    return f"{' '.join(said)}, UTC."


class Control(widgets.HBox):  # type: ignore[misc]
    """
    The control of one filter.

    Args:
        declared: The filter.
        changed: Called after each change.
        extra: Widgets between the control and its note.
        lookup: Finds the ids that the filter takes by a name, later, and calls back with what it found.
    """

    def __init__(
        self, declared: Filter, changed: Act, extra: Sequence[Any] = (), *, lookup: Finder | None = None
    ) -> None:
        self.declared, self._changed, self._lookup = declared, changed, lookup
        self._found = widgets.ToggleButtons(value=None, layout={"display": "none"}, style={"button_width": "auto"})
        self._offering = self.faulty = False
        self._found.observe(self._pick, names="value")
        self.box = _widget_for(declared)
        self._note = widgets.HTML(layout={"margin": ".4em 0 .4em .8em", "flex": "1 1 0", "min_width": "0"})
        self.box.observe(self._look, names="value")
        picks = [] if lookup is None else [self._found]
        super().__init__([self.box, *extra, *picks, self._note], layout=WRAP | {"align_items": "flex-start"})
        self._show()

    def read(self) -> Any:
        """
        Return the value; None if there is none.

        Raises:
            UsageError: The text in the control is not a value of the filter.
        """
        given = self.box.value
        if isinstance(given, str):
            return typed(self.declared, given)
        if isinstance(given, tuple):
            given = given[0] if len(given) == 1 else list(given) or None
        return None if given is None else self.declared.value(given)

    def nested(self) -> dict[str, Any] | None:
        """Return the filter and its value as the vendor writes them; None if there is none."""
        value = self.read()
        return None if value is None else {self.declared.wire: value}

    def write(self, value: Any) -> None:
        """Show a value of the filter, as it would be typed or chosen; None for none."""
        if isinstance(self.box, widgets.SelectMultiple):
            self.box.value = tuple(value if isinstance(value, list) else [value] * (value is not None))
        elif value is None:
            self.box.value = ""
        else:
            is_text = hasattr(self.box, "placeholder")
            self.box.value = _text_of(self.declared, value) if is_text else self.declared.value(value)

    def _look(self, _: Any) -> None:
        self._found.layout.display = "none"
        self._show()
        self._changed()
        if self._lookup is not None:
            self._lookup(self._sought(), partial(self._offer, self._sought()))

    def _sought(self) -> str:
        """Return what is typed last, if it is no id; it may be a name."""
        last = self.box.value.rpartition(",")[2].strip()
        return "" if last.lstrip("-").isdecimal() else last

    def _offer(self, sought: str, found: Any) -> None:
        if sought != self._sought():  # something else is typed by now
            return
        if isinstance(found, VendorkitError) or not found:
            what = found.what if isinstance(found, VendorkitError) else f"No name contains {sought!r}."
            self._note.value += dim_html(what)
            return
        self._offering = True  # ipywidgets 7 chooses the first one by itself
        self._found.options, self._found.index = found, None
        self._offering = False
        self._found.tooltips = [label for label, _ in found]
        self._found.layout.display = ""

    def _pick(self, change: Any) -> None:
        # By a press of a button, so that the text has not the focus.
        if change["new"] is not None and not self._offering:
            before, comma, _ = self.box.value.rpartition(",")
            self.box.value = f"{before}{comma}{' ' * bool(comma)}{change['new']}"

    def _show(self) -> None:
        try:
            value = self.read()
        except UsageError as exc:
            self.faulty = True
            shown = html.escape(f"{exc.what} {exc.remedy}")
            self._note.value = f'<div role="alert" class="vk-fault">{shown}</div>'
        else:
            self.faulty = False
            timed = self.declared.kind in ("time", "moment") and value is not None
            about = span_text(value) if timed else self.declared.about
            self._note.value = dim_html("Required. " * self.declared.required + about)


def _widget_for(declared: Filter) -> Any:
    shared = {"description": declared.name, "style": LABELLED, "layout": WIDE | {"flex": "0 0 auto"}}
    if declared.choices and declared.many:
        return widgets.SelectMultiple(options=declared.choices, rows=min(len(declared.choices), _LISTED), **shared)
    if declared.choices or declared.kind == "boolean":
        options: list[tuple[str, Any]] = [(one, one) for one in declared.choices] or [("yes", True), ("no", False)]
        return widgets.Dropdown(options=[("", ""), *options], **shared)
    hint = _HINTS.get(declared.kind, "one value, or several separated by commas" if declared.many else "")
    return (widgets.Textarea if declared.kind == "object" else widgets.Text)(placeholder=hint, **shared)


class Lookup:
    """
    Finds records by name, some time after the last letter and in a thread; what was found once is kept.

    Args:
        client: The vendor.
    """

    def __init__(self, client: Client) -> None:
        self._client, self._kept = client, dict[tuple[str, str], Found]()
        self._timer = threading.Timer(0, lambda: None)

    def resource(self, of: Resource, declared: Filter) -> Resource | None:
        """Return the resource whose ids a filter of the resource *of* takes, if it can be searched in one request."""
        other: Resource | None = getattr(self._client, of.name).identified(declared)
        if other is None or search_filter(other):
            return other
        with suppress(VendorkitError):  # some are only listed below a parent
            return other if other.paging.cost(self._query(other, "").ask, _MANY).requests == 1 else None
        return None

    def later(self, resource: Resource, text: str, show: Callable[[Found | VendorkitError], None]) -> None:
        """Search for *text* unless another one is typed before, and give *show* what was found."""
        self._timer.cancel()
        if len(text) >= LETTERS:
            self._timer = threading.Timer(_PAUSE_S, lambda: show(self.find(resource, text)))
            self._timer.daemon = True
            self._timer.start()

    def join(self) -> None:
        """Wait for what was searched for last."""
        if self._timer.ident is not None:
            self._timer.join(10)

    def find(self, resource: Resource, text: str) -> Found | VendorkitError:
        """Return the records whose name has *text* in it, a few at most; none if the rate budget is nearly used up."""
        searched = text.casefold() if search_filter(resource) else ""
        key, left = (resource.name, searched), self._client.session.budget.left()
        if key not in self._kept and (left is None or left > _RESERVE):
            try:
                with progress_to(lambda _: None):  # and no bar in the output
                    records = list(self._query(resource, searched).records(limit=_SHOWN if searched else None))
            except VendorkitError as exc:
                return exc
            self._kept[key] = [(_name(one), str(one.get("id", ""))) for one in records]
        found = [one for one in self._kept.get(key, []) if text.casefold() in one[0].casefold() or searched]
        return [(f"{name} ({key})", key) for name, key in found[:_SHOWN] if key]

    def _query(self, resource: Resource, text: str) -> Query:
        name = search_filter(resource)
        query: Query = getattr(self._client, resource.name).query(**({name: text} if name and text else {}))
        return query


def _name(record: dict[str, Any]) -> str:
    """Return the name of a record; of one with a name per language all of them, each once."""
    name = record.get("name")
    texts = name.values() if isinstance(name, dict) else [name]
    return " / ".join(dict.fromkeys(str(text) for text in texts if text))
