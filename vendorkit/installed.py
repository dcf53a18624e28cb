"""Copies the notebooks and the `.env` template of the package into a user's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vendorkit.errors import UsageError

_PACKAGE: Final = Path(__file__).resolve().parent
# In a wheel the notebooks are inside the package, in a checkout next to it.
IS_CHECKOUT: Final = not (_PACKAGE / "notebooks").is_dir()
_ROOT: Final = _PACKAGE.parent if IS_CHECKOUT else _PACKAGE
NOTEBOOKS: Final = _ROOT / "notebooks"
START: Final = "00_start_here.ipynb"


def write_settings(folder: Path) -> bool:
    """
    Write the `.env` template into *folder*, for this user only. Return False if there is a `.env` already.

    Raises:
        UsageError: The file cannot be written.
    """
    return _create(folder / ".env", (_ROOT / ".env.example").read_bytes(), 0o600)


def copy_notebooks(folder: Path) -> tuple[int, int]:
    """
    Copy the notebooks into *folder* without overwriting any; return how many were copied, and how many existed.

    Raises:
        UsageError: A file cannot be written.
    """
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    copied = sum(_create(folder / path.name, path.read_bytes(), 0o666) for path in notebooks)
    return copied, len(notebooks) - copied


def create_folder(folder: Path) -> Path:
    """Create *folder* and its parents if needed, and return it; `UsageError` if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as exc:
        raise _not_written(folder, exc) from exc
    return folder


def _create(path: Path, content: bytes, mode: int) -> bool:
    """Write a new file and return True. Return False if the path exists, even as a broken link."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    except (OSError, ValueError) as exc:
        raise _not_written(path, exc) from exc
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - Path.open() takes no descriptor
            file.write(content)
    except OSError as exc:
        path.unlink()  # an incomplete file would never be overwritten
        raise _not_written(path, exc) from exc
    return True


def _not_written(path: Path, exc: OSError | ValueError) -> UsageError:
    reason = (exc.strerror if isinstance(exc, OSError) else None) or "not a path"
    what = f"{str(path)!r} cannot be written: {reason}."
    return UsageError(what, remedy="Choose a folder that you may write to, on a disk with free space.")
