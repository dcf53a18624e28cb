"""Reports the progress of a download to a progress bar or a subscriber."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from tqdm.auto import tqdm


@dataclass
class Progress:
    """
    The state of a download. Pages are counted as they arrive, before they are read.

    Attributes:
        pages, rows: Number of received pages and rows; reports never exceed the total.
        total: Number of rows to fetch: the vendor's total or the limit, whichever is less; None if unknown.
    """

    pages: int = 0
    rows: int = 0
    total: int | None = None


_subscriber: ContextVar[Callable[[Progress], None] | None] = ContextVar("vendorkit_progress", default=None)


@contextmanager
def progress_to(subscriber: Callable[[Progress], None]) -> Iterator[None]:
    """Call *subscriber* in this thread as pages of downloads in this block arrive, and show no progress bar."""
    before = _subscriber.set(subscriber)
    try:
        yield
    finally:
        _subscriber.reset(before)


@contextmanager
def reporting(progress: Progress, name: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Yield a function that reports a change of *progress* to the subscriber, or else to a bar after two seconds."""
    subscriber = _subscriber.get()
    # disable=False would override the environment's TQDM_DISABLE.
    options: dict[str, Any] = {"disable": True} if quiet or subscriber is not None else {}
    reported = Progress()
    bar: Any
    with tqdm(desc=name, unit=" rows", delay=2.0, leave=False, **options) as bar:

        def report() -> None:
            # Received rows can exceed the total: some pages are discarded, and the last is cut at the limit.
            max_rows = progress.rows if progress.total is None else progress.total
            current = replace(progress, rows=min(progress.rows, max_rows))
            if current != reported:
                bar.total = current.total
                bar.update(current.rows - reported.rows)
                vars(reported).update(vars(current))
                if subscriber is not None:
                    subscriber(current)

        try:
            yield report
        finally:
            # Hide the bar of a notebook instead of letting tqdm close it: in place of a widget that was shown and then
            # closed, Voila displays "Loading widget…" forever.
            if getattr(bar, "displayed", False):
                bar.container.layout.display, bar.leave = "none", True
