"""The mock servers of Mediagenix On-Demand and Sequence behave as documented by the vendor."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from datetime import datetime
from urllib.parse import quote

import httpx
import pytest
from lxml import etree
from starlette.applications import Starlette

from vendorkit.local.mediagenix import library as mediagenix
from vendorkit.local.mediagenix import sequence
from vendorkit.local.server.settings import Settings

BASE = "https://127.0.0.1:8443"
MILLIONTH = "/api/titles?per_page=200&page=5000&expand=metadata,availability_windows,schedule,schedulings"
JSON = {"Accept": "application/json"}


class Vendor:
    """The routes without a socket: `ask` returns an httpx response."""

    def __init__(self, module=mediagenix, **settings):
        self.settings = Settings(**{"titles": 400, **settings})
        self._app = Starlette(
            routes=module.Api(self.settings, lambda name="": f"https://{name}.example" if name else BASE, {}).routes()
        )

    def ask(self, method, path, **options):
        """Send one request."""

        async def send():
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path, **params):
        """The answer as JSON; *path* may be a link."""
        answer = self.ask("GET", path, headers=JSON, params=params or None)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def xml(self, path):
        """The answer as an XML tree."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        return etree.fromstring(answer.content)

    def all(self, path):
        """Every record behind a collection, following `next`."""
        records = []
        while path:
            page = self.get(path)
            records += page["entries"]
            path = page.get("next_link")
        return records


@pytest.fixture(scope="module")
def vendor():
    """Run one library for the tests that change no switch."""
    return Vendor()


def plain(element):
    """Return an XML record in its JSON form."""
    record = {"resource_type": element.tag.replace("-", "_")}
    for child in element:
        if child.tag == "link":
            record[f"{child.get('rel')}_link"] = child.get("href")
        else:
            record[child.tag.replace("-", "_")] = typed(child)
    return record


def typed(element):
    """Return the value of an element, as its `type` says."""
    if element.get("nil") == "true":
        return None
    kind = element.get("type")
    if kind == "array":
        return [typed(child) for child in element]
    if len(element):
        return {child.tag.replace("-", "_"): typed(child) for child in element}
    text = element.text or ""
    return int(text) if kind == "integer" else text == "true" if kind == "boolean" else text


# -- form


def test_xml_is_the_default_and_json_comes_on_request(vendor):
    """The preferred known type in Accept is used, XML if there is no Accept. Unknown types are refused with 406."""
    accepts = ("*/*", "application/xml", "application/json", "APPLICATION/XML;Q=0.5, application/json; charset=utf-8")
    answers = [vendor.ask("GET", "/api", headers={"Accept": accept}) for accept in accepts]
    types = [answer.headers["content-type"] for answer in answers]
    assert ["json" in kind for kind in types] == [False, False, True, True]
    for unknown in ("text/csv", "application/json;q=0"):
        assert vendor.ask("GET", "/api", headers={"Accept": unknown}).status_code == 406


def test_root_names_the_collections_in_both_forms(vendor):
    """The root has no attributes and one link per collection."""
    root = vendor.xml("/api")
    assert root.tag == "movida"
    assert plain(root) == vendor.get("/api")
    assert {"titles", "title_groups", "brands", "platforms", "licensors", "events"} <= {e.get("rel") for e in root}


@pytest.mark.parametrize("module", [mediagenix, sequence])
def test_every_link_leads_to_an_answer(module):
    """Every link from the root works, except links to other origins and to deleted subjects of events."""
    small = Vendor(module, titles=13)
    seen, waiting = {f"{BASE}/api"}, [f"{BASE}/api"]

    async def crawl():
        transport = httpx.ASGITransport(app=small._app)
        async with httpx.AsyncClient(transport=transport) as client:
            while waiting:
                link = waiting.pop()
                answer = await client.get(link)
                if answer.status_code == 404 and link.endswith("/note"):
                    continue  # most records have none
                assert answer.status_code == 200, link
                for element in etree.fromstring(answer.content).iter("link"):
                    href = element.get("href")
                    if element.get("rel") != "subject" and href.startswith(BASE) and href not in seen:
                        seen.add(href)
                        waiting.append(href)

    asyncio.run(crawl())
    assert len(seen) > 400


@pytest.mark.parametrize(
    "path",
    ["titles", "title_groups", "brands", "platforms", "licensors", "outlets", "assets", "images", "rights", "deals",
     "denied_rights", "requirements", "linear_channels", "events", "platforms/2/schedule/schedulings",
     "title_groups/26/collection_entries", "assets/1/renditions", "titles/1/availability_windows"],
)  # fmt: skip
def test_xml_and_json_say_the_same(vendor, path):
    """Each record has the same fields and values in both forms, in the same order."""
    tree = vendor.xml(f"/api/{path}")
    entries = vendor.get(f"/api/{path}")["entries"]
    assert entries
    written = [plain(record) for record in tree if record.tag not in {"total-entries", "link"}]
    untyped = {"season_number", "costed_run", "rerun"}
    for record in entries:
        record.update({name: str(record[name]) for name in untyped & record.keys()})
    assert written == entries


def test_irregular_names_and_types_of_the_samples_are_kept(vendor):
    """Section 3.2: underscores in images, AspectRatio, numbers without type, a bare array root, href before rel."""
    image = vendor.xml("/api/images?per_page=1").find("image")
    assert image.find("external_id") is not None
    assert image.find("external-id") is None
    assert image.find("aspect-ratio").get("type") == "AspectRatio"
    season = vendor.xml("/api/title_groups/1").find("season-number")
    assert season.get("type") is None
    assert season.text.isdigit()
    assert vendor.xml("/api/linear_channels/1/linear_schedulings").get("type") is None
    assert '<link href="' in vendor.ask("GET", "/api/platforms/1").text
    assert isinstance(vendor.get("/api/title_groups/1")["season_number"], int)


