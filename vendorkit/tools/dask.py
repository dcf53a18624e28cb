"""
Splits a query into parts that Dask workers download independently.

A few small requests plan the parts. They are ranges that the vendor can address: Medipim's pages, or its windows of
`createdAt` beyond 10,000 records; and the numbered pages of Mediagenix's collections. Other results are one part.

The graph contains no credentials: a worker connects with the settings of its environment or `.env`. Workers find
the planner's mock servers through a file that only their user can read.

Each part is checked for its planned size and for duplicate records. Dask needs the columns before anything is
downloaded: they are the declared columns and `__undeclared`, a text column that contains what `frame()` would append,
as one JSON object per row. A `SchemaDrift` warning, which workers send to the Dask client, names these fields.

All processes of a machine keep the vendor's rate budget in one file (`vendorkit.http.budget.Budget`). If workers are on
several machines, set `VENDORKIT_BUDGET_DIR` to a folder that they share and that supports file locks.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING

import pandas as pd

from vendorkit import arguments
from vendorkit.ask import Ask
from vendorkit.errors import IncompletePull, SettingsError
from vendorkit.frames import UNDECLARED, Drift, Nested, SchemaDrift, gathered, to_frame
from vendorkit.pull import run, table_of
from vendorkit.resource import Source

if TYPE_CHECKING:
    import dask.dataframe as dd


def to_dask(source: Source, ask: Ask, partitions: int, nested: Nested) -> dd.DataFrame:
    """Plan *ask* as a Dask frame: the implementation of `Query.dask`."""
    most = arguments.MOST
    parts = arguments.integer(partitions, "partitions", f"a number of parts, 1 to {most:,}", low=1, high=most)
    if find_spec("dask") is None or find_spec("dask.dataframe") is None:
        what = "Dask is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[dask]'")
    import dask  # noqa: PLC0415 - an extra
    import dask.dataframe as dd  # noqa: PLC0415

    resource, reopen = source.resource_of(ask), source.reopen()
    declared = resource.columns_of(ask)
    asks = run(resource.paging_of(ask).split(ask, parts), source)
    # If the sizes are planned, the index is the same as that of frame().
    sizes = [part_ask.span.rows for part_ask in asks if part_ask.span is not None]
    edges = [0, *accumulate(sizes)]
    divisions = (*edges[:-1], edges[-1] - 1) if sizes else None
    firsts = edges[:-1] or [0] * len(asks)
    # Otherwise Dask converts text to a dtype that cannot be merged with the text columns of frame() on pandas 3.
    with dask.config.set({"dataframe.convert-string": False}):
        planned: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
            part,
            asks,
            firsts,
            reopen=reopen,
            nested=nested,
            meta=to_frame(gathered(declared.empty(), declared, Drift()), nested),
            divisions=divisions,
            label="vendorkit",
        )
    return planned


def part(
    ask: Ask, first: int, *, reopen: Callable[[], Source], nested: Nested, columns: list[str] | None = None
) -> pd.DataFrame:
    """
    Download one part as a frame with the declared columns and `__undeclared`.

    Args:
        ask: The query for the part.
        first: The first value of its index: the number of rows in the parts before it.
        reopen: Connects from this process.
        nested: How lists and structs are returned.
        columns: Only these columns. Dask passes the columns that are used.

    Raises:
        IncompletePull: The part does not have the planned size, or has duplicate records; `arrived` is None.
    """
    source = reopen()
    declared = source.resource_of(ask).columns_of(ask)
    names = declared.arrow.names
    wanted = [*names, UNDECLARED] if columns is None else list(columns)
    # Undeclared fields are found only if all columns are read. Rows cannot be counted in a table without columns.
    read = [name for name in wanted if name != UNDECLARED] or names[:1]
    schema = declared if UNDECLARED in wanted else declared.project(read)
    try:
        result = table_of(source, ask, schema)
    except IncompletePull as exc:
        exc.arrived = None  # too large to send to the Dask client
        raise
    if appended := [name for name in result.table.column_names if name not in schema.arrow.names]:
        # On a worker, Dask's own function also sends the warning to the client.
        warn = getattr(sys.modules.get("distributed"), "warn", warnings.warn)
        warn(f"{ask.resource}: only in the column {UNDECLARED}: {', '.join(appended)}.", SchemaDrift)
    frame = to_frame(gathered(result.table, schema, result.drift), nested)
    frame = frame if columns is None else frame[wanted]
    frame.index = pd.RangeIndex(first, first + len(frame))
    return frame
