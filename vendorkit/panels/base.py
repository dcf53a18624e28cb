"""The base of all panels: cancellable work in a thread, visible errors, and output for pages without widgets."""

from __future__ import annotations

import html
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import ipywidgets as widgets
from IPython.display import display, update_display

from vendorkit import arguments
from vendorkit.ask import unknown_name
from vendorkit.deadline import cancellable
from vendorkit.panels.markup import STYLE, error_html, success_html
from vendorkit.vendors.client import Client

WRAP: Final = {"flex_flow": "row wrap", "align_items": "center"}
WHOLE: Final = {"description_width": "initial"}
FIELD: Final = {"style": {"description_width": "10em"}, "layout": {"width": "28em"}}
LIST: Final = {"style": FIELD["style"], "layout": {"width": "46em", "max_width": "98%"}}
Action = Callable[[], Any]
OnError = Callable[[BaseException], None]
_VIEW: Final = "application/vnd.jupyter.widget-view+json"
_HERE: Final = Path(__file__).parent
# Only shown with widgets: without them there is nothing to press.
_SCRIPT: Final = html.escape(_HERE.joinpath("panel.js").read_text("utf-8"))
_GRID_STYLE: Final = _HERE.joinpath("grid.css").read_text("utf-8")


def connected(client: Any) -> Client:
    """Return *client*; `UsageError` if it is not a connected client but, for example, the name of a vendor."""
    if not isinstance(client, Client):
        arguments.refuse("client", "a connected client, as vk.connect(...) returns it", client)
    return client


def title_of(client: Client) -> str:
    """Return the vendor and the environment, marked as mock data if it is a mock server."""
    return f"{client.title}, mock data" if client.environment == "local" else client.title


class Worker:
    """
    Runs one task at a time in a thread. A start while busy is ignored or queued.

    Widget callbacks run one after another on the kernel's main thread, so a handler that blocks would also block the
    Cancel button, and front ends do not show exceptions of callbacks. This class solves both problems.

    Args:
        on_result: Called in the thread with the result of the task.
        on_error: Called in the thread with the exception.
        on_busy: Called with True at the start and False at the end.
    """

    def __init__(self, on_result: Callable[[Any], None], on_error: OnError, on_busy: Callable[[bool], None]) -> None:
        self._on_result, self._on_error, self._on_busy = on_result, on_error, on_busy
        self._lock, self._cancel = threading.RLock(), threading.Event()
        self._thread: threading.Thread | None = None  # None while idle
        self._queue: deque[Action] = deque()

    def start(self, task: Action, *, wait: bool = False) -> bool:
        """Start *task* and return True. If another one is running, return False, and queue *task* if *wait*."""
        with self._lock:
            if self._thread is not None:
                if wait and task not in self._queue:
                    self._queue.append(task)
                return False
            self._cancel = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(task, self._cancel), daemon=True)
            try:
                self._on_busy(True)
                self._thread.start()
            except BaseException:  # a kernel interrupt can arrive at any line
                self._end()
                raise
        return True

    def cancel(self) -> None:
        """Stop the running task within half a second, even if it waits, and empty the queue."""
        self._queue.clear()
        self._cancel.set()

    def join(self, timeout_s: float = 10.0) -> None:
        """Wait for the running and the queued tasks to end; a kernel interrupt cancels them."""
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                with self._lock:  # otherwise the thread might not be started yet
                    thread = self._thread
                if thread is None or thread is threading.current_thread():
                    return
                thread.join(max(deadline - time.monotonic(), 0))
        except KeyboardInterrupt:
            self.cancel()
            raise

    def _run(self, task: Action, cancel: threading.Event) -> None:
        try:
            with cancellable(cancel):
                result = task()
            self._on_result(result)
        except BaseException as exc:  # noqa: BLE001 - nothing else would show an error of this thread
            self._on_error(exc)
        finally:
            self._end()

    def _end(self) -> None:
        # Idle is reported before the next task can start, or that task would be shown as idle.
        with self._lock:
            try:
                self._on_busy(False)
            finally:
                self._thread = None
                if self._queue:
                    self.start(self._queue.popleft())


def guarded(action: Action, on_error: OnError) -> Callable[[Any], None]:
    """Return an event handler that runs *action* and passes errors, which front ends do not show, to *on_error*."""

    def handler(_: Any) -> None:
        try:
            action()
        except BaseException as exc:  # noqa: BLE001 - kernel interrupts too
            on_error(exc)

    return handler


def button(text: str, action: Action, on_error: OnError, tip: str = "", **options: Any) -> widgets.Button:
    """Return a button as wide as its text that runs *action*; *options* are arguments of `widgets.Button`."""
    control = widgets.Button(description=text, tooltip=tip or text, **({"layout": {"width": "auto"}} | options))
    control.on_click(guarded(action, on_error))
    return control


def entry(kind: type[Any], name: str, action: Action, on_error: OnError, **options: Any) -> Any:
    """Return a widget with this label that runs *action* after each change; *options* are its other arguments."""
    control = kind(description=name, **options)
    control.observe(guarded(action, on_error), names="value")
    return control


def label_of(name: str) -> str:
    """Return *name* as the label of a check box or an option of a combo box; ipywidgets 7 shows these as HTML."""
    return html.escape(name) if widgets.__version__.startswith("7.") else name


