"""
The library of Mediagenix, computed from the seed and the number of titles.

Nothing is stored: every fact of a record is computed from its index, which is its id - 1. Functions that also take a
NumPy column, to filter a list, have no branches. Titles come in blocks of ten: three features, six episodes, one
trailer. A series has ten episodes, a brand three series; the titles of a collection are from 132 adjacent ones.

Oddities: titles without rights (the third feature of every fifth block), series without rights (every eleventh),
schedulings after their right ended (every seventeenth), rights that end in the month after the anchor (every seventh),
missing images (an eighth), external ids that are null (index % 9 == 5) or empty (index % 31 == 7), names with quotes,
ampersands and other scripts (about a fifth), durations such as `30m` (every thirteenth), many equal times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

ANCHOR: Final = date(2026, 11, 1)
"""The "today" of the library, independent of the clock."""

_DATA: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
PLATFORMS: Final[list[tuple[str, str]]] = [*map(tuple, _DATA["platforms"])]  # name and Rails zone name
CHANNELS: Final[list[tuple[str, str]]] = [*map(tuple, _DATA["channels"])]
IMAGE_TYPES: Final[list[tuple[str, str, int, int]]] = [*map(tuple, _DATA["image_types"])]
OUTLETS: Final[list[str]] = _DATA["outlets"]
LICENSORS: Final[list[str]] = _DATA["licensors"]
_FIRST: Final[list[str]] = _DATA["first"]
_SECOND: Final[list[str]] = _DATA["second"]
REQUIREMENTS: Final = (
    [("business_model", value) for value in ("SVOD", "TVOD", "AVOD", "EST")]
    + [("device", value) for value in ("TV", "Mobile", "Tablet", "Desktop", "Console", "Stick", "Car", "Cinema")]
    + [("territory", f"T{number:02}") for number in range(1, 61)]
)
_WORD: Final = 2**32


class Library:
    """The facts of one library. All numbers are indexes, from 0, unless the name says id."""

    def __init__(self, seed: int, titles: int) -> None:
        self._salt = seed % 100_000 * 1_009
        self.titles = titles
        self.blocks = -(-titles // 10)
        self.episodes = titles // 10 * 6 + min(max(titles % 10 - 3, 0), 6)
        self.series = -(-self.episodes // 10)
        self.collections = -(-titles // 66)
        self.groups = self.series + self.collections
        self.brands = -(-self.series // 3)
        # Whose images are numbered one after the other.
        self.pictured = {"titles": titles, "title_groups": self.groups, "brands": self.brands}
        self.pictured |= {"contributors": 12, "franchises": 5}
        self.jobs = max(30, titles // 10)
        self.title_rights = 4 * self.blocks

    def scatter(self, index: Any, salt: int) -> Any:
        """Return a pseudo-random number below 2**32 for an index, or for each index of a NumPy column."""
        mixed = (index + (self._salt + salt) * 7_919) % 2**31 * 2_654_435_761 % _WORD
        mixed = (mixed ^ (mixed >> 15)) % 2**31 * 2_246_822_519 % _WORD
        return mixed ^ (mixed >> 13)

    def phrase(self, index: int, salt: int) -> str:
        """Return two or three words for a name."""
        number = self.scatter(index, salt)
        return f"{_FIRST[number % 24]} {_SECOND[number // 24 % 24]}"

    # -- titles and their groups

    def kind(self, title: int) -> str:
        """Return `feature`, `episode` or `trailer`."""
        place = title % 10
        return "feature" if place < 3 else "episode" if place < 9 else "trailer"

    def episode(self, title: int) -> tuple[int, int] | None:
        """Return series and episode number (from 1) of an episode, None for other titles."""
        place = title % 10 - 3
        if not 0 <= place < 6:
            return None
        series, number = divmod(title // 10 * 6 + place, 10)
        return series, number + 1

    def episodes_of(self, series: int) -> list[int]:
        """Return the titles of a series, in order."""
        return [e // 6 * 10 + 3 + e % 6 for e in range(10 * series, min(10 * series + 10, self.episodes))]

    def members(self, collection: int) -> list[int]:
        """Return the titles of a collection, from 66 titles and the next 66."""
        candidates = range(66 * collection, min(66 * collection + 132, self.titles))
        return [title for title in candidates if self._chosen(title, collection)]

    def titles_in(self, group: int) -> list[int]:
        """Return the titles of a title group: the groups are first the series, then the collections."""
        return self.episodes_of(group) if group < self.series else self.members(group - self.series)

    def groups_of(self, title: int) -> list[int]:
        """Return the title groups of a title: its series, then its collections."""
        episode = self.episode(title)
        place = title // 66
        found = [c for c in (place - 1, place) if c >= 0 and self._chosen(title, c)]
        return ([episode[0]] if episode else []) + [self.series + c for c in found]

    def _chosen(self, title: int, collection: int) -> bool:
        return bool(self.scatter(title * 2 + collection % 2, 1) % 5 == 0)

    def brand_titles(self, brand: int) -> list[int]:
        """Return the features of a brand: every tenth feature belongs to one."""
        features = range(10 * brand, 3 * self.blocks, 10 * self.brands)
        titles = [feature // 3 * 10 + feature % 3 for feature in features]
        return [title for title in titles if title < self.titles]

    def licensor(self, title: Any) -> Any:
        """Return the licensor of a title, or of each of a column; 0 for none."""
        place = title % 10
        is_episode = (place >= 3) & (place < 9)
        of_series = self.series_licensor((title // 10 * 6 + place - 3) // 10)
        return is_episode * of_series + (1 - is_episode) * self.block_licensor(title // 10)

    def series_licensor(self, series: Any) -> Any:
        """Return the licensor of a series and its episodes, 0 for none."""
        return self.scatter(series, 3) % 13

    def block_licensor(self, block: Any) -> Any:
        """Return the licensor of the features and the trailer of a block, 0 for none."""
        return self.scatter(block, 4) % 13

    # -- rights: four places per block of titles, then two per series; not every place has a right

    def has_right(self, right: Any) -> Any:
        """Return whether a place, or each of a column, has a right."""
        after = right - self.title_rights
        title = right // 4 * 10 + right % 4 - (right % 4 > 0)
        of_title = (right >= 0) & (title < self.titles) & ((right % 4 < 3) | (right // 4 % 5 != 4))
        of_series = (after // 2 < self.series) & (after // 2 % 11 != 7) & ((after % 2 == 0) | (after // 2 % 3 == 0))
        return ((after < 0) & of_title) | ((after >= 0) & of_series)

    def deal(self, right: Any) -> Any:
        """Return the deal of a right, or of each of a column; -1 for none. A licensor has two deals."""
        after = right - self.title_rights
        of_title = self.block_licensor(right // 4)
        licensor = (after < 0) * of_title + (after >= 0) * self.series_licensor(after // 2)
        return (licensor > 0) * (right % 3 != 2) * (2 * licensor - 1 + right % 2) - 1

    @cached_property
    def rights(self) -> Any:
        """All rights, as a column."""
        place = np.arange(self.title_rights + 2 * self.series, dtype=np.int64)
        return place[self.has_right(place)]

    def licensable(self, right: int) -> tuple[str, int]:
        """Return what a right is for: `titles` or `title_groups`, and the index."""
        if right < self.title_rights:
            return "titles", right // 4 * 10 + (0, 0, 1, 2)[right % 4]
        return "title_groups", (right - self.title_rights) // 2

    def rights_of_title(self, title: int) -> list[int]:
        """Return the rights for the title itself; only features have any."""
        first = title // 10 * 4
        places = {0: [first, first + 1], 1: [first + 2], 2: [first + 3]}.get(title % 10, [])
        return [right for right in places if self.has_right(right)]

    def rights_of_group(self, group: int) -> list[int]:
        """Return the rights for a title group; only series have any."""
        first = self.title_rights + 2 * group
        return [right for right in (first, first + 1) if group < self.series and self.has_right(right)]

    def selection(self, right: int) -> str | None:
        """Return the episodes that the second right of a series covers, None for other rights."""
        return "1,7-9" if right >= self.title_rights and (right - self.title_rights) % 2 else None

    def applying(self, title: int) -> list[int]:
        """Return the rights that apply to a title: its rights, or those of its series that include the episode."""
        episode = self.episode(title)
        if not episode:
            return self.rights_of_title(title)
        rights = self.rights_of_group(episode[0])
        return [right for right in rights if not self.selection(right) or episode[1] in {1, 7, 8, 9}]

    def span(self, right: int) -> tuple[int, int]:
        """Return the first day of a right and the day after its last, counted from the anchor."""
        number = self.scatter(right, 7)
        end = number % 30 if right % 7 == 0 else number % 500 - 100
        return end - 90 - number // 500 % 630, end

    def platforms_of(self, kind: str, index: int) -> list[int]:
        """Return the specific platforms of a right, deal, blackout or denied right; an empty list means all."""
        number = self.scatter(index, 8 + len(kind))
        return [p for p in range(6) if number >> (3 * p + 4) & 7] if number % 3 == 0 else []

    def windows_of(self, title: int) -> list[int]:
        """Return the availability windows of a title, each 16 * right + episode number."""
        episode = self.episode(title)
        return [16 * right + (episode[1] if episode else 0) for right in self.applying(title)]

    # -- schedulings: four places per title; not every place has one

    def platform(self, scheduling: Any) -> Any:
        """Return the platform of a place, or of each of a column; -1 if it has no scheduling."""
        title = scheduling // 4
        exists = (scheduling % 4 < self.scatter(title, 5) % 4) & (title % 10 < 9)
        return exists * ((self.scatter(title, 6) + scheduling % 4) % 6 + 1) - 1

    def schedulings_on(self, platform: int) -> Any:
        """Return the schedulings of a platform, as a column."""
        return np.flatnonzero(self._platforms == platform)

    @cached_property
    def _platforms(self) -> Any:
        return self.platform(np.arange(4 * self.titles, dtype=np.int64)).astype(np.int8)

    def schedulings_of(self, title: int) -> list[int]:
        """Return the schedulings of a title."""
        return [place for place in range(4 * title, 4 * title + 4) if self.platform(place) >= 0]

    def shown(self, scheduling: int) -> tuple[int, int, bool]:
        """Return the first day, the day after the last, and whether a right allows them on that platform."""
        title, place = divmod(scheduling, 4)
        rights = self.applying(title)
        number = self.scatter(scheduling, 9)
        if not rights:
            return number % 60 - 30, number % 60, False
        start, end = self.span(rights[place % len(rights)])
        first = start + number % 20
        last = min(end, first + 30 + number // 20 % 60)
        if scheduling % 17 == 0:
            first, last = end + 5, end + 35
        return first, last, any(self._allows(right, first, last, scheduling) for right in rights)

    def covers(self, right: int, scheduling: int) -> bool:
        """Return whether a right allows a scheduling, by days and by platform."""
        first, last, _ = self.shown(scheduling)
        return self._allows(right, first, last, scheduling)

    def _allows(self, right: int, first: int, last: int, scheduling: int) -> bool:
        start, end = self.span(right)
        allowed = self.platforms_of("rights", right)
        return start <= first and last <= end and (not allowed or self.platform(scheduling) in allowed)

    # -- images (four places per owner) and assets (two places per title)

    def has_image(self, place: Any) -> Any:
        """Return whether a place, or each of a column, has an image."""
        return (place >= 0) & (place < 4 * sum(self.pictured.values())) & (self.scatter(place, 10) % 8 != 0)

    @cached_property
    def image_ids(self) -> Any:
        """The ids of all images, as a column."""
        place = np.arange(4 * sum(self.pictured.values()), dtype=np.int64)
        return place[self.has_image(place)] + 1

    def has_asset(self, place: Any) -> Any:
        """Return whether a place, or each of a column, has an asset: one per title, a second for some features."""
        title = place // 2
        second = (title % 10 < 3) & (self.scatter(title, 11) % 3 == 0)
        return (place >= 0) & (title < self.titles) & ((place % 2 == 0) | second)

    @cached_property
    def asset_ids(self) -> Any:
        """The ids of all assets, as a column."""
        place = np.arange(2 * self.titles, dtype=np.int64)
        return place[self.has_asset(place)] + 1


def job_path(job: int) -> str:
    """Return the path of a job; jobs alternate between the three work areas: job 4 is in area 1."""
    return f"/work_areas/{(job - 1) % 3 + 1}/jobs/{job}"


def ids(indexes: Iterable[int]) -> list[int]:
    """Return the ids of some indexes."""
    return [index + 1 for index in indexes]


def day(offset: int) -> str:
    """Return the date *offset* days after the anchor."""
    return (ANCHOR + timedelta(days=offset)).isoformat()


def local_midnight(offset: int) -> str:
    """Return midnight UTC of that day, with the offset of central Europe (4.10: windows have an offset)."""
    moment = ANCHOR + timedelta(days=offset)
    # By month instead of by the last Sunday: the instant is the same.
    summer = 4 <= moment.month <= 10
    return f"{moment.isoformat()}T02:00:00+02:00" if summer else f"{moment.isoformat()}T01:00:00+01:00"
