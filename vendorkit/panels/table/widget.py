"""The table panel: a frame of any size in pages, to sort, filter, narrow, draw, copy and save; the rows stay here."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit import arguments, calls
from vendorkit.panels.base import WHOLE, WorkPanel, button, guarded, set_ready
from vendorkit.panels.markup import dim_html, info_html, scrolled_html
from vendorkit.panels.table.columns import Facts, kind_of, texts
from vendorkit.panels.table.conditions import HINTS
from vendorkit.panels.table.grid import Buttons, Grid
from vendorkit.panels.table.markup import COLUMNS, Page, cells, page_html, width_of
from vendorkit.panels.table.panes import ChartPane, ColumnsPane, FilesPane
from vendorkit.panels.table.view import View

_PAGE_SIZES: Final = (10, 20, 50, 100, 500)
_QUICK_S: Final = 0.3  # what takes no longer is done when the handler returns; the rest goes on in its thread


class Table(View, WorkPanel):
    """
    A frame in pages. Only the page on view goes to the browser, so a million rows show as fast as twenty.

    What it shows is `frame`, for the next cell, and `code` is the pandas expression of it. Whatever can be clicked can
    be called: `filter`, `sort`, `choose`, `go`, `resize`, `clear`, `save`, `facts`, `show`. Columns without values are
    hidden at first.

    Args:
        frame: Any DataFrame; lists and structs are shown as JSON.
        page_size: Rows per page.
        opened: Called with the position in *frame* of a row that is clicked, anywhere in it; else the number of a row
            shows all its values below the page.
    """

    def __init__(self, frame: pd.DataFrame, page_size: int = 20, opened: Callable[[int], None] | None = None) -> None:
        page_size = arguments.integer(page_size, "page_size", "a number of rows")
        self._painting = {threading.get_ident()}  # threads; what they set was not clicked
        WorkPanel.__init__(self)
        self._opened, self._open_at = opened, -1
        self._presses: list[str] = []  # of heads, whose order is not shown yet
        self._widths: dict[str, float] = {}
        self._facts: dict[str, Facts] = {}
        self._offered: dict[str, Any] | None = None
        # Shared: each layout and each style is a message to the browser, and half of what the first page waits for.
        auto, plain = widgets.Layout(width="auto"), self._style_html.style
        self._info, self._hint, self._detail = (widgets.HTML(layout=auto, style=plain) for _ in range(3))
        self._info.add_class("vk-status")
        self._grid = Grid(self._press_head, self.open_row, self.fail, opened is not None, auto)
        self._chips = Buttons("vk-chips", self._drop, self.fail, **self._grid.alike)
        bars = [widgets.HBox(one, layout=auto) for one in (self._finders(auto), self._turners(auto, page_size))]
        for bar in (*bars, self._chips):
            bar.add_class("vk-bar")
        self._pane = widgets.VBox(layout=auto)
        shown = [bars[0], self._hint, self._status, self._chips, self._pane, bars[1], self._grid, self._detail]
        self.fill(shown)
        self.add_class("vk-table")
        View.__init__(self, frame, page_size)

    def _finders(self, auto: widgets.Layout) -> list[Any]:
        self._where = widgets.Combobox(description="Column", placeholder="any", layout=auto, style=WHOLE)
        alike = {"layout": auto, "style": self._where.style}
        self._text = widgets.Text(description="Filter", placeholder="press Enter to apply", **alike)
        self._where.continuous_update = self._text.continuous_update = False
        self._text.add_class("vk-landing")
        self._where.observe(guarded(self._show_hint, self.fail), "value")
        self._when(self._text, lambda _: self._typed())
        opens = {"Columns": ColumnsPane, "Facts": None, "Chart": ChartPane, "Code and files": FilesPane}
        self._toggles: dict[widgets.ToggleButton, type[Any] | None] = {}
        shared = {"layout": auto}
        for name, pane in opens.items():
            toggle = widgets.ToggleButton(description=name, **shared)
            shared["style"] = toggle.style
            self._toggles[toggle] = pane
            self._when(toggle, lambda _: self._open())
        self._facts_on = list(self._toggles)[1]
        self._stop.add_class("vk-stop")
        return [self._where, self._text, *self._toggles, self._stop]

    def _turners(self, auto: widgets.Layout, page_size: int) -> list[Any]:
        plain = {"layout": auto, "style": self._stop.style}
        self._back = button("Previous", lambda: self.go(self.page - 1), self.fail, "Previous page", **plain)
        self._number = widgets.BoundedIntText(1, min=1, max=1, description="Page", layout=auto, style=WHOLE)
        self._on = button("Next", lambda: self.go(self.page + 1), self.fail, "Next page", **plain)
        sizes, alike = sorted({*_PAGE_SIZES, page_size}), {"layout": auto, "style": self._number.style}
        self._size = widgets.Dropdown(options=sizes, value=page_size, description="Rows per page", **alike)
        self._when(self._number, self.go)
        self._when(self._size, self.resize)
        return [self._back, self._number, self._on, self._size, self._info]

    def _when(self, widget: widgets.Widget, action: Callable[[Any], None]) -> None:
        widget.observe(lambda change: self._try(lambda: action(change["new"])), names="value")

    def _try(self, action: Callable[[], None]) -> None:
        """Do what was clicked or chosen; what is set by painting counts as neither."""
        if threading.get_ident() not in self._painting:  # a click may come while another thread paints
            guarded(action, self.fail)(None)

    def _begin(self, find: Callable[[], Callable[[], None]]) -> None:
        """Find rows in a thread, so that Cancel can be pressed; what is quick is shown at once, no press is lost."""
        self._worker.start(find, wait=True)
        self._worker.join(_QUICK_S)

    def _press_head(self, number: int) -> None:
        """Sort ascending, then descending, then not."""
        self._presses.append(self.visible[number])
        self._begin(self._turning)

    def _turning(self) -> Callable[[], None]:
        """Find the order after all presses until now: those that waited for their turn are sorted for once."""
        pressed, label, descending = tuple(self._presses), self._sort, self._descending
        for head in pressed:
            label, descending = ("", False) if (label, descending) == (head, True) else (head, label == head)
        try:
            find = self.sorting(label or None, descending=descending) if pressed else self.changed
        except BaseException:
            self._presses.clear()
            raise

        def show() -> None:
            if pressed == tuple(self._presses):  # else a newer one waits: its order is found from the one on view
                del self._presses[: len(pressed)]
                find()

        return show

    def cancel(self) -> None:
        """Stop what is under way, and forget the presses that wait."""
        self._presses.clear()
        super().cancel()

    def _typed(self) -> None:
        """Filter by what was typed; what does not fit stays to be corrected."""
        text, label = self._text.value.strip(), self._where.value.strip() or None
        if text:
            self._begin(partial(self.filtering, text, label))

    def _drop(self, number: int) -> None:
        self._begin(partial(self.filtering, "", list(self.filters)[number] or None))

    def _show_hint(self) -> None:
        # Not as the placeholder of the text: a trait that arrives while somebody types replaces what was typed.
        column = self._columns.get(self._where.value)
        self._hint.value = dim_html(HINTS["any"] if column is None else f"Examples: {HINTS[kind_of(column)]}")

    def open_row(self, number: int) -> None:
        """Open a row of the page, 0 for the first: show all its values below, or hide them again."""
        position, values = self.row(number)
        if self._opened is not None:
            self._opened(position)
            return
        self._open_at = -1 if self._open_at == position else position
        fields = ((html.escape(label), cells(value, bounded=False)[0]) for label, value in values.items())
        title = f"Row {self._first + number + 1:,}"
        shown = scrolled_html(f"<b>{title}</b>{info_html(fields)}", title)
        self._detail.value = "" if self._open_at < 0 else f'<div class="vk-detail">{shown}</div>'

    def changed(self) -> None:
        """Show what the view is now."""
        self._painting.add(threading.get_ident())
        try:
            self._paint()
            self.publish()
        finally:
            self._painting.discard(threading.get_ident())

    def _paint(self) -> None:
        if self._offered is not self._columns:
            self._offer()
        page = dict(list(self.on_page().items())[:COLUMNS])
        for label in page.keys() - self._widths.keys():
            self._widths[label] = width_of(label, self._columns[label])
        facts = self._facts if self._facts_on.value else None
        widths = [self._widths[label] for label in page]
        self._grid.paint(Page(page, widths, self._first, self._sort, self._descending, facts))
        self._info.value = html.escape(self._caption())
        self._status.value = self._detail.value = ""
        self._open_at = -1
        self._chips.relabel(self.chips())
        self._text.value = ""
        self._number.max, self._number.value = self.pages, self.page
        set_ready(self._back, ready=self.page > 1)
        set_ready(self._on, ready=self.page < self.pages)
        for pane in self._pane.children:
            pane.refresh()
        if facts is not None:
            self._count_facts(list(page))

    def _caption(self) -> str:
        more = f"; the first {COLUMNS} of {len(self.visible):,} columns"
        return self.summary() + (more if len(self.visible) > COLUMNS else "")

    def _count_facts(self, labels: list[str]) -> None:
        """Count the facts that are missing, in a thread, and show them."""
        if missing := [label for label in labels if label not in self._facts]:
            self._begin(lambda: partial(self._show_facts, self._columns, self.facts(missing)))

    def _show_facts(self, columns: Any, found: dict[str, Facts]) -> None:
        if columns is self._columns:
            self._facts |= found
            self.changed()

    def _offer(self) -> None:
        """Let the columns of a new frame be chosen; what was open belonged to the one before."""
        self._offered = self._columns
        self._widths, self._facts, self._presses = {}, {}, []
        for toggle in self._toggles:
            toggle.value = False
        self._pane.children = ()
        self._where.options, self._where.value = tuple(self.columns), ""

    def _open(self) -> None:
        """Create the panes that are wanted: not before, so that the first page shows at once."""
        panes = {type(pane): pane for pane in self._pane.children}
        wanted = [kind for toggle, kind in self._toggles.items() if toggle.value and kind is not None]
        self._pane.children = [panes.get(kind) or kind(self, self._try) for kind in wanted]
        self.changed()

    def join(self, timeout_s: float = 30.0) -> None:
        """Wait for filters, facts, charts and files."""
        super().join(timeout_s)
        for pane in self._pane.children:
            pane.join(timeout_s)

    def static_html(self) -> str:
        """Return the page on view and how much there is."""
        page = page_html(self.on_page(), title=self.summary(), sort=self._sort, descending=self._descending)
        return f'{page}<span role="status">{html.escape(self._caption())}</span>{self._status.value}'

    def static_text(self) -> str:
        """Return how much there is in one line, and the first rows of the page."""
        page = pd.DataFrame({label: texts(column.iloc[:10]).to_pylist() for label, column in self.on_page().items()})
        return f"<Table {self.summary()}>\n{page.to_string(max_cols=8, max_colwidth=30)}"


@calls.checked
def table(frame: pd.DataFrame, page_size: int = 20) -> Table:
    """
    Return *frame* as a table to page, filter, sort, draw, copy and save; see `Table`.

        >>> import pandas as pd, vendorkit as vk
        >>> shown = vk.table(pd.DataFrame({"name": ["oil", "soap"], "cents": [1250, 399]}))
        >>> shown.filter(">1000", "cents")
        >>> shown.frame["name"].tolist()
        ['oil']
        >>> shown.code
        'df[df["cents"].gt(1000)]'
    """
    return Table(frame, page_size)
