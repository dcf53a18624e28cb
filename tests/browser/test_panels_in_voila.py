"""The panels outside JupyterLab: a notebook of one cell each, as an app of Voila."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.serving import button, write_notebook

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


@pytest.fixture
def app(page, voila, folder, request):
    """Open a cell as an app."""

    def opened(cell: str):
        write_notebook(folder / f"{request.node.name}.ipynb", cell)
        page.goto(f"{voila}/voila/render/{request.node.name}.ipynb")
        page.locator("button.jupyter-button").first.wait_for()
        return page

    return opened


def test_connect_panel_connects(app):
    """A test call to each vendor says what came back."""
    page = app(CONNECT)
    for vendor in ("Medipim", "Pledg", "Mediagenix On-Demand"):
        page.get_by_label("Vendor").select_option(label=vendor.replace(" On", "\xa0On"))
        button(page, "Test call").click()
        expect(page.get_by_role("status").filter(has_text="It took")).to_be_visible()


def test_connect_panel_shows_the_error_of_a_wrong_secret(app):
    """What is wrong and what to do, and not the secret."""
    page = app(WRONG_SECRET)
    button(page, "Test call").click()
    alert = page.get_by_role("alert").filter(has_text="CredentialsRefused")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("Check ")
    assert "made-up" not in page.content()


def test_browser_follows_links(app):
    """From the root to a list, to one record, to what that is linked with; and back."""
    page = app(BROWSE)
    address = page.get_by_label("Address")
    button(page, "titles").click()
    expect(address).to_have_value(re.compile(r"^/api/titles\?"))
    button(page, "Open record").click()
    expect(address).to_have_value("/api/titles/1")
    button(page, "availability_windows").click()
    expect(address).to_have_value(re.compile(r"^/api/titles/1/availability_windows"))
    button(page, "Back").click()
    expect(address).to_have_value("/api/titles/1")
