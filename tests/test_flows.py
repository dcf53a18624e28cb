"""Paging as flows: what each asks for, with literals and no server; and the driver that runs them."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from tqdm import tqdm

import vendorkit as vk
from vendorkit.ask import Ask, Since, Span
from vendorkit.errors import Cancelled, IncompletePull, MalformedAnswer, NotFound, UsageError
from vendorkit.errors import VendorUnavailable as Unavailable
from vendorkit.frames import Page, page_of
from vendorkit.http.call import Call
from vendorkit.pull import Pull, progress_to
from vendorkit.pull.drive import drive
from vendorkit.resource import DROP, NEXT, Accept
from vendorkit.vendors.mediagenix.changes import EventFed, FeedChanges
from vendorkit.vendors.mediagenix.paging import Documents, Events
from vendorkit.vendors.medipim.changes import Updated
from vendorkit.vendors.medipim.paging import Lookup, Windowed
from vendorkit.vendors.pledg.plans import plans

PRODUCTS = Windowed("products", "/v4/products/query", "/v4/products/find", ("product",), "id", "nl")
DROPPED = "The call was dropped."
TITLES = EventFed(
    "titles", "/api/titles", {"licensor": "/api/licensors/{licensor}/titles"}, True, {"licensor": "licensor"}
)


def page(count: int, first: int = 0, **envelope) -> Page:
    """A page of records with ids from *first* on."""
    return page_of([{"id": number} for number in range(first, first + count)], envelope=envelope)


def numbered(count: int, total: int, first: int = 0) -> Page:
    """A page of Medipim."""
    return page(count, first, meta={"total": total})


def block(first: int, last: int, total: int) -> Page:
    """A block of Medipim's stream."""
    return page(last - first + 1, first, meta={"total": total, "first_index": first, "last_index": last})


def linked(count: int, first: int, total: int | None, link: str | None) -> Page:
    """A page of Mediagenix."""
    around = {} if link is None else {"next_link": link}
    return page(count, first, **around, **({} if total is None else {"total_entries": total}))


def value_of(flow, *replies):
    """The value that a flow returns once it was sent these replies, each for a call or NEXT."""
    answers = iter(replies)
    step = next(flow)
    try:
        while True:
            step = flow.send(next(answers) if isinstance(step, Call) or step is NEXT else None)
    except StopIteration as end:
        return end.value


def test_one_answer_is_one_call_and_one_page():
    """A small resource of Medipim."""
    flow = Lookup("brands", "/v4/brands/query", sort="id").pages(Ask("brands", {"search": "a"}))
    (call,) = next(flow)
    assert (call.method, call.url, call.records, call.may_repeat()) == ("POST", "/v4/brands/query", "results", True)
    assert call.json == {"filter": {"search": "a"}, "sorting": {"id": "ASC"}}
    assert next(flow) is NEXT
    found = numbered(3, 3)
    assert flow.send(found) == Accept(found, None, 3)
    with pytest.raises(StopIteration):
        next(flow)


def test_numbered_pages_are_queued_once_the_first_one_says_how_many():
    """Three pages: the first ahead of the queue, two behind it; cursors are the numbers of the next pages."""
    flow = PRODUCTS.pages(Ask("products"))
    first = next(flow)
    assert first.json["page"] == {"no": 0, "size": 250}
    queued = flow.send(numbered(250, 600))
    assert [call.json["page"]["no"] for call in queued] == [1, 2]
    cursors = []
    step, replies = flow.send(None), iter([numbered(250, 600, 250), numbered(100, 600, 500), None])
    with pytest.raises(StopIteration):
        while True:
            cursors += [step.cursor] if isinstance(step, Accept) else []
            step = flow.send(next(replies) if step is NEXT else None)
    assert cursors == [1, 2, 3]


def test_numbered_pages_go_on_at_a_cursor():
    """A dataset that holds two pages asks for the third one first."""
    assert next(PRODUCTS.pages(Ask("products"), 2)).json["page"]["no"] == 2


@pytest.mark.parametrize(("limit", "size", "queued"), [(7, 10, 0), (60, 100, 0), (300, 250, 1)])
def test_a_limit_chooses_the_smallest_pages_that_suffice(limit, size, queued):
    """One small page for a look."""
    flow = PRODUCTS.pages(Ask("products", limit=limit))
    assert next(flow).json["page"]["size"] == size
    assert len(flow.send(numbered(size, 600))) == queued


