"""Data that does not match the schema: it is kept in columns of JSON text, counted, and reported in one warning."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.deadline import check_cancelled
from vendorkit.errors import printable
from vendorkit.frames.names import encodable
from vendorkit.frames.raw import members_in, quoted
from vendorkit.frames.schema import Schema
from vendorkit.frames.values import dumps, loads, malformed

Path = tuple[str, ...]

UNDECLARED: Final = "__undeclared"  # the one column for all such data in tables with fixed columns

_SHOWN: Final = 20  # names in a warning; a response may have thousands
_LONGEST: Final = 100  # characters per name


class SchemaDrift(UserWarning):
    """A response has undeclared fields, or values that do not fit their declared type. Nothing was lost."""


@dataclass
class Drift:
    """
    Names and counts of the data that did not match the schema, without its values.

    Attributes:
        unknown: Number of records that have an undeclared field, by the vendor's name of the field (`encodable`).
        unfit: Number of values that do not fit their declared type, by column.
    """

    unknown: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Drift) -> None:
        """Add the counts of another page."""
        self.unknown.update(other.unknown)
        self.unfit.update(other.unfit)

    def warn(self, name: str) -> None:
        """Issue one `SchemaDrift` warning about the schema *name* at the caller's own line, if anything was counted."""
        parts = []
        if self.unknown:
            parts.append(f"fields that are not declared, kept as JSON text: {_counts(self.unknown)}")
        if self.unfit:
            parts.append(f"values that do not fit, kept in <column>__raw: {_counts(self.unfit)}")
        if parts:
            warnings.warn(f"{name}: {'; '.join(parts)}.", SchemaDrift, stacklevel=levels_to_caller())


def levels_to_caller() -> int:
    """Return the `stacklevel` with which `warnings.warn` in the calling function names a line outside vendorkit."""
    level, frame = 1, inspect.currentframe()
    frame = frame and frame.f_back
    while frame is not None and frame.f_globals.get("__name__", "").startswith("vendorkit."):
        level, frame = level + 1, frame.f_back
    return level


def _counts(counter: Counter[str]) -> str:
    names = sorted(counter)
    shown = ", ".join(f"{printable(name[:_LONGEST])} ({counter[name]})" for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown


class Extras:
    """
    Collects undeclared fields, and the originals of values that do not fit.

    Args:
        schema: The declared columns.

    Attributes:
        drift: The counts of the collected data.
    """

    def __init__(self, schema: Schema) -> None:
        self.drift = Drift()
        self._column = lru_cache(maxsize=None)(schema.undeclared)
        self._cells: dict[str, dict[int, str]] = defaultdict(dict)

    def undeclared(self, path: Path, texts: Mapping[int, str]) -> None:
        """Add an undeclared field: its JSON texts by row."""
        self.drift.unknown[encodable(".".join(path))] += len(texts)
        cells = self._cells[self._column(path)]
        if not cells.keys().isdisjoint(texts):  # the CRCs of their names are equal
            what = f"The answer has two undeclared fields for the column {self._column(path)} in one record."
            raise malformed(what)
        cells.update(texts)

    def unfit(self, column: str, row: int, text: str) -> None:
        """Add a value, as JSON text, that does not fit *column*."""
        self.drift.unfit[column] += 1
        self._cells[f"{column}__raw"][row] = text

    def arrays(self, rows: int) -> dict[str, pa.Array]:
        """Return the collected columns by name, with *rows* rows."""
        arrays = {}
        for name, cells in sorted(self._cells.items()):
            check_cancelled()  # there may be as many names as records
            arrays[name] = _scattered(cells, rows)
        return arrays


def _scattered(cells: Mapping[int, str], rows: int) -> pa.Array:
    """Return an array with the texts in their rows and null in the others."""
    index = np.full(rows, -1)
    index[list(cells)] = range(len(cells))
    return pa.array(list(cells.values()), pa.string()).take(pa.array(index, mask=index < 0))


def gathered(table: pa.Table, schema: Schema, drift: Drift) -> pa.Table:
    """
    Return the declared columns of *table*, and all other columns combined in one text column `__undeclared`.

    Args:
        table: A table under *schema*, as returned by `combine`.
        schema: The declared columns.
        drift: The drift of the table; it has the vendor's names of the other columns.

    Returns:
        In `__undeclared`, each row has one JSON object with the undeclared fields by the vendor's name (`meta.author`)
        and the values that do not fit as `<column>__raw`; null if the row has neither.
    """
    return table.select(schema.arrow.names).append_column(UNDECLARED, fold(table, schema, drift)[0])


def fold(table: pa.Table, schema: Schema, drift: Drift) -> tuple[pa.Array, dict[str, str]]:
    """Return the column `__undeclared` of `gathered`, and for each member of its objects the original column."""
    rows = table.num_rows
    columns = [name for name in table.column_names if name not in schema.arrow.names]
    table = table.select(columns).combine_chunks()
    sources = {schema.undeclared(path): name for name in drift.unknown for path in ((name,), tuple(name.split(".")))}
    members: dict[str, str] = {}
    for column in columns:
        name = sources.get(column, column)
        members[column if name in columns or name in members else name] = column
    # Join empty strings instead of nulls, because Arrow drops rows in which all texts are null.
    cells = [_joined(f",{quoted(name).decode()}:", table[column], "") for name, column in members.items()]
    inner = _joined(pa.repeat("", rows), *(pc.fill_null(cell, "").combine_chunks() for cell in cells), "")
    return pc.if_else(pc.equal(inner, ""), None, _joined("{", pc.utf8_slice_codeunits(inner, 1), "}", "")), members


def expand(texts: pa.ChunkedArray, members: Mapping[str, str]) -> dict[str, pa.Array]:
    """Undo `fold`: return the original columns of JSON text. *members* maps the wanted members to their columns."""
    columns: dict[str, list[str | None]] = {column: [None] * len(texts) for column in members.values()}
    for row, text in enumerate(texts.to_pylist()):
        for member, value in _decoded(text or "{}").items():
            if member in members:
                columns[members[member]][row] = bytes(value).decode()
    return {column: pa.array(values, pa.string()) for column, values in columns.items()}


def members_of(texts: pa.ChunkedArray) -> set[str]:
    """Return the names of all members in a column that `fold` returned."""
    return {member for text in texts.drop_null().to_pylist() for member in _decoded(text)}


def _joined(*texts: Any) -> Any:
    return pc.binary_join_element_wise(*texts)


def _decoded(text: str) -> Mapping[str, bytes]:
    try:
        return members_in(text.encode())
    except msgspec.DecodeError:  # msgspec refuses a lone surrogate
        return {name: dumps(value).encode() for name, value in loads(text.encode()).items()}
