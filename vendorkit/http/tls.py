"""
Which certificate authorities may sign a vendor's certificate, and how the chain of a connection is read.

Mediagenix asks its clients to accept chains "signed by our approved vendor and not other CA roots"; the approved vendor
is Sectigo Limited (vendor page "Authentication of API users", read 2026-11). `approved_roots.txt` lists its roots.
Only roots are pinned: leaves and intermediates rotate, and Sectigo itself asks its customers not to pin them.
Revocation is not checked, because Python does not support it.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import certifi

from vendorkit.auth.flow import is_loopback
from vendorkit.errors import SettingsError, TlsError
from vendorkit.files import PIPE_WAIT_S, read_bounded

DER: Final = 2  # _ssl.ENCODING_DER
_BUNDLE_LIMIT_BYTES: Final = 1 << 23
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

# SHA-256 of each root to its organisation and its common name.
_TABLE: Final = Path(__file__).with_name("approved_roots.txt").read_text("utf-8")
APPROVED_ROOTS: Final[dict[str, tuple[str, str]]] = {
    sha256: (organisation, name)
    for sha256, organisation, name in re.findall(r"^([0-9a-f]{64}) \| (.+) \| (.+)$", _TABLE, re.MULTILINE)
}


def _settable(name: str) -> property:
    # The setters in the ssl module look up the class by name, and would find its replacement.
    return property(getattr(_STDLIB, name).fget, getattr(_STDLIB.__base__, name).__set__)


_STDLIB: Final[Any] = next(kind for kind in ssl.SSLContext.__mro__ if kind.__module__ == "ssl")


class OwnContext(_STDLIB):  # type: ignore[misc]
    """
    The TLS context of the standard library, even if `ssl.SSLContext` was replaced.

    `truststore.inject_into_ssl()`, for example, replaces it in the whole process by one that trusts the system's store.
    """

    verify_mode, minimum_version = _settable("verify_mode"), _settable("minimum_version")
    maximum_version, options = _settable("maximum_version"), _settable("options")
    verify_flags = _settable("verify_flags")


@dataclass(frozen=True)
class Trust:
    """
    The certificate authorities that may sign the certificate of one vendor.

    Attributes:
        roots: PEM texts of the root certificates. Only these are trusted.
        issuers: If given, one of these organisations must also have issued the leaf: resellers issue certificates
            under their own names, below an approved root.
        loopback_only: The roots are those of a mock server, and are refused for any other host.
        ca_setting: The variable that may name a file with further roots; empty if none may be added.
    """

    roots: tuple[str, ...]
    issuers: frozenset[str] = frozenset()
    loopback_only: bool = False
    ca_setting: str = ""

    def context(self) -> ssl.SSLContext:
        """Return a new TLS context that trusts only these roots, checks host names, and uses TLS 1.2 or newer."""
        # Not create_default_context(), which loads the environment's bundles (SSL_CERT_FILE).
        context = OwnContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata="\n".join(self.roots))
        return context

    def check_host(self, host: str) -> None:
        """Raise `TlsError` if these roots may not be used for *host*."""
        if self.loopback_only and not is_loopback(host):
            what = f"The mock servers' certificate authority may not be used for {host}, but only for this machine."
            raise TlsError(what, remedy="Choose another environment.")

    def check_chain(self, sock: Any) -> None:
        """
        Check the chain that OpenSSL verified on the connected socket *sock*; called before any byte of a request.

        Raises:
            ssl.SSLError: The chain does not end in one of `roots`, its issuer is not one of `issuers`, or the chain
                cannot be read.
        """
        checked = isinstance(sock, ssl.SSLSocket) and sock.context.check_hostname
        if not checked or sock.context.verify_mode != ssl.CERT_REQUIRED:
            message = "the connection is not a verified TLS connection"
            raise ssl.SSLError(message)
        chain = verified_chain(sock)
        if len(chain) < 2 or sha256(chain[-1]) not in self._fingerprints():
            message = "the certificate chain does not end in an approved root"
            raise ssl.SSLError(message)
        if self.issuers:
            issuer = field((sock.getpeercert() or {}).get("issuer", ()), "organizationName")
            if issuer not in self.issuers:
                message = f"issuer organisation {issuer!r} is not approved"
                raise ssl.SSLError(message)

    def _fingerprints(self) -> set[str]:
        return {sha256(ssl.PEM_cert_to_DER_cert(pem)) for pem in self.roots}


def approved_trust(issuer: str | None = None) -> Trust:
    """
    Return the trust for Mediagenix hosts: the approved roots that certifi still carries.

    Args:
        issuer: The organisation that must have issued the server's certificate; None allows any below these roots.

    Raises:
        SettingsError: certifi contains none of them.
    """
    roots = tuple(pem for fingerprint, pem in _bundle().items() if fingerprint in APPROVED_ROOTS)
    if not roots:
        what = "The certifi package no longer contains any of the approved roots."
        raise SettingsError(what, remedy="Update certifi and vendorkit; see vendorkit/http/approved_roots.txt.")
    return Trust(roots, issuers=frozenset([issuer] if issuer else []))


def public_trust(further: tuple[str, ...] = (), *, ca_setting: str = "") -> Trust:
    """
    Return the trust for vendors that require no specific authority: all roots of certifi.

    Args:
        further: PEM texts of further roots, such as that of a company's gateway.
        ca_setting: The variable that names a file with such roots, for messages.
    """
    return Trust((*_bundle().values(), *further), ca_setting=ca_setting)


def read_roots(file: str, source: str) -> tuple[str, ...]:
    """
    Return the certificates in the PEM file *file*, one PEM text each; `~` is the home folder.

    Args:
        file: Its path.
        source: The variable that names the file, and where it was found, for messages.

    Raises:
        SettingsError: The file cannot be read, or holds no certificate or a broken one.
    """
    path = Path(os.path.expanduser(file))  # noqa: PTH111 - Path.expanduser() may raise
    try:
        raw = read_bounded(path, limit_bytes=_BUNDLE_LIMIT_BYTES, pipe_wait_s=PIPE_WAIT_S)
    except SettingsError as exc:
        raise SettingsError(exc.what, remedy=f"Correct the path ({source}), or remove the setting.") from None
    text = raw.replace(b"\0", b"").decode("ascii", "ignore")  # PowerShell writes UTF-16
    parts = [part.partition(_END) for part in text.split(_BEGIN)[1:]]
    pems = tuple("\n".join([_BEGIN, *body.split(), end]) for body, end, _ in parts if end)  # lines may be indented
    try:
        Trust(pems).context()  # refuses an empty text too
    except (ssl.SSLError, ValueError):
        what = f"{path} ({source}) holds no certificate in PEM form, or one that cannot be read."
        remedy = "Convert a .cer or .der file with: openssl x509 -inform der -in FILE -out FILE.pem"
        raise SettingsError(what, remedy=remedy) from None
    return pems


def local_trust(ca_pem: str) -> Trust:
    """Return the trust for a mock server: its certificate authority, for loopback hosts only."""
    return Trust((ca_pem,), loopback_only=True)


def vanished_roots() -> dict[str, str]:
    """Return the approved roots that certifi no longer contains: SHA-256 to common name."""
    return {sha256: name for sha256, (_, name) in APPROVED_ROOTS.items() if sha256 not in _bundle()}


def is_public_root(fingerprint: str) -> bool:
    """Return whether certifi contains the root with this SHA-256."""
    return fingerprint in _bundle()


def verified_chain(sock: Any) -> list[bytes]:
    """
    Return the DER certificates that OpenSSL built and verified for *sock*, leaf first, root included.

    The method is public from Python 3.13 on, and on a private object in 3.10 to 3.12. Empty if neither can be read.
    """
    if hasattr(sock, "get_verified_chain"):
        return [bytes(der) for der in sock.get_verified_chain()]
    return [certificate.public_bytes(DER) for certificate in certificates(sock)]


def certificates(sock: Any, kind: Literal["verified", "unverified"] = "verified") -> list[Any]:
    """
    Return the chain of the TLS socket *sock*, leaf first: as OpenSSL verified it, or as the server presented it.

    In Python 3.10 to 3.14 it is on a private object. Empty if it cannot be read.
    """
    read = getattr(getattr(sock, "_sslobj", None), f"get_{kind}_chain", None)
    return [] if read is None else list(read() or ())


def field(name: Any, key: str) -> str:
    """Return the field *key*, such as "organizationName", of a name in the ssl module's form; "" if it has none."""
    return next((str(value) for rdn in name for k, value in rdn if k == key), "")


