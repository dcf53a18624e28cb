"""
Oddities: what real Medipim answers contain now and then, put into a few records of the mock server.

By index modulo 2,000 (`rows` has the oddities of the columns):

    607   `meta.createdAt` null
    707   brand name as a localised object
    807   `seoName` is `[]`, as PHP writes an empty object
    907   `leaflets`, `links`, `notApplicableField` and `weight` absent
    1007  empty string in `packageContent`, `supplierReference` and `atc`
    1107  HTML with quotes, newline, tab, emoji, `|` and `;` in a description
    1207  `manufacturerPrice` 2**53 + 1
    1307  U+2028 and a non-breaking space at the end of the first name
    1407  `packageQuantity` "750 ml"
    1507  `eanGtin13` as a list
    1607  `brands` null
    1707  a description whose `content` is `[]`
    1807  an organization with `contactInformation`, with the spelling `zipcode`
    1907  `vat` (21.0) and `publicPrice` (1650.0) as floats with an empty fraction
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from vendorkit.local.medipim.kinds import WORDS, Record
from vendorkit.local.server.settings import Settings

NO_SEO_NAME: Final = 807
NO_LEAFLETS: Final = 907
NO_BRANDS: Final = 1607
NEW_FIELDS: Final = {"sustainabilityScore": 3, "packagingMaterials": ["glass", "paper"]}
NEW_META: Final = {"revision": 7}


def _localised_brand(product: Record) -> None:
    for brand in product["brands"]:
        brand["name"] = dict.fromkeys(product["name"], brand["name"])


def _absent(product: Record) -> None:
    for key in ("leaflets", "links", "notApplicableField", "weight"):
        del product[key]


def _odd_spaces(product: Record) -> None:
    product["name"][next(iter(product["name"]))] += " 2\u00a0x\u2028nieuw"


def _listed_gtin(product: Record) -> None:
    product["eanGtin13"] = [product["eanGtin13"]] if product["eanGtin13"] else []


def _whole_floats(product: Record) -> None:
    product |= {key: float(product[key]) for key in ("vat", "publicPrice") if product.get(key) is not None}


def _add_text(product: Record, content: Any) -> None:
    text = {"id": 1, "locales": list(product["name"])[:1], "targetGroups": ["public"], "type": "usage"}
    product["descriptions"].append(text | {"content": content, "meta": dict(product["meta"])})


# The others are members of `odd_members` of `words.json`, set where a product has them.
_ODDITIES: Final[dict[int, Callable[[Record], None]]] = {
    607: lambda product: product["meta"].update(createdAt=None),
    707: _localised_brand,
    NO_LEAFLETS: _absent,
    1107: lambda product: _add_text(product, {next(iter(product["name"])): WORDS["hard_html"]}),
    1307: _odd_spaces,
    1507: _listed_gtin,
    1707: lambda product: _add_text(product, []),
    1807: lambda product: product["organizations"][0].update(contactInformation=WORDS["odd_contact"]),
    1907: _whole_floats,
}
ODD_REMAINDERS: Final = (*_ODDITIES, *map(int, WORDS["odd_members"]))


def apply_oddity(product: Record, remainder: int) -> Record:
    """Return `product` with the oddity of `remainder`, one of ODD_REMAINDERS; it may be changed in place."""
    if remainder in _ODDITIES:
        _ODDITIES[remainder](product)
        return product
    members = WORDS["odd_members"][str(remainder)]
    return product | {name: value for name, value in members.items() if name in product}


def later(product: Record, settings: Settings) -> Record:
    """Return `product` as the vendor may send it in a year, by the switches `new_fields` and `codes_as_numbers`."""
    if settings.new_fields:
        product |= NEW_FIELDS | {"meta": product["meta"] | NEW_META}
    if settings.codes_as_numbers and product.get("cnk"):
        product["cnk"] = int(product["cnk"])
    return product


def corrupt(record: Record, number: int, rate: float) -> Record:
    """Return `record`, or if it is hit a copy with an undocumented type and a new field; `number` decides which."""
    if number * 2_654_435_761 % (1 << 32) >= rate * (1 << 32):
        return record
    meta: Any = record.get("meta") or {}
    name = record.get("name")
    changed: list[Record] = [
        {key: str(value) for key, value in record.items() if type(value) is int},
        {"name": [] if isinstance(name, dict) else name},
        {"meta": {key: None if value is None else str(value) for key, value in meta.items()}},
        {"meta": []},
    ]
    return record | changed[number % 4] | {"newField": {"since": WORDS["statuses"][number % 4]}}
