"""
The Pledg mock server: tokens, simulations, merchants, purchase links, refunds, and the pages that a buyer sees.

Written from Pledg's documents. The authentication differs by route; these do not change anything:

    none              simulate_payment_schedule below /api/users/me, GET merchant
    signature         /purchase, /payment_solutions, POST /api/purchase_link/
    token             POST /api/merchants/UID/simulate_payment_schedule
    token or Basic    refunds: the page documents Basic, the newest shop module sends a token

All merchants have the same secret, that of
PLEDG_MERCHANT_UID. The vendor has no path `GET /api/local/notifications?count=100`: it answers what the vendor's
webhooks would have sent to a shop.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vendorkit.local.pledg import schedule as pledg_schedule
from vendorkit.local.pledg import signing as pledg_signing
from vendorkit.local.pledg.tokens import Tokens
from vendorkit.local.server.settings import Settings

VENDOR: Final = "pledg"
AUTH: Final = "per-route"
RATE: Final = (100, 60.0, 0.0)  # invented: no source has a limit of Pledg
ERROR_TYPES: Final = {503: "maintenance", 429: "too_many_requests", 401: "authentication_error"}
MOST_CENTS: Final = 1_000_000  # of a purchase, as of 2021
MOST_SIMULATED_CENTS: Final = 10**12  # of this mock server: above it, fees are not exact
LAST_YEAR: Final = 9990  # of this mock server: a schedule must end within Python's calendar
MOST_NOTIFICATIONS: Final = 100_000


def refusal(status: int, reason: str) -> Response:
    """Return the vendor's error body; only `error.debug` is known, the rest is inferred."""
    kind = ERROR_TYPES.get(status, "internal_error" if status >= 500 else "invalid_request_error")
    return JSONResponse({"error": {"type": kind, "message": reason, "debug": reason}}, status)


def unknown(settings: Settings, action: str, records: list[str]) -> str:
    """Return what cannot be changed: anything."""
    del settings, action
    return ", ".join(records) or "anything"


def identities(settings: Settings) -> dict[str, str]:
    """Return the uids that belong to the credentials, by environment name."""
    return {
        "PLEDG_MERCHANT_UID": next(iter(pledg_schedule.merchants(settings.seed))),
        "PLEDG_COMPANY_UID": pledg_schedule.uid("cmp", settings.seed, 1),
    }


def routes(settings: Settings, base_url: Callable[[], str], credentials: Mapping[str, str]) -> list[Route]:
    """Return the routes; the path that ends in "/" is also answered without it."""
    pledg = _Pledg(settings, base_url, credentials)
    simulate = "simulate_payment_schedule"
    post: Callable[..., Route] = partial(Route, methods=["POST"])
    return [
        post("/api/token", pledg.tokens.issue),
        post("/api/users/me/merchants/{uid}/" + simulate, pledg.simulate),
        post("/api/users/me/companies/{uid}/" + simulate, pledg.simulate_company),
        post("/api/merchants/{uid}/" + simulate, pledg.simulate_protected),
        Route("/api/merchants/{uid}", pledg.merchant),
        post("/api/purchase_link/", pledg.purchase_link),
        post("/api/purchase_link", pledg.purchase_link),
        post("/api/payment_by_transfer", pledg.payment_by_transfer),
        post("/api/purchases/{uid}/credit_by_transfer", pledg.credit_by_transfer),
        post("/api/purchases/{uid}/release", pledg.release),
        Route("/purchase", pledg.purchase_page),
        Route("/payment_solutions", pledg.purchase_page),
        Route("/api/local/notifications", pledg.notifications),
    ]


