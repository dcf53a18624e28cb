"""A user's hands: the same acts by mouse and by keyboard alone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

_MOST_TABS = 300
# Whether the wanted element has the focus, or is before or after what has it.
_WAY = """(wanted) => {
    const now = document.activeElement;
    if (now === wanted) return "";
    return now.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_PRECEDING ? "Shift+Tab" : "Tab";
}"""
_FOCUS = """() => {
    const now = document.activeElement;
    return now.closest(".vendorkit-panel") ? now.textContent.trim() || now.tagName : "outside of the panel";
}"""


class Mouse:
    """Clicks."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, one: Any) -> None:
        """Press a button, a link, or a box."""
        one.click()

    def write(self, one: Any, text: str) -> None:
        """Write into a field, in place of what is there, and finish with Enter."""
        one.fill(text)
        one.press("Enter")

    def stays(self, text: str) -> None:
        """Look where the focus is; a mouse does not need it."""


class Keyboard(Mouse):
    """Tab to whatever is wanted, then Space, Enter or letters."""

    def reach(self, one: Any) -> None:
        """Press Tab or Shift+Tab until it has the focus."""
        expect(one).to_be_visible()
        for _ in range(_MOST_TABS):
            way = one.evaluate(_WAY)
            if not way:
                return
            self.page.keyboard.press(way)
        message = f"{_MOST_TABS} times Tab do not reach {one}"
        raise AssertionError(message)

    def press(self, one: Any) -> None:
        """Press a button or a box by Space, a link by Enter."""
        self.reach(one)
        self.page.keyboard.press("Enter" if one.evaluate("one => one.tagName === 'A'") else "Space")

    def write(self, one: Any, text: str) -> None:
        """Write into a field, in place of what is there, and finish with Enter."""
        self.reach(one)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def stays(self, text: str) -> None:
        """The focus comes to rest on what begins with *text*; a field has its tag as its text."""
        self.page.wait_for_function(f"text => ({_FOCUS})().startsWith(text)", arg=text)
        self.page.wait_for_timeout(300)  # and what else the press brings takes it from nobody
        assert self.page.evaluate(_FOCUS).startswith(text)
