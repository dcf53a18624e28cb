"""The table panel: what it shows is a value; filters, order, pages, facts and files, by method and by widget."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import threading
import time
import zipfile
from datetime import datetime, timezone
from decimal import Decimal
from functools import partial, reduce
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ipywidgets.embed import dependency_state, embed_data

import vendorkit as vk
from tests.clicking import below, button, cancel, group, models, press
from tests.clicking import labelled as control
from vendorkit.deadline import cancellable, check_cancelled
from vendorkit.errors import Cancelled, UsageError
from vendorkit.panels.table import Table, panes
from vendorkit.panels.table.charts import Chart, picture_html
from vendorkit.panels.table.columns import Facts, contains, facts, labelled, order, texts
from vendorkit.panels.table.files import WRITERS, csv_bytes, excel_bytes, parquet_bytes, tab_text
from vendorkit.panels.table.markup import COLUMNS, page_html
from vendorkit.panels.table.panes import download_html

BRANDS = pa.list_(pa.struct([("id", pa.int64()), ("name", pa.string())]))
FORMULAS = ["=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", " =1", "＝1+1", '=HYPERLINK("x")']  # noqa: RUF001 - full-width is meant


@pytest.fixture
def products() -> pd.DataFrame:
    """Five products, Arrow-backed: texts, cents, times and a nested column, with nulls in each."""
    when = [datetime(2026, 1, day, 12, tzinfo=timezone.utc) for day in (5, 3, 4, 1)]
    brands = [[{"id": 9, "name": "Weleda"}], [], None, [{"id": 1, "name": "Nivea"}, {"id": 9, "name": "Weleda"}], None]
    made = pa.table(
        {
            "name": pa.array(["Soap", "oil", None, "Tea", "soap dish"]),
            "cents": pa.array([399, 1250, 80, None, 1250]),
            "created": pa.array([*when, None], pa.timestamp("us", "UTC")),
            "brands": pa.array(brands, BRANDS),
        }
    )
    return made.to_pandas(types_mapper=pd.ArrowDtype)


def cells(table: Table) -> list[list[str]]:
    """The texts in the body of the table as it is shown."""
    rows = re.findall(r"<tr>(<td.*?)</tr>", table.static_html())
    return [[re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows]


def test_what_is_shown_is_a_frame_for_the_next_cell(products):
    """Filtered, sorted, with the chosen columns, all pages of it, index and dtypes kept."""
    table = vk.table(products, page_size=1)
    pd.testing.assert_frame_equal(table.frame, products)
    table.filter("soap")
    table.sort("cents", descending=True)
    table.choose(["cents", "name"])
    assert table.frame["name"].tolist() == ["soap dish", "Soap"]
    assert table.frame.index.tolist() == [4, 0]
    assert table.frame.columns.tolist() == ["name", "cents"]
    assert table.frame.dtypes.tolist() == products.dtypes[["name", "cents"]].tolist()
    assert table.pages == 2


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("SOAP", None, [0, 4]),
        ("weleda", None, [0, 3]),
        ("1250", "cents", [1, 4]),
        ("2026-01-04", "created", [2]),
        ("(", None, []),
        ("null", None, []),
        ("id", "brands", []),
        ("", None, [0, 1, 2, 3, 4]),
    ],
)
def test_filter_finds_a_text_in_any_column_or_in_one(products, text, column, expected):
    """Whatever its case, in nested values too, literally; nulls and the names of nested fields hold no text."""
    table = Table(products)
    table.filter(text, column)
    assert table.frame.index.tolist() == expected


def test_filters_on_several_columns_hold_together_until_cleared(products):
    """One text a column and one for all; an empty text takes one away."""
    table = Table(products)
    table.filter("soap", "name")
    table.filter("1250", "cents")
    assert table.frame.index.tolist() == [4]
    assert "rows 1 to 1 of 1 (filtered from 5); name: soap; cents: 1250" in table.static_html()
    table.filter("", "cents")
    assert table.frame.index.tolist() == [0, 4]
    table.clear()
    assert len(table.frame) == 5


@pytest.mark.parametrize("column", ["name", "cents", "created", "brands"])
def test_sort_keeps_equal_rows_as_they_stood_and_nulls_last(products, column):
    """Up and down; what Arrow does not order, by its text."""
    table = Table(products)
    missing = products.index[products[column].isna()].tolist()
    for descending in (False, True):
        table.sort(column, descending=descending)
        assert table.frame.index.tolist()[-len(missing) :] == missing
    table.sort("cents", descending=True)
    assert table.frame.index.tolist() == [1, 4, 0, 2, 3]
    table.sort(None)
    assert table.frame.index.tolist() == [0, 1, 2, 3, 4]


def test_pages_are_bounded(products):
    """Beyond the last page is the last; a filter goes back to the first."""
    table = Table(products, page_size=2)
    assert table.pages == 3
    table.go(99)
    assert table.page == 3
    assert [row[0] for row in cells(table)] == ["soap dish"]
    table.go(-1)
    assert table.page == 1
    table.go(2)
    table.filter("soap")
    assert (table.page, table.pages) == (1, 1)
    table.clear()
    table.resize(5)
    assert len(cells(table)) == 5


def test_cells_show_what_a_filter_finds(products):
    """Texts of the values, nested ones as JSON, nulls as such."""
    shown = cells(Table(products))
    assert shown[0] == [
        "Soap",
        "399",
        "2026-01-05 12:00:00Z",
        "[{&quot;id&quot;: 9, &quot;name&quot;: &quot;Weleda&quot;}]",
    ]
    assert shown[2][0] == "null"
    assert shown[1][3] == "[]"


def test_clicks_do_what_the_methods_do(products):
    """Each control by its label, and each has one."""
    table = Table(products, page_size=2)
    control(table, "Filter").value = "soap"
    table.join()
    assert table.frame.index.tolist() == [0, 4]
    assert control(table, "Filter").value == ""
    control(table, "Column").value = "cents"
    control(table, "Filter").value = ">1000"
    table.join()
    assert table.frame.index.tolist() == [4]
    assert group(table, "vk-chips").options == ("any column: soap", "cents: >1000")
    press(group(table, "vk-chips"), "any column: soap")
    table.join()
    assert table.frame.index.tolist() == [1, 4]
    press(group(table, "vk-chips"), "cents: >1000")
    table.join()
    assert "vk-none" in group(table, "vk-chips")._dom_classes
    control(table, "Next").click()
    assert table.page == control(table, "Page").value == 2
    control(table, "Previous").click()
    assert table.page == 1
    control(table, "Page").value = 3
    assert "vk-off" in control(table, "Next")._dom_classes
    control(table, "Rows per page").value = 10
    assert len(cells(table)) == 5
    for name in ("Columns", "Facts", "Chart", "Code and files"):
        control(table, name).value = True
    table.join()
    kinds = (widgets.Text, widgets.Dropdown, widgets.Button, widgets.ToggleButton, widgets.Combobox, widgets.Checkbox)
    controls = [one for one in below(table) if isinstance(one, kinds)]
    assert len(controls) > 15
    assert all(one.description for one in controls)


def test_press_counts_for_the_button_that_was_pressed(products):
    """A thread may paint other columns between the number of a press and its message: the first is then selected."""
    table = Table(products)
    heads = group(table, "vk-heads")
    place = list(heads.options).index("cents")
    press(heads, "name")
    table.join()
    heads.set_state({"index": place})
    heads.options = heads.options[:-1]
    heads._handle_custom_msg({"event": "click"}, [])
    table.join()
    assert table.frame.index.tolist() == [2, 0, 1, 4, 3]


@pytest.mark.parametrize("first", ["number", "message", "both"])
def test_number_and_message_of_a_press_are_one_press(first, products):
    """In whatever order they come, and if two threads of the kernel handle them at once; the next one counts again."""
    table = Table(products)
    heads = group(table, "vk-heads")
    click = partial(heads._handle_custom_msg, {"event": "click"}, [])
    thread = threading.Thread(target=click)
    if first == "message":
        if heads.index is not None:
            pytest.skip("ipywidgets 7 selects the first button, so that a message by itself is a press of it")
        click()
    if first == "both":
        heads.observe(lambda _: (thread.start(), thread.join(0.2)), "index")
    heads.set_state({"index": list(heads.options).index("cents")})
    if first == "both":
        thread.join()
    if first == "number":
        click()
    table.join()
    assert table.frame.index.tolist() == [2, 0, 1, 4, 3]
    click()
    table.join()
    assert table.frame.index.tolist() == [1, 4, 0, 2, 3]


def test_press_of_a_head_sorts_then_turns_then_ends_the_order(products):
    """The same head three times; another head begins anew; focus stays, because the heads are never built anew."""
    table, heads = Table(products), None
    heads = group(table, "vk-heads")
    sent = []
    heads.observe(sent.append, ["options", "value"])
    for expected in ([2, 0, 1, 4, 3], [1, 4, 0, 2, 3], [0, 1, 2, 3, 4]):
        heads._handle_custom_msg({"event": "click"}, []) if heads.value == "cents" else press(heads, "cents")
        table.join()
        assert table.frame.index.tolist() == expected
    press(heads, "name")
    table.join()
    assert table.frame.index.tolist()[0] == 0
    assert 'aria-sort="ascending"' in table._grid._body.value
    assert {one["name"] for one in sent} == {"value"}


def test_presses_while_it_still_sorts_wait_for_their_turn(products, monkeypatch):
    """On a busy machine the second press arrives before the first has ended: none is lost, and Cancel drops them."""
    table, begun, go_on = Table(products), threading.Event(), threading.Event()

    def slow(column, *, descending):
        begun.set()
        go_on.wait(10)
        check_cancelled()
        return order(column, descending=descending)

    monkeypatch.setattr("vendorkit.panels.table.view.order", slow)
    monkeypatch.setattr("vendorkit.panels.table.widget._QUICK_S", 0)
    press(group(table, "vk-heads"), "name")
    assert begun.wait(10)
    press(group(table, "vk-heads"), "cents")
    control(table, "Filter").value = "soap"
    go_on.set()
    table.join()
    assert table.summary() == "rows 1 to 2 of 2 (filtered from 5); any column: soap; sorted by cents, ascending"
    go_on.clear()
    for name in ("name", "created"):
        press(group(table, "vk-heads"), name)
    button(table, "Cancel").click()
    go_on.set()
    table.join()
    assert table.summary().endswith("sorted by cents, ascending")


@pytest.mark.parametrize(
    ("heads", "sorted_for", "then"),
    [
        (["name", "cents", "created"], ["name", "created"], "created, ascending"),
        (["name", "cents", "cents", "cents"], ["name"], ""),
        (["name", "name"], ["name", "name"], "name, descending"),
        (["name", "cents", "name", "name"], ["name", "name"], "name, descending"),
    ],
    ids=["another head each time", "three times the same one", "again the one that runs", "and back"],
)
def test_the_newest_of_the_presses_that_wait_is_sorted_for(products, monkeypatch, heads, sorted_for, then):
    """Those before it would sort in vain, and be painted; on the same head each still counts."""
    table, begun, go_on = Table(products), threading.Event(), threading.Event()
    ordered, painted = [], []

    def slow(column, *, descending):
        ordered.append(column.name)
        begun.set()
        go_on.wait(10)
        return order(column, descending=descending)

    monkeypatch.setattr("vendorkit.panels.table.view.order", slow)
    monkeypatch.setattr("vendorkit.panels.table.widget._QUICK_S", 0)
    monkeypatch.setattr(table, "publish", lambda: painted.append(table.summary()))
    for head in heads:
        press(group(table, "vk-heads"), head)
        assert begun.wait(10)
    go_on.set()
    table.join()
    assert ordered == sorted_for
    assert {said for said in painted if "sorted" in said} == (
        {f"rows 1 to 5 of 5; sorted by {then}"} if then else set()
    )


def test_press_after_a_sort_that_failed_starts_anew(products, monkeypatch):
    """What was pressed before the error is not counted with the next press."""
    table = Table(products)
    with monkeypatch.context() as patch:
        patch.setattr("vendorkit.panels.table.view.order", lambda *_, **__: 1 / 0)
        press(group(table, "vk-heads"), "name")
        table.join()
    assert "An unexpected error occurred" in table.static_html()
    press(group(table, "vk-heads"), "name")
    table.join()
    assert table.summary().endswith("sorted by name, ascending")


def test_what_is_typed_while_the_rows_are_painted_counts(products, monkeypatch):
    """Only what the painting itself sets is no click."""
    table, painting, go_on = Table(products), threading.Event(), threading.Event()

    def slow():
        painting.set()
        go_on.wait(10)

    monkeypatch.setattr(table, "publish", slow)
    press(group(table, "vk-heads"), "cents")
    assert painting.wait(10)
    control(table, "Filter").value = "soap"
    go_on.set()
    table.join()
    assert table.summary() == "rows 1 to 2 of 2 (filtered from 5); any column: soap; sorted by cents, ascending"


def test_columns_are_chosen_by_search_ticks_and_presets(products, monkeypatch):
    """Columns without values are hidden until they are asked for, and no file loses them meanwhile."""
    table = Table(products.assign(nothing=pd.Series([None] * 5, dtype="Int64")))
    assert group(table, "vk-heads").options == tuple(products)
    assert "1 empty column hidden" in table.static_html()
    assert table.frame.shape[1] == 5
    control(table, "Columns").value = True
    control(table, "nothing").value = True
    assert group(table, "vk-heads").options[-1] == "nothing"
    control(table, "cents").value = False
    assert table.frame.columns.tolist() == ["name", "created", "brands", "nothing"]
    painted = []
    monkeypatch.setattr(table, "_paint", lambda paint=table._paint: (painted.append(1), paint()))
    control(table, "Find column").value = "NA"
    assert [one.description for one in below(table) if isinstance(one, widgets.Checkbox)] == ["name"]
    for preset, expected in {
        "Numbers": ["cents", "nothing"],
        "Texts": ["name"],
        "Dates": ["created"],
        "All": [*products, "nothing"],
        "With values": [*products],
    }.items():
        before = len(painted)
        press(group(table, "vk-presets"), preset)
        assert len(painted) == before + 1
        assert table.frame.columns.tolist() == expected
        assert control(table, "name").value == ("name" in expected)


def test_number_of_a_row_shows_all_its_values_below(products):
    """Long ones whole; the same number hides them again."""
    table = Table(products.assign(long="x" * 3_000))
    press(group(table, "vk-rows"), "2")
    assert "<b>Row 2</b>" in table._detail.value
    assert "oil" in table._detail.value
    assert "x" * 3_000 in table._detail.value
    press(group(table, "vk-rows"), "2")
    assert table._detail.value == ""


def test_whole_rows_can_open_something_else(products):
    """By the position in the frame, whatever the order on view."""
    opened = []
    table = Table(products, opened=opened.append)
    table.sort("cents", descending=True)
    press(group(table, "vk-rows"), "1")
    assert opened == [1]
    assert "vk-whole-rows" in group(table, "vk-rows")._dom_classes


def test_slow_filter_can_be_cancelled(products, monkeypatch):
    """It runs in a thread and looks at Cancel; what was shown stays, and so does what was typed."""
    table = Table(products)

    def slow(column, text):
        for _ in range(100):
            time.sleep(0.05)
            check_cancelled()
        return np.zeros(len(column), dtype=bool)

    monkeypatch.setattr("vendorkit.panels.table.view.contains", slow)
    control(table, "Filter").value = "soap"
    assert not button(table, "Cancel").disabled
    cancel(table)
    assert len(table.frame) == 5
    assert control(table, "Filter").value == "soap"


@pytest.mark.parametrize(("toggle", "work"), [("Chart", "picture_html"), ("Code and files", "download_html")])
def test_chart_or_file_can_be_cancelled(products, monkeypatch, toggle, work):
    """The same Cancel stops it, and its pane says so."""

    def slow(*_):
        while True:
            check_cancelled()
            time.sleep(0.01)

    monkeypatch.setattr(panes, work, slow)
    table = Table(products)
    control(table, toggle).value = True
    pane = table._pane.children[0]
    if work == "download_html":
        button(pane, "Create file").click()
        button(pane, "Create file").click()  # has no effect
    assert table.busy
    button(table, "Cancel").click()
    table.join(4)
    assert not table.busy
    assert "Cancelled." in pane._shown.value


def test_file_that_waited_when_cancel_was_pressed_can_be_made(products, monkeypatch):
    """It was never written, and said "Writing" for ever."""
    table, begun = Table(products), threading.Event()

    def endless(*_, **__):
        begun.set()
        while True:
            check_cancelled()
            time.sleep(0.01)

    control(table, "Code and files").value = True
    monkeypatch.setattr("vendorkit.panels.table.widget._QUICK_S", 0)
    with monkeypatch.context() as patch:
        patch.setattr("vendorkit.panels.table.view.order", endless)
        press(group(table, "vk-heads"), "name")
        assert begun.wait(10)
        button(table, "Create file").click()
        cancel(table)
    button(table, "Create file").click()
    table.join()
    assert "Download table.csv" in table._pane.children[0]._shown.value


@pytest.mark.parametrize("name", ["csv", "parquet", "xlsx", "chart"])
def test_files_and_charts_look_at_cancel(products, name):
    """While they are made, not only before."""
    pressed = threading.Event()
    pressed.set()
    with cancellable(pressed), pytest.raises(Cancelled):
        picture_html(Chart("Counts", "name"), products) if name == "chart" else WRITERS[name](labelled(products))


def test_condition_that_does_not_fit_is_explained_next_to_the_filter(products):
    """In the words of the column, and what was typed stays to be corrected; a hint comes with the column."""
    table = Table(products)
    control(table, "Column").value = "cents"
    assert "10..20" in table._hint.value
    control(table, "Filter").value = "cheap"
    table.join()
    assert "“cheap” is not a valid condition on the column cents, which holds numbers." in table._status.value
    assert control(table, "Filter").value == "cheap"
    assert len(table.frame) == 5


def test_error_in_a_callback_is_shown_under_the_table(products, monkeypatch):
    """Nowhere else would it be; the next thing that works takes it away."""
    table = Table(products)
    monkeypatch.setattr("vendorkit.panels.table.view.contains", lambda *_: 1 / 0)
    control(table, "Filter").value = "soap"
    table.join()
    assert 'role="alert"' in table._status.value
    assert "ZeroDivisionError" in table._status.value
    monkeypatch.undo()
    control(table, "Filter").value = "oil"
    table.join()
    assert table._status.value == ""


def test_another_frame_is_shown_in_place(products):
    """Without the filters and the order of the one before; open panes are of the new one."""
    table = Table(products)
    table.sort("cents")
    table.filter("soap", "name")
    control(table, "Columns").value = True
    table.show(pd.DataFrame({"other": [2, 1]}))
    assert table.frame["other"].tolist() == [2, 1]
    assert control(table, "Column").options == ("other",)
    assert control(table, "Columns").value
    assert [one.description for one in below(table) if isinstance(one, widgets.Checkbox)] == ["other"]
    table.sort("other")
    assert table.frame["other"].tolist() == [1, 2]


def test_wrong_calls_say_what_there_is(products):
    """Unknown columns, other endings, other things than frames."""
    table = Table(products)
    with pytest.raises(UsageError, match=r"no column 'price'.*name, cents, created, brands"):
        table.sort("price")
    with pytest.raises(UsageError, match=r"\.csv, \.parquet, \.xlsx"):
        table.save("products.txt")
    with pytest.raises(UsageError, match=r"not \[1\]"):
        table.show([1])
    with pytest.raises(UsageError, match="no folder"):
        table.save("missing/products.csv")
    with pytest.raises(UsageError, match="Did you mean descending"):
        table.sort("name", ascending=False)
    for call in ("rows([])", "rows({'name': 5})", "rows({'no': 'a'})", "rows({}, 'no')", "matches(5)", "facts(['no'])"):
        with pytest.raises(UsageError):
            eval(f"table.{call}", {"table": table})  # noqa: S307 - the calls above
    for call in ("facts(5)", "preset('no')", "open_row(5)", "open_row(-1)"):
        with pytest.raises(UsageError):
            eval(f"table.{call}", {"table": table})  # noqa: S307 - the calls above


def test_columns_are_chosen_by_their_names_of_any_length_and_type():
    """Names of questions are long, and those of years are numbers."""
    long = "Which of these do you use? " * 20
    table = Table(pd.DataFrame({long: [1], "a": [2], 2024: [3]}))
    control(table, "Columns").value = True
    control(table, "a").value = False
    assert table.frame.columns.tolist() == [long, 2024]
    table.choose([2024])
    assert table.frame.columns.tolist() == [2024]
    assert list(table.facts("a")) == ["a"]


def test_facts_are_counted_when_they_are_asked_for(products):
    """Nothing is counted for the first page; below the heads they come from a thread."""
    table = Table(products)
    assert table.facts()["brands"] == Facts("list", 0.4, 3, "", (1, 1, 1))
    cents = table.facts(["cents"])["cents"]
    assert (cents.kind, cents.null_share, cents.distinct, cents.spread) == ("int64", 0.2, 3, "80 to 1250")
    assert cents.bars[0] == 1
    assert cents.bars[-1] == 2
    assert sum(cents.bars) == 4
    control(table, "Facts").value = True
    table.join()
    shown = table._grid._body.value
    assert re.search(r"<svg[^>]*><path[^>]*></svg><br>80 to 1250<br>3 distinct · 20.0% null<br>int64", shown)
    assert "2026-01-01 12:00:00Z to 2026-01-05 12:00:00Z" in shown
    control(table, "Facts").value = False
    assert "<svg" not in table._grid._body.value


def test_first_page_reads_only_the_first_page(monkeypatch):
    """And a sample for the widths; nothing is computed over the whole frame until somebody asks."""
    read = []

    def counted(column):
        read.append(len(column))
        return texts(column)

    monkeypatch.setattr("vendorkit.panels.table.markup.texts", counted)
    for whole in ("contains", "order", "facts"):
        monkeypatch.setattr(f"vendorkit.panels.table.view.{whole}", lambda *_, **__: 1 / 0)
    nested = pd.Series([[{"id": 1, "name": "Weleda"}]] * 1_000, dtype=pd.ArrowDtype(BRANDS))
    Table(pd.DataFrame({"a": nested, "b": nested}))
    assert max(read) <= 100  # a sample tells the widths
    assert sum(read) <= 2 * (100 + 20)


def test_panel_reads_as_widget_html_and_text(products):
    """A notebook shows the widget, a page the rows, a terminal a few of them."""
    table = Table(products)
    bundle = table._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "soap dish" in bundle["text/html"]
    assert "rows 1 to 5 of 5" in bundle["text/html"]
    assert bundle["text/plain"].startswith("<Table rows 1 to 5 of 5>")


def test_nothing_in_a_cell_or_a_name_can_run_in_the_browser():
    """Markup is text, also in tooltips; long texts are cut there and whole in the frame."""
    evil = '<img src=x onerror="alert(1)">'
    frame = pd.DataFrame({evil: [evil, evil * 100, None], "b": [[evil], None, None]})
    table = Table(frame)
    for name in ("Columns", "Facts", "Chart", "Code and files"):
        control(table, name).value = True
    table.filter("=a", evil)
    table.filter(evil)
    press(group(table, "vk-rows"), "1") if table.frame.shape[0] else table.clear()
    table.join()
    for one in below(table):
        if isinstance(one, widgets.HTML):
            assert "<img src=x" not in one.value
    assert len(table.static_html()) < 10_000
    assert table.frame.iloc[1, 0] == evil * 100


class Stubborn:
    """A value that cannot be written, compared or hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__

    def __lt__(self, _: object) -> bool:
        raise RuntimeError


