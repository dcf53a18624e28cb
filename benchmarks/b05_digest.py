"""
5. Digest: 200 GETs of one small resource over HTTPS, by 1 thread and by 8 that start together, each run from nothing.

The mock server counts requests on the wire, challenges included; the largest count of several runs is reported.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import requests
from requests.auth import AuthBase, HTTPDigestAuth

import vendorkit as vk
from benchmarks.harness import Bar, Contender, Facts, Report, Size, measure
from vendorkit import local

GETS: Final = 200
OURS: Final = "vendorkit.auth.Digest on requests"
BASE: Final = "requests, one HTTPDigestAuth"
Get = Callable[[], bytes]


def bench(size: Size) -> Report:
    """Measure it."""
    gets = size.of(GETS, 16)
    report = Report("05", f"Digest, {gets} GETs", base=f"{BASE}, 1 thread", packages=("requests", "httpx"))
    with local.start(vendors=("mediagenix",), titles=10, gzip=False) as servers, TemporaryDirectory() as folder:
        server = servers["mediagenix"]
        ca_file = Path(folder, "ca.pem")
        ca_file.write_text(server.ca_pem, encoding="ascii")
        where = Where(server, str(ca_file))
        for threads in (1, 8):
            contenders = where.contenders(gets, threads)
            rows = measure(contenders, size)
            for row, one in zip(rows, contenders, strict=True):
                row.counts["wire"] = max(_wire(server, one) for _ in range(size.rounds))
            report.rows += rows
    for threads in (1, 8):
        ours, base = (f"{name}, {_many(threads)}" for name in (OURS, BASE))
        report.bars.append(
            Bar(f"requests on the wire, {_many(threads)}", report[ours].counts["wire"], "at most", gets + 1)
        )
        report.notes.append(f"{_many(threads)}: time of ours / {BASE}: {report.ratio(ours, base):.2f}.")
    return report


def _wire(server: local.LocalVendor, one: Contender) -> int:
    server.clear_log()
    one.run()
    return server.requests


def _many(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


class Where:
    """The vendor, and the ways to ask it."""

    def __init__(self, server: local.LocalVendor, ca_file: str) -> None:
        self.url, self.ca_file = f"{server.base_url}/api/titles/1", ca_file
        self.user, self.password = server.credentials.values()

    def contenders(self, gets: int, threads: int) -> list[Contender]:
        """Return all of them; each job returns the bodies."""
        makers: dict[str, Callable[[], AbstractContextManager[Get]]] = {
            OURS: self.ours,
            BASE: self.one,
            "requests, new HTTPDigestAuth per call": self.fresh,
            "httpx.DigestAuth on one client": self.httpx,
        }
        found = [
            Contender(f"{name}, {_many(threads)}", partial(_spread, maker, gets, threads), _facts)
            for name, maker in makers.items()
        ]
        if shutil.which("curl"):
            found.append(Contender(f"curl --digest, {_many(threads)}", lambda: self.curl(gets, threads), _facts))
        return found

    def ours(self) -> AbstractContextManager[Get]:
        """One Digest for all threads."""
        digest = vk.auth.Digest(self.user, self.password)
        return self._by_requests(lambda: digest)

    def one(self) -> AbstractContextManager[Get]:
        """One of requests' own for all threads."""
        digest = HTTPDigestAuth(self.user, self.password)
        return self._by_requests(lambda: digest)

    def fresh(self) -> AbstractContextManager[Get]:
        """What `auth=HTTPDigestAuth(...)` in each call comes to."""
        return self._by_requests(lambda: HTTPDigestAuth(self.user, self.password))

    @contextmanager
    def _by_requests(self, auth: Callable[[], AuthBase]) -> Iterator[Get]:
        """A session for each thread: requests does not promise that one can be shared."""
        own, sessions = threading.local(), list[requests.Session]()

        def get() -> bytes:
            if not hasattr(own, "session"):
                own.session = requests.Session()
                own.session.verify, own.session.trust_env = self.ca_file, False
                sessions.append(own.session)
            response = own.session.get(self.url, auth=auth())
            response.raise_for_status()
            return bytes(response.content)

        yield get
        for session in sessions:
            session.close()

    @contextmanager
    def httpx(self) -> Iterator[Get]:
        """One client for all threads, as its documentation advises; the scheme is the client's."""
        auth = httpx.DigestAuth(self.user, self.password)
        with httpx.Client(auth=auth, verify=ssl.create_default_context(cafile=self.ca_file)) as client:
            yield lambda: client.get(self.url).raise_for_status().content

    def curl(self, gets: int, threads: int) -> list[bytes]:
        """One curl for all; `--parallel` for several at a time. The password goes over standard input."""
        lines = [
            f'user = "{self.user}:{self.password}"',
            "digest",
            "silent",
            "no-progress-meter",
            "fail",
            f'cacert = "{self.ca_file}"',
        ]
        lines += ["parallel", f"parallel-max = {threads}"] if threads > 1 else []
        with TemporaryDirectory() as folder:
            for number in range(gets):
                lines += [f'url = "{self.url}"', f'output = "{folder}/{number}"']
            subprocess.run(["curl", "--config", "-"], input="\n".join(lines), text=True, check=True)
            return [Path(folder, str(number)).read_bytes() for number in range(gets)]


def _spread(maker: Callable[[], AbstractContextManager[Get]], gets: int, threads: int) -> list[bytes]:
    """Get so often, in all, from threads that start together."""
    together = threading.Barrier(threads)
    with maker() as get, ThreadPoolExecutor(threads) as pool:

        def work(_: int) -> list[bytes]:
            together.wait(10)
            return [get() for _ in range(gets // threads)]

        return [body for bodies in pool.map(work, range(threads)) for body in bodies]


def _facts(bodies: list[bytes]) -> Facts:
    """The answers; requests and curl ask for any form and get XML, so all have to be one text."""
    return [(body,) for body in bodies]
