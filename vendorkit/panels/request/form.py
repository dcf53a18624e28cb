"""The form of a request: exactly the controls that the resource declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import pandas as pd
import pyarrow as pa

from vendorkit import arguments
from vendorkit.ask import Ask, Filter
from vendorkit.errors import UsageError
from vendorkit.frames import Kind, Schema
from vendorkit.panels.base import Action, OnError, button, entry
from vendorkit.panels.markup import HINTS
from vendorkit.panels.request.conditions import Conditions
from vendorkit.panels.request.controls import Control, Lookup
from vendorkit.panels.ticks import Ticks
from vendorkit.pull import check_limit
from vendorkit.query import Query
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client

_FIRST_ROWS: Final = "1000"
# Arguments of `query` and `frame` get the same kind of control as filters.
_SINCE: Final = Filter("since", "moment", many=False, about="Only records created or changed since this time.")
_LIMIT: Final = Filter("limit", "integer", many=False, about="Maximum number of rows. Empty: all.")
_WHERE: Final = Filter("where", "object", many=False, about='A filter in JSON, as {"or": [{"id": 9}, {"id": 12}]}.')


def _arguments(client: Client, resource: Resource) -> list[Filter]:
    """Return the arguments that have an effect on the resource."""
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
    listed = [
        Filter(name, choices=tuple(values), many=name == "expand", about=HINTS["argument of a request"][name])
        for name, values in choices.items()
        if values
    ]
    return listed + [_SINCE] * (resource.changes is not None) + [_LIMIT] + [_WHERE] * resource.nests


class Form(widgets.VBox):  # type: ignore[misc]
    """
    The controls for a query of *resource*.

    Args:
        client: The vendor.
        resource: The resource.
        changed: Called after each change.
        on_error: Called with the error of a click.
    """

    def __init__(self, client: Client, resource: Resource, changed: Action, on_error: OnError) -> None:
        self._client, self._resource, self.lookup = client, resource, Lookup(client)
        self.conditions = Conditions(resource, self.lookup, changed, on_error)
        self.controls = {argument.wire: Control(argument, changed) for argument in _arguments(client, resource)}
        self.limit = self.controls["limit"]
        self.limit.box.value = _FIRST_ROWS
        self.columns = Columns(resource.schema, changed, on_error)
        super().__init__([self.conditions, *self.controls.values(), self.columns])

    @property
    def faulty(self) -> bool:
        """Whether a control shows an error."""
        return self.conditions.faulty or any(control.faulty for control in self.controls.values())

    def _values(self, *names: str) -> dict[str, Any]:
        """
        Return the values of these controls, without the missing and the empty ones.

        Raises:
            UsageError: The value of a control is not valid for its filter.
        """
        values = {name: self.controls[name].read() for name in names if name in self.controls}
        return {name: value for name, value in values.items() if value is not None}

    def query(self) -> Query:
        """
        Return the query of the form.

        Raises:
            UsageError: The value of a control is not valid for its filter, or a required filter has none.
        """
        filters = self.conditions.arguments(self._values("where").get("where"))
        others = self._values("sort", "expand", "accept", "strategy", "since")
        query: Query = getattr(self._client, self._resource.name).query(**filters, **others)
        return query

    def fill(self, ask: Ask, options: Mapping[str, Any]) -> None:
        """Show a request: filters as rows, nested ones as JSON, and the arguments of `frame`."""
        rows, where = list(ask.filters.items()), dict(ask.where or {})
        parts = where["and"] if where.keys() == {"and"} else [where] * bool(where)
        names = [name for part in parts for name in part]
        if len({*names, *ask.filters}) == len(parts) + len(rows) and not {"and", "or", "not"} & {*names}:
            rows, where = [*rows, *(pair for part in parts for pair in part.items())], {}
        self.conditions.clear()
        for name, value in rows:
            self.conditions.add(name).write(value)
        values = {**vars(ask), **options, "where": where or None, "since": None if ask.since is None else ask.since.at}
        values |= {"expand": list(ask.expand), "strategy": ask.strategy or None, "limit": options.get("limit")}
        values["nested"] = None if options.get("nested") == "list" else options.get("nested")
        for name, control in self.controls.items():
            control.write(values.get(name))
        self.columns.choose(options.get("columns") or ())

    def options(self) -> dict[str, Any]:
        """
        Return the arguments of `frame`, without the empty ones.

        Raises:
            UsageError: The limit is not a number of rows.
        """
        values = self._values("limit", "locale", "nested")
        check_limit(values.get("limit"))
        return values | ({"columns": list(self.columns.value)} if self.columns.value else {})


class Columns(widgets.VBox):  # type: ignore[misc]
    """
    The columns of a request: a searchable list to tick, with presets. It can be long, so it is created when opened.

    Args:
        schema: The declared columns.
        changed: Called after each change.
        on_error: Called with the error of a click.

    Attributes:
        value: The chosen names, in the frame's order; empty for all.
    """

    def __init__(self, schema: Schema, changed: Action, on_error: OnError) -> None:
        self.value: tuple[str, ...] = ()
        self._schema, self._changed, self._on_error = schema, changed, on_error
        self._names, self._with_values = schema.arrow.names, set[str]()
        self._ticks: Ticks | None = None
        options = {"layout": {"width": "auto", "align_self": "flex-start"}, "tooltip": "Choose columns"}
        self._open = entry(widgets.ToggleButton, "columns", self._show, on_error, **options)
        super().__init__([self._open])
        self.choose(())

    def choose(self, names: Sequence[str]) -> None:
        """
        Tick these columns; an empty sequence means all columns.

        Raises:
            UsageError: There is no such column.
        """
        wanted = arguments.names(names, "columns", "a list of column names")
        chosen = {*self._schema.project(wanted).arrow.names} if wanted else set()
        self.value = tuple(name for name in self._names if name in chosen)
        count = f"{len(self.value)} of {len(self._names)}" if self.value else f"all {len(self._names)}"
        self._open.description = f"columns: {count}"
        if self._ticks is not None:
            self._ticks.refresh()
        self._changed()

    def note(self, frame: pd.DataFrame) -> None:
        """Remember which columns of this resource have values, for the preset "with values"."""
        self._with_values |= {str(name) for name in frame.columns if frame[name].notna().any()}

    def preset(self, kind: str) -> None:
        """
        Tick "all" columns, those "with values", "codes", "prices", or "one language": the vendor's first one.

        Raises:
            UsageError: No column matches, or nothing has been fetched yet to find columns "with values".
        """
        first = next(iter(self._schema.locales), "")
        fits: dict[str, Callable[[Any], bool]] = {
            "all": lambda _: False,
            "with values": lambda leaf: leaf.name in self._with_values,
            "codes": lambda leaf: leaf.kind in (Kind.CODE, Kind.ID),
            "prices": lambda leaf: leaf.column.unit == "cents",
            "one language": lambda leaf: leaf.name in (leaf.column.name, f"{leaf.column.name}_{first}"),
        }
        names = [leaf.name for leaf in self._schema.leaves if fits[kind](leaf)]
        if kind != "all" and not names:
            what = f"{self._schema.name} has no known columns for the preset {kind!r}."
            raise UsageError(what, remedy="Send a request first." if kind == "with values" else "Choose columns.")
        self.choose([*([self._schema.key] if names and self._schema.key in self._names else []), *names])

    def _show(self) -> None:
        if self._open.value and self._ticks is None:
            kinds = ["all", "with values", "codes", "prices", *["one language"] * (len(self._schema.locales) > 1)]
            presets = [button(kind, partial(self.preset, kind), self._on_error) for kind in kinds]
            self._ticks = Ticks(self._names, lambda: self.value, self.choose, self._on_error, presets)
        self.children = [self._open, *[self._ticks] * self._open.value]
