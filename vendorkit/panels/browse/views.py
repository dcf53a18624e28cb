"""What was found at one place of a vendor, as widgets: its links to click, and a tab each for its forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

import ipywidgets as widgets

from vendorkit.panels.base import guarded
from vendorkit.panels.browse import markup
from vendorkit.panels.browse.places import record_address
from vendorkit.panels.browse.visit import Visit
from vendorkit.vendors.base import Client

WRAP: Final = {"flex_flow": "row wrap"}
SNUG: Final = {"description_width": "auto"}
_TABS: Final = ("Resource", "JSON", "DataFrame", "XML")
_XML: Final = 3
_LABEL_LIMIT: Final = 60


class Acts(Protocol):
    """What can be done from the views."""

    def go(self, to: str, *, expand: Sequence[str] | None = None) -> None:
        """Go to an address."""

    def turn(self, pages: int) -> None:
        """Go to the page after or before."""

    def fetch_xml(self) -> None:
        """Fetch what is shown in XML."""

    def fail(self, exc: BaseException) -> None:
        """Show what went wrong."""


def button(text: str, act: Callable[[], Any], tip: str, failed: Callable[[BaseException], None]) -> widgets.Button:
    """Return a button as wide as its text; an error of what it does goes to *failed*."""
    made = widgets.Button(description=text, tooltip=tip, layout={"width": "auto"})
    made.on_click(guarded(act, failed))
    return made


class Views(widgets.VBox):  # type: ignore[misc]
    """
    The views of one `Visit` after another.

    Args:
        client: Whose resources are shown.
        acts: What clicks do.
    """

    def __init__(self, client: Client, acts: Acts) -> None:
        self._client, self._acts = client, acts
        self._visit: Visit | None = None
        self._made: list[widgets.Widget] = []  # for what is shown, and closed with it
        self._heading = widgets.HTML()
        self._previous = self._button("Previous page", partial(acts.turn, -1), "The vendor's link to the page before")
        self._next = self._button("Next page", partial(acts.turn, 1), "The vendor's link to the page after")
        self._record = widgets.Dropdown(description="Record", style=SNUG, layout={"width": "24em"})
        self._open = self._button("Open record", lambda: acts.go(self._record.value), "Show this record alone")
        self._pager = widgets.HBox([self._previous, self._next, self._record, self._open], layout=WRAP)
        self._expand = self._button("Expand", self._expand_ticked, "Ask again, with the ticked links embedded")
        self._ticks, self._links = widgets.HBox(layout=WRAP), widgets.HBox(layout=WRAP)
        self._links_label = widgets.Label("Links")
        self._body, self._json, self._frame, self._xml = (widgets.HTML() for _ in _TABS)
        self._tabs = self._tabbed()
        super().__init__([widgets.HTML(markup.STYLE), self._heading, self._ticks, self._tabs])
        self.add_class("vk-browse")

    def _tabbed(self) -> widgets.Tab:
        views = [widgets.VBox([self._pager, self._body, self._links]), self._json, self._frame]
        views += [self._xml] if "xml" in self._client.accepts else []
        tabs = widgets.Tab(views, selected_index=0)
        for number, title in enumerate(_TABS[: len(views)]):
            tabs.set_title(number, title)
        tabs.observe(guarded(self._chose_tab, self._acts.fail), names="selected_index")
        return tabs

    def _button(self, text: str, act: Callable[[], Any], tip: str) -> widgets.Button:
        return button(text, act, tip, self._acts.fail)

    def _chose_tab(self) -> None:
        if self.xml_open:
            self._acts.fetch_xml()

    @property
    def xml_open(self) -> bool:
        """Whether the view of XML is the open one."""
        return bool(self._tabs.selected_index == _XML)

    def show(self, visit: Visit) -> None:
        """Show what was found; what was made for the one before is closed."""
        old, self._made, self._visit = self._made, [], visit
        self._heading.value = markup.heading_html(visit, self._client.title)
        self._body.value = markup.body_html(visit)
        self._json.value = markup.json_html(visit.resource)
        self._frame.value = markup.dataframe_html(visit)
        self._xml.value = "" if visit.xml is None else markup.text_html(visit.xml)
        links = [self._link(name, address) for name, address in visit.links.items()]
        self._links.children = [self._links_label, *links] if links else []
        self._ticks.children = self._tick_boxes(visit)
        self._offer_records(visit)
        for widget in old:
            for part in (widget.layout, widget.style, widget):
                part.close()

    def busy(self, busy: bool) -> None:
        """Let pages be turned, records opened and links expanded, or not now."""
        visit = self._visit
        self._previous.disabled = busy or visit is None or visit.before is None
        self._next.disabled = busy or visit is None or visit.after is None
        self._open.disabled = busy or self._record.value is None
        self._expand.disabled = busy

    def static_html(self) -> str:
        """Return what is shown, with the names of its links, for pages without widgets."""
        if self._visit is None:
            return ""
        # Without the time it took, which would be another one in each saved notebook.
        heading = markup.heading_html(replace(self._visit, milliseconds=None), self._client.title)
        inner = f"{heading}{self._body.value}{markup.links_html(self._visit)}"
        return f'{markup.STYLE}<div class="vk-browse">{inner}</div>'

    def _link(self, name: str, address: str) -> widgets.Button:
        made = self._button(name, partial(self._acts.go, address), address)
        self._made.append(made)
        return made

    def _tick_boxes(self, visit: Visit) -> list[widgets.Widget]:
        query = visit.place.query
        if query is None or not query.resource.expands:
            return []
        layout = {"width": "auto", "margin": "0 12px 0 0"}
        boxes = [
            widgets.Checkbox(value=rel in query.expand, description=rel, indent=False, layout=layout)
            for rel in query.resource.expands
        ]
        self._made += boxes
        return [*boxes, self._expand]

    def _offer_records(self, visit: Visit) -> None:
        found = [(_label(one), record_address(self._client, visit.place, one)) for one in visit.records or ()]
        options = [(f"{number}. {label}", address) for number, (label, address) in enumerate(found, 1) if address]
        self._record.options = options
        self._record.index = 0 if options else None
        self._pager.layout.display = "" if options or visit.before or visit.after else "none"

    def _expand_ticked(self) -> None:
        boxes = [one for one in self._ticks.children if isinstance(one, widgets.Checkbox)]
        if self._visit is not None:
            self._acts.go(self._visit.place.address, expand=[box.description for box in boxes if box.value])


def _label(record: Any) -> str:
    texts = (
        ()
        if not isinstance(record, dict)
        else (record.get(key) for key in ("id", "name", "title", "event_type", "external_id"))
    )
    found = list(dict.fromkeys(str(text) for text in texts if isinstance(text, (str, int)) and text != ""))
    return " · ".join(found[:2])[:_LABEL_LIMIT]
