"""
The rate budget of a vendor, for one object or for all processes with the same key, and the limit of concurrent
requests per host.
"""

from __future__ import annotations

import math
import os
import sqlite3
import tempfile
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from vendorkit.auth.forks import PerProcess
from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.deadline import Deadline
from vendorkit.errors import VendorkitError

BUDGET_DIR_VARIABLE: Final = "VENDORKIT_BUDGET_DIR"
AT_ONCE: Final = 8  # concurrent requests of this process to one host; more gain little
_POLL_S: Final = 0.05  # between two attempts to get a slot; also the longest wait for the file
_LANE_POLL_S: Final = 0.01  # between two checks for a free lane

Rates = tuple[tuple[int, float], ...]


def _shared_left(path: Path, rates: Rates, *, take: bool) -> int:
    """
    Return how many slots are free for all processes that use the file *path*; if *take*, one of them is taken.

    The file is opened for each operation, because a forked process must not inherit an open SQLite connection.
    """
    with closing(sqlite3.connect(path, timeout=_POLL_S, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")  # a power cut also ends all processes that count here
        file.execute("BEGIN IMMEDIATE")
        file.execute("CREATE TABLE IF NOT EXISTS requests (name VARCHAR, item_timestamp INTEGER)")
        now = time.time_ns() // 1_000_000
        # Timestamps in the future are from before the clock was set back.
        file.execute("UPDATE requests SET item_timestamp = ? WHERE item_timestamp > ?", (now, now))
        longest = max(seconds for _, seconds in rates)
        file.execute("DELETE FROM requests WHERE item_timestamp < ?", (now - longest * 1000,))
        count = "SELECT COUNT(*) FROM requests WHERE item_timestamp >= ?"
        left = min(n - int(file.execute(count, (now - s * 1000,)).fetchone()[0]) for n, s in rates)
        if take and left > 0:
            file.execute("INSERT INTO requests VALUES ('request', ?)", (now,))
        file.execute("COMMIT")
    return left


def _budget_file(name: str) -> Path:
    """Return the file of the budget *name*, in `VENDORKIT_BUDGET_DIR` or a temporary folder of this user."""
    chosen = os.path.expanduser(os.environ.get(BUDGET_DIR_VARIABLE, "").strip())  # noqa: PTH111 - may raise there
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(chosen or f"{tempfile.gettempdir()}/vendorkit{user}")
    with tolerated(FileExistsError):  # not exist_ok, which would also ignore an alarm's TimeoutError
        folder.mkdir(mode=0o700, parents=True)
    status = folder.lstat()
    if not chosen and user and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        what = "other users can access its folder"
        raise PermissionError(what)
    return folder / f"{name}.sqlite"


class Budget(PerProcess):
    """
    Keeps requests within the vendor's documented rate limits: each waits for a slot, and can be cancelled.

    Args:
        rates: Pairs (requests, seconds); empty for no limit.
        shared_as: The name of a budget that all processes of a machine share, in a file that is created when the first
            slot is taken; None for this object only. A warning reports a file that cannot be used.
    """

    def __init__(self, rates: Rates = (), shared_as: str | None = None) -> None:
        self.rates, self._shared_as = rates, shared_as
        super().__init__()

    def begin(self) -> None:
        """Start a new count; a shared budget keeps the count in its file."""
        self._lock = threading.Lock()
        # The times of the last requests, on the monotonic clock.
        self._taken: deque[float] = deque(maxlen=max((n for n, _ in self.rates), default=0))

    def take(self, deadline: Deadline) -> None:
        """Take one slot, waiting for it inside *deadline*."""
        while self.rates and self._left(take=True) <= 0:
            deadline.sleep(_POLL_S)

    def left(self) -> int | None:
        """Return how many requests may be sent now without waiting; None for no limit."""
        return max(0, self._left(take=False)) if self.rates else None

    def _left(self, *, take: bool) -> int:
        """Return the number of free slots, of which one is taken if *take*; 0 if the file is locked or just failed."""
        if self._shared_as is None:
            return self._own_left(take=take)
        try:
            return _shared_left(_budget_file(self._shared_as), self.rates, take=take)
        except (OSError, sqlite3.Error) as exc:
            if from_outside(exc) is not None:
                raise
            if "locked" not in str(exc):  # gone or damaged, or the disk is full
                self._unshare(exc)
            return 0

    def _own_left(self, *, take: bool) -> int:
        with self._lock:
            now = time.monotonic()
            left = min(n - sum(taken_at >= now - seconds for taken_at in self._taken) for n, seconds in self.rates)
            if take and left > 0:
                self._taken.append(now)
        return left

    def _unshare(self, exc: Exception) -> None:
        self._shared_as = None
        message = f"The rate budget is not shared with other processes that use the same key ({exc})."
        warnings.warn(f"{message} Set {BUDGET_DIR_VARIABLE} to a writable folder.", stacklevel=2)

    def pause_s(self, requests: int) -> float:
        """Return the approximate total time, in seconds, that *requests* requests would wait for their slots."""
        waiting = requests - (self.left() or 0)
        return max((math.ceil(waiting / n) * seconds for n, seconds in self.rates if waiting > 0), default=0.0)


class Lanes(PerProcess):
    """
    Limits the concurrent requests to one host: at first to `AT_ONCE`, to half as many after each 429 or 503.

    Each other response raises the limit again, slowly. Requests queue in a list, whose single operations are atomic,
    so that an exception from outside cannot leave a lock behind.
    """

    def begin(self) -> None:
        """Start with an empty queue."""
        self._queue: list[object] = []
        self.width, self._narrowed_at = float(AT_ONCE), 0.0

    @contextmanager
    def enter(self, deadline: Deadline) -> Iterator[None]:
        """Wait for a free lane until *deadline*, and occupy it inside this block."""
        ticket = object()
        try:
            self._queue.append(ticket)
            while self._queue.index(ticket) >= int(self.width):
                deadline.sleep(_LANE_POLL_S)
            began = time.monotonic()
            try:
                yield
            except VendorkitError as exc:
                # Concurrent requests are refused together; that halves the limit only once.
                if exc.status in {429, 503} and began > self._narrowed_at:
                    self.width, self._narrowed_at = max(1.0, self.width / 2), time.monotonic()
                raise
            self.width = min(float(AT_ONCE), self.width + 1 / self.width)
        finally:
            with suppress(ValueError):  # a forked child has a new queue
                self._queue.remove(ticket)


_lanes: dict[str, Lanes] = {}


def lanes_of(origin: str) -> Lanes:
    """Return the lanes of an origin, which all sessions of this process share."""
    return _lanes.get(origin) or _lanes.setdefault(origin, Lanes())
