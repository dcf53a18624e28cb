"""The HTTP side of Mediagenix's APIs: content negotiation, pages, cursors and errors."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from vendorkit.local.mediagenix.answers import Collection, Node, Paging, Renderer, Resource, Table, found_in
from vendorkit.local.mediagenix.changes import DONE, Changed, Events
from vendorkit.local.mediagenix.tables import Tables
from vendorkit.local.mediagenix.writer import Writer
from vendorkit.local.server.api import Api
from vendorkit.local.server.settings import Settings

PER_PAGE: Final = 50
PER_PAGE_MAX: Final = 200
_DIGITS: Final = 18  # longer numbers are refused
_TYPES: Final = {True: "application/json; charset=utf-8", False: "application/xml; charset=utf-8"}


def error(status: int, message: str, *, as_json: bool = False) -> Response:
    """
    Return an error as the vendor writes it.

    422 has a `message` element, all others plain text (Mediagenix's documents). The JSON forms are inferred.
    """
    inner = f"<message>{escape(message)}</message>" if status == 422 else escape(message)
    body = json.dumps({"error": {"message": message} if status == 422 else message})
    return Response(body if as_json else f"<error>{inner}</error>\n", status, media_type=_TYPES[as_json])


class Product(Api):
    """
    One product of Mediagenix: the records of its table, its root and its event feed.

    It is one ASGI application for all routes, so that they take every method and refuse writes as the vendor does.

    Attributes:
        FILE: The name of its table: `root` has its name and links, `events` the kinds of events, `records` the rest.
    """

    AUTH = "digest"
    RATE = (150, 30.0, 300.0)  # 3.8
    FILE: ClassVar[str]

    def __init__(self, settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> None:
        super().__init__(settings, origin, credentials)
        data = json.loads(Path(__file__).with_name(self.FILE).read_text("utf-8"))
        ((name, rels),) = data["root"].items()
        # The links of the root lead to whole collections, so none is expanded.
        root = Resource(name, "", [], links=[(rel, f"/{rel}") for rel in rels], plain=frozenset(rels))
        library = self.library()
        tables = Tables(data["records"], library)
        events = Events(settings, library, tables, data["events"])
        self._table: Table = {"": lambda: root, "/events": events.collection, "/events/{id}": events.event}
        self._table |= tables.patterns()
        self._resolve = Changed(settings, partial(found_in, self._table), tables).resolve
        self._writer = Writer(settings, self._resolve, tables)

    def library(self) -> Any:
        """Return the facts of the records."""
        raise NotImplementedError

    def routes(self) -> list[Route]:
        """Return one route, below `/api`, for each path of the table."""
        return [Route(_route_path(pattern), self) for pattern in self._table]

    def refusal(self, status: int, reason: str, _exc: Exception | None = None) -> Response:
        """Return the vendor's error for requests that the server refuses before they reach a route."""
        return error(status, reason)

    def unknown(self, action: str, records: list[str]) -> str:
        """Return which of *records* cannot be changed, because they are not there or there is no such action."""
        known = action in DONE and bool(records)

        def fits(path: str) -> bool:
            return known and path.rpartition("/")[2].isdecimal() and isinstance(self._resolve(f"/{path}"), Resource)

        return ", ".join(one for one in records if not fits(one)) or "anything" * (not known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        as_json = False
        try:
            as_json = _wants_json(request.headers.get("accept", ""))
            # As it was sent: an external id may have an escaped slash.
            status, path = 200, scope["raw_path"].decode("latin-1").removeprefix("/api")
            if request.method not in {"GET", "HEAD"}:
                kind = request.headers.get("content-type", "")
                status, path = self._writer.write(request.method, path, await request.body(), kind)
            response = Response(status_code=204) if status == 204 else self._answer(request, path, as_json=as_json)
            response.status_code = status
        except HTTPException as exc:
            response = error(exc.status_code, exc.detail, as_json=as_json)
        await response(scope, receive, send)

    def _answer(self, request: Request, path: str, *, as_json: bool) -> Response:
        # Rails, on which the vendor seems to run, treats blank parameters as absent; a public poller sends one.
        query = {name: value for name, value in request.query_params.items() if value.strip()}
        node: Node | None = self._resolve(path)
        if node is None:
            raise HTTPException(404, f"No record at {request.url.path}")
        paging = Paging()
        if isinstance(node, Collection):
            node, paging = _page(node, query, f"{self.origin()}/api{path}", unescaped=self.settings.unescaped_next)
        expand = frozenset(query.get("expand", "").replace(" ", "").split(",")) - {""}
        renderer = Renderer(self, self._resolve, expand)
        body = renderer.json(node, paging) if as_json else renderer.xml(node, paging)
        return Response(body, media_type=_TYPES[as_json])


def _wants_json(accept: str) -> bool:
    """Whether to answer in JSON. No Accept means XML; the first known type wins; no known type is 406 (inferred)."""
    parts = accept.replace(";", ",").replace(" ", "").split(",")
    known = [name for name in parts if name.endswith(("json", "xml", "*"))]
    if accept and not known:
        raise HTTPException(406, "Answers are application/xml or application/json.")
    return bool(known) and known[0].endswith("json")


def _page(collection: Collection, query: Mapping[str, str], url: str, *, unescaped: bool) -> tuple[Collection, Paging]:
    """Return the requested part of a collection, and the links to the adjacent parts."""
    members = collection.members if collection.select is None else collection.select(query)
    if collection.paging == "none" or (collection.paging == "optional" and query.get("pagination") != "true"):
        return replace(collection, members=members), Paging()
    size = _number(query, "per_page", PER_PAGE)
    if size > PER_PAGE_MAX:
        raise HTTPException(422, f"per_page maximum value is {PER_PAGE_MAX}")
    by_cursor = collection.paging == "cursor"
    number = 1 if by_cursor else _number(query, "page", 1)
    start = _after(members, query, size) if by_cursor else (number - 1) * size
    part, more = members[start : start + size], start + size < len(members)

    def link(name: str, value: int) -> str:
        kept = {key: given for key, given in query.items() if key not in {"page", "after", "before"}} | {name: value}
        plain = "&".join(f"{key}={given}" for key, given in kept.items())
        return f"{url}?{plain if unescaped else urlencode(kept, safe=',')}"

    links = []
    if start and (len(part) or not by_cursor):
        links.append(("prev", link("before", part[0]) if by_cursor else link("page", number - 1)))
    if more:
        links.append(("next", link("after", part[-1]) if by_cursor else link("page", number + 1)))
    return replace(collection, members=part), Paging(None if by_cursor else len(members), links)


def _after(members: Sequence[int], query: Mapping[str, str], size: int) -> int:
    """Return where the part `after` or `before` an id starts (3.5: a key begins with `af`; names from code of 2013)."""
    if "before" in query:
        return max(0, bisect_left(members, _number(query, "before", 0, least=0)) - size)
    return bisect_right(members, _number(query, "after", 0, least=0))


def _number(query: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > _DIGITS or int(text) < least:
        raise HTTPException(422, f"{name} must be an integer of {least} or more")
    return int(text)


def _route_path(pattern: str) -> str:
    """Return the pattern in Starlette's syntax; each id gets a different name."""
    first, *rest = pattern.split("{id}")
    return "/api" + first + "".join(f"{{id{position or ''}:int}}{part}" for position, part in enumerate(rest))
