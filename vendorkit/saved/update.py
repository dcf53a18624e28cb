"""
The next version of a dataset: what changed is merged into the parts that have it.

What changed is downloaded into parts of the next version, checked like any download. Then the parts with changed or
deleted records are written anew, a few rows in memory at a time, and one commit exchanges them. The old parts stay for
the old versions. Whenever the process dies, readers see the version before or the version after.

A changed record takes the place of the old one, a new one comes last. Records that left are found by comparison: a
record that changed, but does not match the query any more, is gone. Deletions that are not reported show in the total;
if it does not agree, or more than a tenth of the records changed, everything is downloaded as the next version.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vendorkit import arguments
from vendorkit.ask import Ask, Since
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Schema
from vendorkit.pull import Pull, run
from vendorkit.resource import Source, changes_of
from vendorkit.saved import write
from vendorkit.saved.changes import check_key, compare, count
from vendorkit.saved.dataset import Dataset, summary
from vendorkit.saved.files import DamagedError, locked, sweep
from vendorkit.saved.log import Version, check_writable, commit, newest
from vendorkit.saved.merge import Merge, count_true, is_among, joined
from vendorkit.saved.unfinished import unfinished
from vendorkit.saved.version1 import refuse_version_1
from vendorkit.saved.write import Stored, TooManyError, Writer

_MOST: Final = 10  # at most one record in so many is merged; beyond, a whole download is quicker


def update(source: Source, ask: Ask, path: str | Path) -> Dataset:
    """Write the next version of the dataset at *path*. This is `Query.update`, which says more."""
    folder = arguments.folder(path)
    if ask.since is not None:
        what = "A query with since= has no dataset that could be updated."
        raise UsageError(what, remedy="Save and update the query without since=.")
    changes_of(source.resource_of(ask), ask, source.title)
    _existing(folder)  # else the lock would create a folder
    check_writable(folder)
    with locked(folder):
        old = _existing(folder)
        schema, note = _checked(source, ask, old)
        if ask.matches_nothing:
            return summary(old)
        sweep(folder, old.number or 0)
        try:
            _Update(source, ask, schema, old, note).run()
            return summary(newest(folder))
        except IncompletePull as exc:
            what = f"{folder} is as it was before the update: {exc.what}"
            raise IncompletePull(what, arrived=summary(old), remedy="Call update() again.") from exc
        except DamagedError as exc:
            what = f"{folder} is not complete: {exc}."
            raise UsageError(what, remedy="Call save() first: it downloads it again.") from exc
        finally:
            sweep(folder, (newest(folder) or old).number or 0)


def _existing(folder: Path) -> Version:
    refuse_version_1(folder)
    found = newest(folder)
    if found is None:
        is_begun = unfinished(folder) is not None
        what = f"{folder} is not complete." if is_begun else f"{folder} is not a saved dataset."
        remedy = "Call save() first: it continues." if is_begun else "Create one with query.save(path)."
        raise UsageError(what, remedy=remedy)
    return found


def _checked(source: Source, ask: Ask, old: Version) -> tuple[Schema, dict[str, Any]]:
    """Return the columns, and the note of the next version; check that it can be updated."""
    question = old.note["question"]
    columns, locale = arguments.columns(question.get("columns")), arguments.locale(question.get("locale"))
    plain = write.new_note(source, ask, None, None)[1]  # the projection may be that of another resource
    write.same_question(old.folder, old.note, {"question": {**plain["question"], "columns": columns, "locale": locale}})
    schema, note = write.new_note(source, ask, columns, locale)
    check_key(old)
    if old.note["mark"] is None and not ask.matches_nothing:
        what = f"{old.folder} does not say at which position of the vendor's changes it was saved."
        raise UsageError(what, remedy="Delete it and save again; if it stays, the feed is empty or closed to you.")
    return schema, note


class _Update:
    """One update. The parts of `old` stay as they are."""

    def __init__(self, source: Source, ask: Ask, schema: Schema, old: Version, note: dict[str, Any]) -> None:
        self._source, self._ask, self._schema, self._old = source, ask, schema, old
        self._changes = changes_of(source.resource_of(ask), ask, source.title)
        self._new = Stored(old.folder, (old.number or 0) + 1, note)

    def run(self) -> None:
        """Download, compare, merge; commit."""
        old, new = self._old, self._new
        # First the position: later changes come with the next update.
        position = run(self._changes.position(self._ask), self._source)
        new.note["mark"] = None if position is None else [*position]
        if old.declared.equals(self._schema.arrow) and self._merged():
            return
        new.restart()
        write.download(self._source, self._ask, self._schema, new)
        commit(old.folder, old, new.news(rows=new.rows, **count(compare(old, new.found))), new.parts, None)

    def _merged(self) -> bool:
        """Download and merge what changed; False if everything has to be downloaded."""
        old, new = self._old, self._new
        since = replace(self._ask, since=Since(*old.note["mark"]))
        ids = [old.ids(part).combine_chunks() for part in old.parts]
        known = joined(ids)
        changed_ids = self._changed_ids(since)  # before the download, or what changes meanwhile would leave
        try:
            Writer(self._source, since, self._schema, new, most=len(known) // _MOST).run()
        except TooManyError:
            return False
        changes = new.found
        changed = joined([changes.ids(part).combine_chunks() for part in changes.parts])
        gone = known.filter(pc.and_(is_among(known, changed_ids), pc.invert(is_among(known, changed))))
        rows = len(known) - len(gone) + count_true(pc.invert(is_among(changed, known)))
        total = run(self._source.resource_of(self._ask).paging.count(self._ask), self._source)
        if (len(changed) + len(gone)) * _MOST > len(known) or total not in {None, rows}:
            return False
        new.parts, new.note["total"] = [], total
        new.note["pages"] += old.note["pages"]
        merge = Merge(old, ids, changes, gone, new)
        replaced = merge.run()
        for part in changes.parts:  # before the commit, after which they would look like parts of the version
            (old.folder / part.name).unlink()
        commit(old.folder, old, new.news(rows=rows, **merge.counts), new.parts, replaced)
        return True

    def _changed_ids(self, since: Ask) -> pa.Array:
        pull = Pull(self._changes.changed_ids(since), self._source, since.resource, quiet=True)
        with closing(pull.accepted()) as accepted:
            return pa.array([key for one in accepted for key in self._changes.keys(one.page)], pa.string())
