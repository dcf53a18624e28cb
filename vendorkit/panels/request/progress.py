"""The progress of a download: pages, rows, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import ipywidgets as widgets

from vendorkit.panels.markup import counted
from vendorkit.pull import Progress
from vendorkit.resource import Cost

_PAUSE_S: Final = 0.1  # between two updates: each is a message to the front end
_ENOUGH: Final = 0.02  # of the rows, before pages that come one by one say how fast they do


def duration(seconds: float) -> str:
    """Return *seconds* in words, such as "2 min 5 s"."""
    whole = round(seconds)
    if whole < 1:
        return "less than 1 s"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


class ProgressBar(widgets.HTML):  # type: ignore[misc]
    """A bar and a line of text; hidden while nothing runs."""

    def __init__(self) -> None:
        self._cost: Callable[[int], Cost] = lambda _: Cost(1)
        self._pause_s: Callable[[int], float] = lambda _: 0.0
        self._started = self._updated = 0.0
        self._first: tuple[float, int] | None = None  # when the first page arrived, and its rows
        super().__init__(layout={"display": "none", "margin": "0 0 0 .8em"})

    def begin(self, cost: Callable[[int], Cost], pause_s: Callable[[int], float]) -> None:
        """
        Show an empty bar.

        Args:
            cost: Of so many rows.
            pause_s: How long so many requests would wait for the vendor's rate budget.
        """
        self._cost, self._pause_s, self._first = cost, pause_s, None
        self._started, self._updated = time.monotonic(), 0.0
        self._show("waiting for the first response", 0, 1)
        self.layout.display = ""

    def note_page(self, progress: Progress) -> None:
        """Show *progress*, if it is the end or the last update was not a moment ago."""
        now, wanted = time.monotonic(), progress.total or 0
        self._first = self._first or (now, progress.rows)
        if now - self._updated < _PAUSE_S and not progress.rows >= wanted > 0:
            return
        self._updated = now
        rows = min(progress.rows, wanted) if wanted else progress.rows  # the last page may have more than the limit
        text = f"{counted(progress.pages, 'page')}, {rows:,}{f' of {wanted:,}' if wanted else ''} rows"
        left = self._left_s(progress, now) if wanted > rows > 0 else None
        self._show(text + (f", {duration(left)} left" if left is not None else ""), rows, max(wanted, rows, 1))

    def hide_bar(self) -> None:
        """Hide the bar."""
        self.layout.display = "none"

    def _left_s(self, progress: Progress, now: float) -> float | None:
        """
        Return the seconds left; None if nothing says it yet.

        Pages that are requested together arrive together: time is counted in rounds of them. Rows per second would say
        too much before a round arrives, and too little after.
        """
        wanted, cost = progress.total or 0, self._cost(progress.total or 0)
        more = max(cost.requests - progress.pages, 0)
        if cost.at_once > 1:
            done, whole = cost.rounds(progress.pages), cost.rounds(cost.requests)
            left = (now - self._started) / done * max(whole - done, 1)
        else:
            since, before = self._first or (now, 0)
            if progress.rows - before < _ENOUGH * wanted:
                return None
            left = (now - since) / (progress.rows - before) * (wanted - progress.rows)
        return max(left, self._pause_s(more))

    def _show(self, text: str, value: int, whole: int) -> None:
        bar = f'<progress aria-label="Download" value="{value}" max="{whole}"></progress>'
        self.value = f'{bar} <span role="status">{text}</span>'
