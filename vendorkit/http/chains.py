"""Shows the certificates of a server without sending it a request, and explains why they are refused."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.errors import TlsError, UsageError, VendorkitError
from vendorkit.http import tls
from vendorkit.http.call import positive
from vendorkit.http.proxy import PROXY_VARIABLE, Route, find_route
from vendorkit.http.sockets import done_in_thread
from vendorkit.http.tls import DER, certificates, field, sha256
from vendorkit.http.tunnel import open_tunnel
from vendorkit.settings import Secret, read_settings

if TYPE_CHECKING:
    import pandas as pd

_READ_CHAIN_S: Final = 5.0


def chain(
    host: str, *, trust: tls.Trust | None = None, timeout_s: float = 10.0, proxy: str | None = None
) -> pd.DataFrame:
    """
    Show the TLS chain of *host*, checked against *trust* (default: all public roots), without sending a request.

    A chain that cannot be verified is shown as the server presents it, with the reason. Behind a company gateway that
    inspects TLS, the gateway is the issuer.

    Args:
        host: A host name, `host:port`, or an https URL; the default port is 443.
        trust: The authorities to verify against.
        timeout_s: Timeout of connecting and of the handshake, in seconds each.
        proxy: As for `connect`.

    Returns:
        One row per certificate, leaf first: position, subject, organisation, issuer, not_before, not_after, sha256;
        verified: whether the chain is trusted, and problem: why not; approved: whether it ends in a root that is
        approved for Mediagenix. An unverified chain proves nothing about the server.

    Raises:
        UsageError: *host*, *timeout_s* or *proxy* cannot be used.
        ProxyError: The proxy opens no tunnel.
        TlsError: No TLS connection is possible; the message says why.
    """
    import pandas as pd  # noqa: PLC0415 - only this function needs pandas

    argument, proxy = None if proxy is None else Secret(proxy), None
    timeout_s = positive(timeout_s, "timeout_s")
    name, port = _host_and_port(host)
    url = f"https://[{name}]:{port}" if ":" in name else f"https://{name}:{port}"
    trust = tls.public_trust() if trust is None else trust
    trust.check_host(name)
    settings = read_settings([PROXY_VARIABLE], needed=False)
    return pd.DataFrame(chain_rows(url, trust, find_route([url], argument=argument, settings=settings), timeout_s))


def chain_rows(url: str, trust: tls.Trust, route: Route, timeout_s: float) -> list[dict[str, Any]]:
    """Return the rows of `chain` for the server at *url*, connecting through *route*."""
    context = trust.context()
    try:
        presented, problem = _presented(url, context, route, timeout_s), ""
    except ssl.SSLCertVerificationError as exc:
        problem = tls.reason(exc)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only to read the chain; nothing is sent
        presented = _presented(url, context, route, timeout_s)
    approved = not problem and bool(presented) and sha256(presented[-1][0]) in tls.APPROVED_ROOTS
    shared = {"verified": not problem, "problem": problem, "approved": approved}
    return [{"position": i, **_fields(der, info), **shared} for i, (der, info) in enumerate(presented)]


def untrusted(url: str, exc: BaseException, trust: tls.Trust, route: Route) -> TlsError:
    """
    Return the error for *exc*, a failed handshake with the server at *url*.

    If the certificate is not trusted, this connects once more to find out its issuer. Nothing is sent.
    """
    host = urlsplit(url).hostname or ""
    what = f"No trusted TLS connection to {host}{route.through(url)}: {tls.reason(exc)}"
    signer = _signer(url, trust, route) if tls.is_unknown_authority(exc) else ""
    remedy = tls.remedy(exc)
    if signer:
        what = f"{what}; its certificate is signed by {signer}"
        advice = f"ask to exempt {host} from inspection: this vendor's authority is fixed"
        if trust.ca_setting:
            advice = f"set {trust.ca_setting} to a PEM file with its root"
        remedy = f"If that is your company's gateway, {advice}. {remedy}"
    return TlsError(f"{what}.", remedy=remedy)


def _signer(url: str, trust: tls.Trust, route: Route) -> str:
    """Return the name of the issuer of the server's certificate; "" if it cannot be read in time."""
    context = trust.context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only to read the chain; nothing is sent
    infos: list[dict[str, Any]] = []

    def read_chain() -> None:
        with suppress(OSError, ValueError, VendorkitError):
            infos.extend(info for _, info in _presented(url, context, route, _READ_CHAIN_S))

    with tolerated(VendorkitError):  # if the call has ended, its error is raised without the issuer
        done_in_thread(read_chain, _READ_CHAIN_S)
    issuer = infos[0].get("issuer", ()) if infos else ()
    names = [field(issuer, key) for key in ("organizationName", "commonName")]
    return ", ".join(repr(name[:80]) for name in dict.fromkeys(names) if name)


def _presented(url: str, context: ssl.SSLContext, route: Route, timeout_s: float) -> list[tuple[bytes, dict[str, Any]]]:
    """Shake hands and return DER and fields of each certificate: verified if *context* does so, else as presented."""
    host, port = address = _host_and_port(url)
    try:
        proxy = route.proxy_for(*address)
        plain = open_tunnel(proxy, *address, timeout_s) if proxy else socket.create_connection(address, timeout_s)
        with plain, context.wrap_socket(plain, server_hostname=host) as sock:
            certs = certificates(sock, "verified" if context.verify_mode == ssl.CERT_REQUIRED else "unverified")
            return [(cert.public_bytes(DER), cert.get_info()) for cert in certs]
    except (ssl.SSLCertVerificationError, VendorkitError):
        raise
    except (OSError, ValueError) as exc:
        if from_outside(exc) is not None:
            raise
        what = f"No TLS connection to {host}:{port}{route.through(url)}: {tls.reason(exc)}."
        raise TlsError(what, remedy=tls.remedy(exc)) from exc


def _host_and_port(host: str) -> tuple[str, int]:
    try:
        parts = urlsplit(host if "//" in host else f"//{host}") if isinstance(host, str) else urlsplit("")
        name, port = parts.hostname, parts.port or 443
    except ValueError:
        name, port = None, 0
    if not name:
        what = f"host must be a host name, not {repr(host)[:80] if isinstance(host, str) else type(host).__name__}."
        raise UsageError(what, remedy="Pass a host name, host:port or an https URL.")
    return name, port


def _fields(der: bytes, info: dict[str, Any]) -> dict[str, Any]:
    return {
        "subject": field(info.get("subject", ()), "commonName"),
        "organisation": field(info.get("subject", ()), "organizationName"),
        "issuer": field(info.get("issuer", ()), "commonName"),
        "not_before": info.get("notBefore"),
        "not_after": info.get("notAfter"),
        "sha256": sha256(der),
    }
