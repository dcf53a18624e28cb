"""The HTTP side of `hypermedia`: content negotiation, pages, cursors, and the errors of Mediagenix's APIs."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vendorkit.local.server.hypermedia import Paging, Renderer
from vendorkit.local.server.hypermedia_changes import DONE, Changed
from vendorkit.local.server.hypermedia_writes import Refused, write
from vendorkit.local.server.nodes import Collection, Node, Table, found_in

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from vendorkit.local.server.settings import Settings

PER_PAGE: Final = 50
PER_PAGE_MAX: Final = 200
_DIGITS: Final = 18  # longer numbers are refused
_UTF8: Final = "; charset=utf-8"


def error(status: int, message: str, *, as_json: bool = False) -> Response:
    """
    Return an error as the vendor writes it.

    422 has a `message` element, all others plain text (Mediagenix's documents). The JSON forms are inferred.
    """
    if as_json:
        body: Any = {"error": {"message": message}} if status == 422 else {"error": message}
        return Response(json.dumps(body), status, media_type="application/json" + _UTF8)
    inner = f"<message>{escape(message)}</message>" if status == 422 else escape(message)
    return Response(f"<error>{inner}</error>\n", status, media_type="application/xml" + _UTF8)


def hypermedia_routes(settings: Settings, origin: Callable[..., str], table: Table) -> list[Route]:
    """Return one route for each path of the table."""
    endpoint = _Endpoint(settings, origin, table)
    return [Route(_route_path(pattern), endpoint) for pattern in table]


def not_changeable(settings: Settings, table: Table, action: str, records: Sequence[str]) -> str:
    """Return which of *records* cannot be changed, because they are not there or there is no such action."""
    resolve = Changed(settings, partial(found_in, table)).resolve
    there = [bool(re.fullmatch(r"[a-z_]+/[0-9]+", one)) and resolve(f"/{one}") is not None for one in records]
    known = action in DONE and bool(records)
    wrong = [one for one, found in zip(records, there, strict=True) if not (known and found)]
    return ", ".join(wrong) or "anything" * (not known)


class _Endpoint:
    """One ASGI application for all routes, so that they take every method and refuse writes as the vendor does."""

    def __init__(self, settings: Settings, origin: Callable[..., str], table: Table) -> None:
        self._settings = settings
        self._origin = origin
        self._table = table
        self._resolve = Changed(settings, self._computed).resolve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        as_json = False
        try:
            as_json = _wants_json(request.headers.get("accept", ""))
            status, path = 200, request.url.path.removeprefix("/api")
            if request.method not in {"GET", "HEAD"}:
                asked, kind = (request.method, path), request.headers.get("content-type", "")
                status, path = write(self._settings, self._resolve, asked, await request.body(), kind)
            response = self._answer(request, path, as_json=as_json) if status != 204 else Response(status_code=204)
            response.status_code = status
        except Refused as refused:
            response = error(refused.status, refused.message, as_json=as_json)
        await response(scope, receive, send)

    def _computed(self, path: str) -> Node | None:
        return found_in(self._table, path)

    def _answer(self, request: Request, path: str, *, as_json: bool) -> Response:
        # Rails, on which the vendor seems to run, treats blank parameters as absent; a public poller sends one.
        query = {name: value for name, value in request.query_params.items() if value.strip()}
        node = self._resolve(path)
        if node is None:
            raise Refused(404, f"No record at {request.url.path}")
        paging = Paging()
        if isinstance(node, Collection):
            node, paging = _page(node, query, f"{self._origin()}/api{path}", unescaped=self._settings.unescaped_next)
        expand = frozenset(query.get("expand", "").replace(" ", "").split(",")) - {""}
        renderer = Renderer(self._settings, self._origin, self._resolve, expand)
        if as_json:
            return Response(renderer.json(node, paging), media_type="application/json" + _UTF8)
        return Response(renderer.xml(node, paging), media_type="application/xml" + _UTF8)


def _wants_json(accept: str) -> bool:
    """Whether to answer in JSON. No Accept means XML; the first known type wins; no known type is 406 (inferred)."""
    known = [
        name for name in accept.replace(";", ",").replace(" ", "").split(",") if name.endswith(("json", "xml", "*"))
    ]
    if accept and not known:
        raise Refused(406, "Answers are application/xml or application/json.")
    return bool(known) and known[0].endswith("json")


def _page(collection: Collection, query: Mapping[str, str], url: str, *, unescaped: bool) -> tuple[Collection, Paging]:
    """Return the requested part of a collection, and the links to the adjacent parts."""
    members = collection.members if collection.select is None else collection.select(query)
    if collection.paging == "none" or (collection.paging == "optional" and query.get("pagination") != "true"):
        return replace(collection, members=members), Paging()
    size = _number(query, "per_page", PER_PAGE)
    if size > PER_PAGE_MAX:
        raise Refused(422, f"per_page maximum value is {PER_PAGE_MAX}")

    def link(**position: int) -> str:
        kept = {name: value for name, value in query.items() if name not in {"page", "after", "before"}}
        kept.update((name, str(value)) for name, value in position.items())
        if unescaped:
            return url + "?" + "&".join(f"{name}={value}" for name, value in kept.items())
        return url + "?" + urlencode(kept, safe=",")

    if collection.paging == "cursor":
        return _page_by_cursor(collection, members, query, size, link)
    number = _number(query, "page", 1)
    start = (number - 1) * size
    paging = Paging(
        total=len(members),
        prev=link(page=number - 1) if number > 1 else None,
        next=link(page=number + 1) if start + size < len(members) else None,
    )
    return replace(collection, members=members[start : start + size]), paging


def _page_by_cursor(
    collection: Collection, members: Sequence[int], query: Mapping[str, str], size: int, link: Callable[..., str]
) -> tuple[Collection, Paging]:
    """Return the part `after` or `before` an id (3.5: the key begins with `af`; names from server code of 2013)."""
    start = bisect_right(members, _number(query, "after", 0, least=0))
    if "before" in query:
        start = max(0, bisect_left(members, _number(query, "before", 0, least=0)) - size)
    part = members[start : start + size]
    paging = Paging(
        prev=link(before=int(part[0])) if start and len(part) else None,
        next=link(after=int(part[-1])) if start + size < len(members) else None,
    )
    return replace(collection, members=part), paging


def _number(query: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > _DIGITS or int(text) < least:
        raise Refused(422, f"{name} must be an integer of {least} or more")
    return int(text)


def _route_path(pattern: str) -> str:
    """Return the pattern in Starlette's syntax; each id gets a different name."""
    first, *rest = pattern.split("{id}")
    return "/api" + first + "".join(f"{{id{position or ''}:int}}{part}" for position, part in enumerate(rest))
