"""A notebook in JupyterLab by Chromium, and how long one of its cells takes until it shows something."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Measured, Report, Size, Skip, cpu_seconds, installed


@dataclass(frozen=True)
class Table:
    """
    One way to show a frame.

    Attributes:
        name: For the tables of results.
        shown: The code that shows it, around `{}`.
        rows: A selector of what shows a row, inside the cell's output.
        package: The peer that it needs, if any.
        imports: What has to be done once before.
    """

    name: str
    shown: str
    rows: str
    package: str = ""
    imports: str = ""


OURS: Final = Table("vk.table", "vk.table({})", ".jupyter-widgets table.vk tbody td")
OTHERS: Final = (
    Table("pandas HTML (60 rows)", "{}", "table.dataframe td"),
    Table(
        "itables (a sample)",
        "itables.show({})",
        "table.dataTable tbody td",
        "itables",
        "import itables\nitables.init_notebook_mode(all_interactive=False, connected=False)",
    ),
    Table("ipydatagrid", "ipydatagrid.DataGrid({})", "canvas", "ipydatagrid", "import ipydatagrid"),
)


def others(size: Size, report: Report) -> list[Table]:
    """Return the other tables, those whose package is installed; the report lists their packages."""
    there = [one for one in OTHERS if not one.package or installed(one.package, size, report)]
    report.packages = ("jupyterlab", "ipywidgets", "pandas", *(one.package for one in there if one.package))
    return there


# Runs a cell, or clicks a button that it shows, and resolves with the milliseconds until its output shows what is
# looked for: an element with a text, or a canvas with a pixel; and until the browser has shown that frame.
_PAINT: Final = """([number, selector, button]) => new Promise((resolve, reject) => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const output = notebook.widgets[number].outputArea.node;
    const inked = canvas => {
        if (!canvas.width || !canvas.height) { return false; }
        const drawn = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return drawn.some(value => value);
    };
    const shown = node => node.getClientRects().length
        && (node.tagName === 'CANVAS' ? inked(node) : node.textContent.trim());
    const pressed = [...output.querySelectorAll('button')].find(node => node.textContent.trim() === button);
    if (!button) {
        notebook.activeCellIndex = number;
        notebook.deselectAll();
        notebook.widgets[number].model.clearExecution();
    }
    const start = performance.now();
    const look = () => {
        if ([...output.querySelectorAll(selector)].some(shown)) {
            requestAnimationFrame(() => resolve(performance.now() - start));
        } else if (performance.now() - start > 60000) {
            reject(new Error('nothing was painted in a minute'));
        } else {
            requestAnimationFrame(look);
        }
    };
    if (button) { pressed.click(); } else { window.jupyterapp.commands.execute('notebook:run-cell'); }
    requestAnimationFrame(look);
})"""
# Presses a head, or types a filter, and resolves when the line below says so and the browser has shown that frame.
_CHANGE: Final = """([number, head, column, filter, wanted]) => new Promise((resolve, reject) => {
    const output = window.jupyterapp.shell.currentWidget.content.widgets[number].outputArea.node;
    const type = (place, text) => {
        const input = output.querySelectorAll('.vk-bar input')[place];
        input.value = text;
        for (const name of ['input', 'change']) { input.dispatchEvent(new Event(name, {bubbles: true})); }
    };
    if (!head) { type(0, column); }
    const start = performance.now();
    if (head) {
        [...output.querySelectorAll('.vk-heads button')].find(node => node.textContent.trim() === head).click();
    } else {
        type(1, filter);
    }
    const look = () => {
        if (output.querySelector('.vk-status').textContent.includes(wanted)) {
            requestAnimationFrame(() => resolve(performance.now() - start));
        } else if (performance.now() - start > 60000) {
            reject(new Error(`not in a minute: ${wanted}, but: ${output.textContent.slice(0, 400)}`));
        } else {
            requestAnimationFrame(look);
        }
    };
    look();
})"""
_TEXT: Final = "number => window.jupyterapp.shell.currentWidget.content.widgets[number].outputArea.node.textContent"


class Notebook:
    """A notebook that is open in JupyterLab, each cell run once. Cells count from 0."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def paint(self, cell: int, selector: str, *, button: str = "") -> float:
        """
        Run a cell, or click a button in its output; return the seconds until *selector* shows there.

        Then it waits half a second, so that late work of one table does not count as time of the next.
        """
        seconds: float = self._page.evaluate(_PAINT, [cell, selector, button]) / 1000
        self._page.wait_for_timeout(500)
        return seconds

    def change(self, cell: int, wanted: str, *, head: str = "", column: str = "", text: str = "") -> float:
        """
        Press the head of a column of `vk.table`, or type a filter; return the seconds until its line says *wanted*.

        Then it waits half a second.
        """
        seconds: float = self._page.evaluate(_CHANGE, [cell, head, column, text, wanted]) / 1000
        self._page.wait_for_timeout(500)
        return seconds

    def text(self, cell: int) -> str:
        """Return the text of a cell's output."""
        return str(self._page.evaluate(_TEXT, cell)).strip()


@contextmanager
def notebook(cells: Sequence[str]) -> Iterator[Notebook]:
    """
    Open a notebook of *cells* in a JupyterLab of its own, run all of it once, and yield it.

    Raises:
        Skip: Debian's chromium is not installed.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - needs the test extra

    from tests.browser import serving  # noqa: PLC0415

    if not serving.CHROMIUM.exists():
        message = "Debian's chromium is not installed"
        raise Skip(message)
    with tempfile.TemporaryDirectory() as folder:
        notebooks, home = Path(folder, "notebooks"), Path(folder, "home")
        notebooks.mkdir()
        serving.write_notebook(notebooks / "paint.ipynb", *cells)
        with serving.serving("lab", notebooks, home) as address, sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=str(serving.CHROMIUM), headless=True, args=serving.FLAGS)
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(serving.WAIT_MS)
            serving.open_in_lab(page, address, "paint.ipynb")
            serving.run_all(page)
            serving.wait_until_run(page)
            yield Notebook(page)
            chromium.close()


def timed(row: Measured, paint: Callable[[], float]) -> None:
    """Add one round to *row*: the seconds that *paint* returns."""
    cpu = cpu_seconds()
    row.walls.append(paint())
    row.cpus.append(cpu_seconds() - cpu)