def test_null_and_empty_are_reported_apart(vendor):
    """Null is nil="true", an empty text is an empty element, and external ids have both."""
    ids = [title.find("external-id") for title in vendor.xml("/api/titles?per_page=200").iter("title") if len(title)]
    nil = [element for element in ids if element.get("nil") == "true"]
    empty = [element for element in ids if element.get("nil") is None and not element.text]
    assert nil
    assert empty
    assert len(nil) + len(empty) < len(ids)


def test_names_need_escaping_and_survive_it(vendor):
    """Quotes, ampersands, angle brackets and other scripts are in the names."""
    names = "".join(title["name"] for title in vendor.all("/api/titles?per_page=200"))
    assert all(sign in names for sign in ('"', "&", "<", "東京", "Č"))


# -- pages


def test_pages_hold_fifty_unless_asked_and_two_hundred_at_most(vendor):
    """50 by default, 200 at most, then 422 with the vendor's message."""
    assert len(vendor.get("/api/titles")["entries"]) == 50
    assert len(vendor.get("/api/titles?per_page=200")["entries"]) == 200
    refused = vendor.ask("GET", "/api/titles?per_page=201")
    assert refused.status_code == 422
    assert refused.text.strip() == "<error><message>per_page maximum value is 200</message></error>"
    assert vendor.ask("GET", "/api/titles?page=x").status_code == 422


def test_following_next_yields_every_title_once(vendor):
    """The links lead through all pages. They are absolute URLs and keep the other parameters."""
    titles = vendor.all("/api/titles?per_page=130")
    assert [title["id"] for title in titles] == list(range(1, 401))
    page = vendor.get("/api/titles?per_page=130&expand=metadata&page=2")
    assert page["total_entries"] == 400
    assert page["next_link"] == f"{BASE}/api/titles?per_page=130&expand=metadata&page=3"
    assert page["prev_link"].endswith("page=1")
    assert "next_link" not in vendor.get("/api/titles?per_page=200&page=2")
    assert vendor.get("/api/titles?page=9&per_page=50")["entries"] == []


def test_platforms_come_in_pages_on_request_only(vendor):
    """4.5: without pagination=true the list is complete and has no total."""
    whole = vendor.get("/api/platforms?per_page=2")
    assert set(whole) == {"entries"}
    assert len(whole["entries"]) == 6
    page = vendor.get("/api/platforms?per_page=2&pagination=true")
    assert page["total_entries"] == 6
    assert len(page["entries"]) == 2


def test_linear_schedulings_are_read_by_cursor(vendor):
    """`next` has the last id instead of a page number. It leads through all records once, and `before` leads back."""
    path = "/api/linear_channels/2/linear_schedulings?per_page=20"
    page = vendor.get(path)
    assert "after=" in page["next_link"]
    assert "total_entries" not in page
    ids = [entry["id"] for entry in vendor.all(path)]
    assert ids == sorted(set(ids))
    assert len(ids) == 50
    back = vendor.get(vendor.get(page["next_link"])["prev_link"])
    assert back["entries"] == page["entries"]


def test_next_links_may_hold_unescaped_spaces():
    """The switch leaves out the escaping, as older answers did."""
    vendor = Vendor()
    link = "/api/titles?per_page=5&note=a%20b"
    assert " " not in vendor.get(link)["next_link"]
    vendor.settings.unescaped_next = True
    assert "note=a b&" in vendor.get(link)["next_link"]


def test_links_may_come_with_http():
    """With the switch, links start with http:// as in old samples."""
    assert Vendor(http_links=True).get("/api")["titles_link"].startswith("http://127.0.0.1")


# -- expand


def test_expanded_links_hold_the_record_in_both_forms(vendor):
    """XML has the record inside the link, JSON next to it. It is the same record as at the link."""
    link = next(e for e in vendor.xml("/api/titles/1?expand=licensor,metadata") if e.get("rel") == "licensor")
    record = vendor.get("/api/titles/1?expand=licensor,metadata")
    linked = vendor.get(record["licensor_link"])
    assert plain(link[0]) == record["licensor"] == linked
    assert record["metadata"] == vendor.get(record["metadata_link"])


def test_expand_is_flat_and_reaches_every_depth(vendor):
    """One list of rels applies at all depths: windows of titles, platforms of windows, outlets of platforms."""
    page = vendor.get("/api/titles?expand=availability_windows,platforms,outlet")
    windows = [w for title in page["entries"] for w in title["availability_windows"]["entries"]]
    assert windows
    assert all(window["platforms"]["entries"] for window in windows)
    assert "outlet" in windows[0]["platforms"]["entries"][0]


def test_some_links_are_never_expanded(vendor):
    """`self`, unknown rels and the links that the documents exclude are not expanded."""
    title = vendor.get("/api/titles/1?expand=self,rights,blackouts,nonsense,denied_rights")
    assert not {"self", "rights", "blackouts", "nonsense"} & title.keys()
    assert title["denied_rights"] == {"entries": []}
    deal = vendor.get("/api/deals/1?expand=rights,licensor,metadata")
    assert "metadata" in deal
    assert not {"rights", "licensor"} & deal.keys()


def test_an_ancestor_is_not_expanded_again(vendor):
    """The guard stops every cycle: title, schedule, title."""
    title = vendor.get("/api/titles/1?expand=schedule,title")
    assert "title_link" in title["schedule"]
    assert "title" not in title["schedule"]


def test_siblings_share_the_guard_unless_the_switch_is_off():
    """Below the first level a repeated record is expanded only once. In the requested list it is expanded each time."""
    vendor = Vendor()
    path = "/api/platforms/1/schedule?expand=schedulings,platform,title_group"

    def expanded():
        entries = vendor.get(path)["schedulings"]["entries"]
        groups = [e["title_group_link"] for e in entries if "title_group_link" in e]
        return len(groups), len(set(groups)), sum("title_group" in e for e in entries)

    links, different, shown = expanded()
    assert shown == different < links
    vendor.settings.expand_guard_shared = False
    assert expanded() == (links, different, links)
    vendor.settings.expand_guard_shared = True
    listed = vendor.get("/api/platforms/1/schedule/schedulings?expand=platform")["entries"]
    assert all("platform" in scheduling for scheduling in listed)


