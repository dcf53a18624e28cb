"""Creating and updating records of the Medipim mock server; each request becomes one of its changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException

from vendorkit.local.medipim.filters import Violation, text
from vendorkit.local.medipim.kinds import Record
from vendorkit.local.medipim.lists import get_fields, list_at
from vendorkit.local.medipim.shop import Shop, need
from vendorkit.local.server.settings import Settings

Writer = Callable[[Settings, Shop, Record], tuple[str, Any]]


def _note(settings: Settings, action: str, record: str, fields: Record) -> None:
    change = {"action": action, "record": record, "at": int(time.time()), "fields": fields}
    settings.changes = [*settings.changes, change]


def _create(kind: str, settings: Settings, shop: Shop, body: Record) -> tuple[str, Any]:
    """Create a brand or an organization, with the next id."""
    given = body.get("profile", body)
    record: Record = {"name": text(given.get("name"), "name")}
    if kind == "organizations":
        record |= {"type": body.get("type", "other"), "brands": [], "productFamilies": []}
    records = list_at(kind).records(shop.lookups)
    now, identifier = int(time.time()), max(one["id"] for one in records) + 1
    _note(settings, "list", kind, {"id": identifier, **record, "meta": {"createdAt": now, "updatedAt": now}})
    return kind, identifier


def _update_brand(settings: Settings, shop: Shop, body: Record) -> tuple[str, Any]:
    need(body, ("id", "data"), ("id", "data"))
    for brand in list_at("brands").records(shop.lookups):
        if brand["id"] == body["id"]:
            meta = {**brand["meta"], "updatedAt": int(time.time())}
            name = text(body["data"].get("name"), "data.name")
            _note(settings, "list", "brands", {**brand, "name": name, "meta": meta})
            return "brands", brand["id"]
    raise HTTPException(404, f"brands has no id {body['id']!r}.")


def _create_product(settings: Settings, _shop: Shop, body: Record) -> tuple[str, Any]:
    need(body, ("organizations", "product"), ("organizations", "product"))
    _note(settings, "add", "", _fields(settings, body["product"], "product"))
    catalogue = Shop(settings, "", "").catalogue
    return "products", f"M{catalogue.id_numbers(catalogue.index[-1:])[0]:09X}"


def _update_product(settings: Settings, shop: Shop, body: Record) -> tuple[str, Any]:
    need(body, ("product", "data"), ("product", "data"))
    if shop.catalogue.index_of(body["product"]) is None:
        raise HTTPException(404, f"No product has id {body['product']!r}.")
    _note(settings, "edit", str(body["product"]), _fields(settings, body["data"], "data"))
    return "products", str(body["product"])


def _fields(settings: Settings, given: Any, field: str) -> Record:
    """Return the members to write. Raise Violation for one that is unknown or cannot be updated."""
    known = {one["code"] for one in get_fields("products", settings.country) if one["allowedToUpdate"]}
    if not isinstance(given, dict):
        raise Violation(field, "must be an object")
    for name in given:
        if name not in known:
            raise Violation(field=f"{field}.{name}", message="unknown field, or not allowed to update")
    return given


WRITERS: Final[dict[str, tuple[str, Writer]]] = {
    "brands/create": ("brand", partial(_create, "brands")),
    "brands/update": ("brand", _update_brand),
    "organizations/create": ("organization", partial(_create, "organizations")),
    "products/create": ("product", _create_product),
    "products/update": ("product", _update_product),
}
