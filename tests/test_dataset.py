"""Datasets on disk are complete, equal the frame, and are continued after any crash."""

from __future__ import annotations

import base64
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vendorkit as vk
from tests.dataset_files import Died, begin, leftovers, newest, part_files
from vendorkit import local
from vendorkit.errors import Cancelled, CredentialsRefused, IncompletePull, UsageError
from vendorkit.pull import progress_to
from vendorkit.resource import Accept
from vendorkit.saved import files, log
from vendorkit.saved import write as filling
from vendorkit.vendors.mediagenix import paging as mediagenix_paging
from vendorkit.vendors.mediagenix.paging import Linked
from vendorkit.vendors.medipim import paging as medipim_paging

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")

# The code of a child process. It receives the servers on standard input, because arguments are public.
CHILD = """
import json, resource, sys, types, warnings
import pyarrow as pa
import vendorkit as vk
from vendorkit import local
from vendorkit.saved import write as filling
job = json.loads(sys.stdin.readline())
servers = {name: types.SimpleNamespace(**server) for name, server in job["servers"].items()}
local.shared = lambda *_: servers
filling.PART_ROWS = job["part_rows"]
warnings.simplefilter("ignore")
query = getattr(vk.connect(job["vendor"], environment="local"), job["resource"]).query()
query.save(job["folder"], columns=job["columns"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, pa.default_memory_pool().max_memory())
"""


class Pull(NamedTuple):
    """What a child process saves."""

    vendor: str = "medipim"
    resource: str = "media"
    columns: list[str] | None = None
    part_rows: int = filling.PART_ROWS


@pytest.fixture(scope="module")
def big() -> Iterator[local.LocalVendors]:
    """A mock Medipim beyond the paging window: 15,000 products and 30,000 media."""
    with local.start(vendors=("medipim",), products=15_000) as running:
        yield running


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a part to about 1,000 rows."""
    monkeypatch.setattr(filling, "PART_ROWS", 1000)


@pytest.fixture
def switch(vendors, monkeypatch):
    """Return a function that connects to the Medipim of the given servers."""

    def connected(servers: local.LocalVendors) -> vk.Client:
        monkeypatch.setattr(local, "shared", lambda *_: servers)
        return vk.connect("medipim", environment="local")

    return connected


def _assert_same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right)
    one_download = {"fetched_at": None, "discarded": None}  # what describes one download only
    ours, theirs = ({**frame.attrs["vendorkit"], **one_download} for frame in (left, right))
    assert ours == theirs


def _child(servers: local.LocalVendors, folder: Path, pull: Pull) -> subprocess.Popen[bytes]:
    names = ("base_url", "ca_pem", "credentials")
    job = {
        "servers": {name: {key: getattr(servers[name], key) for key in names} for name in servers},
        "folder": str(folder),
        **pull._asdict(),
    }
    command = [sys.executable, "-c", CHILD]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.flush()
    return process


def _parts(folder: Path) -> int:
    return len(part_files(folder))


def _kill_midway(process: subprocess.Popen[bytes], folder: Path, pause_s: float) -> int:
    """Kill the child with SIGKILL shortly after it stored another part; return its exit status."""
    before = _parts(folder)
    while process.poll() is None and _parts(folder) <= before:
        time.sleep(0.005)
    time.sleep(pause_s)
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -9), errors.decode()
    return process.returncode


@pytest.mark.parametrize(
    ("name", "narrowed"),
    [("products", {"brand": list(range(1, 40))}), ("brands", {}), ("public_categories", {}), ("attribute_options", {})],
)
def test_load_gives_what_frame_gives(medipim, tmp_path, monkeypatch, name, narrowed):
    """Rows, dtypes and attrs are equal over several parts."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)
    query = getattr(medipim, name).query(**narrowed)
    dataset = query.save(tmp_path / "new" / "folder")
    _assert_same(vk.load(dataset.path), query.frame())
    assert dataset.complete
    assert dataset.rows == dataset.total == query.count()
    assert name != "products" or dataset.parts > 1


