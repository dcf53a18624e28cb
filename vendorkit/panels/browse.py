"""The API browser: a vendor's resources as fields and links to follow, as tables, as JSON and XML. It only reads."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.errors import VendorkitError
from vendorkit.panels import markup
from vendorkit.panels.looking import Seen, look, read_xml
from vendorkit.panels.places import Place, home, place_at, place_of, record_address
from vendorkit.panels.work import Panel, Worker, error_html
from vendorkit.query import Query
from vendorkit.vendors.base import Client

_KEPT: Final = 50  # places to go back to
_TABS: Final = ("Resource", "JSON", "DataFrame", "XML")
_XML: Final = 3
_LABEL_LIMIT: Final = 60


class Browser(Panel):
    """
    Look at one place of a vendor after another; what is shown can be used by the next cell.

    Args:
        client: A connected client.
        start: An address, a query, or None for the vendor's root.

    Attributes:
        seen: What is shown; None before the first answer.
    """

    def __init__(self, client: Client, start: str | Query | None = None) -> None:
        self.client = client
        self.seen: Seen | None = None
        self._past: list[Seen] = []
        self._at, self._busy = -1, False
        self._made: list[widgets.Widget] = []  # for what is shown, and closed with it
        self._make_controls()
        self._worker = Worker(lambda show: show(), self._show_failure, self._show_busy)
        super().__init__(self._laid_out())
        self.add_class("vk-browse")
        # At once and in this thread: the next cell, and a page without a kernel, need what is there.
        try:
            self._arrive(look(client, self._place(start)), None)
        except VendorkitError as exc:
            self._show_failure(exc)
        self._show_busy(False)

    @property
    def resource(self) -> Any:
        """What is shown, as the vendor sent it; of Mediagenix an entity with `links`. None before the first answer."""
        return None if self.seen is None else self.seen.resource

    @property
    def frame(self) -> pd.DataFrame | None:
        """What is shown, as a table: one record or one page; None where it makes no table."""
        return None if self.seen is None else self.seen.frame

    @property
    def query(self) -> Query | None:
        """A lazy query for all pages of what is shown; None where no declared resource lies there."""
        return None if self.seen is None else self.seen.place.query

    def go(self, to: str | Query | None = None, *, expand: Sequence[str] | None = None) -> None:
        """Go to an address, to a query's first page, or to the start; in a thread, see `join`."""
        self._visit(lambda: self._place(to, expand))

    def follow(self, name: str) -> None:
        """Follow the link *name* of what is shown."""
        self.go(self.seen.links[name] if self.seen is not None else None)

    def open_record(self, number: int) -> None:
        """Go to one record of the page that is shown, 0 for the first."""
        self.go(self._records.options[number][1])

    def turn(self, pages: int) -> None:
        """Go to the page after (1) or before (-1) this one; the last page has none after it."""
        seen = self.seen
        beside = None if seen is None else seen.after if pages > 0 else seen.before
        if beside is not None:
            self._visit(partial(_same, beside))

    def expand(self, rels: Sequence[str]) -> None:
        """Ask again for what is shown, with the links *rels* embedded."""
        if self.seen is not None:
            self.go(self.seen.place.address, expand=rels)

    def reload(self) -> None:
        """Ask again for what is shown."""
        if self.seen is not None:
            place, at = self.seen.place, self._at
            self._visit(partial(_same, place), at)

    def step(self, places: int) -> None:
        """Go back (-1) or forward (1) to what was seen, as it was then; nothing is sent."""
        if not self._busy and 0 <= self._at + places < len(self._past):
            self._at += places
            self._show(self._past[self._at])
            self._show_busy(False)

    def cancel(self) -> None:
        """Stop what is under way."""
        self._worker.cancel()

    def join(self, timeout_s: float = 30.0) -> None:
        """Wait for what is under way."""
        self._worker.join(timeout_s)

    def _place(self, to: str | Query | None, expand: Sequence[str] | None = None) -> Place:
        if to is None:
            return home(self.client)
        return place_of(to) if isinstance(to, Query) else place_at(self.client, to, expand)

    def _visit(self, place: Callable[[], Place], at: int | None = None) -> None:
        """Look at a place in a thread; *at* is where it stands in the past, None for a new one."""

        def work() -> Callable[[], None]:
            seen = look(self.client, place())
            xml = read_xml(self.client, seen.place) if self._tabs.selected_index == _XML else None
            return partial(self._arrive, seen, xml, at)

        self._worker.start(work)

    def _arrive(self, seen: Seen, xml: bytes | None, at: int | None = None) -> None:
        if at is None:
            self._past = [*self._past[: self._at + 1], seen][-_KEPT:]
            self._at = len(self._past) - 1
        else:
            self._past[at] = seen
        self._show(seen)
        if xml is not None:
            self._show_xml(seen, xml)

    def _make_controls(self) -> None:
        def button(text: str, act: Callable[[], None], tip: str) -> widgets.Button:
            made = widgets.Button(description=text, tooltip=tip, layout={"width": "auto"})
            made.on_click(lambda _: act())
            return made

        self._back = button("Back", partial(self.step, -1), "To what was shown before; nothing is sent")
        self._forward = button("Forward", partial(self.step, 1), "Forward again; nothing is sent")
        self._start = button("Start", self.go, "The vendor's root, or the list of its resources")
        self._again = button("Reload", self.reload, "Ask again")
        self._stop = button("Cancel", self.cancel, "Stop what is under way")
        self._address = widgets.Text(
            description="Address",
            continuous_update=False,  # at Enter
            style={"description_width": "auto"},
            layout={"flex": "1 1 20em"},
        )
        self._address.observe(self._typed, names="value")
        self._heading, self._status = widgets.HTML(), widgets.HTML()
        self._previous = button("Previous page", partial(self.turn, -1), "The vendor's link to the page before")
        self._next = button("Next page", partial(self.turn, 1), "The vendor's link to the page after")
        self._records = widgets.Dropdown(
            description="Record", style={"description_width": "auto"}, layout={"width": "24em"}
        )
        self._open = button("Open record", self._open_chosen, "Show this record alone")
        self._embed = button("Expand", self._expand_ticked, "Ask again, with the ticked links embedded")
        self._ticks = widgets.HBox(layout={"flex_flow": "row wrap"})
        self._links = widgets.HBox(layout={"flex_flow": "row wrap"})
        self._links_label = widgets.Label("Links")
        self._body, self._json, self._columns, self._xml = (widgets.HTML() for _ in _TABS)

    def _laid_out(self) -> list[widgets.Widget]:
        self._pager = widgets.HBox(
            [self._previous, self._next, self._records, self._open], layout={"flex_flow": "row wrap"}
        )
        views = [widgets.VBox([self._pager, self._body, self._links]), self._json, self._columns]
        views += [self._xml] if "xml" in self.client.accepts else []
        self._tabs = widgets.Tab(views, selected_index=0)
        for number, title in enumerate(_TABS[: len(views)]):
            self._tabs.set_title(number, title)
        self._tabs.observe(self._chose_tab, names="selected_index")
        bar = [self._back, self._forward, self._start, self._again, self._address, self._stop]
        return [
            widgets.HTML(markup.STYLE),
            widgets.HBox(bar, layout={"flex_flow": "row wrap"}),
            self._heading,
            self._ticks,
            self._tabs,
            self._status,
        ]

    def _show(self, seen: Seen) -> None:
        self.seen = seen
        self._address.value = seen.place.address
        self._heading.value = markup.heading_html(seen, self.client.title)
        self._body.value = _body_html(seen)
        self._json.value = markup.json_html(seen.resource)
        self._columns.value = markup.dataframe_html(seen)
        self._xml.value = self._status.value = ""
        old, self._made = self._made, []
        links = [self._link(name, address) for name, address in seen.links.items()]
        self._links.children = [self._links_label, *links] if links else []
        self._ticks.children = self._tick_boxes(seen)
        self._show_records(seen)
        for widget in old:
            _close(widget)

    def _show_records(self, seen: Seen) -> None:
        found = [(_label(one), record_address(self.client, seen.place, one)) for one in seen.records or () if one]
        options = [(f"{number}. {label}", address) for number, (label, address) in enumerate(found, 1) if address]
        self._records.options = options
        self._records.index = 0 if options else None
        self._pager.layout.display = "" if options or seen.before or seen.after else "none"

    def _link(self, name: str, address: str) -> widgets.Button:
        made = widgets.Button(description=name, tooltip=address, layout={"width": "auto"})
        made.on_click(lambda _: self.go(address))
        self._made.append(made)
        return made

    def _tick_boxes(self, seen: Seen) -> list[widgets.Widget]:
        query = seen.place.query
        if query is None or not query.resource.expands:
            return []
        layout = {"width": "auto", "margin": "0 12px 0 0"}
        boxes = [
            widgets.Checkbox(value=rel in query.expand, description=rel, indent=False, layout=layout)
            for rel in query.resource.expands
        ]
        self._made += boxes
        return [*boxes, self._embed]

    def _show_xml(self, seen: Seen, body: bytes) -> None:
        if seen is self.seen:
            self._xml.value = markup.xml_html(body)

    def _show_failure(self, exc: BaseException) -> None:
        self._status.value = error_html(exc)

    def _show_busy(self, busy: bool) -> None:
        self._busy = busy
        seen = self.seen
        self._stop.disabled = not busy
        self._back.disabled = busy or self._at <= 0
        self._forward.disabled = busy or self._at + 1 >= len(self._past)
        self._start.disabled = self._embed.disabled = self._open.disabled = busy
        self._again.disabled = busy or seen is None
        self._previous.disabled = busy or seen is None or seen.before is None
        self._next.disabled = busy or seen is None or seen.after is None

    def _typed(self, change: dict[str, Any]) -> None:
        address = change["new"].strip()
        if address and (self.seen is None or address != self.seen.place.address):
            self.go(address)

    def _open_chosen(self) -> None:
        if self._records.value is not None:
            self.go(self._records.value)

    def _expand_ticked(self) -> None:
        boxes = [one for one in self._ticks.children if isinstance(one, widgets.Checkbox)]
        self.expand([box.description for box in boxes if box.value])

    def _chose_tab(self, change: dict[str, Any]) -> None:
        seen = self.seen
        if change["new"] == _XML and seen is not None and not self._xml.value:
            self._worker.start(lambda: partial(self._show_xml, seen, read_xml(self.client, seen.place)))

    def static_html(self) -> str:
        """Return what is shown, with its links as text."""
        if self.seen is None:
            return f"<b>{html.escape(self.client.title)}</b>{self._status.value}"
        links = ", ".join(f"{html.escape(name)}" for name in self.seen.links)
        told = f'<div class="vk-dim">Links: {links}</div>' if links else ""
        inner = f"{self._heading.value}{self._body.value}{told}"
        return f'{markup.STYLE}<div class="vk-browse">{inner}</div>{self._status.value}'

    def static_text(self) -> str:
        """Return where the browser is."""
        at = "nothing yet" if self.seen is None else f"{self.seen.title} at {self.seen.place.address}"
        return f"<Browser {self.client.title}: {at}>"


def browse(client: Client, start: str | Query | None = None) -> Browser:
    """
    Return the API browser on *client*: follow links, turn pages, expand, take what is shown as a DataFrame.

    Args:
        client: A connected client of any vendor.
        start: Where to begin: an address such as "/api/titles/42", a query, or None for the vendor's root.
    """
    return Browser(client, start)


def _same(place: Place) -> Place:
    return place


def _body_html(seen: Seen) -> str:
    if seen.records is None and isinstance(seen.resource, dict):
        return f'<div class="vk-tall">{markup.fields_html(seen.resource)}</div>'
    return "" if seen.frame is None else markup.frame_html(seen.frame, seen.title)


def _label(record: dict[str, Any]) -> str:
    texts = (record.get(key) for key in ("id", "name", "title", "event_type", "external_id"))
    found = list(dict.fromkeys(str(text) for text in texts if isinstance(text, (str, int)) and text != ""))
    return " · ".join(found[:2])[:_LABEL_LIMIT]


def _close(widget: widgets.Widget) -> None:
    for part in (widget.layout, widget.style, widget):
        part.close()
