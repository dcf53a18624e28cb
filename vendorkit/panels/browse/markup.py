"""A response as HTML: every text is escaped, every size bounded, no asset fetched."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from vendorkit.panels.browse.response import Response
from vendorkit.panels.markup import code_html, counted, dim_html, info_html, scrolled_html, shortened
from vendorkit.panels.table.columns import labelled
from vendorkit.panels.table.markup import page_html

TEXT_LIMIT: Final = 60_000  # characters of a JSON or XML view
ROWS_LIMIT: Final = 50  # rows of a page, and of what is embedded in a resource
_CELL_LIMIT: Final = 400
_ONE_LINE: Final = 80  # a longer list or object is indented


def heading_html(response: Response, client_title: str) -> str:
    """Return the title of the response, the vendor, the number of rows and the time it took."""
    info = [client_title]
    if response.records is not None and response.address.call is not None:
        rows = counted(len(response.records), "row")
        info.append(rows if response.total is None else f"{rows} of {response.total:,}")
    if response.milliseconds is not None:
        info.append(f"{response.milliseconds:,.0f} ms")
    return f'<h4>{html.escape(response.title)} <span class="vk-dim">· {html.escape(" · ".join(info))}</span></h4>'


def body_html(response: Response) -> str:
    """Return the fields of a record, or the rows of a collection."""
    if response.records is None and isinstance(response.resource, dict):
        return scrolled_html(fields_html(response.resource), response.title)
    return "" if response.frame is None else frame_html(response.frame, response.title)


def fields_html(resource: Mapping[str, Any]) -> str:
    """Return the fields of one record as rows of a table, and what is embedded in it below."""
    links = {key for key in resource if key.endswith("_link")}
    embedded = {key for key in resource if f"{key}_link" in links}
    rows = [(html.escape(key), _value(value)) for key, value in resource.items() if key not in links | embedded]
    parts = [_part(key, resource[key]) for key in resource if key in embedded]
    return f"{info_html(rows) if rows else dim_html('No fields.')}{''.join(parts)}"


def frame_html(frame: pd.DataFrame, title: str, *, dtypes: bool = True) -> str:
    """Return the first rows of a table, without the columns that hold no values, or only links."""
    kept = [name for name in frame.columns if not str(name).endswith("_link") and frame[name].notna().any()]
    shown = frame[kept]
    left_out = frame.shape[1] - shown.shape[1]
    more = [counted(len(frame) - ROWS_LIMIT, "more row")] if len(frame) > ROWS_LIMIT else []
    more += [f"{counted(left_out, 'column')} of links or without values left out"] if left_out else []
    return page_html(labelled(shown.head(ROWS_LIMIT)), title=title, dtypes=dtypes) + dim_html("; ".join(more))


def json_html(answer: Any) -> str:
    """Return *answer* as indented JSON."""
    return text_html(json.dumps(answer, indent=2, ensure_ascii=False, default=str))


def text_html(text: str) -> str:
    """Return *text* unchanged, as far as the limit."""
    return code_html(shortened(text, TEXT_LIMIT))


def dataframe_html(response: Response) -> str:
    """Return the attributes that the next cell can use, and the columns of the table with their dtypes."""
    lines = [("panel.resource", "the response as the vendor sent it")]
    if response.frame is not None:
        rows, columns = response.frame.shape
        size = f"{counted(rows, 'row')}, {counted(columns, 'column')}"
        lines.append(("panel.frame", f"what is shown, as a table: {size}"))
    if response.address.query is not None:
        pages = "all pages" if response.total is None else f"all {response.total:,} rows"
        whole = "the same" if response.records is None else pages
        lines.append(("panel.query.frame()", f"{whole}, downloaded again; the query is lazy"))
    attributes = info_html((f"<code>{html.escape(code)}</code>", html.escape(about)) for code, about in lines)
    intro = dim_html("For the next cell, if panel is what browse() returned:")
    return f"{intro}{attributes}{scrolled_html(_columns(response), 'Columns')}"


def _columns(response: Response) -> str:
    if response.frame is None:
        return ""
    drifted = {*response.drift.unknown, *response.drift.unfit}
    rows = [
        (html.escape(str(name)), html.escape(_short(dtype)), "drift" if str(name) in drifted else "")
        for name, dtype in response.frame.dtypes.items()
    ]
    note = "drift: not declared, or with values that do not fit" if any(drift for *_, drift in rows) else ""
    return info_html(rows, ("column", "dtype", "")) + dim_html(note)


def _short(dtype: Any) -> str:
    text = str(dtype).removesuffix("[pyarrow]")
    return text if len(text) <= 60 else f"{text[:57]}…"


def _value(value: Any) -> str:
    if value is None:
        return "<i>null</i>"
    indent = 1 if isinstance(value, (dict, list)) and len(str(value)) > _ONE_LINE else None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
    return html.escape(shortened(text, _CELL_LIMIT))


def _part(rel: str, value: Any) -> str:
    """Return an embedded resource, or the rows of an embedded collection; the user can fold them."""
    entries = value.get("entries") if isinstance(value, dict) else None
    if isinstance(entries, list):
        # As objects: the columns are not declared here, and integers in a column with nulls would become floats.
        count, inner = f" {len(entries):,}", frame_html(pd.DataFrame(entries, dtype=object), rel, dtypes=False)
    else:
        count, inner = "", fields_html(value) if isinstance(value, dict) else _value(value)
    return f"<details open><summary><b>{html.escape(rel)}</b>{count}</summary>{inner}</details>"
