"""
The process in which the mock servers run: `python -m vendorkit.local.server`.

It reads one line of JSON from standard input (which vendors, which switches) and writes one when all servers answer
(ports, the CA's certificate, credentials), so that no secret is in the process arguments or in a file. It exits when
its input closes. All servers share one event loop; each has its own port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import ssl
import string
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final, TextIO

import trustme
import uvicorn

from vendorkit.local.mediagenix import library, sequence
from vendorkit.local.medipim import api as medipim
from vendorkit.local.pledg import api as pledg
from vendorkit.local.server.checks import application
from vendorkit.local.server.settings import Settings
from vendorkit.local.server.vendor import Vendor

CA_NAME: Final = "vendorkit local test CA, trust it on loopback only"
KEEP_ALIVE_S: Final = 90  # longer than the pauses of a notebook user, and than the 60 s of common proxies
ALPHANUMERICS: Final = string.ascii_letters + string.digits

# All are imported even if only one is started: that costs 0.1 s, and by default all are started.
APIS: Final = {"medipim": medipim.Api, "pledg": pledg.Api, "mediagenix": library.Api, "sequence": sequence.Api}


class _Server(uvicorn.Server):
    """A uvicorn server without signal handlers: several servers share this process, which may be killed at any time."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


def make_credentials(names: list[str], settings: Settings) -> dict[str, dict[str, str]]:
    """Return new random credentials for each mock server, by environment name."""
    # `base64`, which the vendors' own examples call, breaks long lines: user and password together fit into one line.
    # Both products of Mediagenix share one robot user, as in a third party's client. The vendor's documents have two.
    robot = {"MEDIAGENIX_ROBOT_USER": f"robot_{_random_text(8)}", "MEDIAGENIX_ROBOT_PASSWORD": _random_text(32)}
    key_id = str(10_000_000 + secrets.randbelow(90_000_000))  # an integer, as at the vendor
    credentials = {
        "medipim": {"MEDIPIM_API_KEY_ID": key_id, "MEDIPIM_API_KEY_SECRET": _random_text(40)},
        "pledg": {
            "PLEDG_API_KEY": f"key_{_random_text(16)}",
            "PLEDG_API_SECRET": _random_text(32),
            "PLEDG_DASHBOARD_EMAIL": f"{_random_text(8).lower()}@shop.example",
            "PLEDG_DASHBOARD_PASSWORD": _random_text(24),
            "PLEDG_MERCHANT_SECRET": _random_text(40),
            **pledg.identities(settings),
        },
        "mediagenix": robot,
        "sequence": robot,
    }
    return {name: credentials[name] for name in names}


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHANUMERICS) for _ in range(length))


async def serve(names: list[str], switches: Mapping[str, Any], ready: TextIO) -> None:
    """Serve until the process ends; write the ready line once all servers answer."""
    authority = trustme.CA(organization_name=CA_NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only: trustme writes the server's key to a file of mode 600 and deletes it.
    # The CA's key is never written.
    authority.issue_cert("127.0.0.1", "localhost", "::1").configure_cert(context)
    control_token, credentials = secrets.token_urlsafe(32), make_credentials(names, Settings(**switches))
    vendors, servers, tasks = dict[str, Vendor](), [], []
    for name in names:
        listener = _listener()
        port = listener.getsockname()[1]
        vendors[name] = Vendor(APIS[name], Settings(**switches), credentials[name], port, control_token, vendors)
        servers.append(_server_for(vendors[name], context))
        tasks.append(asyncio.ensure_future(servers[-1].serve(sockets=[listener])))
    while not all(server.started for server in servers):  # noqa: ASYNC110  uvicorn reports its start only by a flag
        await asyncio.sleep(0.005)
    addresses = {name: {"port": vendor.port, "credentials": vendor.credentials} for name, vendor in vendors.items()}
    ready_line = {"vendors": addresses, "ca_pem": authority.cert_pem.bytes().decode(), "control_token": control_token}
    print(json.dumps(ready_line), file=ready, flush=True)
    await asyncio.gather(*tasks)


def _listener() -> socket.socket:
    # asyncio sets TCP_NODELAY only if the protocol is given. Without it, an answer whose headers and body are sent
    # separately waits 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def _server_for(vendor: Vendor, context: ssl.SSLContext) -> _Server:
    config = uvicorn.Config(
        application(vendor),
        http="h11",  # the same parser on every machine, even if a faster one is installed
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    config.load()
    config.ssl = context
    server = _Server(config)
    vendor.connections = server.server_state.connections
    return server


def _exit_at_end_of_input() -> None:
    """Exit when the parent closes standard input or dies. Nothing needs to be cleaned up."""
    while sys.stdin.readline():
        pass
    os._exit(0)


def main() -> None:
    """Read the configuration from standard input, serve, and exit when the input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a notebook's interrupt must not stop the servers
    config = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    asyncio.run(serve(config["vendors"], config["settings"], sys.stdout))


if __name__ == "__main__":
    main()
