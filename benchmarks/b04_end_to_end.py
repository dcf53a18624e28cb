"""
4. End to end: products over HTTPS from the mock server, with authentication, to a frame; pages, and the stream.

Each contender runs in a separate process. All send the same requests: past 10,000 records the vendor's pages end, so
all contenders get the same windows of `createdAt`, ours included; our own `strategy="windows"`, which has to find its
windows, is a separate row. Everything is measured twice: on clean records, and with the vendor's oddities.
The floor is a plain download of the same bytes, which are dropped. The mock server computes each record; notes give its
CPU time per download. The plain loop and the other peers, which take four to ten times as long as ours, run once; the
others on odd records only, and dlt only by pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import psutil

from benchmarks import vendor
from benchmarks.harness import (
    FEW_ROUNDS,
    ROUNDS,
    Bar,
    DifferentDataError,
    Facts,
    Report,
    Size,
    installed,
    measure_isolated,
)
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
THREADS: Final = "requests, 4 threads + json_normalize"
HTTPX: Final = "httpx, 8 at a time + json_normalize"
HTTPX_STREAM: Final = "httpx stream + orjson + json_normalize"
DLT: Final = "dlt to Parquet"
FORMS: Final = {"pages": (WINDOWS, THREADS, HTTPX, DLT), "stream": (HTTPX_STREAM,)}
_ROUNDS: Final = {"pages": FEW_ROUNDS, "stream": ROUNDS}  # the stream's floor takes less than a second, and varies
CLEAN, ODD = "clean", "odd"
_MOST: Final = {(CLEAN, "pages"): 2.0, (CLEAN, "stream"): 2.5, (ODD, "stream"): 3.5}
_WINDOW: Final = 9_000  # records; the vendor shows 10,000

Job = tuple[Callable[[], Any], Callable[[Any], Facts] | None]


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(100_000, 600)
    report = Report("04", f"End to end over HTTPS, {count:,} products", base=f"{CLEAN} pages: {FLOOR}")
    report.packages = ("requests", "httpx", "dlt", "orjson", "pandas", "pyarrow")
    report.rounds = FEW_ROUNDS
    report.notes.append(f"The stream: medians of {size.at_most(_ROUNDS['stream']).rounds}.")
    has_dlt = installed("dlt", size, report)
    peers = {form: [name for name in names if has_dlt or name != DLT] for form, names in FORMS.items()}
    for data in (CLEAN, ODD):
        settings = {"products": count, "oddities": data == ODD}
        planned = windows(Settings(**settings), size.of(_WINDOW, 250))
        with local.start(vendors=("medipim",), gzip=False, **settings) as servers, TemporaryDirectory() as folder:
            ca_file = Path(folder, "ca.pem")
            ca_file.write_text(servers["medipim"].ca_pem, encoding="ascii")
            order = {"vendors": str(address_file(servers)), "windows": planned, "ca_file": str(ca_file)}
            for form in FORMS:
                _measure(report, f"{data} {form}", order, peers[form] if data == ODD else [], size)
    for row in report.rows:
        if row.counts.get("rows", count) != count:
            message = f"{row.name} read {row.counts['rows']} of {count} records"
            raise DifferentDataError(message)
        row.counts["records_a_second"] = round(count / row.wall)
    report.bars = [bar for data in (CLEAN, ODD) for form in FORMS for bar in _bars(report, data, form)]
    return report


def _measure(report: Report, what: str, order: Mapping[str, Any], peers: Sequence[str], size: Size) -> None:
    """Add the rows of one form of the data, such as "clean stream"."""
    repeated, cpu_s = size.at_most(_ROUNDS[what.split()[1]]), _server_cpu_s()
    measured = measure_isolated([f"{what}: {name}" for name in (FLOOR, OURS)], MODULE, order, repeated)
    cpu_s = (_server_cpu_s() - cpu_s) / (repeated.rounds * len(measured))
    report.notes.append(f"{what.capitalize()}: CPU time of the mock server per download {cpu_s:.2f} s.")
    # Next to one more run of ours, to compare what they read.
    once = measure_isolated([f"{what}: {name}" for name in (OURS, LOOP, *peers)], MODULE, order, size.at_most(1))
    report.rows += [*measured, *once[1:]]


def _server_cpu_s() -> float:
    """CPU seconds of the mock server, the one child of this process between two measurements."""
    return sum(times.user + times.system for times in (child.cpu_times() for child in psutil.Process().children()))


def _bars(report: Report, data: str, form: str) -> Iterator[Bar]:
    floor, ours, loop = (f"{data} {form}: {name}" for name in (FLOOR, OURS, LOOP))
    if (data, form) in _MOST:
        dropped = report.ratio(ours, floor)
        yield Bar(f"{data} {form}: frame() / download dropped", dropped, "at most", _MOST[data, form])
    yield Bar(f"{data} {form}: plain loop / frame()", report.ratio(loop, ours), "at least", 4)


def windows(settings: Settings, most: int) -> list[tuple[dict[str, Any], int]]:
    """
    Return filters that part all products by `createdAt`, each of at most *most*, with how many pages each has.

    A few records have no such time; they come last, by "not created since ever".
    """
    catalogue = Catalogue(settings)
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
    return [(condition, -(-number // vendor.PAGE)) for condition, number in parts]


def _span(first: Any, last: Any) -> dict[str, Any]:
    return {"createdAt": {"from": int(first), "until": int(last)}}


def prepare(contender: str, order: Mapping[str, Any]) -> Job:
    """Return the job of one contender and the function that extracts its facts."""
    from benchmarks import jobs  # noqa: PLC0415 - imported where the jobs run

    form, name = contender.split(" ", 1)[1].split(": ", 1)
    maker: Callable[[str, Mapping[str, Any]], Job] = {
        FLOOR: jobs.download,
        OURS: jobs.ours,
        WINDOWS: jobs.ours_by_windows,
        LOOP: jobs.loop,
        THREADS: jobs.threads,
        HTTPX: jobs.httpx_pages,
        HTTPX_STREAM: jobs.httpx_stream,
        DLT: jobs.dlt,
    }[name]
    run, facts_of = maker(form, order)
    # All rounds get the same answers; what each contender read is compared once.
    return run, facts_of if order.get("first", True) else None
