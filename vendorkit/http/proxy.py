"""
The proxy of a connection: from the caller, `VENDORKIT_PROXY`, or `HTTPS_PROXY` and `NO_PROXY`.

`NO_PROXY` has the rules that curl and requests share. Where these differ, an entry applies to a whole domain.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
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
        host, port: Its address.
        source: The source of the address: "proxy=", "HTTPS_PROXY", "VENDORKIT_PROXY (.env)".
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
        """The proxy and the source of its address, with masked credentials."""
        return f"the proxy {self} (from {self.source})"


@dataclass(frozen=True)
class Route:
    """
    How connections reach their hosts.

    Attributes:
        proxy: The proxy; None for none.
        bypass: The entries of `NO_PROXY`: hosts to connect to directly.
    """

    proxy: Proxy | None = None
    bypass: tuple[str, ...] = ()

    def proxy_for(self, host: str, port: int) -> Proxy | None:
        """Return the proxy for *host*; None for a direct connection. Loopback hosts never use the proxy."""
        is_direct = is_loopback(host) or any(_matches(rule, host, port) for rule in self.bypass)
        return None if is_direct else self.proxy

    def through(self, url: str) -> str:
        """Return " through the proxy …" for a *url* that needs the proxy, else ""."""
        proxy = self.proxy_for(*_host_and_port(url))
        return "" if proxy is None else f" through {proxy.words}"


DIRECT: Final = Route()


def find_route(
    urls: Iterable[str],
    *,
    argument: Secret | None = None,
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> Route:
    """
    Return the route to *urls*.

    Args:
        urls: The addresses to connect to. `HTTPS_PROXY` is checked only if one of them needs it.
        argument: The caller's `proxy=`, wrapped; "" and "none" for no proxy.
        settings: Has `VENDORKIT_PROXY` if it is set; "none" for no proxy. `HTTPS_PROXY` and `NO_PROXY` of the process
            environment, also in lower case, are used last.

    Raises:
        UsageError, SettingsError: The address of the proxy cannot be used; the message does not show it.
    """
    if argument is not None:
        return _route(argument, _ARGUMENT)
    if PROXY_VARIABLE in settings.values:
        return _route(settings.values[PROXY_VARIABLE], f"{PROXY_VARIABLE}, {settings.sources[PROXY_VARIABLE]}")
    name = "https_proxy" if "https_proxy" in os.environ else "HTTPS_PROXY"
    bypass = tuple(re.split(r"[,\s]+", _variable("no_proxy") or _variable("NO_PROXY")))
    candidate = Route(Proxy("", 0, name), bypass)
    if not _variable(name) or not any(candidate.proxy_for(*_host_and_port(url)) for url in urls):
        return DIRECT
    return Route(_route(Secret(_variable(name)), name).proxy, bypass)


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def _route(url: Secret, source: str) -> Route:
    proxy_or_fault = _parse(url, source)
    if not isinstance(proxy_or_fault, str):
        return Route(proxy_or_fault)
    what = f"The address of the proxy ({source}) {proxy_or_fault}."
    raise (UsageError if source == _ARGUMENT else SettingsError)(what, remedy=_FORM)


def _parse(url: Secret, source: str) -> Proxy | str | None:
    """Return the proxy at *url*, None for none, or the fault of the address, without quoting it."""
    if not isinstance(url.reveal(), str):
        return "is not a string"
    text = url.reveal().strip()
    if text.lower() in {"", "none"}:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
        user, password = unquote_to_bytes(parts.username or ""), unquote_to_bytes(parts.password or "")
    except ValueError:  # also if a variable is not UTF-8, in which case the error would quote it
        return "cannot be read"
    if parts.scheme != "http":
        return "does not begin with http://: TLS to the proxy itself and SOCKS are not supported"
    if not re.fullmatch(r"[\w.:-]+", host) or not port or parts.path.strip("/") or parts.query or parts.fragment:
        return "is not a host and a port"
    if b":" in user:
        return "has a user name with a colon, which HTTP Basic cannot carry"
    if not user and not password:
        return Proxy(host, port, source)
    return Proxy(host, port, source, Secret(f"Basic {b64encode(user + b':' + password).decode()}"))


def _matches(rule: str, host: str, port: int) -> bool:
    """Match a rule of `NO_PROXY`: `*`, host, .suffix, *.suffix, address or CIDR range, each also with :port."""
    host, rule = host.lower().rstrip(".").strip("[]"), rule.lower()
    match = re.fullmatch(rf"([^:]+|\[.+\])(:{port})?", rule)
    name = match[1].strip("[]") if match else rule
    with suppress(ValueError):  # the host or the rule is a name
        return ip_address(host) in ip_network(name, strict=False)
    domain = name.removeprefix("*").strip(".")
    return name == "*" or (bool(domain) and f".{host}".endswith(f".{domain}"))
