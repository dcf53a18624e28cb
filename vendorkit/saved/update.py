"""
Updates a dataset: downloads the records that changed and merges them into a new version.

Changed records are downloaded into parts of the new version, with the same checks as any download. Then each old part
that contains changed or deleted records is rewritten, one part in memory at a time. One commit replaces the old parts
by the rewritten ones. Older versions continue to use the old parts. If the process dies, readers see either the old
version or the new one.

A changed record keeps its position, and new records come last. A record that the vendor reports as changed, but that no
longer matches the query, is removed. Deletions that the vendor does not report are noticed only by the total. If the
total does not agree, or more than a tenth of the records changed, everything is downloaded as the next version.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vendorkit import arguments
from vendorkit.ask import Ask, Since
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import UNDECLARED, members_of
from vendorkit.pull import Pull, run
from vendorkit.resource import Changes, Source, changes_of
from vendorkit.saved import write
from vendorkit.saved.changes import check_key, compare, count, differing_rows, is_in
from vendorkit.saved.commits import check_writable
from vendorkit.saved.dataset import Dataset, summary
from vendorkit.saved.files import POSITION, DamagedError, Part, checked, locked, sweep
from vendorkit.saved.log import Version, joined, newest
from vendorkit.saved.stored import readable
from vendorkit.saved.write import Download

_FULL_DOWNLOAD_FROM: Final = 10  # if more than one record in ten changed, a full download is faster than a merge


def update(source: Source, ask: Ask, path: str | Path) -> Dataset:
    """Write the next version of the dataset at *path*: the implementation of `Query.update`."""
    folder = arguments.folder(path)
    changes = changes_of(source.resource_of(ask), ask, source.title)
    check_writable(folder)
    readable(folder, None)  # before locked(), which would create the folder
    with locked(folder):
        old = readable(folder, None)
        new = _next(source, ask, old)
        if ask.matches_nothing:
            return summary(old)
        try:
            return _update(old, new, changes)
        except DamagedError as exc:
            what = f"{folder} is not complete: {exc.what}"
            raise UsageError(what, remedy="Call save() first, which downloads it again.") from exc
        except IncompletePull as exc:
            what = f"{folder} was not updated and is unchanged: {exc.what}"
            raise IncompletePull(what, arrived=summary(old), remedy="Call update() again.") from exc
        finally:
            sweep(folder, (newest(folder) or old).following)


def _next(source: Source, ask: Ask, old: Version) -> Download:
    """Check that *ask* can update the dataset. Return the download for the next version."""
    if not old.complete:
        what = f"{old.folder} is not complete."
        raise UsageError(what, remedy="Call save() first, which continues the download.")
    question = write.question_of(source, ask, old.note.question.columns, old.note.question.locale)
    # Before new_note(), because the stored columns may belong to another resource.
    write.check_same_query(old.folder, old.note.question, question)
    check_key(old)
    if old.note.position is None and not ask.matches_nothing:
        what = f"{old.folder} cannot be updated: the vendor's position was not available when it was saved."
        remedy = "Delete it and save again, without since=. If it remains, the feed is empty or you may not read it."
        raise UsageError(what, remedy=remedy)
    return Download(source, ask, *write.new_note(source, ask, question), old.folder, old.following)


def _update(old: Version, new: Download, changes: Changes) -> Dataset:
    ask = new.ask
    # The position is read first, so that the next update fetches what changes during this one.
    new.note.position = run(changes.position(ask), new.source)
    if old.note.schema.equals(new.note.schema):
        merge = _Merge(old, new)
        if merge.download(changes):
            merge.run()
            return new.commit(old, merge.counts)
    new.restart()
    new.ask = ask
    new.run()
    return new.commit(old, count(compare(old, new.stored)))


class _Merge:
    """
    Merges changed records into copies of the parts of the old version.

    Args:
        old: The old version.
        new: The new one. Its parts are the changed records after `download()`, and the merged parts after `run()`.

    Attributes:
        counts: How many records were added, changed and removed.
    """

    def __init__(self, old: Version, new: Download) -> None:
        self._old, self._new, self._key = old, new, old.note.key
        self._old_ids_by_part = [old.ids(part) for part in old.parts]
        self.counts = {"added": 0, "changed": 0, "removed": 0}

    def download(self, changes: Changes) -> bool:
        """Download the changed records. Return False if a full download is needed instead."""
        old, new, ask, old_ids = self._old, self._new, self._new.ask, joined(self._old_ids_by_part)
        assert old.note.position is not None  # noqa: S101 - see _next
        too_many = len(old_ids) // _FULL_DOWNLOAD_FROM + 1
        new.ask = replace(ask, since=Since(*old.note.position), limit=too_many)
        # The ids are read before the records: a record that changes in between is then in the download only. In the
        # other order it would be in the ids only, and be removed. Ids beyond the limit are not read: if a record among
        # them has to be removed, the total does not agree.
        pull = Pull(changes.changed_ids(new.ask), new.source, ask.resource, quiet=True)
        with closing(pull.accepted()) as exchanges:
            reported = pa.array([key for exchange in exchanges for key in changes.keys(exchange.page)], pa.string())
        new.run()
        if new.note.rows >= too_many:
            return False
        self._changed, changed_ids = new.stored.arrow(), new.stored.ids(*new.note.parts)
        self._members = {member: name for part in new.note.parts for member, name in part.members.items()}
        removed_ids = old_ids.filter(pc.and_(is_in(old_ids, reported), pc.invert(is_in(old_ids, changed_ids))))
        self._affected = joined([changed_ids, removed_ids])
        self._added_ids = changed_ids.filter(pc.invert(is_in(changed_ids, old_ids)))
        self.counts["added"] = len(self._added_ids)
        rows = len(old_ids) - len(removed_ids) + self.counts["added"]
        total = new.note.total = run(new.source.resource_of(ask).paging.count(ask), new.source)
        return len(self._affected) * _FULL_DOWNLOAD_FROM <= len(old_ids) and total in {None, rows}

    def run(self) -> None:
        """Write new parts where records differ, and reuse the other parts."""
        old, added, merged = self._old, self.counts["added"], list[Part]()
        # New records are appended to the last part if it has room for them.
        last = old.parts[-1] if added and old.parts and old.parts[-1].rows + added <= write.PART_ROWS else None
        for part, ids in zip(old.parts, self._old_ids_by_part, strict=True):
            appended = list(self._added_rows()) if part is last else []
            is_affected = appended or pc.any(is_in(ids, self._affected)).as_py()
            merged += self._merge_part(part, ids, appended) if is_affected else [part]
        for table in [] if last else self._added_rows():
            merged += self._write(table, {})
        self._new.note.parts = merged
        self._new.note.pages += old.note.pages

    def _merge_part(self, part: Part, ids: pa.Array, appended: list[pa.Table]) -> list[Part]:
        table = self._old.table(part, self._changed.schema)
        changed_rows = self._changed_rows(ids)
        before = table.filter(is_in(ids, changed_rows[self._key]))
        matches = pc.index_in(before[self._key], value_set=changed_rows[self._key])
        after = _set_positions(changed_rows.take(matches), before[POSITION])
        unaffected = table.filter(pc.invert(is_in(ids, self._affected)))
        changed, removed = len(differing_rows(before, after)), len(table) - len(before) - len(unaffected)
        if not (changed or removed or appended):  # a record that is reported as changed may have the same values
            return [part]
        self.counts["changed"] += changed
        self.counts["removed"] += removed
        rows = pa.concat_tables([unaffected, after]).sort_by(POSITION)
        return self._write(pa.concat_tables([rows, *appended]), part.members)

    def _added_rows(self) -> Iterator[pa.Table]:
        """Yield the downloaded records that the old version does not have, with positions after its last one."""
        for start in range(0, len(self._added_ids), write.PART_ROWS):
            rows, first = self._changed_rows(self._added_ids.slice(start, write.PART_ROWS)), self._old.note.end + start
            yield _set_positions(rows, pa.array(np.arange(first, first + len(rows))))

    def _changed_rows(self, ids: pa.Array) -> pa.Table:
        """Read the downloaded records with these ids."""
        with checked(DamagedError(self._new.folder)):
            return self._changed.to_table(filter=pc.field(self._key).isin(ids))

    def _write(self, table: pa.Table, members: dict[str, str]) -> list[Part]:
        """Write a table as a part, or nothing if it is empty."""
        if not len(table):
            return []
        present = members_of(table[UNDECLARED])
        known = {**members, **self._members}
        return [self._new.add(table, {member: name for member, name in known.items() if member in present}, b"")]


def _set_positions(table: pa.Table, positions: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(POSITION), POSITION, positions)
