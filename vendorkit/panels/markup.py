"""HTML and CSS shared by all panels: every text is escaped, nothing is fetched, light and dark themes work."""

from __future__ import annotations

import html
import json
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from vendorkit.errors import Cancelled, VendorkitError
from vendorkit.frames.names import encodable

# JupyterLab and Voila define the colour variables; other pages use their own colours. Repeating a class in a selector
# gives it precedence over the front ends' own rules for <pre>.
STYLE: Final = Path(__file__).with_name("panels.css").read_text("utf-8")
# Uses the page's copy event, because pages over plain HTTP have no navigator.clipboard. Copies plain text only, because
# a spreadsheet would put each formatted line into one cell.
_COPY: Final = html.escape(Path(__file__).with_name("copy.js").read_text("utf-8"))

HINTS: Final[dict[str, dict[str, str]]] = json.loads(Path(__file__).with_name("hints.json").read_text("utf-8"))
"""Hints for controls: what can be typed into them, and what they are for."""

_COPY_BUTTON: Final = f'<button type="button" class="jupyter-button" onclick="{_COPY}">LABEL</button>'
_FOLD_DEPTH: Final = 6  # deeper lines cannot be folded
_INDENTED: Final = 100  # levels; the indentation of 100 kB of brackets would fill the memory
_JSON: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_XML: Final = re.compile(r"<!--.*?-->|<[^>]*>?|[^<]+", re.DOTALL)


def error_html(exc: BaseException) -> str:
    """Return the cause and the remedy as HTML; for an exception of another library, its type and location."""
    if isinstance(exc, (Cancelled, KeyboardInterrupt)):
        text = "Cancelled." if isinstance(exc, Cancelled) else "Interrupted."
        return f'<div role="status" class="vk-error">{text}</div>'
    if isinstance(exc, VendorkitError):
        name, cause, remedy = type(exc).__name__, exc.what, exc.remedy
    else:
        # The message is left out, because it could contain a credential.
        frames = traceback.extract_tb(exc.__traceback__)[-1:]
        where = f"{frames[0].filename.rsplit('/', 1)[-1]}:{frames[0].lineno}" if frames else "an unknown place"
        name, cause = type(exc).__name__, f"An unexpected error occurred in {where}."
        remedy = "Run the same call in a cell to see the full traceback."
    shown = f"<b>{escaped(name)}</b>: {escaped(cause)}<br>{escaped(remedy)}"
    return f'<div role="alert" class="vk-error">{shown}</div>'


def escaped(text: str) -> str:
    """Return *text* as HTML, without lone surrogates, which front ends refuse."""
    return html.escape(encodable(text))


def success_html(text: str) -> str:
    """Return *text* as a success message."""
    return f'<div role="status" class="vk-good">{escaped(text)}</div>'


def dim_html(text: str) -> str:
    """Return *text* as a note in a muted colour; nothing if it is empty."""
    return f'<div class="vk-dim">{escaped(text)}</div>' if text else ""


def code_html(text: str) -> str:
    """Return preformatted *text*, such as code, JSON, XML or an HTTP message."""
    return f'<pre class="vk-code" tabindex="0">{escaped(text)}</pre>'


def copyable_html(text: str, label: str = "Copy") -> str:
    """Return preformatted *text* below a button that copies it."""
    return f"{_COPY_BUTTON.replace('LABEL', escaped(label))}{code_html(text)}"


def foldable_html(text: str, search: str = "", label: str = "Copy") -> str:
    """
    Return indented, preformatted *text* below a button that copies it. Lines fold the deeper lines below them.

    Occurrences of *search* are highlighted, ignoring case.
    """
    lines = [(len(line) - len(line.lstrip()), line) for line in text.splitlines()]
    pattern = re.compile(f"({re.escape(search)})" if search else "(?!)", re.IGNORECASE)
    shown = "".join(_folded(lines, pattern, 0))
    return f'{_COPY_BUTTON.replace("LABEL", escaped(label))}<pre class="vk-code" tabindex="0">{shown}</pre>'


def _folded(lines: Sequence[tuple[int, str]], pattern: re.Pattern[str], depth: int) -> Iterator[str]:
    start = 0
    while start < len(lines):
        indent, line = lines[start]
        end = start + 1
        while end < len(lines) and lines[end][0] > indent:
            end += 1
        if end == start + 1 or depth == _FOLD_DEPTH:
            yield "".join(f"<div>{_marked(line, pattern)}\n</div>" for _, line in lines[start:end])
        else:
            yield f"<details open><summary>{_marked(line, pattern)}\n</summary>"
            yield from _folded(lines[start + 1 : end], pattern, depth + 1)
            yield "</details>"
        start = end


def _marked(line: str, pattern: re.Pattern[str]) -> str:
    parts = (escaped(part) for part in pattern.split(line))
    return "".join(f"<mark>{part}</mark>" if number % 2 else part for number, part in enumerate(parts))


def info_html(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a small table. The first cell of each row is its heading. Cells are HTML, *heads* are plain text."""
    head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in heads)
    lines = (f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) for first, *rest in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="vk vk-info">{f"<thead><tr>{head}</tr></thead>" if head else ""}<tbody>{body}</tbody></table>'


def scrolled_html(content: str, title: str) -> str:
    """Return HTML in a scrollable region that the keyboard can reach; *title* is for screen readers."""
    return f'<div class="vk-scroll" role="region" tabindex="0" aria-label="{escaped(title)}">{content}</div>'


def counted(number: int, thing: str) -> str:
    """Return a number with its noun, such as "1 page" or "1,200 pages"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def shortened(text: str, limit: int) -> str:
    """Return the first *limit* characters of *text*, and how many more there are."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def pretty(text: str) -> str:
    """Return JSON or XML with one line per member or element, even if it is truncated. No text is dropped."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    return "\n".join(_json_lines(text) if start in ("{", "[") else _xml_lines(text)) if start in tuple("{[<") else text


def _json_lines(text: str) -> list[str]:
    lines: list[str] = []
    depth, last = 0, ""
    for part in _JSON.findall(text):
        depth = max(depth - (part in ("}", "]")), 0)
        if lines and (part in (",", ":") or last == ":" or last + part in ("{}", "[]")):
            lines[-1] += f"{part} " if part == ":" else part
        else:
            lines.append("  " * min(depth, _INDENTED) + part)
        depth += part in ("{", "[")
        last = part
    return lines


def _xml_lines(text: str) -> list[str]:
    lines: list[str] = []
    depth, opened = 0, False  # opened: the last line is an element that has no children yet
    for part in filter(str.strip, _XML.findall(text)):
        is_tag, closing = part.startswith("<"), part.startswith("</")
        depth = max(depth - closing, 0)
        joined = opened and (closing or not is_tag)
        if joined:
            lines[-1] += part.strip()
        else:
            lines.append("  " * min(depth, _INDENTED) + part.strip())
        opens = is_tag and not closing and part[1:2] not in ("?", "!") and not part.endswith("/>")
        opened, depth = opens or (joined and not closing), depth + opens
    return lines
