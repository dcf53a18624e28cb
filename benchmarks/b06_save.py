"""
6. A million products to Parquet by `save()`, over HTTPS from the mock server, against a tenth of that.

Each runs in a separate process. The peak is that of the whole process, imports included; a note gives how far it is
above the start. Before a time counts, the dataset has to be complete, and the smaller one equal to `frame()`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import Any, Final

import vendorkit as vk
from benchmarks import facts, vendor
from benchmarks.harness import FEW_ROUNDS, Bar, DifferentDataError, Report, Size, measure_isolated, same
from vendorkit import local
from vendorkit.local.server.address_file import address_file, servers_at

MODULE: Final = "benchmarks.b06_save"
FLAT: Final = 1.2  # "flat" in figures: the memory, and the time per record, may differ by this factor


def bench(size: Size) -> Report:
    """Measure it."""
    small, large = size.of(100_000, 300), size.of(1_000_000, 900)
    names = [f"save() of {count:,} products" for count in (small, large)]
    report = Report("06", f"{large:,} products to Parquet", base=names[0], packages=("pyarrow", "requests"))
    with (
        local.start(vendors=("medipim",), products=small, gzip=False) as few,
        local.start(vendors=("medipim",), products=large, gzip=False) as many,
        TemporaryDirectory() as folder,
    ):
        servers = {names[0]: str(address_file(few)), names[1]: str(address_file(many))}
        order = {"servers": servers, "counts": dict(zip(names, (small, large), strict=True)), "folder": folder}
        report.rounds = FEW_ROUNDS
        report.rows = measure_isolated(names, MODULE, order, size.at_most(report.rounds))
    first, second = report.rows
    first.counts["records_a_second"] = round(small / first.wall)
    second.counts["records_a_second"] = round(large / second.wall)
    each = (second.wall / large) / (first.wall / small)
    report.bars = [
        Bar(f"peak memory, {large:,} / {small:,}", (second.peak or 0) / (first.peak or 1), "at most", FLAT),
        Bar(f"time per record, {large:,} / {small:,}", each, "at most", FLAT),
    ]
    grown = [(row.peak or 0) - row.counts["start_mb"] for row in report.rows]
    report.notes.append(f"Peak above the start: {grown[0]:,.0f} MB and {grown[1]:,.0f} MB.")
    return report


def prepare(contender: str, order: Mapping[str, Any]) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Return the job of one size and what checks its result."""
    count = order["counts"][contender]
    query = vendor.connect("medipim", servers_at(order["servers"][contender])).products.query()
    folder = tempfile.mkdtemp(dir=order["folder"])

    def check(dataset: vk.Dataset) -> None:
        whole = dataset.complete and dataset.rows == count == dataset.frame(columns=["id"])["id"].nunique()
        if not whole:
            message = f"{contender}: {dataset!r}"
            raise DifferentDataError(message)
        if count == min(order["counts"].values()):
            same({"frame()": facts.of_ours(vendor.frame(query)), "save()": facts.of_ours(dataset.frame())})
        shutil.rmtree(folder)

    return lambda: vendor.quietly(query.save, f"{folder}/products"), check
