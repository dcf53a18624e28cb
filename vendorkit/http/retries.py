"""Which failed calls are sent again, and when: never one that may change data, unless the vendor did not get it."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.wait import wait_exponential, wait_random

from vendorkit.deadline import Deadline
from vendorkit.errors import ProxyError, RateLimited, TransportError, VendorUnavailable
from vendorkit.http.answers import CorruptAnswer
from vendorkit.http.call import Call, Policy

_UNTOLD_PAUSE_S: Final = 3.0
_BACKOFF: Final = wait_exponential(multiplier=0.25, max=10.0) + wait_random(0.0, 0.25)


def retrying(call: Call, policy: Policy, deadline: Deadline) -> Retrying:
    """Return the attempts that *policy* allows for *call*; a pause that would outlast *deadline* is not begun."""
    return Retrying(
        retry=retry_if_exception(lambda exc: call.may_repeat() and _may_help(exc, policy)),
        # The vendor's error says more than that time was up.
        stop=lambda state: state.attempt_number >= policy.attempts or state.upcoming_sleep >= deadline.left_s(),
        wait=_pause,
        sleep=deadline.sleep,
        reraise=True,
    )


def _may_help(exc: BaseException, policy: Policy) -> bool:
    if isinstance(exc, ProxyError):
        return exc.status is None or exc.status >= 500
    if isinstance(exc, (RateLimited, VendorUnavailable)):
        return (exc.retry_after_s or 0.0) <= policy.retry_after_cap_s
    return isinstance(exc, CorruptAnswer)


def _pause(state: RetryCallState) -> float:
    exc = state.outcome.exception() if state.outcome else None
    asked = exc.retry_after_s if isinstance(exc, TransportError) else None
    if asked is None and isinstance(exc, RateLimited):
        # Medipim sends no time with its 429; its budget is counted by the minute, so that a quick retry is wasted.
        asked = _UNTOLD_PAUSE_S * state.attempt_number
    return max(asked or 0.0, _BACKOFF(state))
