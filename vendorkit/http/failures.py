"""
What ended a request, judged in one place: a failure of the network becomes our error, all else passes as it is.

Only what our own work on a socket raises is a failure of the network. A signal handler may raise a TimeoutError too.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from requests.exceptions import RequestException, SSLError
from urllib3.exceptions import HTTPError

from vendorkit.auth.interrupts import causes, from_outside
from vendorkit.deadline import current_deadline
from vendorkit.errors import ProxyError, TransportError, VendorkitError
from vendorkit.http.answers import BrokenOff
from vendorkit.http.chains import untrusted
from vendorkit.http.proxy import PROXY_VARIABLE, Route
from vendorkit.http.tls import Trust

T = TypeVar("T")


@dataclass(frozen=True)
class Judge:
    """Knows the vendor's *base_url*, whom it has to be vouched for by, and the *route* to it."""

    base_url: str
    trust: Trust
    route: Route

    def outcome(self, work: Callable[[], T], asked: str) -> T | BaseException:
        """Return what *work* returns, or the error to raise for it; *asked* says in messages what it asks for."""
        try:
            return work()
        except BaseException as exc:  # noqa: BLE001 - raised by the caller, outside of this handler
            # A bare ValueError is requests' own, of a Location that urllib.parse cannot read.
            network = isinstance(exc, (RequestException, HTTPError, OSError, ValueError))
            if isinstance(exc, VendorkitError) or not network:
                return exc
            return from_outside(exc) or self._failure(exc, asked)

    def _failure(self, exc: BaseException, asked: str) -> TransportError:
        url = getattr(getattr(exc, "request", None), "url", None) or self.base_url
        *_, inner = causes(exc)
        host = f"{urlsplit(url).hostname}{self.route.through(url)}"
        if isinstance(inner, ProxyError):
            return inner
        if isinstance(exc, SSLError):
            return untrusted(url, inner, self.trust, self.route)
        what = f"{asked} got no whole answer from {host} ({type(inner).__name__})."
        if current_deadline() is not None and isinstance(inner, TimeoutError):
            what = f"{asked} got no answer from {host} in time."
        hint = f" If this network needs a proxy, set {PROXY_VARIABLE}." if isinstance(inner, socket.gaierror) else ""
        return BrokenOff(what, remedy=f"Check the network and the host; if both are right, try again later.{hint}")
