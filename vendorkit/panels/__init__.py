"""Widgets for notebooks: core ipywidgets alone, offline, and readable where no widget can be shown."""

from vendorkit.panels.connect import ConnectPanel, connect_panel
from vendorkit.panels.request import RequestPanel
from vendorkit.panels.table import Table

__all__ = ["ConnectPanel", "RequestPanel", "Table", "connect_panel"]
