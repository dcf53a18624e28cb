"""The driver of paging flows: sends the calls that a flow wants, a few at once, and hands it the pages in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from contextvars import Context, copy_context
from typing import Any, Final, TypeVar, cast

from vendorkit.auth.interrupts import tolerated
from vendorkit.deadline import check_cancelled
from vendorkit.errors import Cancelled, VendorkitError
from vendorkit.frames import Page
from vendorkit.http.call import Call
from vendorkit.resource import Accept, Do, Flow, Source

T = TypeVar("T")
Fetch = Callable[[Call, threading.Event], Iterator[Page]]

WIDTH: Final = 4  # calls under way at once; as many more may be finished and wait, so that a slow one holds up few
BLOCKS: Final = 3  # blocks of a stream that may wait to be read
SLICE_S: Final = 0.1  # the longest wait between two looks at Cancel


def submitted(pool: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T] | None:
    """
    Let a thread of *pool* do *work*, in a copy of this context, which carries the events that cancel.

    None if no further thread can be started, as in a container with few: it is for the caller then, although a thread
    of the pool that becomes free may do it too.
    """
    with tolerated(RuntimeError):
        return pool.submit(copy_context().run, work)
    return None


def finished(future: Future[T]) -> T:
    """Return what *future* returns, or raise what it raises, with a look at Cancel again and again."""
    # wait() says by its result that time is up. The TimeoutError of result() is also what a signal handler may raise.
    while True:
        check_cancelled()
        if wait([future], timeout=SLICE_S).done:
            return future.result()


class _Answer:
    """One call that runs in a thread of the pool, and its pages, a few at most, until they are wanted."""

    def __init__(self, call: Call, fetch: Fetch, arrived: Callable[[Page], None], pool: ThreadPoolExecutor) -> None:
        self.call, self._arrived, self._stop = call, arrived, threading.Event()
        self._pages = cast("Generator[Page, None, None]", fetch(call, self._stop))
        self._items: queue.Queue[Any] = queue.Queue(BLOCKS)
        self._begun = threading.Lock()  # locked by the thread that fetches the pages, for ever
        # If that is the thread that wants them: a fetch that waits to go on must not change its context.
        self._here: Context | None = None
        self._thread = submitted(pool, self._fill)

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
        while not self._stop.is_set():
            with suppress(queue.Full):
                return self._items.put(item, timeout=SLICE_S)
        return None

    def next(self, waited: Callable[[], None]) -> Page | None:
        """Return the next page, None at the end; raise the call's error. *waited* is called again and again."""
        if self._thread is None and self._begun.acquire(blocking=False):
            self._here = copy_context()
        while True:
            check_cancelled()
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
        self._stop.set()
        with suppress(queue.Empty):
            while True:
                self._items.get_nowait()
        if self._here is not None:
            self._here.run(self._pages.close)


class _Queue:
    """The calls of a flow, sent in order, and their answers in the same order."""

    def __init__(self, fetch: Fetch, arrived: Callable[[Page], None], waited: Callable[[], None]) -> None:
        self._fetch, self._arrived, self._waited = fetch, arrived, waited
        self._pool = ThreadPoolExecutor(WIDTH, thread_name_prefix="vendorkit-fetch")
        self._waiting, self._started = deque[Call](), deque[_Answer]()

    def answer(self, step: Call | Sequence[Call] | Do) -> Page | None:
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
        with closing(cast("Generator[Page, None, None]", self._fetch(call, threading.Event()))) as pages:
            page = next(pages, None)
        if page is not None:
            self._arrived(page)
        return page

    def _start(self) -> None:
        while self._waiting and len(self._started) < 2 * WIDTH:
            self._started.append(_Answer(self._waiting.popleft(), self._fetch, self._arrived, self._pool))

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
            answer.end()
        self._started.clear()
        self._waiting.clear()

    def close(self) -> None:
        self._drop()
        self._pool.shutdown(wait=False, cancel_futures=True)


def drive(
    flow: Flow[T],
    fetch: Fetch,
    arrived: Callable[[Page], None] = lambda _: None,
    waited: Callable[[], None] = lambda: None,
) -> Generator[Accept, None, T]:
    """
    Run *flow*: yield the pages that it accepts, return what it returns.

    Nothing new is sent while the consumer does not take a page. Closing it stops every call that is under way.

    Args:
        flow: The flow.
        fetch: Sends one call and yields its pages; called in several threads.
        arrived: Called for each page as it arrives, in the thread that fetched it.
        waited: Called in the consumer's thread while it waits.
    """
    ahead = _Queue(fetch, arrived, waited)
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
                reply = ahead.answer(step)
            except Cancelled:
                raise  # a flow must not catch it
            except VendorkitError as exc:
                error = exc
    finally:
        error = None  # as in next(): this frame is part of the error's traceback
        flow.close()
        ahead.close()


def run(flow: Flow[T], source: Source) -> T:
    """Run a flow that accepts no pages, and return its value."""
    with closing(drive(flow, source.fetch)) as driven:
        try:
            next(driven)
        except StopIteration as end:
            return cast("T", end.value)
    message = "a flow that returns a value accepts no pages"
    raise AssertionError(message)
