"""
Looking settings up: the environment first, then the settings file; values that were not copied cleanly are named.

Values are passed on as closures, so that no repr and no traceback shows them.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vendorkit.envfile import ENV_FILE_VARIABLE, Entry, env_path, kept, read_env_file, warn_if_exposed
from vendorkit.errors import SettingsError
from vendorkit.files import PIPE_WAIT_S, real_path

ENVIRONMENT: Final = "environment"
GIVEN: Final = "settings="  # the source of values that were passed to connect()
REDIRECTING: Final = ("_BASE_URL", "_CA_FILE")  # settings that decide who receives the credentials
_QUOTES: Final = {'""', "''", "``", "“”", "““", "„“", "‘’", "‘‘", "«»", "‹›"}  # noqa: RUF001 - meant
_FILLERS: Final = "\u034f\u115f\u1160\u3164\uffa0"  # letters without a shape
_JOINERS: Final = "\u200c\u200d\ufe0e\ufe0f"  # needed within emoji and some scripts

Reveal = Callable[[], str]
Files = Mapping[str, Mapping[str, Entry]]  # path to name to entry


@dataclass(frozen=True)
class Found:
    """
    One setting that was found.

    Attributes:
        reveal: Returns the value.
        source: "environment" or the path of the file.
        places: All sources that hold this value: VS Code, for one, copies `./.env` into the environment of its kernels.
    """

    reveal: Reveal
    source: str
    places: frozenset[str]


def look_up(names: tuple[str, ...], environ: Mapping[str, str] | None, *, needed: bool) -> tuple[dict[str, Found], str]:
    """
    Return the settings that are set, by name, and in words where was looked.

    Args:
        names: The variables.
        environ: In place of the process environment.
        needed: False: a settings file that cannot be read counts as empty, and a named pipe is not waited for.

    Raises:
        SettingsError: The file cannot be read, a line of *names* is malformed, or a value was not copied cleanly.
    """
    path, named = env_path(environ)
    if named and needed:
        check_copy(ENV_FILE_VARIABLE, lambda: str(path), "the environment")
    there = os.path.exists(path)  # noqa: PTH110 - Path.exists() may raise
    in_file = _entries(path, names, needed=needed) if there or named else {}
    files = {**_default_file(path, names, environ, needed=needed), _source(path): in_file}
    found = {}
    for name in names:
        one = _from_environment(name, environ, files) or _from_file(name, path, in_file)
        if one is not None:
            found[name] = one
    return found, f"the environment or {real_path(path)}{'' if there else ' (no such file)'}"


def _from_environment(name: str, environ: Mapping[str, str] | None, files: Files) -> Found | None:
    # os.environ is bound to no local name, nor is the value: some tracebacks show them.
    reveal: Reveal = lambda: (os.environ.get(name) if environ is None else environ.get(name)) or ""  # noqa: E731
    if not reveal():
        return None
    check_copy(name, reveal, "the environment")
    copies = {file for file in files if name in files[file] and _may_be_copy(name, reveal, files[file][name].reveal)}
    return Found(kept(reveal()), ENVIRONMENT, frozenset({ENVIRONMENT, *copies}))


def _from_file(name: str, path: Path, entries: Mapping[str, Entry]) -> Found | None:
    if name not in entries:
        return None
    check_copy(name, entries[name].reveal, str(path), quoted=entries[name].quoted)
    return Found(entries[name].reveal, _source(path), frozenset({_source(path)}))


def _source(path: Path) -> str:
    # A file may have any name, also that of another source, which is trusted more.
    return os.path.join(".", path) if str(path) in {ENVIRONMENT, GIVEN} else str(path)  # noqa: PTH118 - Path drops the dot


def _entries(path: Path, names: tuple[str, ...], *, needed: bool) -> dict[str, Entry]:
    warn_if_exposed(path)
    try:
        return read_env_file(path, names, pipe_wait_s=PIPE_WAIT_S if needed else 0.0)
    except SettingsError:
        if needed:
            raise
    return {}


def _default_file(
    path: Path, names: tuple[str, ...], environ: Mapping[str, str] | None, *, needed: bool
) -> dict[str, dict[str, Entry]]:
    """Return what `./.env` holds if another file is in use, for it may be where the environment has its values from."""
    default = Path(".env")
    redirected = any(name.endswith(REDIRECTING) and _from_environment(name, environ, {}) for name in names)
    if not redirected or not os.path.exists(default) or real_path(path) == real_path(default):  # noqa: PTH110
        return {}
    return {str(default): _entries(default, names, needed=needed)}


def _may_be_copy(name: str, value: Reveal, original: Reveal) -> bool:
    if value() == original() or not name.endswith(REDIRECTING):
        return value() == original()
    # Of an address the host counts; and what is expanded where it is copied could be anything.
    return "$" in original() or _host(value()) == _host(original())


def _host(address: str) -> str:
    address = address.strip("`'\" \t")
    try:
        return urlsplit(address).hostname or address.rstrip("/").casefold()
    except ValueError:
        return address


def check_copy(name: str, value: Reveal, source: str, *, quoted: bool = False) -> None:
    """
    Refuse a value that was not copied cleanly: a server would only say that it is wrong.

    Args:
        name: The variable.
        value: Returns its value.
        source: Where it is from, for the message.
        quoted: Whether it was read from within quotes, so that blanks and further quotes are meant.

    Raises:
        SettingsError: It is in quotes, between blanks, two settings in one, not UTF-8, or holds a character that cannot
            be seen.
    """
    fault = _copy_fault(value, quoted=quoted)
    if fault:
        remedy = "Copy it again, without quotes and line ends. If they are part of it, write it into .env, in quotes."
        message = f"{name} (from {source}) {fault}."
        raise SettingsError(message, remedy=remedy)


def _copy_fault(value: Reveal, *, quoted: bool) -> str:
    if re.search("[\ud800-\udfff]", value()):
        return "is not UTF-8"
    unseen = _unseen(value())
    if unseen:
        return f"holds U+{ord(unseen):04X}, a character that cannot be seen"
    if quoted:
        return ""
    if value() != value().strip():
        return "begins or ends with white space"
    if re.search(r"[\s;][A-Z]+(_[A-Z]+)+=", value()):
        return "holds a second NAME=value, which belongs on a separate line"
    return "is in quotes" if len(value()) > 1 and value()[0] + value()[-1] in _QUOTES else ""


def _unseen(text: str) -> str:
    """Return the first character of *text* that cannot be seen, or ""."""
    for i, char in enumerate(text):
        kind, selects = unicodedata.category(char), "VARIATION SELECTOR" in unicodedata.name(char, "")
        joins = char in _JOINERS and i > 0 and not text[i - 1].isascii()
        at_end = i in {0, len(text) - 1} and kind == "Zs" and char != " "
        if (kind in {"Cf", "Zl", "Zp"} or selects or char in _FILLERS or at_end) and not joins:
            return char
    return ""
