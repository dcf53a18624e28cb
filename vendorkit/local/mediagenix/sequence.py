"""
The mock server of Mediagenix Sequence: jobs with their materials, tasks, notes and problems.

It is written from Mediagenix's documents. Answers have the format of On-Demand, but Sequence is a separate product at
another origin. The documents do not list the fields of hooks and work areas, so they have a minimum.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from vendorkit.local.mediagenix.library import Library
from vendorkit.local.mediagenix.numbers import WORDS, Facts, Numbers, day, external_id, job_path
from vendorkit.local.mediagenix.routes import Product

_PER_JOB: Final = {"assets": 4, "tasks": 5, "notes": 2, "problems": 1, "hooks": 2}


class Api(Product):
    """The API."""

    REALM, FILE = "Local Sequence", "sequence.json"

    def library(self) -> Jobs:
        """Return the facts of the records."""
        return Jobs(Library(self.settings.seed, self.settings.titles), self.settings.seed)


class Jobs(Numbers):
    """The facts of the jobs and of the records below them."""

    sparse = frozenset({"notes", "problems"})

    def __init__(self, library: Library, seed: int) -> None:
        super().__init__(seed)
        self._library, jobs = library, library.counts["jobs"]
        for plural in ("assets", "tasks", "hooks"):
            setattr(self, plural, partial(self._part, plural))
        self.counts = {"jobs": jobs} | {plural: most * jobs for plural, most in _PER_JOB.items()}

    def path(self, plural: str, id_: int) -> str:
        """Return the path of a job or of a record below it."""
        return job_path(id_) if plural == "jobs" else f"{job_path(self._part(plural, id_)['job'])}/{plural}/{id_}"

    def jobs(self, id_: int) -> Facts:
        """Return the facts of a job."""
        number = self.scatter(id_, 70)
        due = number % 120 - 60
        status = WORDS["statuses"][number // 128 % 2 if due >= 0 else 1 + number // 128 % 4]
        title = (10 * id_ - 10) % max(1, self._library.counts["titles"]) + 1
        is_done = status in {"done", "live", "passed"}
        return {
            "area": (id_ - 1) % 3 + 1,
            "name": f"{self.phrase(id_, 71)} job",
            # 3.2: old samples have a datetime in a field of type date.
            "due_date": day(due) if id_ % 8 else f"{day(due)}T12:00:00Z",
            "begins_at": day(due + 2),
            "ends_at": day(due + 32) if id_ % 9 else None,
            "licensor_name": WORDS["licensors"][number % 12 + 1] if id_ % 7 else None,
            "status": status,
            "tasks_status": "completed" if is_done else "pending",
            "assets_status": "received" if is_done else "not_received",
            "title_external_id": external_id("ACME", 10 * id_ - 10),
            "title": title,
            "scheduling": next(iter(self._library.title_schedulings(title)), None),
        }

    def _part(self, plural: str, id_: int) -> Facts:
        job = (id_ - 1) // _PER_JOB[plural] + 1
        return {"job": job, "area": (job - 1) % 3 + 1}

    def notes(self, id_: int) -> Facts | None:
        """Return the facts of a note. A job has up to two."""
        facts = self._part("notes", id_)
        return {**facts, "day": day(-(id_ % 90))} if (id_ - 1) % 2 < facts["job"] % 3 else None

    def problems(self, id_: int) -> Facts | None:
        """Return the facts of a problem. Every second job has one."""
        return self._part("problems", id_) if id_ % 2 else None
