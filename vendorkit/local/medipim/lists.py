"""The short lists of Medipim: paths, filters and sort keys (Medipim's documents); the answers of get-fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from vendorkit.local.medipim.filters import Violation, between, combined, direction, flag, listed, one, sort_key, text
from vendorkit.local.medipim.kinds import CODES, WORDS, Bits, Record
from vendorkit.local.medipim.lookups import Lookups


class List(NamedTuple):
    """
    One list, a line of `lists.json`.

    `path` is the vendor's, singular or plural. `root` is the member that has the answer of `find`, empty if there is no
    `find`; `organisationItem` and `newsItem` are what the documents say (sic), the real keys are unknown. `filters` has
    the kind of each filter; `sorts` is empty if the vendor has no sorting, `countries` if all have the list.
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
        written = {one["fields"]["id"]: one["fields"] for one in changes if one["record"] == self.path}
        return [*(written.pop(one["id"], one) for one in records), *written.values()] if written else records


LISTS: Final = [List(**line) for line in json.loads(Path(__file__).with_name("lists.json").read_text("utf-8"))]


def list_at(path: str) -> List:
    """Return the list at a path."""
    return next(one for one in LISTS if one.path == path)


def rows_of(kind: List, lookups: Lookups, body: Mapping[str, Any]) -> list[Record]:
    """Return the records of a list that a request selects, sorted. Raise Violation for an invalid request."""
    records = kind.records(lookups)
    if body.get("filter"):

        def fits(key: str, value: Any, path: str) -> Bits:
            if key not in kind.filters:
                raise Violation(path, f"unknown filter, known: {', '.join(kind.filters)}, and, or, not")
            if kind.filters[key] in ("createdAt", "updatedAt"):
                return between(value, path, np.array([one["meta"][kind.filters[key]] for one in records]))
            test = _test(kind.filters[key], key, value, path, lookups)
            return np.array([test(record) for record in records], dtype=np.bool_)

        records = list(compress(records, combined(body["filter"], "filter", len(records), fits)))
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
    """Return a name, or its first locale, in the form for sorting and searching."""
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
    if sort == "none":
        listed(value, path, (str, int))
        return lambda _record: False  # the vendor has the filter, but no record here has a value
    if sort == "deleted":
        wanted_deleted = flag(value, path)
        return lambda _record: not wanted_deleted
    if sort == "handled":  # that this one word means the last two is inferred
        words = listed(value, path, (str,))
        words = [*words, "solved", "closed"] if "handled" in words else words
        return lambda record: record["status"] in words
    if sort == "attribute":
        ids = listed(value, path, (int, str))
        codes = {a["code"] for a in lookups.tables["attributes"] if a["id"] in ids or a["code"] in ids}
        return lambda record: record["type"] in codes
    wanted = listed(value, path, (int,) if sort == "int" else (str,))
    return lambda record: record[key] in wanted


def get_fields(kind: str, country: str) -> list[Record]:
    """
    Return the fields of `products` or `media`, including the codes of the country.

    The names of the types are inferred.
    """
    if kind == "media":
        return list(WORDS["media_fields"])
    missing = WORDS["no_prices_in_us"] if country == "us" else ()
    fields = [one for one in WORDS["product_fields"] if one["code"] not in missing]
    return fields + [{"code": code.name, **WORDS["code_field"]} for code in CODES[country]]
