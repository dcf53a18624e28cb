"""Widgets for notebooks: core ipywidgets alone, offline, and readable where no widget can be shown."""

from vendorkit.panels.connect import ConnectPanel, connect_panel

__all__ = ["ConnectPanel", "connect_panel"]
