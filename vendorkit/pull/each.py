"""One query per row of a DataFrame, a few at once, and the records of all of them as one frame."""

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
from vendorkit.pull.threads import Threads, finished
from vendorkit.resource import Source

ERROR: Final = "for_each_error"
BULK: Final = 1_000  # values in one query, the most that Medipim takes


@dataclass(frozen=True)
class Bulk:
    """A filter that takes many values at once, and the column in which each record has the value that it matches."""

    wire: str
    column: str


@dataclass(frozen=True)
class Answer:
    """What was found for one query: rows of the table of `result`; or the text of an error."""

    result: Result | None = None
    rows: Sequence[int] = ()
    error: str | None = None


@dataclass
class Each:
    """
    The distinct queries for the rows of a DataFrame.

    Args:
        source: Fetches them.
        schema: The columns to read; that of `bulk` is among them.
        asks: The queries.
        bulk: How several of them can be one; None if they cannot.

    Attributes:
        answers: What was found, in the order of `asks`.
        started_at: When; ISO 8601, UTC.
    """

    source: Source
    schema: Schema
    asks: Sequence[Ask]
    bulk: Bulk | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    started_at: str = field(default_factory=utc_now)

    def run(self, name: str) -> None:
        """
        Send the queries, a few at once; what fails is noted in its answer. A bar, or the subscriber, shows progress.

        Raises:
            AuthError, SettingsError, Cancelled: The credentials were refused or are missing, or somebody pressed stop.
        """
        step = 1 if self.bulk is None else BULK
        jobs = deque(range(first, min(first + step, len(self.asks))) for first in range(0, len(self.asks), step))
        progress, stop = Progress(total=len(self.asks)), threading.Event()
        threads = Threads(AT_ONCE, "each")
        try:
            # Each query would report its own progress.
            with cancellable(stop), reporting(progress, name, quiet=False) as report, progress_to(lambda _: None):
                waiting = deque[tuple[Future[dict[int, Answer]] | None, range]]()
                while jobs or waiting:
                    # Not all at once: the first refusal of the credentials is to be the last.
                    while jobs and len(waiting) < 2 * AT_ONCE:
                        waiting.append((threads.submit(partial(self._answer, jobs[0])), jobs.popleft()))
                    future, job = waiting.popleft()
                    answers: dict[int, Answer] = self._answer(job) if future is None else finished(future, threads)
                    self.answers.update(answers)
                    progress.rows, progress.pages = len(self.answers), progress.pages + 1
                    report()
        finally:
            stop.set()
            threads.close()

    def _answer(self, places: Sequence[int]) -> dict[int, Answer]:
        ask = self.asks[places[0]]
        if self.bulk is not None and len(places) > 1:
            values = [self.asks[place].filters[self.bulk.wire] for place in places]
            ask = replace(ask, filters={**ask.filters, self.bulk.wire: values})
        try:
            result = table_of(self.source, ask, self.schema)
        except InvalidRequest as exc:
            if len(places) == 1:
                return {places[0]: Answer(error=str(exc))}
            half = len(places) // 2  # one of the values is refused, and the others are not to be lost with it
            return {**self._answer(places[:half]), **self._answer(places[half:])}
        except VendorkitError as exc:
            if isinstance(exc, (AuthError, Cancelled, SettingsError)) and not isinstance(exc, NotAllowed):
                raise
            return dict.fromkeys(places, Answer(error=str(exc)))
        if len(places) > 1:
            return self._shared(places, result)
        return {places[0]: Answer(result, range(len(result.table)), result.warning or None)}

    def _shared(self, places: Sequence[int], result: Result) -> dict[int, Answer]:
        """Give each record of a common answer to the values that it has."""
        assert self.bulk is not None  # noqa: S101 - without it, each answer is that of one query
        rows, column = defaultdict[Any, list[int]](list), result.table[self.bulk.column]
        for row, value in enumerate(column.to_pylist()):
            for one in dict.fromkeys(value or ()) if isinstance(value, list) else (value,):
                rows[one].append(row)
        of = {place: rows.get(self.asks[place].filters[self.bulk.wire], []) for place in places}
        found = {place: Answer(result, mine, result.warning or None) for place, mine in of.items()}
        if len({row for mine in of.values() for row in mine}) < len(result.table):
            # The vendor matches another spelling of a value, so that it has to be asked for by itself.
            for place, mine in of.items():
                found |= {} if mine else self._answer([place])
        return found

    def table(self, places: Sequence[int | None], nested: Nested) -> tuple[pd.DataFrame, Any]:
        """
        Return what was found for each of *places* in turn as a frame, and the positions in *places* of its rows.

        A place of which nothing was found, and None, is one row of nulls. One warning names what is not declared.
        """
        results = {id(one.result): one.result for one in self.answers.values() if one.result is not None}
        table, drift = combine([Batch(one.table, one.drift) for one in results.values()], self.schema)
        drift.warn(self.schema.name)
        ends = np.cumsum([0, *(one.table.num_rows for one in results.values())]).tolist()
        first = dict(zip(results, ends, strict=False))
        index: list[int | None] = []
        counts = []
        for place in places:
            answer = Answer() if place is None else self.answers[place]
            mine: list[int | None] = [first[id(answer.result)] + row for row in answer.rows]
            index += mine or [None]
            counts.append(len(mine) or 1)
        frame = to_frame(table.take(pa.array(index, pa.int64())), nested)
        return frame, np.repeat(np.arange(len(places)), counts)

    @property
    def complete(self) -> bool:
        """Whether every query gave all its records."""
        return all(one.result is not None and one.result.complete for one in self.answers.values())

    @property
    def pages(self) -> int:
        """How many pages were received."""
        return sum({id(one.result): one.result.pull.pages for one in self.answers.values() if one.result}.values())
