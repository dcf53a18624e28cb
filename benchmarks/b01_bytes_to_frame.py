"""
1. Bytes to frame: products in pages of 250, in memory.

Ours is `frame()` itself on a session whose answers are there already. All contenders read the same records; a second
table has the mock server's oddities in them, for those who can read that.
"""

from __future__ import annotations

from typing import Final

from benchmarks import facts, peers, vendor
from benchmarks.harness import Bar, Contender, Report, Size, installed, measure, same
from vendorkit import local

OURS: Final = "vendorkit frame()"
ODD: Final = ", odd records too"
RECORDS: Final = (50_000, 1_000)


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(*RECORDS)
    report = Report("01", f"Bytes to frame, {count:,} products in pages of 250", base="pyarrow.json alone")
    report.packages = ("pyarrow", "pandas", "orjson", "polars", "msgspec", "dlt")
    with local.start(vendors=("medipim",), products=10) as servers, vendor.endless_window():
        clean = vendor.products(count, odd=False)
        report.rows = measure([_ours(clean, servers), *_peers(clean, size, report)], size)
        del clean
        odd = vendor.products(count, odd=True)
        report.rows += measure(_named([_ours(odd, servers), peers.normalize(vendor.pages(odd))]), size)
        report.notes += _attempts(odd, _ours(odd, servers), size)
    ours, floor, plain = (report[name] for name in (OURS, report.base, "orjson + json_normalize"))
    report.bars = [
        Bar("frame() / pyarrow.json alone", ours.wall / floor.wall, "at most", 1.35),
        Bar(
            "frame() with odd records / pyarrow.json on clean ones",
            report[OURS + ODD].wall / floor.wall,
            "at most",
            1.9,
        ),
        Bar("orjson + json_normalize / frame()", plain.wall / ours.wall, "at least", 6),
    ]
    report.notes.append(f"CPU time of frame() / pyarrow.json alone: {ours.cpu / floor.cpu:.2f}.")
    return report


def _ours(records: list[bytes], servers: local.LocalVendors) -> Contender:
    client = vendor.medipim_on(vendor.pages(records), servers)
    return Contender(OURS, lambda: vendor.frame(client.products.query()), facts.of_ours)


def _peers(records: list[bytes], size: Size, report: Report) -> list[Contender]:
    bodies, lines = vendor.pages(records), b"\n".join(records)
    found = [peers.arrow(lines), peers.arrow_to_pandas(lines), peers.normalize(bodies)]
    found += [peers.polars(lines)] if installed("polars", size, report) else []
    found += [peers.msgspec(bodies)] if installed("msgspec", size, report) else []
    found += [peers.dlt(bodies)] if installed("dlt", size, report) else []
    return found


def _named(contenders: list[Contender]) -> list[Contender]:
    return [Contender(one.name + ODD, one.run, one.facts) for one in contenders]


def _attempts(records: list[bytes], ours: Contender, size: Size) -> list[str]:
    """Say what the others make of odd records, without a time: what fails cannot be compared."""
    assert ours.facts is not None
    expected = {OURS: ours.facts(ours.run())}
    notes = []
    for peer in _peers(records, size, Report("", "")):
        if peer.name == "orjson + json_normalize" or peer.facts is None:
            continue
        try:
            same(expected | {peer.name: peer.facts(peer.run())})
            notes.append(f"Odd records: {peer.name} reads them.")
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is the finding
            words = " ".join(str(error).split())[:120]
            notes.append(f"Odd records: {peer.name} fails, {type(error).__name__}: {words}")
    return notes
