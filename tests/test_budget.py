"""The rate budget: one object or all processes of a machine share it, and no call waits for it beyond its deadline."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

import vendorkit as vk
from vendorkit.deadline import Deadline
from vendorkit.errors import Cancelled, DeadlineExceeded, RateLimited, VendorUnavailable
from vendorkit.http.budget import Budget, Lanes


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    """A folder for budget files that no other test uses."""
    monkeypatch.setenv("VENDORKIT_BUDGET_DIR", str(tmp_path / "budget"))
    return tmp_path / "budget"


# The code of another process: it takes slots until its time is up.
_TAKER = """
import sys
from vendorkit.deadline import Deadline
from vendorkit.errors import DeadlineExceeded
from vendorkit.http.budget import Budget
budget, taken = Budget(((30, 60.0),), "shared"), 0
print("ready", flush=True); sys.stdin.readline()
try:
    while True:
        budget.take(Deadline(1.0)); taken += 1
except DeadlineExceeded:
    print(taken)
"""


def test_two_processes_share_one_budget():
    """Two processes take 30 slots in total, not 30 each."""
    start = [sys.executable, "-W", "error", "-c", _TAKER]
    takers = [subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for taker in takers:
            assert taker.stdout.readline() == "ready\n"
        outputs = [taker.communicate("go\n", timeout=30)[0] for taker in takers]
    finally:
        for taker in takers:
            taker.kill()
            taker.wait()
    assert sum(map(int, outputs)) == 30
    assert Budget(((30, 60.0),), "shared").left() == 0
    assert Budget(((30, 60.0),), "another").left() == 30


def test_clients_of_one_key_share_their_budget_and_others_do_not(monkeypatch, tmp_path):
    """The file's name depends on vendor, environment, host and key id, not on the secret, and hides the id."""
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up-words")
    budgets = {}
    for key, country in (("4711", "be"), ("4711", "fr"), ("4712", "be")):
        monkeypatch.setenv("MEDIPIM_API_KEY_ID", key)
        budgets[key, country] = [
            vk.connect("medipim", environment="sandbox", country=country).session.budget for _ in range(2)
        ]
    assert not (tmp_path / "budget").exists()
    first, second = budgets["4711", "be"]
    first.take(Deadline(1.0))
    assert second.left() == 96
    assert [pair[0].left() for pair in budgets.values()] == [96, 97, 97]
    names = sorted(path.name for path in (tmp_path / "budget").iterdir() if path.suffix == ".sqlite")
    assert len(names) == 3
    assert not [name for name in names if "4711" in name or "made" in name]


def test_slots_come_back_after_their_time():
    """The file drops requests that left the vendor's window."""
    budget = Budget(((2, 0.3),), "short")
    for _ in range(2):
        budget.take(Deadline(1.0))
    with pytest.raises(DeadlineExceeded):
        budget.take(Deadline(0.05))
    budget.take(Deadline(2.0))


@pytest.mark.parametrize("when", ["from the start", "on the way"])
def test_budget_without_a_file_is_this_processs_only_and_says_so(monkeypatch, tmp_path, folder, when):
    """A budget that cannot be shared still limits this process."""
    budget = Budget(((2, 60.0),), "lost")
    if when == "from the start":
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("VENDORKIT_BUDGET_DIR", str(tmp_path / "file"))
    else:
        budget.take(Deadline(1.0))
        (folder / "lost.sqlite").write_bytes(b"no database at all" * 500)
    with pytest.warns(UserWarning, match="is not shared with other processes"):
        budget.take(Deadline(1.0))
    budget.take(Deadline(1.0))
    with pytest.raises(DeadlineExceeded):
        budget.take(Deadline(0.1))


def test_what_is_left_of_a_budget_whose_file_is_damaged(folder):
    """The doctor and the panels see zero remaining slots until this process keeps its own budget."""
    budget = Budget(((2, 60.0),), "torn")
    assert budget.left() == 2
    (folder / "torn.sqlite").write_bytes(b"no database at all" * 500)
    with pytest.warns(UserWarning, match="is not shared with other processes"):
        assert budget.left() == 0
    assert budget.left() == 2


