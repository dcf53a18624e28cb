"""A query is a value, and each of its verbs gives the whole answer or says that it does not."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pandas as pd
import pytest
import requests
from tqdm import tqdm
from tqdm.utils import envwrap

import vendorkit as vk
from vendorkit.errors import (
    Cancelled,
    CredentialsRefused,
    IncompletePull,
    MalformedAnswer,
    UsageError,
    VendorUnavailable,
)
from vendorkit.http.call import Policy
from vendorkit.pull.result import DataMoved
from vendorkit.vendors.medipim import paging as medipim_paging

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
MADE_UP = {1: "One", 2: "Two", 3: "Three", 4: "Four"}
ASKED = {
    "medipim": lambda client: client.products.query(brand=9),
    "pledg": lambda client: client.payment_schedule.query(amount_cents=20_000, created="2026-01-31"),
    "mediagenix": lambda client: client.title_groups.query(expand=["metadata"]),
}


def brand(number: int, **changed) -> dict:
    """A made-up brand of Mediagenix."""
    return {"resource_type": "brand", "id": number, "name": MADE_UP[number], **changed}


@pytest.fixture
def pages(mediagenix, monkeypatch):
    """A query whose answers are the given pages, each a total and its records; the last one has no `next`."""

    def of(*given):
        def send(call):
            number = int(call.url.rpartition("=")[2] or 0) if "page=" in call.url else 0
            total, entries = given[number]
            body = {"total_entries": total, "entries": entries}
            if number + 1 < len(given):
                body["next_link"] = f"/api/brands?page={number + 1}"
            response = requests.Response()
            response.status_code, response._content = 200, json.dumps(body).encode()
            return response

        monkeypatch.setattr(mediagenix.session, "send", send)
        return mediagenix.brands.query(accept="json")

    return of


def test_query_cannot_be_changed(medipim):
    """It may be kept, repeated and shared between threads."""
    query = medipim.products.query(brand=9)
    with pytest.raises(dataclasses.FrozenInstanceError):
        query.sort = "name"
    with pytest.raises(dataclasses.FrozenInstanceError):
        query.filters = {}


def test_query_is_independent_of_its_arguments(medipim):
    """A dictionary that is changed afterwards changes no question that was asked with it."""
    where = {"or": [{"brand": 9}, {"brand": 10}]}
    query = medipim.products.query(where=where, id=["1"])
    asked = query.describe()
    where["or"].append({"brand": 11})
    assert query.describe() == asked
    with pytest.raises(TypeError):
        query.filters["brand"] = 12


@pytest.mark.parametrize("vendor", ASKED)
def test_nothing_is_sent_before_a_verb(vendors, vendor):
    """Building, showing, describing and translating a query cost no request."""
    query = ASKED[vendor](vk.connect(vendor, environment="local"))
    assert query.request().url.startswith(query.describe()["url"])
    assert vendor.capitalize() in repr(query)
    assert query.snippet("curl")
    assert query.schema.arrow.names
    assert vendors[vendor].requests == 0


@pytest.mark.parametrize("vendor", ASKED)
def test_frame_twice_is_the_same_frame(vendors, vendor):
    """The same rows in the same order with the same dtypes, and the same account of the pull."""
    query = ASKED[vendor](vk.connect(vendor, environment="local"))
    first, second = query.frame(), query.frame()
    pd.testing.assert_frame_equal(first, second)
    told = [{**frame.attrs["vendorkit"], "fetched_at": None} for frame in (first, second)]
    assert told[0] == told[1]
    assert told[0]["complete"] is True
    json.dumps(told)


def test_exact_copy_of_a_record_on_two_pages_is_dropped(pages):
    """P16: a row that slid to the next page came twice."""
    frame = pages((3, [brand(1), brand(2)]), (3, [brand(2), brand(3)])).frame()
    assert list(frame["id"]) == ["1", "2", "3"]
    assert frame.attrs["vendorkit"]["complete"] is True
    assert frame.attrs["vendorkit"]["pages"] == 2


def moved(query, verb):
    """The rows of a query whose data moved, and what the one warning says."""
    with pytest.warns(DataMoved) as caught:
        found = getattr(query, verb)()
    assert len(caught) == 1
    frame = found["brands"] if verb == "tables" else found
    assert frame.attrs["vendorkit"]["complete"] is False
    return frame, str(caught[0].message)


@pytest.mark.parametrize("verb", ["frame", "tables"])
def test_same_id_with_other_values_is_no_whole_pull(pages, verb):
    """P16: which of the two holds is not ours to choose; both came, and the warning names their pages."""
    query = pages((3, [brand(1), brand(2)]), (3, [brand(2, name="Changed"), brand(3)]))
    frame, said = moved(query, verb)
    assert list(frame["name"]) == ["One", "Two", "Changed", "Three"]
    assert "brands changed while pages 1 to 2 were fetched" in said


@pytest.mark.parametrize("verb", ["frame", "tables"])
def test_missing_row_is_no_whole_pull(pages, verb):
    """P17: fewer rows came than were announced."""
    query = pages((4, [brand(1), brand(2)]), (4, [brand(4)]))
    with pytest.raises(IncompletePull, match="3 rows arrived, but 4") as caught:
        getattr(query, verb)()
    assert list(caught.value.arrived["id"]) == ["1", "2", "4"]
    assert caught.value.arrived.attrs["vendorkit"]["complete"] is False


@pytest.mark.parametrize("verb", ["records", "batches"])
def test_iterators_end_with_an_error_where_a_row_is_missing(pages, verb):
    """P17: everything was handed out already, so that `arrived` is None."""
    query, came = pages((4, [brand(1), brand(2)]), (4, [brand(4)])), []
    with pytest.raises(IncompletePull) as caught:
        came.extend(getattr(query, verb)())
    assert len(came) >= 2
    assert caught.value.arrived is None


def test_total_that_grows_while_pulling_is_no_whole_pull(pages):
    """P18: the record that was added is not among those that came."""
    frame, said = moved(pages((3, [brand(1), brand(2)]), (4, [brand(3)])), "frame")
    assert len(frame) == 3
    assert "pages 1 to 2" in said


def test_total_that_shrinks_while_pulling_is_no_whole_pull(pages):
    """P18: a record went, and the one after it slid over the edge of the page: the count is right, the rows are not."""
    frame, _ = moved(pages((4, [brand(1), brand(2)]), (3, [brand(4)])), "frame")
    assert len(frame) == 3


def moving(client, monkeypatch, *, times: int, on: int, move) -> None:
    """Let *move* change the data when page *on* of each download has arrived (the first is 0), *times* times."""
    fetch, left = client.fetch, [times]

    def fetched(call, stop):
        for page in fetch(call, stop):
            number = (
                call.json["page"]["no"] if call.json else int((re.findall(r"[?&]page=(\d+)", call.url) or [1])[0]) - 1
            )
            if number == on and left[0] > 0 and page.rows > 10:
                left[0] -= 1
                move()
            yield page

    monkeypatch.setattr(client, "fetch", fetched)


@pytest.mark.parametrize(
    ("vendor", "on", "times"),
    [
        ("medipim", 0, 1),
        ("medipim", 0, 2),
        ("medipim", 1, 1),
        ("mediagenix", 0, 2),
    ],
)
def test_pages_are_read_again_if_a_record_left_and_another_came_meanwhile(request, monkeypatch, vendor, on, times):
    """P17: all totals agree, and yet a record slid over the edge of a page; what is read at last is whole."""
    client, vendors = request.getfixturevalue(vendor), request.getfixturevalue("vendors")
    resource, columns = (client.products, ["status"]) if vendor == "medipim" else (client.titles, ["id"])
    before = resource.query().frame(columns=["id"])["id"].tolist()
    gone = iter(before)

    def move():
        record = next(gone) if vendor == "medipim" else f"titles/{next(gone)}"
        vendors[vendor].change("delete", record)
        vendors[vendor].change("add", *([] if vendor == "medipim" else ["titles/700"]))

    moving(client, monkeypatch, times=times, on=on, move=move)
    found = resource.query().frame(columns=columns)
    assert found.attrs["vendorkit"]["complete"] is True
    assert list(found.columns) == columns
    now = resource.query().frame(columns=["id", *columns[-1:]])
    assert found[columns[-1]].tolist() == now[columns[-1]].tolist()
    assert now["id"].tolist() != before


@pytest.mark.parametrize(("vendor", "on"), [("medipim", 17), ("mediagenix", 1)])
def test_pages_that_are_under_way_together_are_of_one_state(request, monkeypatch, vendor, on):
    """P17: which of them come before a change is open; the rows are those before it or those after it, and complete."""
    client, vendors = request.getfixturevalue(vendor), request.getfixturevalue("vendors")
    query = (client.products if vendor == "medipim" else client.titles).query()
    before = query.frame(columns=["id"])["id"].tolist()

    def move():
        vendors[vendor].change("delete", before[0] if vendor == "medipim" else f"titles/{before[0]}")
        vendors[vendor].change("add", *([] if vendor == "medipim" else ["titles/700"]))

    moving(client, monkeypatch, times=1, on=on, move=move)
    found = query.frame(columns=["id"])
    assert found.attrs["vendorkit"]["complete"] is True
    assert found["id"].tolist() in (before, query.frame(columns=["id"])["id"].tolist())


def test_what_was_touched_meanwhile_may_have_come_into_a_filtered_query(medipim, vendors, monkeypatch):
    """P17: one product became active when another was deactivated; the rows are read again."""
    active = medipim.products.query(status="active")
    before = active.frame(columns=["id"])["id"].tolist()
    other = medipim.products.query(status="inactive").frame(columns=["id"])["id"].iloc[-1]

    def move():
        vendors["medipim"].change("delete", before[0])
        vendors["medipim"].change("touch", other)
        vendors["medipim"].change("add")

    moving(medipim, monkeypatch, times=1, on=0, move=move)
    found = active.frame(columns=["id"])
    assert found.attrs["vendorkit"]["complete"] is True
    assert before[0] not in set(found["id"])


def test_a_row_that_slid_once_is_read_again(pages, monkeypatch):
    """P16 and P17 together, and then the vendor is at rest: the second reading is whole."""
    second = [brand(2), brand(3)]
    query, sent = pages((4, [brand(1), brand(2)]), (4, second)), []
    send = query.client.session.send

    def counted(call):
        response = send(call)
        sent.append(call)
        if len(sent) == 2:
            second[:] = [brand(3), brand(4)]
        return response

    monkeypatch.setattr(query.client.session, "send", counted)
    frame = query.frame()
    assert list(frame["id"]) == ["1", "2", "3", "4"]
    assert frame.attrs["vendorkit"]["complete"] is True
    assert [call.url for call in sent if "events" not in call.url].count("/api/brands") == 2


def test_a_limit_is_no_excuse_for_a_missing_row(pages):
    """P17: fewer rows than were asked for are the whole only if there are no more."""
    for total, whole in ((3, True), (5, False), (None, True)):
        frame = pages((total, [brand(1), brand(2)]), (total, [brand(2), brand(3)])).frame(limit=4)
        assert list(frame["id"]) == ["1", "2", "3"]
        assert frame.attrs["vendorkit"]["complete"] is whole


def test_data_that_never_rests_is_said_to_be_incomplete(medipim, vendors, monkeypatch):
    """After three readings: the rows of the last one, and a warning that names the pages."""
    gone = iter(medipim.products.query().frame(columns=["id"])["id"].tolist())

    def move():
        vendors["medipim"].change("delete", next(gone))
        vendors["medipim"].change("add")

    moving(medipim, monkeypatch, times=9, on=1, move=move)
    vendors["medipim"].clear_log()
    with pytest.warns(DataMoved, match=r"products changed while pages \d+ to \d+ were fetched"):
        found = medipim.products.query().frame(columns=["id"])
    assert 4_980 <= len(found) <= 5_000  # a record may have slipped past between two pages
    assert found.attrs["vendorkit"]["complete"] is False
    assert 3 * 20 <= vendors["medipim"].requests <= 3 * 21


def test_change_just_before_a_download_does_not_count_as_moved_data(medipim, vendors):
    """The vendor's clock has whole seconds; the same rows twice are the whole."""
    vendors["medipim"].change("add")
    found = medipim.products.query().frame(columns=["id"])
    assert len(found) == 5001
    assert found.attrs["vendorkit"]["complete"] is True


