"""The answers of `products/get-fields` and `media/get-fields`."""

from __future__ import annotations

from typing import Any, Final

from vendorkit.local.medipim import words

# Code, type, group; "*" after the type means several values, "~" localised. The names of the types are inferred.
_PRODUCT: Final = (
    ("name", "string~", "general"), ("seoName", "string~", "general"), ("status", "enum", "general"),
    ("requiresLegalText", "boolean", "general"), ("biocide", "boolean", "general"),
    ("officialDeletionAt", "datetime", "general"), ("ean", "string*", "identifiers"),
    ("gtin", "string", "identifiers"), ("eanGtin8", "string", "identifiers"), ("eanGtin12", "string", "identifiers"),
    ("eanGtin13", "string", "identifiers"), ("eanGtin14", "string", "identifiers"),
    ("supplierReference", "string", "identifiers"), ("hsCode", "string", "identifiers"),
    ("conservation", "enum", "storage"), ("vat", "number", "prices"), ("publicPrice", "price", "prices"),
    ("manufacturerPrice", "price", "prices"), ("pharmacistPrice", "price", "prices"),
    ("weight", "integer", "dimensions"), ("width", "integer", "dimensions"), ("length", "integer", "dimensions"),
    ("depth", "integer", "dimensions"), ("packageContent", "string", "packaging"),
    ("packageQuantity", "string", "packaging"), ("packagingUnit", "string", "packaging"),
    ("atcCategory", "string*", "classification"), ("notApplicableField", "string*", "classification"),
    ("publicCategories", "reference*", "classification"), ("gs1Category", "reference", "classification"),
    ("brands", "reference*", "links"), ("productFamilies", "reference*", "links"),
    ("attributes", "reference*", "links"), ("organizations", "reference*", "links"),
    ("activeIngredients", "reference*", "links"), ("photos", "media*", "media"), ("frontals", "media*", "media"),
    ("links", "media*", "media"), ("descriptions", "description*~", "texts"), ("leaflets", "leaflet*~", "texts"),
)  # fmt: skip
_MEDIA: Final = (
    ("type", "enum", ""), ("locales", "string*", ""), ("targetGroups", "enum*", ""), ("photoType", "enum", ""),
    ("visibleSides", "enum*", ""), ("formats", "string*", ""), ("linkType", "enum", ""), ("url", "string", ""),
    ("name", "string~", ""), ("description", "string~", ""), ("available", "period", ""),
)  # fmt: skip
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
