"""The request panel: choose a resource, filter, count and send; see the table, the HTTP exchange and the code."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import ipywidgets as widgets
import pandas as pd

from vendorkit import calls
from vendorkit.ask import choice
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import FIELD, WRAP, WorkPanel, button, connected, entry, guarded, set_ready, title_of, titled
from vendorkit.panels.markup import code_html, copyable_html, counted, dim_html, escaped
from vendorkit.panels.request.exchanges import ExchangePane
from vendorkit.panels.request.form import Form
from vendorkit.panels.request.keeping import History, SavePane
from vendorkit.panels.request.outcome import Outcome, ProgressBar, Request, caption, plan_text
from vendorkit.pull import paging_now, progress_to
from vendorkit.query import Query
from vendorkit.resource import Paging
from vendorkit.tools.snippets import languages, vendorkit_lines
from vendorkit.vendors.client import Client

T = TypeVar("T")


@calls.checked
class RequestPanel(WorkPanel):
    """
    A form to query one vendor.

    Attributes:
        client: The vendor.
        history: The sent and saved requests.
        saving: The controls of "Save all".
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self._forms: dict[str, Form] = {}  # by resource; each keeps its values
        self._ready = False
        self._started: Request | None = None  # the request in the form when the last task started
        self._running: tuple[Request, float]  # the last download, and when it started
        self._first_exchange = 1  # of the last download
        names = list(client.declared)
        self._resource = entry(widgets.Dropdown, "Resource", self._show_form, self.fail, options=names, **FIELD)
        self._about, self._code = widgets.HTML(), widgets.HTML()
        self._exchange, self.saving = ExchangePane(client, self.fail), SavePane(self.save_all, self.fail)
        self.history = History(client, self._now, self.restore, self.say, self.fail)
        self._form_box, self._result, self._progress = widgets.VBox(), Outcome(), ProgressBar()
        self._count = button("Count", self.count, self.fail)
        self._send_button = button("Send", self.fetch, self.fail, button_style="primary")
        choices = [(label, name) for name, label in languages(client).items()]
        options = {"options": choices, "style": {"button_width": "auto", **FIELD["style"]}}
        self._language = entry(widgets.ToggleButtons, "Language", self._show_code, self.fail, **options)
        self._language.tooltip, self._language.tooltips = "Language", [label for label, _ in choices]
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
            widgets.HTML(f"<b>{escaped(title_of(self.client))}</b> {escaped(self.client.footnote)}"),
            widgets.HBox([self._resource, self._about], layout=WRAP),
            self._form_box,
            widgets.HBox([self._count, self._send_button, self._stop, self._progress]),
            self._status,
            self._tab,
        ]

    @property
    def frame(self) -> pd.DataFrame | None:
        """The rows of the last download, complete or not, for use in the next cell; None before the first."""
        return self._result.frame

    @property
    def form(self) -> Form:
        """The controls of the chosen resource."""
        form: Form = self._form_box.children[0]  # while the next one is created, in another thread, the one on view
        return form

    @property
    def query(self) -> Query:
        """
        The query in the form.

        Raises:
            UsageError: The value of a control is not valid, or a required filter has none.
        """
        return self.form.query()

    def choose(self, resource: str) -> Form:
        """Choose a resource, as in the drop-down list, and return its form."""
        self._resource.value = choice(resource, self.client.declared, f"{self.client.title} has no resource")
        return self.form

    def _now(self) -> tuple[Query, dict[str, Any]]:
        return self.query, self.form.options()

    def restore(self, query: Query, options: Mapping[str, Any]) -> None:
        """Put a request into the form."""
        self.choose(query.ask.resource).fill(query.ask, options)

    def count(self) -> None:
        """Count the matching records in a thread; the status shows the count and the cost of fetching them."""
        query, options = self._now()
        self._start(lambda: partial(self.say, plan_text(query.plan(limit=options.get("limit")))))

    def fetch(self) -> None:
        """Fetch the rows in a thread and show them; `frame` has them afterwards."""
        query, options = self._now()

        def work() -> Callable[[], None]:
            self._result.supersede()
            try:
                frame = self._run_download(query, options, lambda: query.frame(**options))
            except VendorkitError as exc:
                self.history.note(query, options, type(exc).__name__, exc.arrived)
                raise

            def show() -> None:
                self.say(self._show_rows(frame))
                self.history.note(query, options, counted(len(frame), "row"), frame)

            return show

        self._start(work)

    def save_all(self) -> None:
        """Download all matching records in a thread, and save them as chosen below the result."""
        query, options = self._now()
        options.pop("limit", None)
        write = partial(self.saving.write, query, options)
        # A dataset uses the same paging whatever the rate budget is, so that it can continue from its last page.
        resource = self.client.resource_of(query.ask)
        paging = resource.paging_of(query.ask) if self.saving.kind.value == "dataset" else None
        self._start(lambda: partial(self.say, self._run_download(query, options, write, paging)))

    def _run_download(
        self, query: Query, options: dict[str, Any], download: Callable[[], T], paging: Paging | None = None
    ) -> T:
        """Run *download* with a progress bar and return its result; *paging* is None for the paging of `frame`."""
        self._running = (query.ask, options), time.monotonic()
        ask = replace(query.ask, limit=options.get("limit"))
        paging = paging or paging_now(self.client, ask)
        self._progress.begin(partial(paging.cost, ask), self.client.session.budget.pause_s)
        with progress_to(self._progress.note_page):
            return download()

    def _start(self, work: Callable[[], Callable[[], None]]) -> None:
        if not self.busy:
            self._started = self._request()

        def task() -> Callable[[], None]:
            self._status.value = ""
            self._first_exchange = self.client.session.exchanges.total + 1
            try:
                return work()
            finally:
                self._progress.layout.display = "none"

        self._worker.start(task)

    def _busy_changed(self, busy: bool) -> None:
        if not busy:  # after the rows, because the user waits for those
            guarded(self._show_exchanges, self.fail)(None)
            if self._request() != self._started:
                self._status.value += dim_html("This result is for the form before your last change.")
        super()._busy_changed(busy)

    def _show_exchanges(self) -> None:
        """Fill the tab "Exchange" if it is open; a front end takes longer to show it than to show the rows."""
        if self._tab.selected_index == self._tab.children.index(self._exchange):
            self._exchange.show(self._first_exchange)

    def _show_form(self) -> None:
        name = self._resource.value
        resource = self.client.declared[name]
        if name not in self._forms:
            self._forms[name] = Form(self.client, resource, self._changed, self.fail)
        self._about.value = dim_html(resource.about)
        self._form_box.children = [self._forms[name]]
        self._changed()

    def _changed(self) -> None:
        if self._resource.value not in self._forms:  # controls report changes while they are created
            return
        self._status.value = ""
        self._result.compare(self._request())
        try:
            self.query.request()
            self.form.options()
            self._ready = True
        except VendorkitError as exc:
            self._ready = False
            if not self.form.faulty:  # otherwise the error is next to its control
                self._status.value = f'<div role="status">{dim_html(f"{exc.what} {exc.remedy}")}</div>'
        self.show_busy(self.busy)
        self._show_code()

    def _request(self) -> Request | None:
        """Return the request in the form; None if the form has an error."""
        try:
            return self.query.ask, self.form.options()
        except VendorkitError:
            return None

    def _show_code(self) -> None:
        self._code.value = copyable_html(self.snippet(self._language.value)) if self._ready else ""

    def snippet(self, language: str = "vendorkit") -> str:
        """Return the request in the form as code. Only "vendorkit" includes columns and locale."""
        query, options = self._now()
        if language == "vendorkit":
            return vendorkit_lines(self.client, query.ask, **options)
        return query.snippet(language, limit=options.get("limit"))

    def fail(self, exc: BaseException) -> None:
        """Show an error, and the rows received before it."""
        super().fail(exc)
        arrived = exc.arrived if isinstance(exc, VendorkitError) else None
        if isinstance(arrived, pd.DataFrame):
            self._show_rows(arrived, broken=True)
            self._status.value += dim_html(f"The table is incomplete: {counted(len(arrived), 'row')} received.")

    def _show_rows(self, frame: pd.DataFrame, *, broken: bool = False) -> str:
        """Show the rows of the last download, and return their caption."""
        request, started = self._running
        self._forms[request[0].resource].columns.note(frame)
        text = caption(frame, self.client.resource_of(request[0]).schema.arrow.names, time.monotonic() - started)
        self._result.show(frame, request, text, broken=broken)
        self._result.compare(self._request())
        return text

    def show_busy(self, busy: bool) -> None:
        """Enable Count, Send and Save all if the form has no error; make them look inactive while busy."""
        for control in (self._count, self._send_button, self.saving.button):
            control.disabled = not self._ready
            set_ready(control, ready=not busy)

    def static_html(self) -> str:
        """Return the code of the query, the last status, and the current page of the table."""
        code = code_html(self.snippet()) if self._ready else ""
        return f"<b>{escaped(title_of(self.client))}</b>{code}{self._status.value}{self._result.static_html()}"

    def static_text(self) -> str:
        """Return the chosen resource and the number of fetched rows."""
        rows = "nothing fetched" if self.frame is None else f"{len(self.frame):,} rows fetched"
        return f"<RequestPanel {self.client.title}: {self._resource.value}; {rows}>"


@calls.checked
def panel(client: Client) -> RequestPanel:
    """Return the request panel of *client*."""
    return RequestPanel(connected(client))
