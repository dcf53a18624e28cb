"""
9. From running a cell to the first rows on the screen: `vk.table` beside other tables, in JupyterLab, by Chromium.

100,000 products of ten columns; the frame is built and everything imported before. A paint is the first cell with a
text of the frame, and for the canvas of ipydatagrid its first pixel, plus the frame of the browser that shows it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Bar, Measured, Report, Size, Skip, cpu_seconds, installed

OURS: Final = "vk.table"
PANDAS: Final = "pandas HTML (60 rows)"
LIMIT_S: Final = 0.5

FRAME: Final = """
import numpy as np
import pandas as pd
import vendorkit as vk
vk.table
rows = ROWS
draw = np.random.default_rng(7)
frame = pd.DataFrame({
    "id": [f"M{n:08X}" for n in range(rows)],
    "status": draw.choice(["active", "inactive", "replaced"], rows),
    **{f"name_{locale}": [f"product {n} {locale}" for n in range(rows)] for locale in ("nl", "fr", "en")},
    "price": draw.integers(100, 10_000, rows),
    "weight": draw.random(rows),
    "stock": draw.integers(0, 100, rows),
    "created_at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="s"),
    "vat": draw.choice([6, 21], rows),
}).convert_dtypes(dtype_backend="pyarrow")
"""
# What is run, what has to be imported before, and where its first row shows.
TABLES: Final = {
    OURS: ("vk.table(frame)", "", ".jupyter-widgets table.vk td"),
    PANDAS: ("frame", "", "table.dataframe td"),
    "itables (a sample)": (
        "itables.show(frame)",
        "import itables\nitables.init_notebook_mode(all_interactive=False, connected=False)",
        "table.dataTable tbody td",
    ),
    "ipydatagrid": ("ipydatagrid.DataGrid(frame)", "import ipydatagrid", "canvas"),
}
# Runs one cell and resolves with the milliseconds until its output shows what is looked for.
PAINT: Final = """([number, selector]) => new Promise((resolve, reject) => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const inked = canvas => {
        if (!canvas.width || !canvas.height) { return false; }
        const drawn = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return drawn.some(value => value);
    };
    notebook.activeCellIndex = number;
    notebook.deselectAll();
    notebook.widgets[number].model.clearExecution();
    const start = performance.now();
    const look = () => {
        const found = [...notebook.widgets[number].outputArea.node.querySelectorAll(selector)];
        if (found.some(node => node.tagName === 'CANVAS' ? inked(node) : node.textContent.trim())) {
            requestAnimationFrame(() => resolve(performance.now() - start));
        } else if (performance.now() - start > 60000) {
            reject(new Error('nothing was painted in a minute'));
        } else {
            requestAnimationFrame(look);
        }
    };
    window.jupyterapp.commands.execute('notebook:run-cell');
    requestAnimationFrame(look);
})"""


def bench(size: Size) -> Report:
    """Measure it; the first round of each finds its scripts not yet loaded and does not count."""
    from tests.browser.serving import CHROMIUM  # noqa: PLC0415 - needs the test extra

    if not CHROMIUM.exists():
        message = "Debian's chromium is not installed"
        raise Skip(message)
    report = Report("09", "First paint of 100,000 rows in JupyterLab", base=OURS)
    peers = [name for name in ("itables", "ipydatagrid") if installed(name, size, report)]
    names = [name for name in TABLES if name in (OURS, PANDAS) or name.split()[0] in peers]
    report.packages = ("jupyterlab", "ipywidgets", "pandas", *peers)
    report.rows = [Measured(name) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        _measure(report, Path(folder), size)
    report.bars = [Bar(f"{OURS}, seconds to the first rows", report[OURS].wall, "at most", LIMIT_S)]
    report.notes.append("pandas shows 60 rows and itables a sample of 64 kB; the others show all rows, page by page.")
    return report


def _measure(report: Report, folder: Path, size: Size) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    from tests.browser.serving import (  # noqa: PLC0415
        CHROMIUM,
        FLAGS,
        WAIT_MS,
        open_in_lab,
        run_all,
        serving,
        wait_until_run,
        write_notebook,
    )

    notebooks = folder / "notebooks"
    notebooks.mkdir()
    imports = "\n".join(TABLES[row.name][1] for row in report.rows)
    first = FRAME.replace("ROWS", str(size.of(100_000, 1_000))) + imports
    write_notebook(notebooks / "paint.ipynb", first, *(TABLES[row.name][0] for row in report.rows))
    with serving("lab", notebooks, folder / "home") as address, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(WAIT_MS)
        open_in_lab(page, address, "paint.ipynb")
        run_all(page)
        wait_until_run(page)
        for number in range(1 + size.rounds):
            for place, row in enumerate(report.rows, start=1):
                _paint(page, row, place, counts=number > 0)
        chromium.close()


def _paint(page: Any, row: Measured, place: int, *, counts: bool) -> None:
    cpu = cpu_seconds()
    seconds = page.evaluate(PAINT, [place, TABLES[row.name][2]]) / 1000
    page.wait_for_timeout(500)  # so that one's late work does not fall into another's time
    if counts:
        row.walls.append(seconds)
        row.cpus.append(cpu_seconds() - cpu)
