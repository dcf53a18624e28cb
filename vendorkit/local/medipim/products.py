"""The filters and sort keys of Medipim's products (Medipim's documents)."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vendorkit.local.medipim import filters, oddities, traits, words
from vendorkit.local.medipim.catalogue import FIRST_MEDIA, Catalogue
from vendorkit.local.medipim.lookups import Lookups, brand_id, category_id, organization_id
from vendorkit.local.medipim.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from vendorkit.local.medipim.arrays import Bits, Ints

MAX_CODES: Final = 1_000
EANS: Final = ("ean", "gtin", "eanGtin8", "eanGtin12", "eanGtin13", "eanGtin14")
_BASE: Final = (
    "id", "status", "organization", "publicCategory", "brand", "productFamily", "search", "minimumContent",
    "hasContent", *EANS, "hsCode", "media", "activeIngredient", "conservation", "allowedSpecies", "atcCategory",
    "attributes", "notApplicableField", "officialDeletionAt", "createdAt", "updatedSince", "and", "or", "not",
)  # fmt: skip
# The supported flags of hasContent; the vendor has one per field.
_LOCALISED: Final = (
    "name", "seoName", "descriptions", "descriptions.full_description", "descriptions.usage", "leaflets",
)  # fmt: skip
_PLAIN: Final = ("publicPrice", "weight", "media", "photos", "brands", "ean", "publicCategories", "organizations")
_EXTRA: Final = {"be": ("ecommerce",), "fr": ("ecommerce",), "au": ("narcotic", "biocide", "gs1Category")}
# What the filters on the kind of a product compare: ids, words of a fixed list, or other strings.
_IDS: Final[dict[str, Callable[[int], list[Any]]]] = {
    "publicCategory": lambda v: [category_id(n) for n in traits.categories_of(v)],
    "productFamily": lambda v: [n + 1 for n in traits.families_of(v)],
    "activeIngredient": lambda v: [n + 1 for n in traits.ingredients_of(v)],
    "attributes": lambda v: [n + 1 for n in traits.options_of(v)],
}
_CHOICES: Final = {"conservation": words.CONSERVATIONS, "allowedSpecies": words.SPECIES}
_OF_KIND: Final = _IDS | {
    "conservation": lambda v: [traits.conservation_of(v)],
    "allowedSpecies": lambda v: [traits.species_of(v)],
    "hsCode": lambda v: [traits.form_of(v).hs_code],
    "atcCategory": lambda v: [traits.form_of(v).atc],
    "gs1Category": lambda v: [traits.gs1_of(v)],
    "notApplicableField": traits.not_applicable,
}


class ProductFilter:
    """Filters and sorts products; see `select`."""

    def __init__(self, catalogue: Catalogue, lookups: Lookups) -> None:
        self.catalogue, self.lookups = catalogue, lookups
        self.rows = Rows(catalogue, catalogue.index)
        self.codes = {code.name: code for code in words.CODES[catalogue.country]}
        self.filters = (*_BASE, *_EXTRA.get(catalogue.country, ()), *self.codes)
        self.sorts: tuple[str, ...] = ("id", "name", "createdAt", "touchedAt", "statusTouchedAt", "status")
        self.sorts += ("pbs",) if catalogue.country == "au" else ()

    def select(self, value: Any, sorting: Any) -> Ints:
        """Return the indexes of the matching products, sorted, ties by id. Raise Violation for an invalid request."""
        keys, descending = self._keys(sorting)
        self._count = 0
        keep = filters.combined(value, "filter", self.catalogue.products, self._leaf)
        return filters.ordered(keep, [*keys, self.rows.id_number], descending=descending)

    def _keys(self, sorting: Any) -> tuple[list[Ints], bool]:
        key, way = filters.single(sorting, "sorting")
        path = f"sorting.{key}"
        if key not in self.sorts:
            raise filters.Violation(path, f"unknown sort key, known: {', '.join(self.sorts)}")
        if key == "name":
            if not isinstance(way, dict) or set(way) != {"direction", "locale"}:
                raise filters.Violation(path, "must be an object with direction and locale")
            locale = filters.one(way["locale"], f"{path}.locale", self.catalogue.locales)
            return self._name_ranks(locale), filters.direction(way["direction"], f"{path}.direction")
        rows = self.rows
        columns: dict[str, Callable[[], list[Ints]]] = {
            "id": list,
            "createdAt": lambda: [rows.created],
            "touchedAt": lambda: [rows.updated],
            "statusTouchedAt": lambda: [rows.status_touched],
            "status": lambda: [np.argsort(np.argsort(words.STATUSES))[rows.status]],
            "pbs": lambda: [rows.national],
        }
        return columns[key](), filters.direction(way, path)

    def _name_ranks(self, locale: str) -> list[Ints]:
        """Rank of each name: by code point, brand first; missing names come first (inferred)."""
        brands = np.array([brand["name"] for brand in self.lookups.brands])
        tails = np.array([f"{traits.line_of(v)} {self._tail(v, locale)}" for v in range(traits.VARIANTS)])
        ranks = [np.unique(texts, return_inverse=True)[1] + 1 for texts in (brands, tails)]
        there = self._named(locale)
        rows = self.rows
        return [np.where(there, ranks[0][rows.brand], 0), np.where(there, ranks[1][rows.variant], 0)]

    def _tail_holds(self, word: str, locale: str, variant: int) -> bool:
        return word in f"{traits.line_of(variant)} {self._tail(variant, locale)}".casefold()

    @staticmethod
    def _tail(variant: int, locale: str) -> str:
        form = traits.form_of(variant)
        return f"{getattr(form, locale)} {traits.size_of(variant)}{form.unit}"

    def _named(self, locale: str) -> Bits:
        """Where there is a name in `locale`."""
        number = self.catalogue.locales.index(locale)
        if number == 0:
            return np.ones(self.catalogue.products, dtype=np.bool_)
        if number == 1:
            return self.rows.second_name
        return self._by_kind(lambda v: traits.third_language(v, number))

    def _by_kind(self, fits: Callable[[int], bool]) -> Bits:
        return filters.of_each(fits, traits.VARIANTS, self.rows.variant)

    # -- one filter

    def _leaf(self, key: str, value: Any, path: str) -> Bits:
        if key not in self.filters:
            raise filters.Violation(path, f"unknown filter, known: {', '.join(self.filters)}")
        if key in EANS or key in self.codes:
            return self._code(key, value, path)
        return self._tests[key](value, path) if key in self._tests else self._of_kind(key, value, path)

    @cached_property
    def _tests(self) -> dict[str, Callable[[Any, str], Bits]]:
        rows = self.rows
        return {
            "id": self._ids,
            "status": lambda v, p: self._words(v, p, words.STATUSES, rows.status),
            "ecommerce": lambda v, p: self._words(v, p, words.ECOMMERCE, rows.ecommerce),
            "createdAt": lambda v, p: filters.between(v, p, rows.created),
            "updatedSince": lambda v, p: filters.between(v, p, rows.updated),
            "officialDeletionAt": lambda v, p: filters.between(v, p, rows.deletion),
            "brand": self._brand,
            "organization": self._organization,
            "media": self._shows,
            "search": self._search,
            "minimumContent": lambda v, p: self._minimum() == filters.flag(v, p),
            "hasContent": self._content,
        }

    @staticmethod
    def _words(value: Any, path: str, choices: tuple[str, ...], column: Ints) -> Bits:
        """Where a column has the index of one of the given words."""
        return np.isin(column, [choices.index(word) for word in filters.chosen(value, path, choices)])

    def _ids(self, value: Any, path: str) -> Bits:
        keep = np.zeros(self.catalogue.products, dtype=np.bool_)
        wanted = [self.catalogue.index_of(v) for v in filters.listed(value, path, (str, int))]
        keep[[index for index in wanted if index is not None]] = True
        return keep

    def _brand(self, value: Any, path: str) -> Bits:
        ids = set(filters.listed(value, path, (int,)))
        return filters.of_each(lambda n: brand_id(n) in ids, self.catalogue.brands, self.rows.brand) & self._branded()

    def _shows(self, value: Any, path: str) -> Bits:
        """Where the product links to one of the media; two products may have the same."""
        items = [media - FIRST_MEDIA for media in filters.listed(value, path, (int,))]
        keep = np.zeros(self.catalogue.products, dtype=np.bool_)
        for slot in (0, 1):
            shown = filters.of_each(traits.media_there, 2 * traits.VARIANTS, 2 * self.rows.variant + slot)
            keep |= shown & np.isin(2 * self.rows.photos_of + slot, items)
        return keep

    def _branded(self) -> Bits:
        return self.rows.has_brand & ~self.rows.odd(oddities.NO_BRANDS)

    def _organization(self, value: Any, path: str) -> Bits:
        ids = set(filters.listed(value, path, (int,)))
        owners = self.catalogue.brand_organization
        owned = filters.of_each(lambda n: organization_id(n) in ids, self.catalogue.organizations, owners)
        return np.take(owned, self.rows.brand)

    def _code(self, key: str, value: Any, path: str) -> Bits:
        """Compare codes as strings, with leading zeros; a query has at most 1,000 (Medipim's documents)."""
        texts = filters.listed(value, path, (str,))
        self._count += len(texts)
        if self._count > MAX_CODES:
            raise filters.Violation(path, f"maximum amount of identifier codes provided cannot exceed {MAX_CODES}")
        if any(not text.strip("0") for text in texts):
            # "0" counts as empty in production (Medipim's documents).
            raise filters.Violation(path, "must not be empty")
        if key in EANS:
            return self._eans(key, texts)
        code = self.codes[key]
        if key in {"cip13", "acl13"} and any(filters.digits(text, "", 13) is None for text in texts):
            raise filters.Violation(path, "must be exactly 13 digits")
        prefix = "3400" if key == "cip13" else "3401" if key == "acl13" else code.prefix
        numbers = [number for text in texts if (number := filters.digits(text, prefix, code.width)) is not None]
        if code.source:
            numbers = [int(prefix) * 10**9 + number for number in numbers]
        column = self.rows.national13 if code.source else self.rows.national
        keep = np.isin(column, numbers) if code.width else np.zeros(self.catalogue.products, dtype=np.bool_)
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

    def _search(self, value: Any, path: str) -> Bits:
        """Every word of the query is part of a word of the name, in any case (inferred)."""
        if not isinstance(value, dict) or not {"query", "locale"} <= set(value) <= {"query", "locale", "type"}:
            raise filters.Violation(path, "must be an object with query, locale and optionally type")
        locale = filters.one(value["locale"], f"{path}.locale", self.catalogue.locales)
        filters.one(value.get("type", "contains"), f"{path}.type", ("contains",))
        query = filters.text(value["query"], f"{path}.query")
        keep = self._named(locale).copy()
        names = [brand["name"].casefold() for brand in self.lookups.brands]
        for word in query.casefold().split():
            in_brand = np.take(np.array([word in name for name in names], dtype=np.bool_), self.rows.brand)
            keep &= in_brand | self._by_kind(partial(self._tail_holds, word, locale))
        return keep

    def _minimum(self) -> Bits:
        """Image, description and public category, as since 2024-12 (Medipim's documents)."""
        return self._pictured() & (self.rows.first_description | self.rows.second_description)

    def _pictured(self) -> Bits:
        return self._by_kind(lambda v: bool(traits.photos_of(v)))

    def _content(self, value: Any, path: str) -> Bits:
        if not isinstance(value, dict) or not {"flag"} <= set(value) <= {"flag", "locale"}:
            raise filters.Violation(path, "must be an object with flag and, for localised flags, locale")
        name = filters.one(value["flag"], f"{path}.flag", (*_LOCALISED, *_PLAIN))
        if name in _LOCALISED:
            return self._localised(name, filters.one(value.get("locale"), f"{path}.locale", self.catalogue.locales))
        rows = self.rows
        tests: dict[str, Callable[[], Bits]] = {
            "publicPrice": lambda: rows.price >= 0,
            "weight": lambda: self._by_kind(traits.weight_known) & ~rows.odd(oddities.NO_LEAFLETS),
            "media": lambda: self._by_kind(lambda v: any(traits.media_there(2 * v + n) for n in (0, 1))),
            "photos": self._pictured,
            "brands": self._branded,
            "ean": lambda: rows.ean >= 0,
            "publicCategories": lambda: np.ones_like(rows.has_brand),
            "organizations": lambda: np.ones_like(rows.has_brand),
        }
        return tests[name]()

    def _localised(self, name: str, locale: str) -> Bits:
        number, rows = self.catalogue.locales.index(locale), self.rows
        if name == "seoName":
            return self._named(locale) & ~rows.odd(oddities.NO_SEO_NAME)
        if name == "name":
            return self._named(locale)
        if number > 1:
            return np.zeros(self.catalogue.products, dtype=np.bool_)
        if name == "leaflets":
            return self._by_kind(traits.leaflet_there) & ~rows.odd(oddities.NO_LEAFLETS)
        there = rows.second_description if number else rows.first_description
        if name == "descriptions.usage":
            return there & self._by_kind(traits.usage_there) if number == 0 else np.zeros_like(there)
        return there

    def _of_kind(self, key: str, value: Any, path: str) -> Bits:
        """Filters on what the kind of product determines."""
        if key in {"narcotic", "biocide"}:
            wanted = filters.flag(value, path)
            return self._by_kind(lambda v: (key == "biocide" and traits.biocide(v)) is wanted)
        if key in _CHOICES:
            values: list[Any] = filters.chosen(value, path, _CHOICES[key])
        elif key in _IDS:
            values = filters.listed(value, path, (int,))
        else:
            values = [str(v) for v in filters.listed(value, path, (str, int))]
        return self._by_kind(lambda v: not set(values).isdisjoint(_OF_KIND[key](v)))
