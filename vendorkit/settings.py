"""
Settings and secrets: the real environment first, then `.env`; frozen, masked, never written anywhere.

The file is `./.env`, or the one that `VENDORKIT_ENV_FILE` names. No parent folder is searched: a `.env` of another
project would be found sooner or later. Values are read literally, `${NAME}` stays as it stands, and `os.environ` is
never written, so that no child process inherits a secret.
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
import re
import stat
import subprocess
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, quote_plus

from dotenv.parser import Binding, parse_stream

from vendorkit.errors import SettingsError, UsageError

MASK = "***"
ENV_FILE_VARIABLE = "VENDORKIT_ENV_FILE"

_PLACEHOLDERS = {"changeme", "change-me", "change_me", "placeholder", "secret", "todo", "none", "null", "example"}

# An unquoted value with a # after a blank: dotenv would silently cut a password there.
_CUT = re.compile(r"=[^\S\n]*[^\s'\"#][^\n]*\s#")


class Secret:
    """A text that shows itself only to `reveal()`: masked in repr, str and format, and never pickled."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # A closure, because tools that print attributes or slots would print a plain text.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the text itself, for the one place that signs or sends it."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A secret")


def refuse_pickling(what: str) -> NoReturn:
    """Raise `UsageError`: a pickle of *what* would carry credentials onto a disk or over a wire."""
    message = f"{what} holds credentials and is not pickled."
    raise UsageError(message, remedy="Connect again where it is needed, with settings from its own environment.")


@dataclass(frozen=True)
class Settings:
    """
    What was found for one vendor.

    Attributes:
        values: Name of the variable to its value, masked; empty values count as not set.
        sources: Name of the variable to where it was found: "environment" or the path of the file.
        looked_in: Where was looked, in words, for messages.
    """

    values: Mapping[str, Secret] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    looked_in: str = "the environment"

    def get(self, name: str) -> str | None:
        """Return the value of *name*, or None where it is not set."""
        secret = self.values.get(name)
        return None if secret is None else secret.reveal()

    def require(self, names: Iterable[str], *, why: str) -> dict[str, str]:
        """
        Return the values of all *names*.

        Raises:
            SettingsError: Some are not set, or hold a placeholder; all of them are named at once.
        """
        # No value stands among the locals here while an error is raised: some tracebacks show them.
        names = list(names)
        missing = [name for name in names if name not in self.values]
        if missing:
            what = f"{why} needs {', '.join(missing)}, not set in {self.looked_in}."
            raise SettingsError(what, remedy="Set them in the environment or in .env (see .env.example).")
        for name in names:
            if _is_placeholder(self.values[name]):
                what = f"{name} (from {self.sources[name]}) still holds a placeholder."
                raise SettingsError(what, remedy="Put the vendor's own value there.")
        return {name: self.values[name].reveal() for name in names}


def read_settings(names: Iterable[str], *, environ: Mapping[str, str] | None = None) -> Settings:
    """
    Look *names* up in the environment and in the settings file; the environment wins.

    Raises:
        SettingsError: The file cannot be read, or a line of it is malformed; the message gives the line's number. Or a
            value in the environment is not UTF-8.
    """
    names = tuple(names)
    path = Path(_variable(ENV_FILE_VARIABLE, environ) or ".env")
    named = _variable(ENV_FILE_VARIABLE, environ) is not None
    there = os.path.exists(path)  # noqa: PTH110 - Path.exists() may raise
    in_file = _read_env_file(path, names) if there or named else {}
    values: dict[str, Secret] = {}
    sources: dict[str, str] = {}
    for name in names:
        if _variable(name, environ):
            values[name], sources[name] = Secret(_variable(name, environ) or ""), "environment"
            if not is_utf8(values[name]):
                what = f"{name} (from the environment) is not UTF-8."
                raise SettingsError(what, remedy="Set it as text in UTF-8.")
        elif name in in_file:
            values[name], sources[name] = in_file[name], str(path)
    where = f"{path.absolute()}" if there else f"{path.absolute()} (no such file)"
    return Settings(values, sources, f"the environment or {where}")


def is_utf8(value: Secret) -> bool:
    """Tell whether *value* can be encoded: the UnicodeEncodeError of one that cannot carries it in its `object`."""
    return not any("\ud800" <= char <= "\udfff" for char in value.reveal())


def _variable(name: str, environ: Mapping[str, str] | None) -> str | None:
    # os.environ is bound to no local name: its repr shows every value.
    return os.environ.get(name) if environ is None else environ.get(name)