def test_a_page_without_a_total_is_refused():
    """To take it for the last one would lose the others."""
    flow = PRODUCTS.pages(Ask("products"))
    next(flow)
    with pytest.raises(MalformedAnswer, match="has no total"):
        flow.send(page(250))


def test_beyond_the_window_the_stream_is_asked():
    """One call of lines; blocks have to follow each other, and end at the total."""
    flow = PRODUCTS.pages(Ask("products"))
    next(flow)
    (call,) = flow.send(numbered(250, 10_000))
    assert call.lines
    assert call.url == "/v4/products/stream"
    assert next(flow) is NEXT
    assert flow.send(block(0, 6_999, 12_000)).total == 12_000
    assert next(flow) is NEXT
    with pytest.raises(IncompletePull, match="7,000 of 12,000"):
        flow.send(block(7_001, 11_999, 12_000))


@pytest.mark.parametrize("blocks", [[], [block(0, 99, 12_000)]])
def test_a_stream_that_ends_early_is_incomplete(blocks):
    """Empty or cut at the end of a line."""
    flow = PRODUCTS.pages(Ask("products"))
    next(flow)
    flow.send(numbered(250, 10_000))
    with pytest.raises(IncompletePull, match="broke off"):
        value_of(flow, *blocks, None)


def test_windows_look_for_the_next_one_while_pages_are_under_way():
    """The pages of the first window are queued before the second one is probed."""
    flow = PRODUCTS.pages(Ask("products", strategy="windows"))
    next(flow)
    assert flow.send(numbered(250, 10_000)).lines  # the exact total
    probe = flow.send(block(0, 9, 12_000))
    assert probe.json["sorting"] == {"createdAt": "ASC"}
    at = page_of([{"id": 1, "meta": {"createdAt": 500}}], envelope={"meta": {"total": 10_000}})
    queued = flow.send(at)
    assert len(queued) == 39
    assert queued[0].json["filter"] == {"and": [{"createdAt": {"from": 0}}, {"not": {"createdAt": {"from": 500}}}]}
    assert flow.send(None).json["page"]["no"] == 975  # the next probe, ahead of those 39


def test_count_beyond_the_window_is_the_streams():
    """Two small requests; the second one reads one block."""
    assert value_of(PRODUCTS.count(Ask("products")), numbered(10, 10_000), block(0, 0, 12_345)) == 12_345
    assert value_of(PRODUCTS.count(Ask("products")), numbered(10, 9_999)) == 9_999


def test_split_gives_parts_that_cover_everything_once():
    """Ranges of pages within the window; what has no records is one part."""
    parts = value_of(PRODUCTS.split(Ask("products"), 3), numbered(10, 1_000))
    assert [part.span for part in parts] == [
        Span(250, [[None, 0, 1, 1_000]]),
        Span(250, [[None, 1, 2, 1_000]]),
        Span(500, [[None, 2, 4, 1_000]]),
    ]
    ask = Ask("products")
    assert value_of(PRODUCTS.split(ask, 3), numbered(0, 0)) == [ask]


def test_get_reads_a_misprinted_key_and_names_a_missing_one():
    """The key of a found record."""
    flow = PRODUCTS.get(Ask("products"), "M1")
    assert next(flow).params == {"id": "M1"}
    with pytest.raises(MalformedAnswer, match="none of the keys product"):
        flow.send(page_of([{"medium": {}}]))
    with pytest.raises(NotFound, match="no record '9'"):
        value_of(Lookup("brands", "/v4/brands/query").get(Ask("brands"), "9"), page(0))


def test_links_are_followed_and_asked_for_before_their_page_is_given_out():
    """The next call is queued first, then the page is accepted with the link as its cursor."""
    flow = TITLES.pages(Ask("titles", accept="xml"))
    (call,) = next(flow)
    assert call.params == {"per_page": 200, "pagination": "true"}
    assert (call.accept, call.records) == ("xml", "entries")
    assert next(flow) is NEXT
    (second,) = flow.send(linked(200, 0, 300, "/api/titles?page=2"))
    assert (second.url, second.params) == ("/api/titles?page=2", {})
    assert next(flow).cursor == "/api/titles?page=2"
    assert next(flow) is NEXT
    assert flow.send(linked(100, 200, 300, None)).cursor is None
    with pytest.raises(StopIteration):
        next(flow)