# -- filters and events


def test_titles_are_found_by_external_id_and_assets_by_name(vendor):
    """The two documented filters return the matching record, or none."""
    assert [t["id"] for t in vendor.get("/api/titles", external_id="ACME-43")["entries"]] == [43]
    assert vendor.get("/api/titles", external_id="ACME-6")["total_entries"] == 0  # title 6 has none
    assert vendor.get("/api/titles", external_id="unknown")["entries"] == []
    name = vendor.get("/api/assets/3")["name"]
    assert [a["id"] for a in vendor.get("/api/assets", name=name)["entries"]] == [3]
    assert vendor.get("/api/assets", name=f"{name} x")["entries"] == []


def test_events_are_polled_by_the_last_id(vendor):
    """The feed has the last 50 events, or the 50 after newer_than. Ids rise with gaps."""
    newest = [event["id"] for event in vendor.get("/api/events")["entries"]]
    ids, last = [], 0
    while batch := vendor.get("/api/events", newer_than=last)["entries"]:
        assert len(batch) <= 50
        ids += [event["id"] for event in batch]
        last = ids[-1]
    assert ids == sorted(set(ids))
    assert ids[-50:] == newest
    assert len(ids) < ids[-1]
    assert vendor.get("/api/events", newer_than=ids[0])["entries"][0]["id"] == ids[1]


def test_events_are_filtered_by_type_and_show_their_subject(vendor):
    """Only updates list changes. An expanded subject is a stub, even if it was deleted."""
    events = vendor.get("/api/events", event_type="title_updated,title_deleted", expand="subject", newer_than=0)[
        "entries"
    ]
    assert {event["event_type"] for event in events} == {"title_updated", "title_deleted"}
    assert all(("changes" in event) == (event["event_type"] == "title_updated") for event in events)
    assert all(event["subject"]["self_link"] == event["subject_link"] for event in events)
    gone = next(event["subject_link"] for event in events if event["event_type"] == "title_deleted")
    assert vendor.ask("GET", gone).status_code == 404


# -- metadata


def metadata_of(vendor):
    """Return all metadata documents of titles, from their JSON."""
    return [title["metadata"] for title in vendor.all("/api/titles?per_page=200&expand=metadata")]


def test_metadata_tells_absent_null_and_empty_apart(vendor):
    """All three states of the short synopsis occur, and most titles have one."""
    marker = object()
    states = [document.get("title_short_synopsis", marker) for document in metadata_of(vendor)]
    assert marker in states
    assert None in states
    assert "" in states
    assert sum(isinstance(state, str) and state != "" for state in states) > 200


def test_metadata_is_the_same_document_in_both_forms(vendor):
    """Types, lists and nested objects included; some titles have each."""
    documents = metadata_of(vendor)
    nested = next(i for i, document in enumerate(documents, 1) if "title_awards" in document)
    for number in {1, 2, 4, 10, nested}:
        document = vendor.get(f"/api/titles/{number}/metadata")
        assert document.pop("resource_type") == "metadata"
        assert typed(vendor.xml(f"/api/titles/{number}/metadata")) == document
    assert isinstance(documents[nested - 1]["title_technical"]["sound"]["channels"], int)


def test_metadata_follows_the_template_of_the_account():
    """The switches for prefix, dashes in JSON and untyped numbers take effect while the server runs."""
    vendor = Vendor()
    vendor.settings.metadata_prefix = False
    assert "year" in vendor.get("/api/titles/1/metadata")
    vendor.settings.metadata_prefix = True
    vendor.settings.metadata_dashes_in_json = True
    assert "title-year" in vendor.get("/api/titles/1/metadata")
    assert vendor.xml("/api/titles/1/metadata").find("title-year").get("type") == "integer"
    vendor.settings.metadata_untyped_numbers = True
    assert vendor.xml("/api/titles/1/metadata").find("title-year").get("type") is None


# -- data


def test_equal_settings_give_equal_data_and_another_seed_gives_other_data():
    """Equal seeds give equal records, different seeds do not."""
    path = "/api/titles?expand=metadata,rights,availability_windows"
    assert Vendor(seed=3).get(path) == Vendor(seed=3).get(path)
    assert Vendor(seed=3).get(path) != Vendor(seed=4).get(path)


def test_default_sizes_are_those_of_a_small_catalogue():
    """2,000 titles, 120 series, about 30 collections, 40 brands, 6 platforms, 12 licensors and the pseudo entry."""
    vendor = Vendor(titles=2_000)
    totals = {name: vendor.get(f"/api/{name}?per_page=1&pagination=true")["total_entries"]
              for name in ("titles", "title_groups", "brands", "platforms", "licensors", "deals")}  # fmt: skip
    assert totals == {"titles": 2_000, "title_groups": 151, "brands": 40, "platforms": 6, "licensors": 13, "deals": 24}
    assert vendor.get("/api/licensors")["entries"][0]["name"] == "- No licensor -"


def test_groups_and_titles_agree_from_both_sides(vendor):
    """A title lists exactly the groups that list it; each episode is in one series."""
    claims = set()
    for group in vendor.all("/api/title_groups?per_page=200"):
        claims |= {(group["id"], title["id"]) for title in vendor.all(group["titles_link"])}
    found = set()
    for title in vendor.all("/api/titles?per_page=200&expand=title_groups"):
        groups = title["title_groups"]["entries"]
        found |= {(group["id"], title["id"]) for group in groups}
        series = [group for group in groups if group["title_group_type"] == "series"]
        assert len(series) == (title["title_type"] == "episode")
    assert found == claims


