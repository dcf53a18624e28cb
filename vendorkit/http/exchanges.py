"""What went over the wire, with credentials masked: kept for people who want to see how a vendor is spoken to."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from vendorkit.settings import MASK

_KEPT: Final = 200
# Of a digest answer, everything but these may be shown: realm, nonce, uri and count explain the exchange.
_DIGEST_SECRETS: Final = re.compile(r'\b(username\*?|response|cnonce)\s*=\s*("(?:[^"\\]|\\.)*"|[^",\s]+)')
_QUERY_SECRETS: Final = re.compile(r"(?<=[?&])((?:\w+_)?(?:signature|mac|token|key|secret|password))=[^&#]*")
_ADDRESSES: Final = {"location", "content-location", "referer"}
_HIDDEN: Final = {"cookie", "set-cookie", "proxy-authorization"}


@dataclass(frozen=True)
class Exchange:
    """
    One HTTP request and its answer.

    Attributes:
        method, url: What was asked; signatures in the query are masked.
        status: The answer's status; None where none came.
        sent, received: Headers, credentials masked.
        seconds: From sending to the end of the answer's headers.
    """

    method: str
    url: str
    status: int | None
    sent: Mapping[str, str]
    received: Mapping[str, str]
    seconds: float

    def text(self) -> str:
        """Return the exchange as it would be printed: request line, headers, status, headers."""
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        lines = [f"> {self.method} {target}", *(f"> {name}: {value}" for name, value in self.sent.items())]
        lines.append(f"< {self.status if self.status is not None else 'no answer'}")
        return "\n".join([*lines, *(f"< {name}: {value}" for name, value in self.received.items())])


class Exchanges:
    """The last exchanges of a session, oldest first."""

    def __init__(self) -> None:
        self._kept: deque[Exchange] = deque(maxlen=_KEPT)

    def note(  # noqa: PLR0917 - the fields of Exchange
        self,
        method: str,
        url: str,
        status: int | None,
        sent: Mapping[str, str],
        received: Mapping[str, str],
        seconds: float,
    ) -> None:
        """Keep one exchange, masked."""
        # Servers write the names of headers as they like, uvicorn in lower case.
        there, back = CaseInsensitiveDict(masked(sent)), CaseInsensitiveDict(masked(received))
        self._kept.append(Exchange(method, masked_url(url), status, there, back, seconds))

    def all(self) -> list[Exchange]:
        """Return what is kept, oldest first."""
        return list(self._kept)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* with a mask in place of credentials."""
    return {name: _masked(name.lower(), str(value)) for name, value in headers.items()}


def _masked(name: str, value: str) -> str:
    if name in _ADDRESSES:
        return masked_url(value)
    if name != "authorization":
        return MASK if name in _HIDDEN else value
    scheme, _, rest = value.partition(" ")
    if not rest:  # no scheme, so that all of it may be a credential
        return MASK
    shown = _DIGEST_SECRETS.sub(rf'\1="{MASK}"', rest) if scheme.lower() == "digest" else MASK
    return f"{scheme} {shown}"


def masked_url(url: str) -> str:
    """Return *url* with a mask in place of signatures and other credentials in its query."""
    return _QUERY_SECRETS.sub(rf"\1={MASK}", url)
