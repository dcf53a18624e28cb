"""Charts of a table: each kind is drawn, and its code draws the same in the next cell."""

from __future__ import annotations

import html
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

import vendorkit as vk
from tests.clicking import labelled as control
from vendorkit.panels.table.charts import CHARTS, SPANS, Chart
from vendorkit.panels.table.panes import ChartPane

mpl.use("Agg")

DAYS = pd.Series(pd.to_datetime(["2026-01-31", None, "2026-03-02", "2026-03-02", "2026-03-20"], utc=True))
PLAIN = pd.DataFrame(
    {
        "name": pd.Series(["oil", "soap", "oil", None, "tea"], dtype="str"),
        "cents": pd.Series([1250, 399, None, 80, 1250], dtype="Int64"),
        "price": [1.5, np.nan, 2.5, -1.0, 0.0],
        "active": pd.Series([True, None, False, True, True], dtype="boolean"),
        'odd "name"\\': [1, 2, 3, 4, 5],
        "created": DAYS,
        "local": DAYS.dt.tz_localize(None),
    }
)
ARROW = PLAIN.astype({"name": pd.ArrowDtype(pa.string()), "cents": pd.ArrowDtype(pa.int64())}).astype(
    {
        "price": pd.ArrowDtype(pa.float64()),
        "created": pd.ArrowDtype(pa.timestamp("us", "UTC")),
        "local": pd.ArrowDtype(pa.timestamp("us")),
    }
)
ALL = [Chart("Histogram", one) for one in ("cents", "price", 'odd "name"\\')]
ALL += [Chart("Counts", one) for one in ("name", "active", "cents", "created")]
ALL += [Chart("Over time", one, span=span) for one in ("created", "local") for span in SPANS]
ALL += [Chart("Scatter", "cents", "price"), Chart("Scatter", "price", "price")]


def drawn(axes) -> list:
    """What is drawn: bars, lines, points, and the title."""
    boxes = [patch.get_bbox().bounds for patch in axes.patches]
    lines = [line.get_xydata().tolist() for line in axes.lines]
    points = [cloud.get_offsets().tolist() for cloud in axes.collections]
    return [boxes, lines, points, axes.get_title()]


@pytest.mark.parametrize("frame", [PLAIN, ARROW], ids=["pandas", "arrow"])
@pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.title)
def test_code_draws_what_the_panel_draws(frame, chart):
    """Under both families of dtypes, with nulls and time zones."""
    axes = Figure().subplots()
    chart.draw(axes, frame)
    done = {"df": frame}
    exec(chart.code("df"), done)  # noqa: S102 - the code is what is tested
    assert drawn(axes) == drawn(done["axes"])
    assert any(drawn(axes)[:3])
    mpl.pyplot.close("all")


def test_weeks_and_months_without_rows_are_drawn_as_none():
    """February has none."""
    axes = Figure().subplots()
    Chart("Over time", "created").draw(axes, PLAIN)
    assert axes.lines[0].get_ydata().tolist() == [1, 0, 3]


def test_chart_is_chosen_by_its_controls_and_follows_the_filter(monkeypatch):
    """Only columns that fit can be chosen; each choice draws once; the code is that of the rows on view."""
    shown: list[str] = []
    show = ChartPane._show
    monkeypatch.setattr(ChartPane, "_show", lambda pane, text: (shown.append(text), show(pane, text)))
    table = vk.table(ARROW)
    control(table, "Chart").value = True
    table.join()
    assert len(shown) == 1
    pane = table._pane.children[0]
    assert 'alt="Histogram of cents"' in pane._shown.value
    kind, of, by, per = pane._choices
    assert of.options == ("cents", "price", 'odd "name"\\')
    kind.value = "Scatter"
    table.join()
    assert len(shown) == 2
    by.value = "price"
    table.join()
    assert 'alt="price by cents"' in pane._shown.value
    assert len(shown) == 3
    kind.value = "Over time"
    per.value = "week"
    table.join()
    assert of.options == ("created", "local")
    assert 'alt="created per week"' in pane._shown.value
    assert "shown = df\n" in pane._shown.value
    table.filter(">100", "cents")
    table.join()
    assert "shown = df[df[&quot;cents&quot;].gt(100)]\n" in pane._shown.value


@pytest.mark.parametrize("columns", [[2024, 2025], pd.MultiIndex.from_product([["cents"], ["min", "max"]])])
def test_columns_named_by_numbers_and_tuples_can_be_plotted(columns):
    """A pivot table has numbers as names, and aggregates of groups have tuples."""
    frame = pd.DataFrame([[1, 4], [3, 2]], columns=columns)
    table = vk.table(frame)
    control(table, "Chart").value = True
    pane = table._pane.children[0]
    pane._choices[0].value = "Scatter"
    pane._choices[2].index = 1
    table.join()
    assert f'alt="{columns[1]} by {columns[0]}"' in html.unescape(pane._shown.value)
    code = re.search(r"<pre[^>]*>(import.*)</pre>", html.unescape(pane._shown.value), re.DOTALL)[1]
    done = {"df": frame}
    exec(code, done)  # noqa: S102 - the code is what is tested
    assert drawn(done["axes"])[2] == [[[1, 4], [3, 2]]]


ODD = {"infinite": [1.0, np.inf], "wide": [1e308, -1e308], "near": [2**53 + 1, 2**53 + 1]}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ODD)
def test_what_matplotlib_cannot_draw_is_an_error_in_words(name):
    """A product may have an id past 2**53."""
    table = vk.table(pd.DataFrame({name: ODD[name]}))
    control(table, "Chart").value = True
    table.join()
    shown = table._pane.children[0]._shown.value
    assert f"of {name} cannot be drawn: " in shown
    assert "Choose another chart or column" in shown


def test_dollars_are_no_formula():
    """Two prices in a text, or in a name."""
    frame = pd.DataFrame({"$a$": ["$5 to $6", "$\\foo$"]})
    axes = Figure().subplots()
    Chart("Counts", "$a$").draw(axes, frame)
    axes.figure.canvas.draw()
    texts = [axes.title, *axes.get_yticklabels()]
    assert [text._preprocess_math(text.get_text()) for text in texts] == [
        ("Counts of $a$", False),
        *((text, False) for text in frame["$a$"][::-1]),
    ]


def test_frames_without_a_column_to_draw_say_so():
    """Lists alone, or nothing at all."""
    for frame in (pd.DataFrame(), pd.DataFrame({"lists": [[1], [2]]}).set_index("lists", drop=False)):
        table = vk.table(frame)
        control(table, "Chart").value = True
        table.join()
        assert "No column can be plotted." in table._pane.children[0]._shown.value


def test_each_kind_of_chart_is_tested():
    """The list above has them all."""
    assert {chart.kind for chart in ALL} == set(CHARTS)