def test_titles_of_a_licensor_are_those_that_link_to_it(vendor):
    """Both directions agree, and some titles have no licensor."""
    titles = vendor.all("/api/titles?per_page=200")
    for licensor in vendor.get("/api/licensors")["entries"][1:]:
        expected = [t["id"] for t in titles if t.get("licensor_link") == licensor["self_link"]]
        assert [t["id"] for t in vendor.all(licensor["titles_link"])] == expected
    assert any("licensor_link" not in title for title in titles)


def test_deals_hold_each_of_their_rights_once(vendor):
    """Each right belongs to at most one deal, and some rights to none."""
    rights = {right["id"] for right in vendor.all("/api/rights?per_page=200")}
    held = [right["id"] for deal in vendor.all("/api/deals") for right in vendor.all(deal["rights_link"])]
    assert len(held) == len(set(held))
    assert set(held) < rights


def moment(text):
    """Read a datetime of the vendor."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_rights_status_follows_from_windows_and_platforms(vendor):
    """A scheduling is cleared exactly when a window of its title covers it on its platform."""
    seen = set()
    for title in vendor.all("/api/titles?per_page=200&expand=availability_windows,platforms"):
        windows = [(moment(w["from"]), moment(w["to"]), {p["self_link"] for p in w["platforms"]["entries"]})
                   for w in title["availability_windows"]["entries"]]  # fmt: skip
        for scheduling in vendor.get(f"{title['schedule_link']}/schedulings")["entries"]:
            start, end = moment(scheduling["put_up"]), moment(scheduling["take_down"])
            assert start < end
            covered = any(a <= start and end <= b and scheduling["platform_link"] in p for a, b, p in windows)
            assert (scheduling["rights_status"] == "cleared") is covered
            seen.add((covered, any(a <= start and end <= b for a, b, _ in windows)))
    assert seen == {(True, True), (False, True), (False, False)}  # cleared, wrong platform, outside every window


def test_windows_are_written_with_an_offset_and_mean_the_span_of_a_right(vendor):
    """The times are those of a right of the title. Some rights end in the month after the anchor."""
    windows = vendor.get("/api/titles/1/availability_windows")["entries"]
    rights = vendor.get("/api/titles/1/rights")["entries"]
    assert windows
    assert all(window["from"][-6:] in {"+01:00", "+02:00"} for window in windows)
    spans = {(moment(right["starts"]), moment(right["ends"])) for right in rights}
    assert {(moment(window["from"]), moment(window["to"])) for window in windows} == spans
    ends = [right["ends"] for right in vendor.all("/api/rights?per_page=200")]
    assert sum("2026-11-01" <= end < "2026-12-01" for end in ends) > len(ends) / 10


def test_images_and_durations_have_their_gaps(vendor):
    """Some titles lack an image type, some files are not fetched yet, and some runtimes are not hh:mm:ss."""
    counts = {len(title["images"]["entries"]) for title in vendor.all("/api/titles?per_page=200&expand=images")}
    assert {3, 4} <= counts
    images = vendor.all("/api/images?per_page=200")
    assert any(image["file_size"] is None for image in images)
    assert all(image["file_link"].startswith("https://files.example/") for image in images)
    runtimes = [asset["runtime"] for asset in vendor.all("/api/assets?per_page=200")]
    assert None in runtimes
    assert any(runtime and runtime.endswith("m") for runtime in runtimes)


def test_a_library_of_a_million_titles_answers_from_its_end():
    """Memory does not grow with the size until a list is filtered: only the requested records are computed."""
    vendor = Vendor(titles=1_000_000)
    tracemalloc.start()
    try:
        page = vendor.get(MILLIONTH)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000  # bytes; one column of a million integers takes 8 MB
    assert page["entries"][-1]["id"] == 1_000_000
    assert page["total_entries"] == 1_000_000


# -- faults and refusals


def test_wrong_types_reach_the_share_that_was_asked_for(vendor):
    """While the server runs, numbers become text and a new field appears in some records."""
    crooked = Vendor(wrong_type_rate=0.3)
    records = crooked.all("/api/titles?per_page=200")
    hit = [record for record in records if isinstance(record["id"], str)]
    assert 0.2 < len(hit) / len(records) < 0.4
    assert all("newly_added" in record for record in hit)
    assert "<newly-added>" in crooked.ask("GET", "/api/titles?per_page=200").text
    crooked.settings.wrong_type_rate = 0.0
    assert crooked.get("/api/titles") == vendor.get("/api/titles")


def test_unknown_records_are_not_found_and_writes_are_refused(vendor):
    """404 for an unknown id and 403 for every write, each in the vendor's format."""
    missing = vendor.ask("GET", "/api/titles/401")
    assert missing.status_code == 404
    assert etree.fromstring(missing.content).tag == "error"
    assert vendor.ask("GET", "/api/titles/401/metadata").status_code == 404
    assert json.loads(vendor.ask("GET", "/api/titles/0", headers=JSON).text)["error"]
    for method in ("POST", "PUT", "DELETE"):
        refused = vendor.ask(method, "/api/titles/1")
        assert refused.status_code == 403
        assert "read-only" in refused.text
    other = vendor.ask("OPTIONS", "/api/titles/1")
    assert (other.status_code, "PUT" in other.headers["Allow"]) == (405, True)


# -- writes on the server's own copy


@pytest.fixture
def writable():
    """Return a library that accepts writes."""
    return Vendor(titles=30, writes=True)


