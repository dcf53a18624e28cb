"""Plots and tables of the notebooks: one style, left-aligned text, and readable axes."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from vendorkit.tools import notebook

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture
def axes():
    """An empty plot, closed afterwards."""
    figure, made = plt.subplots()
    yield made
    plt.close(figure)


@pytest.mark.parametrize("limits", [(1, 12), (3, 40), (0.5, 3), (10, 900), (1_000, 200_000)])
def test_logarithmic_axis_has_several_labels(axes, limits):
    """At least three labels for any range, as plain numbers."""
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    notebook.log_ticks(axes.xaxis)
    axes.figure.canvas.draw()
    low, high = limits
    labels = [tick.label1.get_text() for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert len(labels) >= 3
    assert all(re.fullmatch(r"[\d,.]+", label) for label in labels)


def test_text_columns_are_left_aligned():
    """Text of any dtype is; numbers, times and booleans are not. Equal frames give equal HTML."""
    frame = pd.DataFrame({"n": [1], "name": ["oil"], "list": [[1]], "at": pd.to_datetime(["2026-01-31"]), "x": [True]})
    shown = notebook.table_html(frame.convert_dtypes())
    assert shown == notebook.table_html(frame.convert_dtypes())
    assert re.findall(r"td:nth-last-child\((\d)\)", shown) == ["4", "3"]
    assert "text-align:left" in shown
    assert "<style>" not in notebook.table_html(frame[["n"]]).partition("<div>")[0]


def test_table_of_many_columns_counts_the_dots():
    """Pandas replaces columns in the middle by dots."""
    frame = pd.DataFrame([[1] * 29 + ["text"]])
    with pd.option_context("display.max_columns", 20):
        shown = notebook.table_html(frame)
    assert re.findall(r"td:nth-last-child\((\d+)\)", shown) == ["11", "1"]


@pytest.mark.parametrize(("environment", "texts"), [("local", ["mock data"]), ("production", [])])
def test_plots_of_mock_data_say_so(axes, monkeypatch, environment, texts):
    """The label depends on the environment of the client. A DataFrame with columns of the same names is ignored."""
    client = SimpleNamespace(base_url="https://127.0.0.1", environment=environment)
    frame = pd.DataFrame({"base_url": ["x"], "environment": ["local"]})
    shell = SimpleNamespace(user_ns={"frame": frame, "number": 1, "client": client})
    monkeypatch.setattr(notebook, "get_ipython", lambda: shell)
    notebook.mark_mock_data(axes.figure)
    assert [text.get_text() for text in axes.figure.texts] == texts


def test_bars_of_days_label_dates_and_other_values(axes):
    """Every second bar is labelled, without the time of day."""
    counts = pd.DataFrame({"a": [1, 2, 3]}, index=[pd.Timestamp("2026-01-30"), pd.Timestamp("2026-01-31"), "no date"])
    labelled = notebook.bars_of_days(counts, every=2)
    assert [label.get_text() for label in labelled.get_xticklabels()] == ["30 Jan", "no date"]
    plt.close(labelled.figure)
    days = pd.DataFrame({"a": range(15)}, index=pd.date_range("2026-01-01", periods=15))
    labelled = notebook.bars_of_days(days, every=7)
    assert [tick.get_text() for tick in labelled.get_xticklabels()] == ["01 Jan", "08 Jan", "15 Jan"]
    assert [bar.get_x() > -1 for bar in labelled.patches] == [True] * 15
    assert max(bar.get_x() for bar in labelled.patches) < 15  # not counted from the year 1970
    plt.close(labelled.figure)


def test_bars_of_no_days_are_an_empty_plot():
    """A reader who asks for what is new may get nothing, which pandas does not draw."""
    nothing = pd.DataFrame({"new": []}, index=pd.DatetimeIndex([]))
    for counts in (nothing, pd.DataFrame()):
        axes = notebook.bars_of_days(counts, every=7, color=["red"], ylabel="products")
        assert [label.get_text() for label in axes.get_xticklabels()] == ["nothing"]
        plt.close(axes.figure)


def test_setting_up_outside_of_a_notebook_only_sets_the_style():
    """A script has no IPython shell."""
    code = (
        "from vendorkit.tools import notebook as n; import matplotlib as m; n.set_up(); print(m.rcParams['figure.dpi'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "75.0"
