"""The base of all panels: work in a thread that can be stopped, visible errors, output without a front end."""

from __future__ import annotations

import html
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import ipywidgets as widgets
from IPython.display import display, update_display

from vendorkit import arguments
from vendorkit.ask import unknown_name
from vendorkit.deadline import cancellable
from vendorkit.panels.markup import STYLE, error_html, good_html
from vendorkit.vendors.client import Client

WRAP: Final = {"flex_flow": "row wrap", "align_items": "center"}
LABELLED: Final = {"description_width": "10em"}
WIDE: Final = {"width": "28em"}
WHOLE: Final = {"description_width": "initial"}
FIELD: Final = {"style": LABELLED, "layout": WIDE}
LIST: Final = {"style": LABELLED, "layout": {"width": "46em", "max_width": "98%"}}
Act = Callable[[], Any]
Failed = Callable[[BaseException], None]
_VIEW: Final = "application/vnd.jupyter.widget-view+json"
_HERE: Final = Path(__file__).parent
# For widgets only: pages without them have nothing to press.
_SCRIPT: Final = html.escape(_HERE.joinpath("panel.js").read_text("utf-8"))
_GRID_STYLE: Final = _HERE.joinpath("grid.css").read_text("utf-8")


def connected(client: Any) -> Client:
    """Return *client*; `UsageError` if it is not a connected client, but the name of a vendor, for example."""
    if not isinstance(client, Client):
        arguments.refuse("client", "a connected client, as vk.connect(...) returns it", client)
    return client


def source_title(client: Client) -> str:
    """Return the vendor and the environment; of a mock server, that its data is made up."""
    return f"{client.title}, mock data" if client.environment == "local" else client.title


class Worker:
    """
    Runs one piece of work at a time in a thread; a second start while busy does nothing, or waits for its turn.

    Callbacks of widgets run one after another on the kernel's main thread: a Cancel button could not reach a handler
    that blocks, and no front end shows an exception of a callback. This class solves both.

    Args:
        done: Called in the thread with the result of the work.
        failed: Called in the thread with the error.
        busy_changed: Called with True at the start and False at the end.
    """

    def __init__(self, done: Callable[[Any], None], failed: Failed, busy_changed: Callable[[bool], None]) -> None:
        self._done, self._failed, self._busy_changed = done, failed, busy_changed
        self._lock, self._starting, self._cancel = threading.Lock(), threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting: deque[Act] = deque()

    def start(self, work: Act, *, wait: bool = False) -> bool:
        """Start *work*; if something is still running, return False, and if *wait*, start it when its turn comes."""
        if not self._lock.acquire(blocking=False):
            if wait and work not in self._waiting:
                self._waiting.append(work)
                self._go_on()  # what was running may have ended meanwhile
            return False
        self._cancel = threading.Event()
        try:
            self._busy_changed(True)
            thread = threading.Thread(target=self._run, args=(work, self._cancel), daemon=True)
            with self._starting:  # a thread that ends at once starts the next one: `_thread` is the last
                thread.start()
                self._thread = thread
        except BaseException:  # an interrupt of the kernel may come at any line
            self._end()
            raise
        return True

    def cancel(self) -> None:
        """Stop the running work, which ends within half a second, waits included, and what waits for its turn."""
        self._waiting.clear()
        self._cancel.set()

    def join(self, timeout_s: float = 10.0) -> None:
        """Wait for the end of the running work and of what waits; an interrupt of the kernel ends it."""
        until, joined = time.monotonic() + timeout_s, threading.current_thread()
        try:
            while (thread := self._thread) is not None and thread is not joined:
                thread.join(max(until - time.monotonic(), 0))
                joined = thread
        except KeyboardInterrupt:
            self.cancel()
            raise

    def _run(self, work: Act, cancel: threading.Event) -> None:
        try:
            with cancellable(cancel):
                result = work()
            self._done(result)
        except BaseException as exc:  # noqa: BLE001 - nothing else would show an error of this thread
            self._failed(exc)
        finally:
            self._end()

    def _end(self) -> None:
        # In this order: a start in between would be shown as idle.
        try:
            self._busy_changed(False)
        finally:
            self._lock.release()
            self._go_on()

    def _go_on(self) -> None:
        with suppress(IndexError):  # nothing waits
            work = None if self._lock.locked() else self._waiting.popleft()
            if work is not None:
                self.start(work, wait=True)


def guarded(act: Act, failed: Failed) -> Callable[[Any], None]:
    """Return a handler for clicks and changes that does *act*; an error, which no page would show, goes to *failed*."""

    def handler(_: Any) -> None:
        try:
            act()
        except BaseException as exc:  # noqa: BLE001 - an interrupt of the kernel as well
            failed(exc)

    return handler


def button(text: str, act: Act, failed: Failed, tip: str = "", **options: Any) -> widgets.Button:
    """Return a button as wide as its text that does *act*, guarded; *options* are the widget's own."""
    made = widgets.Button(description=text, tooltip=tip or text, **({"layout": {"width": "auto"}} | options))
    made.on_click(guarded(act, failed))
    return made


def entry(kind: type[Any], name: str, act: Act, failed: Failed, **options: Any) -> Any:
    """Return a control with this label that does *act* after each change, guarded; *options* are the widget's own."""
    made = kind(description=name, **options)
    made.observe(guarded(act, failed), names="value")
    return made


