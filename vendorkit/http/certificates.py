"""Reads certificates: the chain of a connection, names, fingerprints."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

DER: Final = 2  # _ssl.ENCODING_DER


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
