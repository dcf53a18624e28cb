"""Rights, deals, availability windows and restrictions of Mediagenix On-Demand."""

from __future__ import annotations

from vendorkit.local.mediagenix.numbers import WORDS, Facts, day, ids, local_midnight
from vendorkit.local.mediagenix.titles import Titles


class Rights(Titles):
    """The facts of rights and of what follows from them."""

    def rights(self, id_: int) -> Facts | None:
        """Return the facts of a right; not every place has one."""
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
            # A licensor has two deals.
            "deal": 2 * licensor - 1 + right % 2 if licensor and right % 3 != 2 else None,
        }

    def _has_right(self, right: int) -> bool:
        """Whether a place has a right."""
        if right < self._title_rights:
            title = self._licensable(right)[1]
            return right >= 0 and title < self.counts["titles"] and (right % 4 < 3 or right // 4 % 5 != 4)
        series, second = divmod(right - self._title_rights, 2)
        return series < self._series and series % 11 != 7 and (not second or series % 3 == 0)

    def _licensable(self, right: int) -> tuple[str, int]:
        """Return what a right is for: `titles` or `title_groups`, and the index."""
        if right < self._title_rights:
            return "titles", right // 4 * 10 + (0, 0, 1, 2)[right % 4]
        return "title_groups", (right - self._title_rights) // 2

    def _selection(self, right: int) -> str | None:
        """Return the episodes that the second right of a series covers, None for other rights."""
        return "1,7-9" if right >= self._title_rights and (right - self._title_rights) % 2 else None

    def _applying(self, title: int) -> list[int]:
        """Return the rights that apply to a title: its rights, or those of its series that include the episode."""
        episode, first = self._episode(title), title // 10 * 4
        if not episode:  # of the other titles only features have rights
            places = {0: [first, first + 1], 1: [first + 2], 2: [first + 3]}.get(title % 10, [])
        else:
            first = self._title_rights + 2 * episode[0]
            places = [first, first + 1] if episode[1] in {1, 7, 8, 9} else [first]
        return [right for right in places if self._has_right(right)]

    def _span(self, right: int) -> tuple[int, int]:
        """Return the first day of a right and the day after its last, counted from the anchor."""
        number = self.scatter(right, 7)
        end = number % 30 if right % 7 == 0 else number % 500 - 100
        return end - 90 - number // 500 % 630, end

    def deals(self, id_: int) -> Facts:
        """Return the facts of a deal: each licensor has one of either kind."""
        index = id_ - 1
        return {
            "name": f"{WORDS['licensors'][index // 2 + 1]} {2024 + index % 2}",
            "starts": day(-900 + 30 * index),
            "ends": day(400 - 20 * index),
            "updated": day(-index),
            "licensor": index // 2 + 2,
        }

    def title_windows(self, id_: int) -> list[int]:
        """Return the availability windows of a title, each 16 * right + episode number."""
        number = (self._episode(id_ - 1) or (0, 0))[1]
        return [16 * right + number + 1 for right in self._applying(id_ - 1)]

    def availability_windows(self, id_: int) -> Facts | None:
        """Return the facts of a window: when a right applies to a title."""
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
        """Return the facts of a blackout; the vendor's page was not available: a minimum (4.14)."""
        start = self.scatter(id_, 50) % 300 - 150
        return {"licensable": self._blacked_out[id_ - 1], "starts": day(start), "ends": day(start + 14)}

    def denied_rights(self, id_: int) -> Facts:
        """Return what a denied right is for."""
        return {"licensable": self._denied[id_ - 1]}

    def specific(self, owner: str, owner_id: int, _first: int = 0) -> list[int]:
        """Return the specific platforms of a right, deal or restriction, from 0; an empty list means all."""
        number = self.scatter(owner_id - 1, 8 + len(owner))
        return [p for p in range(6) if number >> (3 * p + 4) & 7] if number % 3 == 0 else []

    def granted(self, _owner: str, owner_id: int, _first: int) -> range:
        """Return the places of granted requirements."""
        return range(owner_id % 3)

    def granted_requirements(self, id_: int) -> Facts:
        """Return the requirement that a place of an owner has."""
        return {"requirement": (id_ // 40 + id_ % 8 * 5) % 72 + 1}

    def requirements(self, id_: int) -> Facts:
        """Return category and value of a requirement."""
        named = [(kind, value) for kind, values in WORDS["requirements"].items() for value in values]
        category, value = named[id_ - 1] if id_ <= len(named) else ("territory", f"T{id_ - len(named):02}")
        return {"category": category, "value": value}
