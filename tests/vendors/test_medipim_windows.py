"""Past Medipim's window: windows by creation give the stream's rows, resumable, each record once."""

from __future__ import annotations

import json
import re
from itertools import islice
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vendorkit as vk
from tests.dataset_files import begin
from vendorkit import local
from vendorkit.ask import Ask
from vendorkit.errors import IncompletePull, UsageError, VendorUnavailable
from vendorkit.frames import page_of
from vendorkit.query import Query
from vendorkit.saved import write as filling
from vendorkit.vendors.medipim import windows as medipim_windows
from vendorkit.vendors.medipim.paging import Windowed
from vendorkit.vendors.medipim.windows import PAGE, Window, Windows, pages_as_spans

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")

COLUMNS = ["id", "created_at", "name_nl", "brands"]


@pytest.fixture(scope="module")
def large():
    """A mock server with more products and media than the window shows."""
    with local.start(vendors=("medipim",), products=10_600) as running:
        yield running


@pytest.fixture
def beyond(large, monkeypatch):
    """A client of it."""
    monkeypatch.setattr(local, "shared", lambda *_: large)
    large["medipim"].set(fail_next=[])
    large["medipim"].clear_log()
    return vk.connect("medipim", environment="local")


def bodies_of(client, monkeypatch):
    """The JSON of every call that the client sends from now on."""
    sent, send = [], client.session.send

    def noting(call):
        sent.append(call.json)
        return send(call)

    monkeypatch.setattr(client.session, "send", noting)
    return sent


def by_id(frame):
    """The rows in the order of their ids."""
    return frame.sort_values("id", ignore_index=True)


class Fake:
    """A vendor that answers the planner's calls from a list of creation times, which None may be among."""

    def __init__(self, times, *, inclusive=True):
        self.times, self.inclusive = times, inclusive
        self.windows = Windows("products", lambda ask, number, size: SimpleNamespace(ask=ask, number=number, size=size))

    def after(self, moment):
        """The times from a moment on."""
        return [t for t in self.times if t is not None and (t >= moment if self.inclusive else t > moment)]

    def held(self, where):
        """The times that a window's filter matches."""
        if "not" in where:
            return [t for t in self.times if t is None]
        if "createdAt" in where:
            return self.after(where["createdAt"]["from"])
        first, second = where["and"]
        behind = set(self.after(second["not"]["createdAt"]["from"]))
        return [t for t in self.after(first["createdAt"]["from"]) if t not in behind]

    def answer(self, call):
        """The page of a call."""
        found = sorted(self.held(call.ask.where), key=lambda t: -1 if t is None else t)
        shown = found[call.number * call.size : (call.number + 1) * call.size]
        total = min(len(found), medipim_windows.WINDOW)
        records = [{"meta": {"createdAt": time}} for time in shown]
        return page_of(records, envelope={"meta": {"total": total}})

    def value(self, flow):
        """Run a flow that asks one call after the other."""
        reply = None
        while True:
            try:
                reply = self.answer(flow.send(reply))
            except StopIteration as end:
                return end.value

    def cut(self, step, since=0):
        """All windows from a second on."""
        found, window = [], self.value(self.windows.next(Ask("products"), since, step))
        while window is not None:
            found.append(window)
            more = window.since is not None
            window = self.value(self.windows.next(Ask("products"), window.before, step)) if more else None
        return found


@given(
    st.lists(st.none() | st.integers(1, 40), max_size=120),
    st.sampled_from([10, 20, 30]),  # the vendor's smallest page divides a step
    st.booleans(),
)
def test_every_record_is_in_exactly_one_window_that_fits(times, step, inclusive):
    """Whatever the times, many in one second or none at all, and whether `from` includes its own second or not."""
    fake = Fake(times, inclusive=inclusive)
    windows = fake.cut(step)
    sizes = [fake.held(window.restrict(Ask("products")).where) for window in windows]
    found = [time for held in sizes for time in held]
    assert sorted(map(str, found)) == sorted(map(str, times))
    if inclusive:
        assert all(len(held) <= window.most for held, window in zip(sizes, windows, strict=True))
        crowded = [w for w in windows if w.most > step and w.since is not None]
        assert all(window.before == window.since + 1 for window in crowded)


def test_cutting_goes_on_from_any_window():
    """What comes behind a window does not depend on where the cutting began."""
    fake = Fake([None, *range(1, 100), *[50] * 30])
    windows = fake.cut(10)
    for n, window in enumerate(windows[:-1]):
        assert fake.cut(10, window.before) == windows[n + 1 :]


