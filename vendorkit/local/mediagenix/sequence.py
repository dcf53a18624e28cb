"""
The local Mediagenix Sequence: jobs, and the materials, tasks, notes and problems of each.

Written from Mediagenix's documents. Same house style as On-Demand, another product and origin: its links to
On-Demand lead to a host that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from vendorkit.local.mediagenix.data import LICENSORS, Library, day
from vendorkit.local.mediagenix.events import Events
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.hypermedia import Attribute, Collection, Node, Resource
from vendorkit.local.server.hypermedia_routes import error, hypermedia_routes

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from vendorkit.local.server.settings import Settings

VENDOR: Final = "sequence"
AUTH: Final = "digest"
RATE: Final = (150, 30.0, 300.0)
"""Requests, window and ban in seconds (3.8)."""

MOVIDA: Final = "https://movida.example"
"""Stands for the sister product, which is another origin with a login of its own."""

_AREAS: Final = ("Acquisition", "Localisation", "Delivery")
_STATUSES: Final = ("pending", "late", "done", "live", "passed")
_MATERIALS: Final = ("feature_film", "trailer", "subtitles", "box_art")  # 4 of the 8 recognised
_MATERIAL_STATUSES: Final = ("pending", "received", "claimed")
_TASKS: Final = ("Check rights", "Order master", "Review", "Translate & time", "Deliver")
_PER_JOB: Final = {"assets": len(_MATERIALS), "tasks": len(_TASKS), "notes": 2, "problems": 1}
_EVENTS: Final = (
    ("job_created", "jobs", None),
    ("job_updated", "jobs", "status"),
    ("job_updated", "jobs", "due-date,ends-at"),
    ("job_deleted", "jobs", None),
)


def routes(settings: Settings, base_url: Callable[[], str], credentials: Mapping[str, str]) -> list[Route]:
    """The API below `/api`. Authentication and faults are put around it by the server."""
    del credentials  # checked by the server
    return hypermedia_routes(settings, base_url, _Jobs(settings).table())


def refusal(status: int, reason: str) -> Response:
    """The vendor's error body for what the server refuses by itself."""
    return error(status, reason)


