"""Datasets as version 1 saved them, a manifest and its parts: they are read, and neither continued nor updated."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from vendorkit.errors import UsageError
from vendorkit.saved.files import MOST_BYTES, DamagedError, parquet, read_file

_MANIFEST: Final = "_manifest.json"
_MOST: Final = 64 << 20  # bytes of a manifest
_PART: Final = re.compile(r"part-\d{5,}\.parquet")


@dataclass(frozen=True)
class _Part:
    name: str
    rows: int
    sha256: str
    pages: int
    appended: list[str]


@dataclass(frozen=True)
class Version1:
    """A dataset of version 1; see `Readable`."""

    folder: Path
    parts: tuple[_Part, ...]
    note: Mapping[str, Any]
    complete: bool
    declared: pa.Schema
    columns: list[str]
    number: None = None

    def frame_table(self, part: _Part, wanted: pa.Schema) -> pa.Table:
        """Return columns of the frame from a part; `DamagedError` if it is not what was written."""
        try:
            body = read_file(self.folder / part.name, MOST_BYTES)
            if hashlib.sha256(body).hexdigest() == part.sha256:
                file = parquet(body)
                found = file.read([name for name in wanted.names if name in file.schema_arrow.names])
                missing = [name for name in wanted.names if name not in found.column_names]
                for name in missing:
                    found = found.append_column(name, pa.nulls(found.num_rows, wanted.field(name).type))
                return found.select(wanted.names).cast(wanted)
        except (OSError, ValueError, pa.ArrowException):
            pass
        raise DamagedError(part.name)


def version_1(folder: Path) -> Version1 | None:
    """Return the dataset of version 1 in *folder*, None if there is none; `UsageError` if it is something else."""
    try:
        found = json.loads(read_file(folder / _MANIFEST, _MOST))
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"])))
        parts = tuple(_part(one) for one in found["parts"])
        asked, total = found["asked"], found["total"]
        question = {name: asked[name] for name in ("vendor", "environment", "request")}
        pages = sum(part.pages for part in parts) or int(found["complete"])
        note = {"question": question, "fetched_at": str(found["fetched_at"]), "total": total, "pages": pages}
        appended = {name for part in parts for name in part.appended} - {*schema.names}
        if found["format"] != 1 or type(found["complete"]) is not bool or not (total is None or type(total) is int):
            raise ValueError  # noqa: TRY301 - handled like any other foreign file
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as exc:
        what = f"{folder / _MANIFEST} cannot be read as the manifest of a dataset."
        raise UsageError(what, remedy="Choose another folder, or delete this one.") from exc
    return Version1(folder, parts, note, found["complete"], schema, [*schema.names, *sorted(appended)])


def refuse_version_1(folder: Path) -> None:
    """Raise `UsageError` if *folder* has a dataset of version 1, which cannot be written to."""
    if version_1(folder) is not None:
        what = f"{folder} was saved by version 1 of vendorkit: vk.load() reads it, but it cannot be written to."
        raise UsageError(what, remedy="Save into another folder, or delete this one and save again.")


def _part(found: Mapping[str, Any]) -> _Part:
    part = _Part(found["file"], found["rows"], found["sha256"], found["pages"], list(found["appended"]))
    is_right = _PART.fullmatch(part.name) and type(part.rows) is type(part.pages) is int and part.rows >= 0
    if not is_right or not all(type(name) is str for name in part.appended):
        raise ValueError
    return part