def test_metadata_is_updated_field_by_field_in_both_forms(writable):
    """PUT has the fields to change, in either style of names. Null clears a field. The answer is the whole document."""
    before = writable.get("/api/titles/4/metadata")
    sent = {"title_year": 1999, "title-actors": ["A", "B"], "title_rating": None}
    answer = writable.ask("PUT", "/api/titles/4/metadata", headers=JSON, json=sent)
    changed = {"title_year": 1999, "title_actors": ["A", "B"], "title_rating": None}
    assert (answer.status_code, answer.json()) == (200, {**before, **changed})
    xml = "<metadata type='document'><title-silent type='boolean'>true</title-silent><title-genres type='array'>"
    xml += "<title-genre>Noir</title-genre></title-genres><title-rating nil='true'/></metadata>"
    answer = writable.ask("PUT", "/api/titles/4/metadata", content=xml, headers={"Content-Type": "application/xml"})
    assert answer.status_code == 200
    changed |= {"title_silent": True, "title_genres": ["Noir"]}
    assert writable.get("/api/titles/4/metadata") == {**before, **changed}
    assert writable.get("/api/titles/4?expand=metadata")["metadata"]["title_year"] == 1999
    events = writable.get("/api/events")["entries"][-2:]
    assert [event["event_type"] for event in events] == ["title_metadata_updated"] * 2
    assert events[0]["changes"] == "title-year,title-actors,title-rating"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("titles/4/metadata", {"title_nope": 1}),
        ("titles/4/metadata", {"year": 1999}),  # without the prefix of the account
        ("titles/4/metadata", {"title_silent": "yes"}),
        ("titles/4/metadata", {"title_actors": "A"}),
        ("brands/1/metadata", {"brand_reviewed": 1}),
    ],
)
def test_metadata_outside_the_template_is_refused(writable, path, body):
    """422 for unknown fields and wrong types. Nothing is changed."""
    before = writable.get(f"/api/{path}")
    assert writable.ask("PUT", f"/api/{path}", headers=JSON, json=body).status_code == 422
    assert writable.get(f"/api/{path}") == before


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_metadata_is_neither_created_nor_deleted(writable, method):
    """A document accepts only GET and PUT."""
    assert writable.ask(method, "/api/titles/4/metadata", headers=JSON, json={}).status_code in (403, 405)


@pytest.mark.parametrize("owner", ["titles/4", "titles/1", "brands/1", "contributors/2"])
def test_an_image_is_created_below_its_owner(writable, owner):
    """201; size and checksum come later, as the vendor fetches the file; the list of all images has it too."""
    number = len(writable.get(f"/api/{owner}/images")["entries"])
    file = {"encoding": "png", "type": "Poster", "file_link": "https://elsewhere.example/a.png?x=1"}
    made = writable.ask("POST", f"/api/{owner}/images", headers=JSON, json=file)
    image = made.json()
    assert made.status_code == 201
    assert image == writable.get(image["self_link"])
    assert (image["encoding"], image["file_size"], image["file_md5"]) == ("png", None, None)
    assert (image["content_link"], image["file_link"]) == (f"{BASE}/api/{owner}", file["file_link"])
    assert len(writable.get(f"/api/{owner}/images")["entries"]) == number + 1
    assert writable.all("/api/images?per_page=200")[-1] == image
    assert writable.ask("DELETE", image["self_link"]).status_code == 204
    assert len(writable.get(f"/api/{owner}/images")["entries"]) == number


def test_a_first_image_a_rendition_and_a_track_are_created(writable):
    """Below a record that has none yet, and at every depth; a body without what is required is refused."""
    listed = [(title, f"/api/titles/{title}/images") for title in range(1, 31)]
    for image in [one for _, path in listed for one in writable.get(path)["entries"]]:
        writable.ask("DELETE", image["self_link"])
    for body in ({"type": "Poster"}, {"encoding": "exe"}):
        assert writable.ask("POST", "/api/titles/9/images", headers=JSON, json=body).status_code == 422
    assert writable.ask("POST", "/api/titles/9/images", headers=JSON, json={"encoding": "jpg"}).status_code == 201
    assert len(writable.get("/api/titles/9/images")["entries"]) == 1
    rendition = writable.ask("POST", "/api/assets/1/renditions", headers=JSON, json={"width": 640}).json()
    assert rendition["asset_link"] == f"{BASE}/api/assets/1"
    track = {"language": "fra", "original_version": True}
    made = writable.ask("POST", f"{rendition['self_link']}/audio_tracks", headers=JSON, json=track)
    assert made.status_code == 201, made.text
    assert made.json()["rendition_link"] == rendition["self_link"]


def test_a_created_title_is_found_by_its_filter_and_its_licensor(writable):
    """A created record is in the lists that its values imply, and in no others."""
    body = {"name": "New", "external_id": "MINE-1", "licensor_link": f"{BASE}/api/licensors/3"}
    title = writable.ask("POST", "/api/titles", headers=JSON, json=body).json()
    assert writable.get("/api/titles?external_id=MINE-1")["entries"] == [title]
    assert writable.get("/api/titles?external_id=ACME-1")["total_entries"] == 1
    for licensor in (2, 3):
        assert (title in writable.all(f"/api/licensors/{licensor}/titles")) is (licensor == 3)
    assert writable.ask("POST", "/api/titles", headers=JSON, json={"title": "no name"}).status_code == 422


def test_a_created_record_has_what_the_request_says_and_nothing_else(writable):
    """No picture, right, document or note of another title; a schedule of its own; episodes have their number."""
    body = {"name": "New", "title_type": "episode", "episode_number": 4}
    title = writable.ask("POST", "/api/titles", headers=JSON, json=body).json()
    assert {name: title[name] for name in body} == body
    assert "licensor_link" not in title
    for rel in ("images", "assets", "rights", "availability_windows", "external_ids", "clips", "linear_schedulings"):
        assert writable.get(title[f"{rel}_link"])["entries"] == []
    schedule = writable.get(title["schedule_link"])
    assert (schedule["self_link"], schedule["title_link"]) == (title["schedule_link"], title["self_link"])
    assert writable.get(schedule["schedulings_link"])["entries"] == []
    assert {*writable.get(title["metadata_link"]).values()} == {"metadata", None}
    assert writable.ask("GET", title["note_link"]).status_code == 404
    sent = {"put_up": "2027-01-01T00:00:00Z", "platform_link": f"{BASE}/api/platforms/2"}
    made = writable.ask("POST", schedule["schedulings_link"], headers=JSON, json=sent).json()
    assert (made["title_link"], made["platform_link"]) == (title["self_link"], sent["platform_link"])
    assert writable.all("/api/platforms/2/schedule/schedulings?per_page=200")[-1] == made
    picture = writable.ask("POST", title["images_link"], headers=JSON, json={"encoding": "jpg"}).json()
    assert writable.get(title["images_link"])["entries"] == [picture]


