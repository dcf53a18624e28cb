"""Data and clients for the benchmarks: from the mock servers, over HTTPS or straight from their generators."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from unittest.mock import patch
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import numpy as np
import pandas as pd

import vendorkit as vk
from vendorkit import local
from vendorkit.http.call import Call
from vendorkit.local.medipim.shop import Shop
from vendorkit.local.server.settings import Settings
from vendorkit.query import Query
from vendorkit.vendors.medipim import paging as medipim_paging
from vendorkit.vendors.registry import Servers, connect_local

T = TypeVar("T")

PAGE: Final = 250
TITLES: Final = 200  # a page of them


def products(count: int, *, odd: bool) -> list[bytes]:
    """
    Return products as the mock server encodes them.

    Args:
        count: How many.
        odd: With the vendor's oddities. What an ordinary record holds (nulls, missing locales, empty lists, several
            EANs) is there without them too.
    """
    shop = Shop(Settings(products=count, oddities=odd), "https://127.0.0.1:1", "https://localhost:1")
    return list(shop.encoded("products", shop.catalogue.index))


def pages(records: list[bytes]) -> list[bytes]:
    """Return the answers that hold the records, with the envelope that the vendor writes."""
    return [_page(records, number, PAGE) for number in range(-(-len(records) // PAGE))]


def _page(records: list[bytes], number: int, size: int) -> bytes:
    envelope = b'{"meta":{"total":%d,"page":{"no":%d,"offset":%d,"size":%d}},"results":[%b]}'
    start = number * size
    return envelope % (len(records), number, start, size, b",".join(records[start : start + size]))


class Canned:
    """A session whose answers are there already, so that a pull is bytes to frame and nothing else."""

    def __init__(self, session: Any, answer: Callable[[Call], bytes]) -> None:
        self._session, self._answer = session, answer

    def send(self, call: Call) -> Any:
        """Return the answer to *call*."""
        query = f"?{urlencode(call.params)}" if call.params else ""
        return SimpleNamespace(content=self._answer(call), headers={}, url=self._session.absolute(call.url) + query)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def medipim_on(bodies: list[bytes], server: local.LocalVendors) -> vk.Client:
    """
    Return a Medipim client that reads products from memory.

    Its vendor answers by what a call asks: pages of all products, or of those created or updated since a moment.
    """
    client = connect("medipim", server)
    records = [record for body in bodies for record in msgspec.json.decode(body, type=dict[str, Any])["results"]]
    # As arrays: a vendor has an index, and its time is not ours.
    created = np.array([one["meta"]["createdAt"] or 0 for one in records])
    updated = np.array([one["meta"]["updatedAt"] for one in records])
    del records

    def answer(call: Call) -> bytes:
        conditions, page = call.json["filter"], call.json["page"]
        if not conditions and page["size"] == PAGE:
            return bodies[page["no"]]
        since = {"createdAt": {"from": 0}, "updatedSince": 0} | conditions
        assert len(since) == 2, f"there is no answer to {conditions}"
        rows = np.flatnonzero((created >= since["createdAt"]["from"]) & (updated >= since["updatedSince"])).tolist()
        return _page([_record(bodies, row) for row in rows], page["no"], page["size"])

    client.session = Canned(client.session, answer)  # type: ignore[assignment]
    return client


def _record(bodies: list[bytes], row: int) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(bodies[row // PAGE])["results"][row % PAGE])


def mediagenix_on(bodies: list[bytes], servers: local.LocalVendors) -> vk.Client:
    """
    Return a Mediagenix client that reads titles from memory; `next` links lead from one page to the other.

    Its vendor answers by what a call asks: pages of titles, or the feed of events, which has nothing new.
    """
    client = connect("mediagenix", servers)
    feed = client.session.send(Call("GET", "/api/events")).content

    def answer(call: Call) -> bytes:
        url = urlsplit(call.url)
        params = {name: one[0] for name, one in parse_qs(url.query).items()} | dict(call.params)
        if url.path == "/api/events":
            return feed
        assert (url.path, int(params["per_page"])) == ("/api/titles", TITLES), f"there is no answer to {call.url}"
        return bodies[int(params.get("page", 1)) - 1]

    client.session = Canned(client.session, answer)  # type: ignore[assignment]
    return client


def quietly(verb: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call a verb of a query; the warning about odd records is expected here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vk.SchemaDrift)
        return verb(*args, **options)


def frame(query: Query, **options: Any) -> pd.DataFrame:
    """Return `query.frame(...)`, quietly."""
    return quietly(query.frame, **options)


def endless_window() -> AbstractContextManager[Any]:
    """Let pages go on past the vendor's window of 10,000, so that 50,000 records come in pages."""
    return patch.object(medipim_paging, "WINDOW", 1 << 60)


def connect(vendor: str, servers: Servers) -> vk.Client:
    """Return a client of one of *servers*."""
    return connect_local(vendor, servers, country="be" if vendor == "medipim" else None)


def sharing(servers: local.LocalVendors) -> AbstractContextManager[Any]:
    """Let `environment="local"` mean *servers* in this process, and so where Dask's workers find them."""
    return patch.object(local, "shared", lambda *_: servers)


def titles_xml(servers: local.LocalVendors, count: int) -> list[bytes]:
    """Return all titles of a local Mediagenix as it serves them: XML in pages of 200, over HTTPS."""
    client = connect("mediagenix", servers)
    return [
        client.get("/api/titles", params={"per_page": TITLES, "page": number}).content
        for number in range(1, -(-count // TITLES) + 1)
    ]
