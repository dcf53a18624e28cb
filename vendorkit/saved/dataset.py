"""A dataset on disk: a Delta table whose versions are complete downloads and complete updates."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from vendorkit import arguments, calls
from vendorkit.ask import suggestion
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import to_frame
from vendorkit.saved.changes import CHANGES, compare
from vendorkit.saved.files import DamagedError, locked, sweep
from vendorkit.saved.log import Version, versions
from vendorkit.saved.stored import readable, version_in

_COUNTS: Final = [(name, pa.int64()) for name in ("rows", "added", "changed", "removed")]
_HISTORY: Final = pa.schema([("version", pa.int64()), ("at", pa.timestamp("us", "UTC")), *_COUNTS])


@calls.checked
@dataclass(frozen=True)
class Dataset:
    """
    One version of a saved query result.

    Attributes:
        path: The folder, absolute.
        rows: Number of stored records.
        complete: Whether the download was finished.
        parts: Number of Parquet files.
        total: Number of records that the vendor announced; None if it did not announce one.
        fetched_at: When the download or the last update began; ISO 8601, UTC.
        version: Number of this version, starting at 0; None if it is not complete.
    """

    path: Path
    rows: int
    complete: bool
    parts: int
    total: int | None
    fetched_at: str
    version: int | None = None

    def frame(self, *, columns: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Return this version as a table; see `load`."""
        return load(self.path, columns=columns, version=self.version)

    def history(self) -> pd.DataFrame:
        """
        Return one row per version up to this one, the newest first.

        The columns are version, at (when it was committed, UTC), rows (number of records), and how many of them were
        added, changed and removed.
        """
        newest_first = list(versions(self.path))[: self._number() + 1][::-1]
        rows = [{**v.note.counts, "version": v.number, "at": v.at * 1000, "rows": v.note.rows} for v in newest_first]
        return to_frame(pa.Table.from_pylist(rows, _HISTORY))

    def changes(self, since: int, *, columns: str | Iterable[str] | None = None) -> pd.DataFrame:
        """
        Return the differences from an older version, one row per change.

        Args:
            since: The number of the older version.
            columns: Report only changes of these columns, or of this one. None means all.

        Returns:
            A table with the columns key, version (this one), change ("added", "changed" or "removed"), column, old and
            new. Values are text. An added or removed record is one row whose column, old and new are null. Records are
            matched by their key; at most two parts are in memory at a time.

        Raises:
            UsageError: The version does not exist or its files were deleted, or the records have no key.
            IncompletePull: A file is damaged.
        """
        new, old = version_in(self.path, self._number()), version_in(self.path, since, "since")
        if old.following > new.following:
            what = f"since must be a version before {new.number}, not {since}."
            raise UsageError(what, remedy="Call changes() on the newer Dataset, with the number of the older version.")
        names = arguments.columns(columns)
        check_columns(self.path, names or [], [*new.columns, *old.columns])
        return to_frame(pa.concat_tables([CHANGES.empty_table(), *compare(old, new, names)]))

    def arrow(self) -> pads.Dataset:
        """
        Return this version as a pyarrow dataset for DuckDB, Polars and Dask, in the vendor's order.

        Undeclared fields are in `__undeclared`, a JSON object per row; `_position` numbers the records in the vendor's
        order.
        """
        return version_in(self.path, self._number()).arrow()

    def compact(self, keep_days: float) -> int:
        """
        Delete the files that are only used by versions replaced more than *keep_days* ago.

        The newest version is never deleted. A version whose files are deleted can no longer be loaded, but is still
        listed by `history()`.

        Returns:
            The number of bytes freed.

        Raises:
            UsageError: *keep_days* is not a number of days, or another process is writing.
        """
        days = arguments.number(keep_days, "keep_days", "a number of days, 0 or more", low=0)
        self._number()
        with locked(self.path):
            in_order, limit = list(versions(self.path)), (time.time() - days * 86_400) * 1000
            replaced_at = [*(version.at for version in in_order[1:]), limit]
            needed = [version for version, at in zip(in_order, replaced_at, strict=False) if at >= limit]
            return sweep(self.path, 0, [part for version in needed for part in version.parts])

    def _number(self) -> int:
        if self.version is None:
            what = f"{self.path} is not complete, so it has no versions."
            raise UsageError(what, remedy="Call save() again to continue the download.")
        readable(self.path, None)  # if the folder was deleted, there is no history, and locked() would create it
        return self.version

    def __repr__(self) -> str:
        of_total = "" if self.complete or self.total is None else f" of {self.total:,}"
        state = f"version {self.version}, complete" if self.complete else "incomplete, save again to continue"
        return f"<Dataset {self.path}: {self.rows:,}{of_total} rows in {self.parts} parts, {self.fetched_at}, {state}>"


def summary(version: Version) -> Dataset:
    """Return the public description of a version or of an unfinished download."""
    note, parts = version.note, len(version.parts)
    path = version.folder.absolute()  # the working folder may change later
    return Dataset(path, note.rows, version.complete, parts, note.total, note.fetched_at, version.number)


