"""The form of a request: the controls that one resource declares, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ipywidgets as widgets

from vendorkit.ask import Filter
from vendorkit.errors import UsageError
from vendorkit.panels.base import guarded
from vendorkit.panels.request.conditions import Conditions
from vendorkit.panels.request.controls import LABELLED, WIDE, Control
from vendorkit.panels.request.spec import QuerySpec
from vendorkit.resource import Resource, Telling
from vendorkit.vendors.client import Client

_WHERE: Final = Filter("where", "object", many=False, about='One filter, as {"or": [{"id": 9}, {"id": 12}]}.')
_SINCE: Final = Filter("since", "moment", many=False, about="Only what was made or changed from then on.")
_LIMIT: Final = Filter("limit", "integer", many=False, about="At most this many rows; empty for all.")
_FIRST_ROWS: Final = "1000"
_LISTED: Final = 6  # columns shown at once
_ABOUT: Final = {
    "stream": "stream, in the query's order",
    "windows": "windows, oldest first",
}


class Form(widgets.VBox):  # type: ignore[misc]
    """
    What can be asked of *resource*.

    Args:
        client: Whose resource it is.
        resource: The resource.
        changed: Called after each change.
        failed: Called with what went wrong in a click.
    """

    def __init__(
        self, client: Client, resource: Resource, changed: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        self._client, self._resource = client, resource
        self.conditions = Conditions(resource, changed, failed)
        self.where = Control(_WHERE, changed, large=True)
        self.since = Control(_SINCE, changed)
        self.limit = Control(_LIMIT, changed)
        self.limit.box.value = _FIRST_ROWS
        self.sort = _choice("sort", [("the vendor's order", None), *((key, key) for key in resource.sort_keys)])
        self.descending = widgets.Checkbox(description="descending", indent=False, layout={"width": "auto"})
        locales = resource.schema.locales
        self.locale = _choice("locale", [("one column each", None), *((one, one) for one in locales)])
        self.accept = _choice("accept", [(one.upper(), one) for one in client.accepts])
        self.strategy = _choice("strategy", [(_ABOUT.get(one, one), one) for one in resource.strategies])
        self.expand = _several("expand", resource.expands)
        self.columns = _several("columns", resource.schema.arrow.names)
        for box in (self.sort, self.descending, self.locale, self.accept, self.strategy, self.expand, self.columns):
            box.observe(guarded(changed, failed), names="value")
        super().__init__([self.conditions, *self._rows()])

    def _rows(self) -> list[Any]:
        """Return the rows of controls that the resource has a use for."""
        resource = self._resource
        boxes = [self.sort, self.descending] if resource.sort_keys else []
        boxes += [self.locale] if len(resource.schema.locales) > 1 else []
        boxes += [self.accept] if len(self._client.accepts) > 1 else []
        boxes += [self.strategy] if resource.strategies else []
        boxes += [self.expand] if resource.expands else []
        folded = {"columns": self.columns, **({"where, as JSON": self.where} if resource.nests else {})}
        more = widgets.Accordion(list(folded.values()), selected_index=None)
        for place, title in enumerate(folded):
            more.set_title(place, title)
        since = [self.since] if isinstance(resource.style, Telling) else []
        return [widgets.HBox(boxes, layout={"flex_flow": "row wrap"}), *since, self.limit, more]

    def faulty(self) -> bool:
        """Tell whether a control shows an error of its own."""
        return any(one.faulty() for one in (self.conditions, self.where, self.since, self.limit))

    def read(self) -> QuerySpec:
        """
        Return what the form says.

        Raises:
            UsageError: A control holds no value of its filter; or a filter that is required holds none.
        """
        limit = self.limit.read()
        if limit is not None and limit < 0:
            what = f"limit={limit} is negative."
            raise UsageError(what, remedy="Give 0 or more, or leave it empty.")
        sort = self.sort.value
        return QuerySpec(
            self._resource.name,
            self.conditions.read(),
            self.where.read(),
            sort=f"-{sort}" if sort and self.descending.value else sort,
            expand=tuple(self.expand.value),
            accept=self.accept.value,
            strategy=self.strategy.value,
            since=self.since.read(),
            columns=tuple(self.columns.value),
            limit=limit,
            locale=self.locale.value,
        )


def _choice(label: str, options: list[tuple[str, Any]]) -> Any:
    return widgets.Dropdown(
        options=options, index=0 if options else None, description=label, style=LABELLED, layout={"width": WIDE}
    )


def _several(label: str, options: Any) -> Any:
    rows = max(1, min(len(options), _LISTED))
    return widgets.SelectMultiple(
        options=tuple(options), description=label, rows=rows, style=LABELLED, layout={"width": WIDE}
    )
