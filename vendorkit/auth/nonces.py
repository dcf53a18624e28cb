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
        dead: It was refused for any reason; a late acceptance does not revive it.
    """

    challenge: Challenge
    exclusive: bool
    count: int = 0
    cnonce: str = field(default_factory=lambda: os.urandom(16).hex())
    key: Secret | None = None
    accepted: int = 0
    dead: bool = False


@dataclass(eq=False)
class Lease:
    """
    The place of one flow in the pool, and its current attempt. One lease at a time is the negotiator's.

    Attributes:
        nonce: The nonce of the attempt; None for an attempt without credentials.
        count: The `nc` of the attempt.
        earlier: How many attempts with credentials, or for a new nonce, the request has had before.
        stale: How many fresh nonces the server called stale; these do not count as tries of the password.
        thread, active_at: The thread that last ran the flow, and when, on the monotonic clock.
        was_alone: No other flow was in the pool at any time since this one entered.
        challenged: It has a challenge to answer. Flows without one send no password, and let those with one go first.
    """

    nonce: Nonce | None = None
    count: int = 0
    earlier: int = 0
    stale: int = 0
    thread: int = field(default_factory=threading.get_ident)
    active_at: float = field(default_factory=time.monotonic)
    was_alone: bool = True
    challenged: bool = False

    def use(self, nonce: Nonce | None) -> None:
        """Use *nonce* for the next attempt, once more than before."""
        self.nonce = nonce
        if nonce is not None:
            nonce.count += 1
            self.count = nonce.count


class NoncePool(PerProcess):
    """
    The nonces for one origin and one `Digest`, its protection space (RFC 7616 section 3.3), under one lock.

    Waiting flows poll every few milliseconds, because an exception from outside that interrupts a thread inside a
    `threading.Condition` can leave its lock locked for ever. A forked child keeps what is known of server and password.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.strict = False
        self._proven = False
        self._refused = False
        self._open = False
        super().__init__()

    def begin(self) -> None:
        """Start without nonces and without flows."""
        self._lock = threading.RLock()  # a flow may be garbage-collected, and leave, while its thread is inside
        self._shared: Nonce | None = None
        self._idle: list[Nonce] = []  # for strict servers; the most recent is used first, the others may expire
        self._negotiator: Lease | None = None
        self._leases: set[Lease] = set()

    def enter(self, lease: Lease) -> None:
        """
        Prepare the first attempt of a flow, which negotiates if there is no nonce to use.

        Raises:
            CredentialsRefused: The server has refused this password before. Nothing is sent.
        """
        with self._lock:
            for other in self._leases:
                other.was_alone = False
            lease.was_alone = not self._leases
            self._leases.add(lease)
        self._start(lease, None)

    def refused(self, lease: Lease, challenge: Challenge) -> None:
        """
        Prepare the next attempt after a 401 with *challenge*.

        Raises:
            CredentialsRefused: The refused nonce was fresh, so the password is wrong.
            VendorUnavailable: The server called several fresh nonces in a row stale.
        """
        lease.thread, lease.active_at, lease.challenged = threading.get_ident(), time.monotonic(), True
        nonce = lease.nonce
        if nonce is None:
            self._open = False
            self._start(lease, challenge)
            return
        with self._lock:
            if lease.earlier == 0:
                lease.earlier = 1
                self._drop(nonce, lease.count, stale=challenge.stale)
                if not self.strict:
                    self._negotiate(lease)
            elif challenge.stale:
                lease.stale += 1
                if lease.stale > STALE_LIMIT:
                    raise self._never_fresh()
            else:
                if lease.earlier > 1 or nonce.exclusive or lease.was_alone:
                    raise self._refuse()
                lease.earlier = 2
                self._be_strict()
            is_spoilt = self.strict and not nonce.exclusive
            lease.use(None if is_spoilt else Nonce(challenge, exclusive=nonce.exclusive))

    def accepted(self, lease: Lease, nextnonce: str | None, *, proof: bool) -> None:
        """
        Keep the nonce of an attempt that succeeded for other requests.

        Args:
            lease: The flow's lease.
            nextnonce: The nonce that the server wants in the next request, if any.
            proof: Whether the response shows that the password was checked; a 503 may come from a gateway before that.
        """
        with self._lock:
            nonce = lease.nonce
            if nonce is None:
                self._open = proof
            elif proof or self._proven:
                self._proven = True
                nonce.accepted = max(nonce.accepted, lease.count)
                next_nonce = nonce
                if nextnonce:
                    next_nonce = Nonce(replace(nonce.challenge, nonce=nextnonce), exclusive=nonce.exclusive)
                if self.strict and nonce.exclusive:
                    self._idle.append(next_nonce)
                elif not self.strict and not nonce.dead and self._shared in {None, nonce}:
                    next_nonce.exclusive = False
                    self._shared = next_nonce
            self.leave(lease)

    def leave(self, lease: Lease) -> None:
        """Return the lease. This may run in any thread, when an abandoned flow is garbage-collected."""
        with self._lock:
            self._leases.discard(lease)
            if self._negotiator is lease:
                self._negotiator = None

    def _start(self, lease: Lease, challenge: Challenge | None) -> None:
        """
        Prepare an attempt with a nonce that is known, else with that of *challenge*, else without credentials.

        Without a known nonce this waits for the negotiator, which gets one that others may use.
        """

        def attempt(seconds: float) -> bool:
            with self._lock:
                if self._refused:
                    raise self._refuse()
                is_open = self._open and challenge is None
                if is_open or lease.earlier or self.strict or self._shared or self._may_negotiate(lease):
                    nonce = None if lease.earlier else self._known_nonce()
                    if nonce is None:
                        self._negotiate(lease)
                        if challenge is not None:
                            lease.earlier += 1
                            nonce = Nonce(challenge, exclusive=True)
                    lease.use(nonce)
                    return True
            time.sleep(min(seconds, _POLL_S))
            return False

        wait_until(attempt, float("inf"))  # at most until the negotiators have had their time

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

    def _known_nonce(self) -> Nonce | None:
        if self.strict:
            return self._idle.pop() if self._idle else None
        if self._shared is not None and self._shared.count >= COUNT_LIMIT:
            self._shared = None
        return self._shared

    def _drop(self, nonce: Nonce, count: int, *, stale: bool) -> None:
        nonce.dead = True
        if self._shared is nonce:
            self._shared = None
        # An expired nonce without `stale` during concurrent requests looks the same, and only costs a few challenges.
        if not stale and count < nonce.accepted:
            self._be_strict()

    def _be_strict(self) -> None:
        self.strict = True
        self._shared = None

    def _refuse(self) -> CredentialsRefused:
        # A password that worked before stays in use: this path may require other rights.
        self._refused = not self._proven
        what = f"{self.origin} refused user name or password (Digest)."
        remedy = "Check both, and whether this user may use this path; then connect again (create a new Digest)."
        return CredentialsRefused(what, remedy=remedy, status=401)

    def _never_fresh(self) -> VendorUnavailable:
        what = f"{self.origin} calls each new nonce stale, and so never checks the password (Digest)."
        remedy = "Try again, then report it to the vendor: servers behind one address must share their nonces."
        return VendorUnavailable(what, remedy=remedy, status=401)
