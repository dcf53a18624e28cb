"""
Templates of Medipim's products and media, one per kind of record (Medipim's documents).

A template is JSON with places: `"##name"` for a whole value (`"##name+3"` for a number followed by the digit 3),
`#name#` within a string, and the member `"@name": ""` for several members.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from vendorkit.local.medipim import traits, words
from vendorkit.local.medipim.lookups import encode
from vendorkit.local.medipim.rows import FIRST

if TYPE_CHECKING:
    from collections.abc import Callable

    from vendorkit.local.medipim.catalogue import Catalogue
    from vendorkit.local.medipim.lookups import Lookups

Record = dict[str, Any]
FIELDS: Final = (
    "id", "status", "replacement", "brand_text", "codes", "national", "price", "cost", "vat", "brands",
    "organizations", "organization_text", "deletion", "reference", "meta", "media0", "media1", "text",
)  # fmt: skip
_PLACE: Final = re.compile(rb'"##([a-z0-9_]+)(?:\+(\d))?"|#([a-z0-9_]+)#|"@([a-z]+)":""')
_PHOTO_FORMATS: Final = {
    "thumbnail": "thumbnail.jpg", "thumbnailWebp": "thumbnail.webp", "medium": "medium.jpg",
    "mediumWebp": "medium.webp", "large": "large.jpg", "largeWebp": "large.webp", "huge": "huge.jpg",
    "hugeWebp": "huge.webp",
}  # fmt: skip
# Frontals have other, inconsistent keys: mediumJpeg but largeJpg, and no large (Medipim's documents).
_FRONTAL_FORMATS: Final = {
    "thumbnail": "thumbnail.png", "thumbnailWebp": "thumbnail.webp", "medium": "medium.png",
    "mediumJpeg": "medium.jpg", "mediumWebp": "medium.webp", "largeJpg": "large.jpg", "largeWebp": "large.webp",
    "huge": "huge.png", "hugeWebp": "huge.webp",
}  # fmt: skip


class Template:
    """The JSON of one kind of record; `fill` puts the values of a record into its places."""

    def __init__(self, value: Record) -> None:
        names: list[str] = []

        def place(match: re.Match[bytes]) -> bytes:
            names.append((match[1] or match[3] or match[4]).decode())
            return b"%b" + (match[2] or b"")

        self._form = _PLACE.sub(place, encode(value).replace(b"%", b"%%"))
        self._pick: Callable[[tuple[Any, ...]], Any] = itemgetter(*[FIELDS.index(name) for name in names])

    def fill(self, row: tuple[Any, ...]) -> bytes:
        """Return the record of `row`, whose values are in the order of FIELDS."""
        filled: bytes = self._form % self._pick(row)
        return filled


class Shapes:
    """
    Builds the templates of one catalogue.

    Args:
        catalogue: The source of the country.
        lookups: The source of categories and other links.
        base_url, files_url: Origins of the API and of the media links.
    """

    def __init__(self, catalogue: Catalogue, lookups: Lookups, base_url: str, files_url: str) -> None:
        self.country, self.locales = catalogue.country, catalogue.locales
        self.lookups, self.base_url, self.files_url = lookups, base_url, files_url

    def product(self, kind: int) -> Record:
        """Return the template of a product; `kind` is 8 variant + 4 second name + 2 second text + 1 first text."""
        variant = kind // 8
        record: Record = {"id": "#id#", "status": "#status#", "replacement": "##replacement"} | self._names(kind)
        form = traits.form_of(variant)
        record |= {"requiresLegalText": form.medicine, "biocide": traits.biocide(variant)}
        if self.country in {"be", "fr"}:
            record["prescription"] = form.atc is not None and variant % 3 == 0
        if self.country == "be":
            record["writtenRequestByPatient"] = form.atc is not None and variant % 7 == 0
            # inferred: their form in V4.
            record["apbCategory"] = ("homeopathy", "material", "cosmetics")[variant % 3] if variant % 2 else None
            record["bcfiCategory"] = f"000{variant % 40 + 1:04d}" if form.medicine else None
        record |= {"officialDeletionAt": "##deletion", "@national": "", "@codes": ""}
        record |= {"supplierReference": "##reference", "hsCode": form.hs_code}
        record |= self._storage(variant) | self._prices(variant) | self._measures(variant)
        record |= self.lookups.of_variant(variant) | {"brands": "##brands", "organizations": "##organizations"}
        record |= self._media(variant) | {"descriptions": self._descriptions(kind), "leaflets": self._leaflets(variant)}
        # Unsigned: the vendor signs the link, which would take longer than the rest of the record.
        return record | {"meta": "##meta", "embedUrl": f"{self.base_url}/v4/products/embed?id=#id#"}

    def _names(self, kind: int) -> Record:
        variant, form = kind // 8, traits.form_of(kind // 8)
        tail = f"{traits.size_of(variant)}{form.unit}"
        number_of = {loc: number for number, loc in enumerate(self.locales)}
        there = [
            loc
            for loc, number in number_of.items()
            if (kind & 4 if number == 1 else number == 0 or traits.third_language(variant, number))
        ]
        names = {loc: f"{traits.line_of(variant)} {getattr(form, loc)} {tail}" for loc in there}
        return {
            "name": {loc: f"#brand_text# {name}" for loc, name in names.items()},
            "seoName": {loc: f"#brand_text# - {name.upper()}" for loc, name in names.items()},
        }

    @staticmethod
    def _storage(variant: int) -> Record:
        kept = traits.conservation_of(variant)
        cold = kept == "refrigerator"
        return {
            "conservation": kept,
            "conservationLabel": "2 - 8 °C" if cold else None,
            "conservationMin": 2 if cold else None,
            "conservationMax": 8 if cold else None,
        }

    def _prices(self, variant: int) -> Record:
        if self.country == "us":  # the documents of the US have no prices
            return {"vat": "##vat"}
        record: Record = {"vat": "##vat", "publicPrice": "##price"}
        record |= {"manufacturerPrice": "##cost", "pharmacistPrice": "##cost"}
        if self.country == "fr":
            reimbursed = 65 if traits.form_of(variant).medicine else None
            record |= {"ttcPrice": "##price", "tfrPrice": None, "reimbursementRate": reimbursed}
        return record

    @staticmethod
    def _measures(variant: int) -> Record:
        size, form = traits.size_of(variant), traits.form_of(variant)
        weight = size + 60 if traits.weight_known(variant) else None
        measures = {"weight": (weight, "g"), "width": (40 + variant % 90, "mm"), "length": (90 + variant, "mm")}
        measures["depth"] = (30 + variant % 50, "mm")
        record: Record = {}
        for name, (value, unit) in measures.items():
            record[name] = value
            record[f"{name}WithUnit"] = None if value is None else {"value": value, "unit": unit}
        record["packageContent"] = None if variant % 4 else f"{size} {form.unit}"
        record |= {"packageQuantity": str(size), "packagingUnit": form.unit}
        return record | {"atc": form.atc, "atcCategory": [form.atc] if form.atc else []}

    def _media(self, variant: int) -> Record:
        shown = [slot for slot in (0, 1) if traits.media_there(variant * 2 + slot)]
        media = [self.media_item(variant * 2 + slot, f"media{slot}") for slot in shown]
        frontal = 0 in shown and traits.frontal(variant * 2)
        return {
            "photos": [item for item in media if item["type"] == "photo"],
            "frontals": [media[0] | {"formats": self._formats("media0", _FRONTAL_FORMATS)}] if frontal else [],
            "links": [item for item in media if item["type"] == "link"],
        }

    def _descriptions(self, kind: int) -> list[Record]:
        variant, (first, second) = kind // 8, (*self.locales, "")[:2]
        asked = [(first, "full_description")] if kind & 1 else []
        asked += [(second, "full_description")] if kind & 2 and second else []
        asked += [(first, "usage")] if kind & 1 and traits.usage_there(variant) else []
        line = traits.line_of(variant)
        return [
            {
                "id": f"##text+{number}",
                "locales": [locale],
                "targetGroups": ["public", "pharmacist"] if variant % 3 else ["public"],
                "type": sort,
                "content": {locale: f'<p class="intro"><b>{line}</b> 100 % {words.SENTENCES[locale]}</p>'},
                "meta": "##meta",
            }
            for number, (locale, sort) in enumerate(asked)
        ]

    def _leaflets(self, variant: int) -> list[Record]:
        if not traits.leaflet_there(variant):
            return []
        shown = self.locales[:2]
        url = {loc: f"{self.files_url}/media/#text#/leaflet-{loc}.pdf" for loc in shown}
        kind = "pil" if variant % 2 else "spc"
        return [{"id": "##text+9", "locales": list(shown), "type": kind, "url": url, "meta": "##meta"}]

    def media_item(self, item: int, place: str) -> Record:
        """Return the template of a media item of kind `item`, with its id in the place `place`."""
        kind, locales = traits.media_type(item), list(self.locales[: 1 + item % 2])
        record: Record = {"id": f"##{place}", "type": kind, "locales": locales}
        record["targetGroups"] = traits.media_groups(item)
        if kind == "photo":
            record |= {"photoType": traits.photo_type(item), "visibleSides": traits.sides_of(item)}
            record["formats"] = self._formats(place, _PHOTO_FORMATS)
        else:
            record |= {"linkType": traits.link_type(item), "url": f"{self.files_url}/media/#{place}#/page.html"}
            record |= {"name": dict.fromkeys(locales, "Brochure"), "description": dict.fromkeys(locales, "<p>PDF</p>")}
            record["available"] = {"from": FIRST, "until": None}
        return record | {"organizations": [{"name": "#organization_text#"}], "meta": "##meta"}

    def _formats(self, place: str, files: dict[str, str]) -> Record:
        return {key: f"{self.files_url}/media/#{place}#/{name}" for key, name in files.items()}
