"""Filling a folder with a pull, part by part, behind what is stored there already."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from vendorkit.errors import AuthError, Cancelled, IncompletePull, NotAllowed, NotFound, UsageError, VendorkitError
from vendorkit.frames import Drift, Page, Schema, combine
from vendorkit.pull import Pull
from vendorkit.query import Query
from vendorkit.resource import Telling
from vendorkit.saved.manifest import Manifest, Part, part_file

# A part ends at whichever comes first. Time counts because pages come at the pace of the vendor's rate budget: a
# pull of 10,000 records in pages would otherwise be one part, and lost as a whole.
PART_ROWS: Final = 65_536
PART_BYTES: Final = 64 << 20  # in Arrow's memory
PART_SECONDS: Final = 30.0


class MovedError(Exception):
    """What the vendor sends from the start is not what is stored, so that nothing can be continued."""


class Filling:
    """
    One run of a pull into a folder, behind what the manifest names.

    Args:
        query: What is asked.
        schema: Its columns, projected.
        folder: Where the parts go.
        manifest: What is there; kept up with what comes.
    """

    def __init__(self, query: Query, schema: Schema, folder: Path, manifest: Manifest) -> None:
        self._query, self._schema, self._folder, self._manifest = query, schema, folder, manifest
        self._pull = Pull(query)
        self._pending: list[Page] = []
        self._rows = self._bytes = 0
        self._since = time.monotonic()

    def run(self) -> None:
        """
        Store page after page until the vendor has no more, and check that it is the whole.

        Raises:
            IncompletePull: The pull or the disk gave out, or the data changed meanwhile; what came is stored.
            MovedError: Nothing can be continued, it has to start over.
        """
        broken = self._take()
        self._flush()
        if isinstance(broken, (AuthError, Cancelled, UsageError)):
            raise broken
        if broken is not None:
            what = f"The pull of {self._query.resource.name} broke off at row {self._manifest.rows:,}: {broken.what}"
            goes_on = "" if isinstance(broken, IncompletePull) else " save() goes on where it stopped."
            raise IncompletePull(what, remedy=f"{broken.remedy}{goes_on}") from broken
        self._check()
        self._manifest.complete = True
        self._manifest.write(self._folder)
        self._warn()

    def _take(self) -> VendorkitError | None:
        """Take page after page; return what ended it early. What the disk refuses is raised as it is."""
        try:
            self._mark()
        except VendorkitError as exc:
            return exc
        with closing(self._pages()) as pages:
            while True:
                try:
                    page = next(pages, None)
                except VendorkitError as exc:
                    return exc
                if page is None:
                    return None
                self._add(page)

    def _mark(self) -> None:
        """Before the first page note where the vendor stands, for a later update, should it tell of changes."""
        query, style, manifest = self._query, self._query.resource.style, self._manifest
        if manifest.parts or manifest.mark is not None or query.since is not None:
            return
        if not isinstance(style, Telling) or style.untold(query) is not None:
            return
        with suppress(NotAllowed, NotFound):  # not everybody may read the feed
            mark = style.mark(query)
            manifest.mark = None if mark is None else [*mark]

    def _warn(self) -> None:
        """Report the drift of all parts, those of earlier runs too."""
        drift = Drift()
        for part in self._manifest.parts:
            drift.merge(Drift(*(Counter(part.drift[name]) for name in ("unknown", "unfit"))))
        drift.warn(self._schema.name)

    def _pages(self) -> Generator[Page, None, None]:
        """Yield what is not stored yet."""
        stored = self._manifest
        after = stored.parts[-1].after if stored.parts else None
        reader = self._query.resource.style.reader(self._query, self._schema)
        pages = self._query._pull(reader, None, self._pull, after)  # noqa: SLF001 - the other half of its verb
        pages = self._same_total(pages)
        yield from pages if after is not None or not stored.parts else self._behind(pages)

    def _same_total(self, pages: Iterator[Page]) -> Iterator[Page]:
        stored = self._manifest
        begun = bool(stored.parts)
        for page in pages:
            total = self._pull.total
            if not begun or stored.total is None:
                stored.total, begun = total, True
            if total is not None and total != stored.total:
                what = f"{self._folder} was begun when there were {stored.total:,} records; now there are {total:,}."
                raise IncompletePull(what, remedy="Delete the folder and save again, or save into another one.")
            yield page

    def _behind(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Drop the rows that are stored, for a pull that only starts at its beginning; the ids have to be the same."""
        key = self._schema.key
        if key not in self._schema.arrow.names:
            raise MovedError
        parts = iter(self._manifest.parts)
        left, ids = self._manifest.rows, pa.chunked_array([], pa.string())
        for page in pages:
            drop = min(page.rows, left)
            while len(ids) < drop:
                ids = pa.chunked_array([*ids.chunks, *self._ids(next(parts)).chunks], pa.string())
            if not page.table[key].slice(0, drop).equals(ids.slice(0, drop)):
                raise MovedError
            ids, left = ids.slice(drop), left - drop
            if drop < page.rows:
                yield replace(page, table=page.table.slice(drop))
        if left:
            raise MovedError

    def _add(self, page: Page) -> None:
        self._pending.append(page)
        self._rows += page.rows
        self._bytes += page.table.nbytes
        late = time.monotonic() - self._since >= PART_SECONDS
        if late or self._rows >= PART_ROWS or self._bytes >= PART_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write what is pending as one part, and then the manifest that names it."""
        if not self._pending:
            return
        table, drift = combine(self._pending, self._schema)
        if table.num_rows:
            part = Part.write(
                self._folder,
                part_file(self._manifest.next_number()),
                table,
                pages=len(self._pending),
                after=self._after(),
                appended=[name for name in table.column_names if name not in self._schema.arrow.names],
                drift={"unknown": dict(drift.unknown), "unfit": dict(drift.unfit)},
            )
            self._manifest.parts.append(part)
        self._manifest.write(self._folder)
        self._pending, self._rows, self._bytes, self._since = [], 0, 0, time.monotonic()

    def _after(self) -> str | int | None:
        after = self._query.resource.style.resume_at(self._pending[-1].envelope)
        # A local vendor has another port at its next start.
        return after.removeprefix(self._query.client.endpoint.base_url) if isinstance(after, str) else after

    def _check(self) -> None:
        """Compare with the total, and look for doubled ids: records that moved from page to page meanwhile."""
        manifest = self._manifest
        why = ""
        if manifest.total is not None and manifest.rows != manifest.total:
            why = f"{manifest.rows:,} rows arrived where {manifest.total:,} were announced"
        elif sum(part.pages for part in manifest.parts) > 1 and self._doubled():
            why = "the same id came twice"
        if why:
            # The next save looks from the start on, and keeps what is still so.
            manifest.parts[-1:] = [replace(part, after=None) for part in manifest.parts[-1:]]
            manifest.write(self._folder)
            raise self._pull.not_whole(why)

    def _doubled(self) -> bool:
        if self._schema.key not in self._schema.arrow.names:
            return False
        # 8 bytes an id: a million records are 8 MB, and two hashes of 64 bits meet by chance once in 10**7 such pulls.
        hashes = [np.array([], dtype=np.uint64)]
        for part in self._manifest.parts:
            ids = self._ids(part).drop_null()
            hashes.append(pd.util.hash_array(ids.to_pandas().to_numpy(dtype=object)))
        found = np.sort(np.concatenate(hashes))
        return bool((found[1:] == found[:-1]).any())

    def _ids(self, part: Part) -> pa.ChunkedArray:
        return part.read(self._folder, [self._schema.key], self._schema.arrow).column(0)
