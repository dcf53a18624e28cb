"""A dataset on disk: stored part by part, continued after any interruption, read back as the frame it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from vendorkit import arguments
from vendorkit.ask import Ask, suggestion
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Schema, to_frame
from vendorkit.pull import utc_now
from vendorkit.resource import Source, describe
from vendorkit.saved.manifest import MANIFEST, Manifest, locked
from vendorkit.saved.write import MovedError, Writer

_READS: Final = 3  # of a folder that is updated meanwhile
_LOCAL_ORIGIN: Final = re.compile(r"https://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Dataset:
    """
    A saved query result, as it was when it was saved or opened.

    Attributes:
        path: The folder.
        rows: Number of stored records.
        complete: Whether these are all.
        parts: Number of Parquet files.
        total: Records that the vendor announced; None where it does not say.
        fetched_at: When the download, or the last update, began; ISO 8601, UTC.
    """

    path: Path
    rows: int
    complete: bool
    parts: int
    total: int | None
    fetched_at: str

    def frame(self, *, columns: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Return it as a table; see `load`."""
        return load(self.path, columns=columns)

    def __repr__(self) -> str:
        of = "" if self.complete or self.total is None else f" of {self.total:,}"
        state = "complete" if self.complete else "incomplete, save again to go on"
        return f"<Dataset {self.path}: {self.rows:,}{of} rows in {self.parts} parts, {self.fetched_at}, {state}>"


def load(path: str | Path, *, columns: str | Iterable[str] | None = None, partial: bool = False) -> pd.DataFrame:
    """
    Return a saved dataset as `frame()` would give it: the same rows, dtypes and `attrs`.

    Args:
        path: The folder that `save` was given.
        columns: Only these columns, in this order, or this one. None means all.
        partial: Take what is there, even if it is not complete.

    Raises:
        UsageError: There is no dataset, or no such column.
        IncompletePull: The dataset is not finished, or a file of it is damaged; `arrived` holds the intact rows.
    """
    folder, names, partial = arguments.folder(path), arguments.columns(columns), arguments.boolean(partial, "partial")
    found = existing(folder)
    for _ in range(_READS):
        manifest = found
        table, sound = _table(manifest, names)
        # An update that ends meanwhile removes parts that the manifest before it names.
        if sound == len(manifest.parts) or (found := existing(folder)) == manifest:
            break
    complete = manifest.complete and sound == len(manifest.parts)
    frame = to_frame(table)
    frame.attrs["vendorkit"] = {
        **{name: manifest.asked[name] for name in ("vendor", "environment", "request")},
        "fetched_at": manifest.fetched_at,
        # An empty answer writes no part, but it was a page.
        "pages": sum(part.pages for part in manifest.parts[:sound]) or int(complete),
        "total": manifest.total,
        "complete": complete,
    }
    if partial or complete:
        return frame
    total = "not all" if manifest.total is None else f"of {manifest.total:,}"
    why = "it was not finished" if sound == len(manifest.parts) else f"{manifest.parts[sound].file} is damaged"
    what = f"{folder} holds {len(table):,} rows, {total}: {why}."
    raise IncompletePull(what, arrived=frame, remedy="Call save() again: it goes on. Or load(..., partial=True).")


def existing(folder: Path) -> Manifest:
    """Return the manifest of *folder*; `UsageError` if it has none."""
    manifest = Manifest.read(folder)
    if manifest is None:
        what = f"{folder} is not a saved dataset: it has no {MANIFEST}."
        raise UsageError(what, remedy="Check the path, or create one with query.save(path).")
    return manifest


def _table(manifest: Manifest, columns: Sequence[str] | None) -> tuple[pa.Table, int]:
    """Return the columns from the parts before the first that is damaged, and how many parts these are."""
    names = manifest.columns if columns is None else list(dict.fromkeys(columns))
    if unknown := [name for name in names if name not in manifest.columns]:
        what = f"{manifest.folder} has no column {unknown[0]!r}."
        raise UsageError(what, remedy=suggestion(unknown[0], manifest.columns))
    kinds = dict(zip(manifest.schema.names, manifest.schema.types, strict=True))
    tables = [pa.schema([(name, kinds.get(name, pa.string())) for name in names]).empty_table()]
    with suppress(IncompletePull):
        # extend() keeps the parts before the damaged one.
        tables.extend(part.read(manifest.folder, names, manifest.schema) for part in manifest.parts)
    return pa.concat_tables(tables, promote_options="default"), len(tables) - 1


def save(source: Source, ask: Ask, path: Any, *, columns: Any, locale: Any) -> Dataset:
    """Download *ask* into a folder. This is `Query.save`, which says more."""
    folder, columns, locale = arguments.folder(path), arguments.columns(columns), arguments.locale(locale)
    schema, wanted = new_manifest(source, ask, folder, columns=columns, locale=locale)
    with locked(folder):
        manifest = _stored(wanted)
        try:
            while not manifest.complete:
                try:
                    Writer(source, ask, schema, manifest).run()
                except MovedError:
                    manifest = wanted
                    manifest.write()
        except IncompletePull as exc:
            exc.arrived = summary(Manifest.read(folder) or wanted)
            raise
        return summary(manifest)


def new_manifest(
    source: Source, ask: Ask, folder: Path, *, columns: Sequence[str] | None, locale: str | None
) -> tuple[Schema, Manifest]:
    """Return the columns of a dataset of *ask*, and the manifest of one that holds nothing yet."""
    schema = source.resource_of(ask).columns_of(ask).project(columns, locale)
    asked = {
        "vendor": source.vendor_name,
        "environment": source.environment,
        "resource": ask.resource,
        "request": describe(source, ask),
        "columns": None if columns is None else list(columns),
        "locale": locale,
    }
    return schema, Manifest(folder, json.loads(json.dumps(asked)), schema.key, schema.arrow, utc_now())


def summary(manifest: Manifest) -> Dataset:
    """Return what the manifest says as a value for the caller."""
    parts = len(manifest.parts)
    return Dataset(manifest.folder, manifest.rows, manifest.complete, parts, manifest.total, manifest.fetched_at)


def _stored(wanted: Manifest) -> Manifest:
    """Return what the folder holds of the wanted dataset: all parts before the first damaged one."""
    found, stored = Manifest.read(wanted.folder), wanted
    if found is not None:
        same_question(found, wanted)
        intact = list(takewhile(lambda part: part.intact(found.folder) is not None, found.parts))
        complete = found.complete and len(intact) == len(found.parts)
        if intact or complete:
            stored = replace(found, parts=intact, complete=complete, asked=wanted.asked)
    stored.write()
    return stored


def same_question(found: Manifest, wanted: Manifest) -> None:
    """Raise `UsageError` if the dataset that was found is that of another query."""
    asked, before = _comparable(wanted), _comparable(found)
    if changed := [name for name in asked if asked[name] != before.get(name)]:
        what = f"{found.folder} holds the dataset of another query; different: {', '.join(changed)}."
        raise UsageError(what, remedy="Save into another folder, or delete this one.")


def _comparable(manifest: Manifest) -> dict[str, Any]:
    """Return what makes two queries the same; a mock server has another port at each start."""
    text = json.dumps(manifest.asked)
    text = _LOCAL_ORIGIN.sub("", text) if manifest.asked.get("environment") == "local" else text
    return {**json.loads(text), "declared columns": manifest.schema}
