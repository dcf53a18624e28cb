"""
Reads the versions in the log of a Delta table, and the parts of an unfinished download.

deltalake writes the log, but this module reads it. So loading works without deltalake and in forked processes, and a
folder from an untrusted source can only cost bounded time and memory. Each commit contains the complete description of
its version, so reading a version means reading one file. A dataset whose newest commit was not written by vendorkit is
refused.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice, takewhile
from operator import eq
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from msgspec import Meta, Struct
from pyarrow.fs import LocalFileSystem

from vendorkit.errors import UsageError
from vendorkit.frames import FRAME_TYPES, UNDECLARED, expand
from vendorkit.saved import files
from vendorkit.saved.files import BATCH_ROWS, FOOTER_KEY, LOG, POSITION, DamagedError, Part, checked, names_in

_MAX_COMMIT_BYTES: Final = 8 << 20  # ten million records are about 1,000 parts, whose commit takes less than 1 MB
_COMMIT: Final = re.compile(r"(0{10}\d{10})\.json")
Count = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Question(Struct):
    """The query that a dataset is the result of."""

    vendor: str
    environment: str
    resource: str
    request: dict[str, Any]
    columns: list[str] | None
    locale: str | None


class Note(Struct, rename={"position": "mark"}):
    """
    The description of a version or of an unfinished download, as it is stored in commits and in footers of parts.

    Attributes:
        question: The query.
        key: The column that identifies records.
        schema: The declared columns.
        position: The vendor's position before the download, where an update continues; None if it cannot be updated.
        total: Number of records that the vendor announced; None if it did not announce one.
        fetched_at: When the download or the last update began; ISO 8601, UTC.
        pages: Number of downloaded pages.
        parts: The files, in the vendor's order.
        counts: How many records were added, changed and removed since the previous version.
    """

    question: Question
    key: str
    schema: pa.Schema
    position: tuple[Count, bool] | None
    total: Count | None
    fetched_at: str
    pages: Count
    parts: list[Part]
    counts: dict[str, Count]

    @property
    def rows(self) -> int:
        """The number of records."""
        return sum(part.rows for part in self.parts)

    @property
    def end(self) -> int:
        """The position after the last record."""
        return self.parts[-1].last + 1 if self.parts else 0


class Footer(Struct):
    """The footer of a part, from which `save` continues. Its note lists the parts before this one."""

    note: Note
    cursor: Any
    done: bool
    members: dict[str, str]
    unknown: dict[str, int]
    unfit: dict[str, int]


class _CommitInfo(Struct):
    timestamp: Annotated[int, Meta(gt=0, lt=1 << 48)]
    vendorkit: Note


class _Action(Struct, rename={"info": "commitInfo"}):
    """A line of a commit. The others describe the table, or parts of earlier versions."""

    info: _CommitInfo | None = None
    add: dict[str, Any] | None = None


@dataclass(frozen=True)
class Version:
    """
    A version of a dataset, or an unfinished download.

    Attributes:
        folder: The folder of the dataset.
        number: The number of the version; None for an unfinished download and for datasets of vendorkit 1.
        note: Its description.
        at: When it was committed, in milliseconds since 1970.
        complete: Whether the download was finished.
    """

    folder: Path
    number: int | None
    note: Note
    at: int = 0
    complete: bool = True

    @property
    def parts(self) -> list[Part]:
        """The files, in the vendor's order."""
        return self.note.parts

    @property
    def following(self) -> int:
        """The number of the next version."""
        return 0 if self.number is None else self.number + 1

    @property
    def columns(self) -> list[str]:
        """The columns of its frame: the declared ones, then the undeclared ones in alphabetical order."""
        declared = self.note.schema.names
        return [*declared, *sorted({name for part in self.parts for name in part.members.values()} - {*declared})]

    def frame_schema(self, names: Iterable[str]) -> pa.Schema:
        """Return the types that columns of the frame have in Arrow."""
        types = dict(zip(self.note.schema.names, self.note.schema.types, strict=True))
        return pa.schema([(name, types.get(name, pa.string())) for name in names])

    def table(self, part: Part, schema: pa.Schema) -> pa.Table:
        """Read columns of a part, stored ones or those of the frame; `DamagedError` if it is not what was written."""
        with checked(DamagedError(self.folder / part.name)):
            file = part.open(self.folder)
            stored = {*file.schema_arrow.names}
            columns = [name for name in schema.names if name in stored]
            members = {member: name for member, name in part.members.items() if name in {*schema.names} - stored}
            table = file.read([*columns, *([UNDECLARED] if members else [])])
            arrays = {name: table[name] for name in columns}
            arrays |= expand(table[UNDECLARED], members) if members else {}
            cast = [arrays.get(field.name, pa.nulls(part.rows, field.type)).cast(field.type) for field in schema]
            return pa.table(cast, schema=schema)

    def ids(self, *parts: Part) -> pa.Array:
        """Read the keys of the records in these parts; `DamagedError` if a file is not what was written."""
        key = pa.schema([(self.note.key, pa.string())])
        return joined(chunk for part in parts for chunk in self.table(part, key)[0].chunks)

    def arrow(self) -> pads.Dataset:
        """Return the stored columns as a pyarrow dataset, which reads the parts in the vendor's order."""
        checksums = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
        position = pc.field(POSITION)
        for part in self.parts:
            if files.plain_size(self.folder / part.name) != part.size:
                raise DamagedError(self.folder / part.name)
        return pads.FileSystemDataset.from_paths(
            [str(self.folder.absolute() / part.name) for part in self.parts],
            stored_schema(self.note.schema),
            pads.ParquetFileFormat(default_fragment_scan_options=checksums),
            LocalFileSystem(),
            [(position >= part.first) & (position <= part.last) for part in self.parts],
        )


