"""Writing a download into a folder, part by part, after the parts that are stored there already."""

from __future__ import annotations

import json
import re
import time
import warnings
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from vendorkit import arguments
from vendorkit.ask import Ask
from vendorkit.errors import (
    AuthError,
    Cancelled,
    DataError,
    IncompletePull,
    NotAllowed,
    RequestRefused,
    UsageError,
    VendorkitError,
    VendorUnavailable,
)
from vendorkit.frames import UNDECLARED, Batch, Drift, Schema, TableReader, combine, fold
from vendorkit.frames.drift import levels_to_caller
from vendorkit.pull import TOGETHER, Group, Pull, run, utc_now
from vendorkit.resource import Source, describe
from vendorkit.saved.dataset import Dataset, summary
from vendorkit.saved.files import POSITION, DamagedError, Part, locked, part_name, parts_in, sweep, write_part
from vendorkit.saved.log import Version, check_writable, commit, encoded, newest, stored_schema
from vendorkit.saved.unfinished import unfinished
from vendorkit.saved.version1 import refuse_version_1

# A part ends at whichever limit comes first. Time counts because pages come at the pace of the vendor's rate budget: a
# download of 10,000 records in pages would otherwise be one part, and lost as a whole.
PART_ROWS: Final = 65_536
PART_BYTES: Final = 64 << 20  # in Arrow's memory
PART_SECONDS: Final = 30.0
_KEPT: Final = ("question", "key", "schema", "mark", "total", "fetched_at", "pages")
_LOCAL_ORIGIN: Final = re.compile(r"https://127\.0\.0\.1:\d+")


class MovedError(Exception):
    """What the vendor sends from the start is not what is stored, so nothing can be continued."""


class TooManyError(Exception):
    """More rows than are wanted."""


@dataclass
class Stored:
    """
    What a download has stored, and what is known about it.

    Attributes:
        folder: Where.
        version: The version that the parts belong to once they are committed.
        note: As in `Version`.
        parts: The files, in order.
        drift: What did not match the schema.
        cursor: Where the vendor's paging continues; None: at the start.
        done: Whether nothing follows.
        number: Of the next part.
    """

    folder: Path
    version: int
    note: dict[str, Any]
    parts: list[Part] = field(default_factory=list)
    drift: Drift = field(default_factory=Drift)
    cursor: Any = None
    done: bool = False
    number: int = 0

    @property
    def rows(self) -> int:
        """How many records are stored."""
        return sum(part.rows for part in self.parts)

    @property
    def found(self) -> Version:
        """What is stored, to be read."""
        return Version(self.folder, None, tuple(self.parts), self.note)

    def next_name(self) -> str:
        """Return the name of the next part."""
        self.number += 1
        return part_name(self.version, self.number - 1)

    def store(self, table: pa.Table, schema: Schema, drift: Drift, pages: int) -> None:
        """Write a table of the frame's columns as the next part."""
        texts, members = fold(table, schema, drift)
        first = self.parts[-1].last + 1 if self.parts else 0
        place = pa.array(np.arange(first, first + table.num_rows))
        stored = table.select(schema.arrow.names).append_column(POSITION, place).append_column(UNDECLARED, texts)
        self.drift.merge(drift)
        self.note["pages"] += pages
        counts = {"unknown": self.drift.unknown, "unfit": self.drift.unfit}
        place_of_part = {"cursor": self.cursor, "done": self.done, "first": first, "pages": pages}
        found = {"members": members, "drift": counts, "previous": self.parts[-1].crc if self.parts else 0}
        note = {**self.note, "schema": encoded(self.note["schema"]), **place_of_part, **found}
        part = write_part(self.folder, self.next_name(), stored_schema(schema.arrow), [stored], note)
        assert part is not None  # noqa: S101 - it has rows
        self.parts.append(replace(part, members=members))

    def news(self, **counts: int) -> dict[str, Any]:
        """Return what a commit says."""
        return {**{name: self.note[name] for name in _KEPT}, **counts}

    def restart(self) -> None:
        """Forget all parts."""
        sweep(self.folder, self.version - 1)
        self.parts, self.drift, self.cursor, self.done, self.number = [], Drift(), None, False, 0
        self.note.update(total=None, fetched_at=utc_now(), pages=0)


def save(source: Source, ask: Ask, path: Any, *, columns: Any, locale: Any) -> Dataset:
    """Download *ask* into a folder. This is `Query.save`, which says more."""
    folder, columns, locale = arguments.folder(path), arguments.columns(columns), arguments.locale(locale)
    schema, note = new_note(source, ask, columns, locale)
    refuse_version_1(folder)
    check_writable(folder)
    with locked(folder):
        old = newest(folder)
        if old is None:
            stored = _resumed(folder, note)
        else:
            same_question(folder, old.note, note)
            sweep(folder, old.number or 0)
            if old.intact():
                return summary(old)
            stored = Stored(folder, (old.number or 0) + 1, note)
        try:
            download(source, ask, schema, stored)
            rows, before = stored.rows, 0 if old is None else old.note["rows"]
            commit(folder, old, stored.news(rows=rows, added=rows, changed=0, removed=before), stored.parts, None)
        except IncompletePull as exc:
            exc.arrived = summary(stored.found if old is None else old)
            raise
        return summary(newest(folder))


