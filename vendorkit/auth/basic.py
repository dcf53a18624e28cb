"""Basic authentication (RFC 7617): Medipim's key id and secret, Pledg's dashboard e-mail and password."""

from __future__ import annotations

from base64 import b64encode

from vendorkit.auth.flow import Flow, FlowAuth, Outgoing
from vendorkit.auth.secret import check_credential
from vendorkit.errors import UsageError
from vendorkit.settings import Secret


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
