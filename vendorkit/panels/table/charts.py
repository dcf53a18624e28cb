"""A quick look at columns as a picture: drawn by matplotlib, and the lines that draw the same in the next cell."""

from __future__ import annotations

import base64
import html
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vendorkit.errors import SettingsError, UsageError
from vendorkit.panels.table.conditions import literal

CHARTS: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("charts.json").read_text("utf-8"))
"""What can be drawn: of which kinds of columns, its title, and the lines that draw it, as templates."""

SPANS: Final = {"day": "D", "week": "W", "month": "MS"}
"""How rows are counted over time: the words, and the frequencies of pandas."""

_SIZE: Final = (8, 3.5)  # inches


@dataclass(frozen=True)
class Chart:
    """
    What is drawn of a frame.

    Attributes:
        kind: One of `CHARTS`.
        x: The column.
        y: The other column of a scatter plot.
        span: Of counts over time, one of `SPANS`.
    """

    kind: str
    x: str
    y: str = ""
    span: str = "month"

    @property
    def title(self) -> str:
        """What is drawn, in words."""
        title: str = CHARTS[self.kind]["title"]
        return title.format(**vars(self))

    def draw(self, axes: Any, shown: pd.DataFrame) -> None:
        """Draw it by the lines of `code`, so that the two cannot differ."""
        exec(self._lines, {"axes": axes, "shown": shown, "pd": pd})  # noqa: S102 - what varies in them are literals

    @property
    def _lines(self) -> str:
        names = {"x": literal(self.x), "y": literal(self.y), "span": literal(SPANS[self.span])}
        drawn = "\n".join(CHARTS[self.kind]["lines"]).format(**names)
        return f"{drawn}\naxes.set_title({literal(self.title)})"

    def code(self, rows: str) -> str:
        """Return the lines that draw it in a cell; *rows* is the expression of the frame."""
        return (
            "import matplotlib.pyplot as plt\nimport pandas as pd\nimport vendorkit as vk\n\n"
            f'shown = {rows}\nfigure, axes = plt.subplots(figsize={_SIZE}, layout="constrained")\n{self._lines}'
        )


def picture_html(chart: Chart, shown: pd.DataFrame) -> str:
    """
    Return the chart as an image inside HTML.

    Raises:
        SettingsError: matplotlib is not installed.
        UsageError: It cannot draw these values, such as infinite ones.
    """
    try:
        # Not pyplot: it may only be used in the main thread.
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as exc:
        what = "Charts need matplotlib, which is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[notebook]'") from exc
    figure, sink = Figure(figsize=_SIZE, dpi=110, layout="constrained"), io.BytesIO()
    try:
        chart.draw(figure.subplots(), shown)
        figure.savefig(sink, format="png")
    except (ValueError, OverflowError) as exc:
        what = f"{chart.title} cannot be drawn: {str(exc).splitlines()[-1]}"
        raise UsageError(what, remedy="Choose another chart or column, or filter the rows.") from exc
    source = f"data:image/png;base64,{base64.b64encode(sink.getvalue()).decode()}"
    return f'<img src="{source}" alt="{html.escape(chart.title)}" style="display:block;max-width:100%">'
