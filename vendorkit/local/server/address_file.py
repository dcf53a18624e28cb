"""
The mock servers that the whole process shares, and the address file, through which other processes of the same user,
such as cluster workers, connect to them.

Only its owner can read the file, because it contains credentials. The other process gets its path, which is not secret.
The file is removed together with the `LocalVendors` that it describes.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from vendorkit.errors import UsageError
from vendorkit.local.server.process import LocalVendor, LocalVendors, start


class _Shared:
    """The shared servers by country, and the lock that lets one thread start them."""

    lock = threading.Lock()
    servers: ClassVar[dict[str, LocalVendors]] = {}


def shared_servers(country: str = "be") -> LocalVendors:
    """
    Return the mock servers that this process shares. They have default settings, start on first use and stop at exit.

    Each country of Medipim has a separate server process. A forked process uses its parent's servers while they run.
    """
    with _Shared.lock:
        servers = _Shared.servers.get(country)
        if servers is None or not servers.running:
            servers = _Shared.servers[country] = start(country=country)
            atexit.register(servers.stop)
        return servers


def _renew_lock() -> None:
    # During the fork another thread of the parent may have held the lock.
    _Shared.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


_FILES: Final[weakref.WeakKeyDictionary[LocalVendors, Path]] = weakref.WeakKeyDictionary()


def address_file(servers: LocalVendors) -> Path:
    """Return the path to pass to `servers_at` in another process of this user. The file is written on first use."""
    if servers not in _FILES:
        folder = Path(tempfile.mkdtemp(prefix="vendorkit-local-"))  # mode 700
        weakref.finalize(servers, _remove, folder, os.getpid())
        path = folder / "vendors.json"
        path.touch(0o600)
        path.write_text(json.dumps({name: _address(servers[name]) for name in servers}), encoding="utf-8")
        _FILES[servers] = path
    return _FILES[servers]


def servers_at(path: str | Path) -> Mapping[str, LocalVendor]:
    """
    Return the mock servers of an address file by name. They accept API requests, but no control calls (switches, log).

    Raises:
        UsageError: The file cannot be read: the servers' process has ended, or runs on another machine.
    """
    try:
        addresses = json.loads(Path(path).read_bytes())
    except OSError as exc:
        what = f"The mock servers of the address file {path} cannot be reached ({type(exc).__name__})."
        raise UsageError(what, remedy="Use them on the same machine, as the same user, while they run.") from exc
    return {name: LocalVendor(name, **address, control_token="") for name, address in addresses.items()}


def _address(server: LocalVendor) -> dict[str, object]:
    return {"port": int(server.base_url.rpartition(":")[2]), "ca_pem": server.ca_pem, "credentials": server.credentials}


def _remove(folder: Path, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # a forked process leaves its parent's file in place
        shutil.rmtree(folder, ignore_errors=True)
