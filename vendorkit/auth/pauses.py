"""The wait that a server requests (RFC 9110 section 10.2.3); pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from vendorkit.auth.interrupts import tolerated


def requested_pause_s(headers: Mapping[str, str]) -> float | None:
    """
    Return the seconds to wait that a response with these *headers* requests; None if there are none, or not readable.

    `Retry-After` has seconds, or a date, which is compared with the response's Date because this machine's clock may
    be wrong. Mediagenix uses `Ratelimit-Reset`, in seconds.
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
    """Return the time in a header's value; None if it is not a date."""
    # email.utils accepts 99:99:99 as a time on a later day, so the time is checked first.
    if not re.search(r"\b([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)\b", text):
        return None
    with tolerated(ValueError, TypeError, IndexError, OverflowError):
        date = parsedate_to_datetime(text)
        return date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return None