def mark(widget: Any, name: str, on: bool) -> None:
    """Give a widget this class, or take it away."""
    (widget.add_class if on else widget.remove_class)(name)


def look(control: Any, *, ready: bool) -> None:
    """Let a control look ready or not. It stays enabled: a browser takes the focus from what is disabled."""
    mark(control, "vk-off", not ready)


def titled(kind: type[Any], pages: Mapping[str, Any], **options: Any) -> Any:
    """Return a Tab or an Accordion of *pages* by title; ipywidgets 7 has no argument for the titles."""
    made = kind(list(pages.values()), **options)
    for number, title in enumerate(pages):
        made.set_title(number, title)
    return made


class WorkPanel(widgets.VBox):  # type: ignore[misc]
    """
    A panel: widgets if there is a front end, else its last state as HTML and as text.

    Clicks start work in a thread, one piece at a time; there is a Cancel button and a line for the result. The work
    returns what shows its result; `busy` tells whether some is under way. A panel creates its controls after this
    class, and shows them with `fill`.

    A saved notebook contains the output of a cell when it ran; for a panel that is the state before the first click.
    So a panel has two outputs: its widgets, and its state for pages without widgets, which `publish()` updates. The
    widgets bring a style that hides the second output while they are shown.
    """

    def __init__(self) -> None:
        self._mark, self._displayed = f"vendorkit-{uuid.uuid4().hex[:12]}", False
        style = f'<style onload="{_SCRIPT}">{STYLE}{_GRID_STYLE}.{self._mark}{{display:none}}</style>'
        self._hiding = widgets.HTML(style, layout={"display": "none"})
        super().__init__([self._hiding])
        self.add_class("vendorkit-panel")
        self._status, self.busy = widgets.HTML(), False
        self._worker = Worker(lambda show: show(), self.fail, self._busy_changed)
        self._stop = button("Cancel", self.cancel, self.fail, "Stop the current operation")
        look(self._stop, ready=False)

    def fill(self, children: Sequence[Any]) -> None:
        """Show these widgets."""
        self.children = [*children, self._hiding]

    def cancel(self) -> None:
        """Stop what is under way."""
        self._worker.cancel()

    def join(self, timeout_s: float = 60.0) -> None:
        """Wait for what is under way."""
        self._worker.join(timeout_s)

    def say(self, text: str) -> None:
        """Show a success."""
        self._status.value = good_html(text)

    def fail(self, exc: BaseException) -> None:
        """Show an error."""
        self._status.value = error_html(exc)

    def show_busy(self, busy: bool) -> None:
        """Disable or enable the controls; each panel has its own."""

    def _busy_changed(self, busy: bool) -> None:
        self.busy = busy
        look(self._stop, ready=busy)
        self.show_busy(busy)
        if not busy:
            self.publish()

    def close(self) -> None:
        """Stop what is under way; close all widgets, which ipywidgets would keep. It can still be shown, as HTML."""
        if "_worker" in vars(self):  # ipywidgets also closes what was refused in its constructor
            self.cancel()
        waiting: list[Any] = list(vars(self).values())
        seen: set[int] = set()
        while waiting:
            one = waiting.pop()
            if isinstance(one, (list, tuple, dict)):
                waiting += one.values() if isinstance(one, dict) else one
            elif isinstance(one, widgets.Widget) and id(one) not in seen:
                seen.add(id(one))
                waiting += [getattr(one, name, None) for name in ("children", "layout", "style")]
                if one is not self:
                    one.close()
        super().close()
        for shows in ("_repr_mimebundle_", "_ipython_display_"):  # ipywidgets 8 and 7 set None
            self.__dict__.pop(shows, None)

    if not TYPE_CHECKING:  # type checkers find unknown names by themselves

        def __getattr__(self, name: str) -> NoReturn:
            unknown_name(self, type(self).__name__, name)

    def static_html(self) -> str:
        """Return what the panel shows, for pages without widgets."""
        raise NotImplementedError

    def static_text(self) -> str:
        """Return what the panel shows, as plain text."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # As ipywidgets 8 writes it; ipywidgets 7 has no such method. A closed panel has no model.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id} if self.comm else None
        return ({_VIEW: view} if view else {}) | self._static()

    def _ipython_display_(self, **_: Any) -> None:
        if view := self._repr_mimebundle_().get(_VIEW):
            display({_VIEW: view, "text/html": ""}, raw=True)  # type: ignore[no-untyped-call]
        display(self._still(), raw=True, display_id=self._mark)  # type: ignore[no-untyped-call]
        self._displayed = True

    def publish(self) -> None:
        """Update the output for pages without widgets; call it when a click had a result."""
        if self._displayed:
            update_display(self._still(), raw=True, display_id=self._mark)  # type: ignore[no-untyped-call]

    def _static(self) -> dict[str, str]:
        return {"text/html": f"<style>{STYLE}</style>{self.static_html()}", "text/plain": self.static_text()}

    def _still(self) -> dict[str, str]:
        static = self._static()
        return static | {"text/html": f'<div class="{self._mark}">{static["text/html"]}</div>'}

    def __repr__(self) -> str:
        return self.static_text()