class _Pledg:
    """The handlers, and the purchases that they create or change."""

    def __init__(self, settings: Settings, base_url: Callable[[], str], credentials: Mapping[str, str]) -> None:
        self._settings, self._base_url = settings, base_url
        self._secret = credentials["PLEDG_MERCHANT_SECRET"]
        self._merchants = pledg_schedule.merchants(settings.seed)
        self._company_uid = pledg_schedule.uid("cmp", settings.seed, 1)
        self._linked: dict[str, int] = {}  # purchases created by link: uid to cents
        self._left: dict[str, int] = {}  # cents that can still be refunded, of purchases with a refund or release
        self.tokens = Tokens(settings, base_url, credentials, refusal)

    async def simulate(self, request: Request) -> Response:
        """Answer a merchant's schedule (4.1), without authentication, to scripts of any origin."""
        merchant = self._merchants.get(request.path_params["uid"])
        if merchant is None:
            return refusal(404, "There is no such merchant.")
        terms = await _simulation(request)
        if isinstance(terms, Response):
            return terms
        answer = pledg_schedule.company_item(merchant, *terms)
        if not self._settings.simulation_rates:
            answer = pledg_schedule.schedule(merchant, *terms)
        corrupted = pledg_schedule.corrupt(answer, self._settings.seed, self._settings.wrong_type_rate)
        return JSONResponse(corrupted, headers={"Access-Control-Allow-Origin": "*"})

    async def simulate_company(self, request: Request) -> Response:
        """Answer the plans of all merchants of the company (4.2)."""
        if request.path_params["uid"] != self._company_uid:
            return refusal(404, "There is no such company.")
        terms = await _simulation(request)
        if isinstance(terms, Response):
            return terms
        offers = [merchant for merchant in self._merchants.values() if merchant.payment_type == "INSTALLMENT"]
        items = [pledg_schedule.company_item(merchant, *terms) for merchant in offers]
        # The only known client accepts both spellings, and items without rates, so there is an item of each kind.
        items[-1]["installment"] = items[-1].pop("INSTALLMENT")
        del items[0]["taeg"], items[0]["debit_rate"]
        return JSONResponse({"items": items}, headers={"Access-Control-Allow-Origin": "*"})

    async def simulate_protected(self, request: Request) -> Response:
        """Answer a merchant's schedule to a request with a token, and not to scripts of other origins."""
        response = self.tokens.refuse(request, basic=False) or await self.simulate(request)
        if "Access-Control-Allow-Origin" in response.headers:
            del response.headers["Access-Control-Allow-Origin"]
        return response

    async def merchant(self, request: Request) -> Response:
        """Answer a merchant's conditions (4.3)."""
        merchant = self._merchants.get(request.path_params["uid"])
        return (
            JSONResponse(merchant.as_json(self._settings.threshold_name))
            if merchant
            else refusal(404, "There is no such merchant.")
        )

    async def purchase_link(self, request: Request) -> Response:
        """Create a purchase from signed settings, and answer the link for the buyer (the form is inferred)."""
        uid = self._purchase(request)
        if isinstance(uid, Response):
            return uid
        link = f"{self._base_url()}/purchase?uid={uid}"
        answers = {"link": {"purchase_link": link, "uid": uid}, "url": {"url": link}}
        answer = answers.get(self._settings.link_answer)
        return JSONResponse(answer) if answer else Response(b"", 200)

    async def payment_by_transfer(self, request: Request) -> Response:
        """Create a purchase that the buyer pays by bank transfer, with the uid as its reference."""
        uid = self._purchase(request)
        return uid if isinstance(uid, Response) else JSONResponse({"uid": uid})

    def _purchase(self, request: Request) -> str | Response:
        try:
            data = self._signed_settings(request)
        except ValueError as exc:
            return refusal(400, str(exc))
        uid = pledg_schedule.uid("pur", secrets.randbits(48), 0)
        self._linked[uid] = data["amountCents"]
        return uid

    def _signed_settings(self, request: Request) -> dict[str, Any]:
        token = request.query_params.get("signature")
        if not token:
            message = "The parameter signature is missing."
            raise ValueError(message)
        data = pledg_signing.read_jwt(token, self._secret).get("data")
        if not isinstance(data, dict):
            message = "The claim data is missing."
            raise ValueError(message)  # noqa: TRY004  the vendor refuses it, which is not a type error
        self._check(data)
        return data

    def _check(self, data: dict[str, Any]) -> None:
        """Raise ValueError for the first setting that is missing or wrong, with the vendor's message (4.5)."""
        known = str(data.get("merchantUid")) in self._merchants or data.get("companyUid") == self._company_uid
        amount = data.get("amountCents")
        good = {
            "merchantUid": known,
            "amountCents": isinstance(amount, int) and not isinstance(amount, bool) and 0 < amount <= MOST_CENTS,
            "email": re.fullmatch(r"[^@\s]+@[^@\s]+", str(data.get("email", ""))) is not None,
            "title": bool(data.get("title")),
            "reference": bool(data.get("reference")),
        }
        for name, right in good.items():
            if not right:
                message = f"The provided property {name} is invalid"
                raise ValueError(message)

    async def purchase_page(self, request: Request) -> Response:
        """Answer the buyer's page, reduced to whether the signature is valid."""
        query = request.query_params
        if query.get("uid") in self._linked:
            return _page("purchase found", f"{self._linked[query['uid']] / 100:.2f} EUR")
        if "signature" not in query and not self._settings.signature_required:
            return _page("unsigned request accepted", query.get("reference", ""))
        try:
            data = self._signed_settings(request)
        except ValueError as exc:
            return _page("signature not verified", str(exc), status=400)
        return _page("signature verified", f"{data['reference']}, {data['amountCents'] / 100:.2f} EUR")

    async def credit_by_transfer(self, request: Request) -> Response:
        """Refund a purchase, in full or in part (4.4)."""
        purchase_uid = request.path_params["uid"]
        if refused := self.tokens.refuse(request) or self._unknown(purchase_uid):
            return refused
        amount = (await _object(request)).get("amount_cents")
        left = self._left[purchase_uid]
        if not isinstance(amount, int) or isinstance(amount, bool) or not 0 < amount <= left:
            reason = f"The provided property amount_cents is invalid: 1 to {left} can be refunded"
            as_text = self._settings.refund_errors == "text"
            return PlainTextResponse(reason, 400) if as_text else refusal(400, reason)
        self._left[purchase_uid] -= amount
        answer = {"purchase_uid": purchase_uid, "amount_cents": amount}
        return JSONResponse(answer) if self._settings.refund_answer == "json" else Response(b"", 200)

    async def release(self, request: Request) -> Response:
        """Release a purchase that is not debited yet. The body of the answer is empty (inferred)."""
        purchase_uid = request.path_params["uid"]
        if refused := self.tokens.refuse(request) or self._unknown(purchase_uid):
            return refused
        if not self._left[purchase_uid]:
            return refusal(400, "The purchase is refunded or released already")
        self._left[purchase_uid] = 0
        as_json = self._settings.release_answer == "json"
        return JSONResponse({"purchase_uid": purchase_uid}) if as_json else Response(b"", 200)

    def _unknown(self, purchase_uid: str) -> Response | None:
        """Return 404 for a purchase that is neither in the notifications nor created by link."""
        seed = self._settings.seed
        index = pledg_schedule.index_of(purchase_uid, "pur", seed)
        if purchase_uid not in self._linked and index is None:
            return refusal(404, "There is no such purchase.")
        amount = self._linked[purchase_uid] if index is None else pledg_signing.amount_of(seed, index)
        self._left.setdefault(purchase_uid, amount)
        return None

    async def notifications(self, request: Request) -> Response:
        """Answer a log of webhook bodies, genuine and forged; the vendor has no such path."""
        count = request.query_params.get("count", "100")
        if not count.isdecimal() or int(count) > MOST_NOTIFICATIONS:
            return refusal(400, f"The provided property count is invalid: 0 to {MOST_NOTIFICATIONS}")
        log = pledg_signing.notifications(self._settings.seed, int(count), self._secret)
        return JSONResponse({"notifications": [entry["body"] for entry in log], "kinds": [e["kind"] for e in log]})


def _page(verdict: str, text: str, *, status: int = 200) -> Response:
    title = html.escape(verdict)
    content = (
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1><p>{html.escape(text)}</p>"
    )
    return HTMLResponse(f"{content}</body></html>", status)


async def _object(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body, with any Content-Type (inferred), or an empty object if it is not one."""
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


async def _simulation(request: Request) -> tuple[int, dt.date, dt.date | None] | Response:
    """Return amount and dates of a simulation, or the refusal if one of them is wrong."""
    given = await _object(request)
    amount = given.get("amount_cents")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 < amount <= MOST_SIMULATED_CENTS:
        return refusal(400, "The provided property amount_cents is invalid")
    created = _day(given.get("created"))
    if created is None:
        return refusal(400, "The provided property created is invalid")
    second = _day(given.get("second_installment_date"))
    if second is None and given.get("second_installment_date") is not None:
        return refusal(400, "The provided property second_installment_date is invalid")
    return amount, created, second


def _day(given: Any) -> dt.date | None:
    if not isinstance(given, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", given):
        return None
    try:
        day = dt.date.fromisoformat(given)
    except ValueError:
        return None
    return day if day.year <= LAST_YEAR else None
