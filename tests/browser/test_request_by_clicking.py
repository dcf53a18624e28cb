"""The request panel as a person uses it, in an app of Voila: each test is one visit."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.conftest import SHOTS
from tests.browser.serving import button, picture

# One page takes a second, as at a vendor far away; the buttons below the panel make the vendor fail and go fast.
SLOW = """
import ipywidgets as widgets
import vendorkit as vk
from vendorkit import local
vendor = local.shared()["medipim"]
vendor.set(latency_s=1.0)
fail, fast = widgets.Button(description="Let it fail"), widgets.Button(description="Let it be fast")
fail.on_click(lambda _: vendor.set(fail_next=["401"]))
fast.on_click(lambda _: vendor.set(latency_s=0.0))
widgets.VBox([vk.panel(vk.connect("medipim", environment="local")), fail, fast])
"""
# What a reader would not see the end of, and could not scroll to.
TOO_WIDE = """() => [document.scrollingElement, ...document.querySelectorAll('.vk-scroll, pre.vk-code')]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.className != 'vk-scroll'
        || one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 100))"""
FAST = SLOW.replace("1.0", "0.0")


def status(page, text):
    """The line of the panel that says this."""
    return page.get_by_role("status").filter(has_text=text)


def add_filter(page, name, place=0):
    """Add a filter to the form, in the group of this number."""
    chooser = page.get_by_label("Add filter").nth(place)
    chooser.select_option(label=chooser.locator("option").filter(has_text=re.compile(f"^{name}:")).inner_text())
    button(page, "Add").nth(place).click()


def set_limit(page, text):
    """Set the limit, as if typed."""
    page.get_by_label("limit", exact=True).fill(text)
    page.get_by_label("limit", exact=True).press("Tab")


def seconds(text):
    """The seconds that the panel says, as "1 min 5 s"."""
    found = re.search(r"(?:(\d+) min )?(?:(\d+) s\b)", text)
    return int(found[1] or 0) * 60 + int(found[2])


def test_nested_query_is_built_counted_and_sent_as_estimated(app):
    """A brand by its name, in a group of which any holds; the estimate is within 30 % of the time that it takes."""
    page = app(SLOW)
    button(page, "Add group").click()
    page.get_by_label("Group", exact=True).select_option("match any")
    # The group stands before the controls that add to the outermost one.
    add_filter(page, "brand", 0)
    page.get_by_label("brand", exact=True).press_sequentially("Aderl")
    page.get_by_role("button", name="Aderlis (9)").click()
    expect(page.get_by_label("brand", exact=True)).to_have_value("9")
    page.get_by_role("tab", name="Code").click()
    expect(page.locator("pre.vk-code").first).to_contain_text("where={'brand': 9}")
    add_filter(page, "status", 0)
    page.get_by_label("status", exact=True).select_option(["active", "inactive"])
    expect(page.locator("pre.vk-code").first).to_contain_text("where={'or': [{'brand': 9}, {'status': ['active'")
    # Few columns: the estimate is of the requests, and reading 79 columns takes a busy machine as long.
    page.get_by_role("button", name="columns: all 79").click()
    button(page, "prices").click()
    expect(page.get_by_role("button", name="columns: 4 of 79")).to_be_visible()
    set_limit(page, "")
    button(page, "Count").click()
    counted = status(page, " match. Fetching them takes about ")
    expect(counted).to_be_visible()
    total = re.search("([\\d,]+) match", counted.inner_text())[1]
    estimated = seconds(counted.inner_text())
    page.get_by_role("tab", name="Result").click()
    button(page, "Send").click()
    expect(page.locator("progress:visible")).to_be_visible()
    expect(page.get_by_text(re.compile(f"rows 1 to 20 of {total}"))).to_be_visible()
    took = seconds(status(page, "fetched at").inner_text().partition(" in ")[2])
    assert abs(estimated - took) <= 0.3 * took + 0.5, (estimated, took)  # both are rounded
    assert int(total.replace(",", "")) > 3_000


def test_what_arrived_before_cancel_is_shown_and_an_error_dims_it(app):
    """Not complete, and says so; the next request fails: the table stays, dimmed, and the error is above it."""
    page = app(SLOW)
    set_limit(page, "")
    button(page, "Send").click()
    # By then the first page, which came before the others, has been read.
    expect(status(page, re.compile(r"^([2-9]|\d\d) pages, [\d,]+ of 5,000 rows"))).to_be_visible()
    button(page, "Cancel").click()
    expect(status(page, "Cancelled.")).to_be_visible()
    line = page.locator(".vk-fault").filter(has_text="Incomplete: the download stopped early.")
    expect(line).to_be_visible()
    expect(page.get_by_text(re.compile(r"rows 1 to 20 of [\d,]+"))).to_be_visible()
    button(page, "Let it fail").click()
    button(page, "Send").click()
    expect(page.get_by_role("alert").filter(has_text="CredentialsRefused")).to_be_visible()
    expect(page.get_by_text("Result of an earlier request.")).to_be_visible()
    expect(page.locator(".vk-earlier table.vk-grid")).to_have_css("opacity", "0.45")
    expect(page.get_by_text(re.compile(r"rows 1 to 20 of [\d,]+"))).to_be_visible()
    button(page, "Let it be fast").click()
    set_limit(page, "20")
    button(page, "Send").click()
    expect(status(page, "20 rows of 5,000")).to_be_visible()
    expect(page.locator(".vk-earlier")).to_have_count(0)


def test_response_is_looked_into_and_searched(app):
    """A line per request; the body of one is open, folds, is searched in all of them, and is copied as it is."""
    page = app(FAST)
    set_limit(page, "600")
    button(page, "Send").click()
    expect(status(page, "600 rows of 5,000")).to_be_visible()
    page.get_by_role("tab", name="Exchange").click()
    table = page.get_by_role("region", name="Exchanges")
    expect(table.locator("tbody tr")).to_have_count(3)
    body = page.locator("h4").filter(has_text="Response body").locator("xpath=following-sibling::pre[1]")
    expect(body).to_contain_text('"results": [')
    body.locator("summary").nth(1).click()
    expect(body.locator("details:not([open])")).to_have_count(1)
    page.get_by_label("Open", exact=True).select_option(index=2)
    search = page.get_by_label("Search", exact=True).locator("visible=true")
    search.fill('"no": 2')
    search.press("Enter")
    expect(page.locator("mark:visible").first).to_have_text('"no": 2')
    expect(table.locator("thead th").last).to_have_text("hits")


def test_requests_come_back_from_history_and_file_and_all_is_saved(app, folder):
    """An earlier one is restored; one is saved to a file, changed, loaded from there; and all that matches is saved."""
    page = app(FAST)
    resource = page.get_by_label("Resource", exact=True)
    resource.select_option("brands")
    expect(page.get_by_text("Brands.", exact=True)).to_be_visible()
    add_filter(page, "search")
    page.get_by_label("search", exact=True).fill("a")
    page.get_by_label("search", exact=True).press("Tab")
    button(page, "Send").click()
    expect(status(page, "fetched at")).to_be_visible()
    resource.select_option("organizations")
    button(page, "Send").click()
    expect(page.get_by_text(re.compile("^organizations: .*fetched at"))).to_be_visible()
    page.get_by_role("tab", name="History").click()
    requests = page.get_by_label("Requests", exact=True)
    expect(requests.locator("option")).to_have_count(2)
    requests.select_option(index=1)
    expect(page.locator("pre.vk-code:visible").first).to_contain_text("POST {{host}}/v4/brands/query")
    button(page, "Restore").click()
    expect(resource).to_have_value("brands")
    expect(page.get_by_label("search", exact=True)).to_have_value("a")
    page.get_by_label("File", exact=True).fill("clicked.http")
    page.get_by_label("Name", exact=True).fill("with-a")
    button(page, "Save").click()
    expect(status(page, "Saved with-a to clicked.http.")).to_be_visible()
    page.get_by_label("search", exact=True).fill("other")
    page.get_by_label("search", exact=True).press("Tab")
    button(page, "Load").click()
    expect(status(page, "Loaded 1 request from clicked.http.")).to_be_visible()
    button(page, "Restore").click()
    expect(page.get_by_label("search", exact=True)).to_have_value("a")
    assert "# @name with-a" in (folder / "clicked.http").read_text("utf-8")
    page.get_by_role("tab", name="Result").click()
    page.get_by_label("Save all to", exact=True).fill("all brands")
    button(page, "Save all").click()
    expect(status(page, re.compile("Saved [1-9][0-9]* rows to all brands"))).to_be_visible()
    expect(page.locator("pre.vk-code:visible").first).to_contain_text("vk.load('all brands')")
    assert (folder / "all brands").is_dir()


@pytest.mark.parametrize(("theme", "width", "zoom"), [("light", 800, 1.0), ("dark", 1280, 1.0), ("dark", 1280, 1.5)])
def test_every_tab_fits_the_page(app, theme, width, zoom):
    """Narrow, dark, and at 150 %: only tables scroll, each in its own region; pictures of all tabs."""
    page = app(FAST, theme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(f"() => {{ document.body.style.zoom = {zoom}; }}")
    button(page, "Add group").click()
    expect(page.get_by_label("Group", exact=True)).to_be_visible()
    add_filter(page, "created_at")
    page.get_by_label("created_at", exact=True).fill("2026-01-31 .. 2026-01-01")
    expect(page.get_by_role("alert")).to_contain_text("in chronological order")
    page.get_by_label("created_at", exact=True).fill(".. 2026-01-31")
    expect(page.get_by_text("until 2026-01-31 (inclusive), UTC.")).to_be_visible()
    page.get_by_role("button", name=re.compile("columns: all")).click()
    set_limit(page, "300")
    button(page, "Send").click()
    expect(status(page, "fetched at")).to_be_visible()
    for tab in ("Result", "Exchange", "Code", "History"):
        page.get_by_role("tab", name=tab).click()
        picture(page, SHOTS / f"request_{theme}_{width}_{zoom:.0%}_{tab}.png".lower().replace("%", ""))
        assert page.evaluate(TOO_WIDE) == [], tab
