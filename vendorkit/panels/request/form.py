"""The form of a request: the controls that one resource declares, and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd
import pyarrow as pa

from vendorkit.ask import Ask, Filter
from vendorkit.errors import UsageError
from vendorkit.frames import Kind, Schema
from vendorkit.panels.base import Act, Failed, button, entry
from vendorkit.panels.markup import HINTS
from vendorkit.panels.request.conditions import Conditions
from vendorkit.panels.request.controls import Control, Lookup
from vendorkit.panels.ticks import Ticks
from vendorkit.pull import check_limit
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client

_FIRST_ROWS: Final = "1000"
# The arguments of `query` and `frame` are controls like filters.
_ABOUT: Final = HINTS["argument of a request"]
_SINCE: Final = Filter("since", "moment", many=False, about="Only records created or changed since this time.")
_LIMIT: Final = Filter("limit", "integer", many=False, about="Maximum number of rows. Empty: all.")
_WHERE: Final = Filter("where", "object", many=False, about='A filter in JSON, as {"or": [{"id": 9}, {"id": 12}]}.')


def _arguments(client: Client, resource: Resource) -> list[Filter]:
    """Return the arguments that the resource can use."""
    locales, accepts = resource.schema.locales, client.accepts
    may_nest = resource.expands or any(map(pa.types.is_nested, resource.schema.arrow.types))
    choices: dict[str, Sequence[str]] = {
        "sort": [f"{sign}{key}" for key in resource.sort_keys for sign in ("", "-")],
        "locale": locales if len(locales) > 1 else (),
        "nested": ("json", "drop") if may_nest else (),
        "accept": accepts if len(accepts) > 1 else (),
        "strategy": resource.strategies,
        "expand": resource.expands,
    }
    chosen = [
        Filter(name, choices=tuple(offered), many=name == "expand", about=_ABOUT[name])
        for name, offered in choices.items()
        if offered
    ]
    return chosen + [_SINCE] * (resource.changes is not None) + [_LIMIT] + [_WHERE] * resource.nests


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
        self._client, self._resource, self.lookup = client, resource, Lookup(client)
        self.conditions = Conditions(resource, self.lookup, changed, failed)
        declared = _arguments(client, resource)
        self.controls = {one.wire: Control(one, changed) for one in declared}
        self.limit = self.controls["limit"]
        self.limit.box.value = _FIRST_ROWS
        self.columns = Columns(resource.schema, changed, failed)
        super().__init__([self.conditions, *self.controls.values(), self.columns])

    @property
    def faulty(self) -> bool:
        """Whether a control shows an error."""
        return self.conditions.faulty or any(one.faulty for one in self.controls.values())

    def _values(self, *names: str) -> dict[str, Any]:
        """
        Return the values of these controls, of those that are there and have one.

        Raises:
            UsageError: A control holds no value of its filter.
        """
        found = {name: self.controls[name].read() for name in names if name in self.controls}
        return {name: value for name, value in found.items() if value is not None}

    def query(self) -> Query:
        """
        Return the query of the form.

        Raises:
            UsageError: A control holds no value of its filter, or a filter that is required has none.
        """
        filters = self.conditions.arguments(self._values("where").get("where"))
        given = self._values("sort", "expand", "accept", "strategy", "since")
        query: Query = getattr(self._client, self._resource.name).query(**filters, **given)
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
        given = {**vars(ask), **options, "where": where or None, "since": None if ask.since is None else ask.since.at}
        given |= {"expand": list(ask.expand), "strategy": ask.strategy or None, "limit": options.get("limit")}
        given["nested"] = None if options.get("nested") == "list" else options.get("nested")
        for name, control in self.controls.items():
            control.write(given.get(name))
        self.columns.choose(options.get("columns") or ())

    def options(self) -> dict[str, Any]:
        """
        Return the arguments of `frame`, without those that have no value.

        Raises:
            UsageError: The limit is not a number of rows.
        """
        given = self._values("limit", "locale", "nested")
        check_limit(given.get("limit"))
        return given | ({"columns": list(self.columns.value)} if self.columns.value else {})


class Columns(widgets.VBox):  # type: ignore[misc]
    """
    The columns of a request: a list to search and tick, with presets; created at the first look, for there may be many.

    Args:
        schema: The declared columns.
        changed: Called after each change.
        failed: Called with the error of a click.

    Attributes:
        value: The chosen names, in the frame's order; empty for all.
    """

    def __init__(self, schema: Schema, changed: Act, failed: Failed) -> None:
        self.value: tuple[str, ...] = ()
        self._schema, self._changed, self._failed = schema, changed, failed
        self._names, self._full = schema.arrow.names, set[str]()
        self._ticks: Ticks | None = None
        look = {"layout": {"width": "auto", "align_self": "flex-start"}, "tooltip": "Choose columns"}
        self._open = entry(widgets.ToggleButton, "columns", self._show, failed, **look)
        super().__init__([self._open])
        self.choose(())

    def choose(self, names: Sequence[str]) -> None:
        """
        Choose these columns, none for all, as if by hand.

        Raises:
            UsageError: There is no such column.
        """
        chosen = {*self._schema.project(list(names)).arrow.names} if names else set()
        self.value = tuple(name for name in self._names if name in chosen)
        shown = f"{len(self.value)} of {len(self._names)}" if self.value else f"all {len(self._names)}"
        self._open.description = f"columns: {shown}"
        if self._ticks is not None:
            self._ticks.refresh()
        self._changed()

    def note(self, frame: pd.DataFrame) -> None:
        """Learn from the rows of this resource which columns have values."""
        self._full |= {str(name) for name in frame.columns if frame[name].notna().any()}

    def preset(self, kind: str) -> None:
        """
        Choose all, those "with values", "codes", "prices", or "one language", the first of the vendor's.

        Raises:
            UsageError: No column is like that, or nothing has been fetched yet that would show values.
        """
        first = next(iter(self._schema.locales), "")
        fits: dict[str, Callable[[Any], bool]] = {
            "all": lambda _: False,
            "with values": lambda leaf: leaf.name in self._full,
            "codes": lambda leaf: leaf.kind in (Kind.CODE, Kind.ID),
            "prices": lambda leaf: leaf.column.unit == "cents",
            "one language": lambda leaf: leaf.name in (leaf.column.name, f"{leaf.column.name}_{first}"),
        }
        found = [leaf.name for leaf in self._schema.leaves if fits[kind](leaf)]
        if kind != "all" and not found:
            what = f"{self._schema.name} has no known columns for the preset {kind!r}."
            raise UsageError(what, remedy="Send a request first." if kind == "with values" else "Choose columns.")
        self.choose([*([self._schema.key] if found and self._schema.key in self._names else []), *found])

    def _show(self) -> None:
        if self._open.value and self._ticks is None:
            kinds = ["all", "with values", "codes", "prices", *["one language"] * (len(self._schema.locales) > 1)]
            presets = [button(kind, partial(self.preset, kind), self._failed) for kind in kinds]
            self._ticks = Ticks(self._names, lambda: self.value, self.choose, self._failed, presets)
        self.children = [self._open, *[self._ticks] * self._open.value]
