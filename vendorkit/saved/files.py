"""
The files of a dataset: written completely or not at all, and checked when they are read.

A folder may come from a stranger: no link is followed, only names of parts are read or deleted, and sizes are bounded.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import stat
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Meta, Struct

from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.errors import IncompletePull, UsageError

LOG: Final = "_delta_log"
POSITION: Final = "_position"  # the vendor's order, for readers that do not keep the order of files
MARK: Final = b"vendorkit"  # our key in the footers of parts
BATCH_ROWS: Final = 5_000  # rows of a row group
MOST_BYTES: Final = 1 << 30  # of a part; ours have about 64 MB in memory, and a few MB on disk
MOST_ROWS: Final = 1 << 24
_PART: Final = re.compile(r"part-(\d{8})-(\d{6})\.parquet(?:\.tmp)?")
_LOCK: Final = ".lock"
# What a file that is not ours leads to: it cannot be read, is of another form, or nested too deeply.
_FAULTS: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, pa.ArrowException)


class DamagedError(IncompletePull):
    """A file is missing, damaged, or not a plain file; or what is stored cannot be continued."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged.", remedy="Save again: it is downloaded as the next version.")


@contextmanager
def checked(error: Exception) -> Iterator[None]:
    """Raise *error* if a file cannot be read or is not what was written; what comes from outside passes as it is."""
    try:
        yield
    except _FAULTS as exc:
        if outside := from_outside(exc):  # msgspec wraps what is raised while it converts
            raise outside  # noqa: B904 - it is the cause
        raise error from None


class Part(Struct, frozen=True, array_like=True):
    """
    One Parquet file.

    Attributes:
        name: `part-<version>-<number>.parquet`.
        size, rows: Bytes and records in it.
        first, last: The first and the last position.
        crc: CRC-32 of all bytes: the checksums of pages do not cover headers and footers. In
            version 1 of vendorkit it is SHA-256, a text.
        members: The columns of the members in `__undeclared`.
    """

    name: Annotated[str, Meta(pattern=r"\Apart-[0-9]{8}-[0-9]{6}\.parquet\Z")]
    size: Annotated[int, Meta(gt=0, le=MOST_BYTES)]
    rows: Annotated[int, Meta(gt=0, le=MOST_ROWS)]
    first: Annotated[int, Meta(ge=0)]
    last: Annotated[int, Meta(lt=1 << 62)]
    crc: int | str
    members: dict[str, str]

    def open(self, folder: Path) -> pq.ParquetFile:
        """Return the checked file; `DamagedError` if it is not what was written."""
        with checked(DamagedError(folder / self.name)):
            body = read_file(folder / self.name, self.size)
            file = parquet(body)
            crc = zlib.crc32(body) if isinstance(self.crc, int) else hashlib.sha256(body).hexdigest()
            if crc != self.crc or file.metadata.num_rows != self.rows:
                raise ValueError(self.name)
            return file


def part_name(version: int, number: int) -> str:
    """Return the name of a part."""
    return f"part-{version:08}-{number:06}.parquet"


def version_of(name: str) -> int | None:
    """Return the version that first had the part of this name; None if it is no name of a part."""
    found = _PART.fullmatch(name)
    return int(found[1]) if found else None


def plain_size(path: Path) -> int:
    """Return the size of a plain file, which a link is not; -1 if it is none."""
    with tolerated(OSError):
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else -1
    return -1


def names_in(folder: Path) -> list[str]:
    """Return the names of all files in *folder*; none if there is no such folder."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return [path.name for path in folder.iterdir()]
    return []


def sweep(folder: Path, version: int, kept: Collection[str] = ()) -> int:
    """
    Delete what no version needs; what cannot be deleted stays.

    Args:
        folder: Only temporary files and parts in it are deleted.
        version: The parts of this version and later ones.
        kept: The names of those that stay.

    Returns:
        How many bytes that freed.
    """
    freed = 0
    for path in [folder / name for name in names_in(folder) if name not in kept]:
        number = version_of(path.name)
        if number is not None and (number >= version or path.suffix == ".tmp"):
            with tolerated(OSError):
                size = path.lstat().st_size
                path.unlink()
                freed += size
    return freed


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a plain file of at most *most* bytes; `OSError` if it is something else."""
    if plain_size(path) < 0:
        raise OSError(str(path))
    # Without waiting: a pipe may take the file's place in between.
    flags = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "BINARY"))
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > min(most, MOST_BYTES):
            raise OSError(str(path))
        return file.read(most)


