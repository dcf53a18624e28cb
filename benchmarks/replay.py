"""
A server of recorded answers, each after a latency: `python -m benchmarks.replay FILE`.

The mock servers compute their answers, and that time would count as the network's. Here it is spent beforehand. The
file is a pickle of `Recorded`; one line of JSON says which port has which latency; the server ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from benchmarks.harness import ROOT
from vendorkit.http.exchanges import Exchange


@dataclass
class Recorded:
    """Answers by `key`; the origin in their links; certificate and key in one PEM text; latencies in seconds."""

    answers: dict[str, bytes]
    origin: str
    pem: bytes
    latencies: tuple[float, ...]


def key(method: str, target: str, accept: str, body: bytes) -> str:
    """Return what makes two requests the same: without regard to the order of members, or to authentication."""
    content = json.dumps(json.loads(body), sort_keys=True) if body else ""
    return f"{method} {target} {'xml' if 'xml' in accept else 'json'} {content}"


def answers(exchanges: list[Exchange], origin: str) -> dict[str, bytes]:
    """Return the whole answers of exchanges whose bodies were kept."""
    return {
        key(one.method, one.url.removeprefix(origin), one.sent["Accept"], one.body.sent): one.body.start
        for one in exchanges
        if one.status == 200
    }


@contextmanager
def serving(found: dict[str, bytes], origin: str, folder: Path, latencies: tuple[float, ...]) -> Iterator[Any]:
    """Serve recorded answers by another process; give the CA as a PEM text and the port of each latency."""
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1")
    pem = leaf.private_key_pem.bytes() + b"".join(part.bytes() for part in leaf.cert_chain_pems)
    file = folder / "recorded.pickle"
    file.write_bytes(pickle.dumps(Recorded(found, origin, pem, latencies)))
    command = [sys.executable, "-m", "benchmarks.replay", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ports = json.loads(process.stdout.readline())
            yield ca.cert_pem.bytes().decode(), dict(zip(latencies, ports, strict=True))
        finally:
            process.stdin.close()


async def _serve(recorded: Recorded) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = Path(sys.argv[1]).with_suffix(".pem")
    file.write_bytes(recorded.pem)
    context.load_cert_chain(file)
    ports = []
    for latency in recorded.latencies:
        prepared: dict[str, bytes] = {}
        server = await asyncio.start_server(_handler(prepared, latency), "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        for name, answer in recorded.answers.items():
            body = answer.replace(recorded.origin.encode(), f"https://127.0.0.1:{ports[-1]}".encode())
            prepared[name] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _handler(prepared: dict[str, bytes], latency: float) -> Any:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await asyncio.sleep(latency)
                method, target, _ = head[0].split(" ")
                missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                writer.write(prepared.get(key(method, target, headers.get("accept", ""), body), missing))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            writer.close()

    return handle


if __name__ == "__main__":
    asyncio.run(_serve(pickle.loads(Path(sys.argv[1]).read_bytes())))  # noqa: S301 - written by the benchmark itself
