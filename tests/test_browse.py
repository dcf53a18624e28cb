"""The API browser: addresses, their responses, and the panel that navigates between them and only reads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import ipywidgets as widgets
import pytest

import vendorkit as vk
from tests.clicking import VIEW, below, button, cancel, everything, group, labelled, leaked, models, press
from tests.https import JSON, always, answer, client_of, raw_server
from vendorkit.errors import InvalidRequest, MalformedAnswer, NotAllowed, OriginRefused, UsageError
from vendorkit.http.call import Policy
from vendorkit.panels.browse import Browser, markup
from vendorkit.panels.browse.response import fetch
from vendorkit.vendors.medipim.paging import Lookup
from vendorkit.vendors.registry import CLIENTS


@pytest.fixture
def browser(mediagenix):
    """An idle browser at the root of Mediagenix."""
    made = vk.browse(mediagenix)
    yield made
    made.join()


def arrived(panel: Browser) -> Browser:
    """Return the panel once it has stopped working."""
    panel.join()
    return panel


def boxes(panel: Browser) -> dict[str, widgets.Checkbox]:
    """Return the tick boxes by label."""
    return {one.description: one for one in below(panel) if isinstance(one, widgets.Checkbox)}


def tab(panel: Browser, title: str) -> widgets.Widget:
    """Return the content of the tab with this title."""
    tabs = next(one for one in below(panel) if isinstance(one, widgets.Tab))
    titles = [tabs.get_title(number) for number in range(len(tabs.children))]
    tabs.selected_index = titles.index(title)
    panel.join()
    return tabs.children[titles.index(title)]


def test_root_has_a_button_for_each_link(browser, mediagenix):
    """The root shows one button per link that the vendor gives."""
    assert set(browser.response.links) == set(mediagenix.root().links)
    for rel in browser.response.links:
        assert button(browser, rel)
    assert browser.response.address.url == "/api"


def test_links_lead_to_tables_and_records_by_clicks_only(browser):
    """Clicks lead from the root to titles, the second page, one title and its licensor."""
    button(browser, "titles").click()
    assert len(arrived(browser).frame) == 50
    assert browser.response.total == 2_000
    button(browser, "Next page").click()
    assert arrived(browser).frame["id"].iloc[0] == "51"
    press(group(browser, "vk-rows"), "1")
    assert arrived(browser).resource["id"] == 51
    assert browser.frame["id"].tolist() == ["51"]
    button(browser, "licensor").click()
    assert arrived(browser).resource["resource_type"] == "licensor"


def test_lists_are_searched_and_sorted_and_the_right_record_opens(mediagenix):
    """A row opens its record in any sort order. Link columns are hidden by default."""
    panel = vk.browse(mediagenix, "/api/titles")
    heads = group(panel, "vk-heads")
    assert "name" in heads.options
    assert not [name for name in heads.options if name.endswith("_link")]
    labelled(panel, "Filter").value = "tides"
    panel._list.join()
    press(heads, "id")
    panel._list.join()
    press(heads, "id")
    panel._list.join()
    shown = panel._list.frame
    assert 1 < len(shown) < 50
    press(group(panel, "vk-rows"), "1")
    assert str(arrived(panel).resource["id"]) == shown["id"].iloc[0]
    panel.step(-1)
    labelled(panel, "Columns").value = True
    press(group(panel, "vk-presets"), "All")
    assert "self_link" in group(panel, "vk-heads").options


def test_rows_of_the_list_of_resources_lead_to_them(medipim):
    """A row opens its resource as the button does. A resource without an address says so."""
    panel = vk.browse(medipim)
    names = panel.frame["resource"].tolist()
    press(group(panel, "vk-rows"), str(names.index("brands") + 1))
    assert arrived(panel).response.title == "brands"


def test_errors_are_above_what_is_shown_and_fields_are_described(medipim):
    """Errors appear below the address; records and columns show each declared field's description."""
    panel = vk.browse(medipim, "/v4/products/query")
    assert panel.children[1] is panel._status
    panel.open_record(0)
    assert "active, inactive, replaced" in arrived(panel)._body.value
    assert "createdAt: First stored" in panel._body.value
    shown = tab(panel, "DataFrame").value
    assert "active, inactive, replaced" in shown
    assert str(panel.frame["id"].iloc[0]) in shown
    panel.go("https://elsewhere.example/")
    html = arrived(panel).static_html()
    assert html.index("OriginRefused") < html.index("<h4")


