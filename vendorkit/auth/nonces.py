"""
The nonces of one origin, shared by all threads: which flow may use which nonce, and which may get a new one.

Sharing one nonce saves a round trip for every request but the first. There are two problems. First, only one thread
may try a wrong password. So a nonce is shared only after its first use was accepted; until then one flow negotiates,
and the others wait. Second, a server that requires `nc` to rise strictly (Apache's AuthDigestNcCheck) refuses
requests that overtake each other. For such a server each request in flight gets its own nonce.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from vendorkit.auth.challenge import Challenge
from vendorkit.auth.forks import PerProcess
from vendorkit.deadline import wait_until
from vendorkit.errors import CredentialsRefused, VendorUnavailable
from vendorkit.settings import Secret

COUNT_LIMIT: Final = 0xFFFF_FFFF  # nc has eight hexadecimal digits (RFC 7616 section 3.4)
MAX_WAIT_S: Final = 30.0  # how long a flow waits for the nonce of another flow before it negotiates one itself
PATIENCE_S: Final = 1.0  # how long it waits for the first challenge of another flow, which may never be sent
STALE_LIMIT: Final = 3  # how many fresh nonces in a row a server may call stale
_POLL_S: Final = 0.01


@dataclass(eq=False)
class Nonce:
    """
    A server's nonce: how often it was used, and with which result.

    Attributes:
        exclusive: No other request in flight uses it or a nonce with the same `opaque`. Apache counts by `opaque`, and
            repeats it in the challenge that refuses a request: while other requests use it, the count continues.
        count: Highest `nc` used.
        cnonce: The same for all uses, because the -sess algorithms hash that of the first use into the key.
        key: HA1, set by the scheme.
        accepted: Highest `nc` that the server accepted.
        refused: Lowest `nc` that it refused without calling the nonce stale; 0 for none.
        dead: It was refused for any reason; a late acceptance does not revive it.
    """

    challenge: Challenge
    exclusive: bool
    count: int = 0
    cnonce: str = field(default_factory=lambda: os.urandom(16).hex())
    key: Secret | None = None
    accepted: int = 0
    refused: int = 0
    dead: bool = False


@dataclass(frozen=True)
class Attempt:
    """
    One attempt to send a request.

    Attributes:
        nonce: None for an attempt without credentials.
        count: The `nc` of the attempt.
        earlier: How many attempts with credentials, or for a new nonce, the request has had before.
        stale: How many fresh nonces in a row the server called stale; these do not count as tries of the password.
    """

    nonce: Nonce | None = None
    count: int = 0
    earlier: int = 0
    stale: int = 0


@dataclass(eq=False)
class Lease:
    """
    The place of one flow in the pool. One lease at a time is the negotiator's.

    Attributes:
        thread, active_at: The thread that last ran the flow, and when, on the monotonic clock.
        number: How many flows had entered the pool, including this one.
        was_alone: No other flow was in the pool when this one entered.
        challenged: It has a challenge to answer. Flows without one send no password, and let those with one go first.
    """

    thread: int = field(default_factory=threading.get_ident)
    active_at: float = field(default_factory=time.monotonic)
    number: int = 0
    was_alone: bool = True
    challenged: bool = False


class NoncePool(PerProcess):
    """
    The nonces for one origin and one `Digest`, its protection space (RFC 7616 section 3.3), under one lock.

    Waiting flows poll every few milliseconds, because an exception from outside that interrupts a thread inside a
    `threading.Condition` can leave its lock locked for ever. A forked child keeps what is known of server and password.
    """

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin
        self.strict = False
        self._proven = False
        self._refused = False
        self._open = False
        self.begin()

    def begin(self) -> None:
        """Start without nonces and without flows."""
        self._lock = threading.RLock()  # a flow may be garbage-collected, and leave, while its thread is inside
        self._shared: Nonce | None = None
        self._idle: list[Nonce] = []  # for strict servers; the most recent is used first, the others may expire
        self._negotiator: Lease | None = None
        self._leases: set[Lease] = set()
        self._entered = 0

    def enter(self, lease: Lease) -> Attempt:
        """
        Return the first attempt of a flow, which negotiates if there is no nonce to use.

        Raises:
            CredentialsRefused: The server has refused this password before. Nothing is sent.
        """

        def begin() -> Attempt:
            self._entered += 1
            lease.number, lease.was_alone = self._entered, not self._leases
            self._leases.add(lease)
            attempt = self._with_known_nonce()
            if attempt.nonce is None:
                self._negotiate(lease)
            return attempt

        return self._when(lambda: self._open or self._usable(lease), begin)

    def refused(self, attempt: Attempt, lease: Lease, challenge: Challenge) -> Attempt:
        """
        Return the next attempt after a 401 with *challenge*.

        Raises:
            CredentialsRefused: The refused nonce was fresh, so the password is wrong.
            VendorUnavailable: The server called several fresh nonces in a row stale.
        """
        lease.thread, lease.active_at, lease.challenged = threading.get_ident(), time.monotonic(), True
        if attempt.nonce is None:
            return self._challenged(attempt, lease, challenge)
        with self._lock:
            nonce, earlier, stale = attempt.nonce, attempt.earlier + 1, attempt.stale
            if attempt.earlier == 0:
                self._drop(nonce, attempt.count, stale=challenge.stale)
                if self.strict and not nonce.exclusive:
                    return Attempt(earlier=1)
                self._negotiate(lease)
            elif challenge.stale:
                earlier, stale = attempt.earlier, attempt.stale + 1
                if stale > STALE_LIMIT:
                    raise self._never_fresh()
            else:
                # No other request was in flight at any time since this one began.
                always_alone = lease.was_alone and self._entered == lease.number
                if attempt.earlier > 1 or nonce.exclusive or always_alone:
                    raise self._refuse()
                self._be_strict()
                return Attempt(earlier=1)
            return Attempt(Nonce(challenge, exclusive=nonce.exclusive, count=1), 1, earlier, stale)

    def accepted(self, attempt: Attempt, lease: Lease, nextnonce: str | None, *, proof: bool) -> None:
        """
        Keep the nonce of *attempt* for other requests.

        Args:
            attempt: The attempt that succeeded.
            lease: The flow's lease.
            nextnonce: The nonce that the server wants in the next request, if any.
            proof: Whether the response shows that the password was checked; a 503 may come from a gateway before that.
        """
        with self._lock:
            nonce = attempt.nonce
            if nonce is None:
                self._open = proof
            elif proof or self._proven:
                self._proven = self._proven or proof
                nonce.accepted = max(nonce.accepted, attempt.count)
                self._judge(nonce)
                next_nonce = nonce
                if nextnonce:
                    next_nonce = Nonce(replace(nonce.challenge, nonce=nextnonce), exclusive=nonce.exclusive)
                if self.strict and nonce.exclusive:
                    self._idle.append(next_nonce)
                elif not self.strict and not nonce.dead and self._shared in {None, nonce}:
                    next_nonce.exclusive = False
                    self._shared = next_nonce
            self.leave(lease)

    def _challenged(self, attempt: Attempt, lease: Lease, challenge: Challenge) -> Attempt:
        """Continue after an attempt without credentials, with another flow's nonce or with that of *challenge*."""

        def proceed() -> Attempt:
            if attempt.earlier == 0:
                known = Attempt() if self._negotiator is lease else self._with_known_nonce()
                if known.nonce is not None:
                    return known
                self._negotiate(lease)
            return Attempt(Nonce(challenge, exclusive=True, count=1), 1, attempt.earlier + 1)

        self._open = False
        return self._when(lambda: bool(attempt.earlier) or self._usable(lease), proceed)

    def leave(self, lease: Lease) -> None:
        """Return the lease. This may run in any thread, when an abandoned flow is garbage-collected."""
        with self._lock:
            self._leases.discard(lease)
            if self._negotiator is lease:
                self._negotiator = None

    def _when(self, usable: Callable[[], bool], act: Callable[[], Attempt]) -> Attempt:
        """Return the result of *act*, called when *usable* or after the wait; raise if the password is refused."""
        results: list[Attempt] = []

        def poll(seconds: float) -> bool:
            with self._lock:
                if self._refused:
                    raise self._refuse()
                if seconds <= 0 or usable():
                    results.append(act())
            if not results:
                time.sleep(min(seconds, _POLL_S))
            return bool(results)

        if not wait_until(poll, MAX_WAIT_S):
            poll(0)
        return results[0]

    def _usable(self, lease: Lease) -> bool:
        """Whether there is a nonce to use, or no other flow negotiates one."""
        return bool(self.strict or self._shared) or self._may_negotiate(lease)

    def _negotiate(self, lease: Lease) -> None:
        if self._may_negotiate(lease):
            self._negotiator = lease

    def _may_negotiate(self, lease: Lease) -> bool:
        current = self._negotiator
        if current is None or current is lease or (lease.challenged and not current.challenged):
            return True
        # A request that was prepared but never sent, or failed without a response, may be kept alive by its owner or by
        # a cell's traceback. It does not block its own thread, nor others for long: at worst they get a challenge each.
        patience_s = MAX_WAIT_S if current.challenged else PATIENCE_S
        return current.thread == lease.thread or time.monotonic() > current.active_at + patience_s

    def _with_known_nonce(self) -> Attempt:
        nonce = self._shared
        if self.strict:
            nonce = self._idle.pop() if self._idle else None
        if nonce is not None and nonce.count >= COUNT_LIMIT:
            self._shared, nonce = None, None
        if nonce is None:
            return Attempt()
        nonce.count += 1
        return Attempt(nonce, nonce.count)

    def _drop(self, nonce: Nonce, count: int, *, stale: bool) -> None:
        nonce.dead = True
        if self._shared is nonce:
            self._shared = None
        if not stale:
            nonce.refused = min(nonce.refused or count, count)
            self._judge(nonce)

    def _judge(self, nonce: Nonce) -> None:
        # An expired nonce without `stale` during concurrent requests looks the same, and only costs a few challenges.
        if 0 < nonce.refused < nonce.accepted:
            self._be_strict()

    def _be_strict(self) -> None:
        self.strict = True
        self._shared = None

    def _refuse(self) -> CredentialsRefused:
        what = f"{self.origin} refused user name or password (Digest)."
        remedy = "Check both, then connect again (create a new Digest): this one sends nothing more."
        if self._proven:
            # A password that worked before stays in use: this path may require other rights.
            what = f"{self.origin} refused user name or password (Digest), which it had accepted before."
            remedy = "Check whether the password was changed, and whether this user may use this path."
        self._refused = not self._proven
        return CredentialsRefused(what, remedy=remedy, status=401)

    def _never_fresh(self) -> VendorUnavailable:
        what = f"{self.origin} calls each new nonce stale, and so never checks the password (Digest)."
        remedy = "Try again, then report it to the vendor: servers behind one address must share their nonces."
        return VendorUnavailable(what, remedy=remedy, status=401)
