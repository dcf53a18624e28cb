"""Holding credentials so that no repr, traceback or pickle shows them, and refusing malformed ones without echoing."""

from __future__ import annotations

from typing import NoReturn

from vendorkit.errors import UsageError


class Secret:
    """
    A text that must not be shown: its repr is a mask, also among the locals of a captured traceback.

    Args:
        text: What to keep. `reveal()` gives it back; do not bind the result to a name.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one expression that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A secret")


def refuse_pickling(what: str) -> NoReturn:
    """Raise `UsageError`: a pickle of *what* would carry credentials onto a disk or over a wire."""
    message = f"{what} holds credentials and is not pickled."
    raise UsageError(message, remedy="Pass the settings by environment, and build it anew where it is needed.")


def check_credential(what: str, secret: Secret) -> None:
    """
    Refuse a credential that was not copied cleanly.

    Args:
        what: What it is, for the message: "The password".
        secret: The credential, hidden already: an error shows the arguments of its frames to whoever captures locals.

    Raises:
        UsageError: No text, or not encodable as UTF-8, or with control characters or surrounding white space, which
            come from copying and which no server would accept.
    """
    problem = _problem(secret)
    if problem:
        message = f"{what} {problem}."
        raise UsageError(message, remedy="Copy it again, without quotes and line ends.")


def _problem(secret: Secret) -> str:
    if not isinstance(secret.reveal(), str):
        return "is not text"
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in secret.reveal()):
        return "contains a line end or another control character"
    if secret.reveal() != secret.reveal().strip():
        return "begins or ends with white space"
    # A UnicodeEncodeError would carry the text in its `object`.
    if any("\ud800" <= char <= "\udfff" for char in secret.reveal()):
        return "contains half a character (a lone surrogate)"
    return ""
