"""
All errors of the package, one class per remedy.

    VendorkitError
    ├── SettingsError (ValueError)              fix the environment or .env
    ├── UsageError (ValueError)                 fix the call; nothing was sent
    │   └── UnknownName (AttributeError)        use the resource, verb or attribute that it suggests
    ├── AuthError (PermissionError)
    │   ├── CredentialsRefused                  fix the key, secret or password
    │   ├── NotAllowed                          ask the vendor for the right
    │   ├── UnsupportedChallenge                the server offers no supported scheme
    │   └── SignatureInvalid (ValueError)       do not trust the signed text
    ├── TransportError (ConnectionError)
    │   ├── TlsError                            do not trust the server
    │   ├── ProxyError                          fix the proxy's address or credentials, or do without it
    │   ├── OriginRefused                       a link or redirect left the vendor
    │   ├── RateLimited                         wait `retry_after_s`
    │   ├── DeadlineExceeded (TimeoutError)     request less, or allow more time
    │   └── VendorUnavailable                   try again later
    ├── RequestRefused
    │   ├── NotFound (LookupError)              the record or path does not exist
    │   └── InvalidRequest (ValueError)         read `violations`
    ├── DataError (ValueError)
    │   ├── MalformedAnswer                     the vendor sent something unreadable
    │   └── IncompletePull                      `arrived` has the received rows
    └── Cancelled                               the user cancelled

Each message says what happened, to what, and what to do, in that order, and
never contains a credential. The class in parentheses is a second base: the
built-in error that a newcomer would catch. This module imports nothing from the
package, so that every other module can import it.
"""

from __future__ import annotations

import copyreg
from typing import Any


def printable(text: str) -> str:
    """
    Return *text* with escapes for the characters that a terminal or a page would not show literally.

    Examples are control characters, which may rewrite the screen, and characters that reverse the direction of text.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class VendorkitError(Exception):
    """
    Base of all errors raised by this package.

    Args:
        what: One sentence: what happened, and to what.
        remedy: One sentence: what to do about it.
        vendor_code: The vendor's own code, if it sent one (redacted, bounded).
        vendor_message: The vendor's own text, if it sent one (redacted, bounded).
        status: The HTTP status, if there was a response.
        arrived: The rows that a download received before the error, in the form that the method returns (a DataFrame
            for `frame()`). None if there are none, and for iterators, which have already yielded them.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        vendor_code: str | None = None,
        vendor_message: str | None = None,
        status: int | None = None,
        arrived: Any = None,
    ) -> None:
        # They may quote paths, addresses and names from untrusted sources.
        what, remedy = printable(what), printable(remedy)
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy
        self.vendor_code = vendor_code
        self.vendor_message = vendor_message
        self.status = status
        self.arrived = arrived

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with `args`, which would put the whole message into `what` and lose the rest.
        return copyreg.__newobj__, (type(self),), {**self.__dict__, "args": self.args}  # type: ignore[attr-defined]


class SettingsError(VendorkitError, ValueError):
    """A setting is missing, malformed or a placeholder. The message has its name, never its value."""


class UsageError(VendorkitError, ValueError):
    """The call cannot be carried out as written: unknown filter, wrong type, unreplayable body. Nothing was sent."""


class UnknownName(UsageError, AttributeError):
    """A client, a resource or a query has no attribute of this name; the message suggests the nearest one."""


class AuthError(VendorkitError, PermissionError):
    """Authentication failed, or the credentials lack a right."""


class CredentialsRefused(AuthError):
    """The vendor refused the key, secret, user or password (HTTP 401 after any renewal)."""


class NotAllowed(AuthError):
    """The credentials are valid but may not do this (HTTP 403), or the client is read-only."""


class UnsupportedChallenge(AuthError):
    """The server requires an authentication scheme, algorithm or quality of protection that is not supported."""


class SignatureInvalid(AuthError, ValueError):
    """A signature is absent, malformed, expired or wrong; the signed text must not be trusted."""


class TransportError(VendorkitError, ConnectionError):
    """
    No usable response was received.

    Attributes:
        retry_after_s: Seconds to wait that the vendor requests, counted from its response; None if it requests none.
    """

    def __init__(self, what: str, *, retry_after_s: float | None = None, **details: Any) -> None:
        super().__init__(what, **details)
        self.retry_after_s = retry_after_s


class TlsError(TransportError):
    """The server's certificate chain is not trusted for this vendor."""


class ProxyError(TransportError):
    """The proxy could not be reached, or opened no tunnel to the vendor; `status` is that of its response, if any."""


class OriginRefused(TransportError):
    """A link or redirect leads outside the vendor's scheme, host and port, or a redirect cannot be followed."""


class RateLimited(TransportError):
    """The vendor's rate limit is reached (HTTP 429), and retrying is not allowed or did not help."""


class DeadlineExceeded(TransportError, TimeoutError):
    """The call did not finish before its deadline."""


class VendorUnavailable(TransportError):
    """The vendor did not respond, or only with server errors, until the retries were used up."""


class RequestRefused(VendorkitError):
    """The vendor understood the request and refused it."""


class NotFound(RequestRefused, LookupError):
    """The record or path does not exist (HTTP 404 or 410)."""


class InvalidRequest(RequestRefused, ValueError):
    """
    The vendor rejected the request as invalid (HTTP 400 or 422, and other 4xx).

    Attributes:
        violations: The faults that the vendor lists, one string each; empty if it lists none.
    """

    def __init__(self, what: str, *, violations: tuple[str, ...] = (), **details: Any) -> None:
        super().__init__(what, **details)
        self.violations = violations


class DataError(VendorkitError, ValueError):
    """A response arrived completely, but its content cannot be used."""


class MalformedAnswer(DataError):
    """The response does not match the vendor's format: truncated, not UTF-8, not JSON or XML, the wrong shape."""


class IncompletePull(DataError):
    """
    A download ended before all announced records had arrived, or the data changed during the download.

    `arrived` holds the rows received until then.
    """


class Cancelled(VendorkitError):
    """The call was cancelled; `arrived` holds the rows that `frame()` had received."""
