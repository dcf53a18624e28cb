"""
The tunnel through an HTTP proxy, opened with CONNECT (RFC 9110 section 9.3.6).

TLS runs through it, between client and vendor, so that the proxy sees only a host name and a port. The proxy's
credentials are in the CONNECT request and nowhere else.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import ExitStack
from typing import Final

from urllib3.connection import HTTPConnection
from urllib3.util.connection import create_connection

from vendorkit.auth.interrupts import from_outside
from vendorkit.errors import ProxyError
from vendorkit.http.proxy import Proxy

_HEAD_LIMIT_BYTES: Final = 1 << 16
_WITHOUT: Final = 'connect without it: connect(..., proxy="")'


def open_tunnel(proxy: Proxy, host: str, port: int, timeout_s: float) -> socket.socket:
    """
    Return a socket that is connected to *host* through *proxy*.

    Raises:
        ProxyError: No tunnel was opened within *timeout_s* seconds; the message names the proxy and what to do.
    """
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = HTTPConnection.default_socket_options
    with ExitStack() as stack:
        failure = "could not be reached"
        try:
            sock = stack.enter_context(create_connection((proxy.host, proxy.port), timeout_s, socket_options=options))
            failure = "closed the connection"
            sock.sendall(_request(proxy, target))
            error = _refusal(_read_head(sock, timeout_s), proxy, target)
        except (OSError, ValueError) as exc:  # ValueError: a host name that cannot be encoded
            if from_outside(exc) is not None:
                raise
            failure = "did not respond in time" if isinstance(exc, TimeoutError) else failure
            predicate = f"{failure} ({type(exc).__name__}): no tunnel to {target}"
            error = _error(proxy, predicate, f"Check its address and the network, or {_WITHOUT}.")
        if error is not None:
            # Raised outside the handler, because `failures` takes the innermost cause as the error.
            raise error
        sock.settimeout(timeout_s)
        stack.pop_all()
        return sock


def _error(proxy: Proxy, predicate: str, remedy: str, status: int | None = None) -> ProxyError:
    return ProxyError(f"{proxy.words[:1].upper()}{proxy.words[1:]} {predicate}.", remedy=remedy, status=status)


def _request(proxy: Proxy, target: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: vendorkit"]
    if proxy.credentials is not None:
        lines.append(f"Proxy-Authorization: {proxy.credentials.reveal()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _read_head(sock: socket.socket, timeout_s: float) -> str:
    """Read the proxy's response up to its empty line, and no byte more: TLS with the vendor follows."""
    until, head, byte = time.monotonic() + timeout_s, bytearray(), b"-"
    while byte and len(head) < _HEAD_LIMIT_BYTES:
        sock.settimeout(max(until - time.monotonic(), 0.001))  # 0 would mean not to wait for data that is on its way
        head += (byte := sock.recv(1))
        if head.endswith((b"\r\n\r\n", b"\n\n")):
            if not re.match(rb"HTTP/1\.\d 1\d\d\b", head):
                return head.decode("latin-1")
            head.clear()  # an interim response
    return ""


def _refusal(head: str, proxy: Proxy, target: str) -> ProxyError | None:
    """Return the error that the proxy's response reports, or None if the tunnel is open."""
    match = re.match(r"HTTP/1\.\d (\d{3})", head)
    status = int(match[1]) if match else None
    if status is not None and 200 <= status < 300:
        return None
    if status is None:
        return _error(proxy, "does not respond as an HTTP proxy", f"Check host and port, or {_WITHOUT}.")
    if status == 407:
        offered = re.findall(r"(?im)^proxy-authenticate:[ \t]*([a-z-]+)(.*)", head)
        predicate = f"{'requires' if proxy.credentials is None else 'refused'} user and password (HTTP 407)"
        remedy = "Write them into its address, http://user:password@host:port."
        if offered and not re.search(r"\bbasic\b", str(offered).lower()):
            remedy = (
                f"It accepts {', '.join(name for name, _ in offered)} but not Basic: use a local proxy, px or cntlm."
            )
    elif status >= 500:
        predicate = f"could not reach {target} (HTTP {status})"
        remedy = "Try again later. If the error persists, ask the proxy's administrator."
    else:
        predicate = f"does not allow connections to {target} (HTTP {status})"
        remedy = f"Ask the proxy's administrator to allow it, or {_WITHOUT}."
    return _error(proxy, predicate, remedy, status)
