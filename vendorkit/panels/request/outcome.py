"""The table of the last request that brought rows: of which request it is, and whether the form still says the same."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets
import pandas as pd

from vendorkit.ask import Ask
from vendorkit.panels.markup import counted
from vendorkit.panels.request.progress import duration
from vendorkit.panels.table import Table

Asked = tuple[Ask, dict[str, Any]]  # what is asked, and the arguments of `frame`


class Outcome(widgets.VBox):  # type: ignore[misc]
    """
    The table, below a line that names it: resource, rows, time.

    Attributes:
        frame: The rows; None before the first.
    """

    def __init__(self) -> None:
        self.frame: pd.DataFrame | None = None
        self._asked: Asked | None = None
        self._name = ""
        self._line, self._table = widgets.HTML(), widgets.VBox()
        super().__init__([self._line, self._table])

    @property
    def table(self) -> Table:
        """The table that shows the rows, once there are some."""
        table: Table = self._table.children[0]
        return table

    def show(self, frame: pd.DataFrame, asked: Asked, seconds: float, *, broken: bool = False) -> None:
        """Show the rows that *asked* brought within *seconds*; *broken* if it ended early, by an error or Cancel."""
        self.frame, self._asked = frame, asked
        about = frame.attrs["vendorkit"]
        of = f" of {about['total']:,}" if about["total"] not in (None, len(frame)) else ""
        took = f"fetched at {about['fetched_at']} in {duration(seconds)}"
        early = '<b class="vk-fault">Incomplete, the download was ended early.</b> ' if broken else ""
        self._name = f"{early}<b>{html.escape(asked[0].resource)}</b>: {counted(len(frame), 'row')}{of}, {took}"
        # One table for all: ipywidgets keeps every widget that was ever created, and its frame with it.
        if self._table.children:
            self.table.show(frame)
        else:
            self._table.children = [Table(frame)]
        self.compare(asked)

    def compare(self, asked: Asked) -> None:
        """Mark the table unless it is the result of *asked*, which is what the form says now."""
        earlier = asked != self._asked
        (self.add_class if earlier else self.remove_class)("vk-earlier")
        if self._name:
            said = '<b class="vk-fault">Of an earlier request.</b> ' if earlier else ""
            self._line.value = f"<div>{said}{self._name}</div>"

    def supersede(self) -> None:
        """Mark the table for good: another request has begun, be it the same one."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self.compare(asked)

    def static_html(self) -> str:
        """Return the line and the page of the table that is shown."""
        return f"{self._line.value}{self.table.static_html() if self._table.children else ''}"
