"""
Reads the `.gitignore` files of a work tree to find out whether git ignores a file.

git itself is not run: the configuration of an untrusted work tree can make it start any program (`core.fsmonitor`).
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
    Return whether the `.gitignore` files of a work tree ignore a file.

    `.git/info/exclude` and the user's global rules are not read, so git may ignore a file although this returns False.

    Args:
        path: The absolute path of the file.
        root: The folder with `.git`, above *path*.

    Returns:
        None if a `.gitignore` cannot be read, or has rules that this module does not understand.
    """
    parts = path.relative_to(root).parts
    # If a folder is ignored, no other rule can include a file in it.
    verdicts = [_verdict(root, parts[:depth], folder=depth < len(parts)) for depth in range(1, len(parts) + 1)]
    return True in verdicts or (None if None in verdicts else False)


def _verdict(root: Path, parts: tuple[str, ...], *, folder: bool) -> bool | None:
    """Apply the last rule that matches; those in deeper `.gitignore` files come later."""
    verdict: bool | None = False
    for depth in range(len(parts)):
        if (rules := _rules(root.joinpath(*parts[:depth], ".gitignore"))) is None:
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
        text = read_bounded(path, limit_bytes=_LIMIT_BYTES).decode("utf-8-sig", "surrogateescape")
    except SettingsError:
        return None
    lines = (line.removesuffix("\r").rstrip(" ") for line in text.split("\n"))  # git keeps other white space
    return [line for line in lines if line and not line.startswith("#")]


def _matches(pattern: str, parts: tuple[str, ...], *, folder: bool) -> bool | None:
    """Match *pattern* with a path relative to its `.gitignore`; None if the pattern is too complex for this module."""
    if pattern.endswith("/") and not folder:
        return False
    bare = pattern.removeprefix("**/").rstrip("/")
    segments = bare.removeprefix("/").split("/")
    if "**" in segments or any(sign in bare for sign in "[\\") or (pattern.startswith("**/") and "/" in bare):
        return None
    compared = parts if "/" in bare else parts[-1:]
    return len(segments) == len(compared) and all(map(fnmatchcase, compared, segments))
