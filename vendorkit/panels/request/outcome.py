"""A request from its estimate over its progress to its table, which stays until another one brought rows."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.ask import Ask
from vendorkit.panels.base import mark
from vendorkit.panels.markup import counted
from vendorkit.panels.table import Table
from vendorkit.panels.table.files import is_mock
from vendorkit.pull import Plan, Progress
from vendorkit.resource import Cost

Asked = tuple[Ask, dict[str, Any]]  # what is asked, and the arguments of `frame`
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


def plan_text(plan: Plan) -> str:
    """Return how many records match, what fetching them takes, and why."""
    fetched = "them" if plan.rows == plan.total else f"{plan.rows:,} of them"
    requests = "1 request" if plan.requests == 1 else f"about {plan.requests:,} requests"
    why = f" ({plan.strategy}: {plan.why})" if plan.why else ""
    return f"{plan.total:,} match. Fetching {fetched} takes {requests} and {duration(plan.seconds)}{why}."


def caption(frame: pd.DataFrame, declared: Iterable[str], seconds: float) -> str:
    """Return one sentence on *frame*: rows, of how many, when, in which time, whether complete, undeclared columns."""
    about, known = frame.attrs["vendorkit"], set(declared)
    of = "" if about["total"] in (None, len(frame)) else f" of {about['total']:,}"
    added = [str(name) for name in frame.columns if name not in known]
    parts = ["mock data"] * is_mock(about)
    parts += [f"{counted(len(frame), 'row')}{of}", counted(len(frame.columns), "column")]
    parts += [counted(about["pages"], "page"), f"fetched at {about['fetched_at']} in {duration(seconds)}"]
    parts += ["more records match"] * (not about["complete"]) + [f"undeclared: {', '.join(added)}"] * bool(added)
    return "; ".join(parts) + "."


class ProgressBar(widgets.HTML):  # type: ignore[misc]
    """A bar and a line of text; hidden while nothing runs."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none", "margin": "0 0 0 .8em"})

    def begin(self, cost: Callable[[int], Cost], pause_s: Callable[[int], float]) -> None:
        """
        Show an empty bar.

        Args:
            cost: Of so many rows.
            pause_s: How long so many requests would wait for the vendor's rate budget.
        """
        self._cost, self._pause_s = cost, pause_s
        self._first: tuple[float, int] | None = None  # when the first page arrived, and its rows
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
        rows = min(progress.rows, wanted or progress.rows)  # the last page may have more than the limit
        text = f"{counted(progress.pages, 'page')}, {rows:,}{f' of {wanted:,}' if wanted else ''} rows"
        left = self._left_s(progress, now) if wanted > rows > 0 else None
        self._show(text + ("" if left is None else f", {duration(left)} left"), rows, max(wanted, rows, 1))

    def hide_bar(self) -> None:
        """Hide the bar."""
        self.layout.display = "none"

    def _left_s(self, progress: Progress, now: float) -> float | None:
        """
        Return the seconds left; None if nothing says it yet.

        Pages that are requested together arrive together: time is counted in rounds of them. Rows per second would say
        too much before a round arrives, and too little after.
        """
        wanted = progress.total or 0
        cost, (since, before) = self._cost(wanted), self._first or (now, 0)
        if cost.at_once > 1:
            done, whole = cost.rounds(progress.pages), cost.rounds(cost.requests)
            left = (now - self._started) / done * max(whole - done, 1)
        elif progress.rows - before < _ENOUGH * wanted:
            return None
        else:
            left = (now - since) / (progress.rows - before) * (wanted - progress.rows)
        return max(left, self._pause_s(max(cost.requests - progress.pages, 0)))

    def _show(self, text: str, value: int, whole: int) -> None:
        bar = f'<progress aria-label="Download" value="{value}" max="{whole}"></progress>'
        self.value = f'{bar} <span role="status">{text}</span>'


class Outcome(widgets.VBox):  # type: ignore[misc]
    """
    The table, below a line that names its request, and says whether the form still says the same.

    Attributes:
        frame: The rows; None before the first.
    """

    def __init__(self) -> None:
        self.frame: pd.DataFrame | None = None
        self._asked: Asked | None = None
        self._name, self._line, self._place = "", widgets.HTML(), widgets.VBox()
        super().__init__([self._line, self._place])

    @property
    def table(self) -> Table:
        """The table that shows the rows, once there are some."""
        table: Table = self._place.children[0]
        return table

    def show(self, frame: pd.DataFrame, asked: Asked, said: str, *, broken: bool = False) -> None:
        """Show the rows that *asked* brought, below what is *said* of them; *broken* if it ended early."""
        self.frame, self._asked = frame, asked
        early = '<b class="vk-fault">Incomplete: the download stopped early.</b> ' if broken else ""
        self._name = f"{early}<b>{html.escape(asked[0].resource)}</b>: {html.escape(said)}"
        # One table for all: ipywidgets keeps every widget that was ever created, and its frame with it.
        if self._place.children:
            self.table.show(frame)
        else:
            self._place.children = [Table(frame)]
        self.compare(asked)

    def compare(self, asked: Asked) -> None:
        """Mark the table unless it is the result of *asked*, which is what the form says now."""
        earlier = asked != self._asked
        mark(self, "vk-earlier", earlier)
        if self._name:
            said = '<b class="vk-fault">Result of an earlier request.</b> ' if earlier else ""
            self._line.value = f"<div>{said}{self._name}</div>"

    def supersede(self) -> None:
        """Mark the table for good: another request has begun, be it the same one."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self.compare(asked)

    def static_html(self) -> str:
        """Return the line and the page of the table that is shown."""
        return f"{self._line.value}{self.table.static_html() if self._place.children else ''}"
