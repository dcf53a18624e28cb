"""The table in JupyterLab and in Voila: press, filter, choose and download, by mouse and by keyboard alone."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from vendorkit.panels.table.files import csv_bytes

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.serving import button, open_in_lab, run_all, write_notebook

SMALL = """
import pandas as pd
import vendorkit as vk
frame = pd.DataFrame({
    "name": [f"product {n:03}" for n in range(300)],
    "cents": [(n * 37) % 300 for n in range(300)],
    "price": [n / 8 for n in range(300)],
    "created": pd.date_range("2026-01-01", periods=300, tz="UTC"),
    "nothing": pd.Series([None] * 300, dtype="Int64"),
    **{f"more {n}": [f"text {n}"] * 300 for n in range(12)},
    "last": range(300),
})
table = vk.table(frame)
table
"""


def frame() -> pd.DataFrame:
    """The frame of SMALL."""
    made: dict[str, pd.DataFrame] = {}
    exec(SMALL.replace("table = vk.table(frame)\ntable", ""), made)  # noqa: S102
    return made["frame"]


@pytest.fixture(params=["lab", "voila"])
def table(request, page, folder):
    """A page with the table of SMALL."""
    # Another name per test: JupyterLab takes up the session of a notebook that it knows, whose kernel may be ending.
    name = f"{re.sub(r'[^a-z]+', '-', request.node.name)}.ipynb"
    write_notebook(folder / name, SMALL)
    address = request.getfixturevalue(request.param)
    if request.param == "lab":
        open_in_lab(page, address, name)
        run_all(page)
    else:
        page.goto(f"{address}/voila/render/{name}")
    page.locator("table.vk-grid:visible").wait_for()
    return page


def head(page, name: str):
    """The head of a column."""
    return page.locator(".vk-heads button").filter(has_text=re.compile(rf"^\s*{name}\s*$"))


def focus(page) -> str:
    """The name of what has the focus, once the page has come to rest."""
    page.wait_for_timeout(500)
    return page.evaluate("() => document.activeElement.textContent.trim() || document.activeElement.tagName")


def test_table_is_sorted_filtered_and_downloaded_by_mouse(table):
    """By what a user sees; the downloaded file has the very bytes."""
    first = table.locator("table.vk-grid tbody tr").first
    expect(first).to_contain_text("product 000")
    button(table, "Next").click()
    expect(first).to_contain_text("product 020")
    head(table, "cents").click()
    expect(first.locator("[data-sorted]")).to_have_text("0")
    head(table, "cents").click()
    expect(first.locator("[data-sorted]")).to_have_text("299")
    table.get_by_label("Filter", exact=True).fill("product 1")
    table.get_by_label("Filter", exact=True).press("Enter")
    status = table.locator(".vk-status[role=status]")
    expect(status).to_contain_text("rows 1 to 20 of 100 (of 300 in all); 1 column without values hidden")
    table.get_by_label("Column", exact=True).fill("created")
    table.get_by_label("Filter", exact=True).fill("2026-05..2026-06")
    table.get_by_label("Filter", exact=True).press("Enter")
    expect(status).to_contain_text("rows 1 to 20 of 61 ")
    table.locator(".vk-chips button").filter(has_text="created").click()
    expect(status).to_contain_text("rows 1 to 20 of 100 ")
    button(table, "Code and files").click()
    expect(table.locator("pre.vk-code").first).to_contain_text('df[vk.table(df).matches("product 1")]')
    button(table, "Make file").click()
    with table.expect_download() as download:
        table.get_by_role("link", name="Download table.csv").click()
    assert download.value.suggested_filename == "table.csv"
    kept = frame()[lambda all_rows: all_rows["name"].str.contains("product 1")]
    shown = kept.sort_values("cents", ascending=False, kind="stable")
    with open(download.value.path(), "rb") as file:  # noqa: PTH123
        assert file.read() == csv_bytes(dict(shown.items()))


def test_table_by_keyboard_alone(table):
    """Tab reaches every control; after sort, page, chip, preset and open the focus is where it was, or next to it."""
    head(table, "cents").focus()
    for expected in ("0", "299"):
        table.keyboard.press("Space")
        expect(table.locator("tbody tr").first.locator("[data-sorted]")).to_have_text(expected)
        assert focus(table) == "cents"
    table.keyboard.press("Tab")
    assert focus(table) == "price"
    table.keyboard.press("Enter")
    expect(table.locator("tbody tr").first.locator("[data-sorted]")).to_have_text("0.000")
    assert focus(table) == "price"
    button(table, "Next").focus()
    table.keyboard.press("Space")
    expect(table.locator("tbody tr").first).to_contain_text("product 020")
    assert focus(table) == "Next"
    table.locator(".vk-rows button").nth(2).focus()
    table.keyboard.press("Space")
    expect(table.get_by_role("region", name="Row 23")).to_contain_text("product 022")
    assert focus(table) == "23"
    button(table, "Columns").focus()
    table.keyboard.press("Space")
    numbers = table.locator(".vk-presets button").filter(has_text="Numbers")
    numbers.focus()
    table.keyboard.press("Space")
    expect(table.locator(".vk-heads button")).to_have_count(4)
    assert focus(table) == "Numbers"
    filtering = table.get_by_label("Filter", exact=True)
    for text in ("product 1", "product 2"):
        filtering.focus()
        table.keyboard.type(text)
        table.keyboard.press("Enter")
        expect(filtering).to_have_value("")
        table.get_by_label("Column", exact=True).fill("name")
    expect(table.locator(".vk-chips button")).to_have_count(2)
    table.locator(".vk-chips button").first.focus()
    table.keyboard.press("Space")
    expect(table.locator(".vk-chips button")).to_have_count(1)
    assert focus(table).startswith("name: product 2")
    table.keyboard.press("Space")
    expect(table.locator(".vk-chips button:visible")).to_have_count(0)
    assert focus(table) == "INPUT"
    expect(filtering).to_be_focused()


def test_tab_reaches_every_control_and_each_has_a_name(table):
    """Also those of open panes; groups and live regions have roles, and no tooltip reads "null"."""
    for name in ("Columns", "Facts", "Chart", "Code and files"):
        button(table, name).click()
    table.get_by_role("img", name="Histogram of cents").wait_for()
    expect(table.locator("table.vk-grid svg").first).to_be_visible()
    wanted = table.locator(
        ".vendorkit-panel :is(button,input,select,a[href],[tabindex='0']):visible:not(:disabled)"
    ).count()
    table.get_by_label("Column", exact=True).focus()
    seen = set()
    for _ in range(wanted + 10):
        inside = "() => document.activeElement.closest('.vendorkit-panel') && document.activeElement.tagName"
        if not table.evaluate(inside):
            break
        seen.add(
            table.evaluate(
                "() => { const a = document.activeElement; return a.dataset.seen ??= String(Math.random()); }"
            )
        )
        table.keyboard.press("Tab")
    assert len(seen) == wanted
    nameless = table.evaluate(
        """() => [...document.querySelectorAll('.vendorkit-panel :is(button,input,select,[role=region])')]
            .filter(one => one.getClientRects().length && !(one.textContent.trim() || one.getAttribute('aria-label')
                || [...one.labels || []].some(label => label.textContent.trim()))).map(one => one.outerHTML)"""
    )
    assert nameless == []
    assert table.locator(".vendorkit-panel [title='null']").count() == 0
    for name in ("Sort by column", "Open row", "Sets of columns"):
        expect(table.get_by_role("group", name=name)).to_be_visible()
    assert table.locator(".vendorkit-panel .vk-status[role=status]").count() == 1


def test_sorted_column_is_in_view_wherever_the_rows_are_scrolled(table):
    """The last of many columns, sorted from a cell or before scrolling back, sticks to the edge."""
    last = head(table, "last")
    last.scroll_into_view_if_needed()
    last.click()
    expect(table.locator("tbody tr").first.locator("[data-sorted]")).to_have_text("0")
    for end in (0, 100_000):
        table.evaluate(f"() => {{ document.querySelector('.vk-gridbox').scrollLeft = {end}; }}")
        for shown in (last, table.locator("tbody tr").first.locator("[data-sorted]")):
            inside = """one => { const cell = one.getBoundingClientRect();
                const box = one.closest('.vk-gridbox').getBoundingClientRect();
                return cell.left >= box.left - 1 && cell.right <= box.right + 1; }"""
            assert shown.evaluate(inside)
    heads, body = (
        table.locator(one).first.bounding_box() for one in (".vk-heads button >> nth=1", "tbody tr td >> nth=1")
    )
    assert abs(heads["x"] - body["x"]) < 1.5
    assert abs(heads["width"] - body["width"]) < 1.5
