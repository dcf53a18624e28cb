"""
How Medipim's endpoints are queried: small resources in one answer; products and media in pages, a stream or windows.

Pages hold at most 250 records within a window of 10,000. More than that comes as a stream of JSON lines, in the
query's order, or as windows by time of creation, oldest first. What the vendor does not document
is marked "inferred".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from vendorkit.ask import Ask
from vendorkit.errors import IncompletePull, MalformedAnswer, NotFound
from vendorkit.frames import Page, page_of
from vendorkit.http.budget import AT_ONCE
from vendorkit.http.call import Call
from vendorkit.resource import NEXT, Accept, Cost, Flow, Paging
from vendorkit.vendors.medipim.windows import PAGE, WINDOW, Windows, pages_as_spans, total_of

PAGE_SIZES: Final = (10, 50, 100, PAGE)


def filter_of(ask: Ask) -> dict[str, Any]:
    """Return the filter of a body, an object with one key; nothing if everything matches."""
    parts = [{name: value} for name, value in ask.filters.items()]
    parts += [dict(ask.where)] if ask.where else []
    # No document says whether the bound itself is included: the second before it is requested.
    parts += [{"updatedSince": ask.since.at - 1}] if ask.since else []
    return {"filter": {"and": parts} if len(parts) > 1 else parts[0]} if parts else {}


def found_by_id(records: list[dict[str, Any]], key: str, identifier: str, name: str) -> dict[str, Any]:
    """Return the record with this id; `NotFound` if there is none."""
    for record in records:
        if str(record.get(key)) == identifier:
            return record
    what = f"Medipim's {name} have no record {identifier!r}."
    raise NotFound(what, remedy="Check the id.")


@dataclass(frozen=True)
class Lookup(Paging):
    """
    A small resource: its query gives all records at once if no page is requested.

    Attributes:
        name: The resource's name, for messages.
        path: The path of the query.
        find_path: The path of one record by its id, if the vendor has one.
        roots: The keys that a found record may be under: several pages of the vendor misprint it.
        sort: The default sort key; "" for none.
        locale: The locale that sorting by a localised name uses; "" if names are sorted as they are.
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
            by_id = replace(
                ask, filters={"id": int(identifier) if identifier.isdecimal() and not self.codes else identifier}
            )
            page: Page = yield self.call(by_id, 0, PAGE_SIZES[0])
            return page_of([found_by_id(page.records(), "id", identifier, self.name)])
        answer = (yield Call("GET", self.find_path, params={"id": identifier})).records()[0]
        found = next((answer[root] for root in self.roots if isinstance(answer.get(root), dict)), None)
        if found is None:
            what = f"The answer to {self.find_path} has none of the keys {', '.join(self.roots)}."
            raise MalformedAnswer(what, remedy="Use client.get(path) to see the answer as it is.")
        return page_of([found])

    def arguments_of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the nested filter and the sort key."""
        sorting = body.get("sorting")
        ((key, by),) = sorting.items() if isinstance(sorting, dict) and len(sorting) == 1 else (("", None),)
        down = "DESC" in (by, by.get("direction") if isinstance(by, dict) else None)
        sort = f"{'-' * down}{key}" if f"{'-' * down}{key}" != self.sort else ""
        return {"where": body.get("filter") or None, "sort": sort or None}

    def smallest(self, ask: Ask) -> Call:
        """Return the call for the smallest page, which says the total."""
        return self.call(ask, 0, PAGE_SIZES[0])

    def call(self, ask: Ask, number: int, size: int | None) -> Call:
        """Return the call for one page; *size* None: for all records at once."""
        body = self.body(ask) | ({} if size is None else {"page": {"no": number, "size": size}})
        return Call("POST", self.path, json=body, repeatable=True, records="results")

    def body(self, ask: Ask) -> dict[str, Any]:
        """Return filter and sorting as the vendor wants them: objects with one key each."""
        body = filter_of(ask)
        if sort := ask.sort or self.sort:
            key, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
            by_locale = key == "name" and self.locale
            body["sorting"] = {key: {"direction": direction, "locale": self.locale} if by_locale else direction}
        return body


@dataclass(frozen=True)
class Whole(Paging):
    """
    A list that comes in one answer.

    Attributes:
        name: The resource's name, for messages.
        path: Its path.
        method: GET, or POST with the filter.
        key: The member that identifies a record.
        member: The member of the answer that holds the records; None: the answer is a list of them.
    """

    name: str
    path: str
    method: str
    key: str
    member: str | None = None

    def call(self, ask: Ask) -> Call:
        """Return the one call; a filter that is required is sent as {} if there is none, which matches everything."""
        body = {"filter": {}, **filter_of(ask)} if self.method == "POST" else None
        return Call(self.method, self.path, json=body, repeatable=True, records=self.member)

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:  # noqa: ARG002 - there is one page
        """Accept the answer's records."""
        yield [self.call(ask)]
        yield Accept((yield NEXT))

    def count(self, ask: Ask) -> Flow[int | None]:
        """Fetch and count: the answer is small."""
        return (yield self.call(ask)).rows  # type: ignore[no-any-return]

    def get(self, ask: Ask, identifier: str) -> Flow[Page]:
        """Fetch the list and return the page of one of its records."""
        records = (yield self.call(ask)).records()
        return page_of([found_by_id(records, self.key, identifier, self.name)])


