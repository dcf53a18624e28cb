"""What a download takes, before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from vendorkit.ask import Ask
from vendorkit.resource import Paging, Source


@dataclass(frozen=True)
class Plan:
    """
    What a download takes.

    Attributes:
        total: How many records match.
        rows: How many of them are fetched.
        requests: About how many requests that takes.
        seconds: About how long, under the vendor's rate budget and as fast as its last response.
        strategy: How they are fetched, such as "pages".
        why: Why this way.
    """

    total: int
    rows: int
    requests: int
    seconds: float
    strategy: str
    why: str


def paging_now(source: Source, ask: Ask) -> Paging:
    """Return how *ask* is fetched quickest, with what is left of the rate budget now."""
    return source.resource_of(ask).paging_of(ask).within(source.session.budget.left())


def plan_of(source: Source, ask: Ask, total: int) -> Plan:
    """Return the plan for *ask*, of which *total* records match; nothing is sent."""
    rows = total if ask.limit is None else min(total, ask.limit)
    cost = paging_now(source, ask).cost(ask, rows)
    exchanges = source.session.exchanges.all()
    took = exchanges[-1].seconds if exchanges else 0.0
    seconds = max(source.session.budget.pause_s(cost.requests), cost.rounds(cost.requests) * took)
    return Plan(total, rows, cost.requests, seconds, cost.strategy, cost.why)
