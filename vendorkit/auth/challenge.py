"""
Digest authentication as functions of plain values: RFC 2617 with the corrections of RFC 7616.

Header values are handled as http.client gives and takes them: each character is one byte of the wire.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vendorkit.errors import UnsupportedChallenge

PARAMETER_LIMIT: Final = 4096  # characters; real nonces have under 200
# RFC 9110 sections 5.6.2 and 5.6.4. Values without quotes are taken as they come: some servers leave them off a nonce.
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf'({_NAME})[ \t]*=[ \t]*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s,"]+))', re.DOTALL)
_SCHEME: Final = re.compile(rf"({_NAME})(?=[ \t,]|$)")
_TOKEN68: Final = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_BETWEEN: Final = re.compile(r"[\s,]*")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
# Strongest first. SHA and SHA-512 are in no RFC; requests answers them, so that there are servers that ask for them.
_HASHES: Final = {"SHA-512": "sha512", "SHA-512-256": "sha512_256", "SHA-256": "sha256", "SHA": "sha1", "MD5": "md5"}


def _available(name: str) -> bool:
    try:
        hashlib.new(name, usedforsecurity=False)
    except ValueError:
        return False
    return True


ALGORITHMS: Final = tuple(name for name, hash_name in _HASHES.items() if _available(hash_name))


@dataclass(frozen=True)
class Challenge:
    """
    A digest challenge that can be answered.

    Attributes:
        algorithm: As the server spells it; None where it sends none, which means MD5.
        counted: Whether qop "auth" is offered; else the older mode of RFC 2069, without count and cnonce.
        stale: Only the nonce was refused, not the password.
        hide_user: The server wants the hash of the user name (RFC 7616 section 3.4.4).
    """

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str | None = None
    counted: bool = True
    stale: bool = False
    hide_user: bool = False

    @property
    def family(self) -> str:
        """The algorithm without "-sess", in capitals."""
        return (self.algorithm or "MD5").upper().removesuffix("-SESS")

    @property
    def per_session(self) -> bool:
        """Whether the key depends on nonce and cnonce too (the -sess algorithms)."""
        return (self.algorithm or "").upper().endswith("-SESS")


@dataclass
class Offer:
    """One challenge of a WWW-Authenticate header, as read; `problem` names what is wrong with it."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def offers(header: str) -> Iterator[Offer]:
    """Yield the challenges of one WWW-Authenticate value (RFC 9110 section 11.6.1); it never raises."""
    current: Offer | None = None
    at = 0
    while (at := _end(_BETWEEN.match(header, at), at)) < len(header):
        found = _PARAMETER.match(header, at)
        if found and current is not None:
            _add(current, *found.groups())
            at = found.end()
        elif scheme := _SCHEME.match(header, at):
            if current is not None:
                yield current
            current = Offer(scheme[1].lower())
            # Negotiate and NTLM carry one token68; its "=" must not look like a parameter.
            at = _end(_TOKEN68.match(header, scheme.end()), scheme.end())
        else:
            current = current or Offer("")
            current.problem = current.problem or "the header is malformed"
            break
    if current is not None:
        yield current


def _end(found: re.Match[str] | None, default: int) -> int:
    return found.end() if found else default


def _add(offer: Offer, name: str, quoted: str | None, plain: str | None) -> None:
    name = name.lower()
    value = plain or "" if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    shown = name[:40]
    if name in offer.parameters:
        offer.problem = offer.problem or f"parameter {shown} is there twice"
    elif len(value) > PARAMETER_LIMIT:
        offer.problem = offer.problem or f"parameter {shown} is longer than {PARAMETER_LIMIT} characters"
    elif _CONTROL.search(value):
        offer.problem = offer.problem or f"parameter {shown} contains control characters"
    else:
        offer.parameters[name] = value


def best_challenge(headers: Iterable[str]) -> Challenge:
    """
    Return the strongest digest challenge that can be answered; among equals, the server's first.

    Args:
        headers: The values of WWW-Authenticate, one for each line.

    Raises:
        UnsupportedChallenge: There is none; the message says what was offered or what is wrong with it.
    """
    found = [offer for header in headers for offer in offers(header)]
    digests = [offer for offer in found if offer.scheme == "digest"]
    usable = [offer for offer in digests if not _fault(offer)]
    if usable:
        return min((_challenge(offer) for offer in usable), key=lambda challenge: ALGORITHMS.index(challenge.family))
    if digests:
        reasons = "; ".join(dict.fromkeys(_fault(offer) for offer in digests[:5]))
        what = f"The server's digest challenge cannot be answered: {reasons}."
    else:
        names = ", ".join(dict.fromkeys(offer.scheme[:20] or "something malformed" for offer in found[:5])) or "nothing"
        what = f"The server asks for authentication but offers no Digest; it offers {names}."
    raise UnsupportedChallenge(what, remedy="Check the address, and which scheme the vendor documents.", status=401)


