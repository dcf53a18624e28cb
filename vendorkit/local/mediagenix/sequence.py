"""
The mock server of Mediagenix Sequence: jobs, and the materials, tasks, notes and problems of each.

Written from Mediagenix's documents. Its answers have the format of On-Demand, but it is another product at another
origin. The fields of hooks and work areas are not known: a minimum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from vendorkit.local.mediagenix.data import LICENSORS, Library, day, job_path
from vendorkit.local.mediagenix.events import Events
from vendorkit.local.mediagenix.metadata import external_id
from vendorkit.local.server.hypermedia_routes import error, hypermedia_routes, not_changeable
from vendorkit.local.server.nodes import Attribute, Resource, Table, children, every, numbered, record

if TYPE_CHECKING:
    from starlette.routing import Route

    from vendorkit.local.server.settings import Settings

VENDOR: Final = "sequence"
AUTH: Final = "digest"
OPEN: Final = ()
RATE: Final = (150, 30.0, 300.0)
"""Requests, window and ban in seconds (3.8)."""

refusal: Final = error
"""The vendor's error for requests that the server refuses before they reach a route."""

_AREAS: Final = ("Acquisition", "Localisation", "Delivery")
_STATUSES: Final = ("pending", "late", "done", "live", "passed")
_MATERIALS: Final = ("feature_film", "trailer", "subtitles", "box_art")  # 4 of the 8 kinds
_MATERIAL_STATUSES: Final = ("pending", "received", "claimed")
_TASKS: Final = ("Check rights", "Order master", "Review", "Translate & time", "Deliver")
_PER_JOB: Final = {"assets": len(_MATERIALS), "tasks": len(_TASKS), "notes": 2, "problems": 1, "hooks": 2}
_EVENTS: Final = (
    ("job_created", "jobs", None),
    ("job_updated", "jobs", "status"),
    ("job_updated", "jobs", "due-date,ends-at"),
    ("job_deleted", "jobs", None),
)


def routes(settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> list[Route]:
    """Return the routes of the API, below `/api`, without authentication and faults."""
    del credentials  # checked by the server
    return hypermedia_routes(settings, origin, _Jobs(settings).table())


def unknown(settings: Settings, action: str, records: list[str]) -> str:
    """Return which of *records* cannot be changed; "" if all can."""
    return not_changeable(settings, _Jobs(settings).table(), action, records)


@numbered(len(_AREAS))
def _area(id_: int) -> Resource:
    # The vendor's list of fields was not available.
    return record("work_area", id_, [("name", "", _AREAS[id_ - 1])], ("jobs",), plain=frozenset({"jobs"}))


def _area_of(job: int) -> int:
    return (job - 1) % len(_AREAS) + 1


class _Jobs:
    """Builds jobs and what is below them. Jobs alternate between the work areas: job 4 is in area 1."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._library = settings, Library(settings.seed, settings.titles)
        self._count = self._library.jobs

    def table(self) -> Table:
        """Return path patterns and their builders."""
        links = [("work_areas", "/work_areas"), ("events", "/events")]
        root = Resource("sequence", "", [], links=links, plain=frozenset({"work_areas", "events"}))
        table: Table = {"": lambda: root}
        events = Events(self._settings, self._library, table, _EVENTS, lambda _, number: job_path(number))
        table |= {
            "/work_areas": every("work_areas", _area, len(_AREAS)),
            "/work_areas/{id}": _area,
            "/work_areas/{id}/jobs": children(
                "jobs", lambda id_: self._job(_area_of(id_), id_), _area, self._jobs_of, "pages"
            ),
            "/work_areas/{id}/jobs/{id}": self._job,
            "/events": events.collection,
            "/events/{id}": events.event,
        }
        builders = {
            "assets": self._asset,
            "tasks": self._task,
            "notes": self._note,
            "problems": self._problem,
            "hooks": self._hook,
        }
        for plural, build in builders.items():
            parts = partial(_part_ids, plural)
            table[f"/work_areas/{{id}}/jobs/{{id}}/{plural}"] = children(plural, build, self._job, parts)
            table[f"/work_areas/{{id}}/jobs/{{id}}/{plural}/{{id}}"] = partial(self._part, parts, build)
        return table

    def _jobs_of(self, area: int) -> range:
        return range(area, self._count + 1, len(_AREAS))

    def _job(self, area: int, id_: int) -> Resource | None:
        if id_ not in self._jobs_of(area) or area != _area_of(id_):
            return None
        number = self._library.scatter(id_, 70)
        due = number % 120 - 60
        status = _STATUSES[number // 128 % 2 if due >= 0 else 1 + number // 128 % 4]
        attributes: list[Attribute] = [
            ("id", "integer", id_),
            ("name", "", f"{self._library.phrase(id_, 71)} job"),
            # 3.2: in old samples a datetime has the type of a date.
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
        path = job_path(id_)
        index = (10 * id_ - 10) % max(1, self._library.titles)
        links = [("work_area", f"/work_areas/{area}"), ("title", f"mediagenix:/api/titles/{index + 1}")]
        links += [
            ("scheduling", f"mediagenix:/api/schedulings/{s + 1}") for s in self._library.schedulings_of(index)[:1]
        ]
        links += [("web", f"sequence:{path}")]
        return Resource("job", path, attributes, tuple(_PER_JOB), links, frozenset({"scheduling", "title", "web"}))

    def _part(
        self, parts: Callable[[int, int], range], build: Callable[[int], Resource], area: int, job: int, id_: int
    ) -> Resource | None:
        return build(id_) if self._job(area, job) and id_ in parts(area, job) else None

    def _made(self, name: str, id_: int, attributes: list[Attribute]) -> Resource:
        path = job_path((id_ - 1) // _PER_JOB[f"{name}s"] + 1)
        return Resource(name, f"{path}/{name}s/{id_}", [("id", "integer", id_), *attributes], links=[("job", path)])

    def _asset(self, id_: int) -> Resource:
        number = self._library.scatter(id_, 72)
        status = _MATERIAL_STATUSES[number % 3]
        attributes: list[Attribute] = [
            ("type_name", "", _MATERIALS[(id_ - 1) % len(_MATERIALS)]),
            ("status", "", status),
            ("progress", "integer", 100 if status == "received" else number % 100),
        ]
        return self._made("asset", id_, attributes)

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

    def _hook(self, id_: int) -> Resource:
        return self._made("hook", id_, [("name", "", f"Notify #{id_}")])

    def _problem(self, id_: int) -> Resource:
        attributes: list[Attribute] = [
            ("description", "", "Missing actors list"),
            ("dismissed", "boolean", id_ % 3 == 0),
            ("reporter", "", "qc@broadcaster.example"),
        ]
        return self._made("problem", id_, attributes)


def _part_ids(plural: str, _area: int, job: int) -> range:
    """Return the ids of the materials, tasks, notes or problems of a job."""
    count = job % 3 if plural == "notes" else job % 2 if plural == "problems" else _PER_JOB[plural]
    first = _PER_JOB[plural] * (job - 1) + 1
    return range(first, first + count)
