"""Everything beyond the declared columns in one column of JSON, for tables whose columns have to be fixed; and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames.drift import Drift
from vendorkit.frames.raw import quoted
from vendorkit.frames.schema import Schema

UNDECLARED: Final = "__undeclared"
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


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
    return table.select(schema.arrow.names).append_column(UNDECLARED, fold(table, schema, drift)[0])


def fold(table: pa.Table, schema: Schema, drift: Drift) -> tuple[pa.Array, dict[str, str]]:
    """Return the column `__undeclared` of `gathered`, and the column that each member of its objects came from."""
    rows = table.num_rows
    columns = [name for name in table.column_names if name not in schema.arrow.names]
    table = table.select(columns).combine_chunks()
    vendor = {schema.undeclared(path): name for name in drift.unknown for path in ((name,), tuple(name.split(".")))}
    members: dict[str, str] = {}
    for column in columns:
        name = vendor.get(column, column)
        members[column if name in columns or name in members else name] = column
    # Arrow loses rows in which all texts are null, so these are empty.
    cells = [_joined(f",{quoted(name).decode()}:", table[column], "") for name, column in members.items()]
    inner = _joined(pa.repeat("", rows), *(pc.fill_null(cell, "").combine_chunks() for cell in cells), "")
    return pc.if_else(pc.equal(inner, ""), None, _joined("{", pc.utf8_slice_codeunits(inner, 1), "}", "")), members


def expand(texts: pa.ChunkedArray, members: Mapping[str, str]) -> dict[str, pa.Array]:
    """Return columns as they were before `fold`, JSON text per row. *members*: the columns of those to look for."""
    found: dict[str, list[str | None]] = {column: [None] * len(texts) for column in members.values()}
    for row, text in enumerate(texts.to_pylist()):
        for member, value in _decoded(text).items():
            if member in members:
                found[members[member]][row] = bytes(value).decode()
    return {column: pa.array(values, pa.string()) for column, values in found.items()}


def members_of(texts: pa.ChunkedArray) -> set[str]:
    """Return the names of all members in a column that `fold` made."""
    return {member for text in texts.drop_null().to_pylist() for member in _decoded(text)}


def _joined(*texts: Any) -> Any:
    return pc.binary_join_element_wise(*texts)


def _decoded(text: str | None) -> dict[str, msgspec.Raw]:
    return {} if text is None else _MEMBERS.decode(text)
