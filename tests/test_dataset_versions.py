"""Versions of a dataset: history, changes, time travel, filters, other readers, and what is refused."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shutil
import traceback
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import vendorkit as vk
from tests.dataset_files import leftovers, newest, part_files
from vendorkit.errors import IncompletePull, SettingsError, UsageError
from vendorkit.frames import Drift, fold
from vendorkit.resource import Changes
from vendorkit.saved import commits, log
from vendorkit.saved import write as filling
from vendorkit.saved.dataset import Dataset
from vendorkit.vendors.mediagenix.changes import FeedChanges

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
FEW = ["id", "status", "public_price", "updated_at"]


@pytest.fixture
def two(medipim, vendors, tmp_path, monkeypatch) -> tuple[vk.Query, Dataset, Dataset, list[str]]:
    """A dataset of several parts before and after an update: one price changed, one product added, one gone."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)
    query = medipim.products.query(brand=list(range(1, 40)), status=["active", "replaced"])
    first = query.save(tmp_path / "p", columns=FEW)
    ids = list(first.frame()["id"])
    vendors["medipim"].change("edit", ids[300])
    vendors["medipim"].change("deactivate", ids[2])
    return query, first, query.update(tmp_path / "p"), ids


def test_a_dataset_is_one_version(two):
    """The older value still shows the older version; `load` takes a version, too."""
    _, first, second, ids = two
    assert (first.version, second.version) == (0, 1)
    assert list(first.frame()["id"]) == ids
    assert list(second.frame()["id"]) == [one for one in ids if one != ids[2]]
    pd.testing.assert_frame_equal(vk.load(first.path, version=0), first.frame())
    pd.testing.assert_frame_equal(vk.load(first.path), second.frame())
    with pytest.raises(UsageError, match=r"has no version 7\. Existing versions: 0, 1\."):
        vk.load(first.path, version=7)
    for wrong in (-1, True, "1", 1.5):
        with pytest.raises(UsageError, match="version must be the number of a version"):
            vk.load(first.path, version=wrong)


def test_no_columns_are_no_damage(two):
    """As for `frame()`."""
    query, _, second, _ = two
    for call in (query.frame, query.tables, second.frame, partial(vk.load, second.path), partial(second.changes, 0)):
        with pytest.raises(UsageError, match=r"columns must be a list of column names, not \[\]"):
            call(columns=[])


