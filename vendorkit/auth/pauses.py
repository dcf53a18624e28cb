"""How long a server asks to wait (RFC 9110 section 10.2.3); pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from vendorkit.auth.interrupts import tolerated


def asked_pause_s(headers: Mapping[str, str]) -> float | None:
    """
    Return the seconds that an answer with these *headers* asks to wait; None if it does not say, or not understandably.

    `Retry-After` as seconds, or as a date, which is compared with the answer's own Date: this machine's clock may be
    wrong. `Ratelimit-Reset` is Mediagenix's way, in seconds.
    """
    text = (headers.get("Retry-After") or headers.get("Ratelimit-Reset") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    now = http_date(headers.get("Date") or "") or datetime.now(timezone.utc)
    return max(0.0, (until - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """Return the moment that a header names; None if it is no date."""
    # email.utils rolls 99:99:99 over into the next days, so the time is looked at first.
    if not re.search(r"\b([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)\b", text):
        return None
    with tolerated(ValueError, TypeError, IndexError):
        date = parsedate_to_datetime(text)
        return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return None
