"""
Exceptions that come from outside of a call, and threads that are not in a call any more.

A signal handler may raise anything, anywhere: an alarm's TimeoutError, a task queue's time limit, KeyboardInterrupt.
requests, urllib3 and the code here catch OSError and ValueError as failures of the network, and would try the call
again. What raised an exception shows the difference.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, get_ident
from types import FrameType, TracebackType
from typing import Final, TypeVar

from requests import RequestException
from urllib3.exceptions import HTTPError

from vendorkit.auth.forks import PerProcess
from vendorkit.deadline import current_deadline

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
_KNOWN: Final = sys.stdlib_module_names | {"requests", "urllib3", "vendorkit", "idna", "lxml", "pyarrow", "msgspec"}
_CALLING: Final = ("requests.", "vendorkit.http.", "vendorkit.auth.")
_LOOK_S: Final = 0.3


def from_outside(exc: BaseException) -> BaseException | None:
    """Return the exception from outside of the call that *exc* is or wraps; None for a failure of the network."""
    found = [one for one in causes(exc) if _is_foreign(one)]  # urllib3 hands the traceback on to what it wraps it in
    return found[-1] if found else None


def causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield *exc* and what it wraps: requests and urllib3 keep the error below in args, `reason` or `__cause__`."""
    seen: list[BaseException] = []
    todo: list[object] = [exc]
    while todo:
        one = todo.pop()
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            yield one
            todo += [one.__cause__, getattr(one, "reason", None), *reversed(one.args)]


def _is_foreign(exc: BaseException) -> bool:
    step = exc.__traceback__
    if step is not None and not isinstance(exc, (RequestException, HTTPError)):
        # What another thread raises here is a class without arguments; the network's errors say something.
        unsaid = isinstance(exc, (OSError, ValueError, RuntimeError)) and not exc.args
        if unsaid or type(exc).__module__.partition(".")[0] not in _KNOWN:
            return True
    while step is not None:
        # Python gives signal handlers and trace functions the frame that they interrupt; nothing else here has one.
        given = list(step.tb_frame.f_locals.values())
        given += [one for value in given if isinstance(value, tuple) for one in value]  # def handler(*args)
        if any(isinstance(one, FrameType) for one in given):
            return True
        step = step.tb_next
    return False


class tolerated(suppress):  # noqa: N801 - used as contextlib's
    """Suppress exceptions of these types, as `contextlib.suppress`, unless they come from outside."""

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Return whether *exc* ends here."""
        return super().__exit__(kind, exc, trace) and (exc is None or from_outside(exc) is None)


def cut(exc: E) -> E:
    """Return *exc* without its traceback, cause and context: the frames below a call hold what was sent."""
    exc.__cause__ = exc.__context__ = None
    return exc.with_traceback(None)


def shielded(work: Callable[[], T]) -> T:
    """
    Return what *work* returns; cut what it raises, but for the network's errors as requests raises them.

    Inside a call with a deadline the session does so at its end, where it can still see what was raised by what.
    """
    try:
        return work()
    except BaseException as exc:
        failure = from_outside(exc) or exc
        if current_deadline() or (failure is exc and isinstance(exc, (RequestException, HTTPError))):
            raise
    try:
        raise cut(failure)  # not in the handler, which would make the old exception its context
    finally:
        del failure  # else its traceback and this frame would keep each other


class _Looking(PerProcess):
    """The turn to look at the frames of other threads: one thread has it at a time."""

    def begin(self) -> None:
        """Look in this process."""
        self.lock = Lock()


_looking = _Looking()
_looking.begin()


@dataclass(eq=False, kw_only=True)
class AtWork:
    """
    What a thread has begun, and others wait for.

    Attributes:
        thread: The thread.
        seen_at: When it was last known to be at work, on the monotonic clock. Its frames are only looked at after some
            time: few calls take so long, and Python makes objects of the frames of all threads for each look.
    """

    thread: int = field(default_factory=get_ident)
    seen_at: float = field(default_factory=time.monotonic)

    def is_left(self) -> bool:
        """Tell whether the thread has left its call, so that nothing more will come of it."""
        if time.monotonic() > self.seen_at + _LOOK_S:
            if not is_calling(self.thread):
                return True
            self.seen_at = time.monotonic()
        return False


def is_calling(thread: int) -> bool:
    """
    Tell whether *thread*, by its identifier, is inside requests or the code here.

    If it is not, nothing more will come of a call that it began: the thread has ended, or an exception took it out.
    """
    # Python holds an internal lock meanwhile, and takes it again where it deletes a threading.local: a collection of
    # garbage that begins right then would stop the whole process for ever.
    if not _looking.lock.acquire(blocking=False):
        return True  # another thread has switched the collector off; the next look will tell
    collects = gc.isenabled()
    try:
        gc.disable()
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented
    finally:
        if collects:
            gc.enable()
        _looking.lock.release()
    while frame is not None:
        if f"{frame.f_globals.get('__name__')}.".startswith(_CALLING):
            return True
        frame = frame.f_back
    return False
