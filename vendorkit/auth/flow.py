"""
Driving a scheme through plain requests: send, look, maybe send again.

A scheme is a generator without any I/O. `FlowAuth` runs it as a `requests.auth.AuthBase`: it sets the headers that the
generator yields, shows it each answer, and sends again as long as it yields more. What belongs to one request lives in
its generator; only what is shared between requests needs a lock.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import IO, Any, ClassVar, Final, NoReturn, cast
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar, get_cookie_header
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError

from vendorkit.auth.forks import this_process
from vendorkit.auth.interrupts import shielded, tolerated
from vendorkit.errors import UsageError
from vendorkit.settings import refuse_pickling

UNAUTHORIZED: Final = 401
_DRAIN_BYTES: Final = 65_536
_DRAIN_S: Final = 1.0  # a nonce grows old meanwhile
_COOKIE_CHARS: Final = 4096  # of all together; servers take heads of 8 kB
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_PERCENT: Final = re.compile("%[0-9a-fA-F]{2}")
_ADAPTER: Final = HTTPAdapter()  # sends nothing; it knows how this version of requests writes the request line


@dataclass(frozen=True)
class Outgoing:
    """What a scheme may sign: the method, the request target byte for byte, and the origin it goes to."""

    method: str
    uri: str
    origin: str


@dataclass(frozen=True)
class Answer:
    """What a scheme may look at: the status, and the headers with all their repetitions."""

    status: int
    headers: HTTPHeaderDict

    def all(self, name: str) -> list[str]:
        """Return the values of header *name*, one for each line that carried it."""
        return self.headers.getlist(name)


Flow = Generator[Mapping[str, str], Answer, None]


def origin_of(url: str) -> str:
    """
    Return scheme, host and port of *url* as one text, default ports left out (RFC 6454 section 6.2).

    Raises:
        UsageError: The URL carries a user name or password, or has no proper host and port.
    """
    host = None
    with tolerated(ValueError, TypeError):  # TypeError for what is not text
        parts = urlsplit(url)
        port, host = parts.port, None if "@" in parts.netloc else parts.hostname
    if not host:
        what = "The URL carries a user name or password, or has no proper host and port."
        raise UsageError(what, remedy="Write it as https://host/path, and pass credentials as such.")
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine by its address or the name localhost."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class FlowAuth(AuthBase):
    """
    Base of the schemes: runs `flow` for every request.

    Attributes:
        resends: Whether a flow may send a request twice. Then the body must be one that can be read twice.
        portable: Whether the credentials go along with a redirect inside their origin. If not, they were made for one
            target: they are taken off, and the redirected request is signed anew when the server asks for it.
    """

    resends: ClassVar[bool] = True
    portable: ClassVar[bool] = False

    def flow(self, request: Outgoing) -> Flow:
        """Yield the headers of each attempt at *request*, and be sent its `Answer`; end when there is no more to do."""
        raise NotImplementedError

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """
        Sign *prepared*, and handle the responses to it.

        Raises:
            UsageError: The body cannot be read twice, but may have to be. Nothing was sent.
            VendorkitError: Whatever the scheme finds wrong.
        """
        position = _position(prepared.body) if self.resends else None
        outgoing = _outgoing(prepared)
        flow = self.flow(outgoing)
        shielded(lambda: prepared.headers.update(next(flow)))
        prepared.register_hook("response", _Exchange(self, outgoing.origin, flow, position))  # type: ignore[no-untyped-call]
        return prepared

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def __reduce__(self) -> NoReturn:
        refuse_pickling(f"An authentication scheme ({type(self).__name__})")


class _Exchange:
    """The hook of one request: shows its answers to its flow. It answers no other origin than the request's own."""

    __slots__ = ("_auth", "_flow", "_origin", "_position", "_process")

    def __init__(self, auth: FlowAuth, origin: str, flow: Flow, position: int | None) -> None:
        self._auth, self._origin, self._position = auth, origin, position
        self._flow: Flow | None = flow
        self._process = this_process()

    def __call__(self, response: requests.Response, **how: Any) -> requests.Response:
        # requests copies hooks onto redirected requests: a challenge from elsewhere ends here, unanswered.
        sent = response.request
        if not _is_at(sent.url, self._origin):
            return response
        response = shielded(lambda: self._run(response, how))
        # requests keeps the header from http to https on the same host, and for all paths of the same origin.
        kept = self._auth.portable and _is_at(response.headers.get("Location"), self._origin, response.url)
        if response.is_redirect and not kept:
            sent.headers.pop("Authorization", None)
        return response

    def _run(self, response: requests.Response, how: dict[str, Any]) -> requests.Response:
        flow, self._flow = self._flow, None
        if self._process is not this_process():  # prepared before a fork, and then each child sends it
            flow = None
        headers: Mapping[str, str] = {}
        try:
            if flow is None:  # an answer to a redirected or repeated request, whose signature was not for it
                if response.status_code != UNAUTHORIZED or not self._auth.resends:
                    return response
                flow = self._auth.flow(_outgoing(response.request))
                headers = next(flow)
            while True:
                headers = headers or flow.send(_answer(response))
                response = self._resend(response, headers, how)
                headers = {}
        except StopIteration:
            return response
        except BaseException:
            response.close()
            raise
        finally:
            if flow is not None:
                flow.close()

    def _resend(
        self, response: requests.Response, headers: Mapping[str, str], how: dict[str, Any]
    ) -> requests.Response:
        _drain(response)
        again = response.request.copy()
        _renew_cookies(again, response)
        again.headers.pop("Authorization", None)  # the next attempt may be one without
        again.headers.update(headers)
        if self._position is not None and again.body is not None:
            cast("IO[bytes]", again.body).seek(self._position)
        following: requests.Response = response.connection.send(again, **how)
        following.history = [*response.history, response]
        following.request = again
        return following

    def close(self) -> None:
        if self._flow is not None:
            self._flow.close()

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A request on its way")


