"""
Looks settings up in the environment, then in the settings file, and refuses values that were not copied cleanly.

Values are passed as closures, so that no repr and no traceback shows them.
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

from vendorkit.envfile import ENV_FILE_VARIABLE, Entry, env_path, in_closure, read_env_file, warn_if_exposed
from vendorkit.errors import SettingsError
from vendorkit.files import PIPE_WAIT_S, real_path

ENVIRONMENT: Final = "environment"
GIVEN: Final = "settings="  # the source of values that were passed to connect()
REDIRECTING: Final = ("_BASE_URL", "_CA_FILE")  # settings that decide who receives the credentials
_QUOTES: Final = {'""', "''", "``", "“”", "““", "„“", "‘’", "‘‘", "«»", "‹›"}  # noqa: RUF001 - meant
_JOINERS: Final = "\u200c\u200d\ufe0e\ufe0f"  # needed within emoji and some scripts
_WITHOUT_GLYPH: Final = "\u034f\u115f\u1160\u3164\uffa0\ufe0e\ufe0f"  # invisible letters and marks

Reveal = Callable[[], str]
Files = Mapping[str, Mapping[str, Entry]]  # path to name to entry


@dataclass(frozen=True)
class Setting:
    """
    One setting that has a value.

    Attributes:
        reveal: Returns the value.
        source: "environment" or the path of the file.
        places: All sources of this value. For example, VS Code copies `./.env` into the environment of its kernels.
    """

    reveal: Reveal
    source: str
    places: frozenset[str]


def look_up(names: tuple[str, ...], *, needed: bool) -> tuple[dict[str, Setting], str]:
    """
    Return the settings that have a value, by name, and a description of the places that were searched.

    Args:
        names: The variables.
        needed: If False, a settings file that cannot be read counts as empty, and a named pipe is not waited for.

    Raises:
        SettingsError: The file cannot be read, a line of *names* is malformed, or a value was not copied cleanly.
    """
    path, named = env_path()
    if named and needed:
        check_copy(ENV_FILE_VARIABLE, lambda: str(path), "the environment")
    exists = os.path.lexists(path)  # a link that leads nowhere is an error
    if named and needed and not exists:
        what = f"{real_path(path)} cannot be read: {ENV_FILE_VARIABLE} names it, but it does not exist."
        raise SettingsError(what, remedy=f"Correct {ENV_FILE_VARIABLE}, or unset it.")
    in_file = _entries(path, names, needed=needed) if exists or named else {}
    files = {**_default_file(path, names, needed=needed), _source(path): in_file}
    found = {name: _from_environment(name, files) or _from_file(name, path, in_file) for name in names}
    settings = {name: setting for name, setting in found.items() if setting is not None}
    return settings, f"the environment or {real_path(path)}{'' if exists else ' (no such file)'}"


def _from_environment(name: str, files: Files) -> Setting | None:
    # No local variable holds os.environ or the value, because some tracebacks show locals.
    reveal: Reveal = lambda: os.environ.get(name, "")  # noqa: E731
    if not reveal():
        return None
    check_copy(name, reveal, "the environment")
    copies = {file for file in files if name in files[file] and _may_be_copy(name, reveal, files[file][name].reveal)}
    return Setting(in_closure(reveal()), ENVIRONMENT, frozenset({ENVIRONMENT, *copies}))


def _from_file(name: str, path: Path, entries: Mapping[str, Entry]) -> Setting | None:
    if name not in entries:
        return None
    check_copy(name, entries[name].reveal, str(path), quoted=entries[name].quoted)
    return Setting(entries[name].reveal, _source(path), frozenset({_source(path)}))


def _source(path: Path) -> str:
    # A file could have the name of another source, which is trusted more.
    return os.path.join(".", path) if str(path) in {ENVIRONMENT, GIVEN} else str(path)  # noqa: PTH118 - Path drops the dot


def _entries(path: Path, names: tuple[str, ...], *, needed: bool) -> dict[str, Entry]:
    warn_if_exposed(path)
    try:
        return read_env_file(path, names, pipe_wait_s=PIPE_WAIT_S if needed else 0.0)
    except SettingsError:
        if needed:
            raise
    return {}


def _default_file(path: Path, names: tuple[str, ...], *, needed: bool) -> dict[str, dict[str, Entry]]:
    """Return the entries of `./.env` if another file is in use: the environment may have been filled from it."""
    default = Path(".env")
    redirected = any(name.endswith(REDIRECTING) and _from_environment(name, {}) for name in names)
    if not redirected or not os.path.lexists(default) or real_path(path) == real_path(default):
        return {}
    return {str(default): _entries(default, names, needed=needed)}


def _may_be_copy(name: str, value: Reveal, original: Reveal) -> bool:
    if value() == original() or not name.endswith(REDIRECTING):
        return value() == original()
    # Addresses are compared by host. A value with $ may have been expanded to anything when it was copied.
    return "$" in original() or _host(value()) == _host(original())


def _host(address: str) -> str:
    address = address.strip("`'\" \t")
    try:
        return urlsplit(address).hostname or address.rstrip("/").casefold()
    except ValueError:
        return address


def check_copy(name: str, value: Reveal, source: str, *, quoted: bool = False) -> None:
    """
    Refuse a value that was not copied cleanly, because a server would only report that it is wrong.

    Args:
        name: The variable.
        value: Returns its value.
        source: Its source, for the message.
        quoted: Whether the value was in quotes in the file, so that blanks and further quotes are intended.

    Raises:
        SettingsError: The value is in quotes, between blanks, two settings in one, not UTF-8, or has an invisible
            character.
    """
    if fault := _copy_fault(value, quoted=quoted):
        remedy = "Copy it again, without quotes and line ends. If they are part of it, quote the value in .env."
        message = f"{name} (from {source}) {fault}."
        raise SettingsError(message, remedy=remedy)


def _copy_fault(value: Reveal, *, quoted: bool) -> str:
    if re.search("[\ud800-\udfff]", value()):
        return "is not UTF-8"
    if invisible := _first_invisible(value()):
        return f"has an invisible character (U+{ord(invisible):04X})"
    if quoted:
        return ""
    if value() != value().strip():
        return "begins or ends with white space"
    if re.search(r"[\s;][A-Z]+(_[A-Z]+)+=", value()):
        return "contains a second NAME=value, which belongs on a separate line"
    return "is in quotes" if len(value()) > 1 and value()[0] + value()[-1] in _QUOTES else ""


def _first_invisible(text: str) -> str:
    if text.strip("\xa0") != text:
        return "\xa0"
    for before, char in zip(" " + text, text, strict=False):
        joins = char in _JOINERS and not before.isascii()
        if (unicodedata.category(char) in {"Cf", "Zl", "Zp"} or char in _WITHOUT_GLYPH) and not joins:
            return char
    return ""
