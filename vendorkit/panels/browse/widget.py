"""The API browser: from one resource of a vendor to the next, by links, pages and addresses. It only reads."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.ask import suggestion
from vendorkit.errors import UsageError, VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, Panel, Worker, button, guarded
from vendorkit.panels.browse.places import Place, home, place_at, place_of, record_address
from vendorkit.panels.browse.views import Views
from vendorkit.panels.browse.visit import Visit, visit_place, with_xml
from vendorkit.panels.markup import error_html
from vendorkit.query import Query
from vendorkit.vendors.client import Client

_KEPT: Final = 50  # places to go back to


class Browser(Panel):
    """
    Look at one place of a vendor after another; what is shown can be used by the next cell.

    Args:
        client: A connected client.
        start: An address, a query, or None for the vendor's root.

    Attributes:
        visit: What is shown; None before the first answer.
    """

    def __init__(self, client: Client, start: str | Query | None = None) -> None:
        self.client = client
        self.visit: Visit | None = None
        self._past: list[Visit] = []
        self._at, self._busy = -1, False
        tips: dict[str, tuple[Callable[[], None], str]] = {
            "Back": (partial(self.step, -1), "To what was shown before; nothing is sent"),
            "Forward": (partial(self.step, 1), "Forward again; nothing is sent"),
            "Start": (self.go, "The vendor's root, or the list of its resources"),
            "Reload": (self.reload, "Ask again"),
            "Cancel": (self.cancel, "Stop what is under way"),
        }
        made = [button(text, act, self.fail, tip) for text, (act, tip) in tips.items()]
        self._back, self._forward, self._start, self._again, self._stop = made
        self._address = widgets.Text(
            description="Address",
            continuous_update=False,  # at Enter
            style=WHOLE,
            layout={"flex": "1 1 20em"},
        )
        self._address.observe(guarded(self._typed, self.fail), names="value")
        self._views, self._status = Views(client, self), widgets.HTML()
        self._worker = Worker(lambda show: show(), self.fail, self._show_busy)
        bar = [self._back, self._forward, self._start, self._again, self._address, self._stop]
        super().__init__([widgets.HBox(bar, layout=WRAP), self._views, self._status])
        # At once and in this thread: the next cell, and a page without a kernel, need what is there.
        try:
            self._arrive(visit_place(client, self._place(start)))
        except VendorkitError as exc:
            self.fail(exc)
        self._show_busy(False)

    @property
    def resource(self) -> Any:
        """What is shown, as the vendor sent it; of Mediagenix an entity with `links`. None before the first answer."""
        return None if self.visit is None else self.visit.resource

    @property
    def frame(self) -> pd.DataFrame | None:
        """What is shown, as a table: one record or one page; None where it makes no table."""
        return None if self.visit is None else self.visit.frame

    @property
    def query(self) -> Query | None:
        """A lazy query for all pages of what is shown; None where no declared resource lies there."""
        return None if self.visit is None else self.visit.place.query

    def go(self, to: str | Query | None = None, *, expand: Sequence[str] | None = None) -> None:
        """
        Go somewhere, in a thread; `join` waits for it.

        Args:
            to: An address, a query, or None for the start.
            expand: Links to embed; None for those that the address or the query names.
        """
        self._worker.start(lambda: self._fetch(self._place(to, expand)))

    def follow(self, name: str) -> None:
        """
        Follow the link *name* of what is shown.

        Raises:
            UsageError: It has no such link.
        """
        links = {} if self.visit is None else self.visit.links
        if name not in links:
            what = f"What is shown has no link {name!r}."
            raise UsageError(what, remedy=suggestion(name, links))
        self.go(links[name])

    def open_record(self, number: int) -> None:
        """
        Go to one record of the page that is shown, 0 for the first.

        Raises:
            UsageError: There is no such record, or it has no address of its own.
        """
        visit = self.visit
        records = [] if visit is None or visit.records is None else visit.records
        address = None
        if visit is not None and 0 <= number < len(records):
            address = record_address(self.client, visit.place, records[number])
        if address is None:
            what = f"Record {number} of {len(records)} cannot be opened."
            raise UsageError(what, remedy="Count from 0; lines of a plan have no address of their own.")
        self.go(address)

    def turn(self, pages: int) -> None:
        """Go to the page after (1) or before (-1) this one; where there is none, stay."""
        visit = self.visit
        beside = None if visit is None else visit.after if pages > 0 else visit.before
        if beside is not None:
            self._worker.start(partial(self._fetch, beside))

    def reload(self) -> None:
        """Ask again for what is shown."""
        if self.visit is not None:
            self._worker.start(partial(self._fetch, self.visit.place, self._at))

    def step(self, places: int) -> None:
        """Go back (-1) or forward (1) to what was seen, as it was then; only an XML view not opened yet is sent for."""
        if not self._busy and 0 <= self._at + places < len(self._past):
            self._at += places
            self._show(self._past[self._at])
            self._show_busy(False)
            if self._views.xml_open:
                self.fetch_xml()

    def cancel(self) -> None:
        """Stop what is under way."""
        self._worker.cancel()

    def join(self, timeout_s: float = 30.0) -> None:
        """Wait for what is under way."""
        self._worker.join(timeout_s)

    def fetch_xml(self) -> None:
        """Fetch what is shown in XML as well, where it has not been."""
        visit, at = self.visit, self._at
        if visit is not None and visit.xml is None:
            self._worker.start(lambda: partial(self._arrive, with_xml(self.client, visit), at))

    def _place(self, to: str | Query | None, expand: Sequence[str] | None = None) -> Place:
        if to is None:
            return home(self.client)
        return place_of(to) if isinstance(to, Query) else place_at(self.client, to, expand)

    def _fetch(self, place: Place, at: int | None = None) -> Callable[[], None]:
        """Look at *place*, and return what shows it; *at* is where it stands in the past, None for a new one."""
        visit = visit_place(self.client, place)
        return partial(self._arrive, with_xml(self.client, visit) if self._views.xml_open else visit, at)

    def _arrive(self, visit: Visit, at: int | None = None) -> None:
        if at is None:
            self._past = [*self._past[: self._at + 1], visit][-_KEPT:]
            self._at = len(self._past) - 1
        else:
            self._past[at] = visit
        self._show(visit)

    def _show(self, visit: Visit) -> None:
        self.visit = visit
        self._address.value, self._status.value = visit.place.address, ""
        self._views.show(visit)

    def fail(self, exc: BaseException) -> None:
        """Show what went wrong, under what is shown."""
        self._status.value = error_html(exc)

    def _show_busy(self, busy: bool) -> None:
        self._busy = busy
        self._stop.disabled = not busy
        self._back.disabled = busy or self._at <= 0
        self._forward.disabled = busy or self._at + 1 >= len(self._past)
        self._start.disabled = busy
        self._again.disabled = busy or self.visit is None
        self._views.busy(busy)
        if not busy:
            self.publish()

    def _typed(self) -> None:
        address = self._address.value.strip()
        if address and (self.visit is None or address != self.visit.place.address):
            self.go(address)

    def static_html(self) -> str:
        """Return what is shown, with the names of its links, and the last error."""
        shown = f"<b>{html.escape(self.client.title)}</b>" if self.visit is None else self._views.static_html()
        return f"{shown}{self._status.value}"

    def static_text(self) -> str:
        """Return where the browser is."""
        at = "nothing yet" if self.visit is None else f"{self.visit.title} at {self.visit.place.address}"
        return f"<Browser {self.client.title}: {at}>"


def browse(client: Client, start: str | Query | None = None) -> Browser:
    """
    Return the API browser on *client*: follow links, turn pages, expand, take what is shown as a DataFrame.

    Args:
        client: A connected client of any vendor.
        start: Where to begin: an address such as "/api/titles/42", a query, or None for the vendor's root.
    """
    return Browser(client, start)
