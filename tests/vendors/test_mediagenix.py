"""Mediagenix end to end on the mock server: digest, hypermedia, XML and JSON, paging, events, Sequence."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

import vendorkit as vk
from vendorkit.errors import (
    CredentialsRefused,
    IncompletePull,
    MalformedAnswer,
    NotFound,
    OriginRefused,
    SettingsError,
    UsageError,
    VendorkitError,
)
from vendorkit.frames import SchemaDrift
from vendorkit.http import tls
from vendorkit.http.call import Call
from vendorkit.vendors import registry
from vendorkit.vendors.declared import read_resources
from vendorkit.vendors.mediagenix.schema import FILE

BELOW = {
    "schedules": {"platform": 1},
    "schedulings": {"platform": 1},
    "availability_windows": {"title": 1},
    "collection_entries": {"title_group": 121},
    "granted_requirements": {"right": 1},
    "specific_platforms": {"right": 1},
    "target_platforms": {"image": 1},
    "renditions": {"asset": 1},
    "publications": {"scheduling": 1001},
    "linear_schedulings": {"linear_channel": 1},
    "blackouts": {"title": 1},
    "metadata": {"title": 1},
    "images": {"title": 1},
    "jobs": {"work_area": 1},
    "events": {"newer_than": 1500},
    "entity_notes": {"title": 3},
    "workflows": {"scheduling": 1001},
    "rules": {"title": 1},
    "segments": {"asset": 1},
    "audio_tracks": {"rendition": 1},
    "subtitles": {"rendition": 2},
    "credits": {"contributor": 1},
    "external_ids": {"title": 2},
    "linear_programs": {"linear_channel": 1},
    "linear_categories": {"linear_channel": 1},
    "conflicts": {"scheduling": 1001},
    "sequence_events": {"newer_than": 100},
}
FOLLOWED = {"job_assets", "tasks", "notes", "problems", "hooks"}
NAMES = [name for name in read_resources(FILE) if name not in FOLLOWED]


@pytest.mark.parametrize("name", NAMES)
def test_xml_and_json_of_every_resource_give_the_same_frame(mediagenix, name):
    """Names, dtypes, values and nulls; nothing undeclared in either."""
    resource = getattr(mediagenix, name)
    xml = resource.query(**BELOW.get(name, {})).frame()
    as_json = resource.query(accept="json", **BELOW.get(name, {})).frame()
    pd.testing.assert_frame_equal(xml, as_json)
    assert list(xml.columns) == resource.query(**BELOW.get(name, {})).schema.arrow.names
    empty = resource.query(**BELOW.get(name, {})).frame(limit=0)
    assert empty.dtypes.to_dict() == xml.dtypes.to_dict()


@pytest.mark.parametrize("expand", [["metadata"], ["licensor", "images"], ["availability_windows", "platforms"]])
def test_expanded_titles_are_equal_in_both_forms(mediagenix, expand):
    """Children embedded at every depth, free documents as JSON text."""
    xml = mediagenix.titles.query(expand=expand).frame(limit=250)
    as_json = mediagenix.titles.query(expand=expand, accept="json").frame(limit=250)
    pd.testing.assert_frame_equal(xml, as_json)
    assert set(expand[:1]) <= set(xml.columns)


def test_metadata_keeps_absent_null_and_empty_apart(mediagenix):
    """Gap analysis needs the three states; the long table has the last two, the first has no row."""
    tables = mediagenix.titles.query(expand=["metadata"]).tables(limit=400)
    long = tables["title_metadata"]
    synopsis = long[long["field"] == "title_short_synopsis"]
    absent = set(tables["titles"]["id"]) - set(synopsis["title_id"])
    assert absent
    assert synopsis["value"].isna().any()
    assert (synopsis["value"] == "").any()


def test_collections_are_pulled_by_next_links(mediagenix, vendors):
    """200 a page, and the number of requests that takes, with one challenge in all."""
    vendors["mediagenix"].clear_log()
    frame = mediagenix.titles.query().frame(columns=["id"])
    assert len(frame) == 2000
    assert frame["id"].is_unique
    assert vendors["mediagenix"].requests == 12  # the digest challenge, ten pages, and whether records came meanwhile
    assert [entry["status"] for entry in vendors["mediagenix"].log()].count(401) == 1


def test_unescaped_next_links_are_followed(mediagenix, vendors):
    """inferred: blanks in hrefs occur; they are quoted before they are signed."""
    vendors["mediagenix"].set(unescaped_next=True)
    frame = mediagenix.follow("/api/titles?name=a b").frame(limit=300)
    assert len(frame) == 300


@pytest.mark.parametrize(
    ("url", "first", "rows"),
    [
        ("titles?page=2", 51, 1950),  # the vendor's pages of 50: its links without per_page are about these
        ("titles?page=2&per_page=200", 201, 1800),
        ("titles?per_page=70&page=3&expand=metadata", 141, 1860),
        ("titles?page=40", 1951, 50),
        ("titles?page=41", None, 0),
        ("titles?page=1", 1, 2000),
        ("titles?page=", 1, 2000),
        ("platforms?pagination=true&page=2&per_page=2", 3, 4),
        ("title_groups/1/titles?page=2", None, 0),
    ],
)
def test_a_followed_page_in_the_middle_gives_the_rest_from_there_on(mediagenix, url, first, rows):
    """Its records and those of the pages that it links to; the total counts all, so the pages before are taken off."""
    for accept in ("xml", "json"):
        query = mediagenix.follow(f"/api/{url}", accept=accept)
        frame = query.frame()
        assert (len(frame), query.count(), frame.attrs["vendorkit"]["complete"]) == (rows, rows, True)
        assert first is None or frame["id"].iloc[0] == str(first)
        assert query.frame(limit=3)["id"].tolist() == frame["id"].head(3).tolist()


def test_what_a_followed_address_embeds_is_read_as_such(mediagenix):
    """The vendor's `next` links keep `expand`; what the caller names comes in its place."""
    page = mediagenix.entity("/api/titles?per_page=200&expand=metadata,images")
    frame = mediagenix.follow(page["next_link"]).frame(limit=20)
    assert frame.equals(
        mediagenix.titles.query(expand=["metadata", "images"]).frame(limit=220).tail(20).reset_index(drop=True)
    )
    assert "images" in mediagenix.follow(page["next_link"], expand="images").frame(limit=1)
    assert not {"metadata", "images"} & {*mediagenix.follow(page["next_link"], expand=()).frame(limit=1)}
    for empty in ("?expand=", "?expand=,", "#top", "?expand=#top"):
        assert mediagenix.follow(f"/api/titles{empty}").ask.url.endswith("/api/titles")


