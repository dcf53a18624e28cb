"""The table in JupyterLab and in Voila: pages, filters, order, columns, and what is downloaded."""

from __future__ import annotations

import pandas as pd
import pytest

from vendorkit.panels.table.files import csv_bytes

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.serving import button, open_in_lab, run_all, write_notebook

SMALL = """
import pandas as pd
import vendorkit as vk
frame = pd.DataFrame({"name": [f"product {n:03}" for n in range(300)], "cents": [(n * 37) % 300 for n in range(300)]})
table = vk.table(frame)
table
"""


def frame() -> pd.DataFrame:
    """The frame of SMALL."""
    numbers = range(300)
    return pd.DataFrame({"name": [f"product {n:03}" for n in numbers], "cents": [(n * 37) % 300 for n in numbers]})


@pytest.fixture(params=["lab", "voila"])
def table(request, page, folder):
    """A page with the table of SMALL."""
    write_notebook(folder / "table.ipynb", SMALL)
    address = request.getfixturevalue(request.param)
    if request.param == "lab":
        open_in_lab(page, address, "table.ipynb")
        run_all(page)
    else:
        page.goto(f"{address}/voila/render/table.ipynb")
    page.locator("table.vk:visible").wait_for()
    return page


def test_table_pages_filters_sorts_and_downloads(table):
    """By the controls that a user has, found by their labels; the downloaded file has the very bytes."""
    first = table.locator(".jupyter-widgets table.vk tbody tr").first
    expect(first).to_contain_text("product 000")
    button(table, "Next").click()
    expect(first).to_contain_text("product 020")
    table.get_by_label("Sort by").select_option("cents")
    button(table, "Descending").click()
    expect(first).to_contain_text("299")
    table.get_by_label("Filter", exact=True).fill("product 1")
    table.get_by_label("Filter", exact=True).press("Enter")
    status = table.get_by_role("status")
    expect(status).to_have_text("rows 1 to 20 of 100 (of 300 in all); any column holds “product 1”")
    button(table, "Copy or download").click()
    button(table, "Make file").click()
    with table.expect_download() as download:
        table.get_by_role("link", name="Download table.csv").click()
    assert download.value.suggested_filename == "table.csv"
    kept = frame()[lambda all_rows: all_rows["name"].str.contains("product 1")]
    shown = kept.sort_values("cents", ascending=False, kind="stable")
    with open(download.value.path(), "rb") as file:  # noqa: PTH123
        assert file.read() == csv_bytes(dict(shown.items()))
