"""The switches of the mock servers, set when they start and while they run."""

from __future__ import annotations

import difflib
import time
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec

from vendorkit.errors import UsageError

# See `fail_next`.
_FAULTS: Final = (
    "drop", "reset", "garbage", "hang", "truncate", "slow", "gzip-cut", "gzip-sum", "html", "empty", "redirect",
)  # fmt: skip
Fault = Annotated[str, msgspec.Meta(pattern=rf"^(|{'|'.join(_FAULTS)}|truncate:\d+|[45]\d\d)\Z")]
FAULT_KINDS: Final = (*_FAULTS, "429", "500", "502", "503")
Changes = Annotated[list[dict[str, Any]], msgspec.Meta(max_length=0)]  # `LocalVendor.set` accepts only []
TokenAnswer = Literal[
    "normal", "missing", "null", "zero", "negative", "text", "number-text", "float-text", "html", "list", "empty",
    "mac", "redirect",
]  # fmt: skip


@dataclass
class Settings:
    """
    The switches of one mock server.

    The sizes, `seed`, `country` and `oddities` are fixed at the start; all others may change while the server runs.
    Times are in seconds, rates are shares from 0 to 1. Behaviours that the vendor does not document have switches here.

    `fail_next` lists one fault for each of the next requests, "" for no fault. Requests of any kind count, including
    token requests and the first request of Digest. The faults:

        "drop"        close the connection without an answer
        "reset"       reset the connection (TCP) after half of the body
        "garbage"     bytes that are not HTTP, then close
        "hang"        never answer; keep the connection
        "truncate"    close after half of the body; "truncate:17": after 17 bytes of it
        "slow"        one byte of the body every 150 ms
        "gzip-cut"    an incomplete gzip body, with a Content-Length that matches it
        "gzip-sum"    a gzip body with a wrong checksum
        "html"        200 with an HTML maintenance page
        "empty"       200 without a body
        "redirect"    302 to another origin: the same port on `localhost`
        "500", "429"  any status from 400 to 599, with the vendor's error body
    """

    # Data: equal settings give equal data, at any size.
    seed: int = 1
    country: Literal["be", "fr", "de", "es", "au", "us"] = "be"
    products: int = 5_000
    brands: int = 300
    titles: int = 2_000
    oddities: bool = True  # the rare irregularities of real data among the products of Medipim
    changes: Changes = field(default_factory=list)  # see `LocalVendor.change`; [] undoes all
    writes: bool = False  # accept create, update and delete, on the server's own copy; if False, answer with 403
    events_kept: int | None = None  # inferred: how many events Mediagenix's feed keeps; None: all

    # Authentication.
    token_lifetime_s: float = 600.0
    nonce_lifetime_s: float = 300.0
    nonce_says_stale: bool = False  # inferred: Rails, on which the vendor seems to run, never sends stale
    strict_nonce_count: bool = False  # inferred: refuse a count that does not rise, as Apache's AuthDigestNcCheck does
    digest_algorithm: Literal["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"] = "MD5"
    digest_qop: Literal["auth", "auth-int"] | None = "auth"  # None: RFC 2069 mode
    # inferred: the digest's `uri` must be the request's target (RFC 7616 3.4.6, Rails 4) or may be any (Rails 5).
    digest_uri: Literal["target", "any"] = "target"
    nextnonce: bool = False  # send the next nonce in Authentication-Info
    signature_required: bool = True  # Pledg: an option of each account
    fees_rounding: Literal["half_up", "down", "up"] = "half_up"  # inferred: how Pledg rounds fees to whole cents
    error_body: Literal["whole", "debug"] = "whole"  # inferred: Pledg's type and message next to `debug`
    simulation_rates: bool = True  # Pledg: taeg and debit_rate next to a plan, documented only on the newest page
    link_answer: Literal["link", "url", "empty"] = "link"  # inferred: the answer to purchase_link
    refund_answer: Literal["json", "empty"] = "json"  # inferred
    refund_errors: Literal["text", "json"] = "text"  # plain text is documented, but shop modules read JSON
    release_answer: Literal["empty", "json"] = "empty"  # inferred
    threshold_name: Literal["amount_cents_threshold", "min_amount_cents"] = "amount_cents_threshold"  # inferred
    # What is wrong with the answer to a token request: `expires_in` (missing, null, zero, negative, "soon", "600" or
    # "600.5"), the body (HTML, a list), the token (empty), its type (MAC), or the status (a redirect).
    token_answer: TokenAnswer = "normal"
    expirations: int = 0  # increased by `expire_now()`; tokens and nonces issued at a lower value are invalid

    # Limits.
    rate_limit: bool = False  # enforce the vendor's documented budget
    rate_limit_requests: int | None = None  # requests per window; None: as documented
    rate_limit_counts_refused: bool = True  # inferred: whether a 401 counts is not documented
    retry_after: str | None = None  # the Retry-After header of 429 and 503, verbatim; None: not sent

    # Format of the answers.
    gzip: bool = True
    violations_inside_error: bool = True  # inferred: whether `violations` is inside `error` in Medipim's errors
    invalid_status: int = 422  # inferred: 400 or 422 for an invalid Medipim query
    beyond_window: Literal["empty", "error"] = "empty"  # inferred: the answer beyond Medipim's window of 10,000 records
    metadata_prefix: bool = True  # Mediagenix: `title-episode-name` or `episode-name`, an option of each account
    metadata_dashes_in_json: bool = False  # inferred: the vendor's pages have both forms
    deletion_s: float = 0.0  # inferred: for how long Mediagenix still shows a deleted title or title group
    unescaped_next: bool = False  # inferred: `next` links with spaces
    expand_guard_shared: bool = True  # inferred: among expanded siblings a repeated record is expanded only once
    metadata_untyped_numbers: bool = False  # numbers in XML metadata without `type`; the samples show both forms
    http_links: bool = False  # Mediagenix: http:// in links, as in old samples
    # Changes that Medipim may make within a year.
    new_fields: bool = False  # two more members in every product, and one more in its `meta`
    codes_as_numbers: bool = False  # `cnk` as a JSON number

    # Faults.
    latency_s: float = 0.0
    fault_rate: float = 0.0  # share of requests with one of `fault_kinds`
    fault_kinds: list[Fault] = field(default_factory=lambda: list(FAULT_KINDS))
    wrong_type_rate: float = 0.0  # share of records with numbers as strings, lists instead of objects, or a new field
    fail_next: list[Fault] = field(default_factory=list)  # faults for the next requests: "drop", "truncate", "503", …

    def note(self, action: str, record: str, **more: Any) -> None:
        """Add a change with the current time."""
        self.changes = [*self.changes, {"action": action, "record": record, "at": int(time.time()), **more}]


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise UsageError for a name that `Settings` does not have, or a value of the wrong type."""
    types = typing.get_type_hints(Settings, include_extras=True)
    for name, value in settings.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            remedy = f"Did you mean {near[0]}?" if near else "See vendorkit.local.server.settings.Settings."
            what = f"The mock servers have no switch {name!r}."
            raise UsageError(what, remedy=remedy)
        try:
            msgspec.convert(value, types[name])
        except msgspec.ValidationError as exc:
            what = f"The switch {name!r} of the mock servers does not accept {value!r}: {exc}."
            raise UsageError(what, remedy="See vendorkit.local.server.settings.Settings.") from None
