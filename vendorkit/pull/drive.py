"""The driver of paging flows: sends the calls that a flow wants, a few at once, and hands it the pages in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from contextvars import Context, copy_context
from typing import Any, Final, TypeVar, cast

from vendorkit.auth.forks import this_process
from vendorkit.deadline import check_cancelled
from vendorkit.errors import Cancelled, VendorkitError
from vendorkit.frames import Page
from vendorkit.http.budget import AT_ONCE
from vendorkit.http.call import Call
from vendorkit.http.exchanges import Stop
from vendorkit.pull.threads import SLICE_S, Threads
from vendorkit.resource import Accept, Do, Flow, Source

T = TypeVar("T")
Fetch = Callable[[Call, threading.Event], Iterator[Page]]

AHEAD: Final = 2 * AT_ONCE  # calls that are under way or finished, so that a slow one holds up few
BLOCKS: Final = 3  # blocks of a stream that may wait to be read


class _Answer:
    """One call that runs in a thread of the pool, and its pages, a few at most, until they are wanted."""

    def __init__(self, call: Call, fetch: Fetch, arrived: Callable[[Page], None], threads: Threads) -> None:
        self.call, self._arrived, self.stop = call, arrived, Stop()
        self._pages = cast("Generator[Page, None, None]", fetch(call, self.stop))
        self._items: queue.Queue[Any] = queue.Queue(BLOCKS)
        self._begun = threading.Lock()  # locked by the thread that fetches the pages, for ever
        # If that is the thread that wants them: a fetch that waits to go on must not change its context.
        self._here: Context | None = None
        self.used = False  # whether somebody wanted its pages
        self._threads, self._thread = threads, threads.submit(self._fill)

    def _fill(self) -> None:
        if not self._begun.acquire(blocking=False):
            return
        try:
            with closing(self._pages):
                while (page := self._fetched()) is not None:
                    self._put(page)
            self._put(None)
        except BaseException as exc:  # noqa: BLE001 - it is raised where the page is wanted
            self._put(exc)

    def _put(self, item: Any) -> None:
        while not self.stop.is_set():
            with suppress(queue.Full):
                return self._items.put(item, timeout=SLICE_S)
        return None

    def next(self, waited: Callable[[], None]) -> Page | None:
        """Return the next page, None at the end; raise the call's error. *waited* is called again and again."""
        self.used = True
        if self._thread is None and self._begun.acquire(blocking=False):
            self._here = copy_context()
        while True:
            self._threads.look()
            waited()
            if self._here is not None:
                return self._here.run(self._fetched)
            with suppress(queue.Empty):
                item = self._items.get(timeout=SLICE_S)
                if isinstance(item, BaseException):
                    try:
                        raise item
                    finally:
                        del item  # the frame that raises would keep its own error, and with it all pages
                return cast("Page | None", item)

    def _fetched(self) -> Page | None:
        page = next(self._pages, None)
        if page is not None:
            self._arrived(page)
        return page

    def end(self) -> None:
        """Stop the call and forget its pages: a kept error would keep its frames, and with them this answer."""
        if self._threads.process is not this_process():
            return  # a forked child may have copied the locks of these objects locked
        self.stop.set()
        with suppress(queue.Empty):
            while True:
                self._items.get_nowait()
        if self._here is not None:
            self._here.run(self._pages.close)


class Queue:
    """
    The calls of a flow, sent in order, and their answers in the same order.

    Args:
        fetch: Sends one call and yields its pages; called in several threads.
        arrived: Called for each page as it arrives, in the thread that fetched it.
        waited: Called in the consumer's thread while it waits.

    Attributes:
        threads: Where calls are sent.
        begun: How many calls were taken from the queue, or sent ahead of it.
    """

    def __init__(
        self,
        fetch: Fetch,
        arrived: Callable[[Page], None] = lambda _: None,
        waited: Callable[[], None] = lambda: None,
    ) -> None:
        self._fetch, self._arrived, self._waited = fetch, arrived, waited
        self.threads, self.begun = Threads(AT_ONCE, "fetch"), 0
        self._waiting, self._started = deque[Call](), deque[_Answer]()
        self._discarded: list[Stop] = []

    @property
    def discarded(self) -> int:
        """How many requests were sent whose answers were not used."""
        return sum(stop.requests for stop in self._discarded)

    def _answer(self, step: Call | Sequence[Call] | Do) -> Page | None:
        """Do what a flow yielded, and return what it is sent."""
        if isinstance(step, Call):
            return self._now(step)
        if step is Do.NEXT:
            return self._next()
        if step is Do.DROP:
            self._drop()
        else:
            self._waiting.extend(step)
            self._start()
        return None

    def _now(self, call: Call) -> Page | None:
        check_cancelled()
        self.begun += 1
        with closing(cast("Generator[Page, None, None]", self._fetch(call, threading.Event()))) as pages:
            page = next(pages, None)
        if page is not None:
            self._arrived(page)
        return page

    def _start(self) -> None:
        while self._waiting and len(self._started) < AHEAD:
            self.begun += 1
            self._started.append(_Answer(self._waiting.popleft(), self._fetch, self._arrived, self.threads))

    def _next(self) -> Page | None:
        while self._started:
            answer, page = self._started[0], None
            try:
                page = answer.next(self._waited)
            finally:
                if page is None or not answer.call.lines:
                    # After an error too: _drop() would not find its thread any more.
                    self._started.popleft().end()
                    self._start()
            if page is not None:
                return page
        return None

    def _drop(self) -> None:
        for answer in self._started:
            if not answer.used:
                answer.stop.discarded = True
                self._discarded.append(answer.stop)
            answer.end()
        self._started.clear()
        self._waiting.clear()

    def drive(self, flow: Flow[T]) -> Generator[Accept, None, T]:
        """
        Run *flow*: yield the pages that it accepts, return what it returns.

        Nothing new is sent while the consumer does not take a page. Closing it stops every call that is under way.
        """
        reply: Page | None = None
        error: VendorkitError | None = None
        try:
            while True:
                try:
                    step = flow.send(reply) if error is None else flow.throw(error)
                except StopIteration as end:  # caught only here: one that escapes from `fetch` is not the flow's end
                    return cast("T", end.value)
                reply = error = None
                if isinstance(step, Accept):
                    yield step
                    continue
                try:
                    reply = self._answer(step)
                except Cancelled:
                    raise  # a flow must not catch it
                except VendorkitError as exc:
                    error = exc
        finally:
            error = None  # as in next(): this frame is part of the error's traceback
            flow.close()
            self._drop()
            self.threads.close()


def drive(flow: Flow[T], fetch: Fetch, arrived: Callable[[Page], None] = lambda _: None) -> Generator[Accept, None, T]:
    """Run *flow* with a new queue, see there: yield the pages that it accepts, return what it returns."""
    return Queue(fetch, arrived).drive(flow)


def run(flow: Flow[T], source: Source) -> T:
    """Run a flow that accepts no pages, and return its value."""
    with closing(drive(flow, source.fetch)) as driven:
        try:
            next(driven)
        except StopIteration as end:
            return cast("T", end.value)
    message = "a flow that returns a value accepts no pages"
    raise AssertionError(message)
