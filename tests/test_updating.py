"""Changes by `since=`, and updated datasets, which equal a fresh download whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from requests import Response

import vendorkit as vk
from tests.dataset_files import Died, begin, leftovers, newest, part_files
from vendorkit.ask import Since
from vendorkit.errors import IncompletePull, MalformedAnswer, NotAllowed, NotFound, UsageError
from vendorkit.frames import page_of
from vendorkit.pull.drive import drive
from vendorkit.saved import files
from vendorkit.saved import write as filling
from vendorkit.vendors.mediagenix.changes import FeedChanges
from vendorkit.vendors.medipim.changes import Updated

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
FEW = ["id", "status", "public_price", "updated_at"]
NOW = datetime(2100, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def change(vendors):
    """Change records of the mock Medipim, or of Mediagenix if they are paths."""

    def changed(action: str, *records: str) -> None:
        vendor = "mediagenix" if any("/" in record for record in records) else "medipim"
        vendors[vendor].change(action, *records)

    return changed


@pytest.fixture
def two_parts(monkeypatch):
    """Limit a part to 250 rows, so that most parts stay unchanged."""
    monkeypatch.setattr(filling, "PART_ROWS", 250)


def _by_key(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("id").reset_index(drop=True)


def _assert_up_to_date(query: vk.Query, folder: Path) -> pd.DataFrame:
    """Check that the dataset equals a fresh download, in any order, rows and `attrs`. Return its frame."""
    stored = vk.load(folder)
    question = newest(folder).note.question
    fresh = query.frame(columns=question.columns, locale=question.locale)
    pd.testing.assert_frame_equal(_by_key(stored), _by_key(fresh))
    attrs = stored.attrs["vendorkit"]
    same = ("vendor", "environment", "request", "complete")
    assert {name: attrs[name] for name in same} == {name: fresh.attrs["vendorkit"][name] for name in same}
    assert attrs["total"] in (len(stored), None)
    assert not leftovers(folder)
    return stored


# -- since


def test_since_asks_medipim_for_what_was_updated_whatever_its_bound_means(medipim, vendors, change):
    """`updatedSince` of the second before; the other filters stay; every verb takes it."""
    ids = list(medipim.products.query(brand=9).frame(columns=["id"])["id"])
    before = int(time.time())
    change("touch", *ids[:2])
    change("add")
    everything = medipim.products.query(since=before)
    assert everything.describe()["json"]["filter"] == {"updatedSince": before - 1}
    assert everything.count() == 3
    both = medipim.products.query(brand=9, since=datetime.fromtimestamp(before, timezone.utc))
    assert both.describe()["json"]["filter"] == {"and": [{"brand": 9}, {"updatedSince": before - 1}]}
    assert sorted(both.frame(columns=["id"])["id"]) == sorted(ids[:2])
    assert {record["id"] for record in both.records()} == set(ids[:2])
    assert medipim.media.query(since=before).count() == 2 * 3
    assert medipim.products.query(since=NOW).frame(columns=["id"]).empty


@pytest.mark.parametrize("accept", ["xml", "json"])
def test_since_reads_mediagenix_feed_and_fetches_what_it_names(mediagenix, vendors, change, accept):
    """Added and changed titles as they are now, each once; deleted ones are not included."""
    moment = datetime.now(timezone.utc) - timedelta(minutes=1)
    change("edit", "titles/17", "titles/18", "titles/17", "schedulings/1001")
    change("add", "titles/20")
    change("delete", "titles/18", "rights/2")
    found = mediagenix.titles.query(accept=accept, since=moment.isoformat()).frame()
    assert list(found["external_id"]) == ["EDIT-2", mediagenix.titles.get(20)["external_id"]]
    assert list(found.columns) == list(mediagenix.titles.query(accept=accept).frame(limit=1).columns)
    records = list(mediagenix.titles.query(since=moment).records())
    assert [record["id"] for record in records] == [17, 200_000_004]
    assert list(mediagenix.rights.query(since=moment).records()) == []


def test_since_a_moment_is_found_in_the_feed_by_a_few_requests(mediagenix, vendors):
    """The feed is asked by id alone; the place of a moment is found by halves, and what is newer is all of it."""
    feed = mediagenix.events.query(newer_than=0).frame()
    moment = feed["timestamp"].iloc[-40]
    about = feed.loc[feed["timestamp"] >= moment, "subject_link"].str.extract(r"/titles/(\d+)$")[0].dropna()
    there = {identifier for identifier in about if int(identifier) <= 2000}
    vendors["mediagenix"].clear_log()
    found = mediagenix.titles.query(since=moment.to_pydatetime()).frame()
    assert set(found["id"]) == there
    assert len([one for one in vendors["mediagenix"].log() if one["path"] == "/api/events"]) < 20
    assert mediagenix.titles.query(since=NOW).frame().empty


def test_since_works_below_a_parent_where_the_record_names_it(mediagenix, change):
    """Schedulings have no address of their own, but events; the platform is in their links."""
    moment = datetime.now(timezone.utc) - timedelta(minutes=1)
    ours, theirs = (list(mediagenix.schedulings.query(platform=n).frame(limit=5)["id"]) for n in (3, 2))
    change("edit", f"schedulings/{ours[0]}", f"schedulings/{theirs[0]}")
    assert set(mediagenix.schedulings.query(since=moment).frame()["id"]) == {ours[0], theirs[0]}
    assert list(mediagenix.schedulings.query(since=moment, platform=3).frame()["id"]) == [ours[0]]


def test_since_before_the_feed_begins_is_said(mediagenix, vendors):
    """If the feed does not reach back to the moment, an error is raised instead of returning only some changes."""
    vendors["mediagenix"].set(events_kept=10)
    with pytest.raises(NotFound, match=r"feed begins at 2026.*later time, or query without since="):
        mediagenix.titles.query(since="2026-01-01").frame()


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda m, o: m.brands.query(since=1), "does not report which brands changed.*Omit since="),
        (lambda m, o: o.work_areas.query(since=1), "does not report which work_areas changed"),
        (lambda m, o: o.titles.query(since=1, expand=["images"]), "whether their images did.*Query without it"),
        (lambda m, o: o.titles.query(since=1, external_id="A"), "whether changed titles match external_id="),
        (lambda m, o: o.titles.query(since=1, brand=3), "whether changed titles match brand="),
        (lambda m, o: o.schedulings.query(since=1, title_group=3), "whether changed schedulings match title_group="),
        (lambda m, o: m.products.query(since="yesterday"), "since must be .* ISO 8601 string .*not 'yesterday'"),
        (lambda m, o: m.products.query(since=(1, 2)), r"since must be a date, .*, not \(1, 2\)"),
        (lambda m, o: m.products.query(created_at=(None, None)), r"created_at must be .* or a pair \(from, until\)"),
    ],
)
def test_since_is_refused_where_no_one_could_tell(medipim, mediagenix, vendors, ask, why):
    """Before anything is sent, with a remedy."""
    with pytest.raises(UsageError, match=why):
        ask(medipim, mediagenix)
    assert vendors["medipim"].requests == vendors["mediagenix"].requests == 0


def test_since_of_two_questions_is_two_questions(mediagenix, tmp_path):
    """A feed's address says nothing of the platform; what is saved for one is not taken for the other's."""
    first, second = (mediagenix.schedulings.query(platform=n, since=NOW) for n in (2, 3))
    assert first.describe() != second.describe()
    first.save(tmp_path / "s")
    with pytest.raises(UsageError, match="another query; different: request"):
        second.save(tmp_path / "s")


# -- update


def test_update_of_medipim_equals_a_fresh_pull(medipim, vendors, change, tmp_path, two_parts):
    """Edited and replaced records keep their place, new ones come last, inactive ones are gone; also when repeated."""
    query, folder = medipim.products.query(status=["active", "replaced"]), tmp_path / "p"
    query.save(folder, columns=FEW)
    before = vk.load(folder)
    ids = list(before["id"])
    change("edit", ids[300])
    change("replace", ids[301])
    change("deactivate", ids[302], ids[2000])
    change("add")
    change("add")
    change("add")
    files = {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*")}
    vendors["medipim"].clear_log()
    dataset = query.update(folder)
    assert vendors["medipim"].requests == 4  # the clock, all that changed, what of it matches, and the total
    after = _assert_up_to_date(query, folder)
    assert dataset == vk.Dataset(folder, len(after), complete=True, parts=dataset.parts, total=len(after),
                                 fetched_at=dataset.fetched_at, version=1)  # fmt: skip
    kept = [one for one in ids if one not in (ids[302], ids[2000])]
    assert list(after["id"][: len(kept)]) == kept
    assert after.set_index("id").loc[ids[301], "status"] == "replaced"
    assert after.set_index("id").loc[ids[300], "public_price"] == 1_000_000
    same = {path.name for path in folder.glob("part-*") if files.get(path.name) == path.stat().st_mtime_ns}
    assert len(files) - len(same) <= 3  # two that were touched, and the last
    assert query.update(folder).rows == len(after)
    pd.testing.assert_frame_equal(vk.load(folder), after)


def test_update_finds_what_was_deleted_without_a_trace(medipim, vendors, change, tmp_path):
    """The total does not agree, so everything is downloaded as the next version."""
    query, folder = medipim.products.query(brand=[9, 10, 11]), tmp_path / "p"
    ids = list(query.save(folder).frame()["id"])
    change("delete", ids[0], ids[7])
    change("edit", ids[8])
    dataset = query.update(folder)
    after = _assert_up_to_date(query, folder)
    assert (dataset.rows, list(after["id"])) == (len(ids) - 2, ids[1:7] + ids[8:])


def test_update_past_the_window_counts_by_the_stream(medipim, change, tmp_path):
    """10,000 media and more: pages do not say how many there are."""
    query, folder = medipim.media.query(), tmp_path / "m"
    query.save(folder, columns=["id", "type", "updated_at"])
    change("add")
    change("touch", medipim.products.query(brand=9).frame(columns=["id"], limit=1)["id"][0])
    assert query.update(folder).rows == 10_002
    _assert_up_to_date(query, folder)


@pytest.mark.parametrize("accept", ["xml", "json"])
def test_update_of_mediagenix_follows_the_feed(mediagenix, vendors, change, tmp_path, accept):
    """Insertions, changes and deletions are found by their events, with few requests; also when repeated."""
    query, folder = mediagenix.titles.query(accept=accept, expand=["metadata"]), tmp_path / "t"
    query.save(folder)
    change("edit", "titles/17")
    change("add", "titles/18")
    change("delete", "titles/3")
    vendors["mediagenix"].clear_log()
    query.update(folder)
    assert vendors["mediagenix"].requests < 15
    after = _assert_up_to_date(query, folder)
    assert list(after["id"][[0, 1, 2, 1999]]) == ["1", "2", "4", "200000001"]
    query.update(folder)
    pd.testing.assert_frame_equal(vk.load(folder), after)


def test_update_below_a_parent(mediagenix, change, tmp_path):
    """Events are of all platforms; the dataset is of one."""
    query, folder = mediagenix.schedulings.query(platform=3), tmp_path / "s"
    ids, others = list(query.save(folder).frame()["id"]), list(mediagenix.schedulings.query(platform=2).frame()["id"])
    change("edit", f"schedulings/{ids[3]}", f"schedulings/{others[3]}")
    change("add", f"schedulings/{ids[4]}", f"schedulings/{others[4]}")
    change("delete", f"schedulings/{ids[5]}", f"schedulings/{others[5]}")
    assert query.update(folder).rows == len(ids)
    _assert_up_to_date(query, folder)


def test_update_with_nothing_new_writes_no_part(mediagenix, vendors, tmp_path):
    """Few requests, the same files, and a new version with the time of the update."""
    query, folder = mediagenix.titles.query(), tmp_path / "t"
    query.save(folder, columns=["id", "name"])
    stored = newest(folder)
    vendors["mediagenix"].clear_log()
    dataset = query.update(folder)
    assert [one["path"] for one in vendors["mediagenix"].log() if one["status"] == 200].count("/api/titles") == 1
    assert newest(folder).parts == stored.parts
    assert (dataset.version, dataset.fetched_at >= stored.note.fetched_at) == (1, True)
    assert dataset.history()[["added", "changed", "removed"]].to_numpy().tolist() == [[0, 0, 0], [2000, 0, 0]]


def test_update_until_nothing_is_left(mediagenix, change, tmp_path):
    """If all records are gone, the frame is empty and has the same dtypes."""
    query, folder = mediagenix.rights.query(title=1), tmp_path / "r"
    whole = query.save(folder).frame()
    change("delete", *(f"rights/{one}" for one in whole["id"]))
    assert query.update(folder).rows == 0
    pd.testing.assert_series_equal(_assert_up_to_date(query, folder).dtypes, whole.dtypes)


def test_update_reads_late_events_again(mediagenix, vendors, change, tmp_path):
    """An event whose id is lower than one that was seen already may come late; the last minutes are read again."""
    query, folder = mediagenix.titles.query(), tmp_path / "t"
    query.save(folder, columns=["id", "external_id"])
    place = newest(folder).note.position
    change("edit", "titles/17")
    query.update(folder)
    assert newest(folder).note.position == place


@pytest.mark.parametrize(
    ("entries", "verb"),
    [
        ('"none"', "position"),
        ("[1]", "position"),
        ('[{"id": "x", "timestamp": "2026-01-01T00:00:00Z"}]', "position"),
        ('[{"id": 1, "timestamp": 5}]', "position"),
        ('[{"id": "x"}]', "changed_ids"),
        ('[{"id": 1}, {"id": 2, "subject_link": "https://[x"}]', "changed_ids"),
    ],
)
def test_a_feed_at_fault_is_a_typed_error(mediagenix, monkeypatch, entries, verb):
    """Neither the mark nor the changes pass a bare error on."""
    response = Response()
    response._content = f'{{"entries": {entries}}}'.encode()
    monkeypatch.setattr(mediagenix.session, "send", lambda _: response)
    ask = replace(mediagenix.titles.query().ask, since=Since(1, is_event_id=True))
    flow = getattr(mediagenix.titles.query().resource.changes, verb)(ask)
    with pytest.raises(MalformedAnswer):
        list(drive(flow, mediagenix.fetch))


def test_a_feed_that_shrinks_while_a_moment_is_looked_for(mediagenix, monkeypatch):
    """The search ends, and the place it finds is not there any more."""
    moment = mediagenix.events.query(newer_than=0).frame()["timestamp"].iloc[-40]
    fetch, calls = mediagenix.fetch, []

    def shrinking(call, stop):
        calls.append(call)
        yield from fetch(call, stop) if len(calls) < 3 else [page_of([])]

    monkeypatch.setattr(mediagenix, "fetch", shrinking)
    with pytest.raises(NotFound, match="no longer includes"):
        mediagenix.titles.query(since=moment.to_pydatetime()).frame()


def test_update_of_a_feed_that_forgot_is_refused(mediagenix, vendors, change, tmp_path):
    """The last known event is gone, so later ones may be gone too. The dataset is unchanged."""
    query, folder = mediagenix.titles.query(), tmp_path / "t"
    query.save(folder, columns=["id", "external_id"])
    before = vk.load(folder)
    change("edit", *(f"titles/{n}" for n in range(1, 8)))
    vendors["mediagenix"].set(events_kept=7)
    with pytest.raises(NotFound, match=r"no longer includes event \d+\..*delete a saved dataset and save it again"):
        query.update(folder)
    pd.testing.assert_frame_equal(vk.load(folder), before)


@pytest.mark.parametrize("accept", ["json", "xml"])
def test_update_where_new_columns_come_and_go(mediagenix, vendors, change, tmp_path, accept):
    """Columns of undeclared fields appear with the first record that has them, and disappear with the last one."""
    query, folder = mediagenix.titles.query(accept=accept), tmp_path / "t"
    vendors["mediagenix"].set(wrong_type_rate=0.002)
    query.save(folder)
    assert "newly_added" in vk.load(folder)
    odd = vk.load(folder)
    gone = odd.loc[odd["newly_added"].notna(), "id"]
    vendors["mediagenix"].set(wrong_type_rate=0.0)
    change("edit", *(f"titles/{one}" for one in gone))
    query.update(folder)
    assert "newly_added" not in _assert_up_to_date(query, folder)


# -- what is refused, and what survives


def test_update_is_refused_without_a_dataset_to_update(medipim, mediagenix, vendors, tmp_path, monkeypatch):
    """No dataset, another question's, one that is not whole, without ids, or saved before the feed could be read."""
    query = mediagenix.titles.query(accept="json")
    with pytest.raises(UsageError, match=r"not a saved dataset.*query\.save"):
        query.update(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    query.save(tmp_path / "t", columns=["id"])
    with pytest.raises(UsageError, match="another query; different: request"):
        mediagenix.titles.query(accept="json", licensor=3).update(tmp_path / "t")
    with pytest.raises(UsageError, match="another query; different: vendor"):
        medipim.products.query().update(tmp_path / "t")
    of_changes = mediagenix.titles.query(since=NOW)
    of_changes.save(tmp_path / "since")
    with pytest.raises(UsageError, match=r"cannot be updated.*without since="):
        of_changes.update(tmp_path / "since")
    with pytest.raises(UsageError, match="does not report which brands changed"):
        medipim.brands.query().update(tmp_path / "t")
    query.save(tmp_path / "names", columns=["name"])
    with pytest.raises(UsageError, match="saved without 'id'"):
        query.update(tmp_path / "names")
    with files.locked(tmp_path / "t"), pytest.raises(UsageError, match="being written by another process"):
        query.update(tmp_path / "t")
    part_files(tmp_path / "t")[0].write_bytes(b"torn")
    with pytest.raises(UsageError, match=r"is not complete.*save\(\) first"):
        query.update(tmp_path / "t")
    begin(monkeypatch, query, tmp_path / "begun", 1, columns=["id"])
    with pytest.raises(UsageError, match=r"is not complete.*save\(\) first, which continues"):
        query.update(tmp_path / "begun")


def test_a_robot_that_may_not_read_the_feed_can_save_but_not_update(mediagenix, tmp_path, monkeypatch):
    """Not every account may read the events."""

    def refused(*_):
        what = "no"
        raise NotAllowed(what)

    monkeypatch.setattr(FeedChanges, "position", refused)
    query = mediagenix.brands.query()
    assert query.save(tmp_path / "b").complete
    with pytest.raises(UsageError, match=r"position was not available.*you may not read it"):
        query.update(tmp_path / "b")


LATER = [pytest.param(how, marks=pytest.mark.slow) for how in ("after", "after, pulled anew")]


@pytest.mark.parametrize("how", ["before", *LATER])
def test_an_update_that_dies_at_any_write_leaves_the_old_or_the_new(medipim, change, tmp_path, monkeypatch, how):
    """W09: around each rename and the commit, `load` gives one of the two as a whole, the next update the new one."""
    monkeypatch.setattr(filling, "PART_ROWS", 50)
    query = medipim.products.query(brand=list(range(1, 40)))
    folder, fatal, seen, left = tmp_path / "p", 0, set(), 0
    ids = list(query.save(folder, columns=FEW).frame()["id"])

    def deadly(act, *args):
        nonlocal left
        left -= 1
        if left < 0 and how != "before":
            act(*args)
        if left < 0:
            raise Died
        return act(*args)

    rename, commit = os.replace, filling.commit
    while True:
        old, left = _by_key(vk.load(folder)), fatal
        change("edit", ids[fatal], ids[-1])
        if how == "after, pulled anew":
            change("delete", ids[20 + fatal])
        with monkeypatch.context() as patched:
            patched.setattr(files.Path, "replace", lambda *args: deadly(rename, *args))
            patched.setattr(filling, "commit", lambda *args, **how: deadly(partial(commit, **how), *args))
            try:
                query.update(folder)
            except Died:
                pass
            else:
                break
        found, new = _by_key(vk.load(folder)), _by_key(query.frame(columns=FEW))
        assert found.equals(old) or found.equals(new)
        seen.add(found.equals(new))
        query.update(folder)
        _assert_up_to_date(query, folder)
        fatal += 1
    assert fatal >= 4
    assert seen == ({False} if how == "before" else {False, True})


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_update_on_a_full_disk_leaves_the_old_dataset(medipim, change, tmp_path, monkeypatch, call):
    """W10: one typed error with the way on; not a byte of the dataset is changed, and no leftover stays."""
    query, folder = medipim.products.query(brand=9), tmp_path / "p"
    ids = list(query.save(folder).frame()["id"])
    change("edit", ids[0])
    before = _contents(folder)
    real, room = (os.fsync if call == "fsync" else os.replace), [3 if call == "fsync" else 1]

    def full(*args):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(os if call == "fsync" else files.Path, call, full)
        with pytest.raises(
            IncompletePull, match=r"was not updated and is unchanged: .*No space left.* update\(\) again"
        ) as caught:
            query.update(folder)
    assert caught.value.arrived.rows == len(ids)
    assert _contents(folder) == before
    query.update(folder)
    _assert_up_to_date(query, folder)


def test_an_update_whose_pull_breaks_off_leaves_the_old_dataset(medipim, vendors, change, tmp_path):
    """At the clock, the changes, or the total: the next update does everything."""
    query, folder = medipim.products.query(brand=9), tmp_path / "p"
    ids = list(query.save(folder).frame()["id"])
    change("edit", ids[0])
    before = vk.load(folder)
    for requests in range(4):
        vendors["medipim"].set(fail_next=[""] * requests + ["404"])
        with pytest.raises((IncompletePull, vk.errors.NotFound)):
            query.update(folder)
        pd.testing.assert_frame_equal(vk.load(folder), before)
    query.update(folder)
    _assert_up_to_date(query, folder)


def test_change_during_an_update_is_in_the_next_one(medipim, change, tmp_path, monkeypatch):
    """The clock is read before the download, so no change falls between two updates."""
    query, folder = medipim.products.query(brand=9), tmp_path / "p"
    ids = list(query.save(folder).frame()["id"])
    change("edit", ids[0])
    changed_ids = Updated.changed_ids

    def late(self, asked):
        yield from changed_ids(self, asked)
        change("edit", ids[1])

    with monkeypatch.context() as patched:
        patched.setattr(Updated, "changed_ids", late)
        query.update(folder)
    query.update(folder)
    _assert_up_to_date(query, folder)


def test_a_reader_whose_parts_are_deleted_reads_the_newest_version(medipim, change, tmp_path, monkeypatch):
    """`load` does not report damage if the dataset was updated and compacted between its log and a part."""
    query, folder = medipim.products.query(brand=9), tmp_path / "p"
    query.save(folder, columns=FEW)
    change("touch", vk.load(folder)["id"][0])
    read, compacted = files.read_file, []

    def late(path, most):
        if path.suffix == ".parquet" and not compacted:
            compacted.append(True)
            compacted.append(query.update(folder).compact(keep_days=0))
        return read(path, most)

    monkeypatch.setattr(files, "read_file", late)
    pd.testing.assert_frame_equal(vk.load(folder), query.frame(columns=FEW))
    assert compacted[1] > 0


@pytest.mark.usefixtures("two_parts")
def test_a_dataset_that_was_updated_and_torn_is_saved_again(medipim, change, tmp_path):
    """The vendor's pages do not lead on from what was folded: the next save starts over where it has to."""
    query, folder = medipim.products.query(brand=list(range(1, 40))), tmp_path / "p"
    ids = list(query.save(folder, columns=FEW).frame()["id"])
    change("edit", ids[0], ids[-1])
    dataset = query.update(folder)
    assert dataset.parts > 2
    sorted(folder.glob("part-*"))[1].write_bytes(b"torn")
    assert query.save(folder, columns=FEW).complete
    _assert_up_to_date(query, folder)
