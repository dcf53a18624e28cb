"""
The mock server of Mediagenix On-Demand, and the facts of its records, computed from the seed and the number of titles.

Every fact of a record is computed from its index, which is its id - 1. Titles are numbered in blocks of ten: three
features, six episodes, one trailer. A series has ten episodes, a brand three series. A collection selects its titles
from a range of 132. Of the title groups, the series have the first ids, the collections the others.

Methods named after the plural of a kind return the facts of one record, see `tables`. Public methods for relations take
and return ids, private ones take and return indexes. A *slot* is a possible id: not every slot has a record.

Oddities: titles without rights (the third feature of every fifth block), series without rights (every eleventh),
schedulings after their right ended (every seventeenth), rights that end in the month after the anchor (every seventh),
missing images (an eighth), external ids that are null (index % 9 == 5) or empty (index % 31 == 7), names with quotes,
ampersands and other scripts (about a fifth), durations such as `30m` (every thirteenth), many equal times.
"""

from __future__ import annotations

from starlette.routing import Route

from vendorkit.local.mediagenix.numbers import WORDS, Facts, day, ids, job_path, local_midnight
from vendorkit.local.mediagenix.routes import Product
from vendorkit.local.mediagenix.titles import Titles
from vendorkit.local.server.api import picture


class Library(Titles):
    """The facts of one library. The base class has those of the titles."""

    # -- rights, deals, availability windows and restrictions

    def rights(self, id_: int) -> Facts | None:
        """Return the facts of a right, None for an empty slot."""
        right = id_ - 1
        if not self._has_right(right):
            return None
        owner, index = self._licensable(right)
        licensor = self._licensor(index) if owner == "titles" else self._series_licensor(index)
        selection, (start, end) = self._selection(right), self._span(right)
        edges = [f"{edge}_offset_{part}" for edge in ("start", "end") for part in ("value", "unit", "reference")]
        return {
            "kind": "catchup" if selection else "archive",
            "starts": day(start),
            "ends": day(end),
            "selection": selection,
            "selection_type": selection and "only",
            "absent": () if selection else edges,
            "licensable": f"/{owner}/{index + 1}",
            "licensor": self._licensor_id(licensor),
            # Each licensor has two deals.
            "deal": 2 * licensor - 1 + right % 2 if licensor and right % 3 != 2 else None,
        }

    def _has_right(self, right: int) -> bool:
        """Whether a slot has a right."""
        if right < self._title_rights:
            title = self._licensable(right)[1]
            return right >= 0 and title < self.counts["titles"] and (right % 4 < 3 or right // 4 % 5 != 4)
        series, second = divmod(right - self._title_rights, 2)
        return series < self._series and series % 11 != 7 and (not second or series % 3 == 0)

    def _licensable(self, right: int) -> tuple[str, int]:
        """Return what a right is for: `titles` or `title_groups`, and the record's index."""
        if right < self._title_rights:
            return "titles", right // 4 * 10 + (0, 0, 1, 2)[right % 4]
        return "title_groups", (right - self._title_rights) // 2

    def _selection(self, right: int) -> str | None:
        """Return the episodes that the second right of a series covers, None for other rights."""
        return "1,7-9" if right >= self._title_rights and (right - self._title_rights) % 2 else None

    def _applying(self, title: int) -> list[int]:
        """Return the rights that apply to a title: its own, or for an episode those of its series that include it."""
        episode, first = self._episode(title), title // 10 * 4
        if not episode:  # features have rights, trailers have none
            slots = {0: [first, first + 1], 1: [first + 2], 2: [first + 3]}.get(title % 10, [])
        else:
            first = self._title_rights + 2 * episode[0]
            slots = [first, first + 1] if episode[1] in {1, 7, 8, 9} else [first]
        return [right for right in slots if self._has_right(right)]

    def _span(self, right: int) -> tuple[int, int]:
        """Return the first day of a right and the day after its last, in days from the anchor."""
        number = self.scatter(right, 7)
        end = number % 30 if right % 7 == 0 else number % 500 - 100
        return end - 90 - number // 500 % 630, end

    def deals(self, id_: int) -> Facts:
        """Return the facts of a deal."""
        index = id_ - 1
        return {
            "name": f"{WORDS['licensors'][index // 2 + 1]} {2024 + index % 2}",
            "starts": day(-900 + 30 * index),
            "ends": day(400 - 20 * index),
            "updated": day(-index),
            "licensor": index // 2 + 2,
        }

    def title_windows(self, id_: int) -> list[int]:
        """Return the availability windows of a title. The index of a window is 16 * right + episode number."""
        number = (self._episode(id_ - 1) or (0, 0))[1]
        return [16 * right + number + 1 for right in self._applying(id_ - 1)]

    def availability_windows(self, id_: int) -> Facts | None:
        """Return the facts of a window, the time for which a right applies to a title."""
        right, episode = divmod(id_ - 1, 16)
        owner, index = self._licensable(right)
        titles = self._episodes_of(index) if owner == "title_groups" else [index]
        title = titles[max(0, episode - 1)] if episode <= len(titles) else -1
        if title < 0 or id_ not in self.title_windows(title + 1):
            return None
        start, end = self._span(right)
        return {"title": title + 1, "start": local_midnight(start), "end": local_midnight(end)}

    def window_platforms(self, id_: int) -> list[int]:
        """Return the platforms of a window."""
        return ids(self.specific("rights", (id_ - 1) // 16 + 1) or range(6))

    def blackouts(self, id_: int) -> Facts:
        """Return the facts of a blackout: a minimum, because the vendor's page was not available (4.14)."""
        start = self.scatter(id_, 50) % 300 - 150
        return {"licensable": self._blacked_out[id_ - 1], "starts": day(start), "ends": day(start + 14)}

    def denied_rights(self, id_: int) -> Facts:
        """Return what a denied right is for."""
        return {"licensable": self._denied[id_ - 1]}

    def specific(self, owner: str, owner_id: int, _first: int = 0) -> list[int]:
        """Return the slots of the specific platforms of a right, deal or restriction; no slots means all platforms."""
        number = self.scatter(owner_id - 1, 8 + len(owner))
        return [p for p in range(6) if number >> (3 * p + 4) & 7] if number % 3 == 0 else []

    def granted(self, _owner: str, owner_id: int, _first: int) -> range:
        """Return the slots of granted requirements."""
        return range(owner_id % 3)

    def granted_requirements(self, id_: int) -> Facts:
        """Return the requirement of a granted requirement."""
        return {"requirement": (id_ // 40 + id_ % 8 * 5) % 72 + 1}

    # -- schedulings: four slots per title

    def schedulings(self, id_: int) -> Facts | None:
        """Return the facts of a scheduling, None for an empty slot."""
        index, title = id_ - 1, (id_ - 1) // 4
        platform = self._platform(index)
        if platform is None:
            return None
        first, end = self._period(index)
        cleared = any(self._allows(right, first, end, index) for right in self._applying(title))
        statuses, episode = WORDS["offline" if end <= 0 else "online"], self._episode(title)
        second = self.assets(2 * title + 2) is not None
        return {
            "put_up": day(first),
            "take_down": day(end - 1),
            "rights_status": "cleared" if cleared else "not_cleared",  # "not_cleared" is inferred (4.9)
            "publication_status": statuses[self.scatter(index, 40) % len(statuses)],
            "group": episode and episode[0] + 1,
            "title": title + 1,
            "asset": 2 * title + 1 + (index % 4 % 2 if second else 0),
            "platform": platform + 1,
            "playlist": index % 12 + 1 if index % 6 == 0 else None,
        } | self.workflow(id_)

    def workflow(self, id_: int) -> Facts:
        """Return the facts of a scheduling's workflow."""
        status = WORDS["workflows"][self.scatter(id_ - 1, 41) % 3]
        return {"workflow_status": status, "job": job_path((id_ - 1) % self.counts["jobs"] + 1)}

    def _platform(self, scheduling: int) -> int | None:
        title, slot = divmod(scheduling, 4)
        if slot >= self.scatter(title, 5) % 4 or title % 10 == 9:
            return None
        return (self.scatter(title, 6) + slot) % 6

    def _schedulings_of(self, title: int) -> list[int]:
        return [index for index in range(4 * title, 4 * title + 4) if self._platform(index) is not None]

    def title_schedulings(self, id_: int) -> list[int]:
        """Return the schedulings of a title."""
        return ids(self._schedulings_of(id_ - 1))

    def group_schedulings(self, id_: int) -> list[int]:
        """Return the schedulings of the titles of a group."""
        return [scheduling for title in self.group_titles(id_) for scheduling in self.title_schedulings(title)]

    def _period(self, scheduling: int) -> tuple[int, int]:
        """Return the first day of a scheduling and the day after its last, in days from the anchor."""
        title, slot = divmod(scheduling, 4)
        rights, number = self._applying(title), self.scatter(scheduling, 9)
        if not rights:
            return number % 60 - 30, number % 60
        start, end = self._span(rights[slot % len(rights)])
        if scheduling % 17 == 0:
            return end + 5, end + 35
        return start + number % 20, min(end, start + number % 20 + 30 + number // 20 % 60)

    def _allows(self, right: int, first: int, last: int, scheduling: int) -> bool:
        start, end = self._span(right)
        platforms = self.specific("rights", right + 1)
        return start <= first and last <= end and (not platforms or self._platform(scheduling) in platforms)

    def publications(self, id_: int) -> Facts | None:
        """Return the facts of the publication of a scheduling."""
        return None if self._platform(id_ - 1) is None else {"day": day(self._period(id_ - 1)[0] - 1)}

    def linear_schedulings(self, id_: int) -> Facts:
        """Return the facts of a linear scheduling: each channel shows one title per hour, and all titles in turn."""
        hour, channel = divmod(id_ - 1, 4)
        title = (id_ - 1) % self.counts["titles"] + 1
        offset = "+01:00" if channel else "+00:00"  # the first channel is in London
        clock = f"{day(hour // 24 - 7)}T{hour % 24:02}"
        return {"hour": clock, "offset": offset, "contract": id_ % 40, "title": title, "asset": 2 * title - 1}

    def linear_on_demand(self, id_: int) -> list[int]:
        """Return the schedulings of the title of a linear scheduling."""
        return self.title_schedulings((id_ - 1) % self.counts["titles"] + 1)

    def right_schedulings(self, id_: int) -> list[int]:
        """Return the schedulings that a right allows: within its days and on its platforms."""
        owner, index = self._licensable(id_ - 1)
        titles = self._episodes_of(index) if owner == "title_groups" else [index]
        candidates = [s for t in titles if id_ - 1 in self._applying(t) for s in self._schedulings_of(t)]
        return ids(s for s in candidates if self._allows(id_ - 1, *self._period(s), s))

    # -- images (four slots per owner), assets (two slots per title) and renditions (two per asset)

    def images(self, id_: int) -> Facts | None:
        """Return the facts of an image, None for an empty slot."""
        index, owner = id_ - 1, (id_ - 1) // 4
        if self.scatter(index, 10) % 8 == 0:
            return None
        kinds = iter(self._pictured)
        while owner >= self._pictured[kind := next(kinds)]:
            owner -= self._pictured[kind]
        # Until the vendor has fetched a remote file, its size and checksum are null (4.17).
        size, md5 = self.scatter(index, 23) % 4_000_000, f"{self.scatter(index, 24):08x}" * 4
        return {"content": f"/{kind}/{owner + 1}"} | ({} if index % 23 == 5 else {"size": size, "md5": md5})

    def targets(self, _owner: str, _owner_id: int, first: int) -> list[int]:
        """Return the slots of the target platforms of an image or a rendition."""
        number = self.scatter(first, 27)
        return [slot for slot in range(6) if number >> (3 * slot) & 7]

    def assets(self, id_: int) -> Facts | None:
        """Return the facts of an asset, which is an editorial version of a title. Some features have two."""
        index, title = id_ - 1, (id_ - 1) // 2
        if index % 2 and (title % 10 > 2 or self.scatter(title, 11) % 3):
            return None
        minutes = self.scatter(index, 25) % 120 + 20
        # Values such as `30m` have broken the vendor's client (3.2).
        runtime = f"{minutes}m" if index % 13 == 4 else f"{minutes // 60:02}:{minutes % 60:02}:{index % 60:02}.000"
        name = f"{self.phrase(title, 20)} {'cut' if index % 2 else 'version'} #{id_}"
        return {"name": name, "runtime": None if index % 29 == 3 else runtime, "title": title + 1}

    def renditions(self, id_: int) -> Facts | None:
        """Return the facts of a rendition."""
        asset = (id_ + 1) // 2
        if self.assets(asset) is None:
            return None
        color = "color" if id_ % 11 else "black_and_white"
        return {"asset": asset, "size": 2**32 + id_ * 4096, "md5": f"{self.scatter(id_, 26):08x}" * 4, "color": color}


class Api(Product):
    """The API, and the files that it links to, which a client gets from another host without credentials."""

    REALM, FILE, OPEN = "Local Movida", "on_demand.json", ("/files/",)

    def library(self) -> Library:
        """Return the facts of the records."""
        return Library(self.settings.seed, self.settings.titles)

    def routes(self) -> list[Route]:
        """Return the routes of the API and of the files."""
        by_external_id = Route("/api/titles/ext/{path:path}", self)
        return [by_external_id, *super().routes(), Route("/files/{path:path}", picture)]
