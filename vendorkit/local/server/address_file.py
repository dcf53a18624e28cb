"""
Where other processes of this user meet the local vendors of this one, such as the workers of a cluster.

The meeting point is a file that its owner alone can read, in a folder of its own; only its path, which is no secret,
goes to the other process. It goes when the servers' process does.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vendorkit.errors import UsageError
from vendorkit.local.server.process import LocalVendor, LocalVendors

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACES: Final[weakref.WeakKeyDictionary[LocalVendors, Path]] = weakref.WeakKeyDictionary()


def rendezvous(servers: LocalVendors) -> Path:
    """Return the path of the file by which other processes of this user reach *servers*; made on first use."""
    if servers not in _PLACES:
        folder = Path(tempfile.mkdtemp(prefix="vendorkit-local-"))
        weakref.finalize(servers, _remove, folder, os.getpid())
        path = folder / "vendors.json"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a handle, not a path
            json.dump({name: _told(servers[name]) for name in servers}, file)
        _PLACES[servers] = path
    return _PLACES[servers]


def meet(path: str | Path) -> Mapping[str, LocalVendor]:
    """
    Return the local vendors that `rendezvous` named, by name. They cannot be switched from here.

    Raises:
        UsageError: The file is not there: the other process ended, or is on another machine.
    """
    try:
        told = json.loads(Path(path).read_bytes())
    except OSError as exc:
        what = f"The local vendors that {path} names cannot be reached from this process ({type(exc).__name__})."
        raise UsageError(what, remedy="They serve one user on one machine, while their process runs.") from exc
    return {name: LocalVendor(name, one["port"], one["ca_pem"], one["credentials"], "") for name, one in told.items()}


def _told(server: LocalVendor) -> dict[str, object]:
    port = int(server.base_url.rsplit(":", 1)[1])
    return {"port": port, "ca_pem": server.ca_pem, "credentials": server.credentials}


def _remove(folder: Path, owner_pid: int) -> None:
    if os.getpid() == owner_pid:
        shutil.rmtree(folder, ignore_errors=True)
