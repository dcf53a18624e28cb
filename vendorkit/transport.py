"""
How bytes reach a vendor: bounded waits, pinned TLS, one origin, the vendor's rate budget.

Everything that must hold for each single HTTP request, including the ones that authentication adds, sits in the
adapter here, below requests' session: a digest challenge counts against the rate budget as much as a page of data.
"""

from __future__ import annotations

import os
import sqlite3
import ssl
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

import requests
from pyrate_limiter import Limiter, Rate, RateItem, SQLiteBucket
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util import Timeout

from vendorkit.auth.flow import origin_of
from vendorkit.bounds import SLICE_S, Bounds, current_bounds
from vendorkit.credentials import refuse_pickling
from vendorkit.errors import OriginRefused, UsageError
from vendorkit.exchanges import Exchanges
from vendorkit.tls import Trust

BUDGET_DIR_VARIABLE: Final = "VENDORKIT_BUDGET_DIR"


class BoundedSocket(ssl.SSLSocket):
    """
    A TLS socket whose reads end with the call, not only with the silence of the peer.

    requests' timeout starts anew with every byte, so that a slow drip outlives it, in the headers as well as in the
    body. Here each read waits in slices, and looks in between.
    """

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Read into *buffer*, as `ssl.SSLSocket` does; `TimeoutError` after the socket's timeout of silence."""
        bounds = current_bounds()
        if bounds is None:
            return super().recv_into(buffer, nbytes, flags)
        silence_s = self.gettimeout()
        quiet_until = time.monotonic() + (bounds.left_s() if silence_s is None else silence_s)
        try:
            while True:
                # A TimeoutError of its own would be taken for the server's; these pass through urllib3 as they are.
                bounds.check()
                left = quiet_until - time.monotonic()
                if left <= 0:
                    message = "the server fell silent"
                    raise TimeoutError(message)
                self.settimeout(min(left, bounds.left_s() + 0.01, SLICE_S))
                try:
                    return super().recv_into(buffer, nbytes, flags)
                except TimeoutError:
                    continue
        finally:
            self.settimeout(silence_s)


class _Connection(HTTPSConnection):
    """Checks the chain after the handshake and before any byte of the request."""

    trust: Trust
    # http.client prints whole headers where somebody sets this on its own class.
    debuglevel = 0

    def connect(self) -> None:
        """Connect, shake hands, and check the chain; `ssl.SSLError` where it is not approved."""
        super().connect()
        try:
            self.trust.check_chain(self.sock)
        except BaseException:
            self.close()
            raise


class Adapter(HTTPAdapter):
    """
    requests' adapter for one vendor: its origins, its certificate authorities, its rate budget.

    Args:
        origins: The only origins (scheme, host, port) that requests may go to.
        trust: The certificate authorities that may vouch for them.
        budget: Slots for requests, shared by all that use these credentials.
        connect_timeout_s, read_timeout_s: Bounds of connecting and of silence, in seconds.
    """

    def __init__(
        self, origins: frozenset[str], trust: Trust, budget: Budget, connect_timeout_s: float, read_timeout_s: float
    ) -> None:
        self._origins, self._trust, self._budget = origins, trust, budget
        self.exchanges = Exchanges()
        self._timeout = Timeout(connect=connect_timeout_s, read=read_timeout_s)
        super().__init__(max_retries=0, pool_maxsize=32)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make every connection of this adapter a checked and bounded one."""
        super().init_poolmanager(*args, **kwargs)
        trust = self._trust
        context = trust.context()
        context.sslsocket_class = BoundedSocket

        class Connection(_Connection):
            pass

        Connection.trust = trust

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                # Set here, and not by requests, which loads certifi's whole bundle into a context it is given.
                super().__init__(*args, **{**kwargs, "ssl_context": context})

        # No pool for plain http: such a URL cannot be sent at all.
        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

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
        Send one request: inside the origins, verified, within the rate budget and the bounds of the call.

        Raises:
            OriginRefused: The URL is not the vendor's.
            UsageError: Somebody tried to switch verification off, or to set a proxy or client certificate.
        """
        if verify is not True or cert or proxies:
            what = "verify, cert and proxies may not be changed on a vendor's session."
            raise UsageError(what, remedy="Leave them out.")
        self.check_origin(request.url or "")
        bounds = current_bounds() or Bounds(self._read_timeout_s)
        self._budget.take(bounds)
        bounds.check()
        started, response = time.monotonic(), None
        try:
            response = super().send(request, stream=stream, timeout=cast("Any", self._timeout), verify=True)
        finally:
            status, received = (None, {}) if response is None else (response.status_code, response.headers)
            seconds = time.monotonic() - started
            self.exchanges.note(request.method or "", request.url or "", status, request.headers, received, seconds)
        return response

    @property
    def _read_timeout_s(self) -> float:
        return float(self._timeout.read_timeout or 60.0)

    def check_origin(self, url: str) -> None:
        """Raise `OriginRefused` where *url* is not one of the vendor's."""
        try:
            origin = origin_of(url)
        except UsageError as exc:
            raise OriginRefused(exc.what, remedy=exc.remedy) from exc
        if origin not in self._origins:
            what = f"{origin} is not the vendor's origin ({', '.join(sorted(self._origins))})."
            raise OriginRefused(what, remedy="Credentials go to the vendor alone: fetch other addresses without it.")
        self._trust.check_host(urlsplit(url).hostname or "")

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A vendor's connection")


