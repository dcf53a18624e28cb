"""The table in JupyterLab and in Voila: press, filter, choose, draw and download, by mouse and by keyboard alone."""

from __future__ import annotations

import base64
import re

import pandas as pd
import pytest

from vendorkit.panels.table.files import csv_bytes

pytest.importorskip("playwright")

from playwright.sync_api import expect

from tests.browser.conftest import SHOTS
from tests.browser.hands import Keyboard, Mouse
from tests.browser.serving import button, open_in_lab, run_all, write_notebook

SMALL = """
import pandas as pd
import vendorkit as vk
frame = pd.DataFrame({
    "name": [f"product {n:03}" for n in range(300)],
    "cents": [(n * 37) % 300 * 10 for n in range(300)],
    "price": [n / 8 for n in range(300)],
    "created": pd.date_range("2026-01-01", periods=300, tz="UTC"),
    "nothing": pd.Series([None] * 300, dtype="Int64"),
    **{f"more {n}": [f"text {n}"] * 300 for n in range(12)},
    "last": range(300),
})
table = vk.table(frame)
table
"""
WIDE = """
import vendorkit as vk
products = vk.connect("medipim", environment="local").products.query().frame(limit=60)
table = vk.table(products)
table.choose(table.columns[:COUNT])
table
"""


def frame() -> pd.DataFrame:
    """The frame of SMALL."""
    made: dict[str, pd.DataFrame] = {}
    exec(SMALL.replace("table = vk.table(frame)\ntable", ""), made)  # noqa: S102
    return made["frame"]


@pytest.fixture
def opened(request, page, folder):
    """A function that opens a cell with a table in one of the front ends; only Voila has themes."""

    def opened(front_end: str, cell: str = SMALL, theme: str = "light"):
        address = request.getfixturevalue(front_end)
        # Another name per test: JupyterLab takes up the session of a notebook it knows, whose kernel may be ending.
        name = f"{re.sub(r'[^a-z0-9]+', '-', request.node.name)}.ipynb"
        write_notebook(folder / name, cell)
        if front_end == "voila":
            page.goto(f"{address}/voila/render/{name}?theme={theme}")
        else:
            open_in_lab(page, address, name)
            run_all(page)
        page.locator("table.vk-grid:visible").wait_for()
        return page

    return opened


def head(page, name: str):
    """The head of a column."""
    return page.locator(".vk-heads button").filter(has_text=re.compile(rf"^\s*{name}\s*$"))


@pytest.mark.parametrize(
    ("kind", "front_end"),
    # Presses of version 3 are the same; it is the focus that it treats in another way.
    [(Mouse, "lab"), (Mouse, "voila"), (Keyboard, "lab"), (Keyboard, "voila"), (Keyboard, "lab3")],
    ids=lambda one: one if isinstance(one, str) else one.__name__.lower(),
)
def test_table_is_sorted_filtered_drawn_and_downloaded(opened, kind, front_end):
    """The focus stays where it was, or goes next to it; the downloaded file has the very bytes."""
    page = opened(front_end)
    hand, first = kind(page), page.locator("table.vk-grid tbody tr").first
    status, column = page.locator(".vk-status[role=status]"), page.get_by_label("Column", exact=True)
    column.focus()
    hand.write(column, "cents")
    filtering = page.get_by_label("Filter", exact=True)
    hand.write(filtering, ">1000")
    expect(status).to_contain_text("rows 1 to 20 of 199 (filtered from 300); 1 empty column hidden")
    hand.stays("INPUT")
    hand.write(column, "name")
    hand.write(filtering, "product 1")
    expect(page.locator(".vk-chips button")).to_have_count(2)
    hand.press(page.locator(".vk-chips button").filter(has_text="cents"))
    expect(status).to_contain_text("rows 1 to 20 of 100 ")
    hand.stays("name: product 1")
    cents = frame()["cents"].iloc[100:200]
    for name, values in {"cents": (cents.min(), cents.max()), "price": ("12.500", "24.875")}.items():
        for value in values:  # two heads, each pressed twice
            hand.press(head(page, name))
            expect(first.locator("[data-sorted]")).to_have_text(str(value))
            hand.stays(name)
    hand.press(button(page, "Next"))
    expect(status).to_contain_text("rows 21 to 40 of 100 ")
    hand.stays("Next")
    hand.press(page.locator(".vk-rows button").nth(2))
    expect(page.get_by_role("region", name="Row 23")).to_contain_text("product 177")
    hand.stays("23")
    hand.press(page.locator(".vk-chips button"))
    expect(page.locator(".vk-chips button:visible")).to_have_count(0)
    hand.stays("INPUT")
    hand.press(button(page, "Columns"))
    hand.write(page.get_by_label("Find column"), "more 11")
    hand.press(page.get_by_label("more 11", exact=True))
    expect(head(page, "more 11")).to_have_count(0)
    hand.press(page.locator(".vk-presets button").filter(has_text="Numbers"))
    expect(page.locator(".vk-heads button")).to_have_count(4)
    hand.stays("Numbers")
    hand.press(button(page, "Chart"))
    expect(page.get_by_role("img", name="Histogram of cents")).to_be_visible()
    hand.press(button(page, "Code and files"))
    expect(page.locator("pre.vk-code").last).to_contain_text('"price"')
    hand.press(button(page, "Create file"))
    with page.expect_download() as download:
        hand.press(page.get_by_role("link", name="Download table.csv"))
    assert download.value.suggested_filename == "table.csv"
    shown = frame().sort_values("price", ascending=False, kind="stable")[["cents", "price", "nothing", "last"]]
    with open(download.value.path(), "rb") as file:  # noqa: PTH123
        assert file.read() == csv_bytes(dict(shown.items()))


