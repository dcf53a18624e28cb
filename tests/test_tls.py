"""TLS: only approved roots vouch for Mediagenix, whatever the environment's bundles hold; nothing is sent before."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import certifi
import pytest
import requests
import requests.adapters
import trustme
import urllib3.connection

import vendorkit as vk
from tests.https import always, answer, authority, raw_server
from vendorkit.errors import Cancelled, SettingsError, TlsError, UsageError
from vendorkit.http import tls
from vendorkit.http.call import Call, Policy
from vendorkit.http.session import Session
from vendorkit.settings import Redactor

PRODUCTION = "production"
OK = always(answer(b"{}", "Content-Type: application/json"))


def session_for(url: str, trust: tls.Trust) -> Session:
    """A session without credentials."""
    return Session("Test", url, schemes={}, trust=trust, redactor=Redactor([]))


def test_approved_roots_are_those_of_the_table():
    """Promise 7: by fingerprint; and certifi carries no other root of the approved organisations."""
    trust = tls.approved_trust()
    fingerprints = {tls.sha256(der) for der in trust.context().get_ca_certs(binary_form=True)}
    assert fingerprints | set(tls.vanished_roots()) == set(tls.APPROVED_ROOTS)
    assert fingerprints
    organisations = {organisation for organisation, _ in tls.APPROVED_ROOTS.values()}
    context = ssl.create_default_context(cafile=certifi.where())
    roots = zip(context.get_ca_certs(binary_form=True), context.get_ca_certs(), strict=True)
    named = {tls.sha256(der) for der, root in roots if tls.field(root["subject"], "organizationName") in organisations}
    assert named == fingerprints, "a new root of these organisations: look at it, and put it into the table"


def test_server_of_the_trusted_authority_is_reached():
    """The mock servers' way: their own authority, on loopback."""
    with raw_server(OK) as server:
        assert session_for(server.url, server.trust).send(Call("GET", "/")).status_code == 200


@pytest.fixture
def everywhere(monkeypatch, tmp_path):
    """Return a function that puts certificates into requests' default bundle and into the environment's variables."""

    def place(*pems: str) -> Path:
        bundle = tmp_path / "bundle.pem"
        bundle.write_text("\n".join(pems))
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(bundle))
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(variable, str(bundle))
        return bundle

    return place