@pytest.mark.usefixtures("small_parts")
def test_streams_and_next_links_are_saved_as_well(mediagenix, pledg, switch, big, tmp_path):
    """Every way of paging is saved: beyond the window, by `next` links, and in one answer."""
    titles = mediagenix.titles.query(expand=["metadata"])
    _assert_same(titles.save(tmp_path / "titles").frame(), titles.frame())
    plan = pledg.payment_schedule.query(amount_cents=20000, created="2026-01-31")
    _assert_same(plan.save(tmp_path / "plan").frame(), plan.frame())
    media, columns = switch(big).media.query(), ["id", "type", "updated_at"]
    dataset = media.save(tmp_path / "media", columns=columns)
    assert (dataset.rows, dataset.complete) == (30_000, True)
    pd.testing.assert_frame_equal(dataset.frame(), media.frame(columns=columns))


def test_no_records_keep_their_columns(medipim, tmp_path):
    """An empty dataset has the same dtypes as a large one."""
    query = medipim.products.query(brand=99_999_999)
    dataset = query.save(tmp_path / "none")
    assert (dataset.rows, dataset.complete) == (0, True)
    _assert_same(dataset.frame(), query.frame())


def test_columns_and_locale_belong_to_the_dataset(medipim, tmp_path, small_parts):
    """A dataset keeps its projection, and `load` can reduce it further."""
    query = medipim.products.query()
    dataset = query.save(tmp_path / "some", columns=["id", "name", "ean"], locale="fr")
    whole = query.frame(columns=["id", "name", "ean"], locale="fr")
    _assert_same(dataset.frame(), whole)
    _assert_same(vk.load(dataset.path, columns=["ean", "id"]), whole[["ean", "id"]])
    with pytest.raises(UsageError, match=r"no column 'nam'.*name"):
        vk.load(dataset.path, columns=["nam"])


def test_appended_columns_be_in_the_parts_that_have_them(medipim, vendors, tmp_path, monkeypatch):
    """Unknown fields and misfits of a few records are preserved and do not widen other parts."""
    monkeypatch.setattr(filling, "PART_ROWS", 100)
    vendors["medipim"].set(wrong_type_rate=0.004)
    query = medipim.products.query(brand=list(range(1, 40)))
    with pytest.warns(vk.SchemaDrift) as saved:
        dataset = query.save(tmp_path / "odd")
    with pytest.warns(vk.SchemaDrift) as framed:
        frame = query.frame()
    assert str(saved[0].message) == str(framed[0].message)
    assert saved[0].filename == framed[0].filename == __file__
    appended = [len(part.members) for part in newest(dataset.path).parts]
    assert 0 in appended
    assert any(appended)
    assert list(dataset.frame().columns) == list(frame.columns)
    _assert_same(dataset.frame(), frame)


@pytest.mark.parametrize(
    "pull",
    [
        pytest.param(Pull("medipim", "products", ["id", "cnk", "name"], 500), marks=pytest.mark.slow),
        Pull(part_rows=1),
        pytest.param(Pull("mediagenix", "titles", None, 200), marks=pytest.mark.slow),
    ],
    ids=["pages", "stream", "next"],
)
def test_a_save_killed_at_random_points_ends_as_if_it_had_not_been(vendors, big, tmp_path, monkeypatch, pull):
    """W09 and W12: After two kills, the last call's dataset equals an unbroken download row for row."""
    servers = big if pull.resource == "media" else vendors
    monkeypatch.setattr(local, "shared", lambda *_: servers)
    servers[pull.vendor].set(latency_s=0.03)
    chance, folder = random.Random(pull.part_rows), tmp_path / "killed"
    fates = [_kill_midway(_child(servers, folder, pull), folder, chance.uniform(0, 0.1)) for _ in range(2)]
    servers[pull.vendor].set(latency_s=0.0)
    assert -9 in fates
    query = getattr(vk.connect(pull.vendor, environment="local"), pull.resource).query()
    dataset = query.save(folder, columns=pull.columns)
    unbroken = query.save(tmp_path / "unbroken", columns=pull.columns)
    pd.testing.assert_frame_equal(dataset.frame(), unbroken.frame())
    assert dataset.rows == dataset.total == unbroken.total


