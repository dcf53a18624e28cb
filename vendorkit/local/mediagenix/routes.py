"""The HTTP side of Mediagenix's APIs: formats, pages, cursors and errors."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import unquote_plus, urlencode
from xml.sax.saxutils import escape

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from vendorkit.local.mediagenix.answers import Collection, Node, Paging, Renderer, Resource, Table, found_in
from vendorkit.local.mediagenix.changes import PARTICIPLES, Changed, Events
from vendorkit.local.mediagenix.tables import Tables
from vendorkit.local.mediagenix.writer import Writer
from vendorkit.local.server.api import Api, weights
from vendorkit.local.server.settings import Settings

PER_PAGE: Final = 50
PER_PAGE_MAX: Final = 200
_MAX_DIGITS: Final = 18  # longer numbers are refused
_TYPES: Final = {True: "application/json; charset=utf-8", False: "application/xml; charset=utf-8"}


def error(status: int, message: str, *, as_json: bool = False) -> Response:
    """
    Return an error in the vendor's format.

    422 has a `message` element, all others have plain text (Mediagenix's documents). The JSON forms are inferred.
    """
    inner = f"<message>{escape(message)}</message>" if status == 422 else escape(message)
    body = json.dumps({"error": {"message": message} if status == 422 else message})
    return Response(body if as_json else f"<error>{inner}</error>\n", status, media_type=_TYPES[as_json])


class Product(Api):
    """
    One product of Mediagenix: its records, its root and its event feed.

    All routes share this ASGI application. They accept writes, so that it can refuse them as the vendor does.

    Attributes:
        FILE: The data file: `root` has the root's name and links, `events` the kinds of events, `records` the tables.
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
        """Return one route below `/api` per path of the table."""
        methods = ["GET", "POST", "PUT", "DELETE"]
        return [Route(_route_path(pattern), self, methods=methods) for pattern in self._table]

    def refusal(self, status: int, reason: str, _exc: Exception | None = None) -> Response:
        """Return the vendor's error for a request that is refused before it reaches a route."""
        return error(status, reason)

    def unknown(self, action: str, records: list[str]) -> str:
        """Return those of *records* that do not exist; all of them if the action does not."""
        possible = action in PARTICIPLES and bool(records)

        def exists(path: str) -> bool:
            return path.rpartition("/")[2].isdecimal() and isinstance(self._resolve(f"/{path}"), Resource)

        return ", ".join(path for path in records if not (possible and exists(path))) or "anything" * (not possible)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        as_json = False
        try:
            as_json = _wants_json(request.headers.get("accept", ""))
            # The path as it was sent, because an external id may contain an escaped slash.
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
        # Rails, on which the vendor seems to run, treats blank parameters as absent. A public poller sends one.
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
    """Whether to answer in JSON: by the preferred known type in Accept, XML without Accept; else 406 (inferred)."""
    known = {name: weight for name, weight in weights(accept).items() if weight and name.endswith(("json", "xml", "*"))}
    if accept.strip() and not known:
        raise HTTPException(406, "Answers are application/xml or application/json.")
    return max(known, key=known.__getitem__, default="").endswith("json")


def _page(collection: Collection, query: Mapping[str, str], url: str, *, unescaped: bool) -> tuple[Collection, Paging]:
    """Return the requested page of a collection, and the links to the adjacent pages."""
    members = collection.members if collection.select is None else collection.select(query)
    if collection.paging == "none" or (collection.paging == "optional" and query.get("pagination") != "true"):
        return replace(collection, members=members), Paging()
    size = _number(query, "per_page", PER_PAGE)
    if size > PER_PAGE_MAX:
        raise HTTPException(422, f"per_page maximum value is {PER_PAGE_MAX}")
    by_cursor = collection.paging == "cursor"
    number = 1 if by_cursor else _number(query, "page", 1)
    start = _after(members, query, size) if by_cursor else (number - 1) * size
    page, has_next = members[start : start + size], start + size < len(members)

    def link(name: str, position: int) -> str:
        others = {key: value for key, value in query.items() if key not in {"page", "after", "before"}}
        params = others | {name: str(position)}
        return f"{url}?{unquote_plus(urlencode(params)) if unescaped else urlencode(params, safe=',')}"

    links = []
    if start and (len(page) or not by_cursor):
        links.append(("prev", link("before", page[0]) if by_cursor else link("page", number - 1)))
    if has_next:
        links.append(("next", link("after", page[-1]) if by_cursor else link("page", number + 1)))
    return replace(collection, members=page), Paging(None if by_cursor else len(members), links)


def _after(members: Sequence[int], query: Mapping[str, str], size: int) -> int:
    """
    Return the index at which the page `after` or `before` an id starts.

    The vendor shows only a parameter that begins with `af` (3.5). The names are from code of 2013 (inferred).
    """
    if "before" in query:
        return max(0, bisect_left(members, _number(query, "before", 0, least=0)) - size)
    return bisect_right(members, _number(query, "after", 0, least=0))


def _number(query: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > _MAX_DIGITS or int(text) < least:
        raise HTTPException(422, f"{name} must be an integer of {least} or more")
    return int(text)


def _route_path(pattern: str) -> str:
    """Return the pattern in Starlette's syntax, in which each id needs a different name."""
    first, *rest = pattern.split("{id}")
    return "/api" + first + "".join(f"{{id{position or ''}:int}}{part}" for position, part in enumerate(rest))
