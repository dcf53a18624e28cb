"""
Access tokens by the client credentials grant (RFC 6749 section 4.4, RFC 6750): Pledg's back office.

A token's lifetime is measured on the monotonic clock, from before the token request, so that neither a slow response
nor a change of the system's clock makes a token look younger than it is.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock, get_ident
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from vendorkit.auth.basic import Basic
from vendorkit.auth.flow import UNAUTHORIZED, Flow, FlowAuth, Outgoing, is_loopback, origin_of, set_content
from vendorkit.auth.forks import PerProcess
from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.auth.tokenanswer import BODY_LIMIT, DEFAULT_LIFETIME_S, Token, parse_token
from vendorkit.deadline import wait_until
from vendorkit.errors import (
    AuthError,
    Cancelled,
    CredentialsRefused,
    DeadlineExceeded,
    TlsError,
    TransportError,
    UsageError,
    VendorkitError,
    VendorUnavailable,
)
from vendorkit.settings import Secret

RENEWAL_FLOOR_S: Final = 5.0  # otherwise a server that repeats the same token would get a token request per request
_LONGEST_PAUSE_S: Final = 600.0  # a token's lifetime; a longer Retry-After would block the scheme
_WAIT_S: Final = 60.0
_POLL_S: Final = 0.01
_TIMEOUTS_S: Final = (10.0, 30.0)

Post = Callable[[requests.PreparedRequest], requests.Response]


@dataclass(eq=False)
class _Attempt:
    """One token request, by one thread; other threads wait for its outcome."""

    started_at: float
    token: Token | None = None
    error: VendorkitError | None = None
    done: bool = False  # with neither token nor error if the thread gave up
    thread: int = field(default_factory=get_ident)
    abandoned_at: float = field(default_factory=lambda: time.monotonic() + _WAIT_S)

    def is_under_way(self) -> bool:
        """Return whether another thread works on it. Polled, because an exception from outside may skip any signal."""
        return not self.done and self.thread != get_ident() and time.monotonic() < self.abandoned_at

    def has_ended(self, wait_s: float) -> bool:
        """Return whether it has ended; wait a moment, at most *wait_s*, if not."""
        if not self.is_under_way():
            return True
        time.sleep(min(wait_s, _POLL_S))
        return False

    def pause_s(self) -> float:
        """Return for how many seconds another request would get the same error."""
        if isinstance(self.error, CredentialsRefused):
            return RENEWAL_FLOOR_S
        requested_s = self.error.retry_after_s if isinstance(self.error, TransportError) else None
        return min(requested_s or 0.0, _LONGEST_PAUSE_S)


class ClientCredentials(PerProcess, FlowAuth):
    """
    Fetches a token with key and secret, sends it as Bearer, and renews it shortly before it expires.

    A token is only sent to the origin of *token_url*; a request to another one raises `UsageError`. If several threads
    find it expired, only one requests the next. After a 401, the token is renewed and the request sent again, once.

    Args:
        token_url: The token endpoint: https, or http on loopback.
        key: User name for the Basic authentication of the token request.
        secret: Password for it.
        post: Sends the prepared token request and returns its response, with the caller's timeouts and trust; it must
            not follow redirects. By default plain requests, with timeouts of 10 s to connect and 30 s of silence.
        clock: Monotonic seconds.

    Raises:
        UsageError: Key and secret may not be sent to the URL, or were not copied cleanly.
    """

    portable = True

    def __init__(
        self,
        token_url: str,
        key: str,
        secret: str,
        *,
        post: Post | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        hidden_key, hidden_secret = Secret(key), Secret(secret)
        del key, secret  # before anything can fail: tracebacks may show the locals
        self._basic = Basic(hidden_key.reveal(), hidden_secret.reveal())
        self._url = _checked(token_url)
        self._origin = origin_of(self._url)
        self._post, self._clock = post or _plain_post, clock
        super().__init__()

    def begin(self) -> None:
        """Start without a token and without a token request."""
        self._lock = RLock()
        self._token: Token | None = None
        self._attempt: _Attempt | None = None
        self._obtained = 0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the token expires, not below zero; None if none was fetched yet."""
        token = self._token
        return None if token is None else max(0.0, token.expires_at - self._clock())

    @property
    def renewals(self) -> int:
        """How often the token was renewed."""
        return max(0, self._obtained - 1)

    def flow(self, request: Outgoing) -> Flow:
        """Send the token; after a 401 send the renewed one, which another thread may already have fetched."""
        if request.origin != self._origin:
            what = f"An access token of {self._origin} is not sent to {request.origin}."
            raise UsageError(what, remedy="Use the token URL of the server that the request goes to.")
        token = self._current()
        answer = yield _bearer(token)
        if answer.status != UNAUTHORIZED:
            return
        answer = yield _bearer(self._renew(token))
        if answer.status == UNAUTHORIZED:
            what = f"{request.origin} refused a fresh access token for {request.method} {request.uri.split('?')[0]}."
            remedy = "Check that key and secret belong to this environment and may use this path."
            raise CredentialsRefused(what, remedy=remedy, status=UNAUTHORIZED)

    def _current(self) -> Token:
        """Return a valid token. Shortly before it expires, one caller renews it and the others still use it."""
        with self._lock:
            token, now, last = self._token, self._clock(), self._attempt
        if token is not None and now < token.expires_at:
            pause_s = max(RENEWAL_FLOOR_S, last.pause_s() if last else 0.0)
            if now < token.renew_at or (last and (last.is_under_way() or now < last.started_at + pause_s)):
                return token
        try:
            return self._renew(token)
        except (AuthError, TransportError) as error:
            if token is None or self._clock() >= token.expires_at:
                raise
            reason = type(error).__name__
        message = f"The access token could not be renewed ({reason}); the old one is used until it expires."
        warnings.warn(message, stacklevel=2)
        return token

    def _renew(self, used: Token | None) -> Token:
        """Return a token other than *used*: fetched by this thread, or by another that has already begun."""
        while True:
            new = _Attempt(self._clock())
            try:
                with self._lock:
                    if self._token is not None and self._token is not used:
                        return self._token
                    attempt = self._attempt if self._attempt and self._may_join(self._attempt) else new
                    self._attempt = attempt
                if attempt is new:
                    return self._fetch_into(new)
            finally:
                new.done = True
            wait_until(attempt.has_ended, _WAIT_S)
            if attempt.token is not None:
                return attempt.token
            if attempt.error is not None:
                raise self._shared_error(attempt, attempt.error)
            # The other thread takes too long, or gave up for a reason that does not concern this call, such as Cancel.

    def _may_join(self, attempt: _Attempt) -> bool:
        """Whether *attempt* is under way, or failed so recently that a new one would fail in the same way."""
        if attempt.is_under_way():
            return True
        return attempt.error is not None and self._clock() < attempt.started_at + attempt.pause_s()

    def _shared_error(self, attempt: _Attempt, error: VendorkitError) -> VendorkitError:
        """Return a copy of *error* for this thread, with its own traceback and the rest of the pause."""
        error = copy.copy(error)
        if isinstance(error, TransportError) and error.retry_after_s:
            error.retry_after_s = max(0.0, attempt.started_at + error.retry_after_s - self._clock())
        return error

    def _fetch_into(self, attempt: _Attempt) -> Token:
        try:
            token = self._fetch(attempt.started_at)
        except (Cancelled, DeadlineExceeded):
            raise
        except VendorkitError as error:
            attempt.error = error
            raise
        with self._lock:
            self._token = attempt.token = token
            self._obtained += 1
        attempt.done = True  # before the warning, which may be raised as an error
        if token.assumed:
            message = f"{self._origin} sends no lifetime with its token; {DEFAULT_LIFETIME_S:g} s are assumed."
            warnings.warn(message, stacklevel=2)
        return token

    def _fetch(self, started_at: float) -> Token:
        form = {"grant_type": "client_credentials"}
        request = requests.Request("POST", self._url, headers={"Accept": "application/json"}, data=form)
        prepared = request.prepare()
        self._basic(prepared)
        try:
            response = self._post(prepared)
            status, headers, body = response.status_code, response.headers, response.content
        except (requests.RequestException, HTTPError, OSError) as error:
            if isinstance(error, VendorkitError) or from_outside(error) is not None:
                raise
            failure = error
            error_class = TlsError if isinstance(error, requests.exceptions.SSLError) else VendorUnavailable
        else:
            token = parse_token(status, headers, body, started_at)
            if token.expires_at > self._clock():
                return token
            what = f"{self._origin} sent an access token that has already expired."
            raise AuthError(what, remedy="Try again, then report it to the vendor.", status=status)
        # Raised outside the handler: the exceptions of requests hold the request, with key and secret in its headers.
        what = f"{self._origin} sent no access token ({type(failure).__name__})."
        del failure
        raise error_class(what, remedy="Check the network and the host; if both are right, try again later.")


