"""
Products and media of the Medipim mock server as JSON bytes, written by filling templates.

A product is one of 256 kinds in one of 8 states of translation. Each such pair has one template, with placeholders for
the values that differ by record. Filling it takes a few microseconds, so that the server does not limit a benchmark.
The few records with an oddity in their body (see `rows`) are decoded and encoded again.

A template is JSON with placeholders: `"##name"` for a whole value (`"##name+3"` for a number followed by the digit 3),
`#name#` within a string, and the member `"@name": ""` for several members. `product` of `words.json` has the members of
a product: name, countries ("": all) and value, where `"{fact}"` is a fact of the kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

import numpy as np

from vendorkit.local.medipim.catalogue import FIRST_MEDIA, Catalogue
from vendorkit.local.medipim.kinds import CODES, KINDS, MEDIA, WORDS, Ints, Record
from vendorkit.local.medipim.lists import Lookups
from vendorkit.local.medipim.rows import FIRST, ODD_REMAINDERS, PERIOD, REPLACED, MediaRows, Rows, apply_oddity
from vendorkit.local.server.api import encode

_PLACEHOLDER: Final = re.compile(rb'"##([a-z0-9_]+)(?:\+(\d))?"|#([a-z0-9_]+)#|"@([a-z]+)":""')


class Template:
    """The JSON of one kind of record. `fill` inserts the values of a record, which are in the order of `columns`."""

    def __init__(self, value: Record, columns: Iterable[str]) -> None:
        names: list[str] = []

        def to_format(match: re.Match[bytes]) -> bytes:
            names.append((match[1] or match[3] or match[4]).decode())
            return b"%b" + (match[2] or b"")

        self._form = _PLACEHOLDER.sub(to_format, encode(value).replace(b"%", b"%%"))
        order = [*columns]
        self._pick: Callable[[tuple[Any, ...]], Any] = itemgetter(*[order.index(name) for name in names])

    def fill(self, row: tuple[Any, ...]) -> bytes:
        """Return the record with the values of `row`."""
        record: bytes = self._form % self._pick(row)
        return record


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

    def product(self, number: int) -> Record:
        """Return a product's template. `number` is 8 variant + 4 second name + 2 second text + 1 first text."""
        kind = KINDS[number // 8]
        facts = {**kind, **self._names(kind, number), **self.lookups.of_kind(kind), **self._media(kind)}
        facts |= {"descriptions": self._descriptions(kind, number), "leaflets": self._leaflets(kind, number // 8)}
        # The vendor signs this link. Here it is unsigned: signing would take longer than the rest of the record.
        facts["embedUrl"] = f"{self.base_url}/v4/products/embed?id=#id#"
        return {
            member: facts[value[1:-1]] if value and value[0] == "{" else value
            for member, countries, value in WORDS["product"]
            if not countries or self.country in countries
        }

    def _names(self, kind: Record, number: int) -> Record:
        has_name = [True, bool(number & 4), *kind["languages"][2:]]
        locales = [loc for loc, has in zip(self.locales, has_name, strict=False) if has]
        names = {loc: f"{kind['line']} {kind[loc]} {kind['tail']}" for loc in locales}
        return {
            "name": {loc: f"#brand_text# {name}" for loc, name in names.items()},
            "seoName": {loc: f"#brand_text# - {name.upper()}" for loc, name in names.items()},
        }

    def _media(self, kind: Record) -> Record:
        linked = [(item, f"media{slot}") for slot, item in enumerate(kind["shows"]) if item["linked"]]
        media = [self.media_item(item["number"], column) for item, column in linked]
        frontal = [self._formats(column, WORDS["frontal_formats"]) for item, column in linked if item["frontal"]]
        return {
            "photo_items": [item for item in media if item["type"] == "photo"],
            "frontals": [media[0] | {"formats": formats} for formats in frontal],
            "link_items": [item for item in media if item["type"] == "link"],
        }

    def _descriptions(self, kind: Record, number: int) -> list[Record]:
        first, second = (*self.locales, "")[:2]
        texts = [(first, "full_description")] if number & 1 else []
        texts += [(second, "full_description")] if number & 2 and second else []
        texts += [(first, "usage")] if number & 1 and kind["usage"] else []
        intro = f'<p class="intro"><b>{kind["line"]}</b> 100 % '
        return [
            {
                "id": f"##text+{position}",
                "locales": [locale],
                "targetGroups": ["public", "pharmacist"] if number // 8 % 3 else ["public"],
                "type": sort,
                "content": {locale: f"{intro}{WORDS['sentences'][locale]}</p>"},
                "meta": "##meta",
            }
            for position, (locale, sort) in enumerate(texts)
        ]

    def _leaflets(self, kind: Record, variant: int) -> list[Record]:
        locales = list(self.locales[:2])
        url = {loc: self._file("text", f"leaflet-{loc}.pdf") for loc in locales}
        sort = "pil" if variant % 2 else "spc"
        return [{"id": "##text+9", "locales": locales, "type": sort, "url": url, "meta": "##meta"}] * kind["medicine"]

    def media_item(self, number: int, column: str) -> Record:
        """Return the template of a media item of kind `number`, with its id from `column`."""
        locales = list(self.locales[: 1 + number % 2])
        facts = {**MEDIA[number], "id": f"##{column}", "locales": locales, "url": self._file(column, "page.html")}
        facts |= {"name": dict.fromkeys(locales, "Brochure"), "description": dict.fromkeys(locales, "<p>PDF</p>")}
        facts |= {"formats": self._formats(column, WORDS["photo_formats"]), "available": {"from": FIRST, "until": None}}
        facts |= {"organizations": [{"name": "#organization_text#"}], "meta": "##meta"}
        return {member: facts[member] for member in WORDS["media_members"][facts["type"]]}

    def _formats(self, column: str, files: dict[str, str]) -> Record:
        return {key: self._file(column, name) for key, name in files.items()}

    def _file(self, column: str, name: str) -> str:
        return f"{self.files_url}/media/#{column}#/{name}"


FIRST_TEXT: Final = 400_000
_STATUS: Final = [status.encode() for status in WORDS["statuses"]]
_NO_EAN: Final = b'"ean":[],"gtin":null,"eanGtin8":null,"eanGtin12":null,"eanGtin13":null,"eanGtin14":null'
_EAN_8: Final = b'"ean":["%08d"],"gtin":"%014d","eanGtin8":"%08d","eanGtin12":null,"eanGtin13":null,"eanGtin14":"%014d"'
_EAN_13: Final = b'"ean":[%b],"gtin":"%014d","eanGtin8":null,"eanGtin12":%b,"eanGtin13":"%013d","eanGtin14":"%014d"'


def codes(first: int, second: int) -> bytes:
    """Return the members `ean` to `eanGtin14`. Scalar members have the last EAN, as in the vendor's example."""
    if first < 0:
        return _NO_EAN
    last = first if second < 0 else second
    if last < 10**8:
        return _EAN_8 % ((last,) * 4)
    listed = b'"%013d"' % first if second < 0 else b'"%013d","%013d"' % (first, second)
    return _EAN_13 % (listed, last, b'"%012d"' % last if last < 10**12 else b"null", last, last)


def optional(numbers: Ints, form: bytes = b"%d") -> list[bytes]:
    """Return numbers as JSON, negative numbers as null."""
    return [b"null" if number < 0 else form % number for number in numbers.tolist()]


def _meta(rows: Rows | MediaRows) -> list[bytes]:
    times = zip(rows.created.tolist(), rows.updated.tolist(), strict=True)
    return [b'{"createdAt":%d,"updatedAt":%d}' % pair for pair in times]


def _national_form(country: str, *, medicine: bool) -> tuple[bytes, Callable[[tuple[int, int]], Any]]:
    """Return the members of a country's codes as a bytes format, and the function that picks the numbers for it."""
    members, sources = [], []
    for code in CODES[country]:
        has_code = code.width and code.medicine in (None, medicine)
        digits = b'"%b%%0%dd"' % (code.prefix.encode(), code.width - len(code.prefix))
        members.append(b'"%b":%b' % (code.name.encode(), digits if has_code else b"null"))
        sources += [code.source] if has_code else []
    return b",".join(members), itemgetter(*sources)


class Bodies:
    """
    Encodes records of one catalogue.

    Args:
        catalogue: The source of the columns.
        lookups: The source of brands, organizations and categories.
        base_url, files_url: Origins of the API and of the media links.
    """

    def __init__(self, catalogue: Catalogue, lookups: Lookups, base_url: str, files_url: str) -> None:
        self.catalogue, self.lookups = catalogue, lookups
        self._shapes = Shapes(catalogue, lookups, base_url, files_url)
        self._templates: dict[int, Template] = {}
        self._media: dict[int, Template] = {}
        self._national = [_national_form(catalogue.country, medicine=flag) for flag in (False, True)]

    def products(self, index: Ints) -> Iterator[bytes]:
        """Yield the products at `index`, encoded, in that order."""
        rows = Rows(self.catalogue, index)
        kinds = rows.variant * 8 + rows.second_name * 4 + rows.second_description * 2 + rows.first_description
        has_oddity = np.isin(rows.rest, ODD_REMAINDERS)
        columns, templates = self._product_columns(rows), self._templates
        values = zip(*columns.values(), strict=True)
        for number, kind, odd, row in zip(index.tolist(), kinds.tolist(), has_oddity.tolist(), values, strict=True):
            if kind not in templates:
                templates[kind] = Template(self._shapes.product(kind), columns)
            body = templates[kind].fill(row)
            yield encode(apply_oddity(json.loads(body), number % PERIOD)) if odd else body

    def _product_columns(self, rows: Rows) -> dict[str, Iterable[Any]]:
        catalogue, vat = self.catalogue, WORDS["vat"][self.catalogue.country]
        brand_json, brand_text, organization_json, organization_text = self.lookups.encoded
        brands, suppliers = rows.brand.tolist(), catalogue.brand_organization[rows.brand].tolist()
        successors = catalogue.id_numbers((rows.index + 1) % catalogue.at_first)
        media = FIRST_MEDIA + 2 * rows.photos_of
        return {
            "id": [b"M%09X" % number for number in rows.id_number.tolist()],
            "status": [_STATUS[status] for status in rows.status.tolist()],
            "replacement": optional(np.where(rows.status == REPLACED, successors, -1), b'"M%09X"'),
            "brand_text": [brand_text[brand] for brand in brands],
            "codes": map(codes, rows.ean.tolist(), rows.second_ean.tolist()),
            "national": self._national_codes(rows),
            "price": optional(rows.price),
            "cost": optional(np.where(rows.price < 0, -1, rows.price * 57 // 100)),
            "vat": [vat[reduced].encode() for reduced in rows.reduced_vat.tolist()],
            "brands": [brand_json[b] if has else b"[]" for b, has in zip(brands, rows.has_brand, strict=True)],
            "organizations": [organization_json[supplier] for supplier in suppliers],
            "organization_text": [organization_text[supplier] for supplier in suppliers],
            "deletion": optional(rows.deletion),
            "reference": optional(np.where(rows.index % 4 == 0, rows.index % 10**6, -1), b'"REF-%06d"'),
            "meta": _meta(rows),
            "media0": optional(media),
            "media1": optional(media + 1),
            "text": optional(FIRST_TEXT + rows.index),
        }

    def _national_codes(self, rows: Rows) -> list[bytes]:
        """Return the members of the country's own identifiers."""
        thirteen = rows.national13 if self.catalogue.country == "fr" else rows.national
        pairs = zip(rows.national.tolist(), thirteen.tolist(), strict=True)
        forms = [self._national[medicine] for medicine in rows.medicine.tolist()]
        return [form % pick(pair) for (form, pick), pair in zip(forms, pairs, strict=True)]

    def media(self, index: Ints) -> Iterator[bytes]:
        """Yield the media items at `index`, encoded, in that order."""
        rows = MediaRows(self.catalogue, index)
        suppliers = self.catalogue.brand_organization[rows.brand].tolist()
        texts = self.lookups.encoded[3]
        columns: dict[str, Iterable[Any]] = {
            "organization_text": [texts[supplier] for supplier in suppliers],
            "meta": _meta(rows),
            "media0": optional(FIRST_MEDIA + index),
        }
        for kind, row in zip(rows.variant.tolist(), zip(*columns.values(), strict=True), strict=True):
            if kind not in self._media:
                self._media[kind] = Template(self._shapes.media_item(kind, "media0"), columns)
            yield self._media[kind].fill(row)
