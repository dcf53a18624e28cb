"""One page of rows as HTML: bounded cells, the theme's own colours, and nothing that could run."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from vendorkit.panels.markup import scrolled_html, shortened
from vendorkit.panels.table.columns import arrow, dtype_name, is_number, texts
from vendorkit.panels.table.facts import Facts

COLUMNS: Final = 100
"""How many columns a page shows; more would take the browser seconds."""

GUTTER: Final = 4.2  # em, the width of the row numbers
_CELL: Final = 120  # characters; the rest is in the tooltip
_TOOLTIP: Final = 1_000
_SAMPLE: Final = 100  # rows that say how wide a column is
_DECIMALS: Final = 6
_NARROWEST, _WIDEST = 3.5, 22.0  # em
_NARROW, _WIDE = frozenset("ijltfr.,:;'|!()[] "), frozenset("mwMW@%")


def page_html(
    columns: Mapping[str, pd.Series[Any]], *, title: str, sort: str = "", descending: bool = False, dtypes: bool = True
) -> str:
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


def grid_html(
    columns: Mapping[str, pd.Series[Any]],
    widths: Sequence[float],
    first: int,
    *,
    sort: str = "",
    descending: bool = False,
    facts: Mapping[str, Facts] | None = None,
) -> str:
    """
    Return the rows as the table below a row of heads that are buttons; its own heads are for screen readers.

    Args:
        columns: The rows of the page, at most `COLUMNS` columns.
        widths: Of each column, in em.
        first: The number of rows before this page.
        sort: The column that they are sorted by.
        descending: How.
        facts: Shown below the heads if given; those not counted yet are missing.
    """
    heads, shown = [], []
    for label, column in columns.items():
        marks = f"{_side(column)}{_order(descending)[0] if label == sort else ''}"
        about = "" if facts is None else facts_html(facts.get(label))
        heads.append(f'<th scope="col"{marks}><span class="vk-sr">{html.escape(label)}</span>{about}</th>')
        at = f"{_side(column)}{' data-sorted' if label == sort else ''}"
        shown.append([f"<td{at}>{cell}</td>" for cell in cells(column)])
    count = max(map(len, columns.values()), default=0)
    numbers = (f'<th scope="row">{number:,}</th>' for number in range(first + 1, first + count + 1))
    rows = "".join(f"<tr>{''.join(row)}<td></td></tr>" for row in zip(numbers, *shown, strict=True))
    cols = "".join(f'<col style="width:{em}em">' for em in (GUTTER, *widths))
    corner = '<th scope="col"><span class="vk-sr">Row</span></th>'
    kind = "vk vk-grid" if facts is None else "vk vk-grid vk-with-facts"
    return (
        f'<table class="{kind}"><colgroup>{cols}<col></colgroup><thead><tr>{corner}{"".join(heads)}<td></td></tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def grid_css(mark: str, numbers: Sequence[bool], widths: Sequence[float], sorted_at: int, descending: bool) -> str:
    """
    Return how wide head and body are, which heads are those of numbers, and the mark of the sorted one.

    Args:
        mark: The class of the table that it is for.
        numbers: Whether each column is one of numbers.
        widths: Of each column, in em.
        sorted_at: The position of the sorted column; -1 if none is.
        descending: How it is sorted.
    """
    tracks = f"{GUTTER}em {' '.join(f'{em}em' for em in widths)} minmax(0,1fr)"
    whole = f"max(100%,{GUTTER + sum(widths):.2f}em)"
    heads = f".{mark} .vk-heads"
    css = [f"{heads}>div{{grid-template-columns:{tracks}}}.{mark}>*{{width:{whole}!important}}"]
    right = ",".join(f":nth-child({at})" for at, number in enumerate(numbers, 1) if number)
    if right:
        css.append(f"{heads}.vk-heads button:is({right}){{text-align:right;padding:0 10px 0 18px}}")
        css.append(f"{heads}.vk-heads button:is({right})::after{{right:auto;left:4px}}")
    if sorted_at >= 0:
        sign, word = ("▼", "descending") if descending else ("▲", "ascending")
        at = f"{heads}.vk-heads button:nth-child({sorted_at + 1})"
        css.append(f'{at}::after{{content:"{sign}"!important;content:"{sign}" / ", sorted {word}"!important}}')
        css.append(f"{at}{{position:sticky!important;left:{GUTTER}em;right:0;z-index:1}}")
    return f"<style>{''.join(css)}</style>"


def width_of(label: str, column: pd.Series[Any]) -> float:
    """Return the width of a column in em, from a sample of all its rows, so that it stays when pages turn."""
    sample = texts(column.iloc[:: max(-(-len(column) // _SAMPLE), 1)]).drop_null().to_pylist()
    longest = max(map(_em, sample), default=0.0)
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
    lines = [
        fact.spread or ("all different" if fact.bars else "no values"),
        f"{fact.distinct:,} distinct",
        f"{_percent(fact.null_share)} null",
        fact.kind,
    ]
    words = "<br>".join([html.escape(lines[0]), html.escape(" · ".join(lines[1:3])), html.escape(fact.kind)])
    return f'<div title="{html.escape("; ".join(lines)[:_TOOLTIP])}">{drawing}<br>{words}</div>'


def _aligned(shown: list[str | None]) -> list[str | None]:
    """Return floats with as many decimals as the longest of them has, up to `_DECIMALS`; others as they are."""
    plain = [text for text in shown if text is not None and text.lstrip("-").replace(".", "", 1).isdigit()]
    most = min(max((len(text.partition(".")[2]) for text in plain), default=0), _DECIMALS)
    known = set(plain)
    return [text if text is None or text not in known else f"{float(text):.{most}f}" for text in shown]


def _em(text: str) -> float:
    """Return about how wide *text* is in a proportional font."""
    return sum(0.36 if c in _NARROW else 0.9 if c in _WIDE else 0.66 for c in text[:60])


def _order(descending: bool) -> tuple[str, str]:
    return (' aria-sort="descending"', " ▼") if descending else (' aria-sort="ascending"', " ▲")


def _percent(share: float) -> str:
    """Return a share in percent that is 0 or 100 only if it is exactly that."""
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _bounded(text: str, full: str | None = None) -> str:
    if text == (full or text) and len(text) <= _CELL:
        return html.escape(text)
    cut, whole = shortened(text, _CELL), shortened(full or text, _TOOLTIP)
    return f'<span title="{html.escape(whole)}">{html.escape(cut)}</span>'


def _side(column: pd.Series[Any]) -> str:
    return ' class="vk-n"' if is_number(column) else ""
