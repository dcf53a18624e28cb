"""
Filters and sorting of Medipim: they turn a request's JSON into the indexes of the matching records, in order.

A filter is an object with exactly one key; more keys are refused (inferred). Each filter returns a column of booleans,
and NumPy combines these columns by `and`, `or` and `not`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException

from vendorkit.local.medipim.catalogue import Catalogue, organization_id
from vendorkit.local.medipim.kinds import MEDIA, WORDS, Bits, Ints, Record, of_kinds
from vendorkit.local.medipim.rows import MediaRows, Rows

_MAX_DEPTH: Final = 50  # deeper nesting is refused before it causes a RecursionError


class Violation(HTTPException):
    """One error in a request: `field` as a dotted path, and a message."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(422, f"{field}: {message}")  # the status is inferred; a switch changes it
        self.violations = [{"field": field, "message": message}]


def single(value: Any, field: str) -> tuple[str, Any]:
    """Return the key and the value of an object with one key. Raise Violation for anything else."""
    if not isinstance(value, dict) or len(value) != 1:
        raise Violation(field, "must be an object with exactly one key")
    ((key, inner),) = value.items()
    return key, inner


def listed(value: Any, field: str, kinds: tuple[type, ...]) -> list[Any]:
    """Return a scalar or list as a list whose members are of `kinds`. Raise Violation if it is empty."""
    values = as_list(value)
    bad = [v for v in values if not isinstance(v, kinds) or (isinstance(v, bool) and bool not in kinds)]
    if bad or not values:
        raise Violation(field, f"must be one or more of type {' or '.join(kind.__name__ for kind in kinds)}")
    return values


def chosen(value: Any, field: str, choices: Iterable[str]) -> list[str]:
    """Return a scalar or list as a list of strings. Raise Violation if one is not in `choices`."""
    values: list[str] = listed(value, field, (str,))
    if unknown := sorted(set(values) - set(choices)):
        raise Violation(field, f"unknown value {unknown[0]!r}, known: {', '.join(choices)}")
    return values


def text(value: Any, field: str) -> str:
    """Return a string. Raise Violation for anything else."""
    if not isinstance(value, str):
        raise Violation(field, "must be a string")
    return value


def one(value: Any, field: str, choices: Iterable[str]) -> str:
    """Return a string that is one of `choices`. Raise Violation for a list."""
    return chosen(text(value, field), field, choices)[0]


def flag(value: Any, field: str) -> bool:
    """Return a boolean. Raise Violation for strings and numbers."""
    if not isinstance(value, bool):
        raise Violation(field, "must be true or false")
    return value


def between(value: Any, field: str, column: Ints) -> Bits:
    """Return where a time column is at or after a scalar, or within `{from, until}`. Both are inclusive (inferred)."""
    span = value if isinstance(value, dict) else {"from": value}
    if not span or set(span) - {"from", "until"}:
        raise Violation(field, "must be unix seconds or an object with from and until")
    fits = column >= 0
    for end, bound in span.items():
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise Violation(field=f"{field}.{end}", message="must be unix seconds as an integer")
        fits &= column >= bound if end == "from" else column <= bound
    return fits


def combined(value: Any, field: str, size: int, leaf: Callable[[str, Any, str], Bits], depth: int = 0) -> Bits:
    """Return where a filter matches. `leaf(key, value, path)` evaluates all filters but `and`, `or` and `not`."""
    if depth > _MAX_DEPTH:
        raise Violation(field, f"is nested deeper than {_MAX_DEPTH}")
    if depth == 0 and value in ({}, []):
        return np.ones(size, dtype=np.bool_)  # inferred: an empty filter matches all; PHP writes an empty object as []
    key, inner = single(value, field)
    path = f"{field}.{key}"
    if key == "not":
        return ~combined(inner, path, size, leaf, depth + 1)
    if key in {"and", "or"}:
        if not isinstance(inner, list) or not inner:
            raise Violation(path, "must be a list of filters")
        parts = [combined(part, f"{path}.{n}", size, leaf, depth + 1) for n, part in enumerate(inner)]
        joined: Bits = (np.logical_and if key == "and" else np.logical_or).reduce(parts)
        return joined
    return leaf(key, inner, path)


def as_list(value: Any) -> list[Any]:
    """Return a list unchanged, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def ordered(keep: Bits, keys: list[Ints], *, descending: bool) -> Ints:
    """Return the indexes where `keep` is true, sorted by `keys` in turn. The last key always sorts ascending."""
    index = np.flatnonzero(keep)
    parts = [key[index] for key in keys]
    if descending:
        parts = [-part for part in parts[:-1]] + [parts[-1] if len(parts) > 1 else -parts[-1]]
    order: Ints = index[np.lexsort(parts[::-1])]
    return order


def sort_key(sorting: Any, known: Iterable[str]) -> tuple[str, Any, str]:
    """Return the key, direction and path of a request's `sorting`. Raise Violation for an unknown key."""
    key, way = single(sorting, "sorting")
    if key not in known:
        raise Violation(field=f"sorting.{key}", message=f"unknown sort key, known: {', '.join(known)}")
    return key, way, f"sorting.{key}"