def _read_env_file(path: Path, names: tuple[str, ...]) -> dict[str, Secret]:
    """Return the names of the file that have a value; *names* are those that will be used."""
    _warn_if_exposed(path)
    found: dict[str, Secret] = {}
    lines: dict[str, int] = {}
    problem = ""
    for binding in parse_stream(_env_text(path)):
        if binding.key is None and not binding.error:
            continue  # a blank line or a comment
        line = _line_of(binding)
        if binding.error or binding.key is None or binding.value is None:
            problem = f"Line {line} of {path} is not NAME=value."
        elif binding.key in lines:
            problem = f"{binding.key} stands twice in {path}, on lines {lines[binding.key]} and {line}."
        elif binding.key in names and _CUT.search(binding.original.string):
            problem = f"Line {line} of {path} has a # that may begin a comment or belong to the value."
        if problem:
            break
        lines[str(binding.key)] = line
        if binding.value:
            found[str(binding.key)] = Secret(binding.value)
    if problem:
        del binding  # it holds the line
        raise SettingsError(problem, remedy="Write each name once, as NAME='value', in closed quotes.")
    return found


def _line_of(binding: Binding) -> int:
    # The parser counts the blank lines before a binding as part of it.
    text = binding.original.string
    return int(binding.original.line) + text[: len(text) - len(text.lstrip())].count("\n")


def _env_text(path: Path) -> io.StringIO:
    """Return the file's text; what is wrong with it is raised where the text is no local name any more."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        what = f"{path} cannot be read ({type(exc).__name__})."
        raise SettingsError(what, remedy="Make it a readable file, or remove it.") from exc
    text, bad_line, why = None, 0, "is not UTF-8"
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        bad_line = raw[: exc.start].count(b"\n") + 1
    if b"\0" in raw:
        bad_line, why = raw[: raw.index(b"\0")].count(b"\n") + 1, "holds a NUL byte; the file may be UTF-16"
    if bad_line:
        del raw, text
        what = f"Line {bad_line} of {path} {why}."
        raise SettingsError(what, remedy="Save it as UTF-8.")
    return io.StringIO(text)


def _warn_if_exposed(path: Path) -> None:
    """Warn of a settings file that other users can read, or that git would publish; of a link, where it leads to."""
    real = Path(os.path.realpath(path))  # Path.resolve() raises on a circle of links
    try:
        mode = real.stat().st_mode
    except OSError:
        return  # reading it will say why
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(f"{real} can be read by others on this machine: run `chmod 600 {real}`.", stacklevel=2)
    if _git_would_take(real):
        message = f"{real} is in a git work tree and not ignored: add it to .gitignore, and `git rm --cached` it."
        warnings.warn(message, stacklevel=2)


def _git_would_take(path: Path) -> bool:
    if not any(os.path.exists(folder / ".git") for folder in path.parents):  # noqa: PTH110 - as above
        return False
    # Ends with 0 for what is ignored and not tracked, with 1 for the rest, with 128 where it cannot tell.
    command = ["git", "check-ignore", "--quiet", "--", path.name]
    try:
        done = subprocess.run(command, cwd=path.parent, capture_output=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 1


def _is_placeholder(value: Secret) -> bool:
    word = value.reveal().strip().lower()
    return (
        word in _PLACEHOLDERS
        or (len(word) > 1 and set(word) <= set("x*.-_?"))
        or (word.startswith("<") and word.endswith(">"))
        or word.startswith(("your_", "your-"))
    )


class Redactor:
    """
    Takes credentials out of texts that came from elsewhere, such as a vendor's error body.

    Knows each value also as base64, URL-encoded and hexadecimal text, as HTML and JSON escape it, and pairs as HTTP
    Basic sends them.
    Values shorter than four characters are left alone: replacing them would garble everything.
    """

    def __init__(self, values: Iterable[str], pairs: Iterable[tuple[str, str]] = ()) -> None:
        texts = [value for value in values if len(value) >= 4]
        forms = {form for text in texts for form in _forms(text)}
        forms |= {form for user, password in pairs for form in _forms(f"{user}:{password}")}
        ordered = sorted(forms, key=len, reverse=True)
        self._forms: Callable[[], list[str]] = lambda: ordered  # a closure, as in Secret

    def clean(self, text: str, *, limit: int = 300) -> str:
        """Return *text* on one line, without credentials, at most *limit* characters long."""
        for form in self._forms():
            text = text.replace(form, MASK)
        text = " ".join(text.split())
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms())} forms)"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A redactor")


def _forms(text: str) -> set[str]:
    raw = text.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex(), raw.hex().upper()}
    unpadded = {form.rstrip("=") for form in encoded}
    quoted = {quote(text, safe=""), quote(text), quote_plus(text)}
    lower = {re.sub("%..", lambda escape: escape[0].lower(), form) for form in quoted}
    in_json = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    in_json |= {form.replace("/", "\\/") for form in in_json}  # as PHP writes it
    return {text, html.escape(text), html.escape(text, quote=False)} | quoted | lower | in_json | encoded | unpadded
