"""Pledg's plans and conditions as data: each comes in one answer, of a shape of its own. Facts as of 2026-11."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from vendorkit.ask import Filter
from vendorkit.errors import MalformedAnswer, UsageError
from vendorkit.frames import Column, JsonReader, Kind, Page, Schema
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call
from vendorkit.pages import Each, Reader, Records
from vendorkit.query import Query
from vendorkit.resource import OneAnswer, Resource
from vendorkit.vendors.client import Client

CODE, TEXT, INTEGER, NUMBER, DATE = Kind.CODE, Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.DATE

_PLAN = (
    Column("payment_type", TEXT, about="INSTALLMENT or DEFERRED."),
    Column("line", INTEGER, about="1 for the first payment."),
    Column("payment_date", DATE),
    Column("amount_cents", INTEGER, unit="cents", about="Without the fees."),
    Column("fees", INTEGER, unit="cents"),
    Column("total_cents", INTEGER, unit="cents", about="What the buyer pays: amount and fees."),
    Column("requested_amount_cents", INTEGER, unit="cents"),
    Column("created", DATE, about="The day the purchase would be made."),
)
_AMOUNT = Filter("amount_cents", "integer", many=False, about="The price in cents.", required=True)
_CREATED = Filter("created", "date", many=False, about="The day of the purchase.", required=True)


@dataclass(frozen=True)
class Single(OneAnswer):
    """
    A resource that comes in one answer, of a shape of its own.

    Attributes:
        method: GET or POST.
        identifier: The filter that goes into the path.
        setting: The setting that stands in where that filter is not given.
        rows: Turns the answer into records.
    """

    method: str
    identifier: str
    setting: str
    rows: Callable[[Query, Any], list[dict[str, Any]]]

    def uid(self, query: Query) -> str:
        """Return the merchant or company that is asked about."""
        given = query.filters.get(self.identifier) or query.client.settings.get(self.setting)
        if given is None:
            query.client.settings.require([self.setting], why=f"{query.resource.name} without {self.identifier}")
        return str(given)

    def first_call(self, query: Query) -> Call:
        """Return the one call; none of these is signed, the vendor's own modules send no credentials."""
        url = query.resource.path.format(quote(self.uid(query), safe=""))
        body = {name: value for name, value in query.filters.items() if name != self.identifier}
        json_body = body if self.method == "POST" else None
        return Call(self.method, url, json=json_body, repeatable=True, scheme=None)

    def total(self, envelope: Mapping[str, Any]) -> int | None:  # noqa: ARG002
        """Return None: the vendor announces nothing."""
        return None

    def count(self, query: Query) -> int | None:
        """Fetch and count: the answer is small."""
        return self.record_reader(query).read(query.client.session.send(self.first_call(query)).content).rows

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Bring the answer into rows, and read those."""
        rows, page = self.record_reader(query), JsonReader(schema, records=None)
        return Each(lambda body: page.read(json.dumps(rows.read(body).records).encode()))

    def record_reader(self, query: Query) -> Reader[Records]:
        """Bring the answer into rows."""

        def read(body: bytes) -> Records:
            try:
                return Records(self.rows(query, json_object(body, query.client.title)))
            except (KeyError, TypeError, ValueError, AttributeError):
                pass
            what = f"{query.client.title}: the answer for {query.resource.name} has another shape than documented."
            raise MalformedAnswer(what, remedy="Use client.post(path, json=…) to see the answer as it is.")

        return Each(read)

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """GET what the vendor says of one merchant."""
        if self.method != "GET":
            what = f"{resource.name} are simulated, they have no ids."
            raise UsageError(what, remedy="Use query(...).")
        response = client.session.send(Call("GET", resource.path.format(quote(identifier, safe="")), scheme=None))
        return json_object(response.content, client.title)


def _plan_rows(query: Query, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the payments of one plan: instalments come as a list, a deferred payment as a single object."""
    rows = []
    for kind, lines in plan.items():
        if kind.upper() not in ("INSTALLMENT", "DEFERRED"):
            continue
        for number, line in enumerate(lines if isinstance(lines, list) else [lines], 1):
            rows.append(
                {
                    **line,
                    "payment_type": kind.upper(),
                    "line": number,
                    "total_cents": _cents(line["amount_cents"]) + _cents(line["fees"]),
                    "requested_amount_cents": query.filters["amount_cents"],
                    "created": query.filters["created"],
                }
            )
    if not rows:
        message = "neither INSTALLMENT nor DEFERRED"
        raise KeyError(message)
    return rows


def _cents(value: Any) -> Any:
    return int(value) if isinstance(value, str) else value  # two texts would be put one behind the other


def _merchant_plan(query: Query, answer: Any) -> list[dict[str, Any]]:
    uid = query.resource.style.uid(query)  # type: ignore[attr-defined]
    return [{**row, "merchant_uid": uid} for row in _plan_rows(query, answer)]


def _company_plans(query: Query, answer: Any) -> list[dict[str, Any]]:
    uid = query.resource.style.uid(query)  # type: ignore[attr-defined]
    # A plan at top level, without `items`, occurs as well (seen in one public module).
    items = answer.get("items", [answer])
    return [
        {**row, "company_uid": uid, "item": number, "taeg": item.get("taeg"), "debit_rate": item.get("debit_rate")}
        for number, item in enumerate(items, 1)
        for row in _plan_rows(query, item)
    ]


def _conditions(query: Query, answer: Any) -> list[dict[str, Any]]:
    uid = query.resource.style.uid(query)  # type: ignore[attr-defined]
    fees = answer.get("buyer_fees_percents") or [{}]
    shared = {name: answer.get(name) for name in ("payment_type", "installments_nb", "delay_in_days")}
    return [{**shared, "merchant_uid": uid, **fee} for fee in fees]


_SIMULATE: Final = "/api/users/me/{}/{{}}/simulate_payment_schedule"
RESOURCES: Final = (
    Resource(
        "payment_schedule",
        "What a purchase would cost in instalments, or deferred: one row a payment.",
        _SIMULATE.format("merchants"),
        Schema("payment_schedule", (*_PLAN, Column("merchant_uid", CODE)), key=""),
        Single("POST", "merchant_uid", "PLEDG_MERCHANT_UID", _merchant_plan),
        (_AMOUNT, _CREATED, Filter("merchant_uid", "code", many=False)),
    ),
    Resource(
        "company_plans",
        "The same for every payment solution of a company.",
        _SIMULATE.format("companies"),
        Schema(
            "company_plans",
            (
                *_PLAN,
                Column("company_uid", CODE),
                Column("item", INTEGER, about="1 for the company's first solution."),
                Column("taeg", NUMBER, unit="%", about="Annual percentage rate."),
                Column("debit_rate", NUMBER, unit="%"),
            ),
            key="",
        ),
        Single("POST", "company_uid", "PLEDG_COMPANY_UID", _company_plans),
        (_AMOUNT, _CREATED, Filter("company_uid", "code", many=False)),
    ),
    Resource(
        "merchant_conditions",
        "What a merchant's payment solution is: one row a fee threshold.",
        "/api/merchants/{}",
        Schema(
            "merchant_conditions",
            (
                Column("merchant_uid", CODE),
                Column("payment_type", TEXT),
                Column("installments_nb", INTEGER),
                Column("delay_in_days", INTEGER, unit="days"),
                Column("buyer_fees_percent", NUMBER, unit="%"),
            ),
            key="",
        ),
        Single("GET", "merchant_uid", "PLEDG_MERCHANT_UID", _conditions),
        (Filter("merchant_uid", "code", many=False),),
    ),
)
