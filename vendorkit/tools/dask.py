"""
A query on Dask: planned here by a few small requests, downloaded by the workers, each part on its own.

The parts come from the vendor's own ranges: Medipim's pages, or beyond 10,000 records its windows of `createdAt`; the
numbered pages of Mediagenix's collections. What the vendor gives in one piece is one part. The graph holds plain values
only; a worker that downloads a part connects with the settings of its own environment or `.env`, so no credential is in
the graph. Workers reach the planner's mock servers by a file that only their user can read.

A part checks that it has the planned size, and holds no record twice. The frame has only the declared columns, because
they have to be known before anything is downloaded; what `frame()` appends to them is named in a `SchemaDrift` warning,
which reaches the client from its workers, and is in `frame()` and `save()`.

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
from vendorkit.frames import SchemaDrift, to_frame
from vendorkit.pull import run, table_of
from vendorkit.resource import Source

if TYPE_CHECKING:
    import dask.dataframe as dd


def to_dask(source: Source, ask: Ask, partitions: int) -> dd.DataFrame:
    """Plan *ask* as a Dask frame. This is `Query.dask`, which says more."""
    most = arguments.MOST
    parts = arguments.integer(partitions, "partitions", f"a number of parts, 1 to {most:,}", low=1, high=most)
    if find_spec("dask") is None or find_spec("dask.dataframe") is None:
        what = "Dask is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[dask]'")
    import dask.dataframe as dd  # noqa: PLC0415 - an extra

    resource, reopen = source.resource_of(ask), source.reopen()
    asks = run(resource.paging_of(ask).split(ask, parts), source)
    # If the sizes are known, so is the index: that of frame().
    sizes = [one.span.rows for one in asks if one.span is not None]
    edges = [0, *accumulate(sizes)]
    divisions = (*edges[:-1], edges[-1] - 1) if sizes else None
    firsts = edges[:-1] or [0] * len(asks)
    found: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
        part,
        asks,
        firsts,
        reopen=reopen,
        meta=to_frame(resource.columns_of(ask).empty()),
        divisions=divisions,
        label="vendorkit",
    )
    return found


def part(ask: Ask, first: int, *, reopen: Callable[[], Source], columns: list[str] | None = None) -> pd.DataFrame:
    """
    Return one part as a frame of declared columns.

    Args:
        ask: The query for the part.
        first: The number of rows before it, with which its index begins.
        reopen: Connects from this process.
        columns: Only these columns; Dask names those that are used.

    Raises:
        IncompletePull: The part is not what was planned; `arrived` is None.
    """
    source = reopen()
    declared = source.resource_of(ask).columns_of(ask)
    names = declared.arrow.names
    wanted = names if columns is None else list(columns)
    # Undeclared fields are noticed if all columns are wanted, as in frame(). To count rows, a table needs one column.
    schema = declared if wanted == names else declared.project(wanted or names[:1])
    try:
        table = table_of(source, ask, schema).table
    except IncompletePull as exc:
        exc.arrived = None  # too large to travel in an error
        raise
    if left_out := [name for name in table.column_names if name not in schema.arrow.names]:
        # On a worker, Dask's own function warns the client as well.
        warn = getattr(sys.modules.get("distributed"), "warn", warnings.warn)
        warn(f"{ask.resource}: not in the Dask frame, but in frame() and save(): {', '.join(left_out)}.", SchemaDrift)
    frame = to_frame(table.select(schema.arrow.names))[wanted]
    frame.index = pd.RangeIndex(first, first + len(frame))
    return frame
