"""Helpers that find a panel's widgets by their labels, and collect everything that a front end receives."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
from ipywidgets.embed import dependency_state, embed_data

VIEW = "application/vnd.jupyter.widget-view+json"
_SECRETS = ("SECRET", "PASSWORD", "KEY", "EMAIL", "USER")


def below(widget: widgets.Widget) -> list[widgets.Widget]:
    """Return the widget and all its descendants."""
    return [widget, *(one for child in getattr(widget, "children", ()) for one in below(child))]


def models() -> set[str]:
    """Return the ids of all widgets that exist. Their whole state, which a front end receives, takes seconds."""
    instances = getattr(sys.modules[widgets.Widget.__module__], "_instances", None)  # in ipywidgets 8
    return set(widgets.Widget.widgets if instances is None else instances)


def html_of(panel: widgets.Widget) -> str:
    """Return all HTML inside a panel."""
    return "".join(widget.value for widget in below(panel) if isinstance(widget, widgets.HTML))


def labelled(panel: widgets.Widget, description: str) -> Any:
    """Return the first widget with this label."""
    return next(one for one in below(panel) if getattr(one, "description", None) == description)


def button(panel: widgets.Widget, description: str) -> widgets.Button:
    """Return the first button with this text."""
    return next(one for one in below(panel) if isinstance(one, widgets.Button) and one.description == description)


def press(buttons: widgets.ToggleButtons, label: str) -> None:
    """Press one button of a group as a front end reports it: first its index, then a message."""
    buttons.set_state({"index": list(buttons.options).index(label)})
    buttons._handle_custom_msg({"event": "click"}, [])


def group(panel: widgets.Widget, name: str) -> widgets.ToggleButtons:
    """Return the group of buttons of this class."""
    return next(one for one in below(panel) if isinstance(one, widgets.ToggleButtons) and name in one._dom_classes)


def cancel(panel: Any) -> None:
    """Press Cancel and check that the work ends within half a second."""
    started = time.monotonic()
    button(panel, "Cancel").click()
    panel.join(4)
    assert time.monotonic() - started < 0.5 + 0.3  # the bound, plus a margin for a busy machine
    assert "Cancelled." in panel.static_html()


def leaked(shown: str, credentials: Mapping[str, str]) -> list[str]:
    """Return the names of the credentials that occur in *shown*, as they are or in base64."""
    secrets = {name: value for name, value in credentials.items() if name.endswith(_SECRETS)}
    forms = {name: (value, base64.b64encode(value.encode()).decode().rstrip("=")) for name, value in secrets.items()}
    return [name for name, texts in forms.items() if any(text in shown for text in texts)]


def everything(panel: widgets.Widget) -> str:
    """Return everything that a front end or a saved notebook could receive from the panel."""
    states = [one.get_state() for one in [*below(panel), *(w.layout for w in below(panel))]]
    saved = embed_data(views=[panel], drop_defaults=False, state=dependency_state([panel], drop_defaults=False))
    return "".join([repr(states), json.dumps(saved), repr(panel), json.dumps(panel._repr_mimebundle_())])


def exchange_of(panel: Any) -> Any:
    """Click the exchange tab of a request panel and return its pane, which is empty before the click."""
    panel._tab.selected_index = panel._tab.children.index(panel._exchange)
    return panel._exchange
