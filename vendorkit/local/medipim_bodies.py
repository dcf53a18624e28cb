"""
Products and media of the local Medipim vendor as JSON bytes, spliced from prepared templates.

A product is one of 256 kinds (`variant`) in one of 8 states of translation; each pair gives one template with open
places for what differs by record. Filling one in takes a few microseconds, so the server never bounds a benchmark.
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vendorkit.local import medipim_oddities as oddities
from vendorkit.local import medipim_traits as traits
from vendorkit.local import medipim_words as words
from vendorkit.local.catalogue import FIRST, FIRST_MEDIA, PERIOD, REPLACED, Catalogue, Ints, MediaRows, Rows
from vendorkit.local.medipim_lookups import Lookups, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS: Final = ("thumbnail", "medium", "large", "huge")
_PLACE: Final = re.compile(rb'"##([a-z0-9_]+)"|#([a-z0-9_]+)#')
_MEMBERS: Final = re.compile(rb'"@([a-z]+)":""')  # a place for several members at once
_STATUS: Final = [status.encode() for status in words.STATUSES]
_NUMBERS: Final = ("created", "updated", "media0", "media1", "text")
_NO_EAN: Final = b'"ean":[],"gtin":null,"eanGtin8":null,"eanGtin12":null,"eanGtin13":null,"eanGtin14":null'
FIELDS: Final = (
    "id", "status", "replacement", "brand_text", "codes", "national", "price", "cost", "vat", "brands",
    "organizations", "organization_name", "deletion", "reference", *_NUMBERS,
)  # fmt: skip


class Template:
    """JSON with open places: `"##name"` is replaced whole, `#name#` stands inside a text."""

    def __init__(self, value: Any) -> None:
        names: list[str] = []

        def place(match: re.Match[bytes]) -> bytes:
            names.append((match[1] or match[2]).decode())
            return b"%d" if names[-1] in _NUMBERS else b"%b"

        self._form = _PLACE.sub(place, _MEMBERS.sub(rb"#\1#", encode(value).replace(b"%", b"%%")))
        self._pick: Callable[[tuple[Any, ...]], Any] = itemgetter(*[FIELDS.index(name) for name in names])

    def fill(self, row: tuple[Any, ...]) -> bytes:
        """Return the record of `row`, whose values stand in the order of FIELDS."""
        filled: bytes = self._form % self._pick(row)
        return filled


def codes(first: int, second: int) -> bytes:
    """Return the members `ean` to `eanGtin14`; the scalar ones show the last EAN, as in the vendor's example."""
    if first < 0:
        return _NO_EAN
    last = first if second < 0 else second
    if last < 10**8:
        return (
            b'"ean":["%08d"],"gtin":"%014d","eanGtin8":"%08d","eanGtin12":null,"eanGtin13":null,"eanGtin14":"%014d"'
            % ((last,) * 4)
        )
    listed = b'"%013d"' % first if second < 0 else b'"%013d","%013d"' % (first, second)
    gtin12 = b'"%012d"' % last if last < 10**12 else b"null"
    return b'"ean":[%b],"gtin":"%014d","eanGtin8":null,"eanGtin12":%b,"eanGtin13":"%013d","eanGtin14":"%014d"' % (
        listed, last, gtin12, last, last,
    )  # fmt: skip


