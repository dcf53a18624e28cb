"""The changes made to the products of the Medipim mock server since its start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from vendorkit.local.medipim.kinds import WORDS, Ints

_STATUS: Final = {"deactivate": WORDS["statuses"].index("inactive"), "replace": WORDS["statuses"].index("replaced")}
_PRICE: Final = 1_000_000  # above all other prices: an edit always changes the price


class Changed:
    """
    Replaces computed values of changed products.

    Args:
        changes: Action, product id and time of each, in order.
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
                self._values["price"][index] = _PRICE + number
            elif action == "delete":
                deleted.append(index)
        self.deleted: Ints = np.array(deleted, dtype=np.int64)

    def over(self, name: str, index: Ints, computed: Ints) -> Ints:
        """Return the column *name* of the products at *index*: *computed*, with the changed values in place."""
        for changed, value in self._values.get(name, {}).items():
            computed = np.where(index == changed, value, computed)
        return computed
