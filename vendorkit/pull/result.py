"""Downloads a query as one table, checks that it is complete, and describes it in `attrs`."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial, reduce
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.ask import Ask
from vendorkit.errors import AuthError, Cancelled, IncompletePull, UsageError, VendorkitError
from vendorkit.frames import Batch, Drift, Nested, Schema, TableReader, combine, row_codes, to_frame
from vendorkit.frames.drift import levels_to_caller
from vendorkit.pull.drive import run
from vendorkit.pull.plan import paging_now
from vendorkit.pull.pull import Pull
from vendorkit.resource import Changes, Resource, Source, describe

REREADS: Final = 2
MOST_PAGES: Final = 50  # longer downloads are not repeated, because the data would probably change again


class DataMoved(UserWarning):
    """The data changed during the download. The result may lack records, and `attrs` says `complete: False`."""


@dataclass(frozen=True)
class Result:
    """
    A downloaded table.

    Attributes:
        source, ask, schema: The client, the query and its columns.
        pull: The download.
        table: The rows in the vendor's order.
        drift: The fields and values that did not match the schema.
        complete: Whether the table has all matching records.
        moved: The pages, from 1, during which the data changed; empty if it did not.
        shifted: Whether duplicates were dropped and the row count is now too small, as if records had shifted between
            pages.
        newcomers: Names of records that appeared during this download or an earlier attempt, as the vendor reports.
    """

    source: Source
    ask: Ask
    schema: Schema
    pull: Pull
    table: pa.Table
    drift: Drift
    complete: bool
    moved: tuple[int, ...] = ()
    shifted: bool = False
    newcomers: frozenset[str] = frozenset()

    @property
    def is_untruncated(self) -> bool:
        """Whether the limit, if any, cut off no records."""
        limit, rows, total = self.ask.limit, self.table.num_rows, self.pull.total
        return limit is None or (rows < limit if total is None else rows == total)

    @property
    def warning(self) -> str:
        """The text of the `DataMoved` warning; "" if the data did not change."""
        if not self.moved:
            return ""
        moment = f"while pages {min(self.moved)} to {max(self.moved)} were fetched"
        return f"{self.schema.name} changed {moment}. Records may be missing or repeated; query again."

    def warn(self) -> None:
        """Issue the `SchemaDrift` and `DataMoved` warnings at the caller's own line."""
        self.drift.warn(self.schema.name)
        if self.moved:
            warnings.warn(self.warning, DataMoved, stacklevel=levels_to_caller())


def table_of(source: Source, ask: Ask, schema: Schema) -> Result:
    """
    Download *ask* as one table of *schema*; exact copies of records are dropped.

    If the data changed during the download, it is repeated at most twice. If the data changed each time, the result
    is not complete and names the pages.

    Raises:
        IncompletePull: The download failed midway, or its counts do not add up; `arrived` has the received rows.
        AuthError, Cancelled, UsageError: Raised unchanged; `arrived` has the rows received before.
    """
    result = _download(source, ask, schema)
    for _ in range(REREADS):
        if not (result.moved or result.shifted) or ask.span is not None or result.pull.pages > MOST_PAGES:
            break
        try:
            result = _download(source, ask, schema, result.newcomers)
        except (AuthError, Cancelled, UsageError):
            raise
        except VendorkitError:
            break  # keep the result of the last complete attempt
    why = result.pull.difference(result.table.num_rows)
    if ask.span is not None and result.moved:
        why = why or "two rows with the same id have different values"
    if why is not None and (ask.span is not None or not result.moved):
        raise result.pull.incomplete(why, finish(replace(result, complete=False, moved=())))
    return result