def direction(value: Any, field: str) -> bool:
    """Return whether a sort direction is descending."""
    if value not in ("ASC", "DESC"):
        raise Violation(field, "must be ASC or DESC")
    return bool(value == "DESC")


def digits(text: str, prefix: str, width: int) -> int | None:
    """Return the number in a code of `width` characters that starts with `prefix`, None for any other string."""
    tail = text[len(prefix) :]
    fits = len(text) == width and text.startswith(prefix) and tail.isascii() and tail.isdigit()
    return int(tail) if fits else None


class Filter:
    """
    Filters and sorts the records of a catalogue, as declared in `words.json`.

    `product_filters` and `media_filters` have the method of each filter (of this class or a subclass) and its further
    arguments. `product_sorts` and `media_sorts` have the column of each sort key, null for the id.
    """

    def __init__(self, catalogue: Catalogue, name: str, rows: Rows | MediaRows, kinds: list[Record]) -> None:
        self.catalogue, self.rows, self.kinds = catalogue, rows, kinds
        self.filters: dict[str, list[Any]] = WORDS[f"{name}_filters"]
        self.sorts: dict[str, str | None] = WORDS[f"{name}_sorts"]

    def select(self, value: Any, sorting: Any) -> Ints:
        """Return the indexes of the matching records, sorted, then by id. Raise Violation for an invalid request."""
        keys, descending = self.keys(*sort_key(sorting, self.sorts))
        keep = combined(value, "filter", len(self.rows.index), self._leaf)
        return ordered(keep, [*keys, self.rows.id_number], descending=descending)

    def keys(self, key: str, way: Any, path: str) -> tuple[list[Ints], bool]:
        """Return the columns to sort by before the id, and whether to sort descending."""
        column = self.sorts[key]
        return [getattr(self.rows, column)] if column else [], direction(way, path)

    def _leaf(self, key: str, value: Any, path: str) -> Bits:
        if key not in self.filters:
            raise Violation(path, f"unknown filter, known: {', '.join(self.filters)}")
        method, *arguments = self.filters[key]
        matches: Bits = getattr(self, method)(value, path, *arguments)
        return matches

    def time(self, value: Any, path: str, column: str) -> Bits:
        """Where a time is in a time span."""
        return between(value, path, getattr(self.rows, column))

    def kind(self, value: Any, path: str, fact: str, sort: str | list[str]) -> Bits:
        """Where a fact of the record's kind has one of the given values."""
        if sort == "flag":
            expected = flag(value, path)
            return self.by_kind(lambda kind: kind[fact] is expected)
        if sort == "text":
            values = {str(v) for v in listed(value, path, (str, int))}
        else:
            values = {*(listed(value, path, (int,)) if sort == "int" else chosen(value, path, sort))}
        return self.by_kind(lambda kind: not values.isdisjoint(as_list(kind[fact])))

    def by_kind(self, fits: Callable[[Record], bool]) -> Bits:
        """Where *fits* is true for the record's kind."""
        return of_kinds(fits, self.rows.variant, self.kinds)

    def organization(self, value: Any, path: str) -> Bits:
        """Where the record belongs to one of the organizations."""
        ids = listed(value, path, (int,))
        return np.isin(organization_id(self.catalogue.brand_organization[self.rows.brand]), ids)


class MediaFilter(Filter):
    """Filters and sorts media (Medipim's documents)."""

    def __init__(self, catalogue: Catalogue) -> None:
        rows = MediaRows(catalogue, np.arange(2 * catalogue.products, dtype=np.int64))
        super().__init__(catalogue, "media", rows, MEDIA)

    def published(self, value: Any, path: str) -> Bits:
        """Where an item is published, which means that a product links to it."""
        return np.equal(self.by_kind(lambda item: item["linked"]), flag(value, path))

    def available(self, value: Any, path: str) -> Bits:
        """Where an item is available. All items are."""
        return np.full(len(self.rows.index), flag(value, path))

    def products(self, value: Any, path: str) -> Bits:
        """Where one of the products links to an item."""
        indexes = [self.catalogue.index_of(v) for v in listed(value, path, (str,))]
        products = Rows(self.catalogue, np.array([index for index in indexes if index is not None], dtype=np.int64))
        return np.isin(self.rows.index // 2, products.photos_of) & self.by_kind(lambda item: item["linked"])

    def locale(self, value: Any, path: str) -> Bits:
        """Where an item has one of the locales. The first item of a product has one locale, the second two."""
        numbers = [self.catalogue.locales.index(locale) for locale in chosen(value, path, self.catalogue.locales)]
        has_locale: Bits = self.rows.index % 2 >= min(numbers)
        return has_locale
