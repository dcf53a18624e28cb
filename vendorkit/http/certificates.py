"""Reading certificates: the chain of a connection, names, fingerprints."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

DER: Final = 2  # _ssl.ENCODING_DER


def certificates(sock: Any, kind: Literal["verified", "unverified"] = "verified") -> list[Any]:
    """
    Return the chain of the TLS socket *sock*, leaf first: the one that OpenSSL built and verified, or as presented.

    Python 3.10 to 3.14 have it on a private object; empty if it cannot be read.
    """
    read = getattr(getattr(sock, "_sslobj", None), f"get_{kind}_chain", None)
    return [] if read is None else list(read() or ())


def field(name: Any, key: str) -> str:
    """Return one field of a name as the ssl module gives it, such as "organizationName"; "" if it has none."""
    return next((str(value) for rdn in name for k, value in rdn if k == key), "")


def sha256(der: bytes) -> str:
    """Return the fingerprint of a certificate in hexadecimal."""
    return hashlib.sha256(der).hexdigest()
