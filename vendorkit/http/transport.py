"""
The adapter below requests' session: bounded waits, pinned TLS, allowed origins, and the vendor's rate budget.

It sees every HTTP request, including those that authentication adds: a digest challenge counts against the rate
budget as much as a page of data.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from http.client import CONTINUE, OK, UNAUTHORIZED, HTTPResponse
from queue import LifoQueue
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util import Timeout

from vendorkit.auth.flow import origin_of
from vendorkit.auth.forks import PerProcess
from vendorkit.deadline import Deadline, current_deadline
from vendorkit.errors import OriginRefused, UsageError
from vendorkit.http.budget import Budget
from vendorkit.http.call import Policy
from vendorkit.http.exchanges import Exchange, Exchanges, Stop, masked_url
from vendorkit.http.proxy import Route
from vendorkit.http.sockets import BoundedSocket, done_in_thread
from vendorkit.http.tls import Trust
from vendorkit.http.tunnel import open_tunnel
from vendorkit.settings import refuse_pickling

_POOL_SIZE: Final = 32  # connections per origin; further threads get temporary ones


def _mask_targets(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(masked_url(arg) if isinstance(arg, str) else arg for arg in record.args)
    return True


# At DEBUG it writes each request's target, whose query may carry a signature over personal data.
logging.getLogger("urllib3.connectionpool").addFilter(_mask_targets)


class _Response(HTTPResponse):
    """Skips all interim responses (RFC 9110 section 15.2); http.client skips only status 100."""

    def _read_status(self) -> tuple[str, int, str]:
        # A 103 would be taken for the response, and the actual response for that of the next request.
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, CONTINUE if status < OK else status, reason

    def begin(self) -> None:
        """Close the connection after an empty body: a late body would be taken for the next response."""
        super().begin()
        # urllib3 logs a malformed header as a warning, together with the whole address.
        self.msg.defects.clear()
        self.msg.set_payload("")
        # Keep it after a challenge, which is often empty: the request is sent again at once.
        self.will_close = self.will_close or (self.length == 0 and self.status != UNAUTHORIZED)


class _Connection(PerProcess, HTTPSConnection):
    """Checks the chain after the handshake and before any byte of the request."""

    trust: Trust
    route: Route
    # http.client prints whole headers if this is set on its own class.
    debuglevel = 0
    response_class = _Response

    def begin(self) -> None:
        """Leave the connection to the parent process: a read from it in the child fails as a broken connection."""
        if isinstance(self.sock, BoundedSocket):
            self.sock.leave()
        self.sock = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again."""
        return super().is_connected and not (isinstance(self.sock, BoundedSocket) and self.sock.has_rest)

    def connect(self) -> None:
        """
        Connect, shake hands, and check the chain; `ssl.SSLError` if it is not approved.

        This runs in a thread, which is abandoned if the call ends first: a name lookup cannot be interrupted, and the
        attempts at several addresses and the handshake have a timeout each. If none can be started, it runs here.
        """
        abandoned = threading.Event()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self._connect()
            except BaseException as exc:  # noqa: BLE001 - raised in the calling thread
                failures.append(exc)
            if abandoned.is_set():
                self.close()

        try:
            if not done_in_thread(work):
                remaining_s = (current_deadline() or Deadline(float("inf"))).remaining_s()
                self.timeout = min(self.timeout or remaining_s, remaining_s + 0.01)
                self._connect()
        except BaseException:
            abandoned.set()
            raise
        if failures:
            raise failures.pop()

    def _new_conn(self) -> socket.socket:
        proxy = self.route.proxy_for(self.host, self.port)
        if proxy is None:
            return super()._new_conn()
        return open_tunnel(proxy, self.host, self.port, cast("float", self.timeout))

    def _connect(self) -> None:
        super().connect()
        # A body without a length is complete only if TLS was closed (RFC 9112 section 9.8). By default the ssl module
        # reports a broken connection in the same way, so that half a stream would pass as complete.
        cast("Any", self.sock).suppress_ragged_eofs = False
        try:
            self.trust.check_chain(self.sock)
        except BaseException:
            self.close()
            raise


