"""
What a folder has of a dataset: the versions in the log of its Delta table, or the parts of a download that broke off.

The log is read by us and committed by deltalake. It is plain JSON, and a folder may come from a stranger: read here it
takes bounded time and memory, and works without deltalake and in forked processes. Each commit has all that is known of
its version, so that one file is read for it; a dataset whose newest commit is not ours is refused.
"""

from __future__ import annotations

import base64
import json
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
from msgspec import Meta, Struct

from vendorkit.errors import UsageError
from vendorkit.frames import FRAME_TYPES, UNDECLARED, expand
from vendorkit.saved import files
from vendorkit.saved.files import BATCH_ROWS, LOG, MARK, POSITION, DamagedError, Part, checked, names_in

_MOST_COMMIT: Final = 8 << 20  # bytes: ten million records have about 1,000 parts, which take less than one
_MOST_LOG: Final = 128 << 20  # bytes: 16 parts, which all change in each update, take 100 MB in ten years of days
_COMMIT: Final = re.compile(r"(0{10}\d{10})\.json")
Count = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Question(Struct):
    """What a dataset is the answer to."""

    vendor: str
    environment: str
    resource: str
    request: dict[str, Any]
    columns: list[str] | None
    locale: str | None


class Note(Struct):
    """
    What is known about a version, or about what is stored of one that is not complete.

    Attributes:
        question: What it is the answer to.
        key: The column that identifies records.
        schema: The declared columns.
        mark: The vendor's position before the download, for a later update; None: it cannot be updated.
        total: Records that the vendor announced; None if it did not.
        fetched_at: When the download, or the last update, began; ISO 8601, UTC.
        pages: How many were downloaded for it.
        parts: The files, in the vendor's order.
        counts: How many records were added, changed and removed since the version before.
    """

    question: Question
    key: str
    schema: pa.Schema
    mark: tuple[Count, bool] | None
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
        """The position after all records."""
        return self.parts[-1].last + 1 if self.parts else 0


class Footer(Struct):
    """What the footer of a part has for `save` to continue; the parts in its note are those before it."""

    note: Note
    cursor: Any
    done: bool
    members: dict[str, str]
    unknown: dict[str, int]
    unfit: dict[str, int]


class _Information(Struct):
    timestamp: Annotated[int, Meta(gt=0, lt=1 << 48)]
    vendorkit: Note


@dataclass(frozen=True)
class Version:
    """
    One version of a dataset, or what is stored of one that is not complete yet.

    Attributes:
        folder: Where it is.
        number: Of the version; None: it is not complete, or of version 1 of vendorkit.
        note: What is known about it.
        at: When it was committed, in milliseconds since 1970.
        complete: Whether these are all records.
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
        """The columns of its frame: the declared ones, and after them by name the others."""
        declared = self.note.schema.names
        return [*declared, *sorted({name for part in self.parts for name in part.members.values()} - {*declared})]

    def table(self, part: Part, names: Iterable[str]) -> pa.Table:
        """Return stored columns of a part; `DamagedError` if it is not what was written."""
        stored = stored_schema(self.note.schema)
        with checked(DamagedError(self.folder / part.name)):
            wanted = pa.schema([stored.field(name) for name in names])
            return part.open(self.folder).read(wanted.names).select(wanted.names).cast(wanted)

    def frame_schema(self, names: Iterable[str]) -> pa.Schema:
        """Return columns of the frame as they are before it is one."""
        kinds = dict(zip(self.note.schema.names, self.note.schema.types, strict=True))
        return pa.schema([(name, kinds.get(name, pa.string())) for name in names])

    def frame_table(self, part: Part, wanted: pa.Schema) -> pa.Table:
        """Return columns of the frame from a part; `DamagedError` if it is not what was written."""
        with checked(DamagedError(self.folder / part.name)):
            file = part.open(self.folder)
            stored = {*file.schema_arrow.names} - {POSITION, UNDECLARED}
            columns = [name for name in wanted.names if name in stored]
            members = {member: name for member, name in part.members.items() if name in {*wanted.names} - {*columns}}
            table = file.read([*columns, *([UNDECLARED] if members else [])])
            arrays = {name: table[name] for name in columns}
            arrays |= expand(table[UNDECLARED], members) if members else {}
            found = [arrays.get(one.name, pa.nulls(part.rows, one.type)).cast(one.type) for one in wanted]
            return pa.table(found, schema=wanted)

    def ids(self, *parts: Part) -> pa.Array:
        """Return the keys of the records in these parts; `DamagedError` if one of them is not what was written."""
        key = self.note.key
        return joined(one for part in parts for one in self.table(part, [key])[key].chunks)

    def intact(self) -> bool:
        """Whether all files are what was written."""
        with suppress(DamagedError):
            return all(part.open(self.folder) is not None for part in self.parts)
        return False


def joined(ids: Iterable[pa.Array]) -> pa.Array:
    """Return all keys as one array."""
    return pa.concat_arrays([pa.array([], pa.string()), *ids])


def stored_schema(declared: pa.Schema) -> pa.Schema:
    """Return the columns of the table, which are the same in all versions and parts."""
    return pa.schema([*declared, (POSITION, pa.int64()), (UNDECLARED, pa.string())])


def encoded(note: Note | Footer) -> bytes:
    """Return a note as JSON, its schema as base64."""
    return msgspec.json.encode(note, enc_hook=lambda schema: schema.remove_metadata().serialize().to_pybytes())


def schema_of(_: type, text: Any) -> pa.Schema:
    """Return the schema in a text, as msgspec wants it."""
    found = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
    if len({*found.names, POSITION, UNDECLARED}) < len(found) + 2 or not all(map(_is_ours, found.types)):
        raise ValueError(found.names)
    return found


def _is_ours(kind: pa.DataType) -> bool:
    """Whether frames have such a type: pandas cannot show all of Arrow's."""
    if pa.types.is_list(kind) or pa.types.is_struct(kind):
        return all(_is_ours(kind.field(place).type) for place in range(kind.num_fields))
    return kind in FRAME_TYPES.values()


