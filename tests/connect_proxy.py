"""A small HTTP proxy on loopback that supports CONNECT, leads every host name to one server, and can misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.https import accepting

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class ConnectProxy:
    """
    A running proxy.

    Attributes:
        port: Its port on loopback.
        target: The port on loopback that tunnels lead to, whatever host the client names.
        user: The "user:password" that it requires; empty if it requires none.
        reply: Called with the socket to answer CONNECT without opening a tunnel.
        greeting: The bytes that it sends once a tunnel is open.
        heads: The CONNECT requests that it received.
        passed: The bytes that clients sent through its tunnels.
    """

    port: int
    target: int
    user: str = ""
    reply: Callable[[socket.socket], None] | None = None
    greeting: bytes = OPEN
    heads: list[bytes] = field(default_factory=list)
    passed: bytearray = field(default_factory=bytearray)

    @property
    def url(self) -> str:
        """Its address, without credentials."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url_with_user(self) -> str:
        """Its address, with credentials."""
        return f"http://{self.user}@127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """Answer one CONNECT and pass bytes both ways until one side closes."""
        head = b""
        while b"\r\n\r\n" not in head and (part := client.recv(65536)):
            head += part
        self.heads.append(head)
        if self.reply is not None:
            self.reply(client)
            return
        wanted = b"Proxy-Authorization: Basic " + b64encode(self.user.encode())
        if self.user and wanted not in head:
            client.sendall(b'HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm="made up"\r\nContent-Length: 0\r\n\r\n')
            return
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            client.sendall(self.greeting)
            downstream = threading.Thread(target=_pump, args=(server, client, None), daemon=True)
            downstream.start()
            _pump(client, server, self.passed)
            downstream.join(5)


def _pump(source: socket.socket, target: socket.socket, record: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            if record is not None:
                record += part
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def connect_proxy(target: int, **options: object) -> Iterator[ConnectProxy]:
    """Run a proxy whose tunnels lead to *target*; *options* are other attributes of `ConnectProxy`."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = ConnectProxy(listener.getsockname()[1], target, **options)

    def work(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            proxy.serve(client)

    with accepting(listener, work, threading.Event(), timeout_s=20):
        yield proxy