def download(source: Source, ask: Ask, schema: Schema, stored: Stored) -> None:
    """Store the whole answer to *ask*, after what is stored of it; the drift is reported as a warning."""
    while True:
        try:
            Writer(source, ask, schema, stored).run()
        except MovedError:
            stored.restart()
        else:
            stored.drift.warn(schema.name)
            return


def new_note(source: Source, ask: Ask, columns: Any, locale: Any) -> tuple[Schema, dict[str, Any]]:
    """Return the columns of a dataset of *ask*, and the note of one that holds nothing yet."""
    schema = source.resource_of(ask).columns_of(ask).project(columns, locale)
    question = {
        "vendor": source.vendor_name,
        "environment": source.environment,
        "resource": ask.resource,
        "request": describe(source, ask),
        "columns": None if columns is None else list(columns),
        "locale": locale,
    }
    known = {"question": json.loads(json.dumps(question)), "key": schema.key, "schema": schema.arrow}
    return schema, {**known, "mark": None, "total": None, "fetched_at": utc_now(), "pages": 0}


def same_question(folder: Path, found: Any, wanted: Any) -> None:
    """Raise `UsageError` if the dataset that was found is that of another query."""
    before, asked = _comparable(found["question"]), _comparable(wanted["question"])
    if changed := [name for name in asked if asked[name] != before.get(name)]:
        what = f"{folder} holds the dataset of another query; different: {', '.join(changed)}."
        raise UsageError(what, remedy="Save into another folder, or delete this one.")


def _comparable(question: Any) -> dict[str, Any]:
    """Return what makes two queries the same; a mock server has another port at each start."""
    text = json.dumps(question)
    found: dict[str, Any] = json.loads(_LOCAL_ORIGIN.sub("", text) if question.get("environment") == "local" else text)
    return found


def _resumed(folder: Path, note: dict[str, Any]) -> Stored:
    """Return what the folder holds of a dataset that is not complete; parts after a damaged one are deleted."""
    found = unfinished(folder)
    if found is None or not found.note["schema"].equals(note["schema"]):
        if found is not None:
            same_question(folder, found.note, note)
        sweep(folder, -1)
        return Stored(folder, 0, note)
    same_question(folder, found.note, note)
    whole = {part.name for part in found.parts}
    for name in {*parts_in(folder)} - whole:
        (folder / name).unlink()
    sweep(folder, 0)
    kept = {**{name: found.note[name] for name in _KEPT}, "question": note["question"]}
    drift = found.note["drift"]
    counted = Drift(Counter(drift["unknown"]), Counter(drift["unfit"]))
    return Stored(
        folder, 0, kept, list(found.parts), counted, found.note["cursor"], found.note["done"], len(found.parts)
    )


