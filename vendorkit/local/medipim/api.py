"""
The Medipim mock server: the read endpoints of API v4, written from the vendor's documents (Medipim's documents).

The handlers do not deal with authentication, rates, faults and logs; `vendorkit.local.server.checks` does. Undocumented
behaviour is marked inferred, and `Settings` has a switch for it if it matters. Writes are refused with 403: the vendor
restricts them by subscription. Media files are public on the vendor's CDN (inferred), see OPEN.
"""

from __future__ import annotations

import html
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from vendorkit.local.medipim.catalogue import FIRST_MEDIA, Catalogue
from vendorkit.local.medipim.fields import get_fields
from vendorkit.local.medipim.filters import Violation
from vendorkit.local.medipim.kinds import WORDS
from vendorkit.local.medipim.lists import LISTS, List, list_at, rows_of
from vendorkit.local.medipim.lookups import encode
from vendorkit.local.medipim.minor import minor, subscriptions
from vendorkit.local.medipim.oddities import corrupt
from vendorkit.local.medipim.products import EANS
from vendorkit.local.medipim.shop import BadRequest, Shop, need, page_of, read_json
from vendorkit.local.medipim.writes import WRITERS, Missing
from vendorkit.local.server.files import picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from starlette.requests import Request

    from vendorkit.local.medipim.kinds import Ints
    from vendorkit.local.server.settings import Settings

    Handler = Callable[[Request], Awaitable[Response]]

VENDOR: Final = "medipim"
AUTH: Final = "basic"
RATE: Final = (100, 60, 0)  # requests, seconds, ban in seconds (Medipim's documents)
OPEN: Final = ("/media/",)  # served without credentials (inferred)
WINDOW: Final = 10_000
_CHUNK: Final = 400  # records per chunk of the stream: about 1 MB
_USER_AGENT: Final = re.compile(r"(?!Mozilla/)[^\s/]+/\S+ \(.+\)")


def refusal(status: int, reason: str) -> Response:
    """Return an error in the documented form (Medipim's documents)."""
    return _json({"error": {"status": status, "code": _code(status), "message": reason}}, status)


def _code(status: int) -> str:
    # Only those of 400, 401 and 429 are documented (Medipim's documents); the others are inferred.
    return str(WORDS["error_codes"].get(str(status), "internal_error"))


def _json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


