"""Digest authentication (RFC 2617, RFC 7616) with a nonce that all threads share: Mediagenix On-Demand."""

from __future__ import annotations

from typing import Final

from vendorkit.auth.basic import check_credential
from vendorkit.auth.challenge import authorization, best_challenge, digest_key, digest_response, next_nonce
from vendorkit.auth.flow import UNAUTHORIZED, Flow, FlowAuth, Outgoing
from vendorkit.auth.nonces import Lease, Nonce, NoncePool
from vendorkit.settings import Secret

_SERVER_ERROR: Final = 500
_BEFORE_AUTHENTICATION: Final = frozenset({400, 408, 429})  # often sent without a check of the password


class Digest(FlowAuth):
    """
    Answers digest challenges, and shares the nonce between requests and threads.

    The first request to an origin needs one extra round trip; later ones need none until the nonce expires.
    Algorithms: MD5, SHA, SHA-256, SHA-512 and SHA-512-256, each also with -sess; quality of protection: auth, or none
    (RFC 2069).

    It can replace `requests.auth.HTTPDigestAuth`, with two differences. A refused password raises `CredentialsRefused`
    instead of returning a response with status 401. The refusal is remembered: every later use of this object raises
    it again and sends nothing, so that a wrong password is tried once. Create a new Digest with the right password.
    The second difference: qop is sent without quotes, as RFC 7616 section 3.4 requires.

    Args:
        user: Sent and hashed as UTF-8.
        password: Hashed as UTF-8, and never sent.

    Raises:
        UsageError: A control character or surrounding white space; the message echoes neither.

    A request may raise CredentialsRefused, UnsupportedChallenge or VendorUnavailable. The last one means that the
    server called several fresh nonces stale; it does not concern the password and is not remembered.

    Example:
        >>> requests.get(url, auth=Digest("robot_user", password))  # doctest: +SKIP
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = Secret(user), Secret(password)
        del user, password  # before anything can fail: tracebacks may show the locals
        check_credential("The user name", self._user)
        check_credential("The password", self._password)
        self._pools: dict[str, NoncePool] = {}

    def flow(self, request: Outgoing) -> Flow:
        """Send with a known nonce, or without; answer challenges until accepted or refused."""
        # setdefault is atomic: two concurrent threads get the same pool.
        pool = self._pools.get(request.origin) or self._pools.setdefault(request.origin, NoncePool(request.origin))
        lease = Lease()
        try:
            pool.enter(lease)
            while True:
                nonce = lease.nonce
                answer = yield {} if nonce is None else {"Authorization": self._sign(nonce, lease.count, request)}
                if answer.status != UNAUTHORIZED:
                    nextnonce = next_nonce(answer.headers.getlist("Authentication-Info"))
                    is_proof = answer.status < _SERVER_ERROR and answer.status not in _BEFORE_AUTHENTICATION
                    pool.accepted(lease, nextnonce, proof=is_proof)
                    return
                challenge = best_challenge(answer.headers.getlist("WWW-Authenticate"))
                pool.refused(lease, challenge)
        finally:
            pool.leave(lease)

    def _sign(self, nonce: Nonce, count: int, request: Outgoing) -> str:
        challenge, cnonce, uri = nonce.challenge, nonce.cnonce, request.uri
        if nonce.key is None:
            nonce.key = Secret(digest_key(challenge, self._user.reveal(), self._password.reveal(), cnonce))
        key = nonce.key.reveal
        response = digest_response(challenge, key(), method=request.method, uri=uri, count=count, cnonce=cnonce)
        return authorization(challenge, self._user.reveal(), uri=uri, response=response, count=count, cnonce=cnonce)