def test_links_stop_at_the_limit():
    """No call for rows that nobody wants."""
    flow = TITLES.pages(Ask("titles", limit=200))
    next(flow)
    next(flow)
    assert isinstance(flow.send(linked(200, 0, 300, "/api/titles?page=2")), Accept)


def test_links_that_form_a_circle_end_the_download_after_their_page():
    """What arrived is given out before the error."""
    flow = TITLES.pages(Ask("titles"))
    next(flow)
    next(flow)
    flow.send(linked(2, 0, None, "/a"))
    next(flow)
    next(flow)
    assert isinstance(flow.send(linked(2, 2, None, "/a")), Accept)
    with pytest.raises(IncompletePull, match="form a loop"):
        next(flow)


def accepted_of(flow, replies, accepted=None) -> list[Page]:
    """The pages that a flow accepts until it ends, if these are the answers to its calls."""
    accepted, queued, step = [] if accepted is None else accepted, 0, next(flow)
    with contextlib.suppress(StopIteration):
        while True:
            accepted += [step.page] if isinstance(step, Accept) else []
            queued += len(step) if isinstance(step, list) else -1 if step is NEXT else 0
            answered = isinstance(step, Call) or (step is NEXT and queued >= 0)
            step = flow.send(next(replies) if answered else None)
    return accepted


def endless(rows: int, total: Callable[[int], int | None]) -> Iterator[Page]:
    """New pages without end, each with another `next` link; the total that each announces."""
    for number in itertools.count():
        yield linked(rows, number * rows, total(number), f"/api/titles?page={number + 2}")


@pytest.mark.parametrize("strategy", ["titles", "events"])
def test_pages_without_an_end_or_a_total_stop_at_a_bound(strategy):
    """Two million records of 200 per page; all pages that arrived are given out before the error says what to do."""
    paging = Events("events", "/api/events") if strategy == "events" else TITLES
    flow, accepted = paging.pages(Ask(strategy, {"newer_than": 0} if strategy == "events" else {})), []
    with pytest.raises(IncompletePull, match=r"10,000 pages without a total.*limit="):
        accepted_of(flow, endless(1, lambda _: None), accepted)
    assert len(accepted) == 10_000


def test_a_limit_raises_the_bound_of_pages():
    """No page is empty, so as many pages as rows suffice."""
    assert len(accepted_of(TITLES.pages(Ask("titles", limit=12_000)), endless(1, lambda _: None))) == 12_000
    flow = Events("events", "/api/events").pages(Ask("events", {"newer_than": 0}, limit=12_000))
    assert len(accepted_of(flow, itertools.islice(endless(1, lambda _: None), 12_000))) == 12_000


@pytest.mark.parametrize("total", [lambda number: 10 + number, lambda number: 10 if number == 0 else None])
def test_a_total_that_runs_away_is_no_reason_to_go_on(total):
    """The first total is the measure: twice as many records, and one page more, are no copies that moved."""
    with pytest.raises(IncompletePull, match="no end"):
        accepted_of(TITLES.pages(Ask("titles")), itertools.islice(endless(1, total), 1_000))


def test_a_feed_without_an_end_stops_at_the_same_bound():
    """What changed since an event is asked for before any record."""
    changes = FeedChanges(TITLES)
    flow = changes.changed_ids(Ask("titles", since=Since(4, is_event_id=True)))
    feed = (page_of([{"id": number, "subject_link": "/api/titles/1"}]) for number in itertools.count(4))
    with pytest.raises(IncompletePull, match="10,000 pages"):
        accepted_of(flow, feed)


def test_a_followed_link_to_one_resource_is_one_record():
    """By its address; a collection has entries."""
    assert next(TITLES.pages(Ask("titles", url="/api/titles/7")))[0].records is None
    assert next(TITLES.pages(Ask("titles", url="/api/titles/7/images")))[0].records == "entries"


