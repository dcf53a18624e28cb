"""The request panel: choose a resource, narrow it, count, send; see the table, the exchange, and the same as code."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.errors import IncompletePull, VendorkitError
from vendorkit.http.exchanges import Exchange
from vendorkit.panels.base import WRAP, Panel, Worker, button, guarded
from vendorkit.panels.markup import code_html, copied_html, dim_html, error_html, good_html
from vendorkit.panels.request.controls import LABELLED, WIDE
from vendorkit.panels.request.form import Form
from vendorkit.panels.request.markup import caption, exchanges_html, request_html
from vendorkit.panels.request.progress import Progress, duration
from vendorkit.panels.request.spec import QuerySpec
from vendorkit.panels.table import Table
from vendorkit.pull import watched
from vendorkit.query import Query
from vendorkit.tools.snippets import languages, snippet, vendorkit_lines
from vendorkit.vendors.client import Client

_LABELS: Final = {
    "vendorkit": "vendorkit",
    "python": "Python",
    "requests": "requests",
    "curl": "curl",
    "php": "PHP (cURL)",
    "php-client": "PHP (Medipim client)",
}


@dataclass(frozen=True)
class Estimate:
    """
    What a pull will take.

    Attributes:
        total: How many records match.
        rows: How many of them are asked for.
        requests: About how many requests that takes.
        seconds: About how long, under the vendor's rate budget and as quickly as it answered just now.
    """

    total: int
    rows: int
    requests: int
    seconds: float

    def __str__(self) -> str:
        fetched = "" if self.rows == self.total else f" {self.rows:,} of them are asked for."
        requests = "1 request" if self.requests == 1 else f"about {self.requests:,} requests"
        return f"{self.total:,} match.{fetched} To fetch them takes {requests} and {duration(self.seconds)}."


def estimate(spec: QuerySpec, query: Query) -> Estimate:
    """
    Count what matches, by one small request, and say what fetching it will take.

    Raises:
        UsageError: The vendor does not say how many there are.
    """
    budget, seen = query.client.session.budget, query.client.session.exchanges
    total = query.count()
    rows = total if spec.limit is None else min(total, spec.limit)
    requests = query.resource.style.calls(query, rows)
    took = seen.all()[-1].seconds if seen.all() else 0.0
    return Estimate(total, rows, requests, max(budget.pause_s(requests), requests * took))


class RequestPanel(Panel):
    """
    Ask one vendor anything that it declares.

    Attributes:
        client: The vendor.
        frame: The table that was fetched last; the next cell can use it. None before the first.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.frame: pd.DataFrame | None = None
        self._forms: dict[str, Form] = {}  # each keeps what was typed into it
        self._form: Form | None = None
        self._ready = False
        self._resource = widgets.Dropdown(
            options=list(client.declared), description="Resource", style=LABELLED, layout={"width": WIDE}
        )
        self._about, self._problem, self._status = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._place, self._progress = widgets.VBox(), Progress()
        self._worker = Worker(lambda show: show(), self._show_failure, self._busy_changed)
        self._count = button("Count", self.count, self._show_failure)
        self._go = button("Send", self.fetch, self._show_failure, button_style="primary")
        self._stop = button("Cancel", self._worker.cancel, self._show_failure, disabled=True)
        self._result, self._exchange, self._code = widgets.VBox(), widgets.HTML(), widgets.HTML()
        self._language = widgets.ToggleButtons(
            options=[(_LABELS[one], one) for one in languages(client.vendor_name)],
            description="Language",
            style={"button_width": "auto", **LABELLED},
        )
        self._language.observe(guarded(self._show_code, self._show_failure), names="value")
        self._resource.observe(guarded(self._show_form, self._show_failure), names="value")
        super().__init__(self._parts())
        self._show_form()

    def _parts(self) -> list[Any]:
        tabs = widgets.Tab([self._result, self._exchange, widgets.VBox([self._language, self._code])])
        for place, title in enumerate(("Result", "Exchange", "Code")):
            tabs.set_title(place, title)
        return [
            widgets.HTML(f"<b>{html.escape(self.client.title)}</b> {html.escape(self.client.beside)}"),
            widgets.HBox([self._resource, self._about], layout=WRAP),
            self._place,
            self._problem,
            widgets.HBox([self._count, self._go, self._stop, self._progress]),
            self._status,
            tabs,
        ]

    @property
    def form(self) -> Form:
        """The controls of the resource that is chosen."""
        assert self._form is not None  # noqa: S101 - made with the panel
        return self._form

    @property
    def spec(self) -> QuerySpec:
        """
        What the form says now.

        Raises:
            UsageError: A control holds what it cannot hold.
        """
        return self.form.read()

    @property
    def query(self) -> Query:
        """
        The query that the form makes now.

        Raises:
            UsageError: The form does not make one yet.
        """
        return self.spec.query(self.client)

    def choose(self, resource: str) -> Form:
        """Choose a resource as if by hand, and return its form."""
        self._resource.value = resource
        return self.form

    def count(self) -> None:
        """Count what matches, in a thread; the status line says how many, and what fetching them takes."""
        spec = self.spec
        query = spec.query(self.client)

        def work() -> Callable[[], None]:
            counted = estimate(spec, query)
            return lambda: self._show_status(good_html(str(counted)))

        self._start(query, work)

    def fetch(self) -> None:
        """Fetch the table, in a thread; then it is `frame`, and shown."""
        spec = self.spec
        query = spec.query(self.client)

        def work() -> Callable[[], None]:
            self._progress.begin(spec.limit)
            with watched(self._progress.saw):
                frame = query.frame(**spec.options)
            return lambda: self._show_frame(frame, query)

        self._start(query, work)

    def join(self, timeout_s: float = 60.0) -> None:
        """Wait for what runs."""
        self._worker.join(timeout_s)

    def _start(self, query: Query, work: Callable[[], Callable[[], None]]) -> None:
        before = self.client.session.exchanges.all()

        def recorded() -> Callable[[], None]:
            try:
                return work()
            finally:
                self._progress.end()
                self._show_exchanges(query, before)

        self._worker.start(recorded)

    def _show_form(self) -> None:
        resource = self.client.declared[self._resource.value]
        self._form = None  # the controls report changes while they are made
        if resource.name not in self._forms:
            self._forms[resource.name] = Form(self.client, resource, self._changed, self._show_failure)
        self._form = self._forms[resource.name]
        self._about.value = dim_html(resource.about)
        self._place.children = [self._form]
        self._changed()

    def _changed(self) -> None:
        if self._form is None:
            return
        self._status.value = self._problem.value = ""
        try:
            self.query.request()
        except VendorkitError as exc:
            self._ready = False
            if not self._form.faulty():  # which stands beside its control
                self._problem.value = f'<div role="status">{dim_html(f"{exc.what} {exc.remedy}")}</div>'
        else:
            self._ready = True
        self._show_busy(not self._stop.disabled)
        self._show_code()

    def _show_code(self) -> None:
        self._code.value = copied_html(self.snippet(self._language.value)) if self._ready else ""

    def snippet(self, language: str = "vendorkit") -> str:
        """Return what the form asks as code; as "vendorkit" with columns, limit and locale."""
        spec = self.spec
        query = spec.query(self.client)
        return vendorkit_lines(query, **spec.options) if language == "vendorkit" else snippet(query, language)

    def _show_frame(self, frame: pd.DataFrame, query: Query) -> None:
        self._show_table(frame)
        self._show_status(good_html(caption(frame, query.schema.arrow.names)))

    def _show_table(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        # One table for all: ipywidgets keeps every widget that was ever made, and with it the frame.
        if self._result.children:
            self._result.children[0].show(frame)
        else:
            self._result.children = [Table(frame)]

    def _show_exchanges(self, query: Query, before: list[Exchange]) -> None:
        known = set(map(id, before))
        new = [one for one in self.client.session.exchanges.all() if id(one) not in known]
        self._exchange.value = request_html(query) + exchanges_html(new)

    def _show_status(self, shown: str) -> None:
        self._status.value = shown

    def _show_failure(self, exc: BaseException) -> None:
        self._show_status(error_html(exc))
        if isinstance(exc, IncompletePull) and exc.arrived is not None:
            self._show_table(exc.arrived)

    def _show_busy(self, busy: bool) -> None:
        self._stop.disabled = not busy
        self._count.disabled = self._go.disabled = busy or not self._ready

    def _busy_changed(self, busy: bool) -> None:
        self._show_busy(busy)
        if not busy:
            self.publish()

    def static_html(self) -> str:
        """Return the code of what the form asks, the last status, and the table as it is on view."""
        code = code_html(self.snippet()) if self._ready else ""
        table = "".join(one.static_html() for one in self._result.children)
        return f"<b>{html.escape(self.client.title)}</b>{code}{self._problem.value}{self._status.value}{table}"

    def static_text(self) -> str:
        """Return what is chosen, and how many rows were fetched."""
        rows = "nothing fetched" if self.frame is None else f"{len(self.frame):,} rows fetched"
        return f"<RequestPanel {self.client.title}: {self._resource.value}; {rows}>"


def panel(client: Client) -> RequestPanel:
    """Return the request panel of *client*."""
    return RequestPanel(client)
