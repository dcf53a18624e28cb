"""Squid in front of a small origin, and nginx with TLS: each with a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme
from peer_servers import Peer, documents, launch, require, running

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
uri_whitespace encode
cache deny all
cache_mem 8 MB
access_log none
cache_log /dev/null
pid_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""
# One request a second; the next one is told to come back after one second.
NGINX = """
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


@contextlib.contextmanager
def squid(folder: Path, users: dict[str, str]) -> Iterator[Peer]:
    """Start Squid, and what it stands in front of."""
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
