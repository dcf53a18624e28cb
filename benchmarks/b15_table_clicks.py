"""
15. The table in JupyterLab, by Chromium: from the cell to the first rows, from a press or a typed filter to its rows.

20 columns of products of pandas' own dtypes, 100,000 rows and a million; the frame is built and everything imported
before. The times are those of kernel and browser together, until the browser has shown the frame with the other rows.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.harness import Bar, Measured, Report, Size
from benchmarks.lab import OURS, Notebook, notebook, timed

FRAME: Final = """
import numpy as np
import pandas as pd
import vendorkit as vk
vk.table
def products(rows):
    draw = np.random.default_rng(7)
    texts = {f"name_{n}": [f"product {number} {n}" for number in range(rows)] for n in range(6)}
    whole = {f"cents_{n}": pd.array(draw.integers(0, 100_000, rows), dtype="Int64") for n in range(5)}
    floats = {f"weight_{n}": draw.random(rows).round(3) for n in range(3)}
    moments = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(draw.integers(0, 10**7, rows), unit="s")
    times = {f"time_{n}": moments.as_unit("us") for n in range(2)}
    flags = {f"flag_{n}": pd.array(draw.random(rows) > 0.5, dtype="boolean") for n in range(2)}
    return pd.DataFrame({
        "status": draw.choice(["active", "inactive", "replaced"], rows), **texts, **whole, **floats, **times, **flags,
        "nothing": pd.array([None] * rows, dtype="Int64"),
    })
"""
ACTIONS: Final = {
    "sort by a number": {"head": "cents_0"},
    "sort by a time": {"head": "time_0"},
    "sort by a text": {"head": "name_0"},
    "filter a number, >50000": {"column": "cents_1", "text": ">50000"},
    "filter a month, 2026-02": {"column": "time_1", "text": "2026-02"},
    "filter a text, 77": {"column": "name_1", "text": "77"},
    "filter any column, 777": {"column": "", "text": "777"},
}
LIMITS: Final = {100_000: (0.3, 0.5, 0.5), 1_000_000: (1.5, 1.5, 3.0)}
"""Seconds by the number of rows: to the first rows, for an action, and for a filter on any column."""


def bench(size: Size) -> Report:
    """Measure it; the first round finds its scripts not yet loaded and does not count."""
    report = Report("15", "A table of 20 columns: first rows, sorts and filters", base="100,000 rows: first rows")
    sizes = [size.of(rows, rows // 1_000) for rows in LIMITS]
    cells = [FRAME + "".join(f"frame_{rows} = products({rows})\n" for rows in sizes)]
    cells += [f"vk.table(frame_{rows})" for rows in sizes]
    with notebook(cells) as opened:
        for cell, limits in enumerate(LIMITS.items(), start=1):
            measured = {name: Measured(f"{limits[0]:,} rows: {name}") for name in ("first rows", *ACTIONS)}
            report.rows += measured.values()
            for number in range(1 + size.rounds):
                _round(opened, cell, measured if number else {name: Measured(name) for name in measured})
            first, action, anywhere = limits[1]
            for name, row in measured.items():
                limit = first if name == "first rows" else anywhere if "any column" in name else action
                report.bars.append(Bar(f"{row.name}, seconds", row.wall, "at most", limit))
    report.notes.append("An action goes from the press to the frame of the browser that shows the rows it brings.")
    return report


def _round(opened: Notebook, cell: int, rows: dict[str, Measured]) -> None:
    """Show the table anew, and do each action on all its rows."""
    for name, row in rows.items():
        timed(row if name == "first rows" else Measured(name), partial(opened.paint, cell, OURS.rows))
        if name != "first rows":
            given = ACTIONS[name]
            wanted = f"sorted by {given['head']}" if "head" in given else f"{given['column'] or 'any column'}: "
            timed(row, partial(opened.change, cell, wanted, **given))
