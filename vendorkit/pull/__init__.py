"""Runs paging flows: the fetch loop, its threads, the completeness checks and the progress reports."""

from __future__ import annotations

from vendorkit.pull.drive import drive as drive
from vendorkit.pull.drive import run as run
from vendorkit.pull.plan import Plan as Plan
from vendorkit.pull.plan import paging_now as paging_now
from vendorkit.pull.plan import plan_of as plan_of
from vendorkit.pull.progress import Progress as Progress
from vendorkit.pull.progress import progress_to as progress_to
from vendorkit.pull.pull import Group as Group
from vendorkit.pull.pull import Pull as Pull
from vendorkit.pull.pull import check_limit as check_limit
from vendorkit.pull.pull import utc_now as utc_now
from vendorkit.pull.result import finish as finish
from vendorkit.pull.result import table_of as table_of
