"""
The Pledg mock server: tokens, simulations, merchants, purchase links, refunds, and the pages that a buyer sees.

It is written from Pledg's documents. The authentication depends on the route:

    none              simulate_payment_schedule below /api/users/me, GET merchant
    signature         /purchase, /payment_solutions, POST /api/purchase_link/
    token             POST /api/merchants/UID/simulate_payment_schedule
    token or Basic    refunds: the page documents Basic, the newest shop module sends a token

All merchants have the same secret, that of PLEDG_MERCHANT_UID. `GET /api/local/notifications?count=100` exists only
here: it returns the notifications that the vendor's webhooks would have sent to a shop.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vendorkit.local.pledg import schedule as pledg_schedule
from vendorkit.local.pledg import signing as pledg_signing
from vendorkit.local.pledg.signing import Tokens
from vendorkit.local.server import api as server
from vendorkit.local.server.settings import Settings

MAX_PURCHASE_CENTS: Final = 1_000_000  # the vendor's limit, as of 2021
MAX_SIMULATED_CENTS: Final = 10**12  # a limit of this mock server: above it, fees are not exact
LAST_YEAR: Final = 9990  # a limit of this mock server: a schedule must end within Python's calendar
MAX_NOTIFICATIONS: Final = 100_000
_CHALLENGES: Final = ('Bearer realm="Pledg API", error="invalid_token"', 'Basic realm="Pledg API", charset="UTF-8"')
_ANYBODY: Final = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT: Final = {**_ANYBODY, "Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "*"}


def identities(settings: Settings) -> dict[str, str]:
    """Return the uids that belong to the credentials, by environment name."""
    return {
        "PLEDG_MERCHANT_UID": next(iter(pledg_schedule.merchants(settings.seed))),
        "PLEDG_COMPANY_UID": pledg_schedule.uid("cmp", settings.seed, 1),
    }


class _Refused(HTTPException):
    """A refused refund. The vendor answers with the reason as plain text."""


class Api(server.Api):
    """The handlers, and the purchases that they create or change."""

    RATE = (100, 60.0, 0.0)  # invented: no source gives a rate limit of Pledg

    def __init__(self, settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> None:
        super().__init__(settings, origin, credentials)
        self._secret = credentials["PLEDG_MERCHANT_SECRET"]
        self._merchants = pledg_schedule.merchants(settings.seed)
        self._company_uid = pledg_schedule.uid("cmp", settings.seed, 1)
        self._linked: dict[str, int] = {}  # purchases created by link: uid to cents
        self._refundable_cents: dict[str, int] = {}  # of each purchase that a refund or release has named
        self.tokens = Tokens(self)

    def routes(self) -> list[Route]:
        """Return the routes. The path that ends in "/" is also served without it."""
        simulate = "simulate_payment_schedule"
        table: dict[str, server.Handler] = {
            "POST /api/token": self.tokens.issue,
            f"POST /api/users/me/merchants/{{uid}}/{simulate}": self.simulate,
            f"POST /api/users/me/companies/{{uid}}/{simulate}": self.simulate_company,
            "OPTIONS /api/users/me/{path:path}": self.preflight,
            f"POST /api/merchants/{{uid}}/{simulate}": self.simulate_protected,
            "GET /api/merchants/{uid}": self.merchant,
            "POST /api/purchase_link/": self.purchase_link,
            "POST /api/purchase_link": self.purchase_link,
            "POST /api/payment_by_transfer": self.payment_by_transfer,
            "POST /api/purchases/{uid}/credit_by_transfer": self.credit_by_transfer,
            "POST /api/purchases/{uid}/release": self.release,
            "GET /purchase": self.purchase_page,
            "GET /payment_solutions": self.purchase_page,
            "GET /api/local/notifications": self.notifications,
        }
        return server.routes_of(table)

    def refusal(self, status: int, reason: str, exc: Exception | None = None) -> Response:
        """Return an error in the vendor's format. Only `error.debug` is documented, so a switch drops the rest."""
        if isinstance(exc, _Refused) and self.settings.refund_errors == "text":
            return PlainTextResponse(reason, status)
        kind = pledg_schedule.TERMS["error_types"].get(str(status))
        kind = kind or ("internal_error" if status >= 500 else "invalid_request_error")
        inferred = {} if self.settings.error_body == "debug" else {"type": kind, "message": reason}
        response = JSONResponse({"error": {**inferred, "debug": reason}}, status)
        for challenge in _CHALLENGES if status == 401 else ():
            response.headers.append("WWW-Authenticate", challenge)
        return response

    def _merchant(self, request: Request) -> pledg_schedule.Merchant:
        merchant = self._merchants.get(request.path_params["uid"])
        if merchant is None:
            raise HTTPException(404, "There is no such merchant.")
        return merchant

    async def preflight(self, _request: Request) -> Response:
        """Answer the preflight request that browsers send before JSON: pages of any origin are allowed."""
        return Response(status_code=204, headers=_PREFLIGHT)

    async def simulate(self, request: Request) -> Response:
        """Return a merchant's schedule (4.1), without authentication, to scripts of any origin."""
        return JSONResponse(await self._simulated(request), headers=_ANYBODY)

    async def _simulated(self, request: Request) -> dict[str, Any]:
        settings, merchant = self.settings, self._merchant(request)
        plan = pledg_schedule.schedule(merchant, *await _simulation(request), settings.fees_rounding)
        answer = pledg_schedule.with_rates(plan) if settings.simulation_rates else plan
        return pledg_schedule.corrupt(answer, settings.seed, settings.wrong_type_rate)

    async def simulate_company(self, request: Request) -> Response:
        """Return the plans of all merchants of the company (4.2)."""
        if request.path_params["uid"] != self._company_uid:
            raise HTTPException(404, "There is no such company.")
        terms, rounding = await _simulation(request), self.settings.fees_rounding
        offers = [merchant for merchant in self._merchants.values() if merchant.payment_type == "INSTALLMENT"]
        plans = [pledg_schedule.schedule(merchant, *terms, rounding) for merchant in offers]
        # The only known client accepts both spellings, and items without rates, so the answer has all of these.
        items = [plans[0], *map(pledg_schedule.with_rates, plans[1:])]
        items[-1]["installment"] = items[-1].pop("INSTALLMENT")
        return JSONResponse({"items": items}, headers=_ANYBODY)

    async def simulate_protected(self, request: Request) -> Response:
        """Return a merchant's schedule to a request with a token, but not to scripts of other origins."""
        self.tokens.check(request, basic=False)
        return JSONResponse(await self._simulated(request))

    async def merchant(self, request: Request) -> Response:
        """Return a merchant's conditions (4.3)."""
        return JSONResponse(self._merchant(request).as_json(self.settings.threshold_name))

    async def purchase_link(self, request: Request) -> Response:
        """Create a purchase from signed settings, and return the buyer's link (the format is inferred)."""
        uid = self._purchase(request)
        link = f"{self.origin()}/purchase?uid={uid}"
        answers = {"link": {"purchase_link": link, "uid": uid}, "url": {"url": link}}
        answer = answers.get(self.settings.link_answer)
        return JSONResponse(answer) if answer else Response(b"", 200)

    async def payment_by_transfer(self, request: Request) -> Response:
        """Create a purchase that the buyer pays by bank transfer. The uid is the reference of the transfer."""
        return JSONResponse({"uid": self._purchase(request)})

    def _purchase(self, request: Request) -> str:
        data = self._signed_settings(request)
        uid = pledg_schedule.uid("pur", secrets.randbits(48), 0)
        self._linked[uid] = data["amountCents"]
        return uid

    def _signed_settings(self, request: Request) -> dict[str, Any]:
        """Return the settings of a purchase. Raise 400 if they are not signed, or one is missing or invalid (4.5)."""
        token = request.query_params.get("signature")
        data = pledg_signing.read_jwt(token, self._secret).get("data") if token else None
        if not isinstance(data, dict):
            raise HTTPException(400, f"The {'claim data' if token else 'parameter signature'} is missing.")
        _require(
            merchantUid=str(data.get("merchantUid")) in self._merchants or data.get("companyUid") == self._company_uid,
            currency=bool(data.get("currency")) or data.get("companyUid") is None,
            amountCents=_is_amount(data.get("amountCents"), MAX_PURCHASE_CENTS),
            email=re.fullmatch(r"[^@\s]+@[^@\s]+", str(data.get("email", ""))) is not None,
            title=bool(data.get("title")),
            reference=bool(data.get("reference")),
        )
        return data

    async def purchase_page(self, request: Request) -> Response:
        """Return the buyer's page, reduced to whether the signature is valid."""
        query = request.query_params
        if query.get("uid") in self._linked:
            return _page("purchase found", f"{self._linked[query['uid']] / 100:.2f} EUR")
        if "signature" not in query and not self.settings.signature_required:
            return _page("unsigned request accepted", query.get("reference", ""))
        try:
            data = self._signed_settings(request)
        except HTTPException as exc:
            return _page("signature not verified", exc.detail, status=400)
        return _page("signature verified", f"{data['reference']}, {data['amountCents'] / 100:.2f} EUR")

    async def credit_by_transfer(self, request: Request) -> Response:
        """Refund a purchase, in full or in part (4.4)."""
        purchase_uid = self._refundable(request)
        limit = self._refundable_cents[purchase_uid]
        amount: Any = (await _members(request)).get("amount_cents")
        if not _is_amount(amount, limit):
            raise _Refused(400, f"The provided property amount_cents is invalid: 1 to {limit} can be refunded")
        self._refundable_cents[purchase_uid] -= amount
        answer = {"purchase_uid": purchase_uid, "amount_cents": amount}
        return JSONResponse(answer) if self.settings.refund_answer == "json" else Response(b"", 200)

    async def release(self, request: Request) -> Response:
        """Release a purchase that has not been debited yet."""
        uid = self._refundable(request)
        if not self._refundable_cents[uid]:
            raise _Refused(400, "The purchase is refunded or released already")
        self._refundable_cents[uid] = 0
        return JSONResponse({"purchase_uid": uid}) if self.settings.release_answer == "json" else Response(b"", 200)

    def _refundable(self, request: Request) -> str:
        """Return the uid of the purchase in the path, which a notification names or a link created."""
        self.tokens.check(request)
        purchase_uid, seed = request.path_params["uid"], self.settings.seed
        index = pledg_schedule.index_of(purchase_uid, "pur", seed)
        amount = self._linked.get(purchase_uid) if index is None else pledg_signing.amount_of(seed, index)
        if amount is None:
            raise _Refused(404, "There is no such purchase.")
        self._refundable_cents.setdefault(purchase_uid, amount)
        return str(purchase_uid)

    async def notifications(self, request: Request) -> Response:
        """Return a log of webhook bodies, genuine and forged. The vendor has no such path."""
        count = request.query_params.get("count", "100")
        if not count.isdecimal() or int(count) > MAX_NOTIFICATIONS:
            raise HTTPException(400, f"The provided property count is invalid: 0 to {MAX_NOTIFICATIONS}")
        return JSONResponse(pledg_signing.notifications(self.settings.seed, int(count), self._secret))