def test_expansions_say_what_they_do_and_what_they_embed(mediagenix):
    """The descriptions are next to the tick boxes."""
    panel = vk.browse(mediagenix, "/api/titles/42")
    assert "Embed linked records" in panel._about.value
    assert "availability_windows: When, and on which platforms, the rights allow a title" in panel._about.value
    panel.go("/api")
    assert arrived(panel)._about.value == ""


def test_back_and_forward_send_nothing(browser, vendors):
    """Back and forward show stored responses, and a new address discards the forward history."""
    browser.follow("titles")
    arrived(browser).open_record(0)
    arrived(browser)
    vendors["mediagenix"].clear_log()
    button(browser, "Back").click()
    assert browser.response.title == "titles"
    button(browser, "Back").click()
    assert browser.response.address.url == "/api"
    assert button(browser, "Back").disabled
    button(browser, "Forward").click()
    assert browser.response.title == "titles"
    assert vendors["mediagenix"].requests == 0
    browser.follow("brands") if "brands" in browser.response.links else browser.go("/api/brands")
    assert arrived(browser).response.title == "brands"
    assert button(browser, "Forward").disabled


def test_previous_page_is_the_vendors_own_link(browser):
    """The panel pages by `next` and `prev`; the query for all pages stays the same."""
    browser.go("/api/titles")
    arrived(browser).turn(1)
    assert arrived(browser).response.before.url.endswith("page=1")
    assert browser.query.count() == 2_000
    assert "page=2" not in browser.query.describe()["url"]
    browser.turn(-1)
    assert arrived(browser).frame["id"].iloc[0] == "1"
    browser.turn(-1)  # the first page has no previous one
    assert arrived(browser).frame["id"].iloc[0] == "1"


def test_cursor_links_are_followed_as_they_are(mediagenix):
    """Linear schedulings have neither page numbers nor a total, so the panel follows their links."""
    panel = vk.browse(mediagenix, "/api/linear_channels/1/linear_schedulings")
    first = panel.frame["id"].tolist()
    panel.turn(1)
    assert not set(first) & set(arrived(panel).frame["id"])
    assert "after=" in panel.response.address.url


def test_ticked_links_are_embedded(mediagenix):
    """Ticked expansions are columns of the frame and tables in the fields, and the address shows them."""
    panel = vk.browse(mediagenix, "/api/titles/42")
    assert set(boxes(panel)) == set(mediagenix.titles.query().resource.expands)
    boxes(panel)["images"].value = boxes(panel)["licensor"].value = True
    button(panel, "Expand").click()
    assert len(arrived(panel).resource["images"]["entries"]) == len(panel.frame["images"].iloc[0]) > 0
    assert panel.response.address.url.endswith("expand=licensor,images")
    assert boxes(panel)["images"].value
    assert "<b>images</b>" in panel.static_html()
    boxes(panel)["images"].value = boxes(panel)["licensor"].value = False
    button(panel, "Expand").click()
    assert "images" not in arrived(panel).resource


def test_embedded_values_are_shown_unchanged():
    """Integers next to nulls stay integers, text is escaped, and the number of rows is limited."""
    entries = [{"id": 1, "name": "<b>", "self_link": "/a"}, {"id": None, "name": None}, *[{"id": 3}] * 60]
    shown = markup.fields_html({"images_link": "/images", "images": {"entries": entries}})
    assert "<b>images</b> 62" in shown
    assert "12 more rows; 1 column with only links or nulls hidden" in shown
    assert ">1</td>" in shown
    assert "1.0" not in shown
    assert "&lt;b&gt;" in shown
    assert "self_link" not in shown


def test_expand_applies_to_a_query_too_and_other_starts_are_refused(mediagenix):
    """The links to embed replace those of the query; a number is not an address."""
    panel = vk.browse(mediagenix)
    panel.go(mediagenix.titles.query(), expand=["licensor"])
    assert arrived(panel).query.expand == ("licensor",)
    panel.go(5)
    assert "to must be an address of the vendor, or a query, not 5." in arrived(panel).static_html()


