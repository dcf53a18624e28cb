"""
Pledg: instalment and deferred payments; simulations, merchant conditions, signed links, notifications, refunds.

There are three authentication schemes: an access token that is valid for ten minutes, HTTP Basic with the dashboard's
e-mail and password, and signatures. Pledg does not document any paging, so there is none here. The source is excerpts
of the vendor's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NoReturn

from requests.auth import AuthBase

from vendorkit import arguments
from vendorkit.auth import Basic, ClientCredentials, sign_jwt
from vendorkit.errors import DeadlineExceeded, MalformedAnswer, VendorUnavailable
from vendorkit.http import answers
from vendorkit.http.call import Call, require_writable
from vendorkit.query import Query
from vendorkit.resource import Resource, Signing
from vendorkit.settings import Secret
from vendorkit.vendors.bound import BoundResource
from vendorkit.vendors.client import Client
from vendorkit.vendors.hosts import Environment
from vendorkit.vendors.pledg.exports import Exports
from vendorkit.vendors.pledg.notifications import Notifications
from vendorkit.vendors.pledg.plans import plans

# Simulations for a merchant or a company, to be called from browsers or from the merchant's own server.
_SIMULATION: Final = re.compile(
    r"/api/(users/me/(merchants|companies)|merchants)/[A-Za-z0-9_-]+/simulate_payment_schedule"
)


# The settings of each scheme: user, password.
_PAIRS: Final = {
    "token": ("PLEDG_API_KEY", "PLEDG_API_SECRET"),
    "basic": ("PLEDG_DASHBOARD_EMAIL", "PLEDG_DASHBOARD_PASSWORD"),
}


class Pledg(Client):
    """A Pledg client: `payment_schedule`, `company_plans`, `merchant_conditions`, `notifications`, signed links."""

    payment_schedule: BoundResource
    server_payment_schedule: BoundResource
    company_plans: BoundResource
    merchant_conditions: BoundResource

    vendor_name = "pledg"
    label = "Pledg"
    footnote = "Pledg posts notifications to your own server; notifications.frame(bodies) shows which are genuine."
    setting_names = (
        *(name for pair in _PAIRS.values() for name in pair),
        *("PLEDG_MERCHANT_UID", "PLEDG_MERCHANT_SECRET", "PLEDG_COMPANY_UID"),
    )
    environments = {  # noqa: RUF012 - a constant
        name: Environment(f"https://{sub}back.ecard.pledg.co", (), {"front": f"https://{sub}front.ecard.pledg.co"})
        for name, sub in (("staging", "staging."), ("production", ""))
    }

    def declare(self) -> Sequence[Resource]:
        """Return the resources that can be queried."""
        return plans()

    def schemes(self) -> Mapping[str, AuthBase]:
        """Return "token" and "basic", if their settings are set. The vendor recommends the token."""
        token = partial(ClientCredentials, f"{self.base_url}/api/token", post=self.session.send_once)
        schemes = {name: (Basic if name == "basic" else token)(*pair) for name, pair in self._pairs().items()}
        return {**schemes, "default": schemes["token"]} if "token" in schemes else schemes

    def signing(self, scheme: str | None) -> Signing:
        """Return HTTP Basic with the dashboard's credentials, or an access token, which is fetched first."""
        kinds = {"basic": Signing("basic", _PAIRS["basic"]), None: Signing()}
        return kinds.get(scheme, Signing("token", _PAIRS["token"], f"{self.base_url}/api/token"))

    def credential_pairs(self) -> list[tuple[str, str]]:
        """Return the API key with its secret, and the e-mail with its password, if they are set."""
        return list(self._pairs().values())

    def _pairs(self) -> dict[str, tuple[str, str]]:
        get = self.settings.get
        pairs = {name: (get(user), get(password)) for name, (user, password) in _PAIRS.items()}
        return {name: (user, password) for name, (user, password) in pairs.items() if user and password}

    def ping(self) -> str:
        """Fetch the merchant's conditions, and an access token if an API key is set."""
        scheme = self.session.schemes.get("token")
        conditions = next(self.merchant_conditions.query().records(), {})
        message = f"the merchant offers {conditions.get('payment_type')}."
        if not isinstance(scheme, ClientCredentials):
            return message
        self.get(f"/api/merchants/{self.settings.get('PLEDG_MERCHANT_UID')}", auth="token")
        return f"{message} The access token is valid for {scheme.seconds_left or 0:.0f} s."

    def example_query(self) -> Query:
        """Return a query for the instalments of a purchase of 200 euros."""
        return self.payment_schedule.query(amount_cents=20_000, created="2026-01-31")

    def may_repeat(self, method: str, path: str) -> bool:
        """Return True for simulations, which are POST but change nothing."""
        return method == "POST" and _SIMULATION.fullmatch(path) is not None

    def missing_scheme(self, name: str) -> NoReturn:
        """Raise the error that names the settings which the scheme needs."""
        if pair := _PAIRS.get("token" if name == "default" else name):
            self.settings.require(pair, why=f"{self.title}, scheme {name!r},")
        super().missing_scheme(name)

    def merchant_secret(self) -> str:
        """Return the merchant's secret for signatures; `SettingsError` if it is not set."""
        return self.settings.require(["PLEDG_MERCHANT_SECRET"], why=f"{self.title}: signing")["PLEDG_MERCHANT_SECRET"]

    @property
    def notifications(self) -> Notifications:
        """The notifications that Pledg posts to a merchant."""
        return Notifications(Secret(self.merchant_secret()))

    @property
    def exports(self) -> Exports:
        """A reader for the dashboard's CSV export and the settlement file."""
        return Exports()

    def sign(self, claims: Mapping[str, Any], *, expires_in: int | None = None) -> str:
        """
        Return *claims* as a signed JWT (HS256), such as `{"data": {…settings…}}`.

        Args:
            claims: What to sign.
            expires_in: Seconds until the signature expires; None if it does not expire.
        """
        if expires_in is not None:
            expires_in = arguments.integer(expires_in, "expires_in", "a number of seconds, 1 or more", low=1)
        claims = arguments.json_object(claims, "claims", money=True)
        return sign_jwt(claims, self.merchant_secret(), expires_in=expires_in)

    def purchase_url(self, settings: Mapping[str, Any], *, expires_in: int | None = None) -> str:
        """
        Return the signed URL of the payment page for a buyer; nothing is sent.

        Args:
            settings: merchantUid or companyUid, amountCents (whole cents, of any numeric type), email, firstName,
                lastName, title, reference, and more.
            expires_in: As in `sign`.
        """
        data = arguments.json_object(settings, "settings", money=True)
        path = "/payment_solutions" if data.get("companyUid") else "/purchase"
        front = self.endpoint.origins.get("front") or self.endpoint.base_url
        return f"{front}{path}?signature={self.sign({'data': data}, expires_in=expires_in)}"

    def purchase_link(
        self, settings: Mapping[str, Any], *, link: Mapping[str, Any] | None = None, expires_in: int | None = None
    ) -> dict[str, Any]:
        """
        Create a purchase and return the vendor's response, which contains its link; needs `writable=True`.

        Args:
            settings: As in `purchase_url`.
            expires_in: As in `sign`.
            link: The vendor's `purchase_link_settings`: email, send_email, phone_number, send_sms.
        """
        claims = {"data": arguments.json_object(settings, "settings", money=True)}
        if link is not None:
            claims["purchase_link_settings"] = arguments.json_object(link, "link", money=True)
        token = self.sign(claims, expires_in=expires_in)
        return self._write(Call("POST", "/api/purchase_link/", params={"signature": token}, scheme=None))

    def refund(self, purchase_uid: str, amount_cents: int) -> dict[str, Any]:
        """
        Refund *amount_cents* of a purchase by transfer; needs `writable=True`. The request is never repeated.

        It is authenticated by the access token if its settings are set, else by the dashboard's credentials.

        Raises:
            UsageError: The amount is not a positive whole number of cents.
            VendorUnavailable, DeadlineExceeded, MalformedAnswer: Whether the purchase was refunded is not known.
        """
        cents = arguments.cents(amount_cents, "amount_cents")
        path = f"/api/purchases/{arguments.path_part(purchase_uid, 'purchase_uid')}/credit_by_transfer"
        # Documented with the dashboard's credentials; the newest module sends a token.
        scheme = next((name for name in ("token", "basic") if name in self.session.schemes), None)
        if scheme is None:
            self.missing_scheme("token")
        return self._write(Call("POST", path, json={"amount_cents": cents}, scheme=scheme))

    def _write(self, call: Call) -> dict[str, Any]:
        require_writable(call, writable=self.writable)
        try:
            response = self.session.send(replace(call, accept="any"))
            # The responses are not documented. The vendor's own client treats an empty body as {}.
            return answers.json_object(response.content, self.title) if response.content.strip() else {}
        except (VendorUnavailable, DeadlineExceeded, MalformedAnswer) as exc:
            exc.remedy += " But first check in the dashboard whether Pledg carried it out."
            exc.args = (f"{exc.what} {exc.remedy}",)
            raise
