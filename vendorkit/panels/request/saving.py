"""All that matches, on disk: as a dataset, which can be updated, or as one Parquet file; and the code that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import ipywidgets as widgets

from vendorkit import arguments
from vendorkit.errors import UsageError
from vendorkit.panels.base import WRAP, Act, Failed, button
from vendorkit.panels.markup import copied_html
from vendorkit.panels.request.controls import LABELLED, WIDE
from vendorkit.query import Query

_KINDS: Final = (("a dataset: a folder that can be updated", "dataset"), ("one Parquet file", "parquet"))


class SavePane(widgets.HBox):  # type: ignore[misc]
    """
    Where to save to, as what, and the button.

    Args:
        save: Starts saving.
        failed: Called with the error of a click.
    """

    def __init__(self, save: Act, failed: Failed) -> None:
        self.path = widgets.Text(description="Save all to", placeholder="products", style=LABELLED, layout=WIDE)
        self.kind = widgets.Dropdown(options=_KINDS, description="as", style={"description_width": "initial"})
        self.button = button("Save all", save, failed, "Download all that match, whatever the limit, and save them")
        self.code = widgets.HTML()
        super().__init__([self.path, self.kind, self.button, self.code], layout=WRAP)

    def write(self, query: Query, options: Mapping[str, Any]) -> tuple[str, str]:
        """
        Download all that *query* matches and save it; return how much there is, and the code that reads it.

        Raises:
            UsageError: There is no path, or something else is there.
            IncompletePull: It broke off; a dataset continues from there when it is saved again.
        """
        kept = {name: value for name, value in options.items() if name in ("columns", "locale")}
        if self.kind.value == "dataset":
            path = str(arguments.folder(self.path.value))
            rows = query.save(path, **kept).rows
            return f"{rows:,} rows in {path}.", f"import vendorkit as vk\n\nframe = vk.load({path!r})\n"
        place = arguments.folder(f"{self.path.value.removesuffix('.parquet')}.parquet")
        if place.exists() or not self.path.value.strip():
            what = f"{place.name} is there already." if self.path.value.strip() else "There is no name to save to."
            raise UsageError(what, remedy="Give another name.")
        frame = query.frame(**{**options, "limit": None})
        temporary = place.with_name(f".{place.name}.new")
        try:
            frame.to_parquet(temporary)
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
        code = f"import pandas as pd\n\nframe = pd.read_parquet({str(place)!r})\n"
        return f"{len(frame):,} rows in {place.name}.", code

    def show(self, code: str) -> None:
        """Show the code for the next cell."""
        self.code.value = copied_html(code, "Copy for the next cell")
