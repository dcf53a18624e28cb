"""From one response of a vendor to the next, and back; what is shown of them is up to the panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import pandas as pd

from vendorkit.ask import suggestion
from vendorkit.errors import UsageError
from vendorkit.panels.base import WorkPanel
from vendorkit.panels.browse.response import Response, fetch, with_xml
from vendorkit.query import Query
from vendorkit.vendors.browsing import Address
from vendorkit.vendors.client import Client

_KEPT: Final = 50  # responses to go back to


class Tour(WorkPanel):
    """
    A panel that goes from one response to the next; `show` shows one.

    Args:
        client: A connected client.

    Attributes:
        response: What is shown; None before the first response, as are the next three.
        resource: What is shown, as the vendor sent it; with `links` if the vendor has links.
        frame: What is shown, as a table: one record or one page; None if it makes no table.
        query: A lazy query for all pages of what is shown; None if no declared resource is there.
        xml_open: Whether XML is shown too.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.response: Response | None = None
        self.resource: Any = None
        self.frame: pd.DataFrame | None = None
        self.query: Query | None = None
        self._past: list[Response] = []
        self._at, self._busy, self.xml_open = -1, False, False

    def go(self, to: str | Query | None = None, *, expand: Sequence[str] | None = None) -> None:
        """
        Go somewhere, in a thread; `join` waits for it.

        Args:
            to: A URL, a query, or None for the start.
            expand: Links to embed; None for those that the URL or the query names.
        """
        self._worker.start(lambda: self._fetch(self._address_of(to, expand)))

    def follow(self, name: str) -> None:
        """
        Follow the link *name* of what is shown.

        Raises:
            UsageError: It has no such link.
        """
        links = {} if self.response is None else self.response.links
        if name not in links:
            what = f"What is shown has no link {name!r}."
            raise UsageError(what, remedy=suggestion(name, links))
        self.go(links[name])

    def open_record(self, number: int) -> None:
        """
        Go to one record of the page that is shown, 0 for the first.

        Raises:
            UsageError: There is no such record, or it has no URL.
        """
        response = self.response
        records = [] if response is None or response.records is None else response.records
        url = None
        if response is not None and 0 <= number < len(records):
            url = self.client.browsing.record_url(response.address, records[number])
        if url is None:
            what = f"Record {number} of {len(records)} cannot be opened."
            raise UsageError(what, remedy="Count from 0; not every resource has a URL per record.")
        self.go(url)

    def turn(self, pages: int) -> None:
        """Go to the page after (1) or before (-1) this one; stay if there is none."""
        response = self.response
        adjacent = None if response is None else response.after if pages > 0 else response.before
        if adjacent is not None:
            self._worker.start(partial(self._fetch, adjacent))

    def reload(self) -> None:
        """Fetch what is shown again."""
        if self.response is not None:
            self._worker.start(partial(self._fetch, self.response.address, self._at))

    def step(self, steps: int) -> None:
        """Go back (-1) or forward (1) to an earlier response, as it was then; only XML not seen yet is fetched."""
        if not self._busy and 0 <= self._at + steps < len(self._past):
            self._at += steps
            self.show(self._past[self._at])
            self._busy_changed(False)
            self.fetch_xml()

    def fetch_xml(self) -> None:
        """Fetch what is shown in XML too if that is shown, unless it was."""
        response, at = self.response, self._at
        if self.xml_open and response is not None and response.xml is None:
            self._worker.start(lambda: partial(self._arrive, with_xml(self.client, response), at))

    def show(self, response: Response) -> None:
        """Show *response*."""
        self.response, self.query = response, response.address.query
        self.resource, self.frame = response.resource, response.frame

    def _address_of(self, to: str | Query | None, expand: Sequence[str] | None = None) -> Address:
        browsing = self.client.browsing
        return browsing.page(to) if isinstance(to, Query) else browsing.at(to or browsing.start_url, expand)

    def _fetch(self, address: Address, at: int | None = None) -> Callable[[], None]:
        """Fetch *address* and return what shows it; *at* is its position in the history, None for a new one."""
        response = fetch(self.client, address)
        return partial(self._arrive, with_xml(self.client, response) if self.xml_open else response, at)

    def _arrive(self, response: Response, at: int | None = None) -> None:
        if at is None:
            self._past = [*self._past[: self._at + 1], response][-_KEPT:]
            self._at = len(self._past) - 1
        else:
            self._past[at] = response
        self.show(response)
