"""
The video library of the local Mediagenix, computed from the seed and the number of titles.

Nothing is stored: a fact of a record is arithmetic on its index (from 0; its id is the index + 1). The arithmetic does
without branches where it also has to run over a numpy column, which is made when a list has to be filtered. Titles
come in blocks of ten: three features, six episodes, one trailer. Ten episodes make a series, three series a brand;
66 neighbouring titles feed a collection.

Oddities and where they are: titles without rights (third feature of each fifth block), series without rights (each
eleventh), schedulings after their right (each seventeenth), rights ending in the month after the anchor (each
seventh), missing images (an eighth), external ids null (index % 9 == 5) or empty (index % 31 == 7), names with quotes,
ampersands and other scripts (about a fifth), durations such as `30m` (each thirteenth), equal times all over.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np

ANCHOR: Final = date(2026, 11, 1)
"""The "today" of the library, whatever the clock says."""

PLATFORMS: Final = [  # name and Rails zone name (Mediagenix's documents)
    ("Hearth TV", "London"),
    ("Polder Plus", "Amsterdam"),
    ("Atlantic Stream", "Eastern Time (US & Canada)"),
    ("Sol Cine", "Madrid"),
    ("Fjord Play", "Copenhagen"),
    ("Baltic Box", "Kyiv"),
]
OUTLETS: Final = ["Open Air", "YourView", "Partner Feeds"]
LICENSORS: Final = [
    "- No licensor -",
    "Aurora Pictures",
    "Blue Heron Films",
    "Cobalt & Sons",
    "Dune Street",
    "Ember Distribution",
    "Fox Hollow",
    "Granite Arts",
    "Halcyon Média",
    "Isla Cine",
    "Juniper Rights",
    'Kestrel "K" Films',
    "Lantern House",
]
REQUIREMENTS: Final = (
    [("business_model", value) for value in ("SVOD", "TVOD", "AVOD", "EST")]
    + [("device", value) for value in ("TV", "Mobile", "Tablet", "Desktop", "Console", "Stick", "Car", "Cinema")]
    + [("territory", f"T{number:02}") for number in range(1, 61)]
)
CHANNELS: Final = [("Hearth One", "London"), ("Polder 2", "Amsterdam"), ("Sol 3", "Madrid"), ("Fjord 4", "Copenhagen")]
IMAGE_TYPES: Final = [("Poster", "2:3", 1000, 1500), ("Still", "16:9", 1920, 1080), ("Square", "1:1", 1200, 1200),
                      ("Banner", "21:9", 2520, 1080)]  # fmt: skip
_FIRST: Final = ("Silent", "Golden", "Last", "Broken", "Winter", "Distant", "Hidden", "Salt & Stone:", "Northern",
                 '"Quiet"', "Été d'Inès,", "Little", "Iron", "Paper", "Čas ohně:", "Second", "Wild", "Lost",
                 "Midnight", "<Live>", "Hollow", "Crimson", "Open", "Restless")  # fmt: skip
_SECOND: Final = ("Harbour", "River", "Letters", "Garden", "Witness", "Orchard", "Signal", "Bridge", "Tides", "Road",
                  "Kitchen", "Archive", "東京", "Summer", "Engine", "Market", "Choir", "Border", "Lighthouse", "Field",
                  "Promise", "Station", "Island", "Echo")  # fmt: skip
_WORD: Final = 2**32


class Library:
    """Every fact of one library. All numbers taken and given are indexes from 0 unless they say id."""

    def __init__(self, seed: int, titles: int) -> None:
        self._salt = seed % 100_000 * 1_009
        self.titles = titles
        self.blocks = -(-titles // 10)
        self.episodes = titles // 10 * 6 + min(max(titles % 10 - 3, 0), 6)
        self.series = -(-self.episodes // 10)
        self.collections = -(-titles // 66)
        self.groups = self.series + self.collections
        self.brands = -(-self.series // 3)
        self.title_rights = 4 * self.blocks

    def scatter(self, index: Any, salt: int) -> Any:
        """A number below 2**32 that looks random, for an index or a whole numpy column of them."""
        mixed = (index + (self._salt + salt) * 7_919) % 2**31 * 2_654_435_761 % _WORD
        mixed = (mixed ^ (mixed >> 15)) % 2**31 * 2_246_822_519 % _WORD
        return mixed ^ (mixed >> 13)

    def phrase(self, index: int, salt: int) -> str:
        """Two or three words for a name."""
        number = self.scatter(index, salt)
        return f"{_FIRST[number % 24]} {_SECOND[number // 24 % 24]}"

    # -- titles and their groups

    def kind(self, title: int) -> str:
        """`feature`, `episode` or `trailer`."""
        place = title % 10
        return "feature" if place < 3 else "episode" if place < 9 else "trailer"

    def episode(self, title: int) -> tuple[int, int] | None:
        """Series and episode number (from 1) of an episode."""
        place = title % 10 - 3
        if not 0 <= place < 6:
            return None
        series, number = divmod(title // 10 * 6 + place, 10)
        return series, number + 1

    def episodes_of(self, series: int) -> list[int]:
        """Titles of a series, in order."""
        return [e // 6 * 10 + 3 + e % 6 for e in range(10 * series, min(10 * series + 10, self.episodes))]

    def members(self, collection: int) -> list[int]:
        """Titles of a collection, from its own 66 and the following 66."""
        candidates = range(66 * collection, min(66 * collection + 132, self.titles))
        return [title for title in candidates if self._chosen(title, collection)]

    def titles_in(self, group: int) -> list[int]:
        """Titles of a title group: series come first, then collections."""
        return self.episodes_of(group) if group < self.series else self.members(group - self.series)

    def groups_of(self, title: int) -> list[int]:
        """Title groups of a title: its series first, then collections (which are numbered after the series)."""
        episode = self.episode(title)
        place = title // 66
        found = [c for c in (place - 1, place) if c >= 0 and self._chosen(title, c)]
        return ([episode[0]] if episode else []) + [self.series + c for c in found]

    def _chosen(self, title: int, collection: int) -> bool:
        return bool(self.scatter(title * 2 + collection % 2, 1) % 5 == 0)

    def brand_titles(self, brand: int) -> list[int]:
        """Features under a brand: each tenth feature belongs to one."""
        features = range(10 * brand, 3 * self.blocks, 10 * self.brands)
        titles = [feature // 3 * 10 + feature % 3 for feature in features]
        return [title for title in titles if title < self.titles]

    def licensor(self, title: Any) -> Any:
        """Licensor of a title or of a column of them, 0 for none."""
        place = title % 10
        is_episode = (place >= 3) & (place < 9)
        of_series = self.series_licensor((title // 10 * 6 + place - 3) // 10)
        return is_episode * of_series + (1 - is_episode) * self.block_licensor(title // 10)

    def series_licensor(self, series: Any) -> Any:
        """Licensor of a series and its episodes, 0 for none."""
        return self.scatter(series, 3) % 13

    def block_licensor(self, block: Any) -> Any:
        """Licensor of the features and the trailer of a block, 0 for none."""
        return self.scatter(block, 4) % 13

    # -- rights: four places per block of titles, then two per series

    def has_right(self, right: Any) -> Any:
        """Whether a place, or each of a column, holds a right."""
        after = right - self.title_rights
        title = right // 4 * 10 + right % 4 - (right % 4 > 0)
        of_title = (right >= 0) & (title < self.titles) & ((right % 4 < 3) | (right // 4 % 5 != 4))
        of_series = (after // 2 < self.series) & (after // 2 % 11 != 7) & ((after % 2 == 0) | (after // 2 % 3 == 0))
        return ((after < 0) & of_title) | ((after >= 0) & of_series)

    def deal(self, right: Any) -> Any:
        """Deal of a right or of a column of them; -1 outside any deal. Each licensor has two deals."""
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
        """What a right is for: `titles` or `title_groups`, and its index."""
        if right < self.title_rights:
            return "titles", right // 4 * 10 + (0, 0, 1, 2)[right % 4]
        return "title_groups", (right - self.title_rights) // 2

    def rights_of_title(self, title: int) -> list[int]:
        """Rights given to the title itself: features only."""
        first = title // 10 * 4
        places = {0: [first, first + 1], 1: [first + 2], 2: [first + 3]}.get(title % 10, [])
        return [right for right in places if self.has_right(right)]

    def rights_of_group(self, group: int) -> list[int]:
        """Rights given to a title group: series only."""
        first = self.title_rights + 2 * group
        return [right for right in (first, first + 1) if group < self.series and self.has_right(right)]

    def selection(self, right: int) -> str | None:
        """Episodes of a series that its second right covers."""
        return "1,7-9" if right >= self.title_rights and (right - self.title_rights) % 2 else None

    def applying(self, title: int) -> list[int]:
        """Rights that make windows for a title: its own, or those of its series that select it."""
        episode = self.episode(title)
        if not episode:
            return self.rights_of_title(title)
        rights = self.rights_of_group(episode[0])
        return [right for right in rights if not self.selection(right) or episode[1] in {1, 7, 8, 9}]

    def span(self, right: int) -> tuple[int, int]:
        """First day and day after the last of a right, counted from the anchor."""
        number = self.scatter(right, 7)
        end = number % 30 if right % 7 == 0 else number % 500 - 100
        return end - 90 - number // 500 % 630, end

    def platforms_of(self, kind: str, index: int) -> list[int]:
        """Specific platforms of a right, deal, blackout or denied right. None of them means all platforms."""
        number = self.scatter(index, 8 + len(kind))
        return [p for p in range(6) if number >> (3 * p + 4) & 7] if number % 3 == 0 else []

    def windows_of(self, title: int) -> list[int]:
        """Availability windows of a title. A window's number is 16 times its right plus the episode number."""
        episode = self.episode(title)
        return [16 * right + (episode[1] if episode else 0) for right in self.applying(title)]

    # -- schedulings: four places per title

    def platform(self, scheduling: Any) -> Any:
        """Platform of a place, or of a column of them; -1 where there is no scheduling."""
        title = scheduling // 4
        exists = (scheduling % 4 < self.scatter(title, 5) % 4) & (title % 10 < 9)
        return exists * ((self.scatter(title, 6) + scheduling % 4) % 6 + 1) - 1

    def schedulings_on(self, platform: int) -> Any:
        """Schedulings of a platform, as a column."""
        return np.flatnonzero(self._platforms == platform)

    @cached_property
    def _platforms(self) -> Any:
        return self.platform(np.arange(4 * self.titles, dtype=np.int64)).astype(np.int8)

    def schedulings_of(self, title: int) -> list[int]:
        """Schedulings of a title."""
        return [place for place in range(4 * title, 4 * title + 4) if self.platform(place) >= 0]

    def shown(self, scheduling: int) -> tuple[int, int, bool]:
        """First day, day after the last, and whether a window of the title covers them on that platform."""
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
        """Whether a scheduling lies within a right, by days and by platform."""
        first, last, _ = self.shown(scheduling)
        return self._allows(right, first, last, scheduling)

    def _allows(self, right: int, first: int, last: int, scheduling: int) -> bool:
        start, end = self.span(right)
        allowed = self.platforms_of("rights", right)
        return start <= first and last <= end and (not allowed or self.platform(scheduling) in allowed)

    # -- images (four places per owner: titles, then title groups, then brands) and assets (two places per title)

    def has_image(self, place: Any) -> Any:
        """Whether a place, or each of a column, holds an image."""
        return (
            (place >= 0) & (place < 4 * (self.titles + self.groups + self.brands)) & (self.scatter(place, 10) % 8 != 0)
        )

    @cached_property
    def images(self) -> Any:
        """All images, as a column."""
        place = np.arange(4 * (self.titles + self.groups + self.brands), dtype=np.int64)
        return place[self.has_image(place)]

    def has_asset(self, place: Any) -> Any:
        """Whether a place, or each of a column, holds an asset: one per title, a second for some features."""
        title = place // 2
        second = (title % 10 < 3) & (self.scatter(title, 11) % 3 == 0)
        return (place >= 0) & (title < self.titles) & ((place % 2 == 0) | second)

    @cached_property
    def assets(self) -> Any:
        """All assets, as a column."""
        place = np.arange(2 * self.titles, dtype=np.int64)
        return place[self.has_asset(place)]


def day(offset: int) -> str:
    """The date so many days from the anchor."""
    return (ANCHOR + timedelta(days=offset)).isoformat()


def local_midnight(offset: int) -> str:
    """Midnight UTC of that day, written with the offset of central Europe (4.10: windows come in offset form)."""
    moment = ANCHOR + timedelta(days=offset)
    # By month, not by the last Sunday: the instant is right either way.
    summer = 4 <= moment.month <= 10
    return f"{moment.isoformat()}T02:00:00+02:00" if summer else f"{moment.isoformat()}T01:00:00+01:00"
