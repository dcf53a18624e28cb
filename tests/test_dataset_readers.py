"""Datasets under stress: killed at random points, read by four libraries during updates, with flipped bits."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import vendorkit as vk
from tests.dataset_files import leftovers, newest, part_files
from vendorkit.errors import IncompletePull
from vendorkit.saved import write as filling
from vendorkit.saved.dataset import summary

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
FEW = ["id", "cnk", "status", "public_price", "updated_at"]
BRANDS = list(range(1, 40))
LONG = float(os.environ.get("VENDORKIT_SOAK_SECONDS", "45")) >= 300

# The code of a child process: each line on its standard input is a verb.
CHILD = """
import json, sys, types, warnings
from pathlib import Path
import vendorkit as vk
from vendorkit import local
from vendorkit.saved import write
job = json.loads(sys.stdin.readline())
local.shared = lambda *_: {"medipim": types.SimpleNamespace(**job["server"])}
write.PART_ROWS = 250
warnings.simplefilter("ignore")
query = vk.connect("medipim", environment="local").products.query(brand=job["brands"])
print("ready", flush=True)
for line in sys.stdin:
    verb = line.strip()
    if verb == "compact":
        vk.Dataset(**{**job["dataset"], "path": Path(job["folder"])}).compact(0)
    else:
        getattr(query, verb)(job["folder"], **job["options"] if verb == "save" else {})
    print("done", flush=True)
"""

READER = """
import hashlib, json, sys
import pandas
import vendorkit as vk
from vendorkit.saved.log import newest
from pathlib import Path
from vendorkit.saved.dataset import summary
import warnings; warnings.simplefilter("ignore")
kind, folder, reads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if kind == "duckdb":
    import duckdb
    read = lambda: duckdb.sql("select id, public_price, _position from stored").fetchall()
elif kind == "polars":
    import polars
    read = lambda: polars.scan_pyarrow_dataset(stored).select("id", "public_price", "_position").collect().rows()
elif kind == "dask":
    import dask.dataframe as dd
    part = lambda one: one.to_table(columns=["id", "public_price", "_position"]).to_pandas()
    frame = lambda: dd.from_map(part, list(stored.get_fragments())).compute(scheduler="synchronous")
    read = lambda: frame().astype({"public_price": "Int64"}).itertuples(index=False, name=None)
else:
    load = lambda: vk.load(folder, columns=["id", "public_price"], version=dataset.version)
    read = lambda: load().itertuples(index=False, name=None)
seen, found = 0, {}
while seen < reads:
    dataset = summary(newest(folder))
    stored = dataset.arrow()
    rows = [(id, None if pandas.isna(price) else int(price)) for id, price, *_ in read()]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    found.setdefault(str(dataset.version), set()).add((len(rows), len(dict(rows)), digest))
    seen += 1
