"""The table panel: pages, sorts, filters, plots and exports a frame of any size. Rows stay in the kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit import arguments, calls
from vendorkit.panels.base import WHOLE, WorkPanel, button, dispose, entry, label_of, set_ready
from vendorkit.panels.markup import dim_html, escaped, info_html, scrolled_html
from vendorkit.panels.table.columns import Facts, kind_of, texts
from vendorkit.panels.table.conditions import HINTS
from vendorkit.panels.table.grid import Buttons, Grid
from vendorkit.panels.table.markup import COLUMNS, Page, cells, page_html, width_of
from vendorkit.panels.table.panes import ChartPane, ColumnsPane, FilesPane
from vendorkit.panels.table.view import View

_PAGE_SIZES: Final = (10, 20, 50, 100, 500)
_QUICK_S: Final = 0.3  # an event handler waits this long for its result; longer work continues in its thread


class Table(View, WorkPanel):
    """
    A frame in pages. Only the current page is sent to the browser, so a million rows show as fast as twenty.

    `frame` is the DataFrame as filtered and sorted, and `code` is its pandas expression. Each control has a method:
    `filter`, `sort`, `choose`, `go`, `resize`, `clear`, `save`, `facts`, `show`. Empty columns are hidden until
    columns are chosen.

    Args:
        frame: Any DataFrame; lists and structs are shown as JSON.
        page_size: Rows per page.
        opened: Called with the position in *frame* of a row when it is clicked anywhere. By default, a click on the
            row number shows all values of the row below the page.
    """

    def __init__(self, frame: pd.DataFrame, page_size: int = 20, opened: Callable[[int], None] | None = None) -> None:
        page_size = arguments.integer(page_size, "page_size", "a number of rows")
        WorkPanel.__init__(self)
        self._on_open = opened
        self._next_order: tuple[str, bool] | None = None  # of clicks on column heads that still wait to be sorted by
        self._widths: dict[str, float] = {}
        self._facts: dict[str, Facts] = {}
        self._panes: dict[type[Any], Any] = {}  # of this frame, open or not
        self._listed_columns: dict[str, Any] | None = None
        # Widgets share layouts and styles: each is a message to the browser, half of the time to show the first page.
        auto, plain = widgets.Layout(width="auto"), self._style_html.style
        self._info, self._hint, self._detail = (widgets.HTML(layout=auto, style=plain) for _ in range(3))
        self._info.add_class("vk-status")
        self._grid = Grid(self._head_pressed, self.open_row, self.fail, opened is not None, auto)
        self._chips = Buttons("vk-chips", self._remove_filter, self.fail, **self._grid.shared_look)
        bar_controls = self._filter_bar(auto), self._page_bar(auto, page_size)
        bars = [widgets.HBox(controls, layout=auto) for controls in bar_controls]
        for bar in (*bars, self._chips):
            bar.add_class("vk-bar")
        self._pane = widgets.VBox(layout=auto)
        self.fill([bars[0], self._hint, self._status, self._chips, self._pane, bars[1], self._grid, self._detail])
        self.add_class("vk-table")
        View.__init__(self, frame, page_size)

    def _filter_bar(self, auto: widgets.Layout) -> list[Any]:
        look = {"layout": auto, "style": WHOLE, "continuous_update": False}
        self._filter_column = entry(widgets.Combobox, "Column", self._show_hint, self.fail, placeholder="any", **look)
        look |= {"style": self._filter_column.style, "placeholder": "press Enter to apply"}
        self._filter_text = entry(widgets.Text, "Filter", self._apply_filter, self.fail, **look)
        self._filter_text.add_class("vk-landing")
        panes = {"Columns": ColumnsPane, "Facts": None, "Chart": ChartPane, "Code and files": FilesPane}
        self._toggles: dict[widgets.ToggleButton, type[Any] | None] = {}
        look = {"layout": auto}
        for name, pane in panes.items():
            toggle = entry(widgets.ToggleButton, name, self.changed, self.fail, **look)
            look["style"] = toggle.style
            self._toggles[toggle] = pane
        self._facts_on = list(self._toggles)[1]
        self._stop.add_class("vk-stop")
        return [self._filter_column, self._filter_text, *self._toggles, self._stop]

    def _page_bar(self, auto: widgets.Layout, page_size: int) -> list[Any]:
        plain = {"layout": auto, "style": self._stop.style}
        self._previous = button("Previous", lambda: self.go(self.page - 1), self.fail, "Previous page", **plain)
        bounds, whole = {"value": 1, "min": 1, "max": 1}, {"layout": auto, "style": WHOLE}
        self._page_number = entry(widgets.BoundedIntText, "Page", self._page_entered, self.fail, **bounds, **whole)
        self._next = button("Next", lambda: self.go(self.page + 1), self.fail, "Next page", **plain)
        sizes, look = sorted({*_PAGE_SIZES, page_size}), {"layout": auto, "style": self._page_number.style}
        resize, look = lambda: self.resize(self._page_rows.value), look | {"options": sizes, "value": page_size}
        self._page_rows: Any = entry(widgets.Dropdown, "Rows per page", resize, self.fail, **look)
        return [self._previous, self._page_number, self._next, self._page_rows, self._info]

    def _page_entered(self) -> None:
        if self._page_number.value != self.page:
            self.go(self._page_number.value)

    def _compute(self, task: Callable[[], Callable[[], None]]) -> None:
        """Compute in a thread, so that Cancel works; a quick result is shown before this returns. Calls are queued."""
        self._worker.start(task, wait=True)
        self._worker.join(_QUICK_S)

    def _head_pressed(self, number: int) -> None:
        """Switch the column from unsorted to ascending, to descending, and back to unsorted."""
        # After a sort that failed nothing waits, and the worker is idle.
        order, head = (self.busy and self._next_order) or (self._sort, self._descending), self.visible[number]
        self._next_order = ("", False) if order == (head, True) else (head, order == (head, False))
        self._compute(self._sort_next)

    def _sort_next(self) -> Callable[[], None]:
        """Sort by the last of the clicks on column heads made so far."""
        order = self._next_order or (self._sort, self._descending)
        show_order = self.sorting(order[0] or None, descending=order[1])

        def show() -> None:
            if order == (self._next_order or order):  # otherwise a later, queued call sorts by the last click
                self._next_order = None
                show_order()

        return show

    def cancel(self) -> None:
        """Stop the running operation and discard clicks that still wait to be sorted by."""
        self._next_order = None
        super().cancel()

    def _apply_filter(self) -> None:
        """Filter by the typed text; an invalid text stays in the field to be corrected."""
        text, label = self._filter_text.value.strip(), self._filter_column.value or None
        if text:
            self._compute(partial(self.filtering, text, label))

    def _remove_filter(self, number: int) -> None:
        self._compute(partial(self.filtering, "", list(self.filters)[number] or None))

    def _show_hint(self) -> None:
        # Not the placeholder of the text field: updating the field while the user types would replace the input.
        column = self._columns.get(self._filter_column.value)
        self._hint.value = dim_html(HINTS["any"] if column is None else f"Examples: {HINTS[kind_of(column)]}")

    def open_row(self, number: int) -> None:
        """Show all values of a row below the page, or hide them again; *number* counts from 0 on the page."""
        position, values = self.row(number)
        if self._on_open is not None:
            self._on_open(position)
            return
        fields = ((escaped(label), cells(value, bounded=False)[0]) for label, value in values.items())
        title = f"Row {self._first + number + 1:,}"
        shown = f'<div class="vk-detail">{scrolled_html(f"<b>{title}</b>{info_html(fields)}", title)}</div>'
        self._detail.value = "" if self._detail.value == shown else shown

    def changed(self) -> None:
        """Redraw after a change of the view."""
        self._paint()
        self.publish()

    def _paint(self) -> None:
        if self._listed_columns is not self._columns:
            self._reset_controls()
        page = dict(list(self.on_page().items())[:COLUMNS])
        for label in page.keys() - self._widths.keys():
            self._widths[label] = width_of(label, self._columns[label])
        facts = self._facts if self._facts_on.value else None
        widths = [self._widths[label] for label in page]
        self._grid.paint(Page(page, widths, self._first, self._sort, self._descending, facts))
        self._info.value = escaped(self._caption())
        self._status.value = self._detail.value = ""
        self._chips.relabel(self.chips())
        self._filter_text.value = ""
        # The field has the number of this page before its limit changes, or it would report another one as typed.
        self._page_number.max = max(self._page_number.max, self.page)
        self._page_number.value, self._page_number.max = self.page, self.pages
        set_ready(self._previous, ready=self.page > 1)
        set_ready(self._next, ready=self.page < self.pages)
        self._show_panes()
        for pane in self._pane.children:
            pane.refresh()
        if facts is not None:
            self._count_facts(list(page))

    def _caption(self) -> str:
        limit = f"; the first {COLUMNS} of {len(self.visible):,} columns"
        return self.summary() + (limit if len(self.visible) > COLUMNS else "")

    def _count_facts(self, labels: list[str]) -> None:
        """Compute the missing column statistics in a thread and show them."""
        if missing := [label for label in labels if label not in self._facts]:
            self._compute(lambda: partial(self._show_facts, self._columns, self.facts(missing)))

    def _show_facts(self, columns: Any, computed: dict[str, Facts]) -> None:
        if columns is self._columns:
            self._facts |= computed
            self.changed()

    def _reset_controls(self) -> None:
        """Fill the column field from a new frame, and close the panes of the earlier one."""
        self._listed_columns = self._columns
        self._widths, self._facts, self._next_order = {}, {}, None
        dispose(self, self._panes)
        self._panes = {}
        self._filter_column.options, self._filter_column.value = tuple(map(label_of, self.columns)), ""

    def _show_panes(self) -> None:
        """Show the selected panes. Panes are created on first use, so that the first page shows sooner."""
        selected = [kind for toggle, kind in self._toggles.items() if toggle.value and kind is not None]
        self._panes |= {kind: kind(self, self._compute) for kind in selected if kind not in self._panes}
        self._pane.children = [self._panes[kind] for kind in selected]

    def static_html(self) -> str:
        """Return the current page and its summary as HTML."""
        page = page_html(self.on_page(), title=self.summary(), sort=self._sort, descending=self._descending)
        return f'{page}<span role="status">{escaped(self._caption())}</span>{self._status.value}'

    def static_text(self) -> str:
        """Return a one-line summary and the first rows of the current page."""
        page = pd.DataFrame({label: texts(column.iloc[:10]).to_pylist() for label, column in self.on_page().items()})
        return f"<Table {self.summary()}>\n{page.to_string(max_cols=8, max_colwidth=30)}"


@calls.checked
def table(frame: pd.DataFrame, page_size: int = 20) -> Table:
    """
    Show *frame* as a table with pages, filters, sorting, charts and export; see `Table`.

        >>> import pandas as pd, vendorkit as vk
        >>> shown = vk.table(pd.DataFrame({"name": ["oil", "soap"], "cents": [1250, 399]}))
        >>> shown.filter(">1000", "cents")
        >>> shown.frame["name"].tolist()
        ['oil']
        >>> shown.code
        'df[df["cents"].gt(1000)]'
    """
    return Table(frame, page_size)