def test_alarm_while_the_folder_is_looked_for_ends_the_call(monkeypatch, folder):
    """X05: `exist_ok` of pathlib ignores every OSError if the folder exists."""
    folder.mkdir()

    def alarm(number: int, frame: object) -> None:
        message = "alarm"
        raise TimeoutError(message)

    monkeypatch.setattr(os, "mkdir", lambda *_, **__: alarm(signal.SIGINT, sys._getframe()))
    with pytest.raises(TimeoutError, match="alarm"):
        Budget(((2, 60.0),), "x").take(Deadline(1.0))


def test_tilde_in_the_chosen_folder_is_the_home_folder(monkeypatch, tmp_path):
    """As in the other settings that name a file; the folder must not be called "~"."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("VENDORKIT_BUDGET_DIR", "~/budget")
    Budget(((2, 60.0),), "x").take(Deadline(1.0))
    assert (tmp_path / "home" / "budget" / "x.sqlite").exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are POSIX's")
def test_temporary_folder_of_somebody_else_is_not_trusted(monkeypatch, tmp_path):
    """The name in /tmp can be guessed, so a folder that other users may write to is not used."""
    monkeypatch.delenv("VENDORKIT_BUDGET_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / f"vendorkit-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(UserWarning, match="is not shared with other processes"):
        Budget(((2, 60.0),), "x").take(Deadline(1.0))
    assert not list(folder.iterdir())
    folder.chmod(0o700)
    Budget(((2, 60.0),), "x").take(Deadline(1.0))
    assert (folder / "x.sqlite").exists()


def locked(folder: Path, name: str) -> closing:
    """The budget's file, locked as by a process that was suspended while it held the lock."""
    folder.mkdir(exist_ok=True)
    file = sqlite3.connect(folder / f"{name}.sqlite", isolation_level=None, check_same_thread=False)
    file.execute("BEGIN EXCLUSIVE")
    return closing(file)


