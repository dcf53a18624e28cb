"""Merging changed records into the parts of a version, a few rows in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.frames import UNDECLARED, members_of
from vendorkit.saved import write
from vendorkit.saved.changes import differing
from vendorkit.saved.files import BATCH_ROWS, POSITION, Part, write_part
from vendorkit.saved.log import Version, stored_schema
from vendorkit.saved.write import Stored


class Merge:
    """
    One merge.

    Args:
        old: The version before.
        ids: The keys in each of its parts.
        changes: Changed and new records, as downloaded.
        gone: Keys of records that leave.
        new: Where the parts of the next version go.

    Attributes:
        counts: How many records were added, changed and removed.
    """

    def __init__(self, old: Version, ids: Sequence[pa.Array], changes: Version, gone: pa.Array, new: Stored) -> None:
        self._old, self._ids, self._changes, self._gone, self._new = old, ids, changes, gone, new
        self._known, self._schema = joined(ids), stored_schema(old.declared)
        self._fresh = [changes.ids(part).combine_chunks() for part in changes.parts]
        self._members = {member: name for part in changes.parts for member, name in part.members.items()}
        added = sum(count_true(pc.invert(is_among(one, self._known))) for one in self._fresh)
        self.counts = {"added": added, "changed": 0, "removed": 0}

    def run(self) -> list[Part]:
        """Write the parts that differ, and return the old ones that they replace."""
        parts, added, replaced = self._old.parts, self.counts["added"], list[Part]()
        touched = pa.concat_arrays([joined(self._fresh), self._gone])
        joins = bool(
            added and parts and parts[-1].rows + added <= write.PART_ROWS
        )  # the last part, as long as it is small
        for part, ids in zip(parts, self._ids, strict=True):
            tail = self._new_rows() if joins and part is parts[-1] else None
            if tail is not None or count_true(is_among(ids, touched)):
                before = dict(self.counts)
                rows = chain(self._folded(part, self._fresh_rows(ids)), tail or ())
                written = self._store(rows, {**part.members, **self._members})
                if tail is not None or self.counts != before:
                    replaced.append(part)
                    self._new.parts += written
                else:  # the vendor calls records changed that are as before
                    for one in written:
                        (self._old.folder / one.name).unlink()
        if not joins:
            for table in self._new_rows():
                self._new.parts += self._store([table], self._members)
        return replaced

    def _fresh_rows(self, ids: pa.Array) -> pa.Table:
        """Return the changed records with these keys."""
        found = [self._schema.empty_table()]
        for part, fresh in zip(self._changes.parts, self._fresh, strict=True):
            here = is_among(fresh, ids)
            if count_true(here):
                found.append(self._changes.table(part, self._schema.names).filter(here))
        return pa.concat_tables(found)

    def _new_rows(self) -> Iterator[pa.Table]:
        """Yield the new records, with positions after all others."""
        first = max((part.last for part in self._old.parts), default=-1) + 1
        for part, fresh in zip(self._changes.parts, self._fresh, strict=True):
            new = pc.invert(is_among(fresh, self._known))
            if count_true(new):
                table = self._changes.table(part, self._schema.names).filter(new)
                yield _placed(table, pa.array(np.arange(first, first + len(table))))
                first += len(table)

    def _folded(self, part: Part, fresh: pa.Table) -> Iterator[pa.Table]:
        """Yield a part in small batches, changed records in place of the old ones and without those that are gone."""
        key = self._old.note["key"]
        fresh_ids = fresh[key].combine_chunks()
        for batch in part.open(self._old.folder).iter_batches(BATCH_ROWS):
            table = pa.Table.from_batches([batch]).select(self._schema.names).cast(self._schema)
            ids = table[key].combine_chunks()
            found = pc.index_in(ids, value_set=fresh_ids, skip_nulls=True)
            places = pc.indices_nonzero(pc.is_valid(found))
            if len(places):
                before = table.take(places)
                after = _placed(fresh.take(found.drop_null()), before[POSITION])
                self.counts["changed"] += len(differing(before, after))
                order = np.arange(len(table))
                order[places] = len(table) + np.arange(len(places))
                table = pa.concat_tables([table, after]).take(order)
            leaves = is_among(ids, self._gone)
            self.counts["removed"] += count_true(leaves)
            yield table.filter(pc.invert(leaves))

    def _store(self, tables: Iterable[pa.Table], members: Mapping[str, str]) -> list[Part]:
        """Write a part; none for no rows."""
        present = set[str]()

        def seen() -> Iterator[pa.Table]:
            for table in tables:
                present.update(members_of(table[UNDECLARED]))
                yield table

        note = {"question": self._old.note["question"]}
        part = write_part(self._old.folder, self._new.next_name(), self._schema, seen(), note)
        left = {member: name for member, name in members.items() if member in present}
        return [] if part is None else [replace(part, members=left)]


def joined(ids: Sequence[pa.Array]) -> pa.Array:
    """Return all keys as one array."""
    return pa.concat_arrays([pa.array([], pa.string()), *ids])


def is_among(ids: Any, others: Any) -> Any:
    """Return which of *ids* are among *others*; a missing one never is."""
    return pc.is_in(ids, value_set=others, skip_nulls=True)


def count_true(are: Any) -> int:
    """Return how many are true."""
    return pc.sum(are).as_py() or 0


def _placed(table: pa.Table, positions: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(POSITION), POSITION, positions)
