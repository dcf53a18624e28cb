"""D17: Maliciously crafted folders give one typed error in bounded time, and no file outside the folder is touched."""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vendorkit as vk
from tests.dataset_files import begin, part_files
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.saved import write as filling
from vendorkit.saved.dataset import Dataset

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and links as POSIX has them")
LOG = f"_delta_log/{0:020}.json"


@pytest.fixture
def folder(medipim, tmp_path) -> Path:
    """An intact dataset that the tests damage, next to a file that must not be touched."""
    (tmp_path / "secret").write_bytes(b"not to be touched" * 100)
    medipim.products.query(brand=9).save(tmp_path / "d", columns=["id", "status"])
    return tmp_path / "d"


@contextmanager
def _bounded(folder: Path, seconds: float = 10) -> Iterator[None]:
    """Check that the block is quick and leaves everything outside the folder as it was."""
    secret, began = folder.parent / "secret", time.monotonic()
    before = secret.read_bytes(), secret.stat().st_mtime_ns, sorted(folder.parent.iterdir())
    yield
    assert time.monotonic() - began < seconds
    assert (secret.read_bytes(), secret.stat().st_mtime_ns, sorted(folder.parent.iterdir())) == before


def _rewrite(folder: Path, change: Callable[[list], None]) -> None:
    path = folder / LOG
    actions = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    change(actions)
    path.write_text("\n".join(json.dumps(action) for action in actions), "utf-8")


def _refused(query: vk.Query, folder: Path, match: str = "cannot be read as a dataset") -> None:
    with _bounded(folder):
        for verb in (vk.load, query.save, query.update, lambda path: vk.load(path, version=0)):
            with pytest.raises(UsageError, match=match):
                verb(folder)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret", "part-00000000-000000.parquet/../../secret", 5, "part-00000000-000000.parquet.tmp",
     "part-00000000-000000.parquet\n"],
)  # fmt: skip
def test_a_part_of_another_name_is_refused(medipim, folder, name):
    """Absolute and upward paths, URLs, other names and values that are not strings are refused."""

    def renamed(actions: list) -> None:
        (add,) = [action["add"] for action in actions if "add" in action]
        actions[0]["commitInfo"]["vendorkit"]["parts"][0][0] = add["path"] = name

    _rewrite(folder, renamed)
    _refused(medipim.products.query(brand=9), folder)


UNION = pa.dense_union([pa.field("a", pa.int8())])
TYPES = [UNION, pa.list_(UNION), pa.struct([("a", UNION)]), pa.timestamp("us", "Nowhere/Land"), pa.map_(UNION, UNION)]


def _with_type(kind: pa.DataType) -> str:
    """Return a schema with one column of this type, in the log's format."""
    return base64.b64encode(pa.schema([("id", pa.string()), ("status", kind)]).serialize()).decode()


