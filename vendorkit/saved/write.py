"""Writing a download into a folder, part by part, after the parts that are stored there already."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from vendorkit.ask import Ask
from vendorkit.errors import AuthError, Cancelled, IncompletePull, NotAllowed, NotFound, UsageError, VendorkitError
from vendorkit.frames import Batch, Drift, Schema, TableReader, combine
from vendorkit.pull import TOGETHER, Group, Pull, run
from vendorkit.resource import Source
from vendorkit.saved.manifest import Manifest

# A part ends at whichever limit comes first. Time counts because pages come at the pace of the vendor's rate budget: a
# download of 10,000 records in pages would otherwise be one part, and lost as a whole.
PART_ROWS: Final = 65_536
PART_BYTES: Final = 64 << 20  # in Arrow's memory
PART_SECONDS: Final = 30.0


class MovedError(Exception):
    """What the vendor sends from the start is not what is stored, so nothing can be continued."""


class Writer:
    """
    One run that writes a download into a folder, after the parts that the manifest names.

    Args:
        source: Fetches the pages.
        ask: The query.
        schema: Its columns, projected.
        manifest: What is stored; kept up to date.
    """

    def __init__(self, source: Source, ask: Ask, schema: Schema, manifest: Manifest) -> None:
        self._source, self._ask, self._schema, self._manifest = source, ask, schema, manifest
        self._resource = source.resource_of(ask)
        cursor = manifest.parts[-1].after if manifest.parts else None
        self._pull = Pull(self._resource.paging_of(ask).pages(ask, cursor), source, ask.resource)
        self._continues = cursor is not None or not manifest.parts
        self._pending: list[Group[Batch]] = []
        self._started = time.monotonic()
        self._broken: VendorkitError | None = None

    def run(self) -> None:
        """
        Store page after page until the vendor has no more, and check that the result is complete.

        Raises:
            IncompletePull: The download or the disk failed, or the data changed meanwhile; what arrived is stored.
            MovedError: Nothing can be continued, it has to start over.
        """
        with closing(self._arriving()) as groups:
            for group in groups:
                self._add(group)
        self._flush()
        broken = self._broken
        if isinstance(broken, (AuthError, Cancelled, UsageError)):
            raise broken
        if broken is not None:
            what = f"The download of {self._ask.resource} broke off at row {self._manifest.rows:,}: {broken.what}"
            resumes = "" if isinstance(broken, IncompletePull) else " save() continues from there."
            raise IncompletePull(what, remedy=f"{broken.remedy}{resumes}") from broken
        self._check()
        self._manifest.complete = True
        self._manifest.write()
        drift = Drift()
        for part in self._manifest.parts:  # those of earlier runs too
            drift.merge(Drift(Counter(part.drift["unknown"]), Counter(part.drift["unfit"])))
        drift.warn(self._schema.name)

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
        ask, changes, manifest = self._ask, self._resource.changes, self._manifest
        if manifest.parts or manifest.mark is not None or ask.since is not None or ask.matches_nothing:
            return
        if changes is not None and changes.why_not_incremental(ask) is None:
            with suppress(NotAllowed, NotFound):  # not every user may read the feed
                position = run(changes.position(ask), self._source)
                manifest.mark = None if position is None else [*position]

    def _same_total(self, groups: Iterator[Group[Batch]]) -> Iterator[Group[Batch]]:
        stored = self._manifest
        begun = bool(stored.parts)
        for group in groups:
            total = group.total
            if not begun or stored.total is None:
                stored.total, begun = total, True
            if total is not None and total != stored.total:
                what = f"{stored.folder} was begun when there were {stored.total:,} records; now there are {total:,}."
                raise IncompletePull(what, remedy="Delete the folder and save again, or save into another one.")
            yield group

    def _after_stored(self, groups: Iterator[Group[Batch]]) -> Iterator[Group[Batch]]:
        """Drop the stored rows from a download that only starts at its beginning; the ids have to be the same."""
        key = self._schema.key
        if key not in self._schema.arrow.names:
            raise MovedError
        parts = iter(self._manifest.parts)
        left, ids = self._manifest.rows, pa.chunked_array([], pa.string())
        for group in groups:
            table = group.value.table
            drop = min(len(table), left)
            while len(ids) < drop:
                ids = pa.chunked_array([*ids.chunks, *self._manifest.ids(next(parts)).chunks], pa.string())
            if not table[key].slice(0, drop).equals(ids.slice(0, drop)):
                raise MovedError
            ids, left = ids.slice(drop), left - drop
            if drop < len(table):
                yield replace(group, value=replace(group.value, table=table.slice(drop)))
        if left:
            raise MovedError

    def _add(self, group: Group[Batch]) -> None:
        self._pending.append(group)
        rows = sum(len(one.value.table) for one in self._pending)
        size = sum(one.value.table.nbytes for one in self._pending)
        if time.monotonic() - self._started >= PART_SECONDS or rows >= PART_ROWS or size >= PART_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write what is pending as one part, and then the manifest that names it."""
        if not self._pending:
            return
        table, drift = combine([one.value for one in self._pending], self._schema)
        if table.num_rows:
            cursor, pages = self._pending[-1].cursor, sum(one.pages for one in self._pending)
            # A mock server has another port at its next start.
            after = cursor.removeprefix(self._source.base_url) if isinstance(cursor, str) else cursor
            counts = {"unknown": dict(drift.unknown), "unfit": dict(drift.unfit)}
            self._manifest.parts.append(self._manifest.store(table, pages=pages, after=after, drift=counts))
        self._manifest.write()
        self._pending, self._started = [], time.monotonic()

    def _check(self) -> None:
        """Compare with the total, and look for doubled ids: records that moved from page to page meanwhile."""
        manifest = self._manifest
        why = ""
        if manifest.total is not None and manifest.rows != manifest.total:
            why = f"{manifest.rows:,} rows arrived where {manifest.total:,} were announced"
        elif sum(part.pages for part in manifest.parts) > 1 and self._has_doubles():
            why = "the same id came twice"
        if why:
            # The next save starts at the beginning, and keeps what is still the same.
            manifest.parts[-1:] = [replace(part, after=None) for part in manifest.parts[-1:]]
            manifest.write()
            raise self._pull.incomplete(why)

    def _has_doubles(self) -> bool:
        if self._schema.key not in self._schema.arrow.names:
            return False
        # 8 bytes per id: a million records take 8 MB, and two hashes of 64 bits meet by chance once in 10**7 datasets.
        ids = (self._manifest.ids(part).drop_null().to_pandas() for part in self._manifest.parts)
        found = np.sort(np.concatenate([pd.util.hash_array(some.to_numpy(dtype=object)) for some in ids]))
        return bool((found[1:] == found[:-1]).any())
