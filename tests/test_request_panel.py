"""The request panel: values make a query, plain methods act, widgets show; every resource of every vendor."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
import pytest

import vendorkit as vk
from tests.clicking import below, button, cancel, everything, exchange_of, html_of, labelled, leaked, models
from vendorkit.ask import Filter
from vendorkit.errors import Cancelled, UsageError
from vendorkit.http.exchanges import Body, Exchange
from vendorkit.panels.markup import pretty
from vendorkit.panels.request.controls import typed
from vendorkit.panels.request.form import Form
from vendorkit.panels.request.outcome import ProgressBar, duration, plan_text
from vendorkit.pull import Progress, progress_to
from vendorkit.resource import Cost, describe, first_call
from vendorkit.vendors.registry import CLIENTS

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")


@pytest.fixture
def client_of(medipim, pledg, mediagenix):
    """The client of a vendor, by name."""
    return {"medipim": medipim, "pledg": pledg, "mediagenix": mediagenix}


@pytest.fixture
def panel(medipim):
    """The request panel on the local Medipim, with nothing left running."""
    made = vk.panel(medipim)
    yield made
    made.join()


def status(panel):
    """The text of the status line."""
    return re.sub("<[^>]+>", " ", panel._status.value).strip()


def looks_off(control):
    """Whether a control looks as if it could not be pressed; it can, so that it keeps the focus."""
    return "vk-off" in control._dom_classes and not control.disabled


# Values


def test_conditions_make_the_query(panel, medipim):
    """Conditions that all hold are filters by name."""
    panel.form.conditions.add("brand", "9")
    panel.form.conditions.add("status").box.value = ("active",)
    labelled(panel.form, "sort").value = "-createdAt"
    assert panel.query.ask == medipim.products.query(brand=9, status="active", sort="-createdAt").ask


def test_groups_are_nested_as_the_vendor_writes_them(panel):
    """Any, none, and groups in groups; the same filter twice; the vendor's own filter in addition."""
    conditions = panel.form.conditions
    conditions.add("id", "M1")
    conditions.add("id", "M2")
    group = conditions.add_group()
    group.choose("any")
    group.add("brand", "9")
    none = group.add_group()
    none.choose("none")
    none.add("status").box.value = ("active",)
    group.add_group()
    panel.form.controls["where"].box.value = '{"media": 3}'
    assert dict(panel.query.filters) == {"id": "M1"}
    nested = {"or": [{"brand": 9}, {"not": {"status": "active"}}]}
    assert panel.query.where == {"and": [{"id": "M2"}, nested, {"media": 3}]}
    conditions.clear()
    panel.form.controls["where"].box.value = ""
    conditions.choose("none")
    conditions.add("brand", "9")
    conditions.add("brand", "12")
    assert panel.query.where == {"not": {"or": [{"brand": 9}, {"brand": 12}]}}
    assert not panel.query.filters


def test_nested_conditions_count_what_the_vendor_counts(panel, medipim):
    """The mock server understands them: none of the active is as many as all that are left."""
    panel.form.conditions.add("status").box.value = ("active",)
    some = panel.query.count()
    panel.form.conditions.choose("none")
    assert panel.query.count() == medipim.products.query().count() - some > 0


def test_values_in_groups_are_checked_too(panel):
    """By the same check as filters by name, and next to the control."""
    control = panel.form.conditions.add_group().add("brand", "made up")
    assert control.faulty
    assert panel._send_button.disabled
    with pytest.raises(UsageError, match="brand must be"):
        _ = panel.query


@pytest.mark.parametrize("vendor", ["pledg", "mediagenix"])
def test_vendors_without_nested_filters_refuse_them(client_of, vendor):
    """They would be left out silently else, and every record come."""
    bound = getattr(client_of[vendor], "merchant_conditions" if vendor == "pledg" else "titles")
    with pytest.raises(UsageError, match="does not accept where="):
        bound.query(where={"or": []})


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        (Filter("brand", "integer"), " 9 ", 9),
        (Filter("brand", "integer"), "9, 12,", [9, 12]),
        (Filter("cnk", "code"), "0123", "0123"),
        (Filter("name"), '"a, b", c', ["a, b", "c"]),
        (Filter("cnk", "code"), "0123\r\n0456\n", ["0123", "0456"]),
        (Filter("name"), 'a\r"b\nc"', ["a", "b\nc"]),
        (Filter("name", many=False), "a, b", "a, b"),
        (Filter("search", "object"), '{"query": "é"}', {"query": "é"}),
        (Filter("createdAt", "time"), "2026-01-31 .. 2026-01-31", {"from": 1769817600, "until": 1769903999}),
        (Filter("createdAt", "time"), "2026-01-31", {"from": 1769817600, "until": 1769903999}),
        (Filter("createdAt", "time"), "2026-01-31 .. 1769817601", {"from": 1769817600, "until": 1769817601}),
        (Filter("createdAt", "time"), "..2026-01-31T00:00:00Z", {"until": 1769817600}),
        (Filter("since", "moment"), "2026-01-31", 1769817600),
        (Filter("created", "date"), "2026-01-31", "2026-01-31"),
        (Filter("name"), "  ", None),
    ],
)
def test_text_becomes_the_value_of_its_filter(declared, text, value):
    """Commas part values, quotes keep commas, two dots part a span, and nothing is no value."""
    assert typed(declared, text) == value


@pytest.mark.parametrize(
    ("declared", "text", "said"),
    [
        (Filter("brand", "integer"), "9, x", "brand must be a whole number, not 'x'."),
        (Filter("search", "object", about="one object."), "{", "Give one object."),
        (Filter("createdAt", "time"), "yesterday", "an ISO 8601 string or unix seconds, or a pair"),
        (Filter("createdAt", "time"), "..", "or a pair (from, until) of these"),
        (Filter("created", "date"), "31.1.2026", "a string YYYY-MM-DD, not '31.1.2026'."),
    ],
)
def test_text_that_is_no_value_is_refused_with_what_is(declared, text, said):
    """By the filter's own check."""
    with pytest.raises(UsageError) as caught:
        typed(declared, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "less than 1 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (7267, "2 h 1 min")],
)
def test_durations_read_as_people_say_them(seconds, said):
    """The larger units, and no seconds next to hours."""
    assert duration(seconds) == said


# What a request takes


def test_plan_counts_requests_under_the_rate_budget(medipim, monkeypatch):
    """5,000 products are 20 pages; with 7 slots left of 10 a minute, 13 wait for two more minutes."""
    query = medipim.products.query(strategy="windows")  # else the stream would take the place of pages that wait
    plan = query.plan()
    assert (plan.total, plan.rows, plan.requests) == (5_000, 5_000, 20)
    assert plan.seconds < 10
    monkeypatch.setattr(medipim.session.budget, "rates", ((10, 60.0),))
    monkeypatch.setattr(medipim.session.budget, "left", lambda: 7)
    monkeypatch.setattr(medipim.session.budget, "take", lambda _: None)
    plan = query.plan(limit=4_000)
    assert (plan.rows, plan.requests, plan.seconds) == (4_000, 16, 60.0)
    assert plan_text(plan) == (
        "5,000 match. Fetching 4,000 of them takes about 16 requests and 1 min "
        "(pages: pages of 250 can show up to 10,000 records)."
    )
    assert query.plan().seconds == 120.0


