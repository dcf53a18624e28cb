"""The columns of a request: a list to search and tick, with presets; no tick means all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd

from vendorkit.errors import UsageError
from vendorkit.frames import Kind, Schema
from vendorkit.panels.base import WRAP, Act, Failed, button, guarded
from vendorkit.panels.request.controls import LABELLED, WIDE

_CODES: Final = (Kind.CODE, Kind.ID)
_PRICES: Final = "cents"


class Columns(widgets.VBox):  # type: ignore[misc]
    """
    Chooses columns. The ticks are created at the first look, because a resource may have a hundred.

    Args:
        schema: The declared columns.
        changed: Called after each change.
        failed: Called with the error of a click.

    Attributes:
        value: The chosen names, in the frame's order; empty for all.
    """

    def __init__(self, schema: Schema, changed: Act, failed: Failed) -> None:
        self.value: tuple[str, ...] = ()
        self._schema, self._changed, self._failed = schema, changed, failed
        self._names, self._full = schema.arrow.names, set[str]()
        self._ticks: dict[str, Any] = {}
        self._quiet = False
        look = {"width": "auto", "align_self": "flex-start"}
        self._open = widgets.ToggleButton(tooltip="Choose columns", layout=look)
        self._open.observe(guarded(self._show, failed), names="value")
        super().__init__([self._open])
        self.choose(())

    def choose(self, names: Sequence[str]) -> None:
        """
        Choose these columns, none for all, as if by hand.

        Raises:
            UsageError: There is no such column.
        """
        chosen = {*self._schema.project(list(names)).arrow.names} if names else set()
        self.value = tuple(name for name in self._names if name in chosen)
        shown = f"{len(self.value)} of {len(self._names)}" if self.value else f"all {len(self._names)}"
        self._open.description = f"columns: {shown}"
        self._quiet = True
        for name, tick in self._ticks.items():
            tick.value = name in chosen
        self._quiet = False
        self._changed()

    def note(self, frame: pd.DataFrame) -> None:
        """Learn from the rows of this resource which columns have values."""
        self._full |= {str(name) for name in frame.columns if frame[name].notna().any()}

    def preset(self, kind: str) -> None:
        """
        Choose all, those "with values", "codes", "prices", or "one language", the first of the vendor's.

        Raises:
            UsageError: No column is like that, or nothing has been fetched yet that would show values.
        """
        first = next(iter(self._schema.locales), "")
        fits: dict[str, Callable[[Any], bool]] = {
            "all": lambda _: False,
            "with values": lambda leaf: leaf.name in self._full,
            "codes": lambda leaf: leaf.kind in _CODES,
            "prices": lambda leaf: leaf.column.unit == _PRICES,
            "one language": lambda leaf: leaf.name in (leaf.column.name, f"{leaf.column.name}_{first}"),
        }
        found = [leaf.name for leaf in self._schema.leaves if fits[kind](leaf)]
        if kind != "all" and not found:
            what = f"No column of {self._schema.name} is known for: {kind}."
            raise UsageError(what, remedy="Send a request first." if kind == "with values" else "Choose columns.")
        key = [self._schema.key] if found and self._schema.key in self._names else []
        self.choose(key + found)

    def _show(self) -> None:
        if not self._open.value:
            self.children = [self._open]
            return
        layout = widgets.Layout(width="16em")
        for name in self._names:
            tick = widgets.Checkbox(name in self.value, description=name, indent=False, layout=layout, tooltip=name)
            tick.observe(guarded(self._ticked, self._failed), names="value")
            self._ticks.setdefault(name, tick)
        find = widgets.Text(description="Find column", style=LABELLED, layout=WIDE)
        box = widgets.Box(list(self._ticks.values()), layout=WRAP | {"max_height": "14em", "overflow": "auto"})
        find.observe(guarded(lambda: self._narrow(box, find.value), self._failed), names="value")
        kinds = ["all", "with values", "codes", "prices", *["one language"] * (len(self._schema.locales) > 1)]
        presets = [button(kind, partial(self.preset, kind), self._failed) for kind in kinds]
        self.children = [self._open, widgets.HBox([find, *presets], layout=WRAP), box]

    def _narrow(self, box: Any, text: str) -> None:
        box.children = [tick for name, tick in self._ticks.items() if text.casefold() in name.casefold()]

    def _ticked(self) -> None:
        if not self._quiet:
            self.choose([name for name, tick in self._ticks.items() if tick.value])
