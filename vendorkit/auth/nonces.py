"""
The nonces of one origin, shared by all threads: who may use which, and who may ask for a new one.

Sharing one nonce saves a round trip for every request but the first. Two things stand against it. A wrong password
must not be tried by every thread, so a nonce is shared only after its first use was accepted; until then one flow
holds the *ticket* and the others wait. And a server that wants `nc` to rise strictly (Apache's AuthDigestNcCheck)
refuses requests that overtake each other; then each request in flight gets a nonce of its own.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from typing import Final

from vendorkit.auth.challenge import Challenge
from vendorkit.deadline import wait_until
from vendorkit.errors import CredentialsRefused
from vendorkit.settings import Secret

COUNT_LIMIT: Final = 0xFFFF_FFFF  # nc has eight hexadecimal digits (RFC 7616 section 3.4)
PATIENCE_S: Final = 30.0  # how long a flow waits for another one's nonce before it asks for its own


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
    """

    nonce: Nonce | None = None
    count: int = 0
    age: int = 0


@dataclass(eq=False)
class Ticket:
    """
    Identity of a flow. Who holds the space's ticket negotiates.

    Attributes:
        thread: Where the flow was last seen.
        number: How many flows had entered the space, with this one.
        alone: None of them was still under way.
    """

    thread: int = field(default_factory=threading.get_ident)
    number: int = 0
    alone: bool = True


class Space:
    """The protection space of one origin and one `Digest` (RFC 7616 section 3.3); one lock for all."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.strict = False
        self._changed = threading.Condition()
        self._shared: Nonce | None = None
        self._idle: list[Nonce] = []  # strict servers only; the last one in is the first one out, the rest may die
        self._holder: Ticket | None = None
        self._inside: set[Ticket] = set()
        self._entered = 0
        self._proven = False
        self._refused = False
        self._open = False

    def enter(self, ticket: Ticket) -> Use:
        """
        Return a nonce to use, or none: then send without, and negotiate.

        Raises:
            CredentialsRefused: The server has refused this password before. Nothing is sent.
        """
        with self._changed:
            self._wait(ticket, openly=True)
            self._entered += 1
            ticket.number, ticket.alone = self._entered, not self._inside
            self._inside.add(ticket)
            use = self._known()
            if use.nonce is None:
                self._hold(ticket)
            return use

    def refused(self, use: Use, ticket: Ticket, challenge: Challenge) -> Use:
        """
        Return what to try after a 401 that carried *challenge*.

        Raises:
            CredentialsRefused: The refused nonce was fresh, so it is the password that is wrong.
        """
        with self._changed:
            ticket.thread = threading.get_ident()
            if use.nonce is None:
                return self._challenged(use, ticket, challenge)
            if use.age == 0:
                self._drop(use.nonce, use.count, stale=challenge.stale)
                if self.strict and not use.nonce.own:
                    return Use(age=1)
                self._hold(ticket)
            elif use.age > 1 or not challenge.stale:
                if use.age > 1 or use.nonce.own or not self._crowded(ticket):
                    raise self._refuse()
                self._be_strict()
                return Use(age=1)
            return Use(Nonce(challenge, own=use.nonce.own, count=1), count=1, age=use.age + 1)

    def accepted(self, use: Use, ticket: Ticket, nextnonce: str | None, *, proof: bool) -> None:
        """
        Keep the nonce of *use* for others.

        Args:
            use: What was sent.
            ticket: Identity of the flow.
            nextnonce: The server's wish for the next request.
            proof: Whether the answer shows that the password was checked; a 503 may come from a gateway before it.
        """
        with self._changed:
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
            self._changed.notify_all()
            self.leave(ticket)

    def _challenged(self, use: Use, ticket: Ticket, challenge: Challenge) -> Use:
        """Go on after an attempt without credentials: with another flow's nonce, or with the one just offered."""
        self._open = False
        if use.age == 0:
            self._wait(ticket, openly=False)
            known = Use() if self._holder is ticket else self._known()
            if known.nonce is not None:
                return known
            self._hold(ticket)
        return Use(Nonce(challenge, own=True, count=1), count=1, age=use.age + 1)

    def leave(self, ticket: Ticket) -> None:
        """Give the ticket back, if this flow has it. May run when a forgotten flow is collected, in any thread."""
        with self._changed:
            self._inside.discard(ticket)
            if self._holder is ticket:
                self._holder = None
                self._changed.notify_all()

    def _wait(self, ticket: Ticket, *, openly: bool) -> None:
        """
        Wait until there is something to use, or nobody left who negotiates; raise once the password is refused.

        *openly*: do not wait where the last request without credentials was served, so that none may be needed.
        """

        def usable() -> bool:
            found = self._refused or self.strict or self._shared or (openly and self._open)
            return bool(found) or self._holder_is_gone(ticket)

        wait_until(lambda seconds: self._changed.wait_for(usable, timeout=seconds), PATIENCE_S)
        if self._refused:
            raise self._refuse()

    def _hold(self, ticket: Ticket) -> None:
        if self._holder_is_gone(ticket):
            self._holder = ticket

    def _holder_is_gone(self, ticket: Ticket) -> bool:
        # A thread does not wait for itself: a request that it prepared and never sent holds the ticket for ever.
        return self._holder in {None, ticket} or self._holder.thread == ticket.thread

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
        self._changed.notify_all()

    def _crowded(self, ticket: Ticket) -> bool:
        """Whether other requests were under way at any time since this one began."""
        return not ticket.alone or self._entered != ticket.number

    def _refuse(self) -> CredentialsRefused:
        what = f"{self.origin} refused user name or password (Digest)."
        remedy = "Check both, then connect again (make a new Digest): a refused one sends no more."
        if self._proven:
            # A password that worked here before is not forgotten: this path may want other rights.
            what = f"{self.origin} refused user name or password (Digest), which it had accepted before."
            remedy = "Check whether the password was changed, and whether this user may use this path."
        self._refused = not self._proven
        self._changed.notify_all()
        return CredentialsRefused(what, remedy=remedy, status=401)
