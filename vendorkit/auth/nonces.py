"""
The nonces of one origin, shared by all threads: who may use which, and who may ask for a new one.

Sharing one nonce saves a round trip for every request but the first. There are two problems. A wrong password
must not be tried by every thread, so a nonce is shared only after its first use was accepted; until then one flow
holds the *ticket* and the others wait. And a server that wants `nc` to rise strictly (Apache's AuthDigestNcCheck)
refuses requests that overtake each other; then each request in flight gets its own nonce.
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
from vendorkit.auth.interrupts import AtWork
from vendorkit.deadline import wait_until
from vendorkit.errors import CredentialsRefused, VendorUnavailable
from vendorkit.settings import Secret

COUNT_LIMIT: Final = 0xFFFF_FFFF  # nc has eight hexadecimal digits (RFC 7616 section 3.4)
PATIENCE_S: Final = 30.0  # how long a flow waits for another one's nonce before it asks for its own
STALE_LIMIT: Final = 3  # fresh nonces in a row that a server may call stale
_POLL_S: Final = 0.01


@dataclass(eq=False)
class Nonce:
    """
    A server's nonce: how often it was used, and what became of it.

    Attributes:
        own: No other request in flight uses it or a relative of it. Apache counts by `opaque`, and repeats the opaque
            in the challenge that refuses a request: such a nonce is no fresh start while relatives are in flight.
        count: Highest `nc` given out.
        cnonce: One for all uses, because the -sess algorithms hash that of the first use into the key.
        key: HA1, set by the scheme.
        accepted: Highest `nc` that the server accepted.
        refused: Lowest `nc` that it refused without calling the nonce stale; 0 for none.
        dead: Refused for whatever reason; a late acceptance does not bring it back.
    """

    challenge: Challenge
    own: bool
    count: int = 0
    cnonce: str = field(default_factory=lambda: os.urandom(16).hex())
    key: Secret | None = None
    accepted: int = 0
    refused: int = 0
    dead: bool = False


@dataclass(frozen=True)
class Use:
    """
    What one attempt is sent with.

    Attributes:
        nonce: None for an attempt without credentials.
        count: The `nc` of this use.
        age: How many attempts with credentials, or for a new nonce, this request has behind it.
        stale: How many fresh nonces in a row the server called stale; no attempts at the password.
    """

    nonce: Nonce | None = None
    count: int = 0
    age: int = 0
    stale: int = 0


@dataclass(eq=False)
class Ticket(AtWork):
    """
    Identity of a flow. Who holds the space's ticket negotiates.

    Attributes:
        thread, seen_at: Where and when the flow was last seen.
        number: How many flows had entered the space, with this one.
        single: None of them was still under way.
        challenged: It has a challenge to answer. Until then it sends no password, and others that have one go first.
    """

    number: int = 0
    single: bool = True
    challenged: bool = False


class Space(PerProcess):
    """
    The protection space of one origin and one `Digest` (RFC 7616 section 3.3); one lock for all.

    Flows that wait look again every few milliseconds: where an exception from outside hits a thread inside a
    `threading.Condition`, its lock may stay locked for ever. What was learned of server and password holds in a forked
    child too.
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
        """Know no nonce, and no flow under way."""
        self._lock = threading.RLock()  # a flow may be collected, and leave, while its thread is inside
        self._shared: Nonce | None = None
        self._idle: list[Nonce] = []  # strict servers only; the last one in is the first one out, the rest may die
        self._holder: Ticket | None = None
        self._inside: set[Ticket] = set()
        self._entered = 0

    def enter(self, ticket: Ticket) -> Use:
        """
        Return a nonce to use, or none: then send without, and negotiate.

        Raises:
            CredentialsRefused: The server has refused this password before. Nothing is sent.
        """

        def begin() -> Use:
            self._entered += 1
            ticket.number, ticket.single = self._entered, not self._inside
            self._inside.add(ticket)
            use = self._known()
            if use.nonce is None:
                self._hold(ticket)
            return use

        return self._when(lambda: self._open or self._usable(ticket), begin)

    def refused(self, use: Use, ticket: Ticket, challenge: Challenge) -> Use:
        """
        Return what to try after a 401 that carried *challenge*.

        Raises:
            CredentialsRefused: The refused nonce was fresh, so it is the password that is wrong.
            VendorUnavailable: The server called one fresh nonce after the other stale.
        """
        ticket.thread, ticket.seen_at, ticket.challenged = threading.get_ident(), time.monotonic(), True
        if use.nonce is None:
            return self._challenged(use, ticket, challenge)
        with self._lock:
            nonce, age, stale = use.nonce, use.age + 1, use.stale
            if use.age == 0:
                self._drop(nonce, use.count, stale=challenge.stale)
                if self.strict and not nonce.own:
                    return Use(age=1)
                self._hold(ticket)
            elif challenge.stale:
                age, stale = use.age, use.stale + 1
                if stale > STALE_LIMIT:
                    raise self._never_fresh()
            else:
                # Whether no other request was under way at any time since this one began.
                alone = ticket.single and self._entered == ticket.number
                if use.age > 1 or nonce.own or alone:
                    raise self._refuse()
                self._be_strict()
                return Use(age=1)
            return Use(Nonce(challenge, own=nonce.own, count=1), 1, age, stale)

    def accepted(self, use: Use, ticket: Ticket, nextnonce: str | None, *, proof: bool) -> None:
        """
        Keep the nonce of *use* for others.

        Args:
            use: What was sent.
            ticket: Identity of the flow.
            nextnonce: The server's wish for the next request.
            proof: Whether the answer shows that the password was checked; a 503 may come from a gateway before it.
        """
        with self._lock:
            nonce = use.nonce
            if nonce is None:
                self._open = proof
            elif proof or self._proven:
                self._proven = self._proven or proof
                nonce.accepted = max(nonce.accepted, use.count)
                self._judge(nonce)
                following = Nonce(replace(nonce.challenge, nonce=nextnonce), own=nonce.own) if nextnonce else nonce
                if self.strict and nonce.own:
                    self._idle.append(following)
                elif not self.strict and not nonce.dead and self._shared in {None, nonce}:
                    following.own = False
                    self._shared = following
            self.leave(ticket)

    def _challenged(self, use: Use, ticket: Ticket, challenge: Challenge) -> Use:
        """Go on after an attempt without credentials: with another flow's nonce, or with the one just offered."""

        def go_on() -> Use:
            if use.age == 0:
                known = Use() if self._holder is ticket else self._known()
                if known.nonce is not None:
                    return known
                self._hold(ticket)
            return Use(Nonce(challenge, own=True, count=1), 1, use.age + 1)

        self._open = False
        return self._when(lambda: bool(use.age) or self._usable(ticket), go_on)

    def leave(self, ticket: Ticket) -> None:
        """Give the ticket back, if this flow has it. May run when a forgotten flow is collected, in any thread."""
        with self._lock:
            self._inside.discard(ticket)
            if self._holder is ticket:
                self._holder = None

    def _when(self, usable: Callable[[], bool], act: Callable[[], Use]) -> Use:
        """Return what *act* does as soon as *usable*, or when patience ends; raise once the password is refused."""
        found: list[Use] = []

        def look(seconds: float) -> bool:
            with self._lock:
                if self._refused:
                    raise self._refuse()
                if seconds <= 0 or usable():
                    found.append(act())
            if not found:
                time.sleep(min(seconds, _POLL_S))
            return bool(found)

        if not wait_until(look, PATIENCE_S):
            look(0)
        return found[0]

    def _usable(self, ticket: Ticket) -> bool:
        """Whether there is a nonce to use, or no other flow that negotiates one."""
        return bool(self.strict or self._shared) or self._holder_is_gone(ticket)

    def _hold(self, ticket: Ticket) -> None:
        if self._holder_is_gone(ticket):
            self._holder = ticket

    def _holder_is_gone(self, ticket: Ticket) -> bool:
        holder = self._holder
        if holder is None or holder is ticket or (ticket.challenged and not holder.challenged):
            return True
        # A request that was prepared and never sent, or failed without an answer, may be kept for ever: by its owner,
        # or by the traceback of a cell. Its own thread, and all others once that thread does something else, go on.
        return holder.thread == ticket.thread or holder.is_left()

    def _known(self) -> Use:
        nonce = self._shared
        if self.strict:
            nonce = self._idle.pop() if self._idle else None
        if nonce is not None and nonce.count >= COUNT_LIMIT:
            self._shared, nonce = None, None
        if nonce is None:
            return Use()
        nonce.count += 1
        return Use(nonce, nonce.count)

    def _drop(self, nonce: Nonce, count: int, *, stale: bool) -> None:
        nonce.dead = True
        if self._shared is nonce:
            self._shared = None
        if not stale:
            nonce.refused = min(nonce.refused or count, count)
            self._judge(nonce)

    def _judge(self, nonce: Nonce) -> None:
        # An expiry without `stale` in the midst of concurrent requests looks the same; it only costs some challenges.
        if 0 < nonce.refused < nonce.accepted:
            self._be_strict()

    def _be_strict(self) -> None:
        self.strict = True
        self._shared = None

    def _refuse(self) -> CredentialsRefused:
        what = f"{self.origin} refused user name or password (Digest)."
        remedy = "Check both, then connect again (make a new Digest): a refused one sends no more."
        if self._proven:
            # A password that worked here before is not forgotten: this path may want other rights.
            what = f"{self.origin} refused user name or password (Digest), which it had accepted before."
            remedy = "Check whether the password was changed, and whether this user may use this path."
        self._refused = not self._proven
        return CredentialsRefused(what, remedy=remedy, status=401)

    def _never_fresh(self) -> VendorUnavailable:
        what = (
            f"{self.origin} calls each nonce stale that it has just given, and so never checks the password (Digest)."
        )
        remedy = "Try again; if it stays, tell the vendor: servers behind one address must share their nonces."
        return VendorUnavailable(what, remedy=remedy, status=401)