def test_events_go_on_behind_the_last_id():
    """Until a batch is empty; a feed that repeats itself is an error."""
    flow = Events("events", "/api/events").pages(Ask("events", {"newer_than": 5}))
    next(flow)
    next(flow)
    (call,) = flow.send(page(3, 6))
    assert parse_qs(urlsplit(call.url).query)["newer_than"] == ["8"]
    assert isinstance(next(flow), Accept)
    next(flow)
    assert isinstance(flow.send(page(3, 6)), Accept)
    with pytest.raises(IncompletePull, match="form a loop"):
        next(flow)


def test_changed_records_are_fetched_one_by_one_and_deleted_ones_left_out():
    """By the paths that the events name, each once; records of another parent do not match any more."""
    events = [{"id": 4, "subject_link": "/api/brands/1"}]
    events += [{"id": 5 + n, "subject_link": f"/api/titles/{one}"} for n, one in enumerate((7, 8, 7, 9))]
    flow = TITLES.pages(Ask("titles", {"licensor": 3}, since=Since(4, is_event_id=True)))
    assert next(flow).params["newer_than"] == 3
    assert flow.send(page_of(events)).params["newer_than"] == 8
    queued = flow.send(page_of([]))
    assert [call.url for call in queued] == ["/api/titles/7", "/api/titles/8", "/api/titles/9"]
    assert flow.send(None) is NEXT
    assert isinstance(flow.send(page_of([{"id": 7, "licensor_link": "/api/licensors/3"}])), Accept)
    assert flow.send(None) is NEXT
    assert flow.throw(NotFound("gone")) is NEXT
    with pytest.raises(StopIteration):
        flow.send(page_of([{"id": 9, "licensor_link": "/api/licensors/4"}]))


def test_a_feed_that_does_not_reach_back_is_not_found():
    """The event last known has to be there still."""
    changes = FeedChanges(TITLES)
    flow = changes.changed_ids(Ask("titles", since=Since(4, is_event_id=True)))
    with pytest.raises(NotFound, match="event 4"):
        value_of(flow, page_of([{"id": 9, "subject_link": "/api/titles/1"}]), page_of([]))


def test_positions_are_the_vendors():
    """A few minutes before its clock, or the last settled event."""
    now = page_of([], at=1_000_000.0)
    assert value_of(Updated(PRODUCTS).position(Ask("products")), now) == Since(999_700)
    events = [{"id": 1, "timestamp": "1970-01-12T13:00:00Z"}, {"id": 2, "timestamp": "1970-01-12T13:46:00Z"}]
    position = FeedChanges(TITLES).position(Ask("titles"))
    assert value_of(position, page_of(events, at=1_000_000.0)) == Since(1, is_event_id=True)


def test_a_document_is_the_value_of_one_record():
    """The metadata of one entity."""
    documents = Documents("metadata", "/api", {"title": "/api/titles/{title}/metadata"}, in_root=False)
    flow = documents.pages(Ask("metadata", {"title": 7}))
    assert next(flow)[0].url == "/api/titles/7/metadata"
    next(flow)
    assert flow.send(page_of([{"a": 1}])).page.records() == [{"metadata": {"a": 1}}]
    with pytest.raises(UsageError, match="only be listed under a parent"):
        next(documents.pages(Ask("metadata")))


def test_a_single_answer_becomes_its_rows():
    """Pledg: the identifier is in the path."""
    paging = plans()[0].paging
    ask = Ask("payment_schedule", {"amount_cents": 100, "created": "2026-01-31", "merchant_uid": "mer/1"})
    flow = paging.pages(ask)
    (call,) = next(flow)
    assert "/merchants/mer%2F1/" in call.url
    assert call.json == {"amount_cents": 100, "created": "2026-01-31"}
    next(flow)
    found = flow.send(page_of([{"DEFERRED": {"amount_cents": 100, "fees": 1, "payment_date": "2026-02-28"}}]))
    assert [row["total_cents"] for row in found.page.records()] == [101]


