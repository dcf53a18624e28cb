"""Downloads a query result into a folder, part by part, and continues a download that was interrupted."""

from __future__ import annotations

import json
import re
import time
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from vendorkit import arguments
from vendorkit.ask import Ask
from vendorkit.errors import AuthError, Cancelled, IncompletePull, NotAllowed, UsageError, VendorkitError
from vendorkit.frames import UNDECLARED, Batch, Drift, Schema, TableReader, combine, fold
from vendorkit.frames.drift import levels_to_caller
from vendorkit.pull import Group, Pull, run, utc_now
from vendorkit.resource import Source, describe
from vendorkit.saved.commits import check_writable, commit
from vendorkit.saved.dataset import Dataset, summary
from vendorkit.saved.files import POSITION, DamagedError, Part, checked, locked, part_name, sweep, write_part
from vendorkit.saved.log import Footer, Note, Question, Version, encoded, newest, unfinished

# A part ends at whichever limit is reached first. Time is limited because the vendor's rate limit may allow only a few
# pages per minute, and an interruption loses all pages that are not in a part yet.
PART_ROWS: Final = 65_536
PART_BYTES: Final = 64 << 20  # in memory, as Arrow tables
PART_SECONDS: Final = 30.0
_LOCAL_ORIGIN: Final = re.compile(r"https://127\.0\.0\.1:\d+")
_FATAL: Final = (AuthError, Cancelled, UsageError)  # raised as they are: IncompletePull would suggest to try again


def save(source: Source, ask: Ask, path: Any, *, columns: Any, locale: Any) -> Dataset:
    """Download *ask* into a folder: the implementation of `Query.save`."""
    folder, columns, locale = arguments.folder(path), arguments.columns(columns), arguments.locale(locale)
    schema, note = new_note(source, ask, question_of(source, ask, columns, locale))
    check_writable(folder)
    with locked(folder):
        old = newest(folder)
        download = Download(source, ask, schema, folder, 0 if old is None else old.following, note)
        if old is None:
            download.resume()
        else:
            check_same_query(folder, old.note.question, note.question)
            download.restart()
            if old.is_intact():
                return summary(old)
        try:
            download.run()
            removed = 0 if old is None else old.note.rows
            return download.commit(old, {"added": download.note.rows, "changed": 0, "removed": removed})
        except IncompletePull as exc:
            exc.arrived = summary(old or download.stored)
            raise


def question_of(source: Source, ask: Ask, columns: Any, locale: Any) -> Question:
    """Return what identifies the query of a dataset."""
    request = json.loads(json.dumps(describe(source, ask)))
    return Question(source.vendor_name, source.environment, ask.resource, request, columns, locale)


def new_note(source: Source, ask: Ask, question: Question) -> tuple[Schema, Note]:
    """Return the projected schema of *ask*, and the note of a dataset without parts."""
    schema = source.resource_of(ask).columns_of(ask).project(question.columns, question.locale)
    return schema, Note(question, schema.key, schema.arrow, None, None, utc_now(), 0, [], {})


def check_same_query(folder: Path, stored: Question, requested: Question) -> None:
    """Raise `UsageError` if the stored dataset was saved by another query than the requested one."""
    # A mock server listens on another port after each start.
    texts = [_LOCAL_ORIGIN.sub("", msgspec.json.encode(question).decode()) for question in (stored, requested)]
    stored_query, requested_query = map(json.loads, texts)
    if different := [name for name in requested_query if requested_query[name] != stored_query[name]]:
        what = f"{folder} holds the dataset of another query; different: {', '.join(different)}."
        raise UsageError(what, remedy="Save into another folder, or delete this one.")


