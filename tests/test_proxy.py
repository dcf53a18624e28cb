"""Proxies: which one is used and why, TLS end to end through its tunnel, and its credentials shown nowhere."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import socket
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

import vendorkit as vk
from tests.connect_proxy import ConnectProxy, connect_proxy
from tests.https import JSON, RawServer, answer, authority, raw_server
from vendorkit import doctor
from vendorkit.errors import Cancelled, DeadlineExceeded, ProxyError, SettingsError, TlsError, UsageError
from vendorkit.http.call import Policy
from vendorkit.http.proxy import DIRECT, find_route
from vendorkit.settings import Secret, read_settings

HOST = "vendor.example"
PASSWORD = "sentinel:p@ss/wörd"
USER = "made-up-user"
QUOTED = "made-up-user:sentinel%3Ap%40ss%2Fw%C3%B6rd"
QUICK = Policy(connect_timeout_s=1.0, read_timeout_s=1.0, deadline_s=3.0, attempts=1)
TOKEN = {"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 600}
CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
CREDENTIALS = {
    "medipim": ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET"),
    "pledg": ("PLEDG_API_KEY", "PLEDG_API_SECRET"),
    "mediagenix": ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD"),
}
ENVIRONMENT = {"medipim": "production", "pledg": "staging", "mediagenix": "staging"}


@dataclass
class Scene:
    """A vendor that only the proxy knows: its server, the proxy, and settings that lead to it."""

    server: RawServer
    proxy: ConnectProxy
    ca_file: Path

    def settings(self, vendor: str = "medipim") -> dict[str, str]:
        """What connect() needs to reach the server under the vendor's name."""
        values = dict.fromkeys(CREDENTIALS[vendor], "made-up-credential")
        values[f"{vendor.upper()}_BASE_URL"] = f"https://{HOST}"
        if vendor != "mediagenix":
            values[f"{vendor.upper()}_CA_FILE"] = str(self.ca_file)
        return values

    def connect(self, vendor: str = "medipim", policy: Policy = QUICK, **how: str | None) -> vk.Client:
        """A client of the vendor at that host."""
        return vk.connect(vendor, environment=ENVIRONMENT[vendor], settings=self.settings(vendor), policy=policy, **how)


def vendor_at(sock, head: bytes) -> None:
    """Answer as a vendor: a token, a challenge, or JSON that may be a brand."""
    if head.startswith(b"POST /api/token"):
        sock.sendall(answer(json.dumps(TOKEN).encode(), JSON))
    elif b"authorization:" not in head.lower():
        sock.sendall(answer(b"", CHALLENGE, status="401 X"))
    else:
        sock.sendall(answer(b'{"arrived": 1, "results": [], "meta": {"total": 0}}', JSON))


@pytest.fixture
def scene(tmp_path):
    """A server with a certificate for HOST, and a proxy that leads to it."""
    ca = authority("Made-up Vendor CA")
    with (
        raw_server(vendor_at, ca=ca, leaf=ca.issue_cert(HOST, "127.0.0.1")) as server,
        connect_proxy(server.port) as proxy,
    ):
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(server.ca_pem)
        yield Scene(server, proxy, ca_file)


@pytest.mark.parametrize("vendor", ["medipim", "pledg"])
@pytest.mark.parametrize("user", ["", f"{USER}:{PASSWORD}"])
def test_calls_go_through_the_tunnel(scene, vendor, user):
    """T35, N08, L10: the proxy sees host and port, the vendor nothing of the proxy. Promise 2."""
    scene.proxy.user = user
    address = scene.proxy.url.replace("//", f"//{QUOTED}@") if user else scene.proxy.url
    client = scene.connect(vendor, proxy=address)
    for _ in range(2):
        assert client.get("/x").json()["arrived"] == 1
    assert {head.split(b"\r\n")[0] for head in scene.proxy.heads} == {f"CONNECT {HOST}:443 HTTP/1.1".encode()}
    assert all((b"Proxy-Authorization: Basic " in head) == bool(user) for head in scene.proxy.heads)
    assert not [head for head in scene.proxy.heads if b"made-up-credential" in head or b"\r\nAuthorization" in head]
    assert scene.proxy.passed.startswith(b"\x16\x03"), "a TLS handshake"
    assert b"made-up-credential" not in scene.proxy.passed
    for head in scene.server.heads:
        assert b"proxy" not in head.lower()
        assert head.split()[1].startswith(b"/"), "a path and not a whole address"
    assert len(scene.proxy.heads) == 1, "the tunnel is kept"


