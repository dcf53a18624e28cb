"""
A question to a vendor, and the verbs that answer it.

A `Query` is a plain value: nothing is sent until a verb is called, and it can be kept, shown and repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pandas as pd
import pyarrow as pa
import requests

from vendorkit import arguments, calls
from vendorkit.ask import Ask, Since, choice, unknown_name
from vendorkit.errors import UsageError
from vendorkit.frames import NESTED, Drift, Nested, Schema, TableReader, child_tables, flattened
from vendorkit.pull import Plan, Pull, check_limit, finish, paging_now, plan_of, run, table_of
from vendorkit.resource import Resource, Source, describe, first_call
from vendorkit.saved.dataset import Dataset
from vendorkit.saved.update import update
from vendorkit.saved.write import save
from vendorkit.tools.dask import to_dask
from vendorkit.tools.snippets import snippet

if TYPE_CHECKING:
    import dask.dataframe as dd


@calls.checked
@dataclass(frozen=True)
class Query:
    """
    A lazy, immutable question; created by `client.<resource>.query(...)`.

    Attributes:
        client: The client that will send it.
        ask: What it asks, as plain values; the properties below show its parts.
    """

    client: Source = field(repr=False)
    ask: Ask

    @property
    def resource(self) -> Resource:
        """The resource that is queried."""
        return self.client.resource_of(self.ask)

    @property
    def schema(self) -> Schema:
        """The declared columns of the answer."""
        return self.resource.columns_of(self.ask)

    @property
    def filters(self) -> Mapping[str, Any]:
        """The vendor's filter names and their checked values."""
        return MappingProxyType(dict(self.ask.filters))

    @property
    def where(self) -> Mapping[str, Any] | None:
        """The vendor's own nested filter."""
        return self.ask.where

    @property
    def sort(self) -> str | None:
        """The sort key, with "-" before it for descending order."""
        return self.ask.sort

    @property
    def expand(self) -> tuple[str, ...]:
        """The linked resources that are embedded."""
        return self.ask.expand

    @property
    def since(self) -> Since | None:
        """Where changes begin; None for all records."""
        return self.ask.since

    def count(self) -> int:
        """
        Return how many records match, by one small request; two if Medipim's pages announce 10,000 or more.

        Raises:
            UsageError: The vendor does not say how many there are.
        """
        total = run(self.resource.paging_of(self.ask).count(self.ask), self.client)
        if total is None:
            what = f"{self.client.title} does not say how many {self.resource.name} match."
            raise UsageError(what, remedy="Count the rows of frame().")
        return total

    def plan(self, *, limit: int | None = None) -> Plan:
        """
        Return what a download takes: requests, seconds, strategy and why. Nothing is sent but a count.

        Raises:
            UsageError: The vendor does not say how many there are.
        """
        return plan_of(self.client, self._limited(limit), self.count())

    def frame(
        self,
        *,
        columns: str | Iterable[str] | None = None,
        limit: int | None = None,
        locale: str | None = None,
        nested: Nested = "list",
    ) -> pd.DataFrame:
        """
        Return the matching records as a table, one row per record, in the vendor's order.

        Args:
            columns: Only these columns, or this one; the others are not even parsed. None means all.
            limit: At most this many rows. None means all.
            locale: One text column per localised value, in this locale or the first of the declared fallbacks.
            nested: Lists and structs: "list" keeps them in Arrow, "json" makes texts of them, which can be compared,
                grouped and exported, "drop" leaves them out.

        Returns:
            Columns of pandas' own dtypes, with the same names and dtypes for no rows and for a million: texts `str`,
            integers `Int64`, numbers `float64`, booleans `boolean`, times `datetime64[us, UTC]`, dates
            `datetime64[us]`. Fields that are not declared are appended as JSON text, values that do not fit are in
            `<column>__raw`; a `SchemaDrift` warning names both. `attrs["vendorkit"]` says what was asked, when, and
            whether the result is complete.

        Warns:
            DataMoved: The data changed while pages came, also when they were read again; the frame is not complete.

        Raises:
            IncompletePull: The download broke off, or its counts do not add up; `arrived` holds the received rows.
        """
        nested = checked_nested(nested)
        return finish(table_of(self.client, self._limited(limit), self._projected(columns, locale)), nested=nested)

    def tables(
        self, *, columns: str | Iterable[str] | None = None, limit: int | None = None, locale: str | None = None
    ) -> dict[str, pd.DataFrame]:
        """
        Return tidy tables: the records under the resource's name, each nested list as a child table keyed by parent.

        Args:
            columns: Only these columns and the key, such as `["name", "photos"]`. None means all.
            limit: At most this many records.
            locale: As in `frame()`, and in the child tables too.

        Raises:
            IncompletePull: As in `frame()`.
        """
        schema = self._projected(columns, locale, also=(self.schema.key,))
        result = table_of(self.client, self._limited(limit), schema)
        result.warn()
        quiet = replace(result, drift=Drift(), moved=())
        return {name: finish(quiet, child) for name, child in child_tables(result.table, schema).items()}

    def records(self, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the matching records as the vendor sends them in JSON; pages are fetched as they are needed."""
        pull = self._pull(replace(self._limited(limit), accept="json"))
        for one in pull.accepted():
            yield from one.page.records()
        pull.check()

    def batches(
        self,
        *,
        columns: str | Iterable[str] | None = None,
        limit: int | None = None,
        locale: str | None = None,
        nested: Nested = "list",
    ) -> Iterator[pa.RecordBatch]:
        """
        Yield the matching records as Arrow batches of the frame's columns, one or more per page; memory stays bounded.

        Arguments as in `frame()`; dates are Arrow's `date32` here.

        Appended columns (see `frame()`) are only in the batches that need them.
        """
        schema, nested = self._projected(columns, locale), checked_nested(nested)
        pull, drift = self._pull(self._limited(limit)), Drift()
        with closing(pull.read(TableReader(schema).read, most=1)) as groups:
            for group in groups:
                drift.merge(group.value.drift)
                yield from flattened(group.value.table, nested).to_batches()
        drift.warn(schema.name)
        pull.check()

    def save(
        self, path: str | Path, *, columns: str | Iterable[str] | None = None, locale: str | None = None
    ) -> Dataset:
        """
        Store the matching records as a folder of Parquet files; memory stays bounded, `vendorkit.load(path)` reads it.

        Called again after any interruption it continues from there; a complete dataset is returned as it is.

        Raises:
            UsageError: The folder holds something else or another query's dataset, or is in use; nothing was sent.
            IncompletePull: The download or the disk failed, or data changed meanwhile; `arrived` is the `Dataset`.
        """
        return save(self.client, self.ask, path, columns=columns, locale=locale)

    def update(self, path: str | Path) -> Dataset:
        """
        Merge what changed since then into the dataset that `save` created from this query.

        Changed records keep their position, new ones come last, records that were deleted or no longer match leave.

        Raises:
            UsageError: The folder has no complete dataset of this query, or the vendor does not report its changes.
            NotFound: The vendor's feed does not reach back to when it was saved.
            IncompletePull: The download or the disk failed, or data changed meanwhile; the dataset is as it was.
        """
        return update(self.client, self.ask, path)

    def dask(self, partitions: int = 8, *, nested: Nested = "json") -> dd.DataFrame:
        """
        Return a lazy Dask frame with the columns and dtypes of `frame()`; see `vendorkit.tools.dask`.

        Args:
            partitions: About how many parts to plan, if the vendor's paging allows parts.
            nested: As in `frame()`; Dask cannot shuffle lists, so "json" is the default.

        Raises:
            SettingsError: Dask is not installed.
            IncompletePull: The planned parts do not add up to what the vendor announces.
        """
        return to_dask(self.client, self.ask, partitions, checked_nested(nested))

    def request(self) -> requests.PreparedRequest:
        """Return the first request that would be sent, with `***` in place of credentials. Nothing is sent."""
        return self.client.session.prepare(first_call(self.resource, self.ask))

    def snippet(self, language: str = "curl", *, limit: int | None = None) -> str:
        """
        Return the request as code, for at most *limit* rows.

        Args:
            language: "vendorkit", "curl", "python", "requests", "php", "javascript", "java", "ruby", "r", "go",
                "csharp", "powershell", or for Medipim "php-client".
            limit: The first page is no larger than it needs to be for so many rows.
        """
        return snippet(self.client, self._limited(limit), language)

    def describe(self) -> dict[str, Any]:
        """Return the request as plain values, without credentials: enough to repeat it."""
        return describe(self.client, self.ask)

    def _limited(self, limit: int | None) -> Ask:
        return replace(self.ask, limit=check_limit(limit))

    def _projected(self, columns: Any, locale: Any, also: tuple[str, ...] = ()) -> Schema:
        names = arguments.columns(columns)
        return self.schema.project(names and [*also, *names], arguments.locale(locale))

    def _pull(self, ask: Ask) -> Pull:
        return Pull(paging_now(self.client, ask).pages(ask), self.client, self.resource.name, limit=ask.limit)

    if not TYPE_CHECKING:  # type checkers find unknown names by themselves

        def __getattr__(self, name: str) -> NoReturn:
            unknown_name(self, "A query", name)

    def __repr__(self) -> str:
        request = self.describe()
        parts = [f"{name}={request[name]!r}" for name in ("params", "json") if request[name]]
        shown = f" {' '.join(parts)}" if parts else ""
        return f"<Query {self.client.title}: {request['method']} {request['url']}{shown}>"


def checked_nested(given: Any) -> Nested:
    """Return *given* if it is a way to hold lists and structs; `UsageError` if not."""
    return cast("Nested", choice(given, NESTED, "nested cannot be"))
