"""An exception that a signal handler raises during a dataset's file work is passed on, and the dataset stays whole."""

from __future__ import annotations

import base64
import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import vendorkit as vk
from tests.dataset_files import leftovers
from tests.test_signals import IDS, KINDS, caught_from

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "raise_signal") or os.name != "posix", reason="signals as POSIX has them"),
    pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift"),
]
FEW = ["id", "status", "public_price"]
STEPS = [
    *((os, name) for name in ("open", "fdopen", "fsync")),
    *((Path, name) for name in ("lstat", "iterdir", "unlink", "replace", "open")),
    *((zlib, "crc32"), (pq, "ParquetFile"), (pq, "write_table")),
]


@contextmanager
def _interrupted(owner: Any, name: str, at: int, make: Callable[[], BaseException]) -> Iterator[list[BaseException]]:
    """Raise from a signal handler at the *at*-th call that datasets make of a function; give what was raised."""
    raised, calls, real = list[BaseException](), count(1), getattr(owner, name)

    def handler(signum, frame):
        raised.append(make())
        raise raised[0]

    def step(*args: Any, **how: Any) -> Any:
        if sys._getframe(1).f_globals["__name__"].startswith("vendorkit.saved") and next(calls) == at:
            signal.raise_signal(signal.SIGUSR1)
        return real(*args, **how)

    before = signal.signal(signal.SIGUSR1, handler)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, name, step)
        try:
            yield raised
        finally:
            signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("verb", ["save", "save again", "load", "arrow", "history", "changes", "compact", "update"])
def test_what_is_raised_amid_file_work_passes_and_harms_nothing(medipim, vendors, tmp_path, verb):
    """X05: It is not reported as damage, a full disk or a foreign folder, and the same call then works."""
    query, folder, kinds = medipim.products.query(brand=9), tmp_path / "p", count()
    dataset = query.save(folder, columns=FEW)
    edited = dataset.frame()["id"][0]
    work: dict[str, Callable[[], Any]] = {
        "save": lambda: query.save(tmp_path / "new", columns=FEW),
        "save again": lambda: query.save(folder, columns=FEW),
        "load": lambda: vk.load(folder),
        "arrow": dataset.arrow,
        "history": dataset.history,
        "changes": lambda: dataset.changes(0),
        "compact": lambda: dataset.compact(1),
        "update": lambda: query.update(folder),
    }
    for owner, name in STEPS:
        for at in (1, 3):
            if verb == "update":
                vendors["medipim"].change("edit", edited)
            old, make = vk.load(folder), KINDS[next(kinds) % len(KINDS)]
            with _interrupted(owner, name, at, make) as raised:
                exc = caught_from(work[verb])
            assert ([] if exc is None else [exc]) == raised, f"{name}, call {at}: {exc!r} instead of {raised!r}"
            assert vk.load(folder).equals(old) or verb == "update"
    work[verb]()
    pd.testing.assert_frame_equal(vk.load(folder), query.frame(columns=FEW))
    assert not leftovers(folder)


@pytest.mark.parametrize("make", KINDS, ids=IDS)
def test_what_is_raised_while_a_commit_is_decoded_passes(medipim, tmp_path, make):
    """X05: The JSON decoder would wrap some of these exceptions."""
    medipim.brands.query(id=9).save(tmp_path / "b")
    with _interrupted(base64, "b64decode", 1, make) as raised:
        exc = caught_from(lambda: vk.load(tmp_path / "b"))
    assert [exc] == raised
