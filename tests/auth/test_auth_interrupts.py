"""Calls that end during authentication: no other call waits for them, whatever ended them and where."""

from __future__ import annotations

import gc
import linecache
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from urllib3 import HTTPHeaderDict

import vendorkit
from vendorkit.auth import ClientCredentials, Digest, interrupts
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
def test_request_that_failed_and_is_kept_holds_nobody_up(digest_server, answered, where):
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
        if Path(name).name in {"deadline.py", "basic.py"} or frame.f_code.co_name in {"leave", "is_calling"}:
            return None
        # A trace sees `with` again as its block ends, before the lock is released. Python handles no signal there.
        if linecache.getline(name, frame.f_lineno).lstrip().startswith("with "):
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


LOOK = """
import gc, threading
from vendorkit.auth.interrupts import is_calling

class Garbage:
    def __init__(self):
        self.local, self.myself = threading.local(), self

def wait(depth, event):
    wait(depth - 1, event) if depth else event.wait()

for _ in range(20):  # frames not inspected before: inspecting them allocates objects, which starts the collector
    threading.Thread(target=wait, args=(10, threading.Event()), daemon=True).start()
gc.set_threshold(2, 1, 1)
for _ in range(200):
    gc.disable()
    kept = [Garbage() for _ in range(20)]
    del kept
    gc.enable()
    is_calling(threading.get_ident())
print(gc.isenabled())
"""


def test_a_look_at_other_threads_does_not_stop_the_process():
    """Python 3.11 waits for itself where garbage with a threading.local is collected amid that look."""
    command, home = [sys.executable, "-c", LOOK], Path(vendorkit.__file__).parents[1]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60, cwd=home)
    assert result.stdout.strip() == "True"


def test_frames_are_looked_at_only_where_a_call_takes_long(vendors, monkeypatch):
    """Python makes objects of all threads' frames for each look, which is neither cheap nor, in some versions, safe."""
    looks = []
    monkeypatch.setattr(interrupts, "is_calling", lambda thread: looks.append(thread) or True)
    mediagenix = vendorkit.connect("mediagenix", environment="local")
    assert len(mediagenix.titles.query().frame(columns=["id"])) == 2_000
    assert looks == []
    at_work = interrupts.ThreadActivity(active_at=time.monotonic() - 10)
    assert [at_work.is_abandoned() for _ in range(3)] == [False] * 3
    assert looks == [at_work.thread]


def test_collector_is_on_again_after_threads_looked_at_once():
    """Each look switches it off for a moment."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: interrupts.is_calling(0), range(4_000)))
    assert set(found) <= {True, False}
    assert interrupts.is_calling(0) is False
    assert gc.isenabled()
