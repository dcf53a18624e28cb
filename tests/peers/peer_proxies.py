"""Squid in front of a small origin and as a forward proxy, nginx with TLS, mitmproxy: each with its configuration."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from peer_servers import Peer, documents, free_port, launch, require, running, start

# Every Squid here keeps and writes nothing, and ends at once.
SQUID_KEEPS_NOTHING = """
cache deny all
cache_mem 8 MB
access_log none
cache_log /dev/null
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""
# An accelerator asks as a server does (401), not as a proxy (407). Its nonce is good for five uses, in strict order.
SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=127.0.0.1 no-vhost
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest no-netdb-exchange originserver
server_persistent_connections off
auth_param digest program /usr/lib/squid/digest_file_auth -c {folder}/users
auth_param digest children 2 startup=1 idle=1
auth_param digest realm {realm}
auth_param digest nonce_max_duration 5 minutes
auth_param digest nonce_max_count 5
auth_param digest nonce_strictness on
auth_param digest check_nonce_count on
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
uri_whitespace encode"""
SQUID += SQUID_KEEPS_NOTHING
# A forward proxy that knows HOSTS and lets tunnels to all ports but 22 pass, with HTTP Basic if there is a user.
SQUID_FORWARD = """
http_port 127.0.0.1:{port}
hosts_file {folder}/hosts
{basic}
acl ssh port 22
http_access deny ssh
http_access allow {who}
http_access deny all
connect_timeout 5 seconds"""
SQUID_FORWARD += SQUID_KEEPS_NOTHING
SQUID_BASIC = """
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/proxy-users
auth_param basic children 1 startup=1 idle=1
auth_param basic realm made up
acl known proxy_auth REQUIRED
"""
HOSTS = tuple(f"{vendor}.vendor.example" for vendor in ("medipim", "pledg", "mediagenix"))
# Of every nginx here, up to what its http block serves: all its files are in its folder.
NGINX_HEAD = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""
# One request per second; the next one is refused with a Retry-After of one second.
NGINX = (
    NGINX_HEAD
    + """\
    limit_req_zone $binary_remote_addr zone=all:1m rate=60r/m;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        ssl_protocols {protocols};
        ssl_ciphers ALL:@SECLEVEL=0;
        default_type application/json;
        root {folder}/www;
        auth_basic "{realm}";
        auth_basic_user_file {folder}/users;
        location /limited/ {{
            limit_req zone=all;
            limit_req_status 429;
            error_page 429 = @later;
        }}
        location @later {{
            auth_basic off;
            add_header Retry-After 1 always;
            return 429 '{{"error": {{"message": "slow down"}}}}';
        }}
    }}
}}
"""
)


@contextlib.contextmanager
def squid(folder: Path, users: dict[str, str]) -> Iterator[Peer]:
    """Start Squid, and the server behind it."""
    program = require("squid", Path("/usr/lib/squid/digest_file_auth"))
    documents(folder, users)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "www"))) as origin:
        threading.Thread(target=origin.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with running(launch(SQUID, folder, [program, "-N", "-f"], origin=origin.server_port)) as peer:
            yield peer
        origin.shutdown()


@contextlib.contextmanager
def nginx(folder: Path, users: dict[str, str], ca: trustme.CA, *, protocols: str) -> Iterator[Peer]:
    """Start nginx with HTTP Basic for *users*, behind a certificate of *ca* for 127.0.0.1."""
    program = require("nginx")
    documents(folder, users)
    (folder / "users").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
    (folder / "www" / "limited").mkdir()
    (folder / "www" / "limited" / "brands").write_text("{}")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    as_root = "user www-data;" if os.getuid() == 0 else ""
    command = [program, "-e", f"{folder}/error.log", "-c"]
    with running(launch(NGINX, folder, command, user=as_root, protocols=protocols)) as peer:
        yield Peer(peer.url.replace("http:", "https:"), peer.process)


@contextlib.contextmanager
def squid_forward(folder: Path, user: str) -> Iterator[Peer]:
    """Start Squid as a forward proxy; *user* is "name:password", or empty for none."""
    program = require("squid", Path("/usr/lib/squid/basic_ncsa_auth"))
    (folder / "hosts").write_text("".join(f"127.0.0.1 {host}\n" for host in HOSTS))
    basic = ""
    if user:
        name, password = user.split(":")
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"], input=password, capture_output=True, text=True, check=True
        )
        (folder / "proxy-users").write_text(f"{name}:{hashed.stdout}")
        basic = SQUID_BASIC.format(folder=folder)
    folder.chmod(0o755)  # started by root, it reads these as another user
    who = "known" if user else "all"
    with running(launch(SQUID_FORWARD, folder, [program, "-N", "-f"], basic=basic, who=who)) as peer:
        yield peer


@contextlib.contextmanager
def inspecting_gateway(folder: Path, vendor_root: Path) -> Iterator[tuple[Peer, Path]]:
    """Start mitmproxy, which trusts *vendor_root* and leads HOSTS to loopback; also return the file with its root."""
    program = require("mitmdump")
    script = folder / "to_loopback.py"
    script.write_text(
        "def server_connect(data):\n    data.server.address = ('127.0.0.1', data.server.address[1])\n", encoding="utf-8"
    )
    for _ in range(5):
        port = free_port()
        options = {"confdir": folder, "ssl_verify_upstream_trusted_ca": vendor_root, "connection_strategy": "lazy"}
        command = [program, "--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port), "-s", str(script)]
        command += [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
        peer = start(command, folder, port)
        if peer is not None:
            with running(peer):
                yield peer, folder / "mitmproxy-ca-cert.pem"
            return
    pytest.fail((folder / "output").read_text())
