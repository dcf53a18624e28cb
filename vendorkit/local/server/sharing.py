"""The mock servers that the whole process shares, started when they are first needed."""

from __future__ import annotations

import atexit
import os
import threading
from typing import ClassVar

from vendorkit.local.server.process import LocalVendors, start


class _Shared:
    """The shared servers by country, and the lock that lets one thread start them."""

    lock = threading.Lock()
    servers: ClassVar[dict[str, LocalVendors]] = {}


def shared_servers(country: str = "be") -> LocalVendors:
    """
    Return the mock servers of this process, with default settings: started on first use, stopped at exit.

    Each country of Medipim has a separate server process. A forked process uses the servers of its parent as long as
    these run.
    """
    with _Shared.lock:
        servers = _Shared.servers.get(country)
        if servers is None or not servers.running:
            servers = _Shared.servers[country] = start(country=country)
            atexit.register(servers.stop)
        return servers


def _renew_lock() -> None:
    # Another thread of the parent may have held the lock at the moment of the fork.
    _Shared.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