@pytest.mark.parametrize("front_end", ["lab", "voila"])
def test_tab_reaches_every_control_and_each_has_a_name(opened, front_end):
    """Also those of open panes; groups and live regions have roles."""
    page = opened(front_end)
    for name in ("Columns", "Facts", "Chart", "Code and files"):
        button(page, name).click()
    page.get_by_role("img", name="Histogram of cents").wait_for()
    expect(page.locator("table.vk-grid svg").first).to_be_visible()
    expect(page.locator("pre.vk-code").last).to_contain_text('"price"')  # the last pane
    expect(page.locator(".vk-stop.vk-off")).to_have_count(1)  # no chart is being drawn
    wanted = page.locator(
        ".vendorkit-panel :is(button,input,select,a[href],[tabindex='0']):visible:not(:disabled)"
    ).count()
    page.get_by_label("Column", exact=True).focus()
    seen = set()
    for _ in range(wanted + 10):
        inside = "() => document.activeElement.closest('.vendorkit-panel') && document.activeElement.tagName"
        if not page.evaluate(inside):
            break
        seen.add(
            page.evaluate(
                "() => { const a = document.activeElement; return a.dataset.seen ??= String(Math.random()); }"
            )
        )
        page.keyboard.press("Tab")
    assert len(seen) == wanted
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.vendorkit-panel :is(button,input,select,[role=region])')]
            .filter(one => one.getClientRects().length && !(one.textContent.trim() || one.getAttribute('aria-label')
                || [...one.labels || []].some(label => label.textContent.trim()))).map(one => one.outerHTML)"""
    )
    assert nameless == []
    assert page.locator(".vendorkit-panel [title='null']").count() == 0
    for name in ("Sort by column", "Open row", "Column presets"):
        expect(page.get_by_role("group", name=name)).to_be_visible()
    assert page.locator(".vendorkit-panel .vk-status[role=status]").count() == 1


def test_sorted_column_is_in_view_wherever_the_rows_are_scrolled(opened):
    """The last of many columns, sorted from a cell or before scrolling back, sticks to the edge."""
    page = opened("voila")
    last = head(page, "last")
    last.scroll_into_view_if_needed()
    last.click()
    expect(page.locator("tbody tr").first.locator("[data-sorted]")).to_have_text("0")
    for end in (0, 100_000):
        page.evaluate(f"() => {{ document.querySelector('.vk-gridbox').scrollLeft = {end}; }}")
        for shown in (last, page.locator("tbody tr").first.locator("[data-sorted]")):
            inside = """one => { const cell = one.getBoundingClientRect();
                const box = one.closest('.vk-gridbox').getBoundingClientRect();
                return cell.left >= box.left - 1 && cell.right <= box.right + 1; }"""
            assert shown.evaluate(inside)


# The greatest distance of a head from its column, and of a number from its row and from the left edge, in pixels; and
# how many were compared.
_APART = """() => {
    const box = element => element.getBoundingClientRect();
    const heads = [...document.querySelectorAll('.vk-heads button')];
    const grid = document.querySelector('table.vk-grid');
    const cells = [...grid.querySelectorAll('tbody tr:first-child td')].slice(0, -1);
    const lines = [...grid.querySelectorAll('tbody tr')], numbers = [...document.querySelectorAll('.vk-rows button')];
    const apart = (a, b, sides) => Math.max(...sides.map(side => Math.abs(box(a)[side] - box(b)[side])));
    return {
        columns: [heads.length, cells.length], rows: [lines.length, numbers.length],
        worst: Math.max(...heads.map((one, at) => apart(one, cells[at], ['left', 'right'])),
            ...numbers.map((one, at) => apart(one, lines[at], ['top', 'bottom'])),
            ...numbers.map(one => Math.abs(box(one).left - box(grid.closest('.vk-gridbox')).left - 1))),
    };
}"""


@pytest.mark.parametrize("front_end", ["lab", "voila"])
@pytest.mark.parametrize("columns", [20, 77])
def test_heads_and_numbers_are_aligned_with_the_rows(opened, front_end, columns):
    """Within a pixel: on narrow and wide pages, enlarged, scrolled sideways, with facts; a picture of each width."""
    page = opened(front_end, WIDE.replace("COUNT", str(columns)), "dark")
    device = page.context.new_cdp_session(page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width, scale in ((800, 1), (1280, 1), (1280, 1.5)):
        size = {"width": round(width / scale), "height": round(900 / scale), "deviceScaleFactor": scale}
        device.send("Emulation.setDeviceMetricsOverride", {**size, "mobile": False})
        for share in (0, 0.37, 1):
            page.wait_for_timeout(100)  # JupyterLab lays itself out after the page
            page.evaluate(
                """share => new Promise(done => {
                    const box = document.querySelector('.vk-gridbox');
                    box.scrollLeft = share * (box.scrollWidth - box.clientWidth);
                    requestAnimationFrame(() => requestAnimationFrame(done));
                })""",
                share,
            )
            assert page.evaluate("[innerWidth, devicePixelRatio]") == [size["width"], scale]
            found = page.evaluate(_APART)
            assert found["columns"] == [columns, columns]
            assert found["rows"] == [20, 20]
            assert found["worst"] < 1, (width, scale, share)
        # Not by page.screenshot(), which goes back to the size of the window.
        picture = base64.b64decode(device.send("Page.captureScreenshot")["data"])
        (SHOTS / f"aligned_{front_end}_{columns}_{width}_{scale}.png").write_bytes(picture)
