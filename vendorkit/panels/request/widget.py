"""The request panel: choose a resource, filter, count, send; see the table, the exchange, and the same as code."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import ipywidgets as widgets
import pandas as pd

from vendorkit import calls
from vendorkit.ask import choice
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import (
    FIELD,
    LABELLED,
    WRAP,
    WorkPanel,
    button,
    connected,
    guarded,
    look,
    source_title,
    titled,
)
from vendorkit.panels.markup import code_html, copied_html, counted, dim_html
from vendorkit.panels.request.exchanges import ExchangePane
from vendorkit.panels.request.form import Form
from vendorkit.panels.request.keeping import History, SavePane
from vendorkit.panels.request.outcome import Asked, Outcome, ProgressBar, caption, plan_text
from vendorkit.pull import paging_now, progress_to
from vendorkit.query import Query
from vendorkit.resource import Paging
from vendorkit.tools.snippets import languages, vendorkit_lines
from vendorkit.vendors.client import Client

T = TypeVar("T")


class RequestPanel(WorkPanel):
    """
    Query one vendor by a form.

    Attributes:
        client: The vendor.
        history: What was sent and saved.
        saving: Where "Save all" saves to.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self._forms: dict[str, Form] = {}  # each keeps its values
        self._ready = self._edited = False
        self._running: tuple[Asked, float]  # the last download, and when it began
        self._first = 1  # the number of its first exchange
        names = list(client.declared)
        self._resource = widgets.Dropdown(options=names, description="Resource", **FIELD)
        self._about, self._code = widgets.HTML(), widgets.HTML()
        self._exchange, self.saving = ExchangePane(client, self.fail), SavePane(self.save_all, self.fail)
        self.history = History(client, self._now, self.restore, self.say, self.fail)
        self._place, self._result, self._progress = widgets.VBox(), Outcome(), ProgressBar()
        self._count = button("Count", self.count, self.fail)
        self._go = button("Send", self.fetch, self.fail, button_style="primary")
        offered = [(label, name) for name, label in languages(client).items()]
        style = {"button_width": "auto", **LABELLED}
        self._language = widgets.ToggleButtons(options=offered, description="Language", style=style)
        self._language.tooltip, self._language.tooltips = "Language", [label for label, _ in offered]
        acts = {self._language: self._show_code, self._resource: self._show_form}
        acts |= dict.fromkeys((self.history.path, self.history.name, self.saving.path, self.saving.kind), self._forget)
        for box, act in acts.items():
            box.observe(guarded(act, self.fail), names="value")
        self.fill(self._parts())
        self._show_form()

    def _parts(self) -> list[Any]:
        pages = {
            "Result": widgets.VBox([self._result, self.saving]),
            "Exchange": self._exchange,
            "Code": widgets.VBox([self._language, self._code]),
            "History": self.history,
        }
        self._tab = titled(widgets.Tab, pages)
        self._tab.observe(guarded(self._show_exchanges, self.fail), "selected_index")
        return [
            widgets.HTML(f"<b>{html.escape(source_title(self.client))}</b> {html.escape(self.client.footnote)}"),
            widgets.HBox([self._resource, self._about], layout=WRAP),
            self._place,
            widgets.HBox([self._count, self._go, self._stop, self._progress]),
            self._status,
            self._tab,
        ]

    @property
    def frame(self) -> pd.DataFrame | None:
        """The rows that were fetched last, for the next cell, whole or not; None before the first."""
        return self._result.frame

    @property
    def form(self) -> Form:
        """The controls of the chosen resource."""
        return self._forms[self._resource.value]

    @property
    def query(self) -> Query:
        """
        The query of the form as it is now.

        Raises:
            UsageError: A control has a wrong value, or a filter that is required has none.
        """
        return self.form.query()

    def choose(self, resource: str) -> Form:
        """Choose a resource as if by hand, and return its form."""
        self._resource.value = choice(resource, self.client.declared, f"{self.client.title} has no resource")
        return self.form

    def _now(self) -> tuple[Query, dict[str, Any]]:
        return self.query, self.form.options()

    def restore(self, query: Query, options: Mapping[str, Any]) -> None:
        """Put a request into the form, to be changed and sent."""
        self.choose(query.ask.resource).fill(query.ask, options)

    def count(self) -> None:
        """Count the matching records, in a thread; the status says how many, and what fetching them takes."""
        query, options = self._now()
        self._start(lambda: partial(self.say, plan_text(query.plan(limit=options.get("limit")))))

    def fetch(self) -> None:
        """Fetch the table, in a thread, and show it; it is `frame` then."""
        query, options = self._now()

        def work() -> Callable[[], None]:
            self._result.supersede()
            try:
                frame = self._watched(query, options, lambda: query.frame(**options))
            except VendorkitError as exc:
                self.history.note(query, options, type(exc).__name__, exc.arrived)
                raise

            def show() -> None:
                self.say(self._show_rows(frame))
                self.history.note(query, options, counted(len(frame), "row"), frame)

            return show

        self._start(work)

    def save_all(self) -> None:
        """Download all that matches, in a thread, and save it where the pane below the result says."""
        query, options = self._now()
        options.pop("limit", None)
        write = partial(self.saving.write, query, options)
        # A dataset continues from its last page, whatever the budget is.
        resource = self.client.resource_of(query.ask)
        paging = resource.paging_of(query.ask) if self.saving.kind.value == "dataset" else None
        self._start(lambda: partial(self.say, self._watched(query, options, write, paging)))

    def _watched(
        self, query: Query, options: dict[str, Any], download: Callable[[], T], paging: Paging | None = None
    ) -> T:
        """Return what *download* does, with its progress shown; *paging* is how, None: as `frame` does."""
        self._running = (query.ask, options), time.monotonic()
        ask = replace(query.ask, limit=options.get("limit"))
        paging = paging or paging_now(self.client, ask)
        self._progress.begin(partial(paging.cost, ask), self.client.session.budget.pause_s)
        with progress_to(self._progress.note_page):
            return download()

    def _start(self, work: Callable[[], Callable[[], None]]) -> None:
        self._edited = self._edited and self.busy

        def from_now_on() -> Callable[[], None]:
            self._first = self.client.session.exchanges.total + 1
            try:
                return work()
            finally:
                self._progress.hide_bar()

        self._worker.start(from_now_on)

    def _busy_changed(self, busy: bool) -> None:
        if not busy:  # after the rows, which are waited for
            guarded(self._show_exchanges, self.fail)(None)
        super()._busy_changed(busy)

    def _show_exchanges(self) -> None:
        """Show what was sent and received, if it is looked at: a front end takes longer for it than for the rows."""
        if self._tab.selected_index == self._tab.children.index(self._exchange):
            self._exchange.show(self._first)

    def _show_form(self) -> None:
        name = self._resource.value
        resource = self.client.declared[name]
        if name not in self._forms:
            self._forms[name] = Form(self.client, resource, self._changed, self.fail)
        self._about.value = dim_html(resource.about)
        self._place.children = [self.form]
        self._changed()

    def _changed(self) -> None:
        if self._resource.value not in self._forms:  # the controls report changes while they are created
            return
        self._status.value = ""
        self._edited = self.busy
        try:
            self.query.request()
            self._mark_result()
            self._ready = True
        except VendorkitError as exc:
            self._ready = False
            if not self.form.faulty:  # that is shown next to its control
                self._status.value = f'<div role="status">{dim_html(f"{exc.what} {exc.remedy}")}</div>'
        self.show_busy(self.busy)
        self._show_code()

    def _mark_result(self) -> None:
        self._result.compare((self.query.ask, self.form.options()))

    def _forget(self) -> None:
        """Take away a status whose cause was edited."""
        self._status.value = ""

    def _show_code(self) -> None:
        self._code.value = copied_html(self.snippet(self._language.value)) if self._ready else ""

    def snippet(self, language: str = "vendorkit") -> str:
        """Return the query of the form as code; as "vendorkit" with columns, limit and locale."""
        query, options = self._now()
        if language == "vendorkit":
            return vendorkit_lines(self.client, query.ask, **options)
        return query.snippet(language, limit=options.get("limit"))

    def say(self, text: str) -> None:
        """Show a success."""
        super().say(text)
        self._status.value += self._of_which()

    def fail(self, exc: BaseException) -> None:
        """Show an error, and what arrived before it."""
        super().fail(exc)
        arrived = exc.arrived if isinstance(exc, VendorkitError) else None
        if isinstance(arrived, pd.DataFrame):
            self._show_rows(arrived, broken=True)
            self._status.value += dim_html(f"The table is incomplete: {counted(len(arrived), 'row')} received.")
        self._status.value += self._of_which()

    def _show_rows(self, frame: pd.DataFrame, *, broken: bool = False) -> str:
        """Show the rows of what ran last, and return what is said of them."""
        asked, started = self._running
        self._forms[asked[0].resource].columns.note(frame)
        said = caption(frame, self.client.resource_of(asked[0]).schema.arrow.names, time.monotonic() - started)
        self._result.show(frame, asked, said, broken=broken)
        with suppress(VendorkitError):  # the form may have been changed meanwhile, or hold something wrong
            self._mark_result()
        return said

    def _of_which(self) -> str:
        return dim_html("This result is for the form before your last change." if self._edited and self.busy else "")

    def show_busy(self, busy: bool) -> None:
        """Let the query of the form be counted and sent if it can be, or not now."""
        for one in (self._count, self._go, self.saving.button):
            one.disabled = not self._ready
            look(one, ready=not busy)

    def static_html(self) -> str:
        """Return the code of the query, the last status, and the page of the table that is shown."""
        code = code_html(self.snippet()) if self._ready else ""
        shown = [code, self._status.value, self._result.static_html()]
        return f"<b>{html.escape(source_title(self.client))}</b>{''.join(shown)}"

    def static_text(self) -> str:
        """Return the chosen resource, and how many rows were fetched."""
        rows = "nothing fetched" if self.frame is None else f"{len(self.frame):,} rows fetched"
        return f"<RequestPanel {self.client.title}: {self._resource.value}; {rows}>"


@calls.checked
def panel(client: Client) -> RequestPanel:
    """Return the request panel of *client*."""
    return RequestPanel(connected(client))
