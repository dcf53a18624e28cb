"""
What a folder of Parquet parts holds, written so that it is right at whatever moment the process dies.

Every file is written beside its name, synced, and then renamed; the part first, the manifest after it. So the manifest
names only parts that are whole, and everything else in the folder is a leftover.
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
        sha256: Of its bytes, by which a torn file is known.
        pages: Answers of the vendor that it was made of.
        after: What the vendor's paging takes to go on behind it; None where it cannot.
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

    @classmethod
    def write(cls, folder: Path, file: str, table: pa.Table, **told: Any) -> Part:
        """Store *table* as a file; `IncompletePull` where the disk does not take it."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        body = sink.getvalue()
        write_atomically(folder / file, body)
        return cls(file, table.num_rows, hashlib.sha256(body).hexdigest(), **told)

    def intact(self, folder: Path) -> bytes | None:
        """Return the bytes of the file; None where it is missing or not what was written."""
        try:
            body = (folder / self.file).read_bytes()
        except OSError:
            return None
        return body if hashlib.sha256(body).hexdigest() == self.sha256 else None

    def read(self, folder: Path, names: Sequence[str], declared: pa.Schema) -> pa.Table:
        """Return those of the columns that the file has; `IncompletePull` where it is not intact."""
        body = self.intact(folder)
        if body is None:
            what = f"{folder / self.file} is damaged."
            raise IncompletePull(what, remedy="Save again: what is damaged is pulled anew.")
        file = pq.ParquetFile(pa.BufferReader(body))
        there = [name for name in names if name in file.schema_arrow.names]
        table = file.read(columns=there).select(there)
        # Parquet renames what lists hold; the cast names it back.
        fields = [declared.field(name) if name in declared.names else table.schema.field(name) for name in there]
        return table.cast(pa.schema(fields))


@dataclass
class Manifest:
    """
    What was asked, and what of it is stored.

    Attributes:
        asked: Vendor, environment, resource, request, columns and locale; a dataset belongs to one of these.
        key: The column that identifies a record.
        schema: The declared columns.
        fetched_at: When the pull, or the last update, began; ISO 8601, UTC.
        total: Records that the vendor announced last; None where it does not say.
        complete: Whether all of them are stored.
        parts: The files, in the vendor's order.
        mark: Where the vendor stood before the pull began, as `Since`; None where it does not tell of changes.
    """

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
        """The declared columns, and after them by name what the parts have beside these."""
        declared = self.schema.names
        return [*declared, *sorted({name for part in self.parts for name in part.appended} - set(declared))]

    def next_number(self) -> int:
        """Return the number of a part above those there are."""
        return max((int(re.sub(r"\D", "", part.file)) for part in self.parts), default=-1) + 1

    def write(self, folder: Path) -> None:
        """Put it into *folder*; `IncompletePull` where the disk does not take it."""
        schema = base64.b64encode(self.schema.serialize()).decode()
        parts = [asdict(part) for part in self.parts]
        told = {"format": FORMAT, **vars(self), "schema": schema, "parts": parts}
        write_atomically(folder / MANIFEST, json.dumps(told, indent=1).encode())

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Return the manifest of *folder*, None where there is none; `UsageError` where it is not one of these."""
        try:
            told = json.loads((folder / MANIFEST).read_bytes())
            if told.pop("format") != FORMAT:
                raise KeyError(FORMAT)  # noqa: TRY301 - the same way out as for any other stranger
            told["schema"] = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(told["schema"])))
            return cls(**{**told, "parts": [Part(**part) for part in told["parts"]]})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as exc:
            what = f"{folder / MANIFEST} cannot be read as the manifest of a dataset."
            raise UsageError(what, remedy="Choose another folder, or delete this one.") from exc


def part_file(number: int) -> str:
    """Return the name of a part."""
    return f"part-{number:05}.parquet"


def write_atomically(path: Path, body: bytes | pa.Buffer) -> None:
    """
    Write the file as a whole or not at all; what stood there stays until then.

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
        raise IncompletePull(what, remedy="Make room or allow writing, and try again: save() goes on.") from exc


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Make the folder where it is missing, and keep other processes and threads from writing to it meanwhile.

    Raises:
        UsageError: It cannot be written, holds what is no dataset, or somebody else is writing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except (OSError, ValueError) as exc:  # a name that no file can have is a ValueError
        what = f"{str(folder)!r} cannot be used as a folder for a dataset: {getattr(exc, 'strerror', None) or exc}."
        raise UsageError(what, remedy="Choose another folder, or allow writing to it.") from exc
    if MANIFEST not in others and (strange := [name for name in others if not _OURS.fullmatch(name)]):
        what = f"{folder} is not empty and not a dataset: it holds {strange[0]!r}."
        raise UsageError(what, remedy="Choose a new folder.")
    # The lock is SQLite's, because the system releases it however the process ends, on every platform.
    with ExitStack() as held:
        try:
            lock = sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)
            held.enter_context(closing(lock))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as exc:
            busy = "locked" in str(exc)
            what = f"{folder} is being written by somebody else." if busy else f"{folder} cannot be written: {exc}."
            wait, choose = (
                "Wait until that is done, or choose another folder.",
                "Allow writing, or give a shorter path.",
            )
            raise UsageError(what, remedy=wait if busy else choose) from exc
        yield


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what interrupted writes left: files named like ours that the manifest does not name, and changes."""
    shutil.rmtree(folder / CHANGES, ignore_errors=True)
    named = {MANIFEST, *(part.file for part in manifest.parts)}
    for path in folder.iterdir():
        if path.name not in named and _OURS.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
