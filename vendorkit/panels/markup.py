"""HTML that all panels share, and its style: every text is escaped, no asset is fetched, light and dark."""

from __future__ import annotations

import html
import json
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from vendorkit.errors import Cancelled, VendorkitError

# JupyterLab and Voila set the variables for light and dark; other pages use their own colours. A class named twice
# outweighs the rules of those two for every <pre>.
STYLE: Final = Path(__file__).with_name("panels.css").read_text("utf-8")
# By an event of the page itself, which works in every front end and over plain HTTP, where browsers have no
# navigator.clipboard; only as plain text, because a spreadsheet would put each formatted line into one cell.
_COPY: Final = html.escape(Path(__file__).with_name("copy.js").read_text("utf-8"))

HINTS: Final[dict[str, dict[str, str]]] = json.loads(Path(__file__).with_name("hints.json").read_text("utf-8"))
"""What can be typed into which control, and what it is for."""

_COPY_BUTTON: Final = f'<button type="button" class="jupyter-button" onclick="{_COPY}">LABEL</button>'
_FOLDS: Final = 6  # deeper lines are one part with the line above them


def error_html(exc: BaseException) -> str:
    """Return one sentence of cause and one of remedy, as HTML; of an error that is not ours, where it arose."""
    if isinstance(exc, (Cancelled, KeyboardInterrupt)):
        said = "Cancelled." if isinstance(exc, Cancelled) else "Interrupted."
        return f'<div role="status" class="vk-error">{said}</div>'
    if isinstance(exc, VendorkitError):
        name, cause, remedy = type(exc).__name__, exc.what, exc.remedy
    else:
        # The name and the place, not the text: a foreign exception may hold anything.
        place = traceback.extract_tb(exc.__traceback__)[-1:]
        where = f"{place[0].filename.rsplit('/', 1)[-1]}:{place[0].lineno}" if place else "unknown place"
        name, cause = type(exc).__name__, f"An unexpected error occurred in {where}."
        remedy = "Run the same call in a cell to see the full traceback."
    shown = f"<b>{html.escape(name)}</b>: {html.escape(cause)}<br>{html.escape(remedy)}"
    return f'<div role="alert" class="vk-error">{shown}</div>'


def good_html(text: str) -> str:
    """Return *text* as the HTML of a success."""
    return f'<div role="status" class="vk-good">{html.escape(text)}</div>'


def dim_html(text: str) -> str:
    """Return *text* as the HTML of a note."""
    return f'<div class="vk-dim">{html.escape(text)}</div>' if text else ""


def code_html(text: str) -> str:
    """Return *text* unchanged: code, JSON, XML, HTTP messages."""
    return f'<pre class="vk-code" tabindex="0">{html.escape(text)}</pre>'


def copied_html(text: str, label: str = "Copy") -> str:
    """Return *text* unchanged, below a button with this label that copies it."""
    return f"{_COPY_BUTTON.replace('LABEL', html.escape(label))}{code_html(text)}"


def folded_html(text: str, search: str = "", label: str = "Copy") -> str:
    """
    Return indented *text* unchanged, below a button that copies it: a line with deeper ones below it folds these.

    Where *search* occurs is marked, in upper or lower case.
    """
    lines = [(len(line) - len(line.lstrip()), line) for line in text.splitlines()]
    sought = re.compile(f"({re.escape(search)})" if search else "(?!)", re.IGNORECASE)
    shown = "".join(_folded(lines, sought, 0))
    button = _COPY_BUTTON.replace("LABEL", html.escape(label))
    return f'{button}<pre class="vk-code" tabindex="0">{shown}</pre>'


def _folded(lines: Sequence[tuple[int, str]], sought: re.Pattern[str], depth: int) -> Iterator[str]:
    start = 0
    while start < len(lines):
        indent, line = lines[start]
        end = start + 1
        while end < len(lines) and lines[end][0] > indent:
            end += 1
        if end == start + 1 or depth == _FOLDS:
            yield "".join(f"<div>{_marked(each, sought)}\n</div>" for _, each in lines[start:end])
        else:
            yield f"<details open><summary>{_marked(line, sought)}\n</summary>"
            yield from _folded(lines[start + 1 : end], sought, depth + 1)
            yield "</details>"
        start = end


def _marked(line: str, sought: re.Pattern[str]) -> str:
    parts = (html.escape(part) for part in sought.split(line))
    return "".join(f"<mark>{part}</mark>" if number % 2 else part for number, part in enumerate(parts))


def info_html(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a small table of facts; the first cell of a row is its head. Cells are HTML, heads are text."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return f'<table class="vk vk-info">{f"<thead><tr>{head}</tr></thead>" if head else ""}<tbody>{body}</tbody></table>'


def scrolled_html(shown: str, title: str) -> str:
    """Return *shown*, which is HTML, as a region that the keyboard reaches; *title* is for screen readers."""
    return f'<div class="vk-scroll" role="region" tabindex="0" aria-label="{html.escape(title)}">{shown}</div>'


def counted(number: int, thing: str) -> str:
    """Return "1 page" or "1,200 pages"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def shortened(text: str, limit: int) -> str:
    """Return *text* as far as *limit* characters, and how many are left out."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"
