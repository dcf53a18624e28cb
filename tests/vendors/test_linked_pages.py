"""Linked pages that are asked for ahead: quick if the vendor numbers them, and never more than its links say."""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.https import answer, client_of, raw_server
from vendorkit.errors import AuthError, IncompletePull, OriginRefused, VendorUnavailable
from vendorkit.http.budget import AT_ONCE
from vendorkit.http.call import Policy

ONCE = Policy(connect_timeout_s=5, read_timeout_s=5, deadline_s=20, attempts=1)
SIZE = 10
REFUSED = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"


class Brands:
    """
    Brands in pages of ten, linked as Mediagenix links them.

    `other` may change what the page of a query says: it gets the query and the page, and may return a whole answer.
    """

    def __init__(self, count, other=lambda query, page: None, delay_s=0.0):
        self.count, self.other, self.delay_s = count, other, delay_s
        self.asked, self.under_way, self.most = [], 0, 0
        self._lock = threading.Lock()

    def page(self, query):
        """The records of a query, its total and its link."""
        number = int(query.get("page", 1))
        entries = [{"id": one + 1} for one in range((number - 1) * SIZE, min(number * SIZE, self.count))]
        page = {"total_entries": self.count, "entries": entries}
        if number * SIZE < self.count:
            page["next_link"] = "/api/brands?" + urlencode({**query, "page": number + 1})
        return page

    def handle(self, sock, head):
        """Answer one request; there are no events."""
        if b" /api/events" in head[:20]:
            sock.sendall(answer(b'{"entries": []}'))
            return
        query = dict(parse_qsl(urlsplit(head.split()[1].decode()).query))
        with self._lock:
            self.asked.append(query.get("page") or query.get("after") or "1")
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(self.delay_s)
        page = self.page(query)
        reply = self.other(query, page) or answer(json.dumps(page).encode())
        with self._lock:
            self.under_way -= 1
        sock.sendall(reply)


def frame_of(server, **asked):
    """All brands of *server*."""
    client = client_of(server, "mediagenix", ONCE)
    return client.brands.query(accept="json").frame(**asked), client


def ids(count):
    """The ids of so many brands."""
    return [str(number + 1) for number in range(count)]


def test_numbered_pages_are_asked_for_a_few_at_once():
    """Each once, all rows in order, and much sooner than one after the other; nothing is discarded."""
    brands = Brands(400, delay_s=0.05)
    with raw_server(brands.handle) as server:
        started = time.monotonic()
        frame, client = frame_of(server)
        took = time.monotonic() - started
        assert frame["id"].tolist() == ids(400)
        assert sorted(map(int, brands.asked)) == list(range(1, 41))
        assert 4 < brands.most <= AT_ONCE
        assert took < 40 * 0.05
    assert "discarded" not in frame.attrs["vendorkit"]
    assert not any(one.discarded for one in client.session.exchanges.all())


def elsewhere(query, page):
    """From page 5 on, links have another query: a cursor."""
    if query.get("page") != "5" and "after" not in query:
        return
    if "after" in query:
        page["entries"] = [{"id": int(query["after"]) + one + 1} for one in range(SIZE)]
    last = page["entries"][-1]["id"]
    page["next_link"] = None if last >= 300 else f"/api/brands?after={last}"


def reordered(query, page):
    """Another order and escaping of the same query; on page 4 a parameter more, which stays."""
    if link := page.get("next_link"):
        path, _, text = link.partition("?")
        pairs = [*reversed(parse_qsl(text)), *([("seed", "a b")] if query.get("page") == "4" else [])]
        page["next_link"] = f"{path}?" + urlencode(pairs).replace("per_page", "%70er_page")


def skipping(query, page):
    """Page 6 leads to page 8 with the records of 7: the numbers lie."""
    number = int(query.get("page", 1))
    if number == 6:
        page["next_link"] = page["next_link"].replace("page=7", "page=8")
    if number >= 8:
        page["entries"] = [{"id": one["id"] - SIZE} for one in page["entries"]]
        page.pop("next_link", None)
        last = page["entries"][-1]["id"] if page["entries"] else 300
        if last < 300:
            page["next_link"] = "/api/brands?" + urlencode({**query, "page": number + 1})
    if number == 31:
        page["entries"] = [{"id": one} for one in range(291, 301)]


def failing_ahead():
    """Page 7 answers 500 until page 6 was given out."""
    seen = set()

    def other(query, page):
        number = int(query.get("page", 1))
        if number == 7 and 7 not in seen:
            seen.add(7)
            return REFUSED
        return None

    return other


