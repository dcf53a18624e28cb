"""Credentials stay at their origin, whatever a redirect or a link says; a second server looks for them."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

import vendorkit as vk
from tests.https import QUICK, RawServer, always, answer, authority, raw_server
from vendorkit import auth
from vendorkit.errors import IncompletePull, OriginRefused
from vendorkit.http.tls import local_trust
from vendorkit.settings import Secret, Settings
from vendorkit.vendors.hosts import Endpoint
from vendorkit.vendors.registry import CLIENTS

JSON = "Content-Type: application/json"
STATUSES = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
TOKEN = {"access_token": "sentinel-token", "token_type": "Bearer", "expires_in": 600}
CREDENTIALS = {
    "medipim": ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET"),
    "pledg": ("PLEDG_API_KEY", "PLEDG_API_SECRET"),
    "mediagenix": ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD"),
}
# Where a link may try to lead to: `here` is the vendor's port, `there` another server's, `plain` one without TLS.
TARGETS = {
    "another port": "https://127.0.0.1:{there}/stolen",
    "another name": "https://localhost:{here}/stolen",
    "another name and port": "https://localhost:{there}/stolen",
    "no TLS": "http://127.0.0.1:{plain}/stolen",
    "a password": "https://user:sesame@127.0.0.1:{here}/stolen",
    "a password elsewhere": "https://127.0.0.1:{here}@127.0.0.1:{there}/stolen",
    "no scheme": "//127.0.0.1:{there}/stolen",
    "backslashes": "https://127.0.0.1:{there}\\@127.0.0.1:{here}/stolen",
    "a file": "file:///etc/passwd#stolen",
    "no port": "https://127.0.0.1:x/stolen",
}


@dataclass
class Scene:
    """The vendor's server, another one of the same authority, and a listener without TLS."""

    vendor: RawServer
    other: RawServer
    plain: socket.socket
    reply: bytes = b""

    def target(self, name: str) -> str:
        """The address that TARGETS has under *name*."""
        plain = self.plain.getsockname()[1]
        return TARGETS[name].format(here=self.vendor.port, there=self.other.port, plain=plain)

    def client(self, name: str) -> vk.Client:
        """A client with made-up credentials on the vendor's server."""
        values = {variable: Secret("sentinel-credential") for variable in CREDENTIALS[name]}
        endpoint = Endpoint("local", self.vendor.url, self.vendor.trust)
        return CLIENTS[name](endpoint, Settings(values, dict.fromkeys(values, "given")), policy=QUICK)

    def plain_connections(self) -> int:
        """How many connected without TLS."""
        count = 0
        self.plain.settimeout(0.05)
        while True:
            try:
                self.plain.accept()[0].close()
            except TimeoutError:
                return count
            count += 1


@pytest.fixture(scope="module")
def servers():
    """Two servers; the vendor's gives tokens, asks for authentication, and answers the rest with `reply`."""
    ca = authority()

    def vendor(sock, head):
        if head.startswith(b"POST /api/token"):
            sock.sendall(answer(json.dumps(TOKEN).encode(), JSON))
        elif b"authorization:" not in head.lower():
            sock.sendall(answer(b"", CHALLENGE, status="401 X"))
        else:
            sock.sendall(answer(b'{"arrived": 1}', JSON) if b" /arrived" in head else made.reply)

    with ExitStack() as stack:
        leaves = [ca.issue_cert("127.0.0.1", "localhost") for _ in range(2)]
        here = stack.enter_context(raw_server(vendor, ca=ca, leaf=leaves[0]))
        there = stack.enter_context(raw_server(always(answer(b"{}", JSON)), ca=ca, leaf=leaves[1]))
        made = Scene(here, there, stack.enter_context(socket.create_server(("127.0.0.1", 0))))
        yield made


@pytest.fixture
def scene(servers):
    """The servers, with nothing seen yet."""
    servers.vendor.heads.clear()
    servers.other.heads.clear()
    return servers


def assert_nothing_left(scene: Scene) -> None:
    """No other server received a request, and the vendor none under another name."""
    assert scene.other.heads == []
    assert scene.plain_connections() == 0
    assert not [head for head in scene.vendor.heads if b"stolen" in head]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("vendor", CREDENTIALS)
