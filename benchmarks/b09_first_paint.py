"""
9. From running a cell to the first rows on the screen: `vk.table` and other tables, in JupyterLab with Chromium.

100,000 products of ten columns; the frame is built and everything imported before. A paint is the first cell with a
text of the frame, and for the canvas of ipydatagrid its first pixel, plus the frame of the browser that shows it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.harness import Bar, Measured, Report, Size
from benchmarks.lab import OURS, notebook, others, timed

LIMIT_S: Final = 0.3

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


def bench(size: Size) -> Report:
    """Measure it; the first round of each finds its scripts not yet loaded and does not count."""
    report = Report("09", "First paint of 100,000 rows in JupyterLab", base=OURS.name)
    tables = [OURS, *others(size, report)]
    report.rows = [Measured(table.name) for table in tables]
    first = "\n".join([FRAME.replace("ROWS", str(size.of(100_000, 1_000))), *(table.imports for table in tables)])
    with notebook([first, *(table.shown.format("frame") for table in tables)]) as opened:
        for number in range(1 + size.rounds):
            for cell, (row, table) in enumerate(zip(report.rows, tables, strict=True), start=1):
                timed(row if number else Measured(row.name), partial(opened.paint, cell, table.rows))
    report.bars = [Bar(f"{OURS.name}, seconds to the first rows", report[OURS.name].wall, "at most", LIMIT_S)]
    report.notes.append("pandas shows 60 rows and itables a sample of 64 kB; the others show all rows, page by page.")
    return report