def test_a_tilde_is_the_users_own_folder(medipim, tmp_path, monkeypatch):
    """As in pandas; no folder named `~` is created."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert medipim.brands.query(id=9).save("~/brands").path == tmp_path / "home" / "brands"
    assert len(vk.load(Path("~/brands"))) == 1


def test_a_dataset_is_that_of_its_folder_wherever_the_notebook_goes(medipim, tmp_path, monkeypatch):
    """A relative path means the working folder of that time: another one may have a dataset of the same name."""
    query = medipim.brands.query(id=9)
    saved, other = query.save("brands"), tmp_path / "other"
    medipim.brands.query(id=10).save(other / "brands")
    monkeypatch.chdir(other)
    assert saved.path == tmp_path / "brands"
    assert saved.frame()["id"].tolist() == ["9"]
    assert saved.arrow().to_table()["id"].to_pylist() == ["9"]
    assert len(saved.history()) == 1


def test_a_wrong_call_of_a_dataset_leads_to_the_right_one(tmp_path):
    """As for a query."""
    dataset = Dataset(tmp_path, 0, True, 0, None, "", 0)
    for verb, said in (
        (dataset.changes, "missing a required argument: 'since'"),
        (lambda: dataset.changes(sinse=0), "Did you mean since?"),
        (dataset.compact, "missing a required argument: 'keep_days'"),
        (lambda: dataset.frame("id"), "too many positional arguments. Its arguments: columns"),
    ):
        with pytest.raises(UsageError, match=said):
            verb()


def test_history_has_a_row_per_version(two):
    """The newest first; of the older Dataset up to its own version."""
    _, first, second, ids = two
    history = second.history()
    assert list(history.columns) == ["version", "at", "rows", "added", "changed", "removed"]
    assert history.drop(columns="at").to_numpy().tolist() == [[1, len(ids) - 1, 0, 1, 1], [0, len(ids), len(ids), 0, 0]]
    assert history["at"].is_monotonic_decreasing
    assert len(first.history()) == 1


def test_changes_are_one_row_each(two):
    """A changed value has its column, and the old and new value as text; an added or removed record has no column."""
    _, first, second, ids = two
    old = first.frame().set_index("id")
    found = second.changes(since=0)
    assert list(found.columns) == ["key", "version", "change", "column", "old", "new"]
    price = found[found["column"] == "public_price"].iloc[0]
    before = old["public_price"][ids[300]]
    assert price["key"] == ids[300]
    assert (price["old"], price["new"]) == (None if pd.isna(before) else str(before), "1000000")
    gone = found[found["change"] == "removed"]
    assert gone["key"].tolist() == [ids[2]]
    assert gone[["column", "old", "new"]].isna().all(axis=None)
    assert second.changes(since=0, columns="public_price").query("change == 'changed'")["column"].unique().tolist() == [
        "public_price"
    ]
    assert second.changes(since=0, columns=["public_price"] * 2).equals(second.changes(since=0, columns="public_price"))
    assert second.changes(since=1).empty
    assert second.changes(since=1).dtypes.equals(found.dtypes)
    with pytest.raises(UsageError, match="since must be a version before 0"):
        first.changes(since=1)
    with pytest.raises(UsageError, match=r"has no version 9\. Existing versions: 0, 1"):
        second.changes(since=9)
    with pytest.raises(UsageError, match=r"no column 'public_prise'.*public_price"):
        second.changes(since=0, columns="public_prise")


def test_changes_are_those_of_a_comparison_in_memory(medipim, vendors, tmp_path, monkeypatch):
    """Over three versions, one of them a whole download; equal to what pandas finds."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)
    query = medipim.products.query(brand=list(range(1, 40)))
    query.save(tmp_path / "p", columns=FEW)
    ids = list(vk.load(tmp_path / "p")["id"])
    vendors["medipim"].change("edit", *ids[5:9], ids[-1])
    query.update(tmp_path / "p")
    vendors["medipim"].change("delete", ids[40])  # which is not reported: everything is downloaded
    vendors["medipim"].change("add")
    dataset = query.update(tmp_path / "p")
    old, new = (vk.load(tmp_path / "p", version=number).set_index("id").astype("string") for number in (0, 2))
    same = old.index.intersection(new.index)
    differ = (old.loc[same] != new.loc[same]).fillna(False) | (old.loc[same].isna() != new.loc[same].isna())
    found = dataset.changes(since=0)
    changed = found[found["change"] == "changed"]
    assert set(zip(changed["key"], changed["column"], strict=True)) == {
        (key, name) for name in differ for key in differ.index[differ[name]]
    }
    assert set(found[found["change"] == "removed"]["key"]) == {*old.index} - {*new.index}
    assert set(found[found["change"] == "added"]["key"]) == {*new.index} - {*old.index}
    last = dataset.history().iloc[0]
    middle = vk.load(tmp_path / "p", version=1)
    assert (last["added"], last["removed"]) == (len({*new.index} - {*middle["id"]}), 1)
    assert last["changed"] == dataset.changes(since=1).query("change == 'changed'")["key"].nunique()


def test_changes_of_records_without_a_key_are_refused(pledg, medipim, tmp_path):
    """Records cannot be matched if the key was not saved."""
    dataset = medipim.brands.query(id=9).save(tmp_path / "b", columns=["name"])
    with pytest.raises(UsageError, match=r"saved without 'id'.*Save another dataset with 'id'"):
        dataset.changes(since=0)
    plan = pledg.payment_schedule.query(amount_cents=20_000, created="2026-01-31").save(tmp_path / "p")
    with pytest.raises(UsageError, match="have no id"):
        plan.changes(since=0)


