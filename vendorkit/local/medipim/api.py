"""
The Medipim mock server: the endpoints of API v4, written from Medipim's documents.

`vendorkit.local.server.checks` adds authentication, rate limits, faults and the log. Undocumented behaviour is marked
inferred; if it matters to the client, `Settings` has a switch for it. Writes are refused with 403 unless a switch is
on, as the vendor restricts them by subscription. Media files are public on the vendor's CDN (inferred).
"""

from __future__ import annotations

import hmac
import html
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Scope

from vendorkit.local.medipim.catalogue import FIRST_MEDIA
from vendorkit.local.medipim.filters import Violation
from vendorkit.local.medipim.kinds import WORDS, Ints, Record
from vendorkit.local.medipim.lists import LISTS, List, get_fields, list_at, rows_of, subscriptions
from vendorkit.local.medipim.products import EANS
from vendorkit.local.medipim.rows import corrupt
from vendorkit.local.medipim.shop import WRITERS, Shop, need, page_of, read_json
from vendorkit.local.server import api as server
from vendorkit.local.server.api import encode, picture
from vendorkit.local.server.settings import Settings

EMBED_S: Final = 4 * 3600  # "a few hours"; whether `t` is when the link was signed or when it expires is inferred
WINDOW: Final = 10_000
_CHUNK: Final = 400  # records per chunk of the stream: about 1 MB
_USER_AGENT: Final = re.compile(r"(?!Mozilla/)[^\s/]+/\S+ \(.+\)")


def _json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")


