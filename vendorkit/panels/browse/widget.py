"""The API browser: move between the resources of a vendor by links, pages and addresses. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit import arguments, calls
from vendorkit.ask import suggestion
from vendorkit.errors import UsageError, VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, WorkPanel, button, connected, dispose, entry, guarded, title_of, titled
from vendorkit.panels.browse import markup
from vendorkit.panels.browse.response import Response, fetch, with_xml
from vendorkit.panels.markup import dim_html, escaped
from vendorkit.panels.table.widget import Table
from vendorkit.query import Query
from vendorkit.vendors.browsing import Address
from vendorkit.vendors.client import Client

_XML: Final = 3  # the tab
_START: Final = "an address of the vendor, or a query"
_MAX_HISTORY: Final = 50  # responses for the Back button
_ROWS: Final = 50  # per page of a list


@calls.checked
class Browser(WorkPanel):
    """
    Shows one address of a vendor at a time. The next cell can use the response.

    Args:
        client: A connected client.
        start: A URL, a query, or None for the vendor's root.

    Attributes:
        response: The current response. This and the following are None before the first response.
        resource: The response as the vendor sent it, with `links` if the vendor has links.
        frame: The response as a table of one record or one page; None if it has no tabular form.
        query: A lazy query for all pages of the response; None if the address is not a declared resource.
    """

    def __init__(self, client: Client, start: str | Query | None = None) -> None:
        super().__init__()
        self.client = client
        self.response: Response | None = None
        self.resource: Any = None
        self.frame: pd.DataFrame | None = None
        self.query: Query | None = None
        self._past: list[Response] = []
        self._at = -1
        self._list: Table | None = None  # created for the first list and reused
        self._ticks, self._links, self._heading = widgets.HBox(layout=WRAP), widgets.HBox(layout=WRAP), widgets.HTML()
        self._body, self._json, self._frame, self._xml, self._about = (widgets.HTML() for _ in range(5))
        self._expand = button("Expand", self._expand_ticked, self.fail, "Fetch this address with the ticked links")
        self._previous = button("Previous page", partial(self.turn, -1), self.fail, "Go to the previous page")
        self._next = button("Next page", partial(self.turn, 1), self.fail, "Go to the next page")
        self._pager, self._list_box = widgets.HBox([self._previous, self._next], layout=WRAP), widgets.VBox()
        tabs = {
            "Resource": widgets.VBox([self._pager, self._list_box, self._body, self._links]),
            "JSON": self._json,
            "DataFrame": self._frame,
        }
        self._tabs = titled(widgets.Tab, tabs | ({"XML": self._xml} if "xml" in client.accepts else {}))
        self._tabs.observe(guarded(self._fetch_xml, self.fail), names="selected_index")
        # Expand is not inside the tick boxes, which are replaced with each response: it would lose the focus.
        expanding = widgets.HBox([self._ticks, self._expand], layout=WRAP)
        self.fill([self._bar(), self._status, self._heading, self._about, expanding, self._tabs])
        self.add_class("vk-browse")
        # In this thread, because the next cell and the saved notebook need the response.
        try:
            self._fetch(self._address_of(start))()
        except VendorkitError as exc:
            self.fail(exc)
        self.show_busy(False)

    def _bar(self) -> widgets.HBox:
        self._back = button("Back", partial(self.step, -1), self.fail, "Show the previous response; nothing is sent")
        self._forward = button("Forward", partial(self.step, 1), self.fail, "Show the next response; nothing is sent")
        self._start = button("Start", self.go, self.fail, "Go to the vendor's root or its list of resources")
        self._reload = button("Reload", self.reload, self.fail, "Fetch this address again")
        at_enter = {"continuous_update": False, "style": WHOLE, "layout": {"flex": "1 1 20em"}}
        self._address = entry(widgets.Text, "Address", self._typed, self.fail, **at_enter)
        bar = [self._back, self._forward, self._start, self._reload, self._address, self._stop]
        return widgets.HBox(bar, layout=WRAP)

    def go(self, to: str | Query | None = None, *, expand: Sequence[str] | None = None) -> None:
        """
        Fetch an address and show it, in a thread; `join` waits for it.

        Args:
            to: A URL, a query, or None for the vendor's root.
            expand: Links to embed; None for those that the URL or the query names.
        """
        self._worker.start(lambda: self._fetch(self._address_of(to, expand)))

    def follow(self, name: str) -> None:
        """
        Follow the link *name* of the current response.

        Raises:
            UsageError: There is no such link.
        """
        links = {} if self.response is None else self.response.links
        if name not in links:
            what = f"This resource has no link {name!r}."
            raise UsageError(what, remedy=suggestion(name, links))
        self.go(links[name])

    def open_record(self, number: int) -> None:
        """
        Open a record of the current page, counted from 0.

        Raises:
            UsageError: There is no such record, or it has no URL.
        """
        response, number = self.response, arguments.integer(number, "number", "the number of a record")
        records = [] if response is None or response.records is None else response.records
        url = None
        if response is not None and 0 <= number < len(records):
            url = self.client.browsing.record_url(response.address, records[number])
        if url is None:
            what = f"Record {number} of {len(records)} cannot be opened."
            raise UsageError(what, remedy="Records are numbered from 0. Not every resource has a URL per record.")
        self.go(url)

    def turn(self, pages: int) -> None:
        """Go to the next page (1) or the previous one (-1), if there is one."""
        response = self.response
        adjacent = None if response is None else response.after if pages > 0 else response.before
        if adjacent is not None:
            self._worker.start(partial(self._fetch, adjacent))

    def reload(self) -> None:
        """Fetch the current address again."""
        if self.response is not None:
            self._worker.start(partial(self._fetch, self.response.address, self._at))

    def step(self, steps: int) -> None:
        """Go back (-1) or forward (1) in the history. Nothing is sent, except to fetch missing XML."""
        if not self.busy and 0 <= self._at + steps < len(self._past):
            self._at += steps
            self.show(self._past[self._at])
            self._busy_changed(False)
            self._fetch_xml()

    def _fetch_xml(self) -> None:
        """Fetch the response as XML if the XML tab is open and has none yet."""
        response, at = self.response, self._at
        if self._tabs.selected_index == _XML and response is not None and response.xml is None:
            self._worker.start(lambda: partial(self._add, with_xml(self.client, response), at))

    def _address_of(self, to: str | Query | None, expand: Sequence[str] | None = None) -> Address:
        browsing = self.client.browsing
        if isinstance(to, Query):
            page = browsing.page(to)
            return page if expand is None else browsing.at(page.url, expand)
        return browsing.at(arguments.text(to or browsing.start_url, "to", _START), expand)

    def _fetch(self, address: Address, at: int | None = None) -> Callable[[], None]:
        """Fetch *address* and return a function that shows it; *at* is its place in the history, None for a new one."""
        response, xml_open = fetch(self.client, address), self._tabs.selected_index == _XML
        return partial(self._add, with_xml(self.client, response) if xml_open else response, at)

    def _add(self, response: Response, at: int | None = None) -> None:
        if at is None:
            self._past = [*self._past[: self._at + 1], response][-_MAX_HISTORY:]
            self._at = len(self._past) - 1
        else:
            self._past[at] = response
        self.show(response)

    def show(self, response: Response) -> None:
        """Show *response* and close the widgets of the previous one."""
        self.response, self.query = response, response.address.query
        self.resource, self.frame = response.resource, response.frame
        old = self._links.children + self._ticks.children
        self._status.value = ""
        self._heading.value = markup.heading_html(response, title_of(self.client))
        self._body.value = markup.record_html(response)
        self._json.value = markup.json_html(response.resource)
        self._frame.value = markup.dataframe_html(response)
        self._xml.value = "" if response.xml is None else markup.text_html(response.xml)
        self._offer_links(response)
        self._offer_ticks(response)
        self._show_list(response)
        self._address.value = response.address.url  # set last: who waits for the address finds all the rest updated
        dispose(self, old)

    def _offer_links(self, response: Response) -> None:
        # Disabled until the task that shows them has ended, because a click before that would be ignored.
        off = {"disabled": True}
        links = [button(name, partial(self.go, url), self.fail, url, **off) for name, url in response.links.items()]
        self._links.children = [widgets.Label("Links"), *links] if links else []

    def _offer_ticks(self, response: Response) -> None:
        query = response.address.query
        ticked = {} if query is None else {rel: rel in query.expand for rel in query.resource.expands}
        auto = {"indent": False, "layout": {"width": "auto"}}
        boxes = [widgets.Checkbox(value=value, description=rel, **auto) for rel, value in ticked.items()]
        self._ticks.children, self._expand.layout.display = boxes, "" if boxes else "none"
        self._about.value = markup.expands_html(self.client, ticked) if boxes else ""

    def _show_list(self, response: Response) -> None:
        self._pager.layout.display = "" if response.before or response.after else "none"
        if response.frame is None or not markup.is_list(response):
            self._list_box.children = ()
            return
        if self._list is None:
            self._list = Table(response.frame, _ROWS, self._open_row)
        else:
            self._list.show(response.frame)
        # Links are hidden, because each record has them as buttons.
        self._list.choose([name for name in self._list.visible if not name.endswith("_link")])
        self._list_box.children = (self._list,)

    def _open_row(self, position: int) -> None:
        """Open a record, or a resource in the list of resources."""
        if self.response is not None and self.response.address.call is None:
            self.follow(self.response.frame["resource"].iloc[position])  # type: ignore[index]
        else:
            self.open_record(position)

    def _expand_ticked(self) -> None:
        if self.response is not None:
            ticked = [box.description for box in self._ticks.children if box.value]
            self.go(self.response.address.url, expand=ticked)

    def _typed(self) -> None:
        url = self._address.value.strip()
        if url and (self.response is None or url != self.response.address.url):
            self.go(url)

    def show_busy(self, busy: bool) -> None:
        """Enable the buttons that have a target; disable all while busy."""
        shown = self.response
        ends = {self._back: self._at <= 0, self._forward: self._at + 1 >= len(self._past), self._reload: shown is None}
        ends[self._previous] = shown is None or shown.before is None
        ends[self._next] = shown is None or shown.after is None
        for control in (*ends, self._start, self._expand, *self._links.children[1:]):
            control.disabled = busy or ends.get(control, False)

    def static_html(self) -> str:
        """Return the response with the names of its links, and the last error."""
        if self.response is None:
            return f"<b>{escaped(title_of(self.client))}</b>{self._status.value}"
        # Without the duration, which would differ in each saved notebook.
        heading = markup.heading_html(replace(self.response, milliseconds=None), title_of(self.client))
        links = dim_html(f"Links: {', '.join(self.response.links)}" if self.response.links else "")
        listed = "".join(table.static_html() for table in self._list_box.children)
        return f'<div class="vk-browse">{self._status.value}{heading}{listed}{self._body.value}{links}</div>'

    def static_text(self) -> str:
        """Return the current address and its title."""
        at = "nothing yet" if self.response is None else f"{self.response.title} at {self.response.address.url}"
        return f"<Browser {self.client.title}: {at}>"


@calls.checked
def browse(client: Client, start: str | Query | None = None) -> Browser:
    """
    Return the API browser on *client*: follow links, turn pages, expand, use what is shown as a DataFrame.

    Args:
        client: A connected client of any vendor.
        start: Where to begin: a URL such as "/api/titles/42", a query, or None for the vendor's root.
    """
    client = connected(client)
    if start is not None and not isinstance(start, Query):
        start = arguments.text(start, "start", _START)
    return Browser(client, start)
