"""
How fast a vendor is asked: its rate budget, kept by one object or by all processes with the same key, and how many
requests may be under way at once.
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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vendorkit.auth.forks import PerProcess
from vendorkit.auth.interrupts import from_outside
from vendorkit.deadline import Deadline
from vendorkit.errors import VendorkitError

BUDGET_DIR_VARIABLE: Final = "VENDORKIT_BUDGET_DIR"
AT_ONCE: Final = 8  # requests under way to one host, of all clients of this process: more gain little
_POLL_S: Final = 0.05  # between two tries for a slot, and the longest wait for the file
_TURN_S: Final = 0.01  # between two looks whether it is a request's turn

Rates = tuple[tuple[int, float], ...]


class _OwnSlots:
    """The slots of one object: the moments of its last requests, on the monotonic clock."""

    def __init__(self, rates: Rates) -> None:
        self._rates, self._lock = rates, threading.Lock()
        self._taken: deque[float] = deque(maxlen=max((n for n, _ in rates), default=0))

    def take(self) -> bool:
        """Take a slot, or return False."""
        with self._lock:
            free = self.left() > 0
            if free:
                self._taken.append(time.monotonic())
            return free

    def left(self) -> int:
        """Return how many slots are free now."""
        now, taken = time.monotonic(), list(self._taken)
        return min(n - sum(moment >= now - seconds for moment in taken) for n, seconds in self._rates)


@dataclass(frozen=True)
class _SharedSlots:
    """
    The slots of all processes that name the same file.

    The file is opened for each question: an open connection of SQLite must not get into a forked process.
    """

    rates: Rates
    path: Path

    def take(self) -> bool:
        """Take a slot, or return False."""
        with self._alone() as (file, now):
            free = self._count(file, now) > 0
            if free:
                file.execute("INSERT INTO requests VALUES ('request', ?)", (now,))
            return free

    def left(self) -> int:
        """Return how many slots are free now."""
        with self._alone() as (file, now):
            return self._count(file, now)

    def _count(self, file: sqlite3.Connection, now: int) -> int:
        count = "SELECT COUNT(*) FROM requests WHERE item_timestamp >= ?"
        return min(n - int(file.execute(count, (now - s * 1000,)).fetchone()[0]) for n, s in self.rates)

    @contextmanager
    def _alone(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Give the file, which no other thread or process can use meanwhile, and the time in milliseconds."""
        with closing(sqlite3.connect(self.path, timeout=_POLL_S, isolation_level=None)) as file:
            file.execute("PRAGMA synchronous = OFF")  # a power cut ends all who count here as well
            file.execute("BEGIN IMMEDIATE")
            file.execute("CREATE TABLE IF NOT EXISTS requests (name VARCHAR, item_timestamp INTEGER)")
            now = time.time_ns() // 1_000_000
            # Requests of the future were sent before the clock was set back.
            file.execute("UPDATE requests SET item_timestamp = ? WHERE item_timestamp > ?", (now, now))
            longest = max(seconds for _, seconds in self.rates)
            file.execute("DELETE FROM requests WHERE item_timestamp < ?", (now - longest * 1000,))
            yield file, now
            file.execute("COMMIT")


def _budget_file(name: str) -> Path:
    """Return where the budget *name* is kept: in `VENDORKIT_BUDGET_DIR`, or this user's own temporary folder."""
    chosen = os.environ.get(BUDGET_DIR_VARIABLE)
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(chosen or f"{tempfile.gettempdir()}/vendorkit{user}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not chosen and user and (found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir()):
        what = "it is not only this user's"
        raise PermissionError(what)
    return folder / f"{name}.sqlite"


class Budget(PerProcess):
    """
    The vendor's documented rate, kept on our side: a request waits for its slot, visibly and cancellably.

    Args:
        rates: Pairs (requests, seconds); empty for no limit.
        shared_as: The name under which all processes of a machine keep one budget together, in a file that is created
            when the first slot is taken; None for this object and process. If there can be no file, a warning says so.
    """

    def __init__(self, rates: Rates = (), shared_as: str | None = None) -> None:
        super().__init__()
        self.rates, self._shared_as = rates, shared_as
        self.begin()

    def begin(self) -> None:
        """Count anew, where no file counts for all processes."""
        self._own = _OwnSlots(self.rates)

    def take(self, deadline: Deadline) -> None:
        """Take one slot, waiting for it inside *deadline*."""
        while self.rates and not self._ask(lambda slots: slots.take()):
            deadline.sleep(_POLL_S)

    def left(self) -> int | None:
        """Return how many requests may go out at once now; None for no limit."""
        return max(0, self._ask(lambda slots: slots.left())) if self.rates else None

    def _ask(self, question: Callable[[_OwnSlots | _SharedSlots], int]) -> int:
        """Ask the file, or the own slots; 0 while the file is locked, or if it had to be given up."""
        if self._shared_as is None:
            return question(self._own)
        try:
            return question(_SharedSlots(self.rates, _budget_file(self._shared_as)))
        except (OSError, sqlite3.Error) as exc:
            if from_outside(exc) is not None:
                raise
            if "locked" not in str(exc):  # gone or damaged, or the disk is full
                self._unshare(exc)
            return 0

    def _unshare(self, exc: Exception) -> None:
        self._shared_as = None
        said = f"The rate budget is kept by this process only ({exc}); others with the same key do not see it."
        warnings.warn(f"{said} Let {BUDGET_DIR_VARIABLE} name a folder that can be written.", stacklevel=2)

    def pause_s(self, requests: int) -> float:
        """Return about how many seconds *requests* would wait for their slots in all, from now on."""
        more = requests - (self.left() or 0)
        return max((math.ceil(more / n) * seconds for n, seconds in self.rates if more > 0), default=0.0)


class Lanes(PerProcess):
    """
    How many requests may be under way to one host: `AT_ONCE`, and half as many each time it says 429 or 503.

    Each answer that is none of these makes room again, slowly. Requests queue in a list, whose single operations are
    atomic: an exception from outside can leave no lock behind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        """Know no request that is under way."""
        self._queue: list[object] = []
        self.width, self._narrowed = float(AT_ONCE), 0.0

    @contextmanager
    def one(self, deadline: Deadline) -> Iterator[None]:
        """Wait inside *deadline* until it is the turn of one more request, which is under way inside this block."""
        turn = object()
        try:
            self._queue.append(turn)
            while self._queue.index(turn) >= int(self.width):
                deadline.sleep(_TURN_S)
            began = time.monotonic()
            try:
                yield
            except VendorkitError as exc:
                # Requests that were under way together are refused together, and that counts once.
                if exc.status in {429, 503} and began > self._narrowed:
                    self.width, self._narrowed = max(1.0, self.width / 2), time.monotonic()
                raise
            self.width = min(float(AT_ONCE), self.width + 1 / self.width)
        finally:
            with suppress(ValueError):  # in a forked child the queue is another one
                self._queue.remove(turn)


_lanes: dict[str, Lanes] = {}


def lanes_of(origin: str) -> Lanes:
    """Return the lanes to an origin, shared by all sessions of this process."""
    return _lanes.get(origin) or _lanes.setdefault(origin, Lanes())
