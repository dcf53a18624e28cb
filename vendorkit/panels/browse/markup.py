"""A response as HTML: every text is escaped, every size is bounded, nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from vendorkit.panels.browse.response import Response
from vendorkit.panels.markup import code_html, counted, dim_html, escaped, info_html, scrolled_html, shortened
from vendorkit.panels.table.columns import dtype_name, labelled
from vendorkit.panels.table.markup import page_html
from vendorkit.vendors.client import Client

TEXT_LIMIT: Final = 60_000  # characters of a JSON or XML view
ROWS_LIMIT: Final = 50  # rows of a page or of an embedded list
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
    words = f'{escaped(response.title)} <span class="vk-dim">· {escaped(" · ".join(info))}</span>'
    # Gets the keyboard focus if the focused control is removed.
    return f'<h4 class="vk-landing" tabindex="-1">{words}</h4>'


def record_html(response: Response) -> str:
    """Return the fields of a record with their descriptions; empty for a page of records."""
    if is_list(response) or not isinstance(response.resource, dict):
        return ""
    return scrolled_html(fields_html(response.resource, descriptions(response)), response.title)


def is_list(response: Response) -> bool:
    """Return whether the response is a page of records in tabular form."""
    return response.records is not None and response.frame is not None


def descriptions(response: Response) -> dict[str, str]:
    """Return the declared descriptions by the vendor's field names; those of nested fields are joined."""
    found: dict[str, str] = {}
    for column in () if response.address.resource is None else response.address.resource.schema.columns:
        key, _, inner = column.wire.partition(".")
        if column.about:
            about = f"{inner}: {column.about}" if inner else column.about
            found[key] = f"{found[key]} {about}" if key in found else about
    return found


def fields_html(resource: Mapping[str, Any], about: Mapping[str, str] | None = None) -> str:
    """Return the fields of a record as table rows with descriptions, and the embedded resources below them."""
    links = {key for key in resource if key.endswith("_link")}
    embedded = {key for key in resource if f"{key}_link" in links}
    fields = [(key, value) for key, value in resource.items() if key not in links | embedded]
    rows = [(escaped(key), _value(value), dim_html((about or {}).get(key, ""))) for key, value in fields]
    parts = [_part(key, resource[key]) for key in resource if key in embedded]
    return f"{info_html(rows) if rows else dim_html('No fields.')}{''.join(parts)}"


def expands_html(client: Client, expands: Iterable[str]) -> str:
    """Return a note on the tick boxes, with descriptions of the resources that they embed."""
    facts = " ".join(f"{name}: {client.declared[name].about}" for name in expands if name in client.declared)
    return dim_html(f"Embed linked records: they appear below the fields and as columns of the frame. {facts}".strip())


def frame_html(frame: pd.DataFrame, title: str, *, dtypes: bool = True) -> str:
    """Return the first rows of a table, without columns that hold only links or nulls."""
    shown = frame[[name for name in frame.columns if not str(name).endswith("_link") and frame[name].notna().any()]]
    left_out = frame.shape[1] - shown.shape[1]
    more = [counted(len(frame) - ROWS_LIMIT, "more row")] if len(frame) > ROWS_LIMIT else []
    more += [f"{counted(left_out, 'column')} with only links or nulls hidden"] if left_out else []
    return page_html(labelled(shown.head(ROWS_LIMIT)), title=title, dtypes=dtypes) + dim_html("; ".join(more))


def json_html(answer: Any) -> str:
    """Return *answer* as indented JSON."""
    return text_html(json.dumps(answer, indent=2, ensure_ascii=False, default=str))


def text_html(text: str) -> str:
    """Return preformatted *text*, shortened to the limit."""
    return code_html(shortened(text, TEXT_LIMIT))


def dataframe_html(response: Response) -> str:
    """Return the attributes for the next cell, and the columns of the table with their dtypes."""
    frame, lines = response.frame, {"panel.resource": "the response as the vendor sent it"}
    if frame is not None:
        size = f"{counted(len(frame), 'row')}, {counted(frame.shape[1], 'column')}"
        lines["panel.frame"] = f"this response as a table: {size}"
    if response.address.query is not None:
        pages = "all pages" if response.total is None else f"all {response.total:,} rows"
        whole = "this record" if response.records is None else pages
        lines["panel.query.frame()"] = f"{whole}, downloaded when you call it"
    intro = dim_html("In the next cell, after panel = vk.browse(...):")
    intro += info_html((f"<code>{code}</code>", about) for code, about in lines.items())
    if frame is None:
        return intro
    shown = page_html(labelled(frame.head(ROWS_LIMIT)), title="panel.frame")
    return f"{intro}{shown}{scrolled_html(_columns(response, frame), 'Columns')}"


def _columns(response: Response, frame: pd.DataFrame) -> str:
    drifted, resource = {*response.drift.unknown, *response.drift.unfit}, response.address.resource
    about = {} if resource is None else {column.name: column.about for column in resource.schema.columns}
    rows = [
        (*map(escaped, (name, dtype_name(column), about.get(name, ""))), "drift" * (name in drifted))
        for name, column in labelled(frame).items()
    ]
    note = "drift: an undeclared column, or values that do not fit the declared type" * any(row[-1] for row in rows)
    return info_html(rows, ("column", "dtype", "description", "")) + dim_html(note)


def _value(value: Any) -> str:
    if value is None:
        return "<i>null</i>"
    indent = 1 if isinstance(value, (dict, list)) and len(str(value)) > _ONE_LINE else None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
    return escaped(shortened(text, _CELL_LIMIT))


def _part(rel: str, value: Any) -> str:
    """Return an embedded resource or collection in a section that folds."""
    entries = value.get("entries") if isinstance(value, dict) else None
    if isinstance(entries, list):
        # dtype=object, because integers in undeclared columns with nulls would otherwise become floats.
        count, inner = f" {len(entries):,}", frame_html(pd.DataFrame(entries, dtype=object), rel, dtypes=False)
    else:
        count, inner = "", fields_html(value) if isinstance(value, dict) else _value(value)
    return f"<details open><summary><b>{escaped(rel)}</b>{count}</summary>{inner}</details>"
