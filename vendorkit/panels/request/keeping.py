"""What is kept: the requests that were sent, requests in files, and all that matches on disk."""

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
from vendorkit.panels.base import FIELD, LIST, WHOLE, WRAP, Act, Failed, button, entry
from vendorkit.panels.markup import code_html, copied_html, counted
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.query import Query
from vendorkit.saved.files import write_atomically
from vendorkit.vendors.client import Client

Now = Callable[[], tuple[Query, dict[str, Any]]]
Restore = Callable[[Query, Mapping[str, Any]], None]
_KINDS: Final = (("a dataset (a folder that can be updated)", "dataset"), ("one Parquet file", "parquet"))
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
    The list of requests: to search, to look at, to put back into the form. In memory only, but for saved files.

    Args:
        client: The vendor.
        now: Returns what the form says: the query and the arguments of `frame`.
        restore: Puts a request into the form.
        say: Shows a success.
        failed: Called with the error of a click.
    """

    def __init__(self, client: Client, now: Now, restore: Restore, say: Callable[[str], None], failed: Failed) -> None:
        self._client, self._now, self._restore, self._say, self._kept = client, now, restore, say, list[Kept]()
        self.search = entry(widgets.Text, "Search", self._show, failed, **FIELD)
        self.list = entry(widgets.Select, "Requests", self._open, failed, rows=8, **LIST)
        self.path = widgets.Text("requests.http", description="File", continuous_update=False, **FIELD)
        self.name = widgets.Text(description="Name", continuous_update=False, **FIELD)
        self._detail = widgets.HTML()
        put_back = button("Restore", self.restore, failed, "Put the selected request back into the form")
        save = button("Save", self.save, failed, "Add the request in the form to the file, under this name")
        load = button("Load", self.load, failed, "List the requests in the file")
        files = widgets.HBox([self.path, self.name, save, load], layout=WRAP)
        super().__init__([self.search, self.list, widgets.HBox([put_back]), self._detail, files])

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
        self._say(f"Saved {self.name.value} to {self.path.value}.")

    def load(self) -> None:
        """List the requests of the file; nothing is sent."""
        found = saved_requests(self.path.value, self._client)
        for name, query in found.items():
            self.note(query, query.options, f"saved as {name} in {self.path.value}")
        self._say(f"Loaded {counted(len(found), 'request')} from {self.path.value}.")

    def _show(self) -> None:
        sought = self.search.value.casefold()
        found = [one for one in self._kept if sought in f"{one.label}\n{one.text}".casefold()]
        self.list.options = [(one.label, one) for one in found]
        self.list.index = 0 if found else None
        self._open()

    def _open(self) -> None:
        one = self.list.value
        self._detail.value = "" if one is None else code_html(one.text) + one.rows


class SavePane(widgets.HBox):  # type: ignore[misc]
    """
    Where to save all that matches, as what, and the button.

    Args:
        save: Starts saving.
        failed: Called with the error of a click.
    """

    def __init__(self, save: Act, failed: Failed) -> None:
        self.path = widgets.Text(description="Save all to", placeholder="products", **FIELD)
        self.kind = widgets.Dropdown(options=_KINDS, description="as", style=WHOLE, layout={"width": "auto"})
        self.button = button("Save all", save, failed, "Download and save all matching records, ignoring the limit")
        self.code = widgets.HTML()
        super().__init__([self.path, self.kind, self.button, self.code], layout=WRAP)

    def write(self, query: Query, options: Mapping[str, Any]) -> str:
        """
        Download all that *query* matches and save it, and show the code that reads it; return how much there is.

        Raises:
            UsageError: There is no path, or something else is there.
            IncompletePull: It broke off; a dataset continues from there when it is saved again.
        """
        if self.kind.value == "dataset":
            path = str(arguments.folder(self.path.value))
            kept = {name: value for name, value in options.items() if name in ("columns", "locale")}
            said = f"Saved {counted(query.save(path, **kept).rows, 'row')} to {path}."
            code = f"import vendorkit as vk\n\nframe = vk.load({path!r})\n"
        else:
            place = arguments.folder(f"{self.path.value.removesuffix('.parquet')}.parquet")
            if place.exists() or not self.path.value.strip():
                what = f"{place.name} already exists." if self.path.value.strip() else "The file name is empty."
                raise UsageError(what, remedy="Enter another name.")
            frame, written = query.frame(**{**options, "limit": None}), io.BytesIO()
            frame.to_parquet(written)
            write_atomically(place, written.getbuffer())
            said = f"Saved {counted(len(frame), 'row')} to {place.name}."
            code = f"import pandas as pd\n\nframe = pd.read_parquet({str(place)!r})\n"
        self.code.value = copied_html(code, "Copy for the next cell")
        return said
