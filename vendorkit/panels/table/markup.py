"""One page of rows as HTML: bounded cells, the theme's own colours, and nothing that could run."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from vendorkit.panels.markup import scrolled_html, shortened
from vendorkit.panels.table.columns import Columns, Facts, arrow, dtype_name, is_number, texts

COLUMNS: Final = 100
"""How many columns a page shows; more would take the browser seconds."""

GUTTER: Final = 4.2  # em, the width of the row numbers
_CELL: Final = 120  # characters; the rest is in the tooltip
_TOOLTIP: Final = 1_000
_SAMPLE: Final = 50  # rows that say how wide a column is
_DECIMALS: Final = 6
_NARROWEST, _WIDEST = 3.5, 22.0  # em
_EM: Final = dict.fromkeys("ijltfr.,:;'|!()[] ", 0.36) | dict.fromkeys("mwMW@%", 0.9)  # all others 0.66


def page_html(columns: Columns, *, title: str, sort: str = "", descending: bool = False, dtypes: bool = True) -> str:
    """Return the rows as a table by itself; *title* is for screen readers. Only the first `COLUMNS` are shown."""
    heads, shown = [], []
    for label, column in list(columns.items())[:COLUMNS]:
        side = _side(column)
        order, mark = _order(descending) if label == sort else ("", "")
        small = f"<small>{html.escape(dtype_name(column))}</small>" if dtypes else ""
        heads.append(f'<th scope="col"{side}{order}>{_bounded(f"{label}{mark}")}{small}</th>')
        shown.append([f"<td{side}>{cell}</td>" for cell in cells(column)])
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*shown, strict=True))
    body = f'<table class="vk"><thead><tr>{"".join(heads)}</tr></thead><tbody>{rows}</tbody></table>'
    return scrolled_html(body, title)


@dataclass(frozen=True)
class Page:
    """
    What a grid shows: the rows of one page.

    Attributes:
        columns: The rows of the page, at most `COLUMNS` columns.
        widths: Of each column, in em.
        first: The number of rows before this page.
        sort, descending: The column that they are sorted by, "" if by none, and how.
        facts: Shown below the heads if given; those not counted yet are missing.
    """

    columns: Columns
    widths: Sequence[float]
    first: int
    sort: str
    descending: bool
    facts: Mapping[str, Facts] | None

    @property
    def numbers(self) -> list[str]:
        """The numbers of the rows."""
        count = max(map(len, self.columns.values()), default=0)
        return [f"{number:,}" for number in range(self.first + 1, self.first + count + 1)]


def grid_html(page: Page) -> str:
    """Return the rows as the table below a row of heads that are buttons; its own heads are for screen readers."""
    heads, shown = ['<th scope="col"><span class="vk-sr">Row</span></th>'], []
    for label, column in page.columns.items():
        side, is_sorted = _side(column), label == page.sort
        order = _order(page.descending)[0] if is_sorted else ""
        about = "" if page.facts is None else facts_html(page.facts.get(label))
        heads.append(f'<th scope="col"{side}{order}><span class="vk-sr">{html.escape(label)}</span>{about}</th>')
        at = f"{side}{' data-sorted' * is_sorted}"
        shown.append([f"<td{at}>{cell}</td>" for cell in cells(column)])
    numbers = (f'<th scope="row">{number}</th>' for number in page.numbers)
    rows = "".join(f"<tr>{''.join(row)}<td></td></tr>" for row in zip(numbers, *shown, strict=True))
    cols = "".join(f'<col style="width:{em}em">' for em in (GUTTER, *page.widths))
    return (
        f'<table class="vk vk-grid{"" if page.facts is None else " vk-with-facts"}"><colgroup>{cols}<col></colgroup>'
        f"<thead><tr>{''.join(heads)}<td></td></tr></thead><tbody>{rows}</tbody></table>"
    )


def grid_css(mark: str, page: Page) -> str:
    """Return how wide head and body of the grid of the class *mark* are, and where the heads say number and order."""
    heads, labels = f".{mark} .vk-heads.vk-heads button", list(page.columns)
    css = [f".{mark}{{--tracks:{GUTTER}em {' '.join(f'{em}em' for em in page.widths)} minmax(0,1fr);"]
    css += [f"--whole:max(100%,{GUTTER + sum(page.widths):.2f}em)}}"]
    right = ",".join(f":nth-child({at})" for at, label in enumerate(labels, 1) if is_number(page.columns[label]))
    if right:
        css.append(f"{heads}:is({right}){{text-align:right;padding:0 10px 0 18px}}")
        css.append(f"{heads}:is({right})::after{{right:auto;left:4px}}")
    if page.sort in page.columns:
        sign, word = ("▼", "descending") if page.descending else ("▲", "ascending")
        at = f"{heads}:nth-child({labels.index(page.sort) + 1})"
        css.append(f'{at}::after{{content:"{sign}"!important;content:"{sign}" / ", sorted {word}"!important}}')
        css.append(f"{at}{{position:sticky!important;left:{GUTTER}em;right:0;z-index:1}}")
    return f"<style>{''.join(css)}</style>"


def width_of(label: str, column: pd.Series[Any]) -> float:
    """Return the width of a column in em, from a sample of all its rows, so that it stays when pages turn."""
    sample = texts(column.iloc[:: max(-(-len(column) // _SAMPLE), 1)]).drop_null().to_pylist()
    longest = max(map(_em, {text[:60] for text in sample}), default=0.0)
    return round(min(max(longest, _em(label) * 1.1 + 1.2, _NARROWEST), _WIDEST) + 1.8, 1)


def cells(column: pd.Series[Any], *, bounded: bool = True) -> list[str]:
    """Return the values as HTML: nulls marked, floats with equally many decimals, what is cut whole in a tooltip."""
    kind, shown = arrow(column).type, texts(column).to_pylist()
    aligned = _aligned(shown) if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else shown
    pairs = zip(aligned if bounded else shown, shown, strict=True)
    show = _bounded if bounded else lambda text, _: html.escape(text)
    return ["<i>null</i>" if text is None else show(text, full) for text, full in pairs]


def facts_html(fact: Facts | None) -> str:
    """Return the facts of a column below its head: a small histogram and its range, distinct values, nulls, dtype."""
    if fact is None:
        return "<div>…</div>"
    top = max(fact.bars, default=1) or 1
    heights = [math.ceil(18 * count / top) for count in fact.bars]
    bars = "".join(f"M{4 * at} 18v-{height}h3v{height}z" for at, height in enumerate(heights))
    drawing = f'<svg width="80" height="18" role="img" aria-label="Histogram"><path d="{bars}"/></svg>'
    spread = fact.spread or ("all different" if fact.bars else "no values")
    lines = [spread, f"{fact.distinct:,} distinct · {_percent(fact.null_share)} null", fact.kind]
    words = "<br>".join(map(html.escape, lines))
    return f'<div title="{html.escape("; ".join(lines)[:_TOOLTIP])}">{drawing}<br>{words}</div>'


def _aligned(shown: list[str | None]) -> list[str | None]:
    """Return floats with as many decimals as the longest of them has, up to `_DECIMALS`; others as they are."""
    plain = [text for text in shown if text is not None and text.lstrip("-").replace(".", "", 1).isdigit()]
    most = min(max((len(text.partition(".")[2]) for text in plain), default=0), _DECIMALS)
    known = set(plain)
    return [text if text is None or text not in known else f"{float(text):.{most}f}" for text in shown]


def _em(text: str) -> float:
    """Return about how wide *text* is in a proportional font."""
    return sum(_EM.get(character, 0.66) for character in text)


def _order(descending: bool) -> tuple[str, str]:
    return (' aria-sort="descending"', " ▼") if descending else (' aria-sort="ascending"', " ▲")


def _percent(share: float) -> str:
    """Return a share in percent that is 0 or 100 only if it is exactly that."""
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(share, 0.001), 0.999):.1%}"


def _bounded(text: str, full: str | None = None) -> str:
    if text == (full or text) and len(text) <= _CELL:
        return html.escape(text)
    cut, whole = shortened(text, _CELL), shortened(full or text, _TOOLTIP)
    return f'<span title="{html.escape(whole)}">{html.escape(cut)}</span>'


def _side(column: pd.Series[Any]) -> str:
    return ' class="vk-n"' if is_number(column) else ""