@pytest.mark.parametrize(
    ("vendor", "ask", "rows", "requests"),
    [
        ("medipim", lambda client: client.products.query(), 10_000, 40),
        ("medipim", lambda client: client.products.query(), 100_000, 2),
        ("medipim", lambda client: client.products.query(strategy="windows"), 100_000, 420),
        ("medipim", lambda client: client.brands.query(), 300, 1),
        ("mediagenix", lambda client: client.titles.query(), 201, 2),
        ("mediagenix", lambda client: client.titles.query(), 0, 1),
        ("mediagenix", lambda client: client.metadata.query(title=1), 1, 1),
        ("pledg", lambda client: client.merchant_conditions.query(), 3, 1),
    ],
)
def test_requests_are_counted_as_each_resource_is_paged(client_of, vendor, ask, rows, requests):
    """Pages of 250 or 200, the stream in one, all at once."""
    query = ask(client_of[vendor])
    assert query.resource.paging.cost(query.ask, rows).requests == requests


# The panel


@pytest.mark.parametrize("vendor", CLIENTS)
def test_every_resource_can_be_asked_or_says_what_it_needs(client_of, vendor):
    """Send fetches, or is disabled with one sentence that says what is missing."""
    client = client_of[vendor]
    panel = vk.panel(client)
    fetched = 0
    for name in client.declared:
        form = panel.choose(name)
        form.limit.box.value = "20"
        if not panel._send_button.disabled:
            panel.fetch()
            panel.join()
            assert len(panel.frame) > 0, status(panel)
            sent = replace(panel.query.ask, limit=20)
            assert panel.frame.attrs["vendorkit"]["request"] == describe(client, sent)
            fetched += 1
        else:
            assert "Give" in panel._status.value or "Follow a link" in panel._status.value
            assert panel._code.value == ""
    assert fetched >= {"medipim": 9, "pledg": 1, "mediagenix": 14}[vendor]


def test_only_the_controls_that_a_resource_declares_are_there(client_of):
    """No sorting of what cannot be sorted, no nested filters where the vendor takes none."""
    shown = {}
    for vendor, name in [("medipim", "products"), ("medipim", "public_categories"), ("mediagenix", "titles")]:
        form = vk.panel(client_of[vendor]).choose(name)
        shown[name] = {one.description for one in below(form) if getattr(one, "description", "")}
    pledg = vk.panel(client_of["pledg"]).choose("merchant_conditions")
    shown["conditions"] = {one.description for one in below(pledg) if getattr(one, "description", "")}
    common = {"Add filter", "Add", "limit"}
    nesting = {"Filters", "Add group", "where"}
    shown = {name: {one for one in found if not one.startswith("columns: ")} for name, found in shown.items()}
    more = {"Find filter", "sort", "locale", "nested", "strategy", "since"}
    assert shown["products"] == common | nesting | more
    assert shown["public_categories"] == common | nesting | {"locale"}
    assert shown["titles"] == common | {"nested", "accept", "expand", "since"}
    assert shown["conditions"] == common


def test_every_control_has_a_label_and_every_button_a_text(panel):
    """For people who hear the page, and those who reach it by keyboard."""
    panel.form.conditions.add("status")
    panel.form.conditions.add("minimum_content")
    panel.form.conditions.add_group()
    inputs = (
        widgets.Text,
        widgets.Textarea,
        widgets.Dropdown,
        widgets.SelectMultiple,
        widgets.Checkbox,
        widgets.Button,
    )
    controls = [one for one in below(panel) if isinstance(one, inputs)]
    assert len(controls) > 20
    assert all(one.description.strip() for one in controls)


@pytest.mark.parametrize(
    ("name", "value"), [("status", "Active"), ("status", ("nope",)), ("brand", 9), ("brand", ["9"])]
)
def test_value_that_a_control_does_not_take_is_a_usage_error(panel, name, value):
    """Not an error of the widgets."""
    with pytest.raises(UsageError, match=f"{name} must be the text of its control"):
        panel.form.conditions.add(name, value)


def test_error_is_next_to_its_control_and_nothing_can_be_sent(panel):
    """As it is typed; what was wrong can be put right."""
    control = panel.form.conditions.add("brand", "9, x")
    assert 'role="alert"' in control.children[-1].value
    assert "brand must be a whole number" in control.children[-1].value
    assert panel._send_button.disabled
    assert panel._count.disabled
    assert panel._status.value == ""
    control.box.value = "9, 12"
    assert 'role="alert"' not in control.children[-1].value
    assert not panel._send_button.disabled
    assert dict(panel.query.filters) == {"brand": [9, 12]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-01-01 .. 2026-01-31", "from 2026-01-01 (inclusive) until 2026-01-31 (inclusive), UTC."),
        ("..2026-01-31T12:00", "until 2026-01-31 12:00:00, UTC."),
        ("2026-01-31T00:00+01:00 ..", "from 2026-01-30 23:00:00, UTC."),
        ("2026-01-31", "from 2026-01-31 (inclusive) until 2026-01-31 (inclusive), UTC."),
        ("253402300799", "at 9999-12-31 23:59:59, UTC."),
    ],
)
def test_dates_say_what_they_include(panel, text, said):
    """Next to what is typed, and as the vendor gets it."""
    control = panel.form.conditions.add("created_at", text)
    assert said in control._note.value
    control.box.value = ""
    assert "A moment, or a pair" in control._note.value


@pytest.mark.parametrize("country", ["be", "fr", "de", "es", "au", "us"])
def test_every_filter_has_a_description(vendors, country):
    """Of every vendor and country; the list of filters shows it."""
    clients = [vk.connect("medipim", environment="local", country=country)]
    clients += [vk.connect(name, environment="local") for name in ("pledg", "mediagenix")]
    for client in clients:
        for resource in client.declared.values():
            assert [one.name for one in resource.filters if not one.about] == [], resource.name
    label = {name: label for label, name in vk.panel(clients[0]).form.conditions._chooser.options}
    assert label["brand"] == "brand: Ids of brands."


def test_filters_are_found_by_words_of_name_or_description(panel):
    """In any order and case; what is found first is chosen."""
    form = panel.form
    find, chooser = labelled(form, "Find filter"), labelled(form, "Add filter")
    every = len(chooser.options)
    find.value = "CODES gs1" if "gs1_category" in dict(map(reversed, chooser.options)) else "codes atc"
    assert [name for _, name in chooser.options] == ["atc_category"]
    button(form, "Add").click()
    assert labelled(form, "atc_category").description == "atc_category"
    find.value = "nothing is like this"
    assert chooser.options == ()
    button(form, "Add").click()
    assert status(panel) == ""
    find.value = ""
    assert len(chooser.options) == every
    assert chooser.value is not None


