"""Forked processes: none uses the connections, nonces, tokens, budgets or locks of another."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import vendorkit as vk
from tests.forking import forked, pytestmark_forks
from tests.https import JSON, always, answer, raw_server, session_of
from vendorkit.auth import ClientCredentials, Digest
from vendorkit.deadline import Deadline
from vendorkit.errors import DeadlineExceeded, UsageError, VendorkitError
from vendorkit.http.budget import Budget
from vendorkit.http.call import Call, Policy
from vendorkit.local.server.process import LocalVendor
from vendorkit.vendors.registry import connect_local

pytestmark = pytestmark_forks
VENDORS = ["medipim", "pledg", "mediagenix"]
ANSWERS = int(os.environ.get("VENDORKIT_FORK_ANSWERS", "3000"))  # of the slow suite, for all vendors together
PROCESSES = 4


def _brand(client: vk.Client, number: int) -> tuple[int, int]:
    asked = 1 + 2 * (number % 100)  # the mock server's brands have odd ids
    return asked, client.get("/v4/brands/find", params={"id": asked}).json()["brand"]["id"]


def _schedule(client: vk.Client, number: int) -> tuple[int, int]:
    asked = 20_000 + number
    path = f"/api/merchants/{client.settings.get('PLEDG_MERCHANT_UID')}/simulate_payment_schedule"
    found = client.post(path, json={"amount_cents": asked, "created": "2026-01-31"}, auth="token").json()
    return asked, sum(line["amount_cents"] for line in found["INSTALLMENT"])


def _title(client: vk.Client, number: int) -> tuple[int, int]:
    asked = 1 + number % 100
    return asked, int(re.findall(r'<id type="integer">(\d+)</id>', client.get(f"/api/titles/{asked}").text)[0])


ASK: dict[str, Callable[[vk.Client, int], tuple[int, int]]] = {
    "medipim": _brand,
    "pledg": _schedule,
    "mediagenix": _title,
}


@pytest.fixture(autouse=True)
def _no_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file behind a log handler has a lock that a child inherits locked: Python's own, and not on trial here."""
    monkeypatch.setattr(logging.getLogger("urllib3.connectionpool"), "disabled", True)


CLIENTS: dict[str, vk.Client] = {}  # inherited by forked workers: a client is not pickled


def ask(question: tuple[str, int]) -> tuple[int, int]:
    """Fetch record *number* of *vendor*; return the requested and the received value."""
    vendor, number = question
    return ASK[vendor](CLIENTS[vendor], number)


@contextlib.contextmanager
def in_use(vendor: str) -> Iterator[None]:
    """Connections, tokens and nonces are there, and threads of this process go on using them."""
    client = CLIENTS[vendor] = vk.connect(vendor, environment="local")
    wrong: list[object] = []
    stop = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ASK[vendor](client, number), range(8)))

        def go_on(number: int) -> None:
            while not stop.is_set():
                number += 4
                try:
                    wrong.extend(pair for pair in [ASK[vendor](client, number)] if pair[0] != pair[1])
                except VendorkitError as exc:
                    wrong.append(exc)

        for number in range(2):
            pool.submit(go_on, number)
        try:
            yield
        finally:
            stop.set()
    assert wrong == [], "the parent received another record than it requested"


def pooled(kind: str, questions: list[tuple[str, int]]) -> list[tuple[int, int]]:
    """Ask *questions* in forked workers of this kind."""
    context = multiprocessing.get_context("fork")
    if kind == "multiprocessing":
        with context.Pool(PROCESSES) as pool:
            return pool.map(ask, questions, chunksize=4)
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as executor:
        return list(executor.map(ask, questions, chunksize=4))


def replayed(vendor: LocalVendor) -> list[str]:
    """Return what was sent more than once with Digest: a nonce with its count."""
    uses = Counter(entry["nonce"] for entry in vendor.log() if entry["nonce"])
    return [use for use, count in uses.items() if count > 1]


