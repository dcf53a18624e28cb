"""
The facts of Mediagenix's records that follow from others, computed from the seed and the number of titles.

Every fact of a record is computed from its index, which is its id - 1. Titles come in blocks of ten: three features,
six episodes, one trailer. A series has ten episodes, a brand three series; the titles of a collection are from 132
adjacent ones. Title groups are first the series, then the collections. Methods with the plural of a kind return the
facts of its records, see `tables`; public ones for relations take and return ids, private ones indexes.

Oddities: titles without rights (the third feature of every fifth block), series without rights (every eleventh),
schedulings after their right ended (every seventeenth), rights that end in the month after the anchor (every seventh),
missing images (an eighth), external ids that are null (index % 9 == 5) or empty (index % 31 == 7), names with quotes,
ampersands and other scripts (about a fifth), durations such as `30m` (every thirteenth), many equal times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vendorkit.local.mediagenix.numbers import WORDS, Facts, day, ids, job_path
from vendorkit.local.mediagenix.rights import Rights


class Library(Rights):
    """The facts of one library; here those of schedulings, linear channels, images, assets and renditions."""

    # -- schedulings: four places per title; not every place has one

    def schedulings(self, id_: int) -> Facts | None:
        """Return the facts of a scheduling."""
        index, title = id_ - 1, (id_ - 1) // 4
        platform = self._platform(index)
        if platform is None:
            return None
        first, end = self._shown(index)
        cleared = any(self._allows(right, first, end, index) for right in self._applying(title))
        statuses, episode = WORDS["offline" if end <= 0 else "online"], self._episode(title)
        second = self.assets(2 * title + 2) is not None
        return {
            "put_up": day(first),
            "take_down": day(end - 1),
            "rights_status": "cleared" if cleared else "not_cleared",  # the second one is inferred (4.9)
            "publication_status": statuses[self.scatter(index, 40) % len(statuses)],
            "group": episode and episode[0] + 1,
            "title": title + 1,
            "asset": 2 * title + 1 + (index % 4 % 2 if second else 0),
            "platform": platform + 1,
            "playlist": index % 12 + 1 if index % 6 == 0 else None,
        } | self.workflow(id_)

    def workflow(self, id_: int) -> Facts:
        """Return the facts of the workflow of a scheduling."""
        status = WORDS["workflows"][self.scatter(id_ - 1, 41) % 3]
        return {"workflow_status": status, "job": job_path((id_ - 1) % self.counts["jobs"] + 1)}

    def _platform(self, scheduling: int) -> int | None:
        title, place = divmod(scheduling, 4)
        if place >= self.scatter(title, 5) % 4 or title % 10 == 9:
            return None
        return (self.scatter(title, 6) + place) % 6

    def _schedulings_of(self, title: int) -> list[int]:
        return [place for place in range(4 * title, 4 * title + 4) if self._platform(place) is not None]

    def title_schedulings(self, id_: int) -> list[int]:
        """Return the schedulings of a title."""
        return ids(self._schedulings_of(id_ - 1))

    def group_schedulings(self, id_: int) -> list[int]:
        """Return the schedulings of the titles of a group."""
        return [one for title in self.group_titles(id_) for one in self.title_schedulings(title)]

    def _shown(self, scheduling: int) -> tuple[int, int]:
        """Return the first day of a scheduling and the day after the last."""
        title, place = divmod(scheduling, 4)
        rights, number = self._applying(title), self.scatter(scheduling, 9)
        if not rights:
            return number % 60 - 30, number % 60
        start, end = self._span(rights[place % len(rights)])
        if scheduling % 17 == 0:
            return end + 5, end + 35
        return start + number % 20, min(end, start + number % 20 + 30 + number // 20 % 60)

    def _allows(self, right: int, first: int, last: int, scheduling: int) -> bool:
        start, end = self._span(right)
        allowed = self.specific("rights", right + 1)
        return start <= first and last <= end and (not allowed or self._platform(scheduling) in allowed)

    def publications(self, id_: int) -> Facts | None:
        """Return the facts of the publication of a scheduling."""
        return None if self._platform(id_ - 1) is None else {"day": day(self._shown(id_ - 1)[0] - 1)}

    def linear_schedulings(self, id_: int) -> Facts:
        """Return the facts of an hour of a channel: hour by hour, channel by channel, through all titles."""
        hour, channel = divmod(id_ - 1, 4)
        title = (id_ - 1) % self.counts["titles"] + 1
        offset = "+01:00" if channel else "+00:00"  # the first channel is in London
        clock = f"{day(hour // 24 - 7)}T{hour % 24:02}"
        return {"hour": clock, "offset": offset, "contract": id_ % 40, "title": title, "asset": 2 * title - 1}

    def linear_on_demand(self, id_: int) -> list[int]:
        """Return the schedulings of the title of an hour."""
        return self.title_schedulings((id_ - 1) % self.counts["titles"] + 1)

    def right_schedulings(self, id_: int) -> list[int]:
        """Return the schedulings that a right allows, by days and by platform."""
        owner, index = self._licensable(id_ - 1)
        titles = self._episodes_of(index) if owner == "title_groups" else [index]
        places = [s for t in titles if id_ - 1 in self._applying(t) for s in self._schedulings_of(t)]
        return ids(s for s in places if self._allows(id_ - 1, *self._shown(s), s))

    # -- images (four places per owner), assets (two places per title) and renditions (two per asset)

    def images(self, id_: int) -> Facts | None:
        """Return the facts of an image."""
        index, owner = id_ - 1, (id_ - 1) // 4
        if self.scatter(index, 10) % 8 == 0:
            return None
        kinds = iter(self._pictured)
        while owner >= self._pictured[kind := next(kinds)]:
            owner -= self._pictured[kind]
        # The vendor fetches a remote file later; until then its size and checksum are null (4.17).
        size, md5 = self.scatter(index, 23) % 4_000_000, f"{self.scatter(index, 24):08x}" * 4
        return {"content": f"/{kind}/{owner + 1}"} | ({} if index % 23 == 5 else {"size": size, "md5": md5})

    def targets(self, _owner: str, _owner_id: int, first: int) -> list[int]:
        """Return the places of the target platforms of an image or a rendition."""
        number = self.scatter(first, 27)
        return [place for place in range(6) if number >> (3 * place) & 7]

    def assets(self, id_: int) -> Facts | None:
        """Return the facts of an asset, an editorial version of a title; some features have two."""
        index, title = id_ - 1, (id_ - 1) // 2
        if index % 2 and (title % 10 > 2 or self.scatter(title, 11) % 3):
            return None
        minutes = self.scatter(index, 25) % 120 + 20
        # Values such as `30m` have broken the vendor's client (3.2).
        runtime = f"{minutes}m" if index % 13 == 4 else f"{minutes // 60:02}:{minutes % 60:02}:{index % 60:02}.000"
        name = f"{self.phrase(title, 20)} {'cut' if index % 2 else 'version'} #{id_}"
        return {"name": name, "runtime": None if index % 29 == 3 else runtime, "title": title + 1}

    def select_assets(self, query: Mapping[str, str], every: Sequence[int]) -> Sequence[int]:
        """Return the assets with a name: it ends with the id, so that it is unique in the company (4.18)."""
        if "name" not in query:
            return every
        number = query["name"].rpartition("#")[2]
        found = self.assets(int(number)) if number.isdecimal() and int(number) in every else None
        return [int(number)] if found and found["name"] == query["name"] else []

    def renditions(self, id_: int) -> Facts | None:
        """Return the facts of a rendition."""
        asset = (id_ + 1) // 2
        if self.assets(asset) is None:
            return None
        color = "color" if id_ % 11 else "black_and_white"
        return {"asset": asset, "size": 2**32 + id_ * 4096, "md5": f"{self.scatter(id_, 26):08x}" * 4, "color": color}
