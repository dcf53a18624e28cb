"""The connect panel: which settings were found and where, and a test call. No credential is typed into a widget."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

import ipywidgets as widgets

from vendorkit import calls
from vendorkit.ask import choice
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, WorkPanel, button, guarded, look
from vendorkit.panels.markup import error_html, good_html, info_html, scrolled_html
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.settings import is_credential, read_settings
from vendorkit.vendors.client import Client
from vendorkit.vendors.connecting import connect
from vendorkit.vendors.examine import Checkup, Finding, examine, settings_found
from vendorkit.vendors.registry import CLIENTS

MARKS: Final = {True: "✓", False: "✗", None: "·"}
_HEADS: Final = ("vendor", "data", "settings", "host", "proxy", "TLS", "rate budget", "test call")


@dataclass(frozen=True)
class Choice:
    """The values of the choosers; no country if the vendor has one platform for all."""

    vendor: str
    environment: str = "local"
    country: str | None = None


def configured(vendor: str) -> Choice:
    """Return the choice that `connect` would take from the settings; local if they cannot be read."""
    kind, names = CLIENTS[vendor], [f"{vendor.upper()}_{name}" for name in ("ENVIRONMENT", "COUNTRY")]
    try:
        found = read_settings(tuple(names))
    except VendorkitError:
        return Choice(vendor)
    environment, country = (found.get(name) or "" for name in names)
    known = environment in kind.environments
    return Choice(vendor, environment if known else "local", {one: one for one in kind.countries}.get(country.lower()))


def check_connection(choice: Choice) -> tuple[Client, Checkup]:
    """
    Connect and make the vendor's cheapest authenticated call; return the client and the findings.

    Raises:
        SettingsError: Settings are missing or malformed; nothing was sent.
        Cancelled: The user pressed Cancel.
    """
    client = connect(**asdict(choice))
    return client, examine(client)


def _said(one: Finding) -> str:
    return f"{one.said} {one.remedy}".strip()


def glance(vendor: str, client: Client | None = None, findings: Sequence[Finding] = ()) -> list[str]:
    """
    Return what is known of a vendor as cells of HTML: settings, mock or real, host, proxy, TLS, budget, test call.

    Nothing is sent. *client* and *findings* are those of a test call; before it, the vendor is taken as configured.
    """
    chosen = configured(vendor)
    environment = client.environment if client else chosen.environment
    is_local = environment == "local"
    try:
        client = client if client or is_local else connect(**asdict(chosen))
        found = settings_found(vendor, environment)
        missing = ", ".join(filter(is_credential, found.loc[~found["set"], "setting"]))
        there = ", ".join(found.loc[found["set"], "source"].unique()) or "nowhere"
        settings = f"missing: {missing}. " * bool(missing) + f"from: {there}"
    except VendorkitError as exc:
        settings = exc.what
    left = client.session.budget.left() if client and not is_local else None
    said = {"rate budget": "" if left is None else f"{left} requests left", "test call": "not tested"}
    said |= {**client.endpoint.remarks} if client else {}
    said |= {one.check: f"{MARKS[one.fine]} {_said(one)}" for one in findings}
    cells = [CLIENTS[vendor].label, "mock data" if is_local else f"real: {environment}", settings]
    cells += ["this machine" if is_local else client.base_url if client else ""]
    return [html.escape(cell) for cell in (*cells, *(said.get(check, "") for check in _HEADS[len(cells) :]))]


class ConnectPanel(WorkPanel):
    """
    All vendors at a glance; choose one and an environment, see which settings are there, make a test call.

    Attributes:
        client: The connected client, once a test call succeeded; the next cell can use it.
    """

    def __init__(self, vendor: str | None = None) -> None:
        super().__init__()
        self.client: Client | None = None
        labels = [(kind.label, name) for name, kind in CLIENTS.items()]
        names = ("Vendor", "Environment", "Country")
        self._choosers = [widgets.Dropdown(description=name, style=WHOLE) for name in names]
        self._vendor, self._environment, self._country = self._choosers
        self._vendor.options, self._vendor.index = labels, 0
        self._settings, self._glance = widgets.HTML(), widgets.HTML()
        self._rows = {name: glance(name) for name in CLIENTS}
        self._test = button("Test call", self.start, self.fail, button_style="primary")
        self._tests = [button(f"Test {label}", partial(self.test, name), self.fail) for label, name in labels]
        for chooser, act in zip(self._choosers, (self._offer, self._changed, self._changed), strict=True):
            chooser.observe(guarded(act, self.fail), names="value")
        rows = [widgets.HBox(row, layout=WRAP) for row in (self._tests, self._choosers, (self._test, self._stop))]
        self.fill([self._glance, rows[0], rows[1], self._settings, rows[2], self._status])
        self._show_glance()
        self._offer()
        self.choose(**asdict(configured(vendor or next(iter(CLIENTS)))))

    @property
    def choice(self) -> Choice:
        """What is chosen now."""
        return Choice(self._vendor.value, self._environment.value or "local", self._country.value)

    def choose(self, *, vendor: str | None = None, environment: str | None = None, country: str | None = None) -> None:
        """Choose as if by hand."""
        for chooser, value in zip(self._choosers, (vendor, environment, country), strict=True):
            if value is not None:
                names = [one[1] if isinstance(one, tuple) else one for one in chooser.options]
                chooser.value = choice(value, names, f"There is no {chooser.description.lower()}")

    def test(self, vendor: str) -> None:
        """Make the test call of a vendor as it is configured, in a thread."""
        self.choose(**asdict(configured(vendor)))
        self.start()

    def _show_glance(self) -> None:
        self._glance.value = scrolled_html(info_html(self._rows.values(), _HEADS), "At a glance")

    def start(self) -> None:
        """Make the test call, in a thread; the status shows the result."""
        choice = self.choice
        self._worker.start(lambda: partial(self._show_success, *check_connection(choice)))

    def _offer(self) -> None:
        """Offer the environments and countries of the vendor."""
        kind = CLIENTS[self._vendor.value]
        for chooser, names in ((self._environment, ("local", *kind.environments)), (self._country, kind.countries)):
            # It keeps its value if that is one of the names.
            kept = chooser.value if chooser.value in names else next(iter(names), None)
            chooser.options, chooser.value = names, kept
        self._country.layout.display = "" if kind.countries else "none"
        self._changed()

    def _changed(self) -> None:
        self.client, self._status.value = None, ""
        try:
            found = settings_found(self.choice.vendor, self.choice.environment)
            self._settings.value = page_html(labelled(found), title="Settings", dtypes=False)
            self._state = f"missing settings: {', '.join(found.loc[~found['set'], 'setting']) or 'none'}"
        except VendorkitError as exc:
            self._settings.value, self._state = error_html(exc), exc.what

    def _show_success(self, client: Client, found: Checkup) -> None:
        call, *others = found.findings
        self._rows[client.vendor_name] = glance(client.vendor_name, client, found.findings)
        self._show_glance()
        self.client = client if found.error is None else None
        result = good_html(f"{client.title}: {call.said}") if found.error is None else error_html(found.error)
        facts = info_html([html.escape(f"{MARKS[one.fine]} {one.check}"), html.escape(_said(one))] for one in others)
        self._status.value = f"{result}{facts}"

    def show_busy(self, busy: bool) -> None:
        """Let a test call be made and something else be chosen, or not now."""
        for chooser in self._choosers:
            chooser.disabled = busy
        for one in (self._test, *self._tests):
            look(one, ready=not busy)

    def static_html(self) -> str:
        """Return the choice, the settings and the last status."""
        title = f"{CLIENTS[self.choice.vendor].label}, {self.choice.environment}"
        return f"{self._glance.value}<b>{html.escape(title)}</b>{self._settings.value}{self._status.value}"

    def static_text(self) -> str:
        """Return the choice and which settings are missing, or why they cannot be read."""
        return f"<ConnectPanel {self.choice.vendor} ({self.choice.environment}); {self._state}>"


@calls.checked
def connect_panel(vendor: str | None = None) -> ConnectPanel:
    """Return the connect panel with *vendor* chosen; None for the first one."""
    return ConnectPanel(None if vendor is None else choice(vendor, CLIENTS, "There is no vendor"))
