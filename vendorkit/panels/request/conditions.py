"""The filters of a request: rows of labelled controls, in groups where the vendor takes nested filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.ask import Filter, find_filter
from vendorkit.panels.base import button, guarded
from vendorkit.panels.request.controls import LABELLED, Control
from vendorkit.panels.request.spec import Condition, Group, Match
from vendorkit.resource import Resource

_MATCHES: Final[list[tuple[str, Match]]] = [
    ("all of these hold", "all"),
    ("any of these holds", "any"),
    ("none of these holds", "none"),
]


class Conditions(widgets.VBox):  # type: ignore[misc]
    """
    One group of conditions, with what adds to it and takes from it.

    Args:
        resource: Whose filters these are.
        changed: Called after each change.
        failed: Called with what went wrong in a click.
        remove: Takes this group out; None for the outermost.
    """

    def __init__(
        self,
        resource: Resource,
        changed: Callable[[], None],
        failed: Callable[[BaseException], None],
        remove: Callable[[Conditions], None] | None = None,
    ) -> None:
        self._resource, self._changed, self._failed = resource, changed, failed
        self._match = widgets.Dropdown(
            options=_MATCHES, description="Filters" if remove is None else "Group", style=LABELLED
        )
        self._match.observe(guarded(self._changed, failed), names="value")
        self._chooser = widgets.Dropdown(
            options=[one.name for one in resource.filters if not one.required], description="Add filter", style=LABELLED
        )
        self._rows = widgets.VBox()
        head = [self._match] if resource.nests else []
        head += [self._button("Remove group", lambda: remove(self))] if remove is not None else []
        adders = [self._chooser, self._button("Add", self._add_chosen)]
        adders += [self._button("Add group", self.add_group)] if resource.nests else []
        inner = (
            {}
            if remove is None
            else {"border": "1px solid var(--jp-border-color2,#8888)", "margin": "2px 0", "padding": "2px"}
        )
        parts = [widgets.HBox(head), self._rows, *([widgets.HBox(adders)] if self._chooser.options else [])]
        super().__init__(parts, layout=inner)
        for one in resource.filters:
            if one.required:
                self.add(one.name)

    def add(self, name: str, text: Any = None) -> Control:
        """
        Add a row for the filter *name*, or return the one that is there where it can only stand once.

        Args:
            name: The filter's name.
            text: What to put into its control, as if by hand.

        Raises:
            UsageError: There is no such filter.
        """
        declared = find_filter(self._resource.filters, name, self._resource.name)
        there = [one for one in self._rows.children if isinstance(one, Control) and one.declared is declared]
        control = there[0] if there and not self._resource.nests else self._add_row(declared)
        if text is not None:
            control.box.value = text
        return control

    def add_group(self) -> Conditions:
        """Add a group inside this one."""
        group = Conditions(self._resource, self._changed, self._failed, self._remove)
        self._put(group)
        return group

    def choose(self, match: Match) -> None:
        """Choose whether all, any or none of the conditions have to hold, as if by hand."""
        self._match.value = match

    def read(self) -> Group:
        """
        Return the conditions that say something.

        Raises:
            UsageError: A control holds no value of its filter.
        """
        members: list[Condition | Group] = []
        for one in self._rows.children:
            if isinstance(one, Conditions):
                members.append(one.read())
            elif (value := one.read()) is not None:
                members.append(Condition(one.declared.name, value))
        return Group(self._match.value, tuple(members))

    def faulty(self) -> bool:
        """Tell whether a control shows an error of its own."""
        return any(one.faulty() for one in self._rows.children)

    def _add_chosen(self) -> None:
        self.add(self._chooser.value)

    def _add_row(self, declared: Filter) -> Control:
        remove = self._button("Remove", lambda: self._remove(control), f"Remove {declared.name}")
        control = Control(declared, self._changed, () if declared.required else (remove,))
        self._put(control)
        return control

    def _put(self, member: Control | Conditions) -> None:
        self._rows.children = (*self._rows.children, member)
        self._changed()

    def _remove(self, member: Control | Conditions) -> None:
        self._rows.children = tuple(one for one in self._rows.children if one is not member)
        self._changed()

    def _button(self, text: str, act: Callable[[], Any], tip: str = "") -> widgets.Button:
        return button(text, act, self._failed, tip)
