"""Runs one query per row of a DataFrame, a few at once, and returns all their records as one frame."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from vendorkit.ask import Ask
from vendorkit.deadline import cancellable
from vendorkit.errors import AuthError, Cancelled, InvalidRequest, NotAllowed, SettingsError, VendorkitError
from vendorkit.frames import Batch, Nested, Schema, combine, to_frame
from vendorkit.http.budget import AT_ONCE
from vendorkit.pull.progress import Progress, progress_to, reporting
from vendorkit.pull.pull import utc_now
from vendorkit.pull.result import Result, table_of
from vendorkit.pull.threads import Threads, result_of
from vendorkit.resource import Source

ERROR: Final = "for_each_error"
BULK: Final = 1_000  # values per query; Medipim accepts no more


@dataclass(frozen=True)
class Bulk:
    """A filter that accepts many values, and the column of a record that contains the value it matched."""

    wire: str
    column: str


@dataclass(frozen=True)
class Answer:
    """The outcome of one query: some rows of the table of `result`, or the text of an error."""

    result: Result | None = None
    rows: Sequence[int] = ()
    error: str | None = None


@dataclass
class Each:
    """
    The distinct queries for the rows of a DataFrame.

    Args:
        source: The client that sends them.
        schema: The columns to read, including the column of `bulk`.
        asks: The queries.
        bulk: The filter whose values several queries can share; None if each query is sent by itself.

    Attributes:
        answers: The outcomes, by index in `asks`.
        started_at: The start time; ISO 8601, UTC.
    """

    source: Source
    schema: Schema
    asks: Sequence[Ask]
    bulk: Bulk | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    started_at: str = field(default_factory=utc_now)

    def run(self, name: str) -> None:
        """
        Send the queries, a few at once, with a progress bar; the error of a query is noted in its answer.

        Raises:
            AuthError, SettingsError: The credentials were refused or are missing.
            Cancelled: The run was cancelled.
        """
        step = 1 if self.bulk is None else BULK
        jobs = deque(range(first, min(first + step, len(self.asks))) for first in range(0, len(self.asks), step))
        progress, stop = Progress(total=len(self.asks)), threading.Event()
        threads = Threads(AT_ONCE, "each")
        try:
            # progress_to() suppresses the progress bars of the single queries.
            with cancellable(stop), reporting(progress, name, quiet=False) as report, progress_to(lambda _: None):
                submitted = deque[Future[dict[int, Answer]]]()
                while jobs or submitted:
                    # Submit only a few jobs ahead, so that few requests follow a refusal of the credentials.
                    while jobs and len(submitted) < 2 * AT_ONCE:
                        submitted.append(threads.submit(partial(self._answer, jobs.popleft())))
                    answers: dict[int, Answer] = result_of(submitted.popleft(), threads)
                    self.answers |= answers
                    progress.rows, progress.pages = len(self.answers), progress.pages + 1
                    report()
        finally:
            stop.set()
            threads.close()

    def _answer(self, indexes: Sequence[int]) -> dict[int, Answer]:
        ask = self.asks[indexes[0]]
        if self.bulk is not None and len(indexes) > 1:
            values = [self.asks[index].filters[self.bulk.wire] for index in indexes]
            ask = replace(ask, filters={**ask.filters, self.bulk.wire: values})
        try:
            result = table_of(self.source, ask, self.schema)
        except InvalidRequest as exc:
            if len(indexes) == 1:
                return {indexes[0]: Answer(error=str(exc))}
            half = len(indexes) // 2  # narrow the refusal down to the refused value
            return {**self._answer(indexes[:half]), **self._answer(indexes[half:])}
        except VendorkitError as exc:
            if isinstance(exc, (AuthError, Cancelled, SettingsError)) and not isinstance(exc, NotAllowed):
                raise
            return dict.fromkeys(indexes, Answer(error=str(exc)))
        if len(indexes) > 1:
            return self._divide(indexes, result)
        return {indexes[0]: Answer(result, range(len(result.table)), result.warning or None)}

    def _divide(self, indexes: Sequence[int], result: Result) -> dict[int, Answer]:
        """Assign the records of a shared query to the queries whose value they contain."""
        assert self.bulk is not None  # noqa: S101 - queries are shared only with bulk
        rows_of, column = defaultdict[Any, list[int]](list), result.table[self.bulk.column]
        for row, cell in enumerate(column.to_pylist()):
            for value in dict.fromkeys(cell or ()) if isinstance(cell, list) else (cell,):
                rows_of[value].append(row)
        matches = {index: rows_of.get(self.asks[index].filters[self.bulk.wire], []) for index in indexes}
        answers = {index: Answer(result, rows, result.warning or None) for index, rows in matches.items()}
        if len({row for rows in matches.values() for row in rows}) < len(result.table):
            # The vendor also matched another spelling of a value. Send the queries without a match one by one.
            for index, rows in matches.items():
                answers |= {} if rows else self._answer([index])
        return answers

    def table(self, indexes: Sequence[int | None], nested: Nested) -> tuple[pd.DataFrame, Any]:
        """
        Return the records of the queries at *indexes* as a frame, and for each row its position in *indexes*.

        A query without records, and the index None, has one row of nulls. One warning names undeclared fields.
        """
        results = {id(answer.result): answer.result for answer in self.answers.values() if answer.result is not None}
        table, drift = combine([Batch(result.table, result.drift) for result in results.values()], self.schema)
        drift.warn(self.schema.name)
        ends = np.cumsum([0, *(result.table.num_rows for result in results.values())]).tolist()
        first_row = dict(zip(results, ends, strict=False))
        taken: list[int | None] = []
        counts = []
        for index in indexes:
            answer = Answer() if index is None else self.answers[index]
            rows: list[int | None] = [first_row[id(answer.result)] + row for row in answer.rows]
            taken += rows or [None]
            counts.append(len(rows) or 1)
        frame = to_frame(table.take(pa.array(taken, pa.int64())), nested)
        return frame, np.repeat(np.arange(len(indexes)), counts)

    @property
    def complete(self) -> bool:
        """Whether every query returned all its records."""
        return all(answer.result is not None and answer.result.complete for answer in self.answers.values())

    @property
    def pages(self) -> int:
        """The number of received pages."""
        return sum({id(item.result): item.result.pull.pages for item in self.answers.values() if item.result}.values())
