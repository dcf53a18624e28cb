"""One running peer for each way it is configured, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from peer_proxies import squid
from peer_python import cherrypy, httpbin
from peer_servers import USERS, apache, lighttpd, running

APACHES = ["apache NcCheck Off", "apache NcCheck On", "apache NcCheck Off 2 s", "apache NcCheck On 2 s"]
KINDS = [*APACHES, "lighttpd", *(pytest.param(name, marks=pytest.mark.faults) for name in ("squid", "cherrypy"))]


@pytest.fixture(scope="session", params=KINDS)
def peer(request):
    """A server that speaks digest and knows USERS."""
    # Not pytest's folder: every run of pytest closes that to other users, Apache's among them.
    with TemporaryDirectory(prefix="vendorkit-peer-") as name, _running(request.param, Path(name)) as peer:
        yield peer


def _running(kind, folder):
    if kind == "squid":
        return squid(folder, USERS)
    if kind in {"lighttpd", "cherrypy"}:
        return running({"lighttpd": lighttpd, "cherrypy": cherrypy}[kind](folder, USERS))
    words = kind.split()
    return running(apache(folder, USERS, nc_check=words[2], lifetime_s=2 if "2" in words else 300))


@pytest.fixture(scope="session")
def bin_peer():
    """A running httpbin."""
    with TemporaryDirectory(prefix="vendorkit-peer-") as name, running(httpbin(Path(name))) as peer:
        yield peer
