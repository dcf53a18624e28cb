"""The history of requests, requests saved in files, and saving all matching records to disk."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit import arguments
from vendorkit.errors import UsageError, VendorkitError
from vendorkit.httpfile import http_text, save_request, saved_requests
from vendorkit.panels.base import FIELD, LIST, WHOLE, WRAP, Action, OnError, button, entry
from vendorkit.panels.markup import code_html, copyable_html, counted
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.query import Query
from vendorkit.saved.files import write_atomically
from vendorkit.vendors.client import Client

Now = Callable[[], tuple[Query, dict[str, Any]]]
Restore = Callable[[Query, Mapping[str, Any]], None]
Say = Callable[[str], None]
_KINDS: Final = (("a dataset (a folder that can be updated)", "dataset"), ("one Parquet file", "parquet"))
_MAX_ENTRIES: Final = 100
_PREVIEW_ROWS: Final = 5


@dataclass(frozen=True)
class HistoryEntry:
    """A request: its label, the query, the arguments of `frame`, both as text, and the first rows as HTML."""

    label: str
    query: Query
    options: Mapping[str, Any]
    text: str
    rows: str = ""


class History(widgets.VBox):  # type: ignore[misc]
    """
    The list of requests, to search, inspect and restore. It is kept in memory, except for requests saved to a file.

    Args:
        client: The vendor.
        now: Returns the request in the form: the query and the arguments of `frame`.
        restore: Puts a request into the form.
        say: Shows a success message.
        on_error: Called with the error of a click.
    """

    def __init__(self, client: Client, now: Now, restore: Restore, say: Say, on_error: OnError) -> None:
        self._client, self._now, self._restore, self._say, self._all = client, now, restore, say, list[HistoryEntry]()
        self.search = entry(widgets.Text, "Search", self._show, on_error, **FIELD)
        self.list = entry(widgets.Select, "Requests", self._open, on_error, rows=8, **LIST)
        self.path = widgets.Text("requests.http", description="File", continuous_update=False, **FIELD)
        self.name = widgets.Text(description="Name", continuous_update=False, **FIELD)
        self._detail = widgets.HTML()
        put_back = button("Restore", self.restore, on_error, "Put the selected request back into the form")
        save = button("Save", self.save, on_error, "Add the request in the form to the file, under this name")
        load = button("Load", self.load, on_error, "List the requests in the file")
        files = widgets.HBox([self.path, self.name, save, load], layout=WRAP)
        super().__init__([self.search, self.list, widgets.HBox([put_back]), self._detail, files])

    def note(self, query: Query, options: Mapping[str, Any], outcome: str, frame: pd.DataFrame | None = None) -> None:
        """Add a request, its outcome, and its first rows."""
        try:
            text = http_text(query, query.resource.name, options)
        except VendorkitError:
            text = repr(query)
        # As HTML, because even a few rows of a frame keep the Arrow memory of the whole frame alive.
        rows = "" if frame is None else page_html(labelled(frame.head(_PREVIEW_ROWS)), title="First rows", dtypes=False)
        at = datetime.now(timezone.utc).strftime("%H:%M:%S")
        added = HistoryEntry(f"{at} {query.resource.name}: {outcome}", query, options, text, rows)
        self._all = [added, *self._all][:_MAX_ENTRIES]
        self._show()

    def restore(self) -> None:
        """Put the selected request back into the form."""
        if self.list.value is not None:
            self._restore(self.list.value.query, self.list.value.options)

    def save(self) -> None:
        """
        Add the request in the form to the file.

        Raises:
            UsageError: The name is empty or in use, or the file is not a file of requests.
        """
        query, options = self._now()
        save_request(self.path.value, self.name.value, query, self._client, options)
        self._say(f"Saved {self.name.value} to {self.path.value}.")

    def load(self) -> None:
        """Add the requests in the file to the list; nothing is sent."""
        requests = saved_requests(self.path.value, self._client)
        for name, query in requests.items():
            self.note(query, query.options, f"saved as {name} in {self.path.value}")
        self._say(f"Loaded {counted(len(requests), 'request')} from {self.path.value}.")

    def _show(self) -> None:
        term = self.search.value.casefold()
        matches = [item for item in self._all if term in f"{item.label}\n{item.text}".casefold()]
        self.list.options = [(item.label, item) for item in matches]
        self.list.index = 0 if matches else None
        self._open()

    def _open(self) -> None:
        selected = self.list.value
        self._detail.value = "" if selected is None else code_html(selected.text) + selected.rows


class SavePane(widgets.HBox):  # type: ignore[misc]
    """
    The path, the format and the button for saving all matching records.

    Args:
        save: Starts saving.
        on_error: Called with the error of a click.
    """

    def __init__(self, save: Action, on_error: OnError) -> None:
        self.path = widgets.Text(description="Save all to", placeholder="products", **FIELD)
        self.kind = widgets.Dropdown(options=_KINDS, description="as", style=WHOLE, layout={"width": "auto"})
        self.button = button("Save all", save, on_error, "Download and save all matching records, ignoring the limit")
        self.code = widgets.HTML()
        super().__init__([self.path, self.kind, self.button, self.code], layout=WRAP)

    def write(self, query: Query, options: Mapping[str, Any]) -> str:
        """
        Download and save all records that match *query*, show the code that reads them, and return a message.

        Raises:
            UsageError: The path is empty, or something else is already there.
            IncompletePull: The download broke off. Saving a dataset again continues from there.
        """
        path = arguments.folder(self.path.value, "the path of a folder or a file")
        if self.kind.value == "dataset":
            chosen = {name: value for name, value in options.items() if name in ("columns", "locale")}
            rows = query.save(path, **chosen).rows
            code = f"import vendorkit as vk\n\nframe = vk.load({str(path)!r})\n"
        else:
            path = path.parent / f"{path.name.removesuffix('.parquet')}.parquet"
            if path.exists():
                what = f"{path} already exists."
                raise UsageError(what, remedy="Enter another name.")
            frame, body = query.frame(**{**options, "limit": None}), io.BytesIO()
            frame.to_parquet(body)
            write_atomically(path, body.getbuffer())
            rows, code = len(frame), f"import pandas as pd\n\nframe = pd.read_parquet({str(path)!r})\n"
        self.code.value = copyable_html(code, "Copy for the next cell")
        return f"Saved {counted(rows, 'row')} to {path}."