class Server:
    """Pages by address, each after its delay; notes what was sent."""

    def __init__(self, delays=(), errors=()):
        self.sent: list[str] = []
        self.stopped: list[str] = []
        self._delays, self._errors = dict(delays), dict(errors)

    def fetch(self, call: Call, stop: threading.Event) -> Iterator[Page]:
        """Yield the page of a call; three of a stream."""
        self.sent.append(call.url)
        try:
            for number in range(3 if call.lines else 1):
                if stop.wait(self._delays.get(call.url, 0.0)):
                    raise Cancelled(DROPPED)
                if call.url in self._errors and number == 2 * call.lines:
                    raise self._errors[call.url]
                yield page_of([{"at": call.url, "number": number}])
        finally:
            self.stopped.append(call.url)


def get(url: str, *, lines: bool = False) -> Call:
    """A call."""
    return Call("GET", url, records="results", lines=lines)


def addresses(accepted) -> list[str]:
    """Where the accepted pages come from."""
    return [one.page.values("at")[0] for one in accepted]


def no_fetch_thread(within_s: float = 1.0) -> bool:
    """Whether all fetch threads end in this time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not [one for one in threading.enumerate() if one.name.startswith("vendorkit-")]:
            return True
        time.sleep(0.02)
    return False


def test_pages_come_in_the_order_of_the_calls():
    """Whichever is quicker; a call by itself overtakes the queue."""

    def flow():
        yield [get(f"/{number}") for number in range(12)]
        probe = yield get("/probe")
        assert probe.values("at") == ["/probe"]
        while (found := (yield NEXT)) is not None:
            yield Accept(found)

    server = Server({f"/{number}": 0.02 * (12 - number) for number in range(12)})
    assert addresses(drive(flow(), server.fetch)) == [f"/{number}" for number in range(12)]
    assert no_fetch_thread()


def test_a_dropped_queue_is_never_seen_nor_its_errors():
    """Neither a page nor the error of a dropped call arrives; the next queue is empty."""

    def flow():
        yield [get("/a"), get("/broken"), get("/slow"), get("/stream", lines=True)]
        yield Accept((yield NEXT))
        yield DROP
        assert (yield NEXT) is None
        yield [get("/b")]
        yield Accept((yield NEXT))
        return "done"

    server = Server({"/slow": 30.0, "/stream": 30.0}, {"/broken": Unavailable("down")})
    assert addresses(drive(flow(), server.fetch)) == ["/a", "/b"]
    assert no_fetch_thread()
    assert set(server.stopped) == set(server.sent)


def test_an_error_is_raised_where_its_page_is_awaited():
    """A flow may catch it and go on."""

    def flow():
        yield [get("/a"), get("/broken"), get("/b")]
        while True:
            try:
                found = yield NEXT
            except Unavailable:
                continue
            if found is None:
                return
            yield Accept(found)

    server = Server(errors={"/broken": Unavailable("down")})
    assert addresses(drive(flow(), server.fetch)) == ["/a", "/b"]


def test_blocks_before_a_streams_error_are_given_out_first():
    """Two whole blocks, then the error; the stream's thread ends."""

    def flow():
        yield [get("/stream", lines=True)]
        while (found := (yield NEXT)) is not None:
            yield Accept(found)

    came = []
    with pytest.raises(Unavailable):
        came.extend(drive(flow(), Server(errors={"/stream": Unavailable("broke")}).fetch))
    assert len(came) == 2
    assert no_fetch_thread()


def test_a_probe_of_a_stream_reads_its_first_block_only():
    """The rest is not waited for."""

    def flow():
        found = yield get("/stream", lines=True)
        return found.values("number")

    server = Server()
    driven = drive(flow(), server.fetch)
    with pytest.raises(StopIteration) as caught:
        next(driven)
    assert caught.value.value == [0]
    assert server.stopped == ["/stream"]


def test_nothing_is_sent_for_a_consumer_who_stopped():
    """A few calls ahead, and no more; closing ends them."""

    def flow():
        yield [get(f"/{number}") for number in range(100)]
        while (found := (yield NEXT)) is not None:
            yield Accept(found)

    server = Server()
    driven = drive(flow(), server.fetch)
    next(driven)
    time.sleep(0.2)
    assert len(server.sent) <= 17
    driven.close()
    assert no_fetch_thread()


