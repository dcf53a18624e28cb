"""The result of a download as one table: complete, without copies, and described in `attrs`."""

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
MOST_PAGES: Final = 50  # of a download that is read again: during more of them the data would change again


class DataMoved(UserWarning):
    """The data changed while its pages came, so that the result may lack records; `attrs` says `complete: False`."""


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
        moved: The pages between which the data moved while they came, also if they were read again; the first is 1.
        slid: Whether a record came twice and another one never, as if it had slid from page to page.
        came: Names of what came meanwhile, as the vendor says; of earlier readings too.
    """

    source: Source
    ask: Ask
    schema: Schema
    pull: Pull
    table: pa.Table
    drift: Drift
    complete: bool
    moved: tuple[int, ...] = ()
    slid: bool = False
    came: frozenset[str] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether no limit cut anything off."""
        limit, rows, total = self.ask.limit, self.table.num_rows, self.pull.total
        return limit is None or (rows < limit if total is None else rows == total)

    @property
    def warning(self) -> str:
        """What is wrong with a result that moved; "" if it did not."""
        if not self.moved:
            return ""
        pages = f"pages {min(self.moved)} to {max(self.moved)}"
        return f"{self.schema.name} changed while {pages} came, so that records may be missing or twice: query again."

    def warn(self) -> None:
        """Report as warnings, at the caller's own line, what did not match the schema, and that data moved."""
        self.drift.warn(self.schema.name)
        if self.moved:
            warnings.warn(self.warning, DataMoved, stacklevel=levels_to_caller())


def table_of(source: Source, ask: Ask, schema: Schema) -> Result:
    """
    Download *ask* as one table of *schema*; exact copies of records are dropped.

    If the data moved while pages came, they are read again, at most twice. If it moved then too, the result is not
    complete, and says between which pages.

    Raises:
        IncompletePull: It broke off, or its counts do not add up; `arrived` holds the rows that arrived.
        AuthError, Cancelled, UsageError: As they are; `arrived` too holds what arrived before.
    """
    result = _download(source, ask, schema)
    for _ in range(REREADS):
        if not (result.moved or result.slid) or ask.span is not None or result.pull.pages > MOST_PAGES:
            break
        try:
            result = _download(source, ask, schema, result.came)
        except (AuthError, Cancelled, UsageError):
            raise
        except VendorkitError:
            break  # what came first is more than what came now
    why = result.pull.difference(result.table.num_rows)
    if ask.span is not None and result.moved:
        why = why or "the same id came with different values"
    if why is not None and (ask.span is not None or not result.moved):
        raise result.pull.incomplete(why, finish(replace(result, complete=False, moved=())))
    return result


def _download(source: Source, ask: Ask, schema: Schema, known: frozenset[str] = frozenset()) -> Result:
    resource = source.resource_of(ask)
    changes = _changes_to_look_for(resource, ask)
    times = () if changes is None else changes.times(ask)
    # Columns that say what came are read, and left out of the result unless they are asked for.
    extra = [name for name in (schema.key, *times) if times and name not in schema.arrow.names]
    read = replace(schema, only=(*schema.arrow.names, *extra)) if extra else schema
    came = None if changes is None else partial(_came_since, source, changes, ask)
    flow, quiet = paging_now(source, ask).pages(ask), ask.span is not None
    pull = Pull(flow, source, resource.name, limit=ask.limit, quiet=quiet, find_newcomers=came)
    batches: list[Batch] = []
    broken: VendorkitError | None = None
    try:
        # extend() keeps what it was given before an error.
        batches.extend(group.value for group in pull.read(TableReader(read).read))
    except VendorkitError as exc:
        batches += pull.read_rest(TableReader(read).read) if isinstance(exc, Cancelled) else ()
        if not batches:
            raise
        broken = exc
    table, drift = combine(batches, read)
    shown = [name for name in table.column_names if name.removesuffix("__raw") not in extra]
    if broken is not None:
        arrived = finish(Result(source, ask, schema, pull, table.select(shown), drift, complete=False))
        if isinstance(broken, (AuthError, Cancelled, UsageError)):
            broken.arrived = arrived
            raise broken
        what = f"The download of {resource.name} broke off after {table.num_rows:,} rows: {broken.what}"
        raise IncompletePull(what, arrived=arrived, remedy=broken.remedy) from broken
    arrived_rows = table.num_rows
    table, differ = without_copies(table, schema.key) if pull.pages > 1 else (table, [])
    slid = table.num_rows < arrived_rows and pull.difference(table.num_rows) is not None
    moved = tuple({*(bisect_right(pull.ends, row) + 1 for row in differ), *pull.moved_pages})
    rows = table.select(shown)
    result = Result(source, ask, schema, pull, rows, drift, complete=True, moved=moved, slid=slid)
    if changes is not None and (moved or pull.difference(table.num_rows) is None):
        # What was known before this reading did not come during it; the vendors' clocks have whole seconds.
        found = frozenset([*_newcomers(table, schema.key, times, pull), *pull.newcomers()])
        moved = moved or (tuple(range(1, pull.pages + 1)) if found - known else ())
        result = replace(result, moved=moved, came=found | known)
    return replace(result, complete=result.whole and not result.moved)


def _changes_to_look_for(resource: Resource, ask: Ask) -> Changes | None:
    """
    Return how to find what came while the pages did, although all counts add up; None if it need not be or cannot.

    Another record left then, and the one after it may have slipped to a page that had been read already. If every row
    was there when the first page came, and there are as many as were announced then, none of them is missing: rows
    that say when they came prove that. What the vendor says came is read too, although the rows do not show it.
    """
    changes = resource.changes
    whole = ask.limit is None and ask.span is None and ask.since is None
    return changes if changes is not None and whole and changes.why_not_incremental(ask) is None else None


def _newcomers(table: pa.Table, key: str, times: Sequence[str], pull: Pull) -> list[str]:
    """Return the keys of rows that came after the first page, by what they say themselves."""
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
    except VendorkitError:  # not every user may read the feed; and no download is lost for a question about it
        return []


def finish(result: Result, table: pa.Table | None = None, *, nested: Nested = "list") -> pd.DataFrame:
    """Return the frame of a result, or of one of its child tables, with `attrs`; the drift is reported as a warning."""
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
    """Return *table* without rows that repeat an earlier one, and the rows whose key another, different row has."""
    if key not in table.column_names or pc.count_distinct(table[key]).as_py() == table.num_rows:
        return table, []
    keys = pd.Series(row_codes(table.select([key])))
    keys = keys[keys.duplicated(keep=False)]
    rows = pd.Series(row_codes(table.take(keys.index.to_numpy())), keys.index)
    is_kept = ~np.isin(np.arange(len(table)), rows.index[rows.duplicated()])
    return table.filter(pa.array(is_kept)), keys.index[rows.groupby(keys).transform("nunique") > 1].tolist()