class Bodies:
    """
    Encodes records of one catalogue.

    Args:
        catalogue: Where the columns come from.
        lookups: Where brands, organizations and categories come from.
        base_url: Origin of the media links, as `https://127.0.0.1:PORT`.
    """

    def __init__(self, catalogue: Catalogue, lookups: Lookups, base_url: str) -> None:
        self.catalogue, self.lookups, self.base_url = catalogue, lookups, base_url
        self._templates: dict[int, Template] = {}
        self._media: dict[int, Template] = {}
        listed = words.CODES[catalogue.country]
        self._national = {flag: self._national_form(listed, medicine=flag) for flag in (False, True)}
        self._vat = words.VAT[catalogue.country]

    @staticmethod
    def _national_form(
        listed: tuple[words.Code, ...], *, medicine: bool
    ) -> tuple[bytes, Callable[[tuple[int, int]], Any]]:
        members, sources = [], []
        for code in listed:
            if code.width and code.medicine in (None, medicine):
                members.append(
                    b'"%b":"%b%%0%dd"' % (code.name.encode(), code.prefix.encode(), code.width - len(code.prefix))
                )
                sources.append(code.source)
            else:
                members.append(b'"%b":null' % code.name.encode())
        return b",".join(members), itemgetter(*sources)

    # -- products

    def products(self, index: Ints) -> Iterator[bytes]:
        """Yield the products at `index`, encoded, in that order."""
        rows = self.catalogue.at(index)
        kinds = (
            rows.variant * 8 + rows.second_name * 4 + rows.second_description * 2 + rows.first_description
        ).tolist()
        odd = np.isin(rows.rest, oddities.RESTS)
        templates = self._templates
        for i, kind, strange, row in zip(index.tolist(), kinds, odd.tolist(), self._rows(rows), strict=True):
            template = templates.get(kind)
            if template is None:
                template = templates[kind] = Template(self._product(kind))
            body = template.fill(row)
            yield encode(oddities.twist(json.loads(body), i % PERIOD)) if strange else body

    def _rows(self, rows: Rows) -> Iterator[tuple[Any, ...]]:
        """Yield one tuple of values a product, in the order of FIELDS."""
        lookups, national, vat = self.lookups, self._national, self._vat
        columns = [
            rows.id_number, rows.status, rows.brand, rows.has_brand, rows.ean, rows.second_ean, rows.national,
            rows.national13 if self.catalogue.country == "fr" else rows.national, rows.medicine, rows.price,
            rows.reduced_vat, self.catalogue.brand_organization[rows.brand], rows.deletion, rows.created, rows.updated,
            rows.photos_of, rows.index, self.catalogue.id_numbers((rows.index + 1) % max(1, self.catalogue.products)),
        ]  # fmt: skip
        brand_json, brand_text, organization_json, organization_text = lookups.encoded
        for (
            number, status, brand, branded, ean, ean2, code, code13, medicine, price, reduced, organization, deletion,
            created, updated, photos, index, successor,
        ) in zip(*[column.tolist() for column in columns], strict=True):  # fmt: skip
            form, pick = national[medicine]
            yield (
                b"M%09X" % number,
                _STATUS[status],
                b'"M%09X"' % successor if status == REPLACED else b"null",
                brand_text[brand],
                codes(ean, ean2),
                form % pick((code, code13)),
                b"null" if price < 0 else b"%d" % price,
                b"null" if price < 0 else b"%d" % (price * 57 // 100),
                vat[reduced],
                brand_json[brand] if branded else b"[]",
                organization_json[organization],
                organization_text[organization],
                b"null" if deletion < 0 else b"%d" % deletion,
                b"null" if index % 4 else b'"REF-%06d"' % (index % 1_000_000),
                created,
                updated,
                FIRST_MEDIA + 2 * photos,
                FIRST_MEDIA + 2 * photos + 1,
                400_000 + index,
            )

    def _product(self, kind: int) -> dict[str, Any]:
        """Return the template of one kind of product, as in medipim.md 4.3."""
        variant, form = kind // 8, traits.form_of(kind // 8)
        shown = self._languages(kind)
        size = traits.size_of(variant)
        names = {loc: f"#brand_text# {traits.line_of(variant)} {getattr(form, loc)} {size}{form.unit}" for loc in shown}
        product: dict[str, Any] = {"id": "#id#", "status": "#status#", "replacement": "##replacement", "name": names}
        product["seoName"] = {loc: text.upper().replace("#BRAND_TEXT#", "#brand_text#") for loc, text in names.items()}
        product |= {"requiresLegalText": form.medicine, "biocide": variant % 64 == 5}
        if self.catalogue.country in {"be", "fr"}:
            product["prescription"] = form.atc is not None and variant % 3 == 0
        product |= {"officialDeletionAt": "##deletion", "@national": "", "@codes": ""}
        product |= {"supplierReference": "##reference", "hsCode": form.hs_code}
        product |= self._measures(variant, form, size)
        product |= self.lookups.of_variant(variant)
        product |= {"brands": "##brands", "organizations": "##organizations"}
        product |= self._linked(kind)
        product["meta"] = {"createdAt": "##created", "updatedAt": "##updated"}
        return product

    def _languages(self, kind: int) -> list[str]:
        variant, second = kind // 8, bool(kind & 4)
        shown = [second if number == 1 else number == 0 or (variant + number) % 3 == 0 for number in range(4)]
        if self.catalogue.country == "fr":
            shown = [True, second, False, False]
        return [loc for loc, there in zip(self.catalogue.locales, shown, strict=False) if there]

    def _measures(self, variant: int, form: words.Form, size: int) -> dict[str, Any]:
        cold = traits.conservation_of(variant) == "refrigerator"
        fields: dict[str, Any] = {
            "conservation": traits.conservation_of(variant),
            "conservationLabel": "2 - 8 °C" if cold else None,
            "conservationMin": 2 if cold else None,
            "conservationMax": 8 if cold else None,
            "vat": "##vat",
        }
        if self.catalogue.country != "us":  # the US documents show no prices
            fields |= {"publicPrice": "##price", "manufacturerPrice": "##cost", "pharmacistPrice": "##cost"}
        if self.catalogue.country == "fr":
            fields |= {"ttcPrice": "##price", "tfrPrice": None, "reimbursementRate": 65 if form.medicine else None}
        sides = {"weight": (size + 60, "g"), "width": (40 + variant % 90, "mm"), "length": (90 + variant, "mm")}
        for name, (value, unit) in (sides | {"depth": (30 + variant % 50, "mm")}).items():
            known = name != "weight" or traits.weight_known(variant)
            fields[name] = value if known else None
            fields[f"{name}WithUnit"] = {"value": value, "unit": unit} if known else None
        content = None if variant % 4 else f"{size} {form.unit}"
        fields |= {"packageContent": content, "packageQuantity": str(size), "packagingUnit": form.unit}
        return fields | {"atc": form.atc, "atcCategory": [form.atc] if form.atc else []}

    def _linked(self, kind: int) -> dict[str, Any]:
        variant, locales = kind // 8, self.catalogue.locales
        media = [
            self._media_item(variant * 2 + slot, f"media{slot}")
            for slot in (0, 1)
            if traits.media_there(variant * 2 + slot)
        ]
        photos = [item for item in media if item["type"] == "photo"]
        texts = [self._description(variant, n, loc) for n, loc in enumerate(self._described(kind))]
        leaflet = {"id": "##text", "locales": list(locales[:2]), "type": "pil" if variant % 2 else "spc"}
        leaflet["url"] = {loc: f"{self.base_url}/media/#text#/leaflet-{loc}.pdf" for loc in locales[:2]}
        leaflet["meta"] = {"createdAt": "##created", "updatedAt": "##updated"}
        fronts = [
            item | {"formats": self._formats("media0", frontal=True)}
            for item in photos[:1]
            if traits.frontal(variant * 2)
        ]
        return {
            "photos": photos,
            "frontals": fronts,
            "links": [item for item in media if item["type"] == "link"],
            "descriptions": texts,
            "leaflets": [leaflet] if traits.leaflet_there(variant) else [],
        }

    def _described(self, kind: int) -> list[str]:
        first, second = self.catalogue.locales[:1], self.catalogue.locales[1:2]
        return [
            *(first if kind & 1 else ()),
            *(second if kind & 2 else ()),
            *(first if kind & 1 and kind // 8 % 4 == 0 else ()),
        ]

    def _description(self, variant: int, number: int, locale: str) -> dict[str, Any]:
        kinds = ("full_description", "full_description", "usage")
        text = words.SENTENCES[locale]
        html = f'<p class="intro"><strong>{traits.line_of(variant)}</strong> {text}</p><ul><li>100 % {text}</li></ul>'
        return {
            "id": "##text",
            "locales": [locale],
            "targetGroups": ["public", "pharmacist"] if variant % 3 else ["public"],
            "type": kinds[number],
            "content": {locale: html},
            "meta": {"createdAt": "##created", "updatedAt": "##updated"},
        }

    # -- media

    def media(self, index: Ints) -> Iterator[bytes]:
        """Yield the media items at `index`, encoded, in that order."""
        rows: MediaRows = self.catalogue.media_at(index)
        texts = self.lookups.encoded[3]
        organization = self.catalogue.brand_organization[rows.owner.brand]
        columns = (rows.variant, organization, rows.created, rows.updated, index)
        blank: tuple[Any, ...] = (b"",) * len(FIELDS)
        for variant, supplier, created, updated, number in zip(*[c.tolist() for c in columns], strict=True):
            template = self._media.get(variant)
            if template is None:
                template = self._media[variant] = Template(self._media_item(variant, "media0"))
            ids = FIRST_MEDIA + number
            yield template.fill((*blank[:11], texts[supplier], *blank[12:14], created, updated, ids, ids, 0))

    def _media_item(self, variant: int, place: str) -> dict[str, Any]:
        kind = traits.media_type(variant)
        locales = list(self.catalogue.locales[: 1 + variant % 2])
        item: dict[str, Any] = {"id": f"##{place}", "type": kind, "locales": locales}
        item["targetGroups"] = traits.media_groups(variant)
        if kind == "photo":
            item |= {"photoType": traits.photo_type(variant), "visibleSides": traits.sides_of(variant)}
            item["formats"] = self._formats(place, frontal=False)
        else:
            item |= {"linkType": traits.link_type(variant), "url": f"{self.base_url}/media/#{place}#/page.html"}
            item |= {
                "name": {loc: "Brochure" for loc in locales},
                "description": {loc: "<p>PDF</p>" for loc in locales},
            }
            item["available"] = {"from": FIRST, "until": None}
        return item | {
            "organizations": [{"name": "#organization_name#"}],
            "meta": {"createdAt": "##created", "updatedAt": "##updated"},
        }

    def _formats(self, place: str, *, frontal: bool) -> dict[str, str]:
        # Frontals have keys of their own, and uneven ones: mediumJpeg but largeJpg, and no large (medipim.md 5.2).
        frontal_keys = {"thumbnail": "png", "thumbnailWebp": "webp", "medium": "png", "mediumJpeg": "jpeg",
                        "mediumWebp": "webp", "largeJpg": "jpg", "largeWebp": "webp", "huge": "png", "hugeWebp": "webp"}  # fmt: skip
        photo_keys = {key: "jpg" for key in FORMATS} | {f"{key}Webp": "webp" for key in FORMATS}
        keys = frontal_keys if frontal else photo_keys
        return {key: f"{self.base_url}/media/#{place}#/{key}.{suffix}" for key, suffix in sorted(keys.items())}