ODD = {
    "mixed": pd.Series([1, "a", None, {"k": [1]}], dtype=object),
    "dicts": pd.Series([{"a": 1}, {"b": "é"}, None, {}], dtype=object),
    "empty dicts": pd.Series([{}, {}, None, {}], dtype=object),
    "dicts without members": pd.Series([{"a": {}}, {"a": {}}, None, {"a": {}}], dtype=object),
    "offsets": pd.Series([pd.DateOffset(months=1)] * 3 + [None], dtype=object),
    "lists": pd.Series([[1, 2], [], None, [3]], dtype=object),
    "category": pd.Series(pd.Categorical(["small", "large", None, "small"], ["small", "large"], ordered=True)),
    "period": pd.Series(pd.period_range("2026-01", periods=4, freq="M")),
    "interval": pd.Series(pd.interval_range(0, 4)),
    "arrays": pd.Series([np.arange(3), np.arange(2), None, np.eye(2)], dtype=object),
    "stubborn": pd.Series([Stubborn(), Stubborn(), None, Stubborn()], dtype=object),
    "one moment": pd.Series(pd.to_datetime(["2026-01-01"] * 4).tz_localize("+05:30")),
    "one large float": pd.Series([1e16, 1e16 + 2, None, 1e16]),
    "far apart": pd.Series([-1e308, 1e308, None, 0.0]),
    "complex": pd.Series([1 + 2j, 0, 2j, 1]),
    "duration": pd.Series(pd.to_timedelta([1, 2, None, 3], unit="h")),
    "zoned": pd.Series(pd.date_range("2026-01-31", periods=4, tz="Europe/Brussels")),
    "bytes": pd.Series([b"\xff", b"a", None, b""], dtype=object),
    "float": pd.Series([1.5, np.nan, np.inf, -1.0]),
    "Int64": pd.Series([2**53 + 1, None, 1, 2], dtype="Int64"),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 1, 0, 2])),
    "boolean": pd.Series([True, None, False, True], dtype="boolean"),
    "map": pd.Series([[("k", 1)], None, [], [("l", 2)]], dtype=pd.ArrowDtype(pa.map_(pa.string(), pa.int64()))),
    "null": pd.Series([None] * 4, dtype=pd.ArrowDtype(pa.null())),
    "decimal": pd.Series(pa.array(["1.50", None, "2", "-1"]).cast(pa.decimal128(9, 2)).to_pandas()),
}


