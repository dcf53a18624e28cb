"""Independent proxies: Squid with and without Basic, and mitmproxy as a gateway that inspects TLS."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from peer_proxies import HOSTS, inspecting_gateway, squid_forward

import vendorkit as vk
from tests.https import JSON, answer, authority, raw_server
from vendorkit.errors import ProxyError, TlsError
from vendorkit.http.call import Policy

pytestmark = [pytest.mark.peer, pytest.mark.faults]
TOKEN = b'{"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 600}'
BRANDS = b'{"meta": {"total": 1, "page": {"offset": 0, "size": 100}}, "results": [{"id": 9, "name": "Aderlis"}]}'
CONDITIONS = b'{"payment_type": "INSTALLMENT", "merchant_uid": "mer_made_up"}'
NAMES = {
    "medipim": ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET"),
    "pledg": ("PLEDG_API_KEY", "PLEDG_API_SECRET"),
    "mediagenix": ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD"),
}


def vendor_at(sock, head):
    """Answer as Medipim and Pledg do."""
    path = head.split()[1]
    body = TOKEN if path == b"/api/token" else BRANDS if b"brands" in path else CONDITIONS
    sock.sendall(answer(body, JSON))


@contextmanager
def vendor_server():
    """A server for all HOSTS, and a folder that a server's own user may read, with the root of its certificate."""
    ca = authority("Made-up Vendor CA")
    with (
        TemporaryDirectory(prefix="vendorkit-peer-") as name,
        raw_server(vendor_at, ca=ca, leaf=ca.issue_cert(*HOSTS)) as server,
    ):
        (Path(name) / "vendor.pem").write_text(server.ca_pem)
        yield server, Path(name)


def client_of(vendor, port, proxy, ca_file=None):
    """A client of *vendor*, whose host only the proxy knows."""
    prefix = vendor.upper()
    settings = dict.fromkeys(NAMES[vendor], "made-up-credential")
    settings |= {f"{prefix}_BASE_URL": f"https://{vendor}.vendor.example:{port}"}
    settings |= {"PLEDG_MERCHANT_UID": "mer_made_up"} if vendor == "pledg" else {}
    settings |= {f"{prefix}_CA_FILE": str(ca_file)} if ca_file else {}
    return vk.connect(vendor, environment="production", settings=settings, proxy=proxy, policy=Policy(attempts=1))


@pytest.mark.parametrize("user", ["", "made-up-user:made-up%20word"])
def test_queries_go_through_squid(user):
    """N08, L10: with and without Basic; a frame of Medipim, a token and an authenticated call of Pledg. Promise 10."""
    with vendor_server() as (server, folder), squid_forward(folder, user.replace("%20", " ")) as peer:
        proxy = peer.url.replace("//", f"//{user}@") if user else peer.url
        brands = client_of("medipim", server.port, proxy, folder / "vendor.pem").brands.query(search="a")
        assert list(brands.frame()["name"]) == ["Aderlis"]
        pledg = client_of("pledg", server.port, proxy, folder / "vendor.pem")
        assert pledg.get("/api/merchants/x").json()["payment_type"] == "INSTALLMENT"
        shown = vk.chain(f"medipim.vendor.example:{server.port}", proxy=proxy)
        assert not shown["verified"].any()
        assert shown["issuer"].notna().all()
        assert not [head for head in server.heads if b"proxy" in head.lower()]


def test_squids_refusals_are_typed():
    """N09: no password, a wrong one, a port that is not allowed, a vendor that is not there. Promise 10."""
    with vendor_server() as (server, folder), squid_forward(folder, "made-up-user:word") as peer:
        with pytest.raises(ProxyError, match="requires user and password"):
            client_of("medipim", server.port, peer.url).get("/x")
        wrong = peer.url.replace("//", "//made-up-user:wrong@")
        with pytest.raises(ProxyError, match=r"refused user and password") as caught:
            client_of("medipim", server.port, wrong).get("/x")
        assert "wrong" not in str(caught.value)
        right = peer.url.replace("//", "//made-up-user:word@")
        with pytest.raises(ProxyError, match=r"does not allow connections to .*:22 \(HTTP 403\)"):
            client_of("medipim", 22, right).get("/x")
        with pytest.raises(ProxyError, match=r"could not reach .*:1 \(HTTP 50[34]\)"):
            client_of("medipim", 1, right).get("/x")
        assert not server.heads


def test_gateway_that_inspects_is_accepted_by_its_root_only():
    """N12: Medipim and Pledg with the gateway's root in their CA files, and not without. Promise 10."""
    with vendor_server() as (server, folder), inspecting_gateway(folder, folder / "vendor.pem") as (peer, root):
        for vendor in ("medipim", "pledg"):
            with pytest.raises(TlsError, match="its certificate is signed by 'mitmproxy'") as caught:
                client_of(vendor, server.port, peer.url).get("/v4/brands/find")
            assert f"set {vendor.upper()}_CA_FILE" in caught.value.remedy
        assert not server.heads
        brands = client_of("medipim", server.port, peer.url, root).brands.query(search="a")
        assert list(brands.frame()["name"]) == ["Aderlis"]
        pledg = client_of("pledg", server.port, peer.url, root)
        assert pledg.get("/api/merchants/x").json()["payment_type"] == "INSTALLMENT"


def test_mediagenix_is_refused_behind_a_gateway_that_inspects():
    """N13: one typed error that names the gateway's issuer; nothing is sent. Promise 7."""
    with vendor_server() as (server, folder), inspecting_gateway(folder, folder / "vendor.pem") as (peer, _):
        with pytest.raises(TlsError, match="its certificate is signed by 'mitmproxy'") as caught:
            client_of("mediagenix", server.port, peer.url).root()
        assert "exempt mediagenix.vendor.example from inspection" in caught.value.remedy
        shown = vk.chain(f"mediagenix.vendor.example:{server.port}", proxy=peer.url)
        assert shown.loc[0, "issuer"] == "mitmproxy"
        assert not shown["approved"].any()
        assert not server.heads


def test_mitmproxy_is_no_requirement():
    """It is Debian's, or its tests are skipped: mitmproxy is in no requirement of this package."""
    lock = Path(__file__).parents[2] / "requirements.lock"
    assert "mitmproxy" not in lock.read_text()
    assert shutil.which("mitmdump") is None or not shutil.which("mitmdump").startswith(
        str(Path(vk.__file__).parents[1])
    )
