"""
Medipim, API v4: health products, brands and what belongs to them.

HTTP Basic with the key's id and secret; queries by POST that only read; pages of at most 250 within a window of 10,000;
past the window a stream of JSON lines, or windows by time of creation. Facts as of 2026-11; what the vendor does not
document is marked "inferred".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from requests.auth import AuthBase

from vendorkit.auth import Basic
from vendorkit.errors import IncompletePull, MalformedAnswer
from vendorkit.frames import Page, Schema
from vendorkit.http.call import Call
from vendorkit.pages import Each, P, Reader, Records, ahead, side_by_side
from vendorkit.query import Query, Span
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client, Environment
from vendorkit.vendors.medipim.changes import Updated
from vendorkit.vendors.medipim.lines import BLOCK_BYTES, WindowReader, is_lines, read_lines, whole_lines
from vendorkit.vendors.medipim.lookup import PAGE_SIZES, Lookup, body_of, object_of
from vendorkit.vendors.medipim.resources import RESOURCES
from vendorkit.vendors.medipim.schema import schema_for
from vendorkit.vendors.medipim.windows import WINDOW, Windows, pages_as_spans

STRATEGIES: Final = ("stream", "windows")  # past the window
# The documented budget is 100 a minute and key; a few are left for clocks that differ.
RATES: Final = ((97, 60.0),)


class Windowed(Updated):
    """
    Products and media: pages of up to 250 inside the window of 10,000; past it the stream, or windows of `createdAt`.

    The stream gives the query's own order. Windows come oldest first, and each in the query's order.
    """

    def first_call(self, query: Query) -> Call:
        """POST …/query for the first page."""
        return self._call(query, 0, PAGE_SIZES[-1])

    def _call(self, query: Query, number: int, size: int) -> Call:
        # inferred: `filter` is required for these two, and {} asks for everything.
        body = {"filter": {}, **body_of(query), "page": {"no": number, "size": size}}
        return Call("POST", query.resource.path, json=body, repeatable=True)

    def pages(self, query: Query, reader: Reader[P], limit: int | None, after: Any = None) -> Iterator[P]:
        """Yield pages; where there may be more records than they show, pages of windows or blocks of the stream."""
        if query.span is not None:
            yield from self._windows(query).within(reader, query.span)
            return
        if isinstance(after, str):
            yield from self._windows(query).pages(reader, after)
            return
        size = PAGE_SIZES[-1] if limit is None else next((s for s in PAGE_SIZES if s >= limit), PAGE_SIZES[-1])
        first = after or 0

        def fetch(number: int) -> bytes:
            return query.client.session.send(self._call(query, number, size)).content

        page = reader.read(fetch(first))
        total = self.total(page.envelope)
        if total is None:  # to take it for the last page would lose the others
            what = f"{query.client.title}: a page of {query.resource.name} does not say how many there are."
            raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.")
        if first == 0 and total >= WINDOW and (limit is None or limit > WINDOW):
            by_windows = query.strategy == "windows"
            yield from self._windows(query).pages(reader, None) if by_windows else self._stream(query, reader)
            return
        yield page
        wanted = total if limit is None else min(limit, total)
        yield from reader.read_all(side_by_side(fetch, range(first + 1, -(-wanted // size))))

    def calls(self, query: Query, rows: int) -> int:
        """Count the pages; past the window the first page and the stream, or pages that windows leave half full."""
        pages = max(1, -(-rows // PAGE_SIZES[-1]))
        if rows <= WINDOW:
            return pages
        return pages + 2 * -(-rows // WINDOW) if query.strategy == "windows" else 2

    def resume_at(self, envelope: Mapping[str, Any]) -> str | int | None:
        """Return the next page's number or place in the windows; None in the stream, which starts at 0 each time."""
        if isinstance(envelope.get("after"), str):
            return str(envelope["after"])
        meta = envelope.get("meta")
        page = meta.get("page") if isinstance(meta, dict) else None
        page = page if isinstance(page, dict) else {}
        return page["no"] + 1 if isinstance(page.get("no"), int) and page.get("size") == PAGE_SIZES[-1] else None

    def count(self, query: Query) -> int | None:
        """Ask for the smallest page; its total is never above the window, past which the stream says how many."""
        total = super().count(query)
        return self.exact_total(query) if total is not None and total >= WINDOW else total

    def ranges(self, query: Query, parts: int) -> list[Span]:
        """Plan parts: ranges of pages inside the window, windows past it."""
        total = super().count(query) or 0
        return pages_as_spans(total, parts) if total < WINDOW else self._windows(query).spans(parts)

    def _windows(self, query: Query) -> Windows:
        return Windows(query, self._call, self.exact_total, self.total)

    def exact_total(self, query: Query) -> int:
        """Return the exact total: the first line of the stream says it, the rest is not read."""
        start = b""
        with query.client.session.stream(self._stream_call(query)) as parts:
            for part in parts:
                start += part
                if b"\n" in start or len(start) > BLOCK_BYTES:
                    break
        return (self.total(object_of(start.split(b"\n", 1)[0], query.client, query.resource)) or 0) if start else 0

    @staticmethod
    def _stream_call(query: Query) -> Call:
        path = query.resource.path.replace("/query", "/stream")
        return Call("POST", path, json={"filter": {}, **body_of(query)}, repeatable=True)

    def _stream(self, query: Query, reader: Reader[P]) -> Iterator[P]:
        """Yield blocks of whole lines; their indexes must run from 0 to the total without a gap."""
        expected, total = 0, 0
        with query.client.session.stream(self._stream_call(query)) as parts:
            for page in reader.read_all(ahead(whole_lines(parts))):
                meta = page.envelope.get("meta", {})
                if meta.get("first_index") != expected or meta.get("total") is None:
                    _broken(query, expected, total)
                expected, total = meta["last_index"] + 1, meta["total"]
                if expected > total:
                    _broken(query, expected, total)
                yield page
        # An empty stream is not one without records: it is asked for only where pages announced more than they show.
        if expected != total or not total:
            _broken(query, expected, total)

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Read pages of `results`, or a block of the stream's lines."""
        return WindowReader(schema, query.client.session.redactor)

    def record_reader(self, query: Query) -> Reader[Records]:
        """Read a page, or a block of the stream's lines, as plain dicts."""
        page = super().record_reader(query)

        def read(body: bytes) -> Records:
            if not is_lines(body):
                return page.read(body)
            return read_lines(body, f"{query.client.title}: the stream of {query.resource.name}")

        return Each(read)