def test_halves_of_surrogate_pairs_are_shown_as_escapes(vendors):
    """A vendor that cuts a text within an emoji sends one; a front end would refuse the message with it."""
    body = b'{"name": "\\ud83d", "\\ud83d": [{"a": "\\ud83d"}]}'
    with raw_server(always(answer(body, JSON))) as server:
        panel = vk.browse(client_of(server, "medipim"), "/v4/other")
    assert panel.resource["name"] == "\ud83d"
    for widget in below(panel):
        str(widget.get_state()).encode()
    assert panel.static_html().count("\\ud83d") > 3


def test_expanded_collection_keeps_its_expansion_on_the_next_page(mediagenix):
    """The vendor's `next` link carries the expansion."""
    panel = vk.browse(mediagenix, "/api/titles?expand=licensor")
    panel.turn(1)
    assert arrived(panel).frame["licensor"].notna().any()
    assert boxes(panel)["licensor"].value


def test_what_is_shown_is_there_for_the_next_cell(mediagenix):
    """The panel gives the entity with its links, the page's frame, and the lazy query for all pages."""
    panel = vk.browse(mediagenix, "/api/titles/42")
    assert panel.resource.links["assets"].follow().frame() is not None
    pulled = panel.query.frame()
    assert panel.frame.dtypes.to_dict() == pulled.dtypes.to_dict()
    assert panel.frame.to_dict("records") == pulled.to_dict("records")
    assert panel.frame.attrs["vendorkit"]["environment"] == "local"
    assert "panel.query.frame()" in tab(panel, "DataFrame").value


def test_xml_and_json_are_both_shown_indented(mediagenix, vendors):
    """The XML is fetched when its tab is opened, once per address."""
    panel = vk.browse(mediagenix, "/api/titles/42")
    vendors["mediagenix"].clear_log()
    assert '"resource_type": "title"' in tab(panel, "JSON").value.replace("&quot;", '"')
    assert vendors["mediagenix"].requests == 0
    assert "\n  &lt;id type=&quot;integer&quot;&gt;42&lt;/id&gt;" in tab(panel, "XML").value
    tab(panel, "JSON")
    assert "title-type" in tab(panel, "XML").value
    assert vendors["mediagenix"].requests == 1
    panel.go("/api/titles/43")
    assert "&gt;43&lt;/id&gt;" in tab(arrived(panel), "XML").value
    vendors["mediagenix"].clear_log()
    panel.step(-1)
    assert "&gt;42&lt;/id&gt;" in tab(arrived(panel), "XML").value
    assert vendors["mediagenix"].requests == 0


def test_xml_of_what_was_seen_before_the_view_was_opened_is_fetched(browser):
    """Back at the root, the panel fetches the XML that was not requested before."""
    browser.go("/api/titles/42")
    tab(arrived(browser), "XML")
    browser.step(-1)
    assert "&lt;movida&gt;" in tab(arrived(browser), "XML").value


def test_views_are_bounded_in_size(mediagenix):
    """The browser gets some thousand characters of a page of megabytes; the next cell gets all."""
    panel = vk.browse(mediagenix, "/api/titles?per_page=200&expand=images,assets,availability_windows,platforms")
    assert len(tab(panel, "JSON").value) < 3 * markup.TEXT_LIMIT
    assert "more characters" in tab(panel, "JSON").value
    assert "more characters" in tab(panel, "XML").value
    assert len(panel.frame) == 200
    assert "rows 1 to 50 of 200" in panel.static_html()


def test_address_bar_goes_where_it_says(browser):
    """The address bar accepts a path or a full URL of the vendor, also of its other product."""
    address = next(one for one in below(browser) if isinstance(one, widgets.Text))
    address.value = "/api/titles/7"
    assert arrived(browser).resource["id"] == 7
    sequence = browser.client.endpoint.origins["sequence"]
    address.value = f"{sequence}/api/work_areas"
    assert arrived(browser).response.title == "work_areas"
    assert address.value.startswith(sequence)
    button(browser, "Start").click()
    assert arrived(browser).response.address.url == "/api"


@pytest.mark.parametrize("link", ["https://elsewhere.example/api", "http://127.0.0.1/api", "//elsewhere.example"])
def test_other_origins_are_refused_and_get_nothing(browser, link):
    """The panel keeps its content and shows the error."""
    browser.go(link)
    assert "<b>OriginRefused</b>" in arrived(browser).static_html()
    assert browser.response.address.url == "/api"
    with pytest.raises(OriginRefused):
        browser.client.browsing.at(link)
    browser.follow("titles")
    assert "OriginRefused" not in arrived(browser).static_html()