@pytest.mark.parametrize(
    ("vendor", "kind"), [(VENDORS[0], "multiprocessing"), *((vendor, "concurrent.futures") for vendor in VENDORS)]
)
def test_every_response_in_forked_pools_belongs_to_its_request(vendors, vendor, kind):
    """X01: the workers inherit a client that was used, and its owner goes on using it; no nonce is sent twice."""
    with in_use(vendor):
        pairs = pooled(kind, [(vendor, number) for number in range(120)])
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert len(pairs) == 120
    assert replayed(vendors[vendor]) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thousands_of_responses_in_forked_pools_belong_to_their_requests(vendors):
    """X01: as above, for all vendors; VENDORKIT_FORK_ANSWERS says how many in all."""
    got, wrong, twice = 0, [], []
    for vendor in VENDORS:
        left = -(-ANSWERS // len(VENDORS))
        while left > 0:
            count = min(left, 500)  # a new pool now and then: it is the fork that is on trial
            with in_use(vendor):
                pairs = pooled("multiprocessing", [(vendor, number) for number in range(count)])
            got += len(pairs)
            wrong += [pair for pair in pairs if pair[0] != pair[1]]
            left -= count
        twice += replayed(vendors[vendor])
    sys.stdout.write(f"forked pools: {got:,} answers, {len(wrong)} to another question, {len(twice)} nonces replayed\n")
    assert (got >= ANSWERS, wrong, twice) == (True, [], [])


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_parent_goes_on_over_its_own_connection(vendors, vendor):
    """X01: a child that asks, and ends, says nothing on its parent's connections: not even that they end."""
    client = CLIENTS[vendor] = vk.connect(vendor, environment="local")
    before = ASK[vendor](client, 1)
    made = [connection.sock.getsockname() for connection in _idle(client)]
    assert forked(lambda: ASK[vendor](client, 2)) == ASK[vendor](client, 2)
    assert ASK[vendor](client, 1) == before
    assert [connection.sock.getsockname() for connection in _idle(client)] == made
    assert [one.status for one in client.session.exchanges.all() if one.status is None] == []


def _idle(client: vk.Client) -> list:
    (pool,) = client.session._adapter.poolmanager.pools._container.values()
    return [connection for connection in pool.pool.queue if connection is not None and connection.sock is not None]


@contextlib.contextmanager
def locked(*locks) -> Iterator[None]:
    """Let another thread hold *locks*, as during its work."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        yield
    finally:
        release.set()
        thread.join()


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_lock_that_a_thread_held_at_the_fork_is_waited_for(vendors, vendor):
    """X02: of the pool, its queue, the cookies, the token, the nonces and the budget."""
    client = CLIENTS[vendor] = vk.connect(vendor, environment="local")
    expected = ASK[vendor](client, 1)
    (pool,) = client.session._adapter.poolmanager.pools._container.values()
    scheme = client.session.schemes["default"]
    session = client.session
    locks = [pool.pool.mutex, session._adapter.poolmanager.pools.lock, session._http.cookies._cookies_lock]
    locks += [session.budget._lock]
    locks += [scheme._lock] if isinstance(scheme, ClientCredentials) else []
    locks += [pool._lock for pool in scheme._pools.values()] if isinstance(scheme, Digest) else []

    def child():
        answer = ASK[vendor](client, 1)
        gc.collect()
        weakref.finalize._exitfunc()  # as at the end of a process that is not just killed
        return answer

    with locked(*locks):
        assert forked(child) == expected


def test_fork_during_a_budget_wait(monkeypatch, tmp_path):
    """X02: an own budget counts anew in a child; a shared one goes on, its file is waited for inside the deadline."""
    own = Budget(((1, 60.0),))
    own.take(Deadline(1.0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(own.take, Deadline(1.0))
        assert forked(lambda: own.take(Deadline(2.0))) is None
        assert isinstance(waiting.exception(), DeadlineExceeded)
    monkeypatch.setenv("VENDORKIT_BUDGET_DIR", str(tmp_path))
    shared = Budget(((2, 60.0),), "shared")
    shared.take(Deadline(1.0))
    with contextlib.closing(sqlite3.connect(tmp_path / "shared.sqlite", isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")  # as a thread that the child does not have
        started = time.monotonic()
        assert "DeadlineExceeded" in forked(lambda: shared.take(Deadline(0.5)))
        assert time.monotonic() - started < 3
    assert forked(lambda: (shared.take(Deadline(1.0)), shared.left())) == (None, 0)
    assert shared.left() == 0


@pytest.mark.filterwarnings("ignore::vendorkit.SchemaDrift")
@pytest.mark.parametrize("verb", ["records", "batches"])
def test_download_of_the_parent_ends_with_an_error_in_a_child(vendors, verb):
    """X04: it waited for threads that the child has not, for ever; the parent goes on."""
    query = connect_local("medipim", vendors, country=None).products.query()
    rows = iter(getattr(query, verb)())
    size = len if verb == "batches" else lambda _: 1
    first = size(next(rows))

    def work() -> str:
        with pytest.raises(UsageError, match="before its process was forked"):
            list(rows)
        return "refused"

    assert forked(work) == "refused"
    assert first + sum(map(size, rows)) == query.count()


def test_stream_of_the_parent_ends_with_an_error_in_a_child():
    """X03: and the parent's goes on: no byte of the wire is read by two."""
    lines = b"".join(b'{"line": %d}\n' % number for number in range(20_000))
    half = len(lines) // 2
    go_on = threading.Event()

    def handle(sock, head):
        sock.sendall(answer(lines, JSON)[: -(len(lines) - half)])
        go_on.wait(20)
        sock.sendall(lines[half:])

    with raw_server(handle) as server:
        session = session_of(server, Policy())
        with session.stream(Call("GET", "/lines")) as (parts, _):
            read = [next(parts)]
            outcome = forked(lambda: [*parts])
            assert outcome.startswith("BrokenOff: Test: GET /lines got no complete response")
            go_on.set()
            assert b"".join([*read, *parts]) == lines


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_workers_that_connect_by_themselves(vendors, method):
    """X04: the advice for pools: each worker makes its own client."""
    server = {name: (vendors[name]._port, vendors[name].ca_pem, vendors[name].credentials, "") for name in vendors}
    with multiprocessing.get_context(method).Pool(2, connect_all, (server,)) as pool:
        pairs = pool.map(ask, [(vendor, number) for number in range(20) for vendor in VENDORS])
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def connect_all(servers: dict) -> None:
    """Connect to running mock servers."""
    running = {name: LocalVendor(name, *address) for name, address in servers.items()}
    CLIENTS.update({name: connect_local(name, running, country=None) for name in VENDORS})


def test_loky_refuses_a_client_and_works_with_its_own(vendors):
    """X04: the pools of joblib pickle what it sends: a client refuses, and says what to do."""
    joblib = pytest.importorskip("joblib", reason="joblib is no dependency; `pip install joblib` runs this")
    client = vk.connect("medipim", environment="local")
    with pytest.raises(Exception, match="pickle") as caught:
        joblib.Parallel(2)(joblib.delayed(ask_of)(client, number) for number in range(2))
    assert "Connect again in the other process" in f"{caught.value} {caught.value.__cause__}"
    server = {name: (vendors[name]._port, vendors[name].ca_pem, vendors[name].credentials, "") for name in vendors}
    pairs = joblib.Parallel(2)(joblib.delayed(ask_anew)(server, number) for number in range(40))
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def ask_of(client: vk.Client, number: int) -> tuple[int, int]:
    """Ask *client*."""
    return _brand(client, number)


def ask_anew(servers: dict, number: int) -> tuple[int, int]:
    """Connect once per process, and ask."""
    if "medipim" not in CLIENTS:
        connect_all(servers)
    return ask(("medipim", number))


SCRIPT = """
import os, sys
from tests.https import Policy, RawServer, session_of
from vendorkit.http.call import Call
session = session_of(RawServer(int(sys.argv[1]), sys.stdin.read()), Policy())
session.send(Call("GET", "/parent"))
child = os.fork()
if child == 0:
    session.send(Call("GET", "/child"))
    sys.exit(0)  # with finalizers, unlike the children of multiprocessing
assert os.waitpid(child, 0)[1] == 0
session.send(Call("GET", "/parent"))
"""


def test_child_that_ends_as_a_program_does_leaves_no_warning():
    """X01: sockets, pools and locks are closed and dropped in order; development mode would say otherwise."""
    with raw_server(always(answer(b"{}", JSON))) as server:
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT, str(server.port)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(
            command, input=server.ca_pem, text=True, capture_output=True, timeout=60, env=environment, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert [head.split()[1] for head in server.heads] == [b"/parent", b"/child", b"/parent"]
