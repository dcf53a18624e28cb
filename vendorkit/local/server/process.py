"""
Start, control and stop the process in which the mock servers run.

This module needs neither Starlette nor uvicorn nor NumPy: only the child process imports them. The child reads its
configuration from standard input and exits when that closes, so it never outlives its parent, even a killed one.

Control calls read and set switches and read the log. They go to each server's port, below `/__local__/`, with a random
token. Faults and delays do not affect them. Each opens a new connection, so threads and forked processes can make them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NoReturn

from vendorkit.errors import SettingsError, UsageError, VendorUnavailable
from vendorkit.local.server.settings import check_settings

if TYPE_CHECKING:
    from typing_extensions import Self

VENDORS: Final = ("medipim", "pledg", "mediagenix", "sequence")
FIXED_AT_START: Final = frozenset({"seed", "country", "products", "brands", "titles", "oddities"})
START_TIMEOUT_S: Final = 30.0
CONTROL_TIMEOUT_S: Final = 10.0
Action = Literal["add", "edit", "touch", "deactivate", "replace", "delete"]
NEEDED_MODULES: Final = ("starlette", "uvicorn", "trustme", "numpy")


class LocalVendor:
    """
    One running mock server, as seen from the process that started it.

    Attributes:
        name: The vendor's short name, such as "medipim".
        base_url: Its origin, "https://127.0.0.1:PORT".
        ca_pem: The certificate (PEM text) of the CA that signed the server's certificate.
        credentials: The credentials that this server accepts, by environment name; new and random at each start.
    """

    def __init__(self, name: str, port: int, ca_pem: str, credentials: Mapping[str, str], control_token: str) -> None:
        self.name = name
        self.base_url = f"https://127.0.0.1:{port}"
        self.ca_pem = ca_pem
        self.credentials = dict(credentials)
        self._port = port
        self._control_token = control_token

    def __reduce__(self) -> NoReturn:
        message = "A LocalVendor holds credentials and cannot be pickled. Start or share one in each process."
        raise TypeError(message)

    def log(self) -> list[dict[str, Any]]:
        """
        Return the requests since the start or the last `clear_log()`, oldest first (the last 50,000 of them).

        Each has `seq` (from 1), `time` (unix seconds), `method`, `path`, `query`, `status` (None before an answer),
        `complete` (True once the whole answer was sent), `scheme` (of the Authorization header, never its value),
        `nonce` (of Digest, with its count), `user_agent`, `bytes_in`, `bytes_out` (bodies, as on the wire) and
        `fault` (its name or None).
        """
        return list(self._control("log"))

    def clear_log(self) -> None:
        """Empty the log and number requests from 1 again. Random faults depend on that number, so they repeat."""
        self._control("clear_log")

    @property
    def requests(self) -> int:
        """Number of requests since the start or the last `clear_log()`."""
        return int(self._control("count"))

    def get_settings(self) -> dict[str, Any]:
        """Return the current value of every switch."""
        return dict(self._control("get_settings"))

    def set(self, **settings: Any) -> None:
        """
        Change switches of the running server, from the next request on.

        Raises:
            UsageError: `Settings` does not have the name or does not accept the value, or it is fixed at the start.
        """
        check_settings(settings)
        if fixed := sorted(FIXED_AT_START & settings.keys()):
            what = f"{', '.join(fixed)} cannot change while the mock server runs."
            raise UsageError(what, remedy="Set it in local.start().")
        self._control("set", settings)

    def change(self, action: Action, *records: str) -> None:
        """
        Change records of Medipim or Mediagenix now. `set(changes=[])` undoes all changes.

        Mediagenix lists every change in its event feed.

        Args:
            action: "edit", "delete" or "add"; for Medipim also "touch" (only a new time), "deactivate" and "replace".
            records: Medipim: product ids; none to add a new product. Mediagenix: paths, such as "titles/17"; "add" adds
                copies of them.

        Raises:
            UsageError: A record does not exist, or this server does not have the action. Nothing was changed.
        """
        wrong = ", ".join(repr(record) for record in records if not isinstance(record, str) or not record)
        if refused := wrong or self._control("change", {"action": action, "records": records}):
            what = f"{self.name} cannot {action} {refused}."
            raise UsageError(what, remedy="Give ids of existing products, or paths of existing records (titles/17).")

    def expire_now(self) -> None:
        """Invalidate all tokens and nonces issued so far."""
        self._control("expire_now")

    def _control(self, action: str, arguments: Mapping[str, Any] | None = None) -> Any:
        context = ssl.create_default_context(cadata=self.ca_pem)
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=CONTROL_TIMEOUT_S, context=context)
        body = json.dumps(arguments or {})
        try:
            with contextlib.closing(connection):
                connection.request("POST", f"/__local__/{action}", body, {"X-Local-Control": self._control_token})
                answer = connection.getresponse()
                content = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            what = f"The mock server {self.name} does not answer at {self.base_url}."
            raise VendorUnavailable(what, remedy="Start it again with vendorkit.local.start().") from exc
        if answer.status != http.client.OK:
            what = f"The mock server {self.name} refused the control call {action!r} ({answer.status})."
            raise VendorUnavailable(what, remedy="Start it again with vendorkit.local.start().")
        return json.loads(content)


class LocalVendors:
    """
    The running mock servers by name: `servers["medipim"]`. A context manager; `stop()` ends them.

    Example:
        >>> from vendorkit import local
        >>> with local.start(vendors=("pledg",)) as servers:
        ...     servers["pledg"].requests
        0
    """

    def __init__(self, process: subprocess.Popen[str], vendors: Mapping[str, LocalVendor]) -> None:
        self._process = process
        self._vendors = dict(vendors)
        self._owner_pid = os.getpid()

    def __getitem__(self, name: str) -> LocalVendor:
        try:
            return self._vendors[name]
        except KeyError:
            what = f"No mock server {name!r} is running here."
            raise UsageError(what, remedy=f"Running: {', '.join(self._vendors)}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._vendors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the servers are still running."""
        if os.getpid() == self._owner_pid:
            return self._process.poll() is None
        # A forked process cannot wait for its parent's child, so it sends a control call.
        try:
            next(iter(self._vendors.values())).get_settings()
        except VendorUnavailable:
            return False
        return True

    def reset(self) -> None:
        """Set all switches of all servers back to their values at the start, undo all changes, and empty the logs."""
        next(iter(self._vendors.values()))._control("reset")  # noqa: SLF001 - all servers are in one process

    def stop(self) -> None:
        """Stop the servers. A second call, or a call from a forked process, does nothing."""
        if os.getpid() == self._owner_pid:
            _end(self._process)


