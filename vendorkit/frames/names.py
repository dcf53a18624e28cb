"""The spelling of names in frames and tables."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from zlib import crc32

# On names of one of these styles `snake_case` is injective: two names never share a column.
STYLES: Final = {
    "snake": re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"),
    "camel": re.compile(r"[a-z][a-z0-9]*(?:[A-Z][a-z0-9]+)*[A-Z]?"),
}


def snake_case(name: str) -> str:
    """The frame's spelling of a vendor's name: `"eanGtin13"` -> `"ean_gtin13"`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"\W+", "_", parted).strip("_").lower() or "field"


def undeclared_column(path: tuple[str, ...], style: str, taken: Collection[str]) -> str:
    """
    The column of an undeclared field, which depends on the vendor's name only.

    Args:
        path: The vendor's names from the record down to the field.
        style: The vendor's own style, one of `STYLES`. A top-level name in it becomes its snake_case form; any other
            gets four hex digits of its CRC as well.
        taken: The columns that the schema can have.
    """
    name = snake_case("_".join(path))
    if len(path) == 1 and STYLES[style].fullmatch(path[0]) and name not in taken:
        return name
    # A field `a.b` is not the field `b` of `a`.
    spelling = ".".join(part.replace(".", "\\.") for part in path).encode(errors="surrogatepass")
    return f"{name}__{crc32(spelling) & 0xFFFF:04x}"


def singular(name: str) -> str:
    """One of them: `"products"` -> `"product"`, `"public_categories"` -> `"public_category"`."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
