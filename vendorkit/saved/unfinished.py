"""What is stored of a dataset that is not complete: the parts from the first on as long as they are whole."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from vendorkit.saved.files import BATCH_ROWS, MARK, MOST_BYTES, Part, parquet, part_name, parts_in, read_file
from vendorkit.saved.log import Version, merged

_FAULTS = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException)


def unfinished(folder: Path) -> Version | None:
    """
    Return what is stored in *folder* of a dataset that is not complete; None if nothing is.

    Its note has also what the footer of the last part has: the cursor, whether nothing follows, the drift.
    """
    parts, notes = list[Part](), list[dict[str, Any]]()
    names = parts_in(folder) if folder.is_dir() else []
    for number, name in enumerate(names):
        try:
            if name != part_name(0, number):
                break
            body = read_file(folder / name, MOST_BYTES)
            note, part = _footer(name, body)
        except _FAULTS:
            break
        # Each footer has the checksum of the part before, so only the last one is read as a whole.
        if parts and (note["previous"] != parts[-1].crc or part.first != parts[-1].last + 1):
            del parts[-1], notes[-1]
            break
        parts.append(part)
        notes.append(note)
    if parts and not _decodes(folder / parts[-1].name):
        del parts[-1], notes[-1]
    if not parts:
        return None
    return Version(folder, None, tuple(parts), {**notes[-1], "pages": sum(note["pages"] for note in notes)})


def _footer(name: str, body: bytes) -> tuple[dict[str, Any], Part]:
    found = parquet(body).metadata
    note = merged({}, json.loads(found.metadata[MARK]))
    rows, first, members = found.num_rows, note["first"], dict(note["members"])
    if type(first) is not int or not rows or set(map(type, members.values())) - {str}:
        raise ValueError
    return note, Part(name, len(body), rows, first, first + rows - 1, zlib.crc32(body), members)


def _decodes(path: Path) -> bool:
    try:
        file = parquet(read_file(path, MOST_BYTES))
        return bool(sum(batch.num_rows for batch in file.iter_batches(BATCH_ROWS)) == file.metadata.num_rows)
    except _FAULTS:
        return False
