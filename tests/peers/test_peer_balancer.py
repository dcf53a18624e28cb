"""Our Digest behind a balancer: two Apaches that know nothing of each other's nonces, and nginx in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests
from peer_proxies import NGINX_HEAD
from peer_servers import USERS, Peer, apache, launch, require, running, stop

from vendorkit.auth import Digest
from vendorkit.errors import CredentialsRefused, VendorUnavailable

pytestmark = pytest.mark.peer
NGINX = (
    NGINX_HEAD
    + """\
    upstream both {{
        {choice}
        server 127.0.0.1:{first} max_fails=1 fail_timeout=60s;
        server 127.0.0.1:{second} max_fails=1 fail_timeout=60s;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://both; }}
    }}
}}
"""
)


@dataclass
class Balanced:
    """What is balanced: the address in front, and the two servers behind."""

    url: str
    servers: list[Peer]


@contextmanager
def balanced(choice: str) -> Iterator[Balanced]:
    """Start two Apaches, and nginx that chooses between them by *choice*; in turn where that is empty."""
    program = require("nginx")
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(TemporaryDirectory(prefix="vendorkit-peer-"))) for _ in range(3)]
        servers = [
            stack.enter_context(running(apache(folder, USERS, nc_check="Off", lifetime_s=300)))
            for folder in folders[:2]
        ]
        folders[2].chmod(0o755)
        first, second = (server.url.rpartition(":")[2] for server in servers)
        command = [program, "-e", f"{folders[2]}/error.log", "-c"]
        front = launch(NGINX, folders[2], command, user="", choice=choice, first=first, second=second)
        yield Balanced(stack.enter_context(running(front)).url, servers)


def get(session: requests.Session, url: str, auth: Digest) -> int:
    """GET, and return the status."""
    return session.get(f"{url}/index.html", auth=auth, timeout=10).status_code


def test_servers_in_turn_that_share_no_nonces_are_a_typed_error_that_is_not_remembered():
    """A38: the password is right, each server calls the other's nonce stale; once one of them is gone, all is well."""
    auth = Digest("robot", "made-up words")
    with balanced("") as both, requests.Session() as session:
        for _ in range(2):
            with pytest.raises(VendorUnavailable, match="share their nonces"):
                get(session, both.url, auth)
        stop(both.servers[1].process)
        assert [get(session, both.url, auth) for _ in range(3)] == [200, 200, 200]


def test_servers_that_keep_to_a_connection_serve_many_threads():
    """A38: the nonce that the threads share is good at one of the two; at the other it costs a challenge, no error."""
    auth = Digest("robot", "made-up words")
    with balanced("hash $connection;") as both:

        def work(_: int) -> list[int]:
            with requests.Session() as session:
                return [get(session, both.url, auth) for _ in range(15)]

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(8))) == [[200] * 15] * 8


def test_wrong_password_is_still_refused_behind_a_balancer():
    """A38: by the first server that knows the nonce; and then it is not tried again."""
    auth = Digest("robot", "wrong words")
    with balanced("hash $connection;") as both, requests.Session() as session:
        for _ in range(2):
            with pytest.raises(CredentialsRefused):
                get(session, both.url, auth)
