"""What is different between two versions: compared on the key, two parts in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.errors import UsageError
from vendorkit.frames import row_codes
from vendorkit.saved.log import Version

_TEXT: Final = pa.string()
CHANGES: Final = pa.schema(
    [("key", _TEXT), ("version", pa.int64()), *((name, _TEXT) for name in ("change", "column", "old", "new"))]
)


def check_key(version: Version) -> None:
    """Raise `UsageError` if the records of a dataset have no key."""
    key = version.note.key
    if pa.field(key, _TEXT) not in version.note.schema:
        what = f"{version.folder} was saved without {key!r}, which identifies its records."
        raise UsageError(what, remedy=f"Save another one with {key!r} among the columns.")


def compare(old: Version, new: Version, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield changes as tables of `CHANGES`; the changes of one record are in one table. Keys are all in memory."""
    for one in (new, old):
        check_key(one)
    known = dict.fromkeys([*new.columns, *old.columns])
    names = [name for name in known if columns is None or name in columns]
    old_schema, new_schema = old.frame_schema(names), new.frame_schema(names)
    kept = {part.name for part in old.parts} & {part.name for part in new.parts}
    before, after = ([part for part in one.parts if part.name not in kept] for one in (old, new))
    old_ids, new_ids = old.ids(*before), new.ids(*after)
    place = pc.index_in(old_ids, value_set=new_ids, skip_nulls=True)
    row = 0
    for part in before:
        there, first = place.slice(row, part.rows), 0
        for other in after:
            inside = pc.and_(pc.greater_equal(there, first), pc.less(there, first + other.rows))
            rows = pc.indices_nonzero(pc.fill_null(inside, fill_value=False))
            if len(rows) and names:
                before_table = old.frame_table(part, old_schema).take(rows)
                after_table = new.frame_table(other, new_schema).take(pc.subtract(there.take(rows), first))
                yield from _changed(before_table, after_table, old_ids.slice(row, part.rows).take(rows), new.number)
            first += other.rows
        row += part.rows
    yield _told(new_ids.filter(_missing(new_ids, old_ids)), new.number, "added")
    yield _told(old_ids.filter(_missing(old_ids, new_ids)), new.number, "removed")


def count(changes: Iterator[pa.Table]) -> dict[str, int]:
    """Return how many records were added, changed and removed."""
    found = {"added": 0, "changed": 0, "removed": 0}
    for table in changes:
        if len(table):
            found[table["change"][0].as_py()] += pc.count_distinct(table["key"]).as_py()
    return found


def among(ids: pa.Array, others: pa.Array) -> pa.Array:
    """Return which of *ids* are among *others*; a missing one never is."""
    return pc.is_in(ids, value_set=others, skip_nulls=True)


def differing(old: pa.Table, new: pa.Table) -> Any:
    """Return which rows of two tables of one schema differ."""
    codes = row_codes(pa.concat_tables([old, new]))
    return np.flatnonzero(codes[: len(old)] != codes[len(old) :])


def _changed(old: pa.Table, new: pa.Table, ids: pa.Array, version: int | None) -> Iterator[pa.Table]:
    found = []
    for name in old.column_names:
        was, now = old.select([name]), new.select([name])
        if was.schema != now.schema:
            was, now = (pa.table({name: _texts(one[name])}) for one in (was, now))
        if not was.equals(now) and len(rows := differing(was, now)):
            texts = [_texts(one[name].take(rows)) for one in (was, now)]
            found.append(_told(ids.take(rows), version, "changed", name, *texts))
    yield from [pa.concat_tables(found)] if found else []


def _told(ids: Any, version: int | None, change: str, name: str | None = None, *values: Any) -> pa.Table:
    fixed = [
        pa.repeat(pa.scalar(value, CHANGES.field(at).type), len(ids))
        for at, value in ((1, version), (2, change), (3, name))
    ]
    return pa.table([ids, *fixed, *(values or [pa.nulls(len(ids), _TEXT)] * 2)], schema=CHANGES)


def _texts(column: Any) -> Any:
    if not pa.types.is_nested(column.type):
        return column.cast(_TEXT)
    texts = [
        None if value is None else json.dumps(value, default=str, ensure_ascii=False) for value in column.to_pylist()
    ]
    return pa.array(texts, _TEXT)


def _missing(ids: Any, others: Any) -> Any:
    return pc.and_(pc.is_valid(ids), pc.invert(among(ids, others)))