def test_id_is_found_by_a_name(panel, vendors, medipim):
    """From three letters on, 300 ms after the last; picking one puts its id in; what was found is not sought again."""
    wanted = medipim.brands.get(9)["name"]
    control = panel.form.conditions.add("brand")
    vendors["medipim"].clear_log()
    for length in range(1, 5):
        control.box.value = f"12, {wanted[:length]}"
    panel.form.lookup._timer.join(10)
    assert vendors["medipim"].requests == 1
    assert control._matches.layout.display == ""
    assert f"{wanted} (9)" in control._matches._options_labels
    assert panel._send_button.disabled
    control._matches.value = "9"
    assert control.box.value == "12, 9"
    assert control._matches.layout.display == "none"
    assert dict(panel.query.filters) == {"brand": [12, 9]}
    control.box.value = wanted[:4].upper()
    panel.form.lookup._timer.join(10)
    assert vendors["medipim"].requests == 1
    assert control._matches.layout.display == ""
    control.box.value = wanted[:2]
    panel.form.lookup._timer.join(10)
    assert control._matches.layout.display == "none"


def test_list_of_one_answer_is_searched_here(panel, vendors, medipim):
    """Categories have no search by a plain text: they are fetched once, and found in every language."""
    categories = medipim.public_categories.query().frame()
    name = next(one for one in categories["name_fr"].dropna() if len(one) > 5)
    control = panel.form.conditions.add("public_category")
    vendors["medipim"].clear_log()
    for text in (name, name[:4], name[1:5]):
        control.box.value = text
        panel.form.lookup._timer.join(10)
        assert any(name in label for label in control._matches._options_labels)
    assert vendors["medipim"].requests == 1


def test_lookup_leaves_the_budget_to_requests_and_shows_its_errors(panel, vendors, monkeypatch):
    """With few slots left nothing is sent; an error is a note, and typing goes on."""
    control = panel.form.conditions.add("brand")
    monkeypatch.setattr(panel.client.session.budget, "left", lambda: 5)
    vendors["medipim"].clear_log()
    control.box.value = "abc"
    panel.form.lookup._timer.join(10)
    assert vendors["medipim"].requests == 0
    assert "No name contains" in control._note.value
    monkeypatch.setattr(panel.client.session.budget, "left", lambda: None)
    vendors["medipim"].set(fail_next=["401"])
    control.box.value = "abcd"
    panel.form.lookup._timer.join(10)
    assert "HTTP 401" in control._note.value
    assert control._matches.layout.display == "none"


def test_columns_are_ticked_searched_and_preset(panel):
    """Created at the first look; presets by kind, by value and by language; the query has what is ticked."""
    columns, schema = panel.form.columns, panel.client.declared["products"].schema
    assert "columns: all" in columns._open.description
    assert not columns._ticks
    columns._open.value = True
    labelled(columns, "status").value = True
    labelled(columns, "id").value = True
    assert panel.form.options()["columns"] == ["id", "status"]
    assert columns._open.description == f"columns: 2 of {len(schema.arrow.names)}"
    labelled(columns, "Find column").value = "PRICE"
    assert [one.description for one in columns._ticks._matches.children] == [
        n for n in schema.arrow.names if "price" in n
    ]
    button(columns, "prices").click()
    assert set(columns.value) == {"id", "public_price", "manufacturer_price", "pharmacist_price"}
    assert labelled(columns, "public_price").value
    assert not columns._ticks._boxes["status"].value
    button(columns, "codes").click()
    assert {"cnk", "gtin", "ean_gtin13"} <= set(columns.value)
    button(columns, "one language").click()
    assert {"id", "status", "name_nl"} <= set(columns.value)
    assert not {"name_fr", "name_en", "name_de"} & set(columns.value)
    button(columns, "with values").click()
    assert "Send a request first." in status(panel)
    button(columns, "all").click()
    assert "columns" not in panel.form.options()
    panel.form.limit.box.value = "50"
    panel.fetch()
    panel.join()
    button(columns, "with values").click()
    full = [name for name in schema.arrow.names if panel.frame[name].notna().any()]
    assert list(columns.value) == full
    assert 1 < len(full) < len(schema.arrow.names)
    with pytest.raises(UsageError, match="pric"):
        columns.choose(["pric"])


def test_sending_what_is_not_ready_is_one_sentence(panel):
    """A click that the front end had on its way before the button was disabled."""
    panel.form.conditions.add("brand", "x")
    button(panel, "Send").click()
    assert "UsageError" in status(panel)
    with pytest.raises(UsageError):
        panel.fetch()


def test_clicks_make_the_same_query_as_code(panel, medipim):
    """Rows, choices, groups, sorting, columns, locale, limit; and the frame is the query's own."""
    form = panel.form
    labelled(form, "Add filter").value = "status"
    button(form, "Add").click()
    labelled(form, "status").value = ("active", "inactive")
    form.conditions.add("minimum_content").box.value = True
    button(form, "Add group").click()
    inner = next(one for one in below(form.conditions) if getattr(one, "description", "") == "Group")
    inner.value = "any"
    assert panel.query.where is None  # nothing is in the group yet
    nested = form.conditions._rows.children[-1]
    nested.add("brand", "9")
    nested.add("brand", "12")
    labelled(form, "sort").value = "-createdAt"
    labelled(form, "locale").value = "fr"
    form.columns.choose(["id", "status", "created_at"])
    labelled(form, "limit").value = "5"
    button(panel, "Send").click()
    panel.join()
    query = medipim.products.query(
        status=["active", "inactive"],
        minimum_content=True,
        where={"or": [{"brand": 9}, {"brand": 12}]},
        sort="-createdAt",
    )
    assert repr(panel.query) == repr(query)
    wanted = query.frame(columns=["id", "status", "created_at"], limit=5, locale="fr")
    pd.testing.assert_frame_equal(panel.frame, wanted)
    assert len(wanted) == 5


def test_download_may_end_while_another_form_is_created(panel, monkeypatch):
    """In another thread: the panel was busy for ever."""

    def create(*args):
        panel._busy_changed(False)
        return Form(*args)

    panel.busy = True
    monkeypatch.setattr("vendorkit.panels.request.widget.Form", create)
    panel.choose("brands")
    assert not panel.busy
    assert panel.query.resource.name == "brands"


def test_rows_and_groups_can_be_taken_out(panel):
    """What is removed asks nothing any more."""
    form = panel.form
    form.conditions.add("brand", "9")
    form.conditions.add_group().add("status").box.value = ("active",)
    assert panel.query.where is not None
    button(form, "Remove").click()
    button(form, "Remove group").click()
    assert not panel.query.filters
    assert panel.query.where is None


@pytest.mark.parametrize("vendor", CLIENTS)
def test_closing_a_panel_closes_all_its_widgets(client_of, vendor):
    """Those of removed filters and of a closed list of columns too."""
    before = models()
    panel = vk.panel(client_of[vendor])
    for resource in list(panel.client.declared)[:3]:
        form = panel.choose(resource)
        form.conditions._chooser.value and button(form, "Add").click()
        form.columns._open.value = True
        form.columns._open.value = False
    form.conditions.clear()
    panel.close()
    assert models() - before == set()