def joined(ids: Iterable[pa.Array]) -> pa.Array:
    """Return all keys as one array."""
    return pa.concat_arrays([pa.array([], pa.string()), *ids])


def stored_schema(declared: pa.Schema) -> pa.Schema:
    """Return the columns of the Delta table, which are the same in all versions and parts."""
    return pa.schema([*declared, (POSITION, pa.int64()), (UNDECLARED, pa.string())])


def encoded(note: Note | Footer) -> bytes:
    """Encode a note as JSON, with its schema in base64."""
    return msgspec.json.encode(note, enc_hook=lambda schema: schema.remove_metadata().serialize().to_pybytes())


def to_schema(_: type, text: Any) -> pa.Schema:
    """Decode a schema from base64: a `dec_hook` of msgspec."""
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
    if len({*schema.names, POSITION, UNDECLARED}) < len(schema) + 2 or not all(map(_is_frame_type, schema.types)):
        raise ValueError(schema.names)
    return schema


def _is_frame_type(dtype: pa.DataType) -> bool:
    # An untrusted folder may have other types of Arrow, which pandas cannot always show.
    if pa.types.is_list(dtype) or pa.types.is_struct(dtype):
        return all(_is_frame_type(dtype.field(index).type) for index in range(dtype.num_fields))
    return dtype in FRAME_TYPES.values()


def versions(folder: Path) -> Iterator[Version]:
    """Yield all versions in order, even if their parts were deleted; `UsageError` if vendorkit did not write one."""
    return (version(folder, number) for number in range(last(folder) + 1))


def newest(folder: Path) -> Version | None:
    """Return the newest version, or None if there is none; `UsageError` if vendorkit did not write it."""
    number = last(folder)
    return version(folder, number) if number >= 0 else None


def unfinished(folder: Path, most: int | None = None) -> Footer | None:
    """
    Return the footer of the last part before which all parts are intact, or None if there is none.

    The part itself is appended to the parts in its note. Only the first *most* parts are read; None means all.
    """
    found: Footer | None = None
    with suppress(DamagedError), checked(DamagedError(folder)):
        for number in islice(count(), most):
            name = files.part_name(0, number)
            body = files.read_file(folder / name, files.MAX_BYTES)
            file = files.parquet(body)
            footer = msgspec.json.decode(file.metadata.metadata[FOOTER_KEY], type=Footer, dec_hook=to_schema)
            before, parts = found.note.parts if found else [], footer.note.parts
            if parts != before:  # a part before this one is not what was written
                return unfinished(folder, sum(1 for _ in takewhile(bool, map(eq, parts, before))))
            rows = sum(batch.num_rows for batch in file.iter_batches(BATCH_ROWS))  # verifies the checksums of pages
            first = footer.note.end
            part = Part(name, len(body), rows, first, first + rows - 1, zlib.crc32(body), footer.members)
            footer.note.parts = [*parts, part]
            found = footer
    return found


def log_file(folder: Path, number: int) -> Path:
    """Return the path of a commit."""
    return folder / LOG / f"{number:020}.json"


def _foreign(folder: Path, number: int) -> UsageError:
    what = f"{folder} cannot be read as a dataset: version {number} in {LOG} is missing, unreadable or not vendorkit's."
    return UsageError(what, remedy="Check the path and its permissions, or choose another folder.")


def last(folder: Path) -> int:
    """Return the number of the newest version, or -1 if there is none; `UsageError` if the log is not a folder."""
    log = folder / LOG
    with checked(_foreign(folder, 0)):
        if log.is_symlink() or (log.exists() and not log.is_dir()):
            raise ValueError(LOG)
        return max((int(match[1]) for name in names_in(log) if (match := _COMMIT.fullmatch(name))), default=-1)


def version(folder: Path, number: int) -> Version:
    """Read one version; `UsageError` if vendorkit did not write its commit."""
    with checked(_foreign(folder, number)):
        lines = files.read_file(log_file(folder, number), _MAX_COMMIT_BYTES).splitlines()
        actions = [msgspec.json.decode(line, type=_Action, dec_hook=to_schema) for line in lines]
        (info,) = [action.info for action in actions if action.info]
        # Other Delta readers see these parts. Those that an update kept are in the adds of earlier versions.
        added = {add["path"]: (add["size"], json.loads(add["stats"])) for action in actions if (add := action.add)}
        parts = {part.name: (part.size, stats(part)) for part in info.vendorkit.parts}
        if len(parts) < len(info.vendorkit.parts) or {**parts, **added} != parts:
            raise ValueError(number)
        return Version(folder, number, info.vendorkit, info.timestamp)


def stats(part: Part) -> dict[str, Any]:
    """Return the statistics of a part in the log, which other Delta readers use."""
    bounds = {"minValues": {POSITION: part.first}, "maxValues": {POSITION: part.last}, "nullCount": {POSITION: 0}}
    return {"numRecords": part.rows, **bounds}
