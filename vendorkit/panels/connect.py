"""The connect panel: which settings were found and where, and a test call. No credential is typed into a widget."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets as widgets

from vendorkit.doctor import Checkup, Finding, examine, settings_found
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, Panel, Worker, button, guarded
from vendorkit.panels.markup import error_html, good_html, told_html
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.settings import read_settings
from vendorkit.vendors.client import Client
from vendorkit.vendors.medipim.schema import COUNTRIES
from vendorkit.vendors.registry import CLIENTS, connect


@dataclass(frozen=True)
class Choice:
    """What is chosen in the panel."""

    vendor: str = "medipim"
    environment: str = "local"
    country: str = "be"


def configured(vendor: str) -> Choice:
    """Return the choice that the settings make for *vendor*, as `connect` would; local where they cannot be read."""
    try:
        found = read_settings((f"{vendor.upper()}_ENVIRONMENT", "MEDIPIM_COUNTRY"))
    except VendorkitError:
        return Choice(vendor)
    environment, country = found.get(f"{vendor.upper()}_ENVIRONMENT"), found.get("MEDIPIM_COUNTRY")
    known = environment in CLIENTS[vendor].environments
    country = country.lower() if country and country.lower() in COUNTRIES else Choice.country
    return Choice(vendor, str(environment) if known else "local", country)


def check_connection(choice: Choice) -> tuple[Client, Checkup]:
    """
    Connect and make the vendor's cheapest authenticated call; return the client and what was found.

    Raises:
        SettingsError: Settings are missing or malformed; nothing was sent.
        Cancelled: Somebody pressed stop.
    """
    country = choice.country if choice.vendor == "medipim" else None
    client = connect(choice.vendor, environment=choice.environment, country=country)
    return client, examine(client)


def findings_html(findings: Sequence[Finding]) -> str:
    """Return one row for each of *findings*: whether it is fine, what it is, what was found, what to do."""
    marks = {True: "✓", False: "✗", None: "·"}
    return told_html(
        (f"{marks[one.fine]} {html.escape(one.check)}", html.escape(f"{one.said} {one.remedy}".strip()))
        for one in findings
    )


class ConnectPanel(Panel):
    """
    Choose a vendor and an environment, see which settings are there, make a test call.

    Attributes:
        client: The connected client, once a test call succeeded; the next cell can use it.
    """

    def __init__(self, vendor: str = "medipim") -> None:
        self.client: Client | None = None
        self._vendor = widgets.Dropdown(
            options=[(kind.label, name) for name, kind in CLIENTS.items()],
            value=vendor,
            description="Vendor",
            style=WHOLE,
        )
        self._environment = widgets.Dropdown(description="Environment", style=WHOLE)
        self._country = widgets.Dropdown(options=list(COUNTRIES), description="Country", style=WHOLE)
        self._settings, self._status = widgets.HTML(), widgets.HTML()
        self._worker = Worker(self._show_success, self._show_failure, self._show_busy)
        self._test = button("Test call", self.start, self._show_failure, button_style="primary")
        self._stop = button("Cancel", self._worker.cancel, self._show_failure, disabled=True)
        self._vendor.observe(guarded(self._offer, self._show_failure), names="value")
        for chooser in (self._environment, self._country):
            chooser.observe(guarded(self._changed, self._show_failure), names="value")
        super().__init__(
            [
                widgets.HBox([self._vendor, self._environment, self._country], layout=WRAP),
                self._settings,
                widgets.HBox([self._test, self._stop]),
                self._status,
            ]
        )
        self._offer()
        start = configured(vendor)
        self.choose(environment=start.environment, country=start.country)

    @property
    def choice(self) -> Choice:
        """What is chosen now."""
        return Choice(self._vendor.value, self._environment.value or "local", self._country.value)

    def choose(self, *, vendor: str | None = None, environment: str | None = None, country: str | None = None) -> None:
        """Choose as if by hand."""
        if vendor is not None:
            self._vendor.value = vendor
        if environment is not None:
            self._environment.value = environment
        if country is not None:
            self._country.value = country

    def start(self) -> None:
        """Make the test call, in a thread; the status line tells what came of it."""
        choice = self.choice
        self._worker.start(lambda: check_connection(choice))

    def join(self, timeout_s: float = 30.0) -> None:
        """Wait for a running test call."""
        self._worker.join(timeout_s)

    def _offer(self) -> None:
        """Offer what the vendor has."""
        names = ["local", *CLIENTS[self._vendor.value].environments]
        kept = self._environment.value if self._environment.value in names else "local"
        self._environment.options, self._environment.value = names, kept
        self._country.layout.display = "" if self._vendor.value == "medipim" else "none"
        self._changed()

    def _changed(self) -> None:
        self.client, self._status.value = None, ""
        try:
            found = settings_found(self.choice.vendor, self.choice.environment)
            self._settings.value = page_html(labelled(found), title="Settings", dtypes=False)
        except VendorkitError as exc:
            self._settings.value = error_html(exc)

    def _show_success(self, result: tuple[Client, Checkup]) -> None:
        client, found = result
        call, *others = found.findings
        self.client = client if found.error is None else None
        told = good_html(f"{client.title}: {call.said}") if found.error is None else error_html(found.error)
        self._status.value = f"{told}{findings_html(others)}"

    def _show_failure(self, exc: BaseException) -> None:
        self._status.value = error_html(exc)

    def _show_busy(self, busy: bool) -> None:
        self._stop.disabled = not busy
        for control in (self._test, self._vendor, self._environment, self._country):
            control.disabled = busy
        if not busy:
            self.publish()

    def static_html(self) -> str:
        """Return the choice, the settings and the last status."""
        title = f"{CLIENTS[self.choice.vendor].label}, {self.choice.environment}"
        return f"<b>{html.escape(title)}</b>{self._settings.value}{self._status.value}"

    def static_text(self) -> str:
        """Return the choice and which settings are missing; an unreadable file of settings is no error here."""
        try:
            found = settings_found(self.choice.vendor, self.choice.environment)
        except VendorkitError as exc:
            told = exc.what
        else:
            told = f"missing settings: {', '.join(found.loc[~found['set'], 'setting']) or 'none'}"
        return f"<ConnectPanel {self.choice.vendor} ({self.choice.environment}); {told}>"


def connect_panel(vendor: str = "medipim") -> ConnectPanel:
    """Return the connect panel, with *vendor* chosen."""
    return ConnectPanel(vendor)
