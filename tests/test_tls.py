"""TLS: only approved roots vouch for Mediagenix, whatever the environment's bundles hold; nothing is sent before."""

from __future__ import annotations

import socket
import ssl
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
from vendorkit.errors import TlsError, UsageError
from vendorkit.http import tls
from vendorkit.http.call import Call
from vendorkit.http.session import Session
from vendorkit.settings import Redactor

OK = always(answer(b"{}", "Content-Type: application/json"))


def session_for(url: str, trust: tls.Trust) -> Session:
    """A session without credentials."""
    return Session("Test", url, schemes={}, trust=trust, redactor=Redactor([]))


def test_approved_roots_are_those_of_the_table():
    """Promise 7: by fingerprint; and certifi carries no other root of the approved organisations."""
    trust = tls.approved_trust()
    fingerprints = {tls._sha256(der) for der in trust.context().get_ca_certs(binary_form=True)}
    assert fingerprints | set(tls.vanished_roots()) == set(tls.APPROVED_ROOTS)
    assert fingerprints
    organisations = {organisation for organisation, _ in tls.APPROVED_ROOTS.values()}
    named = {tls._sha256(der) for der, name in tls._bundle() if tls._organisation(name) in organisations}
    assert named == fingerprints, "a new root of these organisations: look at it, and put it into the table"


def test_server_of_the_trusted_authority_is_reached():
    """The local vendors' way: their own authority, on loopback."""
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
    return {tls._sha256(der) for der in context.get_ca_certs(binary_form=True)}


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
    """A server that presents these texts alone: its key and one certificate."""

    def __init__(self, key: trustme.Blob, certificate: trustme.Blob) -> None:
        self.both = trustme.Blob(key.bytes() + certificate.bytes())

    def configure_cert(self, context: ssl.SSLContext) -> None:
        """Load both."""
        with self.both.tempfile() as path:
            context.load_cert_chain(path)


@pytest.mark.parametrize(
    ("fault", "said", "advised"),
    [
        ("expired", "certificate has expired", "clock"),
        ("not yet valid", "certificate is not yet valid", "clock"),
        ("other name", "Hostname mismatch|IP address mismatch", "host name"),
        ("other address", "IP address mismatch", "host name"),
        ("no intermediate", "unable to get local issuer", "leaves out an intermediate"),
        ("self-signed", "self-signed", "not signed by an authority accepted"),
    ],
)
def test_certificate_at_fault_is_refused_with_its_reason(fault, said, advised, everywhere):
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
        with pytest.raises(TlsError, match=said) as caught:
            session.send(Call("GET", "/secret"))
        assert advised in caught.value.remedy
        assert not server.heads


def test_chain_through_an_intermediate_is_accepted():
    """L05, the other side: a server that sends it is reached."""
    ca = authority()
    with raw_server(OK, ca=ca, leaf=ca.create_child_ca().issue_cert("127.0.0.1")) as server:
        assert session_for(server.url, server.trust).send(Call("GET", "/")).ok


def test_proxies_are_not_gone_through(monkeypatch):
    """L10, T35: neither the environment's nor one that is handed in, so that no CONNECT stands between."""
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
        assert roots_of(session) == {tls._sha256(ssl.PEM_cert_to_DER_cert(server.ca_pem))}


def test_the_usual_way_to_pin_is_undone_by_requests(everywhere):
    """Promise 7: that the trap is one: an adapter that passes a context of its own is widened by requests."""

    class Naive(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, ssl_context=tls.approved_trust().context(), **kwargs)

    with raw_server(OK) as server, requests.Session() as session:
        everywhere(server.ca_pem)
        session.mount("https://", Naive())
        assert session.get(server.url, timeout=5).ok


def test_issuer_organisation_is_checked_where_it_is_asked():
    """L06: an approved root, another issuer."""
    with raw_server(OK, ca=authority("Reseller")) as server:
        trust = tls.Trust((server.ca_pem,), issuers=frozenset({"Sectigo Limited"}))
        with pytest.raises(TlsError, match="issuer organisation 'Reseller' is not approved"):
            session_for(server.url, trust).send(Call("GET", "/"))
        assert not server.heads, "the handshake was good, and yet no request was sent"
        allowed = tls.Trust((server.ca_pem,), issuers=frozenset({"Reseller"}))
        assert session_for(server.url, allowed).send(Call("GET", "/")).ok


def test_setting_asks_for_an_issuer_besides_the_root(monkeypatch):
    """L06: MEDIAGENIX_ISSUER; without it the root alone counts."""
    for name in ("ENVIRONMENT", "ROBOT_USER", "ROBOT_PASSWORD"):
        monkeypatch.setenv(f"MEDIAGENIX_{name}", "staging" if name == "ENVIRONMENT" else "made-up")
    assert vk.connect("mediagenix").endpoint.trust == tls.approved_trust()
    monkeypatch.setenv("MEDIAGENIX_ISSUER", "Sectigo Limited")
    trust = vk.connect("mediagenix").endpoint.trust
    assert (trust.roots, trust.issuers) == (tls.approved_trust().roots, {"Sectigo Limited"})


@pytest.mark.parametrize("broken", ["unreadable chain", "other root", "no host name check"])
def test_chain_that_cannot_be_checked_is_refused(broken, monkeypatch):
    """L08: it fails closed, whatever Python or another library did to the connection; nothing is sent."""
    other = tls._sha256(ssl.PEM_cert_to_DER_cert(authority().cert_pem.bytes().decode()))
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
    """The local vendors' root counts on loopback alone."""
    with raw_server(OK) as server:
        session = session_for("https://movida.bebanjo.net", server.trust)
        with pytest.raises(TlsError, match="this machine only"):
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
    with pytest.raises(UsageError, match=r"names no host\. Give"):
        vk.chain(host)


def test_chain_of_an_untrusted_server_says_why():
    """The reason is OpenSSL's, the remedy ours."""
    with raw_server(OK) as server, pytest.raises(TlsError, match="unable to get local issuer"):
        vk.chain(f"127.0.0.1:{server.port}")
