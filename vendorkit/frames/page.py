"""Pages of records, and the one table they make."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import pyarrow as pa

from vendorkit.errors import VendorkitError
from vendorkit.frames.drift import Drift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vendorkit.frames.schema import Schema

T = TypeVar("T")
R = TypeVar("R")
THREADS = 2  # measured: Arrow parses without Python's lock, and more gain little beside it


@dataclass(frozen=True)
class Page:
    """
    What one answer held.

    Attributes:
        table: The records, typed as declared; fields not declared are appended.
        envelope: What stood around the records (totals, links).
        drift: What did not match the schema.
    """

    table: pa.Table
    envelope: dict[str, Any] = field(default_factory=dict)
    drift: Drift = field(default_factory=Drift)

    @property
    def rows(self) -> int:
        """How many records there are."""
        return len(self.table)


def combine(pages: Iterable[Page], schema: Schema) -> tuple[pa.Table, Drift]:
    """
    Put pages together, in order, with the declared columns first and appended ones after them by name.

    An appended column is null on pages that do not have it. No pages give the empty table.
    """
    drift = Drift()
    tables = [schema.empty()]
    for page in pages:
        drift.merge(page.drift)
        tables.append(page.table)
    table = pa.concat_tables(tables, promote_options="default")
    declared = schema.arrow.names
    return table.select([*declared, *sorted(set(table.column_names) - set(declared))]), drift


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table in pandas, with Arrow's memory and dtypes, so that nulls and integers stay what they are."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def read_ahead(read: Callable[[T], R], bodies: Iterable[T], threads: int = THREADS) -> Iterator[R]:
    """
    Yield what `read` makes of the bodies, in order; the next ones are read meanwhile on so many other threads.

    What came before a failure of ours is handed over before that is raised. Closing it does not wait for the others:
    the collector may close it in one of these threads.
    """
    pool = ThreadPoolExecutor(threads)
    ahead: deque[Future[R]] = deque()
    try:
        for body in _before_failing(bodies):
            if isinstance(body, VendorkitError):
                yield from (found.result() for found in ahead)
                raise body
            ahead.append(pool.submit(read, body))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        yield from (found.result() for found in ahead)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _before_failing(bodies: Iterable[T]) -> Iterator[T | VendorkitError]:
    """Yield the bodies; an error of ours that ends them is yielded as the last item."""
    try:
        yield from bodies
    except VendorkitError as exc:
        yield exc
