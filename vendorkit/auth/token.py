"""
Access tokens by the client credentials grant (RFC 6749 section 4.4, RFC 6750): Pledg's back office.

The lifetime runs on the monotonic clock from before the token request, so that neither a slow answer nor a changed
wall clock makes a token look younger than it is.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock, get_ident
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from vendorkit.auth.basic import Basic
from vendorkit.auth.flow import UNAUTHORIZED, Flow, FlowAuth, Outgoing, is_loopback, keep_body, origin_of
from vendorkit.auth.forks import PerProcess
from vendorkit.auth.interrupts import AtWork, from_outside
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

RENEWAL_FLOOR_S: Final = 5.0  # a server that gives the same token again would be asked with every request
_LONGEST_PAUSE_S: Final = 600.0  # a token's lifetime; a longer Retry-After would end the scheme
_WAIT_S: Final = 60.0
_POLL_S: Final = 0.01
_TIMEOUTS_S: Final = (10.0, 30.0)

Post = Callable[[requests.PreparedRequest], requests.Response]


@dataclass(eq=False)
class _Attempt(AtWork):
    """One request for a token, by one thread; the others wait for its outcome."""

    asked_at: float
    token: Token | None = None
    error: VendorkitError | None = None
    done: bool = False  # if without an outcome, its thread gave up

    def is_under_way(self) -> bool:
        """Tell whether another thread is at it. Polled, not signalled: an exception from outside ends it anywhere."""
        return not self.done and self.thread != get_ident() and not self.is_left()

    def pause_s(self) -> float:
        """Return for how many seconds asking again would bring the same error."""
        if isinstance(self.error, CredentialsRefused):
            return RENEWAL_FLOOR_S
        asked = self.error.retry_after_s if isinstance(self.error, TransportError) else None
        return min(asked or 0.0, _LONGEST_PAUSE_S)


class ClientCredentials(PerProcess, FlowAuth):
    """
    Fetches a token with key and secret, sends it as Bearer, and renews it shortly before it expires.

    A token is only sent to the origin of *token_url*; a request to another one raises `UsageError`. However many
    threads find it expired, one asks for the next. A 401 renews it once and sends once more.

    Args:
        token_url: Where tokens are given, https; http only on loopback.
        key: Sent as user of the token request's Basic authentication.
        secret: Its password.
        post: Sends the prepared token request and returns its answer, with the caller's own timeouts and trust; it
            must not follow redirects. Default: plain requests, 10 s to connect and 30 s of silence.
        clock: Monotonic seconds.

    Raises:
        UsageError: The URL is not one that key and secret may be sent to, or they were not copied cleanly.
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
        name, word = Secret(key), Secret(secret)
        del key, secret  # before anything can fail: tracebacks may show the locals
        self._basic = Basic(name.reveal(), word.reveal())
        self._url = _checked(token_url)
        self._origin = origin_of(self._url)
        self._post, self._clock = post or _plain_post, clock
        super().__init__()
        self.begin()

    def begin(self) -> None:
        """Forget the token and the thread that requests one."""
        self._lock = RLock()
        self._token: Token | None = None
        self._attempt: _Attempt | None = None
        self._obtained = 0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the token expires, not below zero; None where none was fetched yet."""
        token = self._token
        return None if token is None else max(0.0, token.expires_at - self._clock())

    @property
    def renewals(self) -> int:
        """How often a token was followed by another."""
        return max(0, self._obtained - 1)

    def flow(self, request: Outgoing) -> Flow:
        """Send the token; after a 401 renew it once, unless that has happened meanwhile, and send again."""
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
        """Return a token to use now; near its end, one caller renews it and the others go on with it."""
        with self._lock:
            token, now, last = self._token, self._clock(), self._attempt
        if token is not None and now < token.expires_at:
            pause_s = max(RENEWAL_FLOOR_S, last.pause_s() if last else 0.0)
            if now < token.renew_at or (last and (last.is_under_way() or now < last.asked_at + pause_s)):
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
        """Return a token other than *used*: fetched by this thread, or by the one that is at it already."""
        while True:
            mine = _Attempt(self._clock())
            try:
                with self._lock:
                    if self._token is not None and self._token is not used:
                        return self._token
                    attempt = self._attempt if self._attempt and self._may_join(self._attempt) else mine
                    self._attempt = attempt
                if attempt is mine:
                    return self._fetch_into(mine)
            finally:
                mine.done = True
            if not wait_until(_ended(attempt), _WAIT_S):
                what = f"No access token came from {self._origin} within {_WAIT_S:g} seconds."
                raise DeadlineExceeded(what, remedy="Try again later.")
            if attempt.token is not None:
                return attempt.token
            if attempt.error is not None:
                raise self._shared_error(attempt, attempt.error)
            # Its thread gave up for its own reasons, such as Cancel: those do not end this call.

    def _may_join(self, attempt: _Attempt) -> bool:
        """Whether *attempt* is under way, or failed a moment ago so that the answer would be the same."""
        if attempt.is_under_way():
            return True
        return attempt.error is not None and self._clock() < attempt.asked_at + attempt.pause_s()

    def _shared_error(self, attempt: _Attempt, error: VendorkitError) -> VendorkitError:
        """Return a copy for this thread: one traceback is not shared, and a part of the pause is over."""
        error = copy.copy(error)
        if isinstance(error, TransportError) and error.retry_after_s:
            error.retry_after_s = max(0.0, attempt.asked_at + error.retry_after_s - self._clock())
        return error

    def _fetch_into(self, attempt: _Attempt) -> Token:
        try:
            token = self._fetch(attempt.asked_at)
        except (Cancelled, DeadlineExceeded):
            raise
        except VendorkitError as error:
            attempt.error = error
            raise
        with self._lock:
            self._token = attempt.token = token
            self._obtained += 1
        attempt.done = True  # before the warning, which may be an error
        if token.assumed:
            message = f"{self._origin} does not say how long its token lasts; {DEFAULT_LIFETIME_S:g} s are assumed."
            warnings.warn(message, stacklevel=2)
        return token

    def _fetch(self, asked_at: float) -> Token:
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
            token = parse_token(status, headers, body, asked_at)
            if token.expires_at > self._clock():
                return token
            what = f"{self._origin} gave an access token that has expired already."
            raise AuthError(what, remedy="Try again; if it stays so, tell the vendor.", status=status)
        # Raised outside the handler: the request that requests' exceptions carry has key and secret in its headers.
        what = f"No access token came from {self._origin} ({type(failure).__name__})."
        del failure
        raise error_class(what, remedy="Check the network and the host; if both are right, try again later.")


def _plain_post(prepared: requests.PreparedRequest) -> requests.Response:
    until = time.monotonic() + _WAIT_S
    body = b""
    with requests.Session() as session:
        session.trust_env = False  # a .netrc entry would replace the header, a proxy would see it
        with session.send(prepared, timeout=_TIMEOUTS_S, allow_redirects=False, stream=True) as response:
            # Not iter_content(), which waits for whole chunks: a drip of bytes would outlast every timeout.
            while len(body) <= BODY_LIMIT and (part := response.raw.read1(8192, decode_content=True)):
                body += part
                if time.monotonic() > until:
                    message = "the answer came too slowly"
                    raise requests.exceptions.ReadTimeout(message)
    keep_body(response, body)
    return response


def _bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.value.reveal()}"}


def _ended(attempt: _Attempt) -> Callable[[float], bool]:
    def look(seconds: float) -> bool:
        under_way = attempt.is_under_way()
        if under_way:
            time.sleep(min(seconds, _POLL_S))
        return not under_way

    return look


def _checked(token_url: str) -> str:
    """Return *token_url* as requests will write it; `UsageError` where key and secret may not be sent to it."""
    try:
        url = requests.Request("POST", token_url).prepare().url or ""
        origin_of(token_url)
        parts = urlsplit(url)
    except (ValueError, TypeError):  # requests' own errors are ValueErrors too, and carry the URL
        url, parts = "", urlsplit("")
    if not url:
        what = "The token URL is not the address of a host, or carries a user name or password."
        raise UsageError(what, remedy="Write it as https://host/path, and pass key and secret as such.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        what = "The token URL is not https, so key and secret would be sent in clear."
        raise UsageError(what, remedy="Use the vendor's https address.")
    return url
