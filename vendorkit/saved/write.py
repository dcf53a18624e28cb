"""Downloads a query result into a folder, part by part, and continues a download that was interrupted."""

from __future__ import annotations

import json
import re
import time
import warnings
import zlib
from collections import Counter
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vendorkit import arguments
from vendorkit.ask import Ask
from vendorkit.errors import AuthError, Cancelled, IncompletePull, NotAllowed, UsageError, VendorkitError
from vendorkit.frames import UNDECLARED, Batch, Drift, Schema, TableReader, combine, fold
from vendorkit.frames.drift import levels_to_caller
from vendorkit.pull import Group, Pull, run, utc_now
from vendorkit.resource import Source, describe
from vendorkit.saved import files
from vendorkit.saved.commits import check_writable, commit
from vendorkit.saved.dataset import Dataset, summary
from vendorkit.saved.files import POSITION, DamagedError, Part, checked, locked, sweep
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
        download = Download(source, ask, schema, note, folder, 0 if old is None else old.following)
        if old is None:
            download.resume()
        else:
            check_same_query(folder, old.note.question, note.question)
            with suppress(DamagedError):
                for part in old.parts:
                    part.open(folder)
                sweep(folder, old.following)
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
    return Question(source.vendor_name, source.environment, ask.resource, describe(source, ask), columns, locale)


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
        note: The description of the version that the parts become. It always lists the parts written so far.
        folder: The folder of the parts.
        version: The number of this version.
        cursor: The vendor's cursor after the newest part; None means the start.
        done: Whether the vendor has no further pages.
        drift: Fields and values that did not match the schema.
    """

    source: Source
    ask: Ask
    schema: Schema
    note: Note
    folder: Path
    version: int
    cursor: Any = None
    done: bool = False
    drift: Drift = field(default_factory=Drift)
    _pending: list[Group[Batch]] = field(default_factory=list)
    _part_started: float = 0.0

    @property
    def stored(self) -> Version:
        """The parts written so far, as a version that is not complete."""
        return Version(self.folder, None, self.note, complete=False)

    def resume(self) -> None:
        """Continue an unfinished download in the folder, if there is one."""
        if found := unfinished(self.folder):
            check_same_query(self.folder, found.note.question, self.note.question)
            if found.note.schema.equals(self.note.schema):
                self.note, self.cursor, self.done = found.note, found.cursor, found.done
                self.drift = Drift(Counter(found.unknown), Counter(found.unfit))

    def restart(self) -> None:
        """Start from the first page, without any parts."""
        self.drift, self.cursor, self.done = Drift(), None, False
        self.note.parts, self.note.total, self.note.fetched_at, self.note.pages = [], None, utc_now(), 0

    def commit(self, old: Version | None, counts: dict[str, int]) -> Dataset:
        """Commit the parts as the version after *old*, and warn of drift."""
        self.drift.warn(self.schema.name)
        self.note.counts = counts
        sweep(self.folder, self.version, self.note.parts)
        commit(self.folder, old, self.note)
        return summary(Version(self.folder, self.version, self.note))

    def add(self, table: pa.Table, members: dict[str, str], note: bytes) -> Part:
        """
        Write a non-empty table of stored columns as the next part, with *note* in its footer.

        Raises:
            IncompletePull: The disk is full, or writing is not allowed.
        """
        sweep(self.folder, self.version, self.note.parts)  # what an interrupted run left
        sink, table = pa.BufferOutputStream(), table.replace_schema_metadata({files.FOOTER_KEY: note})
        pq.write_table(table, sink, row_group_size=files.BATCH_ROWS, compression="zstd", write_page_checksum=True)
        body, name = sink.getvalue(), files.part_name(self.version, len(self.note.parts))
        files.write_atomically(self.folder / name, body)
        first, last = table[POSITION][0].as_py(), table[POSITION][-1].as_py()
        self.note.parts.append(Part(name, body.size, len(table), first, last, zlib.crc32(body), members))
        return self.note.parts[-1]

    def run(self) -> None:
        """
        Store all remaining pages, and check that the result is complete.

        Raises:
            IncompletePull: The download or the disk failed, or the data changed in between. Received rows are stored.
        """
        if self.done and self._why_incomplete() is None:
            return  # an earlier process ended between the last part and the commit
        if self.done or self.cursor is None:  # the parts contradict each other, or a stream cannot be continued
            self.restart()
        flow = self.source.resource_of(self.ask).paging_of(self.ask).pages(self.ask, self.cursor)
        pull = Pull(flow, self.source, self.ask.resource, limit=self.ask.limit)
        error = self._receive(pull)
        self.done = error is None
        self._flush()
        if isinstance(error, (*_FATAL, IncompletePull)):
            raise error
        if error is not None:
            resumes = "" if self.cursor is None else " save() continues from there."
            what = f"The download of {self.ask.resource} broke off at row {self.note.rows:,}: {error.what}"
            raise IncompletePull(what, remedy=f"{error.remedy}{resumes}") from error
        if self.note.rows != self.ask.limit and (why := self._why_incomplete()):
            raise pull.incomplete(why)

    def _receive(self, pull: Pull) -> VendorkitError | None:
        """Write the received pages, except those of the last part. Return the error that ended the download."""
        self._part_started = time.monotonic()
        groups = pull.read(TableReader(self.schema).read, PART_ROWS, TableReader(self.schema).read)
        what = f"The download in {self.folder} cannot be continued."
        bad_cursor = IncompletePull(what, remedy="Delete the folder and save again, or save into another one.")
        # The cursor was read from a file that others may have written, so paging may fail on it in any way.
        with nullcontext() if self.cursor is None else checked(bad_cursor), closing(groups):
            try:
                self._note_position()
                for group in groups:
                    self._check_total(group.total)
                    self._add(group)
            except VendorkitError as exc:
                return exc
        return None

    def _note_position(self) -> None:
        """Before the first page, store the vendor's position for later updates, if the vendor reports changes."""
        ask, note, changes = self.ask, self.note, self.source.resource_of(self.ask).changes
        if note.parts or note.position or ask.since or ask.matches_nothing:
            return
        if changes is None or changes.why_not_incremental(ask):
            return
        try:
            note.position = run(changes.position(ask), self.source)
        except NotAllowed:  # not every user may read the feed
            return
        except _FATAL:
            raise
        except VendorkitError as exc:
            what = f"{ask.resource}: updates of this dataset will not be possible. {exc.what}"
            warnings.warn(what, UserWarning, stacklevel=levels_to_caller())

    def _check_total(self, total: int | None) -> None:
        note = self.note
        note.total = total if note.total is None else note.total
        if total not in {None, note.total}:
            what = f"{self.folder} was begun when there were {note.total:,} records; now there are {total:,}."
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
        groups, self._pending, self._part_started = self._pending, [], time.monotonic()
        table, drift = combine([group.value for group in groups], self.schema)
        self.note.pages += sum(group.pages for group in groups)
        if not len(table):
            return
        # Without the origin, because a mock server listens on another port after each start.
        cursor = groups[-1].cursor
        self.cursor = cursor.removeprefix(self.source.base_url) if isinstance(cursor, str) else cursor
        self.drift.merge(drift)
        undeclared, members = fold(table, self.schema, drift)
        positions = pa.array(np.arange(self.note.end, self.note.end + len(table)))
        declared = table.select(self.schema.arrow.names).append_column(POSITION, positions)
        footer = Footer(self.note, self.cursor, self.done, members, self.drift.unknown, self.drift.unfit)
        self.add(declared.append_column(UNDECLARED, undeclared), members, encoded(footer))

    def _why_incomplete(self) -> str | None:
        """Compare with the total, and look for duplicate ids, which occur if records move between pages."""
        total, key = self.note.total, self.schema.key
        if total not in {None, self.note.rows}:
            return f"{self.note.rows:,} rows arrived, but {total:,} were announced"
        if self.note.pages < 2 or not self.note.parts or key not in self.schema.arrow.names:
            return None
        # Hashes of 64 bits take 8 MB per million ids, and collide in 1 of 10**7 datasets of that size.
        ids = (self.stored.ids(part).drop_null().to_pandas() for part in self.note.parts)
        hashes = np.concatenate([pd.util.hash_array(series.to_numpy(dtype=object)) for series in ids])
        return "the same id was received twice" if len(np.unique(hashes)) < len(hashes) else None