def test_link_of_a_record_to_another_origin_is_refused(mediagenix):
    """Image files are on another host: their button shows an error that says so."""
    panel = vk.browse(mediagenix, "/api/titles/42/images")
    panel.open_record(0)
    arrived(panel).follow("file")
    assert "<b>OriginRefused</b>" in arrived(panel).static_html()
    assert panel.resource["resource_type"] == "image"


def test_start_that_is_not_there_leaves_a_usable_panel(mediagenix):
    """The error has one sentence of cause and one of remedy, and the root is still reachable."""
    panel = vk.browse(mediagenix, "/api/titles/999999")
    assert "<b>NotFound</b>" in panel.static_html()
    assert panel.frame is panel.query is panel.resource is None
    assert "nothing yet" in repr(panel)
    button(panel, "Start").click()
    assert "titles" in arrived(panel).resource.links


@pytest.mark.parametrize("vendor", ["medipim", "pledg"])
def test_vendors_without_links_start_at_their_resources(vendors, vendor):
    """The panel lists one row and one button per resource without a request. Each leads to a table or a record."""
    client = vk.connect(vendor, environment="local")
    panel = vk.browse(client)
    assert vendors[vendor].requests == 0
    assert set(panel.response.links) == set(client.declared) == set(panel.frame["resource"])
    for name in client.declared:
        panel.go()
        button(arrived(panel), name).click()
        assert len(arrived(panel).frame) > 0, name
        assert panel.query.resource.name == name
        assert 'role="alert"' not in panel.static_html()


def test_medipims_queries_are_paged_by_number_and_opened_by_find(medipim):
    """The address shows filters and page; `find` opens the record, with nested records as links."""
    panel = vk.browse(medipim, "/v4/products/query?status=active&page=1")
    everything_active = medipim.products.query(status="active")
    assert panel.frame["id"].tolist() == everything_active.frame(columns=["id"], limit=100)["id"].tolist()[50:]
    assert panel.query.count() == everything_active.count() == panel.response.total
    panel.turn(-1)
    assert arrived(panel).response.address.url == "/v4/products/query?status=active"
    panel.open_record(0)
    assert arrived(panel).resource == medipim.products.get(panel.frame["id"].iloc[0])
    rel = next(name for name in panel.response.links if name.startswith("brands "))
    panel.follow(rel)
    assert arrived(panel).resource["id"] == int(rel.split()[1])


def test_last_page_has_none_after_it(medipim):
    """The last of six pages of 50 brands has no next page."""
    panel = vk.browse(medipim, "/v4/brands/query?page=5")
    assert len(panel.frame) == 50
    assert panel.response.after is None
    assert button(panel, "Next page").disabled


def test_query_is_a_start_too(medipim, pledg):
    """The panel starts at a query, including arguments that an address cannot express."""
    query = medipim.products.query(where={"not": {"status": "active"}})
    panel = vk.browse(medipim, query)
    assert panel.response.total == query.count()
    panel.turn(1)
    assert "active" not in set(arrived(panel).frame["status"])
    schedule = pledg.payment_schedule.query(amount_cents=20_000, created="2026-01-31")
    assert vk.browse(pledg, schedule).frame["amount_cents"].sum() == 20_000


def test_parameters_of_an_address_are_filters_of_their_kinds(medipim):
    """Parameters become booleans, lists and JSON objects; an unknown filter is refused before a request."""
    at = medipim.browsing.at
    address = at('/v4/products/query?minimumContent=true&brand=9&brand=11&search={"query":"a","locale":"fr"}')
    assert address.call.json["filter"] == {
        "and": [
            {"minimumContent": True},
            {"brand": [9, 11]},
            {"search": {"query": "a", "locale": "fr"}},
        ]
    }
    assert at(address.url).call == address.call
    for url, said in {
        "/v4/products/query?colour=red": "no filter 'colour'",
        "/v4/products/query?search=a": "not JSON",
        "/v4/products/query?page=last": "page='last'",
        "/v4/products/query?minimumContent=perhaps": "True or False",
        "/v4/products/query?brand=null": "whole number",
    }.items():
        with pytest.raises(UsageError, match=said):
            at(url)