def test_form_keeps_what_was_typed_and_one_table_shows_all_frames(panel):
    """Coming back to a resource; and what was fetched before is not held in memory by widgets."""
    panel.form.conditions.add("brand", "9")
    first = panel.form
    panel.choose("brands")
    panel.fetch()
    panel.join()
    table = panel._result.table
    assert panel.choose("products") is first
    assert dict(panel.query.filters) == {"brand": 9}
    panel.fetch()
    panel.join()
    assert panel._result.table is table
    assert table.frame.equals(panel.frame)


def test_raw_filter_is_added_to_the_conditions(panel):
    """The vendor's own words; an error is next to them, also for a filter that the vendor does not have."""
    panel.form.controls["where"].box.value = '{"or": [{"brand": 9}, {"brand": 12}]}'
    panel.form.conditions.add("status").box.value = ("active",)
    assert panel.query.describe()["json"]["filter"] == {
        "and": [{"status": "active"}, {"or": [{"brand": 9}, {"brand": 12}]}]
    }
    panel.form.controls["where"].box.value = '{"or": '
    assert "not JSON" in panel.form.controls["where"].children[-1].value
    panel.form.controls["where"].box.value = '{"brnd": 9}'
    assert "Did you mean brand" in panel._status.value


def test_required_filters_are_there_and_stay(client_of):
    """Pledg's plans need a price and a day: no button removes them, and the panel says what is missing."""
    panel = vk.panel(client_of["pledg"])
    form = panel.choose("payment_schedule")
    assert "notifications.frame(bodies)" in panel.children[0].value
    assert "payment_schedule needs amount_cents and created." in panel._status.value
    assert not [one for one in below(form) if getattr(one, "description", "") == "Remove"]
    labelled(form, "amount_cents").value = "20000"
    labelled(form, "created").value = "2026-01-31"
    assert form.conditions.add("created") is form.conditions._rows.children[1]
    panel.fetch()
    panel.join()
    assert panel.frame["requested_amount_cents"].tolist() == [20_000] * len(panel.frame)


def test_count_says_how_many_and_what_they_take(panel):
    """Before anything is fetched."""
    panel.count()
    panel.join()
    assert status(panel).startswith("5,000 match. Fetching 1,000 of them takes about 4 requests and ")
    assert panel.frame is None


def test_feed_that_has_no_total_says_so(client_of):
    """Mediagenix does not count its events."""
    panel = vk.panel(client_of["mediagenix"])
    panel.choose("events")
    panel.count()
    panel.join()
    assert "does not report how many events match" in status(panel)


def test_download_that_breaks_off_leaves_the_received_rows(panel, vendors):
    """The error is shown, and `frame` holds what arrived, which says of itself that it is not whole."""
    panel.form.limit.box.value = ""
    vendors["medipim"].set(fail_next=["", "", *["500"] * 40])
    panel.fetch()
    panel.join()
    assert "IncompletePull" in status(panel)
    assert 0 < len(panel.frame) < 5_000
    assert panel.frame.attrs["vendorkit"]["complete"] is False
    assert panel._result.table.frame.equals(panel.frame)


def test_cancel_ends_a_pull_within_half_a_second(panel, vendors):
    """Between pages and in waits; the panel can be used again, and has what it had."""
    panel.form.limit.box.value = ""
    vendors["medipim"].set(latency_s=0.5)
    panel.fetch()
    time.sleep(0.3)
    assert panel._progress.layout.display == ""
    assert looks_off(panel._send_button)
    cancel(panel)
    assert status(panel) == "Cancelled."
    assert panel._progress.layout.display == "none"
    assert panel.frame is None
    vendors["medipim"].set(latency_s=0.0)
    panel.form.limit.box.value = "10"
    panel.fetch()
    panel.join()
    assert len(panel.frame) == 10


def test_cancel_keeps_what_arrived_and_says_that_it_is_not_whole(panel, vendors):
    """The first pages are in the table and in `frame`; the next complete result is marked as nothing."""
    panel.form.limit.box.value = ""
    vendors["medipim"].set(latency_s=0.4)
    panel.fetch()
    while not re.search(r"([2-9]|\d\d) pages", panel._progress.value):  # by then the first page has been read
        time.sleep(0.02)
    button(panel, "Cancel").click()
    panel.join()
    assert 250 <= len(panel.frame) < 5_000
    assert panel.frame.attrs["vendorkit"]["complete"] is False
    assert f"The table is incomplete: {len(panel.frame):,} rows received." in status(panel)
    assert "Incomplete" in panel._result._line.value
    assert "Incomplete" in panel.static_html()
    panel.form.limit.box.value = "10"
    vendors["medipim"].set(latency_s=0.0)
    panel.fetch()
    panel.join()
    assert "Incomplete" not in panel._result._line.value


@pytest.mark.parametrize("status_code", ["401", "403"])
def test_refused_credentials_midway_leave_the_received_rows(panel, vendors, status_code):
    """An error of another kind than a broken download, and the rows before it."""
    panel.form.limit.box.value = ""
    vendors["medipim"].set(fail_next=["", "", *[status_code] * 40])
    panel.fetch()
    panel.join()
    assert "Refused" in status(panel) or "NotAllowed" in status(panel)
    assert 0 < len(panel.frame) < 5_000
    assert "Incomplete" in panel._result._line.value


def test_frame_that_is_cancelled_hands_over_what_it_read(medipim, vendors):
    """By code as by the panel: whole pages in order."""
    vendors["medipim"].set(latency_s=0.4)
    stop = threading.Event()
    with (
        vk.cancellable(stop),
        progress_to(lambda seen: stop.set() if seen.pages > 2 else None),
        pytest.raises(Cancelled) as caught,
    ):
        medipim.products.query().frame(columns=["id"])
    arrived = caught.value.arrived
    vendors["medipim"].set(latency_s=0.0)
    assert len(arrived) % 250 == 0 < len(arrived)
    assert arrived["id"].tolist() == medipim.products.query().frame(columns=["id"], limit=len(arrived))["id"].tolist()


def test_table_of_an_earlier_request_is_marked_and_named(panel, vendors):
    """Another resource, filter or column, a request that fails: the table is dimmed and says whose it is."""

    def earlier():
        marked = "vk-earlier" in panel._result._dom_classes
        assert marked == ("Result of an earlier request." in panel._result._line.value)
        return marked

    panel.choose("brands")
    panel.fetch()
    panel.join()
    assert re.search("<b>brands</b>: .*300 rows; .* fetched at 2.* in .* s[.]", panel._result._line.value)
    assert not earlier()
    panel.form.conditions.add("search", "a")
    assert earlier()
    button(panel, "Remove").click()
    assert not earlier()
    panel.choose("products")
    assert earlier()
    panel.form.limit.box.value = "x"
    panel.choose("brands")
    assert not earlier()
    panel.choose("products")  # whose form has an error
    assert earlier()
    panel.form.limit.box.value = "1000"
    panel.choose("brands")
    assert not earlier()
    vendors["medipim"].set(fail_next=["401"])
    panel.fetch()
    panel.join()
    assert earlier()
    assert "<b>brands</b>: mock data; 300 rows" in panel.static_html()
    panel.form.limit.box.value = "7"
    panel.form.limit.box.value = "1000"
    assert earlier()  # the same question, but not what was sent last


