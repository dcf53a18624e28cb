"""
The next version of a dataset: what changed is merged into the parts that have it.

What changed is downloaded into parts of the next version, checked like any download. Then the parts with changed or
deleted records are written anew, one in memory at a time, and one commit exchanges them. The old parts stay for
the old versions. Whenever the process dies, readers see the version before or the version after.

A changed record takes the place of the old one, a new one comes last. Records that left are found by comparison: a
record that changed, but does not match the query any more, is gone. Deletions that are not reported show in the total;
if it does not agree, or more than a tenth of the records changed, everything is downloaded as the next version.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit import arguments
from vendorkit.ask import Ask, Since
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import UNDECLARED, Schema, members_of
from vendorkit.pull import Pull, run
from vendorkit.resource import Changes, Source, changes_of
from vendorkit.saved import write
from vendorkit.saved.changes import among, check_key, compare, count, differing
from vendorkit.saved.commits import check_writable
from vendorkit.saved.dataset import Dataset, summary
from vendorkit.saved.files import POSITION, DamagedError, Part, locked, sweep
from vendorkit.saved.log import Note, Version, joined, newest, stored_schema
from vendorkit.saved.stored import readable
from vendorkit.saved.write import Download

_MOST: Final = 10  # at most one record in so many is merged; beyond, a whole download is quicker


def update(source: Source, ask: Ask, path: str | Path) -> Dataset:
    """Write the next version of the dataset at *path*. This is `Query.update`, which says more."""
    folder = arguments.folder(path)
    if ask.since is not None:
        what = "A query with since= has no dataset that could be updated."
        raise UsageError(what, remedy="Save and update the query without since=.")
    changes = changes_of(source.resource_of(ask), ask, source.title)
    check_writable(folder)
    _existing(folder)  # else the lock would create a folder
    with locked(folder):
        old = _existing(folder)
        schema, note = _checked(source, ask, old)
        if ask.matches_nothing:
            return summary(old)
        new = Download(source, ask, schema, folder, old.following, note)
        new.restart()
        try:
            return _updated(old, new, changes)
        except DamagedError as exc:
            what = f"{folder} is not complete: {exc.what}"
            raise UsageError(what, remedy="Call save() first: it downloads it again.") from exc
        except IncompletePull as exc:
            what = f"{folder} is as it was before the update: {exc.what}"
            raise IncompletePull(what, arrived=summary(old), remedy="Call update() again.") from exc
        finally:
            sweep(folder, (newest(folder) or old).following)


def _existing(folder: Path) -> Version:
    found = readable(folder, None)
    if not found.complete:
        what = f"{folder} is not complete."
        raise UsageError(what, remedy="Call save() first: it continues.")
    return found


def _checked(source: Source, ask: Ask, old: Version) -> tuple[Schema, Note]:
    """Return the columns, and the note of the next version; check that it can be updated."""
    columns, locale = old.note.question.columns, old.note.question.locale
    plain = write.new_note(source, ask, None, None)[1]  # the projection may be that of another resource
    plain.question.columns, plain.question.locale = columns, locale
    write.same_question(old.folder, old.note, plain)
    schema, note = write.new_note(source, ask, columns, locale)
    check_key(old)
    if old.note.mark is None and not ask.matches_nothing:
        what = f"{old.folder} does not say at which position of the vendor's changes it was saved."
        raise UsageError(what, remedy="Delete it and save again; if it stays, the feed is empty or closed to you.")
    return schema, note


def _updated(old: Version, new: Download, changes: Changes) -> Dataset:
    """Download, compare, merge; commit."""
    ask = new.ask
    # First the position: later changes come with the next update.
    new.note.mark = run(changes.position(ask), new.source)
    if old.note.schema.equals(new.note.schema):
        merge = _Merge(old, new)
        if merge.downloaded(changes):
            merge.run()
            return new.commit(old, merge.counts, keeps=True)
    new.restart()
    new.ask, new.most = ask, None
    new.run()
    return new.commit(old, count(compare(old, new.stored)))


class _Merge:
    """
    Merging changed records into the parts of the version before, which stay as they are.

    Args:
        old: The version before.
        new: The next one: first the changed records are its parts, then what is merged.

    Attributes:
        counts: How many records were added, changed and removed.
    """

    def __init__(self, old: Version, new: Download) -> None:
        self._old, self._new, self._columns = old, new, stored_schema(old.note.schema).names
        self._ids = [old.ids(part) for part in old.parts]
        self._known = joined(self._ids)
        self.counts = {"added": 0, "changed": 0, "removed": 0}

    def downloaded(self, changes: Changes) -> bool:
        """Download what changed since; return False if everything has to be downloaded."""
        old, new, known, ask = self._old, self._new, self._known, self._new.ask
        assert old.note.mark is not None  # noqa: S101 - it was checked
        new.ask, new.most = replace(ask, since=Since(*old.note.mark)), len(known) // _MOST
        # Before the download, or what changes meanwhile would leave.
        pull = Pull(changes.changed_ids(new.ask), new.source, ask.resource, quiet=True)
        with closing(pull.accepted()) as accepted:
            changed_ids = pa.array([key for one in accepted for key in changes.keys(one.page)], pa.string())
        new.run()
        if new.note.rows > new.most:
            return False
        self._changes = list(new.note.parts)
        self._fresh = [new.stored.ids(part) for part in self._changes]
        changed = joined(self._fresh)
        self._gone = known.filter(pc.and_(among(known, changed_ids), pc.invert(among(known, changed))))
        self.counts["added"] = _count(pc.invert(among(changed, known)))
        rows = len(known) - len(self._gone) + self.counts["added"]
        total = new.note.total = run(new.source.resource_of(ask).paging.count(ask), new.source)
        return (len(changed) + len(self._gone)) * _MOST <= len(known) and total in {None, rows}

    def run(self) -> None:
        """Write the parts that differ; the others stay."""
        old, added, merged = self._old, self.counts["added"], list[Part]()
        touched = joined([*self._fresh, self._gone])
        # New records join the last part as long as it is small.
        last = old.parts[-1] if added and old.parts and old.parts[-1].rows + added <= write.PART_ROWS else None
        for part, ids in zip(old.parts, self._ids, strict=True):
            tail = list(self._new_rows()) if part is last else []
            merged += self._merged(part, ids, tail) if tail or _count(among(ids, touched)) else [part]
        for table in [] if last else self._new_rows():
            merged += self._written(table, {})
        # Before the commit, after which the changed records would look like parts of the version.
        sweep(old.folder, self._new.version, {part.name for part in merged})
        self._new.note.parts = merged
        self._new.note.pages += old.note.pages

    def _merged(self, part: Part, ids: pa.Array, tail: list[pa.Table]) -> list[Part]:
        """Write a part anew: changed records in place of the old ones, without those that are gone, the tail behind."""
        table, fresh = self._old.table(part, self._columns), self._fresh_rows(ids)
        found = pc.index_in(ids, value_set=joined(fresh[self._old.note.key].chunks), skip_nulls=True)
        places, leaves = pc.indices_nonzero(pc.is_valid(found)), among(ids, self._gone)
        before = table.take(places)
        after = _placed(fresh.take(found.drop_null()), before[POSITION])
        changed, removed = len(differing(before, after)), _count(leaves)
        if not (changed or removed or tail):  # the vendor calls records changed that are as before
            return [part]
        self.counts["changed"] += changed
        self.counts["removed"] += removed
        order = np.arange(len(table))
        order[places] = len(table) + np.arange(len(places))
        rows = pa.concat_tables([table, after]).take(order[~leaves.to_numpy(zero_copy_only=False)])
        return self._written(pa.concat_tables([rows, *tail]), part.members)

    def _fresh_rows(self, ids: pa.Array) -> pa.Table:
        """Return the changed records with these keys."""
        found = [self._rows(part, among(fresh, ids)) for part, fresh in zip(self._changes, self._fresh, strict=True)]
        return pa.concat_tables([stored_schema(self._old.note.schema).empty_table(), *found])

    def _new_rows(self) -> Iterator[pa.Table]:
        """Yield the new records, with positions after all others."""
        first = self._old.note.end
        for part, fresh in zip(self._changes, self._fresh, strict=True):
            table = self._rows(part, pc.invert(among(fresh, self._known)))
            yield _placed(table, pa.array(np.arange(first, first + len(table))))
            first += len(table)

    def _rows(self, part: Part, mask: pa.Array) -> pa.Table:
        """Return some of the changed records in a part; it is only read for them."""
        if not _count(mask):
            return stored_schema(self._old.note.schema).empty_table()
        return self._new.stored.table(part, self._columns).filter(mask)

    def _written(self, table: pa.Table, members: dict[str, str]) -> list[Part]:
        """Write a part; none for no rows."""
        if not len(table):
            return []
        present = members_of(table[UNDECLARED])
        every = {**members, **{member: name for part in self._changes for member, name in part.members.items()}}
        note = msgspec.json.encode({"question": self._old.note.question})
        return [self._new.add(table, {member: name for member, name in every.items() if member in present}, note)]


def _count(are: pa.Array) -> int:
    """Return how many are true."""
    return pc.sum(are).as_py() or 0


def _placed(table: pa.Table, positions: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(POSITION), POSITION, positions)
