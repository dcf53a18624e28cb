"""The vendor's rate budget, kept on this side: by one object, or by all processes of a machine with the same key."""

from __future__ import annotations

import math
import os
import sqlite3
import tempfile
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final, cast

from pyrate_limiter import Limiter, Rate, RateItem, SQLiteBucket

from vendorkit.deadline import Deadline

BUDGET_DIR_VARIABLE: Final = "VENDORKIT_BUDGET_DIR"


class _SharedBucket(SQLiteBucket):
    """
    pyrate-limiter's bucket in a file, used by several processes and by threads in each.

    The library counts and inserts in two steps, for which it offers a lock that holds either threads or processes
    apart; SQLite's own does both, and is released however a process ends.
    """

    def put(self, item: RateItem) -> bool:
        """Take a slot, or return False."""
        with self._alone():
            return super().put(item)

    def leak(self, current_timestamp: int | None = None) -> int:
        """Forget what is too old to count."""
        # A thread of the library calls this: what is wrong with the file is told where the next slot is taken.
        with self.lock, suppress(sqlite3.Error):
            if self.conn is not None:
                with self._alone():
                    return super().leak(current_timestamp)
        return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.lock:
            self.conn.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                self.conn.rollback()  # whatever was to stay is committed


def _budget_file(name: str) -> Path:
    """Return where the budget *name* is kept: in `VENDORKIT_BUDGET_DIR`, or this user's own temporary folder."""
    chosen = os.environ.get(BUDGET_DIR_VARIABLE)
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(chosen or f"{tempfile.gettempdir()}/vendorkit{user}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not chosen and user and (found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir()):
        what = "it is not this user's alone"
        raise PermissionError(what)
    return folder / f"{name}.sqlite"


def _shared_bucket(rates: list[Rate], name: str) -> _SharedBucket:
    bucket = _SharedBucket.init_from_file(rates, table="requests", db_path=str(_budget_file(name)))
    # A power cut ends whoever counts here as well.
    bucket.conn.execute("PRAGMA synchronous = OFF")
    return cast("_SharedBucket", bucket)


class Budget:
    """
    The vendor's documented rate, kept on our side: a request waits for its slot, visibly and cancellably.

    Args:
        rates: Pairs (requests, seconds); empty for no limit.
        shared_as: The name under which all processes of a machine keep one budget together, in a file that is made
            when the first slot is taken; None for this object alone. Where there can be no file, a warning says so.
    """

    def __init__(self, rates: tuple[tuple[int, float], ...] = (), shared_as: str | None = None) -> None:
        self.rates = rates
        self._shared_as, self._lock = shared_as, threading.Lock()

    @cached_property
    def _limiter(self) -> Limiter:
        rates = [Rate(n, round(s * 1000)) for n, s in self.rates]
        if self._shared_as is None:
            return Limiter(rates)
        try:
            limiter = Limiter(_shared_bucket(rates, self._shared_as))
        except (OSError, sqlite3.Error) as exc:
            return self._alone(exc)
        weakref.finalize(self, limiter.close)
        return limiter

    def _alone(self, exc: Exception) -> Limiter:
        said = f"The rate budget is kept by this process alone ({exc}); others with the same key do not see it."
        warnings.warn(f"{said} Let {BUDGET_DIR_VARIABLE} name a folder that can be written.", stacklevel=2)
        return Limiter([Rate(n, round(s * 1000)) for n, s in self.rates])

    def take(self, deadline: Deadline) -> None:
        """Take one slot, waiting for it inside *deadline*."""
        while self.rates and not self._try():
            deadline.sleep(0.05)

    def _try(self) -> bool:
        with self._lock:
            limiter = self._limiter
        try:
            return bool(limiter.try_acquire("request", blocking=False))
        except sqlite3.Error as exc:
            self._unshare(exc)
            return False

    def _unshare(self, exc: sqlite3.Error) -> None:
        """Go on alone where the file is gone or damaged, or the disk full."""
        if "locked" in str(exc):  # only by another process, for longer than SQLite waits
            return
        with self._lock:
            self._limiter = self._alone(exc)

    def left(self) -> int | None:
        """Return how many requests may go out at once now; None for no limit."""
        if not self.rates:
            return None
        with self._lock:
            bucket = self._limiter.buckets()[0]
        try:
            bucket.leak(cast("int", bucket.now()))  # type: ignore[no-untyped-call]
            return max(0, min(n for n, _ in self.rates) - int(cast("int", bucket.count())))
        except sqlite3.Error as exc:
            self._unshare(exc)
            return 0

    def pause_s(self, requests: int) -> float:
        """Return about how many seconds *requests* would wait for their slots in all, from now on."""
        more = requests - (self.left() or 0)
        return max((math.ceil(more / n) * seconds for n, seconds in self.rates if more > 0), default=0.0)
