"""
The settings file: which one it is, what it says of the names that are asked for, and who else may read it.

Other programs share the file, so that only lines of names that are asked for can be wrong. Nothing is expanded, and no
program is started: the file, and git's settings around it, may be a stranger's.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
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
# What a line begins with: blanks, `export`, the name, and the quote that opens its value.
_START: Final = re.compile(r"[^\S\r\n]*(?:export[^\S\r\n]+)?'?([^='#\s]+)'?[^\S\r\n]*(?:=[^\S\r\n]*(['\"])?)?")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_LINE: Final = re.compile(rf"[^\r\n]*(?:{_LINE_END.pattern}|\Z)")


@dataclass(frozen=True)
class Entry:
    """
    One name of the file that has a value.

    Attributes:
        reveal: Returns the value; a closure, so that no repr shows it.
        quoted: Whether the value is in quotes in the file, so that blanks and quotes within are meant.
    """

    reveal: Callable[[], str]
    quoted: bool


def env_path(environ: Mapping[str, str] | None = None) -> tuple[Path, bool]:
    """Return the path of the settings file, and whether `VENDORKIT_ENV_FILE` names it."""
    # os.environ is bound to no local name: its repr shows every value.
    named = (os.environ.get(ENV_FILE_VARIABLE) if environ is None else environ.get(ENV_FILE_VARIABLE)) or ""
    return (Path(os.path.expanduser(named.strip())), True) if named.strip() else (Path(".env"), False)  # noqa: PTH111


def read_env_file(path: Path, names: Collection[str], *, pipe_wait_s: float = PIPE_WAIT_S) -> dict[str, Entry]:
    """
    Return those of *names* that have a value in the file at *path*; empty values count as not set.

    Raises:
        SettingsError: The file cannot be read, or a line of one of *names* is malformed; the message gives the line's
            number, and never a value.
    """
    text = io.StringIO(_text(path, pipe_wait_s))
    found, problem = _entries(text, names)
    if problem:
        text.close()  # its text is in no frame while the error is raised
        raise SettingsError(problem.format(path=path), remedy=_REMEDY)
    return found


def _text(path: Path, pipe_wait_s: float) -> str:
    raw = read_bounded(path, limit_bytes=_LIMIT_BYTES, pipe_wait_s=pipe_wait_s)
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in raw[:2]:
        del raw
        what = f"Line 1 of {path} is not UTF-8; the file may be UTF-16."
        raise SettingsError(what, remedy="Save it as UTF-8.")
    # What is not UTF-8 becomes lone surrogates, which the lines of names that are asked for may not hold.
    return raw.decode("utf-8-sig", "surrogateescape")


def _entries(text: io.StringIO, names: Collection[str]) -> tuple[dict[str, Entry], str]:
    """Return the entries of *names*, and what is wrong with one of them, or ""."""
    found: dict[str, Entry] = {}
    lines: dict[str, int] = {}
    for line, name, binding in _bindings(text, names):
        problem = "" if binding is None or binding.error else _hidden_in(binding.original.string, line, names)
        if name not in names and not problem:
            continue
        problem = problem or _problem(binding, line)
        if not problem and name in lines:
            problem = f"{name} is set twice in {{path}}, on lines {lines[name]} and {line}."
        if problem or binding is None:
            return {}, problem
        lines[name] = line
        if binding.value:
            found[name] = Entry(kept(binding.value), _quoted(binding))
    return found, ""


def kept(value: str) -> Callable[[], str]:
    """Return *value* in a closure, which no repr shows."""
    return lambda: value


def _bindings(text: io.StringIO, names: Collection[str]) -> Iterator[tuple[int, str, Binding | None]]:
    """Yield line, name and binding of *names*, None if it is too long, and of other names with a value in quotes."""
    reader, line = Reader(text), 1
    while reader.has_next():
        begin = reader.position.chars
        after = cast("re.Match[str]", _LINE.match(reader.string, begin)).end()
        start = _START.match(reader.string, begin)
        # A name with something around it, such as a zero-width space, is meant to be the name, and is an error; so is
        # one in small letters, which are no others on Windows.
        name, quote = (re.sub(r"\W", "", start[1]).upper(), start[2]) if start else ("", None)
        if quote or (name in names and after - begin <= _LINE_LIMIT):
            binding = parse_binding(reader)
            if name in names and binding.key != name:
                binding = binding._replace(error=True)
            yield line, name, binding
            # A foreign quote that is not closed, or closed amid a line, is no more than a broken line.
            after = after if binding.error else reader.position.chars
        elif name in names:
            yield line, name, None
        line += len(_LINE_END.findall(reader.string, begin, after))
        reader.position.set(Position(after, line))


def _problem(binding: Binding | None, line: int) -> str:
    """Return what is wrong with a line that is asked for, with a place for the file's path; or ""."""
    if binding is None:
        return f"Line {line} of {{path}} is longer than {_LINE_LIMIT:,} characters."
    text = binding.original.string
    for bad, why in ((r"[\ud800-\udfff]", "is not UTF-8"), (r"\0", "holds a NUL byte")):
        if found := re.search(bad, text):
            return f"Line {line + len(_LINE_END.findall(text, 0, found.start()))} of {{path}} {why}."
    if binding.error or binding.value is None:
        return f"Line {line} of {{path}} is not NAME=value."
    value = text[text.index("=") + 1 :]
    is_comment = value[:1].isspace() and value.lstrip().startswith("#")
    if not _quoted(binding) and not is_comment and re.search(r"\S\s+#", value):
        return f"Line {line} of {{path}} has a # that may begin a comment or belong to the value."
    return ""


def _quoted(binding: Binding) -> bool:
    start = _START.match(binding.original.string)
    return start is not None and start[2] is not None


def _hidden_in(text: str, line: int, names: Collection[str]) -> str:
    """Return what is wrong if one of *names* has a line in *text*, the value of another name from *line* on; or ""."""
    for number, part in enumerate(_LINE_END.split(text)[1:], line + 1):
        start = _START.match(part)
        if start and start[1].upper() in names and "=" in start[0]:
            return f"{start[1]} on line {number} of {{path}} is in the quotes that line {line} opens."
    return ""


def warn_if_exposed(path: Path) -> None:
    """Warn of a settings file that other users can read, or that git would publish; of a link, where it leads to."""
    real = real_path(path)
    try:
        mode = real.stat().st_mode
    except (OSError, ValueError):
        return  # reading it will say why
    if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(f"{real} can be read by others on this machine: run `chmod 600 {real}`.", stacklevel=2)
    root = work_tree(real)
    if root is not None and is_ignored(real, root) is False:
        message = f"{real} is in a git work tree, and no .gitignore there names it: add it, and `git rm --cached` it."
        warnings.warn(message, stacklevel=2)
