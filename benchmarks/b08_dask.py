"""
8. Dask on one machine, 1 and 2 worker processes of one thread: the same rows as `frame()`, and what it costs.

Clusters are started outside the time. The workers reach the one local vendor, whose process shares the cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import pandas as pd

from benchmarks import facts, vendor
from benchmarks.harness import Bar, Contender, Facts, Report, Size, Skip, measure
from vendorkit import local
from vendorkit.query import Query

BASE: Final = "vendorkit frame()"


def bench(size: Size) -> Report:
    """Measure it."""
    if not hasattr(Query, "dask"):
        message = "Query has no dask() yet."
        raise Skip(message)
    count = size.of(50_000, 1_000)
    report = Report("08", f"Dask, {count:,} products over HTTPS", base=BASE, packages=("dask", "distributed", "pandas"))
    with local.start(vendors=("medipim",), products=count, gzip=False) as servers:
        query = vendor.connect("medipim", servers).products.query()
        with ExitStack() as stack:
            contenders = [Contender(BASE, lambda: vendor.frame(query), _facts)]
            contenders += [_on(workers, query, servers, stack) for workers in (1, 2)]
            report.rows = measure(contenders, size)
    for row in report.rows[1:]:
        seconds, times = row.wall - report[BASE].wall, row.wall / report[BASE].wall
        report.notes.append(f"{row.name}: overhead over {BASE} {seconds:+.2f} s ({times:.2f} times).")
    # Reached only where `measure` found all rows equal.
    report.bars = [Bar("contenders whose rows differ", 0, "at most", 0)]
    return report


def _on(workers: int, query: Query, servers: local.LocalVendors, stack: ExitStack) -> Contender:
    from dask.distributed import Client, LocalCluster  # noqa: PLC0415 - only once it can be used

    cluster = stack.enter_context(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None))
    client = stack.enter_context(Client(cluster))
    client.run(_reach, vendor.address(servers["medipim"]))

    def run() -> pd.DataFrame:
        found: pd.DataFrame = client.compute(query.dask(partitions=8), sync=True)
        return found

    return Contender(f"q.dask(), {workers} worker{'s' if workers > 1 else ''}", run, _facts)


def _reach(told: Mapping[str, Any]) -> None:
    """Let `environment="local"` of a worker mean the vendor that is measured, in place of one of its own."""
    local.shared = lambda *_: {"medipim": vendor.reach(told)}  # type: ignore[assignment]


def _facts(frame: pd.DataFrame) -> Facts:
    """By id: partitions may come in the order of the vendor's ranges."""
    return sorted(facts.of_ours(frame))