def test_window_behind_a_record_that_hides_its_time_is_larger_by_it():
    """Seen with a million records: one at the edge had no createdAt, and the last of its window was not asked for."""
    windows = Windows("products", lambda *of: of)
    flow = windows.next(Ask("products"), 7, 9_750)
    _, number, size = next(flow)
    assert (number * size, size) == (9_750, 10)
    records = [{"id": "M1", "meta": {"createdAt": time}} for time in (None, None, 50)]
    with pytest.raises(StopIteration) as caught:
        flow.send(page_of(records, envelope={"meta": {"total": 9_999}}))
    assert caught.value.value == Window(7, 50, 9_752)


def test_second_that_no_window_can_hold_is_said(monkeypatch):
    """More than the vendor pages in one second: the stream is named as the way out."""
    monkeypatch.setattr(medipim_windows, "WINDOW", 20)
    with pytest.raises(UsageError, match=r"one second \(7\).*stream"):
        Fake([7] * 25).cut(10)


@given(st.integers(1, 9_999), st.integers(1, 60))
def test_ranges_of_pages_cover_every_row_once(total, parts):
    """Contiguous, none empty, no more than asked for."""
    spans = pages_as_spans(total, parts)
    assert sum(span.rows for span in spans) == total
    assert 1 <= len(spans) <= parts
    edges = [edge for span in spans for edge in span.asked[0][1:3]]
    assert edges[0] == 0
    assert edges[-1] == -(-total // PAGE)
    assert edges[1:-1:2] == edges[2::2]


def test_windows_and_stream_give_the_same_rows(beyond):
    """Both strategies, after sorting by id."""
    stream = beyond.products.query().frame(columns=COLUMNS)
    windows = beyond.products.query(strategy="windows").frame(columns=COLUMNS)
    assert windows.attrs["vendorkit"]["total"] == 10_600
    assert windows.attrs["vendorkit"]["complete"] is True
    pd.testing.assert_frame_equal(by_id(windows), stream)


def test_media_have_windows_too(beyond):
    """21,200 media in three windows."""
    assert beyond.media.query(strategy="windows").frame(columns=["id"])["id"].nunique() == 21_200


def test_windows_take_one_small_request_each(beyond, monkeypatch):
    """Beside the pages: the first look, a probe a window, the count of what has no time; all but the first small."""
    sent = bodies_of(beyond, monkeypatch)
    beyond.products.query(strategy="windows").frame(columns=["id"])
    small = [body for body in sent if body["page"]["size"] == 10]
    assert len(small) in (4, 5)  # the last asks whether records came meanwhile; again, if pages followed
    assert {body["page"]["no"] for body in small} == {975, 0}
    # 10,600 records are 43 pages, and the second window ends with one that is not full.
    assert len(sent) - len(small) <= 1 + 44


def test_filters_of_the_query_hold_in_every_window(beyond, monkeypatch):
    """The window is joined to the query's own filters by `and`, in the vendor's words."""
    sent = bodies_of(beyond, monkeypatch)
    where = {"not": {"brand": 9}}
    query = beyond.products.query(created_at=("2017-02-01", None), where=where, strategy="windows")
    window = Window(1_500_000_000, 1_600_000_000, 9750).restrict(query.ask)
    assert Query(beyond, window).describe()["json"]["filter"] == {
        "and": [
            {"createdAt": {"from": 1_485_907_200}},
            {
                "and": [
                    where,
                    {"and": [{"createdAt": {"from": 1_500_000_000}}, {"not": {"createdAt": {"from": 1_600_000_000}}}]},
                ]
            },
        ]
    }
    frame = query.frame(columns=["id"])
    assert len(frame) > 10_000
    assert list(frame.sort_values("id")["id"]) == list(replace_strategy(beyond, where).frame(columns=["id"])["id"])
    assert all('"brand": 9' in json.dumps(body) for body in sent)


def replace_strategy(client, where):
    """The same query by the stream."""
    return client.products.query(created_at=("2017-02-01", None), where=where)


def test_order_by_creation_holds_across_windows(beyond):
    """Windows come oldest first."""
    frame = beyond.products.query(sort="createdAt", strategy="windows").frame(columns=["created_at"])
    assert frame["created_at"].dropna().is_monotonic_increasing


def test_inside_the_window_pages_are_asked_for_as_ever(medipim, vendors):
    """5,000 products need no windows: 20 requests, and one whether records came meanwhile."""
    vendors["medipim"].clear_log()
    frame = medipim.products.query(strategy="windows").frame(columns=["id"])
    assert len(frame) == 5000
    assert vendors["medipim"].requests == 21


def test_records_and_limit_work_in_windows(beyond):
    """The other verbs pull the same way."""
    query = beyond.products.query(strategy="windows")
    assert len({record["id"] for record in query.records()}) == 10_600
    assert len(query.frame(limit=10_100, columns=["id"])) == 10_100


def test_save_goes_on_in_the_window_where_it_broke(beyond, monkeypatch, tmp_path):
    """Pages that are stored are not asked for again; the result is that of an unbroken pull."""
    monkeypatch.setattr(filling, "PART_ROWS", 1000)
    query = beyond.products.query(strategy="windows")
    send = beyond.session.send

    def failing(call):
        if call.json["page"] == {"no": 30, "size": 250}:
            what = "Page 30 is down."
            raise VendorUnavailable(what, remedy="Wait.")
        return send(call)

    monkeypatch.setattr(beyond.session, "send", failing)
    with pytest.raises(IncompletePull) as caught:
        query.save(tmp_path / "data", columns=COLUMNS)
    assert caught.value.arrived.rows == 7500
    monkeypatch.setattr(beyond.session, "send", send)
    sent = bodies_of(beyond, monkeypatch)
    assert query.save(tmp_path / "data", columns=COLUMNS).complete
    first = json.dumps(sent[0])
    assert '"no": 30' in first
    assert len([body for body in sent if body["page"]["size"] == 250]) <= 14
    loaded = vk.load(tmp_path / "data")
    pd.testing.assert_frame_equal(loaded, query.frame(columns=COLUMNS))


def test_save_that_ends_at_the_last_page_is_complete_at_the_next(beyond, monkeypatch, tmp_path):
    """A process that died between the last part and the last word has nothing left to fetch."""
    query = beyond.products.query(strategy="windows")
    begin(monkeypatch, query, tmp_path / "data", 99, columns=["id"])
    sent = bodies_of(beyond, monkeypatch)
    saved = query.save(tmp_path / "data", columns=["id"])
    assert saved.complete
    assert saved.rows == 10_600
    assert sent == []


def test_a_record_that_leaves_a_window_ends_the_pull(beyond, monkeypatch):
    """The one behind it moved to the page before, which was read already: the totals might still agree at the end."""
    send = beyond.session.send

    def leaving(call):
        response = send(call)
        if call.json["page"]["no"] >= 3 and call.json["page"]["size"] == 250:
            response._content = re.sub(
                rb'"total":\s*(\d+)', lambda found: b'"total":%d' % (int(found[1]) - 1), response.content, count=1
            )
        return response

    monkeypatch.setattr(beyond.session, "send", leaving)
    with pytest.raises(IncompletePull, match="Records left a window of products while") as caught:
        beyond.products.query(strategy="windows").frame(columns=["id"])
    assert len(caught.value.arrived) == 750


def test_windows_that_do_not_add_up_are_an_incomplete_pull(beyond, monkeypatch):
    """A vendor who leaves records out of every window is found out by the stream's total."""

    def more(*_):
        yield from ()
        return 10_607

    monkeypatch.setattr(Windowed, "exact_total", more)
    with pytest.raises(IncompletePull, match="10,600 rows arrived, but 10,607"):
        beyond.products.query(strategy="windows").frame(columns=["id"])
    with pytest.raises(IncompletePull, match="10,600 records, but the stream has 10,607"):
        beyond.products.query().dask(2)


@pytest.mark.parametrize("resource", ["products", "brands"])
def test_unknown_strategy_is_refused(medipim, resource):
    """Where there is a choice, the names are told; where there is none, that."""
    said = "stream, windows" if resource == "products" else "There are none"
    with pytest.raises(UsageError, match=said):
        getattr(medipim, resource).query(strategy="fast")


def test_first_pages_come_before_later_windows_are_looked_for(beyond, monkeypatch):
    """Bounded memory: a reader who stops early has not caused all requests."""
    sent = bodies_of(beyond, monkeypatch)
    batches = beyond.products.query(strategy="windows").batches(columns=["id"])
    assert len(list(islice(batches, 2))) == 2
    batches.close()
    assert len(sent) < 40
