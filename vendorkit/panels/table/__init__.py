"""The table panel: a frame of any size, in pages."""

from vendorkit.panels.table.widget import Table, table

__all__ = ["Table", "table"]
