"""What the tests of access tokens share."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from vendorkit.auth import ClientCredentials


class Clock:
    """A monotonic clock that tests move."""

    now = 1000.0

    def __call__(self):
        """Return the time."""
        return self.now


def scheme(server, clock=time.monotonic, secret="made-up", **how):
    """Return the scheme for a running token server."""
    return ClientCredentials(f"{server.url}/api/token", "key", secret, clock=clock, **how)


def get(url, auth):
    """GET with plain requests."""
    return requests.get(url, auth=auth, timeout=10)


def at_once(count, work):
    """Run *work* in *count* threads that start together; return the results, errors among them."""
    together = threading.Barrier(count)

    def run(_):
        together.wait(10)
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def fields(**more):
    """Return a token answer's body."""
    return json.dumps({"access_token": "abc", **more}).encode()
