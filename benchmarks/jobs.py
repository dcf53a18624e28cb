"""The contenders of benchmark 4; each function imports and connects, and returns the job and what tells its facts."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pandas as pd
import requests

from benchmarks import facts, peers, vendor
from benchmarks.harness import Facts
from vendorkit.local.server.address_file import servers_at

Job = tuple[Callable[[], Any], Callable[[Any], Facts] | None]
Order = Mapping[str, Any]

QUERY: Final = "/v4/products/query"
STREAM: Final = "/v4/products/stream"
WHOLE: Final = {"filter": {}, "sorting": {"id": "ASC"}}
_BLOCK: Final = 1 << 20


class Api:
    """Where the vendor is, and what every request needs: a trusted CA, Basic credentials."""

    def __init__(self, order: Order) -> None:
        server = servers_at(order["vendors"])["medipim"]
        self.url = server.base_url
        self.auth = (server.credentials["MEDIPIM_API_KEY_ID"], server.credentials["MEDIPIM_API_KEY_SECRET"])
        self.ca = order["ca_file"]

    def session(self) -> requests.Session:
        """Return a session: connections are kept."""
        session = requests.Session()
        session.auth, session.verify, session.trust_env = self.auth, self.ca, False
        return session

    def pages(self, order: Order) -> list[dict[str, Any]]:
        """Return the bodies of all page requests, in order."""
        return [
            {**WHOLE, "filter": condition, "page": {"no": number, "size": vendor.PAGE}}
            for condition, count in order["windows"]
            for number in range(count)
        ]


def download(form: str, order: Order) -> Job:
    """Download the same bytes and drop them."""
    api = Api(order)
    session, bodies = api.session(), api.pages(order)

    def pages() -> int:
        return sum(len(_sent(session.post(api.url + QUERY, json=body)).content) for body in bodies)

    def stream() -> int:
        with session.post(api.url + STREAM, json=WHOLE, stream=True) as response:
            return sum(map(len, _sent(response).iter_content(_BLOCK)))

    return (pages if form == "pages" else stream), None


def ours(form: str, order: Order) -> Job:
    """`frame()`: by windows, put together; or the stream, which it takes by itself for so many."""
    resource = vendor.connect("medipim", servers_at(order["vendors"])).products

    def pages() -> pd.DataFrame:
        frames = [vendor.frame(resource.query(where=condition)) for condition, _ in order["windows"]]
        return pd.concat(frames, ignore_index=True)

    return (pages if form == "pages" else lambda: vendor.frame(resource.query())), _sorted(facts.of_ours)


def ours_by_windows(form: str, order: Order) -> Job:
    """`frame()` with windows that it finds by itself; pages only."""
    assert form == "pages"
    query = vendor.connect("medipim", servers_at(order["vendors"])).products.query(strategy="windows")
    return lambda: vendor.frame(query), _sorted(facts.of_ours)


def loop(form: str, order: Order) -> Job:
    """What most would write first: a loop over pages, or `iter_lines`; `json` and `json_normalize`."""
    api = Api(order)
    session, bodies = api.session(), api.pages(order)

    def pages() -> pd.DataFrame:
        answers = (_sent(session.post(api.url + QUERY, json=body)).json() for body in bodies)
        return pd.concat([pd.json_normalize(answer["results"]) for answer in answers], ignore_index=True)

    def stream() -> pd.DataFrame:
        with session.post(api.url + STREAM, json=WHOLE, stream=True) as response:
            lines = _sent(response).iter_lines()
            return pd.json_normalize([json.loads(line)["result"] for line in lines if line])

    return (pages if form == "pages" else stream), _sorted(facts.of_normalised)


def threads(form: str, order: Order) -> Job:
    """The loop on 4 threads, each with a session; pages only."""
    assert form == "pages"
    api = Api(order)
    bodies, own = api.pages(order), threading.local()

    def fetch(body: dict[str, Any]) -> pd.DataFrame:
        if not hasattr(own, "session"):
            own.session = api.session()
        return pd.json_normalize(_sent(own.session.post(api.url + QUERY, json=body)).json()["results"])

    def run() -> pd.DataFrame:
        with ThreadPoolExecutor(4) as pool:
            return pd.concat(pool.map(fetch, bodies), ignore_index=True)

    return run, _sorted(facts.of_normalised)


def httpx_pages(form: str, order: Order) -> Job:
    """httpx's AsyncClient, 8 requests at a time, orjson; pages only."""  # noqa: D403 - it is its name
    assert form == "pages"
    import httpx  # noqa: PLC0415 - imported where it runs
    import orjson  # noqa: PLC0415

    api = Api(order)
    bodies = api.pages(order)
    context = ssl.create_default_context(cafile=api.ca)

    async def fetch() -> list[pd.DataFrame]:
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
        async with httpx.AsyncClient(auth=api.auth, verify=context, limits=limits, timeout=None) as client:  # noqa: S113

            async def page(body: dict[str, Any]) -> pd.DataFrame:
                response = await client.post(api.url + QUERY, json=body)
                return pd.json_normalize(orjson.loads(response.raise_for_status().content)["results"])

            return await asyncio.gather(*map(page, bodies))

    return lambda: pd.concat(asyncio.run(fetch()), ignore_index=True), _sorted(facts.of_normalised)


