"""The API browser: from one resource of a vendor to the next, by links, pages and addresses. It only reads."""

from __future__ import annotations

import html
from dataclasses import replace
from functools import partial
from typing import Final

import ipywidgets as widgets

from vendorkit import arguments
from vendorkit.errors import VendorkitError
from vendorkit.panels.base import WHOLE, WRAP, button, connected, guarded, source_title, titled
from vendorkit.panels.browse import markup
from vendorkit.panels.browse.response import Response
from vendorkit.panels.browse.tour import Tour
from vendorkit.panels.markup import dim_html
from vendorkit.panels.table.widget import Table
from vendorkit.query import Query
from vendorkit.vendors.client import Client

_XML: Final = 3  # the tab
_ROWS: Final = 50  # of a list on one page of the panel


class Browser(Tour):
    """
    Look at one address of a vendor after another; what is shown can be used by the next cell.

    Args:
        client: A connected client.
        start: A URL, a query, or None for the vendor's root.

    Attributes:
        response, resource, frame, query: What is shown, as in `Tour`.
    """

    def __init__(self, client: Client, start: str | Query | None = None) -> None:
        super().__init__(client)
        self._made: list[widgets.Widget] = []  # for what is shown, and closed with it
        self._list: Table | None = None  # one for all lists, created for the first
        self._ticks, self._links, self._heading = widgets.HBox(layout=WRAP), widgets.HBox(layout=WRAP), widgets.HTML()
        self._body, self._json, self._frame, self._xml, self._about = (widgets.HTML() for _ in range(5))
        self._expand = button("Expand", self._expand_ticked, self.fail, "Fetch it again with the ticked links embedded")
        self._previous = button("Previous page", partial(self.turn, -1), self.fail, "The page before this one")
        self._next = button("Next page", partial(self.turn, 1), self.fail, "The page after this one")
        self._pager, self._place = widgets.HBox([self._previous, self._next], layout=WRAP), widgets.VBox()
        tabs = {
            "Resource": widgets.VBox([self._pager, self._place, self._body, self._links]),
            "JSON": self._json,
            "DataFrame": self._frame,
        }
        self._tabs = titled(widgets.Tab, tabs | ({"XML": self._xml} if "xml" in client.accepts else {}))
        self._tabs.observe(guarded(self._chose_tab, self.fail), names="selected_index")
        # Expand is no child of the ticks, which are new for each response: the focus would be lost on it.
        expanding = widgets.HBox([self._ticks, self._expand], layout=WRAP)
        self.fill([self._bar(), self._status, self._heading, self._about, expanding, self._tabs])
        self.add_class("vk-browse")
        # At once and in this thread: the next cell, and a page without a kernel, need the response.
        try:
            self._fetch(self._address_of(start))()
        except VendorkitError as exc:
            self.fail(exc)
        self.show_busy(False)

    def _bar(self) -> widgets.HBox:
        self._back = button("Back", partial(self.step, -1), self.fail, "To what was shown before; nothing is sent")
        self._forward = button("Forward", partial(self.step, 1), self.fail, "Forward again; nothing is sent")
        self._start = button("Start", self.go, self.fail, "The vendor's root, or the list of its resources")
        self._again = button("Reload", self.reload, self.fail, "Fetch it again")
        self._address = widgets.Text(description="Address", style=WHOLE, layout={"flex": "1 1 20em"})
        self._address.continuous_update = False  # at Enter
        self._address.observe(guarded(self._typed, self.fail), names="value")
        bar = [self._back, self._forward, self._start, self._again, self._address, self._stop]
        return widgets.HBox(bar, layout=WRAP)

    def _chose_tab(self) -> None:
        self.xml_open = self._tabs.selected_index == _XML
        self.fetch_xml()

    def show(self, response: Response) -> None:
        """Show *response*; the widgets of the one before are closed."""
        super().show(response)
        old, self._made = self._made, []
        self._status.value = ""
        self._heading.value = markup.heading_html(response, source_title(self.client))
        self._body.value = markup.record_html(response)
        self._json.value = markup.json_html(response.resource)
        self._frame.value = markup.dataframe_html(response)
        self._xml.value = "" if response.xml is None else markup.text_html(response.xml)
        self._offer_links(response)
        self._offer_ticks(response)
        self._show_list(response)
        self._address.value = response.address.url  # the last one: what waits for it finds all the others
        for widget in old:
            for part in (widget.layout, widget.style, widget):
                part.close()

    def _offer_links(self, response: Response) -> None:
        # Disabled until the work that shows them has ended: a click before that would be lost.
        links = [
            button(name, partial(self.go, url), self.fail, url, disabled=True) for name, url in response.links.items()
        ]
        label = [widgets.Label("Links")] if links else []
        self._links.children = [*label, *links]
        self._made += self._links.children

    def _offer_ticks(self, response: Response) -> None:
        query = response.address.query
        ticked = {} if query is None else {rel: rel in query.expand for rel in query.resource.expands}
        boxes = [
            widgets.Checkbox(value=value, description=rel, indent=False, layout={"width": "auto"})
            for rel, value in ticked.items()
        ]
        self._ticks.children, self._expand.layout.display = boxes, "" if boxes else "none"
        self._about.value = markup.expands_html(self.client, ticked) if boxes else ""
        self._made += boxes

    def _show_list(self, response: Response) -> None:
        self._pager.layout.display = "" if response.before or response.after else "none"
        if response.frame is None or not markup.is_list(response):
            self._place.children = ()
            return
        if self._list is None:
            self._list = Table(response.frame, _ROWS, self._open_row)
        else:
            self._list.show(response.frame)
        # Links are buttons of each record; the others can be shown again.
        self._list.choose([one for one in self._list.visible if not one.endswith("_link")])
        self._place.children = (self._list,)

    def _open_row(self, position: int) -> None:
        """Open a row of a list: a record, or a resource in the list of them."""
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
        """Let the buttons be clicked that lead somewhere, or none now."""
        self._busy = busy
        response = self.response
        self._back.disabled = busy or self._at <= 0
        self._forward.disabled = busy or self._at + 1 >= len(self._past)
        self._again.disabled = busy or response is None
        self._previous.disabled = busy or response is None or response.before is None
        self._next.disabled = busy or response is None or response.after is None
        for control in (self._start, self._expand, *self._links.children[1:]):
            control.disabled = busy

    def static_html(self) -> str:
        """Return the response with the names of its links, and the last error."""
        if self.response is None:
            return f"<b>{html.escape(source_title(self.client))}</b>{self._status.value}"
        # Without the time it took, which would be another one in each saved notebook.
        heading = markup.heading_html(replace(self.response, milliseconds=None), source_title(self.client))
        links = dim_html(f"Links: {', '.join(self.response.links)}" if self.response.links else "")
        listed = "".join(one.static_html() for one in self._place.children)
        return f'<div class="vk-browse">{self._status.value}{heading}{listed}{self._body.value}{links}</div>'

    def static_text(self) -> str:
        """Return where the browser is."""
        at = "nothing yet" if self.response is None else f"{self.response.title} at {self.response.address.url}"
        return f"<Browser {self.client.title}: {at}>"


@arguments.checked
def browse(client: Client, start: str | Query | None = None) -> Browser:
    """
    Return the API browser on *client*: follow links, turn pages, expand, use what is shown as a DataFrame.

    Args:
        client: A connected client of any vendor.
        start: Where to begin: a URL such as "/api/titles/42", a query, or None for the vendor's root.
    """
    client = connected(client)
    if start is not None and not isinstance(start, Query):
        start = arguments.text(start, "start", "an address of the vendor, or a query")
    return Browser(client, start)
