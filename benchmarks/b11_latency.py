"""
11. With latency: the same downloads when each answer takes 0, 80 or 200 ms, by numbered pages and by linked ones.

The limit is what the network allows: the same requests by `requests`, the first page first and then the others eight
at a time, their bytes dropped. All answers were recorded beforehand, so that no server's computing counts. Each run
connects anew. dlt runs once. Medipim's pages are JSON; Mediagenix's are XML for us and the limit, and JSON for peers.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import pandas as pd
import requests

from benchmarks import peers, replay, vendor
from benchmarks.harness import Bar, Contender, Facts, Report, Size, installed, measure
from vendorkit import local
from vendorkit.http.exchanges import Exchange
from vendorkit.local.server.process import LocalVendor

LIMIT: Final = "the limit"
OURS: Final = "vendorkit frame()"
LOOP: Final = "requests loop + json_normalize"
LATENCIES: Final = (0.0, 0.08, 0.2)
FORMS: Final = {"pages": ("medipim", "products"), "linked pages": ("mediagenix", "titles")}
_MOST: Final = {0.08: 1.5, 0.2: 1.3}
_AT_ONCE: Final = 8


def bench(size: Size) -> Report:
    """Measure it."""
    counts = {"pages": size.of(5_000, 1_000), "linked pages": size.of(4_000, 800)}
    title = f"With latency: {counts['pages']:,} products in pages, {counts['linked pages']:,} titles in linked pages"
    report = Report("11", title, base=f"pages, 200 ms: {LIMIT}", packages=("requests", "httpx", "dlt", "pandas"))
    with_dlt = installed("dlt", size, report)
    for form, (name, resource) in FORMS.items():
        switches = {"products": counts["pages"], "titles": counts["linked pages"], "gzip": False}
        with local.start(vendors=("medipim", "mediagenix", "sequence"), **switches) as servers:
            exchanges, found = recorded(servers, name, resource)
            server = servers[name]
        with (
            TemporaryDirectory() as folder,
            replay.serving(found, server.base_url, Path(folder), LATENCIES) as (ca_pem, ports),
        ):
            ca_file = Path(folder, "ca.pem")
            ca_file.write_text(ca_pem, encoding="ascii")
            for latency in LATENCIES:
                again = LocalVendor(name, ports[latency], ca_pem, server.credentials, "")
                download = Download(form, latency, again, str(ca_file), exchanges, counts[form])
                report.rows += measure(download.contenders(), size)
                report.rows += measure(download.once(), Size(size.tiny, 1)) if with_dlt else []
    for form in FORMS:
        for latency, most in _MOST.items():
            limit, ours, loop = (_name(form, latency, name) for name in (LIMIT, OURS, LOOP))
            report.bars.append(Bar(f"{ours} / {LIMIT}", report.ratio(ours, limit), "at most", most))
            if latency == LATENCIES[-1]:
                report.bars.append(Bar(f"{loop} / {OURS}", report.ratio(loop, ours), "at least", 4))
    return report


def recorded(servers: local.LocalVendors, name: str, resource: str) -> tuple[list[Exchange], dict[str, bytes]]:
    """Return the requests of one `frame()` with their answers, and those answers by request, of peers' requests too."""
    client = vendor.connect(name, servers)
    client.session.exchanges.keep_bytes = 1 << 24
    vendor.frame(getattr(client, resource).query())
    ours = [one for one in client.session.exchanges.all() if one.status == 200]
    if name == "mediagenix":
        vendor.frame(client.titles.query(accept="json"))
    return ours, replay.answers(client.session.exchanges.all(), servers[name].base_url)


def _name(form: str, latency: float, name: str) -> str:
    return f"{form}, {latency * 1000:.0f} ms: {name}"


