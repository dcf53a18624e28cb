"""Requests and retry policies as plain values, before anything is signed or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from vendorkit.errors import NotAllowed, UsageError

_LONGEST: Final = 1_000_000_000


@dataclass(frozen=True)
class Policy:
    """
    Timeouts, in seconds, and the number of attempts.

    Attributes:
        connect_timeout_s: For connecting and the TLS handshake.
        read_timeout_s: The longest silence of the server.
        deadline_s: For a whole call, with all attempts, the pauses between them and waits for the rate budget.
        stream_deadline_s: The same for a stream, which may be hundreds of megabytes.
        attempts: Maximum number of attempts, for calls that may be repeated.
        retry_after_cap_s: The longest wait that the vendor may request; a longer one is an error at once.

    Raises:
        UsageError: A value is not a number above zero.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    deadline_s: float = 300.0
    stream_deadline_s: float = 3600.0
    attempts: int = 4
    retry_after_cap_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values that are not numbers above zero, which would fail only in the middle of a call."""
        for name, value in vars(self).items():
            object.__setattr__(self, name, positive(value, f"{name} of a Policy"))


def positive(value: Any, name: str) -> float:
    """Return *value*, a number above zero, in a form and size that sockets accept; *name* is for the error."""
    if isinstance(value, bool) or not isinstance(value, Real) or not cast("float", value) > 0:
        what = f"{name} must be a number above zero, not {value!r:.60}."
        raise UsageError(what, remedy="Leave it out for the default.")
    bounded = min(cast("float", value), _LONGEST)
    return bounded if isinstance(bounded, int) else float(bounded)


@dataclass(frozen=True)
class Call:
    """
    One request to a vendor, before it is signed.

    Attributes:
        method: GET, POST, …
        url: A path such as "/v4/brands/query", or an absolute URL of the vendor's origin.
        params: Query parameters; empty if the URL has them already.
        json: The body, sent as JSON; None for no body.
        accept: The required format of the response, "json" or "xml"; "any" for raw calls.
        repeatable: Whether the call may safely be sent twice, such as a POST that only queries. None means yes for GET
            and HEAD, and no for other methods.
        scheme: Name of the authentication scheme that signs the call; None for none.
        records: The member of the response that holds the records; None if it is one record or a list of records.
        lines: Whether the response is a stream with one record per line, which is read as many pages.
    """

    method: str
    url: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    accept: Literal["json", "xml", "any"] = "json"
    repeatable: bool | None = None
    scheme: str | None = "default"
    records: str | None = None
    lines: bool = False

    def may_repeat(self) -> bool:
        """Return whether the call may be sent again after it failed midway (RFC 9110 section 9.2.2)."""
        return self.method in ("GET", "HEAD") if self.repeatable is None else self.repeatable


def require_writable(call: Call, *, writable: bool) -> None:
    """Raise `NotAllowed` if *call* may change data and the client is read-only."""
    if not writable and not call.may_repeat():
        what = f"{call.method} {urlsplit(call.url).path} may change data, and this client is read-only."
        raise NotAllowed(what, remedy="If that is intended, connect with writable=True.")
