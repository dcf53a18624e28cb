"""Compares two versions of a dataset by the key of their records, with two parts in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.errors import UsageError
from vendorkit.frames import row_codes
from vendorkit.saved.files import Part
from vendorkit.saved.log import Version

_TEXT: Final = pa.string()
CHANGES: Final = pa.schema(
    [("key", _TEXT), ("version", pa.int64()), *((name, _TEXT) for name in ("change", "column", "old", "new"))]
)


def check_key(version: Version) -> None:
    """Raise `UsageError` if a dataset was saved without the column that identifies its records."""
    key = version.note.key
    if not key:
        what = f"The records in {version.folder} have no id, so those of two versions cannot be matched."
        raise UsageError(what, remedy="Load the versions with vk.load(path, version=…), and compare the frames.")
    if pa.field(key, _TEXT) not in version.note.schema:
        what = f"{version.folder} was saved without {key!r}, which identifies its records."
        raise UsageError(what, remedy=f"Save another dataset with {key!r} among the columns.")


def compare(old: Version, new: Version, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield tables with the schema `CHANGES`, each with all changes of its records. Keeps all ids in memory."""
    for version in (new, old):
        check_key(version)
    known = dict.fromkeys([*new.columns, *old.columns])
    names = [name for name in known if columns is None or name in columns]
    old_schema, new_schema = old.frame_schema(names), new.frame_schema(names)
    shared = {part.name for part in old.parts} & {part.name for part in new.parts}
    old_parts, new_parts = ([part for part in version.parts if part.name not in shared] for version in (old, new))
    old_ids, new_ids = old.ids(*old_parts), new.ids(*new_parts)
    matches = pc.fill_null(pc.index_in(old_ids, value_set=new_ids, skip_nulls=True), -1).to_numpy()
    for old_part, old_first, old_end in _bounds(old_parts):
        for new_part, new_first, new_end in _bounds(new_parts):
            of_part = matches[old_first:old_end]
            rows = np.flatnonzero((of_part >= new_first) & (of_part < new_end))
            if len(rows) and names:
                old_table = old.table(old_part, old_schema).take(rows)
                new_table = new.table(new_part, new_schema).take(of_part[rows] - new_first)
                yield from _changed(old_table, new_table, old_ids.take(pa.array(rows + old_first)), new.number)
    yield _change_rows(new_ids.filter(_not_in(new_ids, old_ids)), new.number, "added")
    yield _change_rows(old_ids.filter(_not_in(old_ids, new_ids)), new.number, "removed")


def _bounds(parts: Sequence[Part]) -> Iterator[tuple[Part, int, int]]:
    ends = list(accumulate(part.rows for part in parts))
    return zip(parts, [0, *ends], ends, strict=False)


def count(changes: Iterator[pa.Table]) -> dict[str, int]:
    """Return how many records were added, changed and removed."""
    counts = {"added": 0, "changed": 0, "removed": 0}
    for table in changes:
        if len(table):
            counts[table["change"][0].as_py()] += pc.count_distinct(table["key"]).as_py()
    return counts


def is_in(ids: pa.Array, others: pa.Array) -> pa.Array:
    """Return a mask of the ids that are among *others*; false for null."""
    return pc.is_in(ids, value_set=others, skip_nulls=True)


def differing_rows(old: pa.Table, new: pa.Table) -> Any:
    """Return the numbers of the rows that differ between two tables of the same schema and length."""
    codes = row_codes(pa.concat_tables([old, new]))
    return np.flatnonzero(codes[: len(old)] != codes[len(old) :])


def _changed(old: pa.Table, new: pa.Table, ids: pa.Array, version: int | None) -> Iterator[pa.Table]:
    changes = []
    for name in old.column_names:
        before, after = old.select([name]), new.select([name])
        if before.schema != after.schema:
            before, after = (pa.table({name: _as_text(table[name])}) for table in (before, after))
        if not before.equals(after) and len(rows := differing_rows(before, after)):
            texts = [_as_text(table[name].take(rows)) for table in (before, after)]
            changes.append(_change_rows(ids.take(rows), version, "changed", name, *texts))
    yield from [pa.concat_tables(changes)] if changes else []


def _change_rows(ids: Any, version: int | None, change: str, name: str | None = None, *values: Any) -> pa.Table:
    constants = [[value] * len(ids) for value in (version, change, name)]
    return pa.table([ids, *constants, *(values or [pa.nulls(len(ids), _TEXT)] * 2)], schema=CHANGES)


def _as_text(column: Any) -> Any:
    if not pa.types.is_nested(column.type):
        return column.cast(_TEXT)
    dumps = partial(json.dumps, default=str, ensure_ascii=False)
    return pa.array([None if value is None else dumps(value) for value in column.to_pylist()], _TEXT)


def _not_in(ids: Any, others: Any) -> Any:
    return pc.and_(pc.is_valid(ids), pc.invert(is_in(ids, others)))