def _fault(offer: Offer) -> str:
    """Return what keeps a digest offer from being used, "" for nothing."""
    given = offer.parameters
    for name in ("realm", "nonce"):
        if not offer.problem and name not in given:
            return f"parameter {name} is missing"
    algorithm = given.get("algorithm", "MD5").upper()
    if not offer.problem and algorithm.removesuffix("-SESS") not in ALGORITHMS:
        return f"algorithm {given['algorithm'][:40]!a} is not known"
    qop = _tokens(given.get("qop", ""))
    if not offer.problem and qop and "auth" not in qop:
        return f"qop offers {', '.join(qop)[:40]!a}, not auth"
    if not offer.problem and algorithm.endswith("-SESS") and not qop:
        return "a -sess algorithm without qop has no cnonce to work with"
    return offer.problem


def _challenge(offer: Offer) -> Challenge:
    given = offer.parameters
    return Challenge(
        realm=given["realm"],
        nonce=given["nonce"],
        opaque=given.get("opaque"),
        algorithm=given.get("algorithm"),
        counted=bool(_tokens(given.get("qop", ""))),  # an empty qop means RFC 2069 (requests #2916)
        stale=given.get("stale", "").lower() == "true",
        hide_user=given.get("userhash", "").lower() == "true",
    )


def _tokens(text: str) -> list[str]:
    return [token.strip().lower() for token in text.split(",") if token.strip()]


def next_nonce(headers: Iterable[str]) -> str | None:
    """Return `nextnonce` of the Authentication-Info headers (RFC 7616 section 3.5), None where there is no good one."""
    for header in headers:
        read = next(offers(f"Digest {header}"))  # the same grammar, without a scheme
        if not read.problem and read.parameters.get("nextnonce"):
            return read.parameters["nextnonce"]
    return None


def digest_key(challenge: Challenge, user: str, password: str, cnonce: str) -> str:
    """Return HA1, which is worth as much as the password (RFC 7616 section 3.4.2)."""
    key = _hash(challenge, f"{user}:".encode(), challenge.realm.encode("latin-1"), f":{password}".encode())
    return _hash(challenge, f"{key}:{challenge.nonce}:{cnonce}".encode("latin-1")) if challenge.per_session else key


def user_hash(challenge: Challenge, user: str) -> str:
    """Return the user name as a server with `userhash` wants it."""
    return _hash(challenge, f"{user}:".encode(), challenge.realm.encode("latin-1"))


def digest_response(challenge: Challenge, key: str, *, method: str, uri: str, count: int, cnonce: str) -> str:
    """Return the `response` (RFC 7616 section 3.4.1) for the *count*-th use of the nonce with *key* (HA1)."""
    request = _hash(challenge, f"{method}:{uri}".encode("latin-1"))
    use = f"{count:08x}:{cnonce}:auth:" if challenge.counted else ""
    return _hash(challenge, f"{key}:{challenge.nonce}:{use}{request}".encode("latin-1"))


def authorization(challenge: Challenge, user: str, *, uri: str, response: str, count: int, cnonce: str) -> str:
    """Return the Authorization value; quotes are only where RFC 7616 section 3.4 requires them."""
    fields = [
        _user_field(challenge, user),
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{response}"',
    ]
    if challenge.algorithm is not None:
        fields.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        fields.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.counted:
        fields += ["qop=auth", f"nc={count:08x}", f'cnonce="{cnonce}"']
    if challenge.hide_user:
        fields.append("userhash=true")
    return "Digest " + ", ".join(fields)


def _user_field(challenge: Challenge, user: str) -> str:
    if challenge.hide_user:
        return f'username="{user_hash(challenge, user)}"'
    # Not username* (RFC 7616 section 3.4), also where charset=UTF-8 is offered: curl and browsers send the bytes as
    # they are, and CherryPy, which offers it, knows nothing else.
    return f"username={_quoted(user.encode().decode('latin-1'))}"


def _hash(challenge: Challenge, *parts: bytes) -> str:
    return hashlib.new(_HASHES[challenge.family], b"".join(parts), usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