class _SharedBucket(SQLiteBucket):
    """
    pyrate-limiter's bucket in a file, used by several processes and by threads in each.

    The library counts and inserts in two steps, for which it offers a lock that holds either threads or processes
    apart; SQLite's own does both, and is released however a process ends.
    """

    def put(self, item: RateItem) -> bool:
        """Take a slot, or return False."""
        with self._alone():
            return super().put(item)

    def leak(self, current_timestamp: int | None = None) -> int:
        """Forget what is too old to count."""
        # A thread of the library calls this: what is wrong with the file is told where the next slot is taken.
        with self.lock, suppress(sqlite3.Error):
            if self.conn is not None:
                with self._alone():
                    return super().leak(current_timestamp)
        return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.lock:
            self.conn.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                self.conn.rollback()  # whatever was to stay is committed


def _budget_file(name: str) -> Path:
    """Return where the budget *name* is kept: in `VENDORKIT_BUDGET_DIR`, or this user's own temporary folder."""
    chosen = os.environ.get(BUDGET_DIR_VARIABLE)
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(chosen or f"{tempfile.gettempdir()}/vendorkit{user}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not chosen and user and (found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir()):
        what = "it is not this user's alone"
        raise PermissionError(what)
    return folder / f"{name}.sqlite"


def _shared_bucket(rates: list[Rate], name: str) -> _SharedBucket:
    bucket = _SharedBucket.init_from_file(rates, table="requests", db_path=str(_budget_file(name)))
    # A power cut ends whoever counts here as well.
    bucket.conn.execute("PRAGMA synchronous = OFF")
    return cast("_SharedBucket", bucket)


class Budget:
    """
    The vendor's documented rate, kept on our side: a request waits for its slot, visibly and cancellably.

    Args:
        rates: Pairs (requests, seconds); empty for no limit.
        shared_as: The name under which all processes of a machine keep one budget together, in a file that is made
            when the first slot is taken; None for this object alone. Where there can be no file, a warning says so.
    """

    def __init__(self, rates: tuple[tuple[int, float], ...] = (), shared_as: str | None = None) -> None:
        self.rates = rates
        self.waited_s = 0.0
        self._shared_as, self._lock = shared_as, threading.Lock()

    @cached_property
    def _limiter(self) -> Limiter:
        rates = [Rate(n, round(s * 1000)) for n, s in self.rates]
        if self._shared_as is None:
            return Limiter(rates)
        try:
            limiter = Limiter(_shared_bucket(rates, self._shared_as))
        except (OSError, sqlite3.Error) as exc:
            return self._alone(exc)
        weakref.finalize(self, limiter.close)
        return limiter

    def _alone(self, exc: Exception) -> Limiter:
        said = f"The rate budget is kept by this process alone ({exc}); others with the same key do not see it."
        warnings.warn(f"{said} Let {BUDGET_DIR_VARIABLE} name a folder that can be written.", stacklevel=2)
        return Limiter([Rate(n, round(s * 1000)) for n, s in self.rates])

    def take(self, bounds: Bounds) -> None:
        """Take one slot, waiting for it inside *bounds*."""
        while self.rates and not self._try():
            started = time.monotonic()
            bounds.sleep(0.05)
            self.waited_s += time.monotonic() - started

    def _try(self) -> bool:
        with self._lock:
            limiter = self._limiter
        try:
            return bool(limiter.try_acquire("request", blocking=False))
        except sqlite3.Error as exc:
            if "locked" in str(exc):  # by another process, for longer than SQLite waits
                return False
            with self._lock:  # the file is gone, or the disk is full
                self._limiter = self._alone(exc)
            return False

    def left(self) -> int | None:
        """Return how many requests may go out at once now; None for no limit."""
        if not self.rates:
            return None
        with self._lock:
            bucket = self._limiter.buckets()[0]
        bucket.leak(cast("int", bucket.now()))  # type: ignore[no-untyped-call]
        return max(0, min(n for n, _ in self.rates) - int(cast("int", bucket.count())))