def test_mediagenix_stays_pinned_behind_a_proxy(scene):
    """L10, N13: a proxy does not change which authorities are trusted. Promise 7."""
    with pytest.raises(TlsError) as caught:
        scene.connect("mediagenix", proxy=scene.proxy.url).get("/x")
    assert "Made-up Vendor CA" in caught.value.what
    assert scene.proxy.url in caught.value.what
    assert not scene.server.heads


@pytest.mark.parametrize(
    ("greeting", "works"),
    [
        (b"HTTP/1.0 200 OK\r\nVia: 1.0 made up\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 204 X\n\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False),
        (b"\x05\x00", False),
        (b"", False),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, False),
    ],
)
def test_answers_to_connect_are_read_to_their_empty_line(scene, greeting, works):
    """N09: whatever a proxy says first, and no byte more than its head."""
    scene.proxy.greeting = greeting
    if not works:
        scene.proxy.reply = lambda sock: sock.sendall(greeting)
    client = scene.connect(proxy=scene.proxy.url)
    if works:
        assert client.get("/x").ok
        return
    with pytest.raises(ProxyError) as caught:
        client.get("/x")
    assert scene.proxy.url in str(caught.value)
    assert caught.value.remedy
    assert not scene.server.heads


REFUSALS = {
    "407": (
        b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
        "requires user and password",
        "user:password",
    ),
    "407 NTLM": (
        b"HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Negotiate\r\n\r\n",
        "requires user and password",
        "NTLM, Negotiate but not Basic",
    ),
    "407 Basic as the second": (
        b"HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate, Basic realm=x\r\n\r\n",
        "requires user and password",
        "user:password",
    ),
    "403": (b"HTTP/1.1 403 X\r\n\r\n<html>made-up page", f"does not allow connections to {HOST}:443", "allow it"),
    "502": (b"HTTP/1.1 502 X\r\n\r\n", f"could not reach {HOST}:443", "later"),
    "503": (b"HTTP/1.1 503 X\r\n\r\n", f"could not reach {HOST}:443", "later"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusal_is_one_typed_error_that_names_the_proxy(scene, kind):
    """N09: the proxy's response, the source of its address, and what to do."""
    reply, predicate, advice = REFUSALS[kind]
    scene.proxy.reply = lambda sock: sock.sendall(reply)
    with pytest.raises(ProxyError) as caught:
        scene.connect(proxy=scene.proxy.url).get("/x")
    assert f"The proxy {scene.proxy.url} (from proxy=) {predicate}" in caught.value.what
    assert advice in caught.value.remedy
    assert caught.value.status == int(kind[:3])
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("kind", "tries"), [("407", 1), ("403", 1), ("502", 3)])
def test_only_what_may_pass_is_tried_again(scene, kind, tries):
    """N09: a refused password is not sent again and again."""
    scene.proxy.reply = lambda sock: sock.sendall(REFUSALS[kind][0])
    with pytest.raises(ProxyError):
        scene.connect(proxy=scene.proxy.url, policy=Policy(deadline_s=20, attempts=3)).get("/x")
    assert len(scene.proxy.heads) == tries


def test_wrong_password_is_reported_from_none(scene):
    """N09: and shown in neither case."""
    scene.proxy.user = "made-up-user:another"
    with pytest.raises(ProxyError, match="refused user and password") as caught:
        scene.connect(proxy=scene.proxy.url.replace("//", f"//{QUOTED}@")).get("/x")
    assert f"http://***@127.0.0.1:{scene.proxy.port}" in str(caught.value)
    assert_hidden(str(caught.value))


def test_token_request_says_what_is_wrong_with_the_proxy(scene):
    """N09: the first request of Pledg is the scheme's own."""
    scene.proxy.reply = lambda sock: sock.sendall(REFUSALS["403"][0])
    with pytest.raises(ProxyError, match="does not allow"):
        scene.connect("pledg", proxy=scene.proxy.url).get("/x")


def test_proxy_that_is_not_there_is_named(scene):
    """N09, T36: as every failure of a connection through one."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(ProxyError, match=rf"The proxy {address} \(from proxy=\) could not be reached") as caught:
        scene.connect(proxy=address).get("/x")
    assert 'proxy=""' in caught.value.remedy


def test_unknown_host_without_a_proxy_says_what_could_be_set(scene, monkeypatch):
    """T36, N08: where names of the internet are known to the proxy only."""

    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    client = scene.connect()
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(vk.errors.VendorUnavailable) as caught:
        client.get("/x")
    assert "VENDORKIT_PROXY" in caught.value.remedy


def test_failures_behind_the_proxy_name_it(scene):
    """N09, L03: a vendor that leaves, a certificate of another name."""
    scene.proxy.reply = lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(vk.errors.TransportError, match=rf"vendor\.example through the proxy {scene.proxy.url}"):
        scene.connect(proxy=scene.proxy.url).get("/x")
    scene.proxy.reply = None
    settings = {**scene.settings(), "MEDIPIM_BASE_URL": "https://other.example"}
    client = vk.connect("medipim", environment="production", settings=settings, policy=QUICK, proxy=scene.proxy.url)
    with pytest.raises(TlsError, match=rf"other\.example through the proxy {scene.proxy.url}.*[Hh]ostname mismatch"):
        client.get("/x")


@pytest.mark.parametrize("how", ["deadline", "cancel", "timeout"])
def test_proxy_that_never_answers_ends_with_the_call(scene, how):
    """N09, T11, W14, Promise 6: it accepts, and says nothing, or a byte now and then."""
    done = threading.Event()

    def drip(sock):
        while not done.wait(0.1):
            sock.sendall(b"H")

    scene.proxy.reply = drip
    policy = Policy(
        connect_timeout_s=0.5 if how == "timeout" else 9, deadline_s=0.5 if how == "deadline" else 9, attempts=1
    )
    stop = threading.Event()
    if how == "cancel":
        threading.Timer(0.5, stop.set).start()
    expected = {"deadline": DeadlineExceeded, "cancel": Cancelled, "timeout": ProxyError}[how]
    started = time.monotonic()
    with vk.cancellable(stop), pytest.raises(expected):
        scene.connect(proxy=scene.proxy.url, policy=policy).get("/x")
    assert time.monotonic() - started < 0.5 + 0.6
    done.set()


# --- where the address is from ---


def configured(tmp_path, monkeypatch, *, env_file: str = "", **variables: str) -> None:
    """Set variables, and write a settings file."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").write_text(env_file)
    (tmp_path / ".env").chmod(0o600)


