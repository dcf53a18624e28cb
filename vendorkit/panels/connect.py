"""The connect panel: which settings were found and where, and a test call. No credential is typed into a widget."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import ipywidgets as widgets

from vendorkit import arguments
from vendorkit.ask import choice
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, WorkPanel, button, guarded, look
from vendorkit.panels.markup import error_html, good_html, info_html, scrolled_html
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.settings import is_credential, read_settings
from vendorkit.vendors.client import Client
from vendorkit.vendors.examine import Checkup, Finding, examine, settings_found
from vendorkit.vendors.registry import CLIENTS, connect

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
    kind, prefix = CLIENTS[vendor], vendor.upper()
    try:
        found = read_settings((f"{prefix}_ENVIRONMENT", f"{prefix}_COUNTRY"))
    except VendorkitError:
        return Choice(vendor)
    environment, country = found.get(f"{prefix}_ENVIRONMENT"), (found.get(f"{prefix}_COUNTRY") or "").lower()
    known = environment in kind.environments
    return Choice(vendor, str(environment) if known else "local", country if country in kind.countries else None)


def check_connection(choice: Choice) -> tuple[Client, Checkup]:
    """
    Connect and make the vendor's cheapest authenticated call; return the client and the findings.

    Raises:
        SettingsError: Settings are missing or malformed; nothing was sent.
        Cancelled: The user pressed Cancel.
    """
    client = connect(choice.vendor, environment=choice.environment, country=choice.country)
    return client, examine(client)


def findings_html(findings: Sequence[Finding]) -> str:
    """Return one row per finding: whether it is fine, what was checked, the result, what to do."""
    return info_html(
        (f"{MARKS[one.fine]} {html.escape(one.check)}", html.escape(f"{one.said} {one.remedy}".strip()))
        for one in findings
    )


def glance(vendor: str, client: Client | None = None, findings: Sequence[Finding] = ()) -> list[str]:
    """
    Return what is known of a vendor as cells of HTML: settings, mock or real, host, proxy, TLS, budget, test call.

    Nothing is sent. *client* and *findings* are those of a test call; before it, the vendor is taken as configured.
    """
    choice, problem = configured(vendor), ""
    try:
        if client is None and choice.environment != "local":
            client = connect(vendor, environment=choice.environment, country=choice.country)
        found = settings_found(vendor, client.environment if client else choice.environment)
        missing = [name for name in found.loc[~found["set"], "setting"] if is_credential(name)]
        there = found.loc[found["set"], "source"].unique()
        problem = f"missing: {', '.join(missing)}. " * bool(missing) + f"from: {', '.join(there) or 'nowhere'}"
    except VendorkitError as exc:
        problem = exc.what
    environment = client.environment if client else choice.environment
    said = {one.check: f"{MARKS[one.fine]} {one.said} {one.remedy}".strip() for one in findings}
    left = client.session.budget.left() if client and environment != "local" else None
    cells = [CLIENTS[vendor].label, "mock data" if environment == "local" else f"real: {environment}", problem]
    cells += ["this machine" if environment == "local" else client.base_url if client else "", said.get("proxy", "")]
    if client is not None and not said and "proxy" in client.endpoint.remarks:
        cells[-1] = client.endpoint.remarks["proxy"]
    cells += [said.get("TLS", ""), said.get("rate budget", "" if left is None else f"{left} requests left")]
    return [html.escape(cell) for cell in [*cells, said.get("test call", "not tested")]]


class ConnectPanel(WorkPanel):
    """
    All vendors at a glance; choose one and an environment, see which settings are there, make a test call.

    Attributes:
        client: The connected client, once a test call succeeded; the next cell can use it.
    """

    def __init__(self, vendor: str | None = None) -> None:
        super().__init__()
        vendor = vendor or next(iter(CLIENTS))
        self.client: Client | None = None
        labels = [(kind.label, name) for name, kind in CLIENTS.items()]
        self._vendor = widgets.Dropdown(options=labels, value=vendor, description="Vendor", style=WHOLE)
        self._environment = widgets.Dropdown(description="Environment", style=WHOLE)
        self._country = widgets.Dropdown(description="Country", style=WHOLE)
        self._choosers = (self._vendor, self._environment, self._country)
        self._settings = widgets.HTML()
        self._test = button("Test call", self.start, self.fail, button_style="primary")
        for chooser, act in zip(self._choosers, (self._offer, self._changed, self._changed), strict=True):
            chooser.observe(guarded(act, self.fail), names="value")
        self._rows, self._glance = {name: glance(name) for name in CLIENTS}, widgets.HTML()
        self._tests = [button(f"Test {label}", partial(self.test, name), self.fail) for label, name in labels]
        buttons, tests = widgets.HBox([self._test, self._stop]), widgets.HBox(self._tests, layout=WRAP)
        chosen = widgets.HBox(self._choosers, layout=WRAP)
        self.fill([self._glance, tests, chosen, self._settings, buttons, self._status])
        self._show_glance()
        self._offer()
        start = configured(vendor)
        self.choose(environment=start.environment, country=start.country)

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
        self.choose(vendor=vendor)
        found = configured(vendor)
        self.choose(environment=found.environment, country=found.country)
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
        self._status.value = f"{result}{findings_html(others)}"

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


@arguments.checked
def connect_panel(vendor: str | None = None) -> ConnectPanel:
    """Return the connect panel with *vendor* chosen; None for the first one."""
    return ConnectPanel(None if vendor is None else choice(vendor, CLIENTS, "There is no vendor"))