def _broken(query: Query, expected: int, total: int) -> None:
    what = f"The stream of {query.resource.name} broke off: {expected:,} of {total:,} records came."
    raise IncompletePull(what, remedy="Pull again.")


class Medipim(Client):
    """A Medipim client: `products`, `media`, `brands`, `organizations`, `public_categories` and more."""

    vendor_name = "medipim"
    label = "Medipim"
    setting_names = ("MEDIPIM_COUNTRY", "MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")
    environments = {  # noqa: RUF012 - a constant
        "sandbox": Environment("https://api.sandbox.{host}", RATES),
        "production": Environment("https://api.{host}", RATES),
    }

    @property
    def country(self) -> str:
        """The country whose platform this is: be, fr, de, es, au or us."""
        return (self.settings.get("MEDIPIM_COUNTRY") or "be").lower()

    def declare(self) -> Sequence[Resource]:
        """Return the resources with the country's identifiers and locales."""
        styles = {
            "products": Windowed("/v4/products/find", ("product", "brand")),
            "media": Windowed("/v4/media/find", ("mediaItem",)),
            "brands": Lookup("/v4/brands/find", ("brand",)),
            "organizations": Lookup("/v4/organizations/find", ("organisationItem", "organization")),
            "attributes": Lookup("/v4/product/attributes/find", ("attribute", "newsItem")),
            "attribute_options": Lookup("/v4/product/attribute/options/find", ("attributeOption",)),
        }
        return [
            Resource(
                name,
                about,
                path,
                schema_for(name, self.country),
                styles.get(name) or Lookup(),
                filters(self.country),
                sort_keys,
                strategies=STRATEGIES if name in ("products", "media") else (),
                nests=True,
            )
            for name, (about, path, filters, sort_keys) in RESOURCES.items()
        ]

    def schemes(self) -> Mapping[str, AuthBase]:
        """HTTP Basic, for everything."""
        return {"default": Basic(*self.credential_pairs()[0])}

    def credential_pairs(self) -> list[tuple[str, str]]:
        """The key's id and secret."""
        names = ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")
        found = self.settings.require(names, why=self.title)
        return [(found[names[0]], found[names[1]])]

    def ping(self) -> str:
        """Count the brands."""
        return f"the key is accepted; there are {self.brands.query().count():,} brands."

    def may_repeat(self, method: str, path: str) -> bool:
        """Queries, streams and checks are POSTs that only read."""
        reads = ("/query", "/stream", "/check/subscription")
        return super().may_repeat(method, path) or path.endswith(reads)
