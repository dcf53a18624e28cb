"""
The columns of Medipim's products and media, computed from the index of each record, and the oddities of a few records.

Oddities of the columns (R = index modulo 2,000):

    R = 7           EAN with a leading zero, so `eanGtin12` has a value as well
    R = 107         national code with a leading zero (CNK "0…")
    R = 207         `eanGtin13` with a wrong check digit
    R = 307         the EAN of the product one index before
    R = 407         an EAN-8 with a leading zero
    R = 507         the same as the product one index before except id and codes, with shared media

Products 500 to 799 have the same `updatedAt`. They are 300, more than fit into a page of 250.

Oddities of the bodies, which real answers contain now and then:

    R = 607  `meta.createdAt` null
    R = 707  brand name as a localised object
    R = 807  `seoName` is `[]`, as PHP writes an empty object
    R = 907  `leaflets`, `links`, `notApplicableField` and `weight` absent
    R = 1007  empty string in `packageContent`, `supplierReference` and `atc`
    R = 1107  HTML with quotes, newline, tab, emoji, `|` and `;` in a description
    R = 1207  `manufacturerPrice` 2**53 + 1
    R = 1307  U+2028 and a non-breaking space at the end of the first name
    R = 1407  `packageQuantity` "750 ml"
    R = 1507  `eanGtin13` as a list
    R = 1607  `brands` null
    R = 1707  a description whose `content` is `[]`
    R = 1807  an organization with `contactInformation`, spelled `zipcode` inside
    R = 1907  `vat` (21.0) and `publicPrice` (1650.0) as floats with an empty fraction

Common irregularities: no EAN (1 in 32), two EANs (1 in 32), no brand (1 in 64), no French text (3 in 10, mostly the
same brands), replaced products, whose EANs are null (1 in 64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.kinds import CODES, KINDS, WORDS, Bits, Ints, Record
from vendorkit.local.server.settings import Settings

PERIOD: Final = 2_000
SAME_TIME: Final = 1_709_251_200  # 2024-03-01, the updatedAt of products 500 to 799
ANCHOR: Final = 1_793_491_200  # 2026-11-01, the "now" of the data: no time is later, and nothing depends on the clock
FIRST: Final = 1_483_228_800  # 2017-01-01, the oldest createdAt
LEADING_ZERO, NATIONAL_ZERO, WRONG_CHECK_DIGIT, SHARED_EAN, EAN_8, SHARED_MEDIA = 7, 107, 207, 307, 407, 507
TIED: Final = range(500, 800)
REPLACED: Final = WORDS["statuses"].index("replaced")
_USUAL_PRICE: Final[Ints] = np.array([kind["usual_price"] for kind in KINDS])
_MEDICINE: Final[Bits] = np.array([kind["medicine"] for kind in KINDS])


def check_digit(body: Ints) -> Ints:
    """Return the last digit of a GTIN whose other digits are `body` (GS1 General Specifications 7.9)."""
    total = np.zeros_like(body)
    rest, weight = body, 3
    for _ in range(13):
        rest, digit = np.divmod(rest, 10)
        total += digit * weight
        weight = 4 - weight
    return -total % 10


def _slice(noise: npt.NDArray[np.uint64], shift: int, bits: int) -> Ints:
    return ((noise >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int64)


class Rows:
    """
    Columns of some products, in the order of `index`. `_COLUMNS` has the function of each column, which is called once.

    Times are unix seconds, prices cents; -1 means null.
    """

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        # Products with shared media share all but id and codes, so that both describe the media in the same way.
        self.photos_of: Ints = np.where((index % PERIOD == SHARED_MEDIA), index - 1, index)
        self.a, self.b = catalogue.noise(self.photos_of, 1), catalogue.noise(self.photos_of, 2)

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        if name not in _COLUMNS:
            raise AttributeError(name)
        column: npt.NDArray[Any] = self.catalogue.changed.over(name, self.index, _COLUMNS[name](self))
        setattr(self, name, column)
        return column

    def odd(self, rest: int) -> Bits:
        """Return where a product has the oddity of remainder `rest`."""
        return np.isin(self.rest, rest)


def _updated(r: Rows) -> Ints:
    share = _slice(r.b, 31, 10)
    return np.where(r.tied, SAME_TIME, ANCHOR - (((ANCHOR - r.created) * share >> 10) * share >> 10))


def _created(r: Rows) -> Ints:
    created = FIRST + _slice(r.b, 0, 31) % (ANCHOR - FIRST)
    return np.where(r.tied, FIRST + (created - FIRST) % (SAME_TIME - FIRST), created)


def _price(r: Rows) -> Ints:
    usual = _USUAL_PRICE[r.variant] * np.take(r.catalogue.brand_factor, r.brand) // 100
    return np.where(_slice(r.b, 55, 4) == 0, -1, usual * (85 + _slice(r.b, 50, 5)) // 100 // 5 * 5)


def _ean(r: Rows) -> Ints:
    code = _gtin(r, np.where(r.rest == SHARED_EAN, r.index - 1, r.index))
    code = np.where(r.rest == WRONG_CHECK_DIGIT, code // 10 * 10 + (code + 1) % 10, code)
    short = 100_000 + r.index // PERIOD
    code = np.where(r.rest == EAN_8, short * 10 + check_digit(short), code)
    return np.where((_slice(r.b, 59, 5) == 0) | (r.status == REPLACED), -1, code)


def _gtin(r: Rows, index: Ints) -> Ints:
    prefix = np.where(r.rest == LEADING_ZERO, 0, WORDS["ean_prefix"][r.catalogue.country])
    body = prefix * 10**10 + (index * 7_368_787 + r.catalogue.seed * 1_234_567) % 10**10
    body = np.where(body < 10**9, body + 10**9, body)
    return body * 10 + check_digit(body)


def _national(r: Rows) -> Ints:
    width = CODES[r.catalogue.country][0].width or 8
    index = r.index // 2 if r.catalogue.country == "au" else r.index
    low: int = 10 ** (width - 1)
    number = low + (index * 2_345_677 + r.catalogue.seed) % (9 * low)
    return np.where(r.rest == NATIONAL_ZERO, low // 10 + r.index // PERIOD, number)


def _national13(r: Rows) -> Ints:
    body: Ints = np.where(r.medicine, 34009, 34013) * 10**7 + r.national
    return body * 10 + check_digit(body)


_COLUMNS: Final[dict[str, Callable[[Rows], Any]]] = {
    # Index modulo the period of the oddities, 0 without them; the number in the id.
    "rest": lambda r: r.index % PERIOD * r.catalogue.oddities,
    "id_number": lambda r: r.catalogue.id_numbers(r.index),
    # Index of the brand in the product's name (low indexes have the most products); number of the product's kind.
    "brand": lambda r: (r.catalogue.brands * _slice(r.a, 0, 16) ** 2) >> 32,
    "variant": lambda r: _slice(r.a, 16, 8),
    # Whether `brands` has the brand.
    "has_brand": lambda r: _slice(r.a, 24, 6).astype(np.bool_),
    # Indexes into `statuses` and into the words of the filter `ecommerce`, both in `words.json`.
    "status": lambda r: np.searchsorted([52, 61, 62], _slice(r.a, 30, 6), side="right"),
    "status_rank": lambda r: np.argsort(np.argsort(WORDS["statuses"]))[r.status],  # by name
    "ecommerce": lambda r: _slice(r.a, 47, 8) % 3,
    # How complete the second locale is (0 to 127); whether it has a name, and descriptions, which imply a name.
    "rank": lambda r: _slice(r.a, 36, 7),
    "second_name": lambda r: r.rank * 100 >= np.take(r.catalogue.french_gap, r.brand) * 64,
    "second_description": lambda r: r.rank * 100 >= np.take(r.catalogue.french_gap, r.brand) * 128,
    # Whether there are descriptions in the first locale.
    "first_description": lambda r: _slice(r.a, 43, 4).astype(np.bool_),
    # Whether it is one of the 300 products with the same `updatedAt`.
    "tied": lambda r: (r.index >= TIED.start) & (r.index < TIED.stop),
    # Times of creation, of the last update (mostly recent), and of the last change of status, which is between them.
    "created": _created,
    "updated": _updated,
    "status_touched": lambda r: r.created + (r.updated - r.created) * _slice(r.b, 41, 8) // 256,
    # Time of the official deletion, which only inactive products have.
    "deletion": lambda r: np.where((r.status == 1) & (_slice(r.b, 49, 1) == 1), r.status_touched, -1),
    # Public price including VAT, which depends on form, brand and pack size, with a little variation.
    "price": _price,
    # Whether the form is a medicine; whether the VAT rate is the reduced one (for 1 product in 512 it is wrong).
    "medicine": lambda r: _MEDICINE[r.variant],
    "reduced_vat": lambda r: r.medicine ^ ~_slice(r.a, 55, 9).astype(np.bool_),
    # EANs as numbers: of 13 digits, or of 8 if below 10**8. Scalar fields have the last, as in the vendor's example.
    "ean": _ean,
    "second_ean": lambda r: np.where(
        (_slice(r.b, 59, 5) == 1) & (r.ean >= 10**12), _gtin(r, r.index + 5_000_000_000), -1
    ),
    "last_ean": lambda r: np.where(r.second_ean >= 0, r.second_ean, r.ean),
    # The number in the country's codes. As at the vendor, Australia's artgId is not unique.
    "national": _national,
    # CIP13 (3400...) of medicines, ACL13 (3401...) of all other products, with check digits. Only for France.
    "national13": _national13,
}


class MediaRows:
    """
    Columns of some media items, in the order of `index`. Items 2p and 2p+1 have the brand and times of product p.

    The kind of an item is twice the kind of its product, plus 1 for the second item.
    """

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        self.id_number = index
        self.owner = Rows(catalogue, index // 2)
        self.variant = self.owner.variant * 2 + index % 2

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        return getattr(self.owner, name)  # type: ignore[no-any-return]


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


# The other oddities are in `odd_members` of `words.json`: values that replace members of a product.
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
    """Return `product` with the oddity of `remainder`, one of ODD_REMAINDERS. It may be changed in place."""
    if remainder in _ODDITIES:
        _ODDITIES[remainder](product)
        return product
    members = WORDS["odd_members"][str(remainder)]
    return product | {name: value for name, value in members.items() if name in product}


def later(product: Record, settings: Settings) -> Record:
    """Return `product` as the vendor may send it in a year (switches `new_fields` and `codes_as_numbers`)."""
    if settings.new_fields:
        product |= NEW_FIELDS | {"meta": product["meta"] | NEW_META}
    if settings.codes_as_numbers and product.get("cnk"):
        product["cnk"] = int(product["cnk"])
    return product


def corrupt(record: Record, number: int, rate: float) -> Record:
    """Return `record`, or for a share `rate` of all numbers a copy with an undocumented type and a new field."""
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
