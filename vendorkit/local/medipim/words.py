"""
The words and tables from which the Medipim mock server builds its records, from `words.json`. All names are invented.

Codes: name, width (0: the vendor has the field, here it is always null), prefix, source, medicine. Forms: the name in
five languages, then the members of `Form`. VAT: the rates of cosmetics and of medicines in percent, as JSON; the US has
none. The first brands are names that have caused errors in clients; others are combined from heads and tails.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


DATA: Final[dict[str, Any]] = _tuples(json.loads(Path(__file__).with_name("words.json").read_text("utf-8")))
Words = tuple[str, ...]


class Code(NamedTuple):
    """One identifier of a country: `prefix` + number in `width` digits. Source 0: national number, 1: its 13 digits."""

    name: str
    width: int = 0
    prefix: str = ""
    source: int = 0
    medicine: bool | None = None  # None: on all products


class Form(NamedTuple):
    """What a product is: its name, whether it is a medicine, a usual price in cents, pack sizes and codes."""

    nl: str
    fr: str
    en: str
    de: str
    es: str
    medicine: bool
    price: int
    unit: str
    sizes: tuple[int, ...]
    hs_code: str
    atc: str | None


LOCALES: Final[dict[str, Words]] = DATA["locales"]
VAT: Final[dict[str, Any]] = {country: tuple(map(str.encode, rates)) for country, rates in DATA["vat"].items()}
EAN_PREFIX: Final[dict[str, int]] = DATA["ean_prefix"]
STATUSES: Final[Words] = DATA["statuses"]
CONSERVATIONS: Final[Words] = DATA["conservations"]
ECOMMERCE: Final[Words] = DATA["ecommerce"]
SPECIES: Final[Words] = DATA["species"]
TARGET_GROUPS: Final[Words] = DATA["target_groups"]
MEDIA_TYPES: Final[Words] = DATA["media_types"]
PHOTO_TYPES: Final[Words] = DATA["photo_types"]
LINK_TYPES: Final[Words] = DATA["link_types"]
SIDES: Final[Words] = DATA["sides"]
ORGANIZATION_TYPES: Final[Words] = DATA["organization_types"]
DESCRIPTION_TYPES: Final[Words] = DATA["description_types"]
# Medipim's documents. Documented widths are the vendor's.
CODES: Final = {country: tuple(Code(*code) for code in codes) for country, codes in DATA["codes"].items()}
FORMS: Final = tuple(Form._make(form) for form in DATA["forms"])
LINES: Final[Words] = DATA["lines"]
BRANDS: Final[Words] = DATA["brands"]
HEADS: Final[Words] = DATA["heads"]
TAILS: Final[Words] = DATA["tails"]
CITIES: Final[Words] = DATA["cities"]
ROOT_CATEGORIES: Final[tuple[Words, ...]] = DATA["root_categories"]
FAMILIES: Final[Words] = DATA["families"]
INGREDIENTS: Final[Words] = DATA["ingredients"]
ATTRIBUTES: Final[dict[str, Words]] = DATA["attributes"]
SENTENCES: Final[dict[str, str]] = DATA["sentences"]