@pytest.mark.parametrize("when", ["before", "after", "commit"])
def test_a_save_that_dies_at_any_write_goes_on(mediagenix, tmp_path, monkeypatch, when):
    """W12: After a crash around any rename or the commit, nothing is doubled or left over."""
    monkeypatch.setattr(filling, "PART_ROWS", 800)
    query = mediagenix.titles.query(accept="json")
    whole = query.frame(columns=["id", "name"])
    rename, commit = os.replace, filling.commit
    for fatal in range(3 if when != "commit" else 2):
        count = 0

        def deadly(source, target, fatal=fatal):
            nonlocal count
            count += 1
            if count == fatal + 1:
                if when == "after":
                    rename(source, target)
                raise Died
            rename(source, target)

        def committed(*args, fatal=fatal, **how):
            if fatal:
                commit(*args, **how)
            raise Died

        folder = tmp_path / str(fatal)
        with monkeypatch.context() as patched:
            if when == "commit":
                patched.setattr(filling, "commit", committed)
            else:
                patched.setattr(files.Path, "replace", deadly)
            with pytest.raises(Died):
                query.save(folder, columns=["id", "name"])
        dataset = query.save(folder, columns=["id", "name"])
        assert dataset.version == 0
        pd.testing.assert_frame_equal(dataset.frame(), whole)
        assert not leftovers(folder)


def _harm(torn: Path, harm: str) -> None:
    body = torn.read_bytes()
    torn.unlink()
    if harm != "gone":
        torn.write_bytes(body[:-100] if harm == "cut" else body[:50] + bytes([body[50] ^ 1]) + body[51:])


@pytest.mark.parametrize("harm", ["cut", "gone", "changed"])
def test_a_torn_part_is_as_good_as_none(medipim, vendors, tmp_path, small_parts, harm):
    """W11: `load` raises with the intact rows, and `save` downloads everything as the next version."""
    query = medipim.products.query()
    dataset = query.save(tmp_path / "torn", columns=["id", "cnk"])
    assert dataset.parts == 5
    _harm(dataset.path / "part-00000000-000003.parquet", harm)
    with pytest.raises(
        IncompletePull, match=r"3,000 rows of 5,000, because part-00000000-000003\.parquet is damaged.* save\(\)"
    ) as caught:
        vk.load(dataset.path)
    assert len(caught.value.arrived) == 3000
    assert caught.value.arrived.attrs["vendorkit"]["complete"] is False
    assert len(vk.load(dataset.path, partial=True)) == 3000
    with pytest.raises(UsageError, match=r"is not complete: .*part-.* is damaged\. Call save\(\)"):
        query.update(dataset.path)
    again = query.save(dataset.path, columns=["id", "cnk"])
    assert again.version == 1
    with pytest.raises((IncompletePull, UsageError), match=r"Load another version|Existing versions: 1"):
        vk.load(dataset.path, version=0)
    _assert_same(again.frame(), query.frame(columns=["id", "cnk"]))


@pytest.mark.parametrize(("which", "harm"), [(1, "cut"), (1, "gone"), (3, "changed")])
def test_a_part_that_is_torn_before_the_end_is_downloaded_again(  # noqa: PLR0917 - pytest's way
    medipim, vendors, tmp_path, monkeypatch, small_parts, harm, which
):
    """W11: `save` continues after the newest intact part, at the page that follows it."""
    query, folder = medipim.products.query(), tmp_path / "torn"
    parts = begin(monkeypatch, query, folder, 4, columns=["id", "cnk"])
    _harm(parts[which], harm)
    assert len(vk.load(folder, partial=True)) == which * 1000
    vendors["medipim"].clear_log()
    again = query.save(folder, columns=["id", "cnk"])
    assert vendors["medipim"].requests == (5 - which) * 4
    _assert_same(again.frame(), query.frame(columns=["id", "cnk"]))


