"""Names to tick, with a search: the columns of a request, and those of a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.panels.base import WHOLE, WRAP, Failed, entry
from vendorkit.panels.markup import dim_html

_SHOWN: Final = 200  # more boxes would take the browser seconds; the search finds the others


class Ticks(widgets.VBox):  # type: ignore[misc]
    """
    A box per name that the search finds, created when it finds it.

    Args:
        names: All names.
        ticked: Returns those that are ticked.
        choose: Called with all that are ticked after somebody ticked or unticked one.
        failed: Called with the error of a click.
        beside: Widgets beside the search.
    """

    def __init__(
        self,
        names: Sequence[str],
        ticked: Callable[[], Collection[str]],
        choose: Callable[[list[str]], None],
        failed: Failed,
        beside: Sequence[Any],
    ) -> None:
        self._names, self._ticked, self._choose, self._failed = names, ticked, choose, failed
        self._boxes: dict[str, widgets.Checkbox] = {}
        wide = {"style": WHOLE, "layout": {"width": "20em"}}
        self._find = entry(widgets.Text, "Find column", self._offer, failed, **wide)
        self._found, self._more = widgets.Box(), widgets.HTML()
        self._found.add_class("vk-ticks")
        bar = widgets.HBox([self._find, *beside], layout=WRAP)
        bar.add_class("vk-bar")
        super().__init__([bar, self._found, self._more])
        self._offer()

    def refresh(self) -> None:
        """Tick what is ticked by now."""
        ticked = self._ticked()
        for name, box in self._boxes.items():
            box.value = name in ticked

    def _offer(self) -> None:
        words = self._find.value.casefold().split()
        found = [name for name in self._names if all(word in name.casefold() for word in words)]
        self._found.children = [self._box(name) for name in found[:_SHOWN]]
        more = len(found) - _SHOWN
        self._more.value = dim_html(f"{more:,} more columns. Use the search to find them." if more > 0 else "")

    def _box(self, name: str) -> widgets.Checkbox:
        if name not in self._boxes:
            alike = next(iter(self._boxes.values()), None)  # shared: each layout and each style is a message
            look = {"layout": {"width": "16em"}} if alike is None else {"layout": alike.layout, "style": alike.style}
            look |= {"value": name in self._ticked(), "indent": False, "tooltip": name}
            self._boxes[name] = entry(widgets.Checkbox, name, partial(self._take, name), self._failed, **look)
        return self._boxes[name]

    def _take(self, name: str) -> None:
        """Choose what is ticked now that this box was clicked; one that is refreshed agrees with it already."""
        before = self._ticked()
        if self._boxes[name].value != (name in before):
            self._choose([one for one in self._names if (one in before) != (one == name)])
