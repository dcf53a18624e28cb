"""
The rows of one page with a row of heads to press: three widgets in one scrolling box, whatever the number of columns.

- `heads`: one ToggleButtons whose buttons are the heads. It stays when the rows change, and the focus on it.
- `body`: one HTML widget with a real table, whose own heads are for screen readers.
- `rows`: one ToggleButtons over the numbers of the rows; in lists of links, over whole rows.

A press is read from the widget's own message, which also comes when the same button is pressed again. Its value is
never set from here: the front end would build all buttons anew. How they look is CSS inside the body: one message per
change.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.panels.base import Failed, guarded, mark
from vendorkit.panels.table.columns import dtype_name
from vendorkit.panels.table.markup import Page, grid_css, grid_html

Pressed = Callable[[int], None]
NONE: Final = "vk-none"
"""The class of what is hidden."""


def buttons(name: str, act: Pressed, failed: Failed, **options: Any) -> widgets.ToggleButtons:
    """Return a group of buttons of the class *name* that calls *act* with the number of the one that is pressed."""
    made = widgets.ToggleButtons(options=(), **options)
    made.add_class(name).add_class("vk-group-of-buttons")
    press = guarded(lambda: None if made.index is None else act(made.index), failed)
    made.on_msg(lambda _, said, __: press(None) if said.get("event") == "click" else None)
    return made


def label_buttons(made: widgets.ToggleButtons, labels: Sequence[str], tips: Sequence[str] = ()) -> None:
    """Give a group these buttons; the front end leaves the last one in the page, so an empty group is hidden."""
    made.tooltips = list(tips)
    if made.options != tuple(labels):
        made.options = tuple(labels)
        mark(made, NONE, not labels)


class Grid(widgets.Box):  # type: ignore[misc]
    """
    One page of rows.

    Args:
        head: Called with the number of the head that is pressed.
        row: Called with the number of the row that is opened, 0 for the first of the page.
        failed: Called with the error of either.
        whole_rows: A click anywhere in a row opens it; else its number does, and texts can be selected.
        look: The layout of all parts; each layout is a message, and part of what the first page waits for.
    """

    def __init__(self, head: Pressed, row: Pressed, failed: Failed, whole_rows: bool, look: widgets.Layout) -> None:
        self._heads = buttons("vk-heads", head, failed, layout=look)
        self.alike = {"layout": look, "style": self._heads.style}
        self._rows = buttons("vk-whole-rows" if whole_rows else "vk-row-numbers", row, failed, **self.alike)
        self._body = widgets.HTML(layout=look)
        self._mark = f"vk-{uuid.uuid4().hex[:8]}"
        super().__init__([self._heads, self._body, self._rows], layout=look)
        self._rows.add_class("vk-rows")
        self._body.add_class("vk-body")
        self.add_class("vk-gridbox").add_class(self._mark)

    def paint(self, page: Page) -> None:
        """Show these rows."""
        self._body.value = grid_css(self._mark, page) + grid_html(page)
        tips = [f"{label}: {dtype_name(column)}; press to sort" for label, column in page.columns.items()]
        label_buttons(self._heads, list(page.columns), tips)
        label_buttons(self._rows, page.numbers)
        mark(self, "vk-facts-open", page.facts is not None)
