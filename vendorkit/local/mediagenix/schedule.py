"""Platforms, schedules and linear channels of the local Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from vendorkit.local.mediagenix.data import CHANNELS, OUTLETS, PLATFORMS, Library, day
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.hypermedia import Attribute, Collection, Document, Node, Resource

SEQUENCE: Final = "https://sequence.example"
"""Stands for the sister product, which is another origin with a login of its own."""

_OWNERS: Final = {"platforms": "platform", "title_groups": "title_group", "titles": "title", "assets": "asset"}
# The release notes name these; `not_cleared` is inferred, only `cleared` was seen (4.9).
_OFFLINE: Final = ("published", "published", "published", "failed")
_ONLINE: Final = ("valid", "published", "published", "invalid", "queued", "sent", "on_hold")


class Scheduled:
    """Answers on when titles are on which platform. `table` of the other answers tells which owners exist."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def table(self, owners: dict[str, Callable[..., Node | None]]) -> dict[str, Callable[..., Node | None]]:
        """Path patterns and what answers them."""
        table: dict[str, Callable[..., Node | None]] = {
            "/platforms": lambda: Collection("platforms", range(1, 1 + len(PLATFORMS)), self._platform),
            "/platforms/{id}": self._platform,
            "/platforms/{id}/requirements": lambda id_: owners["/requirements"]() if self._platform(id_) else None,
            "/platforms/{id}/metadata": lambda id_: self._platform(id_) and Document("platform", []),
            "/outlets": lambda: Collection("outlets", range(1, 1 + len(OUTLETS)), self._outlet),
            "/outlets/{id}": self._outlet,
            "/outlets/{id}/platforms": self._outlet_platforms,
            "/schedulings/{id}": self._scheduling,
            "/schedulings/{id}/conflicts": self._conflicts,
            "/schedulings/{id}/publications": self._publications,
            "/schedulings/{id}/workflow": self._workflow,
            "/publications/{id}": self._publication,
            "/linear_channels": lambda: Collection("linear_channels", range(1, 5), self._channel),
            "/linear_channels/{id}": self._channel,
            "/linear_channels/{id}/linear_schedulings": self._channel_schedulings,
            "/linear_schedulings/{id}": self._linear,
            "/linear_schedulings/{id}/schedulings": self._linear_on_demand,
            "/titles/{id}/linear_schedulings": self._title_linear,
        }
        for owner in _OWNERS:
            exists = self._platform if owner == "platforms" else owners[f"/{owner}/{{id}}"]
            table[f"/{owner}/{{id}}/schedule"] = _schedule_of(owner, exists)
            table[f"/{owner}/{{id}}/schedule/schedulings"] = self._schedulings_of(owner, exists)
        return table

    # -- platforms

    def _platform(self, id_: int) -> Resource | None:
        if not 1 <= id_ <= len(PLATFORMS):
            return None
        name, zone = PLATFORMS[id_ - 1]
        attributes: list[Attribute] = [("id", "integer", id_), ("name", "", name), ("timezone", "", zone),
                                       ("external_id", "", None if id_ == 4 else f"PLT-{id_}")]  # fmt: skip
        links = [("outlet", f"/outlets/{(id_ - 1) % len(OUTLETS) + 1}")]
        return Resource("platform", f"/platforms/{id_}", attributes, ("schedule", "requirements", "metadata"), links)

    def _outlet(self, id_: int) -> Resource | None:
        # The vendor's page was not seen; the least there can be (4.6).
        if not 1 <= id_ <= len(OUTLETS):
            return None
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("name", "", OUTLETS[id_ - 1]),
            ("external_id", "", None),
        ]
        return Resource("outlet", f"/outlets/{id_}", attributes, ("platforms",))

    def _outlet_platforms(self, id_: int) -> Node | None:
        own = range(id_, 1 + len(PLATFORMS), len(OUTLETS))
        return self._outlet(id_) and Collection("platforms", own, self._platform)

    # -- schedulings

    def _schedulings_of(self, owner: str, exists: Callable[..., Node | None]) -> Callable[..., Node | None]:
        members: dict[str, Callable[[int], Any]] = {
            "platforms": lambda id_: self._library.schedulings_on(id_ - 1) + 1,
            "titles": lambda id_: self._ids_of([id_ - 1]),
            "title_groups": lambda id_: self._ids_of(self._library.titles_in(id_ - 1)),
            "assets": lambda id_: [s for s in self._ids_of([(id_ - 1) // 2]) if self._asset_of(s - 1) == id_],
        }

        def schedulings(id_: int) -> Node | None:
            # Whether the vendor pages these was not seen; a platform has too many for one answer.
            return exists(id_) and Collection("schedulings", members[owner](id_), self._scheduling, "pages")

        return schedulings

    def _ids_of(self, titles: list[int]) -> list[int]:
        return [place + 1 for title in titles for place in self._library.schedulings_of(title)]

    def _asset_of(self, scheduling: int) -> int:
        title, place = divmod(scheduling, 4)
        return 2 * title + 1 + (place % 2 if self._library.has_asset(2 * title + 1) else 0)

    def _scheduling(self, id_: int) -> Resource | None:
        index, library = id_ - 1, self._library
        if not 0 <= index < 4 * library.titles or library.platform(index) < 0:
            return None
        first, end, cleared = library.shown(index)
        title = index // 4
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("put_up", "datetime", f"{day(first)}T00:00:00Z"),
            ("take_down", "datetime", f"{day(end - 1)}T21:59:59Z"),
            ("scheduling_type", "", "catchup" if index % 5 == 0 else "archive"),
            ("rights_status", "", "cleared" if cleared else "not_cleared"),
            ("rights_status_calculating", "boolean", False),
            ("workflow_status", "", ("completed", "pending", "in_progress")[library.scatter(index, 41) % 3]),
            ("publication_status", "", self._status(index, end)),
            ("tags", "", "Launch" if index % 6 == 0 else ""),
            ("external_id", "", external_id("SCH", index)),
            ("automatic_asset_selection", "boolean", index % 4 == 1),
        ]
        episode = library.episode(title)
        links = [("title_group", f"/title_groups/{episode[0] + 1}")] if episode else []
        links += [("title", f"/titles/{title + 1}"), ("asset", f"/assets/{self._asset_of(index)}")]
        links.append(("platform", f"/platforms/{library.platform(index) + 1}"))
        below = ("conflicts", "publications", "workflow", "metadata")
        return Resource("scheduling", f"/schedulings/{id_}", attributes, below, links, frozenset({"metadata"}))

    def _status(self, index: int, end: int) -> str:
        number = self._library.scatter(index, 40)
        return _OFFLINE[number % 4] if end <= 0 else _ONLINE[number % 7]

    def _conflicts(self, id_: int) -> Node | None:
        return self._scheduling(id_) and Collection("schedulings", [], self._scheduling)

    def _publications(self, id_: int) -> Node | None:
        return self._scheduling(id_) and Collection("publications", [id_], self._publication)

    def _publication(self, id_: int) -> Resource | None:
        if self._scheduling(id_) is None:
            return None
        first = self._library.shown(id_ - 1)[0]
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("success", "boolean", id_ % 7 != 0),
            ("published_at", "datetime", f"{day(first - 1)}T16:00:00Z"),
        ]
        return Resource(
            "publication", f"/publications/{id_}", attributes, links=[("scheduling", f"/schedulings/{id_}")]
        )

    def _workflow(self, id_: int) -> Node | None:
        if self._scheduling(id_) is None:
            return None
        status = ("completed", "pending", "in_progress")[self._library.scatter(id_ - 1, 41) % 3]
        links = [("job", f"{SEQUENCE}/api/work_areas/1/jobs/{id_}")]
        path = f"/schedulings/{id_}/workflow"
        return Resource("workflow", path, [("status", "", status)], links=links, plain=frozenset({"job"}))

    # -- linear channels: the hours of the day, channel by channel, walk through all titles

    @property
    def _hours(self) -> int:
        return 4 * max(25, self._library.titles // 8) if self._library.titles else 0

    def _channel(self, id_: int) -> Resource | None:
        if not 1 <= id_ <= len(CHANNELS):
            return None
        name, zone = CHANNELS[id_ - 1]
        attributes: list[Attribute] = [("id", "integer", id_), ("name", "", name), ("external_id", "", f"CH-{id_}"),
                                       ("timezone", "", zone)]  # fmt: skip
        return Resource("linear_channel", f"/linear_channels/{id_}", attributes, ("linear_schedulings",))

    def _channel_schedulings(self, id_: int) -> Node | None:
        hours = range(id_, self._hours + 1, len(CHANNELS))
        return self._channel(id_) and Collection("linear_schedulings", hours, self._linear, "cursor")

    def _title_linear(self, id_: int) -> Node | None:
        if not 1 <= id_ <= self._library.titles:
            return None
        return Collection(
            "linear_schedulings", range(id_, self._hours + 1, self._library.titles), self._linear, "cursor"
        )

    def _linear(self, id_: int) -> Resource | None:
        if not 1 <= id_ <= self._hours:
            return None
        hour, channel = divmod(id_ - 1, len(CHANNELS))
        title = (id_ - 1) % self._library.titles
        offset = "+00:00" if CHANNELS[channel][1] == "London" else "+01:00"
        begins, clock = day(hour // 24 - 7), hour % 24
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("begins_at", "datetime", f"{begins}T{clock:02}:00:00{offset}"),
            ("ends_at", "datetime", f"{begins}T{clock:02}:55:00{offset}"),
            ("external_id", "", external_id("LIN", id_ - 1)),
            # 3.2: numbers without their type.
            ("costed_run", "", id_ % 3 + 1),
            ("rerun", "", id_ % 2),
            ("linear_contract_id", "", f"C-{id_ % 40}"),
        ]
        links = [("title", f"/titles/{title + 1}"), ("asset", f"/assets/{2 * title + 1}"),
                 ("linear_channel", f"/linear_channels/{channel + 1}")]  # fmt: skip
        return Resource("linear_scheduling", f"/linear_schedulings/{id_}", attributes, ("schedulings",), links)

    def _linear_on_demand(self, id_: int) -> Node | None:
        if self._linear(id_) is None:
            return None
        return Collection("schedulings", self._ids_of([(id_ - 1) % self._library.titles]), self._scheduling)


def _schedule_of(owner: str, exists: Callable[..., Node | None]) -> Callable[..., Node | None]:
    def schedule(id_: int) -> Node | None:
        links = [(_OWNERS[owner], f"/{owner}/{id_}")]
        return exists(id_) and Resource("schedule", f"/{owner}/{id_}/schedule", [], ("schedulings",), links)

    return schedule
