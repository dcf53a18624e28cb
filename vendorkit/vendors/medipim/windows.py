"""
Products and media beyond the window of 10,000, divided by `createdAt` into windows that fit.

A window holds what was created from one second on and not from a later one on: `{"and": [from, {"not": from}]}`. So
each record is in exactly one window, whether `from` includes its second or not; `until` is not used, because no
document says whether it does. Records without `createdAt` are in a window of their own, `{"not": {"from": 0}}`
(inferred: if the vendor leaves nulls out of `not` as well, the totals show it).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, NamedTuple

from vendorkit.ask import Ask, Span
from vendorkit.errors import IncompletePull, UsageError
from vendorkit.frames import Page, count_of
from vendorkit.http.call import Call
from vendorkit.resource import NEXT, Accept, Flow

WINDOW: Final = 10_000  # meta.total of products and media never says more than this
PAGE: Final = 250
_SMALL: Final = 10  # the smallest page, to look at one record
_STEP: Final = WINDOW - PAGE  # whole pages, with room for what is added meanwhile
_REMEDY: Final = 'Use strategy="stream"; for Dask, save() it and read the folder with dask.dataframe.read_parquet.'


class Window(NamedTuple):
    """Records created from the second `since` on and before `before`, at most `most`. `since` None: without a time."""

    since: int | None
    before: int | None
    most: int

    def restrict(self, ask: Ask) -> Ask:
        """Return *ask* for the records of this window only."""
        inside: dict[str, Any] = {"createdAt": {"from": self.since or 0}}
        if self.since is None:
            inside = {"not": inside}
        elif self.before is not None:
            inside = {"and": [inside, {"not": {"createdAt": {"from": self.before}}}]}
        return replace(ask, where={"and": [dict(ask.where), inside]} if ask.where else inside)


@dataclass(frozen=True)
class Windows:
    """
    The windows of a query.

    Attributes:
        name: The resource's name, for messages.
        call: The vendor's call for a page, from query, number and size.
    """

    name: str
    call: Callable[[Ask, int, int], Call]

    def pages(self, ask: Ask, total: int, cursor: str | None = None) -> Flow[None]:
        """Accept pages, window after window, from the start or from a cursor on; *total* is that of all windows."""
        if cursor is None:
            window, first = (yield from self.next(ask, 0, _STEP)), 0
        else:
            *edges, first = json.loads(cursor)
            window = Window(*edges)
            if not 0 <= first <= -(-window.most // PAGE) <= WINDOW // PAGE:
                raise ValueError(cursor)
        while window is not None:
            yield [self.call(window.restrict(ask), number, PAGE) for number in range(first, -(-window.most // PAGE))]
            # The next window is looked for while pages of this one are under way.
            following = None if window.since is None else (yield from self.next(ask, window.before, _STEP))
            yield from self._pages_of(window, first, total)
            window, first = following, 0

    def _pages_of(self, window: Window, first: int, total: int) -> Flow[None]:
        size, number = 0, first
        while (page := (yield NEXT)) is not None:
            rows = total_of(page) or 0
            number += 1
            if rows < size:
                what = f"Records left a window of {self.name} meanwhile: others moved between its pages."
                raise IncompletePull(what, remedy="Query again, or use the stream.")
            if rows >= WINDOW:
                what = f"A window of {self.name} grew beyond {WINDOW:,} records while it was downloaded."
                raise IncompletePull(what, remedy="Query again, or use the stream.")
            size = rows
            yield Accept(page, json.dumps([*window, number]), total)

    def next(self, ask: Ask, since: int | None, step: int) -> Flow[Window | None]:
        """
        Return the next window of at most *step* records from the second *since* on; after the last one, *since* None,
        the window of records without a time; None if that is empty.

        Raises:
            UsageError: One second has too many records for pages.
        """
        while since is not None:
            found, most = yield from self._probe(ask, since, step)
            if found is not None and found <= since:
                crowded = found == since
                found = since + 1
                most = (yield from self._count(ask, Window(since, found, 0))) if crowded else WINDOW
            if most >= WINDOW:
                what = f"{WINDOW:,} or more records were created in one second ({since}): no window holds them."
                raise UsageError(what, remedy=_REMEDY)
            if most:
                return Window(since, found, most)
            since = found
        timeless = Window(None, None, 0)
        most = yield from self._count(ask, timeless)
        return timeless._replace(most=most) if most else None

    def spans(self, ask: Ask, total: int, parts: int) -> Flow[list[Span]]:
        """
        Plan about *parts* parts of like size, as windows with their exact sizes.

        Raises:
            IncompletePull: The windows do not hold as many records as the stream announces.
        """
        size = max(PAGE, -(-total // parts))
        step = min(_STEP, -(-size // -(-size // _STEP) // PAGE) * PAGE)
        windows: list[Window] = []
        window = yield from self.next(ask, 0, step)
        while window is not None:
            windows.append(window)
            window = None if window.since is None else (yield from self.next(ask, window.before, step))
        yield [self.call(window.restrict(ask), 0, _SMALL) for window in windows]
        groups: dict[int, list[Any]] = {}
        before = 0
        for window in windows:
            rows = total_of((yield NEXT)) or 0
            groups.setdefault(before * parts // max(total, 1), []).append([window[:2], 0, -(-rows // PAGE), rows])
            before += rows
        if before != total:
            what = f"The windows of {self.name} hold {before:,} records, the stream {total:,}."
            raise IncompletePull(what, remedy=f"Try again, if the data may have changed meanwhile. {_REMEDY}")
        return [Span(sum(rows for *_, rows in group), group) for group in groups.values()]

    def span(self, ask: Ask, span: Span) -> Flow[None]:
        """
        Accept the pages of one planned part; the total is the size of the part.

        Raises:
            IncompletePull: The vendor has more or fewer records there than when it was planned.
        """
        planned = []
        for edges, start, stop, rows in span.asked:
            inside = ask if edges is None else Window(edges[0], edges[1], 0).restrict(ask)
            planned += [(self.call(inside, number, PAGE), rows) for number in range(start, stop)]
        yield [call for call, _ in planned]
        for _, rows in planned:
            page = yield NEXT
            if (found := total_of(page)) != rows:
                what = f"{self.name} changed: there are {found} records where {rows} were planned."
                raise IncompletePull(what, remedy="Create the Dask frame again.")
            yield Accept(page, None, span.rows)

    def _count(self, ask: Ask, window: Window) -> Flow[int]:
        return total_of((yield self.call(window.restrict(ask), 0, _SMALL))) or 0

    def _probe(self, ask: Ask, since: int, rank: int) -> Flow[tuple[int | None, int]]:
        """
        Look at the record at *rank*, by time of creation, of those from *since* on.

        Returns:
            Its second of creation and how many records come before it; None and the number of records if there are not
            so many.
        """
        sorted_ = replace(Window(since, None, 0).restrict(ask), sort="createdAt")
        page = yield self.call(sorted_, rank // _SMALL, _SMALL)
        times = page.values("meta.createdAt")
        # Some records hide their time: the next one's is taken, and they come before it.
        shown = next(((time, place) for place, time in enumerate(times) if isinstance(time, int)), None)
        if shown is not None:
            return shown[0], rank // _SMALL * _SMALL + shown[1]
        # A page without any time is not sorted by what it shows, and cannot be divided.
        return since - 1 if times else None, total_of(page) or 0


def pages_as_spans(total: int, parts: int) -> list[Span]:
    """Plan at most *parts* parts of like size for what fits the window: ranges of pages."""
    pages = -(-total // PAGE)
    edges = sorted({pages * part // parts for part in range(parts + 1)})
    return [
        Span(min(stop * PAGE, total) - start * PAGE, [[None, start, stop, total]]) for start, stop in pairwise(edges)
    ]


def total_of(page: Page) -> int | None:
    """Return `meta.total` of an answer."""
    meta = page.envelope.get("meta")
    return count_of(meta.get("total")) if isinstance(meta, dict) else None
