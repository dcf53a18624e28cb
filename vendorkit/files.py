"""Reading a small file that anybody may have put there: bounded in size, and in time if it is a named pipe."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Final

from vendorkit.deadline import check_cancelled
from vendorkit.errors import SettingsError

PIPE_WAIT_S: Final = 5.0  # a secrets manager may ask its user first
_CHUNK_BYTES: Final = 1 << 16
_PAUSE_S: Final = 0.02
# A pipe without a writer would block open(); a terminal must not become this process's own. Windows lacks some of them.
_FLAGS: Final = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in ("NONBLOCK", "CLOEXEC", "NOCTTY", "BINARY"))


def read_bounded(path: Path, *, limit_bytes: int, pipe_wait_s: float = 0.0) -> bytes:
    """
    Return the content of *path*: a regular file, the null device, or a named pipe whose writer is quick enough.

    Args:
        path: The file; `~` is not expanded.
        limit_bytes: The largest size accepted, in bytes.
        pipe_wait_s: How long to wait for a pipe's content in all, in seconds; 0: pipes are not read.

    Raises:
        SettingsError: The file cannot be read, is of another kind, too large or too slow; the message names it.
        Cancelled: A `cancellable` block around this code was stopped.
    """
    content = bytearray()
    try:
        fault = _fill(content, path, limit_bytes, pipe_wait_s)
    except BaseException:
        content.clear()  # tracebacks may show the locals, and the content may be secret
        raise
    if fault:
        content.clear()
        what = f"{path} {fault}."
        slow = "Unlock the program that fills it, and try again."
        raise SettingsError(what, remedy=slow if "seconds" in fault else "Make it a readable file, or remove it.")
    return bytes(content)


def _fill(content: bytearray, path: Path, limit_bytes: int, pipe_wait_s: float) -> str:
    """Read *path* into *content*; return what is wrong with it, or ""."""
    try:
        if fault := _unfit(path.stat().st_mode, path, pipe_wait_s):  # before it is opened: a device may act on that
            return fault
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as exc:
        return f"cannot be read ({type(exc).__name__})"
    try:
        mode = os.fstat(descriptor).st_mode
        if fault := _unfit(mode, path, pipe_wait_s):
            return fault
        if stat.S_ISFIFO(mode):
            return _fill_from_pipe(content, descriptor, limit_bytes, pipe_wait_s)
        while len(content) <= limit_bytes and (part := os.read(descriptor, _CHUNK_BYTES)):
            content += part
    except OSError as exc:
        return f"cannot be read ({type(exc).__name__})"
    finally:
        os.close(descriptor)
    return _too_large(content, limit_bytes)


def real_path(path: Path) -> Path:
    """Return where *path* leads to; *path* itself if the working folder was removed."""
    try:
        return Path(os.path.realpath(path))  # Path.resolve() raises on a circle of links
    except OSError:
        return path


def _unfit(mode: int, path: Path, pipe_wait_s: float) -> str:
    if stat.S_ISDIR(mode):
        return "cannot be read (IsADirectoryError)"
    if stat.S_ISFIFO(mode):
        return "" if pipe_wait_s else "is a named pipe"
    regular = stat.S_ISREG(mode) or str(real_path(path)) == os.devnull
    return "" if regular else "is not a file but a device or socket"


def _too_large(content: bytearray, limit_bytes: int) -> str:
    return f"is larger than {limit_bytes:,} bytes" if len(content) > limit_bytes else ""


def _fill_from_pipe(content: bytearray, descriptor: int, limit_bytes: int, wait_s: float) -> str:
    until = time.monotonic() + wait_s
    while len(content) <= limit_bytes:
        check_cancelled()
        try:
            part = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:  # a writer is connected
            part = None
        if part:
            content += part
        elif part is not None and content:
            return ""
        elif time.monotonic() > until:
            came = "did not end" if content else "gave nothing"
            return f"is a named pipe, and {came} within {wait_s:g} seconds"
        else:
            time.sleep(_PAUSE_S)
    return _too_large(content, limit_bytes)
