"""Datasets as version 1 saved them, a manifest and its parts: they are read, and neither continued nor updated."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Meta, Struct

from vendorkit.errors import UsageError
from vendorkit.saved.files import MOST_BYTES, Part, checked, parquet, read_file
from vendorkit.saved.log import Count, Note, Question, Version, schema_of

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


class _Part(Part, frozen=True):
    sha256: str = ""

    def open(self, folder: Path) -> pq.ParquetFile:
        """Return the checked file, which has the undeclared fields as columns."""
        body = read_file(folder / self.name, MOST_BYTES)
        if hashlib.sha256(body).hexdigest() != self.sha256:
            raise ValueError(self.name)
        return parquet(body)


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
    parts: list[Part] = [
        _Part(one.file, 0, one.rows, 0, 0, 0, {name: name for name in one.appended}, one.sha256) for one in found.parts
    ]
    note = Note(found.asked, "", found.schema, None, found.total, found.fetched_at, pages, parts, {})
    return Version(folder, None, note, complete=found.complete)


def refuse_version_1(folder: Path) -> None:
    """Raise `UsageError` if *folder* has a dataset of version 1, which cannot be written to."""
    if version_1(folder) is not None:
        what = f"{folder} was saved by version 1 of vendorkit: vk.load() reads it, but it cannot be written to."
        raise UsageError(what, remedy="Save into another folder, or delete this one and save again.")