class _Jobs:
    """Answers of Sequence. Jobs take turns in the work areas: job 4 is the second of the first area."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._library = settings, Library(settings.seed, settings.titles)
        self._count = max(30, settings.titles // 10)

    def table(self) -> dict[str, Callable[..., Node | None]]:
        """Path patterns and what answers them."""
        root = Resource("sequence", "", [], links=[("work_areas", "/work_areas"), ("events", "/events")],
                        plain=frozenset({"work_areas", "events"}))  # fmt: skip
        events = Events(self._settings, self._library, _EVENTS, lambda _, number: self._path(number))
        table: dict[str, Callable[..., Node | None]] = {
            "": lambda: root,
            "/work_areas": lambda: Collection("work_areas", range(1, len(_AREAS) + 1), self._area),
            "/work_areas/{id}": self._area,
            "/work_areas/{id}/jobs": self._jobs,
            "/work_areas/{id}/jobs/{id}": self._job,
            "/events": events.collection,
            "/events/{id}": events.event,
        }
        builders = {"assets": self._asset, "tasks": self._task, "notes": self._note, "problems": self._problem}
        for plural, build in builders.items():
            table[f"/work_areas/{{id}}/jobs/{{id}}/{plural}"] = self._parts_of(plural, build)
            table[f"/work_areas/{{id}}/jobs/{{id}}/{plural}/{{id}}"] = self._part_of(plural, build)
        return table

    @staticmethod
    def _path(job: int) -> str:
        return f"/work_areas/{(job - 1) % len(_AREAS) + 1}/jobs/{job}"

    def _area(self, id_: int) -> Resource | None:
        # The vendor's field list was not seen.
        if not 1 <= id_ <= len(_AREAS):
            return None
        attributes: list[Attribute] = [("id", "integer", id_), ("name", "", _AREAS[id_ - 1])]
        return Resource("work_area", f"/work_areas/{id_}", attributes, ("jobs",), plain=frozenset({"jobs"}))

    def _jobs(self, area: int) -> Node | None:
        members = range(area, self._count + 1, len(_AREAS))
        return self._area(area) and Collection("jobs", members, lambda id_: self._job(area, id_), "pages")

    def _job(self, area: int, id_: int) -> Resource | None:
        if not 1 <= id_ <= self._count or (id_ - 1) % len(_AREAS) + 1 != area:
            return None
        number = self._library.scatter(id_, 70)
        due = number % 120 - 60
        status = _STATUSES[number // 128 % 2 if due >= 0 else 1 + number // 128 % 4]
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("name", "", f"{self._library.phrase(id_, 71)} job"),
            # 3.2: in old samples a datetime stands under the type of a date.
            ("due_date", "date", day(due) if id_ % 8 else f"{day(due)}T12:00:00Z"),
            ("begins_at", "date", day(due + 2)),
            ("ends_at", "date", day(due + 32) if id_ % 9 else None),
            ("licensor_name", "", LICENSORS[number % 12 + 1] if id_ % 7 else None),
            ("status", "", status),
            ("tasks_status", "", "completed" if status in {"done", "live", "passed"} else "pending"),
            ("assets_status", "", "received" if status in {"done", "live", "passed"} else "not_received"),
            ("tag_list", "", "urgent,4k" if id_ % 5 == 0 else ""),
            ("title_external_id", "", external_id("ACME", 10 * id_ - 10)),
        ]
        path = self._path(id_)
        links = [("work_area", f"/work_areas/{area}"), ("scheduling", f"{MOVIDA}/api/schedulings/{id_}"),
                 ("title", f"{MOVIDA}/api/titles/{10 * id_ - 9}"), ("web", f"{MOVIDA}{path}")]  # fmt: skip
        return Resource("job", path, attributes, tuple(_PER_JOB), links, frozenset({"scheduling", "title", "web"}))

    def _parts_of(self, plural: str, build: Callable[[int], Resource]) -> Callable[..., Node | None]:
        def parts(area: int, job: int) -> Node | None:
            count = job % 3 if plural == "notes" else job % 2 if plural == "problems" else _PER_JOB[plural]
            first = _PER_JOB[plural] * (job - 1) + 1
            return self._job(area, job) and Collection(plural, range(first, first + count), build)

        return parts

    def _part_of(self, plural: str, build: Callable[[int], Resource]) -> Callable[..., Node | None]:
        parts = self._parts_of(plural, build)

        def part(area: int, job: int, id_: int) -> Node | None:
            siblings = parts(area, job)
            return build(id_) if isinstance(siblings, Collection) and id_ in siblings.members else None

        return part

    def _made(self, name: str, id_: int, attributes: list[Attribute]) -> Resource:
        path = self._path((id_ - 1) // _PER_JOB[f"{name}s"] + 1)
        return Resource(name, f"{path}/{name}s/{id_}", [("id", "integer", id_), *attributes], links=[("job", path)])

    def _asset(self, id_: int) -> Resource:
        number = self._library.scatter(id_, 72)
        status = _MATERIAL_STATUSES[number % 3]
        progress = 100 if status == "received" else number % 100
        kind = _MATERIALS[(id_ - 1) % len(_MATERIALS)]
        return self._made(
            "asset", id_, [("type_name", "", kind), ("status", "", status), ("progress", "integer", progress)]
        )

    def _task(self, id_: int) -> Resource:
        position = (id_ - 1) % len(_TASKS)
        timed = position == 2  # the review
        attributes: list[Attribute] = [
            ("name", "", _TASKS[position]),
            ("status", "", "completed" if self._library.scatter(id_, 73) % 2 else "pending"),
            ("requires_duration", "boolean", timed),
            ("duration", "duration", "12:15:00" if timed else None),
            ("position", "integer", position + 1),
            ("responsible_email", "", "ops@broadcaster.example" if id_ % 4 else None),
        ]
        return self._made("task", id_, attributes)

    def _note(self, id_: int) -> Resource:
        attributes: list[Attribute] = [
            ("body", "", 'Ask for the "clean" master & the M&E track'),
            ("creator", "", "Noor Aziz"),
            ("created_at", "datetime", f"{day(-(id_ % 90))}T08:15:00+01:00"),
        ]
        return self._made("note", id_, attributes)

    def _problem(self, id_: int) -> Resource:
        attributes: list[Attribute] = [
            ("description", "", "Missing actors list"),
            ("dismissed", "boolean", id_ % 3 == 0),
            ("reporter", "", "qc@broadcaster.example"),
        ]
        return self._made("problem", id_, attributes)
