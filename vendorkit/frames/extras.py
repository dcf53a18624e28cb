"""The columns of JSON text that a frame has in addition to the declared ones, while records are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from itertools import zip_longest

import numpy as np
import pyarrow as pa

from vendorkit.deadline import check_cancelled
from vendorkit.frames.drift import Drift
from vendorkit.frames.schema import Schema

Path = tuple[str, ...]


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