@pytest.mark.parametrize(
    ("name", "rel", "where", "kinds"),
    [
        ("rights", "licensable", {}, {"title", "title_group"}),
        ("denied_rights", "licensable", {}, {"title", "title_group"}),
        ("images", "content", {"brand": 1}, {"brand"}),
        ("images", "content", {"title_group": 1}, {"title_group"}),
        ("credits", "creditable", {"brand": 1}, {"brand"}),
    ],
)
def test_an_embedded_record_of_several_kinds_has_the_columns_of_each(mediagenix, name, rel, where, kinds):
    """A right is for a title or a title group: no warning, equal in XML and JSON, and its kind is there."""
    frames = [getattr(mediagenix, name).query(**where, expand=rel, accept=one).frame() for one in ("xml", "json")]
    assert frames[0].equals(frames[1])
    assert {one["resource_type"] for one in frames[0][rel]} == kinds
    for _, row in frames[0].iterrows():
        assert row[rel]["self_link"] == row[f"{rel}_link"]
        assert row[rel]["name"]


def test_a_saved_page_in_the_middle_is_resumed_with_its_own_total(mediagenix, vendors, tmp_path):
    """The pages before it are not waited for, in the first attempt or the next."""
    query = mediagenix.follow("/api/titles?page=6&per_page=100", accept="json")
    vendors["mediagenix"].set(fail_next=[""] * 6 + ["404"])
    with pytest.raises(VendorkitError):
        query.save(tmp_path / "rest")
    saved = query.save(tmp_path / "rest")
    assert (len(saved.frame()), saved.complete) == (1500, True)


@pytest.mark.parametrize(("url", "rows"), [("events?newer_than=20", 1994), ("events", 50), ("events?newer_than=", 50)])
def test_followed_events_are_those_of_the_same_query(mediagenix, url, rows):
    """All after the id, not one batch of them; without an id, or with a blank one, the last fifty."""
    assert len(mediagenix.follow(f"/api/{url}").frame()) == rows


def test_count_asks_for_one_record(mediagenix):
    """total-entries of a page of one."""
    assert mediagenix.titles.query().count() == 2000
    with pytest.raises(UsageError, match="does not report how many"):
        mediagenix.linear_schedulings.query(linear_channel=1).count()


