"""Threads that work for a download: in a copy of the caller's context, and awaited with a look at Cancel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Final, TypeVar

from vendorkit.auth.forks import this_process
from vendorkit.auth.interrupts import tolerated
from vendorkit.deadline import check_cancelled
from vendorkit.errors import UsageError

T = TypeVar("T")
SLICE_S: Final = 0.1  # the longest wait between two looks at Cancel


class Threads:
    """At most *most* threads, named for people who debug; they are started when they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self.process = this_process()
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=f"vendorkit-{name}")

    def submit(self, work: Callable[[], T]) -> Future[T] | None:
        """
        Let a thread do *work*, in a copy of this context, which carries the events that cancel.

        None if no further thread can be started, as in a container with few: it is for the caller then, although a
        thread that becomes free may do it too.
        """
        with tolerated(RuntimeError):
            return self._pool.submit(copy_context().run, work)
        return None

    def close(self) -> None:
        """Take no more work, and forget what has not begun; nothing is waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Raise what cancels; `UsageError` in a forked child, where none of these threads is."""
        check_cancelled()
        if self.process is not this_process():
            what = "This download was begun before its process was forked, and its threads are in the parent."
            raise UsageError(what, remedy="Query again in the child.")


def finished(future: Future[T], threads: Threads) -> T:
    """Return what *future* of *threads* returns, or raise what it raises, with a look at Cancel again and again."""
    # wait() says by its result that time is up. The TimeoutError of result() is also what a signal handler may raise.
    while True:
        threads.look()
        if wait([future], timeout=SLICE_S).done:
            return future.result()
