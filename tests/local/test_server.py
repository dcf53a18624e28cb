"""The process of the mock servers: start, connect, control, stop."""

from __future__ import annotations

import os
import pickle
import signal
import ssl
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from vendorkit import local
from vendorkit.errors import SettingsError, UsageError, VendorUnavailable
from vendorkit.local.server import process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def servers():
    """Run only the Pledg mock server: it needs no data."""
    with local.start(vendors=("pledg",)) as running:
        yield running


def python(code: str, **options) -> subprocess.CompletedProcess[str]:
    """Run *code* in a fresh interpreter that finds the package."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60, check=True, **options)


def ended(pid: int) -> bool:
    """Whether the process is gone, within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True  # dead, and waiting for whoever inherited it
        time.sleep(0.02)
    return False


def test_importing_it_needs_no_server_library():
    """The client's side imports neither Starlette nor uvicorn, trustme or NumPy."""
    code = """
        import sys
        import vendorkit.local
        print(sorted({"starlette", "uvicorn", "trustme", "numpy", "anyio"} & sys.modules.keys()))
    """
    assert python(code).stdout.strip() == "[]"


def test_a_vendor_answers_over_verified_https(servers, open_client):
    """The certificate is valid for 127.0.0.1 and localhost under the returned CA, whose name is a warning."""
    vendor = servers["pledg"]
    assert vendor.base_url.startswith("https://127.0.0.1:")
    with open_client(vendor) as client:
        for host in ("127.0.0.1", "localhost"):
            assert (
                client.get(vendor.base_url.replace("127.0.0.1", host) + "/api/local/notifications").status_code == 200
            )
    details = ssl.create_default_context(cadata=vendor.ca_pem).get_ca_certs()[0]
    assert "local test CA" in str(details["subject"])


def test_other_authorities_are_not_enough(servers):
    """A client with the system's CAs refuses the certificate."""
    with (
        httpx.Client(trust_env=False, verify=ssl.create_default_context()) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get(servers["pledg"].base_url)


def test_credentials_are_drawn_anew_for_each_start(servers):
    """Secrets differ between two starts and are in no repr. Uids depend on the seed."""
    first = servers["pledg"]
    with local.start(vendors=("pledg",)) as other:
        second = other["pledg"]
        assert first.credentials.keys() == second.credentials.keys()
        for name, value in first.credentials.items():
            assert (value == second.credentials[name]) is name.endswith("_UID")
    assert len(first.credentials["PLEDG_MERCHANT_SECRET"]) == 40
    assert not any(value in repr(first) + repr(servers) for value in first.credentials.values())


def test_nothing_secret_is_among_the_process_arguments(servers):
    """The arguments of the child are the interpreter and the module."""
    assert servers._process.args[1:] == ["-m", "vendorkit.local.server"]


def test_a_vendor_is_not_pickled(servers):
    """Pickling is refused, and the error says what to do instead."""
    with pytest.raises(TypeError, match="holds credentials"):
        pickle.dumps(servers["pledg"])


def test_unknown_vendors_are_refused(servers):
    """Both an unknown name at the start and one that is not running are UsageErrors that list the others."""
    with pytest.raises(UsageError, match="mediagenix"):
        local.start(vendors=("acme",))
    with pytest.raises(UsageError, match="Running: pledg"):
        servers["medipim"]


def test_stopping_ends_the_process_and_later_calls_say_so():
    """After stop() nothing runs; a control call is a VendorUnavailable; stopping again does nothing."""
    servers = local.start(vendors=("pledg",))
    pid = servers._process.pid
    servers.stop()
    servers.stop()
    assert ended(pid)
    assert not servers.running
    with pytest.raises(VendorUnavailable, match=r"Start it again"):
        servers["pledg"].log()


def test_an_interrupt_does_not_reach_the_servers():
    """SIGINT to the process group of the parent, as a notebook sends it, and to the child itself, ends nothing."""
    with local.start(vendors=("pledg",)) as servers:
        pid = servers._process.pid
        assert os.getpgid(pid) != os.getpgid(0)
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
        assert servers["pledg"].requests == 0


def test_the_servers_end_on_sigterm():
    """SIGTERM to the child ends it."""
    with local.start(vendors=("pledg",)) as servers:
        os.kill(servers._process.pid, signal.SIGTERM)
        assert servers._process.wait(5) == -signal.SIGTERM


def test_no_orphan_is_left_by_a_parent_that_was_killed():
    """A kill -9 of the parent closes the child's input, and that ends it."""
    code = """
        import os, signal
        from vendorkit import local
        print(local.start(vendors=("pledg",))._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with pytest.raises(subprocess.CalledProcessError) as caught:
        python(code)
    assert caught.value.returncode == -signal.SIGKILL
    assert ended(int(caught.value.stdout))


def test_the_shared_servers_start_once_and_end_with_the_process():
    """Eight threads and a forked process get the same servers, and no process or file remains at exit."""
    code = """
        import os, threading
        from vendorkit import local
        from vendorkit.local.server import process
        process.VENDORS = ("pledg",)
        process.start.__kwdefaults__["vendors"] = ("pledg",)
        found = []
        threads = [threading.Thread(target=lambda: found.append(local.shared())) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert len({id(one) for one in found}) == 1
        child = os.fork()
        if not child:
            os._exit(0 if local.shared() is found[0] and local.shared()["pledg"].requests == 0 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert found[0].running
        found[0]._process.kill()
        found[0]._process.wait()
        assert local.shared() is not found[0]  # they died: new ones
        print(local.shared()._process.pid)
    """
    assert ended(int(python(code).stdout))


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    """Without the extra, the error is a SettingsError that says what to type."""
    monkeypatch.setattr(process, "NEEDED_MODULES", ("starlette", "no_such_module"))
    with pytest.raises(SettingsError, match=r"no_such_module.*pip install 'vendorkit\[local\]'"):
        local.start()


def test_a_start_that_fails_says_why(monkeypatch):
    """The end of the child's error output is in the message, and the child is gone."""
    monkeypatch.setattr(process, "VENDORS", ("nonesuch",))
    with pytest.raises(VendorUnavailable, match="nonesuch"):
        local.start(vendors=("nonesuch",))


def test_modules_next_to_the_notebook_do_not_break_the_start(tmp_path):
    """A `token.py` or `ssl.py` in the working directory is not imported instead of the standard module."""
    for name in ("token.py", "ssl.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    code = """
        import sys
        sys.path.remove("")
        from vendorkit import local
        with local.start(vendors=("pledg",)) as servers: print(servers["pledg"].requests)
    """
    assert python(code, cwd=tmp_path).stdout.strip() == "0"
