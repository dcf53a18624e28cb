"""
A query on Dask: planned here by a few small requests, downloaded by the workers, each part on its own.

The parts come from the vendor's own ranges: Medipim's pages, or beyond 10,000 records its windows of `createdAt`; the
numbered pages of Mediagenix's collections. What the vendor gives in one piece is one part. The graph holds plain values
only; a worker that downloads a part connects with the settings of its environment or `.env`, so no credential is in
the graph. Workers reach the planner's mock servers by a file that only their user can read.

A part checks that it has the planned size, and holds no record twice. The columns have to be known before anything is
downloaded: the declared ones, and the text column `__undeclared`, with all that `frame()` would append as one JSON
object per row. A `SchemaDrift` warning, which reaches the client from its workers, names what is in it.

All processes of a machine keep the vendor's rate budget in one file (`vendorkit.http.budget.Budget`). If workers are on
several machines, `VENDORKIT_BUDGET_DIR` has to name a folder that they share, with working locks.
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
    """Plan *ask* as a Dask frame. This is `Query.dask`, which says more."""
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
    # If the sizes are known, so is the index: that of frame().
    sizes = [one.span.rows for one in asks if one.span is not None]
    edges = [0, *accumulate(sizes)]
    divisions = (*edges[:-1], edges[-1] - 1) if sizes else None
    firsts = edges[:-1] or [0] * len(asks)
    # Else Dask makes texts another dtype, which cannot be merged with the texts of a frame on pandas 3.
    with dask.config.set({"dataframe.convert-string": False}):
        found: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
            part,
            asks,
            firsts,
            reopen=reopen,
            nested=nested,
            meta=to_frame(gathered(declared.empty(), declared, Drift()), nested),
            divisions=divisions,
            label="vendorkit",
        )
    return found


def part(
    ask: Ask, first: int, *, reopen: Callable[[], Source], nested: Nested, columns: list[str] | None = None
) -> pd.DataFrame:
    """
    Return one part as a frame of declared columns and `__undeclared`.

    Args:
        ask: The query for the part.
        first: The number of rows before it, with which its index begins.
        reopen: Connects from this process.
        nested: How lists and structs are returned.
        columns: Only these columns; Dask names those that are used.

    Raises:
        IncompletePull: The part is not what was planned; `arrived` is None.
    """
    source = reopen()
    declared = source.resource_of(ask).columns_of(ask)
    names = declared.arrow.names
    wanted = [*names, UNDECLARED] if columns is None else list(columns)
    # Undeclared fields are only noticed if all columns are read. To count rows, a table needs one column.
    read = [name for name in wanted if name != UNDECLARED] or names[:1]
    schema = declared if UNDECLARED in wanted else declared.project(read)
    try:
        result = table_of(source, ask, schema)
    except IncompletePull as exc:
        exc.arrived = None  # too large to travel in an error
        raise
    if appended := [name for name in result.table.column_names if name not in schema.arrow.names]:
        # On a worker, Dask's own function warns the client as well.
        warn = getattr(sys.modules.get("distributed"), "warn", warnings.warn)
        warn(f"{ask.resource}: only in the column {UNDECLARED}: {', '.join(appended)}.", SchemaDrift)
    frame = to_frame(gathered(result.table, schema, result.drift), nested)
    frame = frame if columns is None else frame[wanted]
    frame.index = pd.RangeIndex(first, first + len(frame))
    return frame
