"""Rights, deals, availability windows and restrictions of Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from vendorkit.local.mediagenix.data import LICENSORS, PLATFORMS, REQUIREMENTS, Library, day, ids, local_midnight
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.nodes import (
    Attribute,
    Build,
    Collection,
    Resource,
    Table,
    children,
    every,
    numbered,
    record,
)

_RIGHT_BELOW: Final = ("granted_requirements", "specific_platforms", "sourced_schedulings", "note", "metadata")
_DEAL_BELOW: Final = ("rights", "metadata", "granted_requirements", "specific_platforms")
_DEAL_PLAIN: Final = frozenset({"rights", "licensor", "granted_requirements", "specific_platforms"})
_RESTRICTED: Final = ("rights", "deals", "blackouts", "denied_rights", "rules")
_DEALS: Final = 2 * (len(LICENSORS) - 1)


@numbered(_DEALS)
def _deal(id_: int) -> Resource:
    index = id_ - 1
    attributes: list[Attribute] = [
        ("name", "", f"{LICENSORS[index // 2 + 1]} {2024 + index % 2}"),
        ("external_id", "", external_id("DEAL", index)),
        *_terms(index, (-900 + 30 * index, 400 - 20 * index), "catchup" if index % 2 else "archive"),
        ("rights_updated_at", "datetime", f"{day(-index)}T09:30:00+01:00"),
    ]
    links = [("licensor", f"/licensors/{index // 2 + 2}")]
    return record("deal", id_, attributes, _DEAL_BELOW, links=links, plain=_DEAL_PLAIN)


@numbered(len(REQUIREMENTS))
def _requirement(id_: int) -> Resource:
    category, value = REQUIREMENTS[id_ - 1]
    return record("requirement", id_, [("category", "", category), ("value", "", value)])


class Rights:
    """Builds rights, deals, availability windows, restrictions and their relations."""

    def __init__(self, library: Library) -> None:
        self._library = library
        # One title in so many has a restriction, counted from an offset; then one series in so many.
        self._blackouts = _Sparse(library, 40, 7, 15, 3)
        self._denied = _Sparse(library, 50, 25, 20, 5)

    def table(self, owners: Table) -> Table:
        """Return path patterns and their builders; *owners* has those of titles, schedulings and platforms."""
        library, right, window = self._library, self._right, self._window
        title, scheduling, platform = (owners[f"/{kind}/{{id}}"] for kind in ("titles", "schedulings", "platforms"))
        windows = partial(children, "availability_windows", window)
        table: Table = {
            "/rights": lambda: Collection("rights", library.rights + 1, right, "pages"),
            "/rights/{id}": right,
            "/rights/{id}/sourced_schedulings": children("schedulings", scheduling, right, self._sourced),
            "/deals": every("deals", _deal, _DEALS, "pages"),
            "/deals/{id}": _deal,
            "/deals/{id}/rights": children("rights", right, _deal, self._rights_of_deal, "pages"),
            "/titles/{id}/availability_windows": windows(title, lambda id_: ids(library.windows_of(id_ - 1))),
            "/availability_windows/{id}": window,
            "/availability_windows/{id}/platforms": children("platforms", platform, window, self._window_platforms),
            "/denied_rights": lambda: Collection("denied_rights", self._denied.ids, self._denied_right, "pages"),
            "/denied_rights/{id}": self._denied_right,
            "/blackouts/{id}": self._blackout,
            "/requirements": every("requirements", _requirement, len(REQUIREMENTS), "pages"),
            "/requirements/{id}": _requirement,
            "/granted_requirements/{id}": self._granted,
            "/specific_platforms/{id}": self._specific,
        }
        return table | self._below_owners(owners) | self._below_restricted(owners["/rules/{id}"])

    def _below_owners(self, owners: Table) -> Table:
        """Return what is below titles and title groups."""
        library = self._library
        table: Table = {}
        rights_of: dict[str, Callable[[int], list[int]]] = {
            "titles": lambda id_: ids(library.rights_of_title(id_ - 1)),
            "title_groups": lambda id_: ids(library.rights_of_group(id_ - 1)),
        }
        for kind, rights in rights_of.items():
            owner = owners[f"/{kind}/{{id}}"]
            blackouts, denied = partial(self._blackouts.on, kind), partial(self._denied.on, kind)
            table |= {
                f"/{kind}/{{id}}/rights": children("rights", self._right, owner, rights),
                f"/{kind}/{{id}}/blackouts": children("blackouts", self._blackout, owner, blackouts),
                f"/{kind}/{{id}}/denied_rights": children("denied_rights", self._denied_right, owner, denied),
            }
        return table

    def _below_restricted(self, rule: Build) -> Table:
        """Return the specific platforms and granted requirements of what has them."""
        table: Table = {}
        platforms = partial(children, "specific_platforms", self._specific)
        requirements = partial(children, "granted_requirements", self._granted)
        builders = (self._right, _deal, self._blackout, self._denied_right, rule)
        for position, (kind, build) in enumerate(zip(_RESTRICTED, builders, strict=True)):
            table[f"/{kind}/{{id}}/specific_platforms"] = platforms(build, partial(self._specifics, position))
            table[f"/{kind}/{{id}}/granted_requirements"] = requirements(build, partial(_grants, position))
        del table["/denied_rights/{id}/granted_requirements"]  # the vendor has none of these
        del table["/rules/{id}/granted_requirements"]
        return table

    # -- rights

    def _right(self, id_: int) -> Resource | None:
        index, library = id_ - 1, self._library
        if not library.has_right(index):
            return None
        owner, place = library.licensable(index)
        selection = library.selection(index)
        attributes: list[Attribute] = [
            ("external_id", "", external_id("RGT", index)),
            ("name", "", f"Right #{id_}"),
            *_terms(index, library.span(index), "catchup" if selection else "archive"),
            *(_offsets(index) if selection else []),
            ("episode_selection_type", "", "only" if selection else None),
            ("episode_selection", "", selection),
            ("clearances_included", "boolean", index % 6 != 0),
        ]
        licensor = int(library.series_licensor(place) if owner == "title_groups" else library.licensor(place))
        links = [("licensable", f"/{owner}/{place + 1}")]
        links += [("licensor", f"/licensors/{licensor + 1}")] if licensor else []
        deal = int(library.deal(index))
        links += [("deal", f"/deals/{deal + 1}")] if deal >= 0 else []
        return record("right", id_, attributes, _RIGHT_BELOW, links=links)

    def _sourced(self, id_: int) -> list[int]:
        library, right = self._library, id_ - 1
        owner, place = library.licensable(right)
        titles = library.episodes_of(place) if owner == "title_groups" else [place]
        places = [s for title in titles if right in library.applying(title) for s in library.schedulings_of(title)]
        return ids(s for s in places if library.covers(right, s))

    def _rights_of_deal(self, id_: int) -> Any:
        rights = self._library.rights
        return rights[self._library.deal(rights) == id_ - 1] + 1

    # -- availability windows: when a right applies to a title

    def _window(self, id_: int) -> Resource | None:
        right, episode = divmod(id_ - 1, 16)
        title = self._title_of(right, episode)
        if title is None or id_ - 1 not in self._library.windows_of(title):
            return None
        start, end = self._library.span(right)
        attributes: list[Attribute] = [
            ("from", "datetime", local_midnight(start)),
            ("to", "datetime", local_midnight(end)),
        ]
        links = [("title", f"/titles/{title + 1}")]
        return record("availability_window", id_, attributes, ("platforms",), links=links)

    def _title_of(self, right: int, episode: int) -> int | None:
        if not self._library.has_right(right):
            return None
        owner, place = self._library.licensable(right)
        if owner == "titles":
            return None if episode else place
        titles = self._library.episodes_of(place)
        return titles[episode - 1] if 1 <= episode <= len(titles) else None

    def _window_platforms(self, id_: int) -> list[int]:
        return ids(self._library.platforms_of("rights", (id_ - 1) // 16) or range(len(PLATFORMS)))

    # -- restrictions

    def _blackout(self, id_: int) -> Resource | None:
        # The vendor's page was not available: a minimum of fields (4.14).
        owner = self._blackouts.owner(id_)
        if owner is None:
            return None
        start = self._library.scatter(id_, 50) % 300 - 150
        attributes: list[Attribute] = [
            ("external_id", "", None),
            ("name", "", f"Blackout #{id_}"),
            ("starts", "datetime", f"{day(start)}T00:00:00Z"),
            ("ends", "datetime", f"{day(start + 14)}T00:00:00Z"),
        ]
        below = ("specific_platforms", "granted_requirements")
        return record("blackout", id_, attributes, below, links=[("licensable", owner)])

    def _denied_right(self, id_: int) -> Resource | None:
        owner = self._denied.owner(id_)
        if owner is None:
            return None
        attributes: list[Attribute] = [
            ("external_id", "", f"DEN-{id_}"),
            ("name", "", f"DeniedRight #{id_}"),
            ("reason", "", None if id_ % 3 else "Music rights & samples"),
            ("enabled", "boolean", id_ % 4 != 0),
        ]
        return record("denied_right", id_, attributes, ("specific_platforms",), links=[("licensable", owner)])

    def _specifics(self, position: int, id_: int) -> list[int]:
        places = self._library.platforms_of(_RESTRICTED[position], id_ - 1)
        return [(5 * id_ + position) * 8 + place for place in places]

    def _specific(self, id_: int) -> Resource | None:
        owner, place = divmod(id_, 8)
        if place not in self._library.platforms_of(_RESTRICTED[owner % 5], owner // 5 - 1):
            return None
        return record("specific_platform", id_, [], links=[("platform", f"/platforms/{place + 1}")])

    @staticmethod
    def _granted(id_: int) -> Resource | None:
        owner, place = divmod(id_, 8)
        if place >= owner // 5 % 3:
            return None
        requirement = (owner // 5 + 5 * place) % len(REQUIREMENTS) + 1
        return record("granted_requirement", id_, [], links=[("requirement", f"/requirements/{requirement}")])


def _grants(position: int, id_: int) -> list[int]:
    return [(5 * id_ + position) * 8 + place for place in range(id_ % 3)]


class _Sparse:
    """Ids of restrictions: first of those on titles, then of those on series."""

    def __init__(self, library: Library, titles: int, title: int, series: int, group: int) -> None:
        self._steps = {"titles": (titles, title), "title_groups": (series, group)}
        self._on_titles = len(range(title, library.titles, titles))
        self.ids = range(1, 1 + self._on_titles + len(range(group, library.series, series)))

    def owner(self, id_: int) -> str | None:
        """Return the path of the title or title group that has the restriction."""
        if id_ not in self.ids:
            return None
        kind = "titles" if id_ <= self._on_titles else "title_groups"
        step, offset = self._steps[kind]
        return f"/{kind}/{(id_ - 1 - (0 if kind == 'titles' else self._on_titles)) * step + offset + 1}"

    def on(self, kind: str, owner_id: int) -> list[int]:
        """Return the id of the restriction on a title or title group, if there is one."""
        step, offset = self._steps[kind]
        index = owner_id - 1
        id_ = index // step + 1 + (0 if kind == "titles" else self._on_titles)
        return [id_] if index % step == offset and id_ in self.ids else []


def _offsets(index: int) -> list[Attribute]:
    """Return when a catch-up right begins and ends, counted from a transmission."""
    parts = (("start", 0, "before_tx_starts"), ("end", 7 + index % 3 * 7, "after_tx_ends"))  # the first one is inferred
    return [
        (f"{edge}_offset_{name}", kind, value)
        for edge, days, reference in parts
        for name, kind, value in (("value", "integer", days), ("unit", "", "days"), ("reference", "", reference))
    ]


def _terms(index: int, span: tuple[int, int], kind: str) -> list[Attribute]:
    """Return the attributes that rights and deals have in common."""
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
