"""The last HTTP requests and responses, with masked credentials, for display."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from vendorkit.auth.interrupts import shielded
from vendorkit.errors import printable
from vendorkit.settings import MASK, Redactor

_MAX_EXCHANGES: Final = 200
# Limits in characters: of a URL or a header's value (a challenge can be long), of its name, of all headers.
_MAX_VALUE: Final = 4096
_MAX_NAME: Final = 100
_MAX_HEADERS: Final = 8192
# The other parameters of a digest response (realm, nonce, uri and count) may be shown, and explain the exchange.
_DIGEST_SECRETS: Final = re.compile(r'\b(username\*?|response|cnonce)\s*=\s*("(?:[^"\\]|\\.)*"|[^",\s]+)')
_MEMBER: Final = r"[\w-]*(?:signature|token|secret|password|api[_-]?key)"
_PARAMETER: Final = rf"(?:{_MEMBER}|(?:[\w-]*[_-])?(?:sig|mac|key))"
_QUERY_SECRETS: Final = re.compile(rf"(?<=[?&])({_PARAMETER})=[^&#]*", re.IGNORECASE)
# In a body, quotes and tags also end a URL, and JSON and XML escape the ampersand.
_BODY_SECRETS: Final = re.compile(
    rf"""((?:[?&;]|\\u0026){_PARAMETER}=)[^&#\s"'<>\\]*|("{_MEMBER}"\s*:\s*")[^"]*""", re.IGNORECASE
)
_ADDRESSES: Final = {"location", "content-location", "referer"}
_HIDDEN: Final = {"cookie", "set-cookie", "proxy-authorization"}


class Stop(threading.Event):
    """
    Cancels one call from another thread.

    Attributes:
        requests: How many requests were sent for the call.
        discarded: Whether the response is no longer needed.
    """

    requests = 0
    discarded = False


@dataclass(repr=False)
class Body:
    """
    Notes on the bodies of one exchange, and their beginnings if these are kept for display.

    Attributes:
        keep: Maximum number of bytes kept of each body; 0 keeps nothing.
        size: Bytes received of the response's body, decoded.
        ended: When the last of them arrived, on the monotonic clock.
        records: Number of records in the response; None if they were not counted.
        sent, start: The beginnings of the request's and the response's body, not masked: mask them before display.
    """

    keep: int = 0
    size: int = 0
    ended: float = 0.0
    records: int | None = None
    sent: bytes = b""
    start: bytes = b""

    def take(self, chunk: bytes) -> None:
        """Count *chunk*, and keep it up to the limit."""
        self.size, self.ended = self.size + len(chunk), time.monotonic()
        self.start += chunk[: max(self.keep - len(self.start), 0)]


@dataclass(frozen=True)
class Exchange:
    """
    One HTTP request and its response.

    Attributes:
        method, url: The request line; signatures in the query are masked.
        status: The response's status; None if there was no response.
        sent, received: The headers of request and response, with masked credentials.
        seconds: Time from sending to the end of the response's headers.
        started: When the request was sent, on the monotonic clock.
        number: 1 for the first exchange of the session.
        body: Notes on the bodies.
        stop: Cancels the call that the request belongs to; None if that cannot be cancelled.
    """

    method: str
    url: str
    status: int | None
    sent: Mapping[str, str]
    received: Mapping[str, str]
    seconds: float
    started: float = 0.0
    number: int = 0
    body: Body = field(default_factory=Body, repr=False)
    stop: Stop | None = field(default=None, repr=False)

    @property
    def discarded(self) -> bool:
        """Whether the response was not used, because it was requested ahead and turned out to be the wrong page."""
        return self.stop is not None and self.stop.discarded

    def text(self) -> str:
        """Return the exchange as text: request line, request headers, status, response headers."""
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        lines = [f"> {self.method} {target}", *(f"> {name}: {value}" for name, value in self.sent.items())]
        lines.append(f"< {self.status if self.status is not None else 'no answer'}")
        return "\n".join([*lines, *(f"< {name}: {value}" for name, value in self.received.items())])


def body_notes(response: Any) -> Body:
    """Return the notes attached to *response*; new ones if it is not from a vendor's session."""
    notes = getattr(response, "vendorkit_notes", None)
    return notes if isinstance(notes, Body) else Body()


