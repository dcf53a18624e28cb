"""
8. Dask on one machine, 1 and 2 worker processes of one thread: the same rows as `frame()`, and what it costs.

Clusters are started outside the time. The workers reach the one mock server, whose process shares the cores.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from typing import Final

import pandas as pd

from benchmarks import facts, vendor
from benchmarks.harness import FEW_ROUNDS, Bar, Contender, Facts, Report, Size, Skip, measure
from vendorkit import local
from vendorkit.query import Query

BASE: Final = "vendorkit frame()"


def bench(size: Size) -> Report:
    """Measure it."""
    if find_spec("distributed") is None:
        message = "dask.distributed is not installed."
        raise Skip(message)
    count = size.of(50_000, 300)
    report = Report("08", f"Dask, {count:,} products over HTTPS", base=BASE, packages=("dask", "distributed", "pandas"))
    with local.start(vendors=("medipim",), products=count, gzip=False) as servers, vendor.sharing(servers):
        query = vendor.connect("medipim", servers).products.query()
        with ExitStack() as stack:
            contenders = [Contender(BASE, lambda: vendor.frame(query), _facts)]
            contenders += [_on(workers, query, stack, size) for workers in (1, 2)]
            report.rounds = FEW_ROUNDS
            report.rows = measure(contenders, size.at_most(report.rounds))
    for row in report.rows[1:]:
        seconds, times = row.wall - report[BASE].wall, row.wall / report[BASE].wall
        report.notes.append(f"{row.name}: overhead over {BASE} {seconds:+.2f} s ({times:.2f} times).")
    report.notes.append("CPU seconds are those of the client; the workers' are not in it.")
    # Reached only where `measure` found all rows equal.
    report.bars = [Bar("contenders whose rows differ", 0, "at most", 0)]
    return report


def _on(workers: int, query: Query, stack: ExitStack, size: Size) -> Contender:
    from dask.distributed import Client, LocalCluster  # noqa: PLC0415 - only once it can be used

    # A tiny run has its workers in this process, which start at once. All stay on loopback.
    started = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers,
        threads_per_worker=1,
        processes=not size.tiny,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )
    cluster = stack.enter_context(started)
    client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]

    def run() -> pd.DataFrame:
        found: pd.DataFrame = vendor.quietly(client.compute, query.dask(partitions=8, nested="list"), sync=True)
        return found

    return Contender(f"q.dask(), {workers} worker{'s' if workers > 1 else ''}", run, _facts)


def _facts(frame: pd.DataFrame) -> Facts:
    """By id: partitions may come in the order of the vendor's ranges."""
    return sorted(facts.of_ours(frame))
