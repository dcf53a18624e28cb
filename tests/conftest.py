"""Fixtures for all tests: mock servers, loopback as the only network, a clean environment, no secrets in logs."""

from __future__ import annotations

import base64
import logging
import os
import signal
import socket
from collections.abc import Iterator

import pytest

import vendorkit as vk
from vendorkit import local
from vendorkit.auth.flow import is_loopback

# A shell makes its background processes ignore SIGINT, and children inherit that. Some tests send SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

_VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
    "VENDORKIT_ENV_FILE",
    "VENDORKIT_PROXY",
    *(f"{name}{suffix}" for name in ("HTTP", "HTTPS", "ALL", "NO") for suffix in ("_PROXY",)),
)


@pytest.fixture(scope="session")
def servers() -> Iterator[local.LocalVendors]:
    """The mock servers of this test run."""
    with local.start() as running:
        yield running


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Remove this machine's CA, proxy and credential variables, and leave the folder that may have a .env."""
    for name in list(os.environ):
        if name.upper() in _VARIABLES or name.startswith(("MEDIPIM_", "PLEDG_", "MEDIAGENIX_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail every test that connects to another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(str(address[0])):  # type: ignore[index]
            message = f"a test tried to reach {address}"
            raise AssertionError(message)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def vendors(servers: local.LocalVendors, monkeypatch: pytest.MonkeyPatch, caplog) -> Iterator[local.LocalVendors]:
    """The mock servers with default switches and empty logs. `vk.connect` uses these."""
    monkeypatch.setattr(local, "shared", lambda *_: servers)
    servers.reset()
    caplog.set_level(logging.DEBUG)
    yield servers
    logged = caplog.text
    for name in servers:
        for variable, secret in servers[name].credentials.items():
            if variable.endswith(("SECRET", "PASSWORD", "KEY")):
                assert secret not in logged, f"{variable} is in a log"
                assert base64.b64encode(secret.encode()).decode().rstrip("=") not in logged


@pytest.fixture
def medipim(vendors: local.LocalVendors) -> vk.Client:
    """A fresh Medipim client on the mock server."""
    return vk.connect("medipim", environment="local")


@pytest.fixture
def pledg(vendors: local.LocalVendors) -> vk.Client:
    """A fresh Pledg client on the mock server."""
    return vk.connect("pledg", environment="local")


@pytest.fixture
def mediagenix(vendors: local.LocalVendors) -> vk.Client:
    """A fresh Mediagenix client on the mock server."""
    return vk.connect("mediagenix", environment="local")
