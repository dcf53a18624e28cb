"""Answers with huge or endless headers cost neither much memory nor extra requests."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from tests.https import JSON, SECRET, always, answer, raw_server, session_of
from vendorkit.auth import Digest
from vendorkit.http.call import Call, Policy
from vendorkit.http.session import Session
from vendorkit.settings import Redactor


def test_a_new_cookie_with_each_answer_does_not_make_the_requests_grow():
    """X11: The client sends the newest cookies back and forgets older ones."""
    count = itertools.count()
    handle = lambda sock, head: sock.sendall(answer(b"{}", JSON, f"Set-Cookie: c{next(count)}={'x' * 900}"))  # noqa: E731
    with raw_server(handle) as server:
        session = session_of(server, Policy())
        for _ in range(30):
            session.send(Call("GET", "/x"))
    assert max(map(len, server.heads)) < 6000
    assert b"c28=" in server.heads[-1]


@pytest.mark.parametrize(("size", "newest"), [(900, True), (50_000, False)])
def test_large_cookies_of_a_challenge_do_not_go_with_the_answer(size, newest):
    """X11: Some servers tie a nonce to a session cookie; 90 large cookies are not that."""

    def handle(sock, head):
        if b"Digest" in head:
            sock.sendall(answer(b"{}", JSON))
        else:
            cookies = [f"Set-Cookie: c{number}={'x' * size}" for number in range(90)]
            sock.sendall(answer(b"", 'WWW-Authenticate: Digest realm="r", nonce="n"', *cookies, status="401 X"))

    with raw_server(handle) as server:
        schemes, redactor = {"default": Digest("user", SECRET)}, Redactor([SECRET])
        session = Session("Test", server.url, schemes=schemes, trust=server.trust, redactor=redactor)
        for _ in range(3):
            session.send(Call("GET", "/x"))
    assert max(map(len, server.heads)) < 6000
    assert (b"c89=" in server.heads[1]) == newest


def test_headers_of_megabytes_are_not_kept():
    """X11: The log of exchanges keeps a few kilobytes per exchange."""
    big = answer(b"{}", JSON, *(f"X-{number}: {'x' * 60_000}" for number in range(90)))
    with raw_server(always(big)) as server:
        session = session_of(server, Policy())
        session.send(Call("GET", "/x"))
        tracemalloc.start()
        for _ in range(10):
            session.send(Call("GET", "/x"))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 12_000_000  # two answers that are perhaps not yet freed, but not ten
    assert "X-0" in session.exchanges.all()[-1].received