def parquet(body: bytes) -> pq.ParquetFile:
    """Return a Parquet file whose pages are checked as they are read."""
    file = pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)
    groups = [file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups)]
    if not 0 <= file.metadata.num_rows <= MOST_ROWS or not 0 <= sum(groups) <= MOST_BYTES:
        raise ValueError(len(groups))
    return file


def write_part(folder: Path, name: str, table: pa.Table, members: dict[str, str], note: bytes) -> Part:
    """
    Write a table, which has rows, as one part whose footer has *note*.

    Raises:
        IncompletePull: The disk is full, or does not allow it.
    """
    sink = pa.BufferOutputStream()
    noted = table.replace_schema_metadata({MARK: note})
    pq.write_table(noted, sink, row_group_size=BATCH_ROWS, compression="zstd", write_page_checksum=True)
    body = sink.getvalue()
    write_atomically(folder / name, body)
    first, last = table[POSITION][0].as_py(), table[POSITION][-1].as_py()
    return Part(name, body.size, len(table), first, last, zlib.crc32(body), members)


def write_atomically(path: Path, body: bytes | pa.Buffer) -> None:
    """
    Write the file completely or not at all; the old file stays until then.

    Raises:
        IncompletePull: The disk is full, or does not allow it.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # it may be a link to somewhere else
        with temporary.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        with tolerated(OSError):
            temporary.unlink()
        if from_outside(exc):
            raise
        what = f"{path} could not be written: {exc.strerror or exc}. What was stored before is untouched."
        raise IncompletePull(what, remedy="Free space or allow writing, and try again: save() continues.") from exc


def sync_folder(path: Path) -> None:
    """Flush the names in a folder to the disk."""
    if os.name == "posix":  # elsewhere folders cannot be synced, nor need to be
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Create the folder if it is missing, and keep other processes and threads from writing to it meanwhile.

    Raises:
        UsageError: It cannot be written, holds something else, or is being written by another process.
    """
    try:
        with suppress(FileExistsError):  # exist_ok=True would suppress others too
            folder.mkdir(parents=True)
        names = [path.name for path in folder.iterdir()]
    except (OSError, ValueError) as exc:  # a name that no file can have is a ValueError
        if from_outside(exc):
            raise
        what = f"{str(folder)!r} cannot be used as a folder for a dataset: {getattr(exc, 'strerror', None) or exc}."
        raise UsageError(what, remedy="Choose another folder, or allow writing to it.") from exc
    odd = [name for name in names if name.startswith(_LOCK) and plain_size(folder / name) < 0]
    foreign = [name for name in names if not name.startswith(".") and name != LOG and version_of(name) is None]
    if odd or (foreign and LOG not in names):
        what = f"{folder} is not empty and not a dataset: it holds {[*odd, *foreign][0]!r}."
        raise UsageError(what, remedy="Choose a new folder.")
    # The lock is SQLite's, because the system releases it however the process ends, on every platform.
    with ExitStack() as held:
        try:
            lock = sqlite3.connect(folder / _LOCK, timeout=0, isolation_level=None)
            held.enter_context(closing(lock))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as exc:
            what, remedy = f"{folder} cannot be written: {exc}.", "Allow writing, or give a shorter path."
            if "locked" in str(exc):
                what = f"{folder} is being written by another process."
                remedy = "Wait until that is done, or choose another folder."
            raise UsageError(what, remedy=remedy) from exc
        yield
