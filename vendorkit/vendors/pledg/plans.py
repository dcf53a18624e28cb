"""Pledg's plans and conditions: the response of each resource has a different shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from vendorkit.ask import Ask, Filter
from vendorkit.errors import MalformedAnswer, UsageError
from vendorkit.frames import Page, page_of
from vendorkit.http.call import Call
from vendorkit.resource import NEXT, Accept, Flow, Paging, Resource
from vendorkit.vendors.declared import Declared, read_resources

FILE: Final = Path(__file__).with_name("resources.txt")


@dataclass(frozen=True)
class Single(Paging):
    """
    A resource whose response has a shape that no other has.

    Attributes:
        name: The resource's name, for messages.
        path: Its path, with `{name}` for the value of the identifier's filter.
        method: GET or POST.
        identifier: The filter whose value is part of the path.
        rows: Returns the records of a response.
        scheme: The authentication scheme; None for none.
    """

    name: str
    path: str
    method: str
    identifier: Filter
    rows: Callable[[Mapping[str, Any], Any], list[dict[str, Any]]]
    scheme: str | None = None

    def call(self, ask: Ask) -> Call:
        """Return the one call."""
        uid = str(ask.filters[self.identifier.wire])
        body = {name: value for name, value in ask.filters.items() if name != self.identifier.wire}
        json = body if self.method == "POST" else None
        return Call(self.method, self._path(uid), json=json, repeatable=True, scheme=self.scheme)

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:  # noqa: ARG002 - there is one page
        """Accept the rows of the response."""
        yield [self.call(ask)]
        yield Accept(self._rows(ask, (yield NEXT)))

    def count(self, ask: Ask) -> Flow[int | None]:
        """Fetch the records and count them: the response is small."""
        return self._rows(ask, (yield self.call(ask))).rows

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:  # noqa: ARG002
        """GET the conditions of one merchant."""
        if self.method != "GET":
            what = f"{self.name} is a simulation, whose records have no ids."
            raise UsageError(what, remedy="Use query(...).")
        page: Page = yield Call("GET", self._path(identifier), scheme=None)
        return page

    def _path(self, uid: str) -> str:
        return self.path.format(**{self.identifier.wire: quote(uid, safe="")})

    def _rows(self, ask: Ask, page: Page) -> Page:
        try:
            rows = self.rows(ask.filters, page.records()[0])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            what = f"The response for {self.name} does not have the documented shape."
            remedy = "Use client.post(path, json=…) to see the raw response."
            raise MalformedAnswer(what, remedy=remedy) from None
        uid = self.identifier.wire
        return page_of([{**row, uid: ask.filters[uid]} for row in rows], at=page.at)


def _plan_rows(filters: Mapping[str, Any], plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the payments of one plan: instalments come as a list, a deferred payment as a single object."""
    rows, shared = [], {"requested_amount_cents": filters["amount_cents"], "created": filters["created"]}
    shared |= {name: plan[name] for name in ("taeg", "debit_rate") if name in plan}
    for kind, lines in plan.items():
        if kind.upper() not in ("INSTALLMENT", "DEFERRED"):
            continue
        for number, line in enumerate(lines if isinstance(lines, list) else [lines], 1):
            total = _cents(line["amount_cents"]) + _cents(line["fees"])
            rows.append({**line, **shared, "payment_type": kind.upper(), "line": number, "total_cents": total})
    if not rows:
        message = "neither INSTALLMENT nor DEFERRED"
        raise KeyError(message)
    return rows


def _cents(value: Any) -> Any:
    return int(value) if isinstance(value, str) else value  # "+" would join two texts


def _company_plans(filters: Mapping[str, Any], answer: Any) -> list[dict[str, Any]]:
    # Some responses have one plan at top level, without `items` (according to one public module).
    items = answer.get("items", [answer])
    return [{**row, "item": number} for number, item in enumerate(items, 1) for row in _plan_rows(filters, item)]


def _conditions(_: Mapping[str, Any], answer: Any) -> list[dict[str, Any]]:
    fees = answer.get("buyer_fees_percents") or [{}]
    shared = {name: answer.get(name) for name in ("payment_type", "installments_nb", "delay_in_days")}
    return [{**shared, **fee} for fee in fees]


_ROWS: Final = {"company_plans": _company_plans, "merchant_conditions": _conditions}  # _plan_rows for all others


@cache
def plans() -> tuple[Resource, ...]:
    """Return the resources that have a path. Pledg posts the others to the merchant's server."""
    return tuple(_resource(declared) for declared in read_resources(FILE).values() if "path" in declared.values)


def _resource(declared: Declared) -> Resource:
    name, (path,), (method,) = declared.name, declared.values["path"], declared.values["method"]
    identifier = next(known for known in declared.filters if known.setting)
    scheme = declared.values.get("scheme", (None,))[0]
    paging = Single(name, path, method, identifier, _ROWS.get(name, _plan_rows), scheme)
    return Resource(name, declared.about, path, declared.schema, paging, declared.filters)
