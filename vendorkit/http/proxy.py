"""
Which proxy connections go through: the caller's, `VENDORKIT_PROXY`, or `HTTPS_PROXY` and `NO_PROXY`.

The rules of `NO_PROXY` are those that curl and requests share; where these differ, an entry names a whole domain.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from vendorkit.auth.flow import is_loopback
from vendorkit.errors import SettingsError, UsageError
from vendorkit.settings import MASK, Secret, Settings

PROXY_VARIABLE: Final = "VENDORKIT_PROXY"
_ARGUMENT: Final = "proxy="
_FORM: Final = "Write http://user:password@host:port, or host:port; special characters in user and password as %40."


@dataclass(frozen=True)
class Proxy:
    """
    An HTTP proxy.

    Attributes:
        host, port: Where it is.
        source: Where its address is from: "proxy=", "HTTPS_PROXY", "VENDORKIT_PROXY (.env)".
        credentials: The value of Proxy-Authorization; None for none.
    """

    host: str
    port: int
    source: str
    credentials: Secret | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{'' if self.credentials is None else f'{MASK}@'}{host}:{self.port}"

    @property
    def words(self) -> str:
        """The proxy and where its address is from, credentials masked."""
        return f"the proxy {self} (from {self.source})"


@dataclass(frozen=True)
class Route:
    """
    How hosts are reached.

    Attributes:
        proxy: The proxy; None for none.
        bypass: The rules of `NO_PROXY`: hosts to reach without it.
    """

    proxy: Proxy | None = None
    bypass: tuple[str, ...] = ()

    def proxy_for(self, host: str, port: int) -> Proxy | None:
        """Return the proxy that leads to *host*; None for a direct connection, as to this machine always."""
        direct = is_loopback(host) or any(_names(rule, host, port) for rule in self.bypass)
        return None if direct else self.proxy

    def through(self, url: str) -> str:
        """Return " through the proxy …" if *url* is reached through one, else ""."""
        proxy = self.proxy_for(*_host_and_port(url))
        return "" if proxy is None else f" through {proxy.words}"


DIRECT: Final = Route()


def find_route(
    urls: Iterable[str],
    *,
    argument: Secret | None = None,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    environ: Mapping[str, str] | None = None,
) -> Route:
    """
    Return the route to *urls*.

    Args:
        urls: Where requests will go; the proxy of the environment has to be in order only if one of them needs it.
        argument: What the caller gave as `proxy=`, wrapped; "" and "none" for no proxy.
        settings: What was found of `VENDORKIT_PROXY`; "none" for no proxy.
        environ: In place of the process environment, of which `HTTPS_PROXY` and `NO_PROXY` count last, in either case.

    Raises:
        UsageError, SettingsError: The address of the proxy cannot be used; the message does not show it.
    """
    if argument is not None:
        return _route(argument, _ARGUMENT)
    if PROXY_VARIABLE in settings.values:
        return _route(settings.values[PROXY_VARIABLE], f"{PROXY_VARIABLE}, {settings.sources[PROXY_VARIABLE]}")
    name = "https_proxy" if "https_proxy" in (os.environ if environ is None else environ) else "HTTPS_PROXY"
    bypass = tuple(re.split(r"[,\s]+", _variable("no_proxy", environ) or _variable("NO_PROXY", environ)))
    candidate = Route(Proxy("", 0, name), bypass)
    if not _variable(name, environ) or not any(candidate.proxy_for(*_host_and_port(url)) for url in urls):
        return DIRECT
    return Route(_route(Secret(_variable(name, environ)), name).proxy, bypass)


def _variable(name: str, environ: Mapping[str, str] | None) -> str:
    # os.environ is bound to no local name: its repr shows every value.
    return ((os.environ.get(name) if environ is None else environ.get(name)) or "").strip()


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def _route(url: Secret, source: str) -> Route:
    kind = UsageError if source == _ARGUMENT else SettingsError
    fault = "is not text" if not isinstance(url.reveal(), str) else ""
    if not fault and url.reveal().strip().lower() in {"", "none"}:
        return DIRECT
    found = fault or _read(url, source)
    if isinstance(found, Proxy):
        return Route(found)
    what = f"The address of the proxy ({source}) {found}."
    raise kind(what, remedy=_FORM)


def _read(url: Secret, source: str) -> Proxy | str:
    """Return the proxy at *url*, or what is wrong with the address, without showing any of it."""
    text = url.reveal().strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
        user, password = unquote_to_bytes(parts.username or ""), unquote_to_bytes(parts.password or "")
    except ValueError:  # also that of a variable that is not UTF-8, which would show it
        return "cannot be read"
    if parts.scheme != "http":
        return "is not an http:// one: TLS to the proxy itself and SOCKS are not supported"
    if not re.fullmatch(r"[\w.:-]+", host) or not port or parts.path.strip("/") or parts.query or parts.fragment:
        return "is not a host and a port"
    if b":" in user:
        return "has a user name with a colon, which HTTP Basic cannot carry"
    if not user and not password:
        return Proxy(host, port, source)
    return Proxy(host, port, source, Secret(f"Basic {b64encode(user + b':' + password).decode()}"))


def _names(rule: str, host: str, port: int) -> bool:
    """Tell whether *rule* names the host: `*`, host, .suffix, *.suffix, address or CIDR range, each also with :port."""
    host = host.lower().rstrip(".").strip("[]")
    if rule == "*":
        return True
    name, _, number = rule.rpartition(":")
    if name and re.fullmatch(r"[0-9]{1,5}", number) and (":" not in name or name.endswith("]")):
        return int(number) == port and _names(name, host, port)
    try:
        address = ip_address(host)
    except ValueError:
        domain = rule.lower().removeprefix("*").strip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
    try:
        return address in ip_network(rule.strip("[]"), strict=False)
    except ValueError:  # the name of a domain
        return False
