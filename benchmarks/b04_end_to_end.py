"""
4. End to end: products over HTTPS from the mock server, with authentication, to a frame; pages, and the stream.

Each contender runs in a process of its own. All send the same requests: past 10,000 records the vendor's pages end, so
the pages come in windows by `createdAt` that are given to everybody, ours included; our own `strategy="windows"`,
which has to find its windows, is told beside it. The data has the vendor's oddities.
The floor is a plain download of the same bytes, dropped; the mock server, which computes each record, limits it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks import vendor
from benchmarks.harness import Bar, DifferentDataError, Facts, Report, Size, installed, measure_isolated
from vendorkit import local
from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.rows import Rows
from vendorkit.local.server.address_file import address_file
from vendorkit.local.server.settings import Settings

MODULE: Final = "benchmarks.b04_end_to_end"
FLOOR: Final = "requests, bytes dropped"
LOOP: Final = "requests loop + json_normalize"
OURS: Final = "vendorkit frame()"
WINDOWS: Final = 'vendorkit frame(), strategy="windows"'
PEERS: Final = ("requests, 4 threads + json_normalize", "httpx, 8 at a time + json_normalize", "dlt to Parquet")
STREAM_PEERS: Final = ("httpx stream + orjson + json_normalize", "dlt to Parquet")
_WINDOW: Final = 9_000  # records; the vendor shows 10,000

Job = tuple[Callable[[], Any], Callable[[Any], Facts] | None]


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(100_000, 600)
    report = Report("04", f"End to end over HTTPS, {count:,} products", base=f"pages: {FLOOR}")
    report.packages = ("requests", "httpx", "dlt", "orjson", "pandas", "pyarrow")
    planned = windows(count, size.of(_WINDOW, 250))
    with local.start(vendors=("medipim",), products=count, gzip=False) as servers, TemporaryDirectory() as folder:
        ca_file = Path(folder, "ca.pem")
        ca_file.write_text(servers["medipim"].ca_pem, encoding="ascii")
        order = {"vendors": str(address_file(servers)), "windows": planned, "ca_file": str(ca_file)}
        with_dlt = installed("dlt", size, report)
        for form, others in (("pages", (WINDOWS, *PEERS[:2])), ("stream", STREAM_PEERS[:1])):
            names = [f"{form}: {name}" for name in (FLOOR, OURS, LOOP, *others)]
            report.rows += measure_isolated(names, MODULE, order, size)
            if with_dlt:  # it takes so long that it runs once, next to one more run of ours to compare what it read
                slow = [f"{form}: {name}" for name in (OURS, PEERS[2])]
                report.rows += measure_isolated(slow, MODULE, order, Size(size.tiny, 1))[1:]
    for row in report.rows:
        if row.counts.get("rows", count) != count:
            message = f"{row.name} read {row.counts['rows']} of {count} records"
            raise DifferentDataError(message)
        row.counts["records_a_second"] = round(count / row.wall)
    for form in ("pages", "stream"):
        floor, ours, loop = (f"{form}: {name}" for name in (FLOOR, OURS, LOOP))
        report.bars.append(Bar(f"{form}: frame() / download dropped", report.ratio(ours, floor), "at most", 3))
        report.bars.append(Bar(f"{form}: plain loop / frame()", report.ratio(loop, ours), "at least", 5))
    return report


def windows(count: int, most: int) -> list[tuple[dict[str, Any], int]]:
    """
    Return filters that part all products by `createdAt`, each of at most *most*, with how many pages each has.

    A few records have no such time; they come last, by "not created since ever".
    """
    catalogue = Catalogue(Settings(products=count))
    created = Rows(catalogue, catalogue.index).created
    times, numbers = np.unique(created[created >= 0], return_counts=True)
    parts: list[tuple[dict[str, Any], int]] = []
    start, held = 0, 0
    for place, number in enumerate(numbers.tolist()):
        if held and held + number > most:
            parts.append((_span(times[start], times[place - 1]), held))
            start, held = place, 0
        held += number
    parts.append((_span(times[start], times[-1]), held))
    if rest := int((created < 0).sum()):
        parts.append(({"not": {"createdAt": {"from": 0}}}, rest))
    return [(asked, -(-number // vendor.PAGE)) for asked, number in parts]


def _span(first: Any, last: Any) -> dict[str, Any]:
    return {"createdAt": {"from": int(first), "until": int(last)}}


def prepare(contender: str, order: Mapping[str, Any]) -> Job:
    """Return the job of one contender and what tells its facts."""
    from benchmarks import jobs  # noqa: PLC0415 - imported where the jobs run

    form, name = contender.split(": ", 1)
    maker: Callable[[str, Mapping[str, Any]], Job] = {
        FLOOR: jobs.download,
        OURS: jobs.ours,
        WINDOWS: jobs.ours_by_windows,
        LOOP: jobs.loop,
        PEERS[0]: jobs.threads,
        PEERS[1]: jobs.httpx_pages,
        STREAM_PEERS[0]: jobs.httpx_stream,
        "dlt to Parquet": jobs.dlt,
    }[name]
    run, tell = maker(form, order)
    # All rounds get the same answers; what each read is compared once.
    return run, tell if order.get("first", True) else None