@pytest.mark.parametrize("name", ODD)
def test_any_column_is_shown_filtered_sorted_counted_and_saved(name):
    """Whatever pandas or Arrow hold."""
    column = ODD[name]
    frame = pd.DataFrame({name: column})
    assert len(texts(column)) == 4
    assert contains(column, "é").tolist() == [False, name == "dicts", False, False]
    assert sorted(order(column, descending=True)) == [0, 1, 2, 3]
    assert 0 <= facts(column).distinct <= 4
    assert len(cells(Table(frame))) == 4
    assert csv_bytes(labelled(frame)).count(b"\n") == 5
    assert len(pd.read_parquet(io.BytesIO(parquet_bytes(labelled(frame))))) == 4
    assert excel_bytes(labelled(frame))[:2] == b"PK"


def test_ordered_categories_sort_by_their_order():
    """Not by the alphabet."""
    assert order(ODD["category"], descending=False).tolist() == [0, 3, 1, 2]


def test_columns_have_unique_labels_and_a_meaningful_index_is_one():
    """Names may be repeated, numbers or pairs."""
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "a", ("b", 1)])
    assert list(labelled(frame)) == ["a", "a (2)", "('b', 1)"]
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "a (2)", ""])
    assert {name: one.item() for name, one in labelled(frame).items()} == {
        "a": 1,
        "a (3)": 2,
        "a (2)": 3,
        "(no name)": 4,
    }
    indexed = pd.DataFrame({"n": [2, 1]}, index=pd.Index(["x", "y"], name="key"))
    table = Table(indexed)
    assert table.columns == ["key", "n"]
    table.filter("y", "key")
    pd.testing.assert_frame_equal(table.frame, indexed.iloc[[1]])


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=range(3))], ids=len)
def test_empty_frames_are_tables_too(frame):
    """No rows or no columns, filtered, and as files."""
    table = Table(frame)
    table.filter("x")
    assert table.frame.empty
    assert repr(table)
    assert download_html(table.selected(), Path("t.csv"))
    assert excel_bytes(labelled(frame))