@pytest.mark.usefixtures("small_parts")
def test_a_flipped_bit_that_no_page_has_is_noticed_by_the_parts_after_it(medipim, tmp_path, monkeypatch):
    """W11: Parquet headers and footers have no checksum, so the next part's footer has one of all bytes."""
    query, folder = medipim.products.query(), tmp_path / "torn"
    parts = begin(monkeypatch, query, folder, 5, columns=["id", "cnk"])
    body = parts[2].read_bytes()
    assert body.count(b"parquet-cpp") == 1
    parts[2].write_bytes(body.replace(b"parquet-cpp", b"parquet-cpq"))
    assert len(pq.read_table(parts[2])) == 1000
    assert len(vk.load(folder, partial=True)) == 2000
    _assert_same(query.save(folder, columns=["id", "cnk"]).frame(), query.frame(columns=["id", "cnk"]))


def test_save_keeps_the_pages_before_an_error(medipim, vendors, tmp_path):
    """`save` raises the same error as `frame()`, stores the pages before it, and continues after them."""
    query = medipim.products.query()
    vendors["medipim"].set(fail_next=[""] * 7 + ["404"])
    with pytest.raises(IncompletePull, match=r"broke off at row .*continues from there") as caught:
        query.save(tmp_path / "p", columns=["id"])
    rows = caught.value.arrived.rows
    assert 0 < rows < 5000
    assert not caught.value.arrived.complete
    assert f"{rows:,} of 5,000 rows" in repr(caught.value.arrived)
    with pytest.raises(IncompletePull, match="not finished"):
        vk.load(tmp_path / "p")
    vendors["medipim"].set(fail_next=["401"])
    with pytest.raises(CredentialsRefused):
        query.save(tmp_path / "p", columns=["id"])
    vendors["medipim"].clear_log()
    assert query.save(tmp_path / "p", columns=["id"]).complete
    assert vendors["medipim"].requests == (5000 - rows) / 250
    _assert_same(vk.load(tmp_path / "p"), query.frame(columns=["id"]))


@pytest.mark.parametrize("pages", [1, 12])
def test_a_cancelled_save_continues_after_the_received_pages(medipim, tmp_path, pages):
    """Pages that were received but not yet read are stored too, so a part without a full group is not lost."""
    query, stop = medipim.products.query(), threading.Event()
    with (
        vk.cancellable(stop),
        progress_to(lambda seen: stop.set() if seen.pages >= pages else None),
        pytest.raises(Cancelled),
    ):
        query.save(tmp_path / "p", columns=["id"])
    stored = vk.load(tmp_path / "p", partial=True)
    assert len(stored) % 250 == 0 < len(stored) < 5000
    assert not stored.attrs["vendorkit"]["complete"]
    assert query.save(tmp_path / "p", columns=["id"]).parts > 1
    _assert_same(vk.load(tmp_path / "p"), query.frame(columns=["id"]))


def test_a_whole_dataset_is_returned_as_it_is(medipim, vendors, tmp_path):
    """A second call sends nothing."""
    first = medipim.brands.query().save(str(tmp_path / "b"))
    vendors["medipim"].clear_log()
    assert medipim.brands.query().save(str(tmp_path / "b")) == first
    assert vendors["medipim"].requests == 0
    assert repr(first) == f"<Dataset {tmp_path / 'b'}: 300 rows in 1 parts, {first.fetched_at}, version 0, complete>"


