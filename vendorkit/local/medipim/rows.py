"""
The columns of Medipim's products and media, each computed from the index of the record.

Oddities of the columns (R = index modulo 2,000; `oddities` has those of the bodies):

    R = 7           EAN with a leading zero, so `eanGtin12` is set as well
    R = 107         national code with a leading zero (CNK "0…")
    R = 207         `eanGtin13` with a wrong check digit
    R = 307         same EAN as the product one index before
    R = 407         an EAN-8 with a leading zero
    R = 507         a twin of the product one index before: the same except id and codes, with shared media

Products 500 to 799 have the same `updatedAt`: 300, more than a page of 250 can hold.

Common, not odd: no EAN (1 in 32), two EANs (1 in 32), no brand (1 in 64), no French text (3 in 10, mostly of the same
brands), replaced products, whose EANs are null (1 in 64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.kinds import CODES, KINDS, WORDS, Bits, Ints

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
    Columns of some products, in the order of `index`; each is computed once, by the function of its name in `_COLUMNS`.

    Times are unix seconds, prices cents; -1 means null.
    """

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        # Products with shared media share all but id and codes, so that both describe the media alike.
        self.photos_of: Ints = np.where((index % PERIOD == SHARED_MEDIA), index - 1, index)
        self.a, self.b = catalogue.noise(self.photos_of, 1), catalogue.noise(self.photos_of, 2)

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        if name not in _COLUMNS:
            raise AttributeError(name)
        found: npt.NDArray[Any] = self.catalogue.changed.over(name, self.index, _COLUMNS[name](self))
        setattr(self, name, found)
        return found

    def odd(self, rest: int) -> Bits:
        """Return where a product has the oddity of remainder `rest`."""
        return np.isin(self.rest, rest)


def _updated(r: Rows) -> Ints:
    share = _slice(r.b, 31, 10)
    return np.where(r.tied, SAME_TIME, ANCHOR - (((ANCHOR - r.created) * share >> 10) * share >> 10))


def _created(r: Rows) -> Ints:
    made = FIRST + _slice(r.b, 0, 31) % (ANCHOR - FIRST)
    return np.where(r.tied, FIRST + (made - FIRST) % (SAME_TIME - FIRST), made)


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
    # Index of the brand in the product's name: low ones have the most products; which of the 256 kinds it is.
    "brand": lambda r: (r.catalogue.brands * _slice(r.a, 0, 16) ** 2) >> 32,
    "variant": lambda r: _slice(r.a, 16, 8),
    # Whether `brands` has the brand.
    "has_brand": lambda r: _slice(r.a, 24, 6).astype(np.bool_),
    # Indexes into `statuses` and the words of the filter `ecommerce` of `words.json`.
    "status": lambda r: np.searchsorted([52, 61, 62], _slice(r.a, 30, 6), side="right"),
    "status_rank": lambda r: np.argsort(np.argsort(WORDS["statuses"]))[r.status],  # by name
    "ecommerce": lambda r: _slice(r.a, 47, 8) % 3,
    # 0 to 127: how complete the second locale is; whether it has a name, and descriptions, which imply the name.
    "rank": lambda r: _slice(r.a, 36, 7),
    "second_name": lambda r: r.rank * 100 >= np.take(r.catalogue.french_gap, r.brand) * 64,
    "second_description": lambda r: r.rank * 100 >= np.take(r.catalogue.french_gap, r.brand) * 128,
    # Whether there are descriptions in the first locale.
    "first_description": lambda r: _slice(r.a, 43, 4).astype(np.bool_),
    # Whether it is one of the 300 with the same `updatedAt`.
    "tied": lambda r: (r.index >= TIED.start) & (r.index < TIED.stop),
    # Times of creation, last update (recent ones are more frequent), and last change of status, between them.
    "created": _created,
    "updated": _updated,
    "status_touched": lambda r: r.created + (r.updated - r.created) * _slice(r.b, 41, 8) // 256,
    # Time of the official deletion, of inactive products only.
    "deletion": lambda r: np.where((r.status == 1) & (_slice(r.b, 49, 1) == 1), r.status_touched, -1),
    # Public price including VAT: by form, brand and pack size, with a little variation.
    "price": _price,
    # Whether the form is a medicine; whether the reduced VAT applies: 1 product in 512 has the wrong rate.
    "medicine": lambda r: _MEDICINE[r.variant],
    "reduced_vat": lambda r: r.medicine ^ ~_slice(r.a, 55, 9).astype(np.bool_),
    # EANs as numbers: of 13 digits, or of 8 if below 10**8. Scalar fields have the last, as in the vendor's example.
    "ean": _ean,
    "second_ean": lambda r: np.where(
        (_slice(r.b, 59, 5) == 1) & (r.ean >= 10**12), _gtin(r, r.index + 5_000_000_000), -1
    ),
    "last_ean": lambda r: np.where(r.second_ean >= 0, r.second_ean, r.ean),
    # The number in the country's codes; not unique for artgId of Australia, as at the vendor.
    "national": _national,
    # CIP13 (3400...) of medicines, ACL13 (3401...) of all others, with their check digits; France only.
    "national13": _national13,
}


class MediaRows:
    """
    Columns of some media items, in the order of `index`; items 2p and 2p+1 have brand and times of their product p.

    The kind of an item is twice the kind of its product, plus 1 for the second item.
    """

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        self.id_number = index
        self.owner = Rows(catalogue, index // 2)
        self.variant = self.owner.variant * 2 + index % 2

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        return getattr(self.owner, name)  # type: ignore[no-any-return]
