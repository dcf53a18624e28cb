"""Servers from Debian's packages, started on a free loopback port with a configuration of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

APACHE_MODULES = Path("/usr/lib/apache2/modules")
REALM = "vendorkit peers"
USERS = {"robot": "made-up words", "jäsøn": "pässword €"}
APACHE = """
ServerRoot "{folder}"
ServerName 127.0.0.1
PidFile "{folder}/pid"
DefaultRuntimeDir "{folder}"
Mutex file:{folder} default
ErrorLog "{folder}/error.log"
LogLevel warn
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_digest_module {modules}/mod_auth_digest.so
{user}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
ThreadsPerChild 16
ServerLimit 2
StartServers 2
MaxRequestWorkers 32
AuthDigestShmemSize 1M
AllowEncodedSlashes NoDecode
DocumentRoot "{folder}/www"
<Directory "{folder}/www">
    AuthType Digest
    AuthName "{realm}"
    AuthDigestProvider file
    AuthUserFile "{folder}/users"
    AuthDigestNonceLifetime {lifetime_s}
    AuthDigestNcCheck {nc_check}
    Require valid-user
</Directory>
"""
LIGHTTPD = """
server.modules = ("mod_auth", "mod_authn_file")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}/www"
server.errorlog = "{folder}/error.log"
server.pid-file = "{folder}/pid"
server.max-keep-alive-requests = 1000
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "{folder}/users"
auth.require = ("" => ("method" => "digest", "realm" => "{realm}", "algorithm" => "MD5", "require" => "valid-user"))
"""


@dataclass
class Peer:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]


def require(program: str, *files: Path) -> str:
    """Return the path of *program*, or skip the test with the reason."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    missing = [str(file) for file in files if not file.exists()]
    if path is None or missing:
        pytest.skip(f"{program} is not installed{': ' + ', '.join(missing) if missing else ''}; .ci/run installs it")
    return path


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def documents(folder: Path, users: dict[str, str]) -> None:
    """Write what there is to serve, readable for the server's own user, and who may read it."""
    www = folder / "www"
    for name in ("index.html", "a;b=1", "a,b c", "ü"):
        path = www / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("ok")
    lines = []
    for user, password in users.items():
        key = hashlib.md5(f"{user}:{REALM}:{password}".encode(), usedforsecurity=False).hexdigest()
        lines.append(f"{user}:{REALM}:{key}\n")
    (folder / "users").write_text("".join(lines))
    folder.chmod(0o755)  # started by root, the server reads it as another user


def start(command: list[str], folder: Path, port: int) -> Peer | None:
    """Start *command*; None where it ended at once, as it does where somebody else took the port."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return Peer(f"http://127.0.0.1:{port}", process)
    stop(process)
    return None


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the one process that was started; its children end with it."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@contextmanager
def running(peer: Peer) -> Iterator[Peer]:
    """Stop *peer* at the end of the block."""
    try:
        yield peer
    finally:
        stop(peer.process)


def launch(configuration: str, folder: Path, command: list[str], **values: object) -> Peer:
    """Write *configuration* and start *command* with it, on another port where one is taken."""
    for _ in range(5):
        port = free_port()
        path = folder / "server.conf"
        path.write_text(configuration.format(folder=folder, port=port, realm=REALM, **values))
        peer = start([*command, str(path)], folder, port)
        if peer is not None:
            return peer
    output = [path.read_text() for path in (folder / "output", folder / "error.log") if path.exists()]
    pytest.fail(f"{command[0]} does not start: {output}")


def apache(folder: Path, users: dict[str, str], *, nc_check: str, lifetime_s: int) -> Peer:
    """Start Apache httpd with mod_auth_digest."""
    program = require("apache2", APACHE_MODULES / "mod_auth_digest.so")
    documents(folder, users)
    as_root = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    return launch(
        APACHE, folder, [program, "-D", "FOREGROUND", "-f"],
        modules=APACHE_MODULES, user=as_root, nc_check=nc_check, lifetime_s=lifetime_s,
    )  # fmt: skip


def lighttpd(folder: Path, users: dict[str, str]) -> Peer:
    """Start lighttpd with its own digest."""
    program = require("lighttpd", Path("/usr/lib/lighttpd/mod_authn_file.so"))
    documents(folder, users)
    return launch(LIGHTTPD, folder, [program, "-D", "-f"])
