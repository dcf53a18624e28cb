"""What an answer holds beyond its schema: counted, reported in one warning, and kept in columns of JSON text."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import zip_longest
from typing import Final

import numpy as np
import pyarrow as pa

from vendorkit.deadline import check_cancelled
from vendorkit.frames.schema import Schema

Path = tuple[str, ...]

_SHOWN: Final = 20  # names in a warning; an answer may have thousands
_LONGEST: Final = 100  # characters of each


class SchemaDrift(UserWarning):
    """An answer holds fields that are not declared, or values that do not fit. Nothing was lost."""


@dataclass
class Drift:
    """
    What did not match the schema: names and counts only, for values are the vendor's data.

    Attributes:
        unknown: Records that hold an undeclared field, by the vendor's name of it.
        unfit: Values that do not fit their declared type, by column.
    """

    unknown: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Drift) -> None:
        """Add what another page showed."""
        self.unknown.update(other.unknown)
        self.unfit.update(other.unfit)

    def warn(self, name: str) -> None:
        """Report everything in one `SchemaDrift` warning about the schema `name`, at the caller's own line."""
        parts = []
        if self.unknown:
            parts.append(f"fields that are not declared, kept as JSON text: {_counts(self.unknown)}")
        if self.unfit:
            parts.append(f"values that do not fit, kept in <column>__raw: {_counts(self.unfit)}")
        if parts:
            warnings.warn(f"{name}: {'; '.join(parts)}.", SchemaDrift, stacklevel=levels_to_caller())


def levels_to_caller() -> int:
    """Count the frames up to the first one outside the package, as `warnings.warn` in `warn` counts them."""
    level, frame = 1, inspect.currentframe()
    frame = frame and frame.f_back
    while frame is not None and frame.f_globals.get("__name__", "").startswith("vendorkit."):
        level, frame = level + 1, frame.f_back
    return level


def _counts(counter: Counter[str]) -> str:
    names = sorted(counter)
    shown = ", ".join(f"{name[:_LONGEST]} ({counter[name]})" for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown


class Extras:
    """
    Undeclared fields, and the originals of values that do not fit.

    Args:
        schema: What was declared.

    Attributes:
        drift: The same, counted.
    """

    def __init__(self, schema: Schema) -> None:
        self.drift = Drift()
        self._column = lru_cache(maxsize=None)(schema.undeclared)
        self._cells: dict[str, dict[Path, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))

    def undeclared(self, path: Path, texts: Mapping[int, str]) -> None:
        """Keep an undeclared field: its JSON text by row."""
        self.drift.unknown[".".join(path)] += len(texts)
        self._cells[self._column(path)][path].update(texts)

    def unfit(self, path: Path, column: str, row: int, text: str) -> None:
        """Keep the value of one row that does not fit *column*."""
        self.drift.unfit[column] += 1
        self._cells[f"{column}__raw"][path][row] = text

    def arrays(self, rows: int) -> dict[str, pa.Array]:
        """The columns by name, for so many rows."""
        arrays = {}
        for name, found in sorted(self._cells.items()):
            check_cancelled()  # there may be as many names as records
            if len(found) == 1:
                arrays[name] = _scattered(next(iter(found.values())), rows)
                continue
            columns = [[cells.get(row) for row in range(rows)] for _, cells in sorted(found.items())]
            if len(columns) > 1:  # by the chance of equal CRCs; if both are in one row, there are two columns
                texts = ([text for text in row if text is not None] for row in zip(*columns, strict=True))
                columns = [list(column) for column in zip_longest(*texts)]
            for number, column in enumerate(columns, 1):
                arrays[f"{name}_{number}" if number > 1 else name] = pa.array(column, pa.string())
        return arrays


def _scattered(cells: Mapping[int, str], rows: int) -> pa.Array:
    """The texts in their rows; null in the others."""
    index = np.full(rows, -1)
    index[list(cells)] = range(len(cells))
    return pa.array(list(cells.values()), pa.string()).take(pa.array(index, mask=index < 0))
