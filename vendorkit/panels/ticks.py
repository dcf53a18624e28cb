"""A searchable list of tick boxes, for the columns of a request and of a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.panels.base import WHOLE, WRAP, OnError, entry, label_of
from vendorkit.panels.markup import dim_html

Ticked = Callable[[], Collection[str]]
Choose = Callable[[list[str]], None]
_MAX_BOXES: Final = 200  # a browser takes seconds to show more; the search finds the others


class Ticks(widgets.VBox):  # type: ignore[misc]
    """
    One tick box per name that matches the search. Boxes are created when they are first shown.

    Args:
        names: All names.
        ticked: Returns the ticked names.
        choose: Called with all ticked names after a click on a box.
        on_error: Called with the error of a click.
        extra: Widgets to the right of the search.
    """

    def __init__(
        self, names: Sequence[str], ticked: Ticked, choose: Choose, on_error: OnError, extra: Sequence[Any]
    ) -> None:
        self._names, self._ticked, self._choose, self._on_error = names, ticked, choose, on_error
        self._boxes: dict[str, widgets.Checkbox] = {}
        wide = {"style": WHOLE, "layout": {"width": "20em"}}
        self._search = entry(widgets.Text, "Find column", self._show_matches, on_error, **wide)
        self._matches, self._remaining = widgets.Box().add_class("vk-ticks"), widgets.HTML()
        bar = widgets.HBox([self._search, *extra], layout=WRAP).add_class("vk-bar")
        super().__init__([bar, self._matches, self._remaining])
        self._show_matches()

    def refresh(self) -> None:
        """Update the boxes to the names that are ticked now."""
        ticked = self._ticked()
        for name, box in self._boxes.items():
            box.value = name in ticked

    def _show_matches(self) -> None:
        words = self._search.value.casefold().split()
        matches = [name for name in self._names if all(word in name.casefold() for word in words)]
        self._matches.children = [self._box(name) for name in matches[:_MAX_BOXES]]
        more = len(matches) - _MAX_BOXES
        self._remaining.value = dim_html(f"{more:,} more columns. Use the search to find them." if more > 0 else "")

    def _box(self, name: str) -> widgets.Checkbox:
        if name not in self._boxes:
            # All boxes share one layout and one style, because each costs a message to the browser.
            first = next(iter(self._boxes.values()), None)
            options = {"layout": {"width": "16em"}} if first is None else {"layout": first.layout, "style": first.style}
            options |= {"value": name in self._ticked(), "indent": False, "tooltip": name}
            toggle = partial(self._toggle, name)
            self._boxes[name] = entry(widgets.Checkbox, label_of(name), toggle, self._on_error, **options)
        return self._boxes[name]

    def _toggle(self, name: str) -> None:
        ticked = self._ticked()
        if self._boxes[name].value != (name in ticked):  # false if `refresh` set the box
            self._choose([other for other in self._names if (other in ticked) != (other == name)])
