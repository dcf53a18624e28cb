"""
When a call has to end: a total time that nothing outlives, and an event that ends it sooner.

Both travel in context variables, so that every wait below a call finds them: for a socket, for the rate budget, for a
pause between attempts, for another thread's token or nonce.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from vendorkit.errors import Cancelled, DeadlineExceeded

SLICE_S = 0.2  # how long a wait may go on before it looks whether it was cancelled

_cancel: ContextVar[threading.Event | None] = ContextVar("vendorkit_cancel", default=None)
_bounds: ContextVar[Bounds | None] = ContextVar("vendorkit_bounds", default=None)


@contextmanager
def cancellable(event: threading.Event) -> Iterator[None]:
    """Let *event* stop all work inside this block, within half a second, waits included: it raises `Cancelled`."""
    before = _cancel.set(event)
    try:
        yield
    finally:
        _cancel.reset(before)


@dataclass
class Bounds:
    """The end of one call: a moment on the monotonic clock, and an event that ends it sooner."""

    total_s: float
    cancel: threading.Event | None = field(default_factory=_cancel.get)
    started: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Return the seconds left, not below zero."""
        return max(0.0, self.started + self.total_s - time.monotonic())

    def check(self) -> None:
        """Raise `Cancelled` or `DeadlineExceeded` where the call has ended."""
        if self.cancel is not None and self.cancel.is_set():
            what = "The call was cancelled."
            raise Cancelled(what)
        if self.left_s() <= 0:
            what = f"The call did not finish within {self.total_s:g} seconds."
            raise DeadlineExceeded(what, remedy="Ask for less, or try again when the vendor is quicker.")

    def sleep(self, seconds: float) -> None:
        """Wait *seconds*; the end of the call ends the wait."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, SLICE_S))
        self.check()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Make these the bounds of every wait on a socket inside this block."""
        before = _bounds.set(self)
        try:
            yield
        finally:
            _bounds.reset(before)


def current_bounds() -> Bounds | None:
    """Return the bounds of the call that this code runs in, if any."""
    return _bounds.get()


def wait_until(step: Callable[[float], bool], total_s: float) -> bool:
    """
    Call *step* with a number of seconds to wait until it returns True; return False after *total_s*.

    Raises:
        Cancelled, DeadlineExceeded: The call that waits has ended.
    """
    until = time.monotonic() + total_s
    while (left := until - time.monotonic()) > 0:
        if (bounds := _bounds.get()) is not None:
            bounds.check()
        if step(min(left, SLICE_S)):
            return True
    return False
