"""Sets up the notebooks: one style for plots, and left-aligned text columns in tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pandas as pd
from IPython import get_ipython

# The palette of notebook.mplstyle, which colour-blind readers can distinguish.
BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
RED: Final = "#D55E00"
PINK: Final = "#CC79A7"
GREY: Final = "#999999"
_TICKS: Final = (1, 2, 5)  # of each power of ten


def set_up() -> None:
    """Apply the style to all plots and tables of this notebook. Plots have 150 dpi and are shown at half size."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - in the extra "notebook"
    from matplotlib_inline.backend_inline import set_matplotlib_formats  # noqa: PLC0415

    plt.style.use(Path(__file__).with_name("notebook.mplstyle"))
    plt.rcParams["figure.hooks"] = [f"{__name__}:mark_mock_data"]
    pd.options.display.max_colwidth = 100
    shell = get_ipython()
    if shell is not None:
        set_matplotlib_formats("retina")  # type: ignore[no-untyped-call]
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, table_html)


def mark_mock_data(figure: Any) -> None:
    """Write "mock data" into a corner of a new plot if a client of this notebook has a mock server."""
    shell = get_ipython()
    for value in () if shell is None else tuple(shell.user_ns.values()):
        # Clients are recognised by these attributes. The type is checked because a DataFrame may have such columns.
        if isinstance(getattr(value, "base_url", None), str) and getattr(value, "environment", None) == "local":
            figure.text(1, 0, "mock data", ha="right", va="top", size=7, color=GREY)
            return


def table_html(frame: pd.DataFrame) -> str | None:
    """Return the HTML of pandas for *frame*, with left-aligned text columns."""
    shown: str | None = frame._repr_html_()  # type: ignore[operator]
    if shown is None:
        return None
    most = pd.options.display.max_columns or frame.shape[1]
    left = [pd.api.types.is_string_dtype(kind) or pd.api.types.is_object_dtype(kind) for kind in frame.dtypes]
    if frame.shape[1] > most:  # a column of dots in the middle
        left = [*left[: most // 2], True, *left[-(most // 2) :]]
    # Columns are counted from the end, because the cells of a MultiIndex span several rows. The name of the class lists
    # the columns, so that the same table always has the same HTML.
    numbers = [len(left) - number for number, is_left in enumerate(left) if is_left]
    name = f"left-{'-'.join(map(str, numbers))}"
    cells = [f".{name} {cell}:nth-last-child({number})" for number in numbers for cell in ("td", "thead th")]
    style = f"<style>{','.join(cells)}{{text-align:left}}</style>" if cells else ""
    return style + re.sub(r'class="dataframe', f'class="dataframe {name}', shown, count=1)


def log_ticks(axis: Any) -> None:
    """Label a logarithmic axis with plain numbers: 1, 2 and 5 times each power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415 - in the extra "notebook"

    axis.set_major_locator(LogLocator(subs=_TICKS))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def bars_of_days(counts: pd.DataFrame, every: int = 1, **options: Any) -> Any:
    """Draw one stacked bar per row of *counts*, label every *every*-th date ("31 Jan"), and return the axes."""
    if counts.empty:  # pandas draws no plot of nothing
        counts, options = pd.DataFrame({"rows": [0]}, index=["nothing"]), {**options, "color": None}
    labels = [f"{day:%d %b}" if hasattr(day, "strftime") else str(day) for day in counts.index]
    axes = counts.set_axis(labels).plot.bar(stacked=True, width=0.9, xlabel="", **options)
    axes.set_xticks(range(0, len(labels), every), labels[::every], rotation=0)
    axes.legend(title="", loc="center left", bbox_to_anchor=(1, 0.5))
    return axes
