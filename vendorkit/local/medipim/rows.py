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

from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.kinds import CODES, WORDS, Bits, Ints, column

PERIOD: Final = 2_000
SAME_TIME: Final = 1_709_251_200  # 2024-03-01, the updatedAt of products 500 to 799
ANCHOR: Final = 1_793_491_200  # 2026-11-01, the "now" of the data: no time is later, and nothing depends on the clock
FIRST: Final = 1_483_228_800  # 2017-01-01, the oldest createdAt
LEADING_ZERO, NATIONAL_ZERO, WRONG_CHECK_DIGIT, SHARED_EAN, EAN_8, SHARED_MEDIA = 7, 107, 207, 307, 407, 507
TIED: Final = range(500, 800)
REPLACED: Final = WORDS["statuses"].index("replaced")
_USUAL_PRICE: Final[Ints] = column("usual_price")
_MEDICINE: Final[Bits] = column("medicine")


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
    """Columns of some products, in the order of `index`. Times are unix seconds, prices cents; -1 means null."""

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        # Products with shared media share all but id and codes, so that both describe the media alike.
        self.photos_of: Ints = np.where((index % PERIOD == SHARED_MEDIA), index - 1, index)
        self._a, self._b = catalogue.noise(self.photos_of, 1), catalogue.noise(self.photos_of, 2)

    def _changed(self, name: str, computed: Ints) -> Ints:
        return self.catalogue.changed.over(name, self.index, computed)

    @cached_property
    def rest(self) -> Ints:
        """Index modulo the period of the oddities."""
        return self.index % PERIOD

    def odd(self, rest: int) -> Bits:
        """Return where a product has the oddity of remainder `rest`."""
        return np.isin(self.rest, rest)

    @cached_property
    def id_number(self) -> Ints:
        """The number in the id."""
        numbers: Ints = self.catalogue.id_numbers(self.index)
        return numbers

    @cached_property
    def brand(self) -> Ints:
        """Index of the brand in the product's name; low ones have the most products."""
        u = _slice(self._a, 0, 16)
        return (self.catalogue.brands * u * u) >> 32

    @cached_property
    def variant(self) -> Ints:
        """Which of the 256 kinds of product it is."""
        return _slice(self._a, 16, 8)

    @cached_property
    def has_brand(self) -> Bits:
        """Whether `brands` has the brand."""
        return _slice(self._a, 24, 6).astype(np.bool_)

    @cached_property
    def status(self) -> Ints:
        """Index into STATUSES."""
        draw = _slice(self._a, 30, 6)
        found = np.select([draw < 52, draw < 61, draw < 62], [0, 1, 2], 3).astype(np.int64)
        return self._changed("status", found)

    @cached_property
    def second_name(self) -> Bits:
        """Whether there is a name in the second locale."""
        gap = np.take(self.catalogue.french_gap, self.brand)
        return self.rank * 100 >= gap * 64

    @cached_property
    def second_description(self) -> Bits:
        """Whether there are descriptions in the second locale; they imply the name."""
        gap = np.take(self.catalogue.french_gap, self.brand)
        return self.rank * 100 >= gap * 128

    @cached_property
    def rank(self) -> Ints:
        """0 to 127: how complete the product's second locale is."""
        return _slice(self._a, 36, 7)

    @cached_property
    def first_description(self) -> Bits:
        """Whether there are descriptions in the first locale."""
        return _slice(self._a, 43, 4).astype(np.bool_)

    @cached_property
    def ecommerce(self) -> Ints:
        """Index into ECOMMERCE."""
        return _slice(self._a, 47, 8) % 3

    @cached_property
    def created(self) -> Ints:
        """Creation time."""
        made = FIRST + _slice(self._b, 0, 31) % (ANCHOR - FIRST)
        return self._changed("created", np.where(self.tied, FIRST + (made - FIRST) % (SAME_TIME - FIRST), made))

    @cached_property
    def tied(self) -> Bits:
        """Whether it is one of the 300 with the same `updatedAt`."""
        return (self.index >= TIED.start) & (self.index < TIED.stop)

    @cached_property
    def updated(self) -> Ints:
        """Time of the last update, not before the creation; recent ones are more frequent."""
        share = _slice(self._b, 31, 10)
        late = np.where(self.tied, SAME_TIME, ANCHOR - (((ANCHOR - self.created) * share >> 10) * share >> 10))
        return self._changed("updated", late)

    @cached_property
    def status_touched(self) -> Ints:
        """Time of the last change of status, between creation and update."""
        return self.created + (self.updated - self.created) * _slice(self._b, 41, 8) // 256

    @cached_property
    def deletion(self) -> Ints:
        """Time of the official deletion, of inactive products only."""
        return np.where((self.status == 1) & (_slice(self._b, 49, 1) == 1), self.status_touched, -1)

    @cached_property
    def price(self) -> Ints:
        """Public price in cents, including VAT: by form, brand and pack size, with a little variation."""
        usual = _USUAL_PRICE[self.variant] * np.take(self.catalogue.brand_factor, self.brand) // 100
        price = usual * (85 + _slice(self._b, 50, 5)) // 100 // 5 * 5
        return self._changed("price", np.where(_slice(self._b, 55, 4) == 0, -1, price))

    @cached_property
    def medicine(self) -> Bits:
        """Whether the form is a medicine."""
        return _MEDICINE[self.variant]

    @cached_property
    def reduced_vat(self) -> Bits:
        """Whether the reduced rate applies: to medicines, except that 1 product in 512 has the wrong rate."""
        return self.medicine ^ ~_slice(self._a, 55, 9).astype(np.bool_)

    @cached_property
    def ean(self) -> Ints:
        """First EAN as a number: of 13 digits, or of 8 if below 10**8; -1 for none."""
        index = np.where(self.rest == SHARED_EAN, self.index - 1, self.index)
        code = self._gtin(index)
        code = np.where(self.rest == WRONG_CHECK_DIGIT, code // 10 * 10 + (code + 1) % 10, code)
        short = 100_000 + self.index // PERIOD
        code = np.where(self.rest == EAN_8, short * 10 + check_digit(short), code)
        absent = (_slice(self._b, 59, 5) == 0) | (self.status == REPLACED)
        return np.where(absent, -1, code)

    @cached_property
    def second_ean(self) -> Ints:
        """Second EAN, -1 for none."""
        several = (_slice(self._b, 59, 5) == 1) & (self.ean >= 10**12)
        return np.where(several, self._gtin(self.index + 5_000_000_000), -1)

    def _gtin(self, index: Ints) -> Ints:
        prefix = np.where(self.rest == LEADING_ZERO, 0, WORDS["ean_prefix"][self.catalogue.country])
        body = prefix * 10**10 + (index * 7_368_787 + self.catalogue.seed * 1_234_567) % 10**10
        body = np.where(body < 10**9, body + 10**9, body)
        return body * 10 + check_digit(body)

    @cached_property
    def last_ean(self) -> Ints:
        """The EAN of the scalar fields: the last of the list, as in the vendor's example."""
        return np.where(self.second_ean >= 0, self.second_ean, self.ean)

    @cached_property
    def national(self) -> Ints:
        """The number in the country's codes; not unique for artgId of Australia, as at the vendor."""
        width = CODES[self.catalogue.country][0].width or 8
        index = self.index // 2 if self.catalogue.country == "au" else self.index
        low: int = 10 ** (width - 1)
        number = low + (index * 2_345_677 + self.catalogue.seed) % (9 * low)
        return np.where(self.rest == NATIONAL_ZERO, low // 10 + self.index // PERIOD, number)

    @cached_property
    def national13(self) -> Ints:
        """CIP13 (3400…) of medicines, ACL13 (3401…) of all others, with their check digits; France only."""
        body = np.where(self.medicine, 34009, 34013) * 10**7 + self.national
        return body * 10 + check_digit(body)


class MediaRows:
    """Columns of some media items, in the order of `index`; items 2p and 2p+1 have the times of their product p."""

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        self.slot = index % 2
        self.owner = Rows(catalogue, index // 2)

    @cached_property
    def variant(self) -> Ints:
        """Kind of the item: twice the kind of its product, plus 1 for the second item."""
        return self.owner.variant * 2 + self.slot
