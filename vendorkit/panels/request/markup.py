"""Plans, results and exchanges of the request panel as text and HTML."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any, Final

import pandas as pd

from vendorkit.http.exchanges import Exchange
from vendorkit.panels.markup import code_html, counted, dim_html
from vendorkit.panels.request.progress import duration
from vendorkit.pull import Plan
from vendorkit.query import Query

_EXCHANGES: Final = 50  # shown; a long download has more


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
    parts = [rows, counted(len(frame.columns), "column"), counted(about["pages"], "page")]
    parts += [f"fetched at {about['fetched_at']}"]
    parts += [] if about["complete"] else ["more records match"]
    known = set(declared)
    added = [str(name) for name in frame.columns if name not in known]
    parts += [f"not declared: {', '.join(added)}"] if added else []
    return "; ".join(parts) + "."


def request_html(query: Query) -> str:
    """Return the first request of *query* with its body, credentials masked."""
    prepared = query.request()
    lines = [f"{prepared.method} {prepared.url}", *(f"{name}: {value}" for name, value in prepared.headers.items())]
    body = query.describe()["json"]
    if body is not None:
        lines += ["", json.dumps(body, indent=2, ensure_ascii=False)]
    return code_html("\n".join(lines))


def exchanges_html(exchanges: list[Exchange]) -> str:
    """Return *exchanges*, each as a line that opens."""
    last = exchanges[-_EXCHANGES:]
    left_out = dim_html(f"The last {len(last)} of {len(exchanges)}." if len(last) < len(exchanges) else "")
    return left_out + "".join(map(_exchange_html, last))


def _exchange_html(one: Exchange) -> str:
    status: Any = one.status if one.status is not None else "no answer"
    target = one.url.split("?", 1)[0].split("/", 3)[-1]
    line = f"{one.method} /{target} → {status}, {one.seconds * 1000:.0f} ms"
    return f"<details><summary>{html.escape(line)}</summary>{code_html(one.text())}</details>"
