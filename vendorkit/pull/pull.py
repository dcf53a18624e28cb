"""One download: runs a flow, reads its pages in threads, and checks that the result is complete."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from itertools import takewhile
from threading import Event
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar, cast

from vendorkit import arguments
from vendorkit.auth.interrupts import tolerated
from vendorkit.deadline import cancellable
from vendorkit.errors import Cancelled, IncompletePull, VendorkitError
from vendorkit.frames import Page
from vendorkit.pull.drive import Queue
from vendorkit.pull.progress import Progress, reporting
from vendorkit.pull.threads import Threads, finished
from vendorkit.resource import Accept, Flow, Source

T = TypeVar("T")
_REST_S: Final = 0.2  # for reading what has arrived when somebody presses Cancel
_REST_ROWS: Final = 2_000  # of a page of usual size


@dataclass(frozen=True)
class Group(Generic[T]):
    """
    Pages that were read in one go.

    Attributes:
        value: What `read` made of them.
        pages, rows: How many there are.
        cursor: Where the flow can continue after them; None: it cannot.
        total: The total that the last of them announces; None if it does not.
    """

    value: T
    pages: int
    rows: int
    cursor: Any
    total: int | None


class Pull:
    """
    One download and its state.

    Args:
        flow: A flow that accepts pages.
        source: Fetches them.
        name: Of the resource, for messages.
        limit: At most this many rows; None for all.
        quiet: Whether no bar is shown.
        came: Asks what came since the vendor's time of the first page. It is sent with the last pages, so that no time
            is lost; again after them, if more pages followed.

    Attributes:
        pages, rows: What was given out.
        total: The total that the vendor announced last; None if it did not.
        fetched_at: When it began; ISO 8601, UTC.
        discarded: How many requests were sent ahead for pages that turned out to be others.
    """

    def __init__(
        self,
        flow: Flow[None],
        source: Source,
        name: str,
        *,
        limit: int | None = None,
        quiet: bool = False,
        came: Callable[[float], list[str]] | None = None,
    ) -> None:
        self._flow, self._source, self._limit, self._quiet = flow, source, limit, quiet
        self._came, self._asked, self._begun = came, Future[list[str]](), 0
        self.name = name
        self.pages = self.rows = self.discarded = 0
        self.total: int | None = None
        self.fetched_at = utc_now()
        self.first_at: float | None = None  # the vendor's time of the first page
        self.ends: list[int] = []  # the number of rows up to the end of each page
        self._totals: list[int] = []  # each as it changed, and
        self._moved: list[int] = []  # the pages from which on
        self._progress = Progress()
        self._unread: list[Page] = []

    def accepted(self) -> Generator[Accept, None, None]:
        """Yield the accepted pages in order, the last one cut at the limit; report progress meanwhile."""
        left = self._limit
        with reporting(self._progress, self.name, quiet=self._quiet) as report:
            ahead = Queue(self._source.fetch, self._arrived, report)
            self._threads = ahead.threads
            with closing(ahead.drive(self._flow)) as driven:
                for one in driven:
                    page = one.page if left is None else one.page.head(left)
                    self.first_at = page.at if self.first_at is None else self.first_at
                    self._count(page.rows, one.total)
                    report()
                    self._ask_what_came(ahead)
                    yield one if page is one.page else replace(one, page=page)
                    if left is not None and (left := left - page.rows) <= 0:
                        return
                if ahead.begun != self._begun:
                    self._asked = Future()
                self.discarded = ahead.discarded

    def _ask_what_came(self, ahead: Queue) -> None:
        """Ask it now if the calls for as many pages as the total needs are under way, and these are three or more."""
        if self._came is None or self._begun or self.total is None or self.first_at is None:
            return
        size = self.ends[0]
        if 2 * size < self.total <= ahead.begun * size:
            self._begun = ahead.begun
            self._asked = ahead.threads.submit(partial(self._came, self.first_at)) or self._asked

    def newcomers(self) -> list[str]:
        """Return what came while the pages did; nothing of fewer than three, which come within moments."""
        if self._came is None or self.first_at is None or self.total is None or self.pages < 3:
            return []
        # One that is neither done nor running never will be: its threads have ended.
        asked = self._asked.running() or (self._asked.done() and not self._asked.cancelled())
        return finished(self._asked, self._threads) if asked else self._came(self.first_at)

    def read(self, read: Callable[[Sequence[Page]], T], most: int | None = None) -> Generator[Group[T], None, None]:
        """
        Yield what *read* makes of the accepted pages, in order; it runs in other threads.

        Everything that was accepted before an error is given out first, then the error is raised.

        Args:
            read: Turns pages into a value.
            most: Read a group of pages once it has so many rows, if not before; None: when it is quickest.
        """
        threads: Threads | None = None
        waiting: deque[tuple[Future[T] | None, list[Accept]]] = deque()
        group: list[Accept] = []
        failure: VendorkitError | None = None
        accepted = self.accepted()
        try:
            while failure is None:
                try:
                    one = next(accepted, None)
                except Cancelled:
                    raise
                except VendorkitError as exc:
                    one, failure = None, exc
                group += [] if one is None else [one]
                if group and (one is None or self._is_enough(group, most)):
                    readers = group[0].page.readers
                    threads = threads or Threads(readers, "read")
                    waiting.append((threads.submit(partial(read, _pages(group))), group))
                    group = []
                while waiting and (one is None or len(waiting) > readers):
                    done = _group(waiting[0][0], read, waiting[0][1], self._threads)
                    waiting.popleft()
                    yield done
                if one is None:
                    break
        finally:
            accepted.close()
            if threads is not None:
                threads.close()
            self._unread = [one.page for _, each in (*waiting, (None, group)) for one in each]
        if failure is not None:
            raise failure

    @staticmethod
    def _is_enough(group: Sequence[Accept], most: int | None) -> bool:
        together = group[0].page.together
        return sum(one.page.rows for one in group) >= (together if most is None else min(together, most))

    def read_rest(self, read: Callable[[Sequence[Page]], T]) -> Iterator[T]:
        """Yield what *read* makes of pages of usual size that Cancel left unread, for a moment: Cancel ends soon."""
        until = time.monotonic() + _REST_S
        late = cast("Event", SimpleNamespace(is_set=lambda: time.monotonic() > until))
        # In a thread that is left behind: reading looks at Cancel only now and then.
        threads = Threads(1, "read")
        try:
            with tolerated(VendorkitError, RuntimeError):
                for page in takewhile(lambda page: page.rows <= _REST_ROWS, self._unread):
                    future = Context().run(threads.submit, partial(_read_until, late, partial(read, [page])))
                    if future is None or not wait([future], timeout=max(until - time.monotonic(), 0.0)).done:
                        return
                    yield future.result()
        finally:
            threads.close()

    @property
    def moved_pages(self) -> list[int]:
        """The pages between which the announced total changed; the first is 1."""
        return sorted({page for second in self._moved[1:] for page in (second - 1, second)})

    def check(self) -> None:
        """Raise `IncompletePull` if what was given out, page by page, is not the whole."""
        if why := self.difference(self.rows):
            raise self.incomplete(why)

    def difference(self, rows: int) -> str | None:
        """Return how *rows*, all that arrived, differ from what the vendor announced; None if nothing shows that."""
        if len(self._totals) > 1:
            return f"the announced total went from {self._totals[0]:,} to {self._totals[-1]:,}"
        if self._limit is None and self.total is not None and rows != self.total:
            return f"{rows:,} rows arrived where {self.total:,} were announced"
        return None

    def incomplete(self, why: str, arrived: Any = None) -> IncompletePull:
        """Return the error for a download whose pages do not fit together."""
        what = f"The download of {self.name} is incomplete: {why}; the data probably changed meanwhile."
        return IncompletePull(what, arrived=arrived, remedy="Query again, or use the stream.")

    def _count(self, rows: int, total: int | None) -> None:
        self.pages += 1
        self.rows += rows
        self.ends.append(self.rows)
        if total is not None and total != self.total:
            self._totals.append(total)
            self._moved.append(self.pages)
        if total is not None:
            self.total = total
        known = [number for number in (self.total, self._limit) if number is not None]
        self._progress.total = min(known, default=None)

    def _arrived(self, page: Page) -> None:
        self._progress.pages += 1
        self._progress.rows += page.rows


def _group(
    future: Future[T] | None, read: Callable[[Sequence[Page]], T], accepted: list[Accept], threads: Threads
) -> Group[T]:
    """Return a group once it is read, with a look at Cancel again and again; without a thread it is read here."""
    threads.look()
    value = read(_pages(accepted)) if future is None else finished(future, threads)
    rows = sum(one.page.rows for one in accepted)
    return Group(value, len(accepted), rows, accepted[-1].cursor, accepted[-1].total)


def _read_until(late: Event, read: Callable[[], T]) -> T:
    with cancellable(late):
        return read()


def _pages(accepted: list[Accept]) -> list[Page]:
    return [one.page for one in accepted]


def check_limit(limit: Any) -> int | None:
    """Return *limit* as an int, None as None; `UsageError` if it is not a number of records."""
    return None if limit is None else arguments.integer(limit, "limit", "a number of records, 0 or more", low=0)


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
