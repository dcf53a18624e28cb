"""Refuses malformed credentials without echoing them."""

from __future__ import annotations

from unicodedata import category

from vendorkit.errors import UsageError
from vendorkit.settings import Secret, is_utf8


def check_credential(what: str, secret: Secret) -> None:
    """
    Refuse a credential that was not copied cleanly.

    Args:
        what: The kind of credential, for the message: "The password".
        secret: The credential, already wrapped, because some tracebacks show the arguments of their frames.

    Raises:
        UsageError: It is not a string, not encodable as UTF-8, or has control characters or surrounding white space,
            which come from copying and which no server would accept.
    """
    problem = _problem(secret)
    if problem:
        message = f"{what} {problem}."
        raise UsageError(message, remedy="Copy it again, without quotes and line ends.")


def _problem(secret: Secret) -> str:
    if not isinstance(secret.reveal(), str):
        return "is not a string"
    if any(category(char) == "Cc" for char in secret.reveal()):
        return "contains a line end or another control character"
    if secret.reveal() != secret.reveal().strip():
        return "begins or ends with white space"
    if not is_utf8(secret):
        return "contains half a character (a lone surrogate)"
    return ""
