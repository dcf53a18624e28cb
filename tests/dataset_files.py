"""What the tests of datasets look at in a folder: its parts and versions, and ways for a save to end early."""

from __future__ import annotations

from pathlib import Path

import pytest

import vendorkit as vk
from vendorkit.saved import log, write


class Died(BaseException):
    """The end of the process, as far as the code can tell."""


def newest(folder: Path) -> log.Version:
    """The newest version of a dataset."""
    found = log.newest(folder)
    assert found is not None
    return found


def part_files(folder: Path) -> list[Path]:
    """All parts in a folder, in order, those of old versions too."""
    return sorted(folder.glob("part-*.parquet"))


def leftovers(folder: Path) -> set[str]:
    """The names of files that no version needs."""
    needed = {part.name for version in log.versions(folder) for part in version.parts}
    return {path.name for path in folder.iterdir()} - needed - {".lock", "_delta_log"}


def begin(monkeypatch: pytest.MonkeyPatch, query: vk.Query, folder: Path, keep: int, **how: object) -> list[Path]:
    """Save, but die before the commit, and lose all but the first parts."""

    def deadly(*_, **__):
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(write, "commit", deadly)
        with pytest.raises(Died):
            query.save(folder, **how)
    parts = part_files(folder)
    for path in parts[keep:]:
        path.unlink()
    return parts[:keep]
