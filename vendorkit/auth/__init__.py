"""
The authentication schemes of the three vendors, for use with plain requests too.

Pass `Basic`, `ClientCredentials` or `Digest` as `auth=`. The functions handle Pledg's tokens and notifications.
"""

from vendorkit.auth.basic import Basic
from vendorkit.auth.digest import Digest
from vendorkit.auth.signature import Notification, sign_jwt, verify_jwt, verify_notification
from vendorkit.auth.token import ClientCredentials

__all__ = ["Basic", "ClientCredentials", "Digest", "Notification", "sign_jwt", "verify_jwt", "verify_notification"]
