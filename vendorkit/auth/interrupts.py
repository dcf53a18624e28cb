"""
Exceptions raised from outside a call.

A signal handler may raise anything, anywhere: an alarm's TimeoutError, a task queue's time limit, KeyboardInterrupt.
requests, urllib3 and vendorkit catch OSError and ValueError as network failures, and would retry the call. The
traceback of an exception shows which kind it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final, TypeVar

from requests import RequestException
from urllib3.exceptions import HTTPError

from vendorkit.deadline import current_deadline

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
_KNOWN: Final = sys.stdlib_module_names | {"requests", "urllib3", "vendorkit", "idna", "lxml", "pyarrow", "msgspec"}


def from_outside(exc: BaseException) -> BaseException | None:
    """Return the exception from outside the call that *exc* is or wraps; None if *exc* is a network failure."""
    foreign = [cause for cause in causes(exc) if _is_foreign(cause)]  # urllib3 copies tracebacks to its wrappers
    return foreign[-1] if foreign else None


def causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield *exc* and the errors it wraps: requests and urllib3 keep them in args, `reason` or `__cause__`."""
    visited: list[BaseException] = []
    todo: list[object] = [exc]
    while todo:
        error = todo.pop()
        if isinstance(error, BaseException) and not any(error is other for other in visited):
            visited.append(error)
            yield error
            todo += [error.__cause__, getattr(error, "reason", None), *reversed(error.args)]


def _is_foreign(exc: BaseException) -> bool:
    step = exc.__traceback__
    if step is not None and not isinstance(exc, (RequestException, HTTPError)):
        # Another thread can only raise an exception class without arguments here; network errors have a message.
        is_bare = isinstance(exc, (OSError, ValueError, RuntimeError)) and not exc.args
        if is_bare or type(exc).__module__.partition(".")[0] not in _KNOWN:
            return True
    while step is not None:
        # Signal handlers and trace functions receive the interrupted frame as an argument; no other function does.
        values = list(step.tb_frame.f_locals.values())
        values += [item for value in values if isinstance(value, tuple) for item in value]  # def handler(*args)
        if any(isinstance(value, FrameType) for value in values):
            return True
        step = step.tb_next
    return False


class tolerated(suppress):  # noqa: N801 - used as contextlib's
    """Suppress exceptions of these types, as `contextlib.suppress` does, unless they come from outside the call."""

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Return whether *exc* is suppressed."""
        return super().__exit__(kind, exc, trace) and (exc is None or from_outside(exc) is None)


def without_traceback(exc: E) -> E:
    """Return *exc* without traceback, cause and context, whose frames hold the sent headers."""
    exc.__cause__ = exc.__context__ = None
    return exc.with_traceback(None)


def shielded(work: Callable[[], T]) -> T:
    """
    Return what *work* returns, or raise its error without a traceback; network errors of requests keep theirs.

    Within a call that has a deadline, the traceback stays: the session needs it, and removes it at the end of the call.
    """
    try:
        return work()
    except BaseException as exc:
        failure = from_outside(exc) or exc
        if current_deadline() or (failure is exc and isinstance(exc, (RequestException, HTTPError))):
            raise
    try:
        raise without_traceback(failure)  # outside the handler, which would make the old exception its context
    finally:
        del failure  # otherwise its traceback and this frame would keep each other alive
