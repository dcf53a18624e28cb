"""The vendors, and connecting to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from vendorkit.ask import suggestion
from vendorkit.errors import SettingsError, UsageError
from vendorkit.http import tls
from vendorkit.http.call import Policy
from vendorkit.settings import Secret, Settings, read_settings
from vendorkit.vendors.client import Client, Endpoint, Environment
from vendorkit.vendors.mediagenix.client import Mediagenix
from vendorkit.vendors.medipim.client import Medipim
from vendorkit.vendors.medipim.schema import COUNTRIES
from vendorkit.vendors.pledg.client import Pledg

if TYPE_CHECKING:
    from vendorkit.local import LocalVendor

CLIENTS: Final[dict[str, type[Client]]] = {"medipim": Medipim, "pledg": Pledg, "mediagenix": Mediagenix}


class Servers(Protocol):
    """Running local vendors by name."""

    def __getitem__(self, name: str) -> LocalVendor: ...


def connect(
    vendor: str,
    *,
    environment: str | None = None,
    country: str | None = None,
    writable: bool = False,
    policy: Policy | None = None,
) -> Client:
    """
    Return a client of *vendor*; nothing is sent yet.

    Args:
        vendor: "medipim", "pledg" or "mediagenix".
        environment: "local" for the embedded vendor, started on demand and needing no credentials, or one of the
            vendor's own. None: `<VENDOR>_ENVIRONMENT` from the environment or `.env`, else "local".
        country: Medipim's platform: be, fr, de, es, au or us. None: `MEDIPIM_COUNTRY`, else be.
        writable: Allow calls that may change data at the vendor.
        policy: Timeouts and retries.

    Raises:
        UsageError: No such vendor, environment or country.
        SettingsError: Settings are missing or malformed; all of them are named at once.
    """
    if vendor not in CLIENTS:
        what = f"There is no vendor {vendor!r}."
        raise UsageError(what, remedy=suggestion(vendor, CLIENTS))
    kind = CLIENTS[vendor]
    prefix = vendor.upper()
    names = (*kind.setting_names, *(f"{prefix}_{name}" for name in ("ENVIRONMENT", "BASE_URL", "ISSUER")))
    settings = read_settings(names)
    chosen = environment or settings.get(f"{prefix}_ENVIRONMENT") or "local"
    country = _country(country, settings) if kind is Medipim else None
    if chosen == "local":
        endpoint, settings = _local(vendor, country)
    elif chosen in kind.environments:
        endpoint = _remote(kind, chosen, country, settings)
    else:
        what = f"{kind.label} has no environment {chosen!r}."
        raise UsageError(what, remedy=suggestion(chosen, ["local", *kind.environments]))
    return kind(endpoint, _with_country(settings, country), writable=writable, policy=policy)


def connect_local(vendor: str, servers: Servers, *, country: str | None, policy: Policy | None = None) -> Client:
    """Return a client of one of these local vendors, with the credentials that it accepts."""
    endpoint, settings = _one_of(servers, vendor)
    return CLIENTS[vendor](endpoint, _with_country(settings, country), policy=policy)


def _country(given: str | None, settings: Settings) -> str:
    country = (given or settings.get("MEDIPIM_COUNTRY") or "be").lower()
    if country not in COUNTRIES:
        what = f"Medipim has no platform for the country {country!r}."
        raise UsageError(what, remedy=suggestion(country, COUNTRIES))
    return country


def _remote(kind: type[Client], name: str, country: str | None, settings: Settings) -> Endpoint:
    environment: Environment = kind.environments[name]
    host = COUNTRIES[country].host if country else ""
    override = settings.get(f"{kind.vendor_name.upper()}_BASE_URL")
    base_url = (override or environment.base_url.format(host=host)).rstrip("/")
    # Medipim's pages write the base with /v4 as well as without (inferred: both are meant).
    base_url = base_url.removesuffix("/v4") if kind is Medipim else base_url
    parts = urlsplit(base_url)
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query:
        what = f"{kind.vendor_name.upper()}_BASE_URL is not the https address of a host."
        raise SettingsError(what, remedy="Write https://host, without a path.")
    trust = tls.approved_trust(settings.get("MEDIAGENIX_ISSUER")) if kind.approved_roots_only else tls.public_trust()
    return Endpoint(name, base_url, trust, environment.rates, {} if override else environment.origins)


def _local(vendor: str, country: str | None) -> tuple[Endpoint, Settings]:
    from vendorkit import local  # noqa: PLC0415 - the servers are an extra

    return _one_of(local.shared(country or "be"), vendor)


def _one_of(servers: Servers, vendor: str) -> tuple[Endpoint, Settings]:
    server = servers[vendor]
    origins = {"sequence": servers["sequence"].base_url} if vendor == "mediagenix" else {}
    endpoint = Endpoint("local", server.base_url, tls.local_trust(server.ca_pem), (), origins)
    return endpoint, _with(Settings(looked_in="the local vendor"), server.credentials)


def _with_country(settings: Settings, country: str | None) -> Settings:
    return _with(settings, {"MEDIPIM_COUNTRY": country}) if country else settings


def _with(settings: Settings, values: Mapping[str, str]) -> Settings:
    secrets = {name: Secret(value) for name, value in values.items()}
    sources = dict.fromkeys(values, "given")
    return Settings({**settings.values, **secrets}, {**settings.sources, **sources}, settings.looked_in)


__all__ = ["CLIENTS", "connect", "connect_local"]
