"""
The Pledg mock server: tokens, simulations, merchants, purchase links, refunds, and the pages that a buyer sees.

Written from Pledg's documents. The authentication differs by route; these do not change anything:

    none              simulate_payment_schedule below /api/users/me, GET merchant
    signature         /purchase, /payment_solutions, POST /api/purchase_link/
    token             POST /api/merchants/UID/simulate_payment_schedule
    token or Basic    refunds: the page documents Basic, the newest shop module sends a token

All merchants have the same secret, that of PLEDG_MERCHANT_UID. The vendor has no path
`GET /api/local/notifications?count=100`: it answers what the vendor's webhooks would have sent to a shop.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import html
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vendorkit.local.pledg import schedule as pledg_schedule
from vendorkit.local.pledg import signing as pledg_signing
from vendorkit.local.pledg.signing import Tokens
from vendorkit.local.server import api as server
from vendorkit.local.server.settings import Settings

MOST_CENTS: Final = 1_000_000  # of a purchase, as of 2021
MOST_SIMULATED_CENTS: Final = 10**12  # of this mock server: above it, fees are not exact
LAST_YEAR: Final = 9990  # of this mock server: a schedule must end within Python's calendar
MOST_NOTIFICATIONS: Final = 100_000
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
    """A refund that is not possible: the vendor says why in a raw text."""


class _Simulation(msgspec.Struct):
    amount_cents: Annotated[int, msgspec.Meta(gt=0, le=MOST_SIMULATED_CENTS)]
    created: dt.date
    second_installment_date: dt.date | None = None


class Api(server.Api):
    """The handlers, and the purchases that they create or change."""

    RATE = (100, 60.0, 0.0)  # invented: no source has a limit of Pledg

    def __init__(self, settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> None:
        super().__init__(settings, origin, credentials)
        self._secret = credentials["PLEDG_MERCHANT_SECRET"]
        self._merchants = pledg_schedule.merchants(settings.seed)
        self._company_uid = pledg_schedule.uid("cmp", settings.seed, 1)
        self._linked: dict[str, int] = {}  # purchases created by link: uid to cents
        self._left: dict[str, int] = {}  # cents that can still be refunded, of purchases with a refund or release
        self.tokens = Tokens(self)

    def routes(self) -> list[Route]:
        """Return the routes; the path that ends in "/" is also answered without it."""
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
        """Return the vendor's error body; only `error.debug` is known, the rest is inferred, and a switch."""
        if isinstance(exc, _Refused) and self.settings.refund_errors == "text":
            return PlainTextResponse(reason, status)
        kind = pledg_schedule.TERMS["error_types"].get(str(status))
        kind = kind or ("internal_error" if status >= 500 else "invalid_request_error")
        more = {} if self.settings.error_body == "debug" else {"type": kind, "message": reason}
        response = JSONResponse({"error": {**more, "debug": reason}}, status)
        for challenge in _CHALLENGES if status == 401 else ():
            response.headers.append("WWW-Authenticate", challenge)
        return response

    def _merchant(self, request: Request) -> pledg_schedule.Merchant:
        found = self._merchants.get(request.path_params["uid"])
        if found is None:
            raise HTTPException(404, "There is no such merchant.")
        return found

    async def preflight(self, _request: Request) -> Response:
        """Allow the browser's request that follows, of any page: it sends JSON, for which it asks first."""
        return Response(status_code=204, headers=_PREFLIGHT)

    async def simulate(self, request: Request) -> Response:
        """Answer a merchant's schedule (4.1), without authentication, to scripts of any origin."""
        return JSONResponse(await self._simulated(request), headers=_ANYBODY)

    async def _simulated(self, request: Request) -> dict[str, Any]:
        settings, merchant = self.settings, self._merchant(request)
        plan = pledg_schedule.schedule(merchant, *await _simulation(request), settings.fees_rounding)
        answer = pledg_schedule.with_rates(plan) if settings.simulation_rates else plan
        return pledg_schedule.corrupt(answer, settings.seed, settings.wrong_type_rate)

    async def simulate_company(self, request: Request) -> Response:
        """Answer the plans of all merchants of the company (4.2)."""
        if request.path_params["uid"] != self._company_uid:
            raise HTTPException(404, "There is no such company.")
        terms, rounding = await _simulation(request), self.settings.fees_rounding
        offers = [merchant for merchant in self._merchants.values() if merchant.payment_type == "INSTALLMENT"]
        plans = [pledg_schedule.schedule(merchant, *terms, rounding) for merchant in offers]
        # The only known client accepts both spellings, and items without rates, so there is an item of each kind.
        items = [plans[0], *map(pledg_schedule.with_rates, plans[1:])]
        items[-1]["installment"] = items[-1].pop("INSTALLMENT")
        return JSONResponse({"items": items}, headers=_ANYBODY)

    async def simulate_protected(self, request: Request) -> Response:
        """Answer a merchant's schedule to a request with a token, and not to scripts of other origins."""
        self.tokens.check(request, basic=False)
        return JSONResponse(await self._simulated(request))

    async def merchant(self, request: Request) -> Response:
        """Answer a merchant's conditions (4.3)."""
        return JSONResponse(self._merchant(request).as_json(self.settings.threshold_name))

    async def purchase_link(self, request: Request) -> Response:
        """Create a purchase from signed settings, and answer the link for the buyer (the form is inferred)."""
        uid = self._purchase(request)
        link = f"{self.origin()}/purchase?uid={uid}"
        answers = {"link": {"purchase_link": link, "uid": uid}, "url": {"url": link}}
        answer = answers.get(self.settings.link_answer)
        return JSONResponse(answer) if answer else Response(b"", 200)

    async def payment_by_transfer(self, request: Request) -> Response:
        """Create a purchase that the buyer pays by bank transfer, with the uid as its reference."""
        return JSONResponse({"uid": self._purchase(request)})

    def _purchase(self, request: Request) -> str:
        data = self._signed_settings(request)
        uid = pledg_schedule.uid("pur", secrets.randbits(48), 0)
        self._linked[uid] = data["amountCents"]
        return uid

    def _signed_settings(self, request: Request) -> dict[str, Any]:
        """Return the settings of a purchase. Raise 400 if they are not signed, or one is missing or wrong (4.5)."""
        token = request.query_params.get("signature")
        data = pledg_signing.read_jwt(token, self._secret).get("data") if token else None
        if not isinstance(data, dict):
            raise HTTPException(400, f"The {'claim data' if token else 'parameter signature'} is missing.")
        _need(
            merchantUid=str(data.get("merchantUid")) in self._merchants or data.get("companyUid") == self._company_uid,
            amountCents=_is_amount(data.get("amountCents"), MOST_CENTS),
            email=re.fullmatch(r"[^@\s]+@[^@\s]+", str(data.get("email", ""))) is not None,
            title=bool(data.get("title")),
            reference=bool(data.get("reference")),
        )
        return data

    async def purchase_page(self, request: Request) -> Response:
        """Answer the buyer's page, reduced to whether the signature is valid."""
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
        amount: Any = None
        left = self._left[purchase_uid]
        with contextlib.suppress(ValueError, RecursionError):  # any Content-Type is taken (inferred)
            amount = msgspec.json.decode(await request.body(), type=dict[str, Any]).get("amount_cents")
        if not _is_amount(amount, left):
            raise _Refused(400, f"The provided property amount_cents is invalid: 1 to {left} can be refunded")
        self._left[purchase_uid] -= amount
        answer = {"purchase_uid": purchase_uid, "amount_cents": amount}
        return JSONResponse(answer) if self.settings.refund_answer == "json" else Response(b"", 200)

    async def release(self, request: Request) -> Response:
        """Release a purchase that is not debited yet. The body of the answer is empty (inferred)."""
        purchase_uid = self._refundable(request)
        if not self._left[purchase_uid]:
            raise _Refused(400, "The purchase is refunded or released already")
        self._left[purchase_uid] = 0
        as_json = self.settings.release_answer == "json"
        return JSONResponse({"purchase_uid": purchase_uid}) if as_json else Response(b"", 200)

    def _refundable(self, request: Request) -> str:
        """Return the purchase of the path, which is in the notifications or created by link; it has an entry then."""
        self.tokens.check(request)
        purchase_uid, seed = request.path_params["uid"], self.settings.seed
        index = pledg_schedule.index_of(purchase_uid, "pur", seed)
        amount = self._linked.get(purchase_uid) if index is None else pledg_signing.amount_of(seed, index)
        if amount is None:
            raise _Refused(404, "There is no such purchase.")
        self._left.setdefault(purchase_uid, amount)
        return str(purchase_uid)

    async def notifications(self, request: Request) -> Response:
        """Answer a log of webhook bodies, genuine and forged; the vendor has no such path."""
        count = request.query_params.get("count", "100")
        if not count.isdecimal() or int(count) > MOST_NOTIFICATIONS:
            raise HTTPException(400, f"The provided property count is invalid: 0 to {MOST_NOTIFICATIONS}")
        return JSONResponse(pledg_signing.notifications(self.settings.seed, int(count), self._secret))


def _page(verdict: str, text: str, *, status: int = 200) -> Response:
    title = html.escape(verdict)
    body = f"<h1>{title}</h1><p>{html.escape(text)}</p>"
    return HTMLResponse(f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>", status)


def _invalid(name: str) -> HTTPException:
    return HTTPException(400, f"The provided property {name} is invalid")


def _need(**good: bool) -> None:
    """Raise 400 for the first property that is missing or wrong."""
    for name, right in good.items():
        if not right:
            raise _invalid(name)


def _is_amount(given: Any, most: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 0 < given <= most


async def _simulation(request: Request) -> tuple[int, dt.date, dt.date | None]:
    """Return amount and dates of a simulation."""
    try:
        given = msgspec.json.decode(await request.body(), type=_Simulation)
    except (ValueError, RecursionError) as exc:
        found = re.search(r"(?:\$\.|field `)(\w+)", str(exc))
        raise _invalid(found[1] if found else "amount_cents") from None
    second = given.second_installment_date
    _need(created=given.created.year <= LAST_YEAR, second_installment_date=(second or given.created).year <= LAST_YEAR)
    return given.amount_cents, given.created, second
