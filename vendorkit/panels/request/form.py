"""
The form of a request: the controls that one resource declares, and no others.

Filters are rows of labelled controls, in groups if the vendor takes nested filters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pyarrow as pa

from vendorkit.ask import Ask, Filter, choice, find_filter
from vendorkit.panels.base import WRAP, Act, Failed, button, guarded
from vendorkit.panels.request.columns import Columns
from vendorkit.panels.request.controls import LABELLED, WIDE, Control
from vendorkit.panels.request.groups import Condition, Group, Match
from vendorkit.panels.request.lookup import Lookup
from vendorkit.pull import check_limit
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client

_WHERE: Final = Filter("where", "object", many=False, about='One filter, as {"or": [{"id": 9}, {"id": 12}]}.')
_SINCE: Final = Filter("since", "moment", many=False, about="Only records created or changed from then on.")
_LIMIT: Final = Filter("limit", "integer", many=False, about="At most this many rows; empty for all.")
_FIRST_ROWS: Final = "1000"
_NESTED: Final = (("kept as lists", "list"), ("as JSON texts", "json"), ("left out", "drop"))
_LISTED: Final = 6  # filters or expansions shown at once
_MATCHES: Final = (("all of these hold", "all"), ("any of these holds", "any"), ("none of these holds", "none"))


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

    def __init__(
        self,
        resource: Resource,
        lookup: Lookup,
        changed: Act,
        failed: Failed,
        remove: Callable[[Conditions], None] | None = None,
    ) -> None:
        self._resource, self._lookup, self._changed, self._failed = resource, lookup, changed, failed
        label = "Filters" if remove is None else "Group"
        self._match = widgets.Dropdown(options=_MATCHES, description=label, style=LABELLED)
        self._match.observe(guarded(changed, failed), names="value")
        optional = [(f"{one.name}: {one.about}", one.name) for one in resource.filters if not one.required]
        rows = min(len(optional), _LISTED) + 1
        self._chooser = widgets.Select(
            options=optional, rows=rows, description="Add filter", style=LABELLED, layout={"width": "46em"}
        )
        find = widgets.Text(placeholder="a word", description="Find filter", style=LABELLED, layout=WIDE)
        find.observe(guarded(lambda: self._narrow(optional, find.value), failed), names="value")
        self._rows = widgets.VBox()
        head = [self._match] if resource.nests else []
        head += [button("Remove group", lambda: remove(self), failed)] if remove is not None else []
        adders = [self._chooser, button("Add", self._add_chosen, failed, "Add the chosen filter")]
        adders += [button("Add group", self.add_group, failed)] if resource.nests else []
        finder = [find] if len(optional) > _LISTED else []
        offered = [*finder, widgets.HBox(adders, layout=WRAP)] if optional else []
        super().__init__([widgets.HBox(head), self._rows, *offered])
        if remove is not None:
            self.add_class("vk-group")
        for one in resource.filters:
            if one.required:
                self.add(one.name)

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
        control = there[0] if there and not self._resource.nests else self._add_row(declared)
        if text is not None:
            control.box.value = text
        return control

    def add_group(self) -> Conditions:
        """Add a group inside this one."""
        group = Conditions(self._resource, self._lookup, self._changed, self._failed, self._remove)
        self._put(group)
        return group

    def choose(self, match: Match) -> None:
        """Choose whether all, any or none of the conditions have to hold, as if by hand."""
        self._match.value = choice(
            match, [value for _, value in _MATCHES], "A group matches by all, any or none, not by"
        )

    def clear(self) -> None:
        """Remove all rows but those that are required."""
        self._match.value = "all"
        kept = [one for one in self._rows.children if isinstance(one, Control) and one.declared.required]
        self._rows.children = kept

    def read(self) -> Group:
        """
        Return the conditions that have a value.

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
        """Tell whether a control shows an error."""
        return any(one.faulty() for one in self._rows.children)

    def _narrow(self, optional: list[tuple[str, str]], text: str) -> None:
        words = text.casefold().split()
        self._chooser.options = [one for one in optional if all(word in one[0].casefold() for word in words)]
        if self._chooser.options:
            self._chooser.index = 0

    def _add_chosen(self) -> None:
        if self._chooser.value is not None:
            self.add(self._chooser.value)

    def _add_row(self, declared: Filter) -> Control:
        remove = button("Remove", lambda: self._remove(control), self._failed, f"Remove {declared.name}")
        other = self._lookup.resource(self._resource, declared)
        search = None if other is None else partial(self._lookup.later, other)
        control = Control(declared, self._changed, () if declared.required else (remove,), lookup=search)
        self._put(control)
        return control

    def _put(self, member: Control | Conditions) -> None:
        self._rows.children = (*self._rows.children, member)
        self._changed()

    def _remove(self, member: Control | Conditions) -> None:
        self._rows.children = tuple(one for one in self._rows.children if one is not member)
        self._changed()


