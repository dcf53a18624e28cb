"""
The end of a call: a total time that nothing can extend, and events that cancel it.

Both are in context variables, so that every wait inside the call observes them: for a socket, the rate budget, a pause
between attempts, or another thread's token or nonce.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from vendorkit.errors import Cancelled, DeadlineExceeded, UsageError

SLICE_S = 0.2  # the longest wait between two checks of the events

_events: ContextVar[tuple[threading.Event, ...]] = ContextVar("vendorkit_cancel", default=())
_deadline: ContextVar[Deadline | None] = ContextVar("vendorkit_deadline", default=None)


@contextmanager
def cancellable(event: threading.Event) -> Iterator[None]:
    """
    Let *event* cancel the work inside this block within half a second, even while it waits: it raises `Cancelled`.

    This applies to the current thread, and to threads that run in a copy of its context: `copy_context().run`.
    """
    if not callable(getattr(event, "is_set", None)):
        what = f"An event must have is_set(), which a value of type {type(event).__name__} does not have."
        raise UsageError(what, remedy="Pass a threading.Event.")
    before = _events.set((*_events.get(), event))
    try:
        yield
    finally:
        _events.reset(before)


def check_cancelled() -> None:
    """Raise `Cancelled` if the event of an enclosing `cancellable` block is set."""
    Deadline(float("inf")).check()


@dataclass
class Deadline:
    """The end of one call: a time on the monotonic clock, and events that cancel the call."""

    total_s: float
    events: tuple[threading.Event, ...] = field(default_factory=_events.get)
    started: float = field(default_factory=time.monotonic)

    def remaining_s(self) -> float:
        """Return the seconds left, not below zero."""
        return max(0.0, self.started + self.total_s - time.monotonic())

    def check(self) -> None:
        """Raise `Cancelled` or `DeadlineExceeded` if the call has ended."""
        if any(event.is_set() for event in self.events):
            what = "The call was cancelled."
            raise Cancelled(what)
        if self.remaining_s() <= 0:
            what = f"The call did not finish within {self.total_s:g} seconds."
            raise DeadlineExceeded(what, remedy="Request less, or try again later.")

    def sleep(self, seconds: float) -> None:
        """Wait for *seconds*; raise if the call ends first."""
        until = time.monotonic() + seconds
        while (remaining_s := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(remaining_s, SLICE_S))
        self.check()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Apply this deadline to every wait on a socket inside this block."""
        before = _deadline.set(self)
        try:
            yield
        finally:
            _deadline.reset(before)


def current_deadline() -> Deadline | None:
    """Return the deadline of the call that this code runs in, if any."""
    return _deadline.get()


def wait_until(step: Callable[[float], bool], total_s: float) -> bool:
    """
    Call *step* until it returns True, or return False after *total_s*. *step* gets the longest time that it may wait.

    Raises:
        Cancelled, DeadlineExceeded: The current call was cancelled, or its deadline has passed.
    """
    until = time.monotonic() + total_s
    while (remaining_s := until - time.monotonic()) > 0:
        if (deadline := _deadline.get()) is not None:
            deadline.check()
        if step(min(remaining_s, SLICE_S)):
            return True
    return False
