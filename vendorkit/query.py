"""
A query to a vendor, and the methods that run it.

A `Query` is an immutable value. Creating one sends nothing, and it can be run any number of times.
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
    A lazy, immutable query; created by `client.<resource>.query(...)`.

    Attributes:
        client: The client that sends the requests.
        ask: The query as plain values; the properties below return its parts.
    """

    client: Source = field(repr=False)
    ask: Ask

    @property
    def resource(self) -> Resource:
        """The queried resource."""
        return self.client.resource_of(self.ask)

    @property
    def schema(self) -> Schema:
        """The declared columns of the result."""
        return self.resource.columns_of(self.ask)

    @property
    def filters(self) -> Mapping[str, Any]:
        """The checked filter values, by the vendor's filter name."""
        return MappingProxyType(dict(self.ask.filters))

    @property
    def where(self) -> Mapping[str, Any] | None:
        """The nested filter in the vendor's own syntax; None if there is none."""
        return self.ask.where

    @property
    def sort(self) -> str | None:
        """The sort key; a leading "-" means descending order."""
        return self.ask.sort

    @property
    def expand(self) -> tuple[str, ...]:
        """The linked resources to embed."""
        return self.ask.expand

    @property
    def since(self) -> Since | None:
        """Where the changes to fetch begin; None for all records."""
        return self.ask.since

    def count(self) -> int:
        """
        Return the number of matching records.

        Takes one small request, or two if Medipim's pages announce 10,000 or more.

        Raises:
            UsageError: The vendor does not report the number.
        """
        total = run(self.resource.paging_of(self.ask).count(self.ask), self.client)
        if total is None:
            what = f"{self.client.title} does not report how many {self.resource.name} match."
            raise UsageError(what, remedy="Count the rows of frame() instead.")
        return total

    def plan(self, *, limit: int | None = None) -> Plan:
        """
        Return the estimated cost of a download: requests, seconds, strategy and reason. Sends only a count.

        Raises:
            UsageError: The vendor does not report the number of matching records.
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
        Return the matching records as a DataFrame, one row per record, in the vendor's order.

        Args:
            columns: Names of the columns to return, or one name; other fields are not parsed. None means all.
            limit: Maximum number of rows. None means all.
            locale: Return each localised value as one column, in this locale or else in the first declared fallback.
            nested: How to return lists and structs. "list" keeps them as Arrow values. "json" converts them to JSON
                text, which can be compared, grouped and exported. "drop" leaves them out.

        Returns:
            A frame with pandas' own dtypes; its column names and dtypes are the same for no rows and for a million.
            Text is `str`, integers `Int64`, numbers `float64`, booleans `boolean`, times `datetime64[us, UTC]`, dates
            `datetime64[us]`. Undeclared fields are appended as columns of JSON text. If a value does not fit its
            column, the original is in `<column>__raw`. A `SchemaDrift` warning names both. `attrs["vendorkit"]` has
            the request, its time, and whether the result is complete.

        Warns:
            DataMoved: The data changed during the download and during each retry; the frame is not complete.

        Raises:
            IncompletePull: The download failed midway, or its counts do not add up; `arrived` has the received rows.
        """
        nested = checked_nested(nested)
        return finish(table_of(self.client, self._limited(limit), self._projected(columns, locale)), nested=nested)

    def tables(
        self, *, columns: str | Iterable[str] | None = None, limit: int | None = None, locale: str | None = None
    ) -> dict[str, pd.DataFrame]:
        """
        Return tidy tables by name: the records under the resource's name, and a child table for each nested list.

        Each row of a child table has the key of its parent record.

        Args:
            columns: Names of the columns to return, such as `["name", "photos"]`; the key, if any, is added. None means
                all.
            limit: Maximum number of records. None means all.
            locale: As in `frame()`; it applies to the child tables too.

        Raises:
            IncompletePull: As in `frame()`.
        """
        schema = self._projected(columns, locale, also=self.schema.key)
        result = table_of(self.client, self._limited(limit), schema)
        result.warn()
        quiet = replace(result, drift=Drift(), moved=())
        return {name: finish(quiet, child) for name, child in child_tables(result.table, schema).items()}

    def records(self, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the matching records as the vendor sends them in JSON; pages are fetched as needed."""
        pull = self._pull(replace(self._limited(limit), accept="json"))
        for accept in pull.accepted():
            yield from accept.page.records()
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
        Yield the matching records as Arrow batches with the columns of `frame()`, one or more batches per page.

        Memory use stays bounded. The arguments are those of `frame()`. Dates are Arrow's `date32`. Columns of
        undeclared or unfit values appear only in the batches that need them.
        """
        schema, nested = self._projected(columns, locale), checked_nested(nested)
        pull, drift = self._pull(self._limited(limit)), Drift()
        with closing(pull.read(TableReader(schema).read, rows=1)) as groups:
            for group in groups:
                drift.merge(group.value.drift)
                yield from flattened(group.value.table, nested).to_batches()
        drift.warn(schema.name)
        pull.check()

    def save(
        self, path: str | Path, *, columns: str | Iterable[str] | None = None, locale: str | None = None
    ) -> Dataset:
        """
        Save the matching records as a folder of Parquet files; `vendorkit.load(path)` reads it.

        Memory use stays bounded. After an interruption, the same call continues where it stopped. If the dataset is
        already complete, it is returned unchanged.

        Raises:
            UsageError: The folder contains other files or another query's dataset, or is in use; nothing was sent.
            IncompletePull: The download or a write failed, or the data changed during it; `arrived` is the `Dataset`.
        """
        return save(self.client, self.ask, path, columns=columns, locale=locale)

    def update(self, path: str | Path) -> Dataset:
        """
        Bring the dataset that `save` created from this query up to date.

        Changed records keep their position and new ones are appended. Records that were deleted or no longer match
        are removed.

        Raises:
            UsageError: The folder has no complete dataset of this query, or the vendor does not report its changes.
            NotFound: The vendor's feed does not reach back to the last save or update.
            IncompletePull: The download or a write failed, or the data changed during it; the dataset is unchanged.
        """
        return update(self.client, self.ask, path)

    def dask(self, partitions: int = 8, *, nested: Nested = "json") -> dd.DataFrame:
        """
        Return a lazy Dask DataFrame with the columns and dtypes of `frame()`; see `vendorkit.tools.dask`.

        Args:
            partitions: Approximate number of partitions; one if the vendor's paging cannot be divided.
            nested: As in `frame()`. The default is "json", because Dask cannot shuffle lists.

        Raises:
            SettingsError: Dask is not installed.
            IncompletePull: The row counts of the partitions do not add up to the total that the vendor announces.
        """
        return to_dask(self.client, self.ask, partitions, checked_nested(nested))

    def request(self) -> requests.PreparedRequest:
        """Return the first request of this query without sending it; credentials are shown as `***`."""
        return self.client.session.prepare(first_call(self.resource, self.ask))

    def snippet(self, language: str = "curl", *, limit: int | None = None) -> str:
        """
        Return code that sends the first request of this query.

        Args:
            language: "vendorkit", "curl", "python", "requests", "php", "javascript", "java", "ruby", "r", "go",
                "csharp", "powershell", or for Medipim "php-client".
            limit: Maximum number of rows; a small limit makes the requested page smaller.
        """
        return snippet(self.client, self._limited(limit), language)

    def describe(self) -> dict[str, Any]:
        """Return the first request as plain values that are enough to repeat it, without credentials."""
        return describe(self.client, self.ask)

    def _limited(self, limit: int | None) -> Ask:
        return replace(self.ask, limit=check_limit(limit))

    def _projected(self, columns: Any, locale: Any, also: str = "") -> Schema:
        names = arguments.columns(columns)
        return self.schema.project(names and [*filter(None, [also]), *names], arguments.locale(locale))

    def _pull(self, ask: Ask) -> Pull:
        return Pull(paging_now(self.client, ask).pages(ask), self.client, self.resource.name, limit=ask.limit)

    if not TYPE_CHECKING:  # type checkers find unknown names by themselves

        def __getattr__(self, name: str) -> NoReturn:
            unknown_name(self, "A query", name, call="frame()" if hasattr(pd.DataFrame, name) else "")

    def __repr__(self) -> str:
        request = self.describe()
        parts = [f"{name}={request[name]!r}" for name in ("params", "json") if request[name]]
        shown = f" {' '.join(parts)}" if parts else ""
        return f"<Query {self.client.title}: {request['method']} {request['url']}{shown}>"


def checked_nested(nested: Any) -> Nested:
    """Return *nested* if it is "list", "json" or "drop"; raise `UsageError` if not."""
    return cast("Nested", choice(nested, NESTED, "nested cannot be"))
