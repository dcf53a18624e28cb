"""Basic authentication (RFC 7617): Medipim's key id and secret, Pledg's dashboard e-mail and password."""

from __future__ import annotations

from base64 import b64encode
from unicodedata import category

from vendorkit.auth.flow import Flow, FlowAuth, Outgoing
from vendorkit.errors import UsageError
from vendorkit.settings import Secret, is_utf8


def check_credential(what: str, secret: Secret) -> None:
    """
    Refuse a credential that was not copied cleanly, without echoing it.

    Args:
        what: The kind of credential, for the message: "The password".
        secret: The credential, already wrapped, because some tracebacks show the arguments of their frames.

    Raises:
        UsageError: It is not a string, not encodable as UTF-8, or has control characters or surrounding white space,
            which come from copying and which no server would accept.
    """
    is_clean = isinstance(secret.reveal(), str) and secret.reveal() == secret.reveal().strip() and is_utf8(secret)
    if not is_clean or any(category(char) == "Cc" for char in secret.reveal()):
        message = f"{what} is not a string, or has line ends, blanks around it or characters that cannot be sent."
        raise UsageError(message, remedy="Copy it again, without quotes and line ends.")


class Basic(FlowAuth):
    """
    Sends user and password, in UTF-8, with every request.

    On a redirect to another host, port or scheme, requests removes the header. This scheme also removes it where
    requests would keep it: from http to https on the same host.

    Args:
        user: Must not contain ":", which separates it from the password.
        password: May contain ":".

    Raises:
        UsageError: The user contains ":", or one of them a control character or surrounding white space; the message
            echoes neither.

    Example:
        >>> requests.get(url, auth=Basic("1234", secret))  # doctest: +SKIP
    """

    resends, portable = False, True

    def __init__(self, user: str, password: str) -> None:
        hidden_user, hidden_pass = Secret(user), Secret(password)
        del user, password  # before anything can fail: tracebacks may show the locals
        check_credential("The user name", hidden_user)
        check_credential("The password", hidden_pass)
        if ":" in hidden_user.reveal():
            what = 'The user name contains ":", which Basic authentication cannot carry (RFC 7617 section 2).'
            raise UsageError(what, remedy="Check that user name and password are not pasted together.")
        self._header = Secret(f"Basic {b64encode(f'{hidden_user.reveal()}:{hidden_pass.reveal()}'.encode()).decode()}")

    def flow(self, request: Outgoing) -> Flow:  # noqa: ARG002 - the same for every request
        """Yield the header; a refusal is not answered."""
        yield {"Authorization": self._header.reveal()}
