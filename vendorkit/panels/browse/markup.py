"""What was found at a place of a vendor, as HTML: every text escaped, every size bounded, no asset fetched."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from vendorkit.panels.browse.visit import Visit
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html

TEXT_LIMIT: Final = 60_000  # characters of a JSON or XML view
ROWS_LIMIT: Final = 50  # rows of a page, and of what is embedded in a resource
_CELL_LIMIT: Final = 400
# JupyterLab's variables follow its theme; elsewhere (Voila, a page) the colours are inherited.
STYLE: Final = """<style>
.vk-browse table:not(.vk) {border-collapse: collapse; font-size: 12px; line-height: 1.5}
.vk-browse table:not(.vk) :is(th, td) {text-align: left; vertical-align: top; padding: 2px 12px 2px 0;
  border-bottom: 1px solid var(--jp-border-color2, rgba(128,128,128,.3)); max-width: 44em; overflow-wrap: break-word}
.vk-browse table:not(.vk) th {font-weight: 600; white-space: nowrap}
.vk-browse td.vk-null, .vk-browse .vk-dim {opacity: .6}
.vk-browse pre {margin: 0; font-size: 12px; line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere;
  color: inherit; background: transparent}
.vk-browse .vk-tall {max-height: 32em; overflow: auto}
.vk-browse .vk-tall thead th {position: sticky; top: 0; background: var(--jp-layout-color1, Canvas)}
.vk-browse h4 {margin: 4px 0; font-size: 15px}
.vk-browse h4 .vk-dim {font-weight: 400}
.vk-browse summary {cursor: pointer; padding: 3px 0}
.vk-browse code {background: rgba(128,128,128,.15); padding: 1px 4px; border-radius: 3px; color: inherit}
</style>"""


def heading_html(visit: Visit, client_title: str) -> str:
    """Return what is shown, of whom, and how long it took."""
    told = [client_title]
    if visit.records is not None and visit.place.call is not None:
        rows = f"{len(visit.records):,} rows"
        told.append(rows if visit.total is None else f"{rows} of {visit.total:,}")
    if visit.milliseconds is not None:
        told.append(f"{visit.milliseconds:,.0f} ms")
    return f'<h4>{html.escape(visit.title)} <span class="vk-dim">· {html.escape(" · ".join(told))}</span></h4>'


def body_html(visit: Visit) -> str:
    """Return the fields of a record, or the rows of a collection."""
    if visit.records is None and isinstance(visit.resource, dict):
        return f'<div class="vk-tall">{fields_html(visit.resource)}</div>'
    return "" if visit.frame is None else frame_html(visit.frame, visit.title)


def links_html(visit: Visit) -> str:
    """Return the names of the links."""
    names = ", ".join(html.escape(name) for name in visit.links)
    return f'<div class="vk-dim">Links: {names}</div>' if names else ""


def fields_html(resource: Mapping[str, Any]) -> str:
    """Return the fields of one record as rows of a table, and what is embedded in it below."""
    links = {key for key in resource if key.endswith("_link")}
    embedded = {key for key in resource if f"{key}_link" in links}
    rows = [_row(key, value) for key, value in resource.items() if key not in links | embedded]
    parts = [_part(key, resource[key]) for key in resource if key in embedded]
    table = f"<table>{''.join(rows)}</table>" if rows else '<span class="vk-dim">No fields of its own.</span>'
    return f"{table}{''.join(parts)}"


def frame_html(frame: pd.DataFrame, title: str) -> str:
    """Return the first rows of a table, without the columns that hold nothing or links alone."""
    shown = worth_showing(frame)
    left_out = frame.shape[1] - shown.shape[1]
    more = [f"{len(frame) - ROWS_LIMIT:,} more rows"] if len(frame) > ROWS_LIMIT else []
    more += [f"{left_out} columns of links or without values left out"] if left_out else []
    note = f'<div class="vk-dim">{"; ".join(more)}</div>' if more else ""
    return f'<div class="vk-tall">{page_html(labelled(shown.head(ROWS_LIMIT)), title=title)}</div>{note}'


def worth_showing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return *frame* without the columns that hold nothing or links alone."""
    kept = [name for name in frame.columns if not str(name).endswith("_link") and frame[name].notna().any()]
    return frame[kept]