def test_what_is_no_collection_counts_as_one(mediagenix):
    """A schedule, a document, one title."""
    assert mediagenix.schedules.query(title=42).count() == 1
    assert mediagenix.metadata.query(title=42).count() == 1
    assert mediagenix.follow("/api/titles/42").count() == 1


def test_get_takes_ids_and_no_other_address(mediagenix):
    """What is given as an id stays one step of the path."""
    for strange in ("../titles/42", "42?expand=images"):
        with pytest.raises(NotFound):
            mediagenix.titles.get(strange)
    with pytest.raises(UsageError, match=r"metadata can only be listed under a parent\. Give title=<id>"):
        mediagenix.metadata.get(42)


def rewriting(client, monkeypatch, rewritten):
    """Let *rewritten* make each body of the client's answers from the one that came."""
    send = client.session.send

    def sent(call):
        response = send(call)
        response._content = rewritten(response.content)
        return response

    monkeypatch.setattr(client.session, "send", sent)


def test_next_links_in_a_circle_end_the_pull(mediagenix, monkeypatch):
    """P19: a page that names itself as the next one."""
    page = b'{"total_entries": 9, "next_link": "/api/brands?page=2", "entries": []}'
    rewriting(mediagenix, monkeypatch, lambda _: page)
    with pytest.raises(IncompletePull, match="form a loop"):
        mediagenix.brands.query(accept="json").frame()


@pytest.mark.parametrize("link", [[None], ["/api/brands?page=2"], {}, 2, True])
def test_a_link_that_is_no_text_is_refused(mediagenix, monkeypatch, link):
    """P20: the shape of a page is not trusted."""
    page = json.dumps({"total_entries": 9, "next_link": link, "entries": [{"id": 1}]}).encode()
    rewriting(mediagenix, monkeypatch, lambda _: page)
    with pytest.raises(MalformedAnswer, match="`next_link` of a page is not a string"):
        mediagenix.brands.query(accept="json").frame()


@pytest.mark.parametrize(("limit", "pages"), [(0, 1), (200, 1), (201, 2), (None, 10)])
def test_xml_is_fetched_ahead_but_never_past_a_limit(mediagenix, monkeypatch, limit, pages):
    """Requests count against the vendor's budget, so that none is sent for a page that is not wanted."""
    sent, send = [], mediagenix.session.send
    monkeypatch.setattr(mediagenix.session, "send", lambda call: sent.append(call.url) or send(call))
    frame = mediagenix.titles.query(accept="xml").frame(columns=["id"], limit=limit)
    assert len(frame) == (2000 if limit is None else limit)
    fetched = [url for url in sent if url != "/api/events"]  # whether records came meanwhile
    assert len(fetched) == len(set(fetched)) == pages


def test_a_next_link_behind_the_records_is_followed_too(mediagenix, monkeypatch):
    """Then a page has to be read before the next one can be asked for."""
    link = re.compile(rb'<link rel="next"[^>]*>')

    def moved(body):
        found = link.search(body)
        return link.sub(b"", body, count=1).replace(b"</titles>", found[0] + b"</titles>") if found else body

    rewriting(mediagenix, monkeypatch, moved)
    assert mediagenix.titles.query(accept="xml").frame(columns=["id"])["id"].nunique() == 2000


def test_events_are_read_to_their_end_after_an_id(mediagenix):
    """Batches after the last id; without one, the last 50 as the vendor gives them."""
    events = mediagenix.events.query(newer_than=0).frame(columns=["id", "event_type"])
    ids = events["id"].astype(int)
    assert ids.is_monotonic_increasing
    assert ids.is_unique
    assert len(events) > 200
    last = mediagenix.events.query().frame(columns=["id"])
    assert list(last["id"]) == list(events["id"].tail(50))
    some = mediagenix.events.query(newer_than=0, event_type=["title_created", "right_deleted"]).frame()
    assert set(some["event_type"]) == {"title_created", "right_deleted"}
    assert mediagenix.events.query(newer_than=10**9).frame().empty


@pytest.mark.parametrize("total", [0, 7_000])
@pytest.mark.parametrize("asked", [{}, {"newer_than": 1_800}])
def test_a_total_of_the_event_feed_is_not_compared_with_its_batches(mediagenix, monkeypatch, asked, total):
    """No document says what it would count: all events, those that are left, or those of the batch."""
    query = mediagenix.events.query(accept="json", **asked)
    rows = len(query.frame())
    entries = b'"total_entries":%d,"entries"' % total
    rewriting(mediagenix, monkeypatch, lambda body: body.replace(b'"entries"', entries, 1))
    frame = query.frame()
    assert (len(frame), frame.attrs["vendorkit"]["complete"]) == (rows, True)


