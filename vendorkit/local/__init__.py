"""
Mock servers of the vendors: real HTTPS servers on loopback, written independently of the client.

Importing this needs no extra package: the servers run in another process.
"""

from vendorkit.local.server.address_file import shared_servers as shared
from vendorkit.local.server.process import LocalVendor, LocalVendors, start

__all__ = ["LocalVendor", "LocalVendors", "shared", "start"]
