"""Table and API browser with nothing but the core widgets: their front end alone, and pages without a kernel."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.serving import environment, write_notebook

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