@pytest.mark.parametrize(
    "filters",
    [
        {"updated_since": "2026-01-31"},
        {"created_at": ("2025-01-01", "2026-01-31T10:00:00Z")},
        {"id": ["M01", "02"], "cnk": "0123", "minimum_content": False, "brand": 9},
        {"status": []},
    ],
)
def test_address_of_a_query_leads_to_the_same_query(medipim, filters):
    """Times, time spans and codes with leading zeros survive a round trip through the address."""
    query = medipim.products.query(**filters)
    address = medipim.browsing.page(query, 3)
    assert medipim.browsing.at(address.url) == address
    assert address.call.json["page"] == {"no": 3, "size": 50}


def test_query_that_matches_nothing_is_an_empty_page(medipim, vendors):
    """A filter without values sends nothing and shows the columns."""
    panel = vk.browse(medipim, medipim.products.query(brand=[]))
    assert panel.frame.shape == (0, len(medipim.products.columns))
    assert panel.response.records == []
    assert vendors["medipim"].requests == 0


def test_any_path_that_can_be_read_is_shown(pledg):
    """An undeclared path is read by GET, and its fields become columns."""
    seen = fetch(pledg, pledg.browsing.at("/api/local/notifications?count=3"))
    assert seen.address.query is None
    assert seen.frame is not None
    uid = pledg.settings.get("PLEDG_MERCHANT_UID")
    assert fetch(pledg, pledg.browsing.at(f"/api/merchants/{uid}")).resource["payment_type"]


def test_nothing_but_reading_is_ever_sent(vendors):
    """Even a client that may write sends only GETs and the POSTs that read."""
    for vendor in CLIENTS:
        browsing = vk.connect(vendor, environment="local", writable=True).browsing
        urls = [*browsing.entrances().values(), browsing.start_url, "/v4/brands/delete", "/api/purchase_link/"]
        for address in map(browsing.at, urls):
            assert address.call is None or address.call.may_repeat()


def test_second_click_while_busy_does_nothing(browser, vendors):
    """Several clicks send one request."""
    vendors["mediagenix"].clear_log()
    vendors["mediagenix"].set(latency_s=0.3)
    button(browser, "titles").click()
    button(browser, "brands").click()
    browser.reload()
    browser.step(-1)
    assert button(browser, "Reload").disabled
    assert arrived(browser).response.title == "titles"
    assert vendors["mediagenix"].requests == 1
    assert not button(browser, "Reload").disabled


def test_cancel_ends_within_half_a_second(browser, vendors):
    """Cancel ends a slow request; the content stays, and the panel can be used again."""
    vendors["mediagenix"].set(latency_s=5.0)
    browser.follow("titles")
    time.sleep(0.2)
    cancel(browser)
    assert browser.response.address.url == "/api"
    vendors["mediagenix"].set(latency_s=0.0)
    browser.reload()
    assert "Cancelled." not in arrived(browser).static_html()


def test_reload_fetches_the_same_address_again(browser, vendors):
    """Reload sends one request and replaces the old response in the history."""
    browser.follow("titles")
    before = arrived(browser).response
    vendors["mediagenix"].clear_log()
    browser.reload()
    assert arrived(browser).response is not before
    assert browser.response.address == before.address
    assert vendors["mediagenix"].requests == 1
    browser.step(-1)
    assert browser.response.address.url == "/api"


def test_widgets_of_what_is_no_longer_shown_are_closed(browser):
    """After hours of browsing only one page's models exist, and no handler runs twice."""
    ours = models()
    for _ in range(3):
        browser.go("/api/titles/42")
        arrived(browser).go()
        arrived(browser)
    assert len(models()) <= len(ours)


@pytest.mark.parametrize("vendor", CLIENTS)
def test_no_state_of_any_widget_holds_a_credential(vendors, vendor):
    """Widget states, the saved form, the HTML and the text contain no credential, also not in base64."""
    panel = vk.browse(vk.connect(vendor, environment="local"))
    panel.follow(next(iter(panel.response.links)))
    shown = everything(arrived(panel))
    assert "Address" in shown
    assert not leaked(shown, vendors[vendor].credentials)