def versions(folder: Path) -> Iterator[Version]:
    """Yield all versions of *folder* in order, whether their parts are there or not; `UsageError` if it is not ours."""
    left = _MOST_LOG
    for number in range(last(folder) + 1):
        yield version(folder, number, left)
        left -= files.plain_size(log_file(folder, number))


def newest(folder: Path) -> Version | None:
    """Return the newest version of *folder*, None if it has none; `UsageError` if it is not ours."""
    number = last(folder)
    return version(folder, number) if number >= 0 else None


def unfinished(folder: Path) -> Footer | None:
    """Return what the newest part says up to which all parts are whole, itself in its note; None if there is none."""
    checksums = list[int]()
    with suppress(DamagedError), checked(DamagedError(folder)):
        for number in count():
            path = folder / files.part_name(0, number)
            checksums.append(zlib.crc32(files.read_file(path, files.MOST_BYTES)))
    while checksums:
        name = files.part_name(0, len(checksums) - 1)
        with suppress(DamagedError), checked(DamagedError(folder / name)):
            body = files.read_file(folder / name, files.MOST_BYTES)
            file = files.parquet(body)
            found = msgspec.json.decode(file.metadata.metadata[MARK], type=Footer, dec_hook=schema_of)
            parts, first = found.note.parts, found.note.end
            torn = [number for number, part in enumerate(parts) if part.crc != checksums[number]]
            del checksums[min(torn, default=len(parts)) + 1 :]
            named = [part.name for part in parts] == [files.part_name(0, number) for number in range(len(parts))]
            if not torn and named and len(checksums) == len(parts) + 1:
                rows = sum(batch.num_rows for batch in file.iter_batches(BATCH_ROWS))  # which checks its pages
                parts.append(Part(name, len(body), rows, first, first + rows - 1, checksums[-1], found.members))
                return found
        del checksums[-1]
    return None


def log_file(folder: Path, number: int) -> Path:
    """Return the path of a commit."""
    return folder / LOG / f"{number:020}.json"


def _foreign(folder: Path, number: int) -> UsageError:
    what = f"{folder} cannot be read as a dataset: version {number} in {LOG} is not one that vendorkit wrote."
    return UsageError(what, remedy="Choose another folder, or delete this one.")


def last(folder: Path) -> int:
    """Return the number of the newest version, -1 if there is none; `UsageError` if their log is not a folder."""
    log = folder / LOG
    with checked(_foreign(folder, 0)):
        with suppress(FileNotFoundError, NotADirectoryError):
            if not stat.S_ISDIR(log.lstat().st_mode):
                raise ValueError(LOG)
            return max((int(found[1]) for name in names_in(log) if (found := _COMMIT.fullmatch(name))), default=-1)
        return -1


def version(folder: Path, number: int, most: int = _MOST_COMMIT) -> Version:
    """Return one version; `UsageError` if its commit is not ours."""
    with checked(_foreign(folder, number)):
        lines = files.read_file(log_file(folder, number), min(most, _MOST_COMMIT)).splitlines()
        actions = [one for line in lines if line for (one,) in [msgspec.json.decode(line, type=dict[str, Any]).items()]]
        (information,) = [action for kind, action in actions if kind == "commitInfo"]
        found = msgspec.convert(information, _Information, dec_hook=schema_of)
        note = found.vendorkit
        parts = {part.name: part for part in note.parts}
        if not all(_fits(kind, action, parts) for kind, action in actions):
            raise ValueError(number)
        return Version(folder, number, note, found.timestamp)


def _fits(kind: str, action: dict[str, Any], parts: dict[str, Part]) -> bool:
    """Whether an action in a commit is one that we write, and other readers get from it what the note says."""
    if kind == "add":
        part = parts[action["path"]]
        same = (action["size"], json.loads(action["stats"])) == (part.size, stats(part))
        return same and action.get("deletionVector") is None
    if kind == "protocol":
        return (action["minReaderVersion"], action["minWriterVersion"]) == (1, 2)
    return kind in {"commitInfo", "metaData"} or (kind == "remove" and action["path"] not in parts)


def stats(part: Part) -> dict[str, Any]:
    """Return what the log says of a part for other readers."""
    ends = {"minValues": {POSITION: part.first}, "maxValues": {POSITION: part.last}, "nullCount": {POSITION: 0}}
    return {"numRecords": part.rows, **ends}