def test_a_record_takes_what_others_of_its_kind_have():
    """A title without licensor gets one and loses it; a feature becomes an episode; what is not there stays absent."""
    vendor = Vendor(writes=True)
    bare = next(
        one
        for one in vendor.all("/api/titles?per_page=200")
        if "licensor_link" not in one and "episode_number" not in one
    )
    sent = {"licensor_link": f"{BASE}/api/licensors/4", "title_type": "episode", "episode_number": 2}
    changed = vendor.ask("PUT", bare["self_link"], headers=JSON, json=sent).json()
    assert {name: changed[name] for name in sent} == sent
    cleared = vendor.ask("PUT", bare["self_link"], headers=JSON, json={"licensor_link": None}).json()
    assert "licensor_link" not in cleared


def test_an_external_id_is_unique_and_found_as_it_is_now(writable):
    """422 for one that another title has, and for a blank name; a changed one is found, the earlier one is not."""
    for method, path in (("POST", "/api/titles"), ("PUT", "/api/titles/4")):
        taken = writable.ask(method, path, headers=JSON, json={"name": "x", "external_id": "ACME-2"})
        assert (taken.status_code, "taken" in taken.text) == (422, True)
    assert writable.ask("PUT", "/api/titles/2", headers=JSON, json={"external_id": "ACME-2"}).status_code == 200
    assert writable.ask("PUT", "/api/titles/4", headers=JSON, json={"name": ""}).status_code == 422
    assert writable.ask("PUT", "/api/titles/4", headers=JSON, json={"external_id": "NOW"}).status_code == 200
    found = {name: writable.get("/api/titles", external_id=name)["entries"] for name in ("NOW", "ACME-4", "ACME-2")}
    assert {name: [one["id"] for one in entries] for name, entries in found.items()} == {
        "NOW": [4],
        "ACME-4": [],
        "ACME-2": [2],
    }
    assert writable.ask("PUT", "/api/titles/5", headers=JSON, json={"external_id": "ACME-4"}).status_code == 200


@pytest.mark.parametrize("value", ["MINE-1", "A B", "a/b", "a?b=c#d", "100%", "Éte", "ext", "7"])
@pytest.mark.parametrize("form", ["json", "xml"])
def test_titles_are_created_or_updated_by_external_id(writable, value, form):
    """Release note of 2026: 201 for a new one, 200 for a known one, which is then the same title."""
    url = f"/api/titles/ext/{quote(value, safe='')}"

    def put(name):
        if form == "json":
            return writable.ask("PUT", url, headers=JSON, json={"name": name}).raise_for_status()
        more = {"Content-Type": "application/xml", **JSON}
        return writable.ask("PUT", url, content=f"<title><name>{name}</name></title>", headers=more).raise_for_status()

    made = put("New")
    again = put("Newer")
    assert (made.status_code, again.status_code) == (201, 200)
    assert {one: made.json()[one] for one in ("name", "external_id")} == {"name": "New", "external_id": value}
    assert again.json() == {**made.json(), "name": "Newer"}
    assert writable.get("/api/titles", external_id=value)["entries"] == [again.json()]
    assert writable.get("/api/titles")["total_entries"] == 31
    assert [one["event_type"] for one in writable.get("/api/events")["entries"][-2:]] == [
        "title_created",
        "title_updated",
    ]


def test_a_known_title_is_updated_by_its_external_id(writable):
    """One that was there from the start, whose id stays; what is not said stays as it is."""
    before = writable.get("/api/titles/2")
    changed = writable.ask("PUT", "/api/titles/ext/ACME-2", headers=JSON, json={"tags": "Seen"})
    assert (changed.status_code, changed.json()) == (200, {**before, "tags": "Seen"})


def test_titles_are_created_or_updated_by_an_external_id_of_a_type(writable):
    """The id is listed below the title; the type is named by its keyword."""
    made = writable.ask("PUT", "/api/titles/ext/eidr/10.5240%2FA", headers=JSON, json={"name": "New"})
    again = writable.ask("PUT", "/api/titles/ext/eidr/10.5240%2FA", headers=JSON, json={"name": "Newer"})
    assert (made.status_code, again.status_code, again.json()["self_link"]) == (201, 200, made.json()["self_link"])
    (known,) = writable.get(made.json()["external_ids_link"])["entries"]
    assert (known["value"], known["external_id_type_link"]) == ("10.5240/A", f"{BASE}/api/external_id_types/2")
    assert known["external_identifiable_link"] == made.json()["self_link"]
    assert writable.ask("PUT", "/api/titles/ext/imdb/10.5240%2FA", headers=JSON, json={"name": "x"}).status_code == 201
    for title in range(1, 31):
        for one in writable.get(f"/api/titles/{title}/external_ids")["entries"]:
            type_ = writable.get(one["external_id_type_link"])
            if type_["unique"]:
                url = f"/api/titles/ext/{type_['keyword']}/{one['value']}"
                assert writable.ask("PUT", url, headers=JSON, json={"tags": "x"}).json()["id"] == title


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("house/1", {"name": "x"}),  # this type cannot uniquely identify a title
        ("unknown/1", {"name": "x"}),
        ("MINE-1", {}),  # a new title needs a name
        ("eidr/1", {"title": "no name"}),
        ("ACME-2", {"name": None}),
        ("ACME-2", {"nmae": "x"}),
        ("ACME-2", {"external_id": "ACME-3"}),
        ("ACME-2", {"external_id": ["ACME-9"]}),
    ],
)
def test_what_cannot_be_created_or_updated_by_external_id_is_refused(writable, path, body):
    """422, and nothing is changed; without the switch 403, and there is nothing to read at that address."""
    assert writable.ask("PUT", f"/api/titles/ext/{path}", headers=JSON, json=body).status_code == 422
    assert writable.settings.changes == []
    assert writable.ask("GET", f"/api/titles/ext/{path}").status_code == 404
    writable.settings.writes = False
    assert writable.ask("PUT", f"/api/titles/ext/{path}", headers=JSON, json={"name": "x"}).status_code == 403


