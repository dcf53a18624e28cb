"""TLS: only approved roots vouch for Mediagenix, whatever the environment's bundles hold; nothing is sent before."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import requests
import requests.adapters

import vendorkit as vk
from tests.https import always, answer, authority, raw_server
from vendorkit import tls
from vendorkit.call import Call
from vendorkit.credentials import Redactor
from vendorkit.errors import TlsError, UsageError
from vendorkit.session import Session

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


@pytest.mark.parametrize("organisation", ["Somebody Else", "Sectigo Limited"])
def test_unapproved_authority_is_refused_although_every_bundle_holds_it(organisation, monkeypatch, tmp_path):
    """
    L01, L02, L09: an unapproved authority in requests' default bundle and in the environment's variables.

    A name proves nothing: an authority that calls itself Sectigo is refused as well.
    """
    ca = authority(organisation)
    with raw_server(OK, ca=ca) as server:
        bundle = tmp_path / "bundle.pem"
        bundle.write_text(server.ca_pem)
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(bundle))
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(variable, str(bundle))
        assert requests.get(server.url, verify=str(bundle), timeout=5).ok, "the trap is set"
        session = session_for(server.url, tls.approved_trust())
        with pytest.raises(TlsError, match="unable to get local issuer"):
            session.send(Call("GET", "/secret"))
        assert not any(b"/secret" in head for head in server.heads), "nothing may be sent before the check"


def test_trusted_roots_stay_the_same_after_calls(monkeypatch, tmp_path):
    """The library loads its whole bundle into a context that it is given the usual way."""
    with raw_server(OK) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Path(requests.certs.where())))
        session = session_for(server.url, server.trust)
        for _ in range(2):
            session.send(Call("GET", "/"))
        pool = next(iter(session._adapter.poolmanager.pools._container.values()))
        connection = pool._get_conn()
        context = connection.sock.context
        pool._put_conn(connection)
        assert len(context.get_ca_certs()) == 1
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname


def test_wrong_host_name_is_refused():
    """L04: a good certificate for another name."""
    with raw_server(OK, name="vendor.example") as server, pytest.raises(TlsError, match="mismatch"):
        session_for(server.url, server.trust).send(Call("GET", "/"))


def test_issuer_organisation_is_checked_where_it_is_asked():
    """L06: an approved root, another issuer."""
    with raw_server(OK, ca=authority("Reseller")) as server:
        trust = tls.Trust((server.ca_pem,), issuers=frozenset({"Sectigo Limited"}))
        with pytest.raises(TlsError, match="issuer organisation 'Reseller' is not approved"):
            session_for(server.url, trust).send(Call("GET", "/"))
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


def test_chain_of_an_untrusted_server_says_why():
    """The reason is OpenSSL's, the remedy ours."""
    with raw_server(OK) as server, pytest.raises(TlsError, match="unable to get local issuer"):
        vk.chain(f"127.0.0.1:{server.port}")