def test_cancel_ends_every_wait_and_leaves_no_thread():
    """While a page is awaited, while one is fetched by itself, while pages are read."""

    def waiting():
        yield [get("/slow")]
        yield Accept((yield NEXT))

    def probing():
        yield Accept((yield get("/slow")))

    class Source(Server):
        """A source for Pull, and one whose calls look at the cancelling event as the session does."""

        def fetch(self, call, stop):
            """Wait in slices."""
            for _ in range(300):
                vk.deadline.check_cancelled()
                if stop.wait(0.1):
                    raise Cancelled(DROPPED)
            yield page_of([{}])

    for flow in (waiting, probing):
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        with vk.cancellable(stop), pytest.raises(Cancelled):
            list(Pull(flow(), Source(), "records").read(len))
        assert time.monotonic() - started < 0.2 + 0.5 + 0.3
        assert no_fetch_thread()

    def ready():
        yield [get("/a")]
        yield Accept((yield NEXT))

    released = threading.Event()
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        list(Pull(ready(), Server(), "records").read(lambda _: released.wait(30)))
    released.set()
    assert no_fetch_thread()


def test_a_download_without_threads_is_one_typed_error(monkeypatch):
    """X07: As in a container with a limit of processes; a single call runs in the thread of the caller."""

    def no_thread(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    def flow():
        assert (yield get("/probe")).values("at") == ["/probe"]
        yield [get("/a"), get("/b")]
        yield Accept((yield NEXT))

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    monkeypatch.setattr(tqdm, "monitor_interval", 0)  # its own thread, without which it only warns
    with pytest.raises(UsageError, match="cannot start another thread"):
        list(Pull(flow(), Server(), "records", quiet=True).read(lambda pages: pages))


def test_cancelled_never_enters_a_flow():
    """A flow that catches everything cannot keep a download alive."""
    seen = []

    def flow():
        yield [get("/slow")]
        try:
            yield NEXT
        except BaseException as exc:
            seen.append(type(exc))
            raise

    stop = threading.Event()
    stop.set()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        list(drive(flow(), Server({"/slow": 5.0}).fetch))
    assert seen in ([], [GeneratorExit])


def test_progress_counts_pages_as_they_arrive():
    """Before they are given out, and in the subscriber's own thread."""

    def flow():
        yield [get("/slow"), get("/a"), get("/b")]
        while (found := (yield NEXT)) is not None:
            yield Accept(found, total=3)

    seen, threads = [], set()

    def subscriber(progress):
        seen.append((progress.pages, progress.rows, progress.total))
        threads.add(threading.current_thread())

    with progress_to(subscriber):
        list(Pull(flow(), Server({"/slow": 0.4}), "records").accepted())
    assert (2, 2, None) in seen  # both quick ones, while the slow first one is awaited
    assert seen[-1] == (3, 3, 3)
    assert threads == {threading.current_thread()}


def test_a_total_that_changes_and_changes_back_is_named():
    """The message never says that it changed from 3 to 3."""

    def flow():
        for total in (3, 4, 3):
            yield Accept(page(1), None, total)

    pull = Pull(flow(), Server(), "records", quiet=True)
    assert len(list(pull.accepted())) == 3
    assert pull.difference(3) == "the announced total changed from 3 to 4"
    assert pull.moved_pages == [1, 2, 3]


def test_progress_never_shows_more_rows_than_are_wanted():
    """A first page that only says how many there are, and a last one that is cut at the limit."""

    def flow():
        yield get("/a")
        yield [get("/b"), get("/c")]
        while (found := (yield NEXT)) is not None:
            yield Accept(found, total=2)

    seen = []
    with progress_to(lambda progress: seen.append((progress.rows, progress.total))):
        list(Pull(flow(), Server(), "records").accepted())
    assert seen[-1] == (2, 2)
    assert all(total is None or rows <= total for rows, total in seen)


def test_ask_is_plain_and_travels():
    """It can be pickled and written as JSON."""
    import json
    import pickle
    from dataclasses import asdict

    ask = Ask("products", {"brand": [9]}, since=Since(4), span=Span(3, [[None, 0, 1, 3]]), limit=5)
    assert pickle.loads(pickle.dumps(ask)) == ask  # noqa: S301 - dumped here
    assert json.loads(json.dumps(asdict(ask)))["filters"] == {"brand": [9]}
