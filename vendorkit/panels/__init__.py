"""Widgets for notebooks: core ipywidgets only, offline, and readable on pages without widgets."""

from vendorkit.panels.connect import ConnectPanel, connect_panel
from vendorkit.panels.request import RequestPanel
from vendorkit.panels.table import Table

__all__ = ["ConnectPanel", "RequestPanel", "Table", "connect_panel"]
