"""The progress of a download: pages, rows, and the time that is left."""

from __future__ import annotations

import time
from typing import Final

import ipywidgets as widgets

from vendorkit.panels.markup import counted
from vendorkit.pull import Progress

_PAUSE_S: Final = 0.1  # between two updates: each is a message to the front end


def duration(seconds: float) -> str:
    """Return *seconds* in words, such as "2 min 5 s"."""
    whole = round(seconds)
    if whole < 1:
        return "less than 1 s"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


class ProgressBar(widgets.HBox):  # type: ignore[misc]
    """A bar and a line of text; hidden while nothing runs."""

    def __init__(self) -> None:
        self._bar = widgets.IntProgress(layout={"width": "18em"})
        self._line = widgets.HTML(layout={"margin": "0 0 0 .8em"})
        self._started = self._updated = 0.0
        super().__init__([self._bar, self._line], layout={"display": "none", "align_items": "center"})

    def begin(self) -> None:
        """Show an empty bar."""
        self._started, self._updated = time.monotonic(), 0.0
        self._bar.value, self._bar.max = 0, 1
        self._show("waiting for the first response")
        self.layout.display = ""

    def note_page(self, progress: Progress) -> None:
        """Show *progress*, if the last update was not a moment ago."""
        now = time.monotonic()
        if now - self._updated < _PAUSE_S:
            return
        self._updated = now
        wanted = progress.total or 0
        rows = min(progress.rows, wanted) if wanted else progress.rows  # the last page may have more than the limit
        self._bar.max, self._bar.value = max(wanted, rows, 1), rows
        text = f"{counted(progress.pages, 'page')}, {rows:,}{f' of {wanted:,}' if wanted else ''} rows"
        if wanted > rows > 0:
            text += f", {duration((now - self._started) * (wanted - rows) / rows)} left"
        self._show(text)

    def hide_bar(self) -> None:
        """Hide the bar."""
        self.layout.display = "none"

    def _show(self, text: str) -> None:
        self._line.value = f'<div role="status">{text}</div>'
