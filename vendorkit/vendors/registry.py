"""The registered vendors, and how to connect to one: its settings, base URL, trusted certificates and proxy."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from vendorkit import arguments, calls
from vendorkit.ask import choice, suggestion
from vendorkit.auth.flow import origin_of
from vendorkit.errors import SettingsError, UsageError
from vendorkit.http import tls
from vendorkit.http.call import Policy
from vendorkit.http.proxy import PROXY_VARIABLE, find_route
from vendorkit.resource import Source
from vendorkit.settings import LOCAL_VARIABLE, Secret, Settings, given_settings, is_credential, read_settings
from vendorkit.vendors.client import Client
from vendorkit.vendors.files import CONTACT_VARIABLE
from vendorkit.vendors.hosts import Endpoint
from vendorkit.vendors.mediagenix.client import Mediagenix
from vendorkit.vendors.medipim.client import Medipim
from vendorkit.vendors.pledg.client import Pledg

if TYPE_CHECKING:
    from vendorkit.local import LocalVendors

CLIENTS: Final[dict[str, type[Client]]] = {}
K = TypeVar("K", bound=type[Client])


def register(kind: K) -> K:
    """Register a vendor's client class for `connect`, the panels, doctor and the command line."""
    CLIENTS[kind.vendor_name] = kind
    return calls.checked(kind)


register(Medipim)
register(Pledg)
register(Mediagenix)


def refuse_call(unknown: list[str], known: Collection[str]) -> NoReturn:
    """Raise the error for *unknown* keyword arguments of `connect` or, if there are none, for a positional one."""
    name = unknown[0] if unknown else ""
    what = f"connect() has no argument {name!r}." if unknown else "connect() takes only the vendor without a name."
    raise UsageError(what, remedy=suggestion(name, sorted(known)))


def open_client(
    vendor: Any,
    environment: Any = None,
    country: Any = None,
    *,
    writable: Any = False,
    policy: Any = None,
    settings: Secret | None = None,
    proxy: Secret | None = None,
) -> Client:
    """Return a client of *vendor*; the arguments are those of `connect`, with *settings* and *proxy* wrapped."""
    vendor = choice(vendor, CLIENTS, "There is no vendor")
    environment = None if environment is None else arguments.word(environment, "environment")
    country = None if country is None else arguments.word(country, "country")
    writable = arguments.boolean(writable, "writable")
    if not isinstance(policy, (Policy, type(None))):
        arguments.refuse("policy", "a Policy", policy)
    kind = CLIENTS[vendor]
    prefix = vendor.upper()
    found = _settings(kind, environment, settings, proxy)
    chosen = environment or found.get(f"{prefix}_ENVIRONMENT") or os.environ.get(f"{prefix}_ENVIRONMENT") or None
    if chosen is None:
        # Not a warning, which is three lines long in a notebook and an error under -W error.
        line = f"{kind.label}: mock data, because {prefix}_ENVIRONMENT is not set in {found.looked_in}."
        print(line, file=sys.stderr)  # noqa: T201
    chosen = choice(chosen or "local", ("local", *kind.environments), f"{kind.label} has no environment")
    country = _country(kind, country or found.get(f"{prefix}_COUNTRY"))
    if chosen == "local":
        endpoint, found = _local(kind, country)
    else:
        found = found.trusted()
        endpoint = _remote(kind, chosen, country, found, proxy)
        if settings is None:  # a worker process has no passed settings, and might use another account's credentials
            again = partial(open_client, vendor, chosen, country)
            endpoint = replace(endpoint, reopen=lambda policy: partial(again, policy=policy))
    return kind(endpoint, _with_country(kind, found, country), writable=writable, policy=policy)


def connect_local(
    vendor: str, servers: LocalVendors | str, *, country: str | None, policy: Policy | None = None
) -> Client:
    """Return a client of one of these mock servers, or of those of an address file at the path *servers*."""
    kind = CLIENTS[vendor]
    endpoint, settings = _mock_endpoint(servers, kind, country)
    return kind(endpoint, _with_country(kind, settings, country), policy=policy)


def all_setting_names(kind: type[Client]) -> tuple[str, ...]:
    """Return the names of all variables of a vendor: credentials first, then environment, base URL and trust."""
    trust = "ISSUER" if kind.approved_roots_only else "CA_FILE"
    return (*kind.setting_names, *(f"{kind.vendor_name.upper()}_{name}" for name in ("ENVIRONMENT", "BASE_URL", trust)))


def _country(kind: type[Client], country: str | None) -> str | None:
    what = f"{kind.label} has no platform for the country"
    return choice(country or kind.countries[0], kind.countries, what) if kind.countries else None


