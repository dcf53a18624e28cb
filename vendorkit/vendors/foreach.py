"""`for_each`: one query per row of a DataFrame, whose columns provide the values of filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from vendorkit import arguments
from vendorkit.ask import Ask, Filter
from vendorkit.errors import UsageError
from vendorkit.frames import Kind, ListOf, Nested, Schema, to_frame
from vendorkit.pull.each import ERROR, Bulk, Each
from vendorkit.resource import Resource, Source


def columns_for(df: Any, filters: Mapping[str, Any]) -> dict[str, str]:
    """
    Return the filters that name a column of *df*.

    Raises:
        UsageError: *df* is not a DataFrame, no filter names one of its columns, or a named column occurs twice.
    """
    if not isinstance(df, pd.DataFrame):
        arguments.refuse("df", "a pandas DataFrame", df)
    names = {name: value for name, value in filters.items() if isinstance(value, str) and value in df.columns}
    if not names:
        what = "No filter names a column of the DataFrame."
        raise UsageError(what, remedy=f'Name one, such as cnk="code". Columns: {", ".join(map(str, df.columns))}.')
    for column in names.values():
        if isinstance(df[column], pd.DataFrame):
            what = f"The DataFrame has the column {column!r} more than once."
            raise UsageError(what, remedy="Rename one of them.")
    return names


@dataclass(frozen=True)
class ForEach:
    """
    Queries with filters that differ per row of a DataFrame.

    Args:
        source: The client.
        resource: The queried resource.
        base: The query without the filters that differ.
        names: Filter name to the column that provides its values.
        row_filters: The filters that differ.
        prefix: Prefix for the names of the records' columns.
        ask_for: Returns the query for the values of the filters that differ.
    """

    source: Source
    resource: Resource
    base: Ask
    names: Mapping[str, str]
    row_filters: Sequence[Filter]
    prefix: str
    ask_for: Callable[[Mapping[str, Any]], Ask]

    def frame(self, df: pd.DataFrame, columns: list[str] | None, nested: Nested) -> pd.DataFrame:
        """Return the rows of *df*, repeated for each of their records, with the records' columns and the errors."""
        schema = self.resource.columns_of(self.base)
        wanted = schema.project(columns)
        self._check_names(df, wanted.arrow.names)
        asks, numbers, errors = self._queries(df)
        bulk = self._bulk(schema, asks)
        extra = [] if bulk is None or bulk.column in wanted.arrow.names else [bulk.column]
        each = Each(self.source, schema.project([*wanted.arrow.names, *extra]) if extra else wanted, asks, bulk)
        each.run(self.resource.name)
        records, positions = each.table(numbers, nested)
        reasons = [errors[row] if number is None else each.answers[number].error for row, number in enumerate(numbers)]
        frame = self._joined(df, records.drop(columns=extra), positions, reasons)
        frame.attrs["vendorkit"] = {
            "vendor": self.source.vendor_name,
            "environment": self.source.environment,
            "request": {"resource": self.resource.name, "for_each": self.names, "filters": dict(self.base.filters)},
            "fetched_at": each.started_at,
            "pages": each.pages,
            "total": None,
            "complete": each.complete and not errors,
        }
        return frame

    def _queries(self, df: pd.DataFrame) -> tuple[list[Ask], list[int | None], dict[int, str]]:
        """Return the distinct queries, the number of each row's query, and why a row has none (number None)."""
        asks, known, numbers, errors = list[Ask](), dict[str, int](), list[int | None](), dict[int, str]()
        for row, cells in enumerate(zip(*(df[column].tolist() for column in self.names.values()), strict=True)):
            try:
                ask = self._checked(cells)
            except UsageError as exc:
                numbers.append(None)
                errors[row] = str(exc)
                continue
            numbers.append(known.setdefault(json.dumps(dict(ask.filters), sort_keys=True), len(asks)))
            if numbers[-1] == len(asks):
                asks.append(ask)
        return asks, numbers, errors

    def _checked(self, cells: Iterable[Any]) -> Ask:
        values = dict(zip(self.names, cells, strict=True))
        for name, cell in values.items():
            if arguments.missing(cell):  # without this filter, the query would match other records
                what = f"{self.names[name]} is missing, so no query was sent."
                raise UsageError(what)
        return self.ask_for(values)

    def _check_names(self, df: pd.DataFrame, names: Iterable[str]) -> None:
        if doubled := [name for name in [*names, ERROR] if f"{self.prefix}{name}" in df.columns]:
            name = self.resource.name
            what = f"The DataFrame and {name} both have the column {', '.join(doubled[:5])}."
            remedy = f'Pass prefix="{name}_" to rename the columns of {name}, or choose others with columns=.'
            raise UsageError(what, remedy=remedy)

    def _bulk(self, schema: Schema, asks: Iterable[Ask]) -> Bulk | None:
        """Return how to combine the queries: by one filter that accepts a list of codes, and is also a column."""
        declared, *others = self.row_filters
        if others or not declared.many or declared.kind != "code" or self.base.limit:
            return None
        wire = declared.wire
        if not all(isinstance(ask.filters[wire], str) for ask in asks):
            return None
        for leaf in schema.leaves:
            kind = leaf.kind.of if isinstance(leaf.kind, ListOf) else leaf.kind
            if leaf.path == (wire,) and kind in (Kind.CODE, Kind.ID):
                return Bulk(wire, leaf.name)
        return None

    def _joined(self, df: pd.DataFrame, records: pd.DataFrame, rows: Any, errors: Sequence[str | None]) -> pd.DataFrame:
        left: pd.DataFrame = df.iloc[rows]
        label = ERROR if ERROR not in df.columns else f"{self.prefix}{ERROR}"
        # Undeclared fields may have the name of a column of *df*; that was not known before the download.
        taken = {*map(str, df.columns), label}
        names = [f"{self.prefix}{name}" for name in records]
        middle = records.set_axis([f"{name}__found" if name in taken else name for name in names], axis=1)
        right = to_frame(pa.table({label: pa.array([errors[row] for row in rows], pa.string())}))
        joined: pd.DataFrame = pd.concat([left, *(part.set_axis(left.index) for part in (middle, right))], axis=1)
        return joined
