"""
The embedded local vendors: real HTTPS servers on loopback, written independently of the client.

Importing this needs nothing but the standard library; the servers run in another process.
"""

from vendorkit.local.process import LocalVendor, LocalVendors, start
from vendorkit.local.sharing import shared

__all__ = ["LocalVendor", "LocalVendors", "shared", "start"]
