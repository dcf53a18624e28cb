"""Pages of records: what one answer becomes, and how answers are fetched ahead of the reading."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from vendorkit.errors import MalformedAnswer

T = TypeVar("T")
A = TypeVar("A")
P = TypeVar("P", bound="PageLike")
P_co = TypeVar("P_co", bound="PageLike", covariant=True)

WORKERS: Final = 4  # requests under way at once, where the vendor's paging allows it
_AHEAD: Final = 3  # blocks of a stream that may wait to be read


class PageLike(Protocol):
    """What one answer became: its records, counted, and what stood around them."""

    @property
    def envelope(self) -> Mapping[str, Any]:
        """The answer without its records: totals and links."""

    @property
    def rows(self) -> int:
        """How many records it holds."""


@dataclass(frozen=True)
class Records:
    """One answer as plain dicts, as the vendor sent them."""

    records: list[dict[str, Any]]
    envelope: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many records it holds."""
        return len(self.records)


class Reader(Protocol[P_co]):
    """Turns answers into pages; several at once where that is quicker."""

    def read(self, body: bytes) -> P_co:
        """Read one answer."""

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[P_co]:
        """Read answers, in order."""


class Each(Generic[P]):
    """A reader that reads one answer after another by the function *read*."""

    def __init__(self, read: Callable[[bytes], P]) -> None:
        self.read = read

    def read_all(self, bodies: Iterable[bytes]) -> Iterator[P]:
        """Read answers, in order."""
        return map(self.read, bodies)


def read_records(answer: dict[str, Any], name: str, asked: str) -> Records:
    """Return the list *name* of an answer as records, the rest as its envelope; `MalformedAnswer` where it is none."""
    records = answer.pop(name, None)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        what = f"{asked} was answered without a list {name!r} of objects."
        raise MalformedAnswer(what, remedy="Try again; if it stays, tell the vendor.")
    return Records(records, answer)


def announced(total: Any) -> int | None:
    """Return a vendor's total as a number; None where it is nothing of the kind."""
    if isinstance(total, str) and total.isascii() and total.isdecimal() and len(total) < 16:
        return int(total)
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def side_by_side(fetch: Callable[[A], T], asked: Iterable[A]) -> Iterator[T]:
    """
    Yield `fetch(one)` for each of *asked*, in order; a few run at once, so that the next is there when it is wanted.

    The first error ends it; what was not begun is not begun any more.
    """
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="vendorkit-fetch")
    waiting: deque[Future[T]] = deque()
    try:
        for one in asked:
            # A context of its own for each: it carries the event that cancels.
            waiting.append(pool.submit(copy_context().run, fetch, one))
            if len(waiting) >= 2 * WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ahead(source: Iterator[T]) -> Iterator[T]:
    """
    Yield what *source* yields, fetched by a thread that stays a few items ahead.

    Closing the iterator stops the thread at its next item, and closes *source* in it.
    """
    items: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(_AHEAD)
    stopped = threading.Event()
    feeder = threading.Thread(
        target=copy_context().run, args=(_feed, source, items, stopped), daemon=True, name="vendorkit-ahead"
    )
    feeder.start()
    try:
        while (item := items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        stopped.set()


def _feed(source: Iterator[Any], items: queue.Queue[Any], stopped: threading.Event) -> None:
    """Put each item as a tuple of one, then None for the end; an error in place of both."""

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                return items.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    try:
        for item in source:
            put((item,))
            if stopped.is_set():
                break
        put(None)
    except BaseException as exc:  # noqa: BLE001 - it is raised where the items are wanted
        put(exc)
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
