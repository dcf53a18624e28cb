"""One page of rows as HTML: bounded cells, the theme's own colours, and nothing that could run."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from vendorkit.panels.markup import info_html, scrolled_html
from vendorkit.panels.table.columns import Facts, arrow, kind, texts

COLUMNS: Final = 100
"""How many columns a page shows; more would take the browser seconds."""

_CELL: Final = 120  # characters; the rest is in the tooltip
_TOOLTIP: Final = 1_000


def page_html(
    columns: Mapping[str, pd.Series[Any]], *, title: str, sort: str = "", descending: bool = False, dtypes: bool = True
) -> str:
    """Return the rows of one page; *title* is for screen readers. Only the first `COLUMNS` columns are shown."""
    heads, cells = [], []
    way, mark = ("descending", " ▼") if descending else ("ascending", " ▲")
    for label, column in list(columns.items())[:COLUMNS]:
        side = ' class="vk-n"' if _is_number(column) else ""
        order, name = (f' aria-sort="{way}"', f"{label}{mark}") if label == sort else ("", label)
        small = f"<small>{html.escape(kind(column))}</small>" if dtypes else ""
        heads.append(f'<th scope="col"{side}{order}>{_bounded(name)}{small}</th>')
        shown = ("<i>null</i>" if text is None else _bounded(text) for text in texts(column).to_pylist())
        cells.append([f"<td{side}>{cell}</td>" for cell in shown])
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    body = f'<table class="vk"><thead><tr>{"".join(heads)}</tr></thead><tbody>{rows}</tbody></table>'
    return scrolled_html(body, title)


def facts_html(facts: Mapping[str, Facts]) -> str:
    """Return one row per column: its dtype, its share of nulls, how many different values it has."""
    rows = (
        (_bounded(label), html.escape(fact.kind), _percent(fact.null_share), f"{fact.distinct:,}")
        for label, fact in facts.items()
    )
    return info_html(rows, ("column", "type", "null", "distinct"))


def _percent(share: float) -> str:
    """Return a share in percent that is 0 or 100 only if it is exactly that."""
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _bounded(text: str) -> str:
    if len(text) <= _CELL:
        return html.escape(text)
    whole = text if len(text) <= _TOOLTIP else f"{text[:_TOOLTIP]}…"
    return f'<span title="{html.escape(whole)}">{html.escape(text[:_CELL])}…</span>'


def _is_number(column: pd.Series[Any]) -> bool:
    of = arrow(column).type
    return bool(pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_decimal(of))
