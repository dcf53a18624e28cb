"""
Pledg: instalment and deferred payments; simulations, merchant conditions, signed links, notifications, refunds.

Three schemes: an access token of ten minutes, HTTP Basic with the dashboard's e-mail and password, and signatures. No
collection of Pledg is documented as paged, so none is invented here. Facts as of 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import pandas as pd
from requests.auth import AuthBase

from vendorkit.answers import json_object
from vendorkit.auth import Basic, ClientCredentials, sign_jwt, verify_notification
from vendorkit.call import Call, require_writable
from vendorkit.errors import DataError, MalformedAnswer, SignatureInvalid, UsageError
from vendorkit.frames import Column, JsonReader, Kind, Page, Schema, to_frame
from vendorkit.pages import Each, P, Reader, Records
from vendorkit.query import Query
from vendorkit.vendors.base import Client, Environment, Resource
from vendorkit.vendors.filters import Filter

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
class Single:
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
        url = query.resource.path.format(self.uid(query))
        body = {name: value for name, value in query.filters.items() if name != self.identifier}
        json_body = body if self.method == "POST" else None
        return Call(self.method, url, json=json_body, repeatable=True, scheme=None)

    def pages(
        self,
        query: Query,
        reader: Reader[P],
        limit: int | None,  # noqa: ARG002
        after: Any = None,  # noqa: ARG002
    ) -> Iterator[P]:
        """Yield the one answer."""
        yield reader.read(query.client.session.send(self.first_call(query)).content)

    def resume_at(self, envelope: Mapping[str, Any]) -> str | int | None:  # noqa: ARG002
        """Return None: there is nothing behind the one answer."""
        return None

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
                return Records(self.rows(query, json.loads(body)))
            except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as exc:
                if isinstance(exc, DataError):
                    raise
            what = f"{query.client.title}: the answer for {query.resource.name} has another shape than documented."
            raise MalformedAnswer(what, remedy="Use client.post(path, json=…) to see the answer as it is.")

        return Each(read)

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """GET what the vendor says of one merchant."""
        if self.method != "GET":
            what = f"{resource.name} are simulated, they have no ids."
            raise UsageError(what, remedy="Use query(...).")
        response = client.session.send(Call("GET", resource.path.format(identifier), scheme=None))
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
                    "total_cents": line["amount_cents"] + line["fees"],
                    "requested_amount_cents": query.filters["amount_cents"],
                    "created": query.filters["created"],
                }
            )
    if not rows:
        message = "neither INSTALLMENT nor DEFERRED"
        raise KeyError(message)
    return rows


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
_RESOURCES: Final = (
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

_NOTIFICATION: Final = Schema(
    "notifications",
    (
        Column("verified", Kind.BOOLEAN, about="Whether the signature is genuine; null where no secret is set."),
        Column("why", TEXT, about="Why it is not verified."),
        Column("kind", TEXT, about="back, jwt or unsigned."),
        Column("repeated", Kind.BOOLEAN, about="An equal body came before: the vendor's tokens carry no time."),
        *(Column(name, CODE) for name in ("id", "uid", "reference", "purchase_uid", "merchant_uid")),
        Column("transfer_order_item_uid", CODE),
        Column("amount_cents", INTEGER, unit="cents"),
        *(Column(name, Kind.DATETIME) for name in ("created", "created_at")),
        *(Column(name, TEXT) for name in ("status", "error", "purchase_state", "state", "acceptance_state")),
        Column("acceptance_rejection_type", TEXT),
        Column("sandbox", Kind.BOOLEAN),
        *(Column(name, Kind.JSON) for name in ("additional_data", "metadata")),
    ),
    key="",
)


class Notifications:
    """Pledg's notifications: verified one by one, or a log of them as a table."""

    def __init__(self, client: Pledg) -> None:
        self._client = client

    def verify(self, body: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the fields of one genuine notification.

        Raises:
            SignatureInvalid: It is unsigned, forged, or damaged.
        """
        return dict(verify_notification(body, self._client.merchant_secret()).fields)

    def frame(self, bodies: Iterable[bytes | str | Mapping[str, Any]]) -> pd.DataFrame:
        """
        Return one row a notification: verified or not, why not, and the fields.

        The fields of what is not verified are shown all the same, for looking at, never for booking.
        """
        secret, seen, rows = self._client.merchant_secret(), set[str](), []
        for body in bodies:
            text = body if isinstance(body, str) else repr(body) if not isinstance(body, bytes) else body.hex()
            rows.append({**_examined(body, secret), "repeated": text in seen})
            seen.add(text)
        page = JsonReader(_NOTIFICATION, records=None).read(json.dumps(rows).encode())
        page.drift.warn("notifications")
        return to_frame(page.table)


def _examined(body: bytes | str | Mapping[str, Any], secret: str) -> dict[str, Any]:
    try:
        found = verify_notification(body, secret)
    except (SignatureInvalid, MalformedAnswer) as exc:
        try:
            fields = dict(body) if isinstance(body, Mapping) else json.loads(body)
        except (ValueError, RecursionError):
            fields = {}
        fields = fields if isinstance(fields, dict) else {}
        kind = "back" if len(fields) > 1 and "signature" in fields else "jwt" if "signature" in fields else "unsigned"
        clear = {name: value for name, value in fields.items() if name != "signature"}
        return {**clear, "verified": False, "why": exc.what, "kind": kind}
    return {**found.fields, "verified": True, "why": None, "kind": found.kind}


class Pledg(Client):
    """A Pledg client: `payment_schedule`, `company_plans`, `merchant_conditions`, `notifications`, signed links."""

    vendor_name = "pledg"
    label = "Pledg"
    setting_names = (
        *("PLEDG_API_KEY", "PLEDG_API_SECRET", "PLEDG_DASHBOARD_EMAIL", "PLEDG_DASHBOARD_PASSWORD"),
        *("PLEDG_MERCHANT_UID", "PLEDG_MERCHANT_SECRET", "PLEDG_COMPANY_UID"),
    )
    environments = {  # noqa: RUF012 - a constant
        "staging": Environment(
            "https://staging.back.ecard.pledg.co", (), {"front": "https://staging.front.ecard.pledg.co"}
        ),
        "production": Environment("https://back.ecard.pledg.co", (), {"front": "https://front.ecard.pledg.co"}),
    }
    _pairs: Final = (
        ("PLEDG_API_KEY", "PLEDG_API_SECRET"),
        ("PLEDG_DASHBOARD_EMAIL", "PLEDG_DASHBOARD_PASSWORD"),
    )

    def declare(self) -> Sequence[Resource]:
        """Return the resources that can be asked as tables."""
        return _RESOURCES

    def schemes(self) -> Mapping[str, AuthBase]:
        """Return "token" and "basic", as far as their settings are there; the token is the vendor's advice."""
        schemes: dict[str, AuthBase] = {}
        (key, secret), (email, password) = ([self.settings.get(name) for name in pair] for pair in self._pairs)
        if key and secret:
            token_url = f"{self.endpoint.base_url}/api/token"
            schemes["token"] = schemes["default"] = ClientCredentials(
                token_url, key, secret, post=self.session.post_as_is
            )
        if email and password:
            schemes["basic"] = Basic(email, password)
        return schemes

    def credential_pairs(self) -> list[tuple[str, str]]:
        """The key with its secret, the e-mail with its password."""
        pairs = [(self.settings.get(user), self.settings.get(password)) for user, password in self._pairs]
        return [(user, password) for user, password in pairs if user and password]

    def ping(self) -> str:
        """Fetch the merchant's conditions, and a token where there is a key for it."""
        scheme = self.session.schemes.get("token")
        conditions = next(self.merchant_conditions.query().records(), {})
        said = f"the merchant offers {conditions.get('payment_type')}."
        if not isinstance(scheme, ClientCredentials):
            return said
        self.get(f"/api/merchants/{self.settings.get('PLEDG_MERCHANT_UID')}", auth="token")
        return f"{said} The access token is good for {scheme.seconds_left or 0:.0f} s."

    def may_repeat(self, method: str, path: str) -> bool:
        """Simulations are POSTs that change nothing."""
        return super().may_repeat(method, path) or path.rstrip("/").endswith("/simulate_payment_schedule")

    def missing_scheme(self, name: str) -> NoReturn:
        """Say which settings the scheme needs."""
        needed = {"token": self._pairs[0], "default": self._pairs[0], "basic": self._pairs[1]}
        if name in needed:
            self.settings.require(needed[name], why=f"{self.title}, scheme {name!r},")
        super().missing_scheme(name)

    def merchant_secret(self) -> str:
        """Return the merchant's secret, which signs; `SettingsError` where it is not set."""
        return self.settings.require(["PLEDG_MERCHANT_SECRET"], why=f"{self.title}: signing")["PLEDG_MERCHANT_SECRET"]

    @property
    def notifications(self) -> Notifications:
        """The notifications that Pledg posts to a merchant."""
        return Notifications(self)

    def sign(self, claims: Mapping[str, Any], *, expires_in: int | None = None) -> str:
        """
        Return *claims* as a signed JWT (HS256), such as `{"data": {…settings…}}`.

        Args:
            claims: What to sign.
            expires_in: Seconds that the signature is good for; None for ever.
        """
        return sign_jwt(claims, self.merchant_secret(), expires_in=expires_in)

    def purchase_url(self, settings: Mapping[str, Any], *, expires_in: int | None = None) -> str:
        """
        Return the address that a buyer is sent to, signed; nothing is sent.

        Args:
            settings: merchantUid or companyUid, amountCents, email, firstName, lastName, title, reference, and more.
            expires_in: As in `sign`.
        """
        path = "/payment_solutions" if "companyUid" in settings else "/purchase"
        front = self.endpoint.origins.get("front") or self.endpoint.base_url
        return f"{front}{path}?signature={self.sign({'data': dict(settings)}, expires_in=expires_in)}"

    def purchase_link(
        self, settings: Mapping[str, Any], *, link: Mapping[str, Any] | None = None, expires_in: int | None = None
    ) -> dict[str, Any]:
        """
        Create a purchase and return the vendor's answer with its link; needs `writable=True`.

        Args:
            settings: As in `purchase_url`.
            expires_in: As in `sign`.
            link: The vendor's `purchase_link_settings`: email, send_email, phone_number, send_sms.
        """
        claims = {"data": dict(settings), **({"purchase_link_settings": dict(link)} if link else {})}
        token = self.sign(claims, expires_in=expires_in)
        call = Call("POST", "/api/purchase_link/", params={"signature": token}, scheme=None)
        return self._write(call)

    def refund(self, purchase_uid: str, amount_cents: int) -> dict[str, Any]:
        """
        Give *amount_cents* of a purchase back by transfer; needs `writable=True`. Never sent twice by itself.

        Raises:
            UsageError: The amount is not a positive whole number of cents.
        """
        if isinstance(amount_cents, bool) or not isinstance(amount_cents, int) or amount_cents <= 0:
            what = f"amount_cents={amount_cents!r} cannot be refunded."
            raise UsageError(what, remedy="Give a positive whole number of cents.")
        if "token" not in self.session.schemes:
            self.missing_scheme("token")
        path = f"/api/purchases/{purchase_uid}/credit_by_transfer"
        return self._write(Call("POST", path, json={"amount_cents": amount_cents}, scheme="token"))

    def _write(self, call: Call) -> dict[str, Any]:
        require_writable(call, writable=self.writable)
        response = self.session.send(replace(call, accept="any"))
        # The answers are not documented; the vendor's own client takes an empty body for {}.
        return json_object(response.content, self.title) if response.content.strip() else {}
