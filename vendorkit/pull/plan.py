"""Estimates the cost of a download before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from vendorkit.ask import Ask
from vendorkit.resource import Paging, Source


@dataclass(frozen=True)
class Plan:
    """
    The estimated cost of a download.

    Attributes:
        total: Number of matching records.
        rows: Number of records to fetch.
        requests: Approximate number of requests.
        seconds: Approximate time, from the vendor's rate limit and the duration of its last response.
        strategy: How the records are fetched, such as "pages".
        why: The reason for this strategy.
    """

    total: int
    rows: int
    requests: int
    seconds: float
    strategy: str
    why: str


def paging_now(source: Source, ask: Ask) -> Paging:
    """Return the paging that fetches *ask* fastest with the current remainder of the rate budget."""
    return source.resource_of(ask).paging_of(ask).for_budget(source.session.budget.left())


def plan_of(source: Source, ask: Ask, total: int) -> Plan:
    """Return the plan for *ask*, which *total* records match; sends nothing."""
    rows = total if ask.limit is None else min(total, ask.limit)
    cost = paging_now(source, ask).cost(ask, rows)
    exchanges = source.session.exchanges.all()
    response_s = exchanges[-1].seconds if exchanges else 0.0
    seconds = max(source.session.budget.pause_s(cost.requests), cost.rounds(cost.requests) * response_s)
    return Plan(total, rows, cost.requests, seconds, cost.strategy, cost.why)
