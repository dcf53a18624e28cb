"""The connect panel: the settings, their sources, and a test call. No credential is typed into a widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

import ipywidgets as widgets

from vendorkit import calls
from vendorkit.ask import choice
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, WorkPanel, button, entry, set_ready
from vendorkit.panels.markup import error_html, escaped, info_html, scrolled_html, success_html
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
    """The values of the drop-down lists; *country* is None if the vendor has no platform per country."""

    vendor: str
    environment: str = "local"
    country: str | None = None


def configured(vendor: str) -> Choice:
    """Return the choice that `connect` would make from the settings; "local" if they cannot be read."""
    kind, names = CLIENTS[vendor], [f"{vendor.upper()}_{name}" for name in ("ENVIRONMENT", "COUNTRY")]
    try:
        settings = read_settings(tuple(names))
    except VendorkitError:
        return Choice(vendor)
    environment, country = ((settings.get(name) or "").lower() for name in names)  # as in connect()
    is_known = environment in kind.environments
    return Choice(vendor, environment if is_known else "local", country if country in kind.countries else None)


def check_connection(choice: Choice) -> tuple[Client, Checkup]:
    """
    Connect, make the vendor's cheapest authenticated call, and return the client and the findings.

    Raises:
        SettingsError: Settings are missing or malformed; nothing was sent.
        Cancelled: The user pressed Cancel.
    """
    client = connect(**asdict(choice))
    return client, examine(client)


def _finding_text(finding: Finding) -> str:
    return f"{finding.said} {finding.remedy}".strip()


def overview(vendor: str, client: Client | None = None, findings: Sequence[Finding] = ()) -> list[str]:
    """
    Return the cells of a vendor's row in the overview, as HTML. Nothing is sent.

    *client* and *findings* are the results of a test call; without them, the row describes the vendor as configured.
    """
    chosen = configured(vendor)
    environment = client.environment if client else chosen.environment
    is_local = environment == "local"
    try:
        client = client if client or is_local else connect(**asdict(chosen))
        table = settings_found(vendor, environment)
        missing = ", ".join(filter(is_credential, table.loc[~table["set"], "setting"]))
        sources = ", ".join(table.loc[table["set"], "source"].unique())
        settings = f"missing: {missing}. " * bool(missing) + (f"from: {sources}" if sources else "none set")
    except VendorkitError as exc:
        settings = exc.what
    remaining = client.session.budget.left() if client and not is_local else None
    texts = {"rate budget": "" if remaining is None else f"{remaining} requests left", "test call": "not tested"}
    texts |= {**client.endpoint.remarks} if client else {}
    texts |= {finding.check: f"{MARKS[finding.fine]} {_finding_text(finding)}" for finding in findings}
    cells = [CLIENTS[vendor].label, "mock data" if is_local else f"real: {environment}", settings]
    cells += ["this machine" if is_local else client.base_url if client else ""]
    return [escaped(cell) for cell in (*cells, *(texts.get(check, "") for check in _HEADS[len(cells) :]))]


@calls.checked
class ConnectPanel(WorkPanel):
    """
    An overview of all vendors. Choose one and its environment to see its settings and to make a test call.

    Attributes:
        client: The connected client for the next cell; None until a test call succeeds.
    """

    def __init__(self, vendor: str | None = None) -> None:
        super().__init__()
        self.client: Client | None = None
        labels = [(kind.label, name) for name, kind in CLIENTS.items()]
        self._settings, self._overview = widgets.HTML(), widgets.HTML()
        actions = {"Vendor": self._vendor_changed, "Environment": self._changed, "Country": self._changed}
        self._choosers = [entry(widgets.Dropdown, name, act, self.fail, style=WHOLE) for name, act in actions.items()]
        self._vendor, self._environment, self._country = self._choosers
        self._rows = {name: overview(name) for name in CLIENTS}
        self._test = button("Test call", self.start, self.fail, button_style="primary")
        self._tests = [button(f"Test {label}", partial(self.test, name), self.fail) for label, name in labels]
        rows = [widgets.HBox(row, layout=WRAP) for row in (self._tests, self._choosers, (self._test, self._stop))]
        self.fill([self._overview, rows[0], rows[1], self._settings, rows[2], self._status])
        self._show_overview()
        self._vendor.options = labels
        self.choose(**asdict(configured(vendor or next(iter(CLIENTS)))))

    @property
    def choice(self) -> Choice:
        """The current choice."""
        return Choice(self._vendor.value, self._environment.value or "local", self._country.value)

    def choose(self, *, vendor: str | None = None, environment: str | None = None, country: str | None = None) -> None:
        """Choose as in the drop-down lists."""
        for chooser, value in zip(self._choosers, (vendor, environment, country), strict=True):
            if value is not None:
                names = [option[1] if isinstance(option, tuple) else option for option in chooser.options]
                chooser.value = choice(value, names, f"There is no {chooser.description.lower()}")

    def test(self, vendor: str) -> None:
        """Make a test call to a vendor as configured, in a thread."""
        self.choose(**asdict(configured(choice(vendor, CLIENTS, "There is no vendor"))))
        self.start()

    def _show_overview(self) -> None:
        self._overview.value = scrolled_html(info_html(self._rows.values(), _HEADS), "At a glance")

    def start(self) -> None:
        """Make a test call in a thread; the status shows the result."""
        choice = self.choice
        self._worker.start(lambda: partial(self._show_result, *check_connection(choice)))

    def _vendor_changed(self) -> None:
        """List the environments and countries of the vendor, and keep the chosen ones if it has them."""
        kind = CLIENTS[self._vendor.value]
        for chooser, names in ((self._environment, ("local", *kind.environments)), (self._country, kind.countries)):
            value = chooser.value if chooser.value in names else next(iter(names), None)
            chooser.options, chooser.value = names, value
        self._country.layout.display = "" if kind.countries else "none"
        self._changed()

    def _changed(self) -> None:
        self.client, self._status.value = None, ""
        try:
            table = settings_found(self.choice.vendor, self.choice.environment)
            self._settings.value = page_html(labelled(table), title="Settings", dtypes=False)
            self._state = f"missing settings: {', '.join(table.loc[~table['set'], 'setting']) or 'none'}"
        except VendorkitError as exc:
            self._settings.value, self._state = error_html(exc), exc.what

    def _show_result(self, client: Client, checkup: Checkup) -> None:
        call, *others = checkup.findings
        self._rows[client.vendor_name] = overview(client.vendor_name, client, checkup.findings)
        self._show_overview()
        self.client = client if checkup.error is None else None
        result = success_html(f"{client.title}: {call.said}") if checkup.error is None else error_html(checkup.error)
        cells = ((f"{MARKS[other.fine]} {other.check}", _finding_text(other)) for other in others)
        self._status.value = f"{result}{info_html([*map(escaped, row)] for row in cells)}"

    def show_busy(self, busy: bool) -> None:
        """Disable the drop-down lists and the test buttons while busy."""
        for chooser in self._choosers:
            chooser.disabled = busy
        for control in (self._test, *self._tests):
            set_ready(control, ready=not busy)

    def static_html(self) -> str:
        """Return the choice, the settings and the last status."""
        title = f"{CLIENTS[self.choice.vendor].label}, {self.choice.environment}"
        return f"{self._overview.value}<b>{escaped(title)}</b>{self._settings.value}{self._status.value}"

    def static_text(self) -> str:
        """Return the choice and the missing settings, or why they cannot be read."""
        return f"<ConnectPanel {self.choice.vendor} ({self.choice.environment}); {self._state}>"


@calls.checked
def connect_panel(vendor: str | None = None) -> ConnectPanel:
    """Return the connect panel with *vendor* chosen, or the first one if None."""
    return ConnectPanel(None if vendor is None else choice(vendor, CLIENTS, "There is no vendor"))
