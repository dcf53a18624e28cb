"""
The settings file: its path, the values of the requested names, and a warning if others can read it.

Other programs share the file, so only lines of requested names are checked. Nothing is expanded, and no program is
started, because the file and the git settings around it may come from a stranger.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from dotenv.parser import Binding, Position, Reader, parse_binding

from vendorkit.errors import SettingsError
from vendorkit.files import PIPE_WAIT_S, read_bounded, real_path
from vendorkit.gitignore import is_ignored, work_tree

ENV_FILE_VARIABLE: Final = "VENDORKIT_ENV_FILE"
_LIMIT_BYTES: Final = 1 << 20
_LINE_LIMIT: Final = 4096  # python-dotenv takes quadratic time on long runs of blanks outside quotes
_REMEDY: Final = "Write each name once, as NAME='value', in closed quotes."
# The beginning of a line: blanks, `export`, the name, and the quote that opens its value.
_START: Final = re.compile(r"[^\S\r\n]*(?:export[^\S\r\n]+)?'?([^='#\s]+)'?[^\S\r\n]*(?:=[^\S\r\n]*(['\"])?)?")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_LINE: Final = re.compile(rf"[^\r\n]*(?:{_LINE_END.pattern}|\Z)")


@dataclass(frozen=True)
class Entry:
    """
    One name of the file that has a value.

    Attributes:
        reveal: Returns the value; a closure, so that no repr shows it.
        quoted: Whether the value is in quotes in the file, so that blanks and quotes inside are intended.
    """

    reveal: Callable[[], str]
    quoted: bool


def env_path() -> tuple[Path, bool]:
    """Return the path of the settings file, and whether `VENDORKIT_ENV_FILE` names it."""
    path = os.environ.get(ENV_FILE_VARIABLE, "").strip()
    return (Path(os.path.expanduser(path)), True) if path else (Path(".env"), False)  # noqa: PTH111


def read_env_file(path: Path, names: Collection[str], *, pipe_wait_s: float = PIPE_WAIT_S) -> dict[str, Entry]:
    """
    Return those of *names* that have a value in the file at *path*; empty values count as not set.

    Raises:
        SettingsError: The file cannot be read, or a line of one of *names* is malformed. The message has the line's
            number, and never a value.
    """
    text = io.StringIO(_text(path, pipe_wait_s))
    entries, problem = _entries(text, names)
    if problem:
        text.close()  # so that no frame holds the file's text while the error is raised
        raise SettingsError(problem.format(path=path), remedy=_REMEDY)
    return entries


def _text(path: Path, pipe_wait_s: float) -> str:
    raw = read_bounded(path, limit_bytes=_LIMIT_BYTES, pipe_wait_s=pipe_wait_s)
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in raw[:2]:
        del raw
        what = f"Line 1 of {path} is not UTF-8; the file may be UTF-16."
        raise SettingsError(what, remedy="Save it as UTF-8.")
    # Bytes that are not UTF-8 become lone surrogates, which are refused in the lines of requested names.
    return raw.decode("utf-8-sig", "surrogateescape")


def _entries(text: io.StringIO, names: Collection[str]) -> tuple[dict[str, Entry], str]:
    """Return the entries of *names*, and the fault of one of their lines, or ""."""
    entries: dict[str, Entry] = {}
    lines: dict[str, int] = {}
    for line, name, binding in _bindings(text, names):
        problem = "" if binding is None or binding.error else _hidden_in(binding.original.string, line, names)
        if name not in names and not problem:
            continue
        problem = problem or _problem(binding, line, name)
        if not problem and name in lines:
            problem = f"{name} is set twice in {{path}}, on lines {lines[name]} and {line}."
        if problem or binding is None:
            return {}, problem
        lines[name] = line
        if binding.value:
            entries[name] = Entry(in_closure(binding.value), _quoted(binding))
    return entries, ""


def in_closure(value: str) -> Callable[[], str]:
    """Return a closure that returns *value*, so that no repr shows it."""
    return lambda: value


def _bindings(text: io.StringIO, names: Collection[str]) -> Iterator[tuple[int, str, Binding | None]]:
    """Yield line, name and binding (None if the line is too long) of *names*, and of other names with quoted values."""
    reader, line = Reader(text), 1
    while reader.has_next():
        begin = reader.position.chars
        after = cast("re.Match[str]", _LINE.match(reader.string, begin)).end()
        start = _START.match(reader.string, begin)
        # A name with extra characters, such as a zero-width space, is taken for the name, and reported as an error. So
        # is a name in lower case, which is the same variable on Windows.
        name, quote = (re.sub(r"\W", "", start[1]).upper(), start[2]) if start else ("", None)
        if quote or (name in names and after - begin <= _LINE_LIMIT):
            binding = parse_binding(reader)
            if name in names and binding.key != name:
                binding = binding._replace(error=True)
            yield line, name, binding
            # If another name's quote is not closed, or is closed in the middle of a line, only that line is skipped.
            after = after if binding.error else reader.position.chars
        elif name in names:
            yield line, name, None
        line += len(_LINE_END.findall(reader.string, begin, after))
        reader.position.set(Position(after, line))


def _problem(binding: Binding | None, line: int, name: str) -> str:
    """Return the fault of the line of a requested name, with a placeholder for the file's path; or ""."""
    if binding is None:
        return f"Line {line} of {{path}} is longer than {_LINE_LIMIT:,} characters."
    text = binding.original.string
    for bad, why in ((r"[\ud800-\udfff]", "is not UTF-8"), (r"\0", "holds a NUL byte")):
        if match := re.search(bad, text):
            return f"Line {line + len(_LINE_END.findall(text, 0, match.start()))} of {{path}} {why}."
    if binding.error or binding.value is None:
        return f"Line {line} of {{path}} is not {name}=value."
    value = text[text.index("=") + 1 :]
    is_comment = value[:1].isspace() and value.lstrip().startswith("#")
    if not _quoted(binding) and not is_comment and re.search(r"\S\s+#", value):
        return f"Line {line} of {{path}} has a # that may begin a comment or belong to the value."
    return ""


def _quoted(binding: Binding) -> bool:
    start = _START.match(binding.original.string)
    return start is not None and start[2] is not None


def _hidden_in(text: str, line: int, names: Collection[str]) -> str:
    """Return the fault if a line of one of *names* is inside *text*, another name's value that begins at *line*."""
    for number, part in enumerate(_LINE_END.split(text)[1:], line + 1):
        start = _START.match(part)
        if start and start[1].upper() in names and "=" in start[0]:
            return f"{start[1]} on line {number} of {{path}} is inside the quotes that line {line} opens."
    return ""


def warn_if_exposed(path: Path) -> None:
    """Warn of a settings file that other users can read or git would publish; links are followed."""
    real = real_path(path)
    try:
        mode = real.stat().st_mode
    except (OSError, ValueError):
        return  # reading it will say why
    if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(f"Other users of this machine can read {real}: run `chmod 600 {real}`.", stacklevel=2)
    root = work_tree(real)
    if root is not None and is_ignored(real, root) is False:
        message = f"{real} is in a git work tree, but not in its .gitignore: add it there, and `git rm --cached` it."
        warnings.warn(message, stacklevel=2)
