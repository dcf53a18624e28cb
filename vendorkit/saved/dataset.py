"""A pull on disk: stored part by part, continued after any interruption, read back as the frame it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from vendorkit.ask import suggestion
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Schema, to_frame
from vendorkit.pull import Pull
from vendorkit.query import Query
from vendorkit.saved.manifest import MANIFEST, Manifest, locked, sweep
from vendorkit.saved.write import Filling, MovedError

_READS: Final = 3  # of a folder that is updated meanwhile
_LOCAL_ORIGIN: Final = re.compile(r"https://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Dataset:
    """
    A stored pull, as it stood when it was saved or opened.

    Attributes:
        path: The folder.
        rows: Records stored.
        complete: Whether these are all.
        parts: Number of Parquet files.
        total: Records that the vendor announced; None where it does not say.
        fetched_at: When the pull, or the last update, began; ISO 8601, UTC.
    """

    path: Path
    rows: int
    complete: bool
    parts: int
    total: int | None
    fetched_at: str

    def frame(self, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return it as a table; see `load`."""
        return load(self.path, columns=columns)

    def __repr__(self) -> str:
        of = "" if self.complete or self.total is None else f" of {self.total:,}"
        state = "complete" if self.complete else "incomplete, save again to go on"
        return f"<Dataset {self.path}: {self.rows:,}{of} rows in {self.parts} parts, {self.fetched_at}, {state}>"


def load(path: str | Path, *, columns: Sequence[str] | None = None, partial: bool = False) -> pd.DataFrame:
    """
    Return a saved dataset as `frame()` would give it: the same rows, dtypes and `attrs`.

    Args:
        path: The folder that `save` was given.
        columns: Only these columns, in this order. None means all.
        partial: Take what is there, even where it is not the whole.

    Raises:
        UsageError: There is no dataset, or no such column.
        IncompletePull: The dataset is not finished, or a file of it is damaged; `arrived` holds the sound rows.
    """
    folder = Path(path)
    found = existing(folder)
    for _ in range(_READS):
        manifest = found
        table, sound = _table(folder, manifest, columns)
        # An update that ends meanwhile takes away what its forerunner's manifest names.
        if sound == len(manifest.parts) or (found := existing(folder)) == manifest:
            break
    complete = manifest.complete and sound == len(manifest.parts)
    frame = to_frame(table)
    frame.attrs["vendorkit"] = {
        **{name: manifest.asked[name] for name in ("vendor", "environment", "request")},
        "fetched_at": manifest.fetched_at,
        # An empty answer leaves no part, but was a page.
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
    """Return the manifest of *folder*; `UsageError` where it has none."""
    manifest = Manifest.read(folder)
    if manifest is None:
        what = f"{folder} is not a saved dataset: it has no {MANIFEST}."
        raise UsageError(what, remedy="Check the path, or make one with query.save(path).")
    return manifest


def _table(folder: Path, manifest: Manifest, columns: Sequence[str] | None) -> tuple[pa.Table, int]:
    """Return the columns from the parts before the first that is damaged, and how many parts these are."""
    names = manifest.columns if columns is None else list(dict.fromkeys(columns))
    if unknown := [name for name in names if name not in manifest.columns]:
        what = f"{folder} has no column {unknown[0]!r}."
        raise UsageError(what, remedy=suggestion(unknown[0], manifest.columns))
    declared = [manifest.schema.field(name) for name in names if name in manifest.schema.names]
    tables = [pa.schema(declared).empty_table()]
    with suppress(IncompletePull):
        # extend() keeps what came before the part that is damaged.
        tables.extend(part.read(folder, names, manifest.schema) for part in manifest.parts)
    table = pa.concat_tables(tables, promote_options="default")
    # A column that only damaged parts have.
    for name in [name for name in names if name not in table.column_names]:
        table = table.append_column(name, pa.nulls(len(table), pa.string()))
    return table.select(names), len(tables) - 1


def save(query: Query, path: str | Path, *, columns: Sequence[str] | None, locale: str | None) -> Dataset:
    """Pull *query* into a folder. This is `Query.save`, which says more."""
    schema, folder = query.schema.project(columns, locale), Path(path)
    wanted = fresh(query, schema, columns=columns, locale=locale)
    with locked(folder):
        manifest = _stored(folder, wanted)
        try:
            if not manifest.complete:
                manifest = _filled(query, schema, folder, manifest, wanted)
        except IncompletePull as exc:
            exc.arrived = told(folder, Manifest.read(folder) or wanted)
            raise
        return told(folder, manifest)


def fresh(query: Query, schema: Schema, *, columns: Sequence[str] | None, locale: str | None) -> Manifest:
    """Return the manifest of a dataset of *query* that holds nothing yet."""
    asked = {
        "vendor": query.client.vendor_name,
        "environment": query.client.environment,
        "resource": query.resource.name,
        "request": query.describe(),
        "columns": None if columns is None else list(columns),
        "locale": locale,
    }
    return Manifest(json.loads(json.dumps(asked)), schema.key, schema.arrow, Pull(query).fetched_at)


def _filled(query: Query, schema: Schema, folder: Path, manifest: Manifest, wanted: Manifest) -> Manifest:
    with suppress(MovedError):
        Filling(query, schema, folder, manifest).run()
        return manifest
    manifest = replace(wanted, parts=[])
    manifest.write(folder)
    sweep(folder, manifest)
    Filling(query, schema, folder, manifest).run()
    return manifest


def told(folder: Path, manifest: Manifest) -> Dataset:
    """Return what the manifest says as a value for the caller."""
    parts = len(manifest.parts)
    return Dataset(folder, manifest.rows, manifest.complete, parts, manifest.total, manifest.fetched_at)


def _stored(folder: Path, wanted: Manifest) -> Manifest:
    """Return what the folder holds of the wanted dataset: all parts up to the first that is damaged."""
    found = Manifest.read(folder)
    if found is not None:
        same_question(folder, found, wanted)
        intact = list(takewhile(lambda part: part.intact(folder) is not None, found.parts))
        complete = found.complete and len(intact) == len(found.parts)
        wanted = replace(found, parts=intact, complete=complete, asked=wanted.asked) if intact or complete else wanted
    wanted.write(folder)
    sweep(folder, wanted)
    return wanted


def same_question(folder: Path, found: Manifest, wanted: Manifest) -> None:
    """Raise `UsageError` where the dataset in *folder* is that of another query."""
    asked, before = _comparable(wanted), _comparable(found)
    if changed := [name for name in asked if asked[name] != before.get(name)]:
        what = f"{folder} holds the dataset of another query; different: {', '.join(changed)}."
        raise UsageError(what, remedy="Save into another folder, or delete this one.")


def _comparable(manifest: Manifest) -> dict[str, Any]:
    """Return what makes two pulls the same; a local vendor has another port at each start."""
    text = json.dumps(manifest.asked)
    text = _LOCAL_ORIGIN.sub("", text) if manifest.asked.get("environment") == "local" else text
    return {**json.loads(text), "declared columns": manifest.schema}
