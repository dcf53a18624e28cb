"""Pages of records as they came, and the typed batches and tables that they become."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from vendorkit.frames.drift import Drift
from vendorkit.frames.schema import Schema


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


class Page(ABC):
    """
    One answer, or one block of a stream: checked, and split into records that are not typed yet.

    Attributes:
        envelope: The answer without its records as plain Python values, for instance `{"meta": {"total": 7}}`.
        at: The date of the answer in unix seconds, if known.
        url: The address that answered, if known.
    """

    envelope: Mapping[str, Any]
    at: float | None
    url: str

    @property
    @abstractmethod
    def rows(self) -> int:
        """Number of records."""

    @abstractmethod
    def values(self, path: str) -> list[Any]:
        """The member at *path* (`"meta.createdAt"`) of each record as a plain value; None if there is none."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """The records as the vendor sent them, with ordinary Python numbers."""

    @abstractmethod
    def head(self, rows: int) -> Page:
        """The page of the first *rows* records."""

    @abstractmethod
    def under(self, name: str) -> Page:
        """The page in which each record *r* is `{name: r}`."""

    @classmethod
    @abstractmethod
    def reader(cls, schema: Schema) -> Callable[[Sequence[Any]], Batch]:
        """Return the function that reads pages of this class under *schema*; threads may share it."""

    def table(self, schema: Schema) -> Batch:
        """Read the records under *schema*. Raises MalformedAnswer if one of them is not an object."""
        return self.reader(schema)([self])


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
    declared = schema.arrow.names
    return table.select([*declared, *sorted(set(table.column_names) - set(declared))]), drift
