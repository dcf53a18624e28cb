"""What can be set on the local vendors, at their start and while they run."""

from __future__ import annotations

import difflib
import re
import typing
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Literal

from vendorkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# See `fail_next`.
FAULT: Final = re.compile(
    r"|drop|reset|garbage|hang|truncate(:\d+)?|slow|gzip-cut|gzip-sum|html|empty|redirect|[45]\d\d"
)
FAULT_KINDS: Final = (
    *("drop", "reset", "garbage", "hang", "truncate", "slow", "gzip-cut", "gzip-sum", "html", "empty", "redirect"),
    *("429", "500", "502", "503"),
)
TokenAnswer = Literal[
    "normal", "missing", "null", "zero", "negative", "text", "number-text", "float-text", "html", "list", "empty",
    "mac", "redirect",
]  # fmt: skip


@dataclass
class Settings:
    """
    The switches of one local vendor.

    Sizes and the seed are fixed at the start; everything else may change while the server runs. Times are in
    seconds, rates are shares from 0 to 1. A behaviour that no document of the vendor settles has a switch here.

    `fail_next` holds the faults of the next requests, whatever they are (a token request or the first leg of Digest
    too), one each, "" for none:

        "drop"        close the connection without an answer
        "reset"       reset it (TCP) after half of the body
        "garbage"     bytes that are no HTTP, then close
        "hang"        never answer; keep the connection
        "truncate"    close after half of the body; "truncate:17" after 17 bytes of it
        "slow"        one byte of the body each 150 ms
        "gzip-cut"    a cut gzip body whose Content-Length is right
        "gzip-sum"    a gzip body with a wrong checksum
        "html"        200 with an HTML maintenance page
        "empty"       200 without a body
        "redirect"    302 to another origin: the same port on `localhost`
        "500", "429"  any status from 400 to 599, in the vendor's own error body
    """

    # Data: equal settings give equal data, at any size.
    seed: int = 1
    country: Literal["be", "fr", "de", "es", "au", "us"] = "be"
    products: int = 5_000
    brands: int = 300
    titles: int = 2_000
    changes: list[dict[str, Any]] = field(default_factory=list)  # see `LocalVendor.change`; [] takes all back
    events_kept: int | None = None  # inferred: how many events Mediagenix's feed holds; None: all

    # Authentication.
    token_lifetime_s: float = 600.0
    nonce_lifetime_s: float = 300.0
    nonce_says_stale: bool = False  # inferred: Rails, which the vendor seems to run, never sends stale
    strict_nonce_count: bool = False  # inferred off; Apache's AuthDigestNcCheck refuses a count that does not rise
    digest_algorithm: Literal["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"] = "MD5"
    digest_qop: Literal["auth", "auth-int"] | None = "auth"  # None: RFC 2069 mode
    nextnonce: bool = False  # offer the next nonce in Authentication-Info
    signature_required: bool = True  # Pledg: a tick box per account
    # What is odd in the answer to a token request: `expires_in` (missing, null, zero, negative, "soon", "600" or
    # "600.5"), the body (HTML, a list), the token (empty), its type (MAC), or that it is a redirect.
    token_answer: TokenAnswer = "normal"
    expirations: int = 0  # tokens and nonces issued at a lower count are void; `expire_now()` raises it

    # Limits.
    rate_limit: bool = False  # enforce the vendor's documented budget
    rate_limit_requests: int | None = None  # None: the vendor's own number
    rate_limit_window_s: float | None = None  # None: the vendor's own window
    rate_limit_ban_s: float | None = None  # None: the vendor's own; 0: none
    rate_limit_counts_refused: bool = True  # inferred: whether a 401 counts is not documented
    retry_after: str | None = None  # the Retry-After to send with 429 and 503, verbatim; None: none

    # Form of the answers.
    gzip: bool = True
    violations_inside_error: bool = True  # inferred: where Medipim puts `violations` is not documented
    invalid_status: int = 422  # inferred: 400 or 422 for an invalid Medipim query
    beyond_window: Literal["empty", "error"] = "empty"  # inferred: past Medipim's 10,000 window
    metadata_prefix: bool = True  # Mediagenix: account choice, `title-episode-name` or `episode-name`
    metadata_dashes_in_json: bool = False  # inferred: both forms are in the vendor's pages
    unescaped_next: bool = False  # inferred: spaces in `next` links
    expand_guard_shared: bool = True  # inferred: among expanded siblings a repeated record is expanded only once
    metadata_untyped_numbers: bool = False  # documented samples have both: numbers in XML metadata without their type
    http_links: bool = False  # old samples of Mediagenix show http:// in links

    # Faults.
    latency_s: float = 0.0
    slow_chunk_s: float = 0.0  # pause between chunks of a streamed body
    drop_rate: float = 0.0  # connection closed without an answer
    truncate_rate: float = 0.0  # body cut short of its announced length
    status_rate: float = 0.0  # answer with `status_code` instead
    status_code: int = 503
    fault_rate: float = 0.0  # one of `fault_kinds`
    fault_kinds: list[str] = field(default_factory=lambda: list(FAULT_KINDS))
    wrong_type_rate: float = 0.0  # records with numbers as text, lists for objects, a new field
    fail_next: list[str] = field(default_factory=list)  # faults for the next requests: "drop", "truncate", "503", …


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise UsageError for a name or a type that `Settings` does not have."""
    types = typing.get_type_hints(Settings)
    for name, value in settings.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            remedy = f"Did you mean {near[0]}?" if near else "See vendorkit.local.server.settings.Settings."
            what = f"The local vendors have no switch {name!r}."
            raise UsageError(what, remedy=remedy)
        if not _fits(value, types[name]):
            what = f"The switch {name!r} of the local vendors does not take {value!r}."
            raise UsageError(what, remedy=f"Give {_described(types[name])}.")


def _fits(value: Any, expected: Any) -> bool:
    if typing.get_origin(expected) is typing.Literal:
        return value in typing.get_args(expected)
    if typing.get_origin(expected) in (UnionType, typing.Union):
        return any(_fits(value, choice) for choice in typing.get_args(expected))
    if typing.get_origin(expected) is list:
        if typing.get_args(expected) != (str,):
            return isinstance(value, list) and not value
        return isinstance(value, list) and all(isinstance(item, str) and FAULT.fullmatch(item) for item in value)
    if expected in (int, float):
        return isinstance(value, (int, expected)) and not isinstance(value, bool)
    return isinstance(value, expected)


def _described(expected: Any) -> str:
    if typing.get_origin(expected) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(expected)))
    if typing.get_origin(expected) is list:
        known = typing.get_args(expected) == (str,)
        return "a list of the faults that the docstring of Settings names" if known else "[]"
    return f"a value of type {getattr(expected, '__name__', expected)}"
