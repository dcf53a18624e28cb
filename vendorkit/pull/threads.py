"""The worker threads of a download: they run in copies of the caller's context, and waiting for them is cancellable."""

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
SLICE_S: Final = 0.1  # maximum time between two checks for cancellation


class Threads:
    """A pool of at most *size* threads, which start on demand; their names help with debugging."""

    def __init__(self, size: int, name: str) -> None:
        self.process = this_process()
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=f"vendorkit-{name}")

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """
        Run *work* in a thread and in a copy of this context, which contains the cancellation events.

        Raises:
            UsageError: No further thread can be started, for example because a container limits them.
        """
        with tolerated(RuntimeError):
            return self._pool.submit(copy_context().run, work)
        what = "This process cannot start another thread."
        raise UsageError(what, remedy="Raise its limit of threads, or end other programs.")

    def close(self) -> None:
        """Accept no more work and discard work that has not started, without waiting for running threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def check(self) -> None:
        """Raise `Cancelled` after a cancellation, or `UsageError` in a forked child, which lacks these threads."""
        check_cancelled()
        if self.process is not this_process():
            what = "This download started before its process was forked, and its threads exist only in the parent."
            raise UsageError(what, remedy="Run the query again in the child process.")


def result_of(future: Future[T], threads: Threads) -> T:
    """Wait for *future* of *threads*; return its result or raise its error. Cancellation ends the wait."""
    # Not future.result(timeout=...): its TimeoutError cannot be distinguished from one that a signal handler raises.
    while True:
        threads.check()
        if wait([future], timeout=SLICE_S).done:
            return future.result()
