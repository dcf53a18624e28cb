"""
How Medipim's endpoints are queried: small resources in one response; products and media in pages, a stream or windows.

Pages have at most 250 records and show the first 10,000. Larger results are fetched as a stream of JSON lines, in the
query's order, or in windows by time of creation, oldest first. What the vendor does not document is marked "inferred".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from vendorkit.ask import Ask
from vendorkit.errors import IncompletePull, MalformedAnswer, NotFound
from vendorkit.frames import Page, page_of
from vendorkit.http.budget import AT_ONCE
from vendorkit.http.call import Call
from vendorkit.resource import NEXT, Accept, Cost, Flow, Paging
from vendorkit.vendors.medipim.windows import PAGE, WINDOW, Windows, pages_as_spans, total_of

PAGE_SIZES: Final = (10, 50, 100, PAGE)


def filter_of(ask: Ask) -> dict[str, Any]:
    """Return the member "filter" of a body, whose value is an object with one key; {} if everything matches."""
    parts = [{name: value} for name, value in ask.filters.items()]
    parts += [dict(ask.where)] if ask.where else []
    # The documents do not say whether the bound is included, so the request starts one second earlier.
    parts += [{"updatedSince": ask.since.at - 1}] if ask.since else []
    return {"filter": {"and": parts} if len(parts) > 1 else parts[0]} if parts else {}


def found_by_id(records: list[dict[str, Any]], key: str, identifier: str, name: str) -> dict[str, Any]:
    """Return the record with this id; `NotFound` if there is none."""
    for record in records:
        if str(record.get(key)) == identifier:
            return record
    what = f"Medipim has no record {identifier!r} in {name}."
    raise NotFound(what, remedy="Check the id.")


@dataclass(frozen=True)
class Lookup(Paging):
    """
    A small resource: its query returns all records at once if no page is requested.

    Attributes:
        name: The resource's name, for messages.
        path: The path of the query.
        find_path: The path of one record by its id, if the vendor has one.
        roots: The possible keys of the record in the response; several pages of the vendor misprint the key.
        sort: The default sort key; "" for none.
        locale: The locale for sorting by a localised name; "" if the names of the resource are not localised.
        codes: Whether ids are texts.
    """

    name: str
    path: str
    find_path: str | None = None
    roots: tuple[str, ...] = ()
    sort: str = ""
    locale: str = ""
    codes: bool = False

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """POST …/query without a page, or for the one page that a small limit needs."""
        size = next((size for size in PAGE_SIZES if ask.limit is not None and size >= ask.limit), None)
        yield [self.call(ask, cursor or 0, size)]
        page = yield NEXT
        yield Accept(page, total=total_of(page))

    def adjacent(self, ask: Ask, cursor: Any, one: Accept) -> tuple[Any, Any]:
        """Return the numbers of the pages before and after."""
        number = cursor or 0
        more = (number + 1) * (ask.limit or PAGE) < (one.total or 0)
        return number - 1 if number else None, number + 1 if more else None

    def count(self, ask: Ask) -> Flow[int | None]:
        """Read the total of the smallest page."""
        return total_of((yield self.smallest(ask)))

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """GET …/find if the vendor has it, else query by id."""
        if self.find_path is None:
            value = int(identifier) if identifier.isdecimal() and not self.codes else identifier
            page: Page = yield self.call(replace(ask, filters={"id": value}), 0, PAGE_SIZES[0])
            return page_of([found_by_id(page.records(), "id", identifier, self.name)])
        answer = (yield Call("GET", self.find_path, params={"id": identifier})).records()[0]
        record = next((answer[root] for root in self.roots if isinstance(answer.get(root), dict)), None)
        if record is None:
            what = f"The response of {self.find_path} has none of the keys {', '.join(self.roots)}."
            raise MalformedAnswer(what, remedy="Use client.get(path) to see the raw response.")
        return page_of([record])

    def arguments_of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the nested filter and the sort key."""
        sorting = body.get("sorting")
        ((key, order),) = sorting.items() if isinstance(sorting, dict) and len(sorting) == 1 else (("", None),)
        descending = "DESC" in (order, order.get("direction") if isinstance(order, dict) else None)
        sort = f"{'-' * descending}{key}"
        return {"where": body.get("filter") or None, "sort": sort if sort not in ("", self.sort) else None}

    def smallest(self, ask: Ask) -> Call:
        """Return the call for the smallest page, which contains the total."""
        return self.call(ask, 0, PAGE_SIZES[0])

    def call(self, ask: Ask, number: int, size: int | None) -> Call:
        """Return the call for one page, or for all records at once if *size* is None."""
        body = self.body(ask) | ({} if size is None else {"page": {"no": number, "size": size}})
        return Call("POST", self.path, json=body, repeatable=True, records="results")

    def body(self, ask: Ask) -> dict[str, Any]:
        """Return filter and sorting in the vendor's form: objects with one key each."""
        body = filter_of(ask)
        if sort := ask.sort or self.sort:
            key, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
            by_locale = key == "name" and self.locale
            body["sorting"] = {key: {"direction": direction, "locale": self.locale} if by_locale else direction}
        return body


