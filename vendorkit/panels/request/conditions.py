"""The filters of a request: rows and nested groups of which all, any or none must match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal

import ipywidgets as widgets
from traitlets import TraitError

from vendorkit import arguments
from vendorkit.ask import Filter, choice, find_filter
from vendorkit.panels.base import FIELD, LIST, WRAP, Action, OnError, button, dispose, entry
from vendorkit.panels.request.controls import Control, Lookup
from vendorkit.resource import Resource

Match = Literal["all", "any", "none"]
Remove = Callable[[Any], None] | None
_MATCHES: Final = (("match all", "all"), ("match any", "any"), ("match none", "none"))
_VISIBLE_FILTERS: Final = 6


def joined(operator: str, filters: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Return the filters joined by *operator*, a single one unchanged, or None if there are none."""
    parts = [part for part in filters if part is not None]
    return {operator: parts} if len(parts) > 1 else next(iter(parts), None)


class Conditions(widgets.VBox):  # type: ignore[misc]
    """
    One group of filters, with buttons to add and remove rows.

    Args:
        resource: Declares the filters.
        lookup: Finds ids by name.
        changed: Called after each change.
        on_error: Called with the error of a click.
        remove: Removes this group; None for the outermost.
    """

    def __init__(
        self, resource: Resource, lookup: Lookup, changed: Action, on_error: OnError, remove: Remove = None
    ) -> None:
        self._resource, self._lookup, self._changed, self._on_error = resource, lookup, changed, on_error
        options = {"options": _MATCHES, "style": FIELD["style"]}
        self._match = entry(widgets.Dropdown, "Group" if remove else "Filters", changed, on_error, **options)
        self._rows = widgets.VBox()
        removing = [button("Remove group", lambda: remove(self), on_error)] if remove else []
        head = widgets.HBox([*([self._match] if resource.nests else []), *removing])
        super().__init__([head, self._rows, *self._add_controls()])
        if remove is not None:
            self.add_class("vk-group")
        for declared in resource.filters:
            if declared.required:
                self.add(declared.name)

    def _add_controls(self) -> list[Any]:
        """Return the list of filters to add, with its buttons, and with a search if it is long."""
        optional = [(f"{each.name}: {each.about}", each.name) for each in self._resource.filters if not each.required]
        rows = min(len(optional), _VISIBLE_FILTERS) + 1
        self._chooser = chooser = widgets.Select(options=optional, rows=rows, description="Add filter", **LIST)

        def narrow() -> None:
            words = search.value.casefold().split()
            chooser.options = [pair for pair in optional if all(word in pair[0].casefold() for word in words)]
            chooser.index = 0 if chooser.options else None

        search = entry(widgets.Text, "Find filter", narrow, self._on_error, placeholder="a word", **FIELD)
        add_chosen = lambda: chooser.value is None or self.add(chooser.value)  # noqa: E731 - too short for a name
        controls = [chooser, button("Add", add_chosen, self._on_error, "Add the selected filter")]
        controls += [button("Add group", self.add_group, self._on_error)] if self._resource.nests else []
        self._adding = [search, widgets.HBox(controls, layout=WRAP)]  # also what is not shown, to be closed
        return self._adding[len(optional) <= _VISIBLE_FILTERS :] if optional else []

    def add(self, name: str, text: Any = None) -> Control:
        """
        Add a row for the filter *name*, or return the existing one if the filter can occur only once.

        Args:
            name: The filter's name.
            text: The value of its control, as if typed.

        Raises:
            UsageError: There is no such filter.
        """
        declared = find_filter(self._resource.filters, name, self._resource.name)
        existing = [row for row in self._rows.children if isinstance(row, Control) and row.declared is declared]
        control = existing[0] if existing and not self._resource.nests else self._new_control(declared)
        if text is not None:
            try:
                control.box.value = text
            except TraitError:
                arguments.refuse(name, "the text of its control, or a tuple of its choices", text)
        return control

    def add_group(self) -> Conditions:
        """Add a group inside this one."""
        group = Conditions(self._resource, self._lookup, self._changed, self._on_error, self._remove)
        self._set_rows((*self._rows.children, group))
        return group

    def choose(self, match: Match) -> None:
        """Choose whether all, any or none of the filters must match, as in the drop-down list."""
        self._match.value = choice(match, [value for _, value in _MATCHES], "A group of filters cannot match")

    def clear(self) -> None:
        """Remove all rows except the required ones."""
        self._match.value = "all"
        self._set_rows([row for row in self._rows.children if isinstance(row, Control) and row.declared.required])

    def arguments(self, where: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return the arguments of `query`: filters by name, and the nested and repeated ones as `where`.

        Args:
            where: One more filter in the vendor's own form.

        Raises:
            UsageError: The value of a control is not valid for its filter.
        """
        by_name: dict[str, Any] = {}
        others: list[Control | Conditions] = []
        for row in self._rows.children if self._match.value == "all" else (self,):
            if isinstance(row, Control) and by_name.get(row.declared.name) is None:
                by_name[row.declared.name] = row.read()
            else:
                others.append(row)
        return {**by_name, "where": joined("and", [*(row.nested() for row in others), where])}

    def nested(self) -> Mapping[str, Any] | None:
        """Return the group in the vendor's own form; None if it is empty."""
        match = self._match.value
        group = joined("and" if match == "all" else "or", (row.nested() for row in self._rows.children))
        return {"not": group} if group is not None and match == "none" else group

    @property
    def faulty(self) -> bool:
        """Whether a control shows an error."""
        return any(row.faulty for row in self._rows.children)

    def _new_control(self, declared: Filter) -> Control:
        tip, act = f"Remove {declared.name}", lambda: self._remove(control)
        remove = [] if declared.required else [button("Remove", act, self._on_error, tip)]
        target = self._lookup.resource(self._resource, declared)
        search = None if target is None else partial(self._lookup.later, target)
        control: Control = Control(declared, self._changed, remove, search)
        self._set_rows((*self._rows.children, control))
        return control

    def _remove(self, row: Control | Conditions) -> None:
        self._set_rows([other for other in self._rows.children if other is not row])

    def _set_rows(self, rows: Iterable[Any]) -> None:
        removed = {*self._rows.children} - {*(rows := tuple(rows))}
        self._rows.children = rows
        dispose(self, *removed)
        self._changed()
