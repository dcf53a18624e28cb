"""How far a pull is: pages, rows, and the time that is left."""

from __future__ import annotations

import time
from typing import Final

import ipywidgets as widgets

from vendorkit.panels.markup import counted
from vendorkit.pull import Pull

_PAUSE_S: Final = 0.1  # between two updates: each is a message to the front end


def duration(seconds: float) -> str:
    """Return *seconds* in words, such as "2 min 5 s"."""
    whole = round(seconds)
    if whole < 1:
        return "less than 1 s"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


class Progress(widgets.HBox):  # type: ignore[misc]
    """A bar and a line of text; hidden where nothing runs."""

    def __init__(self) -> None:
        self._bar = widgets.IntProgress(layout={"width": "18em"})
        self._said = widgets.HTML(layout={"margin": "0 0 0 .8em"})
        self._limit: int | None = None
        self._started = self._told = 0.0
        super().__init__([self._bar, self._said], layout={"display": "none", "align_items": "center"})

    def begin(self, limit: int | None) -> None:
        """Show an empty bar, for a pull of at most *limit* rows."""
        self._limit, self._started, self._told = limit, time.monotonic(), 0.0
        self._bar.value, self._bar.max = 0, 1
        self._said.value = self._line("waiting for the first answer")
        self.layout.display = ""

    def saw(self, pull: Pull) -> None:
        """Show where *pull* is."""
        now = time.monotonic()
        if now - self._told < _PAUSE_S:
            return
        self._told = now
        totals = [rows for rows in (pull.total, self._limit) if rows is not None]
        wanted = min(totals, default=0)
        rows = min(pull.rows, self._limit) if self._limit is not None else pull.rows
        self._bar.max, self._bar.value = max(wanted, rows, 1), rows
        said = f"{counted(pull.pages, 'page')}, {rows:,}{f' of {wanted:,}' if wanted else ''} rows"
        if wanted > rows > 0:
            said += f", {duration((now - self._started) * (wanted - rows) / rows)} left"
        self._said.value = self._line(said)

    def end(self) -> None:
        """Hide the bar."""
        self.layout.display = "none"

    @staticmethod
    def _line(text: str) -> str:
        return f'<div role="status">{text}</div>'