class Api(server.Api):
    """The handlers of the mock server."""

    AUTH = "basic"
    REALM = "Medipim API"
    OPEN = ("/media/",)  # served without credentials (inferred)
    RATE = (100, 60, 0)  # Medipim's documents

    def __init__(self, settings: Settings, origin: Callable[..., str], credentials: Mapping[str, str]) -> None:
        super().__init__(settings, origin, credentials)
        self._shop = lru_cache(maxsize=1)(lambda _changes: Shop(settings, origin(), origin("files")))

    def routes(self) -> list[Route]:
        """Return the routes: the fixed ones, the lists of the country, and the writes."""
        table: dict[str, server.Handler] = {
            "GET products/find": self.find_product,
            "GET media/find": self.find_media,
            "GET products/embed": self.embed,
            "GET corrections/types": partial(self.list_query, List("corrections/types", "correction_types", "", {})),
            "POST organizations/check/subscription": self.subscriptions,
        }
        for kind in ("products", "media"):
            table[f"POST {kind}/query"] = partial(self.query, kind)
            table[f"POST {kind}/stream"] = partial(self.stream, kind)
            table[f"GET {kind}/get-fields"] = partial(self.fields, kind)
        for entry in LISTS:
            if not entry.countries or self.settings.country in entry.countries:
                table[f"POST {entry.path}/query"] = partial(self.list_query, entry)
                table |= {f"GET {entry.path}/find": partial(self.list_find, entry)} if entry.root else {}
        table |= {f"POST {path}": partial(self.write, path) for path in WORDS["writes"]}
        return [*server.routes_of(table, "/v4/"), Route("/media/{item:int}/{name}", self.media_file, methods=["GET"])]

    def refusal(self, status: int, reason: str, exc: Exception | None = None) -> Response:
        """
        Return an error in the documented format (Medipim's documents).

        For an invalid request, the status and the position and format of `violations` are inferred.
        """
        status = self.settings.invalid_status if isinstance(exc, Violation) else status
        # Only the codes of 400, 401 and 429 are documented (Medipim's documents); the others are inferred.
        code = WORDS["error_codes"].get(str(status), "internal_error")
        body: Record = {"error": {"status": status, "code": code, "message": reason}}
        if isinstance(exc, Violation):
            (body["error"] if self.settings.violations_inside_error else body)["violations"] = exc.violations
        return _json(body, status)

    def unknown(self, action: str, records: list[str]) -> str:
        """Return those of *records* that cannot be changed, "" if all can."""
        index_of = self.shop.catalogue.index_of
        actions = ("add", "edit", "touch", "deactivate", "replace", "delete")
        possible = (action == "add") == (not records) and action in actions
        return ", ".join(id_ for id_ in records if not possible or index_of(id_) is None) or "anything" * (not possible)

    @property
    def shop(self) -> Shop:
        """The catalogue for the current settings."""
        return self._shop(repr(self.settings.changes))

    def is_open(self, scope: Scope) -> bool:
        """Whether a request needs no credentials, such as a signed link to `products/embed` (Medipim's documents)."""
        if scope["path"] != "/v4/products/embed":
            return super().is_open(scope)
        params, (key, secret) = Request(scope).query_params, self.credentials.values()
        signed_at = params.get("t", "")
        mac = hmac.new(secret.encode(), f"embed:{params.get('id')}:{signed_at}".encode(), "sha256").hexdigest()
        is_signed = params.get("key") == key and server.same(params.get("mac", ""), mac)
        return is_signed and signed_at.isdecimal() and abs(time.time() - int(signed_at)) < EMBED_S

    # -- products and media

    async def query(self, kind: str, request: Request) -> Response:
        """Answer `products/query` or `media/query`."""
        body = await read_json(request)
        need(body, ("filter", "sorting", "page"), ("filter", "sorting", "page"))
        number, size = page_of(body)
        matching, start = self.shop.select(kind, body), number * size
        if start >= WINDOW and self.settings.beyond_window == "error":
            message = f"only the first {WINDOW} results can be paged; use the stream endpoint"
            raise Violation(field="page.no", message=message)
        records = b",".join(self.shop.encoded(kind, matching[start : min(start + size, WINDOW)]))
        meta = {"total": min(len(matching), WINDOW), "page": {"no": number, "offset": start, "size": size}}
        return Response(b'{"meta":%b,"results":[%b]}' % (encode(meta), records), media_type="application/json")

    async def stream(self, kind: str, request: Request) -> Response:
        """Answer `products/stream` or `media/stream`: NDJSON, or 204 if no record matches."""
        body = await read_json(request)
        need(body, ("filter", "sorting"), ("filter", "sorting"))
        matching = self.shop.select(kind, body)
        if not len(matching):
            return Response(status_code=204)
        # The content type of V3, because that of V4 is not documented (Medipim's documents).
        return StreamingResponse(self._lines(self.shop, kind, matching), media_type="application/x-json-stream")

    async def _lines(self, shop: Shop, kind: str, matching: Ints) -> AsyncIterator[bytes]:
        line = b'{"meta":{"total":%d,"index":%%d},"result":%%b}\n' % len(matching)
        for start in range(0, len(matching), _CHUNK):
            records = shop.encoded(kind, matching[start : start + _CHUNK])
            yield b"".join([line % pair for pair in enumerate(records, start)])

    async def find_product(self, request: Request) -> Response:
        """Answer `products/find`, by id or any identifier of the country, with the first match."""
        key, value = _one_parameter(request, ("id", *EANS, *self.shop.products.codes))
        return self._first(self._products({key: value}), "product", "products", f"{key} {value!r}")

    def _products(self, filter_: Record) -> Ints:
        return self.shop.select("products", {"filter": filter_, "sorting": {"id": "ASC"}})

    async def find_media(self, request: Request) -> Response:
        """Answer `media/find`, by id."""
        _, value = _one_parameter(request, ("id",))
        index = int(value) - FIRST_MEDIA if value.isdecimal() else -1
        exists = 0 <= index < 2 * self.shop.catalogue.products and index // 2 not in self.shop.catalogue.changed.deleted
        return self._first(np.array([index] if exists else [], dtype=np.int64), "mediaItem", "media", f"id {value!r}")

    def _first(self, index: Ints, root: str, kind: str, criterion: str) -> Response:
        if not len(index):
            raise HTTPException(404, f"No record of {kind} has {criterion}.")  # inferred: 404 (Medipim's documents)
        (record,) = self.shop.encoded(kind, index[:1])
        return Response(b'{"%b":%b}' % (root.encode(), record), media_type="application/json")

    async def fields(self, kind: str, _request: Request) -> Response:
        """Answer `products/get-fields` or `media/get-fields`."""
        return _json({"fields": get_fields(kind, self.settings.country)})

    # -- the short lists

    async def list_query(self, kind: List, request: Request) -> Response:
        """Answer a list's `query`. Without `page`, return all records and no `meta.page` (Medipim's documents)."""
        body = await read_json(request)
        need(body, ("filter", "page", *(("sorting",) if kind.sorts else ())), ())
        records = rows_of(kind, self.shop.lookups, body)
        meta: Record = {"total": len(records)}
        if body.get("page") is not None:
            number, size = page_of(body)
            meta["page"] = {"no": number, "offset": number * size, "size": size}
            records = records[number * size : (number + 1) * size]
        rate = self.settings.wrong_type_rate
        return _json({"meta": meta, "results": [corrupt(record, n, rate) for n, record in enumerate(records)]})

    async def subscriptions(self, request: Request) -> Response:
        """Answer `organizations/check/subscription`. It accepts the filters of organizations (inferred)."""
        body = await read_json(request)
        need(body, ("filter",), ("filter",))
        ids = {organization["id"] for organization in rows_of(list_at("organizations"), self.shop.lookups, body)}
        return _json([record for record in subscriptions(self.shop.lookups) if record["organization"] in ids])

    async def list_find(self, kind: List, request: Request) -> Response:
        """Answer a list's `find`."""
        _, value = _one_parameter(request, ("id",))
        for record in kind.records(self.shop.lookups):
            if str(record["id"]) == value:
                return _json({kind.root: record})
        raise HTTPException(404, f"{kind.path} has no id {value!r}.")

    async def write(self, path: str, request: Request) -> Response:
        """Change the server's own data. Answer 403 if the switch is off, or if this server cannot do the write."""
        if not self.settings.writes or path not in WRITERS:
            raise HTTPException(403, "This mock server is read-only: nothing was changed.")
        root, writer = WRITERS[path]
        kind, identifier = writer(self.settings, self.shop, await read_json(request))
        if kind == "products":
            return self._first(self._products({"id": identifier}), root, kind, identifier)
        return _json({root: next(row for row in list_at(kind).records(self.shop.lookups) if row["id"] == identifier)})

    async def embed(self, request: Request) -> Response:
        """Answer `products/embed` with a page that has the product's name."""
        params = request.query_params
        if not set(params) <= {"id", "locale", "t", "key", "mac"} or "id" not in params:
            raise Violation(field="query", message="must be id, and optionally locale, or t, key and mac")
        index = self.shop.catalogue.index_of(params["id"])
        if index is None:
            raise HTTPException(404, f"No product has id {params['id']!r}.")
        names = json.loads(next(self.shop.bodies.products(np.array([index]))))["name"]
        name = html.escape(names.get(params.get("locale", ""), next(iter(names.values()))))
        return Response(f"<!doctype html><title>{name}</title><h1>{name}</h1>", media_type="text/html")

    async def media_file(self, request: Request) -> Response:
        """Answer with an image if the User-Agent has the form `App/1.0 (contact)`, else with 403 (inferred)."""
        if not _USER_AGENT.match(request.headers.get("user-agent", "")):
            raise HTTPException(403, "Send a descriptive User-Agent: YourAppName/Version (Contact Information).")
        return await picture(request)


def _one_parameter(request: Request, known: tuple[str, ...]) -> tuple[str, str]:
    params = request.query_params.multi_items()
    if len(params) != 1 or params[0][0] not in known:
        raise Violation(field="query", message=f"must be exactly one of {', '.join(known)}")
    return params[0]
