"""One download: runs a flow, reads its pages in threads, and checks that the result is complete."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, closing, suppress
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from itertools import chain, takewhile
from threading import Event
from typing import Any, Final, Generic, TypeVar

from vendorkit import arguments
from vendorkit.deadline import cancellable
from vendorkit.errors import Cancelled, IncompletePull, VendorkitError
from vendorkit.frames import Page
from vendorkit.pull.drive import Queue
from vendorkit.pull.progress import Progress, reporting
from vendorkit.pull.threads import Threads, result_of
from vendorkit.resource import Accept, Flow, Source

T = TypeVar("T")
Read = Callable[[Sequence[Page]], T]
_REST_S: Final = 0.3  # after Cancel, arrived pages are read for so long
_REST_ROWS: Final = 2_000  # larger pages are not read then


@dataclass(frozen=True)
class Group(Generic[T]):
    """
    Consecutive pages that were read together.

    Attributes:
        value: The value that `read` returned for them.
        pages, rows: The number of pages and of their rows.
        cursor: The cursor with which the flow continues after them; None if it cannot.
        total: The total that the last page announces; None if it does not.
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
        source: The client that fetches them.
        name: The name of the resource, for messages.
        limit: Maximum number of rows; None for all.
        quiet: Show no progress bar.
        find_newcomers: Returns the names of records that appeared since a time of the vendor's clock. It is called
            with the time of the first page, at the same time as the last calls for pages, so that it takes no extra
            time; it is called again at the end if more calls followed.

    Attributes:
        pages, rows: The number of yielded pages and rows.
        total: The total that the vendor announced last; None if it did not.
        fetched_at: The start of the download; ISO 8601, UTC.
        discarded: The number of requests that were sent ahead and whose responses were not needed.
    """

    def __init__(
        self,
        flow: Flow[None],
        source: Source,
        name: str,
        *,
        limit: int | None = None,
        quiet: bool = False,
        find_newcomers: Callable[[float], list[str]] | None = None,
    ) -> None:
        self._flow, self._source, self._limit, self._quiet = flow, source, limit, quiet
        self._find_newcomers, self._begun_at_search = find_newcomers, 0
        self._newcomers: Future[list[str]] | None = None
        self.name = name
        self.pages = self.rows = self.discarded = 0
        self.total: int | None = None
        self.fetched_at = utc_now()
        self.first_at: float | None = None  # the vendor's time of the first page
        self.ends: list[int] = []  # for each page, the number of rows up to its end
        self._announced: list[tuple[int, int]] = []  # each new total, and the page that announced it
        self._progress = Progress()

    def accepted(self) -> Generator[Accept, None, None]:
        """Yield the accepted pages in order, cut at the limit, and report progress."""
        remaining = self._limit
        with reporting(self._progress, self.name, quiet=self._quiet) as report:
            calls = Queue(self._source.fetch, self._note_arrival, report)
            self._threads = calls.threads
            with closing(calls.drive(self._flow)) as accepts:
                for accept in accepts:
                    page = accept.page if remaining is None else accept.page.head(remaining)
                    self.first_at = page.at if self.first_at is None else self.first_at
                    self._count(page.rows, accept.total)
                    report()
                    self._search_newcomers(calls)
                    yield accept if page is accept.page else replace(accept, page=page)
                    if remaining is not None and (remaining := remaining - page.rows) <= 0:
                        return
                if calls.begun != self._begun_at_search:
                    self._newcomers = None
                self.discarded = calls.discarded

    def _search_newcomers(self, calls: Queue) -> None:
        """Search once, as soon as all calls that the total needs have begun; for three pages or more."""
        if self._find_newcomers is None or self._begun_at_search or self.total is None or self.first_at is None:
            return
        size = self.ends[0]
        if 2 * size < self.total <= calls.begun * size:
            self._begun_at_search = calls.begun
            self._newcomers = calls.threads.submit(partial(self._find_newcomers, self.first_at))

    def newcomers(self) -> list[str]:
        """Return the names of records that appeared during a download of three or more pages; else an empty list."""
        if self._find_newcomers is None or self.first_at is None or self.total is None or self.pages < 3:
            return []
        if self._newcomers is None or self._newcomers.cancelled():  # by the end of its threads
            return self._find_newcomers(self.first_at)
        return result_of(self._newcomers, self._threads)

    def read(
        self, read: Read[T], rows: int = sys.maxsize, read_rest: Read[T] | None = None
    ) -> Generator[Group[T], None, None]:
        """
        Call *read* for groups of accepted pages in other threads, and yield its results in order.

        If the download fails, the pages accepted before the error are yielded first; then the error is raised.

        Args:
            read: Converts pages to a value.
            rows: Number of rows at which a group is read at the latest, if that is less than is fastest for such pages.
            read_rest: Like *read*, but shares no state with it, because *read* may still run in another thread. After
                a cancellation, it reads the pages accepted before, as far as a short time allows. None: they are lost.
        """
        threads: Threads | None = None
        submitted: deque[tuple[Future[T], list[Accept]]] = deque()
        group: list[Accept] = []
        failure: VendorkitError | None = None
        try:
            with ExitStack() as closed_at_end:
                accepts = closed_at_end.enter_context(closing(self.accepted()))
                while failure is None:
                    try:
                        accept = next(accepts, None)
                    except Cancelled:
                        raise
                    except VendorkitError as exc:
                        accept, failure = None, exc
                    group += [] if accept is None else [accept]
                    pages = [one.page for one in group]
                    if pages and (accept is None or sum(page.rows for page in pages) >= min(rows, pages[0].group_rows)):
                        readers = pages[0].readers
                        threads = threads or closed_at_end.enter_context(closing(Threads(readers, "read")))
                        submitted.append((threads.submit(partial(read, pages)), group))
                        group = []
                    while submitted and (accept is None or len(submitted) > readers):
                        result = _group(*submitted[0], self._threads)
                        submitted.popleft()
                        yield result
                    if accept is None:
                        break
        except Cancelled:
            yield from _read_rest(read_rest, [*chain.from_iterable(unread for _, unread in submitted), *group])
            raise
        if failure is not None:
            raise failure

    @property
    def moved_pages(self) -> list[int]:
        """The pages between which the announced total changed; the first is 1."""
        return sorted({page for _, second in self._announced[1:] for page in (second - 1, second)})

    def check(self) -> None:
        """Raise `IncompletePull` if the number of yielded rows is not the announced total."""
        if why := self.difference(self.rows):
            raise self.incomplete(why)

    def difference(self, rows: int) -> str | None:
        """Return how *rows*, the number received, contradicts the announced totals; None if it does not."""
        if len(self._announced) > 1:
            return f"the announced total changed from {self._announced[0][0]:,} to {self._announced[1][0]:,}"
        if self._limit is None and self.total is not None and rows != self.total:
            return f"{rows:,} rows arrived, but {self.total:,} were announced"
        return None

    def incomplete(self, why: str, arrived: Any = None) -> IncompletePull:
        """Return the error for a download whose pages contradict each other."""
        what = f"The download of {self.name} is incomplete: {why}. The data probably changed during the download."
        return IncompletePull(what, arrived=arrived, remedy="Query again, or use the stream.")

    def _count(self, rows: int, total: int | None) -> None:
        self.pages += 1
        self.rows += rows
        self.ends.append(self.rows)
        if total is not None and total != self.total:
            self._announced.append((total, self.pages))
            self.total = total
        known = [number for number in (self.total, self._limit) if number is not None]
        self._progress.total = min(known, default=None)

    def _note_arrival(self, page: Page) -> None:
        self._progress.pages += 1
        self._progress.rows += page.rows


def _group(future: Future[T], accepted: list[Accept], threads: Threads) -> Group[T]:
    """Wait for a group to be read."""
    value, rows = result_of(future, threads), sum(accept.page.rows for accept in accepted)
    return Group(value, len(accepted), rows, accepted[-1].cursor, accepted[-1].total)


def _read_rest(read: Read[T] | None, unread: Iterable[Accept]) -> Iterator[Group[T]]:
    """Read pages that arrived before a cancellation, one by one, as far as the time allows."""
    if read is None:
        return
    abandoned = Event()
    until = time.monotonic() + _REST_S

    def submitted(page: Page) -> Future[T]:
        with cancellable(abandoned):
            return threads.submit(partial(read, [page]))

    # In a thread, which is abandoned if one page takes too long, and in a context that was not cancelled.
    with closing(Threads(1, "read")) as threads, suppress(VendorkitError):
        for accept in takewhile(lambda accept: accept.page.rows <= _REST_ROWS, unread):
            future = Context().run(submitted, accept.page)
            if not wait([future], timeout=max(0.0, until - time.monotonic())).done:
                break
            yield Group(future.result(), 1, accept.page.rows, accept.cursor, accept.total)
    abandoned.set()


def check_limit(limit: Any) -> int | None:
    """Return *limit* as an int, or None for None; `UsageError` if it is not a number of records."""
    return None if limit is None else arguments.integer(limit, "limit", "a number of records, 0 or more", low=0)


def utc_now() -> str:
    """Return the current time in UTC as ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
