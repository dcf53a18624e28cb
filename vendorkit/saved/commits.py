"""Commits a new version to the log of a Delta table with deltalake, without retries."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from vendorkit.auth.interrupts import from_outside
from vendorkit.errors import IncompletePull, SettingsError, UsageError
from vendorkit.files import real_path
from vendorkit.saved.files import LOG, names_in, sync_folder
from vendorkit.saved.log import Note, Version, encoded, log_file, stats, stored_schema, versions
from vendorkit.saved.stored import version_1

_RETENTION_SETTINGS: Final = ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration")
# deltalake follows links, decodes "%20", replaces "\" by "/", and would then open another folder.
_UNUSABLE: Final = re.compile(r"[%\x00-\x1f]|\w\w+:[/\\]" if os.name == "nt" else r"[%\\\x00-\x1f]|\w\w+:/")
_EXPECTED_IN_LOG: Final = re.compile(r"\d{20}\.json|_commit_[\w-]+\.json\.tmp")
_forked = False


def _after_fork() -> None:
    # The Rust runtime in deltalake does not work after a fork. The user's own code may have started it.
    global _forked  # noqa: PLW0603
    _forked = _forked or "deltalake" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def check_writable(folder: Path) -> None:
    """Raise an error if the dataset cannot be written, or deltalake cannot be used for this path in this process."""
    if version_1(folder) is not None:
        what = f"{folder} was saved by version 1 of vendorkit: vk.load() reads it, but it cannot be written to."
        raise UsageError(what, remedy="Save into another folder, or delete this one and save again.")
    if find_spec("deltalake") is None:
        what = "Datasets are Delta tables, and deltalake is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[datasets]'")
    if _forked:
        what = "Datasets cannot be written in this forked process, because deltalake was imported before the fork."
        raise UsageError(what, remedy='Start it with the method "spawn" or "forkserver" of multiprocessing.')
    path = str(real_path(folder))
    if match := _UNUSABLE.search(path):
        what = f"A dataset cannot be saved at {path!r}: the path of a Delta table must not contain {match[0]!r}."
        raise UsageError(what, remedy="Choose another folder.")
    deque(versions(folder), maxlen=0)  # check the whole log before deltalake reads it: its origin and its size


def commit(folder: Path, old: Version | None, note: Note) -> None:
    """
    Commit the parts in *note* as the version after *old*.

    Args:
        folder: The folder of the dataset.
        old: The newest version, or None if there is none.
        note: The description of the new version.

    Raises:
        IncompletePull: The commit could not be written, or another program wrote a newer version than *old*.
    """
    now, path, version = int(time.time() * 1000), str(real_path(folder)), 0 if old is None else old.following
    with _deltalake(folder) as delta:
        # Without retries, because a retry would commit on top of a version that another process wrote.
        metadata = {"vendorkit": json.loads(encoded(note))}
        properties = delta.CommitProperties(custom_metadata=metadata, max_commit_retries=0)
        hooks = delta.PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
        options = {"commit_properties": properties, "post_commithook_properties": hooks}
        schema, transaction = delta.Schema.from_arrow(stored_schema(note.schema)), delta.transaction
        new = [part for part in note.parts if old is None or part not in old.parts]
        actions = [transaction.AddAction(part.name, part.size, {}, now, True, json.dumps(stats(part))) for part in new]
        if old is None:
            # The default is 30 days, and there is no "forever".
            options["configuration"] = dict.fromkeys(_RETENTION_SETTINGS, "interval 3650 days")
            transaction.create_table_with_add_actions(path, schema, actions, "error", **options)
        else:
            # Not "overwrite" if parts are kept: it removes and adds their paths in one commit, which the Delta protocol
            # forbids.
            mode = "append" if len(new) < len(note.parts) else "overwrite"
            removed = [part for part in old.parts if mode == "append" and part not in note.parts]
            actions += [transaction.RemoveAction(part.name, True, now, part.size) for part in removed]
            delta.DeltaTable(path, version=old.number).create_write_transaction(actions, mode, schema, [], **options)
        # deltalake does not sync the file, so a power failure could leave it empty.
        with log_file(folder, version).open("rb+") as file:
            os.fsync(file.fileno())
        sync_folder(folder / LOG)


@contextmanager
def _deltalake(folder: Path) -> Iterator[Any]:
    """Import deltalake, and convert its exceptions and panics to errors of vendorkit, without their text."""
    if foreign := [name for name in names_in(folder / LOG) if not _EXPECTED_IN_LOG.fullmatch(name)]:
        what = f"{folder} was written to by another program: there is {foreign[0]!r} in {LOG}."
        raise UsageError(what, remedy="Save into another folder.")
    import deltalake  # noqa: PLC0415 - optional, slow, and unusable in a process that forks after this

    try:
        yield deltalake
    except BaseException as exc:
        is_from_delta = isinstance(exc, deltalake.exceptions.DeltaError) or type(exc).__name__ == "PanicException"
        if not is_from_delta and (not isinstance(exc, (OSError, ValueError)) or from_outside(exc)):
            raise
    else:
        return
    what = f"The next version of {folder} could not be written; existing versions are unchanged."
    remedy = "Try again, on a local disk that has free space and supports hard links."
    raise IncompletePull(what, remedy=remedy) from None