@pytest.mark.parametrize("path", ["", "/", "eidr/", "eidr/1/2"])
def test_an_address_without_an_external_id_or_with_more_leads_nowhere(writable, path):
    """404: a title whose external id is empty is not found by it."""
    assert any(title["external_id"] == "" for title in writable.all("/api/titles"))
    answer = writable.ask("PUT", f"/api/titles/ext/{path}", headers=JSON, json={"name": "x"})
    assert (answer.status_code, writable.settings.changes) == (404, [])


def test_a_publication_is_accepted_and_several_records_are_created_at_once(writable):
    """202 for what happens in the background (3.7); an array of records in one POST, all of them or none (3.9)."""
    assert writable.ask("POST", "/api/schedulings/1/publications", headers=JSON, json={}).status_code == 202
    assert writable.ask("POST", "/api/schedulings/1/publications").status_code == 202
    path, link = "/api/deals/1/granted_requirements", "<link rel='requirement' href='{}/api/requirements/{}'/>"
    before = len(writable.get(path)["entries"])
    one = "<granted-requirement>{}</granted-requirement>"
    body = "".join(one.format(link.format(BASE, number)) for number in (3, 9))
    xml = {"content": f"<granted-requirements type='array'>{body}</granted-requirements>"}
    made = writable.ask("POST", path, headers={"Content-Type": "application/xml"}, **xml)
    assert made.status_code == 201
    links = [entry["requirement_link"] for entry in writable.get(path)["entries"]][before:]
    assert links == [f"{BASE}/api/requirements/{number}" for number in (3, 9)]
    wrong = [{"requirement_link": f"{BASE}/api/requirements/1"}, {"nope": 1}]
    assert writable.ask("POST", path, headers=JSON, json=wrong).status_code == 422
    assert len(writable.get(path)["entries"]) == before + 2


@pytest.mark.parametrize(("title", "status"), [(1, 201), (3, 200)])  # without and with a note
def test_a_note_is_written_and_deleted(writable, title, status):
    """Notes have a required text. The feed reports a change of the record; 404 once the note is deleted."""
    path = f"/api/titles/{title}/note"
    assert writable.ask("PUT", path, headers=JSON, json={"text": "Été"}).status_code == status
    note = writable.get(f"/api/titles/{title}?expand=note")["note"]
    assert (note["text"], note["annotable_link"]) == ("Été", f"{BASE}/api/titles/{title}")
    event = writable.get("/api/events")["entries"][-1]
    assert (event["event_type"], event["changes"]) == ("title_updated", "note")
    assert writable.ask("POST", path, headers=JSON, json={"text": "B"}).json() == {**note, "text": "B"}
    for body in ({}, {"body": "B"}):
        assert writable.ask("POST", path, headers=JSON, json=body).status_code == 422
    assert writable.ask("POST", path, headers=JSON, json=[{"text": "B"}]).status_code == 400
    assert writable.ask("DELETE", path).status_code == 204
    assert writable.ask("GET", path).status_code == writable.ask("DELETE", path).status_code == 404
    assert writable.ask("PUT", "/api/titles/999/note", headers=JSON, json={"text": "A"}).status_code == 404


def test_a_workflow_is_created_by_an_empty_request(writable):
    """A scheduling that a request created has no workflow until then."""
    sent = {"put_up": "2027-01-01T00:00:00Z"}
    scheduling = writable.ask("POST", "/api/titles/2/schedule/schedulings", headers=JSON, json=sent).json()
    workflow = scheduling["workflow_link"]
    assert writable.ask("GET", workflow).status_code == 404
    assert writable.ask("POST", workflow).status_code == 201
    expected = {"resource_type": "workflow", "status": "pending", "self_link": workflow}
    assert writable.get(workflow) == expected


@pytest.mark.parametrize(
    ("record", "rel", "lists"),
    [
        ("images/1", "content", "titles/{}/images"),
        ("titles/1", "licensor", "licensors/{}/titles"),
        ("schedulings/5", "platform", "platforms/{}/schedule/schedulings"),
        ("linear_schedulings/5", "linear_channel", "linear_channels/{}/linear_schedulings"),
    ],
)
def test_a_record_moves_to_the_list_of_the_record_that_it_links_to(writable, record, rel, lists):
    """A PUT of a link takes the record out of one list and into another, which stays in order."""
    before = writable.get(f"/api/{record}")
    owner = before[f"{rel}_link"]
    other = 3 if owner.endswith("/2") else 2
    sent = {f"{rel}_link": f"{owner.rpartition('/')[0]}/{other}"}
    moved = writable.ask("PUT", f"/api/{record}", headers=JSON, json=sent).json()
    assert moved == {**before, **sent}
    assert before["id"] not in [one["id"] for one in writable.all(f"/api/{lists.format(owner.rpartition('/')[2])}")]
    found = writable.all(f"/api/{lists.format(other)}")
    assert moved in found
    assert len({one["id"] for one in found}) == len(found)


def test_titles_are_deleted_in_the_background():
    """204 at once, 404 after the time that a switch sets. Other records are gone at once."""
    vendor = Vendor(titles=30, writes=True, deletion_s=3600)
    for path in ("titles/4", "title_groups/1", "brands/1"):
        assert vendor.ask("DELETE", f"/api/{path}").status_code == 204
    assert vendor.get("/api/titles")["total_entries"] == 30
    assert vendor.get("/api/title_groups/1")["id"] == 1
    assert vendor.ask("GET", "/api/brands/1").status_code == 404
    vendor.settings.deletion_s = 0
    assert vendor.get("/api/titles")["total_entries"] == 29
    assert vendor.ask("GET", "/api/title_groups/1").status_code == 404