@dataclass(frozen=True)
class Windowed(Lookup):
    """
    Products and media: pages of up to 250 within the window of 10,000; beyond it the stream, or windows.

    Attributes:
        left: How many requests may be sent now; None: any number. The stream, of one request, takes the place of pages
            that would have to wait for the rate budget.
    """

    left: int | None = None

    def within(self, requests: int | None) -> Windowed:
        """Return this with so many requests left."""
        return replace(self, left=requests)

    def _waits(self, ask: Ask, pages: int) -> bool:
        """Tell whether so many pages would have to wait, and the stream, which follows the first one, would not."""
        return self.left is not None and ask.strategy == "stream" and pages > max(2, self.left)

    def body(self, ask: Ask) -> dict[str, Any]:
        """Return filter and sorting; `filter` is required for these two, and {} matches everything (inferred)."""
        return {"filter": {}, **super().body(ask)}

    def pages(self, ask: Ask, cursor: Any = None) -> Flow[None]:
        """Accept pages; if there may be more records than they show, pages of windows or blocks of the stream."""
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
        if total is None:  # to take it for the last page would lose the others
            what = f"A page of Medipim's {self.name} does not say how many there are."
            raise MalformedAnswer(what, remedy="Try again; if it stays, report it to the vendor.")
        if first == 0 and total >= WINDOW and (limit is None or limit > WINDOW):
            if ask.strategy == "windows":
                yield from self._windows().pages(ask, (yield from self.exact_total(ask)))
            else:
                yield from self._stream(ask)
            return
        wanted = total if limit is None else min(limit, total)
        if first == 0 and self._waits(ask, -(-wanted // size)):
            yield from self._stream(ask)
            return
        yield [self.call(ask, number, size) for number in range(first + 1, -(-wanted // size))]
        number = first
        while page is not None:
            number += 1
            yield Accept(page, number if size == PAGE else None, total_of(page))
            page = yield NEXT

    def _stream(self, ask: Ask) -> Flow[None]:
        """Accept blocks of whole lines; their indexes must run from 0 to the total without a gap."""
        expected = total = 0
        yield [self._stream_call(ask)]
        while (page := (yield NEXT)) is not None:
            meta = page.envelope["meta"]
            if meta["first_index"] != expected or meta["total"] is None or meta["last_index"] >= meta["total"]:
                self._broken(expected, total)
            expected, total = meta["last_index"] + 1, meta["total"]
            yield Accept(page, None, total)
        # An empty stream is an error: it is requested only after pages announced more than they show.
        if expected != total or not total:
            self._broken(expected, total)

    def _broken(self, arrived: int, total: int) -> NoReturn:
        what = f"The stream of {self.name} broke off: {arrived:,} of {total:,} records arrived."
        raise IncompletePull(what, remedy="Query again.")

    def _stream_call(self, ask: Ask) -> Call:
        path = self.path.replace("/query", "/stream")
        return Call("POST", path, json=self.body(ask), repeatable=True, lines=True)

    def count(self, ask: Ask) -> Flow[int | None]:
        """Read the total of the smallest page; it is never above the window, beyond which the stream says it."""
        total = yield from super().count(ask)
        if total is not None and total >= WINDOW:
            return (yield from self.exact_total(ask))
        return total

    def exact_total(self, ask: Ask) -> Flow[int]:
        """Return the exact total: the first line of the stream says it, the rest is not read."""
        page = yield self._stream_call(ask)
        return 0 if page is None else total_of(page) or 0

    def split(self, ask: Ask, parts: int) -> Flow[list[Ask]]:
        """Plan ranges of pages within the window, windows beyond it."""
        total = (yield from super().count(ask)) or 0
        if total < WINDOW:
            spans = pages_as_spans(total, parts)
        else:
            spans = yield from self._windows().spans(ask, (yield from self.exact_total(ask)), parts)
        return [replace(ask, span=span) for span in spans] or [ask]

    def cost(self, ask: Ask, rows: int) -> Cost:
        """Count the pages; beyond the window the first page and the stream, or pages that windows leave half full."""
        pages = max(1, -(-rows // PAGE))
        if self._waits(ask, pages):
            return Cost(
                2, "stream", f"{pages} pages would wait for the rate budget, which has {self.left} requests left"
            )
        if rows <= WINDOW:
            return Cost(pages, "pages", f"pages of {PAGE} reach as far as {WINDOW:,} records", AT_ONCE)
        if ask.strategy == "windows":
            return Cost(
                pages + 2 * -(-rows // WINDOW), "windows", "requested; resumable, oldest records first", AT_ONCE
            )
        return Cost(2, "stream", f"pages show only the first {WINDOW:,} records")

    def _windows(self) -> Windows:
        return Windows(self.name, self.call)
