"""Medipim's product as msgspec Structs: its documentation's fast way, types declared and no cycle collection."""

from __future__ import annotations

from typing import Any

import msgspec

Text = str | None
Number = int | float | None
Localised = dict[str, str]


class _Part(msgspec.Struct, rename="camel", gc=False):
    """A part of a record: names as in the vendor's JSON, absent fields take their default."""


class Meta(_Part):
    """Times, in unix seconds."""

    created_at: int | None = None
    updated_at: int | None = None


class WithUnit(_Part):
    """A measure."""

    value: Number = None
    unit: Text = None


class Named(_Part):
    """A brand, category, ingredient and so on."""

    id: int | None = None
    name: str | Localised | None = None
    type: Text = None
    parent: int | None = None
    meta: Meta | None = None


class Medium(_Part):
    """A photo, frontal, link or leaflet."""

    id: int
    type: Text = None
    locales: list[str] = []
    target_groups: list[str] = []
    photo_type: Text = None
    visible_sides: list[str] = []
    formats: dict[str, Text] = {}
    link_type: Text = None
    url: Any = None
    name: Localised | None = None
    description: Localised | None = None
    available: Any = None
    organizations: list[Named] = []
    meta: Meta | None = None


class Description(_Part):
    """A text about the product."""

    id: int
    locales: list[str] = []
    target_groups: list[str] = []
    type: Text = None
    content: Localised = {}
    meta: Meta | None = None


class Product(_Part):
    """A product of the Belgian platform."""

    id: str
    status: str
    name: Localised
    seo_name: Localised
    meta: Meta
    replacement: Text = None
    requires_legal_text: bool | None = None
    biocide: bool | None = None
    prescription: bool | None = None
    official_deletion_at: int | None = None
    cnk: Text = None
    udi: Text = None
    nut: Text = None
    cti_extended: Text = None
    ean: list[str] = []
    gtin: Text = None
    ean_gtin8: Text = None
    ean_gtin12: Text = None
    ean_gtin13: Text = None
    ean_gtin14: Text = None
    supplier_reference: Text = None
    hs_code: Text = None
    conservation: Text = None
    conservation_label: Any = None
    conservation_min: Number = None
    conservation_max: Number = None
    vat: Number = None
    public_price: Number = None
    manufacturer_price: Number = None
    pharmacist_price: Number = None
    weight: Number = None
    weight_with_unit: WithUnit | None = None
    width: Number = None
    width_with_unit: WithUnit | None = None
    length: Number = None
    length_with_unit: WithUnit | None = None
    depth: Number = None
    depth_with_unit: WithUnit | None = None
    package_content: Text = None
    package_quantity: Text = None
    packaging_unit: Text = None
    atc: Text = None
    atc_category: list[str] = []
    not_applicable_field: list[str] = []
    public_categories: list[Named] = []
    gs1_category: Any = None
    product_families: list[Named] = []
    attributes: list[Named] = []
    active_ingredients: list[Named] = []
    brands: list[Named] | None = None
    organizations: list[Named] = []
    photos: list[Medium] = []
    frontals: list[Medium] = []
    links: list[Medium] = []
    descriptions: list[Description] = []
    leaflets: list[Medium] = []
    embed_url: Text = None


class Page(msgspec.Struct, gc=False):
    """An answer to a query."""

    results: list[Product]