def test_wide_frames_show_their_first_columns():
    """More would take the browser seconds; the frame has all."""
    wide = pd.DataFrame({f"c{n}": [n] for n in range(COLUMNS + 1)})
    table = Table(wide)
    assert len(cells(table)[0]) == COLUMNS
    assert f"the first {COLUMNS} of {COLUMNS + 1} columns" in table.static_html()
    assert table.frame.shape[1] == COLUMNS + 1


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_disarmed_in_every_file_for_spreadsheets(text):
    """P32: in CSV and copied text by an apostrophe, in Excel as a text, also when edited; in Parquet untouched."""
    frame = pd.DataFrame({text: [text, "plain"]})
    read = pd.read_csv(io.BytesIO(csv_bytes(labelled(frame))))
    assert read.iloc[0, 0] == f"'{text}"
    assert read.columns[0] == f"'{text}"
    assert f"'{text}" in tab_text(labelled(frame)).replace('""', '"')
    sheet, strings, styles = _excel(frame)
    assert "<f>" not in sheet
    assert text.replace("<", "&lt;") in strings.replace("&quot;", '"')
    assert 'quotePrefix="1"' in styles
    assert pd.read_parquet(io.BytesIO(parquet_bytes(labelled(frame)))).iloc[0, 0] == text


def test_excel_is_told_what_is_a_text(monkeypatch):
    """XlsxWriter guesses otherwise; its version 3.2.0 takes "{=1+1}" for a formula, whatever its options are."""
    monkeypatch.setattr("xlsxwriter.worksheet.Worksheet._write_token_as_string", lambda *_: 1 / 0)
    columns = labelled(pd.DataFrame({"a": ["{=1+1}", "https://a.example", "", None]}))
    assert pd.read_excel(io.BytesIO(excel_bytes(columns)))["a"][0] == "{=1+1}"


