"""Digest authentication (RFC 2617, RFC 7616) with a nonce that all threads share: Mediagenix On-Demand."""

from __future__ import annotations

import threading
from typing import Final

from vendorkit.auth.challenge import authorization, best_challenge, digest_key, digest_response, next_nonce
from vendorkit.auth.flow import UNAUTHORIZED, Answer, Flow, FlowAuth, Outgoing
from vendorkit.auth.nonces import Nonce, Space, Ticket
from vendorkit.auth.secret import check_credential
from vendorkit.settings import Secret

_SERVER_ERROR: Final = 500
_BEFORE_AUTHENTICATION: Final = frozenset({400, 408, 429})  # often answered without a look at the password


class Digest(FlowAuth):
    """
    Answers digest challenges, and shares the nonce between requests and threads.

    The first request costs one more, all others of that origin none, until the nonce expires. Algorithms: MD5, SHA-256,
    SHA-512-256, each also with -sess; quality of protection: auth, or none (RFC 2069). A refused first use is
    remembered: every later use of this object raises `CredentialsRefused` and sends nothing, so that a wrong password
    is tried once. Make a new Digest after mending it.

    Args:
        user, password: Sent and hashed as UTF-8.

    Raises:
        UsageError: A control character or surrounding white space; the message echoes neither.

    Example:
        >>> requests.get(url, auth=Digest("robot_user", password))  # doctest: +SKIP
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = Secret(user), Secret(password)
        del user, password  # before anything can fail: tracebacks may show the locals
        check_credential("The user name", self._user)
        check_credential("The password", self._password)
        self._spaces: dict[str, Space] = {}
        self._lock = threading.Lock()

    def flow(self, request: Outgoing) -> Flow:
        """Send with a known nonce, or without; answer challenges until accepted or refused."""
        space = self._space(request.origin)
        ticket = Ticket()
        try:
            use = space.enter(ticket)
            while True:
                answer = yield {} if use.nonce is None else {"Authorization": self._sign(use.nonce, use.count, request)}
                if answer.status != UNAUTHORIZED:
                    nextnonce = next_nonce(answer.all("Authentication-Info"))
                    space.accepted(use, ticket, nextnonce, proof=_shows_proof(answer))
                    return
                use = space.refused(use, ticket, best_challenge(answer.all("WWW-Authenticate")))
        finally:
            space.leave(ticket)

    def _space(self, origin: str) -> Space:
        with self._lock:
            return self._spaces.setdefault(origin, Space(origin))

    def _sign(self, nonce: Nonce, count: int, request: Outgoing) -> str:
        challenge, cnonce, uri = nonce.challenge, nonce.cnonce, request.uri
        if nonce.key is None:
            nonce.key = Secret(digest_key(challenge, self._user.reveal(), self._password.reveal(), cnonce))
        key = nonce.key.reveal
        response = digest_response(challenge, key(), method=request.method, uri=uri, count=count, cnonce=cnonce)
        return authorization(challenge, self._user.reveal(), uri=uri, response=response, count=count, cnonce=cnonce)


def _shows_proof(answer: Answer) -> bool:
    return answer.status < _SERVER_ERROR and answer.status not in _BEFORE_AUTHENTICATION
