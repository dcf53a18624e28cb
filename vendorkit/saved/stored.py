"""
Which version in a folder is read: one in the log, what is stored of one that is not complete, or one of version 1.

Datasets that version 1 of vendorkit saved, a manifest and its parts, are read, and neither continued nor updated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import pyarrow as pa
from msgspec import Meta, Struct

from vendorkit import arguments
from vendorkit.errors import UsageError
from vendorkit.saved.files import MOST_BYTES, Part, checked, names_in, read_file
from vendorkit.saved.log import Count, Note, Question, Version, last, newest, schema_of, unfinished, version, versions

_MANIFEST: Final = "_manifest.json"
_MOST: Final = 64 << 20  # bytes of a manifest


class _Stored(Struct):
    file: Annotated[str, Meta(pattern=r"\Apart-[0-9]{5,}\.parquet\Z")]
    rows: Count
    sha256: str
    pages: Count
    appended: list[str]


class _Manifest(Struct):
    format: Literal[1]
    asked: Question
    schema: pa.Schema
    parts: list[_Stored]
    total: int | None
    complete: bool
    fetched_at: str


def readable(folder: Path, number: int | None) -> Version:
    """Return a version, None: the newest, or what is stored if none is complete; `UsageError` if there is none."""
    found = newest(folder) if number is None else version_in(folder, number)
    if found is None and (begun := unfinished(folder)):
        return Version(folder, None, begun.note, complete=False)
    if found is None and (found := version_1(folder)) is None:
        what = f"{folder} is not a saved dataset."
        raise UsageError(what, remedy="Check the path, or create one with query.save(path).")
    return found


def version_in(folder: Path, number: Any, name: str = "version") -> Version:
    """Return a version of which all files are there; `UsageError` with the versions that exist if there is none."""
    number = arguments.integer(number, name, "the number of a version, 0 or more", low=0)
    newest_number, there = last(folder), {*names_in(folder)}

    def exists(found: Version) -> bool:
        # The newest is never taken away: if a file of it is missing, that is damage.
        return found.number == newest_number or all(part.name in there for part in found.parts)

    if number <= newest_number and exists(found := version(folder, number)):
        return found
    what = f"{folder} has no version {number}{' any more' if number <= newest_number else ''}."
    others = ", ".join(str(one.number) for one in versions(folder) if exists(one))
    raise UsageError(what, remedy=f"There are: {others or '(none)'}.")


def version_1(folder: Path) -> Version | None:
    """Return the dataset of version 1 in *folder*, None if there is none; `UsageError` if it is something else."""
    path = folder / _MANIFEST
    what = f"{path} cannot be read as the manifest of a dataset."
    with checked(UsageError(what, remedy="Choose another folder, or delete this one.")):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        found = msgspec.json.decode(read_file(path, _MOST), type=_Manifest, dec_hook=schema_of)
    pages = sum(part.pages for part in found.parts) or int(found.complete)
    # The undeclared fields are columns.
    parts = [
        Part(one.file, MOST_BYTES, one.rows, 0, 0, one.sha256, {name: name for name in one.appended})
        for one in found.parts
    ]
    note = Note(found.asked, "", found.schema, None, found.total, found.fetched_at, pages, parts, {})
    return Version(folder, None, note, complete=found.complete)
