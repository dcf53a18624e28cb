"""What comes with the package for users to copy: the notebooks and the example of a settings file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vendorkit.errors import UsageError

_PACKAGE: Final = Path(__file__).resolve().parent
# A wheel has them inside of the package, a checkout next to it.
IS_CHECKOUT: Final = not (_PACKAGE / "notebooks").is_dir()
_HOME: Final = _PACKAGE.parent if IS_CHECKOUT else _PACKAGE
NOTEBOOKS: Final = _HOME / "notebooks"
START: Final = "00_start_here.ipynb"
_PRIVATE: Final = 0o600


def write_settings(folder: Path) -> Path | None:
    """
    Write `.env` into *folder*, to be filled in, and return its path; None if there is one, which is kept.

    Raises:
        UsageError: It cannot be written.
    """
    path = folder / ".env"
    return path if _create(path, (_HOME / ".env.example").read_bytes(), _PRIVATE) else None


def copy_notebooks(folder: Path) -> tuple[int, int]:
    """
    Copy the notebooks into *folder*; return how many were copied, and how many were there, which are kept.

    Raises:
        UsageError: They cannot be written.
    """
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    copied = sum(_create(folder / one.name, one.read_bytes(), 0o666) for one in notebooks)
    return copied, len(notebooks) - copied


def create_folder(folder: Path) -> Path:
    """Create *folder* and those above it, if needed, and return it; `UsageError` if it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as exc:
        raise _not_written(folder, exc) from exc
    return folder


def _create(path: Path, content: bytes, mode: int) -> bool:
    """Write a new file and return True; False if the path is taken, also by a link that leads nowhere."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    except (OSError, ValueError) as exc:
        raise _not_written(path, exc) from exc
    with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
        file.write(content)
    return True


def _not_written(path: Path, exc: OSError | ValueError) -> UsageError:
    reason = (exc.strerror if isinstance(exc, OSError) else None) or "not a path"
    what = f"{str(path)!r} cannot be written: {reason}."
    return UsageError(what, remedy="Choose a folder that you may write to.")
