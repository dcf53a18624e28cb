"""
The files of a dataset: written completely or not at all, and checked when they are read.

A folder may come from an untrusted source: links are not followed, only files named like parts are read or deleted, and
sizes are bounded.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Meta, Struct

from vendorkit.auth.interrupts import from_outside, tolerated
from vendorkit.errors import IncompletePull, UsageError

LOG: Final = "_delta_log"
POSITION: Final = "_position"  # numbers the records in the vendor's order, for readers that ignore the order of files
FOOTER_KEY: Final = b"vendorkit"
BATCH_ROWS: Final = 5_000  # rows per row group
MAX_BYTES: Final = 1 << 30  # per part; those of vendorkit take about 64 MB in memory, and a few MB on disk
_PART: Final = re.compile(r"part-(\d{8})-(\d{6})\.parquet(?:\.tmp)?")
_LOCK: Final = ".lock"
_FILE_MANAGERS: Final = {".DS_Store", "desktop.ini", "Desktop.ini", "Thumbs.db"}  # created in any folder
# Reading a file of unexpected content can raise any of these.
_READ_ERRORS: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, pa.ArrowException)


class DamagedError(IncompletePull):
    """A file is missing, damaged, or not a plain file."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged.", remedy="Call save() again, which downloads it as the next version.")


@contextmanager
def checked(error: Exception) -> Iterator[None]:
    """Raise *error* if a file cannot be read or has unexpected content. Signals and interrupts are not converted."""
    try:
        yield
    except _READ_ERRORS as exc:
        if outside := from_outside(exc):  # msgspec wraps an interrupt that is raised while it decodes
            raise outside  # noqa: B904 - already the cause of exc
        raise error from None


class Part(Struct, frozen=True, array_like=True):
    """
    One Parquet file.

    Attributes:
        name: `part-<version>-<number>.parquet`.
        size: Number of bytes.
        rows: Number of records.
        first, last: The positions of the first and the last record.
        crc: CRC-32 of all bytes, because the checksums of pages do not cover headers and footers. A part of
            vendorkit 1 has a SHA-256 in hexadecimal.
        members: For each member in `__undeclared`, the name of its column in a frame.
    """

    name: Annotated[str, Meta(pattern=r"\Apart-[0-9]{8}-[0-9]{6}\.parquet\Z")]
    size: Annotated[int, Meta(gt=0, le=MAX_BYTES)]
    rows: Annotated[int, Meta(gt=0)]
    first: Annotated[int, Meta(ge=0)]
    last: Annotated[int, Meta(lt=1 << 62)]
    crc: int | str
    members: dict[str, str]

    def open(self, folder: Path) -> pq.ParquetFile:
        """Read the file and verify its checksum; `DamagedError` if it is not what was written."""
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
    """Return the version that a part was written for, or None if *name* is not the name of a part."""
    match = _PART.fullmatch(name)
    return int(match[1]) if match else None


def plain_size(path: Path) -> int:
    """Return the size of a plain file in bytes, or -1 if there is none or it is a link."""
    with tolerated(OSError):
        info = path.lstat()
        return info.st_size if stat.S_ISREG(info.st_mode) else -1
    return -1


def names_in(folder: Path) -> list[str]:
    """Return the names of all files in *folder* but those of file managers; an empty list if it does not exist."""
    unreadable = UsageError(f"The files in {folder} cannot be listed.", remedy="Check its permissions and its disk.")
    with checked(unreadable), suppress(FileNotFoundError, NotADirectoryError):
        return [path.name for path in folder.iterdir() if path.name not in _FILE_MANAGERS]
    return []


def sweep(folder: Path, version: int, kept: Iterable[Part] = ()) -> int:
    """
    Delete parts and temporary files that are not needed. A file that cannot be deleted is ignored.

    Args:
        folder: The folder of the dataset.
        version: Only parts of this version or a later one are deleted.
        kept: The parts that are needed.

    Returns:
        The number of bytes freed.
    """
    freed, needed = 0, {part.name for part in kept}
    for path in [folder / name for name in names_in(folder) if name not in needed]:
        number = version_of(path.name)
        if number is not None and (number >= version or path.suffix == ".tmp"):
            with tolerated(OSError):
                size = path.lstat().st_size
                path.unlink()
                freed += size
    return freed


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a plain file; `OSError` if it is larger than *max_bytes* or not a plain file."""
    if not 0 <= plain_size(path) <= max_bytes:  # opening a pipe would wait for its writer
        raise OSError(str(path))
    return path.read_bytes()


def parquet(body: bytes) -> pq.ParquetFile:
    """Return a Parquet file that verifies the checksum of each page it reads."""
    return pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)


def write_atomically(path: Path, body: bytes | pa.Buffer) -> None:
    """
    Write a file completely or not at all. An existing file is replaced in one step.

    Raises:
        IncompletePull: The disk is full, or writing is not allowed.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # it may be a link to a file elsewhere
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
        what = f"{path} could not be written: {exc.strerror or exc}. Existing files are unchanged."
        raise IncompletePull(what, remedy="Free space or allow writing, and try again.") from exc


def sync_folder(path: Path) -> None:
    """Flush the entries of a folder to the disk, so that renamed files survive a power failure."""
    if os.name == "posix":  # Windows cannot sync a folder
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Create the folder if needed, and lock it against writing by other processes and threads.

    Raises:
        UsageError: The folder is not writable, has other files in it, or is locked.
    """
    what = f"{folder} cannot be used as a folder for a dataset."
    with checked(UsageError(what, remedy="Choose another folder, or allow writing to it.")):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)  # another process may create it now
    names = names_in(folder)
    bad_locks = [name for name in names if name.startswith(_LOCK) and plain_size(folder / name) < 0]
    foreign = [name for name in names if name[0] != "." and name != LOG and version_of(name) is None]
    if bad_locks or (foreign and LOG not in names):
        what = f"{folder} is not empty and not a dataset: it holds {[*bad_locks, *foreign][0]!r}."
        raise UsageError(what, remedy="Choose a new folder.")
    # SQLite locks files on every platform, and the operating system releases the lock if the process dies.
    with ExitStack() as stack:
        try:
            # An absolute path, because SQLite may take a name such as "file:x" for a URI.
            lock = sqlite3.connect(folder.absolute() / _LOCK, timeout=0, isolation_level=None)
            stack.enter_context(closing(lock))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as exc:
            what, remedy = f"{folder} cannot be written: {exc}.", "Allow writing, or give a shorter path."
            if "locked" in str(exc):
                what = f"{folder} is being written by another process."
                remedy = "Wait until that is done, or choose another folder."
            raise UsageError(what, remedy=remedy) from exc
        yield
