"""What an answer holds beyond its schema: counted, and reported in one warning."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_SHOWN: Final = 20  # names in a warning; an answer may have thousands
_LONGEST: Final = 100  # characters of each


class SchemaDrift(UserWarning):
    """An answer holds fields that are not declared, or values that do not fit. Nothing was lost."""


@dataclass
class Drift:
    """
    What did not match the schema: names and counts only, for values are the vendor's data.

    Attributes:
        unknown: Records that hold an undeclared field, by the vendor's name of it.
        unfit: Values that do not fit their declared type, by column.
    """

    unknown: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Drift) -> None:
        """Add what another page showed."""
        self.unknown.update(other.unknown)
        self.unfit.update(other.unfit)

    def warn(self, name: str) -> None:
        """Report everything in one `SchemaDrift` warning about the schema `name`, at the caller's own line."""
        parts = []
        if self.unknown:
            parts.append(f"fields that are not declared, kept as JSON text: {_counts(self.unknown)}")
        if self.unfit:
            parts.append(f"values that do not fit, kept in <column>__raw: {_counts(self.unfit)}")
        if parts:
            warnings.warn(f"{name}: {'; '.join(parts)}.", SchemaDrift, stacklevel=levels_to_caller())


def levels_to_caller() -> int:
    """Count the frames up to the first one outside the package, as `warnings.warn` in `warn` counts them."""
    level, frame = 1, inspect.currentframe()
    frame = frame and frame.f_back
    while frame is not None and frame.f_globals.get("__name__", "").startswith("vendorkit."):
        level, frame = level + 1, frame.f_back
    return level


def _counts(counter: Counter[str]) -> str:
    names = sorted(counter)
    shown = ", ".join(f"{name[:_LONGEST]} ({counter[name]})" for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown
