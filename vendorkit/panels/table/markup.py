"""One page of rows as HTML: escaped and shortened cells in the colours of the theme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from vendorkit.panels.markup import escaped, scrolled_html, shortened
from vendorkit.panels.table.columns import Columns, Facts, arrow, dtype_name, is_number, texts

COLUMNS: Final = 100
"""The maximum number of columns on a page; more would keep the browser busy for seconds."""

GUTTER: Final = 4.2  # em, the width of the row numbers
_CELL: Final = 120  # characters; the full text is in the tooltip
_TOOLTIP: Final = 1_000
_SAMPLE: Final = 50  # rows from which the width of a column is estimated
_DECIMALS: Final = 6
_NARROWEST, _WIDEST = 3.5, 22.0  # em
_EM: Final = dict.fromkeys("ijltfr.,:;'|!()[] ", 0.36) | dict.fromkeys("mwMW@%", 0.9)  # em per character; others 0.66


def page_html(columns: Columns, *, title: str, sort: str = "", descending: bool = False, dtypes: bool = True) -> str:
    """Return a complete table of the first `COLUMNS` columns; *title* is for screen readers."""
    columns, heads = dict(list(columns.items())[:COLUMNS]), []
    for label, column in columns.items():
        order, arrow_sign = _order(descending) if label == sort else ("", "")
        small = f"<small>{escaped(dtype_name(column))}</small>" if dtypes else ""
        heads.append(f'<th scope="col"{_alignment(column)}{order}>{_bounded(f"{label}{arrow_sign}")}{small}</th>')
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*_cells(columns), strict=True))
    body = f'<table class="vk"><thead><tr>{"".join(heads)}</tr></thead><tbody>{rows}</tbody></table>'
    return scrolled_html(body, title)


def _cells(columns: Columns, sort: str = "") -> list[list[str]]:
    """Return the table cells of each column; those of the column *sort* are marked."""
    marks = {label: f"{_alignment(column)}{' data-sorted' * (label == sort)}" for label, column in columns.items()}
    return [[f"<td{marks[label]}>{cell}</td>" for cell in cells(column)] for label, column in columns.items()]


@dataclass(frozen=True)
class Page:
    """
    The rows of one page, as a grid shows them.

    Attributes:
        columns: The values of the page by column label, at most `COLUMNS` columns.
        widths: The width of each column in em.
        first: The number of rows before this page.
        sort: The label of the column that the rows are sorted by, "" if unsorted.
        descending: The direction of the sort.
        facts: Statistics to show below the heads, without those still being computed; None to show none.
    """

    columns: Columns
    widths: Sequence[float]
    first: int
    sort: str
    descending: bool
    facts: Mapping[str, Facts] | None

    @property
    def numbers(self) -> list[str]:
        """The row numbers as text, counted from 1 over all pages."""
        count = max(map(len, self.columns.values()), default=0)
        return [f"{number:,}" for number in range(self.first + 1, self.first + count + 1)]


def grid_html(page: Page) -> str:
    """Return the table below the clickable heads; the heads of the table itself are for screen readers."""
    heads = ['<th scope="col"><span class="vk-sr">Row</span></th>']
    for label, column in page.columns.items():
        order = _order(page.descending)[0] if label == page.sort else ""
        facts = "" if page.facts is None else facts_html(page.facts.get(label))
        name = f'<span class="vk-sr">{escaped(label)}</span>'
        heads.append(f'<th scope="col"{_alignment(column)}{order}>{name}{facts}</th>')
    rows = "".join(
        f'<tr><th scope="row">{number}</th>{"".join(row)}<td></td></tr>'
        for number, *row in zip(page.numbers, *_cells(page.columns, page.sort), strict=True)
    )
    cols = "".join(f'<col style="width:{em}em">' for em in (GUTTER, *page.widths))
    return (
        f'<table class="vk vk-grid{"" if page.facts is None else " vk-with-facts"}"><colgroup>{cols}<col></colgroup>'
        f"<thead><tr>{''.join(heads)}<td></td></tr></thead><tbody>{rows}</tbody></table>"
    )


def grid_css(mark: str, page: Page) -> str:
    """Return CSS for the grid with the class *mark*: column widths, heads of numbers, and the sort arrow."""
    heads, labels = f".{mark} .vk-heads.vk-heads button", list(page.columns)
    css = [f".{mark}{{--tracks:{GUTTER}em {' '.join(f'{em}em' for em in page.widths)} minmax(0,1fr);"]
    css += [f"--whole:max(100%,{GUTTER + sum(page.widths):.2f}em)}}"]
    right = ",".join(f":nth-child({nth})" for nth, label in enumerate(labels, 1) if is_number(page.columns[label]))
    if right:
        css.append(f"{heads}:is({right}){{text-align:right;padding:0 10px 0 18px}}")
        css.append(f"{heads}:is({right})::after{{right:auto;left:4px}}")
    if page.sort in page.columns:
        sign, word = ("▼", "descending") if page.descending else ("▲", "ascending")
        head = f"{heads}:nth-child({labels.index(page.sort) + 1})"
        css.append(f'{head}::after{{content:"{sign}"!important;content:"{sign}" / ", sorted {word}"!important}}')
        css.append(f"{head}{{position:sticky!important;left:{GUTTER}em;right:0;z-index:1}}")
    return f"<style>{''.join(css)}</style>"


def width_of(label: str, column: pd.Series[Any]) -> float:
    """Return the width of a column in em, from a sample of all its rows: every page has the same width."""
    sample = texts(column.iloc[:: max(-(-len(column) // _SAMPLE), 1)]).drop_null().to_pylist()
    longest = max(map(_em, {text[:60] for text in sample}), default=0.0)
    return round(min(max(longest, _em(label) * 1.1 + 1.2, _NARROWEST), _WIDEST) + 1.8, 1)


def cells(column: pd.Series[Any], *, bounded: bool = True) -> list[str]:
    """Return the values as HTML: nulls marked, equal decimals for floats, shortened text in full in a tooltip."""
    kind, shown = arrow(column).type, texts(column).to_pylist()
    aligned = _aligned(shown) if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else shown
    pairs = zip(aligned if bounded else shown, shown, strict=True)
    show = _bounded if bounded else lambda text, _: escaped(text)
    return ["<i>null</i>" if text is None else show(text, full) for text, full in pairs]


def facts_html(fact: Facts | None) -> str:
    """Return the statistics of a column: a small histogram, range, distinct values, nulls and dtype."""
    if fact is None:
        return "<div>…</div>"
    largest = max(fact.bars, default=1) or 1
    heights = [math.ceil(18 * count / largest) for count in fact.bars]
    bars = "".join(f"M{4 * number} 18v-{height}h3v{height}z" for number, height in enumerate(heights))
    drawing = f'<svg width="80" height="18" role="img" aria-label="Histogram"><path d="{bars}"/></svg>'
    spread = fact.spread or ("all different" if fact.bars else "no values")
    lines = [spread, f"{fact.distinct:,} distinct · {_percent(fact.null_share)} null", fact.kind]
    words = "<br>".join(map(escaped, lines))
    return f'<div title="{escaped("; ".join(lines)[:_TOOLTIP])}">{drawing}<br>{words}</div>'


def _aligned(shown: list[str | None]) -> list[str | None]:
    """Give all plain floats as many decimals as the longest has, up to `_DECIMALS`; other text is unchanged."""
    plain = [text for text in shown if text is not None and text.lstrip("-").replace(".", "", 1).isdigit()]
    decimals = min(max((len(text.partition(".")[2]) for text in plain), default=0), _DECIMALS)
    floats = set(plain)
    return [text if text is None or text not in floats else f"{float(text):.{decimals}f}" for text in shown]


def _em(text: str) -> float:
    """Estimate the width of *text* in a proportional font, in em."""
    return sum(_EM.get(character, 0.66) for character in text)


def _order(descending: bool) -> tuple[str, str]:
    return (' aria-sort="descending"', " ▼") if descending else (' aria-sort="ascending"', " ▲")


def _percent(share: float) -> str:
    """Return a share in percent; 0% and 100% only if exact."""
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(share, 0.001), 0.999):.1%}"


def _bounded(text: str, full: str | None = None) -> str:
    if text == (full or text) and len(text) <= _CELL:
        return escaped(text)
    short, tooltip = shortened(text, _CELL), shortened(full or text, _TOOLTIP)
    return f'<span title="{escaped(tooltip)}">{escaped(short)}</span>'


def _alignment(column: pd.Series[Any]) -> str:
    return ' class="vk-n"' if is_number(column) else ""