def test_another_question_does_not_go_into_the_same_folder(medipim, vendors, tmp_path):
    """W12: Other filters, sorting, columns, locale or resource are refused before a request; the data stays."""
    query = medipim.brands.query()
    query.save(tmp_path / "b")
    vendors["medipim"].clear_log()
    wrong = [
        (medipim.brands.query(id=9), {}, "request"),
        (medipim.brands.query(sort="-id"), {}, "request"),
        (medipim.organizations.query(), {}, "resource"),
        (query, {"columns": ["id"]}, "columns"),
        (query, {"locale": "fr"}, "locale"),
    ]
    for query, options, difference in wrong:
        with pytest.raises(UsageError, match=f"another query; different:.*{difference}.*another folder"):
            query.save(tmp_path / "b", **options)
    assert vendors["medipim"].requests == 0
    assert len(vk.load(tmp_path / "b")) == 300


@pytest.mark.usefixtures("small_parts")
def test_a_changed_total_is_refused(medipim, switch, big, tmp_path, monkeypatch):
    """W12: The stored pages and the vendor's current ones do not form one download."""
    (part,) = begin(monkeypatch, medipim.products.query(), tmp_path / "d", 1, columns=["id"])
    before = part.read_bytes()
    query = switch(big).products.query()
    with pytest.raises(IncompletePull, match=r"5,000 records; now there are 10,000\..*Delete.*another") as caught:
        query.save(tmp_path / "d", columns=["id"])
    assert caught.value.arrived.parts == 1
    assert part.read_bytes() == before


@pytest.mark.usefixtures("small_parts")
def test_a_total_that_moves_meanwhile_ends_the_pull(medipim, tmp_path, monkeypatch):
    """The earlier pages are stored with the first total, so the next call raises the same error."""
    announced = iter([5000] * 6 + [5001] * 100)
    query = medipim.products.query()
    total = medipim_paging.total_of
    monkeypatch.setattr(medipim_paging, "total_of", lambda _: next(announced))
    with pytest.raises(IncompletePull, match=r"begun when there were 5,000 records; now there are 5,001") as caught:
        query.save(tmp_path / "d", columns=["id"])
    assert 0 < caught.value.arrived.rows < 5000
    with pytest.raises(IncompletePull, match=r"begun when there were 5,000 records; now there are 5,001"):
        query.save(tmp_path / "d", columns=["id"])
    monkeypatch.setattr(medipim_paging, "total_of", total)
    assert query.save(tmp_path / "d", columns=["id"]).complete


@pytest.mark.usefixtures("small_parts")
def test_a_stream_starts_again_and_keeps_the_stored_rows_until_new_ones_come(switch, big, tmp_path, monkeypatch):
    """A stream cannot be continued in the middle. A call that fails before its first row loses nothing."""
    query, folder = switch(big).media.query(), tmp_path / "stream"
    begin(monkeypatch, query, folder, 3, columns=["type", "url"])
    stored = vk.load(folder, partial=True)
    assert len(stored) > 0
    big["medipim"].set(fail_next=["401"])
    with pytest.raises(CredentialsRefused):
        query.save(folder, columns=["type", "url"])
    pd.testing.assert_frame_equal(vk.load(folder, partial=True), stored)
    pd.testing.assert_frame_equal(
        query.save(folder, columns=["type", "url"]).frame(), query.frame(columns=["type", "url"])
    )


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(medipim, tmp_path, monkeypatch, small_parts, call):
    """W10: One typed error says how to continue; earlier parts stay intact and no temporary file remains."""
    query = medipim.products.query()
    count = 0
    holder, real, most = (os, os.fsync, 6) if call == "fsync" else (files.Path, os.replace, 3)

    def full(*args):
        nonlocal count
        count += 1
        if count > most:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(holder, call, full)
        with pytest.raises(IncompletePull, match=r"No space left on device.*unchanged.*Free space") as caught:
            query.save(tmp_path / "full", columns=["id"])
    assert isinstance(caught.value.__cause__, OSError)
    rows = caught.value.arrived.rows
    assert 0 < rows < 5000
    assert not list((tmp_path / "full").glob("*.tmp"))
    assert len(vk.load(tmp_path / "full", partial=True)) == rows
    pd.testing.assert_frame_equal(query.save(tmp_path / "full", columns=["id"]).frame(), query.frame(columns=["id"]))