@pytest.mark.parametrize(
    ("other", "discards"),
    [(elsewhere, True), (reordered, True), (skipping, True), (failing_ahead(), True)],
    ids=["cursor", "a parameter more", "a number left out", "an error"],
)
def test_links_that_depart_from_the_guess_are_followed(other, discards):
    """No row lost or doubled; what was asked for ahead is counted, in attrs and among the exchanges."""
    brands = Brands(300, other)
    with raw_server(brands.handle) as server:
        frame, client = frame_of(server)
    assert frame["id"].tolist() == ids(300)
    assert frame.attrs["vendorkit"]["complete"] is True
    discarded = frame.attrs["vendorkit"]["discarded"]
    assert bool(discarded) is discards
    assert discarded <= 2 * AT_ONCE
    assert sum(one.discarded for one in client.session.exchanges.all()) == discarded
    assert client.exchanges["discarded"].sum() == discarded


def test_an_end_before_the_expected_one_is_the_end():
    """Page 4 has no link, although the total says more: the rows do not add up, and nothing of page 5 is given out."""

    def other(query, page):
        if query.get("page") == "4":
            del page["next_link"]

    with raw_server(Brands(300, other).handle) as server, pytest.raises(IncompletePull, match="40 rows") as caught:
        frame_of(server)
    assert caught.value.arrived["id"].tolist() == ids(40)


def test_another_total_ends_the_guess():
    """From page 3 on there is one record more: what was asked for ahead is discarded, and the download moved."""
    brands = Brands(300)

    def other(query, page):
        if int(query.get("page", 1)) >= 3:
            page["total_entries"] = 301
        else:
            brands.asked.append("again") if "page" not in query else None

    brands.other = other
    message = "changed while pages 2 to 3 were fetched"
    with raw_server(brands.handle) as server, pytest.warns(UserWarning, match=message):
        frame, _ = frame_of(server)
    assert frame["id"].tolist() == ids(300)
    assert frame.attrs["vendorkit"]["discarded"] > 0


@pytest.mark.parametrize(
    "link",
    [
        "/api/brands?after=10",
        "/api/brands?page=2",  # without what was asked
        "/api/brands?per_page=200&pagination=true&page=2&page=2",
        "/api/brands?per_page=200&pagination=true&page=02",
        "/api/others?per_page=200&pagination=true&page=2",
        "https://localhost:{port}/api/brands?per_page=200&pagination=true&page=2",
    ],
)
def test_nothing_is_guessed_from_other_links(link):
    """Not the first query and page=2, or another address: the link alone is asked for, however long that takes."""
    brands = Brands(300)

    def other(query, page):
        if query == {"per_page": "200", "pagination": "true"}:
            page["next_link"] = link.format(port=server.port)
        else:
            brands.other = lambda query, page: REFUSED
            return REFUSED
        return None

    brands.other = other
    with raw_server(brands.handle) as server, pytest.raises((VendorUnavailable, OriginRefused, IncompletePull)):
        frame_of(server)
    assert len(brands.asked) <= 2


def test_a_huge_total_asks_for_a_few_pages_only():
    """It bounds the pages that are asked for ahead, and so does what is under way at once."""
    brands = Brands(50, lambda query, page: page.update(total_entries=10**14))
    with raw_server(brands.handle) as server, pytest.raises(IncompletePull):
        frame_of(server)
    assert len(brands.asked) <= 5 + 2 * AT_ONCE + 1


def test_a_limit_bounds_what_is_asked_for_ahead():
    """Requests count against the budget."""
    brands = Brands(300)
    with raw_server(brands.handle) as server:
        frame, _ = frame_of(server, limit=35)
    assert frame["id"].tolist() == ids(35)
    assert sorted(map(int, brands.asked)) == [1, 2, 3, 4]


def test_refused_credentials_are_not_tried_again_by_following():
    """A page that was asked for ahead is refused with 401: that is an error at once."""
    refused = b"HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=x\r\n\r\n"
    brands = Brands(300, lambda query, page: refused if query.get("page") == "3" else None)
    with raw_server(brands.handle) as server, pytest.raises(AuthError):
        frame_of(server)
    assert brands.asked.count("3") == 1


def test_a_save_stores_the_link_that_was_confirmed(mediagenix, vendors, tmp_path):
    """And goes on from it: nothing of what was stored is asked for again."""
    vendors["mediagenix"].set(fail_next=[""] * 8 + ["500"] * 8)
    client = type(mediagenix)(mediagenix.endpoint, mediagenix.settings, policy=Policy(attempts=1))
    with pytest.raises(IncompletePull):
        client.titles.query().save(tmp_path / "titles")
    vendors["mediagenix"].set(fail_next=[])
    vendors["mediagenix"].clear_log()
    saved = client.titles.query().save(tmp_path / "titles")
    assert saved.rows == 2000
    assert saved.frame(columns=["id"])["id"].is_unique
