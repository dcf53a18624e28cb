"""The short lists of Medipim: their paths, filters and sort keys (Medipim's documents)."""

from __future__ import annotations

from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from vendorkit.local.medipim.filters import Violation, between, combined, direction, flag, listed, one, single, text
from vendorkit.local.medipim.lookups import Lookups
from vendorkit.local.medipim.minor import minor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vendorkit.local.medipim.arrays import Bits

Record = dict[str, Any]
_STATUSES: Final = {"handled": ("solved", "closed")}


class List(NamedTuple):
    """
    One list.

    `path` is the vendor's, singular or plural. `root` is the member that has the answer of `find`, empty if there is no
    `find`. `filters` has the kind of each filter; `sorts` is empty if the vendor has no sorting.
    """

    path: str
    attribute: str
    root: str
    filters: Mapping[str, str]
    sorts: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()  # none: all of them

    def records(self, lookups: Lookups) -> list[Record]:
        """Return all records, by id."""
        few = self.attribute not in vars(Lookups)
        records: list[Record] = minor(self.attribute, lookups) if few else getattr(lookups, self.attribute)
        written = {
            one["fields"]["id"]: one["fields"] for one in lookups.catalogue.changes if one["record"] == self.path
        }
        return [*(written.pop(one["id"], one) for one in records), *written.values()] if written else records


LISTS: Final = (
    List("brands", "brands", "brand", {"id": "int", "search": "text"}, ("id", "name")),
    # `organisationItem` and `newsItem` are what the documents say (sic); the real keys are unknown.
    List(
        "organizations", "organizations", "organisationItem",
        {"id": "int", "type": "str", "name": "text", "searchName": "text", "vatNr": "none", "specializations": "none",
         "apbNr": "none", "rizivNr": "none", "finessNr": "none", "cipNr": "none"},
        ("id", "name"),
    ),
    List("public-categories", "categories", "", {"id": "int", "parent": "int", "search": "localised"}),
    List("product-families", "families", "", {"id": "int", "search": "text"}, ("id", "name")),
    List("active-ingredients", "ingredients", "", {"id": "int", "search": "localised"}),
    List("product/attributes", "attributes", "newsItem", {"id": "int", "code": "str"}, ("id", "name")),
    List(
        "product/attribute/options", "options", "attributeOption",
        {"id": "int", "attribute": "attribute", "type": "str"}, ("id", "name"),
    ),
    List(
        "corrections", "corrections", "correction",
        {"product": "str", "status": "handled", "organization": "none", "search": "none", "locale": "str",
         "type": "str", "createdBy": "none", "createdAt": "createdAt"}, ("touchedAt",),
    ),
    List("users", "users", "", {"id": "int"}),
    List("subscription-types", "subscription_types", "", {"id": "int"}),
    List("bcfi-categories", "bcfi_categories", "", {"id": "str"}, (), ("be",)),
    List("osp-categories", "osp_categories", "", {"id": "str", "parent": "str"}, (), ("fr",)),
    List(
        "medipim-categories", "medipim_categories", "",
        {"id": "str", "parent": "str", "search": "localised", "deleted": "deleted"}, (), ("fr",),
    ),
    List(
        "updates", "updates", "",
        {"id": "int", "organization": "none", "newsType": "str", "createdAt": "createdAt", "updatedSince": "updatedAt",
         "locale": "none", "product": "none", "publicCategory": "none", "brand": "none", "targetGroup": "none"},
        (), ("be", "fr"),
    ),
)  # fmt: skip


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
        key, way = single(body["sorting"], "sorting")
        if key not in kind.sorts:
            raise Violation(field=f"sorting.{key}", message=f"unknown sort key, known: {', '.join(kind.sorts)}")
        down = direction(way, f"sorting.{key}")
        keys: dict[str, Callable[[Record], Any]] = {
            "id": itemgetter("id"),
            "name": lambda record: _text(record["name"]),
            "touchedAt": lambda record: record["meta"]["updatedAt"],
        }
        records = sorted(records, key=keys[key], reverse=down)
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
        words = {word for one in listed(value, path, (str,)) for word in _STATUSES.get(one, (one,))}
        return lambda record: record["status"] in words
    if sort == "attribute":
        ids = listed(value, path, (int, str))
        codes = {a["code"] for a in lookups.attributes if a["id"] in ids or a["code"] in ids}
        return lambda record: record["type"] in codes
    wanted = listed(value, path, (int,) if sort == "int" else (str,))
    return lambda record: record[key] in wanted
