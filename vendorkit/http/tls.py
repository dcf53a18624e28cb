"""
Which certificate authorities may vouch for a vendor, and reading the chain a server proved.

Mediagenix asks its clients to accept chains "signed by our approved vendor and not other CA roots"; the approved vendor
is Sectigo Limited (vendor page "Authentication of API users", read 2026-11). `APPROVED_ROOTS` is the one table of that
rule. Roots are pinned, never leaves or intermediates: those rotate, and Sectigo itself asks not to pin them.
Revocation is not checked: Python does not.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import certifi

from vendorkit.errors import SettingsError, TlsError, UsageError

if TYPE_CHECKING:
    import pandas as pd

# SHA-256 of each root of Sectigo, and of the organisations whose roots Sectigo took over, to its common name.
# Drawn from certifi 2026.10.18 by organisation; the spelling "COMODO CA Limited" is the one these two carry.
APPROVED_ROOTS: Final[dict[str, tuple[str, str]]] = {
    "7bb647a62aeeac88bf257aa522d01ffea395e0ab45c73f93f65654ec38f25a06": (
        "Sectigo Limited",
        "Sectigo Public Server Authentication Root R46",
    ),
    "c90f26f0fb1b4018b22227519b5ca2b53e2ca5b3be5cf18efe1bef47380c5383": (
        "Sectigo Limited",
        "Sectigo Public Server Authentication Root E46",
    ),
    "e793c9b02fd8aa13e21c31228accb08119643b749c898964b1746d46c3d4cbd2": (
        "The USERTRUST Network",
        "USERTrust RSA Certification Authority",
    ),
    "4ff460d54b9c86dabfbcfc5712e0400d2bed3fbc4d4fbdaa86e06adcd2a9ad7a": (
        "The USERTRUST Network",
        "USERTrust ECC Certification Authority",
    ),
    "52f0e1c4e58ec629291b60317f074671b85d7ea80d5b07273463534b32b40234": (
        "COMODO CA Limited",
        "COMODO RSA Certification Authority",
    ),
    "1793927a0614549789adce2f8f34f7f0b66d0f3ae3a3b84d21ec15dbba4fadc7": (
        "COMODO CA Limited",
        "COMODO ECC Certification Authority",
    ),
}


@dataclass(frozen=True)
class Trust:
    """
    The certificate authorities that may vouch for one vendor.

    Attributes:
        roots: PEM texts of the trusted root certificates, nothing else is trusted.
        issuers: If given, the organisation that issued the leaf must be one of these as well: resellers chain to an
            approved root under names of their own.
        loopback_only: The roots are a local vendor's own; they are refused for any other host.
    """

    roots: tuple[str, ...]
    issuers: frozenset[str] = frozenset()
    loopback_only: bool = False

    def context(self) -> ssl.SSLContext:
        """Return a fresh TLS context that trusts these roots alone, checks host names, and speaks TLS 1.2 or newer."""
        # Not create_default_context(): that one loads the environment's bundles (SSL_CERT_FILE).
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata="\n".join(self.roots))
        return context

    def check_host(self, host: str) -> None:
        """Raise `TlsError` where these roots may not vouch for *host*."""
        if self.loopback_only and not is_loopback(host):
            what = f"The local vendors' certificate authority was about to be used for {host}."
            raise TlsError(what, remedy="It is accepted for this machine only: choose another environment.")

    def check_chain(self, sock: Any) -> None:
        """
        Check the chain that OpenSSL verified on the connected socket *sock*; called before any byte of a request.

        Raises:
            ssl.SSLError: The chain does not end in one of `roots`, or its issuer is not one of `issuers`, or the chain
                cannot be read: it fails closed.
        """
        checked = isinstance(sock, ssl.SSLSocket) and sock.context.check_hostname
        if not checked or sock.context.verify_mode != ssl.CERT_REQUIRED:
            message = "the connection is not a verified TLS connection"
            raise ssl.SSLError(message)
        chain = verified_chain(sock)
        if len(chain) < 2 or _sha256(chain[-1]) not in self._fingerprints():
            message = "the certificate chain does not end in an approved root"
            raise ssl.SSLError(message)
        if self.issuers:
            issuer = _organisation((sock.getpeercert() or {}).get("issuer", ()))
            if issuer not in self.issuers:
                message = f"issuer organisation {issuer!r} is not approved"
                raise ssl.SSLError(message)

    def _fingerprints(self) -> set[str]:
        return {_sha256(ssl.PEM_cert_to_DER_cert(pem)) for pem in self.roots}


def approved_trust(issuer: str | None = None) -> Trust:
    """
    Return the trust for Mediagenix hosts: the approved roots that certifi still carries.

    Args:
        issuer: The organisation that has to have issued the server's certificate besides; None: any below these roots.

    Raises:
        SettingsError: certifi carries none of them.
    """
    roots = tuple(ssl.DER_cert_to_PEM_cert(der) for der, _ in _bundle() if _sha256(der) in APPROVED_ROOTS)
    if not roots:
        what = "The certifi package carries none of the approved roots any more."
        raise SettingsError(what, remedy="Update certifi and vendorkit; see APPROVED_ROOTS in vendorkit/http/tls.py.")
    return Trust(roots, issuers=frozenset([issuer] if issuer else []))


def public_trust() -> Trust:
    """Return the trust for vendors that name no authority: all roots of certifi."""
    return Trust(tuple(ssl.DER_cert_to_PEM_cert(der) for der, _ in _bundle()))


def local_trust(ca_pem: str) -> Trust:
    """Return the trust for a local vendor: its own authority, for loopback hosts alone."""
    return Trust((ca_pem,), loopback_only=True)


def vanished_roots() -> dict[str, str]:
    """Return the approved roots that certifi no longer carries: SHA-256 to common name."""
    present = {_sha256(der) for der, _ in _bundle()}
    return {sha256: name for sha256, (_, name) in APPROVED_ROOTS.items() if sha256 not in present}


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine by its address or the name localhost."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def verified_chain(sock: Any) -> list[bytes]:
    """
    Return the DER certificates that OpenSSL built and verified for *sock*, leaf first, root included.

    Public in Python 3.13; 3.10 to 3.12 have the same call on a private object. Empty where neither can be read.
    """
    if hasattr(sock, "get_verified_chain"):
        return [bytes(der) for der in sock.get_verified_chain()]
    return [certificate.public_bytes(_DER) for certificate in _certificates(sock)]


_DER: Final = 2  # _ssl.ENCODING_DER


def _certificates(sock: Any) -> list[Any]:
    read = getattr(getattr(sock, "_sslobj", None), "get_verified_chain", None)
    return [] if read is None else list(read() or ())


def chain(host: str, *, trust: Trust | None = None, timeout_s: float = 10.0) -> pd.DataFrame:
    """
    Show the TLS chain of *host*, verified against *trust* (default: all public roots), without sending a request.

    Args:
        host: A host name, `host:port`, or an https URL; port 443 where none is given.
        trust: The authorities to verify against.
        timeout_s: Bound of connecting and of the handshake, each, in seconds.

    Returns:
        One row a certificate, leaf first: position, subject, organisation, issuer, not_before, not_after, sha256,
        and approved: whether the chain ends in a root that is approved for Mediagenix.

    Raises:
        UsageError: *host* names none.
        TlsError: The chain cannot be verified; the message says why.
    """
    import pandas as pd  # noqa: PLC0415 - the rest of this module needs no pandas

    name, port = _host_and_port(host)
    trust = public_trust() if trust is None else trust
    trust.check_host(name)
    try:
        with (
            socket.create_connection((name, port), timeout=timeout_s) as plain,
            trust.context().wrap_socket(plain, server_hostname=name) as sock,
        ):
            ders, certificates = verified_chain(sock), _certificates(sock)
    except (OSError, ValueError) as exc:
        what = f"No verified TLS connection to {name}:{port}: {reason(exc)}."
        raise TlsError(what, remedy=remedy(exc)) from exc
    approved = bool(ders) and _sha256(ders[-1]) in APPROVED_ROOTS
    rows = [
        _chain_row(i, der, cert.get_info(), approved=approved)
        for i, (der, cert) in enumerate(zip(ders, certificates, strict=True))
    ]
    return pd.DataFrame(rows)


def _host_and_port(host: str) -> tuple[str, int]:
    try:
        parts = urlsplit(host if "//" in host else f"//{host}")
        name, port = parts.hostname, parts.port or 443
    except ValueError:
        name, port = None, 0
    if not name:
        what = f"{host!r} names no host."
        raise UsageError(what, remedy="Give a host name, host:port or an https URL.")
    return name, port


def _chain_row(position: int, der: bytes, info: dict[str, Any], *, approved: bool) -> dict[str, Any]:
    return {
        "position": position,
        "subject": _field(info.get("subject", ()), "commonName"),
        "organisation": _organisation(info.get("subject", ())),
        "issuer": _field(info.get("issuer", ()), "commonName"),
        "not_before": info.get("notBefore"),
        "not_after": info.get("notAfter"),
        "sha256": _sha256(der),
        "approved": approved,
    }


def reason(exc: BaseException) -> str:
    """Return OpenSSL's own words for *exc*, without the numbers and file names of its library."""
    text = getattr(exc, "verify_message", "") or str(exc.args[-1] if exc.args else exc)
    return str(text).split("] ")[-1].split(" (_ssl")[0].rstrip(".")


def remedy(exc: BaseException) -> str:
    """Return what to do about the failed handshake *exc*."""
    text = str(exc)
    if "unable to get local issuer" in text or "approved" in text or "self-signed" in text:
        return (
            "Do not go on: the server's certificate is not signed by an authority accepted for this vendor, "
            "or it leaves out an intermediate; look with vendorkit.chain(host)."
        )
    if "expired" in text or "not yet valid" in text:
        return "Check this machine's clock; if it is right, tell the vendor."
    if "PROTOCOL_VERSION" in text.upper().replace(" ", "_"):
        return "The server speaks no TLS 1.2 or newer; tell the vendor."
    return "Check the host name and the network."


@cache
def _bundle() -> tuple[tuple[bytes, Any], ...]:
    # Both lists come from one walk over the store each, in one order.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=Path(certifi.where()).read_text(encoding="ascii", errors="ignore"))
    ders, infos = context.get_ca_certs(binary_form=True), context.get_ca_certs()
    return tuple((der, info.get("subject", ())) for der, info in zip(ders, infos, strict=True))


def _organisation(name: Any) -> str:
    return _field(name, "organizationName")


def _field(name: Any, key: str) -> str:
    return next((str(value) for rdn in name for k, value in rdn if k == key), "")


def _sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