def set_class(widget: Any, name: str, on: bool) -> None:
    """Add a CSS class to a widget, or remove it."""
    (widget.add_class if on else widget.remove_class)(name)


def set_ready(control: Any, *, ready: bool) -> None:
    """Make a control look ready or not. It stays enabled, because disabling it would take the keyboard focus away."""
    set_class(control, "vk-off", not ready)


def dispose(owner: widgets.Widget, *parts: Any) -> None:
    """Close widgets and all that they hold, which ipywidgets would keep; not *owner*, to which a part may refer."""
    pending = list(parts)
    while pending:
        item = pending.pop()
        if isinstance(item, (list, tuple, dict)):
            pending += item.values() if isinstance(item, dict) else item
        elif isinstance(item, widgets.Widget) and item is not owner and item.comm is not None:
            pending += vars(item).values()
            item.close()


def titled(kind: type[Any], pages: Mapping[str, Any], **options: Any) -> Any:
    """Return a Tab or an Accordion of *pages* by title; ipywidgets 7 has no argument for the titles."""
    control = kind(list(pages.values()), **options)
    for number, title in enumerate(pages):
        control.set_title(number, title)
    return control


class WorkPanel(widgets.VBox):  # type: ignore[misc]
    """
    The base class of panels: widgets if there is a front end, otherwise the last state as HTML and as text.

    Clicks start one task at a time in a thread; `busy` is True while it runs. There is a Cancel button and a status
    line. A task returns a function that shows its result. Subclasses create their controls after calling this
    constructor and show them with `fill`.

    A saved notebook contains the output of a cell as it was when the cell ran: for a panel, the state before the first
    click. So a panel has two outputs: its widgets, and a copy for pages without widgets, which `publish()` updates.
    The widgets include a style that hides the copy while they are shown.
    """

    def __init__(self) -> None:
        self._static_class, self._displayed = f"vendorkit-{uuid.uuid4().hex[:12]}", False
        style = f'<style onload="{_SCRIPT}">{STYLE}{_GRID_STYLE}.{self._static_class}{{display:none}}</style>'
        self._style_html = widgets.HTML(style, layout={"display": "none"})
        super().__init__([self._style_html])
        self.add_class("vendorkit-panel")
        self._status, self.busy = widgets.HTML(), False
        self._worker = Worker(lambda show: show(), self.fail, self._busy_changed)
        self._stop = button("Cancel", self.cancel, self.fail, "Stop the current operation")
        set_ready(self._stop, ready=False)

    def fill(self, children: Sequence[Any]) -> None:
        """Show these widgets."""
        self.children = [*children, self._style_html]

    def cancel(self) -> None:
        """Stop the running task."""
        self._worker.cancel()

    def join(self, timeout_s: float = 60.0) -> None:
        """Wait for the running task."""
        self._worker.join(timeout_s)

    def say(self, text: str) -> None:
        """Show a success."""
        self._status.value = success_html(text)

    def fail(self, exc: BaseException) -> None:
        """Show an error."""
        self._status.value = error_html(exc)

    def show_busy(self, busy: bool) -> None:
        """Disable or enable the controls; subclasses override this."""

    def _busy_changed(self, busy: bool) -> None:
        self.busy = busy
        set_ready(self._stop, ready=busy)
        self.show_busy(busy)
        if not busy:
            self.publish()

    def close(self) -> None:
        """Stop the running task and close all widgets, which ipywidgets would keep. HTML output still works."""
        if "_worker" in vars(self):  # ipywidgets also closes a panel whose constructor raised an error
            self.cancel()
        dispose(self, vars(self))
        super().close()
        for method in ("_repr_mimebundle_", "_ipython_display_"):  # ipywidgets 8 and 7 set them to None
            self.__dict__.pop(method, None)

    if not TYPE_CHECKING:  # __getattr__ would hide unknown names from type checkers

        def __getattr__(self, name: str) -> NoReturn:
            unknown_name(self, type(self).__name__, name)

    def static_html(self) -> str:
        """Return the state of the panel as HTML, for pages without widgets."""
        raise NotImplementedError

    def static_text(self) -> str:
        """Return the state of the panel as plain text."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # In the format of ipywidgets 8, because ipywidgets 7 has no such method. A closed panel has no model.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id} if self.comm else None
        return ({_VIEW: view} if view else {}) | self._static()

    def _ipython_display_(self, **_: Any) -> None:
        if view := self._repr_mimebundle_().get(_VIEW):
            display({_VIEW: view, "text/html": ""}, raw=True)  # type: ignore[no-untyped-call]
        self._displayed = True
        self.publish(display)

    def publish(self, send: Callable[..., Any] = update_display) -> None:
        """Update the output for pages without widgets; to be called after each visible change."""
        if self._displayed:
            static = self._static()
            static["text/html"] = f'<div class="{self._static_class}">{static["text/html"]}</div>'
            send(static, raw=True, display_id=self._static_class)

    def _static(self) -> dict[str, str]:
        return {"text/html": f"<style>{STYLE}</style>{self.static_html()}", "text/plain": self.static_text()}

    def __repr__(self) -> str:
        return self.static_text()
