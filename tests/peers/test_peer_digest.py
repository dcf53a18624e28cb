"""Our Digest against servers that others wrote: Apache httpd and lighttpd."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from requests.adapters import HTTPAdapter

from vendorkit.auth import Digest
from vendorkit.errors import CredentialsRefused

pytestmark = pytest.mark.peer
THREADS, EACH = 8, 25


class Counting(HTTPAdapter):
    """An adapter that counts what it sends, challenges included."""

    def __init__(self):
        super().__init__()
        self.sent = 0

    def send(self, *args, **how):
        """Count, and send."""
        self.sent += 1
        return super().send(*args, **how)


def pull(url, auth, *, threads=1, each=2, pause_s=0.0):
    """Return the final statuses of *each* GETs in all of *threads*, and the number of requests that were sent."""
    together = threading.Barrier(threads)
    adapters = [Counting() for _ in range(threads)]

    def work(adapter):
        statuses = []
        with requests.Session() as session:
            session.trust_env = False
            session.mount("http://", adapter)
            together.wait(10)
            for _ in range(each):
                try:
                    statuses.append(session.get(url, auth=auth, timeout=10).status_code)
                except CredentialsRefused:
                    statuses.append("refused")
                time.sleep(pause_s)
        return statuses

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(work, adapters))
    return [status for statuses in results for status in statuses], sum(adapter.sent for adapter in adapters)


def test_eight_threads_see_no_401(peer):
    """A27: 8 x 25 GETs; where the count must rise, a few more challenges and no error. Promise 5. Promise 10."""
    statuses, sent = pull(f"{peer.url}/index.html", Digest("robot", "made-up words"), threads=THREADS, each=EACH)
    assert statuses == [200] * THREADS * EACH
    assert sent < 1.5 * THREADS * EACH


@pytest.mark.faults
def test_a_pull_across_the_end_of_the_nonce_sees_no_401(peer):
    """A26, A28: lifetime 2 s, a pull of 3 s; the nonce expires under requests in flight. Promise 5."""
    statuses, _ = pull(
        f"{peer.url}/index.html", Digest("robot", "made-up words"), threads=THREADS, each=10, pause_s=0.3
    )
    assert statuses == [200] * THREADS * 10


@pytest.mark.parametrize(
    "path", ["/a;b=1", "/a%2Cb%20c", "/a%2cb%20c", "/a,b%20c?expand=x%2Cy,z;w", "//a;b=1", "/ü", "/index.html?"]
)
def test_odd_paths_are_signed_as_they_are_sent(peer, path):
    """A35: Apache answers 400 where the header's uri is not the request line's."""
    assert pull(peer.url + path, Digest("robot", "made-up words"))[0] == [200, 200]


def test_a_user_beyond_ascii_is_known(peer):
    """A20: both hash the bytes of UTF-8."""
    assert pull(f"{peer.url}/index.html", Digest("jäsøn", "pässword €"))[0] == [200, 200]


def test_a_wrong_password_costs_two_requests(peer):
    """A29: and is refused once for all threads. Promise 4. Promise 10."""
    auth = Digest("robot", "wrong words")
    assert pull(f"{peer.url}/index.html", auth, threads=THREADS, each=3) == (["refused"] * THREADS * 3, 2)