def test_plain_negative_numbers_and_phone_numbers_in_texts_are_no_formulas():
    """They cannot do harm, and an apostrophe would spoil them."""
    frame = pd.DataFrame({"text": ["-5", "+32475123456", "-1,5"], "number": [-5, 1, 2]})
    assert "'" not in csv_bytes(labelled(frame)).decode()


def test_csv_is_read_back_as_it_was(products):
    """UTF-8 with a mark for Excel, nested values as JSON, codes with their zeros, nulls apart from empty texts."""
    frame = pd.DataFrame({"code": ["0012", "", None], "text": ['a;=b "q"', "é\nü", None], "list": [[1], [], None]})
    body = csv_bytes(labelled(frame))
    assert body.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False)
    assert read["code"].tolist() == ["0012", "", ""]
    assert read["text"].tolist() == ['a;=b "q"', "é\nü", ""]
    assert body.decode().splitlines()[2].startswith('"",')
    assert body.decode().splitlines()[-1] == ",,"
    brands = pd.read_csv(io.BytesIO(csv_bytes(labelled(products))))["brands"]
    assert json.loads(brands[3]) == [{"id": 1, "name": "Nivea"}, {"id": 9, "name": "Weleda"}]


def test_parquet_keeps_nested_values_and_types(products):
    """What Arrow holds goes in and out unchanged."""
    read = pd.read_parquet(io.BytesIO(parquet_bytes(labelled(products))), dtype_backend="pyarrow")
    pd.testing.assert_frame_equal(read, products)


