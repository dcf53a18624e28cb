"""Calls that end during authentication: no other call waits for them, whatever ended them and where."""

from __future__ import annotations

import linecache
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from urllib3 import HTTPHeaderDict

import vendorkit
from vendorkit.auth import ClientCredentials, Digest
from vendorkit.auth.flow import Answer, Outgoing

USER, PASSWORD = "robot", "made-up words"
PACKAGE = str(Path(vendorkit.__file__).parent)


def status(url, auth) -> int:
    """GET with plain requests, and return the status."""
    return requests.get(url, auth=auth, timeout=10).status_code


def failure(work) -> BaseException:
    """Return the error of *work*, with its traceback, as a notebook keeps it."""
    try:
        work()
    except BaseException as exc:  # noqa: BLE001 - kept by the test
        return exc
    return pytest.fail("nothing failed")


@pytest.mark.parametrize("answered", [False, True], ids=["the first request", "the answer to the challenge"])
@pytest.mark.parametrize("where", ["in this thread", "in another one that goes on", "in another one that ended"])
def test_kept_traceback_of_a_failed_request_delays_no_other(digest_server, answered, where):
    """X08: as in a notebook: the first cell fails, its traceback is kept, and the next cell asks in a thread pool."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    answer, left = server.answer, [1]

    def drop(seen):
        if left[0] and (seen.authorization is not None) == answered:
            left[0] = 0
            raise OSError
        return answer(seen)

    server.answer = drop
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(8) as pool:
        if where == "in this thread":
            kept = failure(lambda: status(server.url, auth))
        else:
            kept = first.submit(lambda: failure(lambda: status(server.url, auth))).result()
        if where.endswith("ended"):
            first.shutdown()
        started = time.monotonic()
        assert list(pool.map(lambda _: status(server.url, auth), range(16))) == [200] * 16
        assert time.monotonic() - started < 3
    assert isinstance(kept, requests.RequestException)


class StopHereError(BaseException):
    """An exception from outside."""


def interrupted(work, number: int) -> bool:
    """Run *work*, raise at its *number*-th step inside the package or threading; return whether it got so far."""
    steps = 0

    def trace(frame, event, _):
        nonlocal steps
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE) and Path(name).name != "threading.py":
            return None
        if Path(name).name in {"deadline.py", "basic.py"} or frame.f_code.co_name == "leave":
            return None
        # Raised at another event, it would skip the `finally` of a generator, which a signal handler cannot do.
        if event != "line":
            return trace
        # A trace sees `with` again as its block ends, before the lock is released. Python handles no signal there. An
        # exception at the one line that ends the work only makes others wait for a while.
        if linecache.getline(name, frame.f_lineno).lstrip().startswith(("with ", "pool.leave(", "new.done = ")):
            return trace
        steps += 1
        if steps == number:
            raise StopHereError
        return trace

    sys.settrace(trace)
    try:
        work()
    except StopHereError:
        return True
    finally:
        sys.settrace(None)
    return steps >= number


def elsewhere(work) -> None:
    """Do *work* in another thread, which must not wait."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as exc:  # noqa: BLE001 - looked at below
            errors.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(3)
    assert not thread.is_alive(), "it waits"
    assert errors == []


def negotiate(auth: Digest) -> None:
    """Go through a whole flow, as a request would."""
    flow = auth.flow(Outgoing("GET", "/", "https://vendor.example"))
    try:
        if not next(flow):
            nonce = os.urandom(4).hex()
            header = f'Digest realm="r", nonce="{nonce}", qop="auth"'
            flow.send(Answer(401, HTTPHeaderDict({"WWW-Authenticate": header})))
        flow.send(Answer(200, HTTPHeaderDict()))
    except StopIteration:
        pass
    finally:
        flow.close()


def test_digest_lives_on_wherever_it_is_interrupted():
    """X08: raised at each step of a negotiation and of a later request: the next one works, in all threads."""
    number, more = 0, [True]
    while any(more):
        number += 1
        fresh, used = Digest(USER, PASSWORD), Digest(USER, PASSWORD)
        negotiate(used)
        more = [interrupted(lambda: negotiate(auth), number) for auth in (fresh, used)]  # noqa: B023
        for auth in (fresh, used):
            elsewhere(lambda: negotiate(auth))  # noqa: B023
    assert number > 50


def test_token_lives_on_wherever_it_is_interrupted():
    """X08: raised at each step of a first fetch and of a later request."""

    def post(_):
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"access_token": "abc", "expires_in": 600}'
        return answer

    def ask(auth: ClientCredentials) -> None:
        flow = auth.flow(Outgoing("GET", "/", "https://vendor.example"))
        assert next(flow) == {"Authorization": "Bearer abc"}
        flow.close()

    number, more = 0, [True]
    while any(more):
        number += 1
        fresh, used = (ClientCredentials("https://vendor.example/t", "k", "s", post=post) for _ in range(2))
        ask(used)
        more = [interrupted(lambda: ask(auth), number) for auth in (fresh, used)]  # noqa: B023
        for auth in (fresh, used):
            elsewhere(lambda: ask(auth))  # noqa: B023
    assert number > 30