def _settings(kind: type[Client], environment: str | None, passed: Secret | None, proxy: Secret | None) -> Settings:
    """Return the settings of a vendor and of the proxy; only the country for the mock server."""
    # An invalid proxy is refused here, even if the connection will not use it.
    find_route((), argument=proxy)
    names, environment_name = all_setting_names(kind), f"{kind.vendor_name.upper()}_ENVIRONMENT"
    proxy_names = (CONTACT_VARIABLE,) if proxy else (PROXY_VARIABLE, CONTACT_VARIABLE)
    if passed is None:
        local = (environment or os.environ.get(environment_name)) == "local"
        names = tuple(name for name in names if name.endswith("_COUNTRY")) if local else (*names, *proxy_names)
        return read_settings(names, needed=not local) if names else Settings()
    found, configured = given_settings(passed, (*names, CONTACT_VARIABLE)), read_settings(proxy_names, needed=False)
    if not environment and environment_name not in found.values and any(map(is_credential, found.values)):
        what = f"settings= has credentials, but no environment of {kind.label} was chosen."
        choices = " or ".join(repr(name) for name in kind.environments)
        raise UsageError(what, remedy=f"Pass environment={choices}, or add {environment_name} to settings=.")
    values, sources = {**configured.values, **found.values}, {**configured.sources, **found.sources}
    return replace(found, values=values, sources=sources)


def _remote(kind: type[Client], name: str, country: str | None, settings: Settings, proxy: Secret | None) -> Endpoint:
    """Return the endpoint of one of the vendor's environments."""
    variable, environment = f"{kind.vendor_name.upper()}_BASE_URL", kind.environments[name]
    override = settings.get(variable)
    base_url = kind.clean_base_url(override or kind.url_of(environment, country))
    # Not urllib.parse, which removes line ends and accepts "ho st" as a host.
    if not re.fullmatch(r"https://(\[[\da-f:.]+\]|[\w.-]+)(:[1-9]\d{0,4})?", base_url, re.IGNORECASE):
        what = f"{variable} is not a valid https URL of a host."
        raise SettingsError(what, remedy="Write https://host, without a path, user or password.")
    origin = origin_of(base_url)
    known = [kind.url_of(env, platform) for env in kind.environments.values() for platform in kind.countries or (None,)]
    remarks = {}
    if origin not in map(origin_of, known):
        remarks["host"] = f"NOT a host of {kind.label}: {origin[8:]}, from {variable} ({settings.sources[variable]})"
    if settings.withheld:
        remarks["credentials"] = f"not sent to that host: {', '.join(settings.withheld)}"
    origins = {} if override else environment.origins
    trust = _trust(kind, settings, remarks)
    route = find_route([base_url, *origins.values()], argument=proxy, settings=settings)
    if route.through(base_url):
        remarks["proxy"] = route.through(base_url).strip()
    return Endpoint(name, base_url, trust, environment.rates, origins, route, remarks)


def _trust(kind: type[Client], settings: Settings, remarks: dict[str, str]) -> tls.Trust:
    if kind.approved_roots_only:
        return tls.approved_trust(settings.get(f"{kind.vendor_name.upper()}_ISSUER"))
    variable = f"{kind.vendor_name.upper()}_CA_FILE"
    file = settings.get(variable)
    if file is None:
        return tls.public_trust(ca_setting=variable)
    source = f"{variable}, {settings.sources[variable]}"
    roots = tls.read_roots(file, source)
    remarks["CA file"] = f"additional trusted roots: {len(roots)} from {file} ({source})"
    return tls.public_trust(roots, ca_setting=variable)


def _local(kind: type[Client], country: str | None) -> tuple[Endpoint, Settings]:
    from vendorkit import local  # noqa: PLC0415 - the servers are an extra

    path = read_settings((LOCAL_VARIABLE,), needed=False).get(LOCAL_VARIABLE)
    if path is None or (country or "be") != "be":  # vendorkit serve runs Medipim's Belgian platform
        return _mock_endpoint(local.shared(country or "be"), kind, country)
    return _mock_endpoint(path, kind, country)


def _mock_endpoint(servers: LocalVendors | str, kind: type[Client], country: str | None) -> tuple[Endpoint, Settings]:
    from vendorkit.local.server.address_file import address_file, servers_at  # noqa: PLC0415 - the servers are an extra

    def reopen(policy: Policy) -> Callable[[], Source]:
        path = servers if isinstance(servers, str) else str(address_file(servers))
        return partial(connect_local, kind.vendor_name, path, country=country, policy=policy)

    running = servers_at(servers) if isinstance(servers, str) else servers
    server = running[kind.vendor_name]
    origins = {name: running[name].base_url for name in kind.local_origins}
    endpoint = Endpoint("local", server.base_url, tls.local_trust(server.ca_pem), (), origins, reopen=reopen)
    return endpoint, _with_values(Settings(looked_in="the mock server"), server.credentials)


def _with_country(kind: type[Client], settings: Settings, country: str | None) -> Settings:
    return _with_values(settings, {f"{kind.vendor_name.upper()}_COUNTRY": country}) if country else settings


def _with_values(settings: Settings, values: Mapping[str, str]) -> Settings:
    secrets = {name: Secret(value) for name, value in values.items()}
    sources = dict.fromkeys(values, "given")
    return Settings({**settings.values, **secrets}, {**settings.sources, **sources}, settings.looked_in)
