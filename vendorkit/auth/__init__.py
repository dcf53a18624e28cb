"""
The authentication schemes of the three vendors. Each is usable with plain requests.

`Basic`, `ClientCredentials` and `Digest` are passed as `auth=`; the functions sign and verify Pledg's texts.
"""

from vendorkit.auth.basic import Basic
from vendorkit.auth.digest import Digest
from vendorkit.auth.signature import Notification, sign_jwt, verify_jwt, verify_notification
from vendorkit.auth.token import ClientCredentials

__all__ = ["Basic", "ClientCredentials", "Digest", "Notification", "sign_jwt", "verify_jwt", "verify_notification"]