def _excel(frame: pd.DataFrame) -> tuple[str, str, str]:
    parts = zipfile.ZipFile(io.BytesIO(excel_bytes(labelled(frame))))
    names = ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml")
    sheet, strings, styles = (parts.read(name).decode() if name in parts.namelist() else "" for name in names)
    return sheet, strings, styles


def test_excel_keeps_numbers_times_and_large_integers():
    """Times in UTC; integers that its doubles cannot hold, and what it has no number for, are texts."""
    zoned = pd.to_datetime(["2026-01-31 01:00"]).tz_localize("Europe/Brussels")
    ancient = pd.Series([datetime(1600, 1, 1)], dtype="datetime64[us]")  # noqa: DTZ001 - a naive time is meant
    columns = {"n": [5], "x": [1.5], "yes": [True], "large": [2**53 + 1], "inf": [np.inf]}
    sheet, strings, _ = _excel(pd.DataFrame({**columns, "zoned": zoned, "ancient": ancient}))
    assert re.search(r'<c r="A2"><v>5</v>', sheet)
    assert re.search(r'<c r="B2"><v>1.5</v>', sheet)
    assert re.search(r'<c r="C2" t="b"><v>1</v>', sheet)
    assert re.search(r'<c r="F2" s="\d"><v>46053</v>', sheet)  # 2026-01-31 00:00 UTC, in days since 1899-12-30
    assert "<t>9007199254740993</t>" in strings
    assert "<t>inf</t>" in strings
    assert "<t>1600-01-01" in strings


def test_excel_says_what_it_cannot_hold():
    """Rather than leave it out, as its writer would."""
    with pytest.raises(UsageError, match="A text of 40,000 characters in text"):
        excel_bytes({"text": pd.Series(["x" * 40_000])})
    with pytest.raises(UsageError, match="1,048,576 by 1 cells does not fit"):
        excel_bytes({"n": pd.Series(np.zeros(1_048_576, dtype="int8"))})


def test_small_files_are_links_and_large_ones_are_saved_without_replacing_any(products, monkeypatch, tmp_path):
    """The link holds all pages of what is shown; the file is beside the notebook, and told."""
    table = Table(products, page_size=1)
    table.filter("soap")
    control(table, "Code and files").value = True
    control(table, "File name").value = "soaps"
    control(table, "Create file").click()
    table.join()
    pane = table._pane.children[0]
    assert list(table.selected()) == list(products)
    link = re.search(r'<a download="soaps.csv" href="data:application/octet-stream;base64,(.*?)"', pane._shown.value)
    assert base64.b64decode(link[1]) == csv_bytes(table.selected())
    monkeypatch.setattr(panes, "LINK_BYTES", 10)
    (tmp_path / "soaps.csv").write_text("kept", encoding="utf-8")
    control(table, "Create file").click()
    table.join()
    assert f"{tmp_path / 'soaps-2.csv'} (2 rows" in pane._shown.value
    assert (tmp_path / "soaps-2.csv").read_bytes() == csv_bytes(table.selected())
    assert (tmp_path / "soaps.csv").read_text(encoding="utf-8") == "kept"
    for wrong in ("missing/soaps", "x" * 300, "a\0"):
        pane._name.value = wrong
        button(pane, "Create file").click()
        table.join()
        assert "UsageError" in pane._shown.value
    pane._name.value = "soaps"
    button(pane, "Create file").click()
    table.join()
    assert "soaps-3.csv" in pane._shown.value
    table.go(2)
    assert "soaps-3.csv" in pane._shown.value, "the file has all pages"
    table.filter("")
    assert pane._shown.value == ""
    assert "vk-code" in panes.FilesPane(table, table._compute)._code.value


