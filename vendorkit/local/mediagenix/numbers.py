"""Pseudo-random numbers, dates and names for Mediagenix's records."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

ANCHOR: Final = date(2026, 11, 1)
"""The "today" of the library, independent of the clock."""

Facts = dict[str, Any]
WORDS: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
_LIMIT: Final = 2**32


def day(offset: int) -> str:
    """Return the date *offset* days after the anchor."""
    return (ANCHOR + timedelta(days=offset)).isoformat()


def external_id(prefix: str, index: int) -> str | None:
    """Return the customer's id of a record. Some are null, a few are empty."""
    if index % 9 == 5:
        return None
    return "" if index % 31 == 7 else f"{prefix}-{index + 1}"


class Numbers:
    """Pseudo-random numbers and names of one seed."""

    def __init__(self, seed: int) -> None:
        self._salt = seed % 100_000 * 1_009

    def scatter(self, index: int, salt: int) -> int:
        """Return a pseudo-random number below 2**32 for an index."""
        mixed = (index + (self._salt + salt) * 7_919) % 2**31 * 2_654_435_761 % _LIMIT
        mixed = (mixed ^ (mixed >> 15)) % 2**31 * 2_246_822_519 % _LIMIT
        return mixed ^ (mixed >> 13)

    def number(self, id_: int, name: str) -> int:
        """Return a pseudo-random number for a record and a name."""
        return self.scatter(id_, 100 + zlib.crc32(name.encode()) % 10_000)

    def phrase(self, index: int, salt: int) -> str:
        """Return two or three words that form a name."""
        number = self.scatter(index, salt)
        return f"{WORDS['first'][number % 24]} {WORDS['second'][number // 24 % 24]}"


def job_path(job: int) -> str:
    """Return the path of a job. Jobs alternate between three work areas, so job 4 is in area 1."""
    return f"/work_areas/{(job - 1) % 3 + 1}/jobs/{job}"


def kind_and_id(path: str) -> tuple[str, int]:
    """Return the plural and the id of the record at a path."""
    plural, id_ = path.split("/")[-2:]
    return plural, int(id_)


def ids(indexes: Iterable[int]) -> list[int]:
    """Return the id of each index."""
    return [index + 1 for index in indexes]


def local_midnight(offset: int) -> str:
    """Return midnight UTC of the day *offset* days after the anchor, in the time of central Europe (4.10)."""
    date_ = ANCHOR + timedelta(days=offset)
    # Summer time changes with the month, not on its last Sunday; the instant is the same.
    hours = 2 if 4 <= date_.month <= 10 else 1
    return f"{date_.isoformat()}T{hours:02}:00:00+{hours:02}:00"