@dataclass(frozen=True)
class Download:
    """One download at one latency, and the ways to do it; `exchanges` are the requests that vendorkit sends."""

    form: str
    latency: float
    server: LocalVendor
    ca_file: str
    exchanges: list[Exchange]
    count: int

    def contenders(self) -> list[Contender]:
        """Return all but dlt."""
        linked = self.form == "linked pages"
        loop, by_httpx = (self.loop_links, self.httpx_links) if linked else (self.loop_pages, self.httpx_pages)
        peer = "httpx" if linked else "httpx, 8 at a time"
        return [
            self._one(OURS, self.ours),
            self._one(LIMIT, self.limit, None),
            self._one(LOOP, loop),
            self._one(f"{peer} + json_normalize", by_httpx),
        ]

    def once(self) -> list[Contender]:
        """Return dlt, which takes so long that it runs once."""
        return [self._one("dlt to Parquet", self.dlt)]

    def _one(self, name: str, run: Callable[[], Any], facts: Callable[[Any], Facts] | None = None) -> Contender:
        facts_of = None if name == LIMIT else facts or (lambda frame: [(str(one),) for one in frame["id"]])
        return Contender(_name(self.form, self.latency, name), run, facts_of)

    def ours(self) -> pd.DataFrame:
        """`frame()` of a new client."""
        name, resource = FORMS[self.form]
        client = vendor.connect(name, {name: self.server, "sequence": self.server})  # type: ignore[arg-type]
        return vendor.frame(getattr(client, resource).query())

    def limit(self) -> int:
        """The same requests, the first one first and the others eight at a time; a session per thread."""
        own = threading.local()

        def send(one: Exchange) -> int:
            if not hasattr(own, "session"):
                own.session = self._session()
            path = one.url.partition("//")[2].partition("/")[2]
            headers = {name: one.sent[name] for name in ("Accept", "Content-Type") if name in one.sent}
            url = f"{self.server.base_url}/{path}"
            return len(_ok(own.session.request(one.method, url, data=one.body.sent, headers=headers)).content)

        first, *others = self.exchanges
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return send(first) + sum(pool.map(send, others))

    def loop_pages(self) -> pd.DataFrame:
        """What most would write first, until all that was announced has come."""
        session, frames, rows, total = self._session(), [], 0, 1
        while rows < total:
            page = _ok(session.post(self._products, json=_body(len(frames)))).json()
            frames.append(pd.json_normalize(page["results"]))
            rows, total = rows + len(page["results"]), page["meta"]["total"]
        return pd.concat(frames, ignore_index=True)

    def loop_links(self) -> pd.DataFrame:
        """What most would write first, from link to link."""
        session, frames, url = self._session(), [], self._titles
        while url:
            page = _ok(session.get(url, headers={"Accept": "application/json"})).json()
            frames.append(pd.json_normalize(page["entries"]))
            url = page.get("next_link", "")
        return pd.concat(frames, ignore_index=True)

    def httpx_pages(self) -> pd.DataFrame:
        """Return what httpx's AsyncClient fetches: the first page, then the others eight at a time."""

        async def fetch() -> list[pd.DataFrame]:
            limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
            async with httpx.AsyncClient(verify=self._context, limits=limits, timeout=None) as client:  # noqa: S113

                async def page(number: int) -> Any:
                    return (await client.post(self._products, json=_body(number))).raise_for_status().json()

                first = await page(0)
                others = range(1, -(-first["meta"]["total"] // vendor.PAGE))
                return [pd.json_normalize(one["results"]) for one in [first, *await asyncio.gather(*map(page, others))]]

        return pd.concat(asyncio.run(fetch()), ignore_index=True)

    def httpx_links(self) -> pd.DataFrame:
        """Return what httpx's Client fetches from link to link."""
        frames, url = [], self._titles
        with httpx.Client(verify=self._context, timeout=None, headers={"Accept": "application/json"}) as client:  # noqa: S113
            while url:
                page = client.get(url).raise_for_status().json()
                frames.append(pd.json_normalize(page["entries"]))
                url = page.get("next_link", "")
        return pd.concat(frames, ignore_index=True)

    def dlt(self) -> pd.DataFrame:
        """Return what dlt loads by its own REST client and pagers."""
        from dlt.sources.helpers.rest_client import paginators  # noqa: PLC0415 - a peer that may be missing
        from dlt.sources.helpers.rest_client.client import RESTClient  # noqa: PLC0415

        session = self._session()
        session.headers["Accept"] = "application/json"
        client = RESTClient(self.server.base_url, session=session)

        def pull() -> Iterator[Any]:
            if self.form == "pages":
                pages = -(-self.count // vendor.PAGE)
                pager = paginators.PageNumberPaginator(0, total_path=None, maximum_page=pages, page_body_path="page.no")
                body = {**_body(0), "page": {"size": vendor.PAGE}}
                yield from client.paginate(
                    "/v4/products/query", "POST", json=body, data_selector="results", paginator=pager
                )
            else:
                links = paginators.JSONLinkPaginator(next_url_path="next_link")
                yield from client.paginate(self._titles, data_selector="entries", paginator=links)

        return peers.dlt_frame(pull)

    @property
    def _products(self) -> str:
        return f"{self.server.base_url}/v4/products/query"

    @property
    def _titles(self) -> str:
        return f"{self.server.base_url}/api/titles?{urlencode({'per_page': 200, 'pagination': 'true'})}"

    @property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = self.ca_file, False
        return session


def _body(number: int) -> dict[str, Any]:
    return {"filter": {}, "sorting": {"id": "ASC"}, "page": {"no": number, "size": vendor.PAGE}}


def _ok(response: requests.Response) -> requests.Response:
    response.raise_for_status()
    return response
