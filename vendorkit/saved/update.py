"""
Folding what changed into a dataset on disk.

What changed is pulled into a folder of its own inside the dataset's, checked like any pull. Then the parts that it
touches are written anew under new names, then the manifest that names these, and then what the old one named is
removed: whenever the process dies, the folder holds the dataset from before or from after.

A changed record takes the place of the old one, a new one comes last. Who left is found by comparing: a record that
changed, but does not match the query as it is now, is gone. Deletions without a trace show in the total; where it does
not agree, the whole is pulled anew, and takes the place of the old dataset in the vendor's order.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Schema
from vendorkit.query import Query, Since
from vendorkit.resource import telling
from vendorkit.saved import write as filling
from vendorkit.saved.dataset import Dataset, existing, fresh, same_question, told
from vendorkit.saved.manifest import CHANGES, Manifest, Part, locked, part_file, sweep
from vendorkit.saved.write import Filling

_NONE: Final = pa.array([], pa.string())


def update(query: Query, path: str | Path) -> Dataset:
    """Fold what changed into the dataset at *path*. This is `Query.update`, which says more."""
    folder = Path(path)
    if query.since is not None:
        what = "A query with since= has no dataset that could be updated."
        raise UsageError(what, remedy="Save and update the query without since=.")
    telling(query)
    existing(folder)  # else the lock would make a folder
    with locked(folder):
        stored, wanted, schema = _stored(query, folder)
        sweep(folder, stored)
        try:
            return told(folder, _Update(query, schema, folder, stored, wanted).run())
        except IncompletePull as exc:
            what = f"{folder} is as it was before the update: {exc.what}"
            raise IncompletePull(what, arrived=told(folder, stored), remedy="Call update() again.") from exc
        finally:
            sweep(folder, Manifest.read(folder) or stored)


def _stored(query: Query, folder: Path) -> tuple[Manifest, Manifest, Schema]:
    """Return what is stored, the manifest of an empty dataset of the same question, and its columns."""
    stored = existing(folder)
    columns, locale = stored.asked.get("columns"), stored.asked.get("locale")
    schema = query.schema.project(columns, locale)
    wanted = fresh(query, schema, columns=columns, locale=locale)
    same_question(folder, stored, wanted)
    if not stored.complete or not all(part.intact(folder) for part in stored.parts):
        what = f"{folder} is not whole."
        raise UsageError(what, remedy="Call save() first: it goes on.")
    if schema.key not in schema.arrow.names:
        what = f"{folder} was saved without {schema.key!r}, which tells its records apart."
        raise UsageError(what, remedy=f"Save another one with {schema.key!r} among the columns.")
    if stored.mark is None:
        what = f"{folder} does not say where the vendor stood when it was saved."
        raise UsageError(what, remedy="Delete it and save again; if it stays, the feed is empty or closed to you.")
    return stored, wanted, schema


class _Update:
    """One update. What `stored` names stays as it is until the new manifest is written."""

    def __init__(self, query: Query, schema: Schema, folder: Path, stored: Manifest, wanted: Manifest) -> None:
        self._query, self._schema, self._folder = query, schema, folder
        self._stored, self._wanted, self._key = stored, wanted, schema.key
        self._numbers = count(stored.next_number())

    def run(self) -> Manifest:
        """Pull, compare, fold; return the new manifest, which is then the folder's."""
        style = telling(self._query)
        mark = style.mark(self._query)  # before the pull: what changes meanwhile comes the next time
        self._wanted.mark = None if mark is None else [*mark]
        since = replace(self._query, since=Since(*self._stored.mark or ()))
        touched = pa.array(style.touched(since), pa.string())  # before the pull: or what changes meanwhile would leave
        changes = self._pulled(since, "changed")
        known, changed = self._ids(self._folder, self._stored), self._ids(self._where("changed"), changes)
        gone = touched.filter(_absent(touched, changed))
        rows = _how_many(_absent(known, gone)) + _how_many(_absent(changed, known))
        total = self._query.resource.style.count(self._query)
        if total is None or total == rows:
            parts = self._folded(changes, known, changed, gone)
        else:
            whole = self._pulled(self._query, "whole")
            parts, total = [self._moved(part) for part in whole.parts], whole.total
        new = replace(self._wanted, parts=parts, total=total, complete=True)
        new.write(self._folder)
        return new

    def _where(self, name: str) -> Path:
        return self._folder / CHANGES / name

    def _pulled(self, query: Query, name: str) -> Manifest:
        """Pull *query* into a folder of its own, whole."""
        manifest = replace(self._wanted, parts=[])
        self._where(name).mkdir(parents=True)
        Filling(query, self._schema, self._where(name), manifest).run()
        return manifest

    def _moved(self, part: Part) -> Part:
        moved = replace(part, file=part_file(next(self._numbers)))
        (self._where("whole") / part.file).replace(self._folder / moved.file)
        return moved

    def _folded(self, changes: Manifest, known: pa.Array, changed: pa.Array, gone: pa.Array) -> list[Part]:
        """Write the parts that are touched anew, and what is new behind them; one part is in memory at a time."""
        affected = pa.concat_arrays([changed, gone])
        parts = list[Part]()
        for part in self._stored.parts:
            kept = replace(part, after=None)  # the vendor's paging does not lead on from here any more
            ids = self._read(self._folder, part, [self._key])[self._key]
            if _how_many(_absent(ids, affected)) == len(ids):
                parts.append(kept)
                continue
            table = self._read(self._folder, part)
            folded = self._fold(table, changes, gone)
            if folded.equals(table):
                parts.append(kept)
            elif folded.num_rows:
                parts.append(self._written(folded, kept))
        for part in changes.parts:
            table = self._read(self._where("changed"), part)
            self._append(parts, table.filter(_absent(table[self._key], known)), part)
        return parts

    def _fold(self, table: pa.Table, changes: Manifest, gone: pa.Array) -> pa.Table:
        """Return *table* without what is gone, and with changed records in place of the old ones."""
        ids, found = table[self._key], [table.slice(0, 0)]
        for part in changes.parts:
            changed = self._read(self._where("changed"), part)
            found.append(changed.filter(pc.invert(_absent(changed[self._key], ids))))
        fresh = pa.concat_tables(found, promote_options="default")
        place = pc.add(pc.index_in(ids, value_set=fresh[self._key], skip_nulls=True), len(table))
        rows = pc.coalesce(place, pa.array(range(len(table)), pa.int32()))
        both = pa.concat_tables([table, fresh], promote_options="default")
        return self._tidy(both.take(rows.filter(_absent(ids, gone))))

    def _append(self, parts: list[Part], fresh: pa.Table, told: Part) -> None:
        """Put new records behind the others, into the last part as long as that is small."""
        if not fresh.num_rows:
            return
        last = parts[-1] if parts else None
        if last is not None and last.rows + fresh.num_rows <= filling.PART_ROWS:
            table = pa.concat_tables([self._read(self._folder, last), fresh], promote_options="default")
            if table.nbytes <= filling.PART_BYTES:
                parts[-1] = self._written(self._tidy(table), replace(last, pages=last.pages + told.pages))
                return
        parts.append(self._written(self._tidy(fresh), replace(told, after=None)))

    def _tidy(self, table: pa.Table) -> pa.Table:
        """Put appended columns behind the declared ones, by name, and leave out those that no record needs any more."""
        declared = self._schema.arrow.names
        appended = sorted(set(table.column_names) - set(declared))
        return table.select([*declared, *(name for name in appended if table[name].null_count < len(table))])

    def _written(self, table: pa.Table, like: Part) -> Part:
        appended = [name for name in table.column_names if name not in self._schema.arrow.names]
        file = part_file(next(self._numbers))
        told = {"pages": like.pages, "after": None, "appended": appended, "drift": like.drift}
        return Part.write(self._folder, file, table, **told)

    def _ids(self, folder: Path, manifest: Manifest) -> pa.Array:
        tables = [self._read(folder, part, [self._key]) for part in manifest.parts]
        return pa.concat_arrays([chunk for table in tables for chunk in table[self._key].chunks] or [_NONE])

    def _read(self, folder: Path, part: Part, names: list[str] | None = None) -> pa.Table:
        declared = self._schema.arrow
        return part.read(folder, names or [*declared.names, *part.appended], declared)


def _absent(ids: Any, among: Any) -> Any:
    """Return which of *ids* are not *among* the others; what has no id is nowhere."""
    return pc.invert(pc.is_in(ids, value_set=among, skip_nulls=True))


def _how_many(are: Any) -> int:
    return pc.sum(are).as_py() or 0