def _plain_post(prepared: requests.PreparedRequest) -> requests.Response:
    until = time.monotonic() + _WAIT_S
    body = b""
    with requests.Session() as session:
        session.trust_env = False  # a .netrc entry would replace the header, a proxy would see it
        with session.send(prepared, timeout=_TIMEOUTS_S, allow_redirects=False, stream=True) as response:
            # Not iter_content(), which waits for whole chunks: a trickling response would outlast every timeout.
            while len(body) <= BODY_LIMIT and (part := response.raw.read1(8192, decode_content=True)):
                body += part
                if time.monotonic() > until:
                    message = "the response arrived too slowly"
                    raise requests.exceptions.ReadTimeout(message)
    set_content(response, body)
    return response


def _bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.value.reveal()}"}


def _checked(token_url: str) -> str:
    """Return *token_url* as requests will write it; `UsageError` if key and secret may not be sent to it."""
    with tolerated(ValueError, TypeError, AttributeError):  # those of requests are ValueErrors, and contain the URL
        origin_of(token_url)
        url = requests.Request("POST", token_url).prepare().url or ""
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return url
    what = "The token URL is not a valid https address, or contains a user name or password."
    remedy = "Write it as https://host/path, and pass key and secret separately. Only this machine may use http."
    raise UsageError(what, remedy=remedy)
