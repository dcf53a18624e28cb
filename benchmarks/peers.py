"""
The peers on JSON in memory, each as its documentation shows it, at its fast settings.

All get the same records. Those that read NDJSON get it joined already, outside the time: a gift to them.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import json as arrow_json

from benchmarks import facts
from benchmarks.harness import Contender, Facts

# Measured here: 1 MiB, its default, is slower; 4 MiB keeps both threads busy.
BLOCK: Final = 4 << 20
# dlt reads these when it is imported.
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}


def arrow_read(lines: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """Read NDJSON by pyarrow alone, on all threads; under a schema only its fields are read."""
    options = None
    if schema is not None:
        options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    return arrow_json.read_json(pa.BufferReader(lines), arrow_json.ReadOptions(block_size=BLOCK), options)


def arrow(lines: bytes) -> Contender:
    """Return the floor: `pyarrow.json.read_json` alone; types inferred, nothing flattened or made pandas."""
    return Contender("pyarrow.json alone", lambda: arrow_read(lines), facts.of_table)


def arrow_to_pandas(lines: bytes) -> Contender:
    """Return the floor with the step to Arrow-backed pandas."""

    def run() -> pd.DataFrame:
        frame: pd.DataFrame = arrow_read(lines).to_pandas(types_mapper=pd.ArrowDtype)
        return frame

    return Contender("pyarrow.json, to pandas", run, _of_arrow_frame)


def normalize(bodies: list[bytes]) -> Contender:
    """Return orjson and `json_normalize` page by page, which is faster than all at once."""

    def run() -> pd.DataFrame:
        return pd.concat([pd.json_normalize(orjson.loads(body)["results"]) for body in bodies], ignore_index=True)

    return Contender("orjson + json_normalize", run, facts.of_normalised)


def polars(lines: bytes) -> Contender:
    """
    Return polars: `read_json` of one array, under a schema that is found outside the time.

    The other ways are slower on these records: `read_ndjson` and `scan_ndjson` some five times, and the default
    `infer_schema_length` of 100 rows fails.
    """
    import polars as pl  # noqa: PLC0415 - a peer that may be missing

    array = b"[" + lines.replace(b"\n", b",") + b"]"
    schema = None
    with suppress(pa.ArrowInvalid):  # odd records have no one schema; polars may look for itself
        schema = pl.DataFrame(arrow_read(lines).slice(0, 1)).schema

    def run() -> pd.DataFrame:
        read = pl.read_json(io.BytesIO(array), schema=schema, infer_schema_length=None)
        return read.to_pandas(use_pyarrow_extension_array=True)

    return Contender("polars.read_json, to pandas", run, _of_arrow_frame)


def msgspec(bodies: list[bytes]) -> Contender:
    """Return msgspec with typed Structs without cycle collection, one decoder for all pages, a list a column."""
    import msgspec as ms  # noqa: PLC0415 - a peer that may be missing

    from benchmarks.shapes import Page, Product  # noqa: PLC0415 - they are Structs of the peer

    decoder, names = ms.json.Decoder(Page), Product.__struct_fields__
    wire = dict(zip(names, Product.__struct_encode_fields__, strict=True))

    def run() -> pd.DataFrame:
        records = [record for body in bodies for record in decoder.decode(body).results]
        return pd.DataFrame({wire[name]: [getattr(record, name) for record in records] for name in names})

    def facts_of(frame: pd.DataFrame) -> Facts:
        rows = zip(*(frame[name].tolist() for name in facts.TOP), strict=True)
        return [facts.of_record(ms.to_builtins(dict(zip(facts.TOP, row, strict=True)))) for row in rows]

    return Contender("msgspec Structs, to pandas", run, facts_of)


def dlt(bodies: list[bytes]) -> Contender:
    """Return dlt on pages read by orjson."""

    def run() -> pd.DataFrame:
        return dlt_frame(lambda: (orjson.loads(body)["results"] for body in bodies))

    return Contender("dlt to Parquet, to pandas", run, of_dlt)


def dlt_frame(pull: Callable[[], Iterable[list[dict[str, Any]]]]) -> pd.DataFrame:
    """
    Load pages of records by dlt into Parquet files and read these.

    Its fast way: Parquet in place of inserts, nested lists as JSON text (`max_table_nesting=0`; child tables take a
    third longer), lists of records in place of single ones, and neither log nor report to its makers.
    """
    import dlt as peer  # noqa: PLC0415 - a peer that may be missing

    with tempfile.TemporaryDirectory() as folder:
        target = peer.destinations.filesystem(bucket_url=f"file://{folder}/data")
        pipeline = peer.pipeline("bench", pipelines_dir=f"{folder}/state", destination=target, dataset_name="bench")
        source = peer.resource(pull, name="products", max_table_nesting=0, write_disposition="replace")
        pipeline.run(source(), loader_file_format="parquet")
        table = pq.read_table(f"{folder}/data/bench/products")
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def of_dlt(frame: pd.DataFrame) -> Facts:
    """Return the facts of what dlt made: snake_case, objects and lists as JSON text."""
    nested = {"name", "ean", "meta", "brands", "photos", "descriptions"}
    names = {name: "public_price" if name == "publicPrice" else name for name in facts.TOP}
    rows = pa.Table.from_pandas(frame[list(names.values())], preserve_index=False).to_pylist()
    return [
        facts.of_record(
            {name: orjson.loads(row[own] or b"null") if name in nested else row[own] for name, own in names.items()}
        )
        for row in rows
    ]


def _of_arrow_frame(frame: pd.DataFrame) -> Facts:
    return facts.of_table(pa.Table.from_pandas(frame[list(facts.TOP)], preserve_index=False))
