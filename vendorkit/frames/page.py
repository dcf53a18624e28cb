"""Pages of records as they came, and the typed batches and tables that they become."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, ClassVar, Final

import pyarrow as pa

from vendorkit.frames.drift import Drift
from vendorkit.frames.schema import Schema

_CHUNKS: Final = 500  # with many small ones, pandas and Arrow take longer


@dataclass(frozen=True)
class Batch:
    """
    Records in the frame's columns.

    Attributes:
        table: One row per record, in order; the declared columns first, then those of undeclared fields.
        drift: What did not match the schema.
    """

    table: pa.Table
    drift: Drift = field(default_factory=Drift)


@dataclass(frozen=True)
class Page(ABC):
    """
    One answer, or one block of a stream: checked, and split into records that are not typed yet.

    Attributes:
        raws: The records as they came.
        envelope: The answer without its records as plain Python values, for instance `{"meta": {"total": 7}}`.
        at: The date of the answer in unix seconds, if known.
        url: The address that answered, if known.
        readers, together: How many threads read such pages, and the rows that each takes at once: what is quickest.
    """

    # Arrow parses JSON without Python's lock, and more threads gain little.
    readers: ClassVar[int] = 2
    together: ClassVar[int] = 2_000

    raws: Sequence[Any]
    envelope: Mapping[str, Any] = field(default_factory=dict)
    at: float | None = None
    url: str = ""

    @property
    def rows(self) -> int:
        """Number of records."""
        return len(self.raws)

    def head(self, rows: int) -> Page:
        """The page of the first *rows* records."""
        return replace(self, raws=self.raws[:rows])

    def values(self, path: str) -> list[Any]:
        """The member at *path* (`"meta.createdAt"`) of each record as a plain value; None if there is none."""
        found: list[Any] = self.records()
        for name in path.split("."):
            found = [one.get(name) if isinstance(one, dict) else None for one in found]
        return found

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """The records as the vendor sends them in JSON, with ordinary Python numbers."""

    @abstractmethod
    def under(self, name: str) -> Page:
        """The page in which each record *r* is `{name: r}`."""

    @staticmethod
    @abstractmethod
    def reader(schema: Schema) -> Callable[[Sequence[Any]], Batch]:
        """Return the function that reads records of such pages under *schema*; threads may share it."""

    def table(self, schema: Schema) -> Batch:
        """Read the records under *schema*. Raises MalformedAnswer if one of them is not an object."""
        return self.reader(schema)(self.raws)


class TableReader:
    """
    Reads pages under one schema. What it returns depends on the pages and the schema only, in whatever order they come.

    Args:
        schema: The declared columns.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._readers: dict[type, Callable[[Sequence[Any]], Batch]] = {}

    def read(self, pages: Sequence[Page]) -> Batch:
        """
        Read several pages at once, which is faster than one by one; rows are in order.

        Raises:
            MalformedAnswer: A record is not an object, or not strict JSON or XML.
        """
        batches = []
        for form, group in groupby(pages, type):
            together = list(group)
            if form not in self._readers:
                self._readers[form] = together[0].reader(self._schema)
            batches.append(self._readers[form]([raw for page in together for raw in page.raws]))
        return joined(batches, self._schema)


def joined(batches: Sequence[Batch], schema: Schema) -> Batch:
    """Join batches in order, as `combine` does."""
    return batches[0] if len(batches) == 1 else Batch(*combine(batches, schema))


def combine(batches: Iterable[Batch], schema: Schema) -> tuple[pa.Table, Drift]:
    """
    Join batches in order: the declared columns first, then those of undeclared fields by name.

    A column that a batch does not have is null for its rows. No batches give the empty table.
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