def test_redirect_out_of_the_vendor_is_refused(scene, vendor, target):
    """T21 to T23, T27, A32, S15: by every status, for every scheme; not a byte goes elsewhere. Promise 2."""
    client = scene.client(vendor)
    for status in STATUSES:
        scene.reply = answer(b"", f"Location: {scene.target(target)}", status=status)
        with pytest.raises(OriginRefused) as caught:
            client.get("/start")
        assert "sesame" not in str(caught.value)
    assert_nothing_left(scene)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("vendor", CREDENTIALS)
def test_redirect_inside_the_vendor_is_followed_with_credentials(scene, vendor, status):
    """T21, the other side: relative, absolute, and without a scheme."""
    client = scene.client(vendor)
    for location in ("/arrived", f"{scene.vendor.url}/arrived", f"//127.0.0.1:{scene.vendor.port}/arrived"):
        scene.reply = answer(b"", f"Location: {location}", status=status)
        assert client.get("/start").json() == {"arrived": 1}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("vendor", CREDENTIALS)
def test_link_out_of_the_vendor_is_refused(scene, vendor, target):
    """T28, A32, S15, L11: the address is used as received; nothing is sent, not even to the vendor. Promise 2."""
    with pytest.raises(OriginRefused) as caught:
        scene.client(vendor).get(scene.target(target))
    assert "sesame" not in str(caught.value)
    assert scene.vendor.heads == []
    assert_nothing_left(scene)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("accept", ["xml", "json"])
def test_next_link_out_of_the_vendor_ends_the_pull(scene, target, accept):
    """T28, A32: the first page names a second one elsewhere, in either form. Promise 2."""
    address = scene.target(target)
    page = {"total_entries": 2, "next_link": address, "entries": [{"id": 1, "name": "a"}]}
    xml = (
        '<brands type="array"><total-entries>2</total-entries>'
        f'<link rel="next" href="{address}"/><brand><id>1</id><name>a</name></brand></brands>'
    )
    body = json.dumps(page) if accept == "json" else xml
    scene.reply = answer(body.encode(), f"Content-Type: application/{accept}")
    with pytest.raises(IncompletePull) as caught:
        scene.client("mediagenix").brands.query(accept=accept).frame()
    assert isinstance(caught.value.__cause__, OriginRefused)
    assert "sesame" not in str(caught.value)
    assert_nothing_left(scene)


@pytest.mark.parametrize("target", ["another port", "another name", "another name and port", "no TLS"])
@pytest.mark.parametrize("kind", ["Basic", "Digest", "ClientCredentials"])
def test_schemes_only_keep_their_credentials_from_redirects(scene, tmp_path, kind, target):
    """T21 to T23, A32: plain requests follows such redirects; what arrives carries nothing. Promise 2."""
    made = {
        "Basic": lambda: auth.Basic("user", "sentinel"),
        "Digest": lambda: auth.Digest("user", "sentinel"),
        "ClientCredentials": lambda: auth.ClientCredentials(
            f"{scene.vendor.url}/api/token", "key", "sentinel", post=post
        ),
    }

    def post(prepared):
        with requests.Session() as session:
            return session.send(prepared, verify=str(bundle), timeout=5)

    bundle = tmp_path / "ca.pem"
    bundle.write_text(scene.vendor.ca_pem)
    scheme = made[kind]()
    for status in STATUSES if target != "no TLS" else STATUSES[:1]:
        scene.reply = answer(b"", f"Location: {scene.target(target)}", status=status)
        if target == "no TLS":  # the listener does not answer
            with pytest.raises(requests.exceptions.ReadTimeout):
                requests.get(f"{scene.vendor.url}/start", auth=scheme, verify=str(bundle), timeout=0.2)
            with scene.plain.accept()[0] as connection:
                received = [connection.recv(65536)]
        else:
            answered = requests.get(f"{scene.vendor.url}/start", auth=scheme, verify=str(bundle), timeout=5)
            received = [head for head in (*scene.other.heads, *scene.vendor.heads) if b" /stolen" in head]
            assert answered.history
        assert received
        assert not [head for head in received if b"authorization" in head.lower() or b"sentinel" in head]


def test_trust_of_the_scene_is_that_of_both_servers(scene):
    """The refusals above are not TLS's: the other server would be reached."""
    assert scene.other.ca_pem == scene.vendor.ca_pem
    endpoint = Endpoint("local", scene.other.url, local_trust(scene.vendor.ca_pem))
    values = {variable: Secret("made-up") for variable in CREDENTIALS["medipim"]}
    client = CLIENTS["medipim"](endpoint, Settings(values, dict.fromkeys(values, "given")))
    assert client.get("/reached").json() == {}
