"""Platforms, schedules and linear channels of Mediagenix On-Demand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from vendorkit.local.mediagenix.data import CHANNELS, OUTLETS, PLATFORMS, Library, day, job_path
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.nodes import Attribute, Document, Resource, Table, child, children, every, numbered, record

# The release notes name these; `not_cleared` is inferred, only `cleared` was seen (4.9).
_OFFLINE: Final = ("published", "published", "published", "failed")
_ONLINE: Final = ("valid", "published", "published", "invalid", "queued", "sent", "on_hold")
_WORKFLOWS: Final = ("completed", "pending", "in_progress")


@numbered(len(PLATFORMS))
def _platform(id_: int) -> Resource:
    name, zone = PLATFORMS[id_ - 1]
    attributes: list[Attribute] = [("name", "", name), ("timezone", "", zone)]
    attributes.append(("external_id", "", None if id_ == 4 else f"PLT-{id_}"))
    links = [("outlet", f"/outlets/{(id_ - 1) % len(OUTLETS) + 1}")]
    return record("platform", id_, attributes, ("schedule", "requirements", "metadata"), links=links)


@numbered(len(OUTLETS))
def _outlet(id_: int) -> Resource:
    # The vendor's page was not available: a minimum of fields (4.6).
    return record("outlet", id_, [("name", "", OUTLETS[id_ - 1]), ("external_id", "", None)], ("platforms",))


@numbered(len(CHANNELS))
def _channel(id_: int) -> Resource:
    name, zone = CHANNELS[id_ - 1]
    attributes = [("name", "", name), ("external_id", "", f"CH-{id_}"), ("timezone", "", zone)]
    return record("linear_channel", id_, attributes, ("linear_schedulings", "linear_programs", "linear_categories"))


class Scheduled:
    """Builds platforms, schedulings, linear channels and their relations."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._hours = range(1, 1 + len(CHANNELS) * max(25, library.titles // 8) if library.titles else 1)

    def table(self, owners: Table) -> Table:
        """Return path patterns and their builders; *owners* has those of titles, title groups and assets."""
        library, scheduling, hours = self._library, self._scheduling, self._hours
        schedulings = partial(children, "schedulings", scheduling)
        publications = partial(children, "publications", self._publication)
        linear = partial(children, "linear_schedulings", self._linear, paging="cursor")
        table: Table = {
            "/platforms": every("platforms", _platform, len(PLATFORMS)),
            "/platforms/{id}": _platform,
            "/platforms/{id}/requirements": child(_platform, lambda _: owners["/requirements"]()),
            "/platforms/{id}/metadata": child(_platform, lambda _: Document("platform", [])),
            "/outlets": every("outlets", _outlet, len(OUTLETS)),
            "/outlets/{id}": _outlet,
            "/outlets/{id}/platforms": children("platforms", _platform, _outlet, _platforms_of),
            "/schedulings/{id}": scheduling,
            "/schedulings/{id}/publications": publications(scheduling, lambda id_: [id_]),
            "/schedulings/{id}/workflow": child(scheduling, self._workflow),
            "/publications/{id}": child(scheduling, self._publication),
            "/linear_channels": every("linear_channels", _channel, len(CHANNELS)),
            "/linear_channels/{id}": _channel,
            "/linear_channels/{id}/linear_schedulings": linear(_channel, lambda id_: hours[id_ - 1 :: len(CHANNELS)]),
            "/linear_channels/{id}/linear_categories": child(_channel, lambda _: owners["/linear_categories"]()),
            "/linear_schedulings/{id}": self._linear,
            "/linear_schedulings/{id}/schedulings": schedulings(self._linear, self._on_demand),
            "/titles/{id}/linear_schedulings": linear(
                owners["/titles/{id}"], lambda id_: hours[id_ - 1 :: library.titles]
            ),
        }
        members: dict[str, Callable[[int], Any]] = {
            "platforms": lambda id_: library.schedulings_on(id_ - 1) + 1,
            "titles": lambda id_: self._ids_of([id_ - 1]),
            "title_groups": lambda id_: self._ids_of(library.titles_in(id_ - 1)),
            "assets": lambda id_: [s for s in self._ids_of([(id_ - 1) // 2]) if self._asset_of(s - 1) == id_],
        }
        for kind, members_of in members.items():
            owner = (owners | table)[f"/{kind}/{{id}}"]
            table[f"/{kind}/{{id}}/schedule"] = child(owner, partial(_schedule, kind))
            # Whether the vendor pages these is not known; a platform has too many for one answer.
            table[f"/{kind}/{{id}}/schedule/schedulings"] = schedulings(owner, members_of, "pages")
        return table

    # -- schedulings

    def _ids_of(self, titles: list[int]) -> list[int]:
        return [place + 1 for title in titles for place in self._library.schedulings_of(title)]

    def _on_demand(self, id_: int) -> list[int]:
        return self._ids_of([(id_ - 1) % self._library.titles])

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
            ("put_up", "datetime", f"{day(first)}T00:00:00Z"),
            ("take_down", "datetime", f"{day(end - 1)}T21:59:59Z"),
            ("scheduling_type", "", "catchup" if index % 5 == 0 else "archive"),
            ("rights_status", "", "cleared" if cleared else "not_cleared"),
            ("rights_status_calculating", "boolean", False),
            ("workflow_status", "", _WORKFLOWS[library.scatter(index, 41) % 3]),
            ("publication_status", "", self._status(index, end)),
            ("tags", "", "Launch" if index % 6 == 0 else ""),
            ("external_id", "", external_id("SCH", index)),
            ("automatic_asset_selection", "boolean", index % 4 == 1),
        ]
        episode = library.episode(title)
        links = [("title_group", f"/title_groups/{episode[0] + 1}")] if episode else []
        links += [("title", f"/titles/{title + 1}"), ("asset", f"/assets/{self._asset_of(index)}")]
        links.append(("platform", f"/platforms/{library.platform(index) + 1}"))
        links += [("playlist", f"/playlists/{index % 12 + 1}")] if index % 6 == 0 else []
        below = ("conflicts", "publications", "workflow", "metadata")
        return record("scheduling", id_, attributes, below, links=links, plain=frozenset({"metadata"}))

    def _status(self, index: int, end: int) -> str:
        number = self._library.scatter(index, 40)
        return _OFFLINE[number % 4] if end <= 0 else _ONLINE[number % 7]

    def _publication(self, id_: int) -> Resource:
        first = self._library.shown(id_ - 1)[0]
        attributes: list[Attribute] = [
            ("success", "boolean", id_ % 7 != 0),
            ("published_at", "datetime", f"{day(first - 1)}T16:00:00Z"),
        ]
        return record("publication", id_, attributes, links=[("scheduling", f"/schedulings/{id_}")])

    def _workflow(self, id_: int) -> Resource:
        status = _WORKFLOWS[self._library.scatter(id_ - 1, 41) % 3]
        links = [("job", f"sequence:/api{job_path((id_ - 1) % self._library.jobs + 1)}")]
        path = f"/schedulings/{id_}/workflow"
        return Resource("workflow", path, [("status", "", status)], links=links, plain=frozenset({"job"}))

    # -- linear channels: hour by hour, channel by channel, through all titles

    def _linear(self, id_: int) -> Resource | None:
        if id_ not in self._hours:
            return None
        hour, channel = divmod(id_ - 1, len(CHANNELS))
        title = (id_ - 1) % self._library.titles
        offset = "+00:00" if CHANNELS[channel][1] == "London" else "+01:00"
        begins, clock = day(hour // 24 - 7), hour % 24
        attributes: list[Attribute] = [
            ("begins_at", "datetime", f"{begins}T{clock:02}:00:00{offset}"),
            ("ends_at", "datetime", f"{begins}T{clock:02}:55:00{offset}"),
            ("external_id", "", external_id("LIN", id_ - 1)),
            # 3.2: numbers without a type.
            ("costed_run", "", id_ % 3 + 1),
            ("rerun", "", id_ % 2),
            ("linear_contract_id", "", f"C-{id_ % 40}"),
        ]
        links = [("title", f"/titles/{title + 1}"), ("asset", f"/assets/{2 * title + 1}")]
        links.append(("linear_channel", f"/linear_channels/{channel + 1}"))
        return record("linear_scheduling", id_, attributes, ("schedulings",), links=links)


def _platforms_of(outlet: int) -> range:
    return range(outlet, 1 + len(PLATFORMS), len(OUTLETS))


def _schedule(kind: str, id_: int) -> Resource:
    links = [(kind.removesuffix("s"), f"/{kind}/{id_}")]
    return Resource("schedule", f"/{kind}/{id_}/schedule", [], ("schedulings",), links)
