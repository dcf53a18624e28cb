"""Rights, deals, windows and what restricts them, of the local Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vendorkit.local.mediagenix.data import LICENSORS, PLATFORMS, REQUIREMENTS, Library, day, local_midnight
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.hypermedia import Attribute, Collection, Node, Resource

_RIGHT_BELOW: Final = ("granted_requirements", "specific_platforms", "sourced_schedulings", "note", "metadata")
_DEAL_BELOW: Final = ("rights", "metadata", "granted_requirements", "specific_platforms")
_DEAL_PLAIN: Final = frozenset({"rights", "licensor", "granted_requirements", "specific_platforms"})
_RESTRICTED: Final = ("rights", "deals", "blackouts", "denied_rights")
_DEALS: Final = 2 * (len(LICENSORS) - 1)


class Rights:
    """Answers on what may be shown, where and when. `owners` tells which titles and title groups exist."""

    def __init__(self, library: Library) -> None:
        self._library = library
        # A restriction hits each so many-th title from an offset, then each so many-th series.
        self._blackouts = _Sparse(library, 40, 7, 15, 3)
        self._denied = _Sparse(library, 50, 25, 20, 5)

    def table(self, owners: dict[str, Callable[..., Node | None]]) -> dict[str, Callable[..., Node | None]]:
        """Path patterns and what answers them."""
        deals = range(1, _DEALS + 1)
        table: dict[str, Callable[..., Node | None]] = {
            "/rights": lambda: Collection("rights", self._library.rights + 1, self._right, "pages"),
            "/rights/{id}": self._right,
            "/rights/{id}/sourced_schedulings": lambda id_: self._sourced(id_, owners),
            "/deals": lambda: Collection("deals", deals, self._deal, "pages"),
            "/deals/{id}": self._deal,
            "/deals/{id}/rights": self._deal_rights,
            "/titles/{id}/availability_windows": lambda id_: owners["/titles/{id}"](id_) and self._windows(id_),
            "/availability_windows/{id}": self._window,
            "/availability_windows/{id}/platforms": lambda id_: self._window_platforms(id_, owners),
            "/denied_rights": lambda: Collection("denied_rights", self._denied.ids, self._denied_right, "pages"),
            "/denied_rights/{id}": self._denied_right,
            "/blackouts/{id}": self._blackout,
            "/requirements": lambda: Collection(
                "requirements", range(1, len(REQUIREMENTS) + 1), self._requirement, "pages"
            ),
            "/requirements/{id}": self._requirement,
            "/granted_requirements/{id}": self._granted,
            "/specific_platforms/{id}": self._specific,
        }
        return table | self._below_owners(owners)

    def _below_owners(self, owners: dict[str, Callable[..., Node | None]]) -> dict[str, Callable[..., Node | None]]:
        """What hangs below titles and title groups, and below what restricts them."""
        table: dict[str, Callable[..., Node | None]] = {}
        for kind, rights_of in (
            ("titles", self._library.rights_of_title),
            ("title_groups", self._library.rights_of_group),
        ):
            exists = owners[f"/{kind}/{{id}}"]
            table[f"/{kind}/{{id}}/rights"] = self._rights_of(exists, rights_of)
            table[f"/{kind}/{{id}}/blackouts"] = self._sparse_of(exists, kind, "blackouts")
            table[f"/{kind}/{{id}}/denied_rights"] = self._sparse_of(exists, kind, "denied_rights")
            table[f"/{kind}/{{id}}/rules"] = _no_rules(exists)
        builders = (self._right, self._deal, self._blackout, self._denied_right)
        for position, (kind, build) in enumerate(zip(_RESTRICTED, builders, strict=True)):
            table[f"/{kind}/{{id}}/specific_platforms"] = self._specifics_of(position, build)
            if kind != "denied_rights":
                table[f"/{kind}/{{id}}/granted_requirements"] = self._granted_of(position, build)
        return table

    # -- rights and deals

    def _right(self, id_: int) -> Resource | None:
        index, library = id_ - 1, self._library
        if not library.has_right(index):
            return None
        owner, place = library.licensable(index)
        selection = library.selection(index)
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("external_id", "", external_id("RGT", index)),
            ("name", "", f"Right #{id_}"),
            *_terms(index, library.span(index), "catchup" if selection else "archive"),
            ("episode_selection_type", "", "only" if selection else None),
            ("episode_selection", "", selection),
            ("clearances_included", "boolean", index % 6 != 0),
        ]
        licensor = int(library.series_licensor(place) if owner == "title_groups" else library.licensor(place))
        links = [("licensable", f"/{owner}/{place + 1}")]
        links += [("licensor", f"/licensors/{licensor + 1}")] if licensor else []
        return Resource("right", f"/rights/{id_}", attributes, _RIGHT_BELOW, links)

    def _rights_of(
        self, exists: Callable[..., Node | None], rights_of: Callable[[int], list[int]]
    ) -> Callable[..., Node | None]:
        def rights(id_: int) -> Node | None:
            return exists(id_) and Collection("rights", [right + 1 for right in rights_of(id_ - 1)], self._right)

        return rights

    def _sourced(self, id_: int, owners: dict[str, Callable[..., Node | None]]) -> Node | None:
        library, right = self._library, id_ - 1
        if self._right(id_) is None:
            return None
        owner, place = library.licensable(right)
        titles = library.episodes_of(place) if owner == "title_groups" else [place]
        places = [s for title in titles if right in library.applying(title) for s in library.schedulings_of(title)]
        found = [s + 1 for s in places if library.covers(right, s)]
        return Collection("schedulings", found, owners["/schedulings/{id}"])  # type: ignore[arg-type]

    def _deal(self, id_: int) -> Resource | None:
        index = id_ - 1
        if not 0 <= index < _DEALS:
            return None
        kind = "catchup" if index % 2 else "archive"
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("name", "", f"{LICENSORS[index // 2 + 1]} {2024 + index % 2}"),
            ("external_id", "", external_id("DEAL", index)),
            *_terms(index, (-900 + 30 * index, 400 - 20 * index), kind),
            ("rights_updated_at", "datetime", f"{day(-index)}T09:30:00+01:00"),
        ]
        links = [("licensor", f"/licensors/{index // 2 + 2}")]
        return Resource("deal", f"/deals/{id_}", attributes, _DEAL_BELOW, links, _DEAL_PLAIN)

    def _deal_rights(self, id_: int) -> Node | None:
        if self._deal(id_) is None:
            return None
        rights = self._library.rights
        return Collection("rights", rights[self._library.deal(rights) == id_ - 1] + 1, self._right, "pages")

    # -- windows: what a right makes of a title

    def _windows(self, id_: int) -> Collection:
        found = [window + 1 for window in self._library.windows_of(id_ - 1)]
        return Collection("availability_windows", found, self._window)

    def _window(self, id_: int) -> Resource | None:
        right, episode = divmod(id_ - 1, 16)
        title = self._title_of(right, episode)
        if title is None or id_ - 1 not in self._library.windows_of(title):
            return None
        start, end = self._library.span(right)
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("from", "datetime", local_midnight(start)),
            ("to", "datetime", local_midnight(end)),
        ]
        links = [("title", f"/titles/{title + 1}")]
        return Resource("availability_window", f"/availability_windows/{id_}", attributes, ("platforms",), links)

    def _title_of(self, right: int, episode: int) -> int | None:
        if not self._library.has_right(right):
            return None
        owner, place = self._library.licensable(right)
        if owner == "titles":
            return None if episode else place
        titles = self._library.episodes_of(place)
        return titles[episode - 1] if 1 <= episode <= len(titles) else None

    def _window_platforms(self, id_: int, owners: dict[str, Callable[..., Node | None]]) -> Node | None:
        if self._window(id_) is None:
            return None
        named = self._library.platforms_of("rights", (id_ - 1) // 16) or range(len(PLATFORMS))
        return Collection("platforms", [p + 1 for p in named], owners["/platforms/{id}"])  # type: ignore[arg-type]

    # -- restrictions

    def _blackout(self, id_: int) -> Resource | None:
        # The vendor's page was not seen; the least there can be (4.14).
        owner = self._blackouts.owner(id_)
        if owner is None:
            return None
        start = self._library.scatter(id_, 50) % 300 - 150
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("external_id", "", None),
            ("name", "", f"Blackout #{id_}"),
            ("starts", "datetime", f"{day(start)}T00:00:00Z"),
            ("ends", "datetime", f"{day(start + 14)}T00:00:00Z"),
        ]
        below = ("specific_platforms", "granted_requirements")
        return Resource("blackout", f"/blackouts/{id_}", attributes, below, [("licensable", owner)])

    def _denied_right(self, id_: int) -> Resource | None:
        owner = self._denied.owner(id_)
        if owner is None:
            return None
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("external_id", "", f"DEN-{id_}"),
            ("name", "", f"DeniedRight #{id_}"),
            ("reason", "", None if id_ % 3 else "Music rights & samples"),
            ("enabled", "boolean", id_ % 4 != 0),
        ]
        below = ("specific_platforms",)
        return Resource("denied_right", f"/denied_rights/{id_}", attributes, below, [("licensable", owner)])

    def _sparse_of(self, exists: Callable[..., Node | None], kind: str, plural: str) -> Callable[..., Node | None]:
        sparse, build = (
            (self._blackouts, self._blackout) if plural == "blackouts" else (self._denied, self._denied_right)
        )
        return lambda id_: exists(id_) and Collection(plural, sparse.of(kind, id_ - 1), build)

    def _requirement(self, id_: int) -> Resource | None:
        if not 1 <= id_ <= len(REQUIREMENTS):
            return None
        category, value = REQUIREMENTS[id_ - 1]
        attributes: list[Attribute] = [("id", "integer", id_), ("category", "", category), ("value", "", value)]
        return Resource("requirement", f"/requirements/{id_}", attributes)

    def _specifics_of(self, position: int, build: Callable[[int], Resource | None]) -> Callable[..., Node | None]:
        def specific_platforms(id_: int) -> Node | None:
            places = self._library.platforms_of(_RESTRICTED[position], id_ - 1)
            found = [(4 * id_ + position) * 8 + place for place in places]
            return build(id_) and Collection("specific_platforms", found, self._specific)

        return specific_platforms

    def _specific(self, id_: int) -> Resource | None:
        owner, place = divmod(id_, 8)
        if place not in self._library.platforms_of(_RESTRICTED[owner % 4], owner // 4 - 1):
            return None
        links = [("platform", f"/platforms/{place + 1}")]
        return Resource("specific_platform", f"/specific_platforms/{id_}", [("id", "integer", id_)], links=links)

    def _granted_of(self, position: int, build: Callable[[int], Resource | None]) -> Callable[..., Node | None]:
        def granted_requirements(id_: int) -> Node | None:
            found = [(4 * id_ + position) * 8 + place for place in range(id_ % 3)]
            return build(id_) and Collection("granted_requirements", found, self._granted)

        return granted_requirements

    def _granted(self, id_: int) -> Resource | None:
        owner, place = divmod(id_, 8)
        if place >= owner // 4 % 3:
            return None
        requirement = (owner // 4 + 5 * place) % len(REQUIREMENTS) + 1
        links = [("requirement", f"/requirements/{requirement}")]
        return Resource("granted_requirement", f"/granted_requirements/{id_}", [("id", "integer", id_)], links=links)


class _Sparse:
    """Numbers for restrictions on each so many-th title, then on each so many-th series."""

    def __init__(self, library: Library, titles: int, title: int, series: int, group: int) -> None:
        self._steps = {"titles": (titles, title), "title_groups": (series, group)}
        self._on_titles = len(range(title, library.titles, titles))
        self.ids = range(1, 1 + self._on_titles + len(range(group, library.series, series)))

    def owner(self, id_: int) -> str | None:
        """Path of what the restriction is on."""
        if id_ not in self.ids:
            return None
        kind = "titles" if id_ <= self._on_titles else "title_groups"
        step, offset = self._steps[kind]
        return f"/{kind}/{(id_ - 1 - (0 if kind == 'titles' else self._on_titles)) * step + offset + 1}"

    def of(self, kind: str, index: int) -> list[int]:
        """The restriction on a title or title group, if there is one."""
        step, offset = self._steps[kind]
        id_ = index // step + 1 + (0 if kind == "titles" else self._on_titles)
        return [id_] if index % step == offset and id_ in self.ids else []


def _terms(index: int, span: tuple[int, int], kind: str) -> list[Attribute]:
    """What rights and deals share."""
    return [
        ("right_type", "", kind),
        ("starts", "datetime", f"{day(span[0])}T00:00:00Z"),
        ("ends", "datetime", f"{day(span[1])}T00:00:00Z"),
        ("utility_limit", "integer", None if index % 3 else 5),
        ("repeats", "boolean", index % 2 == 0),
        ("minimum_exploitation", "integer", None if index % 4 else 30),
        ("maximum_exploitation", "integer", 30 + index % 6 * 60),
        ("exploitation_limits_context", "", "total"),
        ("rerun_limit", "integer", index % 4 or None),
        ("parity", "", "start+end" if index % 5 == 0 else None),
    ]


def _no_rules(exists: Callable[..., Node | None]) -> Callable[..., Node | None]:
    return lambda id_: exists(id_) and Collection("rules", [], lambda _: None)
