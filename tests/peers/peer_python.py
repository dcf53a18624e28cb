"""Digest servers in Python that others wrote: CherryPy, which knows users beyond ASCII, and httpbin, with cookies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from peer_servers import Peer, launch

PACKAGES = Path(__file__).parents[2] / "build" / "peers"
CHERRYPY = """
import sys
sys.path.insert(0, {packages!r})
import cherrypy
from cherrypy.lib import auth_digest

class Root:
    @cherrypy.expose
    def default(self, *path, **query):
        return "ok"

cherrypy.config.update({{
    "server.socket_host": "127.0.0.1", "server.socket_port": {port}, "server.thread_pool": 16,
    "engine.autoreload.on": False, "log.screen": False,
}})
cherrypy.quickstart(Root(), "/", {{"/": {{
    "tools.auth_digest.on": True,
    "tools.auth_digest.realm": {realm!r},
    "tools.auth_digest.get_ha1": auth_digest.get_ha1_dict_plain({users!r}),
    "tools.auth_digest.key": "made up",
    "tools.auth_digest.accept_charset": "UTF-8",
}}}})
"""
HTTPBIN = """
import sys
sys.path.insert(0, {packages!r})
from httpbin import app
app.run("127.0.0.1", {port}, threaded=True)
"""


def cherrypy(folder: Path, users: dict[str, str]) -> Peer:
    """Start CherryPy with its tool `auth_digest`."""
    return _launch(CHERRYPY, folder, users=users)


def httpbin(folder: Path) -> Peer:
    """Start httpbin on Flask; its users stand in the address."""
    return _launch(HTTPBIN, folder)


def _launch(source: str, folder: Path, **values: object) -> Peer:
    if not PACKAGES.exists():
        pytest.skip("build/peers is not there; `make faults` installs it")
    return launch(source, folder, [sys.executable], packages=str(PACKAGES), **values)
