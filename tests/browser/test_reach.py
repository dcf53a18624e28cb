"""Table and API browser with nothing but the core widgets: their front end alone, and pages without a kernel."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.hands import Keyboard
from tests.browser.serving import button, environment, open_in_lab, run_all, write_notebook

CELLS = (
    """
import pandas as pd
import vendorkit as vk
table = vk.table(pd.DataFrame({"name": ["oil", "soap"], "cents": [1250, 399]}))
table.sort("cents")
table
""",
    """
vk.browse(vk.connect("mediagenix", environment="local"), "/api/titles")
""",
)


def test_exported_page_shows_the_table_without_kernel_or_network(page, folder, tmp_path):
    """By nbconvert, without widget state: the rows in their order, and what the browser was at."""
    notebook = write_notebook(folder / "export.ipynb", *CELLS)
    command = ["-m", "nbconvert", "--to", "html", "--execute", "--ExecutePreprocessor.store_widget_state=False"]
    # The template's own scripts, which nothing here needs.
    command += [f"--HTMLExporter.{name}_url=" for name in ("mathjax", "mermaid_js", "require_js", "jquery")]
    own = environment(tmp_path)
    subprocess.run([sys.executable, *command, str(notebook)], check=True, env=own, cwd=folder, capture_output=True)
    page.set_content(notebook.with_suffix(".html").read_text("utf-8"))
    rows = page.locator("table.vk tbody tr")
    expect(rows.first).to_contain_text("soap")
    expect(page.get_by_text("rows 1 to 2 of 2; sorted by cents, ascending")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("^titles"))).to_be_visible()
    expect(rows.nth(10)).to_be_visible()


def test_panels_work_by_keyboard_with_no_front_end_but_that_of_the_core_widgets(page, lab3, folder):
    """That of ipywidgets 7, and nothing else is installed; its tabs, which are made for mice, are opened too."""
    panels = ('vk.panel(vk.connect("medipim", environment="local"))', "vk.connect_panel()")
    write_notebook(folder / "core.ipynb", "import vendorkit as vk", CELLS[1], *panels)
    open_in_lab(page, lab3, "core.ipynb")
    extensions = "() => JSON.parse(document.getElementById('jupyter-config-data').textContent).federated_extensions"
    installed = {one["name"] for one in page.evaluate(extensions)}
    assert installed == {"@jupyter-widgets/jupyterlab-manager", "jupyterlab_pygments"}
    run_all(page)
    hand, address = Keyboard(page), page.get_by_label("Address")
    address.focus()
    hand.press(page.locator(".vk-rows button").first)
    expect(address).to_have_value("/api/titles/1")
    hand.press(page.get_by_role("tab", name="JSON"))
    expect(page.get_by_text('"resource_type": "title"')).to_be_visible()
    hand.stays("JSON")
    page.get_by_label("Resource", exact=True).focus()  # editors of cells in between take Tab for themselves
    hand.press(button(page, "Send"))
    expect(page.get_by_role("status").filter(has_text="fetched at")).to_be_visible()
    hand.stays("Send")
    hand.press(page.get_by_role("tab", name="Code"))
    expect(page.get_by_text("products.query()").filter(visible=True).first).to_be_visible()
    page.get_by_label("Vendor", exact=True).focus()
    hand.press(button(page, "Test call"))
    expect(page.get_by_role("status").filter(has_text="It took")).to_be_visible()
