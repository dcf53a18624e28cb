"""What a request took: a line per HTTP request, and one of them in full, credentials masked."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import ipywidgets as widgets

from vendorkit.http.exchanges import Exchange, masked_body
from vendorkit.panels.base import FIELD, LIST, WRAP, Failed, entry
from vendorkit.panels.markup import counted, dim_html, folded_html, info_html, scrolled_html
from vendorkit.vendors.client import Client

SHOWN_BYTES: Final = 100_000  # of each body
_MARGIN_BYTES: Final = 20_000  # kept in addition: a credential that the end cuts in two would not be recognised
_PRETTY: Final = 10**6
_JSON: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_XML: Final = re.compile(r"<!--.*?-->|<[^>]*>?|[^<]+", re.DOTALL)
_HEADS: Final = ("#", "request", "page", "status", "records", "size", "time", "hits")


class ExchangePane(widgets.VBox):  # type: ignore[misc]
    """The exchanges of one request, as a table; one of them is open, and all can be searched."""

    def __init__(self, client: Client, failed: Failed) -> None:
        self._client, self._shown = client, list[Exchange]()
        self._texts: dict[int, list[tuple[str, str]]] = {}
        self._numbers = range(0)
        client.session.exchanges.keep_bytes = SHOWN_BYTES + _MARGIN_BYTES
        self._table, self._open = widgets.HTML(), widgets.HTML()
        self._chooser = entry(widgets.Dropdown, "Open", self._open_one, failed, **LIST)
        self.search = entry(widgets.Text, "Search", self._find, failed, continuous_update=False, **FIELD)
        super().__init__([self._table, widgets.HBox([self._chooser, self.search], layout=WRAP), self._open])

    def show(self, first: int) -> None:
        """Show the exchanges of the client's session from number *first* on, unless they are shown already."""
        if self._numbers == (numbers := range(first, self._client.session.exchanges.total + 1)):
            return
        self._numbers = numbers
        kept = [one for one in self._client.session.exchanges.all() if one.number >= first]
        self._shown, self._texts = sorted(kept, key=lambda one: one.started), {}
        self._left_out = len(numbers) - len(kept)
        labels = [(f"{n}: {_target(one)}", n - 1) for n, one in enumerate(self._shown, 1)]
        self._chooser.options = labels
        self._chooser.index = 0 if labels else None
        self._find()

    def static_html(self) -> str:
        """Return the table and what is open."""
        return f"{self._table.value}{self._open.value}"

    def _parts(self, number: int) -> list[tuple[str, str]]:
        """Return title and text of headers and bodies; nothing of them is a credential."""
        if number not in self._texts:
            one = self._shown[number]
            bodies = [("Request body", one.body.sent), ("Response body", one.body.start)]
            texts = [(name, self._readable(body)) for name, body in bodies if body]
            self._texts[number] = [("Headers", one.text()), *texts]
        return self._texts[number]

    def _readable(self, body: bytes) -> str:
        mask = self._client.session.redactor.mask
        # Masked before, so that no layout hides a credential, and after, because text may be escaped in some layouts.
        (text,) = mask([masked_body(body.decode("utf-8", "replace"))], limit=SHOWN_BYTES)
        (text,) = mask([pretty(text)], limit=_PRETTY)
        return text if len(body) < SHOWN_BYTES else f"{text}\n… the rest was not recorded"

    def _find(self) -> None:
        """Count the hits of each exchange, and open the first one with some."""
        sought, numbers = self.search.value.casefold(), range(len(self._shown))
        found = [sum(text.casefold().count(sought) for _, text in self._parts(n)) if sought else 0 for n in numbers]
        rows = [_row(number, one, hits) for number, (one, hits) in enumerate(zip(self._shown, found, strict=True), 1)]
        table = info_html(rows, _HEADS if sought else _HEADS[:-1])
        left_out = f"{counted(self._left_out, 'earlier request')} not recorded. " if self._left_out else ""
        total = dim_html(f"{left_out}{_total(self._shown)}")
        self._table.value = scrolled_html(table, "Exchanges") + total if self._shown else ""
        if any(found) and self._chooser.value is not None and not found[self._chooser.value]:
            self._chooser.value = next(number for number in numbers if found[number])
        else:
            self._open_one()

    def _open_one(self) -> None:
        number, sought = self._chooser.value, self.search.value
        self._open.value = "".join(
            f"<h4>{title}</h4>{folded_html(text, sought, f'Copy {title.lower()}')}"
            for title, text in ([] if number is None else self._parts(number))
        )


def _target(one: Exchange) -> str:
    status: Any = one.status if one.status is not None else "no response"
    return f"{one.method} {urlsplit(one.url).path or '/'} → {status}"


def _page(one: Exchange) -> str:
    """Return what the request says of its page, in the vendor's own words."""
    said = {name: value for name, value in parse_qsl(urlsplit(one.url).query) if "page" in name}
    with suppress(ValueError, TypeError, LookupError):
        found = json.loads(one.body.sent)["page"]
        said |= found if isinstance(found, dict) else {"page": found}
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _row(number: int, one: Exchange, hits: int) -> list[str]:
    method_path, _, status = _target(one).partition(" → ")
    records = "" if one.body.records is None else f"{one.body.records:,}"
    took = f"{(_end(one) - one.started) * 1000:,.0f} ms"
    cells = [number, method_path, _page(one), status, records, size_text(one.body.size), took, *[hits] * bool(hits)]
    return [html.escape(str(cell)) for cell in cells]


def _end(one: Exchange) -> float:
    return max(one.started + one.seconds, one.body.ended)


def _total(shown: Sequence[Exchange]) -> str:
    records, size = sum(one.body.records or 0 for one in shown), size_text(sum(one.body.size for one in shown))
    took = max(map(_end, shown)) - shown[0].started if shown else 0.0
    return f"Total: {counted(len(shown), 'request')}, {counted(records, 'record')}, {size}, {took:.1f} s."


def size_text(size: int) -> str:
    """Return a number of bytes in words."""
    unit, words = (10**6, "MB") if size >= 10**6 else (10**3, "kB")
    return f"{size:,} bytes" if size < 10**3 else f"{size / unit:,.1f} {words}"


def pretty(text: str) -> str:
    """Return JSON or XML with a line per member or element, also where it is cut off: nothing of it is left out."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    return "\n".join(_json_lines(text) if start in ("{", "[") else _xml_lines(text)) if start in tuple("{[<") else text


def _json_lines(text: str) -> list[str]:
    lines: list[str] = []
    depth, last = 0, ""
    for word in _JSON.findall(text):
        depth = max(depth - (word in ("}", "]")), 0)
        if lines and (word in (",", ":") or last == ":" or last + word in ("{}", "[]")):
            lines[-1] += f"{word} " if word == ":" else word
        else:
            lines.append("  " * depth + word)
        depth += word in ("{", "[")
        last = word
    return lines


def _xml_lines(text: str) -> list[str]:
    lines: list[str] = []
    depth, opened = 0, False  # whether the last line is an element without children so far
    for word in filter(str.strip, _XML.findall(text)):
        is_tag, closing = word.startswith("<"), word.startswith("</")
        depth = max(depth - closing, 0)
        joined = opened and (closing or not is_tag)
        if joined:
            lines[-1] += word.strip()
        else:
            lines.append("  " * depth + word.strip())
        opens = is_tag and not closing and word[1:2] not in ("?", "!") and not word.endswith("/>")
        opened, depth = opens or (joined and not closing), depth + opens
    return lines