def test_error_goes_when_its_cause_is_edited(panel, vendors):
    """And one that comes after an edit says that it is of the request before it."""
    panel.choose("brands")
    vendors["medipim"].set(fail_next=["401"])
    panel.fetch()
    panel.join()
    assert "CredentialsRefused" in status(panel)
    panel.form.limit.box.value = "7"
    assert status(panel) == ""
    vendors["medipim"].set(latency_s=0.3, fail_next=["401"])
    panel.fetch()
    panel.form.limit.box.value = "8"
    panel.join()
    assert "This result is for the form before your last change." in status(panel)
    vendors["medipim"].set(latency_s=0.0)
    panel.fetch()
    panel.join()
    assert "before your last change" not in status(panel)


def test_change_while_a_pull_runs_does_not_let_a_second_one_begin(panel, vendors):
    """Typing goes on meanwhile, and the buttons know that something runs."""
    vendors["medipim"].set(latency_s=0.3)
    vendors["medipim"].clear_log()
    panel.choose("brands")
    panel.fetch()
    panel.form.conditions.add("search", "a")
    assert looks_off(panel._send_button)
    assert not looks_off(panel._stop)
    button(panel, "Send").click()
    panel.join()
    assert vendors["medipim"].requests == 1


def test_progress_shows_pages_rows_and_the_time_left(monkeypatch):
    """As the pages come; the last page may have more rows than the limit."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = ProgressBar()
    bar.begin(lambda rows: Cost(-(-rows // 250)), lambda _: 0.0)
    for pages in (1, 2):
        now[0] += 10
        bar.note_page(Progress(pages, 250 * pages, 1_000))
    assert "2 pages, 500 of 1,000 rows, 20 s left" in bar.value
    assert 'value="500" max="1000"' in bar.value
    bar.note_page(Progress(5, 1_250, 1_000))  # the end is shown, be the last update a moment ago
    assert "5 pages, 1,000 of 1,000 rows<" in bar.value
    assert 'value="1000" max="1000"' in bar.value


@pytest.mark.parametrize("latency", [0.3, 1.2, 40.0])
def test_time_left_counts_pages_that_come_together(monkeypatch, latency):
    """12 pages, the first alone, then four at once: never more than is right, and never rising, also amid a round."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar, cost = ProgressBar(), Cost(12, at_once=4)
    assert [cost.rounds(number) for number in (0, 1, 2, 5, 6, 12, 13)] == [0, 1, 2, 2, 3, 4, 4]
    bar.begin(lambda _: cost, lambda _: 0.0)
    said = []
    for pages in range(1, 12):
        now[0] = 100 + latency * cost.rounds(pages)
        bar._updated = 0.0
        bar.note_page(Progress(pages, pages * 250, 3_000))
        said.append(re.search(r"rows, (.*) left", bar.value)[1])
    rounds = [3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1]
    assert said == [duration(latency * number) for number in rounds]


def test_time_left_knows_the_rate_budget_and_waits_for_enough_rows(monkeypatch):
    """What waits for slots is part of it; the first lines of a stream say nothing of its speed."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = ProgressBar()
    bar.begin(lambda _: Cost(200, at_once=4), lambda requests: requests * 0.6)
    now[0] += 1
    bar.note_page(Progress(1, 250, 50_000))
    assert "1 min 59 s left" in bar.value
    bar.begin(lambda _: Cost(2), lambda _: 0.0)
    for rows, left in [(250, ""), (251, ""), (10_251, ", 3 min left")]:
        now[0] += 10
        bar.note_page(Progress(1, rows, 100_251))
        assert f"{rows:,} of 100,251 rows{left}<" in bar.value


def test_estimate_is_right_for_pages_that_come_together(medipim, monkeypatch):
    """12 requests of 0.4 s are three rounds: the first alone, then eight, then three; and not 4.8 s."""
    query = medipim.products.query()
    query.count()
    last = medipim.session.exchanges.all()[-1]
    monkeypatch.setattr(medipim.session.exchanges, "all", lambda: [replace(last, seconds=0.4)])
    assert query.plan(limit=3_000).seconds == pytest.approx(1.2)


def test_progress_is_reported_per_page_without_a_bar(medipim, capsys, vendors):
    """Whoever subscribes gets pages as they arrive; the limit counts, not the total."""
    vendors["medipim"].set(latency_s=0.8)
    seen = []
    with progress_to(lambda progress: seen.append((progress.pages, progress.rows, progress.total))):
        medipim.products.query().frame(limit=1_500, columns=["id"])
    assert seen[0][:2] == (1, 250)
    assert seen[-1] == (6, 1_500, 1_500)
    assert sorted(seen) == seen
    assert capsys.readouterr().err == ""


def test_progress_of_a_download_is_shown_while_it_runs(panel, vendors):
    """Pages and rows, before the table is there."""
    panel.form.limit.box.value = "1500"
    vendors["medipim"].set(latency_s=0.8)
    panel.fetch()
    lines = set()
    while panel.busy:
        lines.add(re.sub("<[^>]+>", "", panel._progress.value).strip())
        time.sleep(0.02)
    panel.join()
    assert "waiting for the first response" in lines
    assert any(re.match(r"[1-5] pages?, [\d,]+ of 1,500 rows, .* left", line) for line in lines), lines
    assert len(panel.frame) == 1_500


def test_negative_limit_is_refused_before_anything_is_sent(panel):
    """It is a whole number, so its control takes it; the sentence is below the form."""
    panel.form.limit.box.value = "-1"
    assert "limit must be a number of records, 0 or more, not -1." in panel._status.value
    assert panel._send_button.disabled


# The whole result


def test_all_that_matches_is_saved_whatever_the_limit(panel, tmp_path):
    """As a dataset and as Parquet, with the chosen columns; and the code for the next cell reads it."""
    panel.choose("brands").columns.choose(["id", "name"])
    panel.form.limit.box.value = "7"
    wanted = panel.client.brands.query().frame(columns=["id", "name"])
    for kind, path in (("dataset", "all brands"), ("parquet", "brands é'.parquet")):
        panel.saving.path.value, panel.saving.kind.value = path, kind
        button(panel, "Save all").click()
        panel.join()
        assert f"Saved 300 rows to {path}." in text_of(panel._status.value)
        names = {}
        exec(copied("<h4>x</h4>" + panel.saving.code.value, "x"), names)  # noqa: S102 - what a user would run
        assert names["frame"]["id"].tolist() == wanted["id"].tolist()
        assert list(names["frame"].columns[:2]) == ["id", "name"]
    assert panel.frame is None
    assert sorted(one.name for one in tmp_path.iterdir()) == ["all brands", "brands é'.parquet"]
    panel.save_all()
    panel.join()
    assert "already exists" in status(panel)
    panel.saving.path.value = "all brands/"
    panel.save_all()
    panel.join()
    assert "to all brands.parquet." in status(panel)


@pytest.mark.parametrize(("kind", "strategy"), [("dataset", "pages"), ("parquet", "stream")])
def test_estimate_of_saving_is_of_the_way_that_is_taken(panel, tmp_path, monkeypatch, kind, strategy):
    """Where pages would wait for the rate budget, one file comes by the stream; a dataset keeps to pages."""
    costs, begin = [], panel._progress.begin
    monkeypatch.setattr(panel.client.session.budget, "left", lambda: 3)
    monkeypatch.setattr(panel._progress, "begin", lambda cost, wait: (costs.append(cost(5_000)), begin(cost, wait)))
    panel.saving.path.value, panel.saving.kind.value = "all", kind
    panel.save_all()
    panel.join()
    assert [cost.strategy for cost in costs] == [strategy]
    assert {one.url.rpartition("/")[2] for one in panel.client.session.exchanges.all()} == {
        "query",
        *["stream"] * (strategy == "stream"),
    }


def test_saving_shows_progress_and_can_be_cancelled(panel, vendors, tmp_path):
    """Nothing half is left behind under the name."""
    vendors["medipim"].set(latency_s=0.4)
    panel.saving.path.value, panel.saving.kind.value = "products", "parquet"
    panel.save_all()
    lines = set()
    started = time.monotonic()
    while panel.busy and time.monotonic() - started < 1.3:
        lines.add(re.sub("<[^>]+>", "", panel._progress.value).strip())
        time.sleep(0.02)
    button(panel, "Cancel").click()
    panel.join()
    assert "Cancelled." in status(panel)
    assert any(re.match(r"\d+ pages?, [\d,]+ of 5,000 rows", line) for line in lines), lines
    assert not list(tmp_path.iterdir())
    panel.saving.path.value = " "
    vendors["medipim"].set(latency_s=0.0)
    panel.save_all()
    panel.join()
    assert "UsageError" in status(panel)


# History and saved requests


def fill_hostile(panel):
    """A form with every kind of control, and the question that it is."""
    form = panel.form
    form.conditions.add("brand", "9, 12")
    form.conditions.add("status").box.value = ("active", "inactive")
    form.conditions.add("minimum_content").box.value = True
    form.conditions.add("atc_category", '"a, ""b""", <c>, é')
    form.conditions.add("created_at", "2020-01-01 .. 2026-01-31")
    form.conditions.add("updated_since", ".. 2026-01-31T12:00")
    form.conditions.add("search", '{"query": "it\'s {{x}}", "locale": "fr"}')
    group = form.conditions.add_group()
    group.choose("any")
    group.add("brand", "3")
    group.add("minimum_content", False)
    labelled(form, "sort").value = "-createdAt"
    labelled(form, "locale").value = "fr"
    labelled(form, "strategy").value = "windows"
    labelled(form, "limit").value = "7"
    form.columns.choose(["id", "status"])
    return panel.query.ask, form.options()


