"""Everything beyond the declared columns in one column of JSON, for tables whose columns have to be fixed."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.drift import Drift
from vendorkit.frames.raw import quoted
from vendorkit.frames.schema import Schema

UNDECLARED: Final = "__undeclared"


def gathered(table: pa.Table, schema: Schema, drift: Drift) -> pa.Table:
    """
    Return the declared columns of *table*, and all others in the text column `__undeclared`.

    Args:
        table: A table under *schema*, as `combine` gives it.
        schema: The declared columns.
        drift: What did not match the schema; it has the vendor's names.

    Returns:
        In `__undeclared` one JSON object per row: undeclared fields by the vendor's name (`meta.author`), values that
        do not fit as `<column>__raw`. Null for rows without any.
    """
    names = {schema.undeclared(tuple(name.split("."))): name for name in drift.unknown}
    members: dict[int, list[str]] = defaultdict(list)
    for column in table.column_names:
        if column not in schema.arrow.names:
            name, found = quoted(names.get(column, column)).decode(), table[column]
            rows = np.flatnonzero(found.is_valid())
            for row, text in zip(rows.tolist(), pc.drop_null(found).to_pylist(), strict=True):
                members[row].append(f"{name}:{text}")
    texts = [f"{{{','.join(members[row])}}}" if row in members else None for row in range(table.num_rows)]
    return table.select(schema.arrow.names).append_column(UNDECLARED, pa.array(texts, pa.string()))
