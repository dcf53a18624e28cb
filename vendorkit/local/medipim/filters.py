"""
Filters and sorting of Medipim: from the JSON of a request to the indexes of the matching records, in order.

A filter is an object with exactly one key; that several keys are refused is inferred. Each filter gives a column of
booleans, which NumPy combines by `and`, `or` and `not`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vendorkit.local.medipim import traits, words
from vendorkit.local.medipim.arrays import Bits, Ints
from vendorkit.local.medipim.catalogue import Catalogue
from vendorkit.local.medipim.rows import MediaRows, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DEPTH: Final = 50  # deeper nesting is refused, before it becomes a RecursionError


class Violation(Exception):
    """One error in a request: `field` as a dotted path, and a message."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


def single(value: Any, field: str) -> tuple[str, Any]:
    """Return key and value of an object with one key. Raise Violation for anything else."""
    if not isinstance(value, dict) or len(value) != 1:
        raise Violation(field, "must be an object with exactly one key")
    ((key, inner),) = value.items()
    return key, inner


def listed(value: Any, field: str, kinds: tuple[type, ...]) -> list[Any]:
    """Return a scalar or list as a list whose members are of `kinds`. Raise Violation if it is empty."""
    values = value if isinstance(value, list) else [value]
    bad = [v for v in values if not isinstance(v, kinds) or (isinstance(v, bool) and bool not in kinds)]
    if bad or not values:
        raise Violation(field, f"must be one or more of type {' or '.join(kind.__name__ for kind in kinds)}")
    return values


def chosen(value: Any, field: str, choices: Iterable[str]) -> list[str]:
    """Return a scalar or list as a list of words, each one of `choices`."""
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
    """Return where a time column is at or after a scalar, or within `{from, until}`, both included (inferred)."""
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
    """Return where a filter matches; `leaf(key, value, path)` decides on all but `and`, `or` and `not`."""
    if depth > _DEPTH:
        raise Violation(field, f"is nested deeper than {_DEPTH}")
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


def of_each(fits: Callable[[int], bool], count: int, column: Ints) -> Bits:
    """Return where `fits` is true of the number in a column; all numbers are below `count`."""
    return np.take(np.array([fits(number) for number in range(count)], dtype=np.bool_), column)


def ordered(keep: Bits, keys: list[Ints], *, descending: bool) -> Ints:
    """Return the kept indexes sorted by `keys`, most important first; the last key always sorts ascending."""
    index = np.flatnonzero(keep)
    parts = [key[index] for key in keys]
    if descending:
        parts = [-part for part in parts[:-1]] + [parts[-1] if len(parts) > 1 else -parts[-1]]
    order: Ints = index[np.lexsort(parts[::-1])]
    return order


def direction(value: Any, field: str) -> bool:
    """Return whether a sort direction is descending."""
    if value not in ("ASC", "DESC"):
        raise Violation(field, "must be ASC or DESC")
    return bool(value == "DESC")


def digits(text: str, prefix: str, width: int) -> int | None:
    """Return the number in a code of `width` characters that starts with `prefix`; None for any other string."""
    tail = text[len(prefix) :]
    fits = len(text) == width and text.startswith(prefix) and tail.isascii() and tail.isdigit()
    return int(tail) if fits else None


class MediaFilter:
    """Filters and sorts media (Medipim's documents)."""

    SORTS: Final = ("id", "createdAt", "touchedAt")
    FILTERS: Final = (
        "published", "organization", "targetGroup", "type", "photoType", "linkType", "visibleSides", "createdAt",
        "updatedSince", "touchedAt", "product", "available", "locale", "and", "or", "not",
    )  # fmt: skip

    def __init__(self, catalogue: Catalogue, suppliers: list[int]) -> None:
        self.catalogue = catalogue
        self.rows = MediaRows(catalogue, np.arange(2 * catalogue.products, dtype=np.int64))
        self.suppliers = suppliers

    def select(self, value: Any, sorting: Any) -> Ints:
        """Return the indexes of the matching media, sorted. Raise Violation for an invalid request."""
        key, way = single(sorting, "sorting")
        if key not in self.SORTS:
            raise Violation(field=f"sorting.{key}", message=f"unknown sort key, known: {', '.join(self.SORTS)}")
        down = direction(way, f"sorting.{key}")
        keep = combined(value, "filter", len(self.rows.index), self._leaf)
        times = {"createdAt": self.rows.owner.created, "touchedAt": self.rows.owner.updated}
        return ordered(keep, [times[key], self.rows.index] if key in times else [self.rows.index], descending=down)

    def _leaf(self, key: str, value: Any, path: str) -> Bits:
        rows = self.rows
        if key in {"createdAt", "updatedSince", "touchedAt"}:
            return between(value, path, rows.owner.created if key == "createdAt" else rows.owner.updated)
        if key == "product":
            wanted = [self.catalogue.index_of(v) for v in listed(value, path, (str,))]
            shown = Rows(self.catalogue, np.array([v for v in wanted if v is not None], dtype=np.int64))
            return np.isin(rows.index // 2, shown.photos_of) & self._by_kind(traits.media_there)
        if key == "organization":
            ids = listed(value, path, (int,))
            owned = of_each(lambda n: self.suppliers[n] in ids, len(self.suppliers), self.catalogue.brand_organization)
            return np.take(owned, rows.owner.brand)
        return self._by_kind(self._kinds(key, value, path))

    def _by_kind(self, fits: Callable[[int], bool]) -> Bits:
        return of_each(fits, 2 * traits.VARIANTS, self.rows.variant)

    def _kinds(self, key: str, value: Any, path: str) -> Callable[[int], bool]:
        """Return the test of one kind of media."""
        if key in {"published", "available"}:
            wanted = flag(value, path)
            # Every item is available; those that no product shows are not published.
            return lambda item: (key == "available" or traits.media_there(item)) is wanted
        tests: dict[str, tuple[tuple[str, ...], Callable[[int], list[str]]]] = {
            "targetGroup": (words.TARGET_GROUPS, traits.media_groups),
            "type": (words.MEDIA_TYPES, lambda i: [traits.media_type(i), *["frontal"][: traits.frontal(i)]]),
            "photoType": (words.PHOTO_TYPES, lambda i: [traits.photo_type(i)] if is_photo(i) else []),
            "linkType": (words.LINK_TYPES, lambda i: [] if is_photo(i) else [traits.link_type(i)]),
            "visibleSides": (words.SIDES, lambda i: traits.sides_of(i) if is_photo(i) else []),
            "locale": (self.catalogue.locales, lambda i: list(self.catalogue.locales[: 1 + i % 2])),
        }
        if key not in tests:
            raise Violation(path, f"unknown filter, known: {', '.join(self.FILTERS)}")
        choices, held = tests[key]
        wanted_words = set(chosen(value, path, choices))
        return lambda item: not wanted_words.isdisjoint(held(item))


def is_photo(item: int) -> bool:
    """Return whether a kind of media is a photo."""
    return traits.media_type(item) == "photo"
