"""
The process in which the local vendors run: `python -m vendorkit.local.server`.

One line of JSON comes in on standard input (which vendors, which switches), one goes out when all of them answer
(ports, the CA's certificate, credentials). So no secret stands among the process arguments or in a file. The process
ends when its input closes. All vendors share one event loop; each has its own port.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import secrets
import signal
import socket
import ssl
import string
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import trustme
import uvicorn

from vendorkit.local.server.checks import Vendor, application
from vendorkit.local.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

CA_NAME: Final = "vendorkit local test CA, trust it on loopback only"
KEEP_ALIVE_S: Final = 90  # longer than the pauses of a person at a notebook, and than the 60 s of common proxies
ALPHANUMERICS: Final = string.ascii_letters + string.digits


_MODULES: Final = {"sequence": "mediagenix.sequence"}


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals alone: several share this process, and its end needs no ceremony."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def make_credentials(names: list[str], settings: Settings) -> dict[str, dict[str, str]]:
    """Draw the credentials that each vendor will accept, by environment name."""
    # One robot user for both products: separate in the vendor's documents, shared in a third party's client.
    robot = {"MEDIAGENIX_ROBOT_USER": f"robot_{_draw(8)}", "MEDIAGENIX_ROBOT_PASSWORD": _draw(32)}
    made: dict[str, dict[str, str]] = {}
    for name in names:
        if name == "medipim":
            key_id = str(10_000_000 + secrets.randbelow(90_000_000))  # the vendor's are integers
            made[name] = {"MEDIPIM_API_KEY_ID": key_id, "MEDIPIM_API_KEY_SECRET": _draw(40)}
        elif name == "pledg":
            made[name] = _pledg_credentials(settings)
        else:
            made[name] = robot
    return made


def _pledg_credentials(settings: Settings) -> dict[str, str]:
    from vendorkit.local.pledg import api as pledg  # noqa: PLC0415  only where this vendor runs

    return {
        "PLEDG_API_KEY": f"key_{_draw(16)}",
        "PLEDG_API_SECRET": _draw(40),
        "PLEDG_DASHBOARD_EMAIL": f"{_draw(8).lower()}@shop.example",
        "PLEDG_DASHBOARD_PASSWORD": _draw(24),
        "PLEDG_MERCHANT_SECRET": _draw(40),
        **pledg.identities(settings),
    }


def _draw(length: int) -> str:
    return "".join(secrets.choice(ALPHANUMERICS) for _ in range(length))


async def serve(names: list[str], switches: Mapping[str, Any], ready: TextIO) -> None:
    """Serve the vendors until the process ends; write the ready line once all of them answer."""
    authority = trustme.CA(organization_name=CA_NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only: the server's own key passes through one of mode 600 for a moment,
    # the CA's never does.
    authority.issue_cert("127.0.0.1", "localhost", "::1").configure_cert(context)
    control_token = secrets.token_urlsafe(32)
    credentials = make_credentials(names, Settings(**switches))
    vendors, servers, runs = {}, [], []
    for name in names:
        listener = _listener()
        server, vendor = _server_for(name, Settings(**switches), credentials[name], listener, control_token)
        server.config.ssl = context
        servers.append(server)
        runs.append(asyncio.ensure_future(server.serve(sockets=[listener])))
        vendors[name] = {"port": vendor.port, "credentials": vendor.credentials}
    while not all(server.started for server in servers):  # noqa: ASYNC110  uvicorn tells of its start by a flag only
        await asyncio.sleep(0.005)
    told = {"vendors": vendors, "ca_pem": authority.cert_pem.bytes().decode(), "control_token": control_token}
    print(json.dumps(told), file=ready, flush=True)
    await asyncio.gather(*runs)


def _listener() -> socket.socket:
    # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named; else each answer of headers
    # and body in two pieces waits 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def _server_for(
    name: str, settings: Settings, credentials: Mapping[str, str], listener: socket.socket, control_token: str
) -> tuple[_Server, Vendor]:
    vendor = Vendor(
        module=importlib.import_module(f"vendorkit.local.{_MODULES.get(name, f'{name}.api')}"),
        settings=settings,
        credentials=credentials,
        port=listener.getsockname()[1],
        control_token=control_token,
    )
    config = uvicorn.Config(
        application(vendor),
        http="h11",  # one parser wherever it runs, also where a faster one happens to be installed
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    config.load()
    server = _Server(config)
    vendor.connections = server.server_state.connections
    return server, vendor


def _end_with_input() -> None:
    """Leave as soon as the parent closes our input, or dies. There is nothing to put in order first."""
    while sys.stdin.readline():
        pass
    os._exit(0)


def main() -> None:
    """Read the order, serve, and end with the input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a notebook's interrupt is not meant for the servers
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(serve(order["vendors"], order["settings"], sys.stdout))


if __name__ == "__main__":
    main()