def test_request_is_put_back_as_it_was_and_can_be_changed(panel):
    """All kinds of values, nested ones too; into a form that says something else."""
    ask, options = fill_hostile(panel)
    panel.fetch()
    panel.join()
    panel.form.conditions.clear()
    panel.choose("brands").conditions.add("search", "x")
    panel.history.restore()
    assert panel._resource.value == "products"
    assert panel.query.request().body == panel.client.session.prepare(describe_call(panel.client, ask)).body
    assert panel.form.options() == options
    assert panel.query.ask.strategy == "windows"
    assert labelled(panel.form, "brand").value == "9,12"
    labelled(panel.form, "brand").value = "9"
    assert panel.query.ask != ask


def describe_call(client, ask):
    """The first call of a question."""
    return first_call(client.resource_of(ask), ask)


@pytest.mark.parametrize(
    ("vendor", "resource", "filters", "more"),
    [
        ("mediagenix", "titles", {"external_id": "007, a"}, {"expand": ["metadata"], "accept": "json"}),
        ("mediagenix", "titles", {}, {"since": "2026-01-31"}),
        ("mediagenix", "schedules", {"title": 7}, {}),
        ("pledg", "payment_schedule", {"amount_cents": 20_000, "created": "2026-01-31"}, {}),
        ("medipim", "products", {}, {"since": "2026-01-31T12:00", "where": {"not": {"brand": 9}}}),
        ("medipim", "products", {}, {"where": {"and": [{"brand": 9}, {"brand": 12}, {"or": [{"brand": 3}]}]}}),
    ],
)
def test_queries_of_all_vendors_can_be_put_into_the_form(client_of, vendor, resource, filters, more):
    """As `saved_requests` gives them, or as code made them."""
    panel = vk.panel(client_of[vendor])
    query = getattr(panel.client, resource).query(**filters, **more)
    panel.restore(query, {"limit": 3})
    assert panel.query.describe() == query.describe()
    assert panel.query.ask.expand == query.ask.expand
    assert panel.form.options()["limit"] == 3


def test_options_of_a_file_are_put_into_the_form(panel):
    """Also those that say what is usual, and a locale in capitals."""
    start = f"@host = {panel.client.base_url}\n"
    body = 'POST {{host}}/v4/products/query\n\n{"filter": {}, "sorting": {"id": "ASC"}}'
    place = Path("written.http")
    place.write_text(f'{start}# @vendorkit {{"nested": "list", "locale": "FR", "limit": 3}}\n{body}', encoding="utf-8")
    panel.history.path.value = place.name
    button(panel, "Load").click()
    button(panel, "Restore").click()
    assert panel.form.options() == {"limit": 3, "locale": "fr"}
    place.write_text(f'{start}# @vendorkit {{"nested": "drop"}}\n{body}', encoding="utf-8")
    button(panel, "Load").click()
    button(panel, "Restore").click()
    assert panel.form.options() == {"nested": "drop"}


def test_history_has_requests_results_and_errors_and_is_searched(panel, vendors):
    """The full request and its first rows; in memory, and only the first rows of each."""
    panel.choose("brands").conditions.add("search", "a<b")
    panel.fetch()
    panel.join()
    panel.choose("organizations")
    vendors["medipim"].set(fail_next=["401"])
    panel.fetch()
    panel.join()
    panel.fetch()
    panel.join()
    history = panel.history
    labels = [label.partition(" ")[2] for label, _ in history.list.options]
    assert labels == [f"organizations: {len(panel.frame)} rows", "organizations: CredentialsRefused", "brands: 0 rows"]
    assert "POST {{host}}/v4/organizations/query" in text_of(history._detail.value)
    assert panel.frame["name"].iloc[0] in history._detail.value
    assert len(re.findall("<tr>", history._detail.value.partition("<tbody>")[2])) == 5
    history.search.value = "A<B"
    assert len(history.list.options) == 1
    assert "a&lt;b" in history._detail.value
    history.search.value = "nothing like this"
    assert history.list.options == ()
    button(history, "Restore").click()
    assert history._detail.value == ""
    assert not leaked(everything(panel), vendors["medipim"].credentials)
    assert not list(Path().iterdir())


