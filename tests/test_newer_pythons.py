"""Changes of newer Python versions, simulated if the running version lacks them, so that every branch is tested."""

from __future__ import annotations

import ast
import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import vendorkit as vk
from tests.forking import forked
from tests.https import JSON, always, answer, authority, raw_server, session_of
from vendorkit.errors import TlsError
from vendorkit.http.call import Call
from vendorkit.http.sockets import BoundedSocket
from vendorkit.http.tls import DER, Trust, local_trust

FILES = sorted(Path(vk.__file__).parent.rglob("*.py"))


@pytest.fixture
def public_chain(monkeypatch) -> list[int]:
    """The public `get_verified_chain()` of Python 3.13, simulated with the bytes of the private object."""
    calls: list[int] = []

    def get_verified_chain(self) -> list[bytes]:
        calls.append(1)
        return [one.public_bytes(DER) for one in self._sslobj.get_verified_chain()]

    monkeypatch.setattr(BoundedSocket, "get_verified_chain", get_verified_chain, raising=False)
    return calls


def test_chain_is_read_by_the_public_call_of_python_3_13(public_chain):
    """The certificates come from that call."""
    with raw_server(always(answer(b"{}", JSON))) as server:
        session_of(server).send(Call("GET", "/x"))
    assert public_chain == [1]


def test_chain_of_another_root_is_refused_by_the_public_call(monkeypatch, public_chain):
    """L01: the fingerprint of the last certificate decides, not the roots that OpenSSL trusts."""
    another = local_trust(authority("Another").cert_pem.bytes().decode())
    monkeypatch.setattr(Trust, "_fingerprints", lambda _, read=Trust._fingerprints: read(another))
    with raw_server(always(answer(b"{}", JSON))) as server:
        with pytest.raises(TlsError, match="approved root"):
            session_of(server).send(Call("GET", "/x"))
        assert not server.heads
    assert public_chain


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_warning_of_python_3_12_at_a_fork_with_threads_is_a_warning_only(vendors, monkeypatch):
    """X01: the simulation warns like 3.12, in the parent, after the child was started; the child works."""
    fork = os.fork

    def warning_fork() -> int:
        pid = fork()
        if pid:
            message = "This process (pid=1) is multi-threaded, use of fork() may lead to deadlocks in the child."
            warnings.warn(message, DeprecationWarning, stacklevel=2)
        return pid

    client = vk.connect("medipim", environment="local")
    expected = client.brands.query().count()
    monkeypatch.setattr(os, "fork", warning_fork)
    with pytest.warns(DeprecationWarning, match="multi-threaded"):
        assert forked(lambda: client.brands.query().count()) == expected


def _count(client: vk.Client) -> int:
    return client.brands.query().count()


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="this system has no forkserver")
def test_pool_of_python_3_14_takes_no_client_and_says_what_to_do(vendors):
    """X04: its pools use forkserver, which this test selects by name; what they send is pickled."""
    client = vk.connect("medipim", environment="local")
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as pool, pytest.raises(Exception, match="Connect again"):
        pool.submit(_count, client).result(30)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_annotations_are_strings_in_every_version(path):
    """Python 3.14 evaluates annotations when they are read; with this import they stay strings, as in 3.10."""
    tree = ast.parse(path.read_text("utf-8"))
    annotated = any(isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation for node in ast.walk(tree))
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert not annotated or any(alias.name == "annotations" for node in future for alias in node.names)
    read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "__annotations__" not in read
