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
from vendorkit.auth.secret import Secret
from vendorkit.errors import CredentialsRefused

PATIENCE_S: Final = 30.0  # how long a flow waits for another one's nonce before it asks for its own


@dataclass(eq=False)
class Nonce:
    """
    A server's nonce: how often it was used, and what became of it.

    Attributes:
        count: Highest `nc` given out.
        cnonce: One for all uses, because the -sess algorithms hash that of the first use into the key.
        key: HA1, set by the scheme.
        accepted: Highest `nc` that the server accepted.
        refused: Lowest `nc` that it refused without calling the nonce stale; 0 for none.
        dead: Refused for whatever reason; a late acceptance does not bring it back.
    """

    challenge: Challenge
    count: int = 0
    cnonce: str = field(default_factory=lambda: os.urandom(16).hex())
    key: Secret | None = None
    accepted: int = 0
    refused: int = 0
    dead: bool = False


@dataclass(frozen=True)
class Use:
    """
    One use of a nonce.

    Attributes:
        age: 0 for a nonce that served before, 1 for the challenge of this very request, 2 for the challenge after that.
        alone: No other request in flight uses the nonce.
    """

    nonce: Nonce
    count: int
    age: int = 0
    alone: bool = False


@dataclass(eq=False)
class Ticket:
    """Identity of a flow. Who holds the space's ticket negotiates; `thread` is where that flow was last seen."""

    thread: int = field(default_factory=threading.get_ident)


class Space:
    """The protection space of one origin and one `Digest` (RFC 7616 section 3.3); one lock for all."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.strict = False
        self._changed = threading.Condition()
        self._shared: Nonce | None = None
        self._idle: list[Nonce] = []  # strict servers only; the last one in is the first one out, the rest may die
        self._holder: Ticket | None = None
        self._proven = False
        self._refused = False
        self._open = False

    def enter(self, ticket: Ticket) -> Use | None:
        """
        Return a nonce to use, or None: then send without, and negotiate.

        Raises:
            CredentialsRefused: The server has refused this password before. Nothing is sent.
        """
        with self._changed:
            self._wait(ticket, openly=True)
            use = self._known()
            if use is None and self._holder_is_gone(ticket):
                self._holder = ticket
            return use

    def refused(self, use: Use | None, ticket: Ticket, challenge: Challenge) -> Use:
        """
        Return what to try after a 401 that carried *challenge*.

        Raises:
            CredentialsRefused: The refused nonce was fresh, so it is the password that is wrong.
        """
        with self._changed:
            ticket.thread = threading.get_ident()
            if use is None:
                self._open = False
                self._wait(ticket, openly=False)
                known = None if self._holder is ticket else self._known()
                if known is not None:
                    return known
            elif use.age == 0:
                self._drop(use, stale=challenge.stale)
            elif use.age > 1 or not challenge.stale:
                # A password that worked here before is not forgotten: this path may want other rights.
                self._refused = not self._proven
                self._changed.notify_all()
                raise self._refusal()
            if self._holder_is_gone(ticket):
                self._holder = ticket
            return Use(Nonce(challenge, count=1), count=1, age=1 if use is None else use.age + 1, alone=True)

    def accepted(self, use: Use | None, ticket: Ticket, nextnonce: str | None, *, proof: bool) -> None:
        """
        Keep the nonce of *use* for others.

        Args:
            use: What was sent; None for a request without credentials.
            ticket: Identity of the flow.
            nextnonce: The server's wish for the next request.
            proof: Whether the answer shows that the password was checked; a 503 may come from a gateway before it.
        """
        with self._changed:
            if use is None:
                self._open = proof
            elif proof or self._proven:
                self._proven = self._proven or proof
                use.nonce.accepted = max(use.nonce.accepted, use.count)
                self._judge(use.nonce)
                nonce = Nonce(replace(use.nonce.challenge, nonce=nextnonce)) if nextnonce else use.nonce
                if self.strict and use.alone:
                    self._idle.append(nonce)
                elif not self.strict and not use.nonce.dead and self._shared in {None, use.nonce}:
                    self._shared = nonce
            self._changed.notify_all()
            self.leave(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Give the ticket back, if this flow has it. May run when a forgotten flow is collected, in any thread."""
        with self._changed:
            if self._holder is ticket:
                self._holder = None
                self._changed.notify_all()

    def _wait(self, ticket: Ticket, *, openly: bool) -> None:
        """
        Wait until there is something to use, or nobody left who negotiates; raise once the password is refused.

        *openly*: do not wait where the last request without credentials was served, so that none may be needed.
        """
        self._changed.wait_for(
            lambda: (
                self._refused or self.strict or self._shared or (openly and self._open) or self._holder_is_gone(ticket)
            ),
            timeout=PATIENCE_S,
        )
        if self._refused:
            raise self._refusal()

    def _holder_is_gone(self, ticket: Ticket) -> bool:
        # A thread does not wait for itself: a request that it prepared and never sent holds the ticket for ever.
        return self._holder in {None, ticket} or self._holder.thread == ticket.thread

    def _known(self) -> Use | None:
        nonce = self._shared
        if self.strict:
            nonce = self._idle.pop() if self._idle else None
        if nonce is None:
            return None
        nonce.count += 1
        return Use(nonce, nonce.count, alone=self.strict)

    def _drop(self, use: Use, *, stale: bool) -> None:
        use.nonce.dead = True
        if self._shared is use.nonce:
            self._shared = None
        if not stale:
            use.nonce.refused = min(use.nonce.refused or use.count, use.count)
            self._judge(use.nonce)

    def _judge(self, nonce: Nonce) -> None:
        # An expiry without `stale` in the midst of concurrent requests looks the same; it only costs some challenges.
        if not self.strict and 0 < nonce.refused < nonce.accepted:
            self.strict = True
            self._shared = None
            self._changed.notify_all()

    def _refusal(self) -> CredentialsRefused:
        what = f"{self.origin} refused user name or password (Digest)."
        remedy = "Check both, and make a new Digest: this one sends no more after a refused first use."
        if self._proven:
            what = f"{self.origin} refused user name or password (Digest), which it had accepted before."
            remedy = "Check whether the password was changed, and whether this user may use this path."
        return CredentialsRefused(what, remedy=remedy, status=401)