class Form(widgets.VBox):  # type: ignore[misc]
    """
    The controls for a query of *resource*.

    Args:
        client: The vendor.
        resource: The resource.
        changed: Called after each change.
        failed: Called with the error of a click.
    """

    def __init__(self, client: Client, resource: Resource, changed: Act, failed: Failed) -> None:
        self._client, self._resource = client, resource
        self.lookup = Lookup(client)
        self.conditions = Conditions(resource, self.lookup, changed, failed)
        self.where = Control(_WHERE, changed, large=True)
        self.since = Control(_SINCE, changed)
        self.limit = Control(_LIMIT, changed)
        self.limit.box.value = _FIRST_ROWS
        self.sort = _choice("sort", [("the vendor's order", ""), *((key, key) for key in resource.sort_keys)])
        self.descending = widgets.Checkbox(description="descending", indent=False, layout={"width": "auto"})
        locales = resource.schema.locales
        self.locale = _choice("locale", [("one column each", ""), *((one, one) for one in locales)])
        self.nested = _choice("nested", [*_NESTED])
        self.accept = _choice("accept", [(one.upper(), one) for one in client.accepts])
        self.strategy = _choice("strategy", [(one, one) for one in resource.strategies])
        self.expand = _several("expand", resource.expands)
        self.columns = Columns(resource.schema, changed, failed)
        for box in (self.sort, self.descending, self.locale, self.nested, self.accept, self.strategy, self.expand):
            box.observe(guarded(changed, failed), names="value")
        super().__init__([self.conditions, *self._rows()])

    def _rows(self) -> list[Any]:
        """Return the rows of controls that the resource can use."""
        resource = self._resource
        boxes = [self.sort, self.descending] if resource.sort_keys else []
        boxes += [self.locale] if len(resource.schema.locales) > 1 else []
        may_nest = resource.expands or any(map(pa.types.is_nested, resource.schema.arrow.types))
        boxes += [self.nested] if may_nest else []
        boxes += [self.accept] if len(self._client.accepts) > 1 else []
        boxes += [self.strategy] if resource.strategies else []
        boxes += [self.expand] if resource.expands else []
        where = [self.where] if resource.nests else []
        since = [] if resource.changes is None else [self.since]
        return [widgets.HBox(boxes, layout=WRAP), *since, self.limit, *where, self.columns]

    def faulty(self) -> bool:
        """Tell whether a control shows an error."""
        return any(one.faulty() for one in (self.conditions, self.where, self.since, self.limit))

    def query(self) -> Query:
        """
        Return the query of the form.

        Raises:
            UsageError: A control holds no value of its filter, or a filter that is required has none.
        """
        sort = self.sort.value or None  # a value of None would be no choice at all
        query: Query = getattr(self._client, self._resource.name).query(
            **self.conditions.read().arguments(self._resource, self.where.read()),
            sort=f"-{sort}" if sort and self.descending.value else sort,
            expand=tuple(self.expand.value),
            accept=self.accept.value,
            strategy=self.strategy.value,
            since=self.since.read(),
        )
        return query

    def fill(self, ask: Ask, options: Mapping[str, Any]) -> None:
        """Show this question: filters as rows, what is nested as JSON, and the arguments of `frame`."""
        rows, where = list(ask.filters.items()), dict(ask.where or {})
        parts = where["and"] if where.keys() == {"and"} else [where] * bool(where)
        names = [name for part in parts for name in part]
        if len({*names, *ask.filters}) == len(parts) + len(rows) and not {"and", "or", "not"} & {*names}:
            rows, where = [*rows, *(pair for part in parts for pair in part.items())], {}
        self.conditions.clear()
        for name, value in rows:
            self.conditions.add(name).write(value)
        self.where.box.value = json.dumps(where, ensure_ascii=False) if where else ""
        sort = ask.sort or ""
        self.sort.value, self.descending.value = sort.removeprefix("-"), sort.startswith("-")
        self.locale.value, self.accept.value = options.get("locale") or "", ask.accept
        self.nested.value = options.get("nested", "list")
        self.strategy.value, self.expand.value = ask.strategy or None, ask.expand
        self.since.write(None if ask.since is None else ask.since.at)
        self.limit.box.value = str(options.get("limit") or "")
        self.columns.choose(options.get("columns") or ())

    def options(self) -> dict[str, Any]:
        """
        Return the arguments of `frame`, without those that have no value.

        Raises:
            UsageError: The limit is not a number of rows.
        """
        limit = self.limit.read()
        check_limit(limit)
        given = {"columns": list(self.columns.value) or None, "limit": limit, "locale": self.locale.value or None}
        given["nested"] = None if self.nested.value == "list" else self.nested.value
        return {name: value for name, value in given.items() if value is not None}


def _choice(label: str, options: list[tuple[str, Any]]) -> Any:
    return widgets.Dropdown(options=options, description=label, style=LABELLED, layout=WIDE)


def _several(label: str, options: Sequence[str]) -> Any:
    rows = min(len(options), _LISTED)
    return widgets.SelectMultiple(options=options, description=label, rows=rows, style=LABELLED, layout=WIDE)
