"""
Finds the version to read in a folder: one in the log, an unfinished download, or a dataset of vendorkit 1.

A dataset of vendorkit 1 is a manifest and Parquet files. It can be loaded, but not continued or updated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import pyarrow as pa
from msgspec import Meta, Struct

from vendorkit import arguments
from vendorkit.errors import UsageError
from vendorkit.saved.files import MAX_BYTES, Part, checked, names_in, read_file
from vendorkit.saved.log import Count, Note, Question, Version, last, newest, to_schema, unfinished, version, versions

_MANIFEST: Final = "_manifest.json"
_MAX_MANIFEST: Final = 64 << 20  # bytes


class _ManifestPart(Struct):
    file: Annotated[str, Meta(pattern=r"\Apart-[0-9]{5,}\.parquet\Z")]
    rows: Count
    sha256: str
    pages: Count
    appended: list[str]


class _Manifest(Struct, rename={"question": "asked"}):
    format: Literal[1]
    question: Question
    schema: pa.Schema
    parts: list[_ManifestPart]
    total: int | None
    complete: bool
    fetched_at: str


def readable(folder: Path, number: int | None) -> Version:
    """
    Return the version with this number. If it is None, return the newest version or the unfinished download.

    Raises:
        UsageError: There is no dataset or no such version.
    """
    found = newest(folder) if number is None else version_in(folder, number)
    if found is None and (footer := unfinished(folder)):
        return Version(folder, None, footer.note, complete=False)
    if found is None and (found := version_1(folder)) is None:
        what = f"{folder} is not a saved dataset."
        raise UsageError(what, remedy="Check the path, or create a dataset with query.save(path).")
    return found


def version_in(folder: Path, number: Any, name: str = "version") -> Version:
    """Return a version whose files all exist; otherwise `UsageError`, which lists the existing versions."""
    number = arguments.integer(number, name, "the number of a version, 0 or more", low=0)
    newest_number, file_names = last(folder), {*names_in(folder)}

    def exists(candidate: Version) -> bool:
        # compact() never deletes parts of the newest version: if one is missing, the version is damaged.
        return candidate.number == newest_number or all(part.name in file_names for part in candidate.parts)

    if number <= newest_number and exists(found := version(folder, number)):
        return found
    what = f"{folder} has no version {number}{' any more' if number <= newest_number else ''}."
    existing = ", ".join(str(candidate.number) for candidate in versions(folder) if exists(candidate))
    raise UsageError(what, remedy=f"Existing versions: {existing or '(none)'}.")


def version_1(folder: Path) -> Version | None:
    """Return the dataset of vendorkit 1, or None if there is none; `UsageError` if its manifest is not valid."""
    path = folder / _MANIFEST
    if path.name not in names_in(folder):
        return None
    what = f"{path} cannot be read as the manifest of a dataset."
    with checked(UsageError(what, remedy="Choose another folder, or delete this one.")):
        manifest = msgspec.json.decode(read_file(path, _MAX_MANIFEST), type=_Manifest, dec_hook=to_schema)
    pages = sum(part.pages for part in manifest.parts) or int(manifest.complete)
    # Undeclared fields are columns of the Parquet files, not members of `__undeclared`.
    parts = [
        Part(part.file, MAX_BYTES, part.rows, 0, 0, part.sha256, {name: name for name in part.appended})
        for part in manifest.parts
    ]
    note = Note(manifest.question, "", manifest.schema, None, manifest.total, manifest.fetched_at, pages, parts, {})
    return Version(folder, None, note, complete=manifest.complete)
