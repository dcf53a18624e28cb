"""JSON and XML of any kind as indented lines, also where they are cut off: nothing is parsed, nothing is left out."""

from __future__ import annotations

import re
from typing import Final

_JSON: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_XML: Final = re.compile(r"<!--.*?-->|<[^>]*>?|[^<]+", re.DOTALL)


def pretty(text: str) -> str:
    """Return *text* with a line per member or element if it looks like JSON or XML, else unchanged."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    return _json_lines(text) if start in ("{", "[") else _xml_lines(text) if start == "<" else text


def _json_lines(text: str) -> str:
    lines: list[str] = []
    depth, line = 0, ""
    for word in _JSON.findall(text):
        if word in ("}", "]"):
            if line.strip():
                lines.append(line)
            depth = max(depth - 1, 0)
            line = "  " * depth
            if lines and lines[-1].endswith({"}": "{", "]": "["}[word]):  # nothing is in between
                line = lines.pop()
        elif not line.strip():
            if depth == 0 and lines and word == ",":
                lines[-1] += word
                continue
            line = "  " * depth
        line += f"{word} " if word == ":" else word
        if word in ("{", "[", ",") or (depth == 0 and word in ("}", "]")):
            lines.append(line)
            depth += word in ("{", "[")
            line = "  " * depth
    return "\n".join([*lines, line] if line.strip() else lines)


def _xml_lines(text: str) -> str:
    lines: list[str] = []
    depth, opened = 0, False  # whether the last line is an element without children so far
    for word in _XML.findall(text):
        closing = word.startswith("</")
        depth = max(depth - closing, 0)
        if not word.strip():
            continue
        if opened and (closing or not word.startswith("<")):
            lines[-1] += word.strip()
            opened = not closing
            continue
        lines.append("  " * depth + word.strip())
        opened = word.startswith("<") and not closing and word[1:2] not in ("?", "!") and not word.endswith("/>")
        depth += opened
    return "\n".join(lines)