def json_html(answer: Any) -> str:
    """Return *answer* as indented JSON."""
    return text_html(json.dumps(answer, indent=2, ensure_ascii=False, default=str))


def text_html(text: str) -> str:
    """Return *text* as it stands, as far as the limit."""
    return f'<div class="vk-tall"><pre>{html.escape(_cut(text, TEXT_LIMIT))}</pre></div>'


def dataframe_html(visit: Visit) -> str:
    """Return how the next cell gets at what is shown, and the columns of the table with their dtypes."""
    lines = [("panel.resource", "the answer as the vendor sent it")]
    if visit.frame is not None:
        lines.append(("panel.frame", f"what is shown, as a table: {_size(visit.frame)}"))
    if visit.place.query is not None:
        pages = "all pages" if visit.total is None else f"all {visit.total:,} rows"
        whole = "the same" if visit.records is None else pages
        lines.append(("panel.query.frame()", f"{whole}, pulled anew; the query is lazy"))
    told = "".join(f"<tr><td><code>{html.escape(code)}</code><td>{html.escape(about)}" for code, about in lines)
    said = '<div class="vk-dim">For the next cell, where panel is what browse() returned:</div>'
    return f'{said}<table>{told}</table><div class="vk-tall">{_columns(visit)}</div>'


def _size(frame: pd.DataFrame) -> str:
    return f"{len(frame):,} row{'' if len(frame) == 1 else 's'}, {frame.shape[1]} columns"


def _columns(visit: Visit) -> str:
    if visit.frame is None:
        return ""
    rows = []
    for name, dtype in visit.frame.dtypes.items():
        drifted = str(name) in visit.drift.unknown or str(name) in visit.drift.unfit
        rows.append(f"<tr><td>{html.escape(str(name))}<td>{html.escape(_short(dtype))}<td>{'drift' * drifted}")
    note = "drift: not declared, or with values that do not fit" if any(r.endswith("drift") for r in rows) else ""
    return f'<table><tr><th>column<th>dtype<th>{"".join(rows)}</table><div class="vk-dim">{note}</div>'


def _short(dtype: Any) -> str:
    text = str(dtype).removesuffix("[pyarrow]")
    return text if len(text) <= 60 else f"{text[:57]}…"


def _row(name: str, value: Any) -> str:
    if value is None:
        return f'<tr><th>{html.escape(name)}<td class="vk-null">null'
    if isinstance(value, (dict, list)):
        shown = _cut(json.dumps(value, ensure_ascii=False, indent=1 if len(str(value)) > 80 else None), _CELL_LIMIT)
        return f"<tr><th>{html.escape(name)}<td><pre>{html.escape(shown)}</pre>"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"<tr><th>{html.escape(name)}<td>{html.escape(_cut(text, _CELL_LIMIT))}"


def _part(rel: str, value: Any) -> str:
    """Return an embedded resource, or the rows of an embedded collection, to be opened."""
    entries = value.get("entries") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        inner = fields_html(value) if isinstance(value, dict) else _row(rel, value)
        return f"<details open><summary><b>{html.escape(rel)}</b></summary>{inner}</details>"
    names = list(dict.fromkeys(key for one in entries[:ROWS_LIMIT] for key in one if not key.endswith("_link")))
    rows = "".join(f"<tr>{_cells(one, names)}" for one in entries[:ROWS_LIMIT])
    head = "".join(f"<th>{html.escape(name)}" for name in names)
    more = f" (the first {ROWS_LIMIT})" if len(entries) > ROWS_LIMIT else ""
    table = f"<table><tr>{head}{rows}</table>"
    return f"<details open><summary><b>{html.escape(rel)}</b> {len(entries)}{more}</summary>{table}</details>"


def _cells(record: Mapping[str, Any], names: Iterable[str]) -> str:
    values = (record.get(name) for name in names)
    texts = ("" if v is None else v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values)
    return "".join(f"<td>{html.escape(_cut(text, 80))}" for text in texts)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"
