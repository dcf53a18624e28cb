"""
13. Memory: the peak of `frame()` of 100,000 products, against the bytes of the Arrow table that it holds at its end.

The process downloads the stream from the mock server. Its peak is counted from where it stood when it was connected, so
that imports do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from benchmarks import facts, vendor
from benchmarks.harness import Bar, Facts, Report, Size, measure_isolated
from vendorkit import local
from vendorkit.local.server.address_file import address_file, servers_at

MODULE: Final = "benchmarks.b13_memory"
FRAME: Final = "vendorkit frame()"
NOTHING: Final = "vendorkit frame() of 10 products"


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(100_000, 600)
    report = Report("13", f"Memory of {count:,} products", base=FRAME, packages=("pyarrow", "pandas"))
    with local.start(vendors=("medipim",), products=count, gzip=False) as servers:
        order = {"vendors": str(address_file(servers))}
        report.rows = [row for name in (FRAME, NOTHING) for row in measure_isolated([name], MODULE, order, size)]
        frame = vendor.frame(vendor.connect("medipim", servers).products.query())
    held_mb = pa.Table.from_pandas(frame, preserve_index=False).nbytes / 2**20
    peak = (report[FRAME].peak or 0) - report[FRAME].counts["start_mb"]
    report.bars = [Bar("peak above the start / bytes of the table", peak / held_mb, "at most", 2)]
    report.notes.append(f"The table has {held_mb:,.0f} MB; the peak is {peak:,.0f} MB above the start.")
    return report


def prepare(contender: str, order: Mapping[str, Any]) -> tuple[Callable[[], pd.DataFrame], Callable[[Any], Facts]]:
    """Return the job and what tells its facts."""
    query = vendor.connect("medipim", servers_at(order["vendors"])).products.query()
    limit = 10 if contender == NOTHING else None
    return lambda: vendor.frame(query, limit=limit), facts.of_ours