def httpx_stream(form: str, order: Order) -> Job:
    """httpx's stream, orjson. Lines are cut here: its `iter_lines` also cuts at U+2028, inside records."""  # noqa: D403
    assert form == "stream"
    import httpx  # noqa: PLC0415 - imported where it runs
    import orjson  # noqa: PLC0415

    api = Api(order)
    context = ssl.create_default_context(cafile=api.ca)

    def run() -> pd.DataFrame:
        with (
            httpx.Client(auth=api.auth, verify=context, timeout=None) as client,  # noqa: S113
            client.stream("POST", api.url + STREAM, json=WHOLE) as response,
        ):
            response.raise_for_status()
            return pd.json_normalize([orjson.loads(line)["result"] for line in _lines(response.iter_bytes(_BLOCK))])

    return run, _sorted(facts.of_normalised)


def dlt(form: str, order: Order) -> Job:
    """dlt's own REST client and pager for the pages; for the stream, which it has no pager for, lists of lines."""  # noqa: D403
    from dlt.sources.helpers.rest_client.client import RESTClient  # noqa: PLC0415 - imported where it runs
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator  # noqa: PLC0415

    api = Api(order)
    session = api.session()
    client = RESTClient(api.url, session=session)

    def pages() -> Iterator[list[dict[str, Any]]]:
        for condition, count in order["windows"]:
            pager = PageNumberPaginator(0, total_path=None, maximum_page=count, page_body_path="page.no")
            body = {**WHOLE, "filter": condition, "page": {"size": vendor.PAGE}}
            yield from client.paginate(QUERY, "POST", json=body, data_selector="results", paginator=pager)

    def stream() -> Iterator[list[dict[str, Any]]]:
        with session.post(api.url + STREAM, json=WHOLE, stream=True) as response:
            block: list[dict[str, Any]] = []
            for line in _sent(response).iter_lines(_BLOCK):
                block.append(json.loads(line)["result"])
                if len(block) == vendor.PAGE:
                    yield block
                    block = []
            yield block

    return lambda: peers.dlt_frame(pages if form == "pages" else stream), _sorted(peers.of_dlt)


def _sent(response: requests.Response) -> requests.Response:
    response.raise_for_status()
    return response


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _sorted(facts_of: Callable[[Any], Facts]) -> Callable[[Any], Facts]:
    """Facts by id: windows bring another order than the stream, and threads may."""
    return lambda frame: sorted(facts_of(frame))
