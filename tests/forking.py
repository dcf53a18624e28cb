"""Runs a function in a forked child of the test and returns its outcome within a time limit."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

# From 3.12 on, Python warns of every fork while other threads run, and these tests fork exactly then.
pytestmark_forks = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


class Child:
    """A forked child that runs *work* and exits."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._from, to = os.pipe()
        self.started = time.monotonic()
        self.pid = os.fork()
        if self.pid:
            os.close(to)
            return
        try:  # only os._exit keeps the child from running the rest of the test session
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            data = pickle.dumps(_outcome(work))
            while data:
                data = data[os.write(to, data) :]
        finally:
            os._exit(0)

    def result(self, within_s: float = 20.0) -> Any:
        """Return the result of *work*, or its error as a string. Fail the test if that takes longer than *within_s*."""
        until, data = self.started + within_s, b""
        try:
            while select.select([self._from], [], [], max(0.0, until - time.monotonic()))[0]:
                if not (part := os.read(self._from, 1 << 16)):
                    return pickle.loads(data)  # noqa: S301 - written by the child above
                data += part
        finally:
            self.end()
        return pytest.fail(f"the child did not end within {within_s:g} s")

    def end(self) -> None:
        """Kill the child if it still runs."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self._from)


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except BaseException as exc:  # noqa: BLE001 - the test examines it
        return f"{type(exc).__name__}: {exc}"


def forked(work: Callable[[], Any], within_s: float = 20.0) -> Any:
    """Run *work* in a forked child and return its result, or its error as a string."""
    return Child(work).result(within_s)


@contextlib.contextmanager
def children(work: Callable[[int], Any], count: int) -> Iterator[list[Child]]:
    """Start *count* children that run `work(number)` at the same time."""
    started = [Child(lambda number=number: work(number)) for number in range(count)]  # type: ignore[misc]
    try:
        yield started
    finally:
        for child in started:
            child.end()