def test_browser_reads_as_widget_html_and_text(mediagenix):
    """A notebook shows the widget, HTML the fields or the table, a terminal one line. All text is escaped."""
    panel = vk.browse(mediagenix, "/api/titles")
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {VIEW, "text/html", "text/plain"}
    assert "&lt;Live&gt; Tides" in bundle["text/html"]
    assert "<Live>" not in bundle["text/html"]
    assert (
        bundle["text/plain"]
        == "<Browser Mediagenix On-Demand (local): titles at /api/titles?per_page=50&pagination=true>"
    )


def test_every_control_has_a_label(browser):
    """Screen readers and keyboard users need the labels."""
    browser.go("/api/titles")
    kinds = (widgets.Button, widgets.Text, widgets.Dropdown, widgets.Checkbox)
    controls = [one for one in below(arrived(browser)) if isinstance(one, kinds)]
    assert len(controls) > 10
    assert all(one.description for one in controls)


def test_odd_answers_are_errors_and_not_shown(mediagenix, vendors):
    """HTML instead of JSON, JSON that is not a resource and a page size that the vendor refuses are errors."""
    once = vk.connect("mediagenix", environment="local", policy=Policy(attempts=1))
    vendors["mediagenix"].set(fail_next=["html"])
    with pytest.raises(MalformedAnswer):
        fetch(once, once.browsing.at("/api"))
    with raw_server(always(answer(b'"text"', JSON))) as server:
        for vendor, url in [("mediagenix", "/api"), ("medipim", "/v4/other"), ("medipim", "/v4/brands/query")]:
            client = client_of(server, vendor)
            with pytest.raises(MalformedAnswer):
                fetch(client, client.browsing.at(url))
    with pytest.raises(InvalidRequest):
        fetch(mediagenix, mediagenix.browsing.at("/api/titles?per_page=500"))


def test_values_of_other_shapes_still_make_a_page(mediagenix, vendors):
    """Numbers as text and new fields are in the frame, and the columns view reports the drift."""
    vendors["mediagenix"].set(wrong_type_rate=1.0)
    panel = vk.browse(mediagenix, "/api/titles")
    assert "newly_added" in panel.frame.columns
    assert "drift" in tab(panel, "DataFrame").value


def test_record_without_an_address_is_not_offered(mediagenix, pledg):
    """Lines of a payment schedule have no address, so the panel has no button for them."""
    address = pledg.browsing.page(pledg.payment_schedule.query(amount_cents=300, created="2026-01-31"))
    assert pledg.browsing.record_url(address, {"amount_cents": 100}) is None
    assert pledg.browsing.record_url(address, "no record") is None
    root = mediagenix.browsing.at("/api")
    assert mediagenix.browsing.record_url(root, {"id": 4}) is None


@pytest.mark.parametrize("name", ["products", "media", "public_categories"])
def test_every_record_of_a_page_can_be_opened(medipim, name):
    """A record opens by its path or by a query for its id, and its URL can be typed again."""
    panel = vk.browse(medipim, getattr(medipim, name).query())
    panel.open_record(1)
    assert arrived(panel).response.records is None, panel.static_html()
    first = panel.response
    assert first.resource["id"] == panel._past[0].records[1]["id"]
    assert medipim.browsing.at(first.address.url) == first.address


def test_lists_of_anything_make_a_page(vendors):
    """The panel shows a list of plain values, which has no table."""
    with raw_server(always(answer(b'["a", 1, null]', JSON))) as server:
        panel = vk.browse(client_of(server, "medipim"), "/v4/other")
    assert panel.frame is None
    assert "&quot;a&quot;" in tab(panel, "JSON").value
    with pytest.raises(UsageError, match="Record 0 of 3"):
        panel.open_record(0)
    with pytest.raises(UsageError, match="no link 'titels'"):
        panel.follow("titels")


def test_writes_are_refused_before_anything_is_prepared(medipim):
    """All addresses pass one check, whatever requests a vendor's paging would build."""

    class Writing(Lookup):
        def call(self, ask, number, size):
            return replace(super().call(ask, number, size), repeatable=False)

    brands = medipim.declared["brands"]
    medipim.declared["brands"] = replace(brands, paging=Writing("brands", brands.path))
    with pytest.raises(NotAllowed):
        medipim.browsing.at(brands.path)


def test_panel_works_next_to_a_thread_that_holds_the_kernel(browser):
    """The panel works in its own thread, whichever thread the click came from."""
    thread = threading.Thread(target=browser.go, args=("/api/titles/3",))
    thread.start()
    thread.join()
    assert arrived(browser).resource["id"] == 3
