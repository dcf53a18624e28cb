"""One running peer for each way it is configured, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from peer_servers import apache, lighttpd, stop

USERS = {"robot": "made-up words", "jäsøn": "pässword €"}
KINDS = ["apache NcCheck Off", "apache NcCheck On", "apache NcCheck Off 2 s", "apache NcCheck On 2 s", "lighttpd"]


@pytest.fixture(scope="session", params=KINDS)
def peer(request):
    """A server that speaks digest and knows USERS."""
    # Not pytest's folder: every run of pytest closes that to other users, Apache's among them.
    with TemporaryDirectory(prefix="vendorkit-peer-") as name:
        if request.param == "lighttpd":
            running = lighttpd(Path(name), USERS)
        else:
            words = request.param.split()
            running = apache(Path(name), USERS, nc_check=words[2], lifetime_s=2 if "2" in words else 300)
        yield running
        stop(running.process)
