"""The next version of a dataset: one commit to the log of its Delta table, written by deltalake, without retries."""

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
from vendorkit.saved.files import LOG, names_in, sync_folder
from vendorkit.saved.log import Note, Version, encoded, log_file, stats, stored_schema, versions
from vendorkit.saved.stored import version_1

_KEPT: Final = "interval 3650 days"  # deltalake deletes log files after 30 days otherwise, and knows no "never"
_REFUSED: Final = re.compile(r"[%\x00-\x1f]|\w\w:[/\\]" if os.name == "nt" else r"[%\\\x00-\x1f]|\w\w:/")
_OURS: Final = re.compile(r"\d{20}\.json|_commit_[\w-]+\.json\.tmp|\.DS_Store|desktop\.ini")  # or a file manager's
_forked = False


def _after_fork() -> None:
    # The runtime inside deltalake does not survive a fork. The user may have started it without us.
    global _forked  # noqa: PLW0603
    _forked = _forked or "deltalake" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


def check_writable(folder: Path) -> None:
    """Raise an error if deltalake is missing or cannot be used in this process, or for what is at this path."""
    if version_1(folder) is not None:
        what = f"{folder} was saved by version 1 of vendorkit: vk.load() reads it, but it cannot be written to."
        raise UsageError(what, remedy="Save into another folder, or delete this one and save again.")
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
    deque(versions(folder), maxlen=0)  # deltalake reads all of the log: it must be ours, and bounded


def commit(folder: Path, old: Version | None, note: Note, *, keeps: bool) -> None:
    """
    Commit the next version after *old*: the parts in *note*. Unless it *keeps* some of the old ones, all are new.

    Raises:
        UsageError: There is a newer version than *old*; nothing was changed.
        IncompletePull: The commit could not be written.
    """
    now, path, version = int(time.time() * 1000), str(folder.absolute()), 0 if old is None else old.following
    before = {} if old is None else {part.name: part for part in old.parts}
    left = {part.name for part in note.parts}
    with _deltalake(folder) as delta:
        # Without a retry: deltalake would otherwise accept a commit that was made for an older version.
        properties = delta.CommitProperties(
            custom_metadata={"vendorkit": json.loads(encoded(note))}, max_commit_retries=0
        )
        hooks = delta.PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
        how = {"commit_properties": properties, "post_commithook_properties": hooks}
        kind, act = delta.Schema.from_arrow(stored_schema(note.schema)), delta.transaction
        new = [part for part in note.parts if part.name not in before]
        actions = [act.AddAction(part.name, part.size, {}, now, True, json.dumps(stats(part))) for part in new]
        if old is None:
            kept = dict.fromkeys(("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"), _KEPT)
            act.create_table_with_add_actions(path, kind, actions, "error", configuration=kept, **how)
        else:
            # "append" with removals, because "overwrite" would have to name the parts that stay: it then removes and
            # adds the same path in one commit, which the protocol forbids.
            gone = [part for part in before.values() if part.name not in left] if keeps else []
            actions += [act.RemoveAction(part.name, True, now, part.size) for part in gone]
            mode = "append" if keeps else "overwrite"
            delta.DeltaTable(path, version=old.number).create_write_transaction(actions, mode, kind, [], **how)
        with log_file(folder, version).open("rb+") as file:  # deltalake does not, and a power cut could leave it empty
            os.fsync(file.fileno())
        sync_folder(folder / LOG)


@contextmanager
def _deltalake(folder: Path) -> Iterator[Any]:
    """Give the library; what it raises, panics included, becomes our error, without its text."""
    if foreign := [name for name in names_in(folder / LOG) if not _OURS.fullmatch(name)]:
        what = f"{folder} was written to by another program: there is {foreign[0]!r} in {LOG}."
        raise UsageError(what, remedy="Save into another folder.")
    import deltalake.exceptions  # noqa: PLC0415 - an extra, and heavy; a fork before it does no harm
    import deltalake.transaction  # noqa: PLC0415

    try:
        yield deltalake
    except deltalake.exceptions.CommitFailedError:
        what = f"Another process wrote to {folder} meanwhile; nothing was changed."
        failure: Exception = UsageError(what, remedy="Try again.")
    except BaseException as exc:
        is_its_own = isinstance(exc, deltalake.exceptions.DeltaError) or type(exc).__name__ == "PanicException"
        if not is_its_own and (not isinstance(exc, (OSError, ValueError)) or from_outside(exc)):
            raise
        what = f"The next version of {folder} could not be written; what was stored before is untouched."
        remedy = "Use a local disk that has room and allows hard links, and call it again."
        failure = IncompletePull(what, remedy=remedy)
    else:
        return
    raise failure from None  # its text is not for users
