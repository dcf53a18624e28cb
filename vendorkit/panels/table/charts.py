"""Charts of columns: an image drawn by matplotlib, and the code that draws the same chart in a cell."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vendorkit.deadline import check_cancelled
from vendorkit.errors import SettingsError, UsageError
from vendorkit.panels.markup import escaped
from vendorkit.panels.table.conditions import literal

CHARTS: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("charts.json").read_text("utf-8"))
"""The charts by name: the kinds of columns they accept, and templates of their title and their code."""

SPANS: Final = {"day": "D", "week": "W", "month": "MS"}
"""The periods in which rows are counted over time, with their pandas frequencies."""

_SIZE: Final = (8, 3.5)  # inches


@dataclass(frozen=True)
class Chart:
    """
    A chart of one or two columns of a frame.

    Attributes:
        kind: One of `CHARTS`.
        x: The name of the column.
        y: The name of the second column, for a scatter plot.
        span: One of `SPANS`, for counts over time.
    """

    kind: str
    x: Any
    y: Any = ""
    span: str = "month"

    @property
    def title(self) -> str:
        """The title, such as "price by cents"."""
        return str(CHARTS[self.kind]["title"].format(**vars(self)))

    def draw(self, axes: Any, shown: pd.DataFrame) -> None:
        """Draw the chart on *axes* by running the code that `code` returns, so that both always agree."""
        exec(self._plot_code, {"axes": axes, "shown": shown, "pd": pd})  # noqa: S102 - only literals vary

    @property
    def _plot_code(self) -> str:
        names = {"x": literal(self.x), "y": literal(self.y), "span": literal(SPANS[self.span])}
        plot = "\n".join(CHARTS[self.kind]["lines"]).format(**names)
        title = self.title.replace("$", r"\$")  # matplotlib would set what is between two of them as a formula
        return f"{plot}\naxes.set_title({literal(title)})"

    def code(self, rows: str) -> str:
        """Return code that draws the chart in a notebook cell; *rows* is the expression for the frame."""
        return (
            "import matplotlib.pyplot as plt\nimport pandas as pd\nimport vendorkit as vk\n\n"
            f'shown = {rows}\nfigure, axes = plt.subplots(figsize={_SIZE}, layout="constrained")\n{self._plot_code}'
        )


def picture_html(chart: Chart, shown: pd.DataFrame) -> str:
    """
    Return the chart as an HTML image.

    Raises:
        SettingsError: matplotlib is not installed.
        UsageError: matplotlib cannot draw these values, for example infinite ones.
    """
    try:
        # Not pyplot, which is only safe in the main thread.
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as exc:
        what = "Charts need matplotlib, which is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[notebook]'") from exc
    figure, sink = Figure(figsize=_SIZE, dpi=110, layout="constrained"), io.BytesIO()
    try:
        chart.draw(figure.subplots(), shown)
        figure.savefig(sink, format="png")
        check_cancelled()
    except (ValueError, OverflowError) as exc:
        what = f"{chart.title} cannot be drawn: {str(exc).splitlines()[-1]}"
        raise UsageError(what, remedy="Choose another chart or column, or filter the rows.") from exc
    source = f"data:image/png;base64,{base64.b64encode(sink.getvalue()).decode()}"
    return f'<img src="{source}" alt="{escaped(chart.title)}" style="display:block;max-width:100%">'
