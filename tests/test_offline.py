"""The tests reach this machine alone, and nothing of the environment that started them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import requests


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("vendor.example", 443)])
def test_other_machine_cannot_be_reached(address):
    """Promise 9: by address or by name; 192.0.2.1 belongs to nobody (RFC 5737)."""
    with socket.socket() as one, pytest.raises(AssertionError, match="tried to reach"):
        one.connect(address)


def test_environment_is_clean():
    """Promise 9: no bundle, proxy, .netrc or credential of the machine, and an empty folder to be in."""
    named = ("_PROXY", "_CA_BUNDLE", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR")
    ours = ("MEDIPIM_", "PLEDG_", "MEDIAGENIX_")
    left = [name for name in os.environ if name.upper().endswith(named) or name.startswith(ours)]
    assert [name for name in left if name not in {"AWS_CA_BUNDLE", "NIX_SSL_CERT_FILE"}] == []  # not read by requests
    assert requests.utils.getproxies() == {}
    assert not list(Path.cwd().iterdir())
