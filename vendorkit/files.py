"""Reads a small file that may be of any kind: with a limit on its size, and on the waiting time for a named pipe."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Final

from vendorkit.deadline import check_cancelled
from vendorkit.errors import SettingsError

PIPE_WAIT_S: Final = 5.0  # the program that fills the pipe, such as a secrets manager, may first ask its user
_CHUNK_BYTES: Final = 1 << 16
_PAUSE_S: Final = 0.02
# O_NONBLOCK: open() must not wait for the writer of a pipe. O_NOCTTY: a terminal must not become the controlling
# terminal of this process. Windows lacks some of these flags.
_FLAGS: Final = sum(getattr(os, f"O_{name}", 0) for name in ("NONBLOCK", "NOCTTY"))


def read_bounded(path: Path, *, limit_bytes: int, pipe_wait_s: float = 0.0) -> bytes:
    """
    Return the content of a regular file, the null device or a named pipe.

    Args:
        path: The file; `~` is not expanded.
        limit_bytes: The maximum size in bytes.
        pipe_wait_s: The maximum time to read a named pipe, in seconds. 0 means that pipes are refused.

    Raises:
        SettingsError: The file cannot be read, is of another kind, or is too large; or the pipe is too slow.
        Cancelled: A `cancellable` block around this code was stopped.
    """
    content = bytearray()
    try:
        problem = _read_into(content, path, limit_bytes, pipe_wait_s)
    except BaseException:
        content.clear()  # the content may be secret, and tracebacks may show local variables
        raise
    if problem:
        content.clear()
        what = f"{path} {problem}."
        slow = "Unlock the program that fills it, and try again."
        raise SettingsError(what, remedy=slow if "seconds" in problem else "Make it a readable file, or remove it.")
    return bytes(content)


def _read_into(content: bytearray, path: Path, limit_bytes: int, pipe_wait_s: float) -> str:
    """Read *path* into *content*. Return the end of an error message, or "" on success."""
    until = time.monotonic() + pipe_wait_s
    try:
        # Checked before open(), because opening a device may have side effects.
        mode = path.stat().st_mode
        if problem := _wrong_kind(mode, path, pipe_wait_s):
            return problem
        with open(path, "rb", buffering=0, opener=_open) as file:
            while len(content) <= limit_bytes:
                chunk = file.read(_CHUNK_BYTES)  # None if a pipe has a writer that has not written yet
                if chunk:
                    content += chunk
                elif not stat.S_ISFIFO(mode) or (chunk is not None and content):
                    return ""
                elif time.monotonic() > until:
                    problem = "did not close it" if content else "sent nothing"
                    return f"is a named pipe, and its writer {problem} within {pipe_wait_s:g} seconds"
                else:
                    check_cancelled()
                    time.sleep(_PAUSE_S)
    except (OSError, ValueError) as exc:
        return f"cannot be read ({type(exc).__name__})"
    return f"is larger than {limit_bytes:,} bytes"


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | _FLAGS)


def real_path(path: Path) -> Path:
    """Return *path* with all links resolved, or *path* itself if the working folder was deleted."""
    try:
        return Path(os.path.realpath(path))  # Path.resolve() raises if links form a loop
    except OSError:
        return path


def _wrong_kind(mode: int, path: Path, pipe_wait_s: float) -> str:
    if stat.S_ISDIR(mode):
        return "cannot be read (IsADirectoryError)"
    if stat.S_ISFIFO(mode):
        return "" if pipe_wait_s else "is a named pipe"
    regular = stat.S_ISREG(mode) or str(real_path(path)) == os.devnull
    return "" if regular else "is not a file but a device or socket"
