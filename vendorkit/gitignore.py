"""
Whether git ignores a file, as far as the `.gitignore` files of its work tree say.

git is not asked: its settings in a folder may name programs, which it would start (`core.fsmonitor`).
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from vendorkit.errors import SettingsError
from vendorkit.files import read_bounded

_LIMIT_BYTES: Final = 1 << 16


def work_tree(path: Path) -> Path | None:
    """Return the folder with `.git` that *path* is in, or None."""
    return next((folder for folder in path.parents if os.path.exists(folder / ".git")), None)  # noqa: PTH110 - may raise


def is_ignored(path: Path, root: Path) -> bool | None:
    """
    Tell whether the `.gitignore` files of the work tree *root* name the file at *path*, an absolute path below it.

    None: a `.gitignore` cannot be read, or has rules that are not understood here. False is no proof that git takes
    the file: it may be named in `.git/info/exclude` or in the user's own excludes, which are not read.
    """
    parts = path.relative_to(root).parts
    # A folder that is ignored ignores all within, whatever further rules say.
    for depth in range(1, len(parts)):
        if _verdict(root, parts[:depth], folder=True):
            return True
    return _verdict(root, parts, folder=False)


def _verdict(root: Path, parts: tuple[str, ...], *, folder: bool) -> bool | None:
    """Return what the last matching rule says of the file or folder; deeper `.gitignore` files come last."""
    verdict: bool | None = False
    for depth in range(len(parts)):
        rules = _rules(root.joinpath(*parts[:depth], ".gitignore"))
        if rules is None:
            verdict = None
        for rule in rules or ():
            matches = _matches(rule.removeprefix("!"), parts[depth:], folder=folder)
            if matches is not False:
                verdict = matches and not rule.startswith("!")
    return verdict


def _rules(path: Path) -> list[str] | None:
    if not os.path.lexists(path):
        return []
    try:
        text = read_bounded(path, limit_bytes=_LIMIT_BYTES).decode("utf-8", "surrogateescape")
    except SettingsError:
        return None
    return [line for line in map(str.rstrip, text.splitlines()) if line and not line.startswith("#")]


def _matches(pattern: str, parts: tuple[str, ...], *, folder: bool) -> bool | None:
    """Tell whether *pattern* names the path of *parts* below its `.gitignore`; None if it is too complex to say."""
    if pattern.endswith("/") and not folder:
        return False
    bare = pattern.removeprefix("**/").rstrip("/")
    segments = bare.removeprefix("/").split("/")
    if "**" in segments or any(sign in bare for sign in "[\\") or (pattern.startswith("**/") and "/" in bare):
        return None
    named = parts if "/" in bare else parts[-1:]
    return len(segments) == len(named) and all(map(fnmatchcase, named, segments))