def start(*, vendors: str | Sequence[str] = VENDORS, **settings: Any) -> LocalVendors:
    """
    Start mock servers in a new process and wait until they answer.

    Args:
        vendors: One or more of "medipim", "pledg", "mediagenix" and "sequence".
        settings: Switches, as in `vendorkit.local.server.settings.Settings`, for all of these servers.

    Raises:
        UsageError: A vendor, a switch or its value is unknown.
        SettingsError: The packages of the extra `local` are not installed.
        VendorUnavailable: The servers did not start within 30 seconds.
    """
    vendors = (vendors,) if isinstance(vendors, str) else tuple(vendors or ())
    unknown = [name for name in vendors if name not in VENDORS]
    if unknown or not vendors:
        what = f"There is no mock server {', '.join(map(repr, unknown))}." if unknown else "vendors is empty."
        raise UsageError(what, remedy=f"Choose from {', '.join(VENDORS)}.")
    check_settings(settings)
    if missing := [name for name in NEEDED_MODULES if find_spec(name) is None]:
        what = f"The mock servers need packages that are not installed: {', '.join(missing)}."
        raise SettingsError(what, remedy="Install them with: pip install 'vendorkit[local]'")
    with tempfile.TemporaryFile() as stderr:
        process = _spawn(stderr)
        try:
            ready = _configure(process, {"vendors": list(vendors), "settings": settings}, stderr)
        except BaseException:
            _end(process)
            raise
    ca_pem, token = ready["ca_pem"], ready["control_token"]
    addresses = ready["vendors"].items()
    servers = {name: LocalVendor(name, **address, ca_pem=ca_pem, control_token=token) for name, address in addresses}
    return LocalVendors(process, servers)


def _spawn(stderr: IO[bytes]) -> subprocess.Popen[str]:
    # A notebook's interrupt is sent to the whole process group; a new session protects the servers from it.
    # This working directory makes `-m` import this package, not a module in the notebook's folder.
    return subprocess.Popen(
        [sys.executable, "-m", "vendorkit.local.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        cwd=Path(__file__).resolve().parents[3],
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _configure(process: subprocess.Popen[str], config: Mapping[str, Any], stderr: IO[bytes]) -> dict[str, Any]:
    """Send the configuration and wait for the ready line."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    assert process.stdin is not None  # noqa: S101  _spawn opens both pipes
    assert process.stdout is not None  # noqa: S101
    threading.Thread(target=lambda stdout: lines.put(stdout.readline()), args=(process.stdout,), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):  # if the child has already died, this is reported below
        process.stdin.write(json.dumps(config) + "\n")
        process.stdin.flush()
    with contextlib.suppress(queue.Empty, ValueError):
        ready: dict[str, Any] = json.loads(lines.get(timeout=START_TIMEOUT_S))
        return ready
    stderr.seek(0)
    tail = " | ".join(stderr.read().decode("utf-8", "replace").strip().splitlines()[-3:])[-600:]
    what = (
        f"The mock servers did not start within {START_TIMEOUT_S:.0f} s. End of their error output: {tail or '(none)'}."
    )
    raise VendorUnavailable(what, remedy="Check the installation with: pip install 'vendorkit[local]'")


def _end(process: subprocess.Popen[str]) -> None:
    """Close the child's input, which makes it exit; kill it if it does not."""
    try:
        process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
