"""2. The same pages with 8 columns: columns that are not requested are not built."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks import peers, vendor
from benchmarks.b01_bytes_to_frame import OURS, RECORDS
from benchmarks.facts import EIGHT
from benchmarks.harness import Bar, Contender, Facts, Report, Size, measure
from vendorkit import local


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(*RECORDS)
    report = Report("02", f"{len(EIGHT)} columns of {count:,} products", base=OURS, packages=("pyarrow", "pandas"))
    records = vendor.products(count, odd=False)
    lines = b"\n".join(records)
    odd = vendor.products(count, odd=True)
    with local.start(vendors=("medipim",), products=10) as servers, vendor.endless_window():
        contenders = [*_ours(records, servers, ""), *_arrow(lines)]
        report.rows = measure(contenders, size) + measure(_ours(odd, servers, ", odd records too"), size)
    eight = f"{OURS}, 8 columns"
    report.bars = [Bar("frame(8 columns) / frame()", report.ratio(eight, OURS), "at most", 0.7)]
    alone = report.ratio("pyarrow.json alone, 8 fields", "pyarrow.json alone")
    report.notes.append(f"pyarrow.json alone gains {alone:.2f} by the same projection.")
    return report


def _ours(records: list[bytes], servers: local.LocalVendors, suffix: str) -> list[Contender]:
    query = vendor.medipim_on(vendor.pages(records), servers).products.query()
    return [
        Contender(OURS + suffix, lambda: vendor.frame(query), _of_frame),
        Contender(f"{OURS}, 8 columns{suffix}", lambda: vendor.frame(query, columns=list(EIGHT)), _of_frame),
    ]


def _arrow(lines: bytes) -> list[Contender]:
    texts = {name: pa.string() for name in ("id", "status", "cnk")}
    times = pa.struct([("createdAt", pa.int64()), ("updatedAt", pa.int64())])
    schema = pa.schema(
        {
            **texts,
            "name": pa.struct([("nl", pa.string())]),
            "ean": pa.list_(pa.string()),
            "publicPrice": pa.int64(),
            "meta": times,
        }
    )
    return [
        Contender("pyarrow.json alone", lambda: peers.arrow_read(lines), _of_table),
        Contender("pyarrow.json alone, 8 fields", lambda: peers.arrow_read(lines, schema), _of_table),
    ]


def _of_frame(frame: pd.DataFrame) -> Facts:
    return [_flat(row) for row in pa.Table.from_pandas(frame[list(EIGHT)], preserve_index=False).to_pylist()]


def _flat(row: dict[str, Any]) -> tuple[Any, ...]:
    times = [None if row[name] is None else int(row[name].timestamp()) for name in ("created_at", "updated_at")]
    return (*(row[name] for name in ("id", "status", "name_nl", "cnk")), row["ean"], row["public_price"], *times)


def _of_table(table: pa.Table) -> Facts:
    names = ["id", "status", "name", "cnk", "ean", "publicPrice", "meta"]
    return [
        (
            *(row["id"], row["status"], row["name"].get("nl"), row["cnk"], row["ean"], row["publicPrice"]),
            *(row["meta"]["createdAt"], row["meta"]["updatedAt"]),
        )
        for row in table.select(names).to_pylist()
    ]