def test_row_that_slid_between_numbered_pages_is_noticed(medipim, monkeypatch):
    """P16 and P17 together on Medipim's pages: one row twice, one never."""
    send, before = medipim.session.send, []

    def sliding(call):
        response = send(call)
        answer = json.loads(response.content)
        if call.json["page"]["no"] == 1:
            answer["results"][0] = before[0]
        elif call.json["page"]["size"] == 250:  # and not the small one that says what came meanwhile
            before[:] = answer["results"][-1:]
        response._content = json.dumps(answer).encode()
        return response

    monkeypatch.setattr(medipim.session, "send", sliding)
    with pytest.raises(IncompletePull, match="693 rows arrived, but 694") as caught:
        medipim.products.query(status="inactive").frame(columns=["id"])
    assert caught.value.arrived["id"].is_unique


def test_numbered_page_without_a_total_is_not_taken_for_the_last(medipim, monkeypatch):
    """Medipim's pages are counted by what the first one says: 250 of 5,000 are not all."""
    monkeypatch.setattr(medipim_paging, "total_of", lambda _: None)
    with pytest.raises(MalformedAnswer, match="has no total"):
        medipim.products.query().frame(columns=["id"])


def test_error_of_a_download_has_the_received_rows(vendors):
    """The error of a later page, told as what it means for the table; pages are asked for side by side."""
    medipim = vk.connect("medipim", environment="local", policy=Policy(attempts=1))
    vendors["medipim"].set(fail_next=["", "", "503"])
    with pytest.raises(IncompletePull, match="failed after") as caught:
        medipim.products.query().frame(columns=["id"])
    assert len(caught.value.arrived) in range(250, 5000, 250)
    assert caught.value.arrived["id"].is_monotonic_increasing
    assert caught.value.arrived.attrs["vendorkit"]["complete"] is False
    assert isinstance(caught.value.__cause__, VendorUnavailable)
    assert caught.value.remedy == caught.value.__cause__.remedy


