"""
Maps network failures to typed errors, and passes other exceptions on unchanged.

A failure counts as the network's only if the code of the call raised it. A signal handler may raise TimeoutError too.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from requests.exceptions import RequestException, SSLError
from urllib3.exceptions import HTTPError

from vendorkit.auth.interrupts import causes, from_outside
from vendorkit.errors import ProxyError, TransportError, VendorkitError
from vendorkit.http.answers import BrokenOff
from vendorkit.http.chains import untrusted
from vendorkit.http.proxy import PROXY_VARIABLE, Route
from vendorkit.http.tls import Trust

T = TypeVar("T")


@dataclass(frozen=True)
class Judge:
    """Judges the failures of requests to *base_url*, whose certificate is checked by *trust*, through *route*."""

    base_url: str
    trust: Trust
    route: Route

    def outcome(self, work: Callable[[], T], request_label: str) -> T | BaseException:
        """Return what *work* returns, or the error to raise; messages call the request *request_label*."""
        try:
            try:
                return work()
            # requests raises a bare ValueError for a Location that urllib.parse cannot read.
            except (RequestException, HTTPError, OSError, ValueError) as exc:
                if isinstance(exc, VendorkitError):
                    raise
                return from_outside(exc) or self._failure(exc, request_label)
        except BaseException as exc:  # noqa: BLE001 - raised by the caller, outside these handlers
            return exc  # the inner handler may take seconds, and can be interrupted

    def _failure(self, exc: BaseException, request_label: str) -> TransportError:
        url = getattr(getattr(exc, "request", None), "url", None) or self.base_url
        *_, inner = causes(exc)
        host = f"{urlsplit(url).hostname}{self.route.through(url)}"
        if isinstance(inner, ProxyError):
            return inner
        if isinstance(exc, SSLError) and not isinstance(inner, ssl.SSLEOFError):  # which is a lost connection
            return untrusted(url, inner, self.trust, self.route)
        what = f"{request_label} got no complete response from {host} ({type(inner).__name__})."
        if isinstance(inner, TimeoutError):
            what = f"{request_label} got no response from {host} in time."
        hint = f" If this network needs a proxy, set {PROXY_VARIABLE}." if isinstance(inner, socket.gaierror) else ""
        return BrokenOff(what, remedy=f"Check the network and the host; if both are right, try again later.{hint}")