@dataclass(frozen=True)
class Whole(Paging):
    """
    A list that the vendor sends in one response.

    Attributes:
        name: The resource's name, for messages.
        path: Its path.
        method: GET, or POST with the filter.
        key: The member that identifies a record.
        member: The member of the response that contains the records; None if the response is a list of them.
    """

    name: str
    path: str
    method: str
    key: str
    member: str | None = None

    def call(self, ask: Ask) -> Call:
        """Return the one call. POST requires a filter; {} matches everything."""
        body = {"filter": {}, **filter_of(ask)} if self.method == "POST" else None
        return Call(self.method, self.path, json=body, repeatable=True, records=self.member)

    def arguments_of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the nested filter."""
        return {"where": body.get("filter") or None}

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:  # noqa: ARG002 - there is one page
        """Accept the records of the response. Some responses have a total."""
        yield [self.call(ask)]
        page = yield NEXT
        yield Accept(page, total=total_of(page))

    def count(self, ask: Ask) -> Flow[int | None]:
        """Fetch the records and count them: the response is small."""
        return (yield self.call(ask)).rows  # type: ignore[no-any-return]

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """Fetch the list and return the page of one of its records."""
        records = (yield self.call(ask)).records()
        return page_of([found_by_id(records, self.key, identifier, self.name)])


@dataclass(frozen=True)
class Windowed(Lookup):
    """
    Products and media: pages for the first 10,000 records; for more, a stream or windows.

    Attributes:
        remaining: How many requests the rate budget allows now; None if it has no limit. If the pages would have to
            wait for the budget, the records are streamed, which takes one request.
    """

    remaining: int | None = None

    def for_budget(self, requests: int | None) -> Windowed:
        """Return this paging with so many remaining *requests*."""
        return replace(self, remaining=requests)

    def _waits(self, ask: Ask, pages: int) -> bool:
        """Return whether *pages* would have to wait, but the first page and a stream would not."""
        return self.remaining is not None and ask.strategy == "stream" and pages > max(2, self.remaining)

    def body(self, ask: Ask) -> dict[str, Any]:
        """Return filter and sorting. The filter is required here; {} matches everything (inferred)."""
        return {"filter": {}, **super().body(ask)}

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept pages. If pages cannot show all records, accept those of windows, or the blocks of a stream."""
        if ask.span is not None:
            yield from self._windows().span(ask, ask.span)
        elif isinstance(cursor, str):
            yield from self._windows().pages(ask, (yield from self.exact_total(ask)), cursor)
        else:
            yield from self._numbered(ask, cursor or 0)

    def _numbered(self, ask: Ask, first: int) -> Flow[None]:
        limit = ask.limit
        size = next((size for size in PAGE_SIZES if limit is not None and size >= limit), PAGE)
        page = yield self.call(ask, first, size)
        total = total_of(page)
        if total is None:  # without a total, the number of pages is unknown
            what = f"A page of Medipim's {self.name} has no total."
            raise MalformedAnswer(what, remedy="Try again; if the error persists, report it to the vendor.")
        wanted = total if limit is None else min(limit, total)
        is_large = total >= WINDOW and (limit is None or limit > WINDOW)
        if first == 0 and is_large and ask.strategy == "windows":
            yield from self._windows().pages(ask, (yield from self.exact_total(ask)))
            return
        if first == 0 and (is_large or self._waits(ask, -(-wanted // size))):
            yield from self._stream(ask)
            return
        yield [self.call(ask, number, size) for number in range(first + 1, -(-wanted // size))]
        number = first
        while page is not None:
            number += 1
            yield Accept(page, number if size == PAGE else None, total_of(page))
            page = yield NEXT

    def _stream(self, ask: Ask) -> Flow[None]:
        """Accept blocks of whole lines. Their indexes must run from 0 to the total without a gap."""
        expected = total = 0
        yield [self._stream_call(ask)]
        while (page := (yield NEXT)) is not None:
            meta = page.envelope["meta"]
            if meta["first_index"] != expected or meta["total"] is None or meta["last_index"] >= meta["total"]:
                break
            expected, total = meta["last_index"] + 1, meta["total"]
            yield Accept(page, None, total)
        # An empty stream is an error too: it is requested only if a page announced more records.
        if page is not None or expected != total or not total:
            what = f"The stream of {self.name} broke off after {expected:,} of {total:,} records."
            raise IncompletePull(what, remedy="Query again.")

    def _stream_call(self, ask: Ask) -> Call:
        path = self.path.replace("/query", "/stream")
        return Call("POST", path, json=self.body(ask), repeatable=True, lines=True)

    def count(self, ask: Ask) -> Flow[int | None]:
        """Read the total of the smallest page. It is at most 10,000; for more, read the total of the stream."""
        total = yield from super().count(ask)
        if total is not None and total >= WINDOW:
            return (yield from self.exact_total(ask))
        return total

    def exact_total(self, ask: Ask) -> Flow[int]:
        """Return the exact total, from the first line of the stream. The rest is not read."""
        page = yield self._stream_call(ask)
        return 0 if page is None else total_of(page) or 0

    def split(self, ask: Ask, parts: int) -> Flow[list[Ask]]:
        """Plan ranges of pages, or windows if pages cannot show all records."""
        total = (yield from super().count(ask)) or 0
        if total < WINDOW:
            spans = pages_as_spans(total, parts)
        else:
            spans = yield from self._windows().spans(ask, (yield from self.exact_total(ask)), parts)
        return [replace(ask, span=span) for span in spans] or [ask]

    def cost(self, ask: Ask, rows: int) -> Cost:
        """Count the pages, or the first page and the stream. With windows, some pages are not full."""
        pages = max(1, -(-rows // PAGE))
        if self._waits(ask, pages):
            why = f"{pages} pages would wait for the rate budget, which has {self.remaining} requests left"
            return Cost(2, "stream", why)
        if rows <= WINDOW:
            return Cost(pages, "pages", f"pages of {PAGE} can show up to {WINDOW:,} records", AT_ONCE)
        if ask.strategy == "windows":
            why = "as requested; can be resumed, oldest records first"
            return Cost(pages + 2 * -(-rows // WINDOW), "windows", why, AT_ONCE)
        return Cost(2, "stream", f"pages show only the first {WINDOW:,} records")

    def _windows(self) -> Windows:
        return Windows(self.name, self.call)