SOURCES = {
    "argument": (
        {"VENDORKIT_PROXY": "http://two:2", "HTTPS_PROXY": "http://three:3"},
        "",
        "http://one:1",
        "one:1",
        "proxy=",
    ),
    "variable": (
        {"VENDORKIT_PROXY": "http://two:2", "HTTPS_PROXY": "http://three:3"},
        "",
        None,
        "two:2",
        "VENDORKIT_PROXY",
    ),
    "file": ({"HTTPS_PROXY": "http://three:3"}, "VENDORKIT_PROXY=http://two:2\n", None, "two:2", ".env"),
    "environment": ({"HTTPS_PROXY": "http://three:3"}, "HTTPS_PROXY=http://four:4\n", None, "three:3", "HTTPS_PROXY"),
    "lower case": ({"https_proxy": "three:3", "HTTPS_PROXY": "http://four:4"}, "", None, "three:3", "https_proxy"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_first_of_the_sources_is_used_and_said(scene, tmp_path, monkeypatch, kind):
    """N08: the argument, VENDORKIT_PROXY, HTTPS_PROXY; repr says which."""
    variables, env_file, argument, address, source = SOURCES[kind]
    configured(tmp_path, monkeypatch, env_file=env_file, **variables)
    shown = repr(scene.connect(proxy=argument))
    assert f"through the proxy http://{address} (from " in shown
    assert source in shown


NONE = {
    "argument": ({"VENDORKIT_PROXY": "http://two:2", "HTTPS_PROXY": "http://three:3"}, ""),
    "word": ({"VENDORKIT_PROXY": "none", "HTTPS_PROXY": "http://three:3"}, None),
    "capitals": ({"VENDORKIT_PROXY": "None", "HTTPS_PROXY": "http://three:3"}, None),
    "empty lower case": ({"https_proxy": "", "HTTPS_PROXY": "http://three:3"}, None),
    "excluded": ({"HTTPS_PROXY": "http://three:3", "NO_PROXY": "localhost,.example"}, None),
    "excluded, lower case": ({"HTTPS_PROXY": "http://three:3", "no_proxy": "localhost .example"}, None),
    "others": ({"HTTP_PROXY": "http://three:3", "ALL_PROXY": "http://three:3"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("kind", NONE)
def test_no_proxy_is_none(scene, tmp_path, monkeypatch, kind):
    """N11: proxy="", VENDORKIT_PROXY=none, NO_PROXY; only HTTPS_PROXY counts of the usual variables."""
    variables, argument = NONE[kind]
    configured(tmp_path, monkeypatch, **variables)
    client = scene.connect(proxy=argument)
    assert "the proxy" not in repr(client)
    assert client.endpoint.route.proxy_for(HOST, 443) is None


@pytest.mark.parametrize("argument", ["http://127.0.0.1:9", None])
def test_this_machine_is_reached_directly(scene, monkeypatch, argument):
    """N11: whatever is set, for a mock server or a test of one's own."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("VENDORKIT_PROXY", "http://127.0.0.1:9")
    settings = {**scene.settings(), "MEDIPIM_BASE_URL": scene.server.url}
    client = vk.connect("medipim", environment="production", settings=settings, proxy=argument, policy=QUICK)
    assert client.get("/x").ok
    assert "proxy" not in repr(client)


def test_mock_servers_are_reached_directly(vendors, monkeypatch):
    """N11: a proxy in the environment does not matter to environment="local", not even a broken one."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("VENDORKIT_PROXY", '"http://127.0.0.1:9"')
    for vendor in ("medipim", "mediagenix", "pledg"):
        assert doctor.examine(vk.connect(vendor, environment="local")).fine


def test_settings_file_of_a_stranger_may_name_a_proxy_and_no_more(scene, tmp_path, monkeypatch):
    """N01, N08: HTTPS_PROXY and NO_PROXY count from the process environment only."""
    configured(tmp_path, monkeypatch, env_file="HTTPS_PROXY=http://one:1\nNO_PROXY=*\n", https_proxy="http://two:2")
    assert "http://two:2" in repr(scene.connect())


BAD = {
    "socks": "socks5://sentinel-user:sentinel-word@proxy.example:1080",
    "tls": "https://sentinel-user:sentinel-word@proxy.example:443",
    "no host": "http://sentinel-user:sentinel-word@",
    "no number": "http://sentinel-user:sentinel-word@proxy.example:x",
    "a port of none": "http://sentinel-user:sentinel-word@proxy.example:0",
    "too high": "http://sentinel-user:sentinel-word@proxy.example:99999",
    "unquoted #": "http://sentinel-user:sentinel#word@proxy.example:3128",
    "unquoted /": "http://sentinel-user:sentinel/word@proxy.example:3128",
    "a path": "http://proxy.example:3128/sentinel",
    "a colon in the user": "http://sentinel%3Auser:sentinel-word@proxy.example:3128",
    "a broken address": "http://sentinel-user:sentinel-word@[::1",
    "blanks": "http://sentinel user@proxy example:3128",
    "not UTF-8": "http://sentinel-user:sentinel-w\udcf6rd@proxy.example:3128",
    "a line end": "http://proxy.example:31\r\nsentinel: 28",
}


@pytest.mark.parametrize("source", ["argument", "VENDORKIT_PROXY", "HTTPS_PROXY"])
@pytest.mark.parametrize("kind", BAD)
def test_address_that_cannot_be_used_is_refused_without_an_echo(scene, monkeypatch, kind, source):
    """N10, S11, S18: before anything is sent; nor in the locals of our frames. Promise 8."""
    if source != "argument":
        monkeypatch.setenv(source, BAD[kind])
    with pytest.raises(UsageError if source == "argument" else SettingsError) as caught:
        scene.connect(proxy=BAD[kind] if source == "argument" else None)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame.f_locals for frame in frames if frame.f_code.co_filename != __file__]
    assert "sentinel" not in f"{caught.value}{ours!r}"
    assert ("proxy=" if source == "argument" else source) in caught.value.what
    assert "host:port" in caught.value.remedy or "Copy it again" in caught.value.remedy


@pytest.mark.parametrize("proxy", [3128, b"http://proxy:1", {"https": "http://proxy:1"}, ["http://proxy:1"], object()])
def test_argument_that_is_no_text_is_refused(proxy):
    """Requests' own form, for one; also where no proxy is needed."""
    for environment in ("production", "local"):
        with pytest.raises(UsageError, match="proxy="):
            vk.connect("pledg", environment=environment, proxy=proxy, settings={})


FORMS = {
    "http://proxy.example:3128": "http://proxy.example:3128",
    "proxy.example:3128": "http://proxy.example:3128",
    "HTTP://Proxy.Example:3128/": "http://proxy.example:3128",
    "http://proxy.example": "http://proxy.example:80",
    "http://[2001:db8::1]:3128": "http://[2001:db8::1]:3128",
    " http://10.0.0.1:3128 ": "http://10.0.0.1:3128",
    "user:word@proxy.example:3128": "http://***@proxy.example:3128",
    "http://user@proxy.example:3128": "http://***@proxy.example:3128",
}


@pytest.mark.parametrize("form", FORMS)
def test_usual_forms_of_an_address_are_read(form):
    """N08: with and without scheme, port and credentials."""
    proxy = find_route([], argument=Secret(form)).proxy
    assert str(proxy) == FORMS[form]


def test_credentials_are_unquoted_and_sent_as_utf_8():
    """N08: percent escapes are of the address, not of the password."""
    proxy = find_route([], argument=Secret(f"http://{QUOTED}@p:1")).proxy
    sent = base64.b64decode(proxy.credentials.reveal().removeprefix("Basic ")).decode()
    assert sent == f"{USER}:{PASSWORD}"


# entries, host, port, whether it is reached directly
RULES = [
    ("vendor.example", "vendor.example", 443, True),
    ("vendor.example", "api.vendor.example", 443, True),
    ("vendor.example", "othervendor.example", 443, False),
    ("vendor.example", "vendor.example.org", 443, False),
    (".vendor.example", "api.vendor.example", 443, True),
    (".vendor.example", "vendor.example", 443, True),
    ("*.vendor.example", "api.vendor.example", 443, True),
    ("*.vendor.example", "a.b.vendor.example", 443, True),
    ("VENDOR.Example", "vendor.EXAMPLE", 443, True),
    ("vendor.example.", "vendor.example", 443, True),
    ("vendor.example", "vendor.example.", 443, True),
    ("vendor.example:443", "vendor.example", 443, True),
    ("vendor.example:8443", "vendor.example", 443, False),
    (".example:8443", "vendor.example", 8443, True),
    ("*", "vendor.example", 443, True),
    ("*:8443", "vendor.example", 8443, True),
    ("a, b ,*", "vendor.example", 443, True),
    ("a b vendor.example", "vendor.example", 443, True),
    ("10.0.0.0/8", "10.20.30.40", 443, True),
    ("10.0.0.0/8", "11.0.0.1", 443, False),
    ("10.0.0.0/8", "vendor.example", 443, False),
    ("10.1.2.3", "10.1.2.3", 443, True),
    ("10.1.2.3/24", "10.1.2.99", 443, True),
    ("10.1.2.3:443", "10.1.2.3", 443, True),
    ("10.1.2.3:80", "10.1.2.3", 443, False),
    ("2001:db8::/32", "2001:db8::1", 443, True),
    ("[2001:db8::1]:443", "2001:db8::1", 443, True),
    ("[2001:db8::1]", "2001:db8::1", 443, True),
    ("2001:db8::2", "2001:db8::1", 443, False),
    ("2001:db8::1:443", "2001:db8::1", 443, False),
    (",, ,", "vendor.example", 443, False),
    ("", "vendor.example", 443, False),
    ("10.0.0.0/99", "10.0.0.1", 443, False),
    ("vendor.example:99999999999", "vendor.example", 443, False),
    (".", "vendor.example", 443, False),
    ("*.", "vendor.example", 443, False),
    ("example", "vendor.example", 443, True),
]


@pytest.mark.parametrize(("entries", "host", "port", "direct"), RULES)
def test_no_proxy_is_read_as_curl_and_requests_do(monkeypatch, entries, host, port, direct):
    """N11: names with their domains, suffixes, addresses, ranges, ports, and * for all."""
    shown = f"[{host}]" if ":" in host else host
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", entries)
    route = find_route([f"https://{shown}:{port}", "https://third.invalid"])
    assert (route.proxy_for(host, port) is None) is direct
    if "*" not in entries.replace(",", " ").split():
        assert route.proxy_for("third.invalid", 443) is not None


# What requests reads otherwise or not at all: *.suffix, IPv6, ports of addresses, the ends of names, final dots.
_OTHERWISE = ("*", "::", ":8443", "99", " b", "10.1.2.3:", "Example")
SHARED = [
    rule
    for rule in RULES
    if not any(sign in rule[0] for sign in _OTHERWISE)
    and rule[0].strip(", .")
    and not rule[0].endswith(".")
    and not rule[1].endswith((".", "othervendor.example"))
]


@pytest.mark.parametrize(("entries", "host", "port", "direct"), SHARED)
def test_requests_agrees_where_it_knows_the_rule(monkeypatch, entries, host, port, direct):
    """N11: an independent reading of the same entries."""
    monkeypatch.setenv("no_proxy", entries)
    assert requests.utils.should_bypass_proxies(f"https://{host}:{port}/", no_proxy=None) is direct


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1", "LOCALHOST"])
def test_loopback_is_never_proxied(monkeypatch, host):
    """N11: by the caller's own argument as well."""
    shown = f"[{host}]" if ":" in host else host
    route = find_route([f"https://{shown}"], argument=Secret("http://proxy.example:1"))
    assert route.proxy_for(host, 443) is None
    monkeypatch.setenv("HTTPS_PROXY", "socks5://broken")
    assert find_route([f"https://{shown}"]) == DIRECT


# --- nothing is shown ---


def assert_hidden(*texts: str) -> None:
    """Neither user nor password, plain, quoted or in base64."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for text in texts:
        for form in (USER, PASSWORD, "sentinel", QUOTED, pair, pair.rstrip("=")):
            assert form not in text, form


def test_credentials_of_the_proxy_are_shown_nowhere(scene, monkeypatch, caplog, capsys):
    """N08, S11 to S14, S18: repr, attributes, exchanges, logs, debug output, errors with their frames. Promise 3."""
    import http.client

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    scene.proxy.user = f"{USER}:{PASSWORD}"
    monkeypatch.setenv("VENDORKIT_PROXY", f"http://{QUOTED}@127.0.0.1:{scene.proxy.port}")
    client = scene.connect()
    response = client.get("/x")
    attributes = [vars(client), vars(client.session), vars(client.endpoint), client.endpoint.route, client.settings]
    exchanges = [one.text() for one in client.session.exchanges.all()]
    assert_hidden(repr(client), repr(attributes), *exchanges, client.exchanges.to_string())
    assert_hidden(repr(response.request.headers), repr(response.raw), str(pickle.dumps(response)))
    with pytest.raises(UsageError):
        pickle.dumps(client)
    with pytest.raises(UsageError):
        pickle.dumps(client.endpoint.route)
    scene.proxy.user = "made-up:another"
    fresh = scene.connect()
    with pytest.raises(ProxyError) as caught:
        fresh.get("/x")
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    inner = [repr(one) for one in frames if one.get("__name__") != __name__ and "monkeypatch" not in one]
    assert_hidden(str(caught.value), repr(vars(caught.value)), *inner)
    printed = capsys.readouterr()
    assert_hidden(caplog.text, printed.out, printed.err)


def test_source_of_the_settings_file_is_said(scene, tmp_path, monkeypatch):
    """And a broken entry is named, as every name that is asked for."""
    configured(tmp_path, monkeypatch, env_file="VENDORKIT_PROXY=http://two:2\n")
    found = read_settings(["VENDORKIT_PROXY"])
    assert find_route([], settings=found).proxy.source == "VENDORKIT_PROXY, .env"


# --- doctor, chain ---


def test_doctor_names_the_proxy(scene, monkeypatch):
    """N08: also one that refuses; its credentials are masked."""
    for name, value in scene.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "production")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{QUOTED}@127.0.0.1:{scene.proxy.port}")
    found = {one.check: one for one in doctor.checkup("medipim").findings}
    assert f"Through the proxy http://***@127.0.0.1:{scene.proxy.port} (from HTTPS_PROXY)" in found["proxy"].said
    assert found["test call"].fine
    assert found["TLS"].fine, found["TLS"]
    scene.proxy.reply = lambda sock: sock.sendall(REFUSALS["403"][0])
    found = {one.check: one for one in doctor.checkup("medipim").findings}
    assert "does not allow" in found["test call"].said
    assert found["TLS"].fine is None
    assert_hidden("\n".join(doctor.report([doctor.checkup("medipim")])))


def test_doctor_says_that_another_variable_does_not_count(scene, monkeypatch):
    """N08: ALL_PROXY is what some networks set."""
    for name, value in scene.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIPIM_BASE_URL", scene.server.url)
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "production")
    monkeypatch.setenv("ALL_PROXY", "http://one:1")
    found = {one.check: one for one in doctor.checkup("medipim").findings}
    assert "ALL_PROXY" in found["proxy"].said
    assert "VENDORKIT_PROXY" in found["proxy"].remedy


def test_panel_names_the_proxy(scene, monkeypatch):
    """N08: after a test call, as it does what else doctor finds."""
    pytest.importorskip("ipywidgets")
    for name, value in scene.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "production")
    monkeypatch.setenv("VENDORKIT_PROXY", f"http://{QUOTED}@127.0.0.1:{scene.proxy.port}")
    panel = vk.connect_panel("medipim")
    panel.start()
    panel.join()
    assert f"http://***@127.0.0.1:{scene.proxy.port}" in panel.static_html()
    assert f"NOT a host of Medipim: {HOST}" in panel.static_html()
    assert_hidden(panel.static_html())


def test_chain_goes_through_the_proxy(scene, monkeypatch):
    """L10: the chain of a host that only the proxy reaches, by argument or variable."""
    trust = scene.server.trust
    monkeypatch.setattr(type(trust), "check_host", lambda self, host: None)
    assert vk.chain(HOST, trust=trust, proxy=scene.proxy.url)["verified"].all()
    monkeypatch.setenv("HTTPS_PROXY", scene.proxy.url)
    shown = vk.chain(HOST)
    assert not shown["verified"].any()
    assert shown["problem"].str.contains("unable to get local issuer").all()
    scene.proxy.reply = lambda sock: sock.sendall(REFUSALS["403"][0])
    with pytest.raises(ProxyError):
        vk.chain(HOST)