def test_parts_for_dask_have_the_page_size_of_a_followed_address(mediagenix):
    """It may ask for smaller pages than a query does."""
    pytest.importorskip("dask")
    frame = mediagenix.follow("/api/titles?per_page=70").dask(3).compute(scheduler="synchronous")
    assert frame["id"].tolist() == [str(number) for number in range(1, 2001)]


def test_root_leads_to_everything_by_links(mediagenix):
    """follow() is lazy and gives a query; an entity has links of its own."""
    root = mediagenix.root()
    assert {"titles", "platforms", "events"} <= set(root.links)
    platforms = root.links["platforms"].follow().frame()
    schedule = mediagenix.entity(platforms["schedule_link"].iloc[0])
    schedulings = schedule.links["schedulings"].follow().frame(limit=10)
    assert len(schedulings) == 10
    assert schedulings["put_up"].dt.tz is not None
    assert mediagenix.follow(platforms["self_link"].iloc[0]).frame()["name"].iloc[0] == platforms["name"].iloc[0]


def test_links_that_leave_the_vendor_are_refused(mediagenix, vendors):
    """Files lie elsewhere; digest credentials do not go there."""
    image = mediagenix.images.query(title=1).frame().iloc[0]
    vendors["mediagenix"].clear_log()
    with pytest.raises(OriginRefused):
        mediagenix.follow(image["file_link"])
    assert vendors["mediagenix"].requests == 0


GADGET = {
    "json": b'{"resource_type": "gadget", "id": 7, "self_link": "/api/gadgets/7", "short_name": "ab"}',
    "xml": b'<gadget><id type="integer">7</id><short-name>ab</short-name>'
    b'<link rel="self" href="/api/gadgets/7"/></gadget>',
}
GADGETS = {
    "json": b'{"entries": [%b]}' % GADGET["json"],
    "xml": b'<gadgets type="array">%b</gadgets>' % GADGET["xml"],
}


@pytest.mark.parametrize("accept", ["json", "xml"])
@pytest.mark.parametrize(("url", "bodies"), [("gadgets/7", GADGET), ("titles/3/gadget", GADGET), ("gadgets", GADGETS)])
def test_undeclared_resources_can_be_followed_too(mediagenix, monkeypatch, accept, url, bodies):
    """The root says whether it is one record; fields that nobody declared arrive as JSON text, with a warning."""
    send = mediagenix.session.send

    def answer(call):
        response = send(Call("GET", "/api"))
        response._content = bodies["xml" if call.accept == "xml" else "json"]
        return response

    monkeypatch.setattr(mediagenix.session, "send", answer)
    with pytest.warns(SchemaDrift, match="short_name"):
        frame = mediagenix.follow(f"/api/{url}", accept=accept).frame()
    assert frame[["resource_type", "id", "self_link"]].to_numpy().tolist() == [["gadget", "7", "/api/gadgets/7"]]
    assert json.loads(frame["short_name"].iloc[0]) == "ab"


def test_events_are_read_whatever_their_order_and_the_form_of_their_times(mediagenix):
    """Milliseconds and an offset; `changes` before `timestamp`; equal in both formats."""
    frame = mediagenix.events.query(newer_than=0).frame(limit=200)
    assert frame["timestamp"].notna().all()
    assert frame["changes"].notna().any()
    bodies = [mediagenix.get("/api/events", params={"newer_than": 0}).text]
    assert ".000+" in bodies[0]
    fields = [re.findall("<(timestamp|changes)", one) for one in bodies[0].split("<event>")]
    assert ["timestamp", "changes"] in fields
    assert ["changes", "timestamp"] in fields


def test_the_requests_of_a_public_poller_are_answered(mediagenix):
    """It sends `event_type=` empty; blank parameters count as absent, as in Rails."""
    newest = mediagenix.get("/api/events?newer_than=&event_type=").text
    assert newest == mediagenix.get("/api/events").text
    assert mediagenix.get("/api/events?newer_than=100&event_type=").text.count("<event>") == 50


