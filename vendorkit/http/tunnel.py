"""
The tunnel through an HTTP proxy, asked for by CONNECT (RFC 9110 section 9.3.6).

TLS is spoken with the vendor through it, so that the proxy sees a host name and a port. The proxy's credentials are in
the CONNECT request and nowhere else.
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
from vendorkit.deadline import SLICE_S, current_deadline
from vendorkit.errors import ProxyError, VendorkitError
from vendorkit.http.proxy import Proxy

_HEAD_LIMIT_BYTES: Final = 1 << 16
_WITHOUT: Final = 'go without it: connect(..., proxy="")'


def open_tunnel(proxy: Proxy, host: str, port: int, timeout_s: float) -> socket.socket:
    """
    Connect to *host* through *proxy*; what is sent on the socket that is returned goes to the host.

    Raises:
        ProxyError: There is no tunnel within *timeout_s* seconds; the message names the proxy and what to do.
        Cancelled, DeadlineExceeded: The call that waits has ended.
    """
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = HTTPConnection.default_socket_options
    with ExitStack() as stack:
        failure = "is not reached"
        try:
            sock = stack.enter_context(create_connection((proxy.host, proxy.port), timeout_s, socket_options=options))
            failure = "broke off"
            sock.sendall(_request(proxy, target))
            error = _refusal(_read_head(sock, timeout_s), proxy, target)
        except VendorkitError:
            raise
        except (OSError, ValueError) as exc:  # a ValueError comes of a host name that cannot be encoded
            if from_outside(exc) is not None:
                raise
            late = failure == "broke off" and isinstance(exc, TimeoutError)
            failure = f"{'did not answer in time' if late else failure} ({type(exc).__name__})"
            error = _error(
                proxy, f"{failure}: no tunnel to {target}", f"Check its address and the network, or {_WITHOUT}."
            )
        if error is not None:
            # Raised here and without the handler's exception: what looks for the cause of a failure has to find this.
            raise error
        sock.settimeout(timeout_s)
        stack.pop_all()
        return sock


def _error(proxy: Proxy, said: str, remedy: str, status: int | None = None) -> ProxyError:
    return ProxyError(f"{proxy.words[:1].upper()}{proxy.words[1:]} {said}.", remedy=remedy, status=status)


def _request(proxy: Proxy, target: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: vendorkit"]
    if proxy.credentials is not None:
        lines.append(f"Proxy-Authorization: {proxy.credentials.reveal()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _read_head(sock: socket.socket, timeout_s: float) -> str:
    """Read the proxy's answer up to its empty line, and nothing of what follows: that is TLS with the vendor."""
    until, deadline, head = time.monotonic() + timeout_s, current_deadline(), bytearray()
    while len(head) < _HEAD_LIMIT_BYTES:
        if deadline is not None:
            deadline.check()
        left = until - time.monotonic()
        if left <= 0:
            message = "no answer to CONNECT"
            raise TimeoutError(message)
        sock.settimeout(min(left, SLICE_S))
        try:
            byte = sock.recv(1)
        except TimeoutError as exc:
            if from_outside(exc) is not None:
                raise
            continue
        head += byte
        if not byte:
            break
        if head.endswith((b"\r\n\r\n", b"\n\n")):
            text = head.decode("latin-1")
            interim = re.match(r"HTTP/1\.\d 1\d\d\b", text)
            return _read_head(sock, until - time.monotonic()) if interim else text
    return ""


def _refusal(head: str, proxy: Proxy, target: str) -> ProxyError | None:
    """Return the error that the proxy's answer means, or None if the tunnel is open."""
    found = re.match(r"HTTP/1\.\d (\d{3})", head)
    status = int(found[1]) if found else None
    if status is not None and 200 <= status < 300:
        return None
    if status is None:
        return _error(proxy, "does not answer as an HTTP proxy", f"Check host and port, or {_WITHOUT}.")
    if status == 407:
        asked = sorted(set(re.findall(r"(?im)^proxy-authenticate:[ \t]*([A-Za-z-]+)", head)))
        said = f"{'asks for' if proxy.credentials is None else 'refused'} user and password (HTTP 407)"
        remedy = "Write them into its address, http://user:password@host:port."
        if asked and "basic" not in map(str.lower, asked):
            remedy = (
                f"It takes {', '.join(asked)} and not Basic: run a helper such as px or cntlm, and give its address."
            )
    elif status >= 500:
        said = f"could not reach {target} (HTTP {status})"
        remedy = "Try again later; if it stays, ask those who run the proxy."
    else:
        said = f"does not allow connections to {target} (HTTP {status})"
        remedy = f"Ask those who run the proxy to allow it, or {_WITHOUT}."
    return _error(proxy, said, remedy, status)
