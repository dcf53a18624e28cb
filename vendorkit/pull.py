"""The state of one pull: what came, what the vendor announced, whether the two agree; and who watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Drift, Page
from vendorkit.pages import P, Records

if TYPE_CHECKING:
    from vendorkit.query import Query

_watch: ContextVar[Callable[[Pull], None] | None] = ContextVar("vendorkit_watch", default=None)


@contextmanager
def watched(saw: Callable[[Pull], None]) -> Iterator[None]:
    """Call *saw* after each page that is pulled inside this block, in place of the progress bar."""
    before = _watch.set(saw)
    try:
        yield
    finally:
        _watch.reset(before)


def watcher() -> Callable[[Pull], None] | None:
    """Return who watches the pulls that this code makes, if anybody."""
    return _watch.get()


@contextmanager
def put_away(bar: Any) -> Iterator[None]:
    """
    Hide the progress bar of a notebook at the end of this block.

    tqdm would close it, and where a widget was shown and is closed, Voila says "Loading widget…" for ever.
    """
    try:
        yield
    finally:
        if getattr(bar, "displayed", False):
            bar.container.layout.display, bar.leave = "none", True


@dataclass
class Pull:
    """The state of one pull, for its checks and for `attrs`."""

    query: Query
    pages: int = 0
    rows: int = 0
    total: int | None = None
    totals: list[int] = field(default_factory=list)  # each as it changed
    complete: bool = False
    drift: Drift = field(default_factory=Drift)
    fetched_at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))

    def saw(self, rows: int, total: int | None) -> None:
        """Take note of one page, and of the total it announced."""
        self.pages += 1
        self.rows += rows
        if total is not None:
            self.totals += [total] if total != self.total else []
            self.total = total

    def moved(self, rows: int, limit: int | None) -> str | None:
        """Return how the vendor's data changed while *rows* were pulled; None where nothing shows that it did."""
        if len(self.totals) > 1:
            return f"the announced total went from {self.totals[0]:,} to {self.totals[-1]:,}"
        if limit is None and self.total is not None and rows != self.total:
            return f"{rows:,} rows arrived where {self.total:,} were announced"
        return None

    def check(self, limit: int | None) -> None:
        """Raise `IncompletePull` where what was handed out, page by page, is not the whole."""
        if why := self.moved(self.rows, limit):
            raise self.not_whole(why)

    def not_whole(self, why: str, arrived: Any = None) -> IncompletePull:
        """Return the error for what came and does not fit together."""
        what = f"The pull of {self.query.resource.name} is not whole: {why}; the data probably changed meanwhile."
        return IncompletePull(what, arrived=arrived, remedy="Pull again, or use the stream.")


def check_limit(limit: int | None) -> None:
    """Raise `UsageError` where *limit* is no number of records."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        what = f"limit={limit!r} is not a number of records."
        raise UsageError(what, remedy="Give 0 or more, or leave it out.")


def head(page: P, rows: int) -> P:
    """Return the first *rows* records of *page*."""
    if isinstance(page, Records):
        return replace(page, records=page.records[:rows])
    assert isinstance(page, Page)  # noqa: S101 - there are two kinds of pages
    return replace(page, table=page.table.slice(0, rows))


def repeats(table: pa.Table, key: str) -> bool:
    """Tell whether two rows have the same *key*; not so where the column is left out."""
    return key in table.column_names and pc.count_distinct(table[key]).as_py() < table.num_rows


def without_copies(table: pa.Table) -> pa.Table:
    """Return *table* without the rows that repeat an earlier one in every column."""
    seen: set[str] = set()
    keep = []
    for i, row in enumerate(table.to_pylist()):
        text = repr(row)
        if text not in seen:
            seen.add(text)
            keep.append(i)
    return table.take(keep)
