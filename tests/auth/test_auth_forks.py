"""Schemes in forked processes: each has its own nonces and tokens, and none waits for a thread of its parent."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from auth_servers import DigestServer, TokenServer

from tests.forking import children, forked, pytestmark_forks
from vendorkit.auth import ClientCredentials, Digest
from vendorkit.errors import CredentialsRefused

pytestmark = pytestmark_forks
PROCESSES = 4


class Blocking:
    """Lets the first request that *is_meant* wait in the server, and says when it is there."""

    def __init__(self, server, is_meant) -> None:
        self.reached, self.release = threading.Event(), threading.Event()
        self._answer, self._is_meant = server.answer, is_meant
        server.answer = self

    def __call__(self, seen):
        """Answer, later or at once."""
        if self._is_meant(seen) and not self.reached.is_set():
            self.reached.set()
            self.release.wait(30)
        return self._answer(seen)


@contextlib.contextmanager
def blocked(server, url: str, auth, is_meant) -> Iterator[None]:
    """A thread of this process is sending a request that *is_meant*."""
    block = Blocking(server, is_meant)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.get, url, auth=auth, timeout=30)
        assert block.reached.wait(10)
        try:
            yield
        finally:
            block.release.set()
        assert answer.result(10).status_code == 200, "the parent's own request goes on"


def status(url: str, auth) -> int:
    """GET with plain requests, and return the status."""
    return requests.get(url, auth=auth, timeout=10).status_code


def test_fork_in_the_midst_of_a_token_fetch(serve):
    """X02: the child fetches its own token, because no thread there will finish the parent's attempt."""
    server = serve(TokenServer)
    auth = ClientCredentials(f"{server.url}/api/token", "key", "made-up")
    with blocked(server, server.url, auth, lambda seen: seen.target == "/api/token"):
        started = time.monotonic()
        assert forked(lambda: status(server.url, auth)) == 200
        assert time.monotonic() - started < 5
        server.valid = None  # the parent's thread gets a newer one


@pytest.mark.parametrize("when", ["asking", "answering"])
def test_fork_in_the_midst_of_a_negotiation(serve, when):
    """X02: the child negotiates by itself, whether the parent's thread was about to send the password or not."""
    server, auth = serve(DigestServer), Digest("robot", "made-up words")
    with blocked(server, server.url, auth, lambda seen: (seen.authorization is None) == (when == "asking")):
        started = time.monotonic()
        assert forked(lambda: status(server.url, auth)) == 200
        assert time.monotonic() - started < 5


def test_forked_processes_replay_no_nonce(serve):
    """X01: each negotiates one for itself; a server that wants nc to rise refuses none of them."""
    server, auth = serve(DigestServer, strict=True, stale=False), Digest("robot", "made-up words")
    assert status(server.url, auth) == 200

    def work(number: int) -> list[int]:
        return [status(f"{server.url}/{number}/{turn}", auth) for turn in range(20)]

    with children(work, PROCESSES) as started:
        assert work(99) == [200] * 20
        assert [child.result() for child in started] == [[200] * 20] * PROCESSES
    uses = Counter((nonce, count) for nonce, counts in server.used.items() for count in counts)
    assert max(uses.values()) == 1
    assert server.challenges() == 1 + PROCESSES


def test_password_that_was_refused_is_not_tried_again_in_each_child(serve):
    """X01: what was learned of it holds there too: a robot user is soon locked."""
    server, auth = serve(DigestServer), Digest("robot", "wrong words")
    with pytest.raises(CredentialsRefused):
        status(server.url, auth)
    before = len(server.log)
    with children(lambda _: status(server.url, auth), 2) as started:
        assert all("CredentialsRefused" in child.result() for child in started)
    assert len(server.log) == before


@pytest.mark.parametrize("kind", ["digest", "token"])
def test_request_prepared_before_the_fork_is_sent_by_each_child(serve, kind):
    """X01: its flow belongs to the parent: a child begins a new one where the server refuses the first."""
    server = serve(DigestServer, strict=True) if kind == "digest" else serve(TokenServer)
    auth = Digest("robot", "made-up words")
    if kind == "token":
        auth = ClientCredentials(f"{server.url}/api/token", "key", "made-up")
    status(server.url, auth)
    prepared = requests.Request("GET", server.url, auth=auth).prepare()

    def work(_: int) -> int:
        with requests.Session() as session:
            return session.send(prepared, timeout=10).status_code

    with children(work, PROCESSES) as started:
        assert [child.result() for child in started] == [200] * PROCESSES
