"""All panels by axe-core, in the states that a user brings them into, with light and with dark colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

from playwright.sync_api import expect

from tests.browser.serving import button

TABLE = """
import pandas as pd
import vendorkit as vk
vk.table(pd.DataFrame({
    "name": [f"product {n}" for n in range(60)], "cents": [n * 37 % 60 for n in range(60)],
    "price": [n / 8 if n % 7 else None for n in range(60)], "created": pd.date_range("2026-01-01", periods=60),
    "nothing": [None] * 60, "tags": [[n, n + 1] for n in range(60)], "long": ["x" * 300] * 60,
}))
"""
BROWSE = """
import vendorkit as vk
vk.browse(vk.connect("VENDOR", environment="local"))
"""
PANEL = """
import vendorkit as vk
vk.panel(vk.connect("medipim", environment="local"))
"""
CONNECT = """
import vendorkit as vk
vk.connect_panel()
"""
Found = dict[str, list[str]]


@pytest.fixture(params=["light", "dark"])
def themed(request, app) -> Callable[[str], Any]:
    """A function that opens a cell as an app, in one of the two themes."""
    return lambda cell: app(cell, theme=request.param)


class Checked:
    """What axe-core finds wrong in the panels, by the state of the panel."""

    def __init__(self, page: Any) -> None:
        self.page, self.found = page, Found()

    def look(self, state: str) -> None:
        """Examine the panel as it is now."""
        self.page.wait_for_timeout(200)  # colours of the last press fade
        said = axe.Axe().run(self.page, context=".vendorkit-panel").response["violations"]
        bad = [
            f"{one['id']}: {node['target']} {node['html'][:300]} {node['failureSummary']}"
            for one in said
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]
        null = self.page.locator(".vendorkit-panel [title='null']").count()
        self.found |= {state: bad + [f"{null} tooltips read null"] * bool(null)} if bad or null else {}

    def none(self) -> None:
        """Nothing was wrong in any state."""
        assert not self.found, "\n".join(f"{state}:\n  " + "\n  ".join(bad) for state, bad in self.found.items())


def test_table(themed):
    """Chips, facts, chooser, chart, files, an open row, no rows at all, an error."""
    page = themed(TABLE)
    checked, filtering = Checked(page), page.get_by_label("Filter", exact=True)
    checked.look("first page")
    page.locator(".vk-heads button").filter(has_text="cents").click()
    expect(page.locator("tbody tr").first.locator("[data-sorted]")).to_have_text("0")
    for column, text in {"name": "product", "cents": ">5"}.items():
        page.get_by_label("Column", exact=True).fill(column)
        filtering.fill(text)
        filtering.press("Enter")
        expect(page.locator(".vk-chips button").filter(has_text=column)).to_be_visible()
    checked.look("sorted, with two chips")
    page.locator(".vk-rows button").nth(1).click()
    expect(page.get_by_role("region", name="Row 2")).to_be_visible()
    checked.look("an open row")
    for name in ("Columns", "Facts", "Chart", "Code and files"):
        button(page, name).click()
    page.get_by_role("img", name="Histogram of cents").wait_for()
    expect(page.locator("table.vk-grid svg").first).to_be_visible()
    button(page, "Create file").click()
    expect(page.get_by_role("link", name="Download table.csv")).to_be_visible()
    checked.look("all panes open")
    filtering.fill("cheap")
    filtering.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("is not a valid condition on the column cents")
    checked.look("an error")
    filtering.fill(">99")
    filtering.press("Enter")
    expect(page.locator(".vk-status")).to_contain_text("no rows")
    checked.look("no rows")
    checked.none()


def test_browser(themed):
    """Links, a list, a record with what is embedded in it, each tab, an error."""
    page = themed(BROWSE.replace("VENDOR", "mediagenix"))
    checked, address = Checked(page), page.get_by_label("Address")
    checked.look("root")
    button(page, "titles").click()
    expect(page.locator(".vk-rows button").first).to_be_visible()
    checked.look("a list")
    page.locator(".vk-rows button").first.click()
    expect(address).to_have_value("/api/titles/1")
    page.get_by_label("licensor", exact=True).check()
    page.get_by_label("images", exact=True).check()
    button(page, "Expand").click()
    expect(page.locator("summary").first).to_be_visible()
    checked.look("a record")
    for name, shown in {"JSON": "resource_type", "DataFrame": "panel.query.frame()", "XML": "title-type"}.items():
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_text(shown).filter(visible=True).first).to_be_visible()
        checked.look(name)
    address.fill("/api/titles/999999")
    address.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("NotFound")
    checked.look("an error")
    checked.none()


def test_list_of_resources(themed):
    """Of a vendor without links."""
    page = themed(BROWSE.replace("VENDOR", "medipim"))
    checked = Checked(page)
    checked.look("resources")
    checked.none()


def test_request_panel(themed):
    """A filter, rows, each tab, an error of a control."""
    page = themed(PANEL)
    checked = Checked(page)
    checked.look("empty form")
    page.get_by_label("Find filter").press_sequentially("any status")
    page.get_by_label("Add filter").select_option("status: Any status by default.")
    button(page, "Add").click()
    page.get_by_label("status", exact=True).select_option("active")
    page.get_by_role("button", name=re.compile("columns: all")).press("Space")
    expect(page.get_by_label("Find column")).to_be_visible()
    checked.look("a filter and the columns")
    button(page, "Count").click()
    expect(page.get_by_role("status").filter(has_text=" match.")).to_be_visible()
    page.get_by_label("limit", exact=True).fill("25")
    page.get_by_label("limit", exact=True).press("Tab")
    button(page, "Send").click()
    expect(page.get_by_text("rows 1 to 20 of 25")).to_be_visible()
    checked.look("rows")
    for name, shown in {"Exchange": "200", "Code": "query.frame", "History": "25 rows"}.items():
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_text(shown).filter(visible=True).first).to_be_visible()
        checked.look(name)
    page.get_by_label("limit", exact=True).fill("many")
    page.get_by_label("limit", exact=True).press("Tab")
    expect(page.locator(".vk-fault").first).to_be_visible()
    checked.look("an error of a control")
    checked.none()


def test_connect_panel(themed):
    """Before and after a test call."""
    page = themed(CONNECT)
    checked = Checked(page)
    checked.look("at first")
    button(page, "Test call").click()
    expect(page.get_by_role("status").filter(has_text="It took")).to_be_visible()
    checked.look("after a test call")
    checked.none()
