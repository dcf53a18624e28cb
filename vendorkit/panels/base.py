"""What every panel needs: work in a thread that can be stopped, errors that are seen, output without a front end."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import ipywidgets as widgets
from IPython.display import display, update_display

from vendorkit.deadline import cancellable
from vendorkit.panels.markup import STYLE

WRAP: Final = {"flex_flow": "row wrap", "align_items": "center"}
WHOLE: Final = {"description_width": "initial"}
_VIEW: Final = "application/vnd.jupyter.widget-view+json"
# JupyterLab takes arrows and letters from a list that has the focus: "b" would insert a cell, and nothing be chosen.
_KEEP_KEYS: Final = (
    "this.closest('.vendorkit-panel')?.addEventListener('keydown',"
    "e=>{e.ctrlKey||e.metaKey||e.altKey||e.stopPropagation()})"
)


class Worker:
    """
    Runs one piece of work at a time in a thread; a second start while busy does nothing.

    Callbacks of widgets run one after another on the kernel's main thread, so that a Cancel button could not reach a
    handler that blocks; and an exception in one is shown nowhere. Both are mended here.

    Args:
        done: Called in the thread with what the work returned.
        failed: Called in the thread with the error.
        busy_changed: Called with True at the start and False at the end.
    """

    def __init__(
        self,
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        busy_changed: Callable[[bool], None],
    ) -> None:
        self._done, self._failed, self._busy_changed = done, failed, busy_changed
        self._lock, self._cancel = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], Any]) -> bool:
        """Start *work*; return False where something is still running."""
        if not self._lock.acquire(blocking=False):
            return False
        self._cancel = threading.Event()
        try:
            self._busy_changed(True)
            self._thread = threading.Thread(target=self._run, args=(work, self._cancel), daemon=True)
            self._thread.start()
        except BaseException:  # an interrupt of the kernel may come at any line
            self._end()
            raise
        return True

    def cancel(self) -> None:
        """Stop the running work; it ends within half a second, waits included."""
        self._cancel.set()

    def join(self, timeout_s: float = 10.0) -> None:
        """Wait for the end of the running work; an interrupt of the kernel ends it."""
        if self._thread is not None:
            try:
                self._thread.join(timeout_s)
            except KeyboardInterrupt:
                self.cancel()
                raise

    def _run(self, work: Callable[[], Any], cancel: threading.Event) -> None:
        try:
            with cancellable(cancel):
                result = work()
            self._done(result)
        except BaseException as exc:  # noqa: BLE001 - a thread has nobody above it who would show it
            self._failed(exc)
        finally:
            self._end()

    def _end(self) -> None:
        # In this order, else a start in between would be shown as idle.
        try:
            self._busy_changed(False)
        finally:
            self._lock.release()


def guarded(act: Callable[[], Any], failed: Callable[[BaseException], None]) -> Callable[[Any], None]:
    """Return a handler for clicks and changes that does *act*; an error, which no page would show, goes to *failed*."""

    def handler(_: Any) -> None:
        try:
            act()
        except BaseException as exc:  # noqa: BLE001 - an interrupt of the kernel as well
            failed(exc)

    return handler


def button(
    text: str, act: Callable[[], Any], failed: Callable[[BaseException], None], tip: str = "", **options: Any
) -> widgets.Button:
    """Return a button as wide as its text that does *act*, guarded; *options* are the widget's own."""
    made = widgets.Button(description=text, tooltip=tip or text, **({"layout": {"width": "auto"}} | options))
    made.on_click(guarded(act, failed))
    return made


class Panel(widgets.VBox):  # type: ignore[misc]
    """
    A panel: widgets where there is a front end, else its last state as HTML and as text.

    A saved notebook holds what a cell put out when it ran, which for a panel is the state before the first click. So a
    panel puts out two things: its widgets, and beside them its state for pages without widgets, which is renewed by
    `publish()`. The widgets bring a style that hides the second while they are there.
    """

    def __init__(self, children: Sequence[Any]) -> None:
        self._mark, self._displayed = f"vendorkit-{uuid.uuid4().hex[:12]}", False
        style = f'<style onload="{_KEEP_KEYS}">{STYLE}.{self._mark}{{display:none}}</style>'
        super().__init__([*children, widgets.HTML(style, layout={"display": "none"})])
        self.add_class("vendorkit-panel")

    def static_html(self) -> str:
        """Return what the panel shows, for pages without widgets."""
        raise NotImplementedError

    def static_text(self) -> str:
        """Return what the panel shows, as plain text."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # As ipywidgets 8 writes it; ipywidgets 7 has no such method.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {_VIEW: view, **self._static()}

    def _ipython_display_(self, **_: Any) -> None:
        view = self._repr_mimebundle_()[_VIEW]
        display({_VIEW: view, "text/html": ""}, raw=True)  # type: ignore[no-untyped-call]
        display(self._beside(), raw=True, display_id=self._mark)  # type: ignore[no-untyped-call]
        self._displayed = True

    def publish(self) -> None:
        """Renew what pages without widgets will show; to be called when something came of a click."""
        if self._displayed:
            update_display(self._beside(), raw=True, display_id=self._mark)  # type: ignore[no-untyped-call]

    def _static(self) -> dict[str, str]:
        return {"text/html": f"<style>{STYLE}</style>{self.static_html()}", "text/plain": self.static_text()}

    def _beside(self) -> dict[str, str]:
        static = self._static()
        return static | {"text/html": f'<div class="{self._mark}">{static["text/html"]}</div>'}

    def __repr__(self) -> str:
        return self.static_text()
