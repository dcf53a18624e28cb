"""The editorial half of the local Mediagenix On-Demand: titles, title groups, brands, licensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from vendorkit.local.mediagenix.data import LICENSORS, Library
from vendorkit.local.mediagenix.metadata import external_id, find_external_id
from vendorkit.local.server.hypermedia import Attribute, Collection, Node, Resource

# What `expand` leaves alone, by the notes on the vendor's pages (3.4); "all" where a page has no note.
_TITLE_PLAIN: Final = frozenset({"blackouts", "rights", "clips"})
_GROUP_PLAIN: Final = frozenset({"blackouts", "rights", "denied_rights"})
_TITLE_BELOW: Final = (
    *("schedule", "linear_schedulings", "availability_windows", "title_groups", "images", "assets", "metadata"),
    *("blackouts", "rights", "denied_rights", "rules", "clips", "note"),
)
_GROUP_BELOW: Final = (
    *("titles", "schedule", "images", "metadata", "blackouts", "rights", "denied_rights", "rules", "clips", "note"),
)
_BRAND_BELOW: Final = ("series", "collections", "titles", "metadata", "images", "clips", "note")


class Editorial:
    """Answers on titles and what belongs to them. Ids are checked here: no record, no answer."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def table(self) -> dict[str, Callable[..., Node | None]]:
        """Path patterns and what answers them."""
        table: dict[str, Callable[..., Node | None]] = {
            "/titles": lambda: Collection("titles", self._ids(self._library.titles), self.title, "pages", self._by_id),
            "/titles/{id}": self.title,
            "/titles/{id}/title_groups": self._groups_of_title,
            "/titles/{id}/clips": self._clips,
            "/title_groups": lambda: Collection("title_groups", self._ids(self._library.groups), self.group, "pages"),
            "/title_groups/{id}": self.group,
            "/title_groups/{id}/titles": self._titles_of_group,
            "/title_groups/{id}/clips": lambda id_: self._none_of(self.group(id_), "titles"),
            "/title_groups/{id}/collection_entries": self._entries,
            "/collection_entries/{id}": self._entry,
            "/brands": lambda: Collection("brands", self._ids(self._library.brands), self.brand, "pages"),
            "/brands/{id}": self.brand,
            "/brands/{id}/series": self._brand_series,
            "/brands/{id}/collections": self._brand_collections,
            "/brands/{id}/titles": self._brand_titles,
            "/brands/{id}/clips": lambda id_: self._none_of(self.brand(id_), "titles"),
            "/licensors": lambda: Collection("licensors", self._ids(len(LICENSORS)), self._licensor),
            "/licensors/{id}": self._licensor,
            "/licensors/{id}/titles": self._licensor_titles,
        }
        return table

    # -- titles

    def title(self, id_: int) -> Resource | None:
        """One title."""
        library, index = self._library, id_ - 1
        if not 0 <= index < library.titles:
            return None
        kind = library.kind(index)
        episode = library.episode(index)
        title = library.phrase(index, 20)
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("name", "", f"S{episode[0] % 9 + 1:02}E{episode[1]:02} {title}" if episode else title),
            ("title", "", title),
            ("external_id", "", external_id("ACME", index)),
            ("title_type", "", kind),
        ]
        if episode:
            attributes.append(("episode_number", "integer", episode[1]))
        attributes.append(("tags", "", ("", "Drama,Nordic", "Comedy", "Family,Animation", "Action")[index % 5]))
        attributes.append(("acl_hash", "", f"<view@everyone> <edit@team#{index % 7 + 1}>"))
        licensor = library.licensor(index)
        links = [("licensor", f"/licensors/{licensor + 1}")] if licensor else []
        return Resource("title", f"/titles/{id_}", attributes, _TITLE_BELOW, links, _TITLE_PLAIN)

    def _by_id(self, query: Mapping[str, str]) -> Sequence[int]:
        every = self._ids(self._library.titles)
        return find_external_id("ACME", query["external_id"], every) if "external_id" in query else every

    def _groups_of_title(self, id_: int) -> Node | None:
        groups = self._library.groups_of(id_ - 1)
        return self.title(id_) and Collection("title_groups", [group + 1 for group in groups], self.group)

    def _clips(self, id_: int) -> Node | None:
        # The trailer of a block promotes its first feature.
        trailer = id_ + 9
        found = [trailer] if id_ % 10 == 1 and trailer <= self._library.titles else []
        return self.title(id_) and Collection("titles", found, self.title)

    # -- title groups, brands, licensors

    def group(self, id_: int) -> Resource | None:
        """One title group: a series, or a collection."""
        library, index = self._library, id_ - 1
        if not 0 <= index < library.groups:
            return None
        name = library.phrase(index, 21)
        attributes: list[Attribute] = [("id", "integer", id_), ("name", "", name)]
        attributes.append(("external_id", "", external_id("GRP", index)))
        below: tuple[str, ...] = _GROUP_BELOW
        if index < library.series:
            # 3.2: the number of a season comes without a type.
            attributes += [("title_group_type", "", "series"), ("season_number", "", index % 3 + 1),
                           ("season_reference_id", "", f"REF-{id_}" if index % 4 else None)]  # fmt: skip
        else:
            attributes.append(("title_group_type", "", "collection"))
            below = (*_GROUP_BELOW, "collection_entries")
        attributes.append(("tags", "", "" if index % 2 else "Launch"))
        return Resource("title_group", f"/title_groups/{id_}", attributes, below, plain=_GROUP_PLAIN)

    def _titles_of_group(self, id_: int) -> Node | None:
        if self.group(id_) is None:
            return None
        return Collection("titles", [title + 1 for title in self._library.titles_in(id_ - 1)], self.title, "pages")

    def _entries(self, id_: int) -> Node | None:
        if not self._library.series < id_ <= self._library.groups:
            return None
        entries = range(1_000 * id_ + 1, 1_000 * id_ + 1 + len(self._library.titles_in(id_ - 1)))
        return Collection("collection_entries", entries, self._entry, "pages")

    def _entry(self, id_: int) -> Resource | None:
        group, position = divmod(id_, 1_000)
        titles = self._library.titles_in(group - 1) if self._library.series < group <= self._library.groups else []
        if not 1 <= position <= len(titles):
            return None
        links = [("collection", f"/title_groups/{group}"), ("title", f"/titles/{titles[position - 1] + 1}")]
        attributes: list[Attribute] = [("id", "integer", id_), ("position", "integer", position)]
        return Resource("collection_entry", f"/collection_entries/{id_}", attributes, links=links)

    def brand(self, id_: int) -> Resource | None:
        """One brand: three series and what goes with them."""
        index = id_ - 1
        if not 0 <= index < self._library.brands:
            return None
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("external_id", "", external_id("BRAND", index)),
            ("name", "", f"{self._library.phrase(index, 22)} {id_}"),
            ("tags", "", ""),
        ]
        licensor = int(self._library.series_licensor(3 * index))
        links = [("licensor", f"/licensors/{licensor + 1}")] if licensor else []
        return Resource("brand", f"/brands/{id_}", attributes, _BRAND_BELOW, links)

    def _brand_series(self, id_: int) -> Node | None:
        series = range(3 * id_ - 2, min(3 * id_, self._library.series) + 1)
        return self.brand(id_) and Collection("title_groups", series, self.group)

    def _brand_collections(self, id_: int) -> Node | None:
        if self.brand(id_) is None:
            return None
        own = range(self._library.series + id_, self._library.groups + 1, self._library.brands)
        return Collection("title_groups", own, self.group)

    def _brand_titles(self, id_: int) -> Node | None:
        if self.brand(id_) is None:
            return None
        return Collection("titles", [title + 1 for title in self._library.brand_titles(id_ - 1)], self.title, "pages")

    def _licensor(self, id_: int) -> Resource | None:
        if not 1 <= id_ <= len(LICENSORS):
            return None
        attributes: list[Attribute] = [("id", "integer", id_), ("name", "", LICENSORS[id_ - 1])]
        return Resource("licensor", f"/licensors/{id_}", attributes, ("titles",))

    def _licensor_titles(self, id_: int) -> Node | None:
        if self._licensor(id_) is None:
            return None
        titles = np.flatnonzero(self._library.licensor(np.arange(self._library.titles)) == id_ - 1) + 1
        return Collection("titles", titles, self.title, "pages")

    def _none_of(self, exists: Resource | None, plural: str) -> Node | None:
        return exists and Collection(plural, [], lambda _: None)

    @staticmethod
    def _ids(count: int) -> range:
        return range(1, count + 1)