def took(work) -> float:
    """Return how many seconds *work* takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_file_that_another_process_keeps_locked_is_waited_for_inside_the_call(folder):
    """X09: Deadline and Cancel end the wait in any number of threads; no thread sends without the shared count."""
    budget = Budget(((2, 60.0),), "held")
    with locked(folder, "held"), warnings.catch_warnings():
        warnings.simplefilter("error")

        def until_deadline(_: int) -> None:
            with pytest.raises(DeadlineExceeded):
                budget.take(Deadline(0.3))

        def until_cancel() -> None:
            with vk.cancellable(stop), pytest.raises(Cancelled):
                budget.take(Deadline(30.0))

        with ThreadPoolExecutor(16) as pool:
            assert took(lambda: list(pool.map(until_deadline, range(16)))) < 1.3
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        assert took(until_cancel) < 0.7
        assert took(budget.left) < 0.5
        assert budget.left() == 0
    assert budget.left() == 2


def test_slot_is_taken_once_the_lock_is_gone(folder):
    """X09: A locked file delays the request and does not refuse it."""
    budget = Budget(((2, 60.0),), "held")
    held = locked(folder, "held")
    threading.Timer(0.3, held.__exit__, (None, None, None)).start()
    budget.take(Deadline(10.0))
    assert budget.left() == 1


@pytest.mark.parametrize("hours", [1, 10_000])
def test_clock_that_is_set_back_locks_no_one_out(monkeypatch, hours):
    """X10: Earlier requests count as sent now, so the wait is the vendor's window and not the clock's shift."""
    budget, real = Budget(((2, 0.5),), "clock"), time.time_ns
    for _ in range(2):
        budget.take(Deadline(1.0))
    monkeypatch.setattr(time, "time_ns", lambda: real() - hours * 3_600_000_000_000)
    with pytest.raises(DeadlineExceeded):
        budget.take(Deadline(0.1))
    assert took(lambda: budget.take(Deadline(5.0))) < 1.0
    assert budget.left() == 1


def test_clock_of_an_own_budget_is_the_monotonic_one(monkeypatch):
    """X10: A change of the system clock does not affect the budget."""
    budget = Budget(((2, 0.4),))
    for _ in range(2):
        budget.take(Deadline(1.0))
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert budget.left() == 0
    budget.take(Deadline(2.0))


@pytest.mark.parametrize("shared_as", ["several", None])
def test_every_rate_of_several_holds(shared_as):
    """The budget keeps both three at once and four per half minute."""
    budget = Budget(((3, 0.3), (4, 30.0)), shared_as)
    for left in (2, 1, 0):
        budget.take(Deadline(1.0))
        assert budget.left() == left
    budget.take(Deadline(2.0))
    assert budget.left() == 0
    with pytest.raises(DeadlineExceeded):
        budget.take(Deadline(0.5))


@pytest.mark.parametrize("shared_as", ["threads", None])
def test_threads_take_each_slot_once(shared_as):
    """Sixteen threads that retry constantly take ten slots in total."""
    budget = Budget(((10, 60.0),), shared_as)

    def work(_: int) -> int:
        taken = 0
        try:
            while True:
                budget.take(Deadline(1.0))
                taken += 1
        except DeadlineExceeded:
            return taken

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(16))) == 10


@pytest.mark.parametrize("shared_as", ["quiet", None])
def test_budget_starts_no_thread_and_keeps_no_file_open(shared_as):
    """A forked process has no copy of a thread, and must not inherit an open database."""
    before = threading.active_count(), open_files()
    budget = Budget(((10, 60.0),), shared_as)
    budget.take(Deadline(1.0))
    assert budget.left() == 9
    assert (threading.active_count(), open_files()) == before


def open_files() -> int:
    """Return how many files this process has open, or 0 if there is no /proc."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_eight_requests_are_under_way_to_a_host_and_fewer_after_it_asked_for_patience():
    """The limit covers all clients and threads of the process. Successful answers raise it again slowly."""
    lanes, busy, most = Lanes(), [0], [0]

    def ask(together, error=None):
        with suppress(RateLimited, VendorUnavailable), lanes.enter(Deadline(10.0)):
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            time.sleep(0.02)
            if error is not None:
                together.wait(10)
            busy[0] -= 1
            if error is not None:
                raise error

    def wave(requests, error=None):
        most[0], together = 0, threading.Barrier(requests)
        with ThreadPoolExecutor(requests) as pool:
            list(pool.map(lambda _: ask(together, error), range(requests)))
        return most[0]

    assert wave(30) == 8
    assert wave(8, RateLimited("slow down", status=429)) == 8
    assert lanes.width == 4  # refused together and counted once
    assert wave(3, RateLimited("slow down", status=429)) == 3
    assert lanes.width == 2
    assert wave(2, VendorUnavailable("busy", status=500)) == 2
    assert 2 <= wave(12) < 8
    assert wave(60) == 8


def test_a_request_that_waits_for_its_turn_ends_with_its_call():
    """The deadline ends the wait and frees the request's place."""
    lanes = Lanes()
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(lanes.enter(Deadline(1.0)))
        with pytest.raises(DeadlineExceeded), lanes.enter(Deadline(0.05)):
            pass
    with lanes.enter(Deadline(0.05)):
        pass


def test_clients_of_one_host_share_its_lanes(vendors):
    """The mock server never sees more than eight concurrent requests from two clients."""
    vendors["medipim"].set(latency_s=0.1)
    clients = [vk.connect("medipim", environment="local") for _ in range(2)]
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        frames = list(pool.map(lambda client: client.products.query().frame(columns=["id"]), clients))
    assert [len(frame) for frame in frames] == [5000, 5000]
    assert time.monotonic() - started >= 40 / 8 * 0.1
