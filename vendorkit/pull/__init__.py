"""Running a paging flow: the only fetch loop, the only threads, the checks for completeness, and progress."""

from __future__ import annotations

from vendorkit.pull.drive import drive, run
from vendorkit.pull.plan import Plan, paging_now, plan_of
from vendorkit.pull.progress import Progress, progress_to
from vendorkit.pull.pull import Group, Pull, check_limit, utc_now
from vendorkit.pull.result import finish, table_of

__all__ = [
    "Group",
    "Plan",
    "Progress",
    "Pull",
    "check_limit",
    "drive",
    "finish",
    "paging_now",
    "plan_of",
    "progress_to",
    "run",
    "table_of",
    "utc_now",
]