class Writer:
    """
    One run that stores a download, after the parts that are stored already.

    Args:
        source: Fetches the pages.
        ask: The query.
        schema: Its columns, projected.
        stored: What is stored; kept up to date.
        most: End with `TooManyError` at more rows; None: never.
    """

    def __init__(self, source: Source, ask: Ask, schema: Schema, stored: Stored, most: int | None = None) -> None:
        self._source, self._ask, self._schema, self._stored, self._most = source, ask, schema, stored, most
        self._resource = source.resource_of(ask)
        # If all was there and did not fit together, from the start.
        cursor = None if stored.done else stored.cursor
        self._pull = Pull(self._resource.paging_of(ask).pages(ask, cursor), source, ask.resource)
        self._continues = cursor is not None or not stored.parts
        self._pending: list[Group[Batch]] = []
        self._started = time.monotonic()
        self._broken: VendorkitError | None = None

    def run(self) -> None:
        """
        Store page after page until the vendor has no more, and check that the result is complete.

        Raises:
            IncompletePull: The download or the disk failed, or the data changed meanwhile; what arrived is stored.
            MovedError: Nothing can be continued, it has to start over.
            TooManyError: There are more rows than wanted.
        """
        if self._stored.done and not self._difference():
            return  # the process ended after the last part
        with closing(self._arriving()) as groups:
            for group in groups:
                self._add(group)
        self._stored.done = self._broken is None
        self._flush()
        broken = self._broken
        if isinstance(broken, (AuthError, Cancelled, UsageError)):
            raise broken
        if broken is not None:
            what = f"The download of {self._ask.resource} broke off at row {self._stored.rows:,}: {broken.what}"
            resumes = "" if isinstance(broken, IncompletePull) else " save() continues from there."
            raise IncompletePull(what, remedy=f"{broken.remedy}{resumes}") from broken
        if why := self._difference():
            raise self._pull.incomplete(why)

    def _arriving(self) -> Generator[Group[Batch], None, None]:
        """Yield what is not stored yet; keep the error that ends it early."""
        try:
            self._note_position()
            groups = self._same_total(self._pull.read(TableReader(self._schema).read, min(TOGETHER, PART_ROWS)))
            yield from groups if self._continues else self._after_stored(groups)
        except VendorkitError as exc:
            self._broken = exc

    def _note_position(self) -> None:
        """Before the first page, note the vendor's position for a later update, if it reports changes."""
        ask, changes, stored = self._ask, self._resource.changes, self._stored
        if stored.parts or stored.note["mark"] is not None or ask.since is not None or ask.matches_nothing:
            return
        if changes is None or changes.why_not_incremental(ask) is not None:
            return
        with suppress(NotAllowed):  # not every user may read the feed
            try:
                position = run(changes.position(ask), self._source)
                stored.note["mark"] = None if position is None else [*position]
            except (RequestRefused, DataError, VendorUnavailable) as exc:
                what = f"{ask.resource}: updates of this dataset will not be possible. {exc.what}"
                warnings.warn(what, UserWarning, stacklevel=levels_to_caller())

    def _same_total(self, groups: Iterator[Group[Batch]]) -> Iterator[Group[Batch]]:
        note = self._stored.note
        begun = bool(self._stored.parts)
        for group in groups:
            total = group.total
            if not begun or note["total"] is None:
                note["total"], begun = total, True
            if total is not None and total != note["total"]:
                before = f"{self._stored.folder} was begun when there were {note['total']:,} records"
                what = f"{before}; now there are {total:,}."
                raise IncompletePull(what, remedy="Delete the folder and save again, or save into another one.")
            yield group

    def _after_stored(self, groups: Iterator[Group[Batch]]) -> Iterator[Group[Batch]]:
        """Drop the stored rows from a download that only starts at its beginning; the ids have to be the same."""
        key, found = self._schema.key, self._stored.found
        if key not in self._schema.arrow.names:
            raise MovedError
        parts = iter(found.parts)
        left, ids = self._stored.rows, pa.chunked_array([], pa.string())
        for group in groups:
            table = group.value.table
            drop = min(len(table), left)
            while len(ids) < drop:
                ids = pa.chunked_array([*ids.chunks, *self._ids(next(parts)).chunks], pa.string())
            if not table[key].slice(0, drop).equals(ids.slice(0, drop)):
                raise MovedError
            ids, left = ids.slice(drop), left - drop
            if drop < len(table):
                yield replace(group, value=replace(group.value, table=table.slice(drop)))
        if left:
            raise MovedError

    def _ids(self, part: Part) -> pa.ChunkedArray:
        try:
            return self._stored.found.ids(part)
        except DamagedError:
            raise MovedError from None

    def _add(self, group: Group[Batch]) -> None:
        """Add pages to the next part; the last one is written when it is known to be that."""
        rows = sum(len(one.value.table) for one in self._pending)
        size = sum(one.value.table.nbytes for one in self._pending)
        if time.monotonic() - self._started >= PART_SECONDS or rows >= PART_ROWS or size >= PART_BYTES:
            self._flush()
        self._pending.append(group)
        if self._most is not None and self._stored.rows + rows + group.rows > self._most:
            raise TooManyError

    def _flush(self) -> None:
        """Write what is pending as one part."""
        if not self._pending:
            return
        table, drift = combine([one.value for one in self._pending], self._schema)
        cursor, pages = self._pending[-1].cursor, sum(one.pages for one in self._pending)
        if not table.num_rows:
            self._stored.note["pages"] += pages
        else:
            # A mock server has another port at its next start.
            is_link = isinstance(cursor, str)
            self._stored.cursor = cursor.removeprefix(self._source.base_url) if is_link else cursor
            self._stored.store(table, self._schema, drift, pages)
        self._pending, self._started = [], time.monotonic()

    def _difference(self) -> str | None:
        """Compare with the total, and look for doubled ids: records that moved from page to page meanwhile."""
        stored, total = self._stored, self._stored.note["total"]
        if total is not None and stored.rows != total:
            return f"{stored.rows:,} rows arrived where {total:,} were announced"
        if stored.note["pages"] > 1 and self._has_doubles():
            return "the same id came twice"
        return None

    def _has_doubles(self) -> bool:
        if self._schema.key not in self._schema.arrow.names:
            return False
        # 8 bytes per id: a million records take 8 MB, and two hashes of 64 bits meet by chance once in 10**7 datasets.
        ids = (self._ids(part).drop_null().to_pandas() for part in self._stored.parts)
        found = np.sort(np.concatenate([pd.util.hash_array(some.to_numpy(dtype=object)) for some in ids]))
        return bool((found[1:] == found[:-1]).any())
