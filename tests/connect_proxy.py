"""A small HTTP proxy on loopback that knows CONNECT, leads every name to one server, and can be as wrong as needed."""

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
        port: Where it is.
        target: The port on loopback that tunnels lead to, whatever host is asked for.
        user: "user:password" that it asks for; empty for none.
        reply: What it answers to CONNECT, in place of opening a tunnel; called with the socket.
        heads: The CONNECT requests that it got.
        passed: What clients sent through its tunnels.
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
        """Answer one CONNECT, and pass bytes to and fro until one side ends."""
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
            back = threading.Thread(target=_pump, args=(server, client, None), daemon=True)
            back.start()
            _pump(client, server, self.passed)
            back.join(5)


def _pump(source: socket.socket, target: socket.socket, seen: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            if seen is not None:
                seen += part
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def connect_proxy(target: int, **how: object) -> Iterator[ConnectProxy]:
    """Run a proxy whose tunnels lead to *target*."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = ConnectProxy(listener.getsockname()[1], target, **how)

    def work(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            proxy.serve(client)

    with accepting(listener, work, threading.Event(), timeout_s=20):
        yield proxy
