"""
The end of a call: a total time that nothing can extend, and events that end it sooner.

Both are kept in context variables, so that every wait below a call sees them: for a socket, for the rate budget, for a
pause between attempts, for another thread's token or nonce.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from vendorkit.errors import Cancelled, DeadlineExceeded, UsageError

SLICE_S = 0.2  # the longest wait between two looks at the events

_events: ContextVar[tuple[threading.Event, ...]] = ContextVar("vendorkit_cancel", default=())
_deadline: ContextVar[Deadline | None] = ContextVar("vendorkit_deadline", default=None)


@contextmanager
def cancellable(event: threading.Event) -> Iterator[None]:
    """
    Let *event* stop all work inside this block within half a second, waits included; the work raises `Cancelled`.

    It is known in this thread, and in others that run in a copy of its context: `copy_context().run`.
    """
    if not callable(getattr(event, "is_set", None)):
        what = f"An event must have is_set(), and a value of type {type(event).__name__} has not."
        raise UsageError(what, remedy="Give a threading.Event.")
    before = _events.set((*_events.get(), event))
    try:
        yield
    finally:
        _events.reset(before)


def check_cancelled() -> None:
    """Raise `Cancelled` if an event of a `cancellable` block around this code is set."""
    if any(event.is_set() for event in _events.get()):
        what = "The call was cancelled."
        raise Cancelled(what)


@dataclass
class Deadline:
    """The end of one call: a moment on the monotonic clock, and events that end it sooner."""

    total_s: float
    events: tuple[threading.Event, ...] = field(default_factory=_events.get)
    started: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Return the seconds left, not below zero."""
        return max(0.0, self.started + self.total_s - time.monotonic())

    def check(self) -> None:
        """Raise `Cancelled` or `DeadlineExceeded` if the call has ended."""
        if any(event.is_set() for event in self.events):
            what = "The call was cancelled."
            raise Cancelled(what)
        if self.left_s() <= 0:
            what = f"The call did not finish within {self.total_s:g} seconds."
            raise DeadlineExceeded(what, remedy="Ask for less, or try again when the vendor is quicker.")

    def sleep(self, seconds: float) -> None:
        """Wait *seconds*, or until the call ends."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, SLICE_S))
        self.check()

    @contextmanager
    def hold(self) -> Iterator[None]:
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
    Call *step* with a number of seconds to wait until it returns True; return False after *total_s*.

    Raises:
        Cancelled, DeadlineExceeded: The call that waits has ended.
    """
    until = time.monotonic() + total_s
    while (left := until - time.monotonic()) > 0:
        if (deadline := _deadline.get()) is not None:
            deadline.check()
        if step(min(left, SLICE_S)):
            return True
    return False
