"""
The manifest of a folder of Parquet parts, written so that it is right at whatever moment the process dies.

Every file is written under a temporary name, synced, and then renamed; the part first, the manifest after it. So the
manifest names only complete parts, and everything else in the folder is a leftover.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vendorkit.errors import IncompletePull, UsageError

FORMAT: Final = 1
MANIFEST: Final = "_manifest.json"  # the underscore keeps other readers of Parquet folders from taking it for data
CHANGES: Final = ".changes"  # where an update keeps what it pulls; the dot has the same effect
_OURS: Final = re.compile(r"part-\d{5,}\.parquet(\.tmp)?|_manifest\.json(\.tmp)?")


@dataclass(frozen=True)
class Part:
    """
    One Parquet file.

    Attributes:
        file: Its name.
        rows: Records in it.
        sha256: Of its bytes, to recognise a torn file.
        pages: Number of the vendor's answers in it.
        after: The cursor from which the vendor's paging continues after it; None if it cannot.
        appended: Columns in it that are not declared.
        drift: What did not match the schema, as in `Drift`.
    """

    file: str
    rows: int
    sha256: str
    pages: int
    after: str | int | None
    appended: list[str]
    drift: dict[str, dict[str, int]]

    def intact(self, folder: Path) -> bytes | None:
        """Return the bytes of the file; None if it is missing or not what was written."""
        try:
            body = (folder / self.file).read_bytes()
        except OSError:
            return None
        return body if hashlib.sha256(body).hexdigest() == self.sha256 else None

    def read(self, folder: Path, names: Sequence[str], declared: pa.Schema) -> pa.Table:
        """Return those of the columns that the file has; `IncompletePull` if it is not intact."""
        body = self.intact(folder)
        if body is None:
            what = f"{folder / self.file} is damaged."
            raise IncompletePull(what, remedy="Save again: damaged parts are downloaded again.")
        file = pq.ParquetFile(pa.BufferReader(body))
        there = [name for name in names if name in file.schema_arrow.names]
        table = file.read(columns=there).select(there)
        # Parquet renames what lists hold; the cast names it back.
        fields = [declared.field(name) if name in declared.names else table.schema.field(name) for name in there]
        return table.cast(pa.schema(fields))


@dataclass
class Manifest:
    """
    The query, and what of its result is stored.

    Attributes:
        folder: Where it is.
        asked: Vendor, environment, resource, request, columns and locale; a dataset belongs to one of these.
        key: The column that identifies a record.
        schema: The declared columns.
        fetched_at: When the download, or the last update, began; ISO 8601, UTC.
        total: Records that the vendor announced last; None if it does not say.
        complete: Whether all of them are stored.
        parts: The files, in the vendor's order.
        mark: The vendor's position before the download began, as `Since`; None if it does not report changes.
    """

    folder: Path
    asked: dict[str, Any]
    key: str
    schema: pa.Schema
    fetched_at: str
    total: int | None = None
    complete: bool = False
    parts: list[Part] = field(default_factory=list)
    mark: list[Any] | None = None

    @property
    def rows(self) -> int:
        """How many records are stored."""
        return sum(part.rows for part in self.parts)

    @property
    def columns(self) -> list[str]:
        """The declared columns, and after them by name the appended ones."""
        declared = self.schema.names
        return [*declared, *sorted({name for part in self.parts for name in part.appended} - set(declared))]

    def table(self, part: Part) -> pa.Table:
        """Return all columns of a part; `IncompletePull` if it is not intact."""
        return part.read(self.folder, [*self.schema.names, *part.appended], self.schema)

    def ids(self, *parts: Part) -> pa.ChunkedArray:
        """Return the ids of the records in these parts; `IncompletePull` if one of them is not intact."""
        tables = [part.read(self.folder, [self.key], self.schema) for part in parts]
        return pa.chunked_array([chunk for table in tables for chunk in table[self.key].chunks], pa.string())

    def next_file(self) -> str:
        """Return the name of a part above those in the folder."""
        names = [path.name for path in self.folder.iterdir() if _OURS.fullmatch(path.name)]
        numbers = [int(name[5:].partition(".")[0]) for name in names if name.startswith("part-")]
        return f"part-{max(numbers, default=-1) + 1:05}.parquet"

    def store(self, table: pa.Table, **facts: Any) -> Part:
        """Write *table* into a file that the manifest does not name yet; `IncompletePull` if the disk refuses it."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        body, file = sink.getvalue(), self.next_file()
        write_atomically(self.folder / file, body)
        appended = [name for name in table.column_names if name not in self.schema.names]
        return Part(file, table.num_rows, hashlib.sha256(body).hexdigest(), appended=appended, **facts)

    def write(self) -> None:
        """Write it, and remove what it does not name; `IncompletePull` if the disk refuses."""
        values = {"format": FORMAT, **vars(self), "parts": [asdict(part) for part in self.parts]}
        values["schema"] = base64.b64encode(self.schema.serialize()).decode()
        del values["folder"]
        write_atomically(self.folder / MANIFEST, json.dumps(values, indent=1).encode())
        self.sweep()

    def sweep(self) -> None:
        """Remove leftovers of interrupted writes: our files that the manifest does not name, and changes."""
        shutil.rmtree(self.folder / CHANGES, ignore_errors=True)
        named = {MANIFEST, *(part.file for part in self.parts)}
        for path in self.folder.iterdir():
            if path.name not in named and _OURS.fullmatch(path.name):
                with suppress(OSError):
                    path.unlink()

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Return the manifest of *folder*, None if there is none; `UsageError` if it is something else."""
        try:
            values = json.loads((folder / MANIFEST).read_bytes())
            if values.pop("format") != FORMAT:
                raise KeyError(FORMAT)  # noqa: TRY301 - handled like any other foreign file
            values["schema"] = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(values["schema"])))
            return cls(folder, **{**values, "parts": [Part(**part) for part in values["parts"]]})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as exc:
            what = f"{folder / MANIFEST} cannot be read as the manifest of a dataset."
            raise UsageError(what, remedy="Choose another folder, or delete this one.") from exc


def write_atomically(path: Path, body: bytes | pa.Buffer) -> None:
    """
    Write the file completely or not at all; the old file stays until then.

    Raises:
        IncompletePull: The disk is full, or does not allow it.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        if os.name == "posix":  # elsewhere folders cannot be synced, nor need to be
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as exc:
        with suppress(OSError):
            temporary.unlink()
        what = f"{path} could not be written: {exc.strerror or exc}. What was stored before is untouched."
        raise IncompletePull(what, remedy="Free space or allow writing, and try again: save() continues.") from exc


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Create the folder if it is missing, and keep other processes and threads from writing to it meanwhile.

    Raises:
        UsageError: It cannot be written, holds something else, or is being written by another process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except (OSError, ValueError) as exc:  # a name that no file can have is a ValueError
        what = f"{str(folder)!r} cannot be used as a folder for a dataset: {getattr(exc, 'strerror', None) or exc}."
        raise UsageError(what, remedy="Choose another folder, or allow writing to it.") from exc
    if MANIFEST not in others and (foreign := [name for name in others if not _OURS.fullmatch(name)]):
        what = f"{folder} is not empty and not a dataset: it holds {foreign[0]!r}."
        raise UsageError(what, remedy="Choose a new folder.")
    # The lock is SQLite's, because the system releases it however the process ends, on every platform.
    with ExitStack() as held:
        try:
            lock = sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)
            held.enter_context(closing(lock))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as exc:
            what, remedy = f"{folder} cannot be written: {exc}.", "Allow writing, or give a shorter path."
            if "locked" in str(exc):
                what = f"{folder} is being written by another process."
                remedy = "Wait until that is done, or choose another folder."
            raise UsageError(what, remedy=remedy) from exc
        yield
