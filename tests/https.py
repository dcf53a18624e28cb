"""Small HTTPS servers on loopback. Tests write the answer as raw bytes, so that it can be malformed in any way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import trustme

import vendorkit as vk
from vendorkit.auth import Basic
from vendorkit.http.call import Policy
from vendorkit.http.session import Session
from vendorkit.http.tls import Trust, local_trust
from vendorkit.settings import Redactor, Secret, Settings
from vendorkit.vendors.hosts import Endpoint
from vendorkit.vendors.registry import CLIENTS

Handler = Callable[[ssl.SSLSocket, bytes], None]
SECRET = "sentinel-Pa55word"
JSON = "Content-Type: application/json"
QUICK = Policy(read_timeout_s=1.0, deadline_s=1.5, attempts=2)


@dataclass
class RawServer:
    """A running server: its port, the CA that signed its certificate, and the requests that it received."""

    port: int
    ca_pem: str
    heads: list[bytes] = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        """Its origin."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def trust(self) -> Trust:
        """Trust in the server's CA."""
        return local_trust(self.ca_pem)


def authority(organisation: str = "Test CA") -> trustme.CA:
    """Return a certificate authority with this organisation name."""
    return trustme.CA(organization_name=organisation)


@contextlib.contextmanager
def raw_server(
    handler: Handler, *, ca: trustme.CA | None = None, leaf: trustme.LeafCert | None = None
) -> Iterator[RawServer]:
    """Serve each connection with *handler*, which receives the socket and each request's head."""
    ca = ca or authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (leaf or ca.issue_cert("127.0.0.1")).configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(listener.getsockname()[1], ca.cert_pem.bytes().decode())
    stopping = threading.Event()

    def serve(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as sock:
            while (head := read_head(sock)) and not stopping.is_set():
                server.heads.append(head)
                handler(sock, head)

    with accepting(listener, serve, stopping, timeout_s=10):
        yield server


@contextlib.contextmanager
def accepting(
    listener: socket.socket, serve: Callable[[socket.socket], None], stopping: threading.Event, *, timeout_s: float
) -> Iterator[None]:
    """Run *serve* in a new thread for each connection of *listener*; set *stopping* at the end."""

    def accept() -> None:
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                sock.settimeout(timeout_s)
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)


def read_head(sock: ssl.SSLSocket) -> bytes:
    """Read one request including its body, and return its head; empty when the connection ends."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += sock.recv(65536)
    return head


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Return a complete HTTP/1.1 answer. *length* announces a Content-Length that differs from the body's."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(reply: bytes) -> Handler:
    """Return a handler that answers every request with *reply*."""
    return lambda sock, head: sock.sendall(reply)


def session_of(server: RawServer, policy: Policy = QUICK, **options: Any) -> Session:
    """Return a session with Basic credentials on a raw server."""
    redactor = Redactor([SECRET], [("user", SECRET)])
    return Session(
        "Test",
        server.url,
        schemes={"default": Basic("user", SECRET)},
        trust=server.trust,
        redactor=redactor,
        policy=policy,
        **options,
    )


def client_of(server: RawServer, vendor: str, policy: Policy = QUICK) -> vk.Client:
    """Return a client of *vendor* with made-up credentials on a raw server."""
    kind = CLIENTS[vendor]
    values = {name: Secret("be" if name.endswith("COUNTRY") else SECRET) for name in kind.setting_names}
    settings = Settings(values, dict.fromkeys(values, "given"), "the test")
    return kind(Endpoint("local", server.url, server.trust), settings, policy=policy)
