"""
The rows of one page with a row of heads to press: three widgets in one scrolling box, whatever the number of columns.

- `heads`: one ToggleButtons whose buttons are the heads. It stays when the rows change, and the focus on it.
- `body`: one HTML widget with a real table, whose own heads are for screen readers.
- `rows`: one ToggleButtons over the numbers of the rows; in lists of links, over whole rows.

The value of such a group is never set from here: the front end would build all buttons anew. How they look is CSS
inside the body: one message per change.
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
"""The class of what is hidden."""


class Buttons(widgets.ToggleButtons):  # type: ignore[misc]
    """
    A group of buttons that calls *action* with the number of the one that is pressed.

    A front end reports a press by the button's number, if it is another one than before, and by a message. JupyterLab
    may have the two handled at once, in two threads of the kernel, before it has one for all widgets. So the number
    counts as soon as it is here, and its message does not.
    """

    def __init__(self, name: str, action: Pressed, on_error: OnError, **options: Any) -> None:
        self._action, self._on_error = action, on_error
        self._lock, self._numbers = threading.Lock(), 0  # that came, without those whose message came
        super().__init__(options=(), **options)
        self.add_class(name).add_class("vk-group-of-buttons")
        self.on_msg(self._said)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the front end changed."""
        number = sync_data.get("index")
        with self._lock:
            super().set_state(sync_data)
            self._numbers += number is not None
        if number is not None:
            self._press(number)

    def _said(self, _: Any, said: Any, __: Any) -> None:
        if said.get("event") == "click":
            with self._lock:
                is_again = self._numbers == 0 and self.index is not None
                self._numbers -= not is_again
            if is_again:
                self._press(self.index)

    def _press(self, number: int) -> None:
        guarded(partial(self._action, number), self._on_error)(None)

    def relabel(self, labels: Sequence[str], tips: Sequence[str] = ()) -> None:
        """Offer these buttons; the front end leaves the last one in the page, so an empty group is hidden."""
        self.tooltips = list(tips)
        if self.options != tuple(labels):
            self.set_trait("options", tuple(labels))
            set_class(self, NONE, not labels)


class Grid(widgets.Box):  # type: ignore[misc]
    """
    One page of rows.

    Args:
        head: Called with the number of the head that is pressed.
        row: Called with the number of the row that is opened, 0 for the first of the page.
        on_error: Called with the error of either.
        whole_rows: A click anywhere in a row opens it; else its number does, and texts can be selected.
        look: The layout of all parts; each layout is a message, and part of what the first page waits for.
    """

    def __init__(self, head: Pressed, row: Pressed, on_error: OnError, whole_rows: bool, look: widgets.Layout) -> None:
        self._heads = Buttons("vk-heads", head, on_error, layout=look)
        self.alike = {"layout": look, "style": self._heads.style}
        self._rows = Buttons("vk-whole-rows" if whole_rows else "vk-row-numbers", row, on_error, **self.alike)
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
        self._heads.relabel(list(page.columns), tips)
        self._rows.relabel(page.numbers)
        set_class(self, "vk-facts-open", page.facts is not None)