def test_a_publication_links_to_its_payload_and_log(vendor):
    """Files, as those of images."""
    publication = vendor.get("/api/publications/5")
    assert [publication[f"{name}_link"].rpartition("/")[2] for name in ("payload", "log")] == ["payload", "log"]


def test_a_job_is_created_from_a_template():
    """422 without one; the job is in its work area, has no materials yet, and does not show its template."""
    vendor = Vendor(sequence, titles=30, writes=True)
    jobs = "/api/work_areas/2/jobs"
    for body in ({"name": "New"}, {"name": "New", "template": ""}):
        assert vendor.ask("POST", jobs, headers=JSON, json=body).status_code == 422
    job = vendor.ask("POST", jobs, headers=JSON, json={"name": "New", "template": "Delivery"}).json()
    assert (job["name"], job["work_area_link"]) == ("New", f"{BASE}/api/work_areas/2")
    assert not {"template", "title_link", "web_link"} & job.keys()
    assert vendor.all(f"{jobs}?per_page=200")[-1] == job == vendor.get(job["self_link"])
    assert vendor.get(job["tasks_link"])["entries"] == []
    task = vendor.ask("POST", job["tasks_link"], headers=JSON, json={"name": "Check"}).json()
    assert (task["job_link"], task["self_link"].startswith(job["tasks_link"])) == (job["self_link"], True)
    assert vendor.get(job["tasks_link"])["entries"] == [task] == [vendor.get(task["self_link"])]


def test_entries_of_a_collection_have_their_place(writable):
    """4.3: the next position by default, none behind it, and only integers; the entry leads to its collection."""
    groups = writable.all("/api/title_groups")
    path = next(group["self_link"] for group in groups if group["title_group_type"] == "collection")
    last = writable.get(f"{path}/collection_entries")["total_entries"] + 1
    title = {"title_link": f"{BASE}/api/titles/1"}
    for position in (last + 1, 0, -1, None, "x"):
        refused = writable.ask("POST", f"{path}/collection_entries", headers=JSON, json={**title, "position": position})
        assert (refused.status_code, "Position must be an integer" in refused.text) == (422, True)
    entry = writable.ask("POST", f"{path}/collection_entries", headers=JSON, json=title).json()
    assert (entry["position"], entry["collection_link"], entry["title_link"]) == (last, path, title["title_link"])
    assert writable.all(f"{path}/collection_entries")[-1] == entry


def test_events_are_not_written(writable):
    """Events cannot be written."""
    event = writable.get("/api/events")["entries"][-1]["self_link"]
    for method, path in (("POST", "/api/events"), ("PUT", event), ("DELETE", event)):
        assert writable.ask(method, path, headers=JSON, json={}).status_code == 403
    assert writable.settings.changes == []


def test_jobs_of_sequence_are_updated_and_deleted():
    """Their paths are longer; the feed has the changes."""
    vendor = Vendor(sequence, titles=30, writes=True)
    job = "/api/work_areas/2/jobs/5"
    assert vendor.ask("PUT", job, headers=JSON, json={"name": "Renamed"}).json()["name"] == "Renamed"
    assert vendor.get(job)["name"] == "Renamed"
    assert vendor.ask("DELETE", f"{job}/tasks/21").status_code == 204
    assert [task["id"] for task in vendor.get(f"{job}/tasks")["entries"]] == [22, 23, 24, 25]
    assert vendor.ask("DELETE", job).status_code == 204
    assert vendor.ask("GET", f"{job}/tasks").status_code == 404
    events = vendor.get("/api/events")["entries"][-3:]
    assert [event["event_type"] for event in events] == ["job_updated", "task_deleted", "job_deleted"]
    assert events[1]["subject_link"] == f"{BASE}{job}/tasks/21"


# -- Sequence


def test_jobs_have_metadata_and_the_feed_has_what_is_below_them():
    """4.25: a job links to its document; events are about jobs, materials and tasks, each at its address."""
    vendor = Vendor(sequence)
    job = vendor.get("/api/work_areas/1/jobs/1?expand=metadata")
    assert job["metadata"] == vendor.get(job["metadata_link"])
    events, last = [], 0
    while batch := vendor.get("/api/events", newer_than=last)["entries"]:
        events, last = events + batch, batch[-1]["id"]
    kinds = {"job_created", "job_updated", "job_deleted", "asset_updated", "task_deleted"}
    assert {event["event_type"] for event in events} == kinds
    for event in events:
        found = vendor.ask("GET", event["subject_link"]).status_code
        assert found == (404 if event["event_type"].endswith("_deleted") else 200), event
        assert ("/tasks/" in event["subject_link"]) == event["event_type"].startswith("task")


def test_sequence_lists_jobs_and_what_each_needs():
    """Jobs belong to one work area; materials, tasks, notes and problems hang below them."""
    vendor = Vendor(sequence)
    assert vendor.xml("/api").tag == "sequence"
    jobs = [job for area in vendor.get("/api/work_areas")["entries"] for job in vendor.all(area["jobs_link"])]
    assert sorted(job["id"] for job in jobs) == list(range(1, 41))
    assert {job["status"] for job in jobs} == {"pending", "late", "done", "live", "passed"}
    assert any("T" in job["due_date"] for job in jobs)
    tasks = vendor.get(jobs[0]["tasks_link"])["entries"]
    assert [task["position"] for task in tasks] == [1, 2, 3, 4, 5]
    assert vendor.get(tasks[4]["self_link"]) == tasks[4]
    assert vendor.ask("GET", "/api/work_areas/2/jobs/1").status_code == 404
    web = next(e for e in vendor.xml(jobs[0]["self_link"]) if e.get("rel") == "web")
    assert web.get("type") == "text/html"
