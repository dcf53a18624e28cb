"""What went over the wire, with credentials masked: kept for people who want to see the requests and responses."""

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

from vendorkit.errors import printable
from vendorkit.settings import MASK, Redactor

_KEPT: Final = 200
# Characters: of an address or a value, as of a long challenge; of a name; of all headers of one side together.
_KEPT_VALUE: Final = 4096
_KEPT_NAME: Final = 100
_KEPT_CHARS: Final = 8192
# Of a digest answer, everything but these may be shown: realm, nonce, uri and count explain the exchange.
_DIGEST_SECRETS: Final = re.compile(r'\b(username\*?|response|cnonce)\s*=\s*("(?:[^"\\]|\\.)*"|[^",\s]+)')
_QUERY_SECRETS: Final = re.compile(r"(?<=[?&])((?:\w+_)?(?:signature|mac|token|key|secret|password))=[^&#]*")
# In a body an address ends sooner, and JSON and XML escape the ampersand.
_BODY_SECRETS: Final = re.compile(
    r"""((?:[?&;]|\\u0026)(?:\w+_)?(?:signature|mac|token|key|secret|password)=)[^&#\s"'<>\\]*"""
    r"""|("(?:\w+_)?(?:signature|token|secret|password)"\s*:\s*")[^"]*"""
)
_ADDRESSES: Final = {"location", "content-location", "referer"}
_HIDDEN: Final = {"cookie", "set-cookie", "proxy-authorization"}


class Stop(threading.Event):
    """
    Ends one call from another thread.

    Attributes:
        requests: How many were sent for the call.
        discarded: Whether its answer was not wanted any more.
    """

    requests = 0
    discarded = False


@dataclass(repr=False)
class Body:
    """
    What arrived of an answer's body, and how much of both bodies is kept for people to look at.

    Attributes:
        keep: So many bytes of each body; 0: nothing.
        size: Bytes that arrived, decoded.
        ended: When the last of them did, on the monotonic clock.
        records: How many records they hold; None if they were not counted.
        sent, start: The beginnings of the bodies. They are as the vendor has them: mask them before they are shown.
    """

    keep: int = 0
    size: int = 0
    ended: float = 0.0
    records: int | None = None
    sent: bytes = b""
    start: bytes = b""

    def take(self, chunk: bytes) -> None:
        """Count what arrived, and keep it if it is wanted."""
        self.size, self.ended = self.size + len(chunk), time.monotonic()
        self.start += chunk[: max(self.keep - len(self.start), 0)]


@dataclass(frozen=True)
class Exchange:
    """
    One HTTP request and its answer.

    Attributes:
        method, url: What was asked; signatures in the query are masked.
        status: The answer's status; None where none came.
        sent, received: Headers, credentials masked.
        seconds: From sending to the end of the answer's headers.
        started: When it was sent, on the monotonic clock.
        number: 1 for the first of its session.
        body: What arrived after the headers.
        stop: What ends the call that it was sent for, if that can be ended.
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
        """Whether the answer was not used: a page that was requested ahead turned out to be another one."""
        return self.stop is not None and self.stop.discarded

    def text(self) -> str:
        """Return the exchange as it would be printed: request line, headers, status, headers."""
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        lines = [f"> {self.method} {target}", *(f"> {name}: {value}" for name, value in self.sent.items())]
        lines.append(f"< {self.status if self.status is not None else 'no answer'}")
        return "\n".join([*lines, *(f"< {name}: {value}" for name, value in self.received.items())])


def attach_notes(response: Any, notes: Body) -> None:
    """Let *notes* be those on the body of *response*, which is read later."""
    response.vendorkit_notes = notes


def body_notes(response: Any) -> Body:
    """Return the notes on the body of a response; of one that did not come from a vendor's session, new ones."""
    found = getattr(response, "vendorkit_notes", None)
    return found if isinstance(found, Body) else Body()


class Exchanges:
    """
    The last exchanges of a session, oldest first.

    Args:
        redactor: Knows the credentials, and learns those of each request; every address and header passes it.

    Attributes:
        keep_bytes: How much of each body is kept from now on; authentication's own bodies never are.
        total: How many there were.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor([])
        self.keep_bytes = self.total = 0
        self._kept: deque[Exchange] = deque(maxlen=_KEPT)

    def note(  # noqa: PLR0917 - the fields of Exchange
        self,
        method: str,
        url: str,
        status: int | None,
        sent: Mapping[str, str],
        received: Mapping[str, str],
        seconds: float,
        stop: Stop | None = None,
    ) -> Exchange:
        """Keep one exchange that has just ended, masked and bounded, and return it."""
        for credential in _credentials(url, sent):
            self._redactor.learn(credential)
        self.total += 1
        started, there, back = time.monotonic() - seconds, masked(_bounded(sent)), masked(_bounded(received))
        one = Exchange(method, masked_url(url), status, there, back, seconds, started, self.total, stop=stop)
        self._kept.append(one := self._cleaned(one))
        return one

    def all(self) -> list[Exchange]:
        """Return what is kept, oldest first."""
        return [self._cleaned(one) for one in tuple(self._kept)]  # a token is known only after the answer that gave it

    def _cleaned(self, one: Exchange) -> Exchange:
        texts = [one.url, *one.sent.values(), *one.received.values()]
        url, *values = map(printable, self._redactor.mask(texts, limit=_KEPT_VALUE))
        # Servers write the names of headers as they like, uvicorn in lower case.
        sent = CaseInsensitiveDict(zip(one.sent, values, strict=False))
        received = CaseInsensitiveDict(zip(one.received, values[len(one.sent) :], strict=True))
        return replace(one, url=url, sent=sent, received=received)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _bounded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the first of *headers*, of so many characters that they can be looked through with each request."""
    kept, left = {}, _KEPT_CHARS
    for name, value in headers.items():
        left -= len(name) + min(len(value), _KEPT_VALUE)
        if left < 0:
            break
        kept[printable(name[:_KEPT_NAME])] = value
    return kept


def _credentials(url: str, sent: Mapping[str, str]) -> Iterator[str]:
    """Yield the credentials of one request: a token, the answer to a challenge, a signature in the address."""
    for name in ("Authorization", "Proxy-Authorization"):
        scheme, _, rest = str(sent.get(name, "")).partition(" ")
        if scheme.lower() == "digest":
            yield from (found[2].strip('"') for found in _DIGEST_SECRETS.finditer(rest) if found[1] != "username")
        else:
            yield rest or scheme
    yield from (unquote(found[0].partition("=")[2]) for found in _QUERY_SECRETS.finditer(url))


def masked_request(request: PreparedRequest) -> PreparedRequest:
    """Return a copy of *request* that can be shown: without hooks, with masked headers."""
    shown = request.copy()
    shown.hooks = {"response": []}
    shown.headers.update(masked(shown.headers))
    return shown


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


def masked_body(text: str) -> str:
    """Return a body with a mask in place of signatures and tokens, in its addresses and as members of its JSON."""
    return _BODY_SECRETS.sub(rf"\1\2{MASK}", text)
