"""Titles, title groups, brands, licensors, metadata and notes of Mediagenix On-Demand."""

from __future__ import annotations

from vendorkit.local.mediagenix.numbers import WORDS, Facts, Numbers, day, ids


class Titles(Numbers):
    """The facts of titles, groups, brands, licensors, documents and notes, and the number of records of each kind."""

    sparse = frozenset({"rights", "schedulings", "images", "assets", "renditions"})

    def __init__(self, seed: int, titles: int) -> None:
        super().__init__(seed)
        blocks, self._episodes = -(-titles // 10), titles // 10 * 6 + min(max(titles % 10 - 3, 0), 6)
        self._series, collections = -(-self._episodes // 10), -(-titles // 66)
        groups, brands = self._series + collections, -(-self._series // 3)
        self._title_rights = 4 * blocks  # slots for rights: four per block of titles, then two per series
        # The kinds that have images. The ids of the images follow this order.
        pictured = {"titles": titles, "title_groups": groups, "brands": brands, "contributors": 12, "franchises": 5}
        self._pictured = pictured
        # One title in 40 (50) has a restriction, and one series in 15 (20).
        self._blacked_out = self._every(titles, 40, 7, 15, 3)
        self._denied = self._every(titles, 50, 25, 20, 5)
        self.counts = {
            **self._pictured,
            "collection_entries": 1_000 * (groups + 1),
            "rights": self._title_rights + 2 * self._series,
            "availability_windows": 16 * (self._title_rights + 2 * self._series),
            "schedulings": 4 * titles,
            "publications": 4 * titles,
            "linear_schedulings": 4 * max(25, titles // 8) if titles else 0,
            "images": 4 * sum(self._pictured.values()),
            "assets": 2 * titles,
            "renditions": 4 * titles,
            "blackouts": len(self._blacked_out),
            "denied_rights": len(self._denied),
            "jobs": max(30, titles // 10),
        }

    def path(self, plural: str, id_: int) -> str:
        """Return the path of a record."""
        return f"/{plural}/{id_}"

    def _every(self, titles: int, step: int, first: int, group_step: int, first_group: int) -> list[str]:
        owners = [f"/titles/{index + 1}" for index in range(first, titles, step)]
        return owners + [f"/title_groups/{index + 1}" for index in range(first_group, self._series, group_step)]

    # -- titles and their groups

    def titles(self, id_: int) -> Facts:
        """Return the facts of a title."""
        index = id_ - 1
        episode, title = self._episode(index), self.phrase(index, 20)
        return {
            "title": title,
            "name": f"S{episode[0] % 9 + 1:02}E{episode[1]:02} {title}" if episode else title,
            "number": episode and episode[1],
            "team": index % 7 + 1,
            "licensor": self._licensor_id(self._licensor(index)),
            "absent": () if episode else ("episode_number",),
        }

    def _episode(self, title: int) -> tuple[int, int] | None:
        """Return the series and the episode number (from 1) of an episode, None for other titles."""
        position = title % 10 - 3
        if not 0 <= position < 6:
            return None
        series, number = divmod(title // 10 * 6 + position, 10)
        return series, number + 1

    def _episodes_of(self, series: int) -> list[int]:
        return [e // 6 * 10 + 3 + e % 6 for e in range(10 * series, min(10 * series + 10, self._episodes))]

    def _licensor(self, title: int) -> int:
        """Return the licensor of a title's series or block, 0 for none."""
        episode = self._episode(title)
        return self._series_licensor(episode[0]) if episode else self.scatter(title // 10, 4) % 13

    def _series_licensor(self, series: int) -> int:
        return self.scatter(series, 3) % 13

    @staticmethod
    def _licensor_id(licensor: int) -> int | None:
        return licensor + 1 if licensor else None

    def title_clips(self, id_: int) -> list[int]:
        """Return the trailer of a block, which promotes its first feature."""
        return [id_ + 9] if id_ % 10 == 1 and id_ + 9 <= self.counts["titles"] else []

    def title_groups_of(self, id_: int) -> list[int]:
        """Return the title groups of a title: its series, then its collections."""
        episode, last = self._episode(id_ - 1), (id_ - 1) // 66
        collections = [c for c in (last - 1, last) if c >= 0 and self._in_collection(id_ - 1, c)]
        return ids(([episode[0]] if episode else []) + [self._series + c for c in collections])

    def _in_collection(self, title: int, collection: int) -> bool:
        return self.scatter(title * 2 + collection % 2, 1) % 5 == 0

    def title_groups(self, id_: int) -> Facts:
        """Return the facts of a series or a collection."""
        is_series = id_ <= self._series
        absent = ("collection_entries",) if is_series else ("season_number", "season_reference_id")
        return {"name": self.phrase(id_ - 1, 21), "kind": "series" if is_series else "collection", "absent": absent}

    def group_titles(self, id_: int) -> list[int]:
        """Return the titles of a title group. The ranges that collections select from overlap by 66 titles."""
        if id_ <= self._series:
            return ids(self._episodes_of(id_ - 1))
        collection = id_ - 1 - self._series
        candidates = range(66 * collection, min(66 * collection + 132, self.counts["titles"]))
        return ids(title for title in candidates if self._in_collection(title, collection))

    def group_entries(self, id_: int) -> range | None:
        """Return the entries of a collection, None for a series."""
        return None if id_ <= self._series else range(1_000 * id_ + 1, 1_000 * id_ + 1 + len(self.group_titles(id_)))

    def collection_entries(self, id_: int) -> Facts | None:
        """Return the facts of a collection's entry. Its id is 1,000 * group + position."""
        group, position = divmod(id_, 1_000)
        if not self._series < group <= self.counts["title_groups"] or id_ not in (self.group_entries(group) or ()):
            return None
        return {"position": position, "group": group, "title": self.group_titles(group)[position - 1]}

    def brands(self, id_: int) -> Facts:
        """Return the facts of a brand."""
        licensor = self._licensor_id(self._series_licensor(3 * id_ - 3))
        return {"name": f"{self.phrase(id_ - 1, 22)} {id_}", "licensor": licensor}

    def brand_series(self, id_: int) -> range:
        """Return the series of a brand."""
        return range(3 * id_ - 2, min(3 * id_, self._series) + 1)

    def brand_collections(self, id_: int) -> range:
        """Return the collections of a brand."""
        return range(self._series + id_, self.counts["title_groups"] + 1, self.counts["brands"])

    def brand_titles(self, id_: int) -> list[int]:
        """Return the features of a brand: every tenth feature belongs to one."""
        features = range(10 * id_ - 10, 3 * self._title_rights // 4, 10 * self.counts["brands"])
        titles = [feature // 3 * 10 + feature % 3 for feature in features]
        return ids(title for title in titles if title < self.counts["titles"])

    def licensor_titles(self, id_: int) -> list[int]:
        """Return the titles of a licensor. The first licensor is the vendor's pseudo entry for titles without one."""
        return [title + 1 for title in range(self.counts["titles"]) if self._licensor(title) == id_ - 1]

    def licensors(self, id_: int) -> Facts:
        """Return the name of a licensor."""
        return {"name": WORDS["licensors"][id_ - 1]}

    # -- documents and notes

    def note(self, id_: int) -> Facts | None:
        """Return the facts of a record's note. Two of three records have none."""
        return None if id_ % 3 else {}

    def title_metadata(self, id_: int) -> Facts:
        """Return the fields of a title. So that gaps can be analysed, synopses may be null, empty or absent."""
        title = id_ - 1
        number, name = self.scatter(title, 30), self.phrase(title, 20)
        award: Facts = {"name": "Golden Reel", "year": 1990 + number % 30, "won": number % 2 == 0}
        absent = {"short_synopsis": not number % 11, "long_synopsis": not number % 5}
        absent |= {"episode_name": not self._episode(title), "awards": number % 8 > 0, "technical": number % 8 > 0}
        return {
            "short": (None, "")[number % 2] if number % 7 == 0 else f"{name}: a story of <two> sisters.",
            "long": WORDS["synopsis"] * (number % 4 + 1),
            "rating": WORDS["ratings"][number // 16 % 5],
            "year": 1960 + number // 32 % 67,
            "silent": number // 64 % 41 == 0,
            "dvd_release": f"{day(-(number % 6000))}T23:00:00Z" if number % 3 else None,
            "premiere": day(-(number // 7 % 6000)),
            "slot_length": "30m" if title % 13 == 4 else f"{number % 2:02}:58:00",
            "actors": [WORDS["actors"][(number + position) % 6] for position in range(number // 3 % 5)],
            "genres": [WORDS["genres"][number % 4]],
            "title": name,
            # A document may contain objects and lists of objects (section 5).
            "awards": [award, award | {"name": 'Silver "S"'}],
            "technical": WORDS["technical"],
            "absent": [field for field, missing in absent.items() if missing],
        }

    def metadata(self, id_: int) -> Facts:
        """Return the fields of other records, with languages as suffixes (section 5)."""
        number = self.scatter(id_ - 1, 31)
        return {
            "name": self.phrase(id_ - 1, 32),
            "reviewed": number % 2 == 0,
            "name_fr": "" if number % 7 == 0 else "Maison d'été",
            "priority": number % 10 if number % 4 else None,
            "absent": () if number % 3 else ("name_fr",),
        }
