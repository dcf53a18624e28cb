"""The API browser: from one address of a vendor to the next."""

from vendorkit.panels.browse.widget import Browser, browse

__all__ = ["Browser", "browse"]
