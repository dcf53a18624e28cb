"""
Whatever a vendor sends, in a few seconds of trying: the right result or one typed error, in bounded time.

Challenges, token answers and notifications are fuzzed beside their readers, in tests/auth/.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from time import perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.https import RawServer, authority, client_of
from vendorkit.auth.pauses import requested_pause_s
from vendorkit.errors import RateLimited, VendorkitError
from vendorkit.frames import Column, Kind, ListOf, Schema, json_page, lines_page, xml_page
from vendorkit.http.answers import error_for, json_object, read_problem
from vendorkit.settings import Redactor
from vendorkit.vendors.fetch import blocks_of_lines

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.SchemaDrift")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FUZZ = settings(max_examples=80, deadline=10_000, suppress_health_check=list(HealthCheck))
ROWS = Schema(
    "rows",
    (
        Column("id", Kind.ID),
        Column("count", Kind.INTEGER),
        Column("price", Kind.NUMBER),
        Column("at", Kind.DATETIME),
        Column("tags", ListOf(Kind.TEXT)),
        Column("any", Kind.JSON),
    ),
)
TROUBLE = [
    *(b"\xef\xbb\xbf", b"\xc3\x28", b"\0", b"\\ud800", b"1e999", b"NaN"),
    *(b"]]", b"}{", b"&e;", b"<!DOCTYPE x>", b"\r\n"),
]
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "count", "at", "tags", "any", "meta", "x"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw, whole):
    """A body with a few bytes cut out, doubled, or replaced; often none."""
    body = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        to = draw(st.integers(at, min(len(body), at + 9)))
        part = draw(st.one_of(st.just(b""), st.just(body[at:to] * 2), st.binary(max_size=4), st.sampled_from(TROUBLE)))
        body = body[:at] + part + body[to:]
    return body


def _json(value) -> bytes:
    return json.dumps(value).encode()


def typed(read, *arguments):
    """What *read* gives; None where it raised an error of ours. Any other error goes through."""
    try:
        return read(*arguments)
    except VendorkitError:
        return None


class Answer:
    """What `requested_pause_s` and `error_for` look at of an answer."""

    def __init__(self, status=429, **headers):
        self.status_code, self.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}


MOMENTS = st.integers(-60_000_000_000, 250_000_000_000).map(lambda at: EPOCH + timedelta(seconds=at))
DATES = st.one_of(
    MOMENTS.map(lambda at: format_datetime(at, usegmt=True)),
    st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d (GMT|[+-]\d{1,9})"),
    st.text(max_size=20),
)


@FUZZ
@given(st.one_of(DATES, st.integers().map(str), st.floats().map(str)), DATES)
def test_any_retry_after_is_a_wait_or_ignored(wait, date):
    """T13 to T16: seconds from zero up, or None; whole seconds are what they say; never an error."""
    seconds = requested_pause_s(Answer(Retry_After=wait, Date=date).headers)
    assert seconds is None or seconds >= 0
    if wait.isascii() and wait.isdecimal() and len(wait) < 10:
        assert seconds == int(wait)
    assert isinstance(error_for(Answer(Retry_After=wait, Date=date), b"", "x", Redactor([])), RateLimited)


@FUZZ
@given(MOMENTS, st.integers(-100_000, 100_000))
def test_a_date_is_read_against_the_answers_own(now, seconds):
    """T14: whatever this machine's clock says."""
    until, date = (format_datetime(at, usegmt=True) for at in (now + timedelta(seconds=seconds), now))
    assert requested_pause_s(Answer(Retry_After=until, Date=date).headers) == max(0.0, seconds)


PAGES = st.one_of(
    st.fixed_dictionaries(
        {"meta": VALUES, "results": st.lists(st.one_of(VALUES, st.fixed_dictionaries({"id": VALUES})))}
    ),
    VALUES,
)


@FUZZ
@given(damaged(PAGES.map(_json)))
def test_any_json_page_is_read_whole_or_refused(body):
    """P01 to P15: as many rows as there are records, where the body is JSON with such a list."""
    page = typed(json_page, body, "results")
    if page is not None:
        assert page.rows == len(json.loads(body)["results"])
        batch = typed(page.table, ROWS)
        assert batch is None or batch.table.num_rows == page.rows
    typed(json_object, body, "x")
    read_problem(body, Redactor([]))


COLLECTIONS = st.fixed_dictionaries(
    {"entries": st.lists(st.one_of(VALUES, st.fixed_dictionaries({"id": VALUES})))},
    optional={"total_entries": VALUES, "next_link": st.one_of(VALUES, st.sampled_from(["/api/brands?page=2", "//["]))},
)
LINES = st.lists(st.one_of(st.fixed_dictionaries({"id": VALUES}), VALUES), max_size=4).map(
    lambda found: b"".join(
        _json({"meta": {"total": len(found), "index": at}, "result": one}) + b"\n" for at, one in enumerate(found)
    )
)


@FUZZ
@given(damaged(LINES), st.integers(1, 7))
def test_any_block_of_lines_is_read_whole_or_refused(body, size):
    """P21 to P24: as many rows as there are lines; wherever the network cuts them, the same; both readers agree."""
    lines = [line for line in body.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    page = typed(lines_page, body)
    assert page is None or page.rows == len(lines)
    if page is not None:
        assert len(page.records()) == page.rows
        batch = typed(page.table, ROWS)
        assert batch is None or batch.table.num_rows == page.rows
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    assert b"".join(blocks_of_lines(iter(parts))).strip() == body.strip()


@st.composite
def documents(draw):
    """A collection in XML, with elements of all kinds."""
    record = st.one_of(
        st.text(max_size=8),
        st.sampled_from(["<id>1</id>", '<count type="integer">x</count>', '<tags type="array"><tag>a</tag></tags>']),
        st.sampled_from(['<link rel="next" href="http://[/"/>', "<a><b/></a>", '<at nil="true"/>', "<![CDATA[<]]>"]),
    )
    inner = "".join(f"<row>{''.join(draw(st.lists(record, max_size=4)))}</row>" for _ in range(draw(st.integers(0, 3))))
    total = draw(st.sampled_from(["2", "-1", "x", ""]))
    return f'<rows type="array"><total-entries>{total}</total-entries>{inner}</rows>'.encode()


@FUZZ
@given(damaged(documents()))
def test_any_xml_is_read_whole_or_refused(body):
    """P25 to P31: as many rows as there are records."""
    page = typed(xml_page, body, "entries")
    if page is not None:
        assert page.rows <= body.count(b"<row")
        typed(page.table, ROWS)
        typed(page.table, ROWS.project(["id"]))


class Body:
    """An answer of 200, read to its end."""

    def __init__(self, content):
        self.content, self.headers, self.url = content, {}, "https://vendor.example/"


NOWHERE = RawServer(1, authority().cert_pem.bytes().decode())
BRANDS = [client_of(NOWHERE, vendor).brands.query(accept="json") for vendor in ("medipim", "mediagenix")]


@FUZZ
@given(damaged(st.one_of(PAGES, COLLECTIONS).map(_json)), st.sampled_from(["frame", "records", "count", "tables"]))
def test_any_answer_to_a_query_is_a_result_or_a_typed_error(body, verb):
    """Promise 8; P08, P15, P20: Medipim's brands and Mediagenix's, through all that a query does with an answer."""
    for query in BRANDS:
        query.client.session.send = lambda call: Body(body)
        started = perf_counter()
        typed(lambda asked: list(asked.records()) if verb == "records" else getattr(asked, verb)(), query)
        assert perf_counter() - started < 5
