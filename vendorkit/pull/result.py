"""The result of a download as one table: complete, without copies, and described in `attrs`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.ask import Ask
from vendorkit.errors import AuthError, Cancelled, IncompletePull, UsageError, VendorkitError
from vendorkit.frames import Batch, Drift, Nested, Schema, TableReader, combine, to_frame
from vendorkit.pull.pull import TOGETHER, Pull
from vendorkit.resource import Source, describe


@dataclass(frozen=True)
class Result:
    """
    A downloaded table.

    Attributes:
        source, ask, schema: What was downloaded.
        pull: The download.
        table: The rows in the vendor's order.
        drift: What did not match the schema.
        complete: Whether these are all records that match.
    """

    source: Source
    ask: Ask
    schema: Schema
    pull: Pull
    table: pa.Table
    drift: Drift
    complete: bool


def table_of(source: Source, ask: Ask, schema: Schema) -> Result:
    """
    Download *ask* as one table of *schema*; exact copies of records are dropped.

    Raises:
        IncompletePull: It broke off, or pages did not fit together; `arrived` holds the rows that arrived.
        AuthError, Cancelled, UsageError: As they are; `arrived` too holds what arrived before.
    """
    resource = source.resource_of(ask)
    pull = Pull(resource.paging_of(ask).pages(ask), source, resource.name, limit=ask.limit, quiet=ask.span is not None)
    batches: list[Batch] = []
    broken: VendorkitError | None = None
    try:
        # extend() keeps what it was given before an error.
        batches.extend(group.value for group in pull.read(TableReader(schema).read, TOGETHER))
    except VendorkitError as exc:
        batches += pull.read_rest(TableReader(schema).read) if isinstance(exc, Cancelled) else ()
        if not batches:
            raise
        broken = exc
    table, drift = combine(batches, schema)
    if broken is not None:
        arrived = finish(Result(source, ask, schema, pull, table, drift, complete=False))
        if isinstance(broken, (AuthError, Cancelled, UsageError)):
            broken.arrived = arrived
            raise broken
        what = f"The download of {resource.name} broke off after {table.num_rows:,} rows: {broken.what}"
        raise IncompletePull(what, arrived=arrived, remedy=broken.remedy) from broken
    table, differ = without_copies(table, schema.key) if pull.pages > 1 else (table, False)
    why = "the same id came with different values" if differ else pull.difference(table.num_rows)
    whole = ask.limit is None or table.num_rows < ask.limit or table.num_rows == pull.total
    result = Result(source, ask, schema, pull, table, drift, complete=whole and why is None)
    if why is not None:
        raise pull.incomplete(why, finish(result))
    return result


def finish(result: Result, table: pa.Table | None = None, *, nested: Nested = "list") -> pd.DataFrame:
    """Return the frame of a result, or of one of its child tables, with `attrs`; the drift is reported as a warning."""
    result.drift.warn(result.schema.name)
    frame = to_frame(result.table if table is None else table, nested)
    frame.attrs["vendorkit"] = {
        "vendor": result.source.vendor_name,
        "environment": result.source.environment,
        "request": describe(result.source, result.ask),
        "fetched_at": result.pull.fetched_at,
        "pages": result.pull.pages,
        "total": result.pull.total,
        "complete": result.complete,
    }
    return frame


def without_copies(table: pa.Table, key: str) -> tuple[pa.Table, bool]:
    """Return *table* without rows that repeat an earlier one, and whether rows with equal keys differ."""
    if key not in table.column_names or pc.count_distinct(table[key]).as_py() == table.num_rows:
        return table, False
    keys = table[key].to_pylist()
    times = Counter(keys)
    again = [row for row, one in enumerate(keys) if times[one] > 1]
    seen: dict[str, int] = {}
    for row, values in zip(again, table.take(again).to_pylist(), strict=True):
        seen.setdefault(repr(values), row)
    copies = {*again} - {*seen.values()}
    kept = table.take([row for row in range(len(keys)) if row not in copies]) if copies else table
    return kept, len(seen) > len({keys[row] for row in again})