@pytest.mark.parametrize(("faults", "error"), [(["503"], VendorUnavailable), (["", "401"], CredentialsRefused)])
def test_nothing_to_keep_is_the_error_itself(vendors, faults, error):
    """The first page failed, or the credentials were refused on the way: no half table."""
    medipim = vk.connect("medipim", environment="local", policy=Policy(attempts=1))
    vendors["medipim"].set(fail_next=faults)
    with pytest.raises(error):
        medipim.products.query().frame()


@pytest.mark.parametrize(
    ("limit", "rows", "complete"),
    [(0, 0, False), (7, 7, False), (300, 300, True), (1000, 300, True), (None, 300, True)],
)
def test_limit_cuts_and_says_whether_it_cut(medipim, limit, rows, complete):
    """`complete` is about the vendor's records, not about what was asked for."""
    frame = medipim.brands.query().frame(limit=limit)
    assert len(frame) == rows
    assert frame.attrs["vendorkit"]["complete"] is complete
    assert frame.attrs["vendorkit"]["total"] == 300


def test_limit_costs_no_more_pages_than_it_needs(medipim, vendors):
    """One small page for a look, and the same rows as the beginning of all."""
    query = medipim.products.query(status="inactive")
    few = query.frame(limit=20, columns=["id"])
    assert vendors["medipim"].requests == 1
    assert list(few["id"]) == list(query.frame(columns=["id"])["id"].head(20))
    assert [record["id"] for record in query.records(limit=20)] == list(few["id"])
    assert sum(batch.num_rows for batch in query.batches(limit=20)) == 20