def abandon(prepared: requests.PreparedRequest) -> None:
    """End the flow of a request that got no answer: its traceback may be kept, and others wait for its nonce."""
    for hook in prepared.hooks.get("response", []):
        if isinstance(hook, _Exchange):
            hook.close()


def _is_at(url: str | None, origin: str, base: str = "") -> bool:
    with tolerated(ValueError):
        return origin_of(urljoin(base, url or "")) == origin
    return False


def _outgoing(prepared: requests.PreparedRequest) -> Outgoing:
    # Not urlparse().path, which loses `;` (requests #6990). urllib3 writes percent escapes in upper case.
    target = _PERCENT.sub(lambda escape: escape[0].upper(), _ADAPTER.request_url(prepared, {}))
    return Outgoing(prepared.method or "GET", target, origin_of(prepared.url or ""))


def _answer(response: requests.Response) -> Answer:
    # requests joins repeated headers into one; urllib3 keeps them apart.
    headers = getattr(response.raw, "headers", None)
    return Answer(
        response.status_code, headers if isinstance(headers, HTTPHeaderDict) else HTTPHeaderDict(response.headers)
    )


def _position(body: Any) -> int | None:
    """Return the position of a file body, None for a body in memory; `UsageError` if it can be read only once."""
    if body is None or isinstance(body, (str, bytes, bytearray)):
        return None
    with tolerated(AttributeError, OSError, TypeError, ValueError):
        position = int(body.tell())
        body.seek(position)
        return position
    what = "The body of this request can be read only once, but authentication may have to send it twice."
    raise UsageError(what, remedy="Pass bytes, or a file that can be rewound.")


def _drain(response: requests.Response) -> None:
    """Read a refused answer to its end if that is near, so that its connection can be used again; else close it."""
    until = time.monotonic() + _DRAIN_S
    parts: list[bytes] = []
    left, part = _DRAIN_BYTES, b"-"
    with tolerated(HTTPError, OSError):
        while part and left > 0 and time.monotonic() < until:
            parts.append(part := response.raw.read1(left, decode_content=True))
            left -= len(part)
    if part:
        response.raw.close()  # else the rest of the body would be read as the next answer
    keep_body(response, b"".join(parts))
    response.close()  # urllib3 has taken a connection back already that was read to its end


def keep_body(response: requests.Response, body: bytes) -> None:
    """Make *body*, which was read already, the content of *response*; requests has no public way."""
    response._content, response._content_consumed = body, True  # type: ignore[attr-defined]  # noqa: SLF001


def _renew_cookies(again: requests.PreparedRequest, refused: requests.Response) -> None:
    """Send the cookies that came with the challenge: some servers tie the nonce to a session."""
    jar = again._cookies  # type: ignore[attr-defined]  # noqa: SLF001 - requests has no public way
    if jar is None or "Set-Cookie" not in refused.headers:
        return
    # requests writes a Cookie header only where there is none; one that was set by hand has to be kept.
    old = again.headers.pop("Cookie", "")
    from_jar = _pairs(get_cookie_header(jar, again))  # type: ignore[no-untyped-call]
    by_hand = [pair for pair in _pairs(old) if pair not in from_jar]
    extract_cookies_to_jar(jar, refused.request, refused.raw)  # type: ignore[no-untyped-call]
    bound_cookies(jar)
    pairs = [*by_hand, *_pairs(get_cookie_header(jar, again))]  # type: ignore[no-untyped-call]
    if pairs:
        again.headers["Cookie"] = "; ".join(pairs)


def bound_cookies(jar: CookieJar) -> None:
    """Forget the oldest cookies of *jar* beyond some kB: a server may set new ones with each answer, for ever."""
    left = _COOKIE_CHARS
    with jar._cookies_lock:  # type: ignore[attr-defined]  # noqa: SLF001 - as the jar itself does
        for cookie in reversed(list(jar)):
            left -= len(cookie.name) + len(cookie.value or "")
            if left < 0:
                jar.clear(cookie.domain, cookie.path, cookie.name)


def _pairs(cookies: str | None) -> list[str]:
    return [pair.strip() for pair in (cookies or "").split(";") if pair.strip()]
