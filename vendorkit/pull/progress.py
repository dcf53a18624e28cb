"""The progress of a download, for a bar or for whoever subscribes."""

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
    What has arrived so far. Pages count as they arrive, before they are read.

    Attributes:
        pages, rows: What has arrived; not more rows than the total.
        total: Rows that are wanted: the vendor's total, or the limit if that is less; None if unknown.
    """

    pages: int = 0
    rows: int = 0
    total: int | None = None


_subscriber: ContextVar[Callable[[Progress], None] | None] = ContextVar("vendorkit_progress", default=None)


@contextmanager
def progress_to(subscriber: Callable[[Progress], None]) -> Iterator[None]:
    """Call *subscriber* as pages arrive for downloads inside this block, in the block's thread; no bar is shown."""
    before = _subscriber.set(subscriber)
    try:
        yield
    finally:
        _subscriber.reset(before)


@contextmanager
def reporting(progress: Progress, name: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Give a function that reports *progress* if it changed: to the subscriber, else as a bar after two seconds."""
    subscriber = _subscriber.get()
    quiet = quiet or subscriber is not None
    reported = Progress()
    bar: Any
    with tqdm(desc=name, unit=" rows", delay=2.0, leave=False, disable=quiet) as bar:

        def report() -> None:
            # A page that is not used arrived all the same, and the last one may go beyond the limit.
            most = progress.rows if progress.total is None else progress.total
            now = replace(progress, rows=min(progress.rows, most))
            if now != reported:
                bar.total = now.total
                bar.update(now.rows - reported.rows)
                vars(reported).update(vars(now))
                if subscriber is not None:
                    subscriber(now)

        try:
            yield report
        finally:
            # tqdm would close the bar of a notebook, and Voila says "Loading widget…" for ever in place of a widget
            # that was shown and then closed. So it is only hidden.
            if getattr(bar, "displayed", False):
                bar.container.layout.display, bar.leave = "none", True
