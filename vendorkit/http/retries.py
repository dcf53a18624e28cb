"""Which failed calls are retried, and after which pause: only those that are safe to send twice."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.wait import wait_exponential, wait_random

from vendorkit.deadline import Deadline
from vendorkit.errors import ProxyError, RateLimited, TransportError, VendorUnavailable
from vendorkit.http.answers import CorruptAnswer
from vendorkit.http.call import Call, Policy

_DEFAULT_RATE_PAUSE_S: Final = 3.0
_BACKOFF: Final = wait_exponential(multiplier=0.25, max=10.0) + wait_random(0.0, 0.25)


def retrying(call: Call, policy: Policy, deadline: Deadline) -> Retrying:
    """Return the attempts that *policy* allows for *call*. There is no retry if its pause would outlast *deadline*."""
    return Retrying(
        retry=retry_if_exception(lambda exc: call.may_repeat() and _may_help(exc, policy)),
        # Stop before the deadline: the vendor's error explains more than DeadlineExceeded would.
        stop=lambda state: state.attempt_number >= policy.attempts or state.upcoming_sleep >= deadline.remaining_s(),
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
    requested_s = exc.retry_after_s if isinstance(exc, TransportError) else None
    if requested_s is None and isinstance(exc, RateLimited):
        # Medipim's 429 has no Retry-After. It counts requests per minute, so that a quick retry would be wasted.
        requested_s = _DEFAULT_RATE_PAUSE_S * state.attempt_number
    return max(requested_s or 0.0, _BACKOFF(state))