def _download(source: Source, ask: Ask, schema: Schema, known: frozenset[str] = frozenset()) -> Result:
    resource = source.resource_of(ask)
    changes = _changes_to_check(resource, ask)
    times = () if changes is None else changes.times(ask)
    # The key and time columns are needed to find newcomers. If the query did not select them, they are dropped again.
    extra = [name for name in (schema.key, *times) if times and name not in schema.arrow.names]
    read_schema = replace(schema, only=(*schema.arrow.names, *extra)) if extra else schema
    find_newcomers = None if changes is None else partial(_came_since, source, changes, ask)
    flow, quiet = paging_now(source, ask).pages(ask), ask.span is not None
    pull = Pull(flow, source, resource.name, limit=ask.limit, quiet=quiet, find_newcomers=find_newcomers)
    batches: list[Batch] = []
    failure: VendorkitError | None = None
    try:
        # If the generator raises, extend() keeps the earlier items.
        read, read_rest = TableReader(read_schema).read, TableReader(read_schema).read
        batches.extend(group.value for group in pull.read(read, read_rest=read_rest))
    except VendorkitError as exc:
        if not batches:
            raise
        failure = exc
    table, drift = combine(batches, read_schema)
    selected = [name for name in table.column_names if name.removesuffix("__raw") not in extra]
    if failure is not None:
        arrived = finish(Result(source, ask, schema, pull, table.select(selected), drift, complete=False))
        if isinstance(failure, (AuthError, Cancelled, UsageError)):
            failure.arrived = arrived
            raise failure
        what = f"The download of {resource.name} failed after {table.num_rows:,} rows: {failure.what}"
        raise IncompletePull(what, arrived=arrived, remedy=failure.remedy) from failure
    arrived_rows = table.num_rows
    table, conflicts = without_copies(table, schema.key) if pull.pages > 1 else (table, [])
    shifted = table.num_rows < arrived_rows and pull.difference(table.num_rows) is not None
    moved = tuple({*(bisect_right(pull.ends, row) + 1 for row in conflicts), *pull.moved_pages})
    rows = table.select(selected)
    result = Result(source, ask, schema, pull, rows, drift, complete=True, moved=moved, shifted=shifted)
    if changes is not None and (moved or pull.difference(table.num_rows) is None):
        # Newcomers of an earlier attempt did not appear during this one; the vendors' clocks only have whole seconds.
        newcomers = frozenset([*_newcomers(table, schema.key, times, pull), *pull.newcomers()])
        moved = moved or (tuple(range(1, pull.pages + 1)) if newcomers - known else ())
        result = replace(result, moved=moved, newcomers=newcomers | known)
    return replace(result, complete=result.is_untruncated and not result.moved)


def _changes_to_check(resource: Resource, ask: Ask) -> Changes | None:
    """
    Return the means to find records that appeared during the download; None if unavailable or not needed.

    Counts do not show everything: if one record disappears while another appears, the total stays the same, but a
    record may have moved to a page that was already read. Nothing is missing if the row count equals the first
    announced total and every row existed when the first page was sent. The rows' time columns show that. The vendor's
    feed of changes is read too, for records that are not among the rows.
    """
    changes = resource.changes
    is_full = ask.limit is None and ask.span is None and ask.since is None
    return changes if changes is not None and is_full and changes.why_not_incremental(ask) is None else None


def _newcomers(table: pa.Table, key: str, times: Sequence[str], pull: Pull) -> list[str]:
    """Return the keys of rows that appeared after the first page, according to their time columns."""
    if not times or pull.pages < 2 or pull.first_at is None:
        return []
    first = pa.scalar(datetime.fromtimestamp(int(pull.first_at), timezone.utc), pa.timestamp("us", "UTC"))
    masks = [pc.fill_null(pc.greater_equal(table[name], first), fill_value=False) for name in times]
    return table.filter(reduce(pc.or_, masks))[key].to_pylist()  # type: ignore[no-any-return]


def _came_since(source: Source, changes: Changes, ask: Ask, at: float) -> list[str]:
    try:
        return run(changes.came_since(ask, at), source)
    except Cancelled:
        raise
    except VendorkitError:  # for example, the user may not read the feed; that must not fail the download
        return []


def finish(result: Result, table: pa.Table | None = None, *, nested: Nested = "list") -> pd.DataFrame:
    """Return the frame of a result, or of one of its child tables, with `attrs`; issue the result's warnings."""
    result.warn()
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
    if result.pull.discarded:
        frame.attrs["vendorkit"]["discarded"] = result.pull.discarded
    return frame


def without_copies(table: pa.Table, key: str) -> tuple[pa.Table, list[int]]:
    """Return *table* without exact copies of rows, and the numbers of rows that share a key with a different row."""
    if key not in table.column_names or pc.count_distinct(table[key]).as_py() == table.num_rows:
        return table, []
    keys = pd.Series(row_codes(table.select([key])))
    keys = keys[keys.duplicated(keep=False)]
    rows = pd.Series(row_codes(table.take(keys.index.to_numpy())), keys.index)
    is_original = ~np.isin(np.arange(len(table)), rows.index[rows.duplicated()])
    return table.filter(pa.array(is_original)), keys.index[rows.groupby(keys).transform("nunique") > 1].tolist()