print(json.dumps({version: sorted(map(list, digests)) for version, digests in found.items()}))
"""


class Worker:
    """A process that saves and updates, and may be killed at any moment."""

    def __init__(self, server: Any, folder: Path, options: dict[str, Any]) -> None:
        self._job = {
            "server": {name: getattr(server, name) for name in ("base_url", "ca_pem", "credentials")},
            "folder": str(folder),
            "brands": BRANDS,
            "options": options,
            "dataset": {"rows": 0, "complete": True, "parts": 0, "total": None, "fetched_at": "", "version": 0},
        }
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process if it does not run, and wait until it is ready."""
        if self._process is None:
            pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            self._process = subprocess.Popen([sys.executable, "-c", CHILD], text=True, **pipes)
            self._send(json.dumps(self._job))
            assert self._process.stdout.readline() == "ready\n"

    def do(self, verb: str) -> None:
        """Run a verb and wait for its end."""
        self.start()
        self._send(verb)
        assert self._process.stdout.readline() == "done\n", self._process.stderr.read()

    def kill_while(self, verb: str, pause_s: float) -> None:
        """Start a verb and kill the process in the middle."""
        self.start()
        self._send(verb)
        time.sleep(pause_s)
        self.kill()

    def kill(self) -> None:
        """Kill the process if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _send(self, line: str) -> None:
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


@contextmanager
def _worker(server: Any, folder: Path, **options: Any) -> Iterator[Worker]:
    worker = Worker(server, folder, options)
    try:
        yield worker
    finally:
        worker.kill()


def _expected(before: list[str], fresh: pd.DataFrame) -> pd.DataFrame:
    """Return a fresh download in the order of merges: records of *before* first, new ones last."""
    by_key = fresh.set_index("id", drop=False)
    kept = [one for one in before if one in by_key.index]
    order = [*kept, *sorted({*by_key.index} - {*kept})]
    return by_key.loc[order].reset_index(drop=True)


def _same(folder: Path, expected: pd.DataFrame) -> None:
    """Check that `load` and `arrow()` give the expected rows in order."""
    loaded = vk.load(folder)
    pd.testing.assert_frame_equal(loaded.drop(columns="updated_at"), expected.drop(columns="updated_at"))
    dataset = summary(newest(folder))
    assert dataset.arrow().to_table()["id"].to_pylist() == loaded["id"].tolist()


def _survives(vendors, folder: Path, kills: int, updates: int) -> None:
    """Kill a save, updates and compactions at random, and compare with an unbroken run after each."""
    chance, server = random.Random(), vendors["medipim"]
    client = vk.connect("medipim", environment="local")
    query = client.products.query(brand=BRANDS)
    with _worker(server, folder, columns=FEW) as worker:
        for _ in range(kills):
            server.set(latency_s=0.05)
            worker.kill_while("save", chance.uniform(0.0, 0.5))
        server.set(latency_s=0.0)
        worker.do("save")
        order = query.frame(columns=FEW)["id"].tolist()
        _same(folder, query.frame(columns=FEW))
        for number in range(updates):
            server.change("edit", *chance.sample(order, 5))
            if number < kills:
                old = vk.load(folder)
                worker.kill_while("update", chance.uniform(0.0, 0.4))
                loaded = vk.load(folder)
                assert loaded["id"].is_unique
                assert loaded.equals(old) or newest(folder).number > number
            worker.do("update")
            fresh = query.frame(columns=FEW)
            _same(folder, _expected(order, fresh))
            order = vk.load(folder)["id"].tolist()
        worker.kill_while("compact", chance.uniform(0.0, 0.01))
        _same(folder, _expected(order, query.frame(columns=FEW)))
        worker.do("compact")
        _same(folder, _expected(order, query.frame(columns=FEW)))
        assert not leftovers(folder)
        assert len(part_files(folder)) == len(newest(folder).parts)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dataset_survives_twenty_kills(vendors, tmp_path):
    """Save, resume, updates and compaction, each killed ten times, give the rows and order of an unbroken run."""
    _survives(vendors, tmp_path / "p", kills=10, updates=10)


def _flip(folder: Path, times: int) -> None:
    """Flip one bit at a time; `load` has to raise or to give the right frame."""
    chance, right = random.Random(), vk.load(folder)
    for _ in range(times):
        path = chance.choice(part_files(folder))
        body = path.read_bytes()
        at = chance.randrange(len(body) * 8)
        changed = bytearray(body)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        try:
            pd.testing.assert_frame_equal(vk.load(folder), right)
        except IncompletePull as exc:
            pd.testing.assert_frame_equal(exc.arrived, right[: len(exc.arrived)])
        path.write_bytes(body)
    pd.testing.assert_frame_equal(vk.load(folder), right)


@pytest.mark.parametrize("times", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_no_flipped_bit_is_read_as_a_value(medipim, tmp_path, monkeypatch, times):
    """Flipped bits in pages, headers and footers are detected or harmless."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)
    medipim.products.query(brand=BRANDS).save(tmp_path / "p", columns=[*FEW, "name", "brands"])
    _flip(tmp_path / "p", times)


def _read_while_updated(  # noqa: PLR0917 - called once
    server: Any, query: vk.Query, folder: Path, counts: dict[str, int], updates: int, kills: int
) -> None:
    chance = random.Random()
    ids = query.save(folder, columns=FEW).frame()["id"].tolist()
    readers = {
        kind: subprocess.Popen([sys.executable, "-c", READER, kind, str(folder), str(reads)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for kind, reads in counts.items()
    }  # fmt: skip
    killed = {*chance.sample(range(updates), kills)}
    try:
        with _worker(server, folder) as worker:
            for number in range(updates):
                server.change("edit", *chance.sample(ids, 20))
                if number in killed:
                    worker.kill_while("update", chance.uniform(0.0, 0.4))
                worker.do("update")
        outputs = {kind: reader.communicate(timeout=1200) for kind, reader in readers.items()}
    finally:
        for reader in readers.values():
            reader.kill()
    seen: dict[str, set[tuple]] = {}
    for kind, (printed, errors) in outputs.items():
        assert readers[kind].returncode == 0, f"{kind}: {errors[-2000:]}"
        for version, digests in json.loads(printed).items():
            seen.setdefault(version, set()).update(map(tuple, digests))
    assert len(seen) > 1, "no update happened while they read"
    for version, digests in seen.items():
        ((rows, different, _),) = digests
        assert rows == different == len(ids), version
    print(f"reads: {counts}; updates: {updates}, killed: {kills}; versions seen: {len(seen)}; all alike")  # noqa: T201 - for `make soak`


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_readers_see_one_version_while_it_is_updated(vendors, tmp_path):
    """D4: During updates that are killed, DuckDB, Polars, pandas and Dask read neither mixed nor doubled rows."""
    query = vk.connect("medipim", environment="local").products.query(brand=BRANDS)
    reads = 2_000 if LONG else 150
    counts = {"duckdb": reads, "polars": reads, "pandas": reads, "dask": reads // 4}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filling, "PART_ROWS", 250)
        updates, kills = (50, 20) if LONG else (10, 4)
        _read_while_updated(vendors["medipim"], query, tmp_path / "p", counts, updates, kills)