@dataclass
class Download:
    """
    A download whose parts become one version.

    Attributes:
        source: Fetches the pages.
        ask: The query.
        schema: Its columns, projected.
        folder: The folder of the parts.
        version: The number of the version that they become.
        note: The description of this version. It always lists the parts written so far.
        row_limit: Stop soon after this number of rows. None means no limit.
        cursor: The vendor's cursor after the newest part; None means the start.
        done: Whether the vendor has no further pages.
        drift: Fields and values that did not match the schema.
        number: The number of the next part.
    """

    source: Source
    ask: Ask
    schema: Schema
    folder: Path
    version: int
    note: Note
    row_limit: int | None = None
    cursor: Any = None
    done: bool = False
    drift: Drift = field(default_factory=Drift)
    number: int = 0
    _pending: list[Group[Batch]] = field(default_factory=list)
    _part_started: float = 0.0
    _error: VendorkitError | None = None

    @property
    def stored(self) -> Version:
        """The parts written so far, as a version that is not complete."""
        return Version(self.folder, None, self.note, complete=False)

    def resume(self) -> None:
        """Continue an unfinished download in the folder, if there is one. Delete the parts after a damaged one."""
        found = unfinished(self.folder)
        if found is not None:
            check_same_query(self.folder, found.note.question, self.note.question)
        if found is None or not found.note.schema.equals(self.note.schema):
            self.restart()
        else:
            sweep(self.folder, 0, {part.name for part in found.note.parts})
            found.note.question, found.note.key = self.note.question, self.note.key
            self.note, self.cursor, self.done, self.number = found.note, found.cursor, found.done, len(found.note.parts)
            self.drift = Drift(Counter(found.unknown), Counter(found.unfit))

    def restart(self) -> None:
        """Start from the first page, without any parts. Delete the files of interrupted runs."""
        sweep(self.folder, self.version)
        self.drift, self.cursor, self.done, self.number = Drift(), None, False, 0
        self.note.parts, self.note.total, self.note.fetched_at, self.note.pages = [], None, utc_now(), 0

    def commit(self, old: Version | None, counts: dict[str, int], *, keeps: bool = False) -> Dataset:
        """Commit the parts as the version after *old*; *keeps* as in `commit`. Warn of drift in a full download."""
        if not keeps:
            self.drift.warn(self.schema.name)
        self.note.counts = counts
        commit(self.folder, old, self.note, keeps=keeps)
        return summary(Version(self.folder, self.version, self.note))

    def add(self, table: pa.Table, members: dict[str, str], note: bytes) -> Part:
        """Write a table of stored columns as the next part, with *note* in its footer."""
        self.number += 1
        return write_part(self.folder, part_name(self.version, self.number - 1), table, members, note)

    def run(self) -> None:
        """
        Store all remaining pages, and check that the result is complete.

        Raises:
            IncompletePull: The download or the disk failed, or the data changed in between. Received rows are stored.
        """
        while True:
            try:
                return self._run()
            except DamagedError:  # the vendor's records no longer begin with the stored ones, so start again
                self.restart()

    def _run(self) -> None:
        if self.done and self._why_incomplete() is None:
            return  # an earlier process ended between the last part and the commit
        # If all pages were stored but are inconsistent, download them again from the start.
        cursor = None if self.done else self.cursor
        flow = self.source.resource_of(self.ask).paging_of(self.ask).pages(self.ask, cursor)
        limit = None if self.row_limit is None else self.row_limit + 1
        pull = Pull(flow, self.source, self.ask.resource, limit=limit)
        self._pending, self._part_started = [], time.monotonic()
        with closing(self._new_groups(pull, skip_stored=cursor is None and bool(self.note.parts))) as groups:
            for group in groups:
                self._add(group)
        self.done, error = self._error is None, self._error
        self._flush()
        if isinstance(error, _FATAL):
            raise error
        if error is not None:
            what = f"The download of {self.ask.resource} broke off at row {self.note.rows:,}: {error.what}"
            resumes = "" if isinstance(error, IncompletePull) else " save() continues from there."
            raise IncompletePull(what, remedy=f"{error.remedy}{resumes}") from error
        if (self.row_limit is None or self.note.rows <= self.row_limit) and (why := self._why_incomplete()):
            raise pull.incomplete(why)

    def _new_groups(self, pull: Pull, *, skip_stored: bool) -> Generator[Group[Batch], None, None]:
        """Yield the received pages, without stored records if the download starts again. Keep an error in `_error`."""
        self._error = None
        ids, key = self.stored.ids(*self.note.parts if skip_stored else ()), self.schema.key
        # The cursor was read from a file that others may have written, so paging may fail on it in any way.
        with nullcontext() if self.cursor is None else checked(DamagedError(self.folder)):
            try:
                self._note_position()
                for group in pull.read(TableReader(self.schema).read, PART_ROWS, TableReader(self.schema).read):
                    self._check_total(group.total)
                    table = group.value.table
                    stored, ids = ids[: len(table)], ids[len(table) :]
                    if len(stored) and not table[key].slice(0, len(stored)).equals(pa.chunked_array([stored])):
                        raise DamagedError(self.folder)  # noqa: TRY301 - not handled here
                    if not len(stored) or len(stored) < len(table):
                        yield replace(group, value=replace(group.value, table=table.slice(len(stored))))
            except DamagedError:
                raise
            except VendorkitError as exc:
                self._error = exc
            else:
                if len(ids):
                    raise DamagedError(self.folder)

    def _note_position(self) -> None:
        """Before the first page, store the vendor's position for later updates, if the vendor reports changes."""
        ask, note, changes = self.ask, self.note, self.source.resource_of(self.ask).changes
        if note.parts or note.position is not None or ask.since is not None or ask.matches_nothing:
            return
        if changes is None or changes.why_not_incremental(ask) is not None:
            return
        try:
            note.position = run(changes.position(ask), self.source)
        except VendorkitError as exc:
            if isinstance(exc, NotAllowed):  # not every user may read the feed
                return
            if isinstance(exc, _FATAL):
                raise
            what = f"{ask.resource}: updates of this dataset will not be possible. {exc.what}"
            warnings.warn(what, UserWarning, stacklevel=levels_to_caller())

    def _check_total(self, total: int | None) -> None:
        note = self.note
        if note.total is None or not (note.parts or self._pending):
            note.total = total
        if total is not None and total != note.total:
            before = f"The download into {self.folder} began when there were {note.total:,} records"
            what = f"{before}; now there are {total:,}."
            raise IncompletePull(what, remedy="Delete the folder and save again, or save into another one.")

    def _add(self, group: Group[Batch]) -> None:
        # The part is written before the next pages are added to it. So the last part is written after the download
        # ended, and its footer can say so.
        rows = sum(len(pending.value.table) for pending in self._pending)
        size = sum(pending.value.table.nbytes for pending in self._pending)
        if time.monotonic() - self._part_started >= PART_SECONDS or rows >= PART_ROWS or size >= PART_BYTES:
            self._flush()
        self._pending.append(group)

    def _flush(self) -> None:
        """Write the pending pages as one part."""
        if not self._pending:
            return
        table, drift = combine([group.value for group in self._pending], self.schema)
        cursor = self._pending[-1].cursor
        self.note.pages += sum(group.pages for group in self._pending)
        if table.num_rows:
            # Without the origin, because a mock server listens on another port after each start.
            self.cursor = cursor.removeprefix(self.source.base_url) if isinstance(cursor, str) else cursor
            self.drift.merge(drift)
            undeclared, members = fold(table, self.schema, drift)
            first = self.note.end
            positions = pa.array(np.arange(first, first + table.num_rows))
            declared = table.select(self.schema.arrow.names).append_column(POSITION, positions)
            footer = Footer(self.note, self.cursor, self.done, members, self.drift.unknown, self.drift.unfit)
            self.note.parts.append(self.add(declared.append_column(UNDECLARED, undeclared), members, encoded(footer)))
        self._pending, self._part_started = [], time.monotonic()

    def _why_incomplete(self) -> str | None:
        """Compare with the total, and look for duplicate ids, which occur if records move between pages."""
        total = self.note.total
        if total is not None and self.note.rows != total:
            return f"{self.note.rows:,} rows arrived, but {total:,} were announced"
        return "the same id was received twice" if self.note.pages > 1 and self._has_duplicates() else None

    def _has_duplicates(self) -> bool:
        if self.schema.key not in self.schema.arrow.names:
            return False
        # Hashes of 64 bits take 8 MB per million ids, and collide in 1 of 10**7 datasets of that size.
        ids = (self.stored.ids(part).drop_null().to_pandas() for part in self.note.parts)
        hashes = np.sort(np.concatenate([pd.util.hash_array(series.to_numpy(dtype=object)) for series in ids]))
        return bool((hashes[1:] == hashes[:-1]).any())
