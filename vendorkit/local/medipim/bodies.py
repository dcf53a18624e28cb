"""
Products and media of the Medipim mock server as JSON bytes, filled into prepared templates.

A product is one of 256 kinds in one of 8 states of translation. Each such pair has one template, with places for the
values that differ by record. Filling one takes a few microseconds, so that the server does not limit a benchmark. The
few records with an oddity in their body (see `oddities`) are decoded and encoded again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from operator import itemgetter
from typing import Any, Final

import numpy as np

from vendorkit.local.medipim import oddities
from vendorkit.local.medipim.catalogue import FIRST_MEDIA, Catalogue
from vendorkit.local.medipim.kinds import CODES, WORDS, Ints
from vendorkit.local.medipim.lookups import Lookups, encode
from vendorkit.local.medipim.rows import PERIOD, REPLACED, MediaRows, Rows
from vendorkit.local.medipim.shapes import FIELDS, Shapes, Template

FIRST_TEXT: Final = 400_000
_STATUS: Final = [status.encode() for status in WORDS["statuses"]]
_NO_EAN: Final = b'"ean":[],"gtin":null,"eanGtin8":null,"eanGtin12":null,"eanGtin13":null,"eanGtin14":null'
_EAN_8: Final = b'"ean":["%08d"],"gtin":"%014d","eanGtin8":"%08d","eanGtin12":null,"eanGtin13":null,"eanGtin14":"%014d"'
_EAN_13: Final = b'"ean":[%b],"gtin":"%014d","eanGtin8":null,"eanGtin12":%b,"eanGtin13":"%013d","eanGtin14":"%014d"'


def codes(first: int, second: int) -> bytes:
    """Return the members `ean` to `eanGtin14`; the scalar ones have the last EAN, as in the vendor's example."""
    if first < 0:
        return _NO_EAN
    last = first if second < 0 else second
    if last < 10**8:
        return _EAN_8 % ((last,) * 4)
    listed = b'"%013d"' % first if second < 0 else b'"%013d","%013d"' % (first, second)
    return _EAN_13 % (listed, last, b'"%012d"' % last if last < 10**12 else b"null", last, last)


def optional(numbers: Ints, form: bytes = b"%d") -> list[bytes]:
    """Return numbers as JSON; negative ones are null."""
    if numbers.size and numbers.min() >= 0:
        return [form % number for number in numbers.tolist()]
    return [b"null" if number < 0 else form % number for number in numbers.tolist()]


def _meta(rows: Rows) -> list[bytes]:
    times = zip(rows.created.tolist(), rows.updated.tolist(), strict=True)
    return [b'{"createdAt":%d,"updatedAt":%d}' % pair for pair in times]


def _national_form(country: str, *, medicine: bool) -> tuple[bytes, Callable[[tuple[int, int]], Any]]:
    """Return the members of a country's codes with places, and the function that picks the numbers for them."""
    members, sources = [], []
    for code in CODES[country]:
        there = code.width and code.medicine in (None, medicine)
        digits = b'"%b%%0%dd"' % (code.prefix.encode(), code.width - len(code.prefix))
        members.append(b'"%b":%b' % (code.name.encode(), digits if there else b"null"))
        sources += [code.source] if there else []
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
        has_oddity = np.isin(rows.rest, oddities.ODD_REMAINDERS)
        places = _in_order(self._product_columns(rows))
        templates = self._templates
        for number, kind, odd, row in zip(index.tolist(), kinds.tolist(), has_oddity.tolist(), places, strict=False):
            template = templates.get(kind)
            if template is None:
                template = templates[kind] = Template(self._shapes.product(kind))
            body = template.fill(row)
            yield encode(oddities.apply_oddity(json.loads(body), number % PERIOD)) if odd else body

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
            "brands": [brand_json[b] if there else b"[]" for b, there in zip(brands, rows.has_brand, strict=True)],
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
        chosen = [self._national[medicine] for medicine in rows.medicine.tolist()]
        return [form % pick(pair) for (form, pick), pair in zip(chosen, pairs, strict=True)]

    def media(self, index: Ints) -> Iterator[bytes]:
        """Yield the media items at `index`, encoded, in that order."""
        rows = MediaRows(self.catalogue, index)
        suppliers = self.catalogue.brand_organization[rows.owner.brand].tolist()
        texts = self.lookups.encoded[3]
        columns: dict[str, Iterable[Any]] = {
            "organization_text": [texts[supplier] for supplier in suppliers],
            "meta": _meta(rows.owner),
            "media0": optional(FIRST_MEDIA + index),
        }
        for kind, row in zip(rows.variant.tolist(), _in_order(columns), strict=False):
            template = self._media.get(kind)
            if template is None:
                template = self._media[kind] = Template(self._shapes.media_item(kind, "media0"))
            yield template.fill(row)


def _in_order(columns: dict[str, Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield one tuple per record in the order of FIELDS; missing columns give empty values."""
    return zip(*[columns.get(name, repeat(b"")) for name in FIELDS], strict=False)