@pytest.mark.parametrize("verb", ["frame", "tables", "records", "batches"])
def test_limit_that_is_no_number_of_records_is_refused_before_anything_is_sent(medipim, vendors, verb):
    """One sentence, no request."""
    for limit in (-1, 2.5, "3", True):
        with pytest.raises(UsageError, match=f"limit must be a number of records, 0 or more, not {limit!r}"):
            list(getattr(medipim.brands.query(), verb)(limit=limit))
    assert vendors["medipim"].requests == 0


def test_short_pull_shows_no_progress(medipim, capfd, monkeypatch):
    """A bar appears only after two seconds; the one that is made to appear at once proves that it would be seen."""
    query = medipim.products.query(status="inactive")
    query.frame(columns=["id"])
    assert capfd.readouterr() == ("", "")
    eager = lambda **how: tqdm(**{**how, "delay": 0, "mininterval": 0})  # noqa: E731
    monkeypatch.setattr("vendorkit.pull.progress.tqdm", eager)
    query.frame(columns=["id"])
    assert "products" in capfd.readouterr().err
    monkeypatch.setenv("TQDM_DISABLE", "1")  # tqdm reads it when it is imported, by this decorator
    hidden = envwrap("TQDM")(lambda disable=False, **how: eager(disable=disable, **how))
    monkeypatch.setattr("vendorkit.pull.progress.tqdm", hidden)
    query.frame(columns=["id"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("vendor", ASKED)
def test_cancelled_frame_ends_soon_and_leaves_the_client_usable(vendors, vendor):
    """Promise 6: within half a second, whatever the vendor is at; the next call works."""
    client = vk.connect(vendor, environment="local")
    vendors[vendor].set(latency_s=5.0)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        ASKED[vendor](client).frame()
    assert time.monotonic() - started < 0.3 + 0.5 + 0.3  # the wait, the bound, and what a busy machine adds
    vendors[vendor].set(latency_s=0.0)
    again = time.monotonic()
    assert len(ASKED[vendor](client).frame()) > 0
    assert time.monotonic() - again < 20  # far less than a flow waits for the nonce of another one


def answering(client, monkeypatch, records: list[dict]) -> None:
    """Give the client's queries one page of these records."""
    response = requests.Response()
    body = {"meta": {"total": len(records)}, "results": records}
    response.status_code, response._content = 200, json.dumps(body).encode()
    monkeypatch.setattr(client.session, "send", lambda _: response)


def test_an_answer_with_thousands_of_undeclared_fields_is_read_in_seconds(medipim, monkeypatch):
    """All are kept; the warning names a few, and says how many more there are."""
    answering(medipim, monkeypatch, [{"id": 1, **{f"field_{number}": number for number in range(10_000)}}])
    started = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = medipim.brands.query().frame()
    assert time.process_time() - started < 4
    assert len(frame.columns) > 10_000
    (said,) = [str(one.message) for one in caught if one.category is vk.SchemaDrift]
    assert "field_0 (1), field_1 (1)" in said
    assert said.endswith("and 9,980 more.")
    assert len(said) < 1_000


def test_cancel_reaches_a_pool_whose_calls_run_in_a_copy_of_the_context(vendors):
    """As docs/scaling.md says: in a plain pool they do not see the event, and end when the vendor answers."""
    medipim = vk.connect("medipim", environment="local")
    vendors["medipim"].set(latency_s=1.5)
    stop = threading.Event()
    with vk.cancellable(stop), ThreadPoolExecutor(2) as pool:
        plain = pool.submit(medipim.brands.get, 1)
        in_context = pool.submit(copy_context().run, medipim.brands.get, 2)
        threading.Timer(0.3, stop.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            in_context.result()
        assert time.monotonic() - started < 0.3 + 0.5 + 0.3
        assert plain.result()["id"] == 1


def test_cancel_ends_the_reading_of_an_answer_too(medipim, monkeypatch):
    """One answer whose records have a new field each: the caller is free at once, and the reading thread soon."""
    answering(medipim, monkeypatch, [{"id": number, f"field_{number}": number} for number in range(20_000)])
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        medipim.brands.query().frame()
    assert time.monotonic() - started < 0.5 + 0.5 + 0.3
    while any(thread.name.startswith("vendorkit-read") for thread in threading.enumerate()):
        assert time.monotonic() - started < 0.5 + 0.5 + 8.0
        time.sleep(0.02)


def test_cancel_ends_the_last_reading_of_an_answer_that_arrived(medipim, monkeypatch):
    """After Cancel an answer that arrived is read once more, but only within the half second."""
    fields = [{f"field_{row}_{number}": number for number in range(200)} for row in range(500)]
    answering(medipim, monkeypatch, [{"id": row, **new} for row, new in enumerate(fields)])
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        medipim.brands.query().frame()
    assert time.monotonic() - started < 0.5 + 0.5 + 1.0


def test_cancelled_between_pages_hands_out_no_half_table(medipim, monkeypatch):
    """`frame()` returns none; what arrived is with the error, and the next pull is not affected."""
    query = medipim.products.query(status="inactive")
    send, stop, sent = medipim.session.send, threading.Event(), []

    def counting(call):
        response = send(call)
        sent.append(call)
        if len(sent) == 2:
            stop.set()
        return response

    monkeypatch.setattr(medipim.session, "send", counting)
    with vk.cancellable(stop), pytest.raises(Cancelled) as caught:
        query.frame(columns=["id"])
    assert caught.value.arrived is None or 0 < len(caught.value.arrived) < 694
    assert len(query.frame(columns=["id"])) == 694


def test_tables_of_records_without_a_key_have_the_columns_asked_for(pledg):
    """The number of the row stands in for it."""
    (frame,) = ASKED["pledg"](pledg).tables(columns=["line"]).values()
    assert list(frame) == ["line", "payment_schedule_row"]


@pytest.mark.parametrize("vendor", ASKED)
def test_interrupted_call_leaves_the_client_usable(vendors, vendor):
    """Ctrl-C, or the stop button of a notebook, in the middle of a wait; authentication included."""
    client = vk.connect(vendor, environment="local")
    path = {"medipim": "/v4/brands/find?id=9", "mediagenix": "/api/titles/1"}.get(vendor)
    path = path or f"/api/merchants/{vendors['pledg'].credentials['PLEDG_MERCHANT_UID']}"
    for _ in range(2):  # before there is a token or nonce, and after
        vendors[vendor].set(latency_s=5.0)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            client.get(path)
        vendors[vendor].set(latency_s=0.0)
        assert client.get(path).status_code == 200
    assert len(ASKED[vendor](client).frame()) > 0
