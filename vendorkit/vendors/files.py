"""Files that vendors link to: on hosts of their own, without credentials, and with a contact for whom serves them."""

from __future__ import annotations

from typing import Final

from vendorkit.errors import SettingsError
from vendorkit.http.session import APP, USER_AGENT, Session
from vendorkit.http.tls import Trust

CONTACT_VARIABLE: Final = "VENDORKIT_CONTACT"


def files_session(session: Session, trust: Trust, contact: str, *, needed: bool) -> Session:
    """
    Return a session for files of any https host: no scheme signs what it sends.

    Args:
        session: That of the vendor.
        trust: The certificate authorities that may vouch for the hosts.
        contact: For the User-Agent; "" for none.
        needed: Whether the vendor asks for it.

    Raises:
        SettingsError: The contact is needed and not set, or it is not one line of ASCII text.
    """
    if needed and not contact:
        what = f"{session.vendor} asks for a contact in the User-Agent of whoever fetches its files."
        raise SettingsError(what, remedy=f"Set {CONTACT_VARIABLE} to an e-mail address or a web page.")
    if not (contact.isascii() and contact.isprintable()) or set(contact) & set("()"):
        what = f"{CONTACT_VARIABLE} is not one line of ASCII text without parentheses."
        raise SettingsError(what, remedy="Write an e-mail address or a web page.")
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
