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
from pyarrow.fs import LocalFileSystem

from vendorkit import arguments, calls
from vendorkit.ask import suggestion
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import to_frame
from vendorkit.saved.changes import CHANGES, compare
from vendorkit.saved.files import POSITION, DamagedError, locked, plain_size, sweep
from vendorkit.saved.log import Version, stored_schema, versions
from vendorkit.saved.stored import readable, version_in

_MOST_DAYS: Final = 1e6
_READS: Final = 3  # of a folder that is updated and compacted meanwhile
_COUNTS: Final = [(name, pa.int64()) for name in ("rows", "added", "changed", "removed")]
_HISTORY: Final = pa.schema([("version", pa.int64()), ("at", pa.timestamp("us", "UTC")), *_COUNTS])


@dataclass(frozen=True)
class Dataset:
    """
    One version of a saved query result.

    Attributes:
        path: The folder, absolute.
        rows: Number of stored records.
        complete: Whether these are all.
        parts: Number of Parquet files.
        total: Records that the vendor announced; None where it does not say.
        fetched_at: When the download, or the last update, began; ISO 8601, UTC.
        version: Its number, from 0 on; None if it is not complete.
    """

    path: Path
    rows: int
    complete: bool
    parts: int
    total: int | None
    fetched_at: str
    version: int | None = None

    def frame(self, *, columns: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Return it as a table; see `load`."""
        return load(self.path, columns=columns, version=self.version)

    def history(self) -> pd.DataFrame:
        """
        Return one row per version up to this one, the newest first.

        The columns are version, at (when it was written, UTC), and the numbers of records: rows in all, added, changed,
        removed.
        """
        own = self._number()
        found = [one for one in versions(self.path) if one.following <= own + 1][::-1]
        rows = [{**v.note.counts, "version": v.number, "at": v.at * 1000, "rows": v.note.rows} for v in found]
        return to_frame(pa.Table.from_pylist(rows, _HISTORY))

    def changes(self, since: int, *, columns: str | Iterable[str] | None = None) -> pd.DataFrame:
        """
        Return what is different from an older version, one row per change.

        Args:
            since: The number of the older version.
            columns: Only changes of these columns, or this one. None means all.

        Returns:
            The columns key, version (this one), change ("added", "changed" or "removed"), column, old and new: the
            values as texts. An added or removed record is one row, without a column. Records are compared by their key,
            two parts in memory at a time.

        Raises:
            UsageError: There is no such version (any more), or the records have no key.
            IncompletePull: A file is damaged.
        """
        new, old = self._version(), version_in(self.path, since, "since")
        if old.following > new.following:
            what = f"since must be a version before {new.number}, not {since}."
            raise UsageError(what, remedy="Compare the newer Dataset: vk.load and changes() both look back.")
        names = arguments.columns(columns)
        check_columns(self.path, names or [], [*new.columns, *old.columns])
        return to_frame(pa.concat_tables([CHANGES.empty_table(), *compare(old, new, names)]))

    def arrow(self) -> pads.Dataset:
        """
        Return it as a pyarrow dataset for DuckDB, Polars and Dask: this version, in the vendor's order.

        Undeclared fields are in `__undeclared`, a JSON object per row; `_position` is the place in the vendor's order.
        """
        found = self._version()
        checked = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
        kind = pads.ParquetFileFormat(default_fragment_scan_options=checked)
        schema, files, at = stored_schema(found.note.schema), LocalFileSystem(), pc.field(POSITION)
        fragments = []
        for part in found.parts:
            if plain_size(self.path / part.name) != part.size:
                raise DamagedError(self.path / part.name)
            between = (at >= part.first) & (at <= part.last)
            fragments.append(kind.make_fragment(str(self.path.absolute() / part.name), files, between))
        return pads.FileSystemDataset(fragments, schema, kind, files)

    def compact(self, keep_days: float) -> int:
        """
        Delete the files that only versions replaced more than *keep_days* ago need; return how many bytes that freed.

        The newest version stays. A version whose files are gone cannot be loaded any more, but is in `history()`.

        Raises:
            UsageError: *keep_days* is no number of days, or another process is writing.
        """
        days = arguments.number(keep_days, "keep_days", "a number of days, 0 or more", low=0, high=_MOST_DAYS)
        self._number()
        with locked(self.path):
            found, limit = list(versions(self.path)), (time.time() - days * 86_400) * 1000
            replaced = [*(one.at for one in found[1:]), limit]
            needed = [one for one, at in zip(found, replaced, strict=False) if at >= limit]
            return sweep(self.path, 0, {part.name for one in needed for part in one.parts})

    def _number(self) -> int:
        if self.version is None:
            what = f"{self.path} is not complete, so it has no versions."
            raise UsageError(what, remedy="Call save() again: it continues.")
        return self.version

    def _version(self) -> Version:
        return version_in(self.path, self._number())

    def __repr__(self) -> str:
        of = "" if self.complete or self.total is None else f" of {self.total:,}"
        state = f"version {self.version}, complete" if self.complete else "incomplete, save again to go on"
        return f"<Dataset {self.path}: {self.rows:,}{of} rows in {self.parts} parts, {self.fetched_at}, {state}>"


def summary(found: Version) -> Dataset:
    """Return a version, or what is stored, as a value for the caller."""
    note, parts = found.note, len(found.parts)
    path = found.folder.absolute()  # the working folder may be another one later
    return Dataset(path, note.rows, found.complete, parts, note.total, note.fetched_at, found.number)


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
    Return a saved dataset as `frame()` would give it: the same rows, dtypes and `attrs`, but for `discarded` requests.

    Args:
        path: The folder that `save` was given.
        columns: Only these columns, in this order, or this one. None means all.
        partial: Take what is there, even if it is not complete.
        version: The number of an older version; None means the newest.
        filters: Only rows that match, as in `pandas.read_parquet`: `[("status", "==", "active")]`. A time may be a text
            or a day too (`"2024-01-01"`), in UTC if it has no zone; "in" and "not in" take any list, also an empty one.

    Raises:
        UsageError: There is no dataset, no such version or column, or the filters are none.
        IncompletePull: The dataset is not finished, or a file of it is damaged; `arrived` holds the intact rows.
    """
    folder, names, partial = arguments.folder(path), arguments.columns(columns), arguments.boolean(partial, "partial")
    found = readable(folder, version)
    for _ in range(_READS):
        used, (table, sound) = found, _table(found, names, filters)
        # compact() removes parts that only replaced versions need.
        if sound == len(used.parts) or version is not None or (found := readable(folder, None)).number == used.number:
            break
    complete = used.complete and sound == len(used.parts)
    frame = to_frame(table)
    frame.attrs["vendorkit"] = {
        **{name: getattr(used.note.question, name) for name in ("vendor", "environment", "request")},
        **{name: getattr(used.note, name) for name in ("fetched_at", "pages", "total")},
        "complete": complete,
    }
    if partial or complete:
        return frame
    total = "not all" if used.note.total is None else f"of {used.note.total:,}"
    why = "it was not finished" if sound == len(used.parts) else f"{used.parts[sound].name} is damaged"
    what = f"{folder} holds {len(table):,} rows, {total}: {why}."
    remedy = "Call save() again: it goes on. Or load(..., partial=True)."
    raise IncompletePull(what, arrived=frame, remedy=remedy)


def check_columns(folder: Path, names: Iterable[str], known: Sequence[str]) -> None:
    """Raise `UsageError` for a name that is no column."""
    if unknown := [name for name in names if name not in known]:
        what = f"{folder} has no column {unknown[0]!r}."
        raise UsageError(what, remedy=suggestion(unknown[0], known))


def _table(found: Version, columns: Sequence[str] | None, filters: Any) -> tuple[pa.Table, int]:
    """Return the columns from the parts before the first that is damaged, and how many parts these are."""
    names = found.columns if columns is None else list(dict.fromkeys(columns))
    check_columns(found.folder, names, found.columns)
    condition, used = _condition(found, filters)
    wanted = found.frame_schema(dict.fromkeys([*names, *used]))
    tables = [wanted.empty_table().select(names)]
    for part in found.parts:
        try:
            table = found.frame_table(part, wanted)
        except DamagedError:
            break
        try:
            tables.append((table if condition is None else table.filter(condition)).select(names))
        except (pa.ArrowException, TypeError) as exc:
            arguments.refuse("filters", f"conditions on the columns' own types ({type(exc).__name__})", filters)
    return pa.concat_tables(tables), len(tables) - 1


def _condition(found: Version, filters: Any) -> tuple[Any, Sequence[str]]:
    """Return the filters as an expression, and the columns they use."""
    if filters is None or isinstance(filters, pc.Expression):
        return filters, () if filters is None else found.columns
    try:
        groups: list[Any] = filters if isinstance(filters, list) else [None]  # other iterables may be endless
        groups = [groups] if isinstance(groups[0], tuple) else groups
        used = [arguments.word(name, "filters") for group in groups for name, _, _ in group]
        check_columns(found.folder, used, found.columns)
        schema = found.frame_schema({*used})
        plain = [
            [(name, op, _comparable(op, value, schema.field(str(name)).type)) for name, op, value in group]
            for group in groups
        ]
        return pq.filters_to_expression(plain), used
    except UsageError:
        raise
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, pa.ArrowException):
        arguments.refuse("filters", 'a list of conditions such as [("status", "==", "active")]', filters)


def _comparable(op: Any, value: Any, kind: pa.DataType) -> Any:
    """Return the value of a condition, or several, as Arrow compares them with a column of this type."""
    is_several = op in {"in", "not in"}
    values = arguments.values(value, "filters") if is_several else [value]
    # Arrow does not survive a list that is inside of itself.
    if values is None or any(isinstance(one, Iterable) and not isinstance(one, (str, bytes)) for one in values):
        raise TypeError(op)
    if pa.types.is_temporal(kind):
        moments = pa.array([one if one is None else _moment(one) for one in values], pa.timestamp("us", "UTC"))
        if pa.types.is_date(kind):
            moments = moments.cast(pa.timestamp("us"))
        return moments.cast(kind) if is_several else moments[0]
    return pa.array(values, kind, from_pandas=True) if is_several else value


def _moment(value: Any) -> datetime:
    """Return a day, its first moment, or a moment, also as a text, in UTC if it has no zone."""
    found = arguments.day_or_moment(pd.Timestamp(value).to_pydatetime() if isinstance(value, str) else value)
    if found is None:
        raise TypeError(value)
    return arguments.utc(found)
