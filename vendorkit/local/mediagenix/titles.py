"""Titles, title groups, brands and licensors of Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from vendorkit.local.mediagenix.data import LICENSORS, Library, ids
from vendorkit.local.mediagenix.metadata import external_id, find_external_id
from vendorkit.local.server.nodes import Attribute, Collection, Resource, Table, children, every, numbered, record

# What `expand` does not expand, by the notes on the vendor's pages (3.4).
_TITLE_PLAIN: Final = frozenset({"blackouts", "rights", "clips"})
_GROUP_PLAIN: Final = frozenset({"blackouts", "rights", "denied_rights"})
_TITLE_BELOW: Final = (
    *("schedule", "linear_schedulings", "availability_windows", "title_groups", "images", "assets", "metadata"),
    *("blackouts", "rights", "denied_rights", "rules", "clips", "note", "external_ids"),
)
_GROUP_BELOW: Final = (
    *("titles", "schedule", "images", "metadata", "blackouts", "rights", "denied_rights", "rules", "clips", "note"),
)
_BRAND_BELOW: Final = ("series", "collections", "titles", "metadata", "images", "clips", "note", "external_ids")
_TAGS: Final = ("", "Drama,Nordic", "Comedy", "Family,Animation", "Action")


@numbered(len(LICENSORS))
def _licensor(id_: int) -> Resource:
    return record("licensor", id_, [("name", "", LICENSORS[id_ - 1])], ("titles",))


class Editorial:
    """Builds titles, title groups, brands, licensors and their relations."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def table(self) -> Table:
        """Return path patterns and their builders."""
        library, title, group, brand = self._library, self.title, self.group, self.brand
        titles = partial(children, "titles", title)
        groups = partial(children, "title_groups", group)
        all_titles = range(1, library.titles + 1)
        return {
            "/titles": lambda: Collection("titles", all_titles, title, "pages", self._by_external_id),
            "/titles/{id}": title,
            "/titles/{id}/title_groups": groups(title, lambda id_: ids(library.groups_of(id_ - 1))),
            "/titles/{id}/clips": titles(title, self._clips),
            "/title_groups": every("title_groups", group, library.groups, "pages"),
            "/title_groups/{id}": group,
            "/title_groups/{id}/titles": titles(group, lambda id_: ids(library.titles_in(id_ - 1)), "pages"),
            "/title_groups/{id}/clips": titles(group, lambda _: []),
            "/title_groups/{id}/collection_entries": self._entries,
            "/collection_entries/{id}": self._entry,
            "/brands": every("brands", brand, library.brands, "pages"),
            "/brands/{id}": brand,
            "/brands/{id}/series": groups(brand, lambda id_: range(3 * id_ - 2, min(3 * id_, library.series) + 1)),
            "/brands/{id}/collections": groups(brand, self._collections_of_brand),
            "/brands/{id}/titles": titles(brand, lambda id_: ids(library.brand_titles(id_ - 1)), "pages"),
            "/brands/{id}/clips": titles(brand, lambda _: []),
            "/licensors": every("licensors", _licensor, len(LICENSORS)),
            "/licensors/{id}": _licensor,
            "/licensors/{id}/titles": titles(_licensor, self._licensed, "pages"),
        }

    # -- titles

    def title(self, id_: int) -> Resource | None:
        """Return one title."""
        library, index = self._library, id_ - 1
        if not 0 <= index < library.titles:
            return None
        episode = library.episode(index)
        title = library.phrase(index, 20)
        attributes: list[Attribute] = [
            ("name", "", f"S{episode[0] % 9 + 1:02}E{episode[1]:02} {title}" if episode else title),
            ("title", "", title),
            ("external_id", "", external_id("ACME", index)),
            ("title_type", "", library.kind(index)),
        ]
        if episode:
            attributes.append(("episode_number", "integer", episode[1]))
        attributes.append(("tags", "", _TAGS[index % 5]))
        attributes.append(("acl_hash", "", f"<view@everyone> <edit@team#{index % 7 + 1}>"))
        links = [*_licensor_link(library.licensor(index)), ("creator", f"/users/{index % 4 + 1}")]
        return record("title", id_, attributes, _TITLE_BELOW, links=links, plain=_TITLE_PLAIN)

    def _by_external_id(self, query: Mapping[str, str]) -> Sequence[int]:
        all_titles = range(1, self._library.titles + 1)
        return find_external_id("ACME", query["external_id"], all_titles) if "external_id" in query else all_titles

    def _clips(self, id_: int) -> list[int]:
        trailer = id_ + 9  # the trailer of a block promotes its first feature
        return [trailer] if id_ % 10 == 1 and trailer <= self._library.titles else []

    # -- title groups, brands, licensors

    def group(self, id_: int) -> Resource | None:
        """Return one title group: a series, or a collection."""
        library, index = self._library, id_ - 1
        if not 0 <= index < library.groups:
            return None
        attributes: list[Attribute] = [("name", "", library.phrase(index, 21))]
        attributes.append(("external_id", "", external_id("GRP", index)))
        below: tuple[str, ...] = _GROUP_BELOW
        if index < library.series:
            # 3.2: the season number has no type.
            attributes += [("title_group_type", "", "series"), ("season_number", "", index % 3 + 1),
                           ("season_reference_id", "", f"REF-{id_}" if index % 4 else None)]  # fmt: skip
        else:
            attributes.append(("title_group_type", "", "collection"))
            below = (*_GROUP_BELOW, "collection_entries")
        attributes.append(("tags", "", "" if index % 2 else "Launch"))
        links = [("creator", f"/users/{index % 4 + 1}")]
        return record("title_group", id_, attributes, below, links=links, plain=_GROUP_PLAIN)

    def _entries(self, id_: int) -> Collection | None:
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
        """Return one brand: three series and their collections and titles."""
        index = id_ - 1
        if not 0 <= index < self._library.brands:
            return None
        attributes: list[Attribute] = [
            ("external_id", "", external_id("BRAND", index)),
            ("name", "", f"{self._library.phrase(index, 22)} {id_}"),
            ("tags", "", ""),
        ]
        links = [*_licensor_link(self._library.series_licensor(3 * index)), ("creator", f"/users/{index % 4 + 1}")]
        return record("brand", id_, attributes, _BRAND_BELOW, links=links)

    def _collections_of_brand(self, id_: int) -> range:
        return range(self._library.series + id_, self._library.groups + 1, self._library.brands)

    def _licensed(self, id_: int) -> Any:
        return np.flatnonzero(self._library.licensor(np.arange(self._library.titles)) == id_ - 1) + 1


def _licensor_link(licensor: int) -> list[tuple[str, str]]:
    return [("licensor", f"/licensors/{licensor + 1}")] if licensor else []