def test_two_writers_do_not_meet(medipim, vendors, tmp_path):
    """W09: The second writer is refused before a request until the first one ends."""
    with files.locked(tmp_path / "b"), pytest.raises(UsageError, match=r"being written by another process\. Wait"):
        medipim.brands.query().save(tmp_path / "b")
    assert vendors["medipim"].requests == 0
    assert medipim.brands.query().save(tmp_path / "b").complete


def test_a_damaged_lock_is_reported(medipim, vendors, tmp_path):
    """A `.lock` of another format is one typed error."""
    (tmp_path / ".lock").write_bytes(b"something else" * 100)
    with pytest.raises(UsageError, match="cannot be written: file is not a database"):
        medipim.brands.query().save(tmp_path)
    assert vendors["medipim"].requests == 0


def test_two_processes_on_one_folder(vendors, medipim, tmp_path):
    """W09: While another process saves, this one is refused without a request. Then it finds a complete dataset."""
    folder, pull = tmp_path / "shared", Pull("medipim", "products", ["id"], 500)
    vendors["medipim"].set(latency_s=0.05)
    other = _child(vendors, folder, pull)
    while not _parts(folder):
        time.sleep(0.01)
    with pytest.raises(UsageError, match=r"written by another process\. Wait"):
        medipim.products.query().save(folder, columns=["id"])
    _, said = other.communicate()
    assert other.returncode == 0, said.decode()
    vendors["medipim"].clear_log()
    assert medipim.products.query().save(folder, columns=["id"]).rows == 5000
    assert vendors["medipim"].requests == 0


@contextmanager
def _nobody() -> Iterator[None]:
    """Drop the rights of root, who may write everywhere, for the block."""
    root = os.geteuid() == 0
    os.seteuid(65_534 if root else os.geteuid())
    try:
        yield
    finally:
        os.seteuid(0 if root else os.geteuid())


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("below", ["", "new"], ids=["there", "to be made"])
def test_a_read_only_folder_is_refused_before_the_pull(medipim, vendors, below):
    """W13: One typed error names the folder and the remedy before a request."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)  # pytest's own folders are closed to others
        folder = Path(parent) / "read-only"
        folder.mkdir(mode=0o555)
        with _nobody(), pytest.raises(UsageError, match=r"read-only.*[Aa]llow(ing)? writ(e|ing)"):
            medipim.products.query().save(folder / below)
    assert vendors["medipim"].requests == 0


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["y" * 100] * 8), "nul\0", "half \ud800"])
def test_a_path_that_cannot_be_is_refused_before_the_pull(medipim, vendors, tmp_path, name):
    """W13: Paths that are too long for the system or its locks, or invalid, are refused."""
    for verb in (lambda path: medipim.brands.query().save(path), vk.load, medipim.media.query().update):
        with pytest.raises(UsageError, match=r"cannot be (used|written|read)|not a saved|must be the path|half a char"):
            verb(tmp_path / name)
    assert vendors["medipim"].requests == 0


def test_a_working_folder_that_was_deleted_is_refused_before_the_pull(medipim, vendors, tmp_path, monkeypatch):
    """A relative path leads nowhere then."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for verb in (medipim.brands.query().save, vk.load, medipim.media.query().update):
        with pytest.raises(UsageError, match=r"cannot be used|not a saved"):
            verb("d")
    assert vendors["medipim"].requests == 0


def test_a_name_beyond_ascii_is_as_good_as_any(medipim, tmp_path):
    """W13: Composed and decomposed letters, other scripts, spaces, leading dashes and final dots work."""
    query = medipim.brands.query()
    for name in ("Donn\u00e9es", "Donne\u0301es 2", "\u6771\u4eac \U0001f600", "-r *", "a. b."):
        dataset = query.save(tmp_path / name)
        _assert_same(vk.load(str(dataset.path)), query.frame())


