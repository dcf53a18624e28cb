"""The answers of `products/get-fields` and `media/get-fields`."""

from __future__ import annotations

from vendorkit.local.medipim.kinds import CODES, WORDS, Record


def get_fields(kind: str, country: str) -> list[Record]:
    """
    Return the fields of `products` or `media`, including the codes of the country.

    `words.json` has code, type and group; "*" after the type means several values, "~" localised. The names of the
    types are inferred.
    """
    table = WORDS["media_fields"]
    if kind == "products":
        codes = [[code.name, "string", "identifiers"] for code in CODES[country]]
        missing = WORDS["no_prices_in_us"] if country == "us" else ()
        table = [row for row in WORDS["product_fields"] if row[0] not in missing] + codes
    return [_field(*row) for row in table]


def _field(code: str, sort: str, group: str) -> Record:
    grouped = {"attributeGroup": group} if group else {}
    flags = {"isMulti": "*" in sort, "isLocalized": "~" in sort, "allowedToUpdate": code not in WORDS["read_only"]}
    return {"code": code, "type": sort.rstrip("*~"), **grouped, **flags}
