"""The request panel: ask one vendor anything that it declares."""

from vendorkit.panels.request.widget import RequestPanel, panel

__all__ = ["RequestPanel", "panel"]