def test_sequence_is_reached_through_the_same_client(mediagenix, vendors):
    """Its root, work areas and jobs; its nonces are its own."""
    assert "work_areas" in mediagenix.root("sequence").links
    area = mediagenix.work_areas.query().frame().iloc[0]
    jobs = mediagenix.jobs.query(work_area=area["id"]).frame()
    assert {"name", "status", "due_date", "scheduling_link"} <= set(jobs.columns)
    tasks = mediagenix.follow(jobs["tasks_link"].iloc[0]).frame()
    assert {"position", "responsible_email"} <= set(tasks.columns)
    materials = mediagenix.follow(jobs["assets_link"].iloc[0]).frame()
    assert "type_name" in materials.columns
    assert [entry["status"] for entry in vendors["sequence"].log()].count(401) == 1
    with pytest.raises(UsageError, match="Follow a link"):
        mediagenix.tasks.query().frame()


def test_get_gives_one_title_or_not_found(mediagenix):
    """In JSON, as the vendor sends it."""
    assert mediagenix.titles.get(1)["resource_type"] == "title"
    with pytest.raises(NotFound):
        mediagenix.titles.get(10**9)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"expand": ["licensors"]}, "Did you mean licensor"),
        ({"expand": ["rights"]}, "no expansion"),
        ({"accept": "yaml"}, "response format"),
        ({"nmae": "x"}, "Available"),
    ],
)
def test_wrong_query_is_refused(mediagenix, wrong, said):
    """Links that the vendor does not expand are known."""
    with pytest.raises(UsageError, match=said):
        mediagenix.titles.query(**wrong)


def test_eight_threads_share_one_challenge(vendors):
    """8 threads x 25 GETs on a fresh client are 201 requests."""
    client = vk.connect("mediagenix", environment="local")
    vendors["mediagenix"].clear_log()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: client.get(f"/api/titles/{n + 1}").status_code, range(200)))
    assert set(statuses) == {200}
    assert vendors["mediagenix"].requests == 201


def test_nonce_that_expires_costs_one_request_and_no_error(mediagenix, vendors):
    """A28: seen by nobody but the log."""
    mediagenix.get("/api")
    vendors["mediagenix"].clear_log()
    vendors["mediagenix"].expire_now()
    assert mediagenix.get("/api/titles/1").status_code == 200
    assert [entry["status"] for entry in vendors["mediagenix"].log()] == [401, 200]


@pytest.mark.parametrize("switches", [{"strict_nonce_count": True}, {"nextnonce": True}, {"nonce_says_stale": True},
                                      {"digest_algorithm": "SHA-256"}, {"digest_algorithm": "MD5-sess"},
                                      {"digest_qop": None}])  # fmt: skip
def test_every_kind_of_digest_is_spoken_with_threads(vendors, switches):
    """0 final 401 at 8 threads, whatever the server does with nonces."""
    vendors["mediagenix"].set(**switches)
    client = vk.connect("mediagenix", environment="local")
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda n: client.get(f"/api/titles/{n + 1}").status_code, range(80)))
    assert set(statuses) == {200}


def test_wrong_password_costs_two_requests_once(vendors, monkeypatch):
    """A29: and one clear error each time."""
    original = registry._local

    def wrong(vendor, country):
        endpoint, settings = original(vendor, country)
        return endpoint, registry._with_values(settings, {"MEDIAGENIX_ROBOT_PASSWORD": "not-the-password"})

    monkeypatch.setattr(registry, "_local", wrong)
    client = vk.connect("mediagenix", environment="local")
    vendors["mediagenix"].clear_log()
    for _ in range(3):
        with pytest.raises(CredentialsRefused) as caught:
            client.titles.query().frame()
        assert "not-the-password" not in str(caught.value)
    assert vendors["mediagenix"].requests == 2


def test_real_environments_trust_approved_roots_only(monkeypatch):
    """The table of vendorkit/http/approved_roots.txt; the budget leaves headroom below 150 in 30 seconds."""
    monkeypatch.setenv("MEDIAGENIX_ROBOT_USER", "robot")
    monkeypatch.setenv("MEDIAGENIX_ROBOT_PASSWORD", "made up words")
    client = vk.connect("mediagenix", environment="production")
    assert client.endpoint.base_url == "https://movida.bebanjo.net"
    assert client.endpoint.origins == {"sequence": "https://sequence.bebanjo.net"}
    assert client.endpoint.trust == tls.approved_trust()
    assert client.session.budget.rates == ((144, 30.0),)
    with pytest.raises(SettingsError, match="MEDIAGENIX_ROBOT_USER"):
        monkeypatch.delenv("MEDIAGENIX_ROBOT_USER")
        vk.connect("mediagenix", environment="staging")