def test_saved_request_comes_back_from_its_file(panel):
    """By name, with columns, limit and locale; an error names the file's line."""
    ask, options = fill_hostile(panel)
    button(panel, "Save").click()
    assert "name must be" in status(panel)
    panel.history.name.value = "weekly"
    button(panel, "Save").click()
    assert "Saved weekly to requests.http." in status(panel)
    button(panel, "Save").click()
    assert "is also named" in status(panel)
    again = vk.panel(panel.client)
    button(again, "Load").click()
    again.history.restore()
    assert again.query.describe() == panel.query.describe()
    assert again.form.options() == options
    assert again.query.ask.strategy == ask.strategy
    Path("requests.http").write_text("POST https://vendor.example/", encoding="utf-8")
    button(again, "Load").click()
    assert "requests.http, line 1" in status(again)


# Code


@pytest.mark.parametrize("vendor", CLIENTS)
def test_vendorkit_lines_repeat_the_frame(client_of, vendor):
    """What the panel shows as code gives, when it runs, the frame that the panel fetched."""
    panel = vk.panel(client_of[vendor])
    if vendor == "medipim":
        panel.form.conditions.add("brand", "9")
        panel.form.conditions.add("updated_since", "2020-01-31 .. ")
        panel.form.conditions.add_group().add("search", '{"query": "it\'s", "locale": "fr", "type": "contains"}')
        button(panel.form, "Remove group").click()
        labelled(panel.form, "strategy").value = "windows"
        labelled(panel.form, "since").value = "2021-01-31"
        labelled(panel.form, "nested").value = "json"
        labelled(panel.form, "locale").value = "fr"
    elif vendor == "pledg":
        form = panel.choose("payment_schedule")
        form.conditions.add("amount_cents", "20000")
        form.conditions.add("created", "2026-01-31")
    else:
        labelled(panel.form, "expand").value = ("metadata",)
        labelled(panel.form, "accept").value = "json"
        panel.form.limit.box.value = "30"
    panel.fetch()
    panel.join()
    names = {}
    exec(panel.snippet(), names)  # noqa: S102 - what a user would run
    assert len(panel.frame) > 0
    pd.testing.assert_frame_equal(names["frame"], panel.frame)
    assert ("nested='json'" in panel.snippet()) == (vendor == "medipim")


def test_code_follows_the_form_and_the_language(panel):
    """Escaped for the page, with a button that copies it."""
    panel.choose("brands").conditions.add("search", "<b>'")
    assert "&lt;b&gt;&#x27;" in panel._code.value
    assert "<b>'" not in panel._code.value
    for label, known in [("curl", "curl --request POST"), ("PHP (cURL)", "curl_init"), ("Python", "http.client")]:
        panel._language.label = label
        assert known in panel._code.value
    assert "execCommand" in panel._code.value
    assert panel.snippet("curl") == panel.query.snippet("curl", limit=1_000)
    panel.form.limit.box.value = "20"
    assert '"size": 50' in panel.snippet("curl")


# Secrets, and pages without widgets


@pytest.mark.parametrize("vendor", CLIENTS)
def test_no_state_of_any_widget_holds_a_credential(client_of, vendors, vendor):
    """Nor does the code in any language, the exchange, the saved form, the HTML."""
    panel = vk.panel(client_of[vendor])
    if vendor == "pledg":
        panel.choose("merchant_conditions")
    panel.form.limit.box.value = "10"
    panel.fetch()
    panel.join()
    assert len(panel.frame) > 0
    shown = html_of(exchange_of(panel))
    assert "200" in shown
    for _, language in panel._language.options:
        panel._language.value = language
        shown += everything(panel)
    assert "Authorization" in shown or vendor == "pledg"
    assert not leaked(shown, vendors[vendor].credentials)


def rows_of(shown):
    """The cells of the rows of a table, as texts."""
    lines = re.findall("<tr>(.*?)</tr>", shown.partition("<tbody>")[2])
    cells = [re.findall("<t[hd].*?</t[hd]>", line) for line in lines]
    return [[html.unescape(re.sub("<[^>]+>", "", cell)) for cell in row] for row in cells]


def text_of(shown):
    """What is read of a page."""
    return html.unescape(re.sub("<[^>]+>", " ", shown))


def copied(shown, title):
    """What the button below this title copies: the text of the element after it."""
    found = re.search(f"<h4>{title}</h4>.*?<pre[^>]*>(.*?)</pre>", shown, re.DOTALL)[1]
    return html.unescape(re.sub("<[^>]+>", "", found))


def test_exchange_is_written_when_it_is_looked_at(panel):
    """A front end takes longer for it than for the rows; while its tab is open, it shows the last request."""
    panel.form.limit.box.value = "10"
    panel.fetch()
    panel.join()
    assert html_of(panel._exchange) == ""
    first = html_of(exchange_of(panel))
    assert "Response body" in first
    panel.form.limit.box.value = "9"
    panel.fetch()
    panel.join()
    assert html_of(panel._exchange) != first
    assert len(rows_of(panel._exchange._table.value)) == 1


def test_exchange_has_a_line_per_request_and_a_total(panel):
    """Page, status, records, size and time, in the order in which they were sent."""
    panel.form.limit.box.value = "1200"
    panel.fetch()
    panel.join()
    pane = exchange_of(panel)
    rows = rows_of(pane._table.value)
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]
    assert sorted(row[2] for row in rows) == [f"no {number}, size 250" for number in range(5)]
    for _, request, _, status_code, records, size, took in rows:
        assert (request, status_code, records) == ("POST /v4/products/query", "200", "250")
        assert re.fullmatch(r"[\d.]+ kB", size)
        assert re.fullmatch(r"[\d,]+ ms", took)
    sizes = sum(one.body.size for one in pane._shown)
    total = text_of(pane._table.value.rpartition("</table>")[2])
    assert f"5 requests, 1,250 records, {sizes / 10**6:,.1f} MB, " in total
    seconds = float(re.search(r"([\d.]+) s\.", total)[1])
    assert seconds <= sum(one.seconds for one in pane._shown) + 1


def test_exchange_of_a_stream_counts_its_records(panel, vendors):
    """One response with many records, of which the beginning is kept."""
    panel.choose("media")
    panel.form.limit.box.value = ""
    panel.fetch()
    panel.join()
    rows = rows_of(exchange_of(panel)._table.value)
    assert rows[-1][1:5] == ["POST /v4/media/stream", "", "200", f"{panel.frame.attrs['vendorkit']['total']:,}"]
    exchange_of(panel)._chooser.value = len(rows) - 1
    assert "the rest was not recorded" in exchange_of(panel)._open.value
    kept = sum(len(one.body.start) for one in exchange_of(panel)._shown)
    assert kept <= 120_000 * len(rows)


