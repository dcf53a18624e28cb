"""
Windows: more than 10,000 products or media, divided by `createdAt` into ranges that pages can show.

A window is a pair of conditions, "created from one second on" and "not created from a later second on":
`{"and": [from, {"not": from}]}`. Each record is therefore in exactly one window, whether or not `from` includes its
second, which the documents leave open, as they do for `until`. Records without `createdAt` are in a separate window,
`{"not": {"from": 0}}` (inferred: if `not` excludes nulls too, the totals show it).
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

WINDOW: Final = 10_000  # the largest meta.total of products and media
PAGE: Final = 250
_SMALL: Final = 10  # the smallest page, to read one record or the total
_STEP: Final = WINDOW - PAGE  # whole pages, with room for records that are added during the download
_REMEDY: Final = 'Use strategy="stream". For Dask, save() it and read the folder with dask.dataframe.read_parquet.'


class Window(NamedTuple):
    """At most `most` records created from second `since` on and before `before`; `since` None: without a time."""

    since: int | None
    before: int | None
    most: int

    def restrict(self, ask: Ask) -> Ask:
        """Return *ask* for the records of this window only."""
        condition: dict[str, Any] = {"createdAt": {"from": self.since or 0}}
        if self.since is None:
            condition = {"not": condition}
        elif self.before is not None:
            condition = {"and": [condition, {"not": {"createdAt": {"from": self.before}}}]}
        return replace(ask, where={"and": [dict(ask.where), condition]} if ask.where else condition)


@dataclass(frozen=True)
class Windows:
    """
    The windows of a query.

    Attributes:
        name: The resource's name, for messages.
        call: Returns the call for a page, from query, page number and page size.
    """

    name: str
    call: Callable[[Ask, int, int], Call]

    def pages(self, ask: Ask, total: int, cursor: str | None = None) -> Flow[None]:
        """Accept the pages of all windows, from the start or from *cursor*; *total* is the total of all windows."""
        if cursor is None:
            window, first = (yield from self.next(ask, 0, _STEP)), 0
        else:
            *edges, first = json.loads(cursor)
            window = Window(*edges)
            if not 0 <= first <= -(-window.most // PAGE) <= WINDOW // PAGE:
                raise ValueError(cursor)
        while window is not None:
            yield [self.call(window.restrict(ask), number, PAGE) for number in range(first, -(-window.most // PAGE))]
            # Find the next window while the pages of this one are being fetched.
            following = None if window.since is None else (yield from self.next(ask, window.before, _STEP))
            yield from self._pages_of(window, first, total)
            window, first = following, 0

    def _pages_of(self, window: Window, first: int, total: int) -> Flow[None]:
        size, number = 0, first
        while (page := (yield NEXT)) is not None:
            rows = total_of(page) or 0
            number += 1
            if rows < size or rows >= WINDOW:
                problem = "Records left" if rows < size else f"{WINDOW:,} records or more came into"
                what = f"{problem} a window of {self.name} while it was downloaded, so some may be missing."
                raise IncompletePull(what, remedy="Query again, or use the stream.")
            size = rows
            yield Accept(page, json.dumps([*window, number]), total)

    def next(self, ask: Ask, since: int | None, step: int) -> Flow[Window | None]:
        """
        Return the next window of at most *step* records, from second *since* on.

        The last window, for *since* None, has the records without a time. None if there are none.

        Raises:
            UsageError: Too many records were created in one second.
        """
        while since is not None:
            before, most = yield from self._probe(ask, since, step)
            if before is not None and before <= since:
                is_crowded = before == since
                before = since + 1
                most = (yield from self._count(ask, Window(since, before, 0))) if is_crowded else WINDOW
            if most >= WINDOW:
                what = f"{WINDOW:,} or more records were created in one second ({since}), too many for a window."
                raise UsageError(what, remedy=_REMEDY)
            if most:
                return Window(since, before, most)
            since = before
        most = yield from self._count(ask, Window(None, None, 0))
        return Window(None, None, most) if most else None

    def spans(self, ask: Ask, total: int, parts: int) -> Flow[list[Span]]:
        """
        Plan about *parts* parts of similar size, as windows with their exact sizes.

        Raises:
            IncompletePull: The total of the windows differs from the total of the stream.
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
            what = f"The windows of {self.name} have {before:,} records, but the stream has {total:,}."
            raise IncompletePull(what, remedy=f"Try again in case the data changed. {_REMEDY}")
        return [Span(sum(rows for *_, rows in group), group) for group in groups.values()]

    def span(self, ask: Ask, span: Span) -> Flow[None]:
        """
        Accept the pages of one planned part; the total is the size of the part.

        Raises:
            IncompletePull: The part has more or fewer records than when it was planned.
        """
        planned = []
        for edges, start, stop, rows in span.asked:
            window = ask if edges is None else Window(edges[0], edges[1], 0).restrict(ask)
            planned += [(self.call(window, number, PAGE), rows) for number in range(start, stop)]
        yield [call for call, _ in planned]
        for _, rows in planned:
            page = yield NEXT
            if (total := total_of(page)) != rows:
                what = f"{self.name} changed: a part has {total} records instead of {rows}."
                raise IncompletePull(what, remedy="Create the Dask frame again.")
            yield Accept(page, None, span.rows)

    def _count(self, ask: Ask, window: Window) -> Flow[int]:
        return total_of((yield self.call(window.restrict(ask), 0, _SMALL))) or 0

    def _probe(self, ask: Ask, since: int, rank: int) -> Flow[tuple[int | None, int]]:
        """
        Read the record at *rank*, by time of creation, among the records created from *since* on.

        Returns:
            Its second of creation, and how many records come before it. If there are fewer records: None, and their
            number.
        """
        sorted_ = replace(Window(since, None, 0).restrict(ask), sort="createdAt")
        page = yield self.call(sorted_, rank // _SMALL, _SMALL)
        times = page.values("meta.createdAt")
        # If records do not show their time, take the next record that does; the others count as before it.
        dated = next(((time, index) for index, time in enumerate(times) if isinstance(time, int)), None)
        if dated is not None:
            return dated[0], rank // _SMALL * _SMALL + dated[1]
        # If no record of the page shows its time, a moment before *since* reports that this cannot be divided.
        return since - 1 if times else None, total_of(page) or 0


def pages_as_spans(total: int, parts: int) -> list[Span]:
    """Plan at most *parts* ranges of pages, of similar size, for at most 10,000 records."""
    pages = -(-total // PAGE)
    edges = sorted({pages * part // parts for part in range(parts + 1)})
    return [
        Span(min(stop * PAGE, total) - start * PAGE, [[None, start, stop, total]]) for start, stop in pairwise(edges)
    ]


def total_of(page: Page) -> int | None:
    """Return `meta.total` of a response."""
    meta = page.envelope.get("meta")
    return count_of(meta.get("total")) if isinstance(meta, dict) else None
