"""
Merging what changed into a dataset on disk.

What changed is downloaded into a folder inside the dataset's, checked like any download. Then the parts with changed
records are rewritten under new names, then the manifest that names these, and then what the old one named is removed:
whenever the process dies, the folder holds the dataset from before or from after.

A changed record takes the place of the old one, a new one comes last. Records that left are found by comparison: a
record that changed, but does not match the query any more, is gone. Deletions that are not reported show in the total;
if it does not agree, everything is downloaded again and replaces the old dataset, in the vendor's order.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit import arguments
from vendorkit.ask import Ask, Since
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Schema
from vendorkit.pull import Pull, run
from vendorkit.resource import Source, changes_of
from vendorkit.saved import write
from vendorkit.saved.dataset import Dataset, existing, new_manifest, same_question, summary
from vendorkit.saved.manifest import CHANGES, Manifest, Part, locked
from vendorkit.saved.write import Writer


def update(source: Source, ask: Ask, path: str | Path) -> Dataset:
    """Merge what changed into the dataset at *path*. This is `Query.update`, which says more."""
    folder = arguments.folder(path)
    if ask.since is not None:
        what = "A query with since= has no dataset that could be updated."
        raise UsageError(what, remedy="Save and update the query without since=.")
    changes_of(source.resource_of(ask), ask, source.title)
    existing(folder)  # else the lock would create a folder
    with locked(folder):
        stored = existing(folder)
        if ask.matches_nothing:
            return summary(stored)
        schema, new = _checked(source, ask, stored)
        stored.sweep()
        try:
            _Update(source, ask, schema, stored, new).run()
            return summary(new)
        except IncompletePull as exc:
            what = f"{folder} is as it was before the update: {exc.what}"
            raise IncompletePull(what, arrived=summary(stored), remedy="Call update() again.") from exc
        finally:
            (Manifest.read(folder) or stored).sweep()


def _checked(source: Source, ask: Ask, stored: Manifest) -> tuple[Schema, Manifest]:
    """Return the columns, and the manifest of an empty dataset of the same query; check that it can be updated."""
    folder, columns, locale = stored.folder, stored.asked.get("columns"), stored.asked.get("locale")
    schema, new = new_manifest(source, ask, folder, columns=columns, locale=locale)
    same_question(stored, new)
    if not stored.complete or not all(part.intact(folder) for part in stored.parts):
        what = f"{folder} is not complete."
        raise UsageError(what, remedy="Call save() first: it continues.")
    if schema.key not in schema.arrow.names:
        what = f"{folder} was saved without {schema.key!r}, which identifies its records."
        raise UsageError(what, remedy=f"Save another one with {schema.key!r} among the columns.")
    if stored.mark is None:
        what = f"{folder} does not say at which position of the vendor's changes it was saved."
        raise UsageError(what, remedy="Delete it and save again; if it stays, the feed is empty or closed to you.")
    return schema, new


class _Update:
    """One update. What `stored` names stays as it is until the new manifest is written."""

    def __init__(self, source: Source, ask: Ask, schema: Schema, stored: Manifest, new: Manifest) -> None:
        self._source, self._ask, self._schema, self._stored, self._new = source, ask, schema, stored, new
        self._changes = changes_of(source.resource_of(ask), ask, source.title)

    def run(self) -> None:
        """Download, compare, merge; write the new manifest."""
        stored, new = self._stored, self._new
        # First the position: later changes come with the next update.
        position = run(self._changes.position(self._ask), self._source)
        new.mark = None if position is None else [*position]
        since = replace(self._ask, since=Since(*stored.mark or ()))
        changed_ids = self._changed_ids(since)  # before the download, or what changes meanwhile would leave
        changes = self._downloaded(since, "changed")
        known, changed = stored.ids(*stored.parts), changes.ids(*changes.parts)
        gone = changed_ids.filter(_not_in(changed_ids, changed))
        rows = _count_true(_not_in(known, gone)) + _count_true(_not_in(changed, known))
        new.total = run(self._source.resource_of(self._ask).paging.count(self._ask), self._source)
        if new.total is None or new.total == rows:
            self._merge(changes, changed, gone)
            self._append(changes, known)
        else:
            whole = self._downloaded(self._ask, "whole")
            new.total = whole.total
            for part in whole.parts:
                moved = replace(part, file=new.next_file())
                (whole.folder / part.file).replace(new.folder / moved.file)
                new.parts.append(moved)
        new.complete = True
        new.write()

    def _changed_ids(self, since: Ask) -> pa.Array:
        pull = Pull(self._changes.changed_ids(since), self._source, since.resource, quiet=True)
        with closing(pull.accepted()) as accepted:
            return pa.array([key for one in accepted for key in self._changes.keys(one.page)], pa.string())

    def _downloaded(self, ask: Ask, name: str) -> Manifest:
        """Download *ask* into a folder inside the dataset's."""
        manifest = replace(self._new, folder=self._new.folder / CHANGES / name, parts=[])
        manifest.folder.mkdir(parents=True)
        Writer(self._source, ask, self._schema, manifest).run()
        return manifest

    def _merge(self, changes: Manifest, changed: pa.ChunkedArray, gone: pa.Array) -> None:
        """Rewrite the parts with changed records; one part is in memory at a time."""
        for part in self._stored.parts:
            kept = replace(part, after=None)  # the vendor's paging does not continue from here any more
            ids = self._stored.ids(part)
            table = merged = None
            if _count_true(pc.and_(_not_in(ids, changed), _not_in(ids, gone))) < len(ids):
                table = self._stored.table(part)
                merged = self._merge_part(table, changes, gone)
            if merged is None or merged.equals(table):
                self._new.parts.append(kept)
            elif merged.num_rows:
                self._new.parts.append(self._written(merged, kept))

    def _merge_part(self, table: pa.Table, changes: Manifest, gone: pa.Array) -> pa.Table:
        """Return *table* without deleted records, and with changed records in place of the old ones."""
        ids, found = table[changes.key], [table.slice(0, 0)]
        for part in changes.parts:
            changed = changes.table(part)
            found.append(changed.filter(pc.invert(_not_in(changed[changes.key], ids))))
        fresh = pa.concat_tables(found, promote_options="default")
        place = pc.add(pc.index_in(ids, value_set=fresh[changes.key], skip_nulls=True), len(table))
        rows = pc.coalesce(place, pa.array(range(len(table)), pa.int32()))
        both = pa.concat_tables([table, fresh], promote_options="default")
        return self._declared_first(both.take(rows.filter(_not_in(ids, gone))))

    def _append(self, changes: Manifest, known: pa.ChunkedArray) -> None:
        """Append new records, to the last part as long as that is small."""
        parts = self._new.parts
        for part in changes.parts:
            fresh, like = changes.table(part), part
            fresh = fresh.filter(_not_in(fresh[changes.key], known))
            if fresh.num_rows and parts and parts[-1].rows + fresh.num_rows <= write.PART_ROWS:
                both = pa.concat_tables([self._new.table(parts[-1]), fresh], promote_options="default")
                if both.nbytes <= write.PART_BYTES:
                    last = parts.pop()
                    fresh, like = both, replace(last, pages=last.pages + part.pages)
            if fresh.num_rows:
                parts.append(self._written(fresh, like))

    def _declared_first(self, table: pa.Table) -> pa.Table:
        """Put appended columns after the declared ones, by name, without those that no record needs any more."""
        declared = self._new.schema.names
        appended = sorted(set(table.column_names) - set(declared))
        return table.select([*declared, *(name for name in appended if table[name].null_count < len(table))])

    def _written(self, table: pa.Table, like: Part) -> Part:
        return self._new.store(self._declared_first(table), pages=like.pages, after=None, drift=like.drift)


def _not_in(ids: Any, among: Any) -> Any:
    """Return which of *ids* are not *among* the others; a missing id never is."""
    return pc.invert(pc.is_in(ids, value_set=among, skip_nulls=True))


def _count_true(are: Any) -> int:
    return pc.sum(are).as_py() or 0
