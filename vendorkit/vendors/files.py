"""Files that vendors link to: fetched from any host, without credentials, with a contact in the User-Agent."""

from __future__ import annotations

from typing import Final

from vendorkit.errors import SettingsError
from vendorkit.http.session import APP, USER_AGENT, Session
from vendorkit.http.tls import Trust

CONTACT_VARIABLE: Final = "VENDORKIT_CONTACT"


def files_session(session: Session, trust: Trust, contact: str, *, needed: bool) -> Session:
    """
    Return a session for files on any https host; it sends no credentials.

    Args:
        session: The vendor's session.
        trust: The certificate authorities that may sign the hosts' certificates.
        contact: The contact in the User-Agent; "" for none.
        needed: Whether the vendor requires a contact.

    Raises:
        SettingsError: The contact is required and not set, or it is not one line of ASCII text.
    """
    if needed and not contact:
        what = f"{session.vendor} requires a contact in the User-Agent of file downloads."
        raise SettingsError(what, remedy=f"Set {CONTACT_VARIABLE} to an e-mail address or a web page.")
    if not (contact.isascii() and contact.isprintable()) or set(contact) & set("()"):
        what = f"{CONTACT_VARIABLE} must be one line of ASCII text without parentheses."
        raise SettingsError(what, remedy="Set it to an e-mail address or a web page.")
    return Session(
        f"{session.vendor}, files",
        session.base_url,
        schemes={},
        trust=trust,
        redactor=session.redactor,
        policy=session.policy,
        origins=None,
        route=session.route,
        user_agent=f"{APP} ({contact})" if contact else USER_AGENT,
    )
