"""
A query on Dask: planned here by a few small requests, pulled by the workers, each part for itself.

The parts come from the vendor's own ranges: Medipim's pages, or past 10,000 records its windows of `createdAt`; the
numbered pages of Mediagenix's collections. What the vendor gives in one piece is one part. A plan holds plain values
alone; whoever pulls a part connects by himself, with the settings of his own environment or `.env`, so that no
credential is in the graph. Workers reach the planner's local vendors by a file that its user alone can read.

A part checks that it is as large as it was planned, and holds no record twice. The frame has the declared columns
alone, because they have to be known before anything is pulled; what `frame()` appends beside these is named in a
`SchemaDrift` warning, which reaches the client from its workers, and is in `frame()` and `save()`.

All processes of a machine keep the vendor's rate budget in one file (`vendorkit.http.budget.Budget`). Where workers
are on several machines, `VENDORKIT_BUDGET_DIR` has to name a folder that these share, with working locks.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from vendorkit.errors import IncompletePull, SettingsError, UsageError
from vendorkit.frames import SchemaDrift, to_frame
from vendorkit.http.call import Policy
from vendorkit.query import Query, Span
from vendorkit.resource import Ranged
from vendorkit.vendors.client import Client
from vendorkit.vendors.mediagenix.client import Mediagenix
from vendorkit.vendors.registry import connect, connect_local

if TYPE_CHECKING:
    import dask.dataframe as dd


@dataclass(frozen=True)
class Plan:
    """
    A query in plain values, to be asked by another process.

    Attributes:
        vendor, environment, country: What to connect to.
        policy: Timeouts and retries, by name.
        resource, asked: The resource's name and the other attributes of the query.
        local: The meeting point of the planner's local vendors; None for the vendor's own environments.
    """

    vendor: str
    environment: str
    country: str | None
    policy: Mapping[str, Any]
    resource: str
    asked: Mapping[str, Any]
    local: str | None

    @classmethod
    def of(cls, query: Query) -> Plan:
        """Return the plan for *query*."""
        client = query.client
        names = ("where", "sort", "expand", "accept", "url", "strategy", "since")
        asked = {"filters": dict(query.filters), **{name: getattr(query, name) for name in names}}
        country, policy = getattr(client, "country", None), asdict(client.session.policy)
        local = _meeting_point(client, country) if client.environment == "local" else None
        return cls(client.vendor_name, client.environment, country, policy, query.resource.name, asked, local)

    def query(self, span: Span | None) -> Query:
        """Connect from this process, and return the query for one part."""
        client = self._connect()
        if self.asked["url"] is None:
            resource = client.declared[self.resource]
        else:
            resource = cast("Mediagenix", client).follow(self.asked["url"]).resource
        return Query(client, resource, **self.asked, span=span)

    def _connect(self) -> Client:
        policy = Policy(**self.policy)
        if self.local is None:
            return connect(self.vendor, environment=self.environment, country=self.country, policy=policy)
        from vendorkit.local.server.address_file import meet  # noqa: PLC0415 - the servers are an extra

        return connect_local(self.vendor, meet(self.local), country=self.country, policy=policy)


def _meeting_point(client: Client, country: str | None) -> str:
    from vendorkit import local  # noqa: PLC0415 - the servers are an extra
    from vendorkit.local.server.address_file import rendezvous  # noqa: PLC0415

    servers = local.shared(country or "be")
    if servers[client.vendor_name].base_url != client.endpoint.base_url:
        what = f"The local vendor at {client.endpoint.base_url} is not the one that this process shares now."
        raise UsageError(what, remedy="Connect again.")
    return str(rendezvous(servers))


def to_dask(query: Query, partitions: int) -> dd.DataFrame:
    """Plan *query* as a Dask frame. This is `Query.dask`, which says more."""
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        what = f"partitions={partitions!r} is not a number of parts."
        raise UsageError(what, remedy="Give 1 or more.")
    if find_spec("dask") is None or find_spec("dask.dataframe") is None:
        what = "Dask is not installed."
        raise SettingsError(what, remedy="Install it with: pip install 'vendorkit[dask]'")
    import dask.dataframe as dd  # noqa: PLC0415 - an extra

    style = query.resource.style
    spans: list[Span | None] = [*style.ranges(query, partitions)] if isinstance(style, Ranged) else []
    # Where the sizes are known, so is the index: that of frame().
    edges = [0, *accumulate(span.rows for span in spans if span is not None)]
    divisions = (*edges[:-1], edges[-1] - 1) if spans else None
    plan, meta = Plan.of(query), to_frame(query.schema.empty())
    found: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
        pull, spans or [None], edges[:-1] or [0], plan=plan, meta=meta, divisions=divisions, label="vendorkit"
    )
    return found


def pull(span: Span | None, first: int, *, plan: Plan, columns: list[str] | None = None) -> pd.DataFrame:
    """
    Return one part as a frame of declared columns, its index counted from *first* on.

    Args:
        span: The part; None for all.
        first: How many rows are before it.
        plan: The query.
        columns: Only these columns; Dask asks for those that are used.

    Raises:
        IncompletePull: The part is not what was planned; `arrived` is None.
    """
    query = plan.query(span)
    names = query.schema.arrow.names
    wanted = names if columns is None else list(columns)
    # Undeclared fields are looked for where all columns are wanted, as in frame(). To count rows, a table needs one.
    schema = query.schema if wanted == names else query.schema.project(wanted or names[:1])
    try:
        table, _ = query._table(schema, None)  # noqa: SLF001 - frame() without what it appends
    except IncompletePull as exc:
        exc.arrived = None  # too large to travel in an error
        raise
    _warn(query.resource.name, [name for name in table.column_names if name not in schema.arrow.names])
    frame = to_frame(table.select(schema.arrow.names))[wanted]
    frame.index = pd.RangeIndex(first, first + len(frame))
    return frame


def _warn(resource: str, left_out: list[str]) -> None:
    if not left_out:
        return
    said = f"{resource}: not in the Dask frame, but in frame() and save(): {', '.join(left_out)}."
    distributed = sys.modules.get("distributed")
    # On a worker this one tells the client as well.
    warn = warnings.warn if distributed is None else distributed.warn
    warn(said, SchemaDrift)
