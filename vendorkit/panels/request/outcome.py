"""The estimate, the progress and the table of a request. The table stays until a later request returns rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.ask import Ask
from vendorkit.panels.base import set_class
from vendorkit.panels.markup import counted, escaped
from vendorkit.panels.table import Table
from vendorkit.panels.table.files import is_mock
from vendorkit.pull import Plan, Progress
from vendorkit.resource import Cost

Request = tuple[Ask, dict[str, Any]]  # the query, and the arguments of `frame`
_PAUSE_S: Final = 0.1  # between two updates, because each is a message to the front end
_MIN_SHARE: Final = 0.02  # of the rows must have arrived before the remaining time is estimated


def duration(seconds: float) -> str:
    """Return *seconds* in words, such as "2 min 5 s"."""
    rounded = round(seconds)
    if rounded < 1:
        return "less than 1 s"
    hours, minutes, rest = rounded // 3600, rounded // 60 % 60, rounded % 60
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def plan_text(plan: Plan) -> str:
    """Return how many records match, how long fetching them takes, and why."""
    rows = "them" if plan.rows == plan.total else f"{plan.rows:,} of them"
    requests = "1 request" if plan.requests == 1 else f"about {plan.requests:,} requests"
    why = f" ({plan.strategy}: {plan.why})" if plan.why else ""
    return f"{plan.total:,} match. Fetching {rows} takes {requests} and {duration(plan.seconds)}{why}."


def caption(frame: pd.DataFrame, declared: Iterable[str], seconds: float) -> str:
    """Return a caption for *frame*: its size, the total, when and how fast it was fetched, and what is unusual."""
    about, known = frame.attrs["vendorkit"], set(declared)
    of = "" if about["total"] in (None, len(frame)) else f" of {about['total']:,}"
    added = [str(name) for name in frame.columns if name not in known]
    parts = ["mock data"] * is_mock(about)
    parts += [f"{counted(len(frame), 'row')}{of}", counted(len(frame.columns), "column")]
    parts += [counted(about["pages"], "page"), f"fetched at {about['fetched_at']} in {duration(seconds)}"]
    parts += ["more records match"] * (not about["complete"]) + [f"undeclared: {', '.join(added)}"] * bool(added)
    return "; ".join(parts) + "."


class ProgressBar(widgets.HTML):  # type: ignore[misc]
    """A progress bar with a line of text; hidden while nothing runs."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none", "margin": "0 0 0 .8em"})

    def begin(self, cost: Callable[[int], Cost], pause_s: Callable[[int], float]) -> None:
        """
        Show an empty bar.

        Args:
            cost: Returns the cost of a number of rows.
            pause_s: Returns the seconds that a number of requests must wait for the vendor's rate budget.
        """
        self._cost, self._pause_s = cost, pause_s
        self._first: tuple[float, int] | None = None  # when the first page arrived, and its rows
        self._started, self._updated = time.monotonic(), 0.0
        self._show("waiting for the first response", 0, 1)
        self.layout.display = ""

    def note_page(self, progress: Progress) -> None:
        """Show *progress*, except shortly after the last update. The end is always shown."""
        now, wanted = time.monotonic(), progress.total or 0
        self._first = self._first or (now, progress.rows)
        if now - self._updated < _PAUSE_S and not progress.rows >= wanted > 0:
            return
        self._updated = now
        rows = min(progress.rows, wanted or progress.rows)  # the last page may have more than the limit
        text = f"{counted(progress.pages, 'page')}, {rows:,}{f' of {wanted:,}' if wanted else ''} rows"
        remaining = self._remaining_s(progress, now) if wanted > rows > 0 else None
        self._show(text + ("" if remaining is None else f", {duration(remaining)} left"), rows, max(wanted, rows, 1))

    def _remaining_s(self, progress: Progress, now: float) -> float | None:
        """
        Return the seconds left; None if it is too early to estimate them.

        Pages that are requested at once arrive at once, so time is measured per round of pages. Rows per second would
        overestimate the remaining time before a round arrives, and underestimate it afterwards.
        """
        wanted = progress.total or 0
        cost, (since, before) = self._cost(wanted), self._first or (now, 0)
        if cost.at_once > 1:
            done, total = cost.rounds(progress.pages), cost.rounds(cost.requests)
            remaining = (now - self._started) / done * max(total - done, 1)
        elif progress.rows - before < _MIN_SHARE * wanted:
            return None
        else:
            remaining = (now - since) / (progress.rows - before) * (wanted - progress.rows)
        return max(remaining, self._pause_s(max(cost.requests - progress.pages, 0)))

    def _show(self, text: str, value: int, total: int) -> None:
        bar = f'<progress aria-label="Download" value="{value}" max="{total}"></progress>'
        self.value = f'{bar} <span role="status">{text}</span>'


class Outcome(widgets.VBox):  # type: ignore[misc]
    """
    The table of the last result, below a line that describes its request and says whether the form has changed since.

    Attributes:
        frame: The rows; None before the first result.
    """

    def __init__(self) -> None:
        self.frame: pd.DataFrame | None = None
        self.table: Table | None = None  # reused, because ipywidgets would keep every table, and its frame, alive
        self._request: Request | None = None
        self._caption, self._line, self._table_box = "", widgets.HTML(), widgets.VBox()
        super().__init__([self._line, self._table_box])

    def show(self, frame: pd.DataFrame, request: Request, caption: str, *, broken: bool = False) -> None:
        """Show the rows of *request* below *caption*; *broken* if the download ended early."""
        self.frame, self._request = frame, request
        early = '<b class="vk-fault">Incomplete: the download stopped early.</b> ' if broken else ""
        self._caption = f"{early}<b>{escaped(request[0].resource)}</b>: {escaped(caption)}"
        if self.table is None:
            self.table = Table(frame)
            self._table_box.children = [self.table]
        else:
            self.table.show(frame)
        self.compare(request)

    def compare(self, request: Request | None) -> None:
        """Mark the table as outdated unless it is the result of *request*, the one in the form; None if invalid."""
        earlier = request is None or request != self._request
        if self._caption:
            set_class(self, "vk-earlier", earlier)
            note = '<b class="vk-fault">Result of an earlier request.</b> ' if earlier else ""
            self._line.value = f"<div>{note}{self._caption}</div>"

    def supersede(self) -> None:
        """Mark the table as outdated because another request, even the same one, has started."""
        self._request = None
        self.compare(None)

    def static_html(self) -> str:
        """Return the line and the current page of the table."""
        return f"{self._line.value}{self.table.static_html() if self.table else ''}"
