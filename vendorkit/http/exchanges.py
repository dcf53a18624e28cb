"""What went over the wire, with credentials masked: kept for people who want to see how a vendor is spoken to."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote, urlsplit

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from vendorkit.echoes import printable
from vendorkit.settings import MASK, Redactor

_KEPT: Final = 200
# Characters: of an address or a value, as of a long challenge; of a name; of all headers of one side together.
_KEPT_VALUE: Final = 4096
_KEPT_NAME: Final = 100
_KEPT_CHARS: Final = 8192
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
    """
    The last exchanges of a session, oldest first.

    Args:
        redactor: Knows the credentials, and learns those of each request; every address and header passes it.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor([])
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
        """Keep one exchange, masked and bounded."""
        for credential in _credentials(url, sent):
            self._redactor.learn(credential)
        exchange = Exchange(
            method, masked_url(url), status, masked(_bounded(sent)), masked(_bounded(received)), seconds
        )
        self._kept.append(self._cleaned(exchange))

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