def test_save_writes_what_is_shown_by_the_ending(products, tmp_path):
    """CSV, Parquet or Excel."""
    table = Table(products)
    table.choose(["name"])
    assert table.save(tmp_path / "names.csv").read_bytes() == csv_bytes(labelled(products[["name"]]))
    assert pd.read_parquet(table.save(tmp_path / "names.parquet")).columns.tolist() == ["name"]
    assert table.save(str(tmp_path / "names.XLSX")).read_bytes()[:2] == b"PK"


def test_page_can_be_copied_as_text_for_a_spreadsheet(products):
    """Tab-separated, this page alone; the text changes with the page."""
    table = Table(products, page_size=1)
    control(table, "Code and files").value = True
    pane = table._pane.children[0]
    assert "&quot;Soap&quot;\t399" in pane._copy.value
    table.go(2)
    assert "&quot;oil&quot;\t1250" in pane._copy.value
    assert "Soap" not in pane._copy.value


def test_columns_of_any_name_are_named_by_code_too():
    """A label is the name as text; what names none is refused, also a list."""
    table = vk.table(pd.DataFrame([[2, "x"], [1, "y"]], columns=[0, ("a", "b")]))
    table.sort(0)
    assert table.frame.iloc[:, 1].tolist() == ["y", "x"]
    table.filter("x", ("a", "b"))
    assert len(table.frame) == 1
    for wrong in (7, ["0"], {"0": 1}):
        with pytest.raises(UsageError, match="has no column"):
            table.sort(wrong)


@pytest.mark.parametrize("wrong", ["a\0.csv", "a\n.csv", f"{'a' * 300}.csv", b"x.csv", "\ud800.csv", "~\0/x.csv"])
def test_impossible_names_of_files_are_refused(products, wrong):
    """One typed error."""
    with pytest.raises(UsageError, match="path"):
        vk.table(products).save(wrong)


def test_page_says_how_it_is_sorted():
    """To those who see and to those who hear it."""
    shown = page_html({"n": pd.Series([1])}, title="rows", sort="n", descending=True)
    assert 'aria-sort="descending"' in shown
    assert "n ▼" in shown


def test_front_end_needs_the_core_widgets_and_no_address(products, mediagenix):
    """With all that can be open: every model and every view is of the core, and nothing is fetched from anywhere."""
    table, browser = Table(products), vk.browse(mediagenix, "/api/titles")
    for name in ("Columns", "Facts", "Chart", "Code and files"):
        control(table, name).value = True
    press(group(table, "vk-rows"), "1")
    table.join()
    for panel in (table, browser):
        saved = embed_data(views=[panel], drop_defaults=False, state=dependency_state([panel], drop_defaults=False))
        states = [one["state"] for one in saved["manager_state"]["state"].values()]
        modules = {state[name] for state in states for name in ("_model_module", "_view_module")} - {None}
        assert modules == {"@jupyter-widgets/base", "@jupyter-widgets/controls"}
        values = [one.value for one in below(panel) if isinstance(one, widgets.HTML)]
        assert not re.search(r"""(src|href|url|import)\s*[=(]\s*["']?(?!data:)\w+:""", "".join(values))


def test_dates_are_shown_and_saved_as_dates(tmp_path):
    """Pandas keeps them as times at midnight; with a time of day they are times."""
    days = pd.DataFrame({"day": pd.to_datetime(["2026-01-31", None]), "at": pd.to_datetime(["2026-01-31 12:30", None])})
    table = vk.table(days)
    assert cells(table)[0] == ["2026-01-31", "2026-01-31 12:30:00"]
    table.filter("2026-01-31", "day")
    assert len(table.frame) == 1
    table.clear()
    assert (
        table.save(tmp_path / "days.csv").read_text("utf-8-sig").splitlines()[1] == '"2026-01-31","2026-01-31 12:30:00"'
    )
    (values,) = pd.read_parquet(table.save(tmp_path / "days.parquet"))["day"].dropna().tolist()
    assert values == pd.Timestamp("2026-01-31")


CIRCLE: list = []
CIRCLE.append(CIRCLE)
UNTYPED = {
    "beyond 64 bits": [2**70, 1, None],
    "names that are no texts": [{(1, 2): 3}, {b"a": 1}, None],
    "a list inside of itself": [CIRCLE, {"a": CIRCLE}, [1]],
    "thousands of levels": [reduce(lambda inner, _: [inner], range(50_000), []), "x", None],
    "half a character": ["\ud83d", "x", None],
    "half a character in a list": [["\ud83d"], None, [1]],
    "sets": [{1}, None, {2}],
    "groups": pd.cut(pd.Series([1, 2, None]), 2),
    "periods": pd.period_range("2026-01", periods=3, freq="M"),
    "decimals": [Decimal("1.50"), None, Decimal("12345678901234567.5")],
}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
@pytest.mark.parametrize("kind", UNTYPED)
def test_values_that_arrow_has_no_type_for_are_texts(tmp_path, kind, suffix):
    """Shown, filtered, sorted, counted and saved."""
    values = UNTYPED[kind]
    frame = pd.DataFrame(
        {"x": values if isinstance(values, pd.Series) else pd.Series(list(values), dtype="object"), "n": [1, 2, 3]}
    )
    table = vk.table(frame)
    assert len(cells(table)) == 3
    table.sort("x")
    assert table.facts()["x"].distinct >= 2
    assert table.save(tmp_path / f"odd.{suffix}").stat().st_size > 0