def test_folders_of_others_are_left_only(medipim, vendors, tmp_path):
    """A file or a folder with other content does not become a dataset. Extra files in a dataset stay."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"not empty and not a dataset: it holds 'notes\.txt'"):
        medipim.brands.query().save(tmp_path)
    with pytest.raises(UsageError, match="cannot be used as a folder"):
        medipim.brands.query().save(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert vendors["medipim"].requests == 0
    folder = tmp_path / "b"
    medipim.brands.query().save(folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "part-00000007.parquet").write_bytes(b"no name of ours")
    (folder / "part-00000001-000000.parquet").write_bytes(b"of an interrupted run")
    (folder / "part-00000000-000000.parquet.tmp").write_bytes(b"of an interrupted run")
    medipim.brands.query().save(folder)
    assert leftovers(folder) == {"notes.txt", "part-00000007.parquet"}


@pytest.mark.parametrize("text", [None, "", "[]", '{"format": 2}', '{"format": 1, "parts": []}', "\xff"])
def test_what_is_no_dataset_is_named_so(medipim, tmp_path, text):
    """An empty folder and every malformed manifest of version 1 give a typed error."""
    if text is not None:
        (tmp_path / "_manifest.json").write_text(text, encoding="latin-1")
    why = "not a saved dataset" if text is None else "cannot be read as the manifest"
    with pytest.raises(UsageError, match=why):
        vk.load(tmp_path)
    if text is not None:
        with pytest.raises(UsageError, match=why):
            medipim.products.query().update(tmp_path)
    with pytest.raises(UsageError):
        vk.load(tmp_path / "nowhere")


@pytest.mark.parametrize(("owner", "name"), [(medipim_paging, "brands"), (mediagenix_paging, "titles")])
def test_a_total_that_is_not_reached_is_an_incomplete_pull(vendors, tmp_path, monkeypatch, owner, name):
    """The received rows stay readable, and the next save starts over."""
    client = vk.connect("medipim" if name == "brands" else "mediagenix", environment="local")
    query = getattr(client, name).query()
    with monkeypatch.context() as patched:
        patched.setattr(owner, "total_of", lambda *_: 9999)
        with pytest.raises(IncompletePull, match=r"rows arrived, but 9,999 were announced") as caught:
            query.save(tmp_path / "d")
    assert not caught.value.arrived.complete
    assert len(vk.load(tmp_path / "d", partial=True)) == query.count()
    assert query.save(tmp_path / "d").complete


@pytest.mark.parametrize("silent", [0, 1], ids=["first page", "second page"])
def test_a_page_without_a_total_is_no_change_of_it(mediagenix, tmp_path, monkeypatch, silent):
    """A page without a total is ignored; the other totals are compared with the received rows."""
    total, seen = mediagenix_paging.total_of, []

    def announced(page, *ask):
        seen.append(page)
        return None if len(seen) == silent + 1 else total(page, *ask)

    monkeypatch.setattr(mediagenix_paging, "total_of", announced)
    dataset = mediagenix.titles.query().save(tmp_path / "t", columns=["id"])
    assert dataset.complete
    assert dataset.total == dataset.rows == 2000


def test_doubled_ids_are_an_incomplete_pull_until_the_vendor_is_at_rest(mediagenix, tmp_path, monkeypatch):
    """Records that moved to the next page arrive twice. The next save detects that and starts over."""
    query = mediagenix.titles.query(accept="json")
    pages = Linked.pages
    monkeypatch.setattr(mediagenix_paging, "total_of", lambda *_: None)

    def doubled(*args):
        """Return the first page twice."""
        flow, reply, again = pages(*args), None, True
        while True:
            try:
                step = flow.send(reply)
            except StopIteration:
                return
            reply = yield step
            if isinstance(step, Accept) and again:
                again = False
                yield step

    with monkeypatch.context() as patched:
        patched.setattr(Linked, "pages", doubled)
        with pytest.raises(IncompletePull, match="the same id was received twice"):
            query.save(tmp_path / "d", columns=["id"])
    dataset = query.save(tmp_path / "d", columns=["id"])
    assert dataset.frame()["id"].is_unique
    assert dataset.rows == 2000


def test_no_credential_is_on_disk(medipim, pledg, mediagenix, vendors, tmp_path):
    """Neither the log nor Parquet's metadata has a credential, also not in base64."""
    medipim.products.query().save(tmp_path / "m", columns=["id"])
    mediagenix.titles.query().save(tmp_path / "o")
    pledg.payment_schedule.query(amount_cents=20000, created="2026-01-31").save(tmp_path / "p")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) > 1000
    for name in vendors:
        for variable, secret in vendors[name].credentials.items():
            if variable.endswith(("SECRET", "PASSWORD", "KEY", "USER", "KEY_ID")):
                assert secret.encode() not in written, variable
                assert base64.b64encode(secret.encode()).rstrip(b"=") not in written, variable


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pull(big, tmp_path):
    """Three times the records need about the same peak of Arrow's memory."""
    peaks = []
    with local.start(vendors=("medipim",), products=45_000) as bigger:
        for servers in (big, bigger):
            process = _child(servers, tmp_path / str(len(peaks)), Pull(part_rows=5000))
            said, wrong = process.communicate()
            assert process.returncode == 0, wrong.decode()
            peaks.append(int(said.split()[1]))
    assert peaks[1] < 1.6 * peaks[0]  # if all were kept, the factor would be 2.7


