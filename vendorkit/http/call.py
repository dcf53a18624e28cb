"""What is asked of a vendor, and how patiently: plain values, before anything is signed or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from vendorkit.errors import NotAllowed, UsageError


@dataclass(frozen=True)
class Policy:
    """
    How long and how often; seconds, unless said otherwise.

    Attributes:
        connect_timeout_s: Connecting, and the TLS handshake.
        read_timeout_s: Silence of the server.
        deadline_s: One call in all: waits for the rate budget, attempts and pauses included.
        stream_deadline_s: The same for a stream, which may be hundreds of megabytes.
        attempts: Attempts of a call that may be repeated.
        retry_after_cap_s: The longest wait that the vendor may ask for; a longer one is an error at once.

    Raises:
        UsageError: One of them is no number above zero.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    deadline_s: float = 300.0
    stream_deadline_s: float = 3600.0
    attempts: int = 4
    retry_after_cap_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what is no number above zero: it would be a bare error in the midst of a call."""
        for name, value in vars(self).items():
            if not isinstance(value, Real) or not cast("float", value) > 0:
                what = f"{name} of a Policy must be a number above zero, not {value!r:.60}."
                raise UsageError(what, remedy="Leave it out for the usual one.")


@dataclass(frozen=True)
class Call:
    """
    One thing to ask of a vendor, before it is signed.

    Attributes:
        method: GET, POST, …
        url: A path such as "/v4/brands/query", or an absolute URL of the vendor's origin.
        params: Query parameters; empty where the URL has them already.
        json: Body, sent as JSON; None for no body.
        accept: "json" or "xml": what the answer has to be; "any" for raw calls.
        repeatable: Whether asking twice is harmless; None: by the method. The vendors' queries by POST only read.
        scheme: Which of the client's authentication schemes signs it; None for none.
        records: The member of the answer that holds its records; None: the answer is one record, or a list of them.
        lines: Whether the answer is a stream of lines with one record each, which is read as many pages.
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
        """Tell whether the call may be sent again after it failed midway (RFC 9110 section 9.2.2)."""
        return self.method in ("GET", "HEAD") if self.repeatable is None else self.repeatable


def require_writable(call: Call, *, writable: bool) -> None:
    """Raise `NotAllowed` where *call* may change something and the client is read-only."""
    if not writable and not call.may_repeat():
        what = f"{call.method} {urlsplit(call.url).path} may change data, and this client is read-only."
        raise NotAllowed(what, remedy="If that is meant, connect with writable=True.")