def _page(verdict: str, text: str, *, status: int = 200) -> Response:
    title = html.escape(verdict)
    body = f"<h1>{title}</h1><p>{html.escape(text)}</p>"
    return HTMLResponse(f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>", status)


def _require(**is_valid: bool) -> None:
    """Raise 400 for the first property that is missing or invalid."""
    for name, valid in is_valid.items():
        if not valid:
            raise HTTPException(400, f"The provided property {name} is invalid")


def _is_amount(value: Any, maximum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= maximum


async def _members(request: Request) -> Any:
    """Return the members of a JSON body of any Content-Type (inferred); {} if it is not a JSON object."""
    try:
        members = json.loads(await request.body())
    except (ValueError, RecursionError):
        members = None
    return members if isinstance(members, dict) else {}


async def _simulation(request: Request) -> tuple[int, dt.date, dt.date | None]:
    """Return the amount and the dates of a simulation."""
    members = await _members(request)
    amount, second = members.get("amount_cents"), members.get("second_installment_date")
    _require(
        amount_cents=_is_amount(amount, MAX_SIMULATED_CENTS),
        created=_is_day(members.get("created")),
        second_installment_date=second is None or _is_day(second),
    )
    return amount, dt.date.fromisoformat(members["created"]), second and dt.date.fromisoformat(second)


def _is_day(value: Any) -> bool:
    """Return whether a value is a date, written YYYY-MM-DD, from which a schedule can begin."""
    try:
        day = dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return day.isoformat() == value and day.year <= LAST_YEAR
