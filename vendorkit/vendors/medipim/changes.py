"""
Changes at Medipim: products and media have the filter `updatedSince`, which compares with `meta.updatedAt`.

The documents do not say how soon the filter finds a change. A dataset therefore continues from a few minutes before it
was saved. Records received twice are merged again, with the same result. Deletions are not reported, but the total
shows them.
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

LATE_S: Final = 300  # inferred: how late the filter may find a change


@dataclass(frozen=True)
class Updated(Changes):
    """
    Changes of products or media.

    Attributes:
        paging: The paging of these products or media.
    """

    paging: Windowed

    def why_not_incremental(self, ask: Ask) -> str | None:  # noqa: ARG002
        """Return None: changes are available for all queries."""
        return None

    def position(self, ask: Ask) -> Flow[Since | None]:
        """Return the time a few minutes ago, by the vendor's clock."""
        page = yield self.paging.smallest(ask)
        return Since(int(page.at if page.at is not None else time.time()) - LATE_S)

    def changed_ids(self, ask: Ask) -> Flow[None]:
        """
        Accept pages of all changed records, without the query's filters.

        A product that became inactive must leave a dataset of active products, but a filter for active ones hides it.
        """
        if ask.filters or ask.where:
            yield from self.paging.pages(replace(ask, filters={}, where=None, sort=None))

    def times(self, ask: Ask) -> tuple[str, ...]:
        """Return the creation time; with filters also the time of the last change, which may cause a match."""
        return ("created_at", "updated_at") if ask.filters or ask.where else ("created_at",)

    def came_since(self, ask: Ask, at: float) -> Flow[list[str]]:
        """Return ids of records created (with filters: changed) since *at*, and the total if there are more."""
        if ask.filters or ask.where:
            new = replace(ask, since=Since(int(at) + 1))  # the request then asks for one second earlier
        else:
            new = replace(ask, filters={"createdAt": {"from": int(at)}})
        page = yield self.paging.smallest(new)
        total = total_of(page)
        return [*self.keys(page), *([f"{total} in total"] if total != page.rows else [])]

    def keys(self, page: Page) -> list[str]:
        """Return the ids."""
        return [str(identifier) for identifier in page.values("id")]
