"""The driver of paging flows: sends the calls that a flow yields, a few at once, and returns their pages in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
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

AHEAD: Final = 2 * AT_ONCE  # running or finished calls that are not read yet; one slow call must not stall the rest
BLOCKS: Final = 3  # fetched blocks of a stream that may wait to be read


class _Exchange:
    """One call that runs in a thread of the pool, and a short queue of its pages that are not read yet."""

    def __init__(self, call: Call, fetch: Fetch, on_page: Callable[[Page], None], threads: Threads) -> None:
        self.call, self._on_page, self.stop = call, on_page, Stop()
        self._pages = cast("Generator[Page, None, None]", fetch(call, self.stop))
        self._items: queue.Queue[Any] = queue.Queue(BLOCKS)
        self.used = False  # whether a page was requested
        self._threads = threads
        threads.submit(self._fill)

    def _fill(self) -> None:
        try:
            with closing(self._pages):
                for page in self._pages:
                    self._on_page(page)
                    self._put(page)
            self._put(None)
        except BaseException as exc:  # noqa: BLE001 - raised again by next()
            self._put(exc)

    def _put(self, item: Any) -> None:
        while not self.stop.is_set():
            with suppress(queue.Full):
                return self._items.put(item, timeout=SLICE_S)
        return None

    def next(self, on_wait: Callable[[], None]) -> Page | None:
        """Return the next page, None at the end; raise the call's error. Calls *on_wait* repeatedly while waiting."""
        self.used = True
        while True:
            self._threads.check()
            on_wait()
            with suppress(queue.Empty):
                item = self._items.get(timeout=SLICE_S)
                if isinstance(item, BaseException):
                    try:
                        raise item
                    finally:
                        del item  # else this frame, which is in the error's traceback, would keep the error alive
                return cast("Page | None", item)

    def end(self) -> None:
        """Stop the call and discard its pages and error, whose traceback would keep this object alive."""
        if self._threads.process is not this_process():
            return  # the fork may have copied a lock while it was held
        self.stop.set()
        with suppress(queue.Empty):
            while True:
                self._items.get_nowait()


class Queue:
    """
    The queued calls of a flow, sent in order and a few at once; their pages are returned in the same order.

    Args:
        fetch: Sends one call and yields its pages; called in several threads.
        on_page: Called for each page as it arrives, in the thread that fetched it.
        on_wait: Called repeatedly in the consumer's thread while it waits.

    Attributes:
        threads: The threads that send calls.
        begun: The number of started calls, including those sent ahead of the queue.
    """

    def __init__(self, fetch: Fetch, on_page: Callable[[Page], None], on_wait: Callable[[], None]) -> None:
        self._fetch, self._on_page, self._on_wait = fetch, on_page, on_wait
        self.threads, self.begun = Threads(AT_ONCE, "fetch"), 0
        self._pending, self._started = deque[Call](), deque[_Exchange]()
        self._discarded: list[Stop] = []

    @property
    def discarded(self) -> int:
        """The number of requests whose responses were not used."""
        return sum(stop.requests for stop in self._discarded)

    def _perform(self, step: Call | Sequence[Call] | Do) -> Page | None:
        if isinstance(step, Call):
            return self._send_now(step)
        if step is Do.NEXT:
            return self._next()
        if step is Do.DROP:
            self._drop()
        else:
            self._pending.extend(step)
            self._start()
        return None

    def _send_now(self, call: Call) -> Page | None:
        check_cancelled()
        self.begun += 1
        with closing(cast("Generator[Page, None, None]", self._fetch(call, threading.Event()))) as pages:
            page = next(pages, None)
        if page is not None:
            self._on_page(page)
        return page

    def _start(self) -> None:
        while self._pending and len(self._started) < AHEAD:
            self.begun += 1
            self._started.append(_Exchange(self._pending.popleft(), self._fetch, self._on_page, self.threads))

    def _next(self) -> Page | None:
        while self._started:
            exchange, page = self._started[0], None
            try:
                page = exchange.next(self._on_wait)
            finally:
                if page is None or not exchange.call.lines:
                    # Also after an error, which ends the exchange.
                    self._started.popleft().end()
                    self._start()
            if page is not None:
                return page
        return None

    def _drop(self) -> None:
        for exchange in self._started:
            if not exchange.used:
                exchange.stop.discarded = True
                self._discarded.append(exchange.stop)
            exchange.end()
        self._started.clear()
        self._pending.clear()

    def drive(self, flow: Flow[T]) -> Generator[Accept, None, T]:
        """
        Run *flow*: yield the pages that it accepts and return its value.

        No further calls are started until the consumer takes the next page. Closing the generator stops all calls.
        """
        reply: Page | None = None
        error: VendorkitError | None = None
        try:
            while True:
                try:
                    step = flow.send(reply) if error is None else flow.throw(error)
                except StopIteration as end:  # only around the flow: a StopIteration of `fetch` must not end it
                    return cast("T", end.value)
                reply = error = None
                if isinstance(step, Accept):
                    yield step
                    continue
                try:
                    reply = self._perform(step)
                except Cancelled:
                    raise  # past the flow, which must not catch it
                except VendorkitError as exc:
                    error = exc
        finally:
            error = None  # as in _Exchange.next(): this frame is in the error's traceback
            flow.close()
            self._drop()
            self.threads.close()


def drive(flow: Flow[T], fetch: Fetch, on_page: Callable[[Page], None] = lambda _: None) -> Generator[Accept, None, T]:
    """Run *flow* with a new `Queue`: yield the pages that it accepts and return its value."""
    return Queue(fetch, on_page, lambda: None).drive(flow)


def run(flow: Flow[T], source: Source) -> T:
    """Run a flow that accepts no pages, and return its value."""
    with closing(drive(flow, source.fetch)) as accepted:
        try:
            next(accepted)
        except StopIteration as end:
            return cast("T", end.value)
    message = "a flow that returns a value accepts no pages"
    raise AssertionError(message)
