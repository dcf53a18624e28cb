"""
The Medipim catalogue. Everything about a record is computed from its index and the seed; nothing is stored.

`rows` has the columns of the records, `bodies` their JSON.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vendorkit.local.medipim.kinds import WORDS, Ints
from vendorkit.local.server.settings import Settings

FIRST_MEDIA: Final = 500_000
_ID_BITS: Final = 36
_ID_STEP: Final = 0x5851F42D | 1  # odd, so that index -> id is one to one modulo 2**36
_ID_BACK: Final = pow(_ID_STEP, -1, 1 << _ID_BITS)
_ID_MASK: Final = (1 << _ID_BITS) - 1


_STATUS: Final = {"deactivate": WORDS["statuses"].index("inactive"), "replace": WORDS["statuses"].index("replaced")}
_EDITED_PRICE: Final = 1_000_000  # above all other prices, so that an edit always changes the price


def brand_id(index: Any) -> Any:
    """Return the id of a brand, or a column of ids. Ids are odd numbers, so that there are gaps and brand 9 exists."""
    return 2 * index + 1


def organization_id(index: Any) -> Any:
    """Return the id of an organization, or a column of ids: 2, 5, 8, …"""
    return 3 * index + 2


class Changed:
    """
    Replaces computed values of changed products.

    Args:
        changes: The changes in order, each with action, product id and time.
        first: Index of the first product that is added.
        index_of: Returns the index of a product id.
    """

    def __init__(self, changes: Sequence[Mapping[str, Any]], first: int, index_of: Callable[[str], int | None]) -> None:
        self._values: dict[str, dict[int, int]] = defaultdict(dict)
        self.fields: dict[int, dict[str, Any]] = defaultdict(dict)  # what requests wrote
        deleted = []
        for number, change in enumerate(changes):
            index, action = index_of(change["record"]), change["action"]
            if action == "add":
                index = first
                first += 1
                self._values["created"][index] = change["at"]
            if index is None:
                continue
            self._values["updated"][index] = change["at"]
            self.fields[index] |= change.get("fields", {})
            if action in _STATUS:
                self._values["status"][index] = _STATUS[action]
            elif action == "edit" and "fields" not in change:
                self._values["price"][index] = _EDITED_PRICE + number
            elif action == "delete":
                deleted.append(index)
        self.deleted: Ints = np.array(deleted, dtype=np.int64)

    def over(self, name: str, index: Ints, computed: Ints) -> Ints:
        """Return the column *name* of the products at *index*: *computed*, but with the changed values."""
        for changed, value in self._values.get(name, {}).items():
            computed = np.where(index == changed, value, computed)
        return computed


class Catalogue:
    """
    The data of all products and media for one seed, country and size. Columns are computed on first use.

    Args:
        settings: The source of seed, country, sizes and changes, which are read once, here.
    """

    def __init__(self, settings: Settings) -> None:
        self.seed, self.country, self.oddities = settings.seed, settings.country, settings.oddities
        self.at_first, self.brands = settings.products, max(1, settings.brands)
        self.products = self.at_first + sum(change["action"] == "add" for change in settings.changes)
        self.organizations = max(1, self.brands * 4 // 3)
        self.locales: list[str] = WORDS["locales"][self.country]
        self.index: Ints = np.arange(self.products, dtype=np.int64)
        self._offset = (self.seed * 0x9E3779B97F4A7C15 + 0x548900000) & _ID_MASK
        self.changes = settings.changes
        self.changed = Changed(settings.changes, self.at_first, self.index_of)

    def index_of(self, product_id: Any) -> int | None:
        """Return the index of the product with this id ("M" + 9 hexadecimal digits), None if there is none."""
        match = re.fullmatch("M([0-9A-F]{9})", str(product_id))
        index = (int(match[1], 16) - self._offset) * _ID_BACK & _ID_MASK if match else self.products
        return index if index < self.products else None

    def id_numbers(self, index: Any) -> Any:
        """Return the number in the id of an index, or a column of numbers. The id is `"M%09X" % number`."""
        return (index * _ID_STEP + self._offset) & _ID_MASK

    def noise(self, index: Ints, salt: int) -> npt.NDArray[np.uint64]:
        """Return 64 evenly mixed bits per index (the finaliser of SplitMix64)."""
        x = index.astype(np.uint64) + np.uint64((self.seed * 1_000_003 + salt) * 0x9E3779B97F4A7C15 % (1 << 64))
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    @cached_property
    def french_gap(self) -> Ints:
        """Percentage of each brand's products that have no text in the second locale (in France, the first)."""
        level = self.noise(np.arange(self.brands, dtype=np.int64), 11) % np.uint64(20)
        return np.select([level < 10, level < 16], [5, 30], 90).astype(np.int64)

    @cached_property
    def brand_factor(self) -> Ints:
        """Price level of each brand, in percent of the usual price."""
        return 60 + (self.noise(np.arange(self.brands, dtype=np.int64), 12) % np.uint64(121)).astype(np.int64)

    @cached_property
    def brand_organization(self) -> Ints:
        """The supplier of each brand, as an index into the organizations."""
        suppliers = max(1, self.organizations * 3 // 4)
        return (np.arange(self.brands, dtype=np.int64) * 37 + 11) % suppliers
