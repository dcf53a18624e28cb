"""
Pledg: instalment and deferred payments; simulations, merchant conditions, signed links, notifications, refunds.

Three schemes: an access token of ten minutes, HTTP Basic with the dashboard's e-mail and password, and signatures. No
collection of Pledg is documented as paged, so none is invented here. Facts as of 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn
from urllib.parse import quote

from requests.auth import AuthBase

from vendorkit.auth import Basic, ClientCredentials, sign_jwt
from vendorkit.errors import UsageError
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call, require_writable
from vendorkit.resource import Resource
from vendorkit.settings import Secret
from vendorkit.vendors.client import Client, Environment
from vendorkit.vendors.pledg.notifications import Notifications
from vendorkit.vendors.pledg.plans import RESOURCES


class Pledg(Client):
    """A Pledg client: `payment_schedule`, `company_plans`, `merchant_conditions`, `notifications`, signed links."""

    vendor_name = "pledg"
    label = "Pledg"
    beside = "Notifications come to your own server: notifications.frame(bodies) says which of them are genuine."
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
        return RESOURCES

    def schemes(self) -> Mapping[str, AuthBase]:
        """Return "token" and "basic", as far as their settings are there; the token is the vendor's advice."""
        schemes: dict[str, AuthBase] = {}
        for name, names in (("token", self._pairs[0]), ("basic", self._pairs[1])):
            if all(self.settings.get(one) for one in names):
                schemes[name] = self._scheme(name, *(self.settings.values[one] for one in names))
        if "token" in schemes:
            schemes["default"] = schemes["token"]
        return schemes

    def _scheme(self, name: str, user: Secret, password: Secret) -> AuthBase:
        if name == "basic":
            return Basic(user.reveal(), password.reveal())
        token_url = f"{self.endpoint.base_url}/api/token"
        return ClientCredentials(token_url, user.reveal(), password.reveal(), post=self.session.post_as_is)

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
        return super().may_repeat(method, path) or path.endswith("/simulate_payment_schedule")

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
        return Notifications(Secret(self.merchant_secret()))

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
        path = f"/api/purchases/{quote(purchase_uid, safe='')}/credit_by_transfer"
        return self._write(Call("POST", path, json={"amount_cents": amount_cents}, scheme="token"))

    def _write(self, call: Call) -> dict[str, Any]:
        require_writable(call, writable=self.writable)
        response = self.session.send(replace(call, accept="any"))
        # The answers are not documented; the vendor's own client takes an empty body for {}.
        return json_object(response.content, self.title) if response.content.strip() else {}
