"""Shared code of the Medipim handlers: checks of a request, a catalogue with filters and encoders, and writes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request

from vendorkit.local.medipim.bodies import Bodies
from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.filters import MediaFilter, Violation, text
from vendorkit.local.medipim.kinds import Ints, Record
from vendorkit.local.medipim.lists import Lookups, get_fields, list_at
from vendorkit.local.medipim.products import ProductFilter
from vendorkit.local.medipim.rows import corrupt, later
from vendorkit.local.server.api import encode
from vendorkit.local.server.settings import Settings

PAGE_SIZES: Final = (10, 50, 100, 250)
_CACHED_RESULTS: Final = 8  # of filters; each has 8 MB for a million records


async def read_json(request: Request) -> dict[str, Any]:
    """Return the body as an object; an empty body and PHP's `[]` mean `{}` (Medipim's documents)."""
    try:
        value = json.loads((await request.body()).strip() or b"{}")
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The request body is not valid JSON.") from error
    if value != [] and not isinstance(value, dict):
        raise HTTPException(400, "The request body must be a JSON object.")
    return dict(value)


def page_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """Return the number and the size of the requested page. Raise Violation if the vendor does not allow them."""
    page = body["page"] or {}
    if not isinstance(page, dict) or set(page) - {"no", "size"}:
        raise Violation(field="page", message="must be an object with no and size")
    number, size = page.get("no", 0), page.get("size", 100)
    if type(number) is not int or number < 0:
        raise Violation(field="page.no", message="must be an integer from 0 on")
    if type(size) is not int or size not in PAGE_SIZES:
        raise Violation(field="page.size", message=f"must be one of {', '.join(map(str, PAGE_SIZES))}")
    return number, size


def need(body: Mapping[str, Any], known: tuple[str, ...], required: tuple[str, ...]) -> None:
    """Raise Violation for unknown and missing members of a request."""
    for name in body:
        if name not in known:
            raise Violation(name, f"unknown member, known: {', '.join(known)}")
    for name in required:
        if name not in body:
            raise Violation(name, "is required")


class Shop:
    """One catalogue with its filters and encoders. It is built again after each change of records."""

    def __init__(self, settings: Settings, base_url: str, files_url: str) -> None:
        self.settings = settings
        self.catalogue = Catalogue(settings)
        self.lookups = Lookups(self.catalogue)
        self.bodies = Bodies(self.catalogue, self.lookups, base_url, files_url)
        self.products = ProductFilter(self.catalogue, self.lookups)
        self.media = MediaFilter(self.catalogue)
        self._cached_select = lru_cache(maxsize=_CACHED_RESULTS)(self._select)

    def select(self, kind: str, body: Mapping[str, Any]) -> Ints:
        """Return the indexes that a request selects. The last few results are cached for the next pages."""
        return self._cached_select(kind, json.dumps([body["filter"], body["sorting"]], sort_keys=True))

    def _select(self, kind: str, query: str) -> Ints:
        index = (self.products if kind == "products" else self.media).select(*json.loads(query))
        return index[~np.isin(index if kind == "products" else index // 2, self.catalogue.changed.deleted)]

    def encoded(self, kind: str, index: Ints) -> Iterator[bytes]:
        """Return the records at *index* as JSON, as altered by switches."""
        bodies = self.bodies.products(index) if kind == "products" else self.bodies.media(index)
        settings = self.settings
        if not (settings.wrong_type_rate or settings.new_fields or settings.codes_as_numbers or settings.writes):
            return bodies
        return (self._changed(kind, number, body) for number, body in zip(index.tolist(), bodies, strict=True))

    def _changed(self, kind: str, number: int, body: bytes) -> bytes:
        record = json.loads(body)
        if kind == "products":
            record = later(record, self.settings) | self.catalogue.changed.fields.get(number, {})
        return encode(corrupt(record, number, self.settings.wrong_type_rate))


Writer = Callable[[Settings, Shop, Record], tuple[str, Any]]


def _create(kind: str, settings: Settings, shop: Shop, body: Record) -> tuple[str, Any]:
    """Create a brand or an organization, with the next id."""
    record: Record = {"id": max(record["id"] for record in list_at(kind).records(shop.lookups)) + 1}
    more = {"type": body.get("type", "other"), "brands": [], "productFamilies": []}
    record |= more if kind == "organizations" else {}
    return _listed(kind, settings, record, body.get("profile", body), "name")


def _update_brand(settings: Settings, shop: Shop, body: Record) -> tuple[str, Any]:
    need(body, ("id", "data"), ("id", "data"))
    for brand in list_at("brands").records(shop.lookups):
        if brand["id"] == body["id"]:
            return _listed("brands", settings, brand, body["data"], "data.name")
    raise HTTPException(404, f"brands has no id {body['id']!r}.")


def _listed(kind: str, settings: Settings, record: Record, members: Any, path: str) -> tuple[str, Any]:
    name, now = text(members.get("name") if isinstance(members, dict) else None, path), int(time.time())
    meta = {"createdAt": now, **record.get("meta", {}), "updatedAt": now}
    settings.note("list", kind, fields={**record, "name": name, "meta": meta})
    return kind, record["id"]


def _create_product(settings: Settings, _shop: Shop, body: Record) -> tuple[str, Any]:
    need(body, ("organizations", "product"), ("organizations", "product"))
    settings.note("add", "", fields=_fields(settings, body["product"], "product"))
    catalogue = Shop(settings, "", "").catalogue
    return "products", f"M{catalogue.id_numbers(catalogue.index[-1:])[0]:09X}"


def _update_product(settings: Settings, shop: Shop, body: Record) -> tuple[str, Any]:
    need(body, ("product", "data"), ("product", "data"))
    if shop.catalogue.index_of(body["product"]) is None:
        raise HTTPException(404, f"No product has id {body['product']!r}.")
    settings.note("edit", str(body["product"]), fields=_fields(settings, body["data"], "data"))
    return "products", str(body["product"])


def _fields(settings: Settings, members: Any, path: str) -> Record:
    """Return the members to write. Raise Violation for a member that is unknown or cannot be updated."""
    writable = {field["code"] for field in get_fields("products", settings.country) if field["allowedToUpdate"]}
    if not isinstance(members, dict):
        raise Violation(path, "must be an object")
    for name in members:
        if name not in writable:
            raise Violation(field=f"{path}.{name}", message="unknown field, or not allowed to update")
    return members


WRITERS: Final[dict[str, tuple[str, Writer]]] = {
    "brands/create": ("brand", partial(_create, "brands")),
    "brands/update": ("brand", _update_brand),
    "organizations/create": ("organization", partial(_create, "organizations")),
    "products/create": ("product", _create_product),
    "products/update": ("product", _update_product),
}
