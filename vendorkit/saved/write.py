"""Writing a download into a folder, part by part, after the parts that are stored there already."""

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

# A part ends at whichever limit comes first. Time counts because pages come at the pace of the vendor's rate budget: a
# download of 10,000 records in pages would otherwise be one part, and lost as a whole.
PART_ROWS: Final = 65_536
PART_BYTES: Final = 64 << 20  # in Arrow's memory
PART_SECONDS: Final = 30.0
_LOCAL_ORIGIN: Final = re.compile(r"https://127\.0\.0\.1:\d+")
_FATAL: Final = (AuthError, Cancelled, UsageError)  # nothing is gained by going on, or by saying how far it came


def save(source: Source, ask: Ask, path: Any, *, columns: Any, locale: Any) -> Dataset:
    """Download *ask* into a folder. This is `Query.save`, which says more."""
    folder, columns, locale = arguments.folder(path), arguments.columns(columns), arguments.locale(locale)
    schema, note = new_note(source, ask, columns, locale)
    check_writable(folder)
    with locked(folder):
        old = newest(folder)
        new = Download(source, ask, schema, folder, 0 if old is None else old.following, note)
        if old is None:
            new.resume()
        else:
            same_question(folder, old.note, note)
            new.restart()
            if old.intact():
                return summary(old)
        try:
            new.run()
            removed = 0 if old is None else old.note.rows
            return new.commit(old, {"added": new.note.rows, "changed": 0, "removed": removed})
        except IncompletePull as exc:
            exc.arrived = summary(old or new.stored)
            raise


def new_note(source: Source, ask: Ask, columns: Any, locale: Any) -> tuple[Schema, Note]:
    """Return the columns of a dataset of *ask*, and the note of one that holds nothing yet."""
    schema = source.resource_of(ask).columns_of(ask).project(columns, locale)
    request = json.loads(json.dumps(describe(source, ask)))
    question = Question(source.vendor_name, source.environment, ask.resource, request, columns, locale)
    return schema, Note(question, schema.key, schema.arrow, None, None, utc_now(), 0, [], {})


def same_question(folder: Path, found: Note, wanted: Note) -> None:
    """Raise `UsageError` if the dataset that was found is that of another query."""
    # A mock server has another port at each start.
    texts = [_LOCAL_ORIGIN.sub("", msgspec.json.encode(one.question).decode()) for one in (found, wanted)]
    before, asked = map(json.loads, texts)
    if changed := [name for name in asked if asked[name] != before[name]]:
        what = f"{folder} holds the dataset of another query; different: {', '.join(changed)}."
        raise UsageError(what, remedy="Save into another folder, or delete this one.")