class Api:
    """
    The handlers of the mock server.

    Args:
        settings: Read at each request, so that switches work while the server runs.
        origin: Returns the origin of this server, or of its "files", for absolute links.
    """

    def __init__(self, settings: Settings, origin: Callable[..., str]) -> None:
        self.settings, self.origin = settings, origin
        self._shop: tuple[Any, Shop] | None = None

    @property
    def shop(self) -> Shop:
        """The catalogue for the current settings."""
        s = self.settings
        key = (s.seed, s.country, s.products, s.brands, repr(s.changes))
        if self._shop is None or self._shop[0] != key:
            self._shop = (key, Shop(s, self.origin(), self.origin("files")))
        return self._shop[1]

    def guarded(self, handler: Handler) -> Handler:
        """Return `handler` with its exceptions turned into the vendor's errors."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except BadRequest as error:
                return refusal(400, str(error))
            except Violation as error:
                return self.invalid(error)

        return answer

    def invalid(self, error: Violation) -> Response:
        """Return a validation error; its status and the place and form of `violations` are inferred."""
        status = self.settings.invalid_status
        message = f"{error.field}: {error.message}"
        inner: dict[str, Any] = {"status": status, "code": _code(status), "message": message}
        body: dict[str, Any] = {"error": inner}
        violations = [{"field": error.field, "message": error.message}]
        (inner if self.settings.violations_inside_error else body)["violations"] = violations
        return _json(body, status)

    # -- products and media

    async def query(self, kind: str, request: Request) -> Response:
        """Answer `products/query` or `media/query`."""
        body = await read_json(request)
        need(body, ("filter", "sorting", "page"), ("filter", "sorting", "page"))
        number, size = page_of(body)
        found = self.shop.select(kind, body)
        start = number * size
        if start >= WINDOW and self.settings.beyond_window == "error":
            field = "page.no"
            raise Violation(field, f"only the first {WINDOW} results can be paged; use the stream endpoint")
        index = found[start : min(start + size, WINDOW)]
        records = b",".join(self.shop.encoded(kind, index))
        total = min(len(found), WINDOW)
        meta = b'{"total":%d,"page":{"no":%d,"offset":%d,"size":%d}}' % (total, number, start, size)
        return Response(b'{"meta":%b,"results":[%b]}' % (meta, records), media_type="application/json")

    async def stream(self, kind: str, request: Request) -> Response:
        """Answer `products/stream` or `media/stream`: NDJSON, or 204 if no record matches."""
        body = await read_json(request)
        need(body, ("filter", "sorting"), ("filter", "sorting"))
        found = self.shop.select(kind, body)
        if not len(found):
            return Response(status_code=204)
        # The content type of V3; that of V4 is not documented (Medipim's documents).
        return StreamingResponse(self._lines(self.shop, kind, found), media_type="application/x-json-stream")

    async def _lines(self, shop: Shop, kind: str, found: Ints) -> AsyncIterator[bytes]:
        line = b'{"meta":{"total":%d,"index":%%d},"result":%%b}\n' % len(found)
        for start in range(0, len(found), _CHUNK):
            records = shop.encoded(kind, found[start : start + _CHUNK])
            yield b"".join([line % pair for pair in enumerate(records, start)])

    async def find_product(self, request: Request) -> Response:
        """Answer `products/find`, by id or any identifier of the country; the first match if there are several."""
        shop = self.shop
        known = ("id", *EANS, *shop.products.codes)
        key, value = self._one_parameter(request, known)
        body = {"filter": {key: value}, "sorting": {"id": "ASC"}}
        return self._found(shop.select("products", body), "product", "products", f"{key} {value!r}")

    async def find_media(self, request: Request) -> Response:
        """Answer `media/find`, by id."""
        _, value = self._one_parameter(request, ("id",))
        index = int(value) - FIRST_MEDIA if value.isdecimal() else -1
        there = 0 <= index < 2 * self.shop.catalogue.products and index // 2 not in self.shop.deleted
        return self._found(np.array([index] if there else [], dtype=np.int64), "mediaItem", "media", f"id {value!r}")

    def _found(self, index: Ints, root: str, kind: str, what: str) -> Response:
        if not len(index):
            return refusal(404, f"No record of {kind} has {what}.")  # inferred: 404 (Medipim's documents)
        (record,) = self.shop.encoded(kind, index[:1])
        return Response(b'{"%b":%b}' % (root.encode(), record), media_type="application/json")

    @staticmethod
    def _one_parameter(request: Request, known: tuple[str, ...]) -> tuple[str, str]:
        given = request.query_params.multi_items()
        if len(given) != 1 or given[0][0] not in known:
            field = "query"
            raise Violation(field, f"must be exactly one of {', '.join(known)}")
        return given[0]

    async def fields(self, kind: str, _request: Request) -> Response:
        """Answer `products/get-fields` or `media/get-fields`."""
        return _json({"fields": get_fields(kind, self.settings.country)})

    # -- the short lists

    async def list_query(self, kind: List, request: Request) -> Response:
        """Answer a list: without `page` all records, and no `meta.page` (Medipim's documents)."""
        body = await read_json(request)
        need(body, ("filter", "page", *(("sorting",) if kind.sorts else ())), ())
        records = rows_of(kind, self.shop.lookups, body)
        meta: dict[str, Any] = {"total": len(records)}
        if body.get("page") is not None:
            number, size = page_of(body)
            meta["page"] = {"no": number, "offset": number * size, "size": size}
            records = records[number * size : (number + 1) * size]
        rate = self.settings.wrong_type_rate
        return _json({"meta": meta, "results": [corrupt(record, n, rate) for n, record in enumerate(records)]})

    async def correction_types(self, _request: Request) -> Response:
        """Answer `corrections/types`."""
        records = minor("correction_types", self.shop.lookups)
        return _json({"meta": {"total": len(records)}, "results": records})

    async def subscriptions(self, request: Request) -> Response:
        """Answer `organizations/check/subscription`; which filters it takes is inferred: those of organizations."""
        body = await read_json(request)
        need(body, ("filter",), ("filter",))
        wanted = {one["id"] for one in rows_of(list_at("organizations"), self.shop.lookups, body)}
        return _json([one for one in subscriptions(self.shop.lookups) if one["organization"] in wanted])

    async def list_find(self, kind: List, request: Request) -> Response:
        """Answer a list's `find`."""
        _, value = self._one_parameter(request, ("id",))
        records = [r for r in kind.records(self.shop.lookups) if str(r["id"]) == value]
        return _json({kind.root: records[0]}) if records else refusal(404, f"{kind.path} has no id {value!r}.")

    async def write(self, path: str, request: Request) -> Response:
        """Write a record of the server's own data if the switch is on; 403 else, and for what is not written here."""
        if not self.settings.writes or path not in WRITERS:
            return refusal(403, "This mock server is read-only: nothing was changed.")
        root, writer = WRITERS[path]
        try:
            kind, identifier = writer(self.settings, self.shop, await read_json(request))
        except Missing as missing:
            return refusal(404, str(missing))
        if kind == "products":
            body = {"filter": {"id": identifier}, "sorting": {"id": "ASC"}}
            return self._found(self.shop.select(kind, body), root, kind, identifier)
        listed = list_at(kind)
        return _json({root: next(one for one in listed.records(self.shop.lookups) if one["id"] == identifier)})

    async def embed(self, request: Request) -> Response:
        """Answer `products/embed`, a page with the product's name; signed links are not supported."""
        given = request.query_params
        if not set(given) <= {"id", "locale"} or "id" not in given:
            field = "query"
            raise Violation(field, "must be id, and optionally locale")
        index = self.shop.catalogue.index_of(given["id"])
        if index is None:
            return refusal(404, f"No product has id {given['id']!r}.")
        (record,) = self.shop.bodies.products(np.array([index]))
        names = json.loads(record)["name"]
        name = html.escape(names.get(given.get("locale", ""), next(iter(names.values()))))
        return Response(f"<!doctype html><title>{name}</title><h1>{name}</h1>", media_type="text/html")

    async def media_file(self, request: Request) -> Response:
        """Answer an image to a User-Agent of the form `App/1.0 (contact)`, 403 to any other (inferred)."""
        if not _USER_AGENT.match(request.headers.get("user-agent", "")):
            return refusal(403, "Send a descriptive User-Agent: YourAppName/Version (Contact Information).")
        return await picture(request)


def unknown(settings: Settings, action: str, records: list[str]) -> str:
    """Return which of *records* cannot be changed; "" if all can."""
    index_of = Catalogue(settings).index_of
    fits = (action == "add") == (not records) and action in ("add", "edit", "touch", "deactivate", "replace", "delete")
    return ", ".join(one for one in records if not fits or index_of(one) is None) or "anything" * (not fits)


def routes(settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> list[Route]:
    """
    Return the routes of the Medipim mock server.

    Args:
        settings: Switches and sizes, read at each request.
        origin: Returns the origin of this server, or of its "files".
        credentials: Not used: no handler checks them.
    """
    del credentials
    api = Api(settings, origin)
    table: list[tuple[str, str, Handler]] = []
    for kind, find in (("products", api.find_product), ("media", api.find_media)):
        table += [
            ("POST", f"{kind}/query", partial(api.query, kind)),
            ("POST", f"{kind}/stream", partial(api.stream, kind)),
        ]
        table += [("GET", f"{kind}/find", find), ("GET", f"{kind}/get-fields", partial(api.fields, kind))]
    table.append(("GET", "products/embed", api.embed))
    table.append(("GET", "corrections/types", api.correction_types))
    table.append(("POST", "organizations/check/subscription", api.subscriptions))
    for entry in LISTS:
        if entry.countries and settings.country not in entry.countries:
            continue
        table.append(("POST", f"{entry.path}/query", partial(api.list_query, entry)))
        table += [("GET", f"{entry.path}/find", partial(api.list_find, entry))] if entry.root else []
    table += [("POST", path, partial(api.write, path)) for path in WORDS["writes"]]
    listed = [Route(f"/v4/{path}", api.guarded(handler), methods=[method]) for method, path, handler in table]
    return [*listed, Route("/media/{item:int}/{name}", api.media_file, methods=["GET"])]
