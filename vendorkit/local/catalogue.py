"""
A Medipim catalogue that is computed, not stored: the columns of a record follow from its index and the seed.

Index rules of the oddities that live in columns (R = index modulo 2,000; bodies add theirs in `medipim_oddities`):

    R = 7           EAN with a leading zero, so `eanGtin12` is set as well
    R = 107         national code with a leading zero (CNK "0…")
    R = 207         `eanGtin13` with a wrong check digit
    R = 307         same EAN as the product one index before
    R = 407         an EAN-8 with a leading zero
    R = 507         shows the photos of the product one index before (shared media)

Products 500 to 799 all have the same `updatedAt`: 300 that one page of 250 cannot hold.

Common by nature, not rare: no EAN at all (1 in 32), two EANs (1 in 32), no brand (1 in 64), no French text (3 in 10,
mostly with the same brands), replaced products, whose EANs are nulled (1 in 64).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from vendorkit.local import medipim_traits as traits
from vendorkit.local import medipim_words as words

if TYPE_CHECKING:
    from vendorkit.local.settings import Settings

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]

FIRST: Final = 1_483_228_800  # 2017-01-01, the oldest createdAt
ANCHOR: Final = 1_793_491_200  # 2026-11-01, "now" of the data: nothing is newer, so nothing depends on the clock
SAME_TIME: Final = 1_709_251_200  # 2024-03-01, the updatedAt of the large tie
PERIOD: Final = 2_000
LEADING_ZERO, NATIONAL_ZERO, WRONG_CHECK_DIGIT, SHARED_EAN, EAN_8, SHARED_MEDIA = 7, 107, 207, 307, 407, 507
TIED: Final = range(500, 800)
REPLACED: Final = words.STATUSES.index("replaced")
FIRST_MEDIA: Final = 500_000
_ID_BITS: Final = 36
_ID_STEP: Final = 0x5851F42D | 1  # odd, so that index -> id is one to one modulo 2**36
_ID_BACK: Final = pow(_ID_STEP, -1, 1 << _ID_BITS)
_ID_MASK: Final = (1 << _ID_BITS) - 1


def check_digit(body: Ints) -> Ints:
    """Return the last digit of a GTIN whose other digits are `body` (GS1 General Specifications 7.9)."""
    total = np.zeros_like(body)
    rest, weight = body, 3
    for _ in range(13):
        rest, digit = np.divmod(rest, 10)
        total += digit * weight
        weight = 4 - weight
    return -total % 10


class Catalogue:
    """
    The columns of all products and media of one seed, country and size, each computed when first asked for.

    Args:
        settings: Seed, country and sizes are read once, here.
    """

    def __init__(self, settings: Settings) -> None:
        self.seed, self.country = settings.seed, settings.country
        self.products, self.brands = settings.products, max(1, settings.brands)
        self.organizations = max(1, self.brands * 4 // 3)
        self.locales = words.LOCALES[self.country]
        self.index: Ints = np.arange(self.products, dtype=np.int64)
        self._offset = (self.seed * 0x9E3779B97F4A7C15 + 0x548900000) & _ID_MASK

    def at(self, index: Ints) -> Rows:
        """Return the columns of the products at `index` (each at least 0, below `products`)."""
        return Rows(self, index)

    @cached_property
    def all(self) -> Rows:
        """The columns of all products."""
        return self.at(self.index)

    def media_at(self, index: Ints) -> MediaRows:
        """Return the columns of the media items at `index`; item 2p and 2p+1 belong to product p."""
        return MediaRows(self, index)

    @cached_property
    def all_media(self) -> MediaRows:
        """The columns of all media items."""
        return self.media_at(np.arange(2 * self.products, dtype=np.int64))

    def index_of(self, product_id: Any) -> int | None:
        """Return the index of the product "M" + 9 hexadecimal digits; None where there is none."""
        text = str(product_id)
        if len(text) != 1 + _ID_BITS // 4 or text[0] != "M":
            return None
        try:
            number = int(text[1:], 16)
        except ValueError:
            return None
        index = (number - self._offset) * _ID_BACK & _ID_MASK
        return index if index < self.products and text[1:].isalnum() and text == text.upper() else None

    def id_numbers(self, index: Ints) -> Ints:
        """Return the numbers behind the ids: `"M%09X" % number`."""
        return (index * _ID_STEP + self._offset) & _ID_MASK

    def noise(self, index: Ints, salt: int) -> npt.NDArray[np.uint64]:
        """Return 64 evenly mixed bits per index (the finaliser of SplitMix64)."""
        x = index.astype(np.uint64) + np.uint64((self.seed * 1_000_003 + salt) * 0x9E3779B97F4A7C15 % (1 << 64))
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    @cached_property
    def french_gap(self) -> Ints:
        """Share in percent, by brand, of products without a text in the second locale (the first in France)."""
        level = self.noise(np.arange(self.brands, dtype=np.int64), 11) % np.uint64(20)
        return np.select([level < 10, level < 16], [5, 30], 90).astype(np.int64)

    @cached_property
    def brand_factor(self) -> Ints:
        """Price level of each brand in percent of the usual."""
        return 60 + (self.noise(np.arange(self.brands, dtype=np.int64), 12) % np.uint64(121)).astype(np.int64)

    @cached_property
    def brand_organization(self) -> Ints:
        """The supplier of each brand: an index into the organizations."""
        suppliers = max(1, self.organizations * 3 // 4)
        return (np.arange(self.brands, dtype=np.int64) * 37 + 11) % suppliers


def _slice(noise: npt.NDArray[np.uint64], shift: int, bits: int) -> Ints:
    return ((noise >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int64)


class Rows:
    """Columns of some products, in the order of `index`. Times are unix seconds, money cents, -1 stands for null."""

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        self._a, self._b = catalogue.noise(index, 1), catalogue.noise(index, 2)

    @cached_property
    def rest(self) -> Ints:
        """Index modulo the period of the oddities."""
        return self.index % PERIOD

    @cached_property
    def id_number(self) -> Ints:
        """The number in the id."""
        return self.catalogue.id_numbers(self.index)

    @cached_property
    def brand(self) -> Ints:
        """Index of the brand whose name the product bears; low ones have the most products."""
        u = _slice(self._a, 0, 16)
        return (self.catalogue.brands * u * u) >> 32

    @cached_property
    def variant(self) -> Ints:
        """Which of the 256 kinds of product it is."""
        return _slice(self._a, 16, 8)

    @cached_property
    def has_brand(self) -> Bits:
        """Whether `brands` lists the brand."""
        return _slice(self._a, 24, 6) != 0

    @cached_property
    def status(self) -> Ints:
        """Index into STATUSES."""
        draw = _slice(self._a, 30, 6)
        return np.select([draw < 52, draw < 61, draw < 62], [0, 1, 2], 3).astype(np.int64)

    @cached_property
    def second_name(self) -> Bits:
        """Whether the name is there in the second locale."""
        gap = self.catalogue.french_gap[self.brand]
        return self.rank * 100 >= gap * 64

    @cached_property
    def second_description(self) -> Bits:
        """Whether there are descriptions in the second locale; never without them where there is no name."""
        gap = self.catalogue.french_gap[self.brand]
        return self.rank * 100 >= gap * 128

    @cached_property
    def rank(self) -> Ints:
        """0 to 127: how well the vendor cared for the product's second locale."""
        return _slice(self._a, 36, 7)

    @cached_property
    def first_description(self) -> Bits:
        """Whether there are descriptions in the first locale."""
        return _slice(self._a, 43, 4) != 0

    @cached_property
    def ecommerce(self) -> Ints:
        """Index into ECOMMERCE."""
        return _slice(self._a, 47, 8) % 3

    @cached_property
    def created(self) -> Ints:
        """Creation time."""
        made = FIRST + _slice(self._b, 0, 31) % (ANCHOR - FIRST)
        return np.where(self.tied, FIRST + (made - FIRST) % (SAME_TIME - FIRST), made)

    @cached_property
    def tied(self) -> Bits:
        """Whether it belongs to the 300 that were updated in the same second."""
        return (self.index >= TIED.start) & (self.index < TIED.stop)

    @cached_property
    def updated(self) -> Ints:
        """Time of the last update, never before the creation; more of them lately."""
        share = _slice(self._b, 31, 10)
        return np.where(self.tied, SAME_TIME, ANCHOR - (((ANCHOR - self.created) * share >> 10) * share >> 10))

    @cached_property
    def status_touched(self) -> Ints:
        """Time of the last change of status, between creation and update."""
        return self.created + (self.updated - self.created) * _slice(self._b, 41, 8) // 256

    @cached_property
    def deletion(self) -> Ints:
        """Time of the official deletion: inactive products only."""
        return np.where((self.status == 1) & (_slice(self._b, 49, 1) == 1), self.status_touched, -1)

    @cached_property
    def price(self) -> Ints:
        """Public price in cents, VAT included: by form, brand and pack size, and a little by product."""
        usual = traits.USUAL_PRICE[self.variant] * self.catalogue.brand_factor[self.brand] // 100
        price = usual * (85 + _slice(self._b, 50, 5)) // 100 // 5 * 5
        return np.where(_slice(self._b, 55, 4) == 0, -1, price)

    @cached_property
    def medicine(self) -> Bits:
        """Whether the form is a medicine."""
        return traits.MEDICINE[self.variant]

    @cached_property
    def reduced_vat(self) -> Bits:
        """Whether the reduced rate applies: medicines, and 1 product in 512 against the rule of its kind."""
        return self.medicine ^ (_slice(self._a, 55, 9) == 0)

    @cached_property
    def ean(self) -> Ints:
        """First EAN as a number: 13 digits, 8 where below 10**8, -1 for none."""
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
        prefix = np.where(self.rest == LEADING_ZERO, 0, words.EAN_PREFIX[self.catalogue.country])
        body = prefix * 10**10 + (index * 7_368_787 + self.catalogue.seed * 1_234_567) % 10**10
        body = np.where(body < 10**9, body + 10**9, body)
        return body * 10 + check_digit(body)

    @cached_property
    def last_ean(self) -> Ints:
        """The EAN that the scalar fields show: the last of the list, as in the vendor's example."""
        return np.where(self.second_ean >= 0, self.second_ean, self.ean)

    @cached_property
    def national(self) -> Ints:
        """The number in the country's own codes; not unique for AU's artgId, as at the vendor."""
        width = words.CODES[self.catalogue.country][0].width or 8
        index = self.index // 2 if self.catalogue.country == "au" else self.index
        low = 10 ** (width - 1)
        number = low + (index * 2_345_677 + self.catalogue.seed) % (9 * low)
        return np.where(self.rest == NATIONAL_ZERO, low // 10 + self.index // PERIOD, number)

    @cached_property
    def national13(self) -> Ints:
        """CIP13 (3400…) of a medicine, ACL13 (3401…) of the rest, with their check digits; France only."""
        body = np.where(self.medicine, 34009, 34013) * 10**7 + self.national
        return body * 10 + check_digit(body)

    @cached_property
    def photos_of(self) -> Ints:
        """Index of the product whose media are shown."""
        return np.where((self.rest == SHARED_MEDIA) & (self.index > 0), self.index - 1, self.index)


class MediaRows:
    """Columns of some media items, in the order of `index`."""

    def __init__(self, catalogue: Catalogue, index: Ints) -> None:
        self.catalogue, self.index = catalogue, index
        self.slot = index % 2
        self.owner = catalogue.at(index // 2)

    @cached_property
    def variant(self) -> Ints:
        """Kind of the item: twice the kind of its product, plus 1 for the second item."""
        return self.owner.variant * 2 + self.slot

    @cached_property
    def created(self) -> Ints:
        """Creation time: that of the product."""
        return self.owner.created

    @cached_property
    def updated(self) -> Ints:
        """Update time: never after that of the product, which an update of its media touches."""
        return self.owner.created + (self.owner.updated - self.owner.created) * (2 + self.slot) // 4
