"""
How bytes reach a vendor: bounded waits, pinned TLS, one origin, the vendor's rate budget.

Everything that must hold for each single HTTP request, including the ones that authentication adds, sits in the
adapter here, below requests' session: a digest challenge counts against the rate budget as much as a page of data.
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
from vendorkit.deadline import SLICE_S, Deadline, current_deadline
from vendorkit.errors import OriginRefused, UsageError
from vendorkit.http.budget import Budget
from vendorkit.http.exchanges import Exchanges, Stop, attach_notes, masked_url
from vendorkit.http.proxy import DIRECT, Route
from vendorkit.http.sockets import BoundedSocket, started
from vendorkit.http.tls import Trust
from vendorkit.http.tunnel import open_tunnel
from vendorkit.settings import refuse_pickling

_KEPT_CONNECTIONS: Final = 32  # per origin; more are opened where more threads ask, and closed after their request


def _mask_targets(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(masked_url(arg) if isinstance(arg, str) else arg for arg in record.args)
    return True


# At DEBUG it writes each request's target, whose query may carry a signature over personal data.
logging.getLogger("urllib3.connectionpool").addFilter(_mask_targets)


class _Response(HTTPResponse):
    """Passes over all interim answers (RFC 9110 section 15.2), of which http.client knows 100 only."""

    def _read_status(self) -> tuple[str, int, str]:
        # A 103 would be taken for the whole answer, and the answer behind it for that of the next request.
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, CONTINUE if status < OK else status, reason

    def begin(self) -> None:
        """Give up the connection of an answer without a body, on which one may come late: as if of the next request."""
        super().begin()
        # Not that of a challenge, which is often empty: the request is sent again at once.
        self.will_close = self.will_close or (self.length == 0 and self.status != UNAUTHORIZED)


class _Connection(PerProcess, HTTPSConnection):
    """Checks the chain after the handshake and before any byte of the request."""

    trust: Trust
    route: Route
    # http.client prints whole headers where somebody sets this on its own class.
    debuglevel = 0
    response_class = _Response

    def begin(self) -> None:
        """Leave the connection to the parent: what still reads from it here fails as if it had broken."""
        if isinstance(self.sock, BoundedSocket):
            self.sock.leave()
        self.sock = None

    def connect(self) -> None:
        """
        Connect, shake hands, and check the chain; `ssl.SSLError` where it is not approved.

        In a thread, which is left behind when the call ends first: nothing else ends a resolver, and a handshake and
        the tries of several addresses have a timeout each. If the system gives no thread, in the calling one.
        """
        deadline, left = current_deadline() or Deadline(float("inf")), threading.Event()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self._connect()
            except BaseException as exc:  # noqa: BLE001 - raised where the connection is wanted
                failures.append(exc)
            if left.is_set():
                self.close()

        try:
            worker = started(work)
            if worker is None:
                self.timeout = min(self.timeout or deadline.left_s(), deadline.left_s() + 0.01)
                self._connect()
                return
            while worker.is_alive():
                worker.join(SLICE_S)
                deadline.check()
        except BaseException:
            left.set()
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
        # A body without a length is whole only where TLS was closed (RFC 9112 section 9.8). The ssl module would give
        # the same end for a connection that broke or was reset, and half a stream would pass for all of it.
        cast("Any", self.sock).suppress_ragged_eofs = False
        try:
            self.trust.check_chain(self.sock)
        except BaseException:
            self.close()
            raise


class _Idle(PerProcess, LifoQueue[Any]):
    """The connections of a pool that wait for their next request."""

    def begin(self) -> None:
        """Forget them; a thread of the parent may have their lock of the parent."""
        LifoQueue.__init__(self, self.maxsize)


class Adapter(PerProcess, HTTPAdapter):
    """
    requests' adapter for one vendor: its origins, its certificate authorities, its rate budget.

    Args:
        origins: The only origins (scheme, host, port) that requests may go to; None: any https host.
        trust: The certificate authorities that may vouch for them.
        budget: Slots for requests, shared by all that use these credentials.
        connect_timeout_s, read_timeout_s: Deadline of connecting and of silence, in seconds.
        route: The proxy to go through, if any.
    """

    def __init__(  # noqa: PLR0917 - what a connection needs
        self,
        origins: frozenset[str] | None,
        trust: Trust,
        budget: Budget,
        connect_timeout_s: float,
        read_timeout_s: float,
        route: Route = DIRECT,
    ) -> None:
        self._origins, self._trust, self._budget, self._route = origins, trust, budget, route
        self.exchanges = Exchanges()
        self._timeout = Timeout(connect=connect_timeout_s, read=read_timeout_s)
        super().__init__(max_retries=0, pool_maxsize=_KEPT_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make every connection of this adapter a checked and bounded one."""
        super().init_poolmanager(*args, **kwargs)
        trust = self._trust

        class Connection(_Connection):
            pass

        Connection.trust, Connection.route = trust, self._route

        class Pool(HTTPSConnectionPool):
            ConnectionCls, QueueCls = Connection, _Idle

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                # Set here, and not by requests, which loads certifi's whole bundle into a context it is given.
                context = trust.context()
                context.sslsocket_class = BoundedSocket
                super().__init__(*args, **{**kwargs, "ssl_context": context})

        # No pool for plain http: such a URL cannot be sent at all.
        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

    def begin(self) -> None:
        """Take new pools, whose connections and TLS contexts are created when the first request needs them."""
        self.proxy_manager = {}
        self.init_poolmanager(DEFAULT_POOLSIZE, _KEPT_CONNECTIONS)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Keep the bundles of requests and of the environment out: the context has its roots already."""
        conn.cert_reqs = "CERT_REQUIRED"
        conn.ca_certs = conn.ca_cert_dir = None

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Leave certificates out of the pool's key: the context of the pool has them."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"cert_reqs": "CERT_REQUIRED"}

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
        Send one request: inside the origins, verified, within the rate budget and the deadline of the call.

        Raises:
            OriginRefused: The URL is not the vendor's.
            UsageError: Somebody tried to switch verification off, or to set a proxy or client certificate.
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
            url, method = request.url or "", request.method or ""
            noted = self.exchanges.note(method, url, status, request.headers, received, seconds, stop)
        attach_notes(response, noted.body)
        return response

    def check_origin(self, url: str) -> None:
        """Raise `OriginRefused` where *url* is not one of the vendor's."""
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
