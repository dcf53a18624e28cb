"""
What changed at Medipim: products and media have `updatedSince`, the seconds of `meta.updatedAt`.

No document says how soon a change is found by it, so that a dataset goes on from a few minutes before it was pulled;
what comes twice is folded twice, with the same result. There are no tombstones: a deleted record is noticed by the
total. Facts as of 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from vendorkit.http.answers import answered_at
from vendorkit.query import Query, Since
from vendorkit.vendors.medipim.lookup import PAGE_SIZES, Lookup

LATE_S: Final = 300  # inferred: how late a change may be found


class Updated(Lookup):
    """The part of the style of products and media that knows of changes; see `vendorkit.resource.Telling`."""

    def untold(self, query: Query) -> str | None:  # noqa: ARG002
        """Return None: the vendor tells of all."""
        return None

    def mark(self, query: Query) -> Since:
        """Return a few minutes before now, by the vendor's clock, for which the smallest page is asked for."""
        call = query.resource.style.first_call(query)
        call = replace(call, json={**call.json, "page": {"no": 0, "size": PAGE_SIZES[0]}})
        return Since(answered_at(query.client.session.send(call)) - LATE_S)

    def touched(self, query: Query) -> Iterator[str]:
        """
        Yield the ids of all that changed, whatever the filters say.

        A product that becomes inactive is not among the active ones that changed, but has to leave them.
        """
        if not query.filters and not query.where:
            return
        key = query.schema.key
        for batch in replace(query, filters={}, where=None, sort=None).batches(columns=[key]):
            yield from batch.column(key).to_pylist()
