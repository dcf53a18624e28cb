"""
Products and media past the window of 10,000, cut by `createdAt` into windows that fit.

A window holds what is created from one second on and not from a later one on: `{"and": [from, {"not": from}]}`. So
each record is in exactly one window, whether `from` includes its own second or not; `until` is not used, because no
document says whether it does. What has no `createdAt` is in a window of its own, `{"not": {"from": 0}}`
(inferred: a vendor who leaves nulls out of `not` as well is found out by the totals).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast

from vendorkit.errors import IncompletePull, UsageError
from vendorkit.http.answers import json_object
from vendorkit.http.call import Call
from vendorkit.pages import P, Reader, side_by_side
from vendorkit.query import Query, Span

WINDOW: Final = 10_000  # meta.total of products and media never says more than this
PAGE: Final = 250
_SMALL: Final = 10  # the smallest page, to look at one place
_STEP: Final = WINDOW - PAGE  # whole pages, with room for what is added meanwhile
_REMEDY: Final = 'Use strategy="stream"; for Dask, save() it and read the folder with dask.dataframe.read_parquet.'

Probe = Callable[[int, int], tuple["int | None", int]]


class Window(NamedTuple):
    """Records created from the second `since` on and not from `before` on; `most` bounds how many. None: no `since`."""

    since: int | None
    before: int | None
    most: int

    def narrow(self, query: Query) -> Query:
        """Return *query* for the records of this window alone."""
        inside: dict[str, Any] = {"createdAt": {"from": self.since or 0}}
        if self.since is None:
            inside = {"not": inside}
        elif self.before is not None:
            inside = {"and": [inside, {"not": {"createdAt": {"from": self.before}}}]}
        return replace(query, where={"and": [dict(query.where), inside]} if query.where else inside)


def cut(probe: Probe, count: Callable[[Window], int], step: int, since: int | None = 0) -> Iterator[Window]:
    """
    Yield windows of at most *step* records from *since* on, oldest first, and last the one of records without a time.

    Args:
        probe: From a second and a rank to the `createdAt` of the record at that rank from there on, by time, and how
            many come before it; None and the total from there on, where there are not so many.
        count: How many records a window holds; 10,000 for more than can be paged.
        step: Below 10,000, whole pages.
        since: The second to begin with; None for the last window alone.

    Raises:
        UsageError: One second has too many records to be paged.
    """
    while since is not None:
        found, most = probe(since, step)
        if found is not None and found <= since:
            found, most = since + 1, count(Window(since, since + 1, 0)) if found == since else WINDOW
        if most >= WINDOW:
            what = f"{WINDOW:,} or more records are created in one second ({since}): no window holds them."
            raise UsageError(what, remedy=_REMEDY)
        if most:
            yield Window(since, found, most)
        since = found
    timeless = Window(None, None, 0)
    if most := count(timeless):
        yield timeless._replace(most=most)


class Windows:
    """
    The windows of one query.

    Args:
        query: What is asked.
        call: The vendor's call for a page, from query, number and size.
        announced: The exact total, which only the stream says.
        total: The total in an answer.
    """

    def __init__(
        self,
        query: Query,
        call: Callable[[Query, int, int], Call],
        announced: Callable[[Query], int],
        total: Callable[[Mapping[str, Any]], int | None],
    ) -> None:
        self._query, self._call, self._announced, self._total = query, call, announced, total

    def pages(self, reader: Reader[P], after: str | None) -> Iterator[P]:
        """Yield pages, window after window, from the start or from a cursor on; each says the total of all."""
        total = self._announced(self._query)
        asked: deque[tuple[Window, int]] = deque()
        sizes: dict[Window, int] = {}

        def numbered() -> Iterator[tuple[Window, int]]:
            for window, first in self._from(after):
                for number in range(first, -(-window.most // PAGE)):
                    asked.append((window, number))
                    yield window, number

        # The next window is looked for while pages of this one are under way.
        for page in reader.read_all(side_by_side(lambda one: self._fetch(*one), numbered())):
            window, number = asked.popleft()
            rows = self._total(page.envelope) or 0
            if rows < sizes.get(window, 0):
                what = (
                    f"Records left a window of {self._query.resource.name} meanwhile: others moved between its pages."
                )
                raise IncompletePull(what, remedy="Pull again, or use the stream.")
            sizes[window] = rows
            if rows >= WINDOW:
                what = f"A window of {self._query.resource.name} grew past {WINDOW:,} records while it was pulled."
                raise IncompletePull(what, remedy="Pull again, or use the stream.")
            yield _with(page, {"meta": {"total": total}, "after": json.dumps([*window, number + 1])})

    def _from(self, after: str | None) -> Iterator[tuple[Window, int]]:
        """Yield windows and their first page."""
        since: int | None = 0
        if after is not None:
            *bounds, first = json.loads(after)
            window = Window(*bounds)
            yield window, first
            if window.since is None:
                return
            since = window.before
        for window in cut(self._probe, self._count, _STEP, since):
            yield window, 0

    def spans(self, parts: int) -> list[Span]:
        """
        Plan about *parts* parts of like size, as windows with their exact sizes.

        Raises:
            IncompletePull: The windows do not hold as many records as the stream announces.
        """
        total = self._announced(self._query)
        size = max(PAGE, -(-total // parts))
        step = min(_STEP, -(-size // -(-size // _STEP) // PAGE) * PAGE)
        windows = list(cut(self._probe, self._count, step))
        sizes = list(side_by_side(self._count, windows))
        if sum(sizes) != total:
            what = f"The windows of {self._query.resource.name} hold {sum(sizes):,} records, the stream {total:,}."
            raise IncompletePull(what, remedy=f"Try again, should the data have changed meanwhile. {_REMEDY}")
        groups: dict[int, list[Any]] = {}
        before = 0
        for window, rows in zip(windows, sizes, strict=True):
            pages = -(-rows // PAGE)
            groups.setdefault(before * parts // total, []).append([window[:2], 0, pages, rows])
            before += rows
        return [Span(sum(rows for *_, rows in group), group) for group in groups.values()]

    def within(self, reader: Reader[P], span: Span) -> Iterator[P]:
        """
        Yield the pages of one planned part; each says the size of the part.

        Raises:
            IncompletePull: The vendor has more or fewer records there than when it was planned.
        """
        asked = [(bounds, number, rows) for bounds, start, stop, rows in span.asked for number in range(start, stop)]

        def fetch(one: tuple[Any, int, int]) -> bytes:
            bounds, number, _ = one
            return self._fetch(bounds and Window(bounds[0], bounds[1], 0), number)

        pages = reader.read_all(side_by_side(fetch, asked))
        for page, (_, _, rows) in zip(pages, asked, strict=True):
            found = self._total(page.envelope)
            if found != rows:
                what = f"{self._query.resource.name} changed: there are {found} records where {rows} were planned."
                raise IncompletePull(what, remedy="Make the Dask frame again.")
            yield _with(page, {"meta": {"total": span.rows}})

    def _fetch(self, window: Window | None, number: int, size: int = PAGE) -> bytes:
        asked = self._query if window is None else window.narrow(self._query)
        return self._query.client.session.send(self._call(asked, number, size)).content

    def _count(self, window: Window) -> int:
        return self._total(self._object(self._fetch(window, 0, _SMALL))) or 0

    def _probe(self, since: int, rank: int) -> tuple[int | None, int]:
        asked = replace(Window(since, None, 0).narrow(self._query), sort="createdAt")
        call = self._call(asked, rank // _SMALL, _SMALL)
        answer = self._object(self._query.client.session.send(call).content)
        times = [(record.get("meta") or {}).get("createdAt") for record in answer.get("results", ())]
        # Some hide their time: the next one's is taken, and they come before it.
        shown = next(((time, place) for place, time in enumerate(times) if isinstance(time, int)), None)
        if shown is not None:
            return shown[0], rank // _SMALL * _SMALL + shown[1]
        # A page without any time is not in the order of what it shows, and cannot be cut.
        return since - 1 if times else None, self._total(answer) or 0

    def _object(self, body: bytes) -> dict[str, Any]:
        return json_object(body, f"{self._query.client.title}: {self._query.resource.name}")


def pages_as_spans(total: int, parts: int) -> list[Span]:
    """Plan at most *parts* parts of like size for what fits the window: ranges of pages."""
    pages = -(-total // PAGE)
    edges = sorted({pages * part // parts for part in range(parts + 1)})
    return [
        Span(min(stop * PAGE, total) - start * PAGE, [[None, start, stop, total]]) for start, stop in pairwise(edges)
    ]


def _with(page: P, around: dict[str, Any]) -> P:
    return cast("P", replace(cast("Any", page), envelope=around))
