"""The connect panel: which settings were found and where, and a test call. No credential is typed into a widget."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.credentials import read_settings
from vendorkit.errors import VendorkitError
from vendorkit.panels.work import Panel, Worker, error_html, good_html
from vendorkit.vendors import CLIENTS, connect
from vendorkit.vendors.medipim_schema import COUNTRIES

_LABELLED: Final = {"description_width": "6em"}


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


def settings_found(choice: Choice) -> pd.DataFrame:
    """
    Return one row a setting of the vendor: its name, whether it is set, and where it was found; never a value.

    Raises:
        SettingsError: The `.env` file is malformed.
    """
    # The country is chosen in the panel, whatever is set.
    names = [name for name in CLIENTS[choice.vendor].setting_names if name != "MEDIPIM_COUNTRY"]
    if choice.environment == "local":
        rows = [(name, True, "made up by the local vendor") for name in names]
    else:
        found = read_settings(names)
        rows = [(name, name in found.sources, found.sources.get(name, "missing")) for name in names]
    return pd.DataFrame(rows, columns=["setting", "set", "source"])


def check_connection(choice: Choice) -> str:
    """
    Connect and make the vendor's cheapest authenticated call; return one sentence on what came back.

    Raises:
        VendorkitError: What went wrong.
    """
    country = choice.country if choice.vendor == "medipim" else None
    client = connect(choice.vendor, environment=choice.environment, country=country)
    started = time.perf_counter()
    said = client.ping()
    seconds = time.perf_counter() - started
    left = client.session.budget.left()
    budget = "" if left is None else f" {left} requests are left for now."
    return f"{client.title}: {said} It took {seconds * 1000:.0f} ms.{budget}"


class ConnectPanel(Panel):
    """
    Choose a vendor and an environment, see which settings are there, make a test call.

    Attributes:
        client: The connected client, once a test call succeeded; the next cell can use it.
    """

    def __init__(self, vendor: str = "medipim") -> None:
        self.client: Any = None
        self._vendor = widgets.Dropdown(
            options=[(kind.label, name) for name, kind in CLIENTS.items()],
            value=vendor,
            description="Vendor",
            style=_LABELLED,
        )
        self._environment = widgets.Dropdown(description="Environment", style=_LABELLED)
        self._country = widgets.Dropdown(options=list(COUNTRIES), description="Country", style=_LABELLED)
        self._test = widgets.Button(description="Test call", button_style="primary")
        self._stop = widgets.Button(description="Cancel", disabled=True)
        self._settings, self._status = widgets.HTML(), widgets.HTML()
        self._worker = Worker(self._show_success, self._show_failure, self._show_busy)
        for chooser in (self._vendor, self._environment, self._country):
            chooser.observe(self._changed, names="value")
        self._test.on_click(lambda _: self.start())
        self._stop.on_click(lambda _: self._worker.cancel())
        super().__init__(
            [
                widgets.HBox([self._vendor, self._environment, self._country]),
                self._settings,
                widgets.HBox([self._test, self._stop]),
                self._status,
            ]
        )
        self._changed()
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
        self._worker.start(lambda: (choice, check_connection(choice)))

    def join(self, timeout_s: float = 30.0) -> None:
        """Wait for a running test call."""
        self._worker.join(timeout_s)

    def _changed(self, change: dict[str, Any] | None = None) -> None:
        if change is None or change["owner"] is self._vendor:
            names = ["local", *CLIENTS[self._vendor.value].environments]
            kept = self._environment.value if self._environment.value in names else "local"
            self._environment.options, self._environment.value = names, kept
            self._country.layout.display = "" if self._vendor.value == "medipim" else "none"
        self.client, self._status.value = None, ""
        try:
            self._settings.value = settings_found(self.choice).to_html(index=False, border=0)
        except VendorkitError as exc:
            self._settings.value = error_html(exc)

    def _show_success(self, result: tuple[Choice, str]) -> None:
        choice, said = result
        country = choice.country if choice.vendor == "medipim" else None
        self.client = connect(choice.vendor, environment=choice.environment, country=country)
        self._status.value = good_html(said)

    def _show_failure(self, exc: BaseException) -> None:
        self._status.value = error_html(exc)

    def _show_busy(self, busy: bool) -> None:
        self._test.disabled, self._stop.disabled = busy, not busy

    def static_html(self) -> str:
        """Return the choice, the settings and the last status."""
        title = f"{CLIENTS[self.choice.vendor].label}, {self.choice.environment}"
        return f"<b>{html.escape(title)}</b>{self._settings.value}{self._status.value}"

    def static_text(self) -> str:
        """Return the choice and which settings are missing; an unreadable file of settings is no error here."""
        try:
            found = settings_found(self.choice)
        except VendorkitError as exc:
            told = exc.what
        else:
            told = f"missing settings: {', '.join(found.loc[~found['set'], 'setting']) or 'none'}"
        return f"<ConnectPanel {self.choice.vendor} ({self.choice.environment}); {told}>"


def connect_panel(vendor: str = "medipim") -> ConnectPanel:
    """Return the connect panel, with *vendor* chosen."""
    return ConnectPanel(vendor)
