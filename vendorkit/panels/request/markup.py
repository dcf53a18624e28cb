"""Plans and results of the request panel as text."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from vendorkit.panels.markup import counted
from vendorkit.panels.request.progress import duration
from vendorkit.panels.table.files import is_mock
from vendorkit.pull import Plan


def plan_text(plan: Plan) -> str:
    """Return how many records match, what fetching them takes, and why."""
    fetched = "them" if plan.rows == plan.total else f"{plan.rows:,} of them"
    requests = "1 request" if plan.requests == 1 else f"about {plan.requests:,} requests"
    why = f" ({plan.strategy}: {plan.why})" if plan.why else ""
    return f"{plan.total:,} match. Fetching {fetched} takes {requests} and {duration(plan.seconds)}{why}."


def caption(frame: pd.DataFrame, declared: Iterable[str]) -> str:
    """Return one sentence on *frame*: rows, of how many, when, whether complete, and undeclared columns."""
    about = frame.attrs["vendorkit"]
    rows = counted(len(frame), "row")
    if about["total"] is not None and about["total"] != len(frame):
        rows += f" of {about['total']:,}"
    parts = ["mock data"] if is_mock(about) else []
    parts += [rows, counted(len(frame.columns), "column"), counted(about["pages"], "page")]
    parts += [f"fetched at {about['fetched_at']}"]
    parts += [] if about["complete"] else ["more records match"]
    known = set(declared)
    added = [str(name) for name in frame.columns if name not in known]
    parts += [f"not declared: {', '.join(added)}"] if added else []
    return "; ".join(parts) + "."