def roots_of(session: Session) -> set[str]:
    """The fingerprints of the roots in the context that the session's connections are made with."""
    (pool,) = session._adapter.poolmanager.pools._container.values()
    context = pool.conn_kw["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    return {tls.sha256(der) for der in context.get_ca_certs(binary_form=True)}


@pytest.mark.parametrize("organisation", ["Somebody Else", "Sectigo Limited"])
def test_unapproved_authority_is_refused_although_every_bundle_holds_it(organisation, everywhere):
    """
    L01, L02, L09: an unapproved authority in requests' default bundle and in the environment's variables.

    A name proves nothing: an authority that calls itself Sectigo is refused as well. Promise 7.
    """
    ca = authority(organisation)
    with raw_server(OK, ca=ca) as server:
        bundle = everywhere(server.ca_pem)
        assert requests.get(server.url, verify=str(bundle), timeout=5).ok, "the trap is set"
        session = session_for(server.url, tls.approved_trust())
        for _ in range(2):
            with pytest.raises(TlsError, match="unable to get local issuer"):
                session.send(Call("GET", "/secret"))
        assert not any(b"/secret" in head for head in server.heads), "nothing may be sent before the check"
        assert roots_of(session) <= set(tls.APPROVED_ROOTS)


def days(number: int) -> datetime:
    """The moment this many days from now."""
    return datetime.now(timezone.utc) + timedelta(days=number)


class Presenting:
    """A server that presents only its own certificate."""

    def __init__(self, key: trustme.Blob, certificate: trustme.Blob) -> None:
        self.both = trustme.Blob(key.bytes() + certificate.bytes())

    def configure_cert(self, context: ssl.SSLContext) -> None:
        """Load both."""
        with self.both.tempfile() as path:
            context.load_cert_chain(path)


@pytest.mark.parametrize(
    ("fault", "reason", "advice"),
    [
        ("expired", "certificate has expired", "clock"),
        ("not yet valid", "certificate is not yet valid", "clock"),
        ("other name", "Hostname mismatch|IP address mismatch", "host name"),
        ("other address", "IP address mismatch", "host name"),
        ("no intermediate", "unable to get local issuer", "does not send an intermediate"),
        ("self-signed", "self-signed", "not signed by an authority accepted"),
    ],
)
def test_certificate_at_fault_is_refused_with_its_reason(fault, reason, advice, everywhere):
    """L03, L04, L05, L12: OpenSSL's reason, and what to do; no byte of a request goes out before."""
    ca = authority("Sectigo Limited")
    middle, other = ca.create_child_ca(), authority("Sectigo Limited")
    below = middle.issue_cert("127.0.0.1")
    leaves = {
        "expired": lambda: ca.issue_cert("127.0.0.1", not_before=days(-9), not_after=days(-1)),
        "not yet valid": lambda: ca.issue_cert("127.0.0.1", not_before=days(1), not_after=days(9)),
        "other name": lambda: ca.issue_cert("vendor.example"),
        "other address": lambda: ca.issue_cert("127.0.0.2"),
        "no intermediate": lambda: Presenting(below.private_key_pem, below.cert_chain_pems[0]),
        "self-signed": lambda: Presenting(other.private_key_pem, other.cert_pem),
    }
    with raw_server(OK, ca=ca, leaf=leaves[fault]()) as server:
        everywhere(server.ca_pem, middle.cert_pem.bytes().decode())  # an intermediate there must not help either
        session = session_for(server.url, server.trust)
        with pytest.raises(TlsError, match=reason) as caught:
            session.send(Call("GET", "/secret"))
        assert advice in caught.value.remedy
        assert not server.heads


def test_chain_through_an_intermediate_is_accepted():
    """L05, the other side: a server that sends it is reached."""
    ca = authority()
    with raw_server(OK, ca=ca, leaf=ca.create_child_ca().issue_cert("127.0.0.1")) as server:
        assert session_for(server.url, server.trust).send(Call("GET", "/")).ok


def test_session_goes_through_no_proxy_by_itself(monkeypatch):
    """L10, T35: neither the environment's nor one that is handed in below; only its route counts, see test_proxy."""
    with raw_server(OK) as server, socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        session = session_for(server.url, server.trust)
        assert session.send(Call("GET", "/")).ok
        with pytest.raises(UsageError, match="proxies"):
            session._http.get(server.url, proxies={"https": address})
        proxy.settimeout(0.1)
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_trusted_roots_stay_the_same_after_calls(everywhere):
    """Promise 7: requests loads its whole bundle into a context that it is given the usual way."""
    with raw_server(OK) as server:
        everywhere(Path(certifi.where()).read_text("ascii", "ignore"))
        session = session_for(server.url, server.trust)
        for _ in range(2):
            session.send(Call("GET", "/"))
        assert roots_of(session) == {tls.sha256(ssl.PEM_cert_to_DER_cert(server.ca_pem))}


def test_the_usual_way_to_pin_is_undone_by_requests(everywhere):
    """Promise 7: that the trap is one: an adapter that passes a context of its own is widened by requests."""

    class Naive(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, ssl_context=tls.approved_trust().context(), **kwargs)

    with raw_server(OK) as server, requests.Session() as session:
        everywhere(server.ca_pem)
        session.mount("https://", Naive())
        assert session.get(server.url, timeout=5).ok


def test_issuer_organisation_is_checked_if_required():
    """L06: an approved root, another issuer."""
    with raw_server(OK, ca=authority("Reseller")) as server:
        trust = tls.Trust((server.ca_pem,), issuers=frozenset({"Sectigo Limited"}))
        with pytest.raises(TlsError, match="issuer organisation 'Reseller' is not approved"):
            session_for(server.url, trust).send(Call("GET", "/"))
        assert not server.heads, "the handshake was good, and yet no request was sent"
        allowed = tls.Trust((server.ca_pem,), issuers=frozenset({"Reseller"}))
        assert session_for(server.url, allowed).send(Call("GET", "/")).ok


def test_setting_requires_an_issuer_in_addition_to_the_root(monkeypatch):
    """L06: MEDIAGENIX_ISSUER; without it only the root counts."""
    for name in ("ENVIRONMENT", "ROBOT_USER", "ROBOT_PASSWORD"):
        monkeypatch.setenv(f"MEDIAGENIX_{name}", "staging" if name == "ENVIRONMENT" else "made-up")
    assert vk.connect("mediagenix").endpoint.trust == tls.approved_trust()
    monkeypatch.setenv("MEDIAGENIX_ISSUER", "Sectigo Limited")
    trust = vk.connect("mediagenix").endpoint.trust
    assert (trust.roots, trust.issuers) == (tls.approved_trust().roots, {"Sectigo Limited"})


@pytest.mark.parametrize("broken", ["unreadable chain", "other root", "no host name check"])
def test_chain_that_cannot_be_checked_is_refused(broken, monkeypatch):
    """L08: it fails closed, whatever Python or another library did to the connection; nothing is sent."""
    other = tls.sha256(ssl.PEM_cert_to_DER_cert(authority().cert_pem.bytes().decode()))
    connect = urllib3.connection.HTTPSConnection.connect

    def meddle(connection):
        connect(connection)
        connection.sock.context.check_hostname = broken != "no host name check"

    if broken == "unreadable chain":
        monkeypatch.setattr(tls, "verified_chain", lambda sock: [])
    if broken == "other root":
        monkeypatch.setattr(tls.Trust, "_fingerprints", lambda self: {other})
    with raw_server(OK) as server:
        session = session_for(server.url, server.trust)
        monkeypatch.setattr(urllib3.connection.HTTPSConnection, "connect", meddle)
        with pytest.raises(TlsError, match=r"approved root|not a verified TLS connection"):
            session.send(Call("GET", "/secret"))
        assert not server.heads


def test_verification_cannot_be_switched_off():
    """L08: verify=False and a bundle of one's own are refused by the adapter."""
    with raw_server(OK) as server:
        session = session_for(server.url, server.trust)
        for verify in (False, "/tmp/bundle.pem"):  # noqa: S108
            with pytest.raises(UsageError):
                session._http.get(server.url, verify=verify)
        assert not server.heads


def test_plain_http_cannot_be_sent():
    """L11: there is no adapter for it."""
    session = session_for("https://127.0.0.1:1", tls.public_trust())
    with pytest.raises(requests.exceptions.InvalidSchema):
        session._http.get("http://127.0.0.1:1/")


def test_local_authority_is_refused_for_other_hosts():
    """The mock servers' root is trusted on loopback only."""
    with raw_server(OK) as server:
        session = session_for("https://movida.bebanjo.net", server.trust)
        with pytest.raises(TlsError, match="only for this machine"):
            session.send(Call("GET", "/"))


def test_chain_shows_certificates_and_whether_they_are_approved():
    """`vk.chain(host)`: leaf first, with organisation, dates and fingerprint."""
    with raw_server(OK, ca=authority("Shown Org")) as server:
        shown = vk.chain(server.url, trust=server.trust)
    assert list(shown["position"]) == [0, 1]
    assert shown["organisation"].iloc[-1] == "Shown Org"
    assert not shown["approved"].any()
    assert set(shown.columns) >= {"subject", "issuer", "not_before", "not_after", "sha256"}


@pytest.mark.parametrize("host", ["", "host:port", "127.0.0.1:99999", "[::1", "https://"])
def test_chain_of_no_host_is_refused(host):
    """One typed error, before anything is looked up."""
    with pytest.raises(UsageError, match=r"host must be a host name, not .*\. Pass"):
        vk.chain(host)


@pytest.mark.parametrize("timeout_s", [0, -1, None, float("nan"), "1", True])
def test_chain_within_no_time_is_refused(timeout_s):
    """As the timeouts of a Policy are; infinity is none."""
    with pytest.raises(UsageError, match="timeout_s must be a number above zero"):
        vk.chain("127.0.0.1:1", timeout_s=timeout_s)
    with pytest.raises(TlsError):
        vk.chain("127.0.0.1:1", timeout_s=float("inf"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("another authority", "unable to get local issuer"),
        ("expired", "certificate has expired"),
        ("other name", "IP address mismatch"),
        ("self-signed", "self-signed"),
    ],
)
def test_chain_that_does_not_verify_is_shown_with_the_reason(fault, said):
    """What a TLS error advises to look at: the presented chain, who signed it, and that it proves nothing."""
    ca, other = authority("Gateway of a Company"), authority("Other")
    leaves = {
        "expired": lambda: ca.issue_cert("127.0.0.1", not_before=days(-9), not_after=days(-1)),
        "other name": lambda: ca.issue_cert("127.0.0.2"),
        "self-signed": lambda: Presenting(ca.private_key_pem, ca.cert_pem),
    }
    leaf = leaves.get(fault, lambda: ca.issue_cert("127.0.0.1"))()
    trusted = other if fault == "another authority" else ca
    trust = tls.local_trust((other if fault == "self-signed" else trusted).cert_pem.bytes().decode())
    with raw_server(OK, ca=ca, leaf=leaf) as server:
        shown = vk.chain(server.url, trust=trust)
        assert not server.heads
    assert not shown["verified"].any()
    assert not shown["approved"].any()
    assert shown["problem"].str.contains(said).all()
    assert list(shown["position"]) == list(range(len(shown)))
    assert len(shown) >= 1
    assert len(shown.loc[0, "sha256"]) == 64


def test_chain_that_verifies_says_so():
    """The columns are the same in both cases."""
    with raw_server(OK) as server:
        shown = vk.chain(server.url, trust=server.trust)
        refused = vk.chain(server.url)
    assert shown["verified"].all()
    assert (shown["problem"] == "").all()
    assert list(shown.columns) == list(refused.columns)


def test_chain_of_a_server_without_tls_is_an_error():
    """There is nothing to show."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def leave() -> None:
            listener.accept()[0].close()

        threading.Thread(target=leave, daemon=True).start()
        with pytest.raises(TlsError, match=rf"No TLS connection to 127\.0\.0\.1:{port}"):
            vk.chain(f"127.0.0.1:{port}", timeout_s=2)


@pytest.mark.parametrize("vendor", ["Medipim", "Pledg"])
def test_error_names_who_signed_and_the_variable(vendor, monkeypatch):
    """N12: a gateway that inspects TLS; the error says whose certificate came and how to accept it."""
    prefix = vendor.upper()
    names = {"Medipim": ("API_KEY_ID", "API_KEY_SECRET"), "Pledg": ("API_KEY", "API_SECRET")}[vendor]
    with raw_server(OK, ca=authority("Gateway of a Company")) as server:
        settings = {f"{prefix}_{name}": "made-up" for name in names} | {f"{prefix}_BASE_URL": server.url}
        client = vk.connect(vendor.lower(), environment=PRODUCTION, settings=settings, policy=Policy(attempts=1))
        with pytest.raises(TlsError, match="its certificate is signed by 'Gateway of a Company'") as caught:
            client.get("/secret")
        assert f"set {prefix}_CA_FILE to a PEM file with its root" in caught.value.remedy
        assert not server.heads


def test_error_of_a_pinned_vendor_names_who_signed_and_no_variable():
    """N13: Mediagenix asks for its authority and no other, so that there is nothing to set. Promise 7."""
    settings = {"MEDIAGENIX_ROBOT_USER": "made-up", "MEDIAGENIX_ROBOT_PASSWORD": "made-up"}
    with raw_server(OK, ca=authority("Gateway of a Company")) as server:
        settings["MEDIAGENIX_BASE_URL"] = server.url
        client = vk.connect("mediagenix", environment=PRODUCTION, settings=settings, policy=Policy(attempts=1))
        with pytest.raises(TlsError, match="its certificate is signed by 'Gateway of a Company'") as caught:
            client.get("/secret")
        assert "_CA_FILE" not in str(caught.value)
        assert "exempt 127.0.0.1 from inspection" in caught.value.remedy
        assert not server.heads
    with pytest.raises(UsageError, match="MEDIAGENIX_CA_FILE"):
        vk.connect("mediagenix", environment=PRODUCTION, settings={**settings, "MEDIAGENIX_CA_FILE": "/x"})


def test_looking_who_signed_does_not_outlast_the_call():
    """Promise 6, W14: the second look ends with the deadline and with Cancel."""
    settings = {"MEDIPIM_API_KEY_ID": "made-up", "MEDIPIM_API_KEY_SECRET": "made-up"}
    hang, ca = threading.Event(), authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    def serve() -> None:
        with contextlib.suppress(OSError):
            context.wrap_socket(listener.accept()[0], server_side=True)
        held.append(listener.accept()[0])  # the second one is never answered
        hang.wait(20)

    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        settings["MEDIPIM_BASE_URL"] = f"https://127.0.0.1:{listener.getsockname()[1]}"
        client = vk.connect("medipim", environment=PRODUCTION, settings=settings, policy=Policy(attempts=1))
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        started = time.monotonic()
        with vk.cancellable(stop), pytest.raises(Cancelled):
            client.get("/x")
        assert time.monotonic() - started < 0.5 + 0.5
        hang.set()
        thread.join(5)
    for sock in held:
        sock.close()


class Bundle:
    """Files for the CA setting, by kind."""

    def __init__(self, folder: Path, pem: str, other: str) -> None:
        self.folder, self.pem, self.other = folder, pem, other

    def write(self, kind: str) -> Path:
        """Write one, and return its path."""
        path = self.folder / "ca.pem"
        texts = {
            "plain": self.pem,
            "among others": f"# made up: Z\u00fcrich\n{self.other}\n{self.pem}",
            "windows": self.pem.replace("\n", "\r\n"),
            "byte order mark": f"\ufeff{self.pem}",
            "certifi's as well": Path(certifi.where()).read_text("ascii", "ignore") + self.pem,
            "twice": self.pem * 2,
            "indented": "".join(f"    {line}\n" for line in self.pem.splitlines()),
            "UTF-16": self.pem,
            "key": "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n",
            "empty": "",
            "broken": self.pem[:200] + "\n-----END CERTIFICATE-----\n",
            "html": "<html>sign in</html>",
        }
        if kind == "der":
            path.write_bytes(ssl.PEM_cert_to_DER_cert(self.pem))
        elif kind in texts:
            path.write_text(texts[kind], encoding="utf-16" if kind == "UTF-16" else "utf-8")
        elif kind == "device":
            path.symlink_to("/dev/zero")
        return path


@pytest.fixture
def bundle(tmp_path):
    """A server of another authority, and files that may name that one."""
    with raw_server(OK) as server:
        yield server, Bundle(tmp_path, server.ca_pem, authority().cert_pem.bytes().decode())


def client_with(server, vendor: str, ca_file: str) -> vk.Client:
    """A client of the vendor on that server, with this CA file."""
    prefix = vendor.upper()
    names = {"medipim": ("API_KEY_ID", "API_KEY_SECRET"), "pledg": ("API_KEY", "API_SECRET")}[vendor]
    settings = {f"{prefix}_{name}": "made-up" for name in names}
    settings |= {f"{prefix}_BASE_URL": server.url, f"{prefix}_CA_FILE": ca_file}
    return vk.connect(vendor, environment=PRODUCTION, settings=settings, policy=Policy(attempts=1))


@pytest.mark.parametrize("vendor", ["medipim", "pledg"])
@pytest.mark.parametrize(
    "kind",
    ["plain", "among others", "windows", "byte order mark", "certifi's as well", "twice", "indented", "UTF-16"],
)
def test_further_roots_are_trusted_for_the_vendor(vendor, kind, bundle):
    """N12: MEDIPIM_CA_FILE and PLEDG_CA_FILE, on loopback as well; repr says so."""
    server, files = bundle
    client = client_with(server, vendor, str(files.write(kind)))
    assert client.get("/x", auth=None).ok
    assert f"{vendor.upper()}_CA_FILE" in repr(client)
    assert len(client.endpoint.trust.roots) > len(tls.public_trust().roots), "besides the public ones"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "cannot be read"),
        ("device", "not a file"),
        ("key", "no certificate"),
        ("empty", "no certificate"),
        ("html", "no certificate"),
        ("der", "no certificate"),
        ("broken", "cannot be read"),
    ],
)
def test_invalid_ca_file_is_named_before_anything_is_sent(kind, said, bundle):
    """N14: with the way to convert one, for Windows exports another form."""
    server, files = bundle
    path = files.write(kind)
    with pytest.raises(SettingsError, match=said) as caught:
        client_with(server, "medipim", str(path))
    assert str(path) in caught.value.what
    assert "MEDIPIM_CA_FILE" in str(caught.value)
    assert caught.value.remedy
    assert not server.heads


def test_home_is_known_in_the_name_of_the_ca_file(bundle, monkeypatch, tmp_path):
    """As in that of the settings file."""
    server, files = bundle
    monkeypatch.setenv("HOME", str(tmp_path))
    files.write("plain")
    assert client_with(server, "medipim", "~/ca.pem").get("/x").ok


def test_ca_file_does_not_apply_to_other_vendors(bundle, monkeypatch):
    """N12: each vendor has its own; the mock servers keep theirs."""
    server, files = bundle
    monkeypatch.setenv("PLEDG_CA_FILE", str(files.write("plain")))
    settings = {"MEDIPIM_API_KEY_ID": "x1", "MEDIPIM_API_KEY_SECRET": "x2", "MEDIPIM_BASE_URL": server.url}
    client = vk.connect("medipim", environment=PRODUCTION, settings=settings, policy=Policy(attempts=1))
    with pytest.raises(TlsError):
        client.get("/x")


INJECTED = """
import ssl
import sys

class Injected(ssl.SSLContext):  # as truststore's, which trusts what the system does, and cannot say what that is
    def _refuse(self, *args, **kwargs):
        raise NotImplementedError

    get_ca_certs = cert_store_stats = set_default_verify_paths = _refuse

if sys.argv[1] == "before":
    ssl.SSLContext = Injected
import vendorkit as vk
from tests.https import always, answer, authority, raw_server
if sys.argv[1] == "after":
    ssl.SSLContext = Injected
with raw_server(always(answer(b"{}")), ca=authority("Elsewhere")) as server:
    open("ca.pem", "w").write(server.ca_pem)
    names = {"medipim": ("API_KEY_ID", "API_KEY_SECRET"), "mediagenix": ("ROBOT_USER", "ROBOT_PASSWORD")}
    for vendor, parts in names.items():
        settings = {f"{vendor.upper()}_{part}": "made-up" for part in parts}
        settings[f"{vendor.upper()}_BASE_URL"] = server.url
        settings |= {"MEDIPIM_CA_FILE": "ca.pem"} if vendor == "medipim" else {}
        client = vk.connect(vendor, environment="production", settings=settings)
        try:
            print(client.get("/x").status_code)
        except vk.errors.TlsError as error:
            print("Elsewhere" in error.what)
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_context_that_another_library_replaced_does_not_matter(order):
    """N15: truststore.inject_into_ssl(), which is stood in for here: our roots and no others, in either order."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", INJECTED, order]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=60)
    assert done.stdout.split() == ["200", "True"], done.stderr
