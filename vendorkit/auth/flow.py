"""
Authentication schemes for requests: send, look at the response, and send again if the scheme wants to.

A scheme is a generator without any I/O. `FlowAuth` runs it as a `requests.auth.AuthBase`: it sets the headers that the
generator yields, passes it each response, and sends again as long as it yields more. The state of one request lives in
its generator; only state shared between requests needs a lock.
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
from urllib3.util import parse_url

from vendorkit.auth.forks import this_process
from vendorkit.auth.interrupts import shielded, tolerated
from vendorkit.errors import UsageError
from vendorkit.settings import refuse_pickling

UNAUTHORIZED: Final = 401
_DRAIN_BYTES: Final = 65_536
_DRAIN_S: Final = 1.0  # a longer wait might outlive the new nonce
_COOKIE_CHARS: Final = 4096  # of all cookies together; servers accept 8 kB of headers
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_PERCENT: Final = re.compile("%[0-9a-fA-F]{2}")
_ADAPTER: Final = HTTPAdapter()  # never sends; writes the request line as this version of requests does


@dataclass(frozen=True)
class Outgoing:
    """The parts of a request that a scheme may sign: method, request target byte for byte, and origin."""

    method: str
    uri: str
    origin: str


@dataclass(frozen=True)
class Answer:
    """The parts of a response that a scheme may read: status, and headers, with repeated ones kept apart."""

    status: int
    headers: HTTPHeaderDict


Flow = Generator[Mapping[str, str], Answer, None]


def origin_of(url: str) -> str:
    """
    Return scheme, host and port of *url* as one string, without default ports (RFC 6454 section 6.2).

    Raises:
        UsageError: The URL contains a user name or password, or its host or port is not valid.
    """
    host = None
    with tolerated(ValueError, TypeError):  # TypeError if it is not a string
        parts = urlsplit(url)
        port, name = parts.port, None if "@" in parts.netloc else parts.hostname
        # As it will be sent. In an error, letters of other alphabets might look like the vendor's.
        host = name if name is None or name.isascii() else parse_url(f"//{name}").host
    if not host:
        what = "The URL contains a user name or password, or its host or port is not valid."
        raise UsageError(what, remedy="Write it as https://host/path, and pass credentials separately.")
    host = f"[{host}]" if ":" in host else host
    suffix = "" if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine: a loopback address or the name localhost."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


class FlowAuth(AuthBase):
    """
    Base of the schemes: runs `flow` for every request.

    Attributes:
        resends: Whether a flow may send a request twice. The request's body must then be readable twice.
        portable: Whether credentials are kept on a redirect within their origin. If not, they are valid for one target
            only: they are removed, and the redirected request is signed again when the server challenges it.
    """

    resends: ClassVar[bool] = True
    portable: ClassVar[bool] = False

    def flow(self, request: Outgoing) -> Flow:
        """Yield the headers of each attempt to send *request* and receive its `Answer`; return when done."""
        raise NotImplementedError

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """
        Sign *prepared*, and handle the responses to it.

        Raises:
            UsageError: The scheme may have to send the body twice, but it can be read only once. Nothing was sent.
            VendorkitError: The scheme cannot sign the request.
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
    """The response hook of one request: passes responses to its flow, but only those from the request's origin."""

    def __init__(self, auth: FlowAuth, origin: str, flow: Flow, position: int | None) -> None:
        self._auth, self._origin, self._position = auth, origin, position
        self._flow: Flow | None = flow
        self._process = this_process()

    def __call__(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        # requests copies hooks to redirected requests: a challenge from another origin must stay unanswered.
        sent = response.request
        if not _has_origin(sent.url, self._origin):
            return response
        response = shielded(lambda: self._run(response, kwargs))
        # requests keeps the header on redirects from http to https on the same host, and within the origin.
        keeps_header = self._auth.portable and _has_origin(response.headers.get("Location"), self._origin, response.url)
        if response.is_redirect and not keeps_header:
            sent.headers.pop("Authorization", None)
        return response

    def _run(self, response: requests.Response, kwargs: dict[str, Any]) -> requests.Response:
        flow, self._flow = self._flow, None
        if self._process is not this_process():  # prepared before a fork, so that several children may send it
            flow = None
        try:
            if flow is None:  # a redirected or repeated request, which the first request's signature does not fit
                if response.status_code != UNAUTHORIZED or not self._auth.resends:
                    return response
                flow = self._auth.flow(_outgoing(response.request))
                headers = next(flow)
            else:
                headers = flow.send(_answer(response))
            while True:
                response = self._resend(response, headers, kwargs)
                headers = flow.send(_answer(response))
        except StopIteration:
            return response
        except BaseException:
            response.close()
            raise
        finally:
            if flow is not None:
                flow.close()

    def _resend(
        self, response: requests.Response, headers: Mapping[str, str], kwargs: dict[str, Any]
    ) -> requests.Response:
        _drain(response)
        request = response.request.copy()
        _renew_cookies(request, response)
        request.headers.pop("Authorization", None)  # the next attempt may have none
        request.headers.update(headers)
        if self._position is not None and request.body is not None:
            cast("IO[bytes]", request.body).seek(self._position)
        next_response: requests.Response = response.connection.send(request, **kwargs)
        next_response.history = [*response.history, response]
        next_response.request = request
        return next_response

    def close(self) -> None:
        if self._flow is not None:
            self._flow.close()

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A request in flight")


def abandon(prepared: requests.PreparedRequest) -> None:
    """End the flow of a request without a response: a kept traceback may hold it, and others wait for its nonce."""
    for hook in prepared.hooks.get("response", []):
        if isinstance(hook, _Exchange):
            hook.close()


def _has_origin(url: str | None, origin: str, base: str = "") -> bool:
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
    what = "The request's body can be read only once, but authentication may have to send it twice."
    raise UsageError(what, remedy="Pass bytes, or a file that can be rewound.")


def _drain(response: requests.Response) -> None:
    """Read the rest of a refused response if it is short, so that its connection can be reused; else close it."""
    until = time.monotonic() + _DRAIN_S
    parts: list[bytes] = []
    remaining, part = _DRAIN_BYTES, b"-"
    with tolerated(HTTPError, OSError):
        while part and remaining > 0 and time.monotonic() < until:
            parts.append(part := response.raw.read1(remaining, decode_content=True))
            remaining -= len(part)
    if part:
        response.raw.close()  # otherwise the rest of the body would be read as the next response
    set_content(response, b"".join(parts))
    response.close()  # if the body was read to its end, urllib3 has already reclaimed the connection


def set_content(response: requests.Response, body: bytes) -> None:
    """Set *body*, which was already read, as the content of *response*; requests has no public way."""
    response._content, response._content_consumed = body, True  # type: ignore[attr-defined]  # noqa: SLF001


def _renew_cookies(request: requests.PreparedRequest, refused: requests.Response) -> None:
    """Send the cookies that came with the challenge: some servers tie the nonce to a session."""
    jar = request._cookies  # type: ignore[attr-defined]  # noqa: SLF001 - requests has no public way
    if jar is None or "Set-Cookie" not in refused.headers:
        return
    # requests writes a Cookie header only if there is none; cookies that the caller set by hand must be kept.
    old = request.headers.pop("Cookie", "")
    from_jar = get_cookie_header(jar, request) or ""  # type: ignore[no-untyped-call]
    by_hand = old.removesuffix(from_jar).rstrip("; ")
    extract_cookies_to_jar(jar, refused.request, refused.raw)  # type: ignore[no-untyped-call]
    limit_cookies(jar)
    cookies = [by_hand, get_cookie_header(jar, request)]  # type: ignore[no-untyped-call]
    if any(cookies):
        request.headers["Cookie"] = "; ".join(filter(None, cookies))


def limit_cookies(jar: CookieJar) -> None:
    """Delete the oldest cookies of *jar* beyond a few kB: a server may set new ones with every response."""
    remaining = _COOKIE_CHARS
    with jar._cookies_lock:  # type: ignore[attr-defined]  # noqa: SLF001 - as the jar itself does
        for cookie in reversed(list(jar)):
            remaining -= len(cookie.name) + len(cookie.value or "")
            if remaining < 0:
                jar.clear(cookie.domain, cookie.path, cookie.name)
