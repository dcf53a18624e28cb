"""What all panels say in HTML, and the one style of it: every text escaped, no asset fetched, light and dark."""

from __future__ import annotations

import html
import traceback
from collections.abc import Iterable, Sequence
from typing import Final

from vendorkit.errors import Cancelled, VendorkitError

# JupyterLab and Voila set the variables for light and dark; elsewhere the page's own colours are taken. A class named
# twice outweighs what those two say of every <pre>.
STYLE: Final = """
.vk-scroll{overflow:auto;max-width:100%}
.vk-scroll:focus-visible{outline:2px solid var(--jp-brand-color1,#1976d2)}
table.vk{border-collapse:collapse;font-size:var(--jp-ui-font-size1,13px);line-height:1.5;margin:0;
color:var(--jp-ui-font-color0,inherit);background:transparent;border:0}
table.vk th,table.vk td{padding:.15em .7em;vertical-align:top;white-space:nowrap;max-width:28em;
overflow:hidden;text-overflow:ellipsis;border:0;border-bottom:1px solid var(--jp-border-color2,#8886)}
table.vk thead th{vertical-align:bottom;font-weight:600;border-bottom:2px solid var(--jp-border-color1,#888a)}
table.vk tbody tr:hover{background:var(--jp-layout-color2,#8882)}
table.vk small{display:block;font-weight:400;color:var(--jp-ui-font-color2,#767676)}
table.vk i{color:var(--jp-ui-font-color2,#767676)}
table.vk.vk th,table.vk.vk td{text-align:left}
table.vk.vk .vk-n{text-align:right;font-variant-numeric:tabular-nums}
table.vk-told td{white-space:pre-wrap;overflow-wrap:anywhere;max-width:60em}
pre.vk-code.vk-code{margin:.3em 0;padding:.6em .8em;max-height:24em;overflow:auto;line-height:1.4;white-space:pre-wrap;
overflow-wrap:anywhere;border:1px solid var(--jp-border-color2,#8886);background:transparent;color:inherit;
font-family:var(--jp-code-font-family,monospace)}
.vk-browse h4{margin:4px 0;font-size:15px}
.vk-browse h4 .vk-dim{font-weight:400}
.vk-browse .vk-scroll{max-height:32em}
.vk-browse thead th{position:sticky;top:0;background:var(--jp-layout-color1,Canvas)}
.vk-browse summary{cursor:pointer;padding:3px 0}
.vk-dim{opacity:.7;line-height:1.3}
.vk-fault{color:var(--jp-error-color1,#d33);line-height:1.3}
.vk-error,.vk-good{border-left:3px solid #d33;padding:.3em .8em;margin:.3em 0}
.vk-good{border-color:#292}
"""
# By an event of the page itself, which works in every front end and over plain HTTP, where browsers have no
# navigator.clipboard; as plain text alone, for a spreadsheet would put a formatted one into one cell a line.
_COPY: Final = (
    "const shown=this.nextElementSibling;getSelection().selectAllChildren(shown);"
    "document.addEventListener('copy',e=>{e.clipboardData.setData('text/plain',shown.textContent);e.preventDefault()},"
    "{once:true});this.textContent=document.execCommand('copy')?'Copied':'Now press Ctrl+C'"
)


def error_html(exc: BaseException) -> str:
    """Return one sentence of cause and one of remedy, as HTML; for errors that are not ours, where they arose."""
    if isinstance(exc, (Cancelled, KeyboardInterrupt)):
        said = "Cancelled." if isinstance(exc, Cancelled) else "Interrupted."
        return f'<div role="status" class="vk-error">{said}</div>'
    if isinstance(exc, VendorkitError):
        name, cause, remedy = type(exc).__name__, exc.what, exc.remedy
    else:
        # The name and the place, not the text: a foreign exception may hold anything.
        place = traceback.extract_tb(exc.__traceback__)[-1:]
        where = f"{place[0].filename.rsplit('/', 1)[-1]}:{place[0].lineno}" if place else "unknown place"
        name, cause = type(exc).__name__, f"An unexpected error arose in {where}."
        remedy = "Run the same as code in a cell to see all of it."
    shown = f"<b>{html.escape(name)}</b>: {html.escape(cause)}<br>{html.escape(remedy)}"
    return f'<div role="alert" class="vk-error">{shown}</div>'


def good_html(text: str) -> str:
    """Return *text* as the HTML of a success."""
    return f'<div role="status" class="vk-good">{html.escape(text)}</div>'


def dim_html(text: str) -> str:
    """Return *text* as the HTML of a remark."""
    return f'<div class="vk-dim">{html.escape(text)}</div>' if text else ""


def code_html(text: str) -> str:
    """Return *text* as it stands: code, JSON, XML, what went over the wire."""
    return f'<pre class="vk-code" tabindex="0">{html.escape(text)}</pre>'


def copied_html(text: str, label: str = "Copy") -> str:
    """Return *text* as it stands, below a button with this label that copies it."""
    button = (
        f'<button type="button" class="jupyter-button" onclick="{html.escape(_COPY)}">{html.escape(label)}</button>'
    )
    return button + code_html(text)


def told_html(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a small table of facts; the first cell of a row is its head. Cells are HTML, heads are text."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return f'<table class="vk vk-told">{f"<thead><tr>{head}</tr></thead>" if head else ""}<tbody>{body}</tbody></table>'


def scrolled_html(shown: str, title: str) -> str:
    """Return *shown*, which is HTML, as a region that the keyboard reaches too; *title* is for those who hear it."""
    return f'<div class="vk-scroll" role="region" tabindex="0" aria-label="{html.escape(title)}">{shown}</div>'


def counted(number: int, thing: str) -> str:
    """Return "1 page" or "1,200 pages"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def shortened(text: str, limit: int) -> str:
    """Return *text* as far as *limit* characters, and how many are left out."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"
