"""Pages of raw records, and the typed batches and tables that are read from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Any, ClassVar, Final

import pyarrow as pa

from vendorkit.frames.drift import Drift
from vendorkit.frames.schema import Schema

_CHUNKS: Final = 500  # pandas and Arrow are slow with many small chunks


@dataclass(frozen=True)
class Batch:
    """
    Records in the frame's columns.

    Attributes:
        table: One row per record, in order; the declared columns first, then the columns of undeclared fields.
        drift: The fields and values that did not match the schema.
    """

    table: pa.Table
    drift: Drift = field(default_factory=Drift)


@dataclass(frozen=True)
class Page(ABC):
    """
    One response, or one block of a stream: checked, and split into records that have no types yet.

    Attributes:
        raws: The records as received.
        envelope: The response without its records as plain Python values, for example `{"meta": {"total": 7}}`.
        at: The date of the response in unix seconds; None if unknown.
        url: The URL of the response; "" if unknown.
        readers, group_rows: The fastest number of threads that read such pages, and of rows that each reads at once.
    """

    # Arrow parses JSON without the GIL; more threads gain little.
    readers: ClassVar[int] = 2
    group_rows: ClassVar[int] = 2_000

    raws: Sequence[Any]
    envelope: Mapping[str, Any] = field(default_factory=dict)
    at: float | None = None
    url: str = ""

    @property
    def rows(self) -> int:
        """Number of records."""
        return len(self.raws)

    def head(self, rows: int) -> Page:
        """Return a page of the first *rows* records."""
        return replace(self, raws=self.raws[:rows])

    def values(self, path: str) -> list[Any]:
        """Return the member at *path* (`"meta.createdAt"`) of each record as a plain value; None if it is missing."""
        items: list[Any] = self.records()
        for name in path.split("."):
            items = [item.get(name) if isinstance(item, dict) else None for item in items]
        return items

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """Return the records as the vendor sends them in JSON, with ordinary Python numbers."""

    @staticmethod
    @abstractmethod
    def reader(schema: Schema) -> Callable[[Sequence[Any]], Batch]:
        """Return a thread-safe function that reads records of such pages under *schema*."""

    def table(self, schema: Schema) -> Batch:
        """Read the records under *schema*. Raises MalformedAnswer if a record is not an object."""
        return self.reader(schema)(self.raws)


class TableReader:
    """
    Reads pages under one schema. The batch of a page does not depend on the pages read before it.

    Args:
        schema: The declared columns.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._reader_of = lru_cache(maxsize=None)(lambda page_type: page_type.reader(schema))

    def read(self, pages: Sequence[Page]) -> Batch:
        """
        Read several pages as one batch, with the rows in order; this is faster than one page at a time.

        Raises:
            MalformedAnswer: A record is not an object, or not strict JSON or XML.
        """
        groups = groupby(pages, type)
        batches = [self._reader_of(kind)([raw for page in group for raw in page.raws]) for kind, group in groups]
        return joined(batches, self._schema)


def joined(batches: Sequence[Batch], schema: Schema) -> Batch:
    """Join batches in order, as in `combine`."""
    return batches[0] if len(batches) == 1 else Batch(*combine(batches, schema))


def combine(batches: Iterable[Batch], schema: Schema) -> tuple[pa.Table, Drift]:
    """
    Join batches in order: the declared columns first, then the columns of undeclared fields by name.

    A column that a batch lacks is null in its rows. Without batches the result is the empty table.
    """
    drift = Drift()
    tables = [schema.empty()]
    for batch in batches:
        drift.merge(batch.drift)
        tables.append(batch.table)
    table = pa.concat_tables(tables, promote_options="default")
    if len(tables) > max(_CHUNKS, table.num_rows // 1_000):
        table = table.combine_chunks()
    declared = schema.arrow.names
    return table.select([*declared, *sorted(set(table.column_names) - set(declared))]), drift
