"""
The rows of one page below clickable column heads. Three widgets in one scrolling box, for any number of columns:

- `heads`: one ToggleButtons with a button per column head. It survives a change of rows, and so does its focus.
- `body`: one HTML widget with a real table; the heads of that table are for screen readers.
- `rows`: one ToggleButtons over the row numbers or, if a click anywhere opens a row, over whole rows.

The kernel never sets the value of such a group, because the front end would then rebuild all its buttons. Widths and
sort arrows are CSS inside the body, so each change is one message.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.panels.base import OnError, guarded, set_class
from vendorkit.panels.table.columns import dtype_name
from vendorkit.panels.table.markup import Page, grid_css, grid_html

Pressed = Callable[[int], None]
NONE: Final = "vk-none"
"""The CSS class of hidden widgets."""


class Buttons(widgets.ToggleButtons):  # type: ignore[misc]
    """
    A group of buttons that calls *action* with the number of the button that is clicked.

    The front end reports each click by a message. If the click selects another button, it first sends a state update
    with the number of that button. The kernel may handle the two in parallel threads. Therefore the state update
    triggers the action, and the message that follows it is ignored; a message without an update is a repeated click.
    """

    def __init__(self, name: str, action: Pressed, on_error: OnError, **options: Any) -> None:
        self._action, self._on_error = action, on_error
        self._lock, self._unmatched = threading.Lock(), 0  # state updates without their message so far
        super().__init__(options=(), **options)
        self.add_class(name).add_class("vk-group-of-buttons")
        self.on_msg(self._on_message)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Apply a state update of the front end; a button number in it is a click."""
        number = sync_data.get("index")
        with self._lock:
            super().set_state(sync_data)
            self._unmatched += number is not None
        if number is not None:
            self._press(number)

    def _on_message(self, _: Any, message: Any, __: Any) -> None:
        if message.get("event") == "click":
            with self._lock:
                is_repeated = self._unmatched == 0 and self.index is not None
                self._unmatched -= not is_repeated
            if is_repeated:
                self._press(self.index)

    def _press(self, number: int) -> None:
        guarded(partial(self._action, number), self._on_error)(None)

    def relabel(self, labels: Sequence[str], tips: Sequence[str] = ()) -> None:
        """Set the labels of the buttons. An empty group is hidden, because the front end would keep its last button."""
        self.tooltips = list(tips)
        if self.options != tuple(labels):
            self.set_trait("options", tuple(labels))
            set_class(self, NONE, not labels)


class Grid(widgets.Box):  # type: ignore[misc]
    """
    One page of rows.

    Args:
        head: Called with the number of a clicked column head, counted from 0.
        row: Called with the number of an opened row, counted from 0 on the page.
        on_error: Called with any exception of *head* or *row*.
        whole_rows: If True, a click anywhere in a row opens it. Otherwise only a click on its number does, and cell
            text can be selected.
        look: The layout that all parts share; each further layout would be one more message for the first page.
    """

    def __init__(self, head: Pressed, row: Pressed, on_error: OnError, whole_rows: bool, look: widgets.Layout) -> None:
        self._heads = Buttons("vk-heads", head, on_error, layout=look)
        self.shared_look = {"layout": look, "style": self._heads.style}
        self._rows = Buttons("vk-whole-rows" if whole_rows else "vk-row-numbers", row, on_error, **self.shared_look)
        self._body = widgets.HTML(layout=look)
        self._css_class = f"vk-{uuid.uuid4().hex[:8]}"
        super().__init__([self._heads, self._body, self._rows], layout=look)
        self._rows.add_class("vk-rows")
        self._body.add_class("vk-body")
        self.add_class("vk-gridbox").add_class(self._css_class)

    def paint(self, page: Page) -> None:
        """Show the rows of *page*."""
        self._body.value = grid_css(self._css_class, page) + grid_html(page)
        tips = [f"{label}: {dtype_name(column)}; press to sort" for label, column in page.columns.items()]
        self._heads.relabel(list(page.columns), tips)
        self._rows.relabel(page.numbers)
        set_class(self, "vk-facts-open", page.facts is not None)
