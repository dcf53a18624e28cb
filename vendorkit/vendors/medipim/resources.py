"""
Medipim's resources as data: paths, filters, sort keys, for each country.

Sources: the vendor's pages on products, media and the lookup resources of each country, as of 2025-06 to 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vendorkit.ask import Filter
from vendorkit.vendors.medipim.schema import COUNTRIES

_TIME = "A moment, or a pair (from, until); dates, datetimes, ISO texts or unix seconds."


def _product_filters(country: str) -> tuple[Filter, ...]:
    codes = ("ean", "gtin", "eanGtin8", "eanGtin12", "eanGtin13", "eanGtin14", "hsCode", *COUNTRIES[country].codes)
    return (
        Filter("id", "code", about="Medipim's product ids."),
        Filter("status", choices=("active", "replaced", "inactive")),
        *((Filter("ecommerce", choices=("yes", "no", "unknown")),) if country in ("be", "fr") else ()),
        *(
            Filter(name, "integer")
            for name in ("organization", "publicCategory", "brand", "productFamily", "activeIngredient", "media")
        ),
        Filter("search", "object", about='{"query": …, "locale": …, "type": "contains"}'),
        Filter("minimumContent", "boolean", many=False, about="An image, a description and a public category."),
        Filter("hasContent", "object", about='{"flag": "name", "locale": "fr"}; flags are codes of get-fields.'),
        *(Filter(name, "code", about="At most 1,000 in one query.") for name in codes),
        Filter("conservation", choices=("room", "refrigerator", "fresh", "frozen")),
        Filter("allowedSpecies", choices=("human", "veterinary", "surface_maintenance", "phytopharmacy")),
        *(Filter(name, "text") for name in ("atcCategory", "notApplicableField")),
        *((Filter("gs1Category", "text"),) if country == "au" else ()),
        *(Filter(name, "boolean", many=False) for name in ("narcotic", "biocide") if country == "au"),
        Filter("attributes", "integer", about="Ids of attribute options."),
        *(
            Filter(name, "time", many=False, about=_TIME)
            for name in ("officialDeletionAt", "createdAt", "updatedSince")
        ),
    )


def _media_filters(_: str) -> tuple[Filter, ...]:
    return (
        Filter("published", "boolean", many=False),
        Filter("organization", "integer"),
        Filter("targetGroup", "text"),
        Filter("type", choices=("photo", "frontal", "link")),
        Filter("photoType", choices=("packshot", "productshot", "lifestyle_image", "pillshot")),
        Filter("linkType", choices=("app", "brochure", "video", "website")),
        Filter("visibleSides", choices=("front", "left", "right", "back", "bottom", "top")),
        Filter("product", "code", about="Medipim's product ids."),
        Filter("available", "boolean", many=False),
        Filter("locale", "text"),
        *(Filter(name, "time", many=False, about=_TIME) for name in ("createdAt", "updatedSince")),
    )


def _lookup(*extra: Filter) -> Callable[[str], tuple[Filter, ...]]:
    return lambda _: (Filter("id", "integer"), *extra)


_SEARCH = Filter("search", "object", about='{"query": …, "locale": …}')
_NAMES = ("id", "name")

# name: (what it is, path, filters by country, sort keys); mind the singulars and plurals of the real paths.
RESOURCES: Final[dict[str, tuple[str, str, Callable[[str], tuple[Filter, ...]], tuple[str, ...]]]] = {
    "products": (
        "Health products with codes, names, prices, photos, descriptions and leaflets.",
        "/v4/products/query",
        _product_filters,
        ("id", "name", "pbs", "createdAt", "touchedAt", "statusTouchedAt", "status"),
    ),
    "media": ("Photos and links of products.", "/v4/media/query", _media_filters, ("id", "createdAt", "touchedAt")),
    "brands": ("Brands.", "/v4/brands/query", _lookup(Filter("search", "text", many=False)), _NAMES),
    "organizations": (
        "Suppliers and others, with the address of suppliers.",
        "/v4/organizations/query",
        _lookup(
            Filter("type", choices=("supplier", "marketing", "medical_professional", "other")),
            *(Filter(name, "text") for name in ("name", "searchName", "specializations", "vatNr")),
        ),
        _NAMES,
    ),
    "public_categories": (
        "The tree of categories for consumers.",
        "/v4/public-categories/query",
        _lookup(Filter("parent", "integer"), _SEARCH),
        (),
    ),
    "product_families": (
        "Families of products.",
        "/v4/product-families/query",
        _lookup(Filter("search", "text", many=False)),
        _NAMES,
    ),
    "active_ingredients": ("Active ingredients.", "/v4/active-ingredients/query", _lookup(_SEARCH), ()),
    "attributes": (
        "Attributes that products can have, such as colour.",
        "/v4/product/attributes/query",
        _lookup(Filter("code", "text")),
        _NAMES,
    ),
    "attribute_options": (
        "The values of attributes.",
        "/v4/product/attribute/options/query",
        _lookup(Filter("attribute", "text"), Filter("type", "text")),
        _NAMES,
    ),
}
