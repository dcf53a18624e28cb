"""Servers of the authentication tests, closed at the end of each test."""

from __future__ import annotations

import pytest
from auth_servers import DigestServer, TokenServer, WebServer
from token_helpers import Clock


@pytest.fixture
def serve():
    """Return a function that starts a server of the given class."""
    running: list[WebServer] = []

    def start(kind: type[WebServer] = WebServer, **how):
        running.append(kind(**how))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def digest_server(serve):
    """Return a function that starts a digest server with the given rules."""
    return lambda **rules: serve(DigestServer, **rules)


@pytest.fixture
def token_server(serve):
    """A running token server."""
    return serve(TokenServer)


@pytest.fixture
def clock():
    """A clock that only moves when the test moves it."""
    return Clock()
