"""The conditions of a request: rows of filters, in groups of which all, any or none hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal

import ipywidgets as widgets
from traitlets import TraitError

from vendorkit import arguments
from vendorkit.ask import Filter, choice, find_filter
from vendorkit.panels.base import FIELD, LABELLED, LIST, WRAP, Act, Failed, button, entry
from vendorkit.panels.request.controls import Control, Lookup
from vendorkit.resource import Resource

Match = Literal["all", "any", "none"]
Remove = Callable[[Any], None] | None
_MATCHES: Final = (("match all", "all"), ("match any", "any"), ("match none", "none"))
_LISTED: Final = 6  # filters shown at once


def joined(word: str, given: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Return nested filters as one; a single one as it is, None for none."""
    parts = [part for part in given if part is not None]
    return {word: parts} if len(parts) > 1 else next(iter(parts), None)


class Conditions(widgets.VBox):  # type: ignore[misc]
    """
    One group of conditions, with the buttons that add and remove some.

    Args:
        resource: Declares the filters.
        lookup: Finds ids by names.
        changed: Called after each change.
        failed: Called with the error of a click.
        remove: Removes this group; None for the outermost.
    """

    def __init__(self, resource: Resource, lookup: Lookup, changed: Act, failed: Failed, remove: Remove = None) -> None:
        self._resource, self._lookup, self._changed, self._failed = resource, lookup, changed, failed
        look = {"options": _MATCHES, "style": LABELLED}
        self._match = entry(widgets.Dropdown, "Group" if remove else "Filters", changed, failed, **look)
        self._rows = widgets.VBox()
        removing = [button("Remove group", lambda: remove(self), failed)] if remove else []
        head = widgets.HBox([*([self._match] if resource.nests else []), *removing])
        super().__init__([head, self._rows, *self._adders()])
        if remove is not None:
            self.add_class("vk-group")
        for one in resource.filters:
            if one.required:
                self.add(one.name)

    def _adders(self) -> list[Any]:
        """Return what adds a row: a list of filters, which can be searched if it is long."""
        optional = [(f"{one.name}: {one.about}", one.name) for one in self._resource.filters if not one.required]
        rows = min(len(optional), _LISTED) + 1
        self._chooser = chooser = widgets.Select(options=optional, rows=rows, description="Add filter", **LIST)

        def narrow() -> None:
            words = find.value.casefold().split()
            chooser.options = [one for one in optional if all(word in one[0].casefold() for word in words)]
            chooser.index = 0 if chooser.options else None

        find = entry(widgets.Text, "Find filter", narrow, self._failed, placeholder="a word", **FIELD)
        add_chosen = lambda: chooser.value is None or self.add(chooser.value)  # noqa: E731 - too short for a name
        adders = [chooser, button("Add", add_chosen, self._failed, "Add the selected filter")]
        adders += [button("Add group", self.add_group, self._failed)] if self._resource.nests else []
        offered = [find, widgets.HBox(adders, layout=WRAP)]
        return offered[len(optional) <= _LISTED :] if optional else []

    def add(self, name: str, text: Any = None) -> Control:
        """
        Add a row for the filter *name*, or return the one that is there if it can occur only once.

        Args:
            name: The filter's name.
            text: The value of its control, as if typed.

        Raises:
            UsageError: There is no such filter.
        """
        declared = find_filter(self._resource.filters, name, self._resource.name)
        there = [one for one in self._rows.children if isinstance(one, Control) and one.declared is declared]
        control = there[0] if there and not self._resource.nests else self._added(declared)
        if text is not None:
            try:
                control.box.value = text
            except TraitError:
                arguments.refuse(name, "the text of its control, or a tuple of its choices", text)
        return control

    def add_group(self) -> Conditions:
        """Add a group inside this one."""
        group = Conditions(self._resource, self._lookup, self._changed, self._failed, self._remove)
        self._put((*self._rows.children, group))
        return group

    def choose(self, match: Match) -> None:
        """Choose whether all, any or none of the conditions have to hold, as if by hand."""
        known = [value for _, value in _MATCHES]
        self._match.value = choice(match, known, "A group of filters cannot match")

    def clear(self) -> None:
        """Remove all rows but those that are required."""
        self._match.value = "all"
        self._put([one for one in self._rows.children if isinstance(one, Control) and one.declared.required])

    def arguments(self, where: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return the arguments of `query`: filters by name, and what those cannot express as `where`.

        Args:
            where: A further filter in the vendor's own form.

        Raises:
            UsageError: A control holds no value of its filter.
        """
        plain: dict[str, Any] = {}
        rest: list[Control | Conditions] = []
        for one in self._rows.children if self._match.value == "all" else (self,):
            if isinstance(one, Control) and plain.get(one.declared.name) is None:
                plain[one.declared.name] = one.read()
            else:
                rest.append(one)
        return {**plain, "where": joined("and", [*(one.nested() for one in rest), where])}

    def nested(self) -> Mapping[str, Any] | None:
        """Return the group as the vendor writes it; None if it is empty."""
        match = self._match.value
        found = joined("and" if match == "all" else "or", (one.nested() for one in self._rows.children))
        return {"not": found} if found is not None and match == "none" else found

    @property
    def faulty(self) -> bool:
        """Whether a control shows an error."""
        return any(one.faulty for one in self._rows.children)

    def _added(self, declared: Filter) -> Control:
        remove = button("Remove", lambda: self._remove(control), self._failed, f"Remove {declared.name}")
        other = self._lookup.resource(self._resource, declared)
        search = None if other is None else partial(self._lookup.later, other)
        control = Control(declared, self._changed, [remove] * (not declared.required), lookup=search)
        self._put((*self._rows.children, control))
        return control

    def _remove(self, member: Control | Conditions) -> None:
        self._put([one for one in self._rows.children if one is not member])

    def _put(self, members: Iterable[Any]) -> None:
        self._rows.children = tuple(members)
        self._changed()
