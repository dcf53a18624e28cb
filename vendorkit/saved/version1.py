"""Datasets as version 1 saved them, a manifest and its parts: they are read, and neither continued nor updated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import pyarrow as pa
from msgspec import Meta, Struct

from vendorkit.errors import UsageError
from vendorkit.saved.files import MOST_BYTES, DamagedError, Part, checked, parquet, read_file
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


@dataclass(frozen=True)
class _Version1(Version):
    """A dataset of version 1; its parts have different columns."""

    complete: bool = False
    stored: dict[str, _Stored] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns of its frame."""
        declared = self.note.schema.names
        return [*declared, *sorted({name for part in self.stored.values() for name in part.appended} - {*declared})]

    def frame_table(self, part: Part, wanted: pa.Schema) -> pa.Table:
        """Return columns of the frame from a part; `DamagedError` if it is not what was written."""
        with checked(DamagedError(self.folder / part.name)):
            body = read_file(self.folder / part.name, MOST_BYTES)
            if hashlib.sha256(body).hexdigest() != self.stored[part.name].sha256:
                raise ValueError(part.name)
            file = parquet(body)
            found = file.read([name for name in wanted.names if name in file.schema_arrow.names])
            for name in {*wanted.names} - {*found.column_names}:
                found = found.append_column(name, pa.nulls(found.num_rows, wanted.field(name).type))
            return found.select(wanted.names).cast(wanted)


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
    parts = [Part(one.file, 0, one.rows, 0, 0, 0, {}) for one in found.parts]
    note = Note(found.asked, "", found.schema, None, found.total, found.fetched_at, pages, parts, {})
    return _Version1(folder, None, note, 0, found.complete, {one.file: one for one in found.parts})


def refuse_version_1(folder: Path) -> None:
    """Raise `UsageError` if *folder* has a dataset of version 1, which cannot be written to."""
    if version_1(folder) is not None:
        what = f"{folder} was saved by version 1 of vendorkit: vk.load() reads it, but it cannot be written to."
        raise UsageError(what, remedy="Save into another folder, or delete this one and save again.")
