"""
A question to a vendor, and the verbs that answer it.

A `Query` is a plain value: nothing is sent until a verb is called, and it can be kept, shown and repeated. Every verb
pulls through `_pull`, which checks that what arrives is the whole of what the vendor announced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa
import requests
from tqdm.auto import tqdm

from vendorkit.errors import AuthError, Cancelled, IncompletePull, UsageError, VendorkitError
from vendorkit.frames import Drift, Page, Schema, child_tables, combine, to_frame
from vendorkit.pages import P, Reader
from vendorkit.pull import Pull, check_limit, head, put_away, repeats, watcher, without_copies

if TYPE_CHECKING:
    import dask.dataframe as dd

    from vendorkit.resource import Resource
    from vendorkit.saved.dataset import Dataset
    from vendorkit.vendors.client import Client


class Span(NamedTuple):
    """A planned part of an answer, in plain values: how many rows, and what the vendor's paging takes to fetch them."""

    rows: int
    asked: list[Any]


class Since(NamedTuple):
    """From where on changes are asked for: a moment in unix seconds, or a place in the vendor's own feed."""

    at: int
    place: bool = False


@dataclass(frozen=True)
class Query:
    """
    A lazy, immutable question; made by `client.<resource>.query(...)`.

    Attributes:
        client: The client that will send it.
        resource: What is asked for.
        filters: The vendor's filter names to checked values.
        where: The vendor's own nested filter (`and`, `or`, `not`), beside `filters`; None for none.
        sort: The vendor's sort key, with "-" before it for descending order; None for the resource's default.
        expand: Linked resources to embed (Mediagenix).
        accept: "json" or "xml": the form to ask for, where the vendor has both.
        url: The address of a followed link; None for the resource's own.
        strategy: How a pull is made that pages cannot hold, where the resource has a choice; "" for the only way.
        span: The part to pull, as `dask` planned it; None for all.
        since: Only what changed from there on; None for all.
    """

    client: Client = field(repr=False)
    resource: Resource = field(repr=False)
    filters: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] | None = None
    sort: str | None = None
    expand: tuple[str, ...] = ()
    accept: str = "json"
    url: str | None = None
    strategy: str = ""
    span: Span | None = field(default=None, repr=False)
    since: Since | None = None

    @property
    def schema(self) -> Schema:
        """The declared columns of the answer."""
        return self.resource.schema_of(self)

    def count(self) -> int:
        """
        Return how many records match, by one small request; two where Medipim's pages say 10,000 for all that is more.

        Raises:
            UsageError: The vendor does not say how many there are.
        """
        total = self.resource.style.count(self)
        if total is None:
            what = f"{self.client.title} does not say how many {self.resource.name} match."
            raise UsageError(what, remedy="Count the rows of frame().")
        return total

    def frame(
        self, *, columns: Sequence[str] | None = None, limit: int | None = None, locale: str | None = None
    ) -> pd.DataFrame:
        """
        Return the matching records as a table, one row each, in the vendor's order.

        Args:
            columns: Only these columns; the others are not even parsed. None means all.
            limit: At most this many rows. None means all.
            locale: One text column for each localised value, in this locale or the first of the declared fallbacks.

        Returns:
            Arrow-backed columns, the same names and dtypes for no rows and for a million. Fields that are not declared
            are appended as JSON text, values that do not fit stand in `<column>__raw`; a `SchemaDrift` warning names
            both. `attrs["vendorkit"]` says what was asked, when, and whether the result is complete.

        Raises:
            IncompletePull: The pull broke off, or pages did not fit together; `arrived` holds the rows that came.
        """
        schema = self.schema.project(columns, locale)
        table, pull = self._table(schema, limit)
        return self._finish(table, pull)

    def tables(
        self, *, columns: Sequence[str] | None = None, limit: int | None = None, locale: str | None = None
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
        schema = self.schema.project(None if columns is None else [self.schema.key, *columns], locale)
        table, pull = self._table(schema, limit)
        children = child_tables(table, schema)
        return {name: self._finish(child, pull) for name, child in children.items()}

    def records(self, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the matching records as the vendor sent them, in JSON; pages are fetched as they are needed."""
        asked = replace(self, accept="json")
        reader = asked.resource.style.record_reader(asked)
        pull = Pull(asked)
        for page in asked._pull(reader, limit, pull):  # noqa: SLF001 - of this very class
            yield from page.records
        pull.check(limit)

    def batches(
        self, *, columns: Sequence[str] | None = None, limit: int | None = None, locale: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """
        Yield the matching records as Arrow batches of the frame's columns, one or more a page; memory stays bounded.

        Appended columns (see `frame()`) stand only in the batches that need them.
        """
        schema = self.schema.project(columns, locale)
        pull = Pull(self)
        for page in self._pull(self.resource.style.reader(self, schema), limit, pull):
            pull.drift.merge(page.drift)
            yield from page.table.to_batches()
        pull.drift.warn(self.schema.name)
        pull.check(limit)

    def save(self, path: str | Path, *, columns: Sequence[str] | None = None, locale: str | None = None) -> Dataset:
        """
        Store the matching records as a folder of Parquet files; memory stays bounded, `vendorkit.load(path)` reads it.

        Called again after any interruption it goes on where it stopped; a whole dataset is returned as it is.

        Raises:
            UsageError: The folder holds something else or another query's dataset, or is in use; nothing was sent.
            IncompletePull: The pull or the disk gave out, or data changed meanwhile; `arrived` is the `Dataset` so far.
        """
        from vendorkit.saved.dataset import save  # noqa: PLC0415 - datasets are made of queries

        return save(self, path, columns=columns, locale=locale)

    def update(self, path: str | Path) -> Dataset:
        """
        Fold what changed since then into the dataset that `save` made of this query.

        Changed records stay in their places, new ones come last, what is deleted or does not match any more leaves.

        Raises:
            UsageError: The folder has no whole dataset of this query, or the vendor does not tell of its changes.
            NotFound: The vendor's feed does not reach back to when it was saved.
            IncompletePull: The pull or the disk gave out, or data changed meanwhile; the dataset is as it was.
        """
        from vendorkit.saved.update import update  # noqa: PLC0415 - datasets are made of queries

        return update(self, path)

    def dask(self, partitions: int = 8) -> dd.DataFrame:
        """
        Return a lazy Dask frame with the columns and dtypes of `frame()`; see `vendorkit.tools.dask`.

        Args:
            partitions: About how many parts to plan, where the vendor's paging allows parts.

        Raises:
            SettingsError: Dask is not installed.
            IncompletePull: The planned parts do not add up to what the vendor announces.
        """
        from vendorkit.tools.dask import to_dask  # noqa: PLC0415 - the cluster comes after queries in the order of imports

        return to_dask(self, partitions)

    def request(self) -> requests.PreparedRequest:
        """Return the first request that would be sent, with `***` where credentials go. Nothing is sent."""
        return self.client.session.prepare(self.resource.style.first_call(self))

    def snippet(self, language: str = "curl") -> str:
        """Return the request as code: "vendorkit", "curl", "python", "requests", "php", for Medipim "php-client"."""
        from vendorkit.tools.snippets import snippet  # noqa: PLC0415 - snippets come after queries in the order of imports

        return snippet(self, language)

    def describe(self) -> dict[str, Any]:
        """Return the request as plain values, without credentials: enough to repeat it."""
        call = self.resource.style.first_call(self)
        told = {
            "method": call.method,
            "url": self.client.session.absolute(call.url),
            "params": dict(call.params),
            "json": call.json,
        }
        # Where changes are read from a feed, its address says nothing of the question.
        return told if self.since is None else {**told, "since": self.since.at, "filters": dict(self.filters)}

    def _table(self, schema: Schema, limit: int | None) -> tuple[pa.Table, Pull]:
        pull, pages = Pull(self), list[Page]()
        try:
            for page in self._pull(self.resource.style.reader(self, schema), limit, pull):
                pages.append(page)
        except (AuthError, Cancelled, UsageError):
            raise
        except VendorkitError as exc:
            if not pages:
                raise
            broken = exc
        else:
            table, drift = combine(pages, schema)
            pull.drift.merge(drift)
            return self._whole(table, pull, limit), pull
        pull.complete = False
        table, _ = combine(pages, schema)
        what = f"The pull of {self.resource.name} broke off after {table.num_rows:,} rows: {broken.what}"
        raise IncompletePull(what, arrived=self._finish(table, pull), remedy=broken.remedy) from broken

    def _whole(self, table: pa.Table, pull: Pull, limit: int | None) -> pa.Table:
        """Check *table* against the vendor's total and for doubled records; exact copies are dropped."""
        why: str | None = None
        if pull.pages > 1 and repeats(table, self.schema.key):
            table = without_copies(table)
            if repeats(table, self.schema.key):
                why = "the same id came with different values"
        if why := why or pull.moved(table.num_rows, limit):
            raise pull.not_whole(why, self._finish(table, pull))
        pull.complete = limit is None or table.num_rows < limit or table.num_rows == pull.total
        return table

    def _pull(self, reader: Reader[P], limit: int | None, pull: Pull, after: Any = None) -> Iterator[P]:
        """Yield pages until the limit is reached or the vendor says there are no more, showing progress."""
        check_limit(limit)
        left = limit
        style, watch = self.resource.style, watcher()
        quiet = self.span is not None or watch is not None
        with tqdm(desc=self.resource.name, unit=" rows", delay=2.0, leave=False, disable=quiet) as bar, put_away(bar):
            for page in style.pages(self, reader, limit, after):
                cut = page if left is None or page.rows <= left else head(page, left)
                pull.saw(page.rows, style.total(page.envelope))
                bar.total = pull.total if limit is None else min(limit, pull.total or limit)
                bar.update(cut.rows)
                if watch is not None:
                    watch(pull)
                yield cut
                if left is not None and (left := left - cut.rows) <= 0:
                    return

    def _finish(self, table: pa.Table, pull: Pull) -> pd.DataFrame:
        pull.drift.warn(self.schema.name)
        pull.drift = Drift()
        frame = to_frame(table)
        frame.attrs["vendorkit"] = {
            "vendor": self.client.vendor_name,
            "environment": self.client.environment,
            "request": self.describe(),
            "fetched_at": pull.fetched_at,
            "pages": pull.pages,
            "total": pull.total,
            "complete": pull.complete,
        }
        return frame

    def __repr__(self) -> str:
        asked = self.describe()
        parts = [f"{name}={asked[name]!r}" for name in ("params", "json") if asked[name]]
        told = f" {' '.join(parts)}" if parts else ""
        return f"<Query {self.client.title}: {asked['method']} {asked['url']}{told}>"
