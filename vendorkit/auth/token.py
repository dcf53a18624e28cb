"""
Access tokens by the client credentials grant (RFC 6749 section 4.4, RFC 6750): Pledg's back office.

The lifetime runs on the monotonic clock from before the token request, so that neither a slow answer nor a changed
wall clock makes a token look younger than it is.
"""

from __future__ import annotations

import math
import re
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from vendorkit.auth.basic import Basic
from vendorkit.auth.flow import UNAUTHORIZED, Flow, FlowAuth, Outgoing, keep_body, origin_of
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
_WAIT_S: Final = 60.0
_TIMEOUTS_S: Final = (10.0, 30.0)
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")

Post = Callable[[requests.PreparedRequest], requests.Response]


class ClientCredentials(FlowAuth):
    """
    Fetches a token with key and secret, sends it as Bearer, and renews it shortly before it expires.

    A token is sent to the origin of *token_url* alone. However many threads find it expired, one asks for the next.
    A 401 renews it once and sends once more.

    Args:
        token_url: Where tokens are given, https; http only on loopback.
        key: Sent as user of the token request's Basic authentication.
        secret: Its password.
        post: Sends the prepared token request and returns its answer, with the caller's own timeouts and trust; it
            must not follow redirects. Default: plain requests, 10 s to connect and 30 s of silence.
        clock: Monotonic seconds.
    """

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
        self._origin = origin_of(token_url)
        parts = urlsplit(token_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _LOOPBACK.fullmatch(parts.hostname or "")):
            what = "The token URL is not https, so key and secret would be sent in clear."
            raise UsageError(what, remedy="Use the vendor's https address.")
        self._url, self._post, self._clock = token_url, post or _plain_post, clock
        self._lock = Lock()
        self._token: Token | None = None
        self._attempt: Future[Token] | None = None
        self._asked_at = -math.inf
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
            yield {}
            return
        token = self._current()
        answer = yield _bearer(token)
        if answer.status != UNAUTHORIZED:
            return
        answer = yield _bearer(self._renew(token))
        if answer.status == UNAUTHORIZED:
            what = f"{request.origin} refused a fresh access token for {request.method} {_path(request.uri)}."
            remedy = "Check that key and secret belong to this environment and may use this path."
            raise CredentialsRefused(what, remedy=remedy, status=UNAUTHORIZED)

    def _current(self) -> Token:
        """Return a token to use now; near its end, one caller renews it and the others go on with it."""
        with self._lock:
            token, now = self._token, self._clock()
            valid = token is not None and now < token.expires_at
            busy = self._attempt is not None and not self._attempt.done()
            if token and valid and (now < token.renew_at or busy or now - self._asked_at < RENEWAL_FLOOR_S):
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
            with self._lock:
                if self._token is not None and self._token is not used:
                    return self._token
                attempt = self._attempt
                leads = attempt is None or not self._may_join(attempt)
                if attempt is None or leads:
                    attempt = self._attempt = Future()
                    self._asked_at = self._clock()
            if leads:
                self._fetch_into(attempt)
            if not wait_until(_is_done(attempt), _WAIT_S):
                what = f"No access token came from {self._origin} within {_WAIT_S:g} seconds."
                raise DeadlineExceeded(what, remedy="Try again later.")
            # Somebody else's call was cancelled while it fetched the token for all: this one is not.
            if leads or not isinstance(attempt.exception(), Cancelled):
                return attempt.result()

    def _may_join(self, attempt: Future[Token]) -> bool:
        """Whether *attempt* is under way, or was refused a moment ago: then the answer would be the same."""
        if not attempt.done():
            return True
        refused = isinstance(attempt.exception(), CredentialsRefused)
        return refused and self._clock() - self._asked_at < RENEWAL_FLOOR_S

    def _fetch_into(self, attempt: Future[Token]) -> None:
        try:
            token = self._fetch(self._asked_at)
        except VendorkitError as error:
            attempt.set_exception(error)
            return
        except BaseException:
            what = f"The request for an access token from {self._origin} was broken off."
            attempt.set_exception(VendorUnavailable(what, remedy="Try again."))
            raise
        with self._lock:
            self._token = token
            self._obtained += 1
        attempt.set_result(token)
        if token.assumed:
            message = f"{self._origin} does not say how long its token lasts; {DEFAULT_LIFETIME_S:g} s are assumed."
            warnings.warn(message, stacklevel=2)

    def _fetch(self, asked_at: float) -> Token:
        form = {"grant_type": "client_credentials"}
        request = requests.Request("POST", self._url, headers={"Accept": "application/json"}, data=form)
        prepared = request.prepare()
        self._basic(prepared)
        try:
            response = self._post(prepared)
            status, headers, body = response.status_code, response.headers, response.content
        except (requests.RequestException, HTTPError, OSError) as error:
            if isinstance(error, VendorkitError):
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


def _path(uri: str) -> str:
    return uri.partition("?")[0]


def _is_done(attempt: Future[Token]) -> Callable[[float], bool]:
    return lambda seconds: bool(wait((attempt,), timeout=seconds).done)
