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
_FLAGS: Final = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in ("NONBLOCK", "CLOEXEC", "NOCTTY", "BINARY"))


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
    try:
        # Checked before open() too, because opening a device may have side effects.
        if problem := _wrong_kind(path.stat().st_mode, path, pipe_wait_s):
            return problem
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as exc:
        return f"cannot be read ({type(exc).__name__})"
    try:
        mode = os.fstat(descriptor).st_mode
        if problem := _wrong_kind(mode, path, pipe_wait_s):
            return problem
        if stat.S_ISFIFO(mode):
            return _read_pipe_into(content, descriptor, limit_bytes, pipe_wait_s)
        while len(content) <= limit_bytes and (chunk := os.read(descriptor, _CHUNK_BYTES)):
            content += chunk
    except OSError as exc:
        return f"cannot be read ({type(exc).__name__})"
    finally:
        os.close(descriptor)
    return _too_large(content, limit_bytes)


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


def _too_large(content: bytearray, limit_bytes: int) -> str:
    return f"is larger than {limit_bytes:,} bytes" if len(content) > limit_bytes else ""


def _read_pipe_into(content: bytearray, descriptor: int, limit_bytes: int, wait_s: float) -> str:
    until = time.monotonic() + wait_s
    while len(content) <= limit_bytes:
        check_cancelled()
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:  # a writer is connected, but has not written yet
            chunk = None
        if chunk:
            content += chunk
        elif chunk is not None and content:
            return ""
        elif time.monotonic() > until:
            problem = "did not close it" if content else "sent nothing"
            return f"is a named pipe, and its writer {problem} within {wait_s:g} seconds"
        else:
            time.sleep(_PAUSE_S)
    return _too_large(content, limit_bytes)
