"""The answers of `products/get-fields` and `media/get-fields`."""

from __future__ import annotations

from typing import Any, Final

from vendorkit.local.medipim import words

# Code, type, group; "*" after the type means several values, "~" localised. The names of the types are inferred.
_PRODUCT: Final[tuple[tuple[str, str, str], ...]] = words.DATA["product_fields"]
_MEDIA: Final[tuple[tuple[str, str, str], ...]] = words.DATA["media_fields"]
_PRICES: Final = {"publicPrice", "manufacturerPrice", "pharmacistPrice"}
_READ_ONLY: Final = {"status", "gtin", "publicCategories", "gs1Category", "photos", "frontals", "links"}


def get_fields(kind: str, country: str) -> list[dict[str, Any]]:
    """Return the fields of `products` or `media`, including the codes of the country."""
    table: tuple[tuple[str, str, str], ...] = _MEDIA
    if kind == "products":
        codes = tuple((code.name, "string", "identifiers") for code in words.CODES[country])
        table = tuple(row for row in _PRODUCT if country != "us" or row[0] not in _PRICES) + codes
    return [_field(*row) for row in table]


def _field(code: str, sort: str, group: str) -> dict[str, Any]:
    field: dict[str, Any] = {"code": code, "type": sort.rstrip("*~")}
    if group:
        field["attributeGroup"] = group
    multi, localized = "*" in sort, "~" in sort
    return field | {"isMulti": multi, "isLocalized": localized, "allowedToUpdate": code not in _READ_ONLY}
