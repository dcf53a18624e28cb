"""What was sent and saved: to search, to look at, to put back into the form. In memory only, but for saved files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.errors import VendorkitError
from vendorkit.httpfile import http_text, save_request, saved_requests
from vendorkit.panels.base import WRAP, Failed, button, guarded
from vendorkit.panels.markup import code_html, good_html
from vendorkit.panels.request.controls import LABELLED, WIDE
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.query import Query
from vendorkit.vendors.client import Client

_KEPT: Final = 100
_ROWS: Final = 5  # of each result


@dataclass(frozen=True)
class Kept:
    """A request: a line for people, the query, the arguments of `frame`, all of it as text, its first rows as HTML."""

    label: str
    query: Query
    options: Mapping[str, Any]
    text: str
    rows: str = ""


class History(widgets.VBox):  # type: ignore[misc]
    """
    The list of requests.

    Args:
        client: The vendor.
        now: Returns what the form says: the query and the arguments of `frame`.
        restore: Puts a request into the form.
        failed: Called with the error of a click.
    """

    def __init__(
        self,
        client: Client,
        now: Callable[[], tuple[Query, dict[str, Any]]],
        restore: Callable[[Query, Mapping[str, Any]], None],
        failed: Failed,
    ) -> None:
        self._client, self._now, self._restore, self._kept = client, now, restore, list[Kept]()
        self.search = widgets.Text(description="Search", style=LABELLED, layout=WIDE)
        self.list = widgets.Select(options=(), rows=8, description="Requests", style=LABELLED, layout={"width": "60em"})
        look = {"continuous_update": False, "style": LABELLED, "layout": WIDE}
        self.path = widgets.Text("requests.http", description="File", **look)
        self.name = widgets.Text(description="Name", **look)
        self._detail, self._said = widgets.HTML(), widgets.HTML()
        for box, act in ((self.search, self._show), (self.list, self._open)):
            box.observe(guarded(act, failed), names="value")
        put_back = button("Restore", self.restore, failed, "Put the chosen request back into the form")
        save = button("Save", self.save, failed, "Add what the form says to the file, by its name")
        load = button("Load", self.load, failed, "List the requests of the file")
        files = widgets.HBox([self.path, self.name, save, load], layout=WRAP)
        super().__init__([self.search, self.list, put_back, self._detail, files, self._said])

    def note(self, query: Query, options: Mapping[str, Any], said: str, frame: pd.DataFrame | None = None) -> None:
        """Keep a request, its outcome, and its first rows."""
        try:
            text = http_text(query, query.resource.name, options)
        except VendorkitError:
            text = repr(query)
        # As HTML: even a copy of the rows would hold the memory of the whole frame, which is Arrow's.
        rows = "" if frame is None else page_html(labelled(frame.head(_ROWS)), title="First rows", dtypes=False)
        at = datetime.now(timezone.utc).strftime("%H:%M:%S")
        self._kept = [Kept(f"{at} {query.resource.name}: {said}", query, options, text, rows), *self._kept][:_KEPT]
        self._show()

    def restore(self) -> None:
        """Put the chosen request into the form."""
        if self.list.value is not None:
            self._restore(self.list.value.query, self.list.value.options)

    def save(self) -> None:
        """
        Add what the form says to the file.

        Raises:
            UsageError: It has no name, or one that is in use; or the file is of another kind.
        """
        query, options = self._now()
        save_request(self.path.value, self.name.value, query, self._client, options)
        self._said.value = good_html(f"{self.name.value} is in {self.path.value}.")

    def load(self) -> None:
        """List the requests of the file; nothing is sent."""
        found = saved_requests(self.path.value, self._client)
        for name, query in found.items():
            self.note(query, query.options, f"saved as {name} in {self.path.value}")
        self._said.value = good_html(f"{len(found)} of {self.path.value} are listed.")

    def _show(self) -> None:
        sought = self.search.value.casefold()
        found = [one for one in self._kept if sought in f"{one.label}\n{one.text}".casefold()]
        self.list.options = [(one.label, one) for one in found]
        self.list.index = 0 if found else None
        self._open()

    def _open(self) -> None:
        one = self.list.value
        self._detail.value = "" if one is None else code_html(one.text) + one.rows
