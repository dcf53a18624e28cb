"""
What changed at Medipim: products and media have the filter `updatedSince`, the seconds of `meta.updatedAt`.

No document says how soon a change is found by it, so a dataset continues from a few minutes before it was saved;
records received twice are merged again, with the same result. Deletions are not reported: the total shows them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

from vendorkit.ask import Ask, Since
from vendorkit.frames import Page
from vendorkit.resource import Changes, Flow
from vendorkit.vendors.medipim.paging import Windowed
from vendorkit.vendors.medipim.windows import total_of

LATE_S: Final = 300  # inferred: how late a change may be found


@dataclass(frozen=True)
class Updated(Changes):
    """
    Changes of products or media.

    Attributes:
        paging: How these are queried.
    """

    paging: Windowed

    def why_not_incremental(self, ask: Ask) -> str | None:  # noqa: ARG002
        """Return None: all changes are available."""
        return None

    def position(self, ask: Ask) -> Flow[Since | None]:
        """Return a few minutes before now, by the vendor's clock."""
        page = yield self.paging.smallest(ask)
        return Since(int(page.at if page.at is not None else time.time()) - LATE_S)

    def changed_ids(self, ask: Ask) -> Flow[None]:
        """
        Accept pages of all records that changed, whatever the filters say.

        A product that becomes inactive is not among the active ones that changed, but has to leave them.
        """
        if ask.filters or ask.where:
            yield from self.paging.pages(replace(ask, filters={}, where=None, sort=None))

    def times(self, ask: Ask) -> tuple[str, ...]:
        """Return the time of creation; with filters also that of the last change, which may make a record match."""
        return ("created_at", "updated_at") if ask.filters or ask.where else ("created_at",)

    def came_since(self, ask: Ask, at: float) -> Flow[list[str]]:
        """Return ids of what was created since, or with filters changed; and how many if these are not all."""
        if ask.filters or ask.where:
            since = replace(ask, since=Since(int(at) + 1))  # one second earlier is asked for
        else:
            since = replace(ask, filters={"createdAt": {"from": int(at)}})
        page = yield self.paging.smallest(since)
        total = total_of(page)
        return [*self.keys(page), *([f"{total} in all"] if total != page.rows else [])]

    def keys(self, page: Page) -> list[str]:
        """Return the ids."""
        return [str(one) for one in page.values("id")]