def test_name_that_ends_in_a_blank_can_be_filtered_by():
    """As in many spreadsheets."""
    table = vk.table(pd.DataFrame({"cents ": [399, 1250]}))
    control(table, "Column").value = "cents "
    control(table, "Filter").value = ">1000"
    assert table.frame["cents "].tolist() == [1250]


@pytest.mark.parametrize("version", [7, 8])
def test_names_of_columns_are_never_html(monkeypatch, version):
    """Vendors choose those of undeclared fields; ipywidgets 7 shows labels and the options of a combo box as HTML."""
    monkeypatch.setattr(widgets, "__version__", f"{version}.7.1")
    name = '"><img src=x onerror=alert(1)>'
    table = vk.table(pd.DataFrame({name: [1, 2]}))
    control(table, "Columns").value = True
    (box,) = (one for one in below(table) if isinstance(one, widgets.Checkbox))
    labels = {box.description, *control(table, "Column").options}
    assert labels == {name if version == 8 else html.escape(name)}
    box.value = False
    assert table.chosen == ()
    table.choose(None)
    control(table, "Column").value = name
    control(table, "Filter").value = ">1"
    assert table.frame[name].tolist() == [2]


def test_names_that_utf8_cannot_hold_are_escaped():
    """Half a surrogate pair, as it may come from a file name."""
    table = vk.table(pd.DataFrame([[1]], columns=pd.Index(["\ud83d"], dtype="object")))
    assert table.columns == ["\\ud83d"]
    control(table, "Chart").value = True
    table.join()
    assert "No column can be plotted." in table._pane.children[0]._shown.value


@pytest.mark.parametrize("values", [["x", None, "y"], [1.0, None, 2.0], [None, None, True]])
def test_a_single_column_with_nulls_keeps_its_rows_in_csv(tmp_path, values):
    """An empty line is no row for most readers."""
    path = vk.table(pd.DataFrame({"a": values})).save(tmp_path / "one.csv")
    assert len(pd.read_csv(path)) == 3


def test_closing_a_table_closes_all_its_widgets():
    """Those of panes, layouts and styles too; panes that were closed, or of another frame, are not made anew."""
    before = models()
    table = vk.table(pd.DataFrame({"a": [1]}))
    sizes = set()
    for is_open in (True, False, True):
        for name in ("Columns", "Facts", "Chart", "Code and files"):
            control(table, name).value = is_open
        table.join()
        sizes.add(len(models() - before))
    table.show(pd.DataFrame({"b": [1]}))
    table.join()
    assert {len(models() - before)} == sizes
    control(table, "Columns").value = False
    table.close()
    assert models() - before == set()


def test_closing_a_table_ends_its_work(products, monkeypatch):
    """Nobody sees what it would bring."""
    table, begun, ended = Table(products), threading.Event(), threading.Event()

    def endless(*_, **__):
        begun.set()
        try:
            while True:
                check_cancelled()
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr("vendorkit.panels.table.view.order", endless)
    press(group(table, "vk-heads"), "name")
    assert begun.wait(10)
    table.close()
    assert ended.wait(5)


def test_a_missing_folder_is_named(tmp_path):
    """Nothing is written."""
    with pytest.raises(UsageError, match="no folder"):
        vk.table(pd.DataFrame({"a": [1]})).save(tmp_path / "missing" / "x.csv")
    assert not (tmp_path / "missing").exists()


def test_excel_has_numbers_of_up_to_fifteen_digits(tmp_path):
    """Decimals too; longer ones and codes stay texts."""
    openpyxl = pytest.importorskip("openpyxl")
    values = {"d": [Decimal("1.50"), Decimal("1234567890123456.75")], "n": [123_456_789_012_345, 1_234_567_890_123_456]}
    path = vk.table(pd.DataFrame({**values, "code": ["007", "5"]})).save(tmp_path / "x.xlsx")
    rows = [[cell.value for cell in row] for row in openpyxl.load_workbook(path).active.rows]
    assert rows[1:] == [[1.5, 123_456_789_012_345, "007"], ["1234567890123456.75", "1234567890123456", "5"]]


def test_mock_data_is_said_by_the_table_and_by_its_files(products, tmp_path, monkeypatch):
    """In its caption, the name of an offered file, the sheet of a workbook, and the attrs of Parquet."""
    monkeypatch.chdir(tmp_path)
    table = Table(products)
    assert "mock data" not in table.summary()
    products.attrs["vendorkit"] = {"environment": "local", "vendor": "medipim"}
    table.show(products)
    assert "mock data" in table.static_html()
    assert "mock data" in table.static_text()
    control(table, "Code and files").value = True
    pane = table._pane.children[0]
    for suffix in ("csv", "parquet", "xlsx"):
        pane._format.value = suffix
        pane.create()
        table.join(20)
        assert f'download="mock-data-table.{suffix}"' in pane._shown.value
    sheet = zipfile.ZipFile(table.save(tmp_path / "products.xlsx")).read("xl/workbook.xml")
    assert b'name="mock-data"' in sheet
    assert pd.read_parquet(table.save(tmp_path / "products.parquet")).attrs["vendorkit"]["environment"] == "local"
    assert table.save(tmp_path / "products.csv").read_bytes() == csv_bytes(table.selected())


def test_attrs_that_are_no_json_are_no_hindrance(products):
    """They are anybody's."""
    products.attrs["vendorkit"] = {"environment": object()}
    assert len(pd.read_parquet(io.BytesIO(parquet_bytes(labelled(products), products.attrs["vendorkit"])))) == len(
        products
    )
