"""How Mediagenix's collections are paged, its event feed followed and its documents read. Facts as of 2026-11."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import JsonReader, Page, Schema, XmlReader
from vendorkit.frames.elements import link_at_head
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call
from vendorkit.pages import Each, P, Reader, Records, announced, read_records, side_by_side
from vendorkit.query import Query, Span
from vendorkit.resource import Resource
from vendorkit.vendors.client import Client
from vendorkit.vendors.mediagenix import schema as declared

PER_PAGE: Final = 200  # more is refused with 422
_SINGLE = {"metadata", "schedule", "note", "workflow", "api"}


@dataclass(frozen=True)
class Linked:
    """
    A collection: pages by `next` links, at its own address or below a parent.

    Attributes:
        parents: Filter name to the address of the collection below that parent, `{}` standing for its id.
        own: Whether the collection also has an address of its own.
    """

    parents: Mapping[str, str] = field(default_factory=dict)
    own: bool = True

    def first_call(self, query: Query) -> Call:
        """GET the collection, or the followed address."""
        return self._call(query, PER_PAGE)

    def _call(self, query: Query, per_page: int) -> Call:
        params = dict(query.filters)
        url = query.url
        if url is None:
            parent = next((name for name in self.parents if name in params), None)
            if parent is None and not self.own:
                what = f"{query.resource.name} have no address of their own."
                hints = [f"give {name}=<id>" for name in self.parents]
                raise UsageError(what, remedy=f"{', or '.join((*hints, 'follow a link to them')).capitalize()}.")
            url = query.resource.path if parent is None else self.parents[parent].format(params.pop(parent))
        if isinstance(params.get("event_type"), list):
            params["event_type"] = ",".join(params["event_type"])
        if not is_single(url):
            # Some collections (platforms) are paged only on request; the others ignore the word (inferred).
            params |= {"per_page": per_page, "pagination": "true"}
        if query.expand:
            params["expand"] = ",".join(query.expand)
        return Call("GET", url, params=params, accept="xml" if query.accept == "xml" else "json")

    def pages(self, query: Query, reader: Reader[P], limit: int | None, after: Any = None) -> Iterator[P]:
        """Yield pages, following `next` until there is none; those of a planned part by their numbers."""
        if query.span is not None:
            yield from self._within(query, reader, query.span)
            return
        call = self._call(query, PER_PAGE if limit is None else max(1, min(limit, PER_PAGE)))
        call = replace(call, url=after, params={}) if after else call
        seen, rows = set[str](), 0
        while True:
            followed: deque[str] = deque()
            most = None if limit is None else max(1, -(-limit // PER_PAGE))
            for page in reader.read_all(islice(self._bodies(query, call, followed), most)):
                yield page
                link, total = self.resume_at(page.envelope), self.total(page.envelope)
                rows += page.rows
                if not link or (not page.rows and total is not None and rows >= total):
                    return
                # A few more than announced may be copies, of records that moved to the next page meanwhile.
                if link in seen or not page.rows or (total is not None and rows > 2 * total + PER_PAGE):
                    what = f"The `next` links of {query.resource.name} go in a circle, or have no end."
                    raise IncompletePull(what, remedy="Pull again; if it stays, tell the vendor.")
                if followed and followed.popleft() != link:
                    what = f"A page of {query.resource.name} has two `next` links."
                    raise IncompletePull(what, remedy="Pull again; if it stays, tell the vendor.")
                seen.add(link)
            call = replace(call, url=link or "", params={})

    def _bodies(self, query: Query, call: Call, followed: deque[str]) -> Iterator[bytes]:
        """Yield answers as long as the next one's address shows at their head: it is fetched while they are read."""
        while True:
            body = query.client.session.send(call).content
            link = link_at_head(body, "next") if query.accept == "xml" else None
            if link is None or link in followed:
                yield body
                return
            followed.append(link)
            yield body
            call = replace(call, url=link, params={})

    def ranges(self, query: Query, parts: int) -> list[Span]:
        """
        Plan ranges of pages, where the collection says its total and the first `next` link numbers the second page.

        That all pages are numbered as the second one is inferred; what comes is counted against the total.
        """
        call = self._call(query, PER_PAGE)
        if is_single(call.url):
            return []
        reader = self.reader(query, query.schema.project(query.schema.arrow.names[:1]))
        around = reader.read(query.client.session.send(call).content).envelope
        total, link = self.total(around), self.resume_at(around)
        if not total or not link or not re.search(r"[?&]page=2(?=&|$)", link):
            return []
        pages = -(-total // PER_PAGE)
        edges = sorted({pages * part // parts for part in range(parts + 1)})
        sizes = [min(stop * PER_PAGE, total) - start * PER_PAGE for start, stop in pairwise(edges)]
        return [Span(size, [link, *ends, total]) for size, ends in zip(sizes, pairwise(edges), strict=True)]

    def _within(self, query: Query, reader: Reader[P], span: Span) -> Iterator[P]:
        link, start, stop, total = span.asked
        first = self._call(query, PER_PAGE)

        def fetch(number: int) -> bytes:
            url = re.sub(r"([?&]page=)2(?=&|$)", rf"\g<1>{number}", link)
            return query.client.session.send(replace(first, url=url, params={})).content

        for page in reader.read_all(side_by_side(fetch, range(start + 1, stop + 1))):
            if (found := self.total(page.envelope)) != total:
                what = f"{query.resource.name} changed: there are {found} where {total} were planned."
                raise IncompletePull(what, remedy="Make the Dask frame again.")
            yield cast("P", replace(cast("Any", page), envelope={**page.envelope, "total_entries": span.rows}))

    def resume_at(self, envelope: Mapping[str, Any]) -> str | None:
        """Return the `next` link."""
        link = envelope.get("next") or envelope.get("next_link")
        return str(link) if link else None

    def total(self, envelope: Mapping[str, Any]) -> int | None:
        """Return `total-entries`, where the collection has it."""
        return announced(envelope.get("total_entries"))

    def count(self, query: Query) -> int | None:
        """Ask for a page of one record and read its total; what is no collection is one."""
        asked = replace(query, accept="json", expand=())
        call = self._call(asked, 1)
        page = self.record_reader(asked).read(query.client.session.send(call).content)
        return page.rows if is_single(call.url) else self.total(page.envelope)

    def calls(self, query: Query, rows: int) -> int:
        """Count the pages."""
        return 1 if is_single(self._call(query, 1).url) else max(1, -(-rows // PER_PAGE))

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Read the form that was asked for."""
        if query.accept == "xml":
            return XmlReader(schema)
        return JsonReader(schema, records=None if is_single(self._call(query, 1).url) else "entries")

    def record_reader(self, query: Query) -> Reader[Records]:
        """Read JSON as plain dicts."""

        def read(body: bytes) -> Records:
            answer = json_object(body, query.client.title)
            if "entries" not in answer:
                return Records([answer])
            return read_records(answer, "entries", f"{query.client.title}: {query.resource.name}")

        return Each(read)

    def get(self, client: Client, resource: Resource, identifier: str) -> dict[str, Any]:
        """GET the record at its own address."""
        call = Call("GET", f"{resource.path}/{quote(identifier, safe='')}")
        return dict(json_object(client.session.send(call).content, client.title))


class Events(Linked):
    """The change feed: batches after an id, oldest first; without `newer_than` the last 50 alone."""

    def ranges(self, query: Query, parts: int) -> list[Span]:  # noqa: ARG002
        """Return no parts: each batch is asked for by the last id of the one before."""
        return []

    def pages(
        self,
        query: Query,
        reader: Reader[P],
        limit: int | None,
        after: Any = None,  # noqa: ARG002
    ) -> Iterator[P]:
        """Yield batches; each asks for what is newer than the last id of the one before."""
        ids = self.reader(query, declared.schema("events").project(["id"]))
        call = self._call(query, PER_PAGE if limit is None else max(1, min(limit, PER_PAGE)))
        seen = set[str]()
        while True:
            body = query.client.session.send(call).content
            page = reader.read(body)
            yield page
            last = ids.read(body).table["id"].to_pylist()[-1:]
            if not last or "newer_than" not in query.filters:
                return
            if last[0] is None or last[0] in seen:
                what = "The change feed repeats itself."
                raise IncompletePull(what, remedy="Pull again; if it stays, tell the vendor.")
            seen.add(last[0])
            call = replace(call, params={**call.params, "newer_than": last[0]})

    def resume_at(self, envelope: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """Return None: where the feed goes on stands in its records, not around them."""
        return None


class Documents(Linked):
    """Account-defined metadata: one free document for each entity, given as one column of JSON text."""

    def ranges(self, query: Query, parts: int) -> list[Span]:  # noqa: ARG002
        """Return no parts: there is one document."""
        return []

    def reader(self, query: Query, schema: Schema) -> Reader[Page]:
        """Read a document as the one value of one record."""
        inner = super().reader(replace(query, accept="json", url="/api/titles"), schema)
        return Each(lambda body: inner.read(b'{"entries":[{"metadata":' + body + b"}]}"))

    def first_call(self, query: Query) -> Call:
        """GET the document, in JSON."""
        return super().first_call(replace(query, accept="json"))

    def _call(self, query: Query, per_page: int) -> Call:
        return super()._call(replace(query, accept="json"), per_page)


def is_single(url: str) -> bool:
    """Tell whether *url* leads to one resource and not to a collection."""
    last = urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
    return last in _SINGLE or bool(re.fullmatch(r"[0-9]+", last))
