"""The panes that open above the rows of a table: column selection, charts, and code with file export."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.panels.base import WHOLE, WRAP, Action, button, entry, set_class
from vendorkit.panels.markup import copyable_html, counted, dim_html, error_html, escaped, success_html
from vendorkit.panels.table.charts import CHARTS, SPANS, Chart, picture_html
from vendorkit.panels.table.columns import Columns, kind_of
from vendorkit.panels.table.files import MOCK, WRITERS, file_path, is_mock, tab_text
from vendorkit.panels.table.grid import NONE, Buttons
from vendorkit.panels.table.view import PRESETS, View
from vendorkit.panels.ticks import Ticks
from vendorkit.saved.files import write_atomically

LINK_BYTES: Final = 1 << 20
"""Larger files are saved by the kernel, because Jupyter's server drops messages above 1 MB per second."""

_WRITING: Final = "<i>Writing …</i>"
_FORMATS: Final = (("CSV", "csv"), ("Parquet", "parquet"), ("Excel", "xlsx"))


class Pane(widgets.VBox):  # type: ignore[misc]
    """
    The base class of panes, which open above the rows of a table. `refresh` updates them after each change of it.

    Args:
        view: The view of the table.
        compute: Runs a task in the thread of the table, where Cancel stops it.
    """

    def __init__(self, view: View, compute: Callable[[Action], None]) -> None:
        super().__init__()
        self._view, self._compute, self._shown = view, compute, widgets.HTML()

    def _show(self, shown: str) -> None:
        self._shown.value = shown

    def _fail(self, exc: BaseException) -> None:
        self._show(error_html(exc))

    def _work(self) -> str:
        """Return HTML that takes long to compute."""
        raise NotImplementedError

    def _task(self) -> Action:
        try:
            return partial(self._show, self._work())
        except BaseException as exc:  # noqa: BLE001 - the pane shows it instead of an earlier result
            return partial(self._fail, exc)


class ColumnsPane(Pane):
    """Checkboxes for the columns of a view, with a search field and presets."""

    def __init__(self, view: View, compute: Callable[[Action], None]) -> None:
        super().__init__(view, compute)
        names = list(PRESETS)
        choose_preset = lambda number: view.choose(view.preset(names[number]))  # noqa: E731 - one expression
        presets = Buttons("vk-presets", choose_preset, self._fail, layout={"width": "auto"})
        presets.relabel(names)
        self._ticks = Ticks(view.columns, lambda: view.visible, view.choose, self._fail, [presets])
        self.children = [self._ticks, self._shown]

    def refresh(self) -> None:
        """Check the visible columns."""
        self._ticks.refresh()


class ChartPane(Pane):
    """A chart of one or two columns of the filtered rows, with its code."""

    def __init__(self, view: View, compute: Callable[[Action], None]) -> None:
        super().__init__(view, compute)
        kinds = {label: kind_of(view.column(label)) for label in view.names}
        self._labels = {name: [key for key in kinds if kinds[key] in chart["kinds"]] for name, chart in CHARTS.items()}
        choices = {"Chart": [name for name in CHARTS if self._labels[name]], "of": (), "by": (), "per": list(SPANS)}
        look = {"style": WHOLE, "layout": widgets.Layout(width="20em")}
        self._listed_kind, self._is_listing = "", False
        make = partial(entry, widgets.Dropdown, action=self._chosen, on_error=self._fail, **look)
        self._choices = [make(name=name, options=items) for name, items in choices.items()]
        self.children = [widgets.HBox(self._choices, layout=WRAP), self._shown]

    def _chosen(self) -> None:
        if not self._is_listing:  # otherwise the other dropdowns do not match yet
            self.refresh()

    def refresh(self) -> None:
        """Draw the selected chart in a thread; the dropdowns list only columns that suit its kind."""
        kind, x, y, span = self._choices
        if kind.value is None:
            self._show(dim_html("No column can be plotted."))
            return
        if self._listed_kind != kind.value:
            self._listed_kind, self._is_listing = kind.value, True
            for control in (x, y):
                control.options, control.index = self._labels[kind.value], 0
            self._is_listing = False
            set_class(y, NONE, kind.value != "Scatter")
            set_class(span, NONE, kind.value != "Over time")
        self._compute(self._task)

    def _work(self) -> str:
        kind, x, y, span = (control.value for control in self._choices)
        names = self._view.names
        frame = pd.DataFrame({names[label]: self._view.column(label, shown=True) for label in (x, y)})
        chart = Chart(kind, names[x], names[y], span)
        return picture_html(chart, frame) + copyable_html(chart.code(self._view.rows_code()), "Copy the code")


class FilesPane(Pane):
    """The view as code, the current page as text to copy, and all pages as a file: a download, or saved if large."""

    def __init__(self, view: View, compute: Callable[[Action], None]) -> None:
        super().__init__(view, compute)
        self._code, self._copy = widgets.HTML(), widgets.HTML()
        self._format = widgets.Dropdown(options=_FORMATS, description="Format", style=WHOLE, layout={"width": "11em"})
        self._name = widgets.Text("table", description="File name", style=WHOLE, layout={"width": "18em"})
        make = button("Create file", self.create, self._fail, button_style="primary")
        files = widgets.HBox([self._format, self._name, make], layout=WRAP)
        self.refresh()  # before it is shown: a front end may handle presses in several threads
        self.children = [self._code, files, self._shown, self._copy]

    def refresh(self) -> None:
        """Update the code and the text to copy, and remove the link to a file of another view."""
        self._copy.value = copyable_html(tab_text(self._view.on_page()), "Copy this page")
        code = copyable_html(self._view.code, "Copy the code")
        if code != self._code.value:
            self._code.value, self._shown.value = code, ""

    def create(self) -> None:
        """Write the file in a thread, with the name and format selected in the pane."""
        if self._shown.value != _WRITING:  # a second click has no effect
            self._compute(self._task)

    def _work(self) -> str:
        self._show(_WRITING)  # not before, because Cancel may remove a task that still waits
        columns, suffix, about = self._view.selected(), self._format.value, self._view.about
        path = Path(f"{(self._name.value.strip() or 'table').removesuffix(f'.{suffix}')}.{suffix}")
        if is_mock(about) and not path.name.startswith(MOCK):
            path = path.with_name(f"{MOCK}-{path.name}")
        return download_html(columns, path, about)


def download_html(columns: Columns, path: Path, about: Mapping[str, Any] | None = None) -> str:
    """
    Return a download link with the file as a data URL. A file larger than `LINK_BYTES` is saved to *path* instead.

    If *path* exists, a number is added to the file name, so that no file is replaced.
    """
    body = WRITERS[path.suffix[1:]](columns, about or {})
    rows = max(map(len, columns.values()), default=0)
    size = f"{counted(rows, 'row')}, {len(body) / 1000:,.0f} kB"
    if len(body) <= LINK_BYTES:
        name = escaped(path.name)
        data = base64.b64encode(body).decode()
        href = f"data:application/octet-stream;base64,{data}"
        return f'<a download="{name}" href="{href}" style="text-decoration:underline">Download {name}</a> ({size})'
    path = file_path(path)
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    unused = next(candidate for candidate in chain([path], numbered) if not candidate.exists())
    write_atomically(unused, body)
    return success_html(f"Saved as {unused.absolute()} ({size}).")
