"""
10. From the click on Send in the request panel to the first row on the screen, in JupyterLab by Chromium.

The panel is as it opens: 1,000 products of the mock server, all columns, in four requests. Beside it in the same run,
in the same kernel and with the same client: a cell that fetches the same and hands it to a table, from running it.
Each fetch is one of its own, and each panel is new, so that no earlier rows are there.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.harness import Bar, DifferentDataError, Measured, Report, Size
from benchmarks.lab import OURS, Notebook, Table, notebook, others, timed

PANEL: Final = "vk.panel, click on Send"
LIMIT_S: Final = 0.35
FIRST: Final = """
import pandas as pd
import pyarrow as pa
import vendorkit as vk
medipim = vk.connect("medipim", environment="local")
medipim.products.query().frame(limit=ROWS)
"""
OPEN: Final = """
opened = vk.panel(medipim)
opened.form.limit.box.value = "ROWS"
opened
"""
SAME: Final = """
fetched = pa.Table.from_pandas(medipim.products.query().frame(limit=ROWS))
sent = pa.Table.from_pandas(pd.DataFrame() if opened.frame is None else opened.frame)
print("the same" if sent.equals(fetched) else f"{sent.num_rows} rows, {fetched.num_rows} rows")
"""
FETCHED: Final = "medipim.products.query().frame(limit=ROWS)"
SEND: Final = "button:enabled"


def bench(size: Size) -> Report:
    """Measure it; the first round of each finds its scripts not yet loaded and does not count."""
    report = Report("10", "From a click to the table: 1,000 products in JupyterLab", base=PANEL)
    tables = [OURS, *others(size, report)]
    report.rows = [Measured(PANEL), *(Measured(f"frame(), {table.name}") for table in tables)]
    rows = str(size.of(1_000, 50))
    cells = ["\n".join([FIRST, *(table.imports for table in tables)]), OPEN, SAME]
    cells += [table.shown.format(FETCHED) for table in tables]
    with notebook([cell.replace("ROWS", rows) for cell in cells]) as opened:
        for number in range(1 + size.rounds):
            _round(opened, report.rows if number else [Measured(row.name) for row in report.rows], tables)
    report.bars = [Bar(f"{PANEL}, seconds to the first rows", report[PANEL].wall, "at most", LIMIT_S)]
    report.notes.append("Each fetches 76 columns; pandas shows 60 rows of 20 columns and itables a sample of 64 kB.")
    return report


def _round(opened: Notebook, rows: list[Measured], tables: list[Table]) -> None:
    """Click once, and run each cell once; what the click fetched is what the cells fetch."""
    opened.paint(1, SEND)
    timed(rows[0], partial(opened.paint, 1, OURS.rows, button="Send"))
    opened.paint(2, "pre")
    if opened.text(2) != "the same":
        message = f"the panel and frame() did not fetch the same: {opened.text(2)}"
        raise DifferentDataError(message)
    for cell, (row, table) in enumerate(zip(rows[1:], tables, strict=True), start=3):
        timed(row, partial(opened.paint, cell, table.rows))
