"""How Mediagenix's collections, event feed and documents are fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, NoReturn
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from vendorkit.ask import Ask, Span
from vendorkit.errors import AuthError, IncompletePull, MalformedAnswer, UsageError, VendorkitError
from vendorkit.frames import Page, count_of
from vendorkit.http.budget import AT_ONCE
from vendorkit.http.call import Call
from vendorkit.resource import DROP, NEXT, Accept, Cost, Flow, Paging
from vendorkit.vendors.mediagenix.guess import SECOND_PAGE, equal, guessed, numbered

PER_PAGE: Final = 200  # the maximum; larger values are refused with 422
DEFAULT_PER_PAGE: Final = 50  # the vendor's page size if a URL has no `per_page`
PAGES: Final = 10_000  # the most pages (two million records) of a collection without a total, if no limit is given
_SINGLE: Final = {"metadata", "schedule", "note", "workflow", "payload", "log", "api"}


@dataclass(frozen=True)
class Linked(Paging):
    """
    A collection, paged by `next` links, at the root or below a parent.

    Attributes:
        name: The resource's name, for messages.
        path: Its path.
        parents: Filter name to the URL of the collection below that parent, with the name in braces for its id.
        in_root: Whether the collection can be listed without a parent.
    """

    name: str
    path: str
    parents: Mapping[str, str] = field(default_factory=dict)
    in_root: bool = True

    def call(self, ask: Ask, per_page: int = PER_PAGE) -> Call:
        """Return the call for the collection, or for a followed link."""
        params, url = dict(ask.filters), ask.url
        if url is None:
            parent = next((name for name in self.parents if name in params), None)
            if parent is None and not self.in_root:
                what = f"{self.name} can only be listed under a parent."
                filters = ", ".join(f"{name}=<id>" for name in self.parents)
                remedy = f"Give {filters}, or follow a link to them." if filters else "Follow a link to them."
                raise UsageError(what, remedy=remedy)
            url = self.path if parent is None else self.parents[parent].format(**{parent: params.pop(parent)})
        if isinstance(params.get("event_type"), list):
            params["event_type"] = ",".join(params["event_type"])
        single = is_single(url)
        if not single:
            # Some collections (platforms) are paged only on request. The others ignore `pagination` (inferred).
            in_url = parse_qs(urlsplit(url).query, keep_blank_values=True)
            paged = {"per_page": DEFAULT_PER_PAGE if skipped(url) else per_page, "pagination": "true"}
            params |= {name: value for name, value in paged.items() if name not in in_url}
        if ask.expand:
            params["expand"] = ",".join(ask.expand)
        return Call("GET", url, params=params, accept=ask.accept, records=None if single else "entries")  # type: ignore[arg-type]

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept pages by following `next` to the end. The pages of a planned part are fetched by number."""
        if ask.span is not None:
            yield from self._part(ask, ask.span)
            return
        call = self.call(ask, PER_PAGE if ask.limit is None else max(1, min(ask.limit, PER_PAGE)))
        yield [replace(call, url=cursor, params={}) if cursor else call]
        links, rows, first_total, link, guesses = set[str](), 0, None, cursor, deque[str]()
        while (page := (yield from self._next(guesses, replace(call, url=link or "", params={})))) is not None:
            link, total = self.after(call, page, ask)
            if guesses and not (total == first_total and equal(link or "", guesses[0])):
                guesses.clear()
                yield DROP
            rows, first_total = rows + page.rows, total if first_total is None else first_total
            if not link or (not page.rows and total is not None and rows >= total):
                yield Accept(page, link, total)
                return
            # More rows than announced can be copies of records that moved to the next page during the download.
            endless = link in links or not page.rows or (first_total is not None and rows > 2 * first_total + PER_PAGE)
            wanted = [] if guesses else [link]  # the guessed pages are already in the queue
            if not links and cursor is None and total and page.rows:
                last = min(-(-min(total, ask.limit or total) // page.rows), PAGES)
                guesses.extend(guessed(call, page.url, link, last))
                wanted = list(guesses) or wanted
            links.add(link)
            too_many = first_total is None and ask.limit is None and len(links) >= PAGES
            if not (endless or too_many) and (ask.limit is None or rows < ask.limit):
                yield [replace(call, url=url, params={}) for url in wanted]
            yield Accept(page, link, total)
            if too_many:
                stop_counting(self.name)
            if endless:
                what = f"The `next` links of {self.name} form a loop, or have no end."
                raise IncompletePull(what, remedy="Query again; if the error persists, report it to the vendor.")

    def after(self, call: Call, page: Page, ask: Ask) -> tuple[str | None, int | None]:  # noqa: ARG002 - for subclasses
        """Return the link to the page after *page*, for the first *call*, and the total; None if there is none."""
        return link_of(page, "next_link"), total_of(page, ask)

    def _next(self, guesses: deque[str], linked: Call) -> Flow[Page | None]:
        """Return the next page. If it was guessed and was refused, request it again by the link to it, *linked*."""
        try:
            page: Page | None = yield NEXT
        except VendorkitError as exc:
            if not guesses or exc.status is None or isinstance(exc, AuthError):
                raise
        else:
            if guesses:
                guesses.popleft()
            return page
        guesses.clear()
        yield DROP
        yield [linked]
        return (yield NEXT)  # type: ignore[no-any-return]

    def adjacent(self, ask: Ask, cursor: Any, one: Accept) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the vendor's link to the previous page, and the one to the next."""
        return link_of(one.page, "prev_link"), one.cursor

    def split(self, ask: Ask, parts: int) -> Flow[list[Ask]]:
        """
        Plan ranges of pages, if the collection announces its total and the first `next` link has `page=2`.

        That later pages have the same URL with their number is inferred; the rows are compared with the total.
        """
        call = self.call(ask)
        if call.records is None:
            return [ask]
        page = yield call
        total, link = total_of(page, ask), link_of(page, "next_link")
        if not total or not page.rows or not link or not SECOND_PAGE.search(link):
            return [ask]
        size, pages = page.rows, -(-total // page.rows)  # a followed URL may ask for smaller pages
        edges = sorted({pages * part // parts for part in range(parts + 1)})
        return [
            replace(ask, span=Span(min(stop * size, total) - start * size, [link, start, stop, total]))
            for start, stop in pairwise(edges)
        ]

    def _part(self, ask: Ask, span: Span) -> Flow[None]:
        link, start, stop, total = span.asked
        call = replace(self.call(ask), params={})
        yield [replace(call, url=url) for url in numbered(link, range(start + 1, stop + 1))]
        while (page := (yield NEXT)) is not None:
            if (current := total_of(page, ask)) != total:
                what = f"{self.name} changed: the total is {current} instead of {total}."
                raise IncompletePull(what, remedy="Create the Dask frame again.")
            yield Accept(page, None, span.rows)

    def count(self, ask: Ask) -> Flow[int | None]:
        """Read the total from a page of one record. A single resource counts as one record."""
        call = self.call(replace(ask, accept="json", expand=()), 1)
        page = yield call
        return page.rows if call.records is None else total_of(page, ask)

    def cost(self, ask: Ask, rows: int) -> Cost:
        """Count the pages."""
        if self.call(ask, 1).records is None:
            return super().cost(ask, rows)
        why = f"pages of {PER_PAGE} link to each other; numbered pages are requested a few at once, and checked"
        return Cost(max(1, -(-rows // PER_PAGE)), "links", why, AT_ONCE)

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """GET the record by its path. For notes and others without ids, raise the error that names their parents."""
        if self.path == "/api":
            self.call(ask)
        page: Page = yield Call("GET", f"{self.path}/{quote(identifier, safe='')}")
        return page


@dataclass(frozen=True)
class Events(Linked):
    """The change feed: batches of events after an id, oldest first. Without `newer_than`: only the last 50 events."""

    split = Paging.split  # not divided, because the request for a batch needs the last id of the previous one

    def call(self, ask: Ask, per_page: int = PER_PAGE) -> Call:
        """Return the call. The query of a followed link becomes parameters, because the next batch has another id."""
        call = super().call(ask, per_page)
        url, _, query = call.url.partition("?")
        return replace(call, url=url, params={**parse_qs(query), **call.params})

    def after(self, call: Call, page: Page, ask: Ask) -> tuple[str | None, int | None]:  # noqa: ARG002 - as above
        """Return the URL of the batch after the last id of *page*. A total, if any, may be that of the other events."""
        if not page.rows or "newer_than" not in call.params:
            return None, None
        return f"{call.url}?{urlencode({**call.params, 'newer_than': page.values('id')[-1]}, doseq=True)}", None


@dataclass(frozen=True)
class Documents(Linked):
    """Account-defined metadata: one document per entity, returned as one column of JSON text."""

    def call(self, ask: Ask, per_page: int = PER_PAGE) -> Call:
        """Return the call for the document, in JSON."""
        return super().call(replace(ask, accept="json"), per_page)

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:  # noqa: ARG002
        """Accept a record whose only value is the document."""
        yield [self.call(ask)]
        yield Accept((yield NEXT).under("metadata"))


@dataclass(frozen=True)
class Unknown(Linked):
    """An undeclared resource: a collection if the response has the form of one, else a single record."""

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept the pages of the collection, or the single record."""
        call = self.call(ask)
        try:
            if call.records is not None:
                yield self.call(ask, 1)
        except MalformedAnswer:
            yield [replace(call, records=None)]
            yield Accept((yield NEXT))
        else:
            yield from super().pages(ask, cursor)

    def count(self, ask: Ask) -> Flow[int | None]:
        """Read the total from a page of one record. A single resource counts as one record."""
        try:
            return (yield from super().count(ask))
        except MalformedAnswer:
            return 1


def stop_counting(name: str) -> NoReturn:
    """Raise the error for a collection that may have no end."""
    what = f"{name} sent {PAGES:,} pages without a total, and may have no end."
    raise IncompletePull(what, remedy="To fetch more, pass limit=. A dataset continues with the next save().")


def is_single(url: str) -> bool:
    """Return whether *url* is the URL of a single resource and not of a collection."""
    last = urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
    return last in _SINGLE or (last.isascii() and last.isdecimal())


def total_of(page: Page, ask: Ask) -> int | None:
    """Return `total_entries`, less the records before a followed page; None if the collection does not have it."""
    total = count_of(page.envelope.get("total_entries"))
    return None if total is None else max(total - skipped(ask.url or ""), 0)


def skipped(url: str) -> int:
    """Return how many records are on the pages before *url*, according to its page number."""
    query = dict(parse_qsl(urlsplit(url).query))
    number, size = (count_of(query.get(name)) for name in ("page", "per_page"))
    return max((number or 0) - 1, 0) * (DEFAULT_PER_PAGE if size is None else size)


def link_of(page: Page, name: str) -> str | None:
    """Return the link *name* to another page of the collection; None if there is none."""
    link = page.envelope.get(name)
    if link is not None and not isinstance(link, str):
        what = f"The `{name}` of a page is not a string."
        raise MalformedAnswer(what, remedy="Query again; if the error persists, report it to the vendor.")
    return link
