"""The panes below a table: the columns with their facts; copying and files."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.panels.base import WHOLE, WRAP, Act, Worker, button
from vendorkit.panels.markup import copied_html, error_html, good_html, scrolled_html
from vendorkit.panels.table.files import MOCK, WRITERS, Columns, is_mock, tab_text
from vendorkit.panels.table.markup import facts_html
from vendorkit.panels.table.view import View
from vendorkit.saved.files import write_atomically

LINK_BYTES: Final = 1 << 20
"""Larger files are saved by the kernel: Jupyter's server drops messages that come faster than 1 MB a second."""

_FORMATS: Final = (("CSV", "csv"), ("Parquet", "parquet"), ("Excel", "xlsx"))


class Pane(widgets.VBox):  # type: ignore[misc]
    """
    What opens below a table.

    Args:
        view: What the table shows.
        shown: Shows the HTML that `work` returns, or its error.
    """

    def __init__(self, view: View, shown: widgets.HTML) -> None:
        super().__init__()
        self._view, self._shown = view, shown
        self._worker = Worker(self._show, self._fail, self._show_busy)

    def join(self, timeout_s: float) -> None:
        """Wait for what is counted or written."""
        self._worker.join(timeout_s)

    def _show(self, shown: str) -> None:
        self._shown.value = shown

    def _fail(self, exc: BaseException) -> None:
        self._show(error_html(exc))

    def _show_busy(self, busy: bool) -> None:
        """Show that something runs, or no longer."""


class ColumnsPane(Pane):
    """The columns of a view, to choose from, with facts that are counted in a thread."""

    def __init__(self, view: View, guard: Callable[[Act], None]) -> None:
        self._info = widgets.HTML("<i>Counting …</i>")
        super().__init__(view, self._info)
        rows = min(max(len(view.columns), 4), 12)
        shown = {"value": view.chosen, "rows": rows, "description": "Show", "style": WHOLE}
        self._chooser = widgets.SelectMultiple(options=view.columns, **shown)
        self._chooser.observe(lambda change: guard(lambda: view.choose(change["new"])), names="value")
        every = button("All columns", lambda: guard(lambda: view.choose(None)), self._fail)
        scrolled = widgets.Box([self._info], layout={"max_height": "20em", "overflow": "auto"})
        top = WRAP | {"align_items": "flex-start"}
        self.children = [widgets.HBox([widgets.VBox([self._chooser, every]), scrolled], layout=top)]
        self._worker.start(lambda: scrolled_html(facts_html(view.facts()), "Facts about the columns"))

    def refresh(self) -> None:
        """Mark the columns that are shown."""
        self._chooser.value = self._view.chosen


class FilesPane(Pane):
    """The page as text to copy; all pages as a file: a link to download it, or a file saved here if it is large."""

    def __init__(self, view: View, _: Any) -> None:
        self._file, self._copy = widgets.HTML(), widgets.HTML()
        super().__init__(view, self._file)
        self._format = widgets.Dropdown(options=_FORMATS, description="As", style=WHOLE, layout={"width": "9em"})
        self._name = widgets.Text("table", description="File name", style=WHOLE, layout={"width": "18em"})
        self._make = button("Make file", self.make, self._fail, button_style="primary")
        self.children = [widgets.HBox([self._format, self._name, self._make], layout=WRAP), self._file, self._copy]
        self.refresh()

    def refresh(self) -> None:
        """Remove the link to what is no longer shown; offer the current page for copying."""
        self._copy.value = copied_html(tab_text(self._view.on_page()), "Copy this page")
        self._file.value = ""

    def make(self) -> None:
        """Make the file in a thread, with the name and the format that are chosen in the pane."""
        columns, suffix, about = self._view.selected(), self._format.value, self._view.about
        path = Path(f"{(self._name.value.strip() or 'table').removesuffix(f'.{suffix}')}.{suffix}")
        if is_mock(about) and not path.name.startswith(MOCK):
            path = path.with_name(f"{MOCK}-{path.name}")
        self._worker.start(lambda: offer(columns, path, about))

    def _show_busy(self, busy: bool) -> None:
        self._make.disabled = busy
        if busy:
            self._file.value = "<i>Writing …</i>"


def offer(columns: Columns, path: Path, about: Mapping[str, Any] | None = None) -> str:
    """
    Return the HTML of a link that holds the file; if it is larger than `LINK_BYTES`, save it and return where.

    An existing file is kept: the new one gets a number.
    """
    body = WRITERS[path.suffix[1:]](columns, about or {})
    rows = max(map(len, columns.values()), default=0)
    size = f"{rows:,} rows, {len(body) / 1000:,.0f} kB"
    if len(body) <= LINK_BYTES:
        name = html.escape(path.name)
        data = base64.b64encode(body).decode()
        href = f"data:application/octet-stream;base64,{data}"
        return f'<a download="{name}" href="{href}" style="text-decoration:underline">Download {name}</a> ({size})'
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    free = next(one for one in chain([path], numbered) if not one.exists())
    write_atomically(free, body)
    return good_html(f"Saved as {free.absolute()} ({size}).")
