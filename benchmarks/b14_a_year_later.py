"""
14. A year later: the same products after the vendor changed all of them.

Two fields are new in each record and one in its `meta`; or codes come as numbers. Both are read without loss, and
neither may cost more than twice the time of the records that the columns were declared for. Read from memory by one
thread, so that CPU time is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pandas as pd

from benchmarks import facts, peers, vendor
from benchmarks.harness import Bar, Contender, Report, Size, measure
from vendorkit.frames import Schema, TableReader, combine, json_page, to_frame
from vendorkit.vendors.declared import read_resources
from vendorkit.vendors.medipim.client import FILE

OURS: Final = "vendorkit frame()"
LATER: Final = f"{OURS}, three new fields"
NUMBERS: Final = f"{OURS}, codes as numbers"
RECORDS: Final = (50_000, 1_000)
_TOGETHER: Final = 8  # pages, as a query reads them


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(*RECORDS)
    report = Report(
        "14", f"A year later, {count:,} products in pages of 250", base=OURS, packages=("pyarrow", "msgspec")
    )
    records, schema = vendor.products(count, odd=False), read_resources(FILE, "be")["products"].schema
    changed = {OURS: records, LATER: _changed(records, _add_fields), NUMBERS: _changed(records, _number_codes)}
    contenders = [_frame(name, vendor.pages(found), schema) for name, found in changed.items()]
    report.rows = measure([*contenders, peers.arrow(b"\n".join(records))], size)
    clean = report[OURS].cpu
    report.bars = [Bar(f"CPU of {name} / {OURS}", report[name].cpu / clean, "at most", 2) for name in (LATER, NUMBERS)]
    report.notes.append(f"CPU time of frame() / pyarrow.json alone: {clean / report['pyarrow.json alone'].cpu:.2f}.")
    return report


def _frame(name: str, bodies: list[bytes], schema: Schema) -> Contender:
    def run() -> pd.DataFrame:
        reader = TableReader(schema)
        groups = (bodies[start : start + _TOGETHER] for start in range(0, len(bodies), _TOGETHER))
        batches = [reader.read([json_page(body, "results") for body in group]) for group in groups]
        return to_frame(combine(batches, schema)[0])

    return Contender(name, run, facts.of_ours)


def _changed(records: list[bytes], change: Callable[[dict[str, Any]], None]) -> list[bytes]:
    found = []
    for text in records:
        record = json.loads(text)
        change(record)
        found.append(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())
    return found


def _add_fields(record: dict[str, Any]) -> None:
    record["sustainability"] = {"score": 3, "labels": ["recyclable", "refill"]}
    record["stockStatus"] = "in stock"
    record["meta"]["reviewedBy"] = "editor"


def _number_codes(record: dict[str, Any]) -> None:
    code = record["cnk"]
    if code is not None and not code.startswith("0"):
        record["cnk"] = int(code)
