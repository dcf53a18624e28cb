"""What was found at one place of a vendor, as widgets: its links to click, and a tab each for its forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from vendorkit.panels.base import WHOLE, WRAP, button, guarded
from vendorkit.panels.browse import markup
from vendorkit.panels.browse.places import record_address
from vendorkit.panels.browse.visit import Visit
from vendorkit.vendors.client import Client

if TYPE_CHECKING:
    from vendorkit.panels.browse.widget import Browser

_TABS: Final = ("Resource", "JSON", "DataFrame", "XML")
_XML: Final = 3
_LABEL_LIMIT: Final = 60


class Views(widgets.VBox):  # type: ignore[misc]
    """
    The views of one `Visit` after another.

    Args:
        client: Whose resources are shown.
        browser: What clicks act on.
    """

    def __init__(self, client: Client, browser: Browser) -> None:
        self._client, self._browser = client, browser
        self._visit: Visit | None = None
        self._made: list[widgets.Widget] = []  # for what is shown, and closed with it
        self._heading = widgets.HTML()
        self._previous = self._button("Previous page", partial(browser.turn, -1), "By the vendor's link to it")
        self._next = self._button("Next page", partial(browser.turn, 1), "By the vendor's link to it")
        self._record = widgets.Dropdown(description="Record", style=WHOLE, layout={"width": "24em"})
        self._open = self._button("Open record", self._open_chosen, "Show this record alone")
        self._pager = widgets.HBox([self._previous, self._next, self._record, self._open], layout=WRAP)
        self._expand = self._button("Expand", self._expand_ticked, "Ask again, with the ticked links embedded")
        self._ticks, self._links = widgets.HBox(layout=WRAP), widgets.HBox(layout=WRAP)
        self._links_label = widgets.Label("Links")
        self._body, self._json, self._frame, self._xml = (widgets.HTML() for _ in _TABS)
        self._tabs = self._tabbed()
        super().__init__([self._heading, self._ticks, self._tabs])
        self.add_class("vk-browse")

    def _tabbed(self) -> widgets.Tab:
        views = [widgets.VBox([self._pager, self._body, self._links]), self._json, self._frame]
        views += [self._xml] if "xml" in self._client.accepts else []
        tabs = widgets.Tab(views, selected_index=0)
        for number, title in enumerate(_TABS[: len(views)]):
            tabs.set_title(number, title)
        tabs.observe(guarded(self._chose_tab, self._browser.fail), names="selected_index")
        return tabs

    def _button(self, text: str, act: Callable[[], Any], tip: str) -> widgets.Button:
        return button(text, act, self._browser.fail, tip)

    def _chose_tab(self) -> None:
        if self.xml_open:
            self._browser.fetch_xml()

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
        """Let pages be turned, records opened, links followed and expanded, or not now."""
        visit = self._visit
        self._previous.disabled = busy or visit is None or visit.before is None
        self._next.disabled = busy or visit is None or visit.after is None
        self._open.disabled = busy or self._record.value is None
        self._expand.disabled = busy
        for link in self._links.children[1:]:
            link.disabled = busy

    def static_html(self) -> str:
        """Return what is shown, with the names of its links, for pages without widgets."""
        if self._visit is None:
            return ""
        # Without the time it took, which would be another one in each saved notebook.
        heading = markup.heading_html(replace(self._visit, milliseconds=None), self._client.title)
        inner = f"{heading}{self._body.value}{markup.links_html(self._visit)}"
        return f'<div class="vk-browse">{inner}</div>'

    def _link(self, name: str, address: str) -> widgets.Button:
        made = self._button(name, partial(self._browser.go, address), address)
        made.disabled = True  # until what brought it has ended: a click before that would be lost
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
        options = [
            (f"{number + 1}. {_label(record)}", number)
            for number, record in enumerate(visit.records or ())
            if record_address(self._client, visit.place, record)
        ]
        self._record.options = options
        self._record.index = 0 if options else None
        self._pager.layout.display = "" if options or visit.before or visit.after else "none"

    def _open_chosen(self) -> None:
        self._browser.open_record(self._record.value)

    def _expand_ticked(self) -> None:
        boxes = [one for one in self._ticks.children if isinstance(one, widgets.Checkbox)]
        if self._visit is not None:
            self._browser.go(self._visit.place.address, expand=[box.description for box in boxes if box.value])


def _label(record: Mapping[str, Any]) -> str:
    texts = (record.get(key) for key in ("id", "name", "title", "event_type", "external_id"))
    found = list(dict.fromkeys(str(text) for text in texts if isinstance(text, (str, int)) and text != ""))
    return " · ".join(found[:2])[:_LABEL_LIMIT]