def _tables(folder: Path) -> Iterator[pa.Table]:
    """Yield the parts in order, each with all columns of the dataset."""
    stored = newest(folder)
    for part in stored.parts:
        yield stored.table(part, log.stored_schema(stored.note.schema))


def _assert_same_rows(left: Path, right: Path) -> int:
    """Compare two datasets row for row, a few parts at a time; return the number of rows."""
    ours, theirs, rows = _tables(left), _tables(right), 0
    mine, other = next(ours), next(theirs)
    while True:
        size = min(len(mine), len(other))
        assert mine.slice(0, size).equals(other.slice(0, size)), f"from row {rows}"
        rows, mine, other = rows + size, mine.slice(size), other.slice(size)
        mine = mine if len(mine) else next(ours, mine)
        other = other if len(other) else next(theirs, other)
        if not len(mine) or not len(other):
            assert len(mine) == len(other)
            return rows


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_million_records_survive_kills_in_the_memory_of_a_hundred_thousand(tmp_path):
    """W09 and W12: After five random kills, the dataset equals an unbroken save row for row."""
    peaks, chance, pull = [], random.Random(), Pull("medipim", "products")
    for size in (100_000, 1_000_000):
        with local.start(vendors=("medipim",), products=size) as servers:
            began = time.monotonic()
            said, wrong = _child(servers, tmp_path / str(size), pull).communicate()
            assert said, wrong.decode()
            peaks.append(int(said.split()[0]))
            if size == 100_000:
                continue
            whole_s, stored = time.monotonic() - began, 0
            for pause_s in [chance.uniform(0, whole_s / 15) for _ in range(5)]:
                _kill_midway(_child(servers, tmp_path / "killed", pull), tmp_path / "killed", pause_s)
                assert stored < _parts(tmp_path / "killed") < _parts(tmp_path / str(size))
                stored = _parts(tmp_path / "killed")
            said, wrong = _child(servers, tmp_path / "killed", pull).communicate()
            assert said, wrong.decode()
    assert _assert_same_rows(tmp_path / "killed", tmp_path / "1000000") == 1_000_000
    assert newest(tmp_path / "killed").complete
    assert peaks[1] <= 1.2 * peaks[0]