WRONG = {
    "no note": lambda a: a[0]["commitInfo"].pop("vendorkit"),
    "note of another type": lambda a: a[0]["commitInfo"].update(vendorkit=[1]),
    "no time": lambda a: a[0]["commitInfo"].pop("timestamp"),
    "time of another type": lambda a: a[0]["commitInfo"].update(timestamp="x"),
    "no parts": lambda a: a[0]["commitInfo"]["vendorkit"].pop("parts"),
    **{f"no {name}": lambda a, name=name: a[0]["commitInfo"]["vendorkit"].pop(name)
       for name in ("question", "schema", "mark")},
    **{f"{name}={value!r}": lambda a, name=name, value=value: a[0]["commitInfo"]["vendorkit"].update({name: value})
       for name, value in (("question", {}), ("question", 5), ("key", None), ("schema", "AAAA"), ("schema", 7),
                           ("mark", [1]), ("total", "5"), ("counts", {"added": 2**63}), ("counts", {"added": -1}),
                           ("pages", None), ("fetched_at", 5), ("parts", []), ("parts", [[]]))},
    **{f"add {name}={value!r}": lambda a, name=name, value=value: a[-1]["add"].update({name: value})
       for name, value in (("size", "1"), ("size", -1), ("stats", "{}"), ("stats", None))},
    **{f"a column of {kind}": lambda a, kind=kind: a[0]["commitInfo"]["vendorkit"].update(schema=_with_type(kind))
       for kind in TYPES},
    "a list": lambda a: a.append([]),
    "two notes": lambda a: a.append(a[0]),
    "a part twice": lambda a: a[0]["commitInfo"]["vendorkit"]["parts"].append(
        a[0]["commitInfo"]["vendorkit"]["parts"][0]),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_log_of_another_form_is_refused(medipim, folder, wrong):
    """Missing entries and entries of another type are refused."""
    _rewrite(folder, WRONG[wrong])
    _refused(medipim.products.query(brand=9), folder)


def test_a_key_that_is_no_text_is_none(medipim, tmp_path):
    """A stranger's log may name any column as the key."""
    query = medipim.products.query(brand=9)
    dataset = query.save(tmp_path, columns=["id", "created_at"])
    _rewrite(tmp_path, lambda actions: actions[0]["commitInfo"]["vendorkit"].update(key="created_at"))
    for verb in (lambda: dataset.changes(since=0), lambda: query.update(tmp_path)):
        with pytest.raises(UsageError, match="saved without 'created_at'"):
            verb()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a":' * 50_000, b"NaN", b"null"])
def test_a_log_that_is_no_json_is_refused(medipim, folder, body):
    """Invalid and deeply nested JSON is refused."""
    (folder / LOG).write_bytes(body)
    _refused(medipim.products.query(brand=9), folder)


@pytest.mark.parametrize("gone", [0, 1])
def test_a_log_with_a_gap_is_not_written_to(medipim, folder, gone):
    """The newest version loads, and nothing is written into the gap."""
    query = medipim.products.query(brand=9)
    for _ in range(2):
        updated = query.update(folder)
    (folder / f"_delta_log/{gone:020}.json").unlink()
    for verb in (query.save, query.update):
        with pytest.raises(UsageError, match=f"version {gone} in _delta_log"):
            verb(folder)
    assert len(vk.load(folder)) == updated.rows


def test_a_folder_that_cannot_be_listed_is_refused(folder, monkeypatch):
    """Its files can be opened, but not be listed. The error does not suggest to delete the dataset."""
    list_files, unreadable = Path.iterdir, [folder]

    def iterdir(path: Path) -> Iterator[Path]:
        if path in unreadable:
            raise PermissionError(errno.EACCES, "Permission denied")
        return list_files(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(UsageError, match=r"cannot be listed\. Check its permissions"):
        vk.load(folder, version=0)
    unreadable.append(folder / "_delta_log")
    with pytest.raises(UsageError, match=r"cannot be read.*Check the path and its permissions"):
        vk.load(folder)


@pytest.mark.parametrize("name", [".DS_Store", "desktop.ini", "Thumbs.db"])
def test_a_file_of_a_file_manager_is_no_damage(medipim, folder, tmp_path, name):
    """Such files are ignored in the folder, in the log's folder, and in a new folder."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / name).write_bytes(b"x")
    assert medipim.brands.query(id=[]).save(tmp_path / "new").complete
    for place in (folder, folder / "_delta_log"):
        (place / name).write_bytes(b"x")
    assert medipim.products.query(brand=9).update(folder).version == 1


@pytest.mark.parametrize("line", [b'{"remove":{"path":"x"}}\n', b"[0]\n", b" " * 1000])
def test_a_log_of_a_hundred_megabytes_is_refused(medipim, folder, line):
    """The size is limited for one file with short lines or one long line."""
    (folder / LOG).write_bytes(line * (100_000_000 // len(line)))
    _refused(medipim.products.query(brand=9), folder)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "upwards", "no note", "long", "gone"])
def test_an_old_version_of_a_stranger_is_not_given_to_deltalake(medipim, vendors, folder, kind):
    """The library would wait for a pipe, follow a link and read any size, so all versions are checked first."""
    query, path = medipim.products.query(brand=9), folder / LOG
    vendors["medipim"].change("edit", vk.load(folder)["id"][0])
    query.update(folder)
    if kind == "upwards":
        _rewrite(folder, lambda actions: actions[-1]["add"].update(path="../secret"))
    elif kind == "no note":
        _rewrite(folder, WRONG["no note"])
    elif kind == "long":
        path.write_bytes(b'{"remove":{"path":"x"}}\n' * 4_000_000)
    else:
        path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(folder.parent / "secret")
    vendors["medipim"].change("edit", vk.load(folder)["id"][0])
    with _bounded(folder):
        for verb in (query.save, query.update):
            with pytest.raises(UsageError, match="cannot be read as a dataset: version 0"):
                verb(folder)


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling", "folder"])
def test_a_log_that_is_no_file_is_refused(medipim, folder, kind):
    """A pipe would block forever, and a link could lead outside."""
    (folder / LOG).unlink()
    path = folder / LOG
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(folder.parent / ("secret" if kind == "link" else "new"))
    _refused(medipim.products.query(brand=9), folder)


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling", "file"])
def test_a_log_folder_that_is_none_is_refused(medipim, folder, kind):
    """A file, a pipe or a link, even to the log of another dataset, is refused."""
    shutil.move(folder / "_delta_log", folder / "elsewhere")
    path = folder / "_delta_log"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        path.write_bytes(b"x")
    else:
        path.symlink_to(folder / ("elsewhere" if kind == "link" else "nowhere"))
    _refused(medipim.products.query(brand=9), folder)


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling", "folder"])
def test_a_part_that_is_no_file_is_damage(medipim, folder, kind):
    """`load` and `arrow` name the part and read nothing through it."""
    (path,) = part_files(folder)
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(folder.parent / ("secret" if kind == "link" else "new"))
    with _bounded(folder):
        with pytest.raises(IncompletePull, match=r"part-00000000-000000\.parquet is damaged"):
            vk.load(folder)
        with pytest.raises(IncompletePull, match=r"part-00000000-000000\.parquet is damaged"):
            Dataset(folder, 0, True, 1, None, "", 0).arrow()
        with pytest.raises(UsageError, match="is not complete"):
            medipim.products.query(brand=9).update(folder)


@pytest.mark.parametrize("name", [".lock", ".lock-journal", ".lock-wal"])
@pytest.mark.parametrize("kind", ["pipe", "link", "dangling"])
def test_a_lock_that_is_no_file_is_not_opened(medipim, folder, name, kind):
    """SQLite would write through a link."""
    path = folder / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(folder.parent / ("secret" if kind == "link" else "new"))
    query = medipim.products.query(brand=9)
    with _bounded(folder):
        for verb in (
            query.save,
            query.update,
            lambda path: vk.load(path) is None or Dataset(path, 0, True, 1, None, "", 0).compact(0),
        ):
            with pytest.raises(UsageError, match=f"it holds '{name}"):
                verb(folder)


@pytest.mark.parametrize("name", ["part-00000000-000000.parquet.tmp", "part-00000000-000000.parquet"])
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_a_planted_link_is_not_written_through(medipim, tmp_path, name, kind):
    """Links and pipes at the names of a part and its temporary file are replaced, and the save is complete."""
    (tmp_path / "secret").write_bytes(b"not to be touched")
    folder = tmp_path / "d"
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(tmp_path / ("secret" if kind == "link" else "new"))
    with _bounded(folder):
        assert medipim.products.query(brand=9).save(folder, columns=["id"]).complete
    assert not part_files(folder)[0].is_symlink()


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "checkpoint"])
def test_a_planted_commit_is_not_written_through(medipim, vendors, folder, kind):
    """A link or pipe at the name of the next commit is not written to, and a checkpoint is not believed."""
    name = "_last_checkpoint" if kind == "checkpoint" else f"{1:020}.json"
    path, changed = folder / "_delta_log" / name, vk.load(folder)["id"][0]
    if kind == "checkpoint":
        path.write_text('{"version": 0, "size": 1}', "utf-8")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(folder.parent / ("secret" if kind == "link" else "new"))
    vendors["medipim"].change("edit", changed)
    with (
        _bounded(folder),
        pytest.raises(UsageError, match=r"cannot be read as a dataset|written to by another program"),
    ):
        medipim.products.query(brand=9).update(folder)


@pytest.mark.parametrize("kind", ["pipe", "link", "junk", "parquet", "footer"])
def test_parts_of_a_stranger_are_not_continued(medipim, tmp_path, monkeypatch, kind):
    """In a folder without a log, foreign files with the name of a part are deleted and never read through."""
    (tmp_path / "secret").write_bytes(b"not to be touched")
    query, folder = medipim.products.query(brand=9), tmp_path / "d"
    (path,) = begin(monkeypatch, query, folder, 1, columns=["id"])
    body = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "secret")
    elif kind == "junk":
        path.write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1")
    elif kind == "parquet":
        query.frame(columns=["id"]).to_parquet(path)
    else:
        path.write_bytes(body.replace(b'"cursor":', b'"cursor" '))
    with _bounded(folder):
        with pytest.raises(UsageError, match="is not a saved dataset"):
            vk.load(folder)
        assert query.save(folder, columns=["id"]).complete
    assert len(vk.load(folder)) == query.count()


JUNK = [5, [1], "", "[1, 2]", "[0, null, 9, -99999999999]"]
NOTES = [*({"cursor": one} for one in JUNK), {"note": {"key": "zz"}}, {"note": {"mark": [2**70, True]}}]


@pytest.mark.parametrize("change", NOTES, ids=str)
@pytest.mark.parametrize("of", ["products", "titles"])
def test_a_beginning_of_a_stranger_ends_whole_or_with_an_error(  # noqa: PLR0917 - pytest's way
    medipim, mediagenix, tmp_path, monkeypatch, of, change
):
    """Whatever cursor or key the footer has, the save ends and its memory is bounded."""
    monkeypatch.setattr(filling, "PART_ROWS", 500)
    query = medipim.products.query(status="active") if of == "products" else mediagenix.titles.query()
    (path,) = begin(monkeypatch, query, tmp_path, 1, columns=["id"])
    table = pq.read_table(path)
    footer = json.loads(table.schema.metadata[b"vendorkit"])
    footer = {**footer, **change, "note": {**footer["note"], **change.get("note", {})}}
    pq.write_table(table.replace_schema_metadata({b"vendorkit": json.dumps(footer).encode()}), path)
    try:
        assert query.save(tmp_path, columns=["id"]).complete
    except IncompletePull:
        return
    assert {*vk.load(tmp_path)["id"]} == {*query.frame(columns=["id"])["id"]}


def test_a_table_of_another_program_is_left_alone(medipim, tmp_path):
    """A table that another program wrote to is refused, because its rows would be missing or doubled."""
    import deltalake
    import pyarrow as pa

    query = medipim.brands.query()
    deltalake.write_deltalake(str(tmp_path / "theirs"), pa.table({"id": ["1"]}))
    with pytest.raises(UsageError, match="cannot be read as a dataset: version 0"):
        query.save(tmp_path / "theirs")
    query.save(tmp_path / "ours")
    deltalake.DeltaTable(str(tmp_path / "ours")).delete("id = '9'")
    for verb in (vk.load, query.save):
        with pytest.raises(UsageError, match="cannot be read as a dataset: version 1"):
            verb(tmp_path / "ours")
