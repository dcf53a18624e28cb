"""The numbers, dates, names and words of Mediagenix's records, for one seed."""

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
_WORD: Final = 2**32


def day(offset: int) -> str:
    """Return the date *offset* days after the anchor."""
    return (ANCHOR + timedelta(days=offset)).isoformat()


def external_id(prefix: str, index: int) -> str | None:
    """Return the customer's id of a record; some are null, a few empty."""
    if index % 9 == 5:
        return None
    return "" if index % 31 == 7 else f"{prefix}-{index + 1}"


class Numbers:
    """Pseudo-random numbers and names of one seed."""

    def __init__(self, seed: int) -> None:
        self._salt = seed % 100_000 * 1_009

    def scatter(self, index: int, salt: int) -> int:
        """Return a pseudo-random number below 2**32 for an index."""
        mixed = (index + (self._salt + salt) * 7_919) % 2**31 * 2_654_435_761 % _WORD
        mixed = (mixed ^ (mixed >> 15)) % 2**31 * 2_246_822_519 % _WORD
        return mixed ^ (mixed >> 13)

    def number(self, id_: int, name: str) -> int:
        """Return a pseudo-random number for a record, another one for each name."""
        return self.scatter(id_, 100 + zlib.crc32(name.encode()) % 10_000)

    def phrase(self, index: int, salt: int) -> str:
        """Return two or three words for a name."""
        number = self.scatter(index, salt)
        return f"{WORDS['first'][number % 24]} {WORDS['second'][number // 24 % 24]}"


def job_path(job: int) -> str:
    """Return the path of a job; jobs alternate between the three work areas: job 4 is in area 1."""
    return f"/work_areas/{(job - 1) % 3 + 1}/jobs/{job}"


def ids(indexes: Iterable[int]) -> list[int]:
    """Return the ids of some indexes."""
    return [index + 1 for index in indexes]


def local_midnight(offset: int) -> str:
    """Return midnight UTC of that day, with the offset of central Europe (4.10: windows have an offset)."""
    moment = ANCHOR + timedelta(days=offset)
    # By month instead of by the last Sunday: the instant is the same.
    hours = 2 if 4 <= moment.month <= 10 else 1
    return f"{moment.isoformat()}T{hours:02}:00:00+{hours:02}:00"