def test_exchange_shows_what_went_over_the_wire(client_of):
    """Digest's first refusal and second try, headers with credentials masked; only what this request made."""
    client = client_of["mediagenix"]
    client.brands.query().count()
    panel = vk.panel(client)
    panel.choose("platforms")
    panel.fetch()
    panel.join()
    pane = exchange_of(panel)
    rows = rows_of(pane._table.value)
    assert [row[1] for row in rows] == ["GET /api/platforms"] * len(rows)
    assert rows[-1][3] == "200"
    shown = "".join(folded for number in range(len(rows)) for _, folded in pane._parts(number))
    assert "/api/brands" not in shown
    assert "Digest" in shown
    assert "***" in shown


def test_exchange_shows_both_bodies_as_they_are(panel):
    """Pretty, folded, escaped; what is copied is the same JSON."""
    panel.choose("brands").conditions.add("search", "<b>")
    panel.form.conditions.add("id", "9")
    panel.fetch()
    panel.join()
    shown = exchange_of(panel)._open.value
    assert json.loads(copied(shown, "Request body")) == panel.query.describe()["json"]
    assert "<b>" not in shown.replace("</b>", "")
    assert "&lt;b&gt;" in shown
    assert json.loads(copied(shown, "Response body"))["meta"]["total"] == len(panel.frame)
    assert "<details open><summary>" in shown
    assert "> POST /v4/brands/query" in copied(shown, "Headers")


def test_exchange_shows_xml_by_element(client_of):
    """The vendor's default, with a line for each."""
    panel = vk.panel(client_of["mediagenix"])
    panel.choose("platforms")
    panel.fetch()
    panel.join()
    exchange_of(panel)._chooser.value = len(exchange_of(panel)._shown) - 1
    body = copied(exchange_of(panel)._open.value, "Response body")
    assert re.search(r"\n  <platform.*>\n    <\S+", body)
    assert "&lt;platform" in exchange_of(panel)._open.value


def test_bodies_can_be_searched(panel):
    """Hits are counted per request and marked; the first request that has one is opened."""
    panel.form.limit.box.value = "600"
    panel.fetch()
    panel.join()
    pane = exchange_of(panel)
    last = pane._shown.index(max(pane._shown, key=lambda one: '"no": 2' in one.body.sent.decode()))
    pane.search.value = '"NO": 2'
    assert pane._chooser.value == last
    assert "<mark>&quot;no&quot;: 2</mark>" in pane._open.value
    assert [row[7:] for row in rows_of(pane._table.value)] == [["2"] if number == last else [] for number in range(3)]
    pane.search.value = "(["
    assert "<mark>" not in pane._open.value
    pane.search.value = ""
    assert "hits" not in pane._table.value


@pytest.mark.parametrize("length", [50_000, 99_990, 100_010, 103_990])
def test_credential_in_a_body_is_masked_wherever_it_is(panel, vendors, length):
    """S16: a vendor may echo what it was sent, with more or less before it, and sign its links; nothing is HTML."""
    secret = vendors["medipim"].credentials["MEDIPIM_API_KEY_SECRET"]
    filler = "x" * length
    url, token = "https://v.example/?signature=made-up-mac&a=1", "made-up-token"
    body = json.dumps({"a": filler, "b": secret, "url": url, "c": "<script>", "access_token": token})
    one = Exchange("GET", "https://v.example/", 200, {}, {}, 0.1, body=Body(120_000))
    one.body.take(body.encode())
    one.body.sent = body.encode()
    pane = exchange_of(panel)
    pane._shown = [one]
    pane._texts = {}
    pane._chooser.options = [("1", 0)]
    pane._chooser.index = 0
    pane._open_chosen()
    shown = pane._open.value
    assert filler[:40_000] in shown
    for part in (secret, secret[:8], "made-up", "<script"):
        assert part not in shown
    assert leaked(everything(panel), vendors["medipim"].credentials) == []


def test_bodies_of_authentication_are_never_kept(client_of, vendors):
    """S13: a token comes in one, and a secret goes out in one."""
    client = client_of["pledg"]
    panel = vk.panel(client)
    client.ping()
    kept = [one for one in client.session.exchanges.all() if one.body.start or one.body.sent]
    token_calls = [one for one in client.session.exchanges.all() if one not in kept]
    assert token_calls
    assert all(one.body.size for one in token_calls)
    assert not [one for one in kept if b"token" in one.body.start.lower()]
    assert panel is not None


def test_bodies_are_kept_only_for_a_panel(medipim):
    """Whoever does not look at them does not hold them in memory."""
    medipim.brands.query().frame()
    one = medipim.session.exchanges.all()[-1]
    assert (one.body.start, one.body.sent) == (b"", b"")
    assert one.body.size > 10_000
    assert one.body.records == 300


@pytest.mark.parametrize(
    "value",
    [
        {"a": [], "b": {}, "c": [1, -2.5e3, {"d": 'x, {y}: "z"\\'}], "e": None},
        [1, [2, [3]]],
        {},
        [],
        [{}],
        {"a": {"b": {}}},
        "é<",
    ],
)
def test_json_on_lines_is_the_same_json(value):
    """Whatever it holds, compact or not."""
    for text in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)):
        assert json.loads(pretty(text)) == value


@pytest.mark.parametrize("part", ["[", "<a>"])
def test_indentation_of_hostile_bodies_is_bounded(part):
    """100 kB of brackets were 10 GB of spaces."""
    assert len(pretty(part * 2_000)) < 500_000


def test_json_that_is_cut_off_keeps_all_that_is_there():
    """The first 100 kB of a page end anywhere, and a stream has a record per line."""
    whole = json.dumps({"results": [{"id": 1, "name": 'a "b", c'}, {"id": 2}]})
    for end in range(len(whole)):
        assert re.sub(r"\s", "", pretty(whole[:end])) == re.sub(r"\s", "", whole[:end])
    assert pretty('{"a": 1}\n{"a": 2}\n') == '{\n  "a": 1\n}\n{\n  "a": 2\n}'
    assert pretty("no answer, in words") == "no answer, in words"


def test_page_without_widgets_shows_the_code_and_the_last_result(panel):
    """Exported, reopened, on GitHub."""
    assert "nothing fetched" in repr(panel)
    panel.choose("brands")
    panel.fetch()
    panel.join()
    shown = panel.static_html()
    assert "client.brands.query()" in shown
    assert "300 rows" in shown
    assert panel.frame["name"].iloc[0] in shown
    assert "<script" not in shown
    assert repr(panel) == "<RequestPanel Medipim (local): brands; 300 rows fetched>"


def test_a_span_of_dates_includes_its_last_day(panel):
    """Next to its control; and a reversed one is an error there."""
    control = panel.form.conditions.add("created_at", "2026-01-31 .. 2026-01-31")
    assert "from 2026-01-31 (inclusive) until 2026-01-31 (inclusive), UTC." in control.children[-1].value
    control.box.value = "2026-02-01 .. 2026-01-31"
    assert "in chronological order" in control.children[-1].value
