"""The panels outside JupyterLab: a notebook of one cell each, as an app of Voila."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.hands import Keyboard, Mouse
from tests.browser.serving import button

CONNECT = """
import vendorkit as vk
vk.connect_panel()
"""
WRONG_SECRET = """
import vendorkit as vk
from vendorkit import local
local.shared()["medipim"].credentials["MEDIPIM_API_KEY_SECRET"] = "made-up-wrong-secret"
vk.connect_panel()
"""
BROWSE = """
import vendorkit as vk
vk.browse(vk.connect("mediagenix", environment="local"))
"""
PANEL = """
import vendorkit as vk
vk.panel(vk.connect("medipim", environment="local"))
"""
SLOW = """
import vendorkit as vk
from vendorkit import local
local.shared()["medipim"].set(latency_s=30.0)
vk.panel(vk.connect("medipim", environment="local"))
"""
PULL = """
import vendorkit as vk
from vendorkit import local
local.shared()["medipim"].set(latency_s=1.2)
vk.table(vk.connect("medipim", environment="local").products.query().frame(limit=1_000), page_size=5)
"""


def test_connect_panel_connects(app):
    """A test call to each vendor says what came back."""
    page = app(CONNECT)
    for vendor in ("Medipim", "Pledg", "Mediagenix On-Demand"):
        page.get_by_label("Vendor").select_option(label=vendor.replace(" On", "\xa0On"))
        button(page, "Test call").click()
        said = page.get_by_role("status").filter(has_text="It took")
        expect(said.filter(has_text=vendor.split()[0])).to_be_visible()


def test_connect_panel_shows_the_error_of_a_wrong_secret(app):
    """What is wrong and what to do, and not the secret."""
    page = app(WRONG_SECRET)
    button(page, "Test call").click()
    alert = page.get_by_role("alert").filter(has_text="CredentialsRefused")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("Check ")
    assert "made-up" not in page.content()


@pytest.mark.parametrize("kind", [Mouse, Keyboard])
def test_browser_follows_links_opens_expands_searches_and_goes_back(app, kind):
    """From the root to a list, a record with what is embedded in it, what it links to; the focus is never lost."""
    page = app(BROWSE)
    hand, address = kind(page), page.get_by_label("Address")
    address.focus()
    hand.press(button(page, "titles"))
    expect(address).to_have_value(re.compile(r"^/api/titles\?"))
    hand.stays("titles")
    hand.press(button(page, "Next page"))
    expect(page.locator("table.vk-grid tbody tr").first).to_contain_text("51")
    hand.stays("Next page")
    hand.write(page.get_by_label("Filter", exact=True), "tides")
    expect(page.locator(".vk-status")).to_contain_text("any column: tides")
    hand.stays("INPUT")
    wanted = page.locator("table.vk-grid tbody tr").nth(1).locator("td").nth(1).inner_text()
    hand.press(page.locator(".vk-rows button").nth(1))
    expect(address).to_have_value(f"/api/titles/{wanted}")
    hand.stays(f"title {wanted}")
    hand.press(page.get_by_label("images", exact=True))
    hand.press(button(page, "Expand"))
    expect(address).to_have_value(f"/api/titles/{wanted}?expand=images")
    expect(page.locator("summary").first).to_contain_text("images")
    hand.stays("Expand")
    hand.press(button(page, "assets"))
    expect(address).to_have_value(re.compile(f"^/api/titles/{wanted}/assets"))
    hand.press(button(page, "Back"))
    expect(address).to_have_value(f"/api/titles/{wanted}?expand=images")
    hand.stays("Back")
    expect(page.get_by_role("region", name=f"title {wanted}").first).to_be_visible()


def test_request_panel_builds_a_filtered_query(app):
    """A filter is added and set; the code says it, the count counts it, and the table holds the rows."""
    page = app(PANEL)
    page.get_by_label("Find filter").press_sequentially("any status")
    page.get_by_label("Add filter").select_option("status: Any status by default.")
    button(page, "Add").click()
    page.get_by_label("status", exact=True).select_option("active")
    page.get_by_label("limit", exact=True).fill("25")
    page.get_by_label("limit", exact=True).press("Tab")
    button(page, "Count").click()
    expect(page.get_by_role("status").filter(has_text=" match.")).to_be_visible()
    button(page, "Send").click()
    expect(page.get_by_text("rows 1 to 20 of 25")).to_be_visible()
    page.get_by_role("tab", name="Code").click()
    expect(page.locator("body")).to_contain_text("products.query(status='active')")
    page.get_by_role("tab", name="Result").click()  # for the picture


def test_request_panel_works_by_keyboard_and_leaves_typed_text_alone(app):
    """A name in place of an id is found while it is typed; Send keeps the focus; no tooltip says "null"."""
    page = app(PANEL)
    page.get_by_label("Find filter").press_sequentially("ids of brands")
    page.get_by_label("Add filter").select_option("brand: Ids of brands.")
    button(page, "Add").click()
    box = page.get_by_label("brand", exact=True)
    box.press_sequentially("Aderl", delay=60)
    found = page.get_by_role("button", name="Aderlis (9)")
    expect(found).to_be_visible()
    expect(box).to_have_value("Aderl")
    expect(box).to_be_focused()
    found.click()
    expect(box).to_have_value("9")
    expect(button(page, "Send")).to_be_enabled()  # what has no focus yet gets none while it is disabled
    button(page, "Send").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status").filter(has_text="fetched at")).to_be_visible()
    expect(button(page, "Send")).to_be_focused()
    script = "[...document.querySelectorAll('[title=null]')].map(found => found.textContent.trim())"
    of_the_table = {"", "Descending", "Columns", "Copy or download", "Page"}
    assert set(page.evaluate(script)) <= of_the_table
    page.get_by_role("button", name=re.compile("columns: all")).press("Space")
    page.get_by_label("Find column").press_sequentially("price")
    page.get_by_label("public_price", exact=True).press("Space")
    expect(page.get_by_role("button", name=re.compile("columns: 1 of"))).to_be_visible()
    page.get_by_role("tab", name="Exchange").click()
    expect(page.locator("summary").first).to_be_visible()


def test_code_is_copied_as_plain_text(app):
    """By the button; then it is pasted into a field, which takes no formatted text."""
    page = app(PANEL)
    page.get_by_role("tab", name="Code").click()
    button(page, "Copy").click()
    expect(button(page, "Copied")).to_be_visible()
    page.get_by_label("limit", exact=True).fill("")
    page.get_by_label("limit", exact=True).press("Control+V")
    expect(page.get_by_label("limit", exact=True)).to_have_value(re.compile("import vendorkit as vk.*query.frame"))


def test_request_panel_cancels_a_slow_query(app):
    """A vendor that is slow to answer does not hold the panel; the same button can be pressed again."""
    page = app(SLOW)
    button(page, "Send").click()
    expect(button(page, "Cancel")).to_be_enabled()
    button(page, "Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible(timeout=5_000)
    expect(button(page, "Send")).to_be_enabled()


def test_request_panel_shows_the_error_of_a_wrong_secret(app):
    """What is wrong and what to do, and not the secret."""
    page = app(WRONG_SECRET.replace("vk.connect_panel()", PANEL))
    button(page, "Send").click()
    expect(page.get_by_role("alert").filter(has_text="CredentialsRefused")).to_be_visible()
    assert "made-up" not in page.content()


def test_progress_of_a_slow_pull_leaves_nothing_behind(app):
    """The bar comes after two seconds and goes with the pull; no widget is looked for in vain, as the console tells."""
    page = app(PULL)
    expect(page.locator(".jupyter-widgets table.vk tbody td").first).to_be_visible()
    expect(page.get_by_text("Loading widget")).to_have_count(0)
