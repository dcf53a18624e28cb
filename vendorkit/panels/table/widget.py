"""The table panel: a frame of any size in pages, to filter, sort, narrow, copy and save; the rows stay here."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit import arguments
from vendorkit.panels.base import WHOLE, WRAP, Panel, button, guarded
from vendorkit.panels.markup import error_html
from vendorkit.panels.table.columns import texts
from vendorkit.panels.table.markup import COLUMNS, page_html
from vendorkit.panels.table.panes import ColumnsPane, FilesPane
from vendorkit.panels.table.view import View

_PAGE_SIZES: Final = (10, 20, 50, 100, 500)


class Table(View, Panel):
    """
    A frame in pages. Only the page on view goes to the browser, so a million rows show as fast as twenty.

    What it shows is `frame`, for the next cell. Whatever can be clicked can be called: `filter`, `sort`, `choose`,
    `go`, `resize`, `clear`, `save`, `facts`, `show`.

    Args:
        frame: Any DataFrame; lists and structs are shown as JSON.
        page_size: Rows per page.
    """

    def __init__(self, frame: pd.DataFrame, page_size: int = 20) -> None:
        # Until its methods run, the observers of what they set are quiet.
        page_size = arguments.integer(page_size, "page_size", "a number of rows")
        self._quiet = True
        self._offered: dict[str, Any] | None = None
        # Shared: each layout and each style is a message to the browser, and half of what the first page waits for.
        auto, wrap = widgets.Layout(width="auto", margin="2px .5em 2px 2px"), widgets.Layout(**WRAP)
        self._make_finders(auto)
        self._make_turners(auto, page_size)
        self._body = widgets.HTML()
        self._info, self._status = (widgets.HTML(style=self._body.style, layout=self._body.layout) for _ in range(2))
        self._pane = widgets.VBox()
        find = widgets.HBox([self._text, self._where, self._by, self._down, self._clear], layout=wrap)
        turn = widgets.HBox([self._back, self._number, self._on, self._size], layout=wrap)
        more = widgets.HBox([self._more, self._out], layout=wrap)
        foot = widgets.HBox([turn, self._info, more], layout=WRAP | {"justify_content": "space-between"})
        Panel.__init__(self, [find, self._body, foot, self._status, self._pane])
        View.__init__(self, frame, page_size)

    def changed(self) -> None:
        """Show what the view is now."""
        self._quiet = True
        try:
            self._paint()
            self.publish()
        finally:
            self._quiet = False

    def join(self, timeout_s: float = 30.0) -> None:
        """Wait for facts and files that are being created."""
        for pane in self._pane.children:
            pane.join(timeout_s)

    def static_html(self) -> str:
        """Return the page on view and how much there is."""
        return f"{self._body.value}{self._info.value}"

    def static_text(self) -> str:
        """Return how much there is in one line, and the first rows of the page."""
        page = pd.DataFrame({label: texts(column.iloc[:10]).to_pylist() for label, column in self.on_page().items()})
        return f"<Table {self.summary()}>\n{page.to_string(max_cols=8, max_colwidth=30)}"

    def _make_finders(self, auto: widgets.Layout) -> None:
        self._text = widgets.Text(description="Filter", continuous_update=False, style=WHOLE, layout={"width": "16em"})
        self._where = widgets.Dropdown(description="in", style=WHOLE, layout={"width": "15em"})
        self._by = widgets.Dropdown(description="Sort by", style=self._where.style, layout=self._where.layout)
        self._down = widgets.ToggleButton(description="Descending", layout=auto)
        self._clear = button("Clear filters", self.clear, self.fail, layout=auto)
        self._when(self._text, lambda text: self.filter(text, self._where.value or None))
        self._when(self._where, lambda _: self.changed())
        for chooser in (self._by, self._down):
            self._when(chooser, lambda _: self.sort(self._by.value or None, descending=self._down.value))

    def _make_turners(self, auto: widgets.Layout, page_size: int) -> None:
        plain = {"layout": auto, "style": self._clear.style}
        self._back = button("Previous", lambda: self.go(self.page - 1), self.fail, **plain)
        self._number = widgets.BoundedIntText(1, min=1, max=1, description="Page", style=WHOLE, layout={"width": "8em"})
        self._on = button("Next", lambda: self.go(self.page + 1), self.fail, **plain)
        sizes = sorted({*_PAGE_SIZES, page_size})
        look = {"style": self._where.style, "layout": {"width": "11em"}}
        self._size = widgets.Dropdown(options=sizes, value=page_size, description="Rows per page", **look)
        self._more = widgets.ToggleButton(description="Columns", layout=auto, style=self._down.style)
        self._out = widgets.ToggleButton(description="Copy or download", layout=auto, style=self._down.style)
        self._when(self._number, self.go)
        self._when(self._size, self.resize)
        for toggle in (self._more, self._out):
            self._when(toggle, lambda _: self._open())

    def _when(self, widget: widgets.Widget, act: Callable[[Any], None]) -> None:
        widget.observe(lambda change: self._try(lambda: act(change["new"])), names="value")

    def _try(self, act: Callable[[], None]) -> None:
        """Do what was clicked or chosen; changes made by painting are ignored."""
        if not self._quiet:
            guarded(act, self.fail)(None)

    def fail(self, exc: BaseException) -> None:
        """Show an error below the page."""
        self._status.value = error_html(exc)

    def _paint(self) -> None:
        if self._offered is not self._columns:
            self._offer()
        title = self.summary()
        if len(self.chosen) > COLUMNS:
            title += f"; {len(self.chosen):,} columns, the first {COLUMNS} of them on view"
        self._body.value = page_html(self.on_page(), title=title, sort=self._sort, descending=self._descending)
        self._info.value = f'<span role="status">{html.escape(title)}</span>'
        self._status.value = ""
        self._text.value = self._filters.get(self._where.value, "")
        self._by.value, self._down.value = self._sort, self._descending
        self._clear.disabled = not self._filters
        self._number.max, self._number.value = self.pages, self.page
        self._back.disabled, self._on.disabled = self.page == 1, self.page == self.pages
        for pane in self._pane.children:
            pane.refresh()

    def _offer(self) -> None:
        """Offer the columns of a new frame; the panes of the previous one are closed."""
        self._offered = self._columns
        self._more.value = self._out.value = False
        self._pane.children = ()
        labels = [(label, label) for label in self.columns]
        self._where.options, self._by.options = [("all columns", ""), *labels], [("unsorted", ""), *labels]
        self._where.value = ""

    def _open(self) -> None:
        """Create the panes that are wanted: not earlier, so that the first page appears at once."""
        panes = {type(pane): pane for pane in self._pane.children}
        wanted = [kind for toggle, kind in ((self._more, ColumnsPane), (self._out, FilesPane)) if toggle.value]
        self._pane.children = [panes.get(kind) or kind(self, self._try) for kind in wanted]


@arguments.checked
def table(frame: pd.DataFrame, page_size: int = 20) -> Table:
    """
    Return *frame* as a table to page, filter, sort, copy and save; see `Table`.

        >>> import pandas as pd, vendorkit as vk
        >>> shown = vk.table(pd.DataFrame({"name": ["oil", "soap"], "cents": [1250, 399]}))
        >>> shown.filter("oil")
        >>> shown.frame["cents"].tolist()
        [1250]
    """
    return Table(frame, page_size)