def test_filters_are_those_of_pandas(two):
    """A filter may use any column, even one that is not loaded; an invalid filter is refused."""
    _, _, second, ids = two
    whole = second.frame()
    some = vk.load(second.path, columns=["id"], filters=[("status", "==", "replaced"), ("id", "!=", ids[0])])
    expected = whole[(whole["status"] == "replaced") & (whole["id"] != ids[0])][["id"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)
    for form in (tuple, list):  # from JSON, conditions are lists
        condition = form(["status", "==", "replaced"])
        assert len(vk.load(second.path, filters=form([condition, form(["id", "!=", ids[0]])]))) == len(some)
    either = vk.load(second.path, filters=[[("id", "==", ids[5])], [("id", "in", [ids[9]])]])
    assert either["id"].tolist() == [ids[5], ids[9]]
    for kind in (set, tuple, pd.Series, pd.Index, np.array, pd.Categorical, list.__iter__, pa.array):
        assert len(vk.load(second.path, columns="id", filters=[("id", "in", kind([ids[5], ids[9]]))])) == 2
    for none in ([], pd.Series([], dtype=str), pd.Series([])):
        assert len(vk.load(second.path, filters=[("id", "in", none)])) == 0
    prices = whole["public_price"].dropna().unique()[:3].tolist()
    assert set(vk.load(second.path, filters=[("public_price", "in", [*prices, None])])["public_price"]) >= {*prices}
    for op, rows in (("in", 0), ("not in", len(whole))):
        for one in (prices[0] + 0.5, Decimal(prices[0]) + Decimal("0.5")):
            assert len(vk.load(second.path, filters=[("public_price", op, [one])])) == rows
    with pytest.raises(UsageError, match=r"no column 'statos'.*status"):
        vk.load(second.path, filters=[("statos", "==", "active")])
    circle: list = []
    circle.append(circle)
    wrongs = [
        "status",
        5,
        [("id",)],
        [("id", "~", "x")],
        [("public_price", "==", "x")],
        [()],
        circle,
        itertools.count(),
    ]
    wrongs += [[("id", "in", one)] for one in (ids[0], 5, {"a": 1}, [1], [[ids[0]]])]
    wrongs += [[("updated_at", ">", one)] for one in ("x", 5, True, 1.5, pd.NaT, [])]
    wrongs += [[("public_price", "==", one)] for one in (10**30, circle, itertools.count(), {"a": 1})]
    for wrong in wrongs:
        with pytest.raises(UsageError, match="filters must be"):
            vk.load(second.path, filters=wrong)


def test_filters_on_times_take_what_pandas_compares_with_them(two):
    """A text, a day, a time with or without a zone (UTC if without), as in `frame[frame["updated_at"] > ...]`."""
    _, _, second, _ = two
    whole = second.frame()
    day = str(whole["updated_at"].dropna().sort_values().iloc[100].date())
    expected = whole[whole["updated_at"] >= day].reset_index(drop=True)
    assert 0 < len(expected) < len(whole)
    utc = pd.Timestamp(day, tz="UTC")
    values = [day, pd.Timestamp(day), np.datetime64(day), date.fromisoformat(day), datetime.fromisoformat(day), utc,
              utc.tz_convert("America/Lima")]  # fmt: skip
    for value in values:
        pd.testing.assert_frame_equal(vk.load(second.path, filters=[("updated_at", ">=", value)]), expected)
        assert len(vk.load(second.path, filters=[("updated_at", "in", [value])])) == sum(whole["updated_at"] == day)


def test_filters_on_days_take_what_pandas_compares_with_them(mediagenix, tmp_path):
    """Days are Arrow's dates in the files, and times in frames."""
    area = mediagenix.work_areas.query().frame(limit=1)["id"][0]
    saved = mediagenix.jobs.query(work_area=area).save(tmp_path / "jobs")
    days = saved.frame()["begins_at"]
    day = str(days.dropna().sort_values().iloc[-1].date())
    for make in (str, pd.Timestamp, np.datetime64, date.fromisoformat):
        for op, expected in (("<=", days <= day), ("==", days == day), ("in", days == day)):
            value = [make(day)] if op == "in" else make(day)
            found = vk.load(saved.path, columns="begins_at", filters=[("begins_at", op, value)])
            assert found["begins_at"].tolist() == days[expected].tolist()
            assert len(found)
    assert len(vk.load(saved.path, filters=[("begins_at", "in", [f"{day}T10:00"])])) == 0


def test_other_readers_get_one_version_in_order(two):
    """DuckDB, Polars, pandas and Dask, by `arrow()`; whole rows, in the vendor's order, after an update too."""
    import dask.dataframe as dd

    _, first, second, ids = two
    for dataset, expected in ((first, ids), (second, [one for one in ids if one != ids[2]])):
        stored = dataset.arrow()
        assert stored.to_table().column_names == [*FEW, "_position", "__undeclared"]
        assert stored.to_table()["_position"].to_pylist() == sorted(stored.to_table()["_position"].to_pylist())
        assert stored.to_table()["id"].to_pylist() == expected
        assert duckdb.sql("select id from stored").df()["id"].tolist() == expected
        assert pl.scan_pyarrow_dataset(stored).collect()["id"].to_list() == expected
        parts = list(stored.get_fragments())
        frame = dd.from_map(lambda part: part.to_table().to_pandas(), parts)
        assert frame.compute(scheduler="synchronous")["id"].tolist() == expected
    assert duckdb.sql("select count(*) from stored where status = 'active'").fetchall() == [
        (int((second.frame()["status"] == "active").sum()),)
    ]


def test_delta_readers_see_the_same_rows(two):
    """The table is one that other programs read: rows, versions, retention, and no path twice in a commit."""
    import deltalake

    _, first, second, ids = two
    table = deltalake.DeltaTable(str(second.path))
    assert table.version() == 1
    assert sorted(table.to_pyarrow_table()["id"].to_pylist()) == sorted(set(ids) - {ids[2]})
    kept = {"delta.logRetentionDuration", "delta.deletedFileRetentionDuration"}
    assert {table.metadata().configuration[name] for name in kept} == {"interval 3650 days"}
    for path in (first.path / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        named = [value["path"] for action in actions for kind, value in action.items() if kind in {"add", "remove"}]
        assert len(named) == len(set(named))
    assert not leftovers(first.path)


def test_an_update_leaves_other_parts_where_they_are(two):
    """Only parts with changed records are replaced."""
    _, first, second, _ = two
    old, new = (
        {part.name for part in log.newest(first.path).parts if version in part.name}
        for version in ("-00000000-", "-00000001-")
    )
    assert len(old) == first.parts - len(new)
    assert len(new) == 2
    assert second.parts == first.parts


def test_compact_deletes_what_only_old_versions_need(two):
    """A deleted version is refused, with a list of the others; users' own files stay; a second call frees nothing."""
    _, first, second, _ = two
    (first.path / "part-of-mine.parquet").write_bytes(b"mine")
    (first.path / "notes.txt").write_text("mine")
    before = second.frame()
    assert second.compact(keep_days=1) == 0
    assert second.compact(keep_days=0) > 0
    assert second.compact(keep_days=0) == 0
    pd.testing.assert_frame_equal(second.frame(), before)
    for gone in (first.frame, first.arrow, lambda: vk.load(first.path, version=0), lambda: second.changes(since=0)):
        with pytest.raises(UsageError, match=r"has no version 0 any more\. Existing versions: 1\."):
            gone()
    assert leftovers(first.path) == {"part-of-mine.parquet", "notes.txt"}
    assert len(second.history()) == 2
    assert (len(first.history()), first.compact(keep_days=0)) == (1, 0)
    for days in (np.int64(30), np.float32(0.5), Decimal(3), Fraction(7, 2)):
        assert second.compact(keep_days=days) == 0
    beyond = (-1, -0.5, Fraction(-1, 2), float("nan"), float("inf"), Decimal("sNaN"))
    for wrong in (*beyond, "1", None, True, np.timedelta64(3, "D")):
        with pytest.raises(UsageError, match="keep_days must be a number of days"):
            second.compact(keep_days=wrong)


def test_a_dataset_whose_folder_was_deleted_is_an_error(medipim, tmp_path):
    """Every method raises it, and none creates the folder again."""
    dataset = medipim.brands.query(id=[]).save(tmp_path / "b")
    shutil.rmtree(dataset.path)
    for method in (dataset.frame, dataset.history, dataset.arrow, lambda: dataset.compact(1)):
        with pytest.raises(UsageError, match=r"is not a saved dataset|has no version 0"):
            method()
    assert not dataset.path.exists()


def test_the_tenth_decides_between_a_merge_and_a_whole_download(medipim, vendors, tmp_path, monkeypatch):
    """One record in ten is merged in its place. One more, and everything is downloaded, in the vendor's order."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)
    query = medipim.products.query(brand=list(range(1, 40)))
    dataset = query.save(tmp_path / "p", columns=FEW)
    ids = list(dataset.frame()["id"])
    tenth = len(ids) // 10
    vendors["medipim"].change("touch", *ids[:tenth])
    query.update(tmp_path / "p")
    operations = [json.loads(path.read_text("utf-8").splitlines()[0])["commitInfo"]["operationParameters"]["mode"]
                  for path in sorted((tmp_path / "p" / "_delta_log").glob("*.json"))]  # fmt: skip
    assert operations[1] == "Append"
    vendors["medipim"].change("edit", *ids[: tenth + 1])
    updated = query.update(tmp_path / "p")
    last = (tmp_path / "p" / "_delta_log" / f"{2:020}.json").read_text("utf-8")
    assert json.loads(last.splitlines()[0])["commitInfo"]["operationParameters"]["mode"] == "Overwrite"
    pd.testing.assert_frame_equal(updated.frame(), query.frame(columns=FEW))
    assert updated.history().iloc[0][["added", "changed", "removed"]].tolist() == [0, tenth + 1, 0]


def test_a_stale_commit_is_refused(medipim, vendors, tmp_path, monkeypatch):
    """Without the lock, the second of two updates of the same version changes nothing."""
    query, folder = medipim.products.query(brand=9), tmp_path / "p"
    ids = list(query.save(folder, columns=FEW).frame()["id"])
    vendors["medipim"].change("edit", ids[0])

    def late(target, old, note):
        commits.commit(target, old, old.note)
        return commits.commit(target, old, note)

    monkeypatch.setattr(filling, "commit", late)
    with pytest.raises(IncompletePull, match=r"was not updated and is unchanged: .* could not be written"):
        query.update(folder)
    assert newest(folder).number == 1
    monkeypatch.setattr(filling, "commit", commits.commit)
    query.update(folder)
    assert vk.load(folder)["public_price"][0] == 1_000_000


def test_a_new_declaration_is_a_whole_download(medipim, vendors, tmp_path):
    """A dataset of an older vendorkit has other declared columns: the next version has the new ones."""
    query, folder = medipim.products.query(brand=9), tmp_path / "p"
    query.save(folder, columns=FEW)
    path = folder / "_delta_log" / f"{0:020}.json"
    lines = path.read_text("utf-8").splitlines()
    found = json.loads(lines[0])
    older = newest(folder).note
    older.schema = older.schema.set(2, pa.field("public_price", pa.string()))
    found["commitInfo"]["vendorkit"] = json.loads(log.encoded(older))
    path.write_text("\n".join([json.dumps(found), *lines[1:]]), "utf-8")
    dataset = query.update(folder)
    assert dataset.version == 1
    pd.testing.assert_frame_equal(dataset.frame(), query.frame(columns=FEW))


# -- undeclared fields


def test_undeclared_fields_are_one_column_for_other_readers(medipim, vendors, tmp_path, monkeypatch):
    """D5: a field that only some parts have is an object per row under the vendor's name; `load` gives the columns."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)
    vendors["medipim"].set(wrong_type_rate=0.2)
    query = medipim.products.query(status="inactive")
    dataset, frame = query.save(tmp_path / "p"), query.frame()
    pd.testing.assert_frame_equal(vk.load(tmp_path / "p"), frame)
    pd.testing.assert_frame_equal(vk.load(tmp_path / "p", columns=["new_field", "id"]), frame[["new_field", "id"]])
    stored = dataset.arrow()
    rows = duckdb.sql("select id, __undeclared ->> 'newField' as field from stored where field is not null").df()
    assert dict(zip(rows["id"], rows["field"], strict=True)) == dict(
        zip(*frame.loc[frame["new_field"].notna(), ["id", "new_field"]].T.to_numpy(), strict=True)
    )
    raw = next(name for name in frame.columns if name.endswith("__raw"))
    assert stored.to_table(
        filter=pa.compute.match_substring(pa.compute.field("__undeclared"), f'"{raw}":')
    ).num_rows == (frame[raw].notna().sum())
    only = vk.load(tmp_path / "p", columns=["id"], filters=[("new_field", "!=", "")])
    assert len(only) == frame["new_field"].notna().sum()


def test_members_keep_their_text_whatever_their_type_and_name(medipim):
    """1, 1.50, null, a text, and names that only differ in case or are those of other columns."""
    schema = medipim.products.query().schema.project(["id", "status"])
    names = ["newField", "NewField", "new-field", "id__raw", 'a"b', "meta.author", "é"]
    cells = ["1", "1.50", "null", '"x"', '{"a": [1]}', "[]", '"\\u00e9"']
    columns = [schema.undeclared((name,)) for name in names]
    texts = {
        one: [None] * at + [cell] + [None] * (9 - at) for at, (one, cell) in enumerate(zip(columns, cells, strict=True))
    }
    table = pa.table({"id": list("0123456789"), "status": ["s"] * 10, **texts, "id__raw": [None] * 8 + ["5", "6"]})
    folded, members = fold(table, schema, Drift(dict.fromkeys(names, 1)))
    assert json.loads(folded[0].as_py()) == {"newField": 1}
    assert folded[7].as_py() is None
    assert len(members) == 8
    for name, column in vk.frames.expand(folded, members).items():
        assert column.to_pylist() == table[name].to_pylist(), name


# -- what is refused


def test_a_missing_library_is_named(medipim, vendors, tmp_path, monkeypatch):
    """Before anything is sent or written; reading does not need it."""
    query = medipim.brands.query()
    query.save(tmp_path / "b")
    vendors["medipim"].clear_log()
    monkeypatch.setattr(commits, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"deltalake is not installed\. .*pip install 'vendorkit\[datasets\]'"):
        query.save(tmp_path / "c")
    with pytest.raises(SettingsError, match=r"vendorkit\[datasets\]"):
        commits.check_writable(tmp_path / "b")
    assert not (tmp_path / "c").exists()
    assert vendors["medipim"].requests == 0
    assert len(vk.load(tmp_path / "b")) == 300


@pytest.mark.parametrize("name", ["50%", "a%20b", "a\\b", "s3://x", "file:///x"])
def test_a_path_that_deltalake_takes_for_another_is_refused(medipim, vendors, tmp_path, monkeypatch, name):
    """Before anything is sent or written; also if the parent folder has such a name."""
    (tmp_path / "50% off").mkdir()
    given = name if "://" in name else f"{tmp_path}/{name}"
    with pytest.raises(UsageError, match=r"A dataset cannot be saved at .* Choose another folder"):
        medipim.brands.query().save(given)
    monkeypatch.chdir(tmp_path / "50% off")
    with pytest.raises(UsageError, match=r"A dataset cannot be saved at .* Choose another folder"):
        medipim.brands.query().save("plain")
    (tmp_path / "link").symlink_to("50% off")
    with pytest.raises(UsageError, match=r"A dataset cannot be saved at .* Choose another folder"):
        medipim.brands.query().save(tmp_path / "link")
    assert {one.name for one in tmp_path.iterdir()} == {"50% off", "link"}
    assert not list((tmp_path / "50% off").iterdir())
    assert vendors["medipim"].requests == 0


@pytest.mark.parametrize("name", ["a b", "a#b", "a?b", "ä", "-x", "a&b=c", "'q'", "*", "file:x"])
def test_other_names_work_for_every_reader(medipim, tmp_path, name):
    """Spaces, accents, `#` and `?`, from a relative path and by `arrow()`."""
    dataset = medipim.brands.query().save(name)
    assert dataset.arrow().to_table().num_rows == len(vk.load(name)) == 300
    assert (tmp_path / name / "_delta_log").is_dir()


def _in_child(folder: str, connection) -> None:
    found = []
    for verb in (
        lambda: vk.connect("medipim", environment="local").brands.query().save(f"{folder}-new"),
        lambda: len(vk.load(folder)),
        lambda: vk.load(folder) is not None and duckdb.from_arrow(log_arrow(folder)).count("*").fetchall()[0][0],
    ):
        try:
            found.append(verb())
        except Exception as exc:  # noqa: BLE001 - it is looked at by the parent
            found.append(f"{type(exc).__name__}: {exc}")
    connection.send(found)


def log_arrow(folder: str):
    """The newest version for other readers."""
    version = newest(Path(folder))
    return Dataset(Path(folder), 0, True, 0, None, "", version.number).arrow()


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_reads_and_is_refused_writing(medipim, tmp_path):
    """With deltalake imported before the fork: one typed error, nothing written; `load` and `arrow` work."""
    import deltalake  # noqa: F401

    folder = str(tmp_path / "b")
    medipim.brands.query().save(folder)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_in_child, args=(folder, theirs))
    process.start()
    assert ours.poll(60)
    refused, loaded, counted = ours.recv()
    process.join()
    assert refused.startswith("UsageError: Datasets cannot be written in this forked process")
    assert (loaded, counted) == (300, 300)
    assert not Path(f"{folder}-new").exists()


def test_errors_of_deltalake_become_typed_errors(medipim, vendors, tmp_path, monkeypatch):
    """A panic and its own errors become one typed error without its text; the next call goes on."""
    import deltalake.exceptions
    import deltalake.transaction

    class PanicException(BaseException):
        """As pyo3 raises it."""

    query = medipim.brands.query()
    for error in (PanicException("panicked"), deltalake.exceptions.DeltaError("delta text"), OSError("delta text")):

        def failing(*_, error=error, **__):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(deltalake.transaction, "create_table_with_add_actions", failing)
            with pytest.raises(IncompletePull, match=r"could not be written.*Try again") as caught:
                query.save(tmp_path / "b")
        assert "delta text" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.arrived.rows == 300
    vendors["medipim"].clear_log()
    assert query.save(tmp_path / "b").complete
    assert vendors["medipim"].requests == 0


def test_a_feed_that_is_unsound_does_not_stop_a_save(mediagenix, tmp_path, monkeypatch):
    """D16: stored, with a warning at the caller's line that it cannot be updated; the update says so too."""
    query = mediagenix.titles.query()
    with monkeypatch.context() as patched:
        patched.setattr(FeedChanges, "position", _malformed)
        with pytest.warns(UserWarning, match="titles: updates of this dataset will not be possible") as warned:
            assert query.save(tmp_path / "t", columns=["id"]).complete
    assert warned[0].filename == __file__
    assert len(vk.load(tmp_path / "t")) == 2000
    with pytest.raises(UsageError, match="position was not available"):
        query.update(tmp_path / "t")


def _malformed(self: Changes, ask: object):
    from vendorkit.errors import MalformedAnswer

    yield from ()
    what = "An event of the feed has no valid timestamp."
    raise MalformedAnswer(what)


def test_a_dataset_that_is_not_complete_has_no_versions(medipim, vendors, tmp_path):
    """Its methods raise an error that suggests to call `save` again."""
    query = medipim.products.query()
    vendors["medipim"].set(fail_next=[""] * 7 + ["404"])
    with pytest.raises(IncompletePull) as caught:
        query.save(tmp_path / "p", columns=["id"])
    begun = caught.value.arrived
    assert (begun.version, begun.complete) == (None, False)
    for verb in (begun.history, begun.arrow, lambda: begun.changes(0), lambda: begun.compact(1)):
        with pytest.raises(UsageError, match=r"is not complete, so it has no versions\. Call save\(\) again"):
            verb()
    assert part_files(tmp_path / "p")
