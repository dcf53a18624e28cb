"""A query per row of a DataFrame: which column gives which filter, and the columns of the result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from vendorkit import arguments
from vendorkit.ask import Ask, Filter
from vendorkit.errors import UsageError
from vendorkit.frames import Kind, ListOf, Nested, Schema, to_frame
from vendorkit.pull.each import ERROR, Bulk, Each
from vendorkit.resource import Resource, Source


@dataclass
class Rows:
    """
    The rows of a DataFrame as queries, each distinct one once.

    Args:
        df: The DataFrame.
        names: The columns that give filters, by the filter.
        ask: Returns the query for the values of these filters.

    Attributes:
        asks: The distinct queries.
        places: For each row the place of its query; None if it has none.
        errors: For rows without a query the reason.
    """

    df: pd.DataFrame
    names: Mapping[str, str]
    ask: Callable[[Mapping[str, Any]], Ask]
    asks: list[Ask] = field(default_factory=list)
    places: list[int | None] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known: dict[str, int] = {}
        for row, cells in enumerate(zip(*(self.df[column].tolist() for column in self.names.values()), strict=True)):
            try:
                ask = self._asked(cells)
            except UsageError as exc:
                self.places.append(None)
                self.errors[row] = str(exc)
                continue
            place = known.setdefault(json.dumps(dict(ask.filters), sort_keys=True), len(self.asks))
            if place == len(self.asks):
                self.asks.append(ask)
            self.places.append(place)

    def _asked(self, cells: Iterable[Any]) -> Ask:
        given = dict(zip(self.names, cells, strict=True))
        for name, cell in given.items():
            if arguments.missing(cell):
                what = f"{self.names[name]} is missing, so nothing was asked."  # else it would be a query without it
                raise UsageError(what)
        return self.ask(given)


def columns_for(df: Any, filters: Mapping[str, Any]) -> dict[str, str]:
    """
    Return the filters that name a column of *df*.

    Raises:
        UsageError: It is no DataFrame, has a needed column twice, or no filter names a column.
    """
    if not isinstance(df, pd.DataFrame):
        arguments.refuse("df", "a DataFrame", df)
    names = {name: one for name, one in filters.items() if isinstance(one, str) and one in df.columns}
    if not names:
        what = "No filter names a column of the DataFrame."
        raise UsageError(what, remedy=f'Give one, such as cnk="code"; there are: {", ".join(map(str, df.columns))}.')
    for column in names.values():
        if isinstance(df[column], pd.DataFrame):
            what = f"The DataFrame has the column {column!r} more than once."
            raise UsageError(what, remedy="Rename one of them.")
    return names


@dataclass(frozen=True)
class ForEach:
    """
    A question with filters that each row of a DataFrame gives.

    Args:
        source: The client.
        resource: What is queried.
        base: The query without these filters.
        names: The columns that give filters, by the filter.
        varied: These filters.
        prefix: Is put before the names of the records' columns.
    """

    source: Source
    resource: Resource
    base: Ask
    names: Mapping[str, str]
    varied: Sequence[Filter]
    prefix: str

    def frame(
        self, df: pd.DataFrame, ask: Callable[[Mapping[str, Any]], Ask], columns: list[str] | None, nested: Nested
    ) -> pd.DataFrame:
        """Return the rows of *df*, each as often as something was found for it, with what was found and the errors."""
        schema = self.resource.columns_of(self.base)
        wanted = schema.project(columns)
        self._check_names(df, wanted.arrow.names)
        rows = Rows(df, self.names, ask)
        bulk = self._bulk(schema, rows.asks)
        also = [] if bulk is None or bulk.column in wanted.arrow.names else [bulk.column]
        each = Each(self.source, schema.project([*wanted.arrow.names, *also]) if also else wanted, rows.asks, bulk)
        each.run(self.resource.name)
        found, positions = each.table(rows.places, nested)
        asked = ((row, None if place is None else each.answers[place]) for row, place in enumerate(rows.places))
        errors = [rows.errors[row] if answer is None else answer.error for row, answer in asked]
        frame = self._joined(df, found.drop(columns=also), positions, errors)
        frame.attrs["vendorkit"] = {
            "vendor": self.source.vendor_name,
            "environment": self.source.environment,
            "request": {"resource": self.resource.name, "for_each": self.names, "filters": dict(self.base.filters)},
            "fetched_at": each.started_at,
            "pages": each.pages,
            "total": None,
            "complete": each.complete and not rows.errors,
        }
        return frame

    def _check_names(self, df: pd.DataFrame, names: Iterable[str]) -> None:
        if doubled := [name for name in [*names, ERROR] if f"{self.prefix}{name}" in df.columns]:
            name = self.resource.name
            what = f"Both the DataFrame and {name} have {', '.join(doubled[:5])}."
            remedy = f'Give prefix="{name}_" for the names of the latter, or choose others with columns=.'
            raise UsageError(what, remedy=remedy)

    def _bulk(self, schema: Schema, asks: Iterable[Ask]) -> Bulk | None:
        """Return how queries can be sent together: one filter of codes that takes a list, and is a column too."""
        if len(self.varied) != 1 or not self.varied[0].many or self.varied[0].kind != "code" or self.base.limit:
            return None
        wire = self.varied[0].wire
        for leaf in schema.leaves:
            of = leaf.kind.of if isinstance(leaf.kind, ListOf) else leaf.kind
            if (
                leaf.path == (wire,)
                and of in (Kind.CODE, Kind.ID)
                and all(isinstance(one.filters[wire], str) for one in asks)
            ):
                return Bulk(wire, leaf.name)
        return None

    def _joined(self, df: pd.DataFrame, found: pd.DataFrame, rows: Any, errors: Sequence[str | None]) -> pd.DataFrame:
        left: pd.DataFrame = df.iloc[rows]
        label = ERROR if ERROR not in df.columns else f"{self.prefix}{ERROR}"
        # Undeclared fields have names that are not known before.
        taken = {*map(str, df.columns), label}
        names = [f"{self.prefix}{name}" for name in found]
        right = found.set_axis([f"{name}__found" if name in taken else name for name in names], axis=1)
        failed = to_frame(pa.table({label: pa.array([errors[row] for row in rows], pa.string())}))
        joined: pd.DataFrame = pd.concat([left, *(one.set_axis(left.index) for one in (right, failed))], axis=1)
        return joined