def sha256(der: bytes) -> str:
    """Return the SHA-256 fingerprint of a certificate, in hexadecimal."""
    return hashlib.sha256(der).hexdigest()


def reason(exc: BaseException) -> str:
    """Return OpenSSL's message in *exc*, without error numbers and file names."""
    text = getattr(exc, "verify_message", "") or str(exc.args[-1] if exc.args else exc)
    return str(text).split("] ")[-1].split(" (_ssl")[0].rstrip(".")


def is_unknown_authority(exc: BaseException) -> bool:
    """Return whether the handshake failed because of the certificate's issuer, not its dates or names."""
    phrases = ("unable to get", "unable to verify the first", "approved", "self-signed", "invalid CA")
    return any(phrase in str(exc) for phrase in phrases)


def remedy(exc: BaseException) -> str:
    """Return what to do about the failed handshake *exc*."""
    text = str(exc)
    if is_unknown_authority(exc):
        return (
            "Do not trust the server: its certificate is not signed by an authority accepted for this vendor, "
            "or it does not send an intermediate certificate. Inspect its chain with vendorkit.chain(host)."
        )
    if "expired" in text or "not yet valid" in text:
        return "Check this machine's clock. If it is right, report the error to the vendor."
    if "PROTOCOL_VERSION" in text.upper().replace(" ", "_"):
        return "The server does not support TLS 1.2 or newer: report it to the vendor."
    return "Check the host name and the network."


@cache
def _bundle() -> dict[str, str]:
    """Return the roots of certifi: SHA-256 to PEM text."""
    context = OwnContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=Path(certifi.where()).read_text(encoding="ascii", errors="ignore"))
    return {sha256(der): ssl.DER_cert_to_PEM_cert(der) for der in context.get_ca_certs(binary_form=True)}
