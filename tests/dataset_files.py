"""Helpers for the tests of datasets: the parts and versions in a folder, and a save that ends early."""

from __future__ import annotations

from pathlib import Path

import pytest

import vendorkit as vk
from vendorkit.saved import log, write


class Died(BaseException):
    """Stands for the death of the process: no `except Exception` catches it."""


def newest(folder: Path) -> log.Version:
    """Return the newest version of a dataset."""
    version = log.newest(folder)
    assert version is not None
    return version


def part_files(folder: Path) -> list[Path]:
    """Return all parts in a folder in order, including those of old versions."""
    return sorted(folder.glob("part-*.parquet"))


def leftovers(folder: Path) -> set[str]:
    """Return the names of files that no version needs."""
    needed = {part.name for version in log.versions(folder) for part in version.parts}
    return {path.name for path in folder.iterdir()} - needed - {".lock", "_delta_log"}


def begin(monkeypatch: pytest.MonkeyPatch, query: vk.Query, folder: Path, keep: int, **options: object) -> list[Path]:
    """Save, abort before the commit, delete all but the first *keep* parts, and return those."""

    def die(*_, **__):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(write, "commit", die)
        with pytest.raises(Died):
            query.save(folder, **options)
    parts = part_files(folder)
    for path in parts[keep:]:
        path.unlink()
    return parts[:keep]
