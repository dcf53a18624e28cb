"""
Digest authentication as functions of plain values: RFC 2617 with the corrections of RFC 7616.

Header values are strings as http.client uses them: each character is one byte of the header.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vendorkit.errors import UnsupportedChallenge

PARAMETER_LIMIT: Final = 4096  # characters; real nonces have under 200
# RFC 9110 sections 5.6.2 and 5.6.4. Any value may come without quotes, because some servers omit those of the nonce,
# even a list of qop, whose comma then does not end the parameter.
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LIST: Final = r"(?:auth(?:-int)?[ \t]*,[ \t]*(?=auth(?:-int)?(?:[ \t,]|$)))*"
_PARAMETER: Final = re.compile(rf'(?is)({_NAME})[ \t]*=[ \t]*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|({_LIST}[^\s,"]*))')
_SCHEME: Final = re.compile(rf"({_NAME})(?=[ \t,]|$)")
_TOKEN68: Final = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_SEPARATOR: Final = re.compile(r"[\s,]*")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
# Strongest first. SHA and SHA-512 are in no RFC, but requests supports them, so some servers may require them.
_HASHES: Final = {"SHA-512": "sha512", "SHA-512-256": "sha512_256", "SHA-256": "sha256", "SHA": "sha1", "MD5": "md5"}


ALGORITHMS: Final = tuple(name for name, hash_name in _HASHES.items() if hash_name in hashlib.algorithms_available)


@dataclass(frozen=True)
class Challenge:
    """
    A digest challenge that can be answered.

    Attributes:
        algorithm: As the server spells it; None if it sends none, which means MD5.
        counted: Whether qop "auth" is offered; otherwise the older mode of RFC 2069 applies, without count and cnonce.
        stale: Only the nonce was refused, not the password.
        hide_user: The server requires the hash of the user name (RFC 7616 section 3.4.4).
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
    """One challenge of a WWW-Authenticate header, as parsed; `problem` describes its fault, if any."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def offers(header: str) -> Iterator[Offer]:
    """Yield the challenges in one WWW-Authenticate value (RFC 9110 section 11.6.1), without ever raising."""
    current: Offer | None = None
    at = 0
    while (at := _end(_SEPARATOR.match(header, at), at)) < len(header):
        parameter = _PARAMETER.match(header, at)
        if parameter and current is not None:
            _add(current, *parameter.groups())
            at = parameter.end()
        elif scheme := _SCHEME.match(header, at):
            if current is not None:
                yield current
            current = Offer(scheme[1].lower())
            # Negotiate and NTLM have one token68, whose "=" must not be taken for a parameter.
            at = _end(_TOKEN68.match(header, scheme.end()), scheme.end())
        else:
            current = current or Offer("")
            current.problem = current.problem or "the header is malformed"
            break
    if current is not None:
        yield current


def _end(match: re.Match[str] | None, default: int) -> int:
    return match.end() if match else default


def _add(offer: Offer, name: str, quoted: str | None, plain: str | None) -> None:
    name = name.lower()
    value = plain or "" if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    if name in offer.parameters or len(value) > PARAMETER_LIMIT or _CONTROL.search(value):
        problem = f"parameter {name[:40]} occurs twice, has control characters or over {PARAMETER_LIMIT} characters"
        offer.problem = offer.problem or problem
    else:
        offer.parameters[name] = value


def best_challenge(headers: Iterable[str]) -> Challenge:
    """
    Return the strongest digest challenge that can be answered; among equals, the first one.

    Args:
        headers: The values of WWW-Authenticate, one per header line.

    Raises:
        UnsupportedChallenge: There is none; the message describes what was offered, or its fault.
    """
    parsed = [offer for header in headers for offer in offers(header)]
    digests = [offer for offer in parsed if offer.scheme == "digest"]
    usable = [offer for offer in digests if not _fault(offer)]
    if usable:
        return min((_challenge(offer) for offer in usable), key=lambda challenge: ALGORITHMS.index(challenge.family))
    if digests:
        reasons = "; ".join(dict.fromkeys(_fault(offer) for offer in digests[:5]))
        what = f"The server's digest challenge cannot be answered: {reasons}."
    else:
        names = ", ".join(dict.fromkeys(offer.scheme[:20] or "a malformed scheme" for offer in parsed[:5])) or "nothing"
        what = f"The server requires authentication but does not offer Digest; it offers {names}."
    raise UnsupportedChallenge(what, remedy="Check the address, and which scheme the vendor documents.", status=401)


def _fault(offer: Offer) -> str:
    """Return the reason why a digest offer cannot be used, or ""."""
    parameters = offer.parameters
    algorithm = parameters.get("algorithm", "MD5").upper()
    qop = _tokens(parameters.get("qop", ""))
    if offer.problem:
        return offer.problem
    if not parameters.keys() >= {"realm", "nonce"}:
        return "parameter realm or nonce is missing"
    if algorithm.removesuffix("-SESS") not in ALGORITHMS:
        return f"algorithm {parameters['algorithm'][:40]!a} is not supported"
    if qop and "auth" not in qop:
        return f"qop offers {', '.join(qop)[:40]!a}, not auth"
    if algorithm.endswith("-SESS") and not qop:
        return "a -sess algorithm without qop is not usable, because it needs a cnonce"
    return ""


def _challenge(offer: Offer) -> Challenge:
    parameters = offer.parameters
    return Challenge(
        realm=parameters["realm"],
        nonce=parameters["nonce"],
        opaque=parameters.get("opaque"),
        algorithm=parameters.get("algorithm"),
        counted=bool(_tokens(parameters.get("qop", ""))),  # an empty qop means RFC 2069 (requests #2916)
        stale=parameters.get("stale", "").lower() == "true",
        hide_user=parameters.get("userhash", "").lower() == "true",
    )


def _tokens(text: str) -> list[str]:
    return [token.strip().lower() for token in text.split(",") if token.strip()]


def next_nonce(headers: Iterable[str]) -> str | None:
    """Return `nextnonce` of the Authentication-Info headers (RFC 7616 section 3.5); None if there is no valid one."""
    for header in headers:
        info = next(offers(f"Digest {header}"))  # the same grammar, without a scheme
        if not info.problem and info.parameters.get("nextnonce"):
            return info.parameters["nextnonce"]
    return None


def digest_key(challenge: Challenge, user: str, password: str, cnonce: str) -> str:
    """Return HA1, which is worth as much as the password (RFC 7616 section 3.4.2)."""
    key = _hash(challenge, f"{user}:".encode(), challenge.realm.encode("latin-1"), f":{password}".encode())
    return _hash(challenge, f"{key}:{challenge.nonce}:{cnonce}".encode("latin-1")) if challenge.per_session else key


def digest_response(challenge: Challenge, key: str, *, method: str, uri: str, count: int, cnonce: str) -> str:
    """Return the `response` (RFC 7616 section 3.4.1) for the *count*-th use of the nonce with *key* (HA1)."""
    request = _hash(challenge, f"{method}:{uri}".encode("latin-1"))
    use = f"{count:08x}:{cnonce}:auth:" if challenge.counted else ""
    return _hash(challenge, f"{key}:{challenge.nonce}:{use}{request}".encode("latin-1"))


def authorization(challenge: Challenge, user: str, *, uri: str, response: str, count: int, cnonce: str) -> str:
    """Return the Authorization value, with quotes only where RFC 7616 section 3.4 requires them."""
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
        return f'username="{_hash(challenge, f"{user}:".encode(), challenge.realm.encode("latin-1"))}"'
    # Not username* (RFC 7616 section 3.4), even if charset=UTF-8 is offered: curl and browsers send the raw bytes, and
    # CherryPy, which offers it, does not support username*.
    return f"username={_quoted(user.encode().decode('latin-1'))}"


def _hash(challenge: Challenge, *parts: bytes) -> str:
    return hashlib.new(_HASHES[challenge.family], b"".join(parts), usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
