"""The filters and sort keys of Medipim's products (Medipim's documents)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from vendorkit.local.medipim import filters
from vendorkit.local.medipim.catalogue import FIRST_MEDIA, Catalogue, brand_id
from vendorkit.local.medipim.filters import Filter, Violation
from vendorkit.local.medipim.kinds import CODES, KINDS, MEDIA, WORDS, Bits, Ints, of_kinds
from vendorkit.local.medipim.lists import Lookups
from vendorkit.local.medipim.rows import NO_BRANDS, NO_LEAFLETS, NO_SEO_NAME, Rows

MAX_CODES: Final = 1_000
EANS: Final = ("ean", "gtin", "eanGtin8", "eanGtin12", "eanGtin13", "eanGtin14")


class ProductFilter(Filter):
    """Filters and sorts products (Medipim's documents)."""

    rows: Rows

    def __init__(self, catalogue: Catalogue, lookups: Lookups) -> None:
        super().__init__(catalogue, "product", Rows(catalogue, catalogue.index), KINDS)
        self.lookups = lookups
        self.codes = {code.name: code for code in CODES[catalogue.country]}
        self.filters = {**self.filters, **WORDS["more_filters"].get(catalogue.country, {})}
        self.filters |= {name: ["code", name] for name in self.codes}
        self.sorts = {**self.sorts, **WORDS["more_sorts"].get(catalogue.country, {})}
        rows, every, kinds = self.rows, np.ones(catalogue.products, dtype=np.bool_), self.by_kind
        # The flags of hasContent that this server supports. The vendor has one per field.
        self._content: dict[str, Callable[[], Bits]] = {
            "publicPrice": lambda: rows.price >= 0,
            "weight": lambda: kinds(lambda kind: kind["weight"] is not None) & ~rows.odd(NO_LEAFLETS),
            "media": lambda: kinds(lambda kind: any(item["linked"] for item in kind["shows"])),
            "photos": lambda: kinds(lambda kind: bool(kind["photos"])),
            "brands": self._branded,
            "ean": lambda: rows.ean >= 0,
            "publicCategories": lambda: every,
            "organizations": lambda: every,
        }

    def select(self, value: Any, sorting: Any) -> Ints:
        """Return the indexes of the matching products. A request may contain at most 1,000 codes."""
        self._count = 0
        return super().select(value, sorting)

    def keys(self, key: str, way: Any, path: str) -> tuple[list[Ints], bool]:
        """Return the columns to sort by. Names are sorted in one locale."""
        if key != "name":
            return super().keys(key, way, path)
        if not isinstance(way, dict) or set(way) != {"direction", "locale"}:
            raise Violation(path, "must be an object with direction and locale")
        locale = filters.one(way["locale"], f"{path}.locale", self.catalogue.locales)
        return self._name_ranks(locale), filters.direction(way["direction"], f"{path}.direction")

    def _name_ranks(self, locale: str) -> list[Ints]:
        """Return the rank of each name: by code point, brand first. Missing names come first (inferred)."""
        brands = [brand["name"] for brand in self.lookups.brands]
        ranks = [np.unique(texts, return_inverse=True)[1] + 1 for texts in (brands, self._tails(locale))]
        has_name, rows = self._named(locale), self.rows
        return [np.where(has_name, ranks[0][rows.brand], 0), np.where(has_name, ranks[1][rows.variant], 0)]

    @staticmethod
    def _tails(locale: str) -> list[str]:
        """Return the product names of all kinds, without the brand."""
        return [f"{kind['line']} {kind[locale]} {kind['tail']}" for kind in KINDS]

    def _named(self, locale: str) -> Bits:
        """Where a product has a name in `locale`."""
        number = self.catalogue.locales.index(locale)
        return self.rows.second_name if number == 1 else self.by_kind(lambda kind: kind["languages"][number])

    # -- the filters

    def word(self, value: Any, path: str, column: str, choices: list[str]) -> Bits:
        """Where a column has the index of one of the given words."""
        indexes = [choices.index(word) for word in filters.chosen(value, path, choices)]
        return np.isin(getattr(self.rows, column), indexes)

    def ids(self, value: Any, path: str) -> Bits:
        """Where the product has one of the ids."""
        indexes = [self.catalogue.index_of(v) for v in filters.listed(value, path, (str, int))]
        return np.isin(self.rows.index, [index for index in indexes if index is not None])

    def brand(self, value: Any, path: str) -> Bits:
        """Where the product has one of the brands."""
        ids = filters.listed(value, path, (int,))
        return np.isin(brand_id(self.rows.brand), ids) & self._branded()

    def _branded(self) -> Bits:
        return self.rows.has_brand & ~self.rows.odd(NO_BRANDS)

    def shows(self, value: Any, path: str) -> Bits:
        """Where the product links to one of the media items, which two products may share."""
        items = [media - FIRST_MEDIA for media in filters.listed(value, path, (int,))]
        links = [
            of_kinds(lambda item: item["linked"], 2 * self.rows.variant + slot, MEDIA)
            & np.isin(2 * self.rows.photos_of + slot, items)
            for slot in (0, 1)
        ]
        return links[0] | links[1]

    def code(self, value: Any, path: str, key: str) -> Bits:
        """Where the product has one of the codes, as strings with leading zeros (Medipim's documents)."""
        texts = filters.listed(value, path, (str,))
        self._count += len(texts)
        if self._count > MAX_CODES:
            raise Violation(path, f"maximum amount of identifier codes provided cannot exceed {MAX_CODES}")
        if any(not text.strip("0") for text in texts):
            # The vendor's production system treats "0" as empty (Medipim's documents).
            raise Violation(path, "must not be empty")
        if key in EANS:
            return self._eans(key, texts)
        code = self.codes[key]
        if key in {"cip13", "acl13"} and any(filters.digits(text, "", 13) is None for text in texts):
            raise Violation(path, "must be exactly 13 digits")
        prefix = "3400" if key == "cip13" else "3401" if key == "acl13" else code.prefix
        numbers = [number for text in texts if (number := filters.digits(text, prefix, code.width)) is not None]
        if code.source:
            numbers = [int(prefix) * 10**9 + number for number in numbers]
        column = self.rows.national13 if code.source else self.rows.national
        keep = np.isin(column, numbers) & bool(code.width)
        return keep if code.medicine is None else keep & (self.rows.medicine == code.medicine)

    def _eans(self, key: str, texts: list[str]) -> Bits:
        width = {"ean": 13, "gtin": 14}.get(key) or int(key.removeprefix("eanGtin"))
        low = {12: 10**8, 13: 10**8}.get(width, 0)
        high = {8: 10**8, 12: 10**12}.get(width, 10**13)
        numbers = [n for text in texts if (n := filters.digits(text, "", width)) is not None and low <= n < high]
        if key != "ean":
            return np.isin(self.rows.last_ean, numbers)
        numbers += [n for text in texts if (n := filters.digits(text, "", 8)) is not None]
        return np.isin(self.rows.ean, numbers) | np.isin(self.rows.second_ean, numbers)

    def search(self, value: Any, path: str) -> Bits:
        """Where the name contains every word of the query, ignoring case (inferred)."""
        if not isinstance(value, dict) or not {"query", "locale"} <= set(value) <= {"query", "locale", "type"}:
            raise Violation(path, "must be an object with query, locale and optionally type")
        locale = filters.one(value["locale"], f"{path}.locale", self.catalogue.locales)
        filters.one(value.get("type", "contains"), f"{path}.type", ("contains",))
        query = filters.text(value["query"], f"{path}.query")
        keep: Bits = self._named(locale)
        for word in query.casefold().split():
            in_brand = np.array([word in brand["name"].casefold() for brand in self.lookups.brands])
            in_tail = np.array([word in tail.casefold() for tail in self._tails(locale)])
            keep = keep & (in_brand[self.rows.brand] | in_tail[self.rows.variant])
        return keep

    def minimum(self, value: Any, path: str) -> Bits:
        """Where a product has an image, a description and a public category, the rule since 2024-12 (documented)."""
        described: Bits = self.rows.first_description | self.rows.second_description
        return np.equal(self._content["photos"]() & described, filters.flag(value, path))

    def content(self, value: Any, path: str) -> Bits:
        """Where a field has a value. A localised field needs a locale."""
        if not isinstance(value, dict) or not {"flag"} <= set(value) <= {"flag", "locale"}:
            raise Violation(path, "must be an object with flag and, for localised flags, locale")
        name = filters.one(value["flag"], f"{path}.flag", (*WORDS["localised_flags"], *self._content))
        if name in self._content:
            return self._content[name]()
        locale = filters.one(value.get("locale"), f"{path}.locale", self.catalogue.locales)
        number, rows = self.catalogue.locales.index(locale), self.rows
        if name in ("name", "seoName"):
            return self._named(locale) & ~(rows.odd(NO_SEO_NAME) & (name == "seoName"))
        if number > 1 or (number == 1 and name == "descriptions.usage"):
            return np.zeros(self.catalogue.products, dtype=np.bool_)
        if name == "leaflets":
            return rows.medicine & ~rows.odd(NO_LEAFLETS)
        described = rows.second_description if number else rows.first_description
        return described & self.by_kind(lambda kind: kind["usage"]) if name == "descriptions.usage" else described
