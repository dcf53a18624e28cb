"""One control for each kind of filter: labelled, checked as it is typed, with its error next to it."""

from __future__ import annotations

import csv
import html
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.ask import Filter
from vendorkit.errors import UsageError
from vendorkit.panels.base import Act
from vendorkit.panels.markup import dim_html

LABELLED: Final = {"description_width": "10em"}
WIDE: Final = {"width": "28em"}
_LISTED: Final = 4  # choices shown at once

_HINTS: Final = {
    "time": "2026-01-01 .. 2026-01-31",
    "date": "2026-01-31",
    "moment": "2026-01-31T12:00",
    "object": "JSON",
}


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


def _in_words(declared: Filter, value: Any) -> str:
    """Return the span of time that a value means, to the second."""
    if declared.kind not in ("time", "moment") or value is None:
        return ""
    edges = value if isinstance(value, dict) else {"": value}
    with suppress(ValueError, OverflowError, OSError):  # no such year
        moments = [f"{edge} {datetime.fromtimestamp(at, timezone.utc):%Y-%m-%d %H:%M:%S}" for edge, at in edges.items()]
        return f"Now: {' '.join(moments).strip()} UTC."
    return ""


class Control(widgets.HBox):  # type: ignore[misc]
    """
    The control of one filter.

    Args:
        declared: The filter.
        changed: Called after each change.
        extra: Widgets between the control and its note.
        large: Whether it is for long texts.
    """

    def __init__(self, declared: Filter, changed: Act, extra: Sequence[Any] = (), *, large: bool = False) -> None:
        self.declared, self._changed = declared, changed
        self.box = _widget_for(declared, large=large)
        self._note = widgets.HTML(layout={"margin": ".4em 0 .4em .8em", "flex": "1 1 0", "min_width": "0"})
        self._fault: UsageError | None = None
        self.box.observe(self._look, names="value")
        super().__init__([self.box, *extra, self._note], layout={"align_items": "flex-start"})
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

    def faulty(self) -> bool:
        """Tell whether the control shows an error."""
        return self._fault is not None

    def _look(self, _: Any) -> None:
        self._show()
        self._changed()

    def _show(self) -> None:
        try:
            value = self.read()
        except UsageError as exc:
            self._fault = exc
            shown = html.escape(f"{exc.what} {exc.remedy}")
            self._note.value = f'<div role="alert" class="vk-fault">{shown}</div>'
        else:
            self._fault = None
            about = f"{'Required. ' * self.declared.required}{self.declared.about} {_in_words(self.declared, value)}"
            self._note.value = dim_html(about.strip())


def _widget_for(declared: Filter, *, large: bool) -> Any:
    shared = {"description": declared.name, "style": LABELLED, "layout": WIDE | {"flex": "0 0 auto"}}
    if declared.kind == "boolean":
        return widgets.Dropdown(options=[("", None), ("yes", True), ("no", False)], **shared)
    if declared.choices and declared.many:
        return widgets.SelectMultiple(options=declared.choices, rows=min(len(declared.choices), _LISTED), **shared)
    if declared.choices:
        return widgets.Dropdown(options=[("", None), *((one, one) for one in declared.choices)], **shared)
    hint = _HINTS.get(declared.kind, "one, or several with commas" if declared.many else "")
    kind = widgets.Textarea if large else widgets.Text
    return kind(placeholder=hint, **shared)