@calls.checked
def load(
    path: str | Path,
    *,
    columns: str | Iterable[str] | None = None,
    partial: bool = False,
    version: int | None = None,
    filters: Any = None,
) -> pd.DataFrame:
    """
    Return a saved dataset with the rows, dtypes and `attrs` that `frame()` returned, except `discarded` requests.

    Args:
        path: The folder that was passed to `save`.
        columns: Only these columns, in this order, or this one. None means all.
        partial: Return the stored rows even if the dataset is not complete.
        version: The number of an older version; None means the newest.
        filters: Only rows that match, as in `pandas.read_parquet`: `[("status", "==", "active")]`. A time can also be
            a day or text (`"2024-01-01"`), in UTC if it has no time zone; "in" and "not in" accept any list, even an
            empty one.

    Raises:
        UsageError: The dataset, version or column does not exist, or the filters are not valid.
        IncompletePull: The download was not finished, or a file is damaged; `arrived` holds the intact rows.
    """
    folder, names, partial = arguments.folder(path), arguments.columns(columns), arguments.boolean(partial, "partial")
    found = readable(folder, version)
    table, intact = _table(found, names, filters)
    is_whole = intact == len(found.parts)
    if not is_whole and version is None and readable(folder, None).number != found.number:
        # Another process updated the dataset, and compact() deleted a part of this version while it was read.
        return load(path, columns=names, partial=partial, filters=filters)
    complete = found.complete and is_whole
    frame = to_frame(table)
    frame.attrs["vendorkit"] = {
        **{name: getattr(found.note.question, name) for name in ("vendor", "environment", "request")},
        **{name: getattr(found.note, name) for name in ("fetched_at", "pages", "total")},
        "complete": complete,
    }
    if partial or complete:
        return frame
    of_total = "" if found.note.total is None else f" of {found.note.total:,}"
    why = "the download was not finished" if is_whole else f"{found.parts[intact].name} is damaged"
    what = f"{folder} is not complete: it holds {len(table):,} rows{of_total}, because {why}."
    how = "Call save() again to continue" if found.number == readable(folder, None).number else "Load another version"
    raise IncompletePull(what, arrived=frame, remedy=f"{how}, or load the stored rows with partial=True.")


def check_columns(folder: Path, names: Iterable[str], known: Sequence[str]) -> None:
    """Raise `UsageError` for a name that is not a column."""
    if unknown := [name for name in names if name not in known]:
        what = f"{folder} has no column {unknown[0]!r}."
        raise UsageError(what, remedy=suggestion(unknown[0], known))


def _table(version: Version, columns: Sequence[str] | None, filters: Any) -> tuple[pa.Table, int]:
    """Return the columns from all parts before the first damaged one, and the number of these parts."""
    names = version.columns if columns is None else list(dict.fromkeys(columns))
    check_columns(version.folder, names, version.columns)
    condition, filtered = _condition(version, filters)
    schema = version.frame_schema(dict.fromkeys([*names, *filtered]))
    tables = [schema.empty_table().select(names)]
    for part in version.parts:
        try:
            table = version.table(part, schema)
        except DamagedError:
            break
        try:
            tables.append((table if condition is None else table.filter(condition)).select(names))
        except (pa.ArrowException, TypeError) as exc:
            arguments.refuse("filters", f"conditions on the columns' own types ({type(exc).__name__})", filters)
    return pa.concat_tables(tables), len(tables) - 1


def _condition(version: Version, filters: Any) -> tuple[Any, Sequence[str]]:
    """Return the filters as an expression, and the columns they use."""
    if filters is None or isinstance(filters, pc.Expression):
        return filters, () if filters is None else version.columns
    try:
        groups = [filters] if isinstance(filters[0][0], str) else filters
        names = [arguments.word(name, "filters") for group in groups for name, _, _ in group]
        check_columns(version.folder, names, version.columns)
        schema = version.frame_schema({*names})
        comparable = [
            [(name, op, _comparable(op, value, schema.field(str(name)).type)) for name, op, value in group]
            for group in groups
        ]
        return pq.filters_to_expression(comparable), names
    except UsageError:
        raise
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, pa.ArrowException):
        arguments.refuse("filters", 'a list of conditions such as [("status", "==", "active")]', filters)


def _comparable(op: Any, value: Any, dtype: pa.DataType) -> Any:
    """
    Convert the value of a condition, or its list of values, to what Arrow can compare with a column.

    Values that Arrow would convert with a loss, such as 1.5 to an integer, equal no value of the column.
    """
    takes_list = op in {"in", "not in"}
    values = arguments.values(value, "filters") if takes_list else [value]
    if values is None or not all(map(pd.api.types.is_scalar, values)):  # a list that contains itself would crash Arrow
        raise TypeError(op)
    if pa.types.is_temporal(dtype):
        times = pa.array([item if item is None else _utc_time(item) for item in values], pa.timestamp("us", "UTC"))
        if pa.types.is_date(dtype):
            times = times.cast(pa.timestamp("us"))
        converted = times.cast(dtype)
        is_equal = pc.fill_null(pc.equal(converted.cast(times.type), times), fill_value=True)
        return converted.filter(is_equal) if takes_list else times[0]
    if not takes_list:
        return value
    plain = pa.array(values, dtype, from_pandas=True).to_pylist()
    return pa.array([one for one, item in zip(plain, values, strict=True) if one is None or one == item], dtype)


def _utc_time(value: Any) -> datetime:
    """Convert a time, a day (to its start) or text; UTC if it has no time zone."""
    time_or_none = arguments.day_or_moment(pd.Timestamp(value).to_pydatetime() if isinstance(value, str) else value)
    if time_or_none is None:
        raise TypeError(value)
    return arguments.utc(time_or_none)