@dataclass
class Download:
    """
    A download into the parts of one version, after those that are stored already.

    Attributes:
        source: Fetches the pages.
        ask: The query.
        schema: Its columns, projected.
        folder: Where the parts are.
        version: The version that they belong to once they are committed.
        note: What is known about it, with the parts; kept up to date.
        most: More rows than these, if any, are not wanted: it ends soon after them.
        cursor: Where the vendor's paging continues; None: at the start.
        done: Whether nothing follows.
        drift: What did not match the schema.
        number: Of the next part.
    """

    source: Source
    ask: Ask
    schema: Schema
    folder: Path
    version: int
    note: Note
    most: int | None = None
    cursor: Any = None
    done: bool = False
    drift: Drift = field(default_factory=Drift)
    number: int = 0
    _pending: list[Group[Batch]] = field(default_factory=list)
    _started: float = 0.0
    _broken: VendorkitError | None = None

    @property
    def stored(self) -> Version:
        """What is stored, to be read."""
        return Version(self.folder, None, self.note, complete=False)

    def resume(self) -> None:
        """Go on from what the folder holds of a dataset that is not complete; parts after a damaged one are deleted."""
        found = unfinished(self.folder)
        if found is not None:
            same_question(self.folder, found.note, self.note)
        if found is None or not found.note.schema.equals(self.note.schema):
            self.restart()
        else:
            sweep(self.folder, 0, {part.name for part in found.note.parts})
            found.note.question, found.note.key = self.note.question, self.note.key
            self.note, self.cursor, self.done, self.number = found.note, found.cursor, found.done, len(found.note.parts)
            self.drift = Drift(Counter(found.unknown), Counter(found.unfit))

    def restart(self) -> None:
        """Forget all parts, and delete what interrupted runs left."""
        sweep(self.folder, self.version)
        self.drift, self.cursor, self.done, self.number = Drift(), None, False, 0
        self.note.parts, self.note.total, self.note.fetched_at, self.note.pages = [], None, utc_now(), 0

    def commit(self, old: Version | None, counts: dict[str, int], *, keeps: bool = False) -> Dataset:
        """Make the parts the next version after *old*; *keeps* as in `commit`. Drift in a whole answer is a warning."""
        if not keeps:
            self.drift.warn(self.schema.name)
        self.note.counts = counts
        commit(self.folder, old, self.note, keeps=keeps)
        return summary(Version(self.folder, self.version, self.note))

    def add(self, table: pa.Table, members: dict[str, str], note: bytes) -> Part:
        """Write a table of stored columns as the next part; *note* is for its footer."""
        self.number += 1
        return write_part(self.folder, part_name(self.version, self.number - 1), table, members, note)

    def run(self) -> None:
        """
        Store page after page until the vendor has no more, and check that the result is complete.

        Raises:
            IncompletePull: The download or the disk failed, or the data changed meanwhile; what arrived is stored.
        """
        while True:
            try:
                return self._run()
            except DamagedError:  # what the vendor sends from the start is not what is stored: nothing can be continued
                self.restart()

    def _run(self) -> None:
        if self.done and self._difference() is None:
            return  # the process ended after the last part
        # If all was there and did not fit together, from the start.
        cursor = None if self.done else self.cursor
        flow = self.source.resource_of(self.ask).paging_of(self.ask).pages(self.ask, cursor)
        limit = None if self.most is None else self.most + 1
        pull = Pull(flow, self.source, self.ask.resource, limit=limit)
        self._pending, self._started = [], time.monotonic()
        with closing(self._arriving(pull, after_stored=cursor is None and bool(self.note.parts))) as groups:
            for group in groups:
                self._add(group)
        self.done, broken = self._broken is None, self._broken
        self._flush()
        if isinstance(broken, _FATAL):
            raise broken
        if broken is not None:
            what = f"The download of {self.ask.resource} broke off at row {self.note.rows:,}: {broken.what}"
            resumes = "" if isinstance(broken, IncompletePull) else " save() continues from there."
            raise IncompletePull(what, remedy=f"{broken.remedy}{resumes}") from broken
        if (self.most is None or self.note.rows <= self.most) and (why := self._difference()):
            raise pull.incomplete(why)

    def _arriving(self, pull: Pull, *, after_stored: bool) -> Generator[Group[Batch], None, None]:
        """Yield what arrives, or what comes *after_stored* records, which come again; keep the error that ends it."""
        self._broken = None
        ids, key = self.stored.ids(*self.note.parts if after_stored else ()), self.schema.key
        # The cursor may be that of a stranger's folder, and of any form.
        with nullcontext() if self.cursor is None else checked(DamagedError(self.folder)):
            try:
                self._note_position()
                for group in pull.read(TableReader(self.schema).read, PART_ROWS):
                    self._check_total(group.total)
                    table = group.value.table
                    again, ids = ids[: len(table)], ids[len(table) :]
                    if len(again) and not table[key].slice(0, len(again)).equals(pa.chunked_array([again])):
                        raise DamagedError(self.folder)  # noqa: TRY301 - it passes
                    if not len(again) or len(again) < len(table):
                        yield replace(group, value=replace(group.value, table=table.slice(len(again))))
            except DamagedError:
                raise
            except VendorkitError as exc:
                self._broken = exc
            else:
                if len(ids):
                    raise DamagedError(self.folder)

    def _note_position(self) -> None:
        """Before the first page, note the vendor's position for a later update, if it reports changes."""
        ask, note, changes = self.ask, self.note, self.source.resource_of(self.ask).changes
        if note.parts or note.mark is not None or ask.since is not None or ask.matches_nothing:
            return
        if changes is None or changes.why_not_incremental(ask) is not None:
            return
        try:
            note.mark = run(changes.position(ask), self.source)
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
            before = f"{self.folder} was begun when there were {note.total:,} records"
            what = f"{before}; now there are {total:,}."
            raise IncompletePull(what, remedy="Delete the folder and save again, or save into another one.")

    def _add(self, group: Group[Batch]) -> None:
        """Add pages to the next part; the last one is written when it is known to be that."""
        rows = sum(len(one.value.table) for one in self._pending)
        size = sum(one.value.table.nbytes for one in self._pending)
        if time.monotonic() - self._started >= PART_SECONDS or rows >= PART_ROWS or size >= PART_BYTES:
            self._flush()
        self._pending.append(group)

    def _flush(self) -> None:
        """Write what is pending as one part."""
        if not self._pending:
            return
        table, drift = combine([one.value for one in self._pending], self.schema)
        cursor = self._pending[-1].cursor
        self.note.pages += sum(one.pages for one in self._pending)
        if table.num_rows:
            # A mock server has another port at its next start.
            self.cursor = cursor.removeprefix(self.source.base_url) if isinstance(cursor, str) else cursor
            self.drift.merge(drift)
            texts, members = fold(table, self.schema, drift)
            first = self.note.end
            place = pa.array(np.arange(first, first + table.num_rows))
            stored = table.select(self.schema.arrow.names).append_column(POSITION, place)
            footer = Footer(self.note, self.cursor, self.done, members, self.drift.unknown, self.drift.unfit)
            self.note.parts.append(self.add(stored.append_column(UNDECLARED, texts), members, encoded(footer)))
        self._pending, self._started = [], time.monotonic()

    def _difference(self) -> str | None:
        """Compare with the total, and look for doubled ids: records that moved from page to page meanwhile."""
        total = self.note.total
        if total is not None and self.note.rows != total:
            return f"{self.note.rows:,} rows arrived where {total:,} were announced"
        return "the same id came twice" if self.note.pages > 1 and self._has_doubles() else None

    def _has_doubles(self) -> bool:
        if self.schema.key not in self.schema.arrow.names:
            return False
        # 8 bytes per id: a million records take 8 MB, and two hashes of 64 bits meet by chance once in 10**7 datasets.
        ids = (self.stored.ids(part).drop_null().to_pandas() for part in self.note.parts)
        found = np.sort(np.concatenate([pd.util.hash_array(some.to_numpy(dtype=object)) for some in ids]))
        return bool((found[1:] == found[:-1]).any())