class Exchanges:
    """
    The last exchanges of a session, oldest first.

    Args:
        redactor: Masks the credentials in every URL and header. It learns those of each request.

    Attributes:
        keep_bytes: How many bytes of each body are kept from now on. Bodies of authentication are never kept.
        total: Number of all exchanges of the session.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor([])
        self.keep_bytes = self.total = 0
        self._exchanges: deque[Exchange] = deque(maxlen=_MAX_EXCHANGES)

    def note(self, exchange: Exchange) -> Exchange:
        """Keep an exchange that has just ended, masked and shortened, and return it with its number."""
        for credential in _credentials(exchange.url, exchange.sent):
            self._redactor.learn(credential)
        self.total += 1
        sent, received = masked(_bounded(exchange.sent)), masked(_bounded(exchange.received))
        exchange = replace(exchange, url=masked_url(exchange.url), sent=sent, received=received, number=self.total)
        self._exchanges.append(exchange := self._cleaned(exchange))
        return exchange

    def all(self) -> list[Exchange]:
        """Return the kept exchanges, oldest first."""
        # Masked once more: a token becomes known only after the response that contains it was noted.
        return shielded(lambda: [self._cleaned(exchange) for exchange in tuple(self._exchanges)])

    def _cleaned(self, exchange: Exchange) -> Exchange:
        headers = [text for pair in (*exchange.sent.items(), *exchange.received.items()) for text in pair]
        url, *texts = map(printable, self._redactor.mask([exchange.url, *headers], limit=_MAX_VALUE))
        pairs = list(zip(texts[::2], texts[1::2], strict=True))
        # Case-insensitive, because some servers send lower-case header names, such as uvicorn.
        sent, received = map(CaseInsensitiveDict, (pairs[: len(exchange.sent)], pairs[len(exchange.sent) :]))
        return replace(exchange, url=url, sent=sent, received=received)

    def clear(self) -> None:
        """Delete all kept exchanges."""
        self._exchanges.clear()


def _bounded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the first headers, up to a length that can be searched for credentials with each request."""
    first, remaining = {}, _MAX_HEADERS
    for name, value in headers.items():
        remaining -= len(name) + min(len(value), _MAX_VALUE)
        if remaining < 0:
            break
        first[printable(name[:_MAX_NAME])] = value
    return first


def _credentials(url: str, sent: Mapping[str, str]) -> Iterator[str]:
    """Yield the credentials of one request: a token, a digest response, a signature in the URL."""
    for name in ("Authorization", "Proxy-Authorization"):
        scheme, _, rest = str(sent.get(name, "")).partition(" ")
        if scheme.lower() == "digest":
            yield from (match[2].strip('"') for match in _DIGEST_SECRETS.finditer(rest) if match[1] != "username")
        else:
            yield rest or scheme
    yield from (unquote(match[0].partition("=")[2]) for match in _QUERY_SECRETS.finditer(url))


def masked_request(request: PreparedRequest) -> PreparedRequest:
    """Return a copy of *request* for display: without hooks, with masked headers."""
    copied = request.copy()
    copied.hooks = {"response": []}
    copied.headers.update(masked(copied.headers))
    return copied


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* with masked credentials."""
    return {name: _masked(name.lower(), str(value)) for name, value in headers.items()}


def _masked(name: str, value: str) -> str:
    if name in _ADDRESSES:
        return masked_url(value)
    if name != "authorization":
        return MASK if name in _HIDDEN else value
    scheme, _, rest = value.partition(" ")
    if not rest:  # no scheme, so that the whole value may be a credential
        return MASK
    parameters = _DIGEST_SECRETS.sub(rf'\1="{MASK}"', rest) if scheme.lower() == "digest" else MASK
    return f"{scheme} {parameters}"


def masked_url(url: str) -> str:
    """Return *url* with signatures and other credentials in its query masked."""
    return _QUERY_SECRETS.sub(rf"\1={MASK}", url)


def masked_body(text: str) -> str:
    """Return a body with signatures and tokens masked, both in its URLs and as members of its JSON."""
    return _BODY_SECRETS.sub(rf"\1\2{MASK}", text)
