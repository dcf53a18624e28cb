"""
Brands, organizations, categories and other short lists of the Medipim mock server: records, filters and sort keys.

The paths of the lists are in `lists.json`, most of their records in `tables` of `words.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from vendorkit.local.medipim.catalogue import Catalogue, brand_id, organization_id
from vendorkit.local.medipim.filters import Violation, between, combined, direction, flag, listed, one, sort_key, text
from vendorkit.local.medipim.kinds import CATEGORIES, CODES, WORDS, Bits, Record, parent_category
from vendorkit.local.server.api import encode

_START: Final = 1_600_000_000  # times in the lists of `tables` are after this one
_FACT: Final = re.compile(r"\{(\w+)\}")
_FIRST_CREATED: Final = 1_537_171_222  # 2018-09-17, the oldest `createdAt` of the lists


def brand_name(index: int) -> str:
    """Return the name of a brand. Repeated names get a number."""
    names, heads, tails = WORDS["brands"], WORDS["heads"], WORDS["tails"]
    if index < len(names):
        return str(names[index])
    head, tail, repeat = index * 7 % 20, (index // 20 + index * 3) % 20, index // 400
    return f"{heads[head]}{tails[tail]}" + (f" {repeat + 1}" if repeat else "")


def _meta(index: int, *, created: bool = True) -> Record:
    created_at = _FIRST_CREATED + index * 86_400 % 100_000_000
    return {"createdAt": created_at if created else None, "updatedAt": created_at + index * 3_607 % 10_000_000}


class Lookups:
    """
    The short lists, computed on first use and sorted by id.

    Args:
        catalogue: The source of the sizes, the country, and the owners of the brands.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue, self.locales = catalogue, catalogue.locales

    @cached_property
    def brands(self) -> list[Record]:
        """All brands. In this list the name is a string."""
        return [{"id": brand_id(n), "name": brand_name(n), "meta": _meta(n)} for n in range(self.catalogue.brands)]

    @cached_property
    def organizations(self) -> list[Record]:
        """All organizations. Three of four are suppliers, and only these have contact information."""
        owned: dict[int, list[int]] = {}
        for brand, owner in enumerate(self.catalogue.brand_organization.tolist()):
            owned.setdefault(owner, []).append(brand_id(brand))
        count = self.catalogue.organizations
        suppliers = max(1, count * 3 // 4)
        return [self._organization(n, owned.get(n, []), supplier=n < suppliers) for n in range(count)]

    def _organization(self, number: int, brands: list[int], *, supplier: bool) -> Record:
        name = f"{WORDS['heads'][number % 20]}{WORDS['tails'][number // 20 % 20]} {WORDS['company_forms'][number % 4]}"
        kind = "supplier" if supplier else WORDS["organization_types"][1 + number % 3]
        families = [number % 13 + 1] if number % 5 == 0 else []
        record: Record = {"id": organization_id(number), "name": name, "type": kind, "brands": brands}
        record |= {"productFamilies": families, "meta": _meta(number, created=number % 3 != 0)}
        return record | ({"contactInformation": self.contact(number)} if supplier else {})

    def contact(self, number: int) -> Record:
        """Return an address, with `zipCode` (as in the vendor's table) or `zipcode` (as in its example)."""
        facts = {"n": number + 1, "index": number, "country": self.catalogue.country.upper()}
        facts["zip"] = f"{number * 37 % 9000 + 100:04d}"
        names = {"zip": "zipcode" if number % 7 else "zipCode"}
        return {names.get(key, key): _filled(value, facts, self.locales) for key, value in WORDS["contact"].items()}

    @cached_property
    def categories(self) -> list[Record]:
        """The tree of public categories. The `parent` of a root is null (inferred)."""
        return [self._category(n) for n in range(CATEGORIES)]

    def _category(self, number: int) -> Record:
        root = number
        while (parent := parent_category(root)) is not None:
            root = parent
        tail = "" if root == number else f" {number}"
        name = {loc: WORDS["root_categories"][root][loc] + tail for loc in self.locales[:2]}
        parent, meta = parent_category(number), _meta(number, created=number % 2 == 0)
        parent_id = None if parent is None else parent + 1
        return {"id": number + 1, "name": name, "parent": parent_id, "order": number % 8, "meta": meta}

    @cached_property
    def tables(self) -> dict[str, list[Record]]:
        """
        All other lists, from `tables` of `words.json`, which has the number of records and their members.

        If a member is a list, the records take its values in turn. A text is filled with facts, and is null if one of
        them is missing. `{"2": text}` is the text in the first two locales, because the vendor's lists lack the others.
        The fields of news are inferred.
        """
        return {
            name: [
                {key: _filled(value, facts, self.locales) for key, value in members.items()}
                for facts in (self._facts(number) for number in range(1, count + 1))
            ]
            for name, (count, members) in WORDS["tables"].items()
        }

    def _facts(self, n: int) -> Record:
        product: Any = self.catalogue.id_numbers(n * 7 % max(1, self.catalogue.products))
        return {
            "n": n,
            "next": n + 1,
            **({} if n < 4 else {"above": n // 4}),
            "meta": {"createdAt": _START + n * 86_400, "updatedAt": _START + n * 90_000},
            "old_meta": _meta(n - 1),
            "product": f"M{product:09X}",
            "locale": self.locales[n % min(2, len(self.locales))],
            "organization": self.organizations[n % len(self.organizations)]["id"],
        }

    @cached_property
    def encoded(self) -> tuple[list[bytes], list[bytes], list[bytes], list[bytes]]:
        """The JSON of brands (each as a list of one), of their names without quotes, and the same of organizations."""
        suppliers = [{key: org[key] for key in ("id", "name", "type", "meta")} for org in self.organizations]
        return (
            [encode([brand]) for brand in self.brands],
            [encode(brand["name"])[1:-1] for brand in self.brands],
            [encode([org]) for org in suppliers],
            [encode(org["name"])[1:-1] for org in suppliers],
        )

    def of_kind(self, kind: Record) -> Record:
        """Return the records that a product of this kind links to."""
        categories = [self.categories[n - 1] for n in kind["publicCategory"]]
        tables = self.tables
        gs1 = kind["gs1Category"] if self.catalogue.country == "au" else None
        return {
            "publicCategories": [{k: c[k] for k in ("id", "name", "parent", "meta")} for c in categories],
            "gs1": gs1 and {"code": gs1, "level": 4, "parent": gs1[:6], "title": "Brick", "active": True},
            "productFamilies": [tables["families"][n - 1] for n in kind["productFamily"]],
            "options": [tables["options"][n - 1] for n in kind["attributes"]],
            "ingredients": [tables["ingredients"][n - 1] for n in kind["activeIngredient"]],
        }


def _filled(value: Any, facts: Record, locales: list[str]) -> Any:
    if isinstance(value, list):
        return value[(facts["n"] - 1) % len(value)]
    if isinstance(value, dict):
        ((count, text),) = value.items()
        return dict.fromkeys(locales[: int(count)], _filled(text, facts, locales))
    if match := _FACT.fullmatch(value):
        return facts[match[1]]
    try:
        return value.format_map(facts)
    except KeyError:
        return None


def subscriptions(lookups: Lookups) -> list[Record]:
    """Return the records of `organizations/check/subscription`: every third organization, with secrets of keys."""
    plan = {"type": "plan_1", "name": dict.fromkeys(lookups.locales[:2], "Plan 1"), "start": _START}
    records = []
    for n, owner in enumerate(lookups.organizations[::3], start=1):
        secret = f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" * 2
        key = {"id": n, "user": (n - 1) % 25 + 1, "name": "Shop", "secret": secret, "isEnabled": True}
        plans = [{**plan, "end": _START + 10**8 + n - 1}]
        organization = {"organization": owner["id"], "name": owner["name"]}
        records.append({**organization, "activeSubscriptions": plans, "apiKeys": [key]})
    return records


class List(NamedTuple):
    """
    One list, a line of `lists.json`.

    `path` is the vendor's, singular or plural. `root` is the member of the answer to `find` that has the record, ""
    if there is no `find`; `organisationItem` and `newsItem` are spelled as in the documents, and the real keys are
    unknown. `filters` has the kind of each filter. `sorts` is empty if the vendor does not sort the list. `countries`
    is empty if the list exists in all countries.
    """

    path: str
    attribute: str
    root: str
    filters: Mapping[str, str]
    sorts: Sequence[str] = ()
    countries: Sequence[str] = ()

    def records(self, lookups: Lookups) -> list[Record]:
        """Return all records, by id."""
        records = lookups.tables.get(self.attribute) or getattr(lookups, self.attribute)
        changes = lookups.catalogue.changes
        written = {change["fields"]["id"]: change["fields"] for change in changes if change["record"] == self.path}
        return [*(written.pop(record["id"], record) for record in records), *written.values()] if written else records


LISTS: Final = [List(**line) for line in json.loads(Path(__file__).with_name("lists.json").read_text("utf-8"))]


def list_at(path: str) -> List:
    """Return the list at a path."""
    return next(entry for entry in LISTS if entry.path == path)


def rows_of(kind: List, lookups: Lookups, body: Mapping[str, Any]) -> list[Record]:
    """Return the records of a list that a request selects, sorted. Raise Violation for an invalid request."""
    records = kind.records(lookups)
    if body.get("filter"):

        def matches(key: str, value: Any, path: str) -> Bits:
            if key not in kind.filters:
                raise Violation(path, f"unknown filter, known: {', '.join(kind.filters)}, and, or, not")
            if kind.filters[key] in ("createdAt", "updatedAt"):
                return between(value, path, np.array([record["meta"][kind.filters[key]] for record in records]))
            test = _test(kind.filters[key], key, value, path, lookups)
            return np.array([test(record) for record in records], dtype=np.bool_)

        records = list(compress(records, combined(body["filter"], "filter", len(records), matches)))
    if kind.sorts and body.get("sorting"):
        key, way, path = sort_key(body["sorting"], kind.sorts)
        keys: dict[str, Callable[[Record], Any]] = {
            "id": itemgetter("id"),
            "name": lambda record: _text(record["name"]),
            "touchedAt": lambda record: record["meta"]["updatedAt"],
        }
        records = sorted(records, key=keys[key], reverse=direction(way, path))
    return records


def _text(name: Any) -> str:
    """Return a name, or its first locale, for sorting and searching without regard to case."""
    return str(next(iter(name.values()), "") if isinstance(name, dict) else name).casefold()


def _test(sort: str, key: str, value: Any, path: str, lookups: Lookups) -> Callable[[Record], bool]:
    if sort == "localised":
        if not isinstance(value, dict) or set(value) != {"query", "locale"}:
            raise Violation(path, "must be an object with query and locale")
        locale = one(value["locale"], f"{path}.locale", lookups.locales)
        query = text(value["query"], f"{path}.query")
        return lambda record: query.casefold() in record["name"].get(locale, "").casefold()
    if sort == "text":
        query = text(value, path)
        return lambda record: query.casefold() in _text(record["name"])
    if sort == "deleted":
        is_deleted = flag(value, path)
        return lambda _record: not is_deleted
    if sort == "attribute":
        ids = listed(value, path, (int, str))
        codes = {a["code"] for a in lookups.tables["attributes"] if a["id"] in ids or a["code"] in ids}
        return lambda record: record["type"] in codes
    # The vendor has the filters of type "none" too, but here no record has a value for them.
    values = listed(value, path, {"int": (int,), "none": (str, int)}.get(sort, (str,)))
    handled = ["solved", "closed"] if key == "status" and "handled" in values else []  # inferred
    return lambda record: record.get(key) in [*values, *handled]


def get_fields(kind: str, country: str) -> list[Record]:
    """
    Return the fields of `products` or `media`, including the codes of the country.

    The names of the types are inferred.
    """
    if kind == "media":
        return list(WORDS["media_fields"])
    missing = WORDS["no_prices_in_us"] if country == "us" else ()
    fields = [field for field in WORDS["product_fields"] if field["code"] not in missing]
    return fields + [{"code": code.name, **WORDS["code_field"]} for code in CODES[country]]
