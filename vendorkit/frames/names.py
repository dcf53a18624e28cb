"""The spelling of names in frames and tables."""

from __future__ import annotations

import re


def snake_case(name: str) -> str:
    """The frame's spelling of a vendor's name: `"eanGtin13"` -> `"ean_gtin13"`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"\W+", "_", parted).strip("_").lower() or "field"


def singular(name: str) -> str:
    """One of them: `"products"` -> `"product"`, `"public_categories"` -> `"public_category"`."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
