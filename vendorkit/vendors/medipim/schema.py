"""
Medipim's columns as data, for each country.

Sources: the vendor's pages on products, media and the lookup resources of each country, as of 2025-06 to 2026-11.
Codes are text even where the documents say integer: they "might start with leading zeros".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from vendorkit.ask import snake_case
from vendorkit.frames import Column, Kind, ListOf, Schema, Struct

TEXT, CODE, ID, INTEGER, NUMBER = Kind.TEXT, Kind.CODE, Kind.ID, Kind.INTEGER, Kind.NUMBER
BOOLEAN, EPOCH, LOCALISED, EITHER = Kind.BOOLEAN, Kind.EPOCH, Kind.LOCALISED, Kind.TEXT_OR_LOCALISED


@dataclass(frozen=True)
class Country:
    """What differs between the countries: host, locales in order of fallback, identifiers, further fields."""

    host: str
    locales: tuple[str, ...]
    codes: tuple[str, ...]
    flags: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()


COUNTRIES: Final = {
    "be": Country("medipim.be", ("nl", "fr", "en", "de"), ("cnk", "udi", "nut", "ctiExtended"), ("prescription",)),
    "fr": Country(
        "medipim.fr",
        ("fr", "en"),
        ("cipOrAcl7", "cip13", "acl13", "ospId", "cisCode"),
        ("prescription",),
        ("tfrPrice", "ttcPrice"),
    ),
    "de": Country("medipim.de", ("de", "en"), ("pzn",)),
    "es": Country("medipim.es", ("es", "en"), ("cn",)),
    "au": Country(
        "au.medipim.com",
        ("en",),
        (
            *("artgId", "pbs", "fred", "zCode"),
            *(f"snomed{kind}" for kind in ("Mp", "Mpp", "Mpuu", "Tp", "Tpp", "Tpuu", "Ctpp")),
        ),
        ("narcotic",),
    ),
    "us": Country("us.medipim.com", ("en",), ("hri", "ndc", "pin", "upc10", "upc11", "upc12", "hamacherCode")),
}


def _column(wire: str, kind: Kind, unit: str = "", about: str = "") -> Column:
    return Column(snake_case(wire), kind, wire, unit, about)


CREATED, UPDATED = (
    Column("created_at", EPOCH, "meta.createdAt", about="First stored; null for the oldest records."),
    Column("updated_at", EPOCH, "meta.updatedAt", about="Last change, of linked photos and links too."),
)
_META = Column("meta", Struct((Column("created_at", EPOCH, "createdAt"), Column("updated_at", EPOCH, "updatedAt"))))
# Names of brands and organizations: localised in the documents, plain text in what users of the API read.
_EITHER_NAMED = (Column("id", ID), Column("name", EITHER))
_NAMED = (Column("id", ID), Column("name", LOCALISED))


def _formats(*names: str) -> Column:
    return Column("formats", Struct(tuple(_column(name, TEXT) for name in names)))


_PHOTO_FORMATS = _formats(
    *(f"{size}{webp}" for size in ("thumbnail", "medium", "large", "huge") for webp in ("", "Webp"))
)
# The vendor writes mediumJpeg but largeJpg, and has no plain large.
_FRONTAL_FORMATS = _formats(
    *("thumbnail", "thumbnailWebp", "medium", "mediumJpeg", "mediumWebp", "largeJpg", "largeWebp", "huge", "hugeWebp")
)
_MEDIUM = (
    Column("id", ID),
    Column("type", TEXT),
    Column("locales", ListOf(TEXT)),
    Column("target_groups", ListOf(TEXT), "targetGroups"),
)
_PHOTO = (
    *_MEDIUM,
    _column("photoType", TEXT),
    Column("visible_sides", ListOf(TEXT), "visibleSides"),
    _PHOTO_FORMATS,
    Column("organizations", ListOf((Column("name", EITHER),))),
    _META,
)
_LINK = (
    _column("linkType", TEXT),
    Column("url", TEXT),
    Column("name", LOCALISED),
    Column("description", LOCALISED),
    Column("available", Struct((Column("from", EPOCH), Column("until", EPOCH)))),
)
_DESCRIPTION = (
    Column("id", ID),
    Column("locales", ListOf(TEXT)),
    Column("target_groups", ListOf(TEXT), "targetGroups"),
    Column("type", TEXT),
    Column("content", LOCALISED, about="HTML."),
    _META,
)
_LEAFLET = (
    Column("id", ID),
    Column("locales", ListOf(TEXT)),
    Column("type", TEXT, about="pil or spc."),
    Column("url", LOCALISED),
    _META,
)
_CONTACT = Struct(
    (
        *(Column(name, TEXT) for name in ("address", "city")),
        # The vendor's table says zipCode, its example zipcode.
        Column("zipcode", CODE),
        Column("zip_code", CODE, "zipCode"),
        Column("region", Struct((Column("value", TEXT), Column("label", TEXT)))),
        *(Column(name, TEXT) for name in ("country", "phone", "url")),
    )
)
_ORGANISATION = (
    *_EITHER_NAMED,
    Column("type", TEXT),
    Column("contact", _CONTACT, "contactInformation"),
    _META,
)
_GS1 = (
    Column("code", CODE),
    Column("level", INTEGER),
    Column("parent", CODE),
    *(Column(name, TEXT) for name in ("title", "definition")),
    _column("definitionExcludes", TEXT),
    Column("active", BOOLEAN),
    CREATED,
    UPDATED,
)
_SIZES = tuple(
    column
    for name, unit in (("weight", "g"), ("width", "mm"), ("length", "mm"), ("depth", "mm"))
    for column in (
        _column(name, INTEGER, unit, "Deprecated by the vendor in favour of the one with a unit."),
        Column(f"{name}_with_unit", Struct((Column("value", INTEGER), Column("unit", TEXT))), f"{name}WithUnit"),
    )
)


def _product_columns(country: Country) -> tuple[Column, ...]:
    return (
        Column("id", CODE, about="Medipim's own id, the only unique one: M and hexadecimal digits."),
        Column("status", TEXT, about="active, inactive, replaced or no_selection."),
        Column("replacement", CODE, about="Id of the successor of a replaced product."),
        Column("name", LOCALISED),
        Column("seo_name", LOCALISED, "seoName"),
        *(_column(name, BOOLEAN) for name in ("requiresLegalText", "biocide", *country.flags)),
        _column("officialDeletionAt", EPOCH),
        *(_column(name, CODE) for name in country.codes),
        Column("ean", ListOf(CODE), about="All EANs; they are moved and shared between packs."),
        *(_column(name, CODE) for name in ("gtin", "eanGtin8", "eanGtin12", "eanGtin13", "eanGtin14")),
        *(_column(name, CODE) for name in ("supplierReference", "hsCode")),
        _column("conservation", TEXT, about="room, refrigerator, fresh or frozen."),
        _column("conservationLabel", TEXT),
        # inferred: a plain number; the documents name three units and no keys, and another form is kept as raw text.
        _column("conservationMin", NUMBER, "°C"),
        _column("conservationMax", NUMBER, "°C"),
        _column("vat", NUMBER, "%"),
        _column("publicPrice", INTEGER, "cents", "Including VAT."),
        _column("manufacturerPrice", INTEGER, "cents", "Excluding VAT."),
        _column("pharmacistPrice", INTEGER, "cents", "Excluding VAT."),
        *(_column(name, INTEGER, "cents", "Including VAT.") for name in country.prices),
        *_SIZES,
        _column("packageContent", TEXT),
        _column("packageQuantity", CODE, about='Text: "750" and "750 ml" both occur.'),
        _column("packagingUnit", TEXT),
        _column("atc", TEXT, about="Deprecated by the vendor."),
        Column("atc_category", ListOf(TEXT), "atcCategory"),
        Column("not_applicable_field", ListOf(TEXT), "notApplicableField"),
        Column("public_categories", ListOf((*_NAMED, Column("parent", ID), _META)), "publicCategories"),
        Column("gs1_category", Struct(_GS1), "gs1Category"),
        Column("brands", ListOf((*_EITHER_NAMED, _META))),
        Column("product_families", ListOf((*_NAMED, _META)), "productFamilies"),
        Column("attributes", ListOf((*_NAMED, Column("type", TEXT), _META))),
        Column("organizations", ListOf(_ORGANISATION)),
        Column("active_ingredients", ListOf((*_NAMED, _META)), "activeIngredients"),
        Column("photos", ListOf(_PHOTO)),
        Column("frontals", ListOf((*_PHOTO[:6], _FRONTAL_FORMATS, *_PHOTO[7:]))),
        Column("links", ListOf((*_MEDIUM, *_LINK, *_PHOTO[7:]))),
        Column("descriptions", ListOf(_DESCRIPTION)),
        Column("leaflets", ListOf(_LEAFLET)),
        CREATED,
        UPDATED,
        _column("embedUrl", TEXT, about="Signed by the vendor, good for a few hours."),
    )


_NAMED_LOOKUP = (Column("id", ID), Column("name", LOCALISED), CREATED, UPDATED)
_COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "media": (*_MEDIUM, *_PHOTO[4:8], *_LINK, CREATED, UPDATED),
    "brands": (Column("id", ID), Column("name", EITHER), CREATED, UPDATED),
    "organizations": (
        Column("id", ID),
        Column("name", EITHER),
        Column("type", TEXT, about="supplier, marketing, medical_professional or other."),
        Column("brands", ListOf(ID)),
        Column("product_families", ListOf(ID), "productFamilies"),
        Column(
            "contact",
            _CONTACT,
            "contactInformation",
            about="Suppliers only.",
        ),
        CREATED,
        UPDATED,
    ),
    "public_categories": (*_NAMED_LOOKUP[:2], Column("parent", ID), Column("order", INTEGER), *_NAMED_LOOKUP[2:]),
    "product_families": _NAMED_LOOKUP,
    "active_ingredients": _NAMED_LOOKUP,
    "attributes": (Column("id", ID), Column("code", TEXT), *_NAMED_LOOKUP[1:]),
    "attribute_options": (Column("id", ID), Column("type", TEXT), *_NAMED_LOOKUP[1:]),
}


@cache
def schema_for(name: str, country: str) -> Schema:
    """Return the columns of the resource *name* as *country* has them."""
    chosen = COUNTRIES[country]
    columns = _product_columns(chosen) if name == "products" else _COLUMNS[name]
    return Schema(name, columns, locales=chosen.locales)
