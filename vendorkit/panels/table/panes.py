"""What opens below a table when it is asked for: the columns with their facts; copying and files."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import ipywidgets as widgets

from vendorkit.manifest import write_atomically
from vendorkit.panels.base import Worker, error_html, good_html
from vendorkit.panels.table.columns import Facts
from vendorkit.panels.table.files import WRITERS, Columns, tab_text
from vendorkit.panels.table.markup import facts_html
from vendorkit.panels.table.view import View

LINK_BYTES: Final = 1 << 20
"""Larger files are saved by the kernel: Jupyter's server drops messages that come faster than 1 MB a second."""

WRAP: Final = {"flex_flow": "row wrap", "align_items": "center"}
WHOLE: Final = {"description_width": "initial"}

_FORMATS: Final = (("CSV", "csv"), ("Parquet", "parquet"), ("Excel", "xlsx"))
_AREA: Final = (
    "display:block;box-sizing:border-box;width:100%;max-width:60em;margin:.3em 0;background:transparent;color:inherit;"
    "border:1px solid var(--jp-border-color1,#888a);font:12px monospace"
)
# Works over plain http too, where browsers have no navigator.clipboard; without scripts one copies by hand.
_COPY: Final = (
    "this.previousElementSibling.select();this.textContent=document.execCommand('copy')?'Copied':'Now press Ctrl+C'"
)


class ColumnsPane(widgets.VBox):  # type: ignore[misc]
    """The columns of a view, to choose from, with facts that are counted in a thread."""

    def __init__(self, view: View, guard: Callable[[Callable[[], None]], None]) -> None:
        self._view = view
        self._told = widgets.HTML("<i>Counting …</i>")
        rows = min(max(len(view.columns), 4), 12)
        self._chooser = widgets.SelectMultiple(options=view.columns, value=view.chosen, rows=rows, description="Show")
        self._chooser.style = WHOLE
        every = widgets.Button(description="All columns")
        self._chooser.observe(lambda change: guard(lambda: view.choose(change["new"])), names="value")
        every.on_click(lambda _: guard(lambda: view.choose(None)))
        scrolled = widgets.Box([self._told], layout={"max_height": "20em", "overflow": "auto"})
        top = WRAP | {"align_items": "flex-start"}
        super().__init__([widgets.HBox([widgets.VBox([self._chooser, every]), scrolled], layout=top)])
        self._worker = Worker(self._show, self._show_failure, lambda _: None)
        self._worker.start(view.facts)

    def refresh(self) -> None:
        """Mark the columns that are shown."""
        self._chooser.value = self._view.chosen

    def join(self, timeout_s: float) -> None:
        """Wait until all is counted."""
        self._worker.join(timeout_s)

    def _show(self, facts: dict[str, Facts]) -> None:
        self._told.value = facts_html(facts)

    def _show_failure(self, exc: BaseException) -> None:
        self._told.value = error_html(exc)


class FilesPane(widgets.VBox):  # type: ignore[misc]
    """The page as text to copy; all pages as a file: a link to download it, or where it is large, a file saved here."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._format = widgets.Dropdown(options=_FORMATS, description="As", style=WHOLE, layout={"width": "9em"})
        self._name = widgets.Text("table", description="File name", style=WHOLE, layout={"width": "18em"})
        self._make = widgets.Button(description="Make file", button_style="primary")
        self._file, self._copy = widgets.HTML(), widgets.HTML()
        self._make.on_click(lambda _: self.make())
        super().__init__([widgets.HBox([self._format, self._name, self._make], layout=WRAP), self._file, self._copy])
        self._worker = Worker(self._show, self._show_failure, self._show_busy)
        self.refresh()

    def refresh(self) -> None:
        """Take away the link to what is no longer shown; offer the page on view for copying."""
        text = html.escape(tab_text(self._view.on_page()))
        area = f'<textarea readonly rows="3" style="{_AREA}" aria-label="The page as text">{text}</textarea>'
        push = f'<button type="button" class="jupyter-button" onclick="{html.escape(_COPY)}">Copy this page</button>'
        self._copy.value = f"{area}{push}"
        self._file.value = ""

    def make(self) -> None:
        """Make the file in a thread, with the name and the format that stand in the pane."""
        columns, suffix, stem = self._view.selected(), self._format.value, self._name.value.strip() or "table"
        self._worker.start(lambda: offer(columns, Path(f"{stem.removesuffix(f'.{suffix}')}.{suffix}")))

    def join(self, timeout_s: float) -> None:
        """Wait for the file."""
        self._worker.join(timeout_s)

    def _show(self, shown: str) -> None:
        self._file.value = shown

    def _show_failure(self, exc: BaseException) -> None:
        self._file.value = error_html(exc)

    def _show_busy(self, busy: bool) -> None:
        self._make.disabled = busy
        if busy:
            self._file.value = "<i>Writing …</i>"


def offer(columns: Columns, path: Path) -> str:
    """
    Return the HTML of a link that holds the file; where it is larger than `LINK_BYTES`, save it and say where.

    A file that stands there is kept: the new one gets a number.
    """
    body = WRITERS[path.suffix[1:]](columns)
    rows = max(map(len, columns.values()), default=0)
    size = f"{rows:,} rows, {len(body) / 1000:,.0f} kB"
    if len(body) <= LINK_BYTES:
        name = html.escape(path.name)
        data = base64.b64encode(body).decode()
        href = f"data:application/octet-stream;base64,{data}"
        return f'<a download="{name}" href="{href}" style="text-decoration:underline">Download {name}</a> ({size})'
    free = next(one for one in _numbered(path) if not one.exists())
    write_atomically(free, body)
    return good_html(f"Saved as {free.absolute()} ({size}).")


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    yield from (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
