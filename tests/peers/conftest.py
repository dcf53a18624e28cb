"""One running peer for each way it is configured, shared by the tests of this folder."""

from __future__ import annotations

import pytest
from peer_servers import apache, lighttpd, stop

USERS = {"robot": "made-up words", "jäsøn": "pässword €"}
KINDS = ["apache NcCheck Off", "apache NcCheck On", "apache NcCheck Off 2 s", "apache NcCheck On 2 s", "lighttpd"]


@pytest.fixture(scope="session", params=KINDS)
def peer(request, tmp_path_factory):
    """A server that speaks digest and knows USERS."""
    folder = tmp_path_factory.mktemp("peer")
    if request.param == "lighttpd":
        running = lighttpd(folder, USERS)
    else:
        words = request.param.split()
        running = apache(folder, USERS, nc_check=words[2], lifetime_s=2 if "2" in words else 300)
    yield running
    stop(running.process)