class _Idle(PerProcess, LifoQueue[Any]):
    """The idle connections of a pool."""

    def begin(self) -> None:
        """Start empty, with new locks: a thread of the parent process may hold the old ones."""
        LifoQueue.__init__(self, self.maxsize)


class Adapter(PerProcess, HTTPAdapter):
    """
    requests' adapter for one vendor: its origins, its certificate authorities, its rate budget.

    Args:
        origins: The only origins (scheme, host, port) that requests may go to; None allows any https host.
        trust: The certificate authorities that may sign their certificates.
        budget: The rate budget of these credentials.
        policy: Has the limits for connecting and for silence of the server.
        route: The proxy to go through, if any.
    """

    def __init__(
        self, origins: frozenset[str] | None, trust: Trust, budget: Budget, policy: Policy, route: Route
    ) -> None:
        self._origins, self._trust, self._budget, self._route = origins, trust, budget, route
        self.exchanges = Exchanges()
        self._timeout = Timeout(connect=policy.connect_timeout_s, read=policy.read_timeout_s)
        super().__init__(max_retries=0, pool_maxsize=_POOL_SIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Give this adapter pools whose connections check the chain and have bounded waits."""
        super().init_poolmanager(*args, **kwargs)
        trust = self._trust

        class Connection(_Connection):
            trust, route = self._trust, self._route

        class Pool(HTTPSConnectionPool):
            ConnectionCls, QueueCls = Connection, _Idle

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                # Set here, because requests would load certifi's whole bundle into the context.
                context = trust.context()
                context.sslsocket_class = BoundedSocket
                super().__init__(*args, **{**kwargs, "ssl_context": context})

        # No pool for plain http: such a URL cannot be sent at all.
        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

    def begin(self) -> None:
        """Create new pools. Their connections and TLS contexts are created with the first request."""
        self.proxy_manager = {}
        self.init_poolmanager(DEFAULT_POOLSIZE, _POOL_SIZE)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Ignore the CA bundles of requests and of the environment: the context already has its roots."""
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = conn.ca_cert_dir = None

    def send(  # noqa: PLR0917 - requests' own signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,  # noqa: ARG002
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """
        Send one request to an allowed, verified origin, within the rate budget and the deadline of the call.

        Raises:
            OriginRefused: The URL is not the vendor's.
            UsageError: The caller switched verification off, or set a proxy or client certificate.
        """
        if verify is not True or cert or proxies:
            what = "verify, cert and proxies may not be changed on a vendor's session."
            raise UsageError(what, remedy="Leave them out.")
        self.check_origin(request.url or "")
        deadline = current_deadline() or Deadline(float(self._timeout.read_timeout or 60.0))
        self._budget.take(deadline)
        deadline.check()
        stop = next((event for event in reversed(deadline.events) if isinstance(event, Stop)), None)
        if stop is not None:
            stop.requests += 1
        started, response = time.monotonic(), None
        try:
            response = super().send(request, stream=stream, timeout=cast("Any", self._timeout), verify=True)
        finally:
            status, received = (None, {}) if response is None else (response.status_code, response.headers)
            seconds = time.monotonic() - started
            method, url, sent = request.method or "", request.url or "", request.headers
            exchange = self.exchanges.note(Exchange(method, url, status, sent, received, seconds, started, stop=stop))
        response.vendorkit_notes = exchange.body  # type: ignore[attr-defined]  # read by `body_notes`
        return response

    def check_origin(self, url: str) -> None:
        """Raise `OriginRefused` if *url* is not one of the vendor's."""
        try:
            origin = origin_of(url)
        except UsageError as exc:
            raise OriginRefused(exc.what, remedy=exc.remedy) from exc
        if self._origins is None and not origin.startswith("https://"):
            what = f"{origin[:200]} is not an https address."
            raise OriginRefused(what, remedy="Files are fetched over TLS only.")
        if self._origins is not None and origin not in self._origins:
            what = f"{origin[:200]} is not the vendor's origin ({', '.join(sorted(self._origins))})."
            raise OriginRefused(what, remedy="Credentials are only sent to the vendor. Use plain requests for others.")
        self._trust.check_host(urlsplit(url).hostname or "")

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A vendor's connection")
