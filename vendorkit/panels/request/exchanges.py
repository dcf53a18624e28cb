"""The HTTP requests of a download: one line each, and one in full, with credentials masked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import ipywidgets as widgets

from vendorkit.auth.interrupts import shielded
from vendorkit.http.exchanges import Exchange, masked_body
from vendorkit.panels.base import FIELD, LIST, WRAP, OnError, entry
from vendorkit.panels.markup import counted, dim_html, escaped, foldable_html, info_html, pretty, scrolled_html
from vendorkit.vendors.client import Client

SHOWN_BYTES: Final = 100_000  # of each body
_MARGIN_BYTES: Final = 20_000  # recorded in addition, because a credential that the limit cuts in two is not recognised
_MAX_PRETTY_CHARACTERS: Final = 10**6
_HEADS: Final = ("#", "request", "page", "status", "records", "size", "time", "hits")


class ExchangePane(widgets.VBox):  # type: ignore[misc]
    """The exchanges of one download as a table. One of them is open, and all can be searched."""

    def __init__(self, client: Client, on_error: OnError) -> None:
        self._client, self._shown = client, list[Exchange]()
        self._texts: dict[int, list[tuple[str, str]]] = {}
        self._numbers = range(0)
        client.session.exchanges.keep_bytes = SHOWN_BYTES + _MARGIN_BYTES
        self._table, self._open = widgets.HTML(), widgets.HTML()
        self._chooser = entry(widgets.Dropdown, "Open", self._open_chosen, on_error, **LIST)
        self.search = entry(widgets.Text, "Search", self._find, on_error, continuous_update=False, **FIELD)
        super().__init__([self._table, widgets.HBox([self._chooser, self.search], layout=WRAP), self._open])

    def show(self, first: int) -> None:
        """Show the exchanges of the client's session from number *first* on, unless they are already shown."""
        if self._numbers == (numbers := range(first, self._client.session.exchanges.total + 1)):
            return
        self._numbers = numbers
        recorded = [exchange for exchange in self._client.session.exchanges.all() if exchange.number >= first]
        self._shown, self._texts = sorted(recorded, key=lambda exchange: exchange.started), {}
        self._left_out = len(numbers) - len(recorded)
        labels = [(f"{n}: {_target(exchange)}", n - 1) for n, exchange in enumerate(self._shown, 1)]
        self._chooser.options = labels
        self._chooser.index = 0 if labels else None
        self._find()

    def _parts(self, number: int) -> list[tuple[str, str]]:
        """Return the titles and texts of headers and bodies, with credentials masked."""
        if number not in self._texts:
            exchange = self._shown[number]
            bodies = [("Request body", exchange.body.sent), ("Response body", exchange.body.start)]
            texts = shielded(lambda: [(name, self._readable(body)) for name, body in bodies if body])
            self._texts[number] = [("Headers", exchange.text()), *texts]
        return self._texts[number]

    def _readable(self, body: bytes) -> str:
        mask = self._client.session.redactor.mask
        # Masked before formatting, which could split a credential, and after, which may reveal an escaped one.
        (text,) = mask([masked_body(body.decode("utf-8", "replace"))], limit=SHOWN_BYTES)
        (text,) = mask([pretty(text)], limit=_MAX_PRETTY_CHARACTERS)
        return text if len(body) < SHOWN_BYTES else f"{text}\n… the rest was not recorded"

    def _find(self) -> None:
        """Count the hits in each exchange, and open the first one with a hit unless the open one has some."""
        term, numbers = self.search.value.casefold(), range(len(self._shown))
        hits = [sum(text.casefold().count(term) for _, text in self._parts(n)) if term else 0 for n in numbers]
        rows = [_row(n + 1, self._shown[n], hits[n]) for n in numbers]
        table = info_html(rows, _HEADS if term else _HEADS[:-1])
        left_out = f"{counted(self._left_out, 'earlier request')} not recorded. " if self._left_out else ""
        total = dim_html(f"{left_out}{_total(self._shown)}")
        self._table.value = scrolled_html(table, "Exchanges") + total if self._shown else ""
        if any(hits) and self._chooser.value is not None and not hits[self._chooser.value]:
            self._chooser.value = next(n for n in numbers if hits[n])
        else:
            self._open_chosen()

    def _open_chosen(self) -> None:
        number, term = self._chooser.value, self.search.value
        parts = [] if number is None else self._parts(number)
        shown = [f"<h4>{title}</h4>{foldable_html(text, term, f'Copy {title.lower()}')}" for title, text in parts]
        self._open.value = "".join(shown)


def _target(exchange: Exchange) -> str:
    status: Any = exchange.status if exchange.status is not None else "no response"
    return f"{exchange.method} {urlsplit(exchange.url).path or '/'} → {status}"


def _page(exchange: Exchange) -> str:
    """Return the paging parameters of the request, by the vendor's names."""
    parameters = {name: value for name, value in parse_qsl(urlsplit(exchange.url).query) if "page" in name}
    with suppress(ValueError, TypeError, LookupError):
        page = json.loads(exchange.body.sent)["page"]
        parameters |= page if isinstance(page, dict) else {"page": page}
    return ", ".join(f"{name} {value}" for name, value in parameters.items())


def _row(number: int, exchange: Exchange, hits: int) -> list[str]:
    method_path, _, status = _target(exchange).partition(" → ")
    body, milliseconds = exchange.body, (_end(exchange) - exchange.started) * 1000
    records = "" if body.records is None else f"{body.records:,}"
    cells = [number, method_path, _page(exchange), status, records, size_text(body.size), f"{milliseconds:,.0f} ms"]
    return [escaped(str(cell)) for cell in [*cells, *[hits] * bool(hits)]]


def _end(exchange: Exchange) -> float:
    return max(exchange.started + exchange.seconds, exchange.body.ended)


def _total(shown: Sequence[Exchange]) -> str:
    bodies = [exchange.body for exchange in shown]
    records, size = sum(body.records or 0 for body in bodies), size_text(sum(body.size for body in bodies))
    seconds = max(map(_end, shown)) - shown[0].started if shown else 0.0
    return f"Total: {counted(len(shown), 'request')}, {counted(records, 'record')}, {size}, {seconds:.1f} s."


def size_text(size: int) -> str:
    """Return a number of bytes with its unit."""
    factor, unit = (10**6, "MB") if size >= 10**6 else (10**3, "kB")
    return f"{size:,} bytes" if size < 10**3 else f"{size / factor:,.1f} {unit}"
