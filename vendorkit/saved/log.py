"""
The log of a Delta table: read by us, committed by deltalake.

The log is plain JSON, and a folder may come from a stranger. Read here it takes bounded time and memory, works without
deltalake and in forked processes, and is refused if any commit is not ours.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from vendorkit.errors import IncompletePull, SettingsError, UsageError
from vendorkit.frames import UNDECLARED, expand
from vendorkit.saved.files import (
    LOG,
    MOST_BYTES,
    MOST_ROWS,
    POSITION,
    DamagedError,
    Part,
    names_in,
    read_file,
    sync_folder,
    version_of,
)

_KEY: Final = "vendorkit"  # our part of a commit's information
_MOST_LOG: Final = 64 << 20  # bytes: a million records updated daily for ten years take half of it
_MOST_LINE: Final = 8 << 20
_KEPT: Final = "interval 3650 days"  # deltalake deletes log files after 30 days otherwise, and knows no "never"
_KINDS: Final = {"question": dict, "key": str, "fetched_at": str, "pages": int}
_COUNTS: Final = ("rows", "added", "changed", "removed")
_REFUSED: Final = re.compile(r"[%\x00-\x1f]|\w\w:[/\\]" if os.name == "nt" else r"[%\\\x00-\x1f]|\w\w:/")
_OURS: Final = re.compile(r"\d{20}\.json|_commit_[\w-]+\.json\.tmp")
_forked = False


def _after_fork() -> None:
    # The runtime inside deltalake does not survive a fork. The user may have started it without us.
    global _forked  # noqa: PLW0603
    _forked = _forked or "deltalake" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True)
class Version:
    """
    One version of a dataset, or what is stored of one that is not complete yet.

    Attributes:
        folder: Where it is.
        number: Of the version; None: not complete.
        parts: The files, in the vendor's order.
        note: What is known about it: question, key, schema, mark, total, fetched_at, pages, rows, added, changed,
            removed. The schema is that of the declared columns.
        at: When it was committed, in milliseconds since 1970.
    """

    folder: Path
    number: int | None
    parts: tuple[Part, ...]
    note: Mapping[str, Any]
    at: int = 0

    @property
    def declared(self) -> pa.Schema:
        """The declared columns."""
        return self.note["schema"]

    @property
    def columns(self) -> list[str]:
        """The columns of its frame: the declared ones, and after them by name the others."""
        others = {name for part in self.parts for name in part.members.values()}
        return [*self.declared.names, *sorted(others - {*self.declared.names})]

    @property
    def complete(self) -> bool:
        """Whether these are all records."""
        return self.number is not None

    def table(self, part: Part, names: Iterable[str]) -> pa.Table:
        """Return stored columns of a part; `DamagedError` if it is not what was written."""
        return part.table(self.folder, names, stored_schema(self.declared))

    def frame_table(self, part: Part, wanted: pa.Schema) -> pa.Table:
        """Return columns of the frame from a part; `DamagedError` if it is not what was written."""
        declared = [name for name in wanted.names if name in self.declared.names]
        others = {*wanted.names} - {*declared}
        members = {member: name for member, name in part.members.items() if name in others}
        table = self.table(part, [*declared, *([UNDECLARED] if members else [])])
        arrays = {name: table[name] for name in declared}
        try:
            arrays |= expand(table[UNDECLARED], members) if members else {}
        except (msgspec.DecodeError, RecursionError) as exc:
            raise DamagedError(part.name) from exc
        return pa.table([arrays.get(one.name, pa.nulls(part.rows, one.type)) for one in wanted], schema=wanted)

    def ids(self, *parts: Part) -> pa.ChunkedArray:
        """Return the keys of the records in these parts; `DamagedError` if one of them is not what was written."""
        key = self.note["key"]
        return pa.chunked_array([one for part in parts for one in self.table(part, [key])[key].chunks], pa.string())

    def intact(self) -> bool:
        """Whether all files are what was written."""
        try:
            return all(part.open(self.folder) is not None for part in self.parts)
        except DamagedError:
            return False


def stored_schema(declared: pa.Schema) -> pa.Schema:
    """Return the columns of the table, which are the same in all versions and parts."""
    return pa.schema([*declared, (POSITION, pa.int64()), (UNDECLARED, pa.string())])


def encoded(schema: pa.Schema) -> str:
    """Return a schema as text."""
    return base64.b64encode(schema.remove_metadata().serialize()).decode()


def merged(note: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """Return *note* with the news of a commit or a footer; an error of any kind if it is not ours."""
    found = {**note, **news}
    if "schema" in news:
        found["schema"] = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(news["schema"])))
    names, total, mark = found["schema"].names, found["total"], found["mark"]
    wrong = [name for name, kind in _KINDS.items() if type(found[name]) is not kind]
    wrong += [name for name in ("vendor", "environment", "request") if name not in found["question"]]
    is_known = total is None or type(total) is int
    has_mark = mark is None or [*map(type, mark)] == [int, bool]
    if wrong or not is_known or not has_mark or len({*names, POSITION, UNDECLARED}) < len(names) + 2:
        raise ValueError
    return found


def newest(folder: Path) -> Version | None:
    """Return the newest version of *folder*, None if it has none; `UsageError` if it is not ours."""
    found = None
    for found in versions(folder):  # noqa: B007 - the last one is wanted
        pass
    return found


def versions(folder: Path) -> Iterator[Version]:
    """Yield all versions of *folder* in order, whether their parts are there or not; `UsageError` if it is not ours."""
    live: dict[str, Part] = {}
    note: dict[str, Any] = {}
    left = _MOST_LOG
    for number in count():
        problem = None
        try:
            if number == 0 and not stat.S_ISDIR((folder / LOG).lstat().st_mode):
                raise OSError  # noqa: TRY301 - handled like any other foreign folder
            body = read_file(folder / LOG / f"{number:020}.json", left)
            left -= len(body)
            at, news = _apply(body.split(b"\n"), live)
            note = merged(note, news)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as exc:
            problem = type(exc).__name__
        if problem:
            what = f"{folder} cannot be read as a dataset: version {number} in {LOG} is not one that vendorkit wrote."
            raise UsageError(what, remedy="Choose another folder, or delete this one.")
        yield Version(folder, number, tuple(sorted(live.values(), key=lambda part: part.first)), note, at)


def _apply(lines: Sequence[bytes], live: dict[str, Part]) -> tuple[int, dict[str, Any]]:
    """Apply the actions of a commit to the parts; return its time, and our note in it."""
    if max(map(len, lines)) > _MOST_LINE:
        raise ValueError
    found = [one for line in lines if line for (one,) in [json.loads(line).items()]]
    (info,) = [action for kind, action in found if kind == "commitInfo"]
    note = dict(info[_KEY])
    details = note.pop("parts")
    is_known = True
    for kind, action in found:
        if kind == "add":
            part = _part(action, *details[action["path"]])
            live[part.name] = part
        elif kind == "remove":
            live.pop(action["path"])
        elif kind == "protocol":
            is_known = (action["minReaderVersion"], action["minWriterVersion"]) == (1, 2)
        else:
            is_known = kind in {"commitInfo", "metaData"}
        if not is_known:
            raise ValueError
    if (
        note["rows"] != sum(part.rows for part in live.values())
        or any(type(note[name]) is not int or note[name] < 0 for name in _COUNTS)
        or not 0 < info["timestamp"] < 1 << 48
    ):
        raise ValueError
    return info["timestamp"], note


def _part(action: dict[str, Any], crc: int, members: dict[str, str]) -> Part:
    stats = json.loads(action["stats"])
    first, last = stats["minValues"][POSITION], stats["maxValues"][POSITION]
    part = Part(action["path"], action["size"], stats["numRecords"], first, last, crc, members)
    numbers = (part.size, part.rows, part.first, part.last, crc)
    is_plain = all(type(number) is int for number in numbers)
    if version_of(part.name) is None or part.name.endswith(".tmp") or action.get("deletionVector") or not is_plain:
        raise ValueError
    is_bounded = 0 < part.size <= MOST_BYTES and 0 < part.rows <= min(MOST_ROWS, part.last - part.first + 1)
    if not is_bounded or part.first < 0 or part.last >= 1 << 62 or set(map(type, members.values())) - {str}:
        raise ValueError
    return part


# -- commits


def check_writable(folder: Path) -> None:
    """Raise an error if deltalake is missing or cannot be used in this process or for this path."""
    if find_spec("deltalake") is None:
        what = "Datasets are Delta tables, and deltalake is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[datasets]'")
    if _forked:
        what = "Datasets cannot be written in this forked process, because deltalake was imported before the fork."
        raise UsageError(what, remedy='Start it with the method "spawn" or "forkserver" of multiprocessing.')
    # deltalake decodes "%20", takes "\" for "/", and would then open another folder.
    if found := _REFUSED.search(str(folder)) or _REFUSED.search(str(folder.absolute())):
        what = f"A dataset cannot be saved at {str(folder)!r}: {found[0]!r} in a path is not possible for Delta tables."
        raise UsageError(what, remedy="Choose another folder.")


def commit(
    folder: Path, old: Version | None, news: dict[str, Any], added: Sequence[Part], removed: Sequence[Part] | None
) -> None:
    """
    Commit parts as the next version after *old*; the other parts stay. No removed parts at all (None): no others stay.

    Raises:
        UsageError: There is a newer version than *old*; nothing was changed.
        IncompletePull: The commit could not be written.
    """
    now = int(time.time() * 1000)
    known = {} if old is None else old.note
    note = {name: value for name, value in news.items() if name in _COUNTS or name not in known or known[name] != value}
    note |= {"schema": encoded(news["schema"])} if "schema" in note else {}
    note["parts"] = {one.name: [one.crc, one.members] for one in added}
    # Without a retry: deltalake would otherwise accept a commit that was made for an older version.
    with _deltalake(folder) as delta:
        how = {
            "commit_properties": delta.CommitProperties(custom_metadata={_KEY: note}, max_commit_retries=0),
            "post_commithook_properties": delta.PostCommitHookProperties(
                create_checkpoint=False, cleanup_expired_logs=False
            ),
        }
        kind = delta.Schema.from_arrow(stored_schema(news["schema"]))
        actions = [delta.transaction.AddAction(one.name, one.size, {}, now, True, _stats(one)) for one in added]
        path = str(folder.absolute())
        if old is None:
            kept = dict.fromkeys(("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"), _KEPT)
            delta.transaction.create_table_with_add_actions(path, kind, actions, "error", configuration=kept, **how)
        else:
            # "append" with removals, because "overwrite" would have to name the parts that stay: it then removes and
            # adds the same path in one commit, which the protocol forbids.
            actions += [delta.transaction.RemoveAction(one.name, True, now, one.size) for one in removed or ()]
            mode = "overwrite" if removed is None else "append"
            delta.DeltaTable(path, version=old.number).create_write_transaction(actions, mode, kind, [], **how)
        written = folder / LOG / f"{0 if old is None else (old.number or 0) + 1:020}.json"
        with written.open("rb+") as file:  # deltalake does not flush it, and a power cut could leave an empty file
            os.fsync(file.fileno())
        sync_folder(folder / LOG)


def _stats(part: Part) -> str:
    ends = {"minValues": {POSITION: part.first}, "maxValues": {POSITION: part.last}, "nullCount": {POSITION: 0}}
    return json.dumps({"numRecords": part.rows, **ends})


@contextmanager
def _deltalake(folder: Path) -> Iterator[Any]:
    """Give the library; what it raises, panics included, becomes our error, without its text."""
    log = folder / LOG
    if log.is_dir() and (foreign := [name for name in names_in(log) if not _OURS.fullmatch(name)]):
        what = f"{folder} was written to by another program: there is {foreign[0]!r} in {LOG}."
        raise UsageError(what, remedy="Save into another folder.")
    import deltalake.exceptions  # noqa: PLC0415 - an extra, and heavy; a fork before it does no harm
    import deltalake.transaction  # noqa: PLC0415

    failure = None
    try:
        yield deltalake
    except deltalake.exceptions.CommitFailedError:
        failure = "newer"
    except (deltalake.exceptions.DeltaError, OSError, ValueError):
        failure = "disk"
    except BaseException as exc:
        if type(exc).__name__ != "PanicException":
            raise
        failure = "disk"
    if failure == "newer":
        what = f"Another process wrote to {folder} meanwhile; nothing was changed."
        raise UsageError(what, remedy="Try again.") from None
    if failure:
        what = f"The next version of {folder} could not be written; what was stored before is untouched."
        remedy = "Use a local disk that has room and allows hard links, and call it again."
        raise IncompletePull(what, remedy=remedy) from None
