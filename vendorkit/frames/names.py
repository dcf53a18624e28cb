"""Converts vendors' names to names of columns and tables."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from zlib import crc32

# `snake_case` is injective on names of one style, so no two of them share a column.
STYLES: Final = {
    "snake": re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"),
    "camel": re.compile(r"[a-z][a-z0-9]*(?:[A-Z][a-z0-9]+)*[A-Z]?"),
}


def snake_case(name: str) -> str:
    """Convert a vendor's name to the name of a column: `"eanGtin13"` -> `"ean_gtin13"`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"\W+", "_", words).strip("_").lower() or "field"


def undeclared_column(path: tuple[str, ...], style: str, taken: Collection[str]) -> str:
    """
    Return the column name of an undeclared field; the same field always has the same column name.

    Args:
        path: The vendor's names from the record down to the field.
        style: The vendor's naming style, a key of `STYLES`. A top-level name in this style becomes its snake_case form;
            four hex digits of the CRC are appended to any other name.
        taken: The column names that the schema can have.
    """
    name = snake_case("_".join(path))
    if len(path) == 1 and STYLES[style].fullmatch(path[0]) and name not in taken:
        return name
    # Escape dots, so that a field `a.b` differs from the field `b` of `a`.
    spelling = ".".join(part.replace(".", "\\.") for part in path).encode(errors="surrogatepass")
    return f"{name}__{crc32(spelling) & 0xFFFF:04x}"


def encodable(text: str) -> str:
    r"""Return the text with a lone surrogate, which UTF-8 cannot encode, as the six characters `\ud800`."""
    return text.encode(errors="backslashreplace").decode()


def singular(name: str) -> str:
    """Return the singular: `"products"` -> `"product"`, `"public_categories"` -> `"public_category"`."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
